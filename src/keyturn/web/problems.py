"""Every exception becomes one shape: ``{"reqId","statusCode","message","error"}``, often with details, code and fix."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from keyturn.errors import Invalid, KeyturnError, TooMany, Upstream
from keyturn.web.auth import Visit
from keyturn.web.wire import encode

_log = structlog.get_logger("keyturn.web")

GENERIC = "Something went wrong on the server. Its log has the reason under the request id."
_NAMES = {
    400: ("BadRequest", "request.malformed"),
    401: ("UnauthorizedError", "token.missing"),
    403: ("ForbiddenError", "request.forbidden"),
    405: ("MethodNotAllowed", "request.method_not_allowed"),
    408: ("RequestTimeout", "request.too_slow"),
    413: ("PayloadTooLarge", "request.too_large"),
    415: ("UnsupportedMediaType", "request.media_type"),
}
_SHOWN_PATH = 200


def body_of(status: int, error: str, message: object, request_id: str, **more: object) -> dict[str, object]:
    """Return the shape. Empty additions are left out."""
    shape: dict[str, object] = {"reqId": request_id, "statusCode": status, "message": message, "error": error}
    return shape | {name: value for name, value in more.items() if value}


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn any exception of a route into its answer. Only unknown ones and the server's own faults are logged."""
    visit: Visit = request.scope["state"]["visit"]
    if isinstance(error, KeyturnError):
        return _known(error, visit)
    if isinstance(error, NotFoundException):
        path = request.scope["path"][:_SHOWN_PATH]
        message = f"Route {request.scope['method']}:{path} not found"
        return json_response({"message": message, "error": "Not Found", "statusCode": 404}, 404)
    if isinstance(error, HTTPException) and error.status_code in _NAMES:
        return _framework(error, visit)
    return unexpected(error, visit)


def _known(error: KeyturnError, visit: Visit) -> Response[bytes]:
    message: object = error.message
    if isinstance(error, Invalid):
        message = list(error.issues)
    elif isinstance(error, Upstream):
        message = error.diagnostics()
    if error.status >= 500:
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
    return json_response(shape, error.status, _limits(error) if isinstance(error, TooMany) else {})


def _limits(error: TooMany) -> dict[str, str]:
    seconds = str(max(1, math.ceil(error.retry_after / timedelta(seconds=1))))
    limit: int | None = getattr(error, "limit", None)
    headers = {"retry-after": seconds, "x-ratelimit-remaining": "0", "x-ratelimit-reset": seconds}
    return headers if limit is None else {**headers, "x-ratelimit-limit": str(limit)}


def _framework(error: HTTPException, visit: Visit) -> Response[bytes]:
    name, code = _NAMES[error.status_code]
    message = error.detail
    headers: Mapping[str, str] = {}
    if isinstance(error, MethodNotAllowedException):
        headers = {"allow": (error.headers or {}).get("allow", "")}
        message = f"This path takes {headers['allow']}"
    elif error.status_code == 413:
        message = "The request body is larger than 1 MiB"
    return json_response(
        body_of(error.status_code, name, message, visit.request_id, code=code), error.status_code, headers
    )


def unexpected(error: Exception, visit: Visit) -> Response[bytes]:
    """Log what nobody foresaw, and say nothing of it to the caller."""
    _log.error("unexpected error", exc_info=error)
    return json_response(body_of(500, "InternalServerError", GENERIC, visit.request_id, code="server.error"), 500)


def json_response(shape: object, status: int, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Return a JSON response."""
    return Response(encode(shape), status_code=status, media_type="application/json", headers=dict(headers or {}))
