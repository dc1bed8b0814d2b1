"""Members of a body that nobody reads where they stand, while they have a place elsewhere in it.

What this API does not know it leaves aside, since clients of its contract send more than is written there. But a time zone that
was written one level too high would be left aside in silence, too, and the schedule would be another one than was meant.
"""

import typing
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from keyturn.kit.dataclasses import dataclass
from keyturn.web.schema import issues as say
from keyturn.web.schema.issues import Issue, Path

Structs = tuple[type[msgspec.Struct], ...]


@dataclass(frozen=True)
class _Outline:
    """What an object may hold: its members, and those of them that are objects of known kinds themselves."""

    keys: frozenset[str]
    inner: Mapping[str, Structs]


def misplaced_members(kind: type[msgspec.Struct], value: Mapping[str, Any], path: Path) -> Iterator[Issue]:
    """Yield a fault for each member of ``value``, or of an object in it, that belongs elsewhere in it and is missing there."""
    outline, places = _outline((kind,)), _places((kind,))
    for key in sorted(value.keys() - outline.keys):
        yield from _told(key, places, value, path, path)
    for name, kinds in outline.inner.items():
        inside = value.get(name)
        if isinstance(inside, Mapping):
            # What belongs further inside is told by the look at that object itself.
            for key in sorted(inside.keys() - _places(kinds).keys()):
                yield from _told(key, places, value, path, (*path, name))


def _told(key: str, places: Mapping[str, Path], value: Mapping[str, Any], path: Path, found: Path) -> Iterator[Issue]:
    holder = places.get(key)
    if holder is None:
        return
    there: Any = value
    for name in holder:
        there = there.get(name) if isinstance(there, Mapping) else None
    if not isinstance(there, Mapping) or key not in there:
        place = ".".join(str(part) for part in (*path, *holder))
        where = f"in '{place}'" if place else "in the outermost object"
        yield say.custom(f"'{key}' is not read here: it belongs {where}", (*found, key))


@lru_cache(maxsize=4096)
def _places(kinds: Structs) -> Mapping[str, Path]:
    """Return where each member of these kinds, and of what is inside them, is: the nearest place of several."""
    places: dict[str, Path] = {}
    seen: set[Structs] = set()
    waiting: list[tuple[Path, Structs]] = [((), kinds)]
    for path, each in waiting:
        if each in seen:
            continue
        seen.add(each)
        outline = _outline(each)
        for key in outline.keys:
            places.setdefault(key, path)
        waiting.extend(((*path, name), inner) for name, inner in outline.inner.items())
    return places


@lru_cache(maxsize=4096)
def _outline(kinds: Structs) -> _Outline:
    keys: set[str] = set()
    inner: dict[str, Structs] = {}
    for kind in kinds:
        tag = kind.__struct_config__.tag_field
        keys |= {tag} if tag else set()
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            keys.add(field.encode_name)
            if structs := tuple(_structs(hints[field.name])):
                inner[field.encode_name] = inner.get(field.encode_name, ()) + structs
    return _Outline(frozenset(keys), inner)


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structures that a value of this annotation may be itself, not those in a list."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _structs(get_args(kind)[0])
    elif origin is typing.Union or origin is UnionType:
        for arm in get_args(kind):
            yield from _structs(arm)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
