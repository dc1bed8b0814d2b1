"""The .env format, read and written. Pure.

A line is ``NAME=value``, with ``export`` before it or not. A value in quotes may go on over several lines: between single
quotes and backticks everything stands for itself, between double quotes a backslash before n, r, t, a double quote, a dollar
sign, a backtick or a backslash is an escape. A value without quotes ends before a ``#`` that follows a blank. Line breaks in
a file are line feeds, however it writes them; a byte order mark at its beginning is skipped. Nothing is replaced in values.
"""

import re
from collections.abc import Iterable, Sequence

from keyturn.errors import Refused
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import LONGEST_NAME, require_name, require_size

LARGEST_FILE = 512 * 1024
"""Characters of one file."""
MOST_ENTRIES = 1000
MOST_BAD_LINES = 100

_BLANK = " \t"
_DOUBLE_QUOTED = re.compile(r'([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_COMMENT = re.compile(r"[ \t]#")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "`": "`"}
_NOT_IN_NAMES = frozenset("='\"`#$\\")
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_./:@%+,~^-]*")


@dataclass(frozen=True)
class DotenvEntry:
    line: int
    name: str
    value: Plaintext


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be read. What stands in it is not repeated: it may be a secret."""

    line: int
    reason: str


@dataclass(frozen=True)
class DotenvFile:
    entries: Sequence[DotenvEntry]
    bad_lines: Sequence[BadLine]


@dataclass(frozen=True)
class WrittenDotenv:
    text: Plaintext
    left_out: Sequence[str]
    """Names that cannot stand in such a file; a comment at the top of the text says so."""


def parse(text: Plaintext) -> DotenvFile:
    """Read a file, in time that grows as its length. Raises Refused for one that is too large or no such file."""
    if len(text) > LARGEST_FILE:
        raise Refused(
            f"The file has {len(text)} characters; {LARGEST_FILE} are taken at once.",
            code="secrets.dotenv_too_large",
            field="text",
            fix="Split it, and keep what is no configuration elsewhere.",
        )
    reader = _Reader(text.reveal().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    reader.read()
    return DotenvFile(reader.entries, reader.bad_lines)


def write(values: Iterable[tuple[str, Plaintext]]) -> WrittenDotenv:
    """Write a file that :func:`parse` reads as these values again."""
    lines, left_out = [], []
    for name, value in values:
        if _name_fault(name):
            left_out.append(name)
        else:
            lines.append(f"{name}={_quoted(value.reveal())}\n")
    if left_out:
        count = counted(len(left_out), "secret is", "secrets are")
        lines.insert(0, f"# {count} left out, whose names cannot stand in a .env file: {', '.join(left_out)}\n")
    return WrittenDotenv(Plaintext("".join(lines)), left_out)


class _BadEntry(Exception):
    """The message is the reason; ``end`` is where to go on."""

    def __init__(self, reason: str, end: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.end = end


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.entries: list[DotenvEntry] = []
        self.bad_lines: list[BadLine] = []
        self._line_of_name: dict[str, int] = {}

    def read(self) -> None:
        start, line = 0, 1
        while start < len(self._text):
            try:
                end = self._read_entry(start, line)
            except _BadEntry as bad:
                self.bad_lines.append(BadLine(line, bad.reason))
                end = bad.end
            line += self._text.count("\n", start, end + 1)
            start = end + 1
            if len(self.entries) > MOST_ENTRIES:
                raise Refused(
                    f"The file has more than {MOST_ENTRIES} entries.",
                    code="secrets.dotenv_too_many",
                    field="text",
                    fix="Split it into several files.",
                )
            if len(self.bad_lines) > MOST_BAD_LINES:
                raise Refused(
                    f"More than {MOST_BAD_LINES} lines of the file are no NAME=value.",
                    code="secrets.dotenv_no_dotenv",
                    field="text",
                    fix=f"Choose a .env file. Its first line that is none is line {self.bad_lines[0].line}.",
                )

    def _read_entry(self, start: int, line: int) -> int:
        """Read what begins there, and return where its last line ends. Raises _BadEntry."""
        end = self._end_of_line(start)
        if self._text[start:end].lstrip(_BLANK)[:1] in {"", "#"}:
            return end
        equals = self._text.find("=", start, end)
        if equals < 0:
            raise _BadEntry("There is no equals sign.", end)
        name = self._name(self._text[start:equals], end)
        value, end = self._value(equals + 1, end)
        if name in self._line_of_name:
            raise _BadEntry(f"'{name}' stands in line {self._line_of_name[name]} already.", end)
        try:
            require_size(value)
        except Refused as error:
            raise _BadEntry(error.message, end) from None
        self._line_of_name[name] = line
        self.entries.append(DotenvEntry(line, name, value))
        return end

    def _name(self, text: str, end: int) -> str:
        name = text.strip(_BLANK)
        first, blank, rest = name.replace("\t", " ").partition(" ")
        if first == "export" and blank:
            name = rest.strip(_BLANK)
        if fault := _name_fault(name):
            raise _BadEntry(fault, end)
        return name

    def _value(self, start: int, end: int) -> tuple[Plaintext, int]:
        """Return the value that begins there, and where its last line ends. Raises _BadEntry."""
        text = self._text
        first = start
        while first < end and text[first] in _BLANK:
            first += 1
        quote = text[first] if first < end else ""
        if quote not in {"'", '"', "`"}:
            comment = _COMMENT.search(text, start, end)
            return Plaintext(text[start : comment.start() if comment else end].strip(_BLANK)), end
        closes = self._closing(quote, first + 1)
        if closes is None:
            raise _BadEntry(f"The quote ({quote}) that begins the value does not end.", end)
        value, end = text[first + 1 : closes], self._end_of_line(closes)
        if text[closes + 1 : end].lstrip(_BLANK)[:1] not in {"", "#"}:
            raise _BadEntry(f"After the closing quote ({quote}) stands more text.", end)
        if quote == '"':
            value = _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[0]), value)
        return Plaintext(value), end

    def _closing(self, quote: str, start: int) -> int | None:
        if quote == '"':
            match = _DOUBLE_QUOTED.match(self._text, start)
            return match.end() - 1 if match else None
        at = self._text.find(quote, start)
        return None if at < 0 else at

    def _end_of_line(self, start: int) -> int:
        end = self._text.find("\n", start)
        return len(self._text) if end < 0 else end


def _name_fault(name: str) -> str:
    """Say why this cannot be a name in such a file; empty when it can."""
    if not name:
        return "There is no name before the equals sign."
    if any(char.isspace() or char in _NOT_IN_NAMES for char in name):
        return "A name in a .env file has no blanks, quotes, #, $ and backslashes."
    if len(name) > LONGEST_NAME:
        return f"A name has up to {LONGEST_NAME} characters."
    if name == "export":
        return "There is no name after export."
    try:
        require_name(name)
    except Refused as error:
        return error.message
    return ""


def _quoted(value: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    if "'" not in value and "\r" not in value:
        return f"'{value}'"
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(char, escape)
    return f'"{value}"'
