"""Graph's answers: the OData error envelope, headers and compression.

Sources: https://learn.microsoft.com/graph/errors and https://learn.microsoft.com/graph/json-batching (the envelope;
`date` has no zone), https://github.com/Azure/azure-cli/issues/23081 (headers and content types, in a trace).
"""

from __future__ import annotations

import base64
import gzip
from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import as_guid
from entra_emulator.directory.hosts import login_at
from entra_emulator.directory.replies import retry_after
from entra_emulator.directory.world import Call
from entra_emulator.faults.faults import Effect

_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_COMPRESS_FROM = 200
_AGS = (
    '{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"000",'
    '"RoleInstance":"AM2PEPF0000EMU0"}}'
)

ASSUMED = "assumed"
SOURCES = {
    "Authentication_MSGraphPermissionMissing": "https://github.com/microsoftgraph/microsoft-graph-explorer-v4/issues/2731",
    "Authentication_RequestFromNonPremiumTenantOrB2CTenant": "https://github.com/turbot/steampipe-plugin-azuread/issues/98",
    "Authentication_RequestFromUnsupportedUserRole": ASSUMED,
    "Authentication_MissingOrMalformed": "https://learn.microsoft.com/graph/application-rollkey-prooftoken",
    "Authorization_IdentityNotFound": ASSUMED,
    "Authorization_RequestDenied": "https://learn.microsoft.com/graph/json-batching",
    "BadRequest": ASSUMED,
    "CannotDeleteOrUpdateEnabledEntitlement": "https://learn.microsoft.com/graph/api/resources/approle",
    "CredentialInvalidLifetimeAsPerAppPolicy": "https://github.com/Azure/azure-cli/issues/28522",
    "CredentialTypeNotAllowedAsPerAppPolicy": "client: Microsoft 365 agents toolkit, among its constants",
    "Directory_ConcurrencyViolation": "https://github.com/nais/azurerator/issues/448",
    "Directory_ResourceSizeExceeded": "https://github.com/microsoftgraph/microsoft-graph-docs/issues/21469",
    "FailedDependency": "https://learn.microsoft.com/graph/json-batching",
    "HostNameNotOnVerifiedDomain": "https://github.com/Azure/azure-powershell/issues/16097",
    "InvalidAuthenticationToken": "https://github.com/microsofthackathons/tdi/issues/24",
    "RequestEntityTooLarge": ASSUMED,
    "Request_BadRequest": "https://learn.microsoft.com/graph/aad-advanced-queries",
    "Request_MultipleObjectsWithSameKeyValue": ASSUMED,
    "Request_ResourceNotFound": "https://github.com/microsoftgraph/msgraph-sdk-javascript/issues/1999",
    "Request_UnsupportedQuery": "https://learn.microsoft.com/graph/aad-advanced-queries",
    "TooManyRequests": "https://learn.microsoft.com/graph/throttling",
    "UnknownError": "https://learn.microsoft.com/graph/errors",
    "UnsupportedMediaType": ASSUMED,
    "resyncRequired": ASSUMED,
}
"""Every code that Graph answers with here, and who says that it does. ASSUMED: nobody is known who published it."""


class GraphError(Exception):
    """A refusal by Graph; `headers` are added to the answer's own."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def bad_request(message: str) -> GraphError:
    """The request itself is wrong."""
    return GraphError(400, "Request_BadRequest", message)


def unsupported_query(message: str) -> GraphError:
    """The query needs the advanced mode, or Graph does not know it at all."""
    return GraphError(400, "Request_UnsupportedQuery", message)


def not_found(name: str) -> GraphError:
    """The object does not exist, or this replica does not know it yet.

    Sources of the second case: https://github.com/microsoftgraph/msgraph-sdk-javascript/issues/1999 and
    https://github.com/hashicorp/terraform-provider-azuread/issues/1802.
    """
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{name}' does not exist or one of its queried reference-property objects are not present.",
    )


def denied() -> GraphError:
    """The token does not carry the permission that this needs."""
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def concurrent(status: int) -> GraphError:
    """Another write to the same object is not settled yet.

    Sources: 409 in https://github.com/nais/azurerator/issues/448, 503 in https://github.com/Azure/azure-cli/issues/23081.
    """
    return GraphError(
        status,
        "Directory_ConcurrencyViolation",
        "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.",
    )


def unauthenticated(call: Call, message: str, challenge: str = "") -> GraphError:
    """The token is missing, expired or not one of ours. Source: https://github.com/microsofthackathons/tdi/issues/24."""
    where = (
        f'Bearer realm="", authorization_uri="{login_at(call.host)}/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000"'
    )
    return GraphError(401, "InvalidAuthenticationToken", message, (("WWW-Authenticate", where + challenge),))


def revoked(call: Call, since: float) -> GraphError:
    """The token was revoked, and its client is challenged to ask for a newer one.

    Sources: https://learn.microsoft.com/entra/identity-platform/app-resilience-continuous-access-evaluation, and for the header
    https://github.com/Azure/azure-sdk-for-net (Azure.Core/tests/AuthorizationChallengeParserTests.cs).
    """
    text = (
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
        "TokenIssuedBeforeRevocationTimestamp"
    )
    wanted = json_body({"access_token": {"nbf": {"essential": True, "value": str(int(since))}}})
    claims = base64.b64encode(wanted).decode("ascii")
    challenge = f', error_description="{text}", error="insufficient_claims", claims="{claims}"'
    return unauthenticated(call, text, challenge)


def throttled(call: Call, seconds: float) -> GraphError:
    """Too many requests of this caller. Source of the headers: https://learn.microsoft.com/graph/throttling-limits."""
    scope = f"Tenant_Application/ReadWrite/{call.entry.caller}/{call.entry.tenant}"
    return GraphError(
        429,
        "TooManyRequests",
        "Too many requests. Please retry after the time given in the Retry-After header.",
        (
            retry_after(call, seconds),
            ("x-ms-throttle-scope", scope),
            ("x-ms-throttle-information", "ResourceUnitLimitExceeded"),
        ),
    )


def answer(call: Call, refusal: GraphError) -> Response:
    """The refusal as an answer."""
    call.entry.error = refusal.code
    client_id = _client_request_id(call)
    inner: dict[str, Any] = {
        "date": graph_time(call.local_now)[:19],
        "request-id": call.request_id,
        "client-request-id": client_id,
    }
    if refusal.status == 429:
        inner |= {"code": "429", "status": "429", "message": refusal.message}
    body = {"error": {"code": refusal.code, "message": refusal.message, "innerError": inner}}
    return _finished(call, refusal.status, json_body(body), "application/json", refusal.headers)


def faulty(call: Call, effect: Effect) -> Response:
    """The answer that a fault puts in place of the true one."""
    if effect.status == 429:
        return answer(call, throttled(call, 10.0 if effect.retry_after is None else effect.retry_after))
    wait = () if effect.retry_after is None else (retry_after(call, effect.retry_after),)
    code = effect.code or "UnknownError"
    return answer(call, GraphError(effect.status, code, effect.message or "An error occurred.", wait))


def success(call: Call, body: dict[str, Any], context: str, status: int = 200) -> Response:
    """An answer with a body; `context` is the part of `@odata.context` after the `#`."""
    if call.property_path:
        path, call.property_path = call.property_path, ()
        return _property(call, body, context.removesuffix("/$entity"), path)
    version = "beta" if in_beta(call) else "v1.0"
    whole = {"@odata.context": f"{call.host}/{version}/$metadata#{context}", **body}
    return _finished(call, status, json_body(whole), _JSON, _location(call, body) if status == 201 else ())


def in_beta(call: Call) -> bool:
    """Whether the request is to the beta version."""
    return call.path.lstrip("/").startswith("beta")


def _location(call: Call, body: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Where what was made is read: OData 4.01, part 1, section 8.3.3."""
    if call.request.method != "POST" or "id" not in body:
        return ()
    collection, _, kind = call.path.rstrip("/").rpartition("/")
    place = collection if kind.lower().startswith(("microsoft.graph.", "graph.")) else f"{collection}/{kind}"
    return (("Location", f"{call.host}{place}/{body['id']}"),)


def _property(call: Call, body: dict[str, Any], context: str, path: tuple[str, ...]) -> Response:
    """One property of an object; 204 where it is null. Raises GraphError 400 for one that the object does not have.

    Source: OData 4.01, part 1, section 11.2.7; the CLI for Microsoft 365 11.11 reads appRoles and oauth2PermissionScopes so.
    """
    value: Any = body
    context += f"('{body.get('id')}')"
    for name in path:
        known = {member.lower(): member for member in value if "@" not in member} if isinstance(value, dict) else {}
        if name not in known:
            raise unknown_segment(name)
        value = value[known[name]]
        context += f"/{known[name]}"
    return empty(call) if value is None else success(call, {"value": value}, context)


def same_value(name: str) -> GraphError:
    """Another object has this value of a property that is each object's own."""
    text = f"Another object with the same value for property {name} already exists."
    return GraphError(400, "Request_MultipleObjectsWithSameKeyValue", text)


def unknown_segment(segment: str) -> GraphError:
    """A path that leads to nothing."""
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{segment[:100]}'.")


def plain(call: Call, text: str) -> Response:
    """An answer that is one bare value."""
    return _finished(call, 200, text.encode(), "text/plain")


def empty(call: Call) -> Response:
    """204."""
    return _finished(call, 204, b"", "")


def _client_request_id(call: Call) -> str:
    return as_guid(call.headers.get("client-request-id")) or call.request_id


def _finished(call: Call, status: int, body: bytes, kind: str, extra: tuple[tuple[str, str], ...] = ()) -> Response:
    headers = [
        ("Cache-Control", "no-cache"),
        ("Strict-Transport-Security", "max-age=31536000"),
        ("request-id", call.request_id),
        ("client-request-id", _client_request_id(call)),
        ("x-ms-ags-diagnostic", _AGS),
        ("x-ms-resource-unit", "1"),
    ]
    if kind:
        headers.append(("Content-Type", kind))
        headers.append(("OData-Version", "4.0"))
        headers.append(("Vary", "Accept-Encoding"))
    accepts = "gzip" in call.headers.get("accept-encoding", "").lower()
    if accepts and call.settings.compress and len(body) >= _COMPRESS_FROM:
        headers.append(("Content-Encoding", "gzip"))
        body = gzip.compress(body, compresslevel=1, mtime=0)
    return Response(status, (*headers, *extra), body)
