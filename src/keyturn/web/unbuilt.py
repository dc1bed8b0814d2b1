"""Routes that clients of this API know and this server does not have yet: 501, never 404.

A client takes 404 for "that thing is not there" and acts on it: it forgets a resource, or removes a secret elsewhere.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from keyturn.errors import NotBuilt
from keyturn.kit.actor import Actor
from keyturn.web.routes import Decorator, Operation, Routes, delete, get, group, patch, post

TAG = "Not built"

_SYNC = "/api/v1/secret-syncs/{app}"
_CONNECTION = "/api/v1/app-connections/{other_app}"
_ROTATION = "/api/v2/secret-rotations/{other_type}"
_DYNAMIC = "/api/v1/dynamic-secrets"
_KEYS = "/api/v1/kms/keys"
_TOKEN_AUTH = "/api/v1/auth/token-auth"

_OF_PROJECTS: Mapping[str, str] = {
    _SYNC: "POST",
    f"{_SYNC}/check-destination": "POST",
    f"{_SYNC}/{{sync_id}}": "GET PATCH DELETE",
    "/api/v2/service-token": "POST",
    _CONNECTION: "GET POST",
    f"{_CONNECTION}/{{connection_id}}": "GET PATCH DELETE",
    _ROTATION: "GET POST",
    f"{_ROTATION}/{{rotation_id}}": "GET PATCH DELETE",
    "/api/v3/secrets/move": "POST",
    "/api/v3/secrets/tags/{secret_name}": "POST DELETE",
    _DYNAMIC: "GET POST",
    f"{_DYNAMIC}/{{dynamic_secret_name}}": "GET PATCH DELETE",
    f"{_DYNAMIC}/leases": "POST",
    f"{_DYNAMIC}/leases/{{lease_id}}": "GET DELETE",
    f"{_DYNAMIC}/leases/{{lease_id}}/renew": "POST",
    _KEYS: "GET POST",
    f"{_KEYS}/{{key_id}}": "GET PATCH DELETE",
    f"{_KEYS}/{{key_id}}/encrypt": "POST",
    f"{_KEYS}/{{key_id}}/decrypt": "POST",
    f"{_KEYS}/key-name/{{key_name}}": "GET",
    f"{_TOKEN_AUTH}/identities/{{identity_id}}": "GET POST PATCH DELETE",
    f"{_TOKEN_AUTH}/identities/{{identity_id}}/tokens": "GET POST",
    f"{_TOKEN_AUTH}/tokens/{{token_id}}": "PATCH",
    f"{_TOKEN_AUTH}/tokens/{{token_id}}/revoke": "POST",
}
_OTHER_METHODS = ("aws", "gcp", "jwt", "ldap", "oci", "alicloud", "tls-cert")
_AUTH_OF_IDENTITIES: Mapping[str, str] = {
    f"/api/v1/auth/{name}-auth/identities/{{identity_id}}": "GET POST PATCH DELETE" for name in _OTHER_METHODS
}
_SIGN_INS: Mapping[str, str] = {
    **{f"/api/v1/auth/{name}-auth/login": "POST" for name in _OTHER_METHODS},
    "/api/v3/auth/login": "POST",
    "/api/v3/auth/login1": "POST",
    "/api/v3/auth/login2": "POST",
}
"""Who signs in has no token yet, so these are answered to everybody."""

PATHS: Mapping[str, str] = {**_OF_PROJECTS, **_AUTH_OF_IDENTITIES, **_SIGN_INS}

_MAKERS: Mapping[str, Callable[..., Decorator]] = {"GET": get, "POST": post, "PATCH": patch, "DELETE": delete}
_HOLE = re.compile(r"\{\w+\}")
_OTHER = r"(?!(?:options|azure-client-secrets?)(?:/|$))[^/]+"
"""Of a kind that is not built: those that are have routes beside these."""


def pairs() -> Iterator[tuple[str, str]]:
    """Return each method with its path."""
    for path, methods in PATHS.items():
        for method in methods.split():
            yield method, path


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_HOLE.sub(lambda hole: _OTHER if hole[0].startswith("{other") else "[^/]+", path) + "/?")


_PATTERNS = {path: _pattern(path) for path in PATHS}


def is_unbuilt(method: str, path: str) -> bool:
    """Say whether a request with this method and path is one of them."""
    return any(
        method in PATHS[declared_path].split() and pattern.fullmatch(path)
        for declared_path, pattern in _PATTERNS.items()
    )


def router() -> Routes:
    """Return a route for each. As everywhere, a request without a valid token gets 401 first."""
    return group(TAG, *(_route(method, path) for method, path in pairs()))


def _route(method: str, path: str) -> Operation:
    refusal = partial(
        NotBuilt,
        f"This server does not have {method} {_HOLE.sub(_shown, path)} yet.",
        code="request.not_built",
        fix="What it has is listed at /api/docs.",
    )

    def refuse(actor: Actor, **_path: str) -> None:  # noqa: ARG001 - the caller must have signed in
        raise refusal()

    def refuse_all(**_path: str) -> None:
        raise refusal()

    public = path in _SIGN_INS
    return _MAKERS[method](path, public=public)(refuse_all if public else refuse)


def _shown(hole: re.Match[str]) -> str:
    return ":" + hole[0].strip("{}").removeprefix("other_").replace("_id", "Id").replace("_name", "Name")
