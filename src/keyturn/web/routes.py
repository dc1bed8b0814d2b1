"""How a feature writes a route: ``get``, ``post``, ``put``, ``patch``, ``delete`` around functions, and ``group``.

One hop to the thread pool does it all in this order: who calls, path, query, body, handler, encoding. A stranger sees
401 and never 422. The README beside this file shows the conventions.
"""

import codecs
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, Router
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from keyturn.errors import Invalid, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.web.auth import Authenticate, Caller, Visit, bearer, network_of, sign_in
from keyturn.web.compression import compressed as compress
from keyturn.web.issues import Issue
from keyturn.web.origin import Rules, require_json
from keyturn.web.scalars import Check
from keyturn.web.validate import MOST_ISSUES, checker
from keyturn.web.wire import check_answer_type, check_compressible, encode

__all__ = ["Caller", "Operation", "delete", "get", "group", "patch", "post", "put"]

MOST_QUERY_KEYS = 1000
_HOLE = re.compile(r"\{(\w+)(?::(\w+))?\}")
_NONE: Mapping[int, str] = {}
_GZIP = b"\x1f\x8b"

Also = Mapping[int, str]
ByCookie = Callable[[str, Mapping[str, str], Visit], Actor | None]
Decorator = Callable[[Callable[..., object]], HTTPRouteHandler]

_OWN = {"actor", "caller", "query", "data", "return"}


@dataclass(frozen=True)
class Operation:
    """What is known about one route: enough to serve it and to document it."""

    method: str
    path: str
    function: Callable[..., object]
    status: int
    public: bool
    wants: frozenset[str]
    path_type: type[msgspec.Struct]
    query: Any
    data: Any
    answer: Any
    checks: Mapping[str, Check]
    also: Also
    immediate: bool = False
    """Answered at once, without a thread: it touches nothing that could keep it waiting."""
    probe: bool = False
    """Answered by threads that nothing else uses."""
    compressed: bool = False
    """May be compressed, see ``compression.py``: it never holds a secret, a token or a code."""
    guarded: bool = False

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.function) or self.function.__name__.replace("_", " ")).split("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        return "\n".join((inspect.getdoc(self.function) or "").split("\n")[1:]).strip()


@dataclass(frozen=True)
class Arrival:
    """The parts of a request that a worker thread needs."""

    method: str
    visit: Visit
    headers: Mapping[str, str]
    path: Mapping[str, object]
    query: bytes
    body: bytes


def get(
    path: str,
    *,
    public: bool = False,
    status: int = 200,
    also: Also = _NONE,
    immediate: bool = False,
    probe: bool = False,
    compressed: bool = False,
) -> Decorator:
    """Make a route of a function. ``also`` documents further statuses. Raises TypeError for a signature with no sense.

    ``immediate`` is for answers that need neither the database nor time: they come while all threads are busy, too.
    ``probe`` is for those by which others judge whether this server works. ``compressed`` is for those that hold no secret.
    """
    return _route(
        "GET", path, public=public, status=status, also=also, immediate=immediate, probe=probe, compressed=compressed
    )


def post(path: str, *, public: bool = False, guarded: bool = False, status: int = 200, also: Also = _NONE) -> Decorator:
    """``guarded``: the rules for browsers' requests hold for all."""
    return _route("POST", path, public=public, guarded=guarded, status=status, also=also)


def put(path: str, *, public: bool = False, status: int = 200, also: Also = _NONE) -> Decorator:
    return _route("PUT", path, public=public, status=status, also=also)


def patch(path: str, *, public: bool = False, status: int = 200, also: Also = _NONE) -> Decorator:
    return _route("PATCH", path, public=public, status=status, also=also)


def delete(path: str, *, public: bool = False, status: int = 200, also: Also = _NONE) -> Decorator:
    return _route("DELETE", path, public=public, status=status, also=also)


class Group(Router):
    """Routes made for one application. Litestar registers a copy of a router, so that others may have it too: we need none."""

    def __init__(self, handlers: Iterable[HTTPRouteHandler], *, tags: Sequence[str] = ()) -> None:
        super().__init__("/", route_handlers=list(handlers), tags=tags)

    def __deepcopy__(self, _memo: object) -> "Group":
        return self


def group(tag: str, *handlers: HTTPRouteHandler) -> Router:
    """Put routes under one heading of the API reference."""
    return Group(handlers, tags=[tag])


def _route(
    method: str,
    path: str,
    *,
    public: bool,
    status: int,
    also: Also,
    immediate: bool = False,
    guarded: bool = False,
    probe: bool = False,
    compressed: bool = False,
) -> Decorator:
    def around(function: Callable[..., object]) -> HTTPRouteHandler:
        described = describe(method, path, function, public=public, status=status, also=also)
        if compressed:
            check_compressible(described.answer)
        operation = replace(described, immediate=immediate, guarded=guarded, probe=probe, compressed=compressed)

        async def endpoint(request: Request[Any, Any, Any]) -> Response[Any]:
            arrival = Arrival(
                method,
                request.scope["state"]["visit"],
                request.headers,
                request.path_params,
                request.scope["query_string"],
                await read_body(request) if "data" in operation.wants else b"",
            )
            arrival.visit.route = operation.path
            response: Response[Any] = await request.app.state.edge.run(operation, arrival)
            return response

        litestar_path = _HOLE.sub(lambda hole: f"{{{hole[1]}:{hole[2] or 'str'}}}", path)
        handler = HTTPRouteHandler(
            litestar_path, http_method=[HttpMethod(method)], status_code=200, opt={"operation": operation}
        )
        return handler(endpoint)

    return around


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the request's body. Raises HTTPException when it does not come whole and in time."""
    found: bytes = await request.app.state.edge.bodies.read(request, network_of(request.scope["state"]["visit"].ip))
    return found


def describe(
    method: str, path: str, function: Callable[..., object], *, public: bool, status: int, also: Also
) -> Operation:
    """Read a handler's signature. Raises TypeError when it cannot be served as asked."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    names = [name for name, each in parameters.items() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    where = f"{method} {path}"
    if ("actor" in names) == public:
        raise TypeError(f"{where}: a handler has an actor, or says public=True, never both")
    holes = [hole[0] for hole in _HOLE.findall(path)]
    in_path = [name for name in names if name not in _OWN]
    if sorted(holes) != sorted(in_path) and len(names) == len(parameters):  # with ** it looks at none of them
        raise TypeError(f"{where}: the path has {holes}, the handler takes {in_path}")
    answer = hints.get("return")
    if not is_response(answer):
        check_answer_type(answer)
    path_type = msgspec.defstruct("Path", [(name, hints[name]) for name in in_path], rename="camel", kw_only=True)
    kinds = {"path": (path_type, True), "query": (hints.get("query"), True), "data": (hints.get("data"), False)}
    checks = {part: checker(kind, texts=texts) for part, (kind, texts) in kinds.items() if kind is not None}
    query, data = hints.get("query"), hints.get("data")
    return Operation(
        method, path, function, status, public, frozenset(names), path_type, query, data, answer, checks, also
    )


def is_response(answer: Any) -> bool:
    """Say whether a handler answers with a whole response instead of JSON."""
    kind = typing.get_origin(answer) or answer
    return isinstance(kind, type) and issubclass(kind, Response)


def perform(
    operation: Operation,
    arrival: Arrival,
    authenticate: Authenticate,
    by_cookie: ByCookie | None = None,
    rules: Rules | None = None,
) -> Response[Any]:
    """Serve one request, in a worker thread. Raises what the handler raises, and Invalid, Refused, Unauthenticated.

    ``by_cookie`` knows who sits at a browser; it is asked when there is no token. ``rules`` are for browsers' requests
    without a cookie.
    """
    token = bearer(arrival.headers)
    arguments: dict[str, object] = {}
    known = None
    if "actor" in operation.wants:
        known = by_cookie(arrival.method, arrival.headers, arrival.visit) if by_cookie and token is None else None
        if known is not None:
            require_json(arrival.headers, arrival.body)
    if known is None and rules is not None:
        guarded = operation.guarded
        rules.check(arrival.method, arrival.headers, arrival.body, guarded=guarded, bearer=token is not None)
    if "actor" in operation.wants:
        arguments["actor"] = known or sign_in(authenticate, token, arrival.visit)
    if "caller" in operation.wants:
        arguments["caller"] = _caller(arrival, token)
    arguments |= _parsed(operation, arrival)
    answer = _answered(operation, operation.function(**arguments))
    return compress(answer, arrival.headers) if operation.compressed else answer


def _caller(arrival: Arrival, token: str | None) -> Caller:
    visit, code = arrival.visit, arrival.headers.get("x-keyturn-setup-code")
    return Caller(
        visit.ip,
        visit.request_id,
        visit.user_agent,
        None if token is None else Plaintext(token),
        Plaintext(code) if code else None,
    )


def _parsed(operation: Operation, arrival: Arrival) -> dict[str, object]:
    issues: list[Issue] = []
    arguments: dict[str, object] = {}
    fields = {field.name: field.encode_name for field in msgspec.structs.fields(operation.path_type)}
    raw_path = {wire: str(arrival.path[name]) for name, wire in fields.items()}
    found = operation.checks["path"](raw_path, (), issues)
    if "query" in operation.checks:
        arguments["query"] = operation.checks["query"](read_query(arrival.query), (), issues)
    if "data" in operation.checks:
        require_plain(arrival.headers, arrival.body)
        arguments["data"] = operation.checks["data"](read_json(arrival.body), (), issues)
    if issues:
        raise Invalid(issues[:MOST_ISSUES])
    return arguments | {name: getattr(found, name) for name in fields}


def _answered(operation: Operation, result: object) -> Response[Any]:
    if isinstance(result, Response):
        return result
    if operation.status == 204:
        return Response(None, status_code=204)
    return Response(encode(result), status_code=operation.status, media_type="application/json")


def read_query(raw: bytes) -> dict[str, list[str]]:
    """Return the values by key. An empty value counts as absent. Raises Refused when there are absurdly many."""
    try:
        pairs = parse_qsl(raw.decode("latin-1"), max_num_fields=MOST_QUERY_KEYS)
    except ValueError as error:
        raise Refused(f"The query has more than {MOST_QUERY_KEYS} keys", code="request.malformed") from error
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def require_plain(headers: Mapping[str, str], body: bytes) -> None:
    """Raise HTTPException (415) for a body that was compressed, whether or not the headers say so."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if body and (encoding not in {"", "identity"} or body.startswith(_GZIP)):
        raise HTTPException(
            status_code=415,
            detail=f"The request body is compressed ({encoding or 'gzip'}). Send it as it is, without Content-Encoding.",
        )


def read_json(body: bytes) -> object:
    """Return the decoded body, None when it is empty. Raises Refused for anything that is not JSON in UTF-8.

    A byte order mark before it is passed over: some tools begin every file with one.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refused("The request body is written in UTF-16", code="request.malformed", fix="Send it in UTF-8.")
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise Refused("The request body is nested too deeply", code="request.malformed") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(f"The request body is not valid JSON: {error}", code="request.malformed") from error
