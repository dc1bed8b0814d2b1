"""How a feature writes a route: ``get``, ``post``, ``put``, ``patch``, ``delete`` around functions, and ``group``.

One hop to the thread pool does it all in this order: who calls, path, query, body, handler, encoding. A request without
a valid token gets 401 and never 422. The README beside this file shows the conventions.
"""

import asyncio
import codecs
import inspect
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from keyturn.errors import Refused, TimedOut, Unavailable, Untyped
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.repeat import may_repeat
from keyturn.kit.secret import Plaintext
from keyturn.web.auth import Authenticate, ByCookie, Caller, bearer, sign_in
from keyturn.web.compression import compress
from keyturn.web.edge import Edge
from keyturn.web.html.forms import FORM_TYPE, read_form
from keyturn.web.messages import Request, Response
from keyturn.web.origin import OriginRules, require_json
from keyturn.web.schema.wire import check_answer_type, check_compressible, encode
from keyturn.web.signature import Signature, Types, read
from keyturn.web.waiting import LONGEST, LOOK_EVERY, UntilNews, Waiting

__all__ = ["Caller", "Operation", "Routes", "delete", "get", "group", "patch", "post", "put"]

_NONE: Mapping[int, str] = {}
_GZIP = b"\x1f\x8b"

Also = Mapping[int, str]


@dataclass(frozen=True)
class Operation:
    """One route of the API: enough to serve it and to document it."""

    is_page = False

    method: str
    path: str
    function: Callable[..., object]
    status: int
    public: bool
    signature: Signature
    also: Also
    immediate: bool = False
    """Answered at once, without a thread: it touches nothing that could keep it waiting."""
    probe: bool = False
    """Answered by threads that nothing else uses."""
    compressed: bool = False
    """May be compressed, see ``compression.py``: it never holds a secret, a token or a code."""
    guarded: bool = False
    forms: bool = False
    """Takes a form in the place of a JSON object: some clients send one."""
    tag: str = "Other"
    """The heading it stands under in the API reference."""

    @property
    def has_body(self) -> bool:
        return "data" in self.signature.kinds

    async def serve(self, edge: Edge, request: Request) -> Response:
        """Answer a request. Raises what ``perform`` raises, and Unavailable when too many are being served."""
        if self.immediate:
            outcome = perform(self, request, edge.authenticate)
        elif self.probe:
            outcome = await edge.in_probe_thread(partial(perform, self, request, edge.authenticate))
        else:
            work = partial(perform, self, request, edge.authenticate, edge.by_cookie, edge.rules)
            outcome = await (edge.in_thread_of_few(work) if request.visit.waited else edge.in_thread(work))
        if isinstance(outcome, Waiting):
            return await self._awaited(edge, outcome)
        return await _with_news(edge, outcome) if isinstance(outcome, UntilNews) else outcome

    async def _awaited(self, edge: Edge, waiting: Waiting[object]) -> Response:
        pauses = 0
        while pauses < LONGEST // LOOK_EVERY:
            pauses += await edge.before_next_look(LOOK_EVERY.total_seconds())
            with suppress(Unavailable):  # all threads are busy: nothing is known
                answer = await edge.in_thread(waiting.look)
                if answer is not None:
                    return _answered(self, answer)
        raise TimedOut("It has begun, and is not over yet.", code="request.unfinished", fix="Look at it again later.")

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.function) or self.function.__name__.replace("_", " ")).split("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        return "\n".join((inspect.getdoc(self.function) or "").split("\n")[1:]).strip()


class Accepted(Exception):
    """Raised by a handler that did nothing yet, but took note of what was asked: the answer is 202 with this."""

    def __init__(self, answer: object) -> None:
        super().__init__("accepted")
        self.answer = answer


Routes = tuple[Operation, ...]
Decorator = Callable[[Callable[..., object]], Operation]


def get(
    path: str,
    *,
    public: bool = False,
    status: int = 200,
    also: Also = _NONE,
    immediate: bool = False,
    probe: bool = False,
    compressed: bool = False,
    types: Types = None,
    answer: Any = None,
) -> Decorator:
    """Make a route of a function. ``also`` documents further statuses. Raises TypeError for a signature with no sense.

    ``immediate`` is for answers that need neither the database nor time: they come while all threads are busy, too.
    ``probe`` is for those by which others judge whether this server works. ``compressed`` is for those that hold no secret.
    ``answer`` documents the JSON of a handler that returns a whole response.
    """
    return _route(
        "GET",
        path,
        public=public,
        status=status,
        also=also,
        immediate=immediate,
        probe=probe,
        compressed=compressed,
        types=types,
        answer=answer,
    )


def post(
    path: str,
    *,
    public: bool = False,
    guarded: bool = False,
    forms: bool = False,
    status: int = 200,
    also: Also = _NONE,
    types: Types = None,
    answer: Any = None,
) -> Decorator:
    """``guarded``: the rules for browsers' requests hold for all. ``forms``: the body may be a form, whose fields are texts.

    ``types``: see :func:`signature.read`. ``answer``: see :func:`get`.
    """
    return _route(
        "POST", path, public=public, guarded=guarded, forms=forms, status=status, also=also, types=types, answer=answer
    )


def put(path: str, *, public: bool = False, status: int = 200, also: Also = _NONE) -> Decorator:
    return _route("PUT", path, public=public, status=status, also=also)


def patch(path: str, *, public: bool = False, status: int = 200, also: Also = _NONE, types: Types = None) -> Decorator:
    return _route("PATCH", path, public=public, status=status, also=also, types=types)


def delete(path: str, *, public: bool = False, status: int = 200, also: Also = _NONE, types: Types = None) -> Decorator:
    return _route("DELETE", path, public=public, status=status, also=also, types=types)


def group(tag: str, *operations: Operation) -> Routes:
    """Put routes under one heading of the API reference."""
    return tuple(replace(operation, tag=tag) for operation in operations)


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
    forms: bool = False,
    types: Types = None,
    answer: Any = None,
) -> Decorator:
    def around(function: Callable[..., object]) -> Operation:
        signature = read(method, path, function, public=public, body="data", provided={"actor", "caller"}, types=types)
        signature = signature if answer is None else replace(signature, answer=answer)
        if not is_response(signature.answer):
            check_answer_type(signature.answer)
        if compressed:
            check_compressible(signature.answer)
        return Operation(
            method, path, function, status, public, signature, also, immediate, probe, compressed, guarded, forms
        )

    return around


def is_response(answer: Any) -> bool:
    """Say whether a handler answers with a whole response instead of JSON."""
    return isinstance(answer, type) and issubclass(answer, Response)


def perform(
    operation: Operation,
    request: Request,
    authenticate: Authenticate,
    by_cookie: ByCookie | None = None,
    rules: OriginRules | None = None,
) -> Response | Waiting[object] | UntilNews[Response]:
    """Serve one request, in a worker thread. Raises what the handler raises, and Invalid, Refused, Unauthenticated.

    ``by_cookie`` knows who sits at a browser; it is asked when there is no token. ``rules`` are for browsers' requests
    without a cookie.
    """
    token = bearer(request.headers)
    arguments: dict[str, object] = {}
    actor = None
    if "actor" in operation.signature.names:
        actor = by_cookie(request.method, request.headers, request.visit) if by_cookie and token is None else None
        if actor is not None:
            require_json(request.headers, request.body)
    if actor is None and rules is not None:
        guarded = operation.guarded
        rules.check(request.method, request.headers, request.body, guarded=guarded, bearer=token is not None)
    if "actor" in operation.signature.names:
        arguments["actor"] = actor or sign_in(authenticate, token, request.visit)
    if "caller" in operation.signature.names:
        arguments["caller"] = _caller(request, token)
    arguments |= _parsed(operation, request)
    try:
        result = operation.function(**arguments)
    except Accepted as accepted:
        return Response(encode(accepted.answer), 202)
    if isinstance(result, Waiting | UntilNews):
        return result
    answer = _answered(operation, result)
    return compress(answer, request.headers) if operation.compressed else answer


async def _with_news(edge: Edge, held: UntilNews[Response]) -> Response:
    loop, begun = asyncio.get_running_loop(), held
    end = loop.time() + held.seconds
    begun.begin()
    try:
        while (remaining := end - loop.time()) > 0 and await held.news(remaining):
            outcome = await edge.in_thread_of_few(held.again)
            if not isinstance(outcome, UntilNews):
                return outcome
            held = outcome
        return held.unchanged
    finally:
        begun.end()


def _caller(request: Request, token: str | None) -> Caller:
    visit, code = request.visit, request.headers.get("x-keyturn-setup-code")
    return Caller(
        visit.ip,
        visit.request_id,
        visit.user_agent,
        None if token is None else Plaintext(token),
        Plaintext(code) if code else None,
        request.headers.get("if-none-match", ""),
        request.headers.get("x-keyturn-instance", ""),
        request.headers.get("x-keyturn-refresh-interval", ""),
        request.headers.get("x-keyturn-in-use", ""),
        request.headers.get("last-event-id", ""),
        visit.ticket,
        visit.waited,
        request.headers.get("accept", ""),
    )


def _parsed(operation: Operation, request: Request) -> dict[str, object]:
    if not operation.has_body:
        return operation.signature.arguments(request)
    require_plain(request.headers, request.body)
    kind = request.headers.get("content-type", "")
    if operation.forms and kind.partition(";")[0].strip().lower() == FORM_TYPE:
        fields = read_form(kind, request.body)
        return operation.signature.arguments(request, data={name: texts[-1] for name, texts in fields.items()})
    return operation.signature.arguments(request, data=read_json(request.body))


def _answered(operation: Operation, result: object) -> Response:
    if isinstance(result, Response):
        return result
    if operation.status == 204:
        return Response(status=204)
    return Response(encode(result), operation.status)


def require_plain(headers: Mapping[str, str], body: bytes) -> None:
    """Raise Untyped for a body that was compressed, whether or not the headers say so."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if body and (encoding not in {"", "identity"} or body.startswith(_GZIP)):
        raise Untyped(
            f"The request body is compressed ({encoding or 'gzip'}). Send it as it is, without Content-Encoding.",
            code="request.media_type",
        )


def read_json(body: bytes) -> object:
    """Return the decoded body, None when it is empty. Raises Refused for anything that is not JSON in UTF-8.

    So is an object with a name that stands there twice, of which another reader may take the other value:
    https://www.rfc-editor.org/rfc/rfc8259#section-4. A byte order mark is passed over: some tools begin every file with one.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refused("The request body is written in UTF-16", code="request.malformed", fix="Send it in UTF-8.")
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        return None
    try:
        decoded: object = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_require_single_names)  # which the other, faster reader does not tell
    except RecursionError as error:
        raise Refused("The request body is nested too deeply", code="request.malformed") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(f"The request body is not valid JSON: {error}", code="request.malformed") from error
    return decoded


def _require_single_names(members: list[tuple[str, object]]) -> None:
    if len(members) == len({name for name, _ in members}):
        return
    [(name, count)] = Counter(name for name, _ in members).most_common(1)
    told = f" '{name}'" if may_repeat("choice", name) else ""
    raise Refused(
        f"A name{told} stands {count} times in an object of the request body, so which value counts is not known.",
        code="request.name_repeated",
        fix="Send each name of an object once.",
    )
