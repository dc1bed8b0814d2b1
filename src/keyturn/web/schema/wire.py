"""JSON as this API speaks it: camel-case names, moments as text with milliseconds, whole numbers as whole numbers."""

import re
import typing
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from keyturn.kit.secret import Plaintext, Sealed

Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A moment in an answer, made by ``kit.clock.iso``."""


class ApiModel(msgspec.Struct, rename="camel"):
    """Base of everything that comes in or goes out as JSON. Fields with a default come last."""


def encode(answer: object) -> bytes:
    """Encode an answer. Raises TypeError for a value that has no business in one, such as a Plaintext."""
    return msgspec.json.encode(answer, enc_hook=_refuse)


def _refuse(value: object) -> object:
    raise TypeError(f"an answer holds no {type(value).__name__}")


_NEVER = (Plaintext, Sealed, datetime, date, float, Decimal, bytes)


_may_answer: set[Any] = set()
"""The structures that were looked through already: most of them are part of many answers."""


@lru_cache(maxsize=1024)
def check_answer_type(kind: Any) -> None:
    """Raise TypeError when a type that answers must not hold is anywhere inside the annotation of an answer."""
    visited = set(_may_answer)
    for inner in inside(kind, visited):
        if isinstance(inner, type) and issubclass(inner, _NEVER):
            raise TypeError(f"{kind!r} holds {inner.__name__}: an answer shows moments as Timestamp and numbers as int")
    _may_answer.update(visited)


_TELLING = re.compile(r"(token|secret|password|passphrase)$", re.IGNORECASE)


@lru_cache(maxsize=1024)
def check_compressible(kind: Any) -> None:
    """Raise TypeError when an answer that says it may be compressed has a field that is named like a secret."""
    structs: set[Any] = set()
    for _ in inside(kind, structs):
        pass
    for struct in structs:
        for field in msgspec.structs.fields(struct):
            if _TELLING.search(field.encode_name):
                raise TypeError(
                    f"{struct.__name__}.{field.encode_name} is no field of an answer that may be compressed"
                )


def inside(kind: Any, visited: set[Any]) -> Iterator[Any]:
    """Yield every type in an annotation that is no structure, and add the structures to ``visited``, each looked at once."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from inside(get_args(kind)[0], visited)
    elif origin is typing.Literal:
        return
    elif origin is not None or isinstance(kind, UnionType):
        for inner in get_args(kind):
            yield from inside(inner, visited)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind not in visited:
            visited.add(kind)
            for inner in typing.get_type_hints(kind, include_extras=True).values():
                yield from inside(inner, visited)
    else:
        yield kind
