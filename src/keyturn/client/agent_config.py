"""The file that tells ``keyturn agent`` what to write where: sets of files, each from one folder of secrets. TOML."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from keyturn.client.domain import Source
from keyturn.client.formats import FORMATS
from keyturn.client.settings import Settings
from keyturn.client.signals import signal_number
from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass

LARGEST_TEMPLATE = 256 * 1024
"""In bytes."""


class OnChange(StrEnum):
    """What happens when the files of a set changed."""

    COMMAND = "command"
    SIGNAL = "signal"
    NONE = "none"


@dataclass(frozen=True)
class FilePlan:
    """One file of a set: ``template`` is its text, or ``format`` says how all secrets are written, or ``secret`` which one."""

    name: str
    mode: int = 0o600
    owner: str = ""
    group: str = ""
    format: str = ""
    template: str = ""
    secret: str = ""


@dataclass(frozen=True)
class SetPlan:
    """Files of one folder that are made from one folder of secrets, and are exchanged together."""

    name: str
    directory: Path
    source: Source
    files: Sequence[FilePlan]
    on_change: OnChange = OnChange.NONE
    command: Sequence[str] = ()
    signal: int = 0
    pid_file: Path = Path("/")
    at_first: bool = False
    """Whether the command is also run when the files are written for the first time."""


@dataclass(frozen=True)
class Grant:
    """That a unit of systemd may have something of a folder as its credential of this id."""

    unit: str
    id: str
    source: Source
    content: FilePlan


@dataclass(frozen=True)
class AgentPlan:
    """``interval`` and ``settle`` are in seconds: between two looks, and between a change that was seen and its delivery."""

    sets: Sequence[SetPlan]
    interval: float = 60.0
    settle: float = 0.5


def read_plan(path: Path, settings: Settings) -> AgentPlan:
    """Read the file. What it does not say of project and environment is taken from the settings.

    Raises Misconfigured naming the place and what is wrong there.
    """
    reader = _Table(_content(path), str(path))
    plan = AgentPlan(
        [_set(each, settings, path.parent) for each in reader.tables("set")],
        reader.number("interval", 60.0, least=1.0),
        reader.number("settle", 0.5),
    )
    reader.nothing_else()
    names = [each.name for each in plan.sets]
    if not names or len(set(names)) != len(names):
        raise _wrong(str(path), "needs at least one [[set]], each with a name of its own")
    return plan


def read_grants(path: Path, settings: Settings) -> list[Grant]:
    """Read the file that says which unit of systemd may have what.

    Raises Misconfigured as :func:`read_plan`.
    """
    reader = _Table(_content(path), str(path))
    grants = [_grant(each, settings, path.parent) for each in reader.tables("credential")]
    reader.nothing_else()
    if not grants or len({(grant.unit, grant.id) for grant in grants}) != len(grants):
        raise _wrong(str(path), "needs at least one [[credential]], and each unit an id only once")
    return grants


def _grant(table: "_Table", settings: Settings, beside: Path) -> Grant:
    unit, credential_id = table.text("unit"), table.text("id")
    if "/" in unit + credential_id:
        raise _wrong(table.place, "unit and id hold no slash")
    source = _source(table, settings)
    content = _what(table, credential_id, beside)
    table.nothing_else()
    return Grant(unit, credential_id, source, content)


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"The file {path} cannot be read: {error}", code="client.agent_file", fix="Give a file in TOML."
        ) from None


def _source(table: "_Table", settings: Settings) -> Source:
    return Source(
        table.text("project", settings.get("project")),
        table.text("environment", settings.get("environment")),
        table.text("path", settings.get("path") or "/"),
        table.flag("recursive", usual=False),
        table.flag("imports", usual=True),
    )


def _set(table: "_Table", settings: Settings, beside: Path) -> SetPlan:
    source = _source(table, settings)
    on_change = table.choice("on_change", OnChange, OnChange.NONE)
    plan = SetPlan(
        table.text("name"),
        table.folder("directory"),
        source,
        [_file(each, beside) for each in table.tables("file")],
        on_change,
        table.texts("command") if on_change is OnChange.COMMAND else (),
        signal_number(table.text("signal", "HUP")) if on_change is OnChange.SIGNAL else 0,
        table.folder("pid_file") if on_change is OnChange.SIGNAL else Path("/"),
        table.flag("at_first", usual=False),
    )
    table.nothing_else()
    names = [file.name for file in plan.files]
    if not names or len(set(names)) != len(names):
        raise _wrong(table.place, "needs at least one [[set.file]], each with a name of its own")
    if on_change is OnChange.COMMAND and not plan.command:
        raise _wrong(table.place, "needs a command: a list of the program and its arguments")
    return plan


def _file(table: "_Table", beside: Path) -> FilePlan:
    name = table.text("name")
    if "/" in name or name in {".", ".."} or name.startswith("..") or "\0" in name:
        raise _wrong(table.place, f"name '{name}' is not that of a file in the directory of its set")
    mode = _mode(table.text("mode", "0600"), table.place)
    plan = replace(_what(table, name, beside), mode=mode, owner=table.text("owner", ""), group=table.text("group", ""))
    table.nothing_else()
    return plan


def _what(table: "_Table", name: str, beside: Path) -> FilePlan:
    """Read what a file or a credential is made of."""
    template = table.text("template", "")
    text = _template(beside / template, table.place) if template else ""
    plan = FilePlan(name, format=table.text("format", ""), template=text, secret=table.text("secret", ""))
    if sum(map(bool, (plan.format, template, plan.secret))) != 1:
        raise _wrong(table.place, "needs one of format, template and secret")
    if plan.format and plan.format not in FORMATS:
        raise _wrong(table.place, f"format '{plan.format}' is none of {', '.join(FORMATS)}")
    return plan


def _template(path: Path, place: str) -> str:
    try:
        content = path.read_bytes()
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(place, f"the template {path} cannot be read ({type(error).__name__})") from None
    if len(content) > LARGEST_TEMPLATE:
        raise _wrong(place, f"the template {path} has more than {LARGEST_TEMPLATE} bytes")
    return text


def _mode(text: str, place: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777 or mode & 0o002:
        raise _wrong(place, f"mode '{text}' is not one like 0640; what everybody may write is refused")
    return mode


class _Table:
    """Reads one table of the file, and knows what of it nobody asked for."""

    def __init__(self, content: Mapping[str, Any], place: str) -> None:
        self._content = dict(content)
        self.place = place

    def text(self, name: str, usual: str | None = None) -> str:
        value = self._content.pop(name, usual)
        if not isinstance(value, str) or (usual is None and not value):
            raise _wrong(self.place, f"needs {name}, a text")
        return value

    def texts(self, name: str) -> Sequence[str]:
        value = self._content.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise _wrong(self.place, f"{name} is not a list of texts")
        return value

    def flag(self, name: str, *, usual: bool) -> bool:
        value = self._content.pop(name, usual)
        if not isinstance(value, bool):
            raise _wrong(self.place, f"{name} is neither true nor false")
        return value

    def number(self, name: str, usual: float, least: float = 0.0) -> float:
        value = self._content.pop(name, usual)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 86_400:
            raise _wrong(self.place, f"{name} is not a number of seconds from {least:g} to 86400")
        return float(value)

    def folder(self, name: str) -> Path:
        path = Path(self.text(name))
        if not path.is_absolute() or ".." in path.parts:
            raise _wrong(self.place, f"{name} is not a whole path, such as /run/billing")
        return path

    def choice(self, name: str, kind: Callable[[str], OnChange], usual: OnChange) -> OnChange:
        value = self._content.pop(name, usual)
        try:
            return kind(value)
        except ValueError:
            raise _wrong(self.place, f"{name} is none of {', '.join(OnChange)}") from None

    def tables(self, name: str) -> Sequence["_Table"]:
        value = self._content.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise _wrong(self.place, f"{name} is written as [[{name}]]")
        return [
            _Table(each, f"{self.place}: {name} {each.get('name', number)}") for number, each in enumerate(value, 1)
        ]

    def nothing_else(self) -> None:
        if self._content:
            raise _wrong(self.place, f"'{next(iter(self._content))}' means nothing there")


def _wrong(place: str, what: str) -> Misconfigured:
    return Misconfigured(
        f"{place} {what}.", code="client.agent_file", fix="Correct the file and start the agent again."
    )
