"""A message is cut into prose, commands to copy and links; nothing that is not https becomes a link."""

from datetime import UTC, datetime

from keyturn.pages.connections.badges import Badge, without
from keyturn.pages.connections.runs import AS_ABOVE, RunLine, StepLine, said_once
from keyturn.web.html.wording import Block, Part, blocks, inline

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def rendered(text: str) -> list[str]:
    return [
        f"$ {block.command}" if block.command else "".join(part.text for part in block.parts) for block in blocks(text)
    ]


def test_each_command_stands_alone_and_what_joined_them_is_gone() -> None:
    assert rendered("Commands: `az a --id 1`, `az b --id 1`. Then wait.") == [
        "Commands:",
        "$ az a --id 1",
        "$ az b --id 1",
        "Then wait.",
    ]
    assert rendered("Do `cp a b` and `mv b c`.") == ["Do", "$ cp a b", "$ mv b c"]


def test_one_word_in_backticks_stays_in_its_sentence() -> None:
    assert blocks("As `az` prints it.") == [
        Block([Part("text", "As "), Part("code", "az"), Part("text", " prints it.")])
    ]


def test_only_https_is_a_link_and_its_full_stop_is_not_part_of_it() -> None:
    text = "See https://entra.microsoft.com/#view. Not http://a.example or javascript:alert(1)."
    assert [part.text for part in inline(text) if part.kind == "link"] == ["https://entra.microsoft.com/#view"]
    assert "".join(part.text for part in inline(text)) == text


def test_ids_and_days_are_parts_of_their_own_whatever_stands_around_them() -> None:
    one = "de300000-0000-4000-8000-0000000000a1"
    text = f"The application 'x' ({one}) ends on 2027-01-01, see https://portal.test/{one}. Not {one}0."
    assert [part.text for part in inline(text) if part.kind == "whole"] == [f"({one})", "2027-01-01,"]
    assert "".join(part.text for part in inline(text)) == text


def test_a_lone_backtick_loses_nothing() -> None:
    assert rendered("One ` alone") == ["One ` alone"]
    assert rendered("") == []


def run(failure: str, step: str = "") -> RunLine:
    steps = [StepLine("Begin", "failed", "bad", "1 s", 1, step)]
    return RunLine(
        "1", "Scheduled", "Failed", "bad", "warning", "Keyturn", NOW, "1 s", steps, failure, "Mend it.", "", False
    )


def test_a_cause_is_read_once_per_page() -> None:
    first, second = said_once([run("No.", "No."), run("No.")], ())
    assert (first.failure, first.fix, first.steps[0].message) == ("No.", "Mend it.", "")
    assert (second.failure, second.fix) == (AS_ABOVE, "")
    assert said_once([run("No.")], {"No."})[0].failure == AS_ABOVE
    (badge,) = without([Badge("Failed", "bad", reason="No. Mend it.")], {"No.", ""})
    assert badge.reason == ""
