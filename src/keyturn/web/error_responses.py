"""Every exception becomes one shape: ``{"reqId","statusCode","message","error"}``, often with details, code and fix."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from typing import ClassVar, Protocol, runtime_checkable

import structlog

from keyturn.errors import Invalid, KeyturnError, NotBuilt, NotFound, Refused, TooMany, Unavailable, Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.web.auth import RequestContext
from keyturn.web.edge import Edge, Endpoint
from keyturn.web.html.browser import BrowserContext
from keyturn.web.html.forms import sentence
from keyturn.web.html.site import Site
from keyturn.web.messages import Request, Response
from keyturn.web.pages import Page, View, html
from keyturn.web.schema.wire import encode
from keyturn.web.table import NoRoute, WrongMethod
from keyturn.web.unbuilt import is_unbuilt

_log = structlog.get_logger("keyturn.web")

GENERIC = "Something went wrong on the server. Its log has the reason under the request id."
_SHOWN_PATH = 200


def body_of(status: int, error: str, message: object, request_id: str, **more: object) -> dict[str, object]:
    """Return the shape. Empty additions are left out."""
    shape: dict[str, object] = {"reqId": request_id, "statusCode": status, "message": message, "error": error}
    return shape | {name: value for name, value in more.items() if value}


@dataclass(frozen=True)
class ErrorResponse:
    """What an exception becomes, before it is JSON or a page. ``sentence`` is the message without advice, for the page."""

    status: int
    shape: Mapping[str, object]
    sentence: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class ShapesErrors(Protocol):
    """An endpoint whose clients read errors in a shape of their own."""

    def shaped_error(self, status: int, shape: Mapping[str, object], headers: Mapping[str, str]) -> Response: ...


def respond(edge: Edge, request: Request, endpoint: Endpoint | None, error: Exception) -> Response:
    """Turn any exception of a request into its answer: a page for people, JSON for all others."""
    problem = _problem(edge, request, error)
    asked: object = endpoint
    if isinstance(asked, ShapesErrors):
        return asked.shaped_error(problem.status, problem.shape, problem.headers)
    if edge.site is not None and _wants_page(request, endpoint):
        return error_page(edge.site, request, problem)
    return json_response(problem.shape, problem.status, problem.headers)


def _wants_page(request: Request, endpoint: Endpoint | None) -> bool:
    if endpoint is not None:
        return endpoint.is_page
    return "text/html" in request.headers.get("accept", "") and not request.path.startswith("/api")


def _problem(edge: Edge, request: Request, error: Exception) -> ErrorResponse:
    """Say what went wrong. Only unknown exceptions and the server's own faults are logged."""
    if isinstance(error, KeyturnError):
        return _known(error, request.visit)
    if isinstance(error, WrongMethod):
        methods = [method for method in error.methods if not is_unbuilt(method, request.path)]
        return _wrong_method(methods, request.visit) if methods else _no_route(request)
    if isinstance(error, NoRoute):
        return _no_route(request)
    explanation = edge.explain(error)
    if explanation is not None:
        return _known(explanation, request.visit)
    return ErrorResponse(500, _unexpected(error, request.visit))


def _known(error: KeyturnError, visit: RequestContext) -> ErrorResponse:
    message: object = error.message
    visit.refusal = error.code
    if isinstance(error, Invalid):
        message = list(error.issues)
    elif isinstance(error, Refused | NotFound | NotBuilt | Upstream):
        message = (
            error.diagnostics()
        )  # Terraform, the SDKs and the command line of this API show their users nothing else
    if isinstance(error, Unavailable):
        _log.warning("refused for the moment", code=error.code, reason=error.message)
    elif error.status >= 500 and not isinstance(error, NotBuilt):
        _log.error("refused by a fault of this server", code=error.code, reason=error.message)
    shape = body_of(
        error.status,
        error.error,
        message,
        visit.request_id,
        details=list(error.details),
        code=error.code,
        fix=error.fix,
    )
    headers: Mapping[str, str] = {}
    if isinstance(error, TooMany):
        headers = _limits(error)
    elif isinstance(error, Unavailable):
        headers = {"retry-after": _seconds(error.retry_after)}
    return ErrorResponse(error.status, shape, error.message, headers)


def _seconds(wait: timedelta) -> str:
    return str(max(1, math.ceil(wait / timedelta(seconds=1))))


def _limits(error: TooMany) -> dict[str, str]:
    seconds = _seconds(error.retry_after)
    limit: int | None = getattr(error, "limit", None)
    headers = {"retry-after": seconds, "x-ratelimit-remaining": "0", "x-ratelimit-reset": seconds}
    return headers if limit is None else {**headers, "x-ratelimit-limit": str(limit)}


def _no_route(request: Request) -> ErrorResponse:
    message = f"Route {request.method}:{request.path[:_SHOWN_PATH]} not found"
    return ErrorResponse(404, {"message": message, "error": "Not Found", "statusCode": 404})


def _wrong_method(methods: Sequence[str], visit: RequestContext) -> ErrorResponse:
    allow = ", ".join([*methods, "OPTIONS"])
    message = f"This path takes {allow}"
    shape = body_of(405, "MethodNotAllowed", message, visit.request_id, code="request.method_not_allowed")
    return ErrorResponse(405, shape, headers={"allow": allow})


def refused_head(error: Refused, visit: RequestContext) -> Response:
    """Answer a request that was refused before anybody looked at its path."""
    problem = _known(error, visit)
    return json_response(problem.shape, problem.status)


def unexpected_error(error: Exception, visit: RequestContext) -> Response:
    """Log what nobody foresaw, and say nothing of it to the caller."""
    return json_response(_unexpected(error, visit), 500)


def _unexpected(error: Exception, visit: RequestContext) -> dict[str, object]:
    _log.error("unexpected error", exc_info=error)
    return body_of(500, "InternalServerError", GENERIC, visit.request_id, code="server.error")


def json_response(shape: object, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(encode(shape), status, headers=dict(headers or {}))


# --- for people -------------------------------------------------------------------------------------------------------

_TITLES = {
    400: "This did not work",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This address does not take that",
    413: "This is too large",
    422: "This address is not right",
    429: "Too many tries",
    503: "Not possible at the moment",
}
_NOTHING_HERE = "The address may be mistyped, or what was here is gone, or it is not yours to see."


@dataclass(frozen=True)
class ErrorPage(Page):
    """The one page of all errors."""

    template: ClassVar[str] = "error.html"

    status: int
    title: str
    message: str
    fix: str
    request_id: str


def _of_address(issue: Mapping[str, object]) -> str:
    """Say what is wrong with a part of an address: forms say what is wrong with them themselves."""
    path = issue.get("path")
    name = ".".join(map(str, path)) if isinstance(path, list) else ""
    return f"{name}: {sentence(issue)}" if name else sentence(issue)


def error_page(site: Site, request: Request, problem: ErrorResponse) -> Response:
    """Show what went wrong, what to do, and the id to look for in the log."""
    visit = request.visit
    visitor = BrowserContext.of(request.headers, visit, site.session_cookie.name)
    message, fix = problem.shape.get("message", ""), str(problem.shape.get("fix", ""))
    if problem.sentence and isinstance(message, str):
        message = problem.sentence
    if isinstance(message, list):
        message, fix = " ".join(_of_address(issue) for issue in message), fix or "Correct it there, or leave it out."
    if problem.status == 404 and "code" not in problem.shape:
        message = _NOTHING_HERE
    title = _TITLES.get(problem.status, "Something went wrong")
    page = ErrorPage(problem.status, title, str(message), fix, visit.request_id)
    # When the server itself is in trouble, what surrounds the page may be the trouble.
    actor = visit.actor if problem.status < 500 else None
    response = html(View(site, visitor, actor, request.path).render(page), problem.status)
    response.headers.update(problem.headers)
    return response
