"""What a handler's signature says, read once for JSON and for pages: which parts of a request it takes, and their types."""

import inspect
import typing
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from keyturn.errors import Invalid, Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.web.messages import Request
from keyturn.web.schema.issues import Issue
from keyturn.web.schema.scalars import Check
from keyturn.web.schema.validate import MOST_ISSUES, checker
from keyturn.web.table import path_params
from keyturn.web.waiting import Waiting

MOST_QUERY_KEYS = 1000
Types = Mapping[str, Any] | None


@dataclass(frozen=True)
class Signature:
    """``names`` are the parameters. ``kinds`` are the types of the parts that are taken: path, query, and the body."""

    names: frozenset[str]
    kinds: Mapping[str, Any]
    checks: Mapping[str, Check]
    answer: Any

    def arguments(self, request: Request, **body: object) -> dict[str, object]:
        """Return what is taken of the path, of the query and, when it is given, of the decoded body.

        Raises Invalid with the faults of them all, and Refused for a query with absurdly many keys.
        """
        issues: list[Issue] = []
        fields = {field.name: field.encode_name for field in msgspec.structs.fields(self.kinds["path"])}
        path = self.checks["path"]({wire: request.path_params[name] for name, wire in fields.items()}, (), issues)
        parts = {"query": read_query(request.query)} | body if "query" in self.checks else body
        values = {part: self.checks[part](raw, (), issues) for part, raw in parts.items() if part in self.checks}
        if issues:
            raise Invalid(issues[:MOST_ISSUES])
        return values | {name: getattr(path, name) for name in fields}


def read(
    method: str,
    path: str,
    function: Callable[..., object],
    *,
    public: bool,
    body: str,
    provided: AbstractSet[str],
    types: Types = None,
) -> Signature:
    """Read a handler's signature. Raises TypeError when it cannot be served as asked.

    ``body`` is the parameter for what a request brings: ``data`` is JSON, anything else is texts. ``provided`` are those that
    are in no request. ``types`` are those of parameters, and of ``return``, that are known only when the routes are made.
    """
    hints = typing.get_type_hints(function, include_extras=True) | dict(types or {})
    parameters = inspect.signature(function).parameters
    names = [name for name, each in parameters.items() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    where = f"{method} {path}"
    if ("actor" in names) == public:
        raise TypeError(f"{where}: a handler has an actor, or says public=True, never both")
    in_template, in_path = path_params(path), [name for name in names if name not in {*provided, "query", body}]
    if sorted(in_template) != sorted(in_path) and len(names) == len(parameters):  # with ** it looks at none of them
        raise TypeError(f"{where}: the path has {list(in_template)}, the handler takes {in_path}")
    path_type = _path_type(tuple((name, hints[name]) for name in in_path))
    kinds = {"path": path_type} | {part: hints[part] for part in ("query", body) if part in names}
    checks = {part: checker(kind, texts=part != "data") for part, kind in kinds.items()}
    return Signature(frozenset(names), kinds, checks, _answer(hints.get("return")))


@lru_cache(maxsize=1024)
def _path_type(fields: tuple[tuple[str, Any], ...]) -> type[msgspec.Struct]:
    """Return the type of a path's parameters: one for all routes that have the same, as its checks are made once for each."""
    return msgspec.defstruct("Path", fields, rename="camel", kw_only=True)


def _answer(kind: Any) -> Any:
    """Return the type of an answer, also of one that is waited for."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Waiting else kind


def read_query(raw: bytes) -> dict[str, list[str]]:
    """Return the values by key. An empty value counts as absent. Raises Refused when there are absurdly many."""
    try:
        # Some clients send letters as they are, without percent signs: they are UTF-8 either way.
        pairs = parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MOST_QUERY_KEYS)
    except ValueError as error:
        raise Refused(f"The query has more than {MOST_QUERY_KEYS} keys", code="request.malformed") from error
    values: dict[str, list[str]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return values
