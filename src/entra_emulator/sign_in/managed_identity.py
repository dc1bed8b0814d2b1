"""Tokens of managed identities: the metadata service of a machine, App Service's endpoint, and Azure Arc's with its challenge.

Sources: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token (metadata service),
https://learn.microsoft.com/azure/app-service/overview-managed-identity (App Service),
https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication (Arc), and what msal 1.39 for Python sends
and reads of each (managed_identity.py). Which identity answers to what, and the texts of App Service's refusals, are assumed.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import ManagedIdentity, ServicePrincipal, as_guid
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_errors import StsError
from entra_emulator.tokens.tokens import mint

METADATA_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"
ARC_PATH = "/arc/metadata/identity/oauth2/token"
_PATHS = {
    METADATA_PATH: "machineIdentityToken",
    APP_SERVICE_PATH: "appServiceIdentityToken",
    ARC_PATH: "arcIdentityToken",
}
_IDS = {
    "client_id": "client_id",
    "object_id": "principal_id",
    "principal_id": "principal_id",
    "msi_res_id": "resource_id",
    "mi_res_id": "resource_id",
}
"""By which parameter an identity is asked for -> which of its ids that is."""
_VERSION, _OLDEST = re.compile(r"\d{4}-\d\d-\d\d"), "2018-02-01"
"""The oldest version that the documentation names; the refusal of others, and of two ids at once, is assumed."""
_LIFETIME = 86_400
_CHALLENGE_LIFE = 60.0  # seconds; assumed
_MOST_CHALLENGES = 100
_JSON = (("Content-Type", "application/json; charset=utf-8"), ("Server", "IMDS/150.870.65.2020"))


class _Refused(Exception):
    """A refusal: its status and body."""

    def __init__(self, status: int, body: dict[str, Any], *headers: tuple[str, str]) -> None:
        super().__init__(str(body))
        self.response = Response(status, (*_JSON, *headers), json_body(body))


def serves(path: str) -> bool:
    """Whether this path is one of a managed identity's endpoints."""
    return path.rstrip("/") in _PATHS


def handle(call: Call) -> Response:
    """Answers one request for a token of a managed identity."""
    path = call.path.rstrip("/")
    call.entry.operation = _PATHS[path]
    try:
        if call.request.method != "GET":
            raise _invalid("The requested resource does not support this http method.", 405)
        if path == APP_SERVICE_PATH:
            _check_app_service(call)
        else:
            _check_metadata(call)
        if path == ARC_PATH:
            _check_challenge(call)
        return _token(call, path)
    except _Refused as refusal:
        call.entry.error = str(refusal)[:200]
        return refusal.response


def _check_metadata(call: Call) -> None:
    """The header shows that nobody was tricked into forwarding a request; one that was forwarded is refused."""
    if call.headers.get("metadata", "").lower() != "true":
        raise _Refused(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
    if "x-forwarded-for" in call.headers:
        raise _invalid("Requests with the header X-Forwarded-For are refused.")
    version = _parameter(call, "api-version")
    if not _VERSION.fullmatch(version) or version < _OLDEST:
        raise _invalid(f"The api-version '{version[:50]}' is not supported.")


def _check_app_service(call: Call) -> None:
    if call.headers.get("x-identity-header", "") != call.world.identity_header:
        raise _Refused(
            401, {"statusCode": 401, "message": "The header X-IDENTITY-HEADER is not the value of IDENTITY_HEADER."}
        )
    if call.parameters().get("api-version") != "2019-08-01":
        raise _Refused(400, {"statusCode": 400, "message": "Use the api-version 2019-08-01."})


def _check_challenge(call: Call) -> None:
    """Only who may read the challenge's file is served, once for each challenge."""
    challenges = call.world.challenges
    scheme, _, secret = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and challenges.pop(secret, 0.0) > call.now:
        return
    if call.world.outside is None:
        raise _invalid("This emulator has no directory for the files of Azure Arc's challenges.", 404)
    for old in [key for key, until in challenges.items() if until <= call.now][:_MOST_CHALLENGES]:
        del challenges[old]
    if len(challenges) >= _MOST_CHALLENGES:
        del challenges[next(iter(challenges))]
    secret = hashlib.sha256(call.request_id.encode()).hexdigest()
    try:
        path = call.world.outside.leave_challenge(secret)
    except OSError as error:
        raise _invalid(f"The file of the challenge could not be written: {error.strerror}.", 500) from error
    challenges[secret] = call.now + _CHALLENGE_LIFE
    raise _Refused(401, {"error": "unauthorized_client"}, ("WWW-Authenticate", f"Basic realm={path}"))


def _token(call: Call, path: str) -> Response:
    resource = _parameter(call, "resource")
    identity = _chosen(call)
    tenant = call.world.directory.tenants[identity.tenant_id]
    call.enter(tenant)
    principal = tenant.principals.get(identity.principal_id)
    if principal is None or not principal.enabled:
        raise _invalid("Identity not found")
    return Response(200, _JSON, json_body(_answer(call, path, identity, principal, resource)))


def _answer(
    call: Call, path: str, identity: ManagedIdentity, principal: ServicePrincipal, resource: str
) -> dict[str, Any]:
    call.entry.caller, call.entry.auth_key_id = identity.client_id, identity.principal_id
    more = {"rh": f"1.{identity.principal_id}", "xms_mirid": identity.resource_id}
    try:
        token = mint(call, principal, resource, _LIFETIME, "2", more)
    except StsError as error:
        raise _Refused(
            400, {"error": "invalid_resource", "error_description": f"AADSTS{error.code}: {error.text}"}
        ) from error
    call.entry.outcome, call.entry.credential_type = "0", "managedIdentity"
    ends = int(call.local_now) + _LIFETIME
    body = {
        "access_token": token,
        "client_id": identity.client_id,
        "expires_on": str(ends),
        "resource": resource,
        "token_type": "Bearer",
    }
    if path == APP_SERVICE_PATH:
        return body
    times = {
        "expires_in": str(_LIFETIME - 1),
        "ext_expires_in": str(_LIFETIME - 1),
        "not_before": str(ends - _LIFETIME - 300),
    }
    echo = {"object_id": identity.principal_id, "msi_res_id": identity.resource_id} if path == ARC_PATH else {}
    return body | times | echo


def _chosen(call: Call) -> ManagedIdentity:
    """The identity that is asked for by one of its ids; else the machine's own, or the only one there is."""
    asked = call.parameters()
    machine = call.world.machine
    if len(_IDS.keys() & asked.keys()) > 1:
        raise _invalid("An identity is asked for by one of its ids only: client_id, object_id or msi_res_id.")
    for name, attribute in _IDS.items():
        if name in asked:
            value = as_guid(asked[name]) or asked[name]
            matches = [one for one in machine if str(getattr(one, attribute)).lower() == value.lower()]
            if not matches:
                raise _invalid("Identity not found")
            return matches[0]
    own = [one for one in machine if one.system] or machine
    if len(own) > 1:
        raise _invalid(
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token "
            "request"
        )
    if not own:
        raise _invalid("Identity not found")
    return own[0]


def _parameter(call: Call, name: str) -> str:
    value = call.parameters().get(name, "")
    if not value:
        raise _invalid(f"Required query variable '{name}' is missing")
    return value


def _invalid(text: str, status: int = 400) -> _Refused:
    return _Refused(status, {"error": "invalid_request", "error_description": text})
