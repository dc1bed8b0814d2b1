"""One mechanism for bodies, queries and paths: a ``Wire`` type says what is right, ``parse`` finds all faults.

msgspec's own decoder stops at the first fault; people who fill in a form, and clients of this API, need all of them.
"""

import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args, get_origin, runtime_checkable

import msgspec

from keyturn.errors import Invalid
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.printable import fault as printable_fault
from keyturn.kit.secret import Plaintext
from keyturn.web.schema import issues as say
from keyturn.web.schema.issues import Issue, Path
from keyturn.web.schema.misplaced import misplaced_members
from keyturn.web.schema.scalars import (
    Check,
    FieldRules,
    Marker,
    Normalized,
    Sentence,
    Tests,
    limit_check,
    null,
    one_of,
    scalar,
    text_fault,
)

__all__ = [
    "Fault",
    "NonEmpty",
    "Normalized",
    "Sentence",
    "Slug",
    "Tests",
    "Trimmed",
    "Uuid",
    "checker",
    "coerced",
    "json_object",
    "parse",
    "printable",
    "slug",
    "trimmed",
    "uuid",
]

T = TypeVar("T")

MOST_ISSUES = 100
DEEPEST = 32

trimmed = Marker.TRIMMED
uuid = Marker.UUID
slug = Marker.SLUG
coerced = Marker.COERCED
json_object = Marker.JSON_OBJECT

_SLUG_SHAPE: dict[str, object] = {"minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}
Uuid = Annotated[str, uuid, msgspec.Meta(extra_json_schema={"format": "uuid"})]
Slug = Annotated[str, slug, msgspec.Meta(extra_json_schema=_SLUG_SHAPE)]
Trimmed = Annotated[str, trimmed]
NonEmpty = Annotated[str, trimmed, msgspec.Meta(min_length=1)]
printable = Tests(printable_fault)
"""Of a name that people read: printable characters only."""


@dataclass(frozen=True)
class Fault:
    """What a ``check`` method yields: a rule over several fields that is not met, and the (wire) path to blame.

    ``issue`` is what an inner check said, with a path that begins there.
    """

    message: str
    path: Path = ()
    issue: Mapping[str, Any] | None = None

    def at(self, path: Path) -> Issue:
        if self.issue is None:
            return say.custom(self.message, (*path, *self.path))
        return {**self.issue, "path": [*path, *self.path, *self.issue["path"]]}


class _Wrong(Exception):
    """A rule asks for a field that is itself wrong, so it cannot be judged."""


class _Known:
    """The fields of a structure that are right, for its rules over several fields: all faults are told at once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise _Wrong(name)


@runtime_checkable
class _Checked(Protocol):
    def check(self) -> Iterator[Fault]: ...


def parse(kind: type[T], raw: object, *, path: Path = (), texts: bool = False) -> T:
    """Return an instance of the type, made from decoded JSON (or, with ``texts``, from a query or path: all is text).

    Raises Invalid with every fault found (at most 100), each path beginning with ``path``. Pure, so safe to repeat.
    """
    issues: list[Issue] = []
    value = checker(kind, texts=texts)(raw, path, issues)
    if issues:
        raise Invalid(issues[:MOST_ISSUES])
    return typing.cast("T", value)


def checker(kind: Any, notes: tuple[object, ...] = (), *, texts: bool = False) -> Check:
    """Return the check for an annotation, with more notes of its ``Annotated``. Raises TypeError if it has no check."""
    while get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        notes = (*more, *notes)
    if get_origin(kind) in {typing.Union, types.UnionType}:
        return _union(get_args(kind), notes, texts=texts)
    return _plain(kind, _rules(notes, texts=texts), texts=texts)


def _rules(notes: tuple[object, ...], *, texts: bool) -> FieldRules:
    markers = {note for note in notes if isinstance(note, Marker)} | ({coerced} if texts else set())
    says = next((note.message for note in notes if isinstance(note, Sentence)), None)
    meta = tuple(note for note in notes if isinstance(note, msgspec.Meta))
    reads = next((note.function for note in reversed(notes) if isinstance(note, Normalized)), None)
    return FieldRules(meta, frozenset(markers), says, reads, tuple(note for note in notes if isinstance(note, Tests)))


def _plain(kind: Any, rules: FieldRules, *, texts: bool) -> Check:
    origin, args = get_origin(kind), get_args(kind)
    if origin is list:
        return limit_check(_list(checker(args[0], texts=texts), texts=texts), "array", rules)
    if origin is dict and args[0] is str:
        return limit_check(_dict(checker(args[1], texts=texts)), "object", rules)
    if kind is Plaintext and json_object in rules.markers:
        return _json_object(_dict(_anything))
    if origin is Literal:
        return _single(one_of(args), texts=texts)
    if kind in {object, Any}:
        return _anything
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, texts=texts) if kind.__struct_config__.tag is None else _tagged((kind,), texts=texts)
    if isinstance(kind, type) and (check := scalar(kind, rules)):
        return _single(check, texts=texts)
    raise TypeError(f"{kind!r} cannot be checked")


def _single(check: Check, *, texts: bool) -> Check:
    """Of a repeated query key the last one counts, unless the field is a list."""
    if not texts:
        return check
    return lambda value, path, issues: check(value[-1] if isinstance(value, list) and value else value, path, issues)


# --- containers -------------------------------------------------------------------------------------------------------


def _list(item: Check, *, texts: bool) -> Check:
    def check(value: object, path: Path, issues: list[Issue]) -> object:
        value = [value] if texts and isinstance(value, str) else value
        if not isinstance(value, list):
            issues.append(say.wrong_type("array", value, path))
            return None
        items = []
        for index, element in enumerate(value):
            items.append(item(element, (*path, index), issues))
            if len(issues) >= MOST_ISSUES:
                break
        return items

    return check


def _dict(item: Check) -> Check:
    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if not isinstance(value, dict):
            issues.append(say.wrong_type("object", value, path))
            return None
        entries = {}
        for key, element in value.items():
            if fault := text_fault(key):
                issues.append(say.custom(f"A key {fault}", path))
            entries[key] = item(element, (*path, key), issues)
            if len(issues) >= MOST_ISSUES:
                break
        return entries

    return check


def _json_object(inner: Check) -> Check:
    def check(value: object, path: Path, issues: list[Issue]) -> object:
        before = len(issues)
        inner(value, path, issues)
        # Not by msgspec, which decodes whole numbers of more than 64 bits but does not encode them.
        return Plaintext(json.dumps(value)) if len(issues) == before else None

    return check


def _anything(value: object, path: Path, issues: list[Issue]) -> object:
    """Take any JSON of a sane depth that can be stored. Walks with its own stack: the depth is the caller's choice."""
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if depth > DEEPEST:
            issues.append(say.custom(f"must not be nested deeper than {DEEPEST} levels", path))
            return None
        inner = [*item.keys(), *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
        stack.extend((element, depth + 1) for element in inner)
        if isinstance(item, str) and (fault := text_fault(item)):
            issues.append(say.custom(fault, path))
            return None
    return value


# --- structures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Field:
    name: str
    key: str
    check: Check
    required: bool
    expected: str
    default: object = msgspec.NODEFAULT


def _fields(kind: type[msgspec.Struct], *, texts: bool) -> list[_Field]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return [
        _Field(
            field.name,
            field.encode_name,
            checker(hints[field.name], texts=texts),
            field.required,
            _expected(hints[field.name]),
            field.default,
        )
        for field in msgspec.structs.fields(kind)
    ]


def _expected(kind: Any) -> str:
    """Return what JSON calls the type that a missing key should have had."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in {typing.Union, types.UnionType}:
        return next((_expected(arm) for arm in get_args(kind) if arm not in {type(None), msgspec.UnsetType}), "null")
    origin = get_origin(kind) or kind
    names = {bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return "object"
    return names.get(origin, "string")


@lru_cache(maxsize=4096)
def _struct(kind: type[msgspec.Struct], *, texts: bool) -> Check:
    # Field checks are made at first use, so that a structure may hold itself.
    cache: list[list[_Field]] = []

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if not isinstance(value, Mapping):
            issues.append(say.wrong_type("object", value, path))
            return None
        if not cache:
            cache.append(_fields(kind, texts=texts))
        if len(path) > DEEPEST:
            issues.append(say.custom(f"must not be nested deeper than {DEEPEST} levels", path))
            return None
        before, values = len(issues), {}
        issues.extend(() if texts else misplaced_members(kind, value, path))
        for field in cache[0]:
            count = len(issues)
            if field.key in value:
                clean = field.check(value[field.key], (*path, field.key), issues)
                if len(issues) == count:
                    values[field.name] = clean
            elif field.required:
                issues.append(say.required(field.expected, (*path, field.key)))
        if len(issues) == before:
            return _made(kind, values, path, issues)
        defaults = {field.name: field.default for field in cache[0] if field.key not in value and not field.required}
        _judge(kind, defaults | values, path, issues)
        return None

    return check


def _made(kind: type[msgspec.Struct], values: dict[str, Any], path: Path, issues: list[Issue]) -> object:
    struct = kind(**values)
    if isinstance(struct, _Checked):
        issues.extend(fault.at(path) for fault in struct.check())
    return struct


def _judge(kind: Any, values: Mapping[str, Any], path: Path, issues: list[Issue]) -> None:
    """Add what the rules over several fields say, as far as they ask only for fields that are right.

    ``check_beside`` is a rule that is told only beside other mistakes: what it finds is found later anyway.
    """
    sent_values = {name: value for name, value in values.items() if value is not msgspec.NODEFAULT}
    for name in ("check", "check_beside"):
        try:
            issues.extend(fault.at(path) for fault in getattr(kind, name, _no_rules)(_Known(sent_values)))
        except _Wrong:
            continue


def _no_rules(_known: object) -> Iterable[Fault]:
    return ()


def _tagged(kinds: tuple[Any, ...], *, texts: bool) -> Check:
    field = kinds[0].__struct_config__.tag_field
    arms = {kind.__struct_config__.tag: _struct(kind, texts=texts) for kind in kinds}

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if not isinstance(value, Mapping):
            issues.append(say.wrong_type("object", value, path))
            return None
        tag = value.get(field)
        arm = arms.get(tag) if isinstance(tag, str | int) else None
        if arm is None:
            issues.append(say.invalid_discriminator(list(arms), (*path, field)))
            return None
        return arm(value, path, issues)

    return check


def _union(kinds: tuple[Any, ...], notes: tuple[object, ...], *, texts: bool) -> Check:
    arms = [kind for kind in kinds if kind not in {type(None), msgspec.UnsetType}]
    nullable = type(None) in kinds
    if not arms:
        return null
    inner = _either(arms, notes, texts=texts)

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        return None if value is None and nullable else inner(value, path, issues)

    return check


def _either(arms: list[Any], notes: tuple[object, ...], *, texts: bool) -> Check:
    if len(arms) == 1:
        return checker(arms[0], notes, texts=texts)
    if all(isinstance(arm, type) and issubclass(arm, msgspec.Struct) for arm in arms):
        if len({(arm.__struct_config__.tag_field, arm.__struct_config__.tag) for arm in arms}) < len(arms):
            raise TypeError(f"{arms!r} need one tag_field and a tag each, to tell them apart")
        return _tagged(tuple(arms), texts=texts)
    checks = [checker(arm, notes, texts=texts) for arm in arms]

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        for arm in checks:
            faults: list[Issue] = []
            result = arm(value, path, faults)
            if not faults:
                return result
        issues.append(say.invalid_union(path))
        return None

    return check
