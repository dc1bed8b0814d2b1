"""The token endpoint and the documents by which clients find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from urllib.parse import unquote, urlsplit

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.hosts import graph_at, login_at
from entra_emulator.directory.replies import act, plain_throttled
from entra_emulator.directory.world import Call
from entra_emulator.faults.faults import Effect
from entra_emulator.sign_in import admin_consent, authorize, devices
from entra_emulator.sign_in.clients import (
    authenticate,
    find_tenant,
    known_application,
    note_credential,
    read_client,
    read_form,
)
from entra_emulator.sign_in.grants import GRANTS, cross_origin, home_of
from entra_emulator.tokens.sts_errors import StsError, answer, headers, missing
from entra_emulator.tokens.tokens import issue

# Source: MSAL for Python 1.39 and MSAL for Go 247817f ask nobody about these.
_KNOWN_HOSTS = frozenset({"login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net"})


def is_token_path(path: str) -> bool:
    """Whether a client's secret belongs in the body of a request to this path."""
    return path.endswith(("/oauth2/v2.0/token", "/oauth2/token"))


def handle(call: Call) -> Response:
    """Answers one request that is not for Graph."""
    segments = call.path.strip("/").split("/")
    route = _ROUTES.get("/".join(segments[1:]))
    if route is None:
        return Response(404, headers(call, "text/html; charset=utf-8"), b"<html><body>404 Not Found</body></html>")
    call.entry.operation, work = route
    try:
        return work(call, unquote(segments[0]))
    except StsError as refusal:
        return answer(call, refusal)


def _token(call: Call, tenant_name: str, *, first: bool = False) -> Response:
    """`first`: at the endpoint of version 1, whose answers have another form."""
    if call.request.method != "POST":
        raise StsError(900561, "The endpoint only accepts POST requests. Received a GET request.")
    form = read_form(call)
    grant = form.get("grant_type") or ""
    call.entry.grant = grant[:100]
    tenant = find_tenant(call, tenant_name) or home_of(call, form)
    if tenant is None:
        raise StsError(
            50059,
            "No tenant-identifying information found in either the request or implied by any provided credentials.",
        )
    call.enter(tenant)
    client_id, secret = read_client(call, form)
    call.entry.caller = client_id
    wait = call.world.throttle.wait(call.settings.token_budget, call.now, ("token", tenant.id, client_id))
    if wait is not None:
        return plain_throttled(call, max(wait, call.settings.token_retry_after))
    application = call.world.directory.application(client_id)
    if application is not None:
        call.entry.application = application.object_id
    response = act(call, lambda: _granted(call, form, grant, client_id, secret), _faulty)
    return _of_version_one(call, form, response) if first and response.status == 200 else response


def _of_version_one(call: Call, form: dict[str, str], response: Response) -> Response:
    """Numbers as texts, with the times and the resource: assumed, as scripts that read `expires_on` remember it."""
    body = response.json()
    if "access_token" not in body:
        return response
    ends = int(call.local_now) + int(body["expires_in"])
    times = {name: str(body[name]) for name in ("expires_in", "ext_expires_in") if name in body}
    scope = form.get("scope", "").partition(" ")[0].removesuffix("/.default")
    times |= {"expires_on": str(ends), "not_before": str(int(call.local_now) - 300)}
    return replace(response, body=json_body({**body, **times, "resource": form.get("resource") or scope}))


def _granted(call: Call, form: dict[str, str], grant: str, client_id: str, secret: str) -> Response:
    if not grant:
        raise missing("grant_type")
    if grant == "password":
        raise StsError(50126, "Error validating credentials due to invalid username or password.")
    if grant != "client_credentials" and grant not in GRANTS:
        raise StsError(70003, f"The app requested an unsupported grant type '{grant}'.")
    # Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow (no client credentials from a page).
    if "origin" in call.headers and grant not in GRANTS:
        raise cross_origin()
    if not client_id:
        raise missing("client_id")
    if grant in GRANTS:
        return GRANTS[grant](call, form, client_id, secret)
    if not form.get("scope") and not form.get("resource"):
        raise missing("scope")
    try:
        application, principal = known_application(call, client_id)
        key_id, method = authenticate(call, form, secret, application, principal)
        note_credential(call, application, key_id, method)
        response = issue(call, form, principal, key_id, method)
    except StsError as refusal:
        call.entry.outcome = str(refusal.code)
        raise
    call.entry.outcome = "0"
    return response


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


def _configuration(call: Call, name: str, version: str = "") -> Response:
    """OpenID Connect Discovery 1.0, section 3. Source of the members: a document of July 2026, in
    https://github.com/calvinchengx/entra-emulator (e2e/golden/oidc-discovery.golden.json). MSAL for Go wants an `issuer` of the
    authority's host. 400 for an unknown tenant: https://github.com/panva/openid-client/issues/175.
    """
    tenant = find_tenant(call, name, "invalid_tenant")
    if tenant is not None:
        call.enter(tenant)
    place = tenant.id if tenant else name.lower()
    base, login = f"{call.host}/{place}", f"{call.host}/{name}"
    name_of_tenant = tenant.id if tenant else "{tenantid}"
    issuer = f"{login_at(call.host)}/{name_of_tenant}/v2.0" if version else f"https://sts.windows.net/{name_of_tenant}/"
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
        "userinfo_endpoint": f"{graph_at(call.host)}/oidc/userinfo",
        "authorization_endpoint": f"{base}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2{version}/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "tid", "ver", "email"],
        "tenant_region_scope": "EU" if tenant else None,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": urlsplit(graph_at(call.host)).netloc,
        "rbac_url": "https://pas.windows.net",
    }
    return Response(200, headers(call), json_body(document))


def _keys(call: Call, name: str) -> Response:
    """RFC 7517, section 5; `issuer` in each key: https://learn.microsoft.com/entra/identity-platform/access-tokens."""
    tenant = find_tenant(call, name)
    issuer = f"{call.host}/{tenant.id if tenant else '{tenantid}'}/v2.0"
    return Response(200, headers(call), json_body({"keys": [call.world.signing.jwk(issuer)]}))


def _instance(call: Call, _name: str) -> Response:
    """Source: MSAL for Go 247817f (authority.go) and MSAL for Python 1.39 (authority.py) read these members."""
    endpoint = urlsplit(call.parameters().get("authorization_endpoint", ""))
    host = endpoint.netloc.lower()
    own = urlsplit(call.host).netloc.lower()
    if host not in _KNOWN_HOSTS | {own}:
        refusal = StsError(50049, "Unknown or invalid instance.", "invalid_instance")
        return answer(call, refusal)
    tenant = endpoint.path.strip("/").split("/")[0] or "common"
    document = {
        "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
    return Response(200, headers(call), json_body(document))


_ROUTES: dict[str, tuple[str, Callable[[Call, str], Response]]] = {
    "oauth2/v2.0/token": ("token", _token),
    "oauth2/token": ("token", partial(_token, first=True)),
    "oauth2/v2.0/authorize": ("authorize", authorize.handle),
    "oauth2/v2.0/devicecode": ("deviceCode", devices.begin),
    "oauth2/devicecode": ("deviceCode", devices.begin),
    "oauth2/deviceauth": ("deviceAuth", devices.show),
    "oauth2/v2.0/logout": ("logout", authorize.sign_out),
    "adminconsent": ("adminConsent", partial(admin_consent.handle, second=False)),
    "v2.0/adminconsent": ("adminConsent", partial(admin_consent.handle, second=True)),
    "v2.0/.well-known/openid-configuration": ("openidConfiguration", partial(_configuration, version="/v2.0")),
    ".well-known/openid-configuration": ("openidConfiguration", _configuration),
    "discovery/v2.0/keys": ("signingKeys", _keys),
    "discovery/keys": ("signingKeys", _keys),
    "discovery/instance": ("instanceDiscovery", _instance),
}
"""What follows the tenant in a path -> the operation's name in the ledger and in faults, and who answers."""
