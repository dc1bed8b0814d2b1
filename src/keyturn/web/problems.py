"""Every exception becomes one shape: ``{"reqId","statusCode","message","error"}``, often with details, code and fix."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from keyturn.errors import Invalid, KeyturnError, NotBuilt, NotFound, Refused, TooMany, Unavailable, Upstream
from keyturn.web.auth import Visit
from keyturn.web.browser import Visitor
from keyturn.web.pages import Page, Site, View, html
from keyturn.web.unbuilt import is_unbuilt
from keyturn.web.wire import encode

_log = structlog.get_logger("keyturn.web")

Explain = Callable[[Exception], Unavailable | None]
"""Says what stops this server for the moment, where the exception is such a cause."""

GENERIC = "Something went wrong on the server. Its log has the reason under the request id."
_NAMES = {
    400: ("BadRequest", "request.malformed"),
    401: ("UnauthorizedError", "token.missing"),
    403: ("ForbiddenError", "request.forbidden"),
    405: ("MethodNotAllowed", "request.method_not_allowed"),
    408: ("RequestTimeout", "request.too_slow"),
    413: ("PayloadTooLarge", "request.too_large"),
    415: ("UnsupportedMediaType", "request.media_type"),
    431: ("RequestHeaderFieldsTooLarge", "request.headers_too_large"),
    499: ("ClientClosedRequest", "request.hung_up"),
}
_SHOWN_PATH = 200


def nothing_known(_error: Exception) -> Unavailable | None:
    """Explain nothing: every exception that is not the product's own is unexpected."""
    return None


def body_of(status: int, error: str, message: object, request_id: str, **more: object) -> dict[str, object]:
    """Return the shape. Empty additions are left out."""
    shape: dict[str, object] = {"reqId": request_id, "statusCode": status, "message": message, "error": error}
    return shape | {name: value for name, value in more.items() if value}


@dataclass(frozen=True)
class Problem:
    """What an exception becomes, before it is JSON or a page. ``sentence`` is the message without advice, for the page."""

    status: int
    shape: Mapping[str, object]
    sentence: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Turn any exception of a route into its answer: a page for people, JSON for all others."""
    visit: Visit = request.scope["state"]["visit"]
    problem = _problem(request, error, visit)
    site: Site | None = request.app.state.edge.site
    if site is not None and _wants_page(request):
        return error_page(site, visit, request, problem)
    return json_response(problem.shape, problem.status, problem.headers)


def _wants_page(request: Request[Any, Any, Any]) -> bool:
    handler: Any = request.scope.get("route_handler")
    if handler is not None:
        return "page" in handler.opt
    return "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/api")


def _problem(request: Request[Any, Any, Any], error: Exception, visit: Visit) -> Problem:
    """Say what went wrong. Only unknown exceptions and the server's own faults are logged."""
    if isinstance(error, KeyturnError):
        return _known(error, visit)
    if isinstance(error, MethodNotAllowedException):
        built = _built_methods(error, request.scope["path"])
        return _wrong_method(built, visit) if built else _no_route(request)
    if isinstance(error, NotFoundException):
        return _no_route(request)
    if isinstance(error, HTTPException) and error.status_code in _NAMES:
        return _framework(error, visit)
    known = request.app.state.edge.explain(error)
    if known is not None:
        return _known(known, visit)
    return Problem(500, _unexpected(error, visit))


def _known(error: KeyturnError, visit: Visit) -> Problem:
    message: object = error.message
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
    return Problem(error.status, shape, error.message, headers)


def _seconds(wait: timedelta) -> str:
    return str(max(1, math.ceil(wait / timedelta(seconds=1))))


def _limits(error: TooMany) -> dict[str, str]:
    seconds = _seconds(error.retry_after)
    limit: int | None = getattr(error, "limit", None)
    headers = {"retry-after": seconds, "x-ratelimit-remaining": "0", "x-ratelimit-reset": seconds}
    return headers if limit is None else {**headers, "x-ratelimit-limit": str(limit)}


def _no_route(request: Request[Any, Any, Any]) -> Problem:
    path = request.scope["path"][:_SHOWN_PATH]
    message = f"Route {request.scope['method']}:{path} not found"
    return Problem(404, {"message": message, "error": "Not Found", "statusCode": 404})


def _built_methods(error: MethodNotAllowedException, path: str) -> list[str]:
    """Return the methods that this path takes, without those that are only known not to be built."""
    allowed = (error.headers or {}).get("allow", "")
    known = [method for method in allowed.replace(",", " ").split() if not is_unbuilt(method, path)]
    return known if known != ["OPTIONS"] else []


def _wrong_method(built: list[str], visit: Visit) -> Problem:
    name, code = _NAMES[405]
    allow = ", ".join(built)
    shape = body_of(405, name, f"This path takes {allow}", visit.request_id, code=code)
    return Problem(405, shape, headers={"allow": allow})


def _framework(error: HTTPException, visit: Visit) -> Problem:
    name, code = _NAMES[error.status_code]
    message = "The request body is larger than 1 MiB" if error.status_code == 413 else error.detail
    return Problem(error.status_code, body_of(error.status_code, name, message, visit.request_id, code=code))


def refused_head(error: Refused, visit: Visit) -> Response[bytes]:
    """Answer a request that was refused before anybody looked at its path."""
    problem = _known(error, visit)
    return json_response(problem.shape, problem.status)


def unexpected(error: Exception, visit: Visit) -> Response[bytes]:
    """Log what nobody foresaw, and say nothing of it to the caller."""
    return json_response(_unexpected(error, visit), 500)


def _unexpected(error: Exception, visit: Visit) -> dict[str, object]:
    _log.error("unexpected error", exc_info=error)
    return body_of(500, "InternalServerError", GENERIC, visit.request_id, code="server.error")


def json_response(shape: object, status: int, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Return a JSON response."""
    return Response(encode(shape), status_code=status, media_type="application/json", headers=dict(headers or {}))


# --- for people -------------------------------------------------------------------------------------------------------

_TITLES = {
    400: "This did not work",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This address does not take that",
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


def error_page(site: Site, visit: Visit, request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """Show what went wrong, what to do, and the id to look for in the log."""
    visitor = Visitor.of(request.headers, visit, site.session_cookie.name)
    message = problem.shape.get("message", "")
    if problem.sentence and isinstance(message, str):
        message = problem.sentence
    if isinstance(message, list):
        message = "; ".join(str(issue.get("message", "")) for issue in message)
    if problem.status == 404 and "code" not in problem.shape:
        message = _NOTHING_HERE
    title = _TITLES.get(problem.status, "Something went wrong")
    page = ErrorPage(problem.status, title, str(message), str(problem.shape.get("fix", "")), visit.request_id)
    # When the server itself is in trouble, what surrounds the page may be the trouble.
    actor = visit.actor if problem.status < 500 else None
    response = html(View(site, visitor, actor, request.scope["path"]).render(page), problem.status)
    response.headers.update(problem.headers)
    return response
