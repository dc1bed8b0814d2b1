"""Filters of SCIM: RFC 7644, section 3.4.2.2. Pure: text in, a predicate over resources out.

Names of attributes and operators are compared without regard to case, and so are texts, but for ``id`` and ``externalId``. What
a resource has not matches nothing but ``ne`` and ``not``.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass

Resource = Mapping[str, Any]
Predicate = Callable[[Any], bool]

LONGEST = 4000
MOST_TERMS = 50
_TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|[()\[\]]|[^\s()\[\]"]+)""")
_PATH = re.compile(r"[A-Za-z$][\w$:.-]*")
_OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")
_EXACT = frozenset({"id", "externalid"})
_MOMENTS = frozenset({"meta.created", "meta.lastmodified"})
_OF_CORE = re.compile(r"urn:ietf:params:scim:schemas:core:2\.0:\w+:", re.IGNORECASE)


@dataclass(frozen=True)
class Filter:
    """``equals`` is an attribute, in lower case, and the text that it equals in all that match; None: none is that simple."""

    matches: Predicate
    equals: tuple[str, str] | None = None
    terms: int = 1


def parse_filter(text: str) -> Filter:
    """Return the filter. Raises Refused for what is none, is too long, or has too many terms."""
    if len(text) > LONGEST:
        raise invalid_filter(f"A filter has up to {LONGEST} characters.")
    reader = _Reader(list(_tokens(text)))
    matches = reader.disjunction(0)
    if reader.tokens:
        raise invalid_filter(f"'{reader.tokens[0]}' is not expected there.")
    return Filter(matches, reader.equals, reader.terms)


def plain_path(path: str) -> str:
    """Return the path of an attribute without the schema before it, in lower case."""
    return _OF_CORE.sub("", path, count=1).lower()


def values_at(resource: Any, path: str) -> list[Any]:
    """Return the values that the attribute has, those of its elements when it has several."""
    found = [resource]
    for name in path.split("."):
        found = [value for each in found for value in _elements(_field(each, name))]
    return [each.get("value", each) if isinstance(each, Mapping) else each for each in found]


def invalid_filter(reason: str) -> Refused:
    return Refused(
        f"The filter cannot be read: {reason}",
        code="scim.filter",
        fix='Write it as RFC 7644 says, such as userName eq "ada@example.com".',
    )


def _tokens(text: str) -> Iterator[str]:
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise invalid_filter("A text has no end.")
        yield match[1]
        position = match.end()


class _Reader:
    """Reads the tokens from left to right; ``and`` binds more than ``or``."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.equals: tuple[str, str] | None = None
        """What is known of all that matches what was read so far: the first comparison with ``eq`` that has to hold."""
        self.terms = 0

    def disjunction(self, depth: int) -> Predicate:
        return self._joined("or", lambda: self._joined("and", lambda: self._term(depth), all), any)

    def _joined(self, word: str, read: Callable[[], Predicate], of: Callable[[Iterator[bool]], bool]) -> Predicate:
        before = self.equals
        parts = [read()]
        while self.tokens and self.tokens[0].lower() == word:
            self.tokens.pop(0)
            parts.append(read())
        if len(parts) == 1:
            return parts[0]
        if word == "or":
            self.equals = before
        return lambda resource: of(part(resource) for part in parts)

    def _term(self, depth: int) -> Predicate:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise invalid_filter(f"It has more than {MOST_TERMS} terms.")
        token = self._next()
        if token.lower() == "not" and self.tokens[:1] == ["("]:
            self._next()
            before, inner = self.equals, self._inside(")", depth)
            self.equals = before
            return lambda resource: not inner(resource)
        if token == "(":
            return self._inside(")", depth)
        if not _PATH.fullmatch(token):
            raise invalid_filter(f"'{token}' is no attribute.")
        path = plain_path(token)
        if self.tokens[:1] == ["["]:
            self._next()
            before, inner = self.equals, self._inside("]", depth)
            self.equals = before
            return lambda resource: any(inner(each) for each in _elements(_at(resource, path)))
        return self._comparison(path)

    def _inside(self, end: str, depth: int) -> Predicate:
        if depth > MOST_TERMS:
            raise invalid_filter("It is nested too deeply.")
        inner = self.disjunction(depth + 1)
        if self._next() != end:
            raise invalid_filter(f"'{end}' is missing.")
        return inner

    def _comparison(self, path: str) -> Predicate:
        operator = self._next().lower()
        if operator == "pr":
            return lambda resource: any(value not in (None, "") for value in values_at(resource, path))
        if operator not in _OPERATORS:
            raise invalid_filter(f"'{operator}' is no operator.")
        wanted = _value(self._next())
        if isinstance(wanted, bool | None) and operator not in {"eq", "ne"}:
            raise invalid_filter(f"'{operator}' compares texts, numbers and moments.")
        if operator == "eq" and isinstance(wanted, str):
            self.equals = self.equals or (path, wanted)
        return _compared(path, operator, wanted)

    def _next(self) -> str:
        if not self.tokens:
            raise invalid_filter("It ends too early.")
        return self.tokens.pop(0)


def _value(token: str) -> Any:
    try:
        value = json.loads(token if token.startswith('"') else token.lower())
    except ValueError:
        raise invalid_filter(f"{token} is no value: a text stands between quotation marks.") from None
    if isinstance(value, list | dict) or (isinstance(value, str) and not value.isprintable()):
        raise invalid_filter(f"{token} is no value.")
    return value


def _compared(path: str, operator: str, wanted: Any) -> Predicate:
    right = comparable(path, wanted)
    compare = _COMPARISONS[operator]

    def matches(resource: Any) -> bool:
        values = [comparable(path, value) for value in values_at(resource, path)]
        if operator == "ne":
            return right not in values if right is not None else any(value is not None for value in values)
        if right is None:
            return not values or None in values
        return any(type(value) is type(right) and compare(value, right) for value in values)

    return matches


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "co": lambda left, right: str(right) in str(left),
    "sw": lambda left, right: str(left).startswith(str(right)),
    "ew": lambda left, right: str(left).endswith(str(right)),
    "gt": lambda left, right: bool(left > right),
    "ge": lambda left, right: bool(left >= right),
    "lt": lambda left, right: bool(left < right),
    "le": lambda left, right: bool(left <= right),
}


def comparable(path: str, value: Any) -> Any:
    """Return the value as it is compared: texts without regard to case, but for ids; moments as moments."""
    if isinstance(value, str):
        if path in _MOMENTS:
            return _moment(value)
        return value if path in _EXACT else value.casefold()
    return value


def _moment(text: str) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else text


def _at(resource: Any, path: str) -> Any:
    for name in path.split("."):
        resource = _field(resource, name)
    return resource


def _field(resource: Any, name: str) -> Any:
    if not isinstance(resource, Mapping):
        return resource if name == "value" else None
    return next((value for key, value in resource.items() if key.lower() == name), None)


def _elements(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)
