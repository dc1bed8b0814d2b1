"""The OpenAPI 3.1 document, made from the very types that check requests and shape answers."""

import functools
import operator
import re
import typing
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, get_args, get_origin

import msgspec

from keyturn import __version__
from keyturn.kit.secret import Plaintext
from keyturn.web.edge import Endpoint
from keyturn.web.messages import EventStream
from keyturn.web.routes import Operation, is_response
from keyturn.web.schema.validate import json_object
from keyturn.web.schema.wire import ApiModel, inside

_REF = "#/components/schemas/{name}"
_HOLE = re.compile(r"\{(\w+)(?::\w+)?\}")
_PROBLEMS = {
    "400": "A rule of the product or the identity provider says no",
    "401": "No token, or one that is unknown or revoked",
    "403": "A malformed or expired token, or a missing permission",
    "404": "No such thing, or none that you may see",
    "422": "The request has the wrong shape: `message` lists every fault",
    "429": "Too many requests: wait as `retry-after` says",
    "500": "A fault of this server; its log has the reason under `reqId`",
}
_PUBLIC_PROBLEMS = ("400", "422", "429", "500")


class Problem(ApiModel):
    """The shape of every error."""

    req_id: str
    status_code: int
    message: str
    error: str
    code: str
    fix: str | None = None
    details: list[dict[str, object]] = msgspec.field(default_factory=list)


class ValidationProblem(ApiModel):
    """The error of a request with the wrong shape. Each entry of ``message`` has a code, a text and a path."""

    req_id: str
    status_code: int
    message: list[dict[str, object]]
    error: str
    code: str


def operations_of(endpoints: Iterable[Endpoint]) -> list[Operation]:
    """Return those that were made with ``web.routes``, in order of tag, path and method."""
    documented_operations = [each for each in endpoints if isinstance(each, Operation)]
    return sorted(documented_operations, key=lambda each: (each.tag, each.path, each.method))


def document(operations: Sequence[Operation], server_url: str | None = None) -> dict[str, Any]:
    """Return the OpenAPI document as plain data."""
    schemas = _Schemas()
    names = _operation_ids(operations)
    paths: dict[str, dict[str, Any]] = {}
    for each, name in zip(operations, names, strict=True):
        path = _HOLE.sub(lambda hole: f"{{{_camel(hole[1])}}}", each.path)
        paths.setdefault(path, {})[each.method.lower()] = _operation(each, name, schemas)
    problems = {"Problem": Problem, "ValidationProblem": ValidationProblem}
    for problem in problems.values():
        schemas.of(problem)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keyturn",
            "version": __version__,
            "description": "Rotation of Microsoft Entra client secrets. Times are ISO-8601 in UTC. Unknown keys are ignored.",
        },
        "servers": [{"url": server_url or "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _any(kind: type) -> dict[str, Any]:
    if kind is object:
        return {"description": "any JSON"}
    raise NotImplementedError  # tidy: allow - how the schema maker is told "not mine"


_SENT_ONLY = msgspec.Meta(extra_json_schema={"writeOnly": True})


def _as_sent(kind: Any) -> Any:
    """Return the annotation with the text that a client sends in the place of each Plaintext, and its limits kept."""
    if Plaintext not in inside(kind, set()):
        return kind
    if kind is Plaintext:
        return Annotated[str, _SENT_ONLY]
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        wire_type = Annotated[dict[str, object], _SENT_ONLY] if json_object in notes else _as_sent(inner)
        return Annotated[(wire_type, *notes)]
    if get_args(kind):
        arms = [_as_sent(arm) for arm in get_args(kind)]
        origin = get_origin(kind)
        return origin[tuple(arms)] if isinstance(origin, type) and origin in {list, dict} else _either(arms)
    return _struct_as_sent(kind)


@functools.lru_cache(maxsize=1024)
def _struct_as_sent(kind: Any) -> Any:
    """Return a structure of the same name: one for each, as two would have to be told apart in the document."""
    hints = typing.get_type_hints(kind, include_extras=True)
    members = msgspec.structs.fields(kind)
    fields: list[Any] = [
        (each.name, _as_sent(hints[each.name]))
        if each.required
        else (each.name, _as_sent(hints[each.name]), _default_as_sent(each))
        for each in members
    ]
    return msgspec.defstruct(
        kind.__name__,
        fields,
        namespace={"__doc__": kind.__doc__},
        rename={each.name: each.encode_name for each in members},
        tag_field=kind.__struct_config__.tag_field,
        tag=kind.__struct_config__.tag,
        kw_only=True,
    )


def _default_as_sent(member: msgspec.structs.FieldInfo) -> Any:
    """The default of a secret is no secret."""
    if member.default is msgspec.NODEFAULT:
        return msgspec.field(default_factory=member.default_factory)
    return member.default.reveal() if isinstance(member.default, Plaintext) else member.default


class _Schemas:
    """Collects the components that the schemas refer to."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        (schema,), components = msgspec.json.schema_components([_as_sent(kind)], schema_hook=_any, ref_template=_REF)
        for name, component in components.items():
            stored = self.components.setdefault(name, component)
            if stored != component:
                raise TypeError(
                    f"two different types are called {name}: rename one, clients generate code from these names"
                )
        return schema


def _operation(operation: Operation, name: str, schemas: _Schemas) -> dict[str, Any]:
    description: dict[str, Any] = {"operationId": name, "summary": operation.summary, "tags": [operation.tag]}
    if operation.description:
        description["description"] = operation.description
    kinds = operation.signature.kinds
    parameters = [
        parameter for place in ("path", "query") for parameter in _parameters(kinds.get(place), place, schemas)
    ]
    if parameters:
        description["parameters"] = parameters
    if operation.has_body:
        required = type(None) not in get_args(kinds["data"])
        description["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": schemas.of(kinds["data"])}},
        }
    description["responses"] = {str(operation.status): _answer(operation, schemas), **_problems(operation)}
    description["responses"] |= {str(status): {"description": text} for status, text in operation.also.items()}
    description["security"] = [] if operation.public else [{"bearer": []}]
    return description


def _answer(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    answer = operation.signature.answer
    if operation.status == 204 or answer is type(None):
        return {"description": "Done"}
    if isinstance(answer, type) and issubclass(answer, EventStream):
        return {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    if is_response(answer):
        return {"description": "Done", "content": {"application/json": {"schema": {}}}}
    return {"description": "Done", "content": {"application/json": {"schema": schemas.of(answer)}}}


def _problems(operation: Operation) -> dict[str, Any]:
    statuses = _PUBLIC_PROBLEMS if operation.public else tuple(_PROBLEMS)
    return {
        status: {
            "description": _PROBLEMS[status],
            "content": {
                "application/json": {
                    "schema": {"$ref": _REF.format(name="ValidationProblem" if status == "422" else "Problem")}
                }
            },
        }
        for status in statuses
    }


def _parameters(kind: Any, place: str, schemas: _Schemas) -> Iterable[dict[str, Any]]:
    if kind is None:
        return
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        schema = schemas.of(_set(hints[field.name]))
        if not field.required and isinstance(field.default, str | int | bool):
            schema = {**schema, "default": field.default}
        yield {"name": field.encode_name, "in": place, "required": field.required, "schema": schema}


def _set(kind: Any) -> Any:
    """Return the annotation without "may be unset" and "may be null", which a text in a URL cannot be."""
    if get_origin(kind) is Annotated or not get_args(kind) or type(None) not in get_args(kind):
        return kind
    return _either([arm for arm in get_args(kind) if arm not in {type(None), msgspec.UnsetType}])


def _either(arms: Sequence[Any]) -> Any:
    return functools.reduce(operator.or_, arms)


def _operation_ids(operations: Sequence[Operation]) -> list[str]:
    """Name each operation after its function; where two features chose the same, after method and path."""
    plain = [_camel(operation.function.__name__) for operation in operations]
    return [
        name
        if plain.count(name) == 1
        else _camel(re.sub(r"\W+", "_", f"{operation.method.lower()}{operation.path}").strip("_"))
        for name, operation in zip(plain, operations, strict=True)
    ]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
