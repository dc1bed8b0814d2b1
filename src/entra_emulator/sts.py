"""The token endpoint and the documents by which clients find it."""

from __future__ import annotations

import base64
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from entra_emulator import assertion
from entra_emulator.directory import Application, ServicePrincipal, Tenant, as_guid
from entra_emulator.faults import Effect
from entra_emulator.ledger import without_client_secret
from entra_emulator.replies import act, plain_throttled
from entra_emulator.sts_errors import (
    StsError,
    answer,
    bad_tenant,
    expired_secret,
    headers,
    missing,
    unknown_application,
    unknown_tenant,
    wrong_secret,
)
from entra_emulator.tokens import issue
from entra_emulator.wire import Response, json_body
from entra_emulator.world import Call

_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE)
_SHARED = frozenset({"common", "organizations", "consumers"})
_NOBODY = "00000000-0000-0000-0000-000000000000"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM_LIMIT = 1_000_000
_KNOWN_HOSTS = frozenset({"login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net"})


def is_token_path(path: str) -> bool:
    """Whether a client's secret belongs in the body of a request to this path."""
    return path.endswith(("/oauth2/v2.0/token", "/oauth2/token"))


def handle(call: Call) -> Response:
    """Answers one request that is not for Graph."""
    segments = call.path.strip("/").split("/")
    tenant_name, tail = unquote(segments[0]), "/".join(segments[1:])
    try:
        if tail in {"oauth2/v2.0/token", "oauth2/token"}:
            call.entry.operation = "token"
            return _token(call, tenant_name)
        if tail in {"v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"}:
            call.entry.operation = "openidConfiguration"
            return _configuration(call, tenant_name, tail)
        if tail in {"discovery/v2.0/keys", "discovery/keys"}:
            call.entry.operation = "signingKeys"
            return _keys(call, tenant_name)
        if tail == "discovery/instance":
            call.entry.operation = "instanceDiscovery"
            return _instance(call)
    except StsError as refusal:
        return answer(call, refusal)
    return Response(404, headers(call, "text/html; charset=utf-8"), b"<html><body>404 Not Found</body></html>")


def _token(call: Call, tenant_name: str) -> Response:
    if call.request.method != "POST":
        raise StsError(900561, "The endpoint only accepts POST requests. Received a GET request.")
    form = _form(call)
    tenant = _tenant(call, tenant_name)
    if tenant is None:
        raise StsError(
            50059,
            "No tenant-identifying information found in either the request or implied by any provided credentials.",
        )
    call.enter(tenant)
    client_id, secret = _client(call, form)
    call.entry.caller = client_id
    grant = form.get("grant_type") or ""
    wait = call.world.throttle.wait(call.settings.token_budget, call.now, ("token", tenant.id, client_id))
    if wait is not None:
        return plain_throttled(call, max(wait, call.settings.token_retry_after))
    application = call.world.directory.application(client_id)
    if application is not None:
        call.entry.application = application.object_id
    return act(call, lambda: _client_credentials(call, form, grant, client_id, secret), _faulty)


def _client_credentials(call: Call, form: dict[str, str], grant: str, client_id: str, secret: str) -> Response:
    if not grant:
        raise missing("grant_type")
    if grant != "client_credentials":
        raise StsError(70003, f"The app requested an unsupported grant type '{grant}'.")
    if "origin" in call.headers:
        raise StsError(
            9002326, "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type."
        )
    if not client_id:
        raise missing("client_id")
    if not form.get("scope") and not form.get("resource"):
        raise missing("scope")
    application, principal = _application(call, client_id)
    key_id, method = _authenticate(call, form, secret, application, principal)
    call.entry.auth_key_id = key_id
    return issue(call, form, principal, key_id, method)


def _application(call: Call, client_id: str) -> tuple[Application, ServicePrincipal]:
    tenant, replica, now = call.home(), call.replica, call.now
    if client_id == _NOBODY:
        raise StsError(700038, f"{client_id} is not a valid application identifier.")
    application = call.world.directory.application(client_id)
    principal = call.world.directory.principal(tenant, client_id)
    known = application and principal and principal.presence.seen("token", replica, now)
    if not application or not principal or not known or not application.presence.seen("token", replica, now):
        raise unknown_application(client_id, tenant.name)
    if application.disabled or not principal.enabled:
        raise StsError(7000112, f"Application '{client_id}'({application.display_name}) is disabled.")
    return application, principal


def _authenticate(
    call: Call, form: dict[str, str], secret: str, application: Application, principal: ServicePrincipal
) -> tuple[str, str]:
    """The key id that authenticated and the method: "1" a secret, "2" a certificate."""
    text = form.get("client_assertion", "")
    if text:
        if form.get("client_assertion_type") != _JWT_BEARER:
            raise missing("client_assertion_type")
        keys = [key for holder in (application, principal) for key in holder.keys_seen("token", call.replica, call.now)]
        return assertion.authenticate(call, text, application, keys), "2"
    if not secret:
        raise StsError(
            7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        )
    return _check_secret(call, secret, application, principal), "1"


def _check_secret(call: Call, secret: str, application: Application, principal: ServicePrincipal) -> str:
    now = call.local_now
    visible = application.passwords_seen("token", call.replica, call.now)
    visible += principal.passwords_seen("token", call.replica, call.now)
    for item in visible:
        if item.value == secret:
            if now >= item.end:
                raise expired_secret(application.app_id)
            if now < item.start:
                break
            return item.key_id
    if call.settings.expired_hides_unknown and visible and all(now >= item.end for item in visible):
        raise expired_secret(application.app_id)
    raise wrong_secret(application.app_id)


def _form(call: Call) -> dict[str, str]:
    body = call.request.body
    call.world.ledger.remember(without_client_secret(body))
    if len(body) > _FORM_LIMIT:
        raise StsError(900144, "The request body is too large.")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise missing("grant_type") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _client(call: Call, form: dict[str, str]) -> tuple[str, str]:
    """Who asks, and with which secret: from the form, or from HTTP Basic."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except ValueError:
            name, password = "", ""
        client_id, secret = client_id or unquote(name), secret or unquote(password)
    return as_guid(client_id) or client_id, secret


def _tenant(call: Call, name: str, error: str | None = None) -> Tenant | None:
    """The tenant of that name; None for the shared names. Raises StsError where there is none."""
    found = call.world.directory.tenant(name)
    if found is not None:
        return found
    if name.lower() in _SHARED:
        return None
    if as_guid(name) or _DOMAIN.fullmatch(name):
        raise unknown_tenant(name, error)
    raise bad_tenant(name)


def _faulty(call: Call, effect: Effect) -> Response:
    if effect.status == 429:
        wait = call.settings.token_retry_after if effect.retry_after is None else effect.retry_after
        return plain_throttled(call, wait)
    if effect.code.isdecimal():
        return answer(call, StsError(int(effect.code), effect.message or "The request was refused."))
    text = effect.message or "The service is temporarily unavailable. Please retry later."
    refusal = StsError(90033, text, "server_error" if effect.status == 500 else None)
    refusal.status = effect.status
    return answer(call, refusal)


def _configuration(call: Call, name: str, tail: str) -> Response:
    tenant = _tenant(call, name, "invalid_tenant")
    if tenant is not None:
        call.enter(tenant)
    place = tenant.id if tenant else name.lower()
    base, login = f"{call.host}/{place}", f"{call.host}/{name}"
    version = "/v2.0" if tail.startswith("v2.0") else ""
    issuer = f"{call.host}/{tenant.id if tenant else '{tenantid}'}{version}"
    document = {
        "token_endpoint": f"{base}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
            "self_signed_tls_client_auth",
        ],
        "jwks_uri": f"{login}/discovery{version}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": f"{base}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2{version}/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "tid", "ver", "email"],
        "kerberos_endpoint": f"{base}/kerberos",
        "tenant_region_scope": "EU" if tenant else None,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }
    return Response(200, headers(call), json_body(document))


def _keys(call: Call, name: str) -> Response:
    tenant = _tenant(call, name)
    issuer = f"{call.host}/{tenant.id if tenant else '{tenantid}'}/v2.0"
    return Response(200, headers(call), json_body({"keys": [call.world.signing.jwk(issuer)]}))


def _instance(call: Call) -> Response:
    asked = urlsplit(call.parameters().get("authorization_endpoint", ""))
    host = asked.netloc.lower()
    own = urlsplit(call.host).netloc.lower()
    if host not in _KNOWN_HOSTS | {own}:
        refusal = StsError(50049, "Unknown or invalid instance.", "invalid_instance")
        return answer(call, refusal)
    tenant = asked.path.strip("/").split("/")[0] or "common"
    document = {
        "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
    return Response(200, headers(call), json_body(document))
