"""Values of the directory as JSON and back, by their declared types: what is kept on disk, and what an export holds."""

from __future__ import annotations

import base64
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from entra_emulator.directory.table import Table

T = TypeVar("T")
_NEVER = "-inf"
Reader = Callable[[Any], Any]
Writer = Callable[[Any], Any]


class Unreadable(ValueError):
    """A value that does not have the form it should have."""


def encode(value: Any) -> Any:
    """The value as JSON knows it. Dataclasses become objects, sets sorted lists, bytes base64."""
    kind: Any = type(value)
    write = _writer(kind)
    return value if write is None else write(value)


@cache
def _writer(kind: Any) -> Writer | None:
    """How values of this type are written; looked up once for each type. None where JSON knows them as they are."""
    if issubclass(kind, (types.NoneType, bool, int, str)):
        return None
    if issubclass(kind, float):
        return lambda value: _NEVER if value == float("-inf") else value
    if issubclass(kind, bytes):
        return lambda value: base64.b64encode(value).decode("ascii")
    if issubclass(kind, RSAPublicKey):
        return lambda value: encode(value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if issubclass(kind, dict):
        return lambda value: {str(key): encode(item) for key, item in value.items()}
    if issubclass(kind, (set, frozenset)):
        return lambda value: sorted(encode(item) for item in value)
    if issubclass(kind, (list, tuple)):
        return lambda value: [encode(item) for item in value]
    names = [item.name for item in fields(kind)]
    return lambda value: {name: encode(getattr(value, name)) for name in names}


def decode(kind: type[T], value: Any) -> T:
    """The value of this type. Raises Unreadable for anything else; members with a default may be missing."""
    hint: Any = kind
    try:
        return typing.cast("T", _reader(hint)(value))
    except Unreadable:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise Unreadable(f"not a {kind.__name__}: {error}"[:300]) from error


@cache
def _reader(hint: Any) -> Reader:
    """How values of this type are read; looked up once for each type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _optional([item for item in inner if item is not type(None)])
    if origin in {list, set, frozenset}:
        one = _reader(inner[0])
        return lambda value: origin(one(item) for item in value)
    if origin is Table:
        one = _reader(inner[0])
        return lambda value: Table((key, one(item)) for key, item in _rows(value))
    if origin is dict:
        one = _reader(inner[1])
        return lambda value: {key: one(item) for key, item in value.items()}
    if origin is tuple:
        return _tuple(inner)
    if hint in _SPECIAL:
        return _SPECIAL[hint]
    if is_dataclass(hint):
        return _object(hint)
    return _plain(hint) if isinstance(hint, type) and hint is not Any else lambda value: value


def _rows(value: Any) -> Iterable[tuple[str, Any]]:
    """The rows of a table by their keys; what older versions kept as a list has its key in the row."""
    return ((item["id"], item) for item in value) if isinstance(value, list) else value.items()


_SPECIAL: dict[Any, Reader] = {
    bytes: lambda value: base64.b64decode(value, validate=True),
    float: lambda value: float("-inf") if value == _NEVER else float(value),
    RSAPublicKey: lambda value: load_der_public_key(base64.b64decode(value)),
}


def _tuple(inner: tuple[Any, ...]) -> Reader:
    if inner[-1] is Ellipsis:
        one = _reader(inner[0])
        return lambda value: tuple(one(item) for item in value)
    readers = [_reader(item) for item in inner]
    return lambda value: tuple(read(item) for read, item in zip(readers, value, strict=True))


def _optional(inner: list[Any]) -> Reader:
    if len(inner) > 1:  # text or a list of texts, which are the same in JSON
        return lambda value: value
    read = _reader(inner[0])
    return lambda value: None if value is None else read(value)


def _plain(hint: type) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, hint):
            raise Unreadable(f"{str(value)[:100]!r} is not {hint.__name__}")
        return value

    return read


def _object(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = {item.name: _reader(hints[item.name]) for item in fields(kind)}

    def read(value: Any) -> Any:
        unknown = set(value) - set(readers)
        if unknown:
            raise Unreadable(f"{kind.__name__} has no {min(unknown)}, which a newer entra-emulator may have")
        return kind(**{name: readers[name](item) for name, item in value.items()})

    return read
