"""One mechanism for bodies, queries and paths: a ``Wire`` type says what is right, ``parse`` finds all faults.

msgspec's own decoder stops at the first fault; people who fill in a form, and clients of this API, need all of them.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args, get_origin, runtime_checkable

import msgspec

from keyturn.errors import Invalid
from keyturn.web import issues as say
from keyturn.web.issues import Issue, Path
from keyturn.web.scalars import Check, Marker, Rules, Says, limited, null, one_of, scalar, text_fault

__all__ = [
    "Fault",
    "NonEmpty",
    "Says",
    "Slug",
    "Trimmed",
    "Uuid",
    "checker",
    "coerced",
    "parse",
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

_SLUG_SHAPE: dict[str, object] = {"minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}
Uuid = Annotated[str, uuid, msgspec.Meta(extra_json_schema={"format": "uuid"})]
Slug = Annotated[str, slug, msgspec.Meta(extra_json_schema=_SLUG_SHAPE)]
Trimmed = Annotated[str, trimmed]
NonEmpty = Annotated[str, trimmed, msgspec.Meta(min_length=1)]


@dataclass(frozen=True)
class Fault:
    """What a ``check`` method yields: a rule over several fields that is not met, and the (wire) path to blame."""

    message: str
    path: Path = ()


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


def _rules(notes: tuple[object, ...], *, texts: bool) -> Rules:
    markers = {note for note in notes if isinstance(note, Marker)} | ({coerced} if texts else set())
    says = next((note.message for note in notes if isinstance(note, Says)), None)
    return Rules(tuple(note for note in notes if isinstance(note, msgspec.Meta)), frozenset(markers), says)


def _plain(kind: Any, rules: Rules, *, texts: bool) -> Check:
    origin, args = get_origin(kind), get_args(kind)
    if origin is list:
        return limited(_list(checker(args[0], texts=texts), texts=texts), "array", rules)
    if origin is dict and args[0] is str:
        return limited(_dict(checker(args[1], texts=texts)), "object", rules)
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
        found = []
        for index, element in enumerate(value):
            found.append(item(element, (*path, index), issues))
            if len(issues) >= MOST_ISSUES:
                break
        return found

    return check


def _dict(item: Check) -> Check:
    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if not isinstance(value, dict):
            issues.append(say.wrong_type("object", value, path))
            return None
        found = {}
        for key, element in value.items():
            if fault := text_fault(key):
                issues.append(say.custom(f"A key {fault}", path))
            found[key] = item(element, (*path, key), issues)
            if len(issues) >= MOST_ISSUES:
                break
        return found

    return check


def _anything(value: object, path: Path, issues: list[Issue]) -> object:
    """Take any JSON of a sane depth that can be stored. Walks with its own stack: the depth is the caller's choice."""
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        found, depth = stack.pop()
        if depth > DEEPEST:
            issues.append(say.custom(f"must not be nested deeper than {DEEPEST} levels", path))
            return None
        inner = (
            [*found.keys(), *found.values()] if isinstance(found, dict) else found if isinstance(found, list) else ()
        )
        stack.extend((element, depth + 1) for element in inner)
        if isinstance(found, str) and (fault := text_fault(found)):
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


def _fields(kind: type[msgspec.Struct], *, texts: bool) -> list[_Field]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return [
        _Field(
            found.name,
            found.encode_name,
            checker(hints[found.name], texts=texts),
            found.required,
            _expected(hints[found.name]),
        )
        for found in msgspec.structs.fields(kind)
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
        before, found = len(issues), {}
        for field in cache[0]:
            if field.key in value:
                found[field.name] = field.check(value[field.key], (*path, field.key), issues)
            elif field.required:
                issues.append(say.required(field.expected, (*path, field.key)))
        return _made(kind, found, path, issues) if len(issues) == before else None

    return check


def _made(kind: type[msgspec.Struct], found: dict[str, Any], path: Path, issues: list[Issue]) -> object:
    made = kind(**found)
    if isinstance(made, _Checked):
        issues.extend(say.custom(fault.message, (*path, *fault.path)) for fault in made.check())
    return made


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
            found = arm(value, path, faults)
            if not faults:
                return found
        issues.append(say.invalid_union(path))
        return None

    return check
