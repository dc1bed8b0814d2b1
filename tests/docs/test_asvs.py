"""The table of ASVS: every chapter has its row, every row evidence that is there, and what fails says why."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "security-asvs.md"


def rows() -> list[tuple[str, str, str]]:
    cells = [re.split(r" ?\| ?", line.strip("| ")) for line in PAGE.read_text().splitlines() if line.startswith("| V")]
    return [(section, verdict, " | ".join(evidence)) for section, verdict, *evidence in cells]


def test_every_chapter_has_a_row() -> None:
    chapters = {int(number) for section, _, _ in rows() for number in re.findall(r"\bV(\d+)", section)}
    assert chapters == set(range(1, 18))


def test_every_verdict_has_evidence_that_exists_and_every_fail_its_reason() -> None:
    for section, verdict, evidence in rows():
        named = re.findall(r"`((?:src|tests|docs|deploy|requirements)/[\w./-]+|SECURITY\.md)`", evidence)
        assert [path for path in named if not (ROOT / path).exists()] == [], section
        if verdict == "pass":
            assert named, section
        elif verdict.startswith("**fail**"):
            assert re.search(r"\*\*[^*]+\*\*: .{20,}|\*\*[^*]+\*\*, as .{10,}", evidence), (
                f"{section} fails without a reason"
            )
        else:
            assert verdict == "n/a", section
