"""The project's papers: they are there, they hang together, and they name what exists."""

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from keyturn.cli.main import COMMANDS
from keyturn.credentials.domain import State
from keyturn.rotations.domain import StepName
from keyturn.settings.table import COMMAND_VARIABLES, IGNORED, SETTINGS

ROOT = Path(__file__).parents[2]
PAPERS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
LEFT_OUT = {".venv", "build", "dist", "node_modules"}


def markdown() -> list[Path]:
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(part in LEFT_OUT or part.startswith(".") for part in path.relative_to(ROOT).parts)
    )


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", PAPERS)
def test_the_paper_is_there(name: str) -> None:
    assert len((ROOT / name).read_text()) > 400


def test_relative_links_lead_somewhere() -> None:
    broken = []
    for path in markdown():
        text = re.sub(r"`[^`\n]*`", "", without_code(path.read_text()))
        for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            to = (path.parent / name).resolve() if name else path
            if not to.exists() or (anchor and to.suffix == ".md" and anchor not in anchors(to)):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_the_changelog_says_nothing_twice() -> None:
    begins = [line[:60] for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("- ")]
    assert [begin for begin in set(begins) if begins.count(begin) > 1] == []


def strangers(paths: Iterable[Path], pattern: str, is_known: Callable[[str], bool]) -> list[str]:
    """What the papers name, by the pattern, that is not known."""
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in re.findall(pattern, path.read_text())
        if not is_known(name)
    ]


def own_papers() -> list[Path]:
    return [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in PAPERS if name.endswith(".md"))]


def test_files_of_the_source_that_papers_name_exist() -> None:
    named = r"`((?:src|tests|scripts|benchmarks|docs|requirements)/[\w./-]+)`"
    assert strangers(markdown(), named, lambda name: (ROOT / name).exists()) == []


def test_variables_that_papers_name_are_settings() -> None:
    names = {setting.name for setting in SETTINGS} | {setting.fallback for setting in SETTINGS}
    names |= {f"{setting.name}_FILE" for setting in SETTINGS if setting.secret} | set(COMMAND_VARIABLES) | set(IGNORED)
    named = r"\b(KEYTURN_[A-Z_]+|ENCRYPTION_KEY\w*|DB_[A-Z_]+)\b"
    assert strangers(own_papers(), named, lambda name: name in names or name.endswith("_")) == []


def test_commands_that_papers_name_exist() -> None:
    assert strangers(own_papers(), r"`keyturn ([a-z]+)(?=[ `])", lambda name: name in COMMANDS) == []


def test_make_targets_that_papers_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(path.name, name) for path in markdown() for name in re.findall(r"`make ([a-z]+)", path.read_text())}
    assert sorted(each for each in named if each[1] not in targets) == []


def test_the_protocol_s_paper_names_every_state_and_step() -> None:
    text = (ROOT / "docs" / "explanation" / "rotation-protocol.md").read_text()
    assert [member.value for member in [*State, *StepName] if f"`{member.value}`" not in text] == []


def test_every_dependency_has_its_reason() -> None:
    declared: set[str] = set()
    for path in (ROOT / "pyproject.toml", ROOT / "distributions" / "entra-emulator" / "pyproject.toml"):
        project = tomllib.loads(path.read_text())["project"]
        lines = project["dependencies"] + project.get("optional-dependencies", {}).get("server", [])
        declared |= {re.split(r"[\[<>=!~ ]", name, maxsplit=1)[0].lower() for name in lines}
    text = (ROOT / "docs" / "explanation" / "dependencies.md").read_text()
    explained = set(re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE))
    assert explained == declared


def test_decisions_are_numbered_without_gaps_and_say_their_status() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert "\nStatus: " in text, path.name
        assert len(text.splitlines()) <= 80, f"{path.name} is longer than one page"
