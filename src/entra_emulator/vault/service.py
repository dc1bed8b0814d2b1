"""Azure Key Vault, its keys alone: who calls, which vault, and the way through it.

A vault answers at `https://<name>.vault.azure.net`. At an address of another form, such as the emulator's own, the only vault
there is answers.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from entra_emulator.core.wire import Response, json_body, read_json
from entra_emulator.directory.directory import Tenant
from entra_emulator.directory.replies import act
from entra_emulator.directory.vaults import Vault
from entra_emulator.directory.world import Call
from entra_emulator.tokens.tokens import bearer_claims
from entra_emulator.vault.errors import (
    JSON,
    RESOURCE,
    VaultError,
    answer,
    bad,
    faulty,
    forbidden,
    not_here,
    throttled,
    unauthenticated,
)
from entra_emulator.vault.keys import ROUTES, Asked

SEGMENTS = ("keys", "deletedkeys", "secrets", "deletedsecrets", "certificates", "deletedcertificates")
_VERSIONS = frozenset({"2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01"})
"""Source: azure-keyvault-keys 4.11.3 (ApiVersion)."""
_WORDS = frozenset({"create", "rotate", "versions", "wrapkey", "unwrapkey", "recover"})


def handle(call: Call) -> Response:
    """Answers one request to Key Vault."""
    pattern, names = _parse(call.path)
    route = ROUTES.get((call.request.method, pattern))
    if route is not None:
        call.entry.operation = route[0]
    try:
        tenant, vault = _vault(call)
        _authenticate(call, tenant)
        if call.world.throttle.wait(call.settings.vault_budget, call.now, ("vault", vault.name)) is not None:
            raise throttled()
        version = call.parameters().get("api-version", "")
        if version not in _VERSIONS:
            raise bad(
                f"The specified version ({version[:50]}) is not recognized. Consider using the latest supported version."
            )
        if route is None:
            raise _no_route(call, pattern)
        _, permission, work = route
        if permission not in vault.access.get(call.caller_oid, ()):
            raise forbidden(call, permission, vault.name)
        asked = Asked(call, vault, names[0] if names else "", names[1] if len(names) > 1 else "", _body(call))
        return act(call, lambda: _done(call, work(asked)), faulty)
    except VaultError as refusal:
        return answer(call, refusal)


def _done(call: Call, value: Any) -> Response:
    headers = (*JSON, ("x-ms-request-id", call.request_id))
    return Response(204, headers) if value is None else Response(200, headers, json_body(value))


def _vault(call: Call) -> tuple[Tenant, Vault]:
    name = (urlsplit(call.host).hostname or "").partition(".")[0].lower()
    vaults = [(tenant, key) for tenant in call.world.directory.tenants.values() for key in tenant.vaults]
    for tenant, key in vaults:
        if key.lower() == name:
            return tenant, tenant.vaults[key]
    if len(vaults) != 1:
        raise VaultError(404, "VaultNotFound", f"There is no vault '{name[:100]}', or more than one could be meant.")
    [(tenant, key)] = vaults
    return tenant, tenant.vaults[key]


def _authenticate(call: Call, tenant: Tenant) -> None:
    call.enter(tenant)
    if not call.headers.get("authorization"):
        raise unauthenticated(call, tenant, "AKV10000: Request is missing a Bearer or PoP token.")
    claims = bearer_claims(call)
    if claims is None:
        raise unauthenticated(call, tenant, "AKV10004: The token could not be parsed, or its signature is wrong.")
    audience = str(claims["aud"])
    if audience.rstrip("/").lower() != RESOURCE:
        text = f"AKV10022: Invalid audience. Expected {RESOURCE}, found: {audience[:200]}."
        raise unauthenticated(call, tenant, text)
    if claims["tid"] != tenant.id:
        found = f"https://sts.windows.net/{claims['tid']}/"
        text = f"AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{tenant.id}/, found {found}."
        raise unauthenticated(call, tenant, text)
    if not claims["nbf"] - 300 <= call.local_now < claims["exp"]:
        raise unauthenticated(call, tenant, "AKV10001: The token is not valid any more, or not yet.")
    call.caller_oid = claims["oid"]
    call.entry.caller = claims.get("appid") or claims.get("azp", "")


def _parse(path: str) -> tuple[str, list[str]]:
    """The pattern of a path, `{}` standing for a name, and the names in it. Words of the protocol match in any case."""
    pattern: list[str] = []
    names: list[str] = []
    for number, segment in enumerate(unquote(part) for part in path.split("/") if part):
        if number == 0 or (number > 1 and segment.lower() in _WORDS):
            pattern.append(segment.lower())
        else:
            pattern.append("{}")
            names.append(segment)
    return "/".join(pattern), names


def _no_route(call: Call, pattern: str) -> VaultError:
    if any(pattern == known for _, known in ROUTES):
        return VaultError(405, "MethodNotAllowed", f"The method {call.request.method} is not allowed here.")
    return not_here(f"'{pattern[:100]}'")


def _body(call: Call) -> dict[str, Any]:
    if not call.request.body.strip():
        return {}
    try:
        body = read_json(call.request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad("The request body is not a JSON object.")
    return body
