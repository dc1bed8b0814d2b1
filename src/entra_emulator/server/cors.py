"""What a page of another origin may read: the documents, the token endpoint, and Graph.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow (redirect URIs of single-page apps)
and https://fetch.spec.whatwg.org/#http-cors-protocol. Codes and refresh tokens of other platforms are refused with 9002326.
"""

from __future__ import annotations

from dataclasses import replace

from entra_emulator.core.wire import Request, Response

_OPEN = ("/token", "/openid-configuration", "/keys", "/discovery/instance")
_GRAPH = frozenset({"v1.0", "beta"})
_ANY = ("Access-Control-Allow-Origin", "*")
_LONGEST = 1_000


def preflight(request: Request, path: str) -> Response | None:
    """The answer to a browser that asks whether a page may send what it wants to; None for any other request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.method != "OPTIONS" or "access-control-request-method" not in headers or not _open(path):
        return None
    header = headers.get("access-control-request-headers", "*")[:_LONGEST]
    allowed = "".join(letter for letter in header if letter.isprintable() and letter.isascii())
    answer = (
        _ANY,
        ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE, OPTIONS"),
        ("Access-Control-Allow-Headers", allowed),
        ("Access-Control-Max-Age", "600"),
    )
    return Response(204, answer)


def readable(request: Request, path: str, response: Response) -> Response:
    """The same answer, which the page that asked for it may read where this address is open to pages."""
    if not _open(path) or not any(name.lower() == "origin" for name in request.headers):
        return response
    return replace(response, headers=(*response.headers, _ANY))


def _open(path: str) -> bool:
    return path.lstrip("/").partition("/")[0] in _GRAPH or path.endswith(_OPEN)
