"""Tokens of users: access tokens with delegated permissions, ID tokens and refresh tokens.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow (when which token comes),
.../access-token-claims-reference and .../id-token-claims-reference. The digest in `sub` is of the emulator's own making.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import GRAPH_APP_ID, Application, User
from entra_emulator.directory.hosts import login_at
from entra_emulator.directory.keys import b64url
from entra_emulator.directory.membership import app_roles, group_claims
from entra_emulator.directory.requested_scopes import RequestedScopes, ResourceScopes
from entra_emulator.directory.roles import roles_of, wids
from entra_emulator.directory.sessions import Authorization, RefreshToken
from entra_emulator.directory.world import Call
from entra_emulator.sign_in.consents import granted
from entra_emulator.sign_in.scopes import OIDC
from entra_emulator.tokens.continuous_access import (
    BACKDATED,
    capability_claims,
    declares_capability,
    token_lifetime,
)
from entra_emulator.tokens.sts_errors import headers
from entra_emulator.tokens.tokens import GRAPH_NAMES, find_resource, subject

_ID_TOKEN_LIFE = 3600  # Source: https://learn.microsoft.com/entra/identity-platform/id-tokens


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code or refresh token that was accepted. `method` is how the client authenticated: "0" not, "1", "2"."""

    authorization: Authorization
    user: User
    application: Application
    scopes: RequestedScopes
    key_id: str = ""
    method: str = "0"


def issue(call: Call, redeemed: Redeemed, form: dict[str, str]) -> Response:
    """The answer of the token endpoint: a new access token, and what else the scopes ask for."""
    resource, request_scopes = redeemed.scopes.first, redeemed.scopes
    evaluated = declares_capability(call, form) and resource.app_id == GRAPH_APP_ID
    lifetime = token_lifetime(call, capable=evaluated)
    scopes = granted(call, redeemed.application.app_id, redeemed.user, resource.app_id)
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(_shown(resource, scopes)),
        "expires_in": lifetime - 1,
        "ext_expires_in": lifetime - 1,
        "access_token": access_token(call, redeemed, resource, scopes, lifetime, capable=evaluated),
    }
    if evaluated:
        body["refresh_in"] = lifetime // 2
    if "offline_access" in request_scopes.oidc:
        token = RefreshToken(replace(redeemed.authorization, scopes=request_scopes), call.now)
        body["refresh_token"] = call.world.sessions.add_refresh_token(token, call.world.rng)
    if "openid" in request_scopes.oidc:
        body["id_token"] = id_token(call, redeemed)
    if form.get("client_info") == "1":
        body["client_info"] = client_info(call, redeemed.user)
    return Response(200, headers(call), json_body(body))


def implicit_tokens(
    call: Call, application: Application, user: User, authorization: Authorization, types: frozenset[str]
) -> dict[str, str]:
    """The tokens that /authorize itself hands out, for the response types `id_token` and `token`."""
    redeemed, fields = Redeemed(authorization, user, application, authorization.scopes), {}
    if "token" in types:
        resource = authorization.scopes.first
        scopes = granted(call, application.app_id, user, resource.app_id)
        lifetime = token_lifetime(call, capable=False)
        fields["access_token"] = access_token(call, redeemed, resource, scopes, lifetime)
        fields |= {"token_type": "Bearer", "expires_in": str(lifetime - 1), "scope": " ".join(_shown(resource, scopes))}
    if "id_token" in types:
        fields["id_token"] = id_token(call, redeemed)
    return fields


def client_info(call: Call, user: User) -> str:
    """Who signed in, as MSAL for Python 1.39 wants to know it to make an account (token_cache.py)."""
    return b64url(json.dumps({"uid": user.object_id, "utid": call.home().id}, separators=(",", ":")).encode())


def access_token(
    call: Call, redeemed: Redeemed, resource: ResourceScopes, scopes: set[str], lifetime: int, *, capable: bool = False
) -> str:
    """A token with all that is granted on the resource, whatever part of it was asked for."""
    user, app = redeemed.user, redeemed.application
    audience = resource.audience or GRAPH_NAMES[0]
    app_id, version = find_resource(call, audience)
    roles = app_roles(call.home(), user, call.replica, call.now, app_id)
    claims = (
        _common(call, user, app, lifetime, version)
        | {
            "oid": user.object_id,
            "scp": " ".join(sorted(scopes - {"offline_access"})),
            "wids": wids(roles_of(call.home(), user)),
            "rh": f"1.{redeemed.key_id}",
            "name": user.display_name,
        }
        | ({"roles": roles} if roles else {})
    )
    if version == "2.0":
        issuer = f"{login_at(call.host)}/{call.home().id}/v2.0"
        claims |= {"aud": app_id, "iss": issuer, "azp": app.app_id, "azpacr": redeemed.method}
        claims["preferred_username"] = user.principal_name
        return call.world.signing.sign(claims)
    issuer = f"https://sts.windows.net/{call.home().id}/"
    claims |= {"aud": audience, "iss": issuer, "appid": app.app_id, "appidacr": redeemed.method, "idtyp": "user"}
    claims |= {"app_displayname": app.display_name, "upn": user.principal_name, "unique_name": user.principal_name}
    claims |= {"acr": "1", "amr": ["pwd"]}
    claims |= capability_claims(capable=capable)
    return call.world.signing.sign(claims, _nonce(call) if app_id == GRAPH_APP_ID else "")


def id_token(call: Call, redeemed: Redeemed) -> str:
    """An ID token for the client; names and the object id come with `profile`, the address with `email`.

    The groups come where the application's `groupMembershipClaims` ask for them.
    """
    user, app = redeemed.user, redeemed.application
    claims = _common(call, user, app, _ID_TOKEN_LIFE, "2.0")
    claims |= {"aud": app.app_id, "iss": f"{login_at(call.host)}/{call.home().id}/v2.0", "rh": "1."}
    if redeemed.authorization.nonce:
        claims["nonce"] = redeemed.authorization.nonce
    if "profile" in redeemed.scopes.oidc:
        claims |= {"name": user.display_name, "oid": user.object_id, "preferred_username": user.principal_name}
    if "email" in redeemed.scopes.oidc:
        claims["email"] = user.principal_name
    roles = app_roles(call.home(), user, call.replica, call.now, app.app_id)
    if roles:
        claims["roles"] = roles
    claims |= group_claims(call.home(), app, user.object_id)
    return call.world.signing.sign(claims)


def _common(call: Call, user: User, app: Application, lifetime: int, version: str) -> dict[str, Any]:
    now = int(call.local_now)
    return {
        "iat": now - BACKDATED,
        "nbf": now - BACKDATED,
        "exp": now + lifetime,
        "sub": subject(user.object_id, app.app_id),
        "tid": call.home().id,
        "uti": _nonce(call),
        "ver": version,
    }


def _nonce(call: Call) -> str:
    return b64url(call.world.rng.getrandbits(128).to_bytes(16, "big"))


def _shown(resource: ResourceScopes, scopes: set[str]) -> list[str]:
    """What was granted, written with the resource's name where the client wrote it so."""
    plain = sorted(scopes & OIDC - {"offline_access"})
    names = [f"{resource.prefix}{name}" for name in sorted(scopes - OIDC)]
    return plain + names + ([f"{resource.prefix}.default"] if resource.default else [])
