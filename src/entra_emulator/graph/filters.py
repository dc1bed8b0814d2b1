"""Reading $filter and $search. The limits are assumed.

Source: https://learn.microsoft.com/graph/aad-advanced-queries (which operators need the advanced mode).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from entra_emulator.core.clock import parse_time
from entra_emulator.graph.errors import bad_request, unsupported_query

T = TypeVar("T")
Value = str | bool | float | list[str] | None
Field = Callable[[T], Value]
"""What a filter compares: text, a flag, a number, a moment (POSIX seconds, as a float), or several texts."""
Predicate = Callable[[T], bool]

_TOKENS = re.compile(
    r"\s*(?:('(?:[^']|'')*')|(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?)|(-?[A-Za-z_@$][\w./$-]*|-?\d[\w-]*)|([(),:]))"
)
_SEARCHED = re.compile(r'"(\w+):([^"]+)"')
_COUNT = "/$count"
_NUMBER = re.compile(r"-?\d{1,9}")
_MAX_FILTER = 8_000
_MAX_CLAUSES = 30
_ORDERED: Mapping[str, Callable[[float, float], bool]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}


class Filter(Generic[T]):
    """A recursive-descent reader of $filter. Raises GraphError for anything it does not know."""

    def __init__(self, text: str, fields: Mapping[str, Field[T]]) -> None:
        if len(text) > _MAX_FILTER:
            raise bad_request("Invalid filter clause: too long.")
        self._tokens = _tokens(text)
        self._fields = fields
        self._at = 0
        self._clauses = 0
        self.advanced = False
        self.names: set[str] = set()
        """The properties that the filter is about."""

    def read(self) -> Predicate[T]:
        """Whether an item passes."""
        predicate = self._either()
        if self._at != len(self._tokens):
            raise self._wrong()
        return predicate

    def _either(self) -> Predicate[T]:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def _both(self) -> Predicate[T]:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def _one(self) -> Predicate[T]:
        self._clauses += 1
        if self._clauses > _MAX_CLAUSES:
            raise bad_request("Invalid filter clause: too many child clauses.")
        if self._take("not"):
            self.advanced = True
            inner = self._one()
            return lambda item: not inner(item)
        if self._take("("):
            group = self._either()
            self._need(")")
            return group
        name = self._next()
        if name.lower() in {"startswith", "endswith"}:
            return self._affix(name.lower(), self._field)
        return self._any(name.removesuffix("/any")) if name.endswith("/any") else self._comparison(name)

    def _affix(self, function: str, field_of: Callable[[str], Field[T]]) -> Predicate[T]:
        self.advanced |= function == "endswith"
        self._need("(")
        field = field_of(self._next())
        self._need(",")
        affix = str(self._literal()).lower()
        self._need(")")
        if function == "startswith":
            return lambda item: any(value.startswith(affix) for value in texts_in(field(item)))
        return lambda item: any(value.endswith(affix) for value in texts_in(field(item)))

    def _any(self, name: str) -> Predicate[T]:
        """`name/any(t: t eq 'a' or t eq 'b')`, or of a member: `name/any(t: t/id eq 'a')`."""
        self._need("(")
        variable = self._next()
        self._need(":")
        tests: list[Predicate[T]] = []
        while not tests or self._take("or"):
            tests.append(self._one_of(name, variable))
        self._need(")")
        return lambda item: any(test(item) for test in tests)

    def _one_of(self, name: str, variable: str) -> Predicate[T]:
        """One test of the variable: `t eq 'a'`, or `startswith(t,'a')`."""
        word = self._next()
        if word.lower() in {"startswith", "endswith"}:
            return self._affix(word.lower(), lambda subject: self._member(name, variable, subject))
        field = self._member(name, variable, word)
        if self._next().lower() != "eq":
            raise self._wrong()
        literal = str(self._literal()).lower()
        return lambda item: literal in texts_in(field(item))

    def _member(self, name: str, variable: str, word: str) -> Field[T]:
        subject, slash, member = word.partition("/")
        if subject != variable:
            raise self._wrong()
        return self._field(f"{name}{slash}{member}")

    def _comparison(self, name: str) -> Predicate[T]:
        field = self._field(name)
        word = self._next().lower()
        if word == "in":
            literals = self._list()
            return lambda item: any(value in literals for value in texts_in(field(item)))
        if word in _ORDERED:
            return self._ordered(name, field, _ORDERED[word])
        if word not in {"eq", "ne"}:
            raise unsupported_query(f"Unsupported or invalid query filter clause specified for property '{name}'.")
        literal = self._literal()
        self.advanced |= word == "ne"
        same: Predicate[T] = lambda item: _equal(field(item), literal)  # noqa: E731 - used on both branches below
        return same if word == "eq" else lambda item: not same(item)

    def _ordered(self, name: str, field: Field[T], fits: Callable[[float, float], bool]) -> Predicate[T]:
        """Before or after a moment, or a number."""
        bound = self._literal()
        if not isinstance(bound, float):
            raise unsupported_query(f"Unsupported or invalid query filter clause specified for property '{name}'.")

        def passes(item: T) -> bool:
            value = field(item)
            return isinstance(value, float) and fits(round(value, 6), bound)

        return passes

    def _list(self) -> set[str]:
        self._need("(")
        literals = {str(self._literal()).lower()}
        while self._take(","):
            literals.add(str(self._literal()).lower())
        self._need(")")
        return literals

    def _literal(self) -> str | bool | float | None:
        word = self._next()
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word in {"true", "false"}:
            return word == "true"
        if word == "null":
            return None
        if _NUMBER.fullmatch(word):
            return float(word)
        try:
            return round(parse_time(word), 6)
        except ValueError:
            raise self._wrong() from None

    def _field(self, name: str) -> Field[T]:
        name = spelled(self._fields, name)
        self.advanced |= name.endswith(_COUNT)
        field = self._fields.get(name) or self._counted(name)
        if field is None:
            raise bad_request(f"Invalid filter clause: Could not find a property named '{name[:100]}'.")
        self.names.add(name)
        return field

    def _counted(self, name: str) -> Field[T] | None:
        """How many texts a property has: `tags/$count`."""
        texts = self._fields.get(spelled(self._fields, name.removesuffix(_COUNT))) if name.endswith(_COUNT) else None

        def count(item: T) -> Value:
            value = texts(item) if texts else None
            return float(len(value)) if isinstance(value, list) else None

        return count if texts else None

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].lower() == word:
            self._at += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._wrong()

    @staticmethod
    def _wrong() -> Exception:
        return bad_request("Invalid filter clause: the expression could not be read.")


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKENS.match(text, at)
        if not match:
            raise bad_request(f"Invalid filter clause: Syntax error at position {at}.")
        tokens.append(match.group(match.lastindex or 0))
        at = match.end()
    return tokens


def spelled(known: Iterable[str], name: str) -> str:
    """The one of the known names that this is in another case; itself where there is none."""
    lowered = name.lower()
    return next((each for each in known if each.lower() == lowered), name)


def read_search(text: str, fields: Mapping[str, Field[T]]) -> Predicate[T]:
    """Whether an item is found by `"displayName:some text" AND ... OR ...`. Raises GraphError 400 for anything else.

    Source: https://learn.microsoft.com/graph/search-query-parameter.
    """
    alternatives = [
        [_found(term.strip(), fields) for term in re.split(r"\sAND\s", part)] for part in re.split(r"\sOR\s", text)
    ]
    return lambda item: any(all(test(item) for test in tests) for tests in alternatives)


def _found(term: str, fields: Mapping[str, Field[T]]) -> Predicate[T]:
    match = _SEARCHED.fullmatch(term)
    field = fields.get(spelled(fields, match[1])) if match else None
    if match is None or field is None:
        raise bad_request("Syntax error: character in $search is not supported.")
    phrase, searched = match[2].lower(), field
    return lambda item: any(phrase in value for value in texts_in(searched(item)))


def texts_in(value: Value) -> list[str]:
    """The texts of a value, in lower case."""
    if isinstance(value, list):
        return [item.lower() for item in value]
    return [value.lower()] if isinstance(value, str) else []


def _equal(value: Value, literal: str | bool | float | None) -> bool:
    if isinstance(value, str) and isinstance(literal, str):
        return value.lower() == literal.lower()
    if isinstance(value, float) and isinstance(literal, float):
        return round(value, 6) == literal
    return value == literal
