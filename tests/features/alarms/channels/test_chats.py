"""Slack and Microsoft Teams: what is told is shown, and names of people's choice do nothing there."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.db.unit import Database
from keyturn.kit.secret import Plaintext
from tests.features.alarms.office import Office

HOOK = Plaintext("https://hooks.example.test/services/T0/B0/very-secret-part")


def markup(document: object) -> Iterator[str]:
    """Yield the texts of a message in which signs mean something."""
    if isinstance(document, list):
        for each in document:
            yield from markup(each)
    elif isinstance(document, dict):
        if document.get("type") in {"mrkdwn", "TextBlock"}:
            yield document["text"]
        for each in document.values():
            yield from markup(each)


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_chats_show_cause_fix_and_link_and_nothing_that_names_can_do(database: Database, kind: str) -> None:
    office = Office(database)
    channel = office.channels.create(office.boss, ChannelDraft("chat", kind, {}, HOOK))
    assert channel.config == {"host": "hooks.example.test"}
    office.happens("<!channel> [click](https://evil.test)")
    office.work(rounds=3)
    (request,) = office.receiver.requests
    assert request.url == HOOK.reveal()
    text = request.body.decode()
    for part in (
        "does not work.",
        "Make it work.",
        "https://keyturn.example.test/c/",
        "https://keyturn.example.test/alarms",
    ):
        assert part in text
    for read_as_markup in markup(json.loads(text)):
        assert "<!channel>" not in read_as_markup if kind == "slack" else "](" not in read_as_markup
    assert "very-secret-part" not in str([each.attempts for each in office.channels.messages(office.boss, channel.id)])


@pytest.mark.parametrize("kind", ["slack", "teams"])
@pytest.mark.parametrize(
    "sign", ["a", "&", "\N{CJK UNIFIED IDEOGRAPH-8B66}", "\N{POLICE CARS REVOLVING LIGHT}", "\x01"]
)
def test_however_much_is_told_a_chat_takes_it(database: Database, kind: str, sign: str) -> None:
    office = Office(database)
    office.channels.create(office.boss, ChannelDraft("chat", kind, {}, HOOK))
    for number in range(60):
        key = office.happens(f"{number} {sign * 600}")
        long = f"{number}{sign * 1500}"
        office.conditions[key] = replace(office.conditions[key], cause=long, fix=long, path=f"/c/{number}?all=1&more=2")
    office.work(rounds=3)
    (request,) = office.receiver.requests
    body = json.loads(request.body)
    if kind == "teams":
        assert len(request.body) <= 28 * 1024
        shown = [each for each in body["attachments"][0]["content"]["body"] if each["type"] == "Container"]
        assert f"And {60 - len(shown)} more." in request.body.decode()
    else:
        shown = [block for block in body["blocks"] if block["type"] == "section"]
        assert len(body["blocks"]) <= 50
        assert all(len(block["text"]["text"]) <= 3000 for block in shown)
        assert all(block["text"]["text"].endswith("|Open>") for block in shown)
        assert not re.search("&(?!(amp|lt|gt);)", "".join(block["text"]["text"] for block in shown))
        assert all(block["text"]["verbatim"] for block in shown), "what looks like an address becomes no link"
    assert shown


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_chat_shows_whom_to_ask(database: Database, kind: str) -> None:
    office = Office(database)
    office.channels.create(office.boss, ChannelDraft("chat", kind, {}, HOOK))
    office.happens("prod-entra")
    office.owned_by("prod-entra", office.boss, "the <payments> chat")
    office.work(rounds=3)
    (request,) = office.receiver.requests
    shown = " ".join(markup(json.loads(request.body)))
    assert ("the &lt;payments&gt; chat" if kind == "slack" else "the <payments> chat") in shown


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_what_many_fail_for_is_said_once(database: Database, kind: str) -> None:
    office = Office(database)
    office.channels.create(office.boss, ChannelDraft("chat", kind, {}, HOOK))
    for number in range(60):
        key = office.happens(f"app-{number}")
        office.conditions[key] = replace(office.conditions[key], cause="Entra ID cannot be reached: timed out.")
    office.happens("another")
    office.work(rounds=3)
    (request,) = office.receiver.requests
    texts = " ".join(markup(json.loads(request.body)))
    assert texts.count("Entra ID cannot be reached: timed out: 60 connections") in {1, 2}, (
        "in the section, and in the title"
    )
    assert texts.count("Make it work.") == 2, "once for all that fail for the same, and once for the other"
    assert re.search(r"This is told of app-\d+(, app-\d+){4} and 55 more\.", texts)
    assert "more. <" not in texts, "nothing is left out"
    assert office.alarms.count(office.boss) == 61
