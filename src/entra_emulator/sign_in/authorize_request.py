"""Reading a request to /authorize and checking it as Entra does.

Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow and .../v2-protocols-oidc (parameters, modes and
their defaults); RFC 7636, section 4.2 (challenge). What is shown on a page and what is sent back is partly assumed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from entra_emulator.directory.directory import Application, Tenant, as_guid
from entra_emulator.directory.redirects import LOOPBACK, PLATFORMS
from entra_emulator.directory.world import Call
from entra_emulator.sign_in.clients import NOBODY, find_tenant, read_fields
from entra_emulator.tokens.sts_errors import StsError, missing, unknown_application

OWN_FIELDS = frozenset({"user", "answer", "everyone"})
"""What the emulator's own pages add to the client's parameters when they are sent back."""
_PROMPTS = frozenset({"", "none", "login", "consent", "select_account", "admin_consent"})
_MODES = frozenset({"query", "fragment", "form_post"})
_TYPES = frozenset({"code", "id_token", "token"})
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """A request that may be answered at its redirect URI: the client is known, and the URI is one of its own.

    `tenant` is None where it came through a shared name such as `common`.
    """

    parameters: dict[str, str]
    application: Application
    tenant: Tenant | None
    redirect_uri: str
    platform: str

    def get(self, name: str) -> str:
        """A parameter, or empty text."""
        return self.parameters.get(name, "")

    @property
    def types(self) -> frozenset[str]:
        """The words of `response_type`."""
        return frozenset(self.get("response_type").split())

    @property
    def mode(self) -> str:
        """How the answer travels; for an unknown `response_mode` the default one."""
        mode = self.get("response_mode")
        implicit = bool(self.types & {"id_token", "token"})
        if mode in _MODES and not (implicit and mode == "query"):
            return mode
        return "fragment" if implicit else "query"


def parameters_of(call: Call) -> dict[str, str]:
    """All parameters, of the query and of a posted form, before which the query goes. Raises StsError."""
    posted = call.request.body.decode("utf-8", "replace") if call.request.method == "POST" else ""
    try:
        return read_fields(posted) | read_fields(call.query)
    except ValueError as error:
        raise StsError(9002313, "Invalid request. Request is malformed or invalid.", "invalid_request") from error


def read_request(call: Call, tenant_name: str) -> AuthorizeRequest:
    """The request, or StsError for what Entra shows on a page of its own and never sends to any redirect URI."""
    parameters = parameters_of(call)
    tenant = find_tenant(call, tenant_name)
    if tenant is not None:
        call.enter(tenant)
    application = the_client(call, parameters, tenant)
    if tenant is None:
        _check_shared(application, tenant_name)
    redirect_uri, platform = redirect_of(application, parameters.get("redirect_uri", ""))
    return AuthorizeRequest(parameters, application, tenant, redirect_uri, platform)


def the_client(call: Call, parameters: dict[str, str], tenant: Tenant | None) -> Application:
    """The application that asks. Raises StsError where it is missing, unknown in this tenant, or disabled."""
    text = parameters.get("client_id", "")
    if not text:
        raise missing("client_id")
    client_id = as_guid(text) or text[:200]
    call.entry.caller = client_id
    if client_id == NOBODY:
        raise StsError(700038, f"{client_id} is not a valid application identifier.")
    application = call.world.directory.application(client_id)
    tenant_name = tenant.name if tenant else "Microsoft"
    if application is None or not application.presence.visible("token", call.replica, call.now):
        raise unknown_application(client_id, tenant_name)
    call.entry.application = application.object_id
    if tenant is not None:
        principal = call.world.directory.principal(tenant, client_id)
        if principal is None and application.tenant_id != tenant.id and not application.shared:
            raise unknown_application(client_id, tenant_name)
        if principal is not None and not principal.enabled:
            raise disabled(application)
    if application.disabled:
        raise disabled(application)
    return application


def disabled(application: Application) -> StsError:
    """The application, or its service principal, is switched off."""
    return StsError(7000112, f"Application '{application.app_id}'({application.display_name}) is disabled.")


def redirect_of(application: Application, requested_uri: str) -> tuple[str, str]:
    """The redirect URI to answer at and its platform. Raises StsError where it is not one of the application's."""
    registered = [(uri, platform) for platform in PLATFORMS for uri in application.redirect_uris(platform)]
    if not registered:
        raise StsError(500113, "No reply address is registered for the application.")
    if not requested_uri:
        if len(registered) > 1:
            raise StsError(900971, "No reply address provided.")
        return registered[0]
    for uri, platform in registered:
        if uri == requested_uri or _same_loopback(uri, requested_uri):
            return requested_uri, platform
    raise StsError(
        50011,
        f"The redirect URI '{requested_uri[:1000]}' specified in the request does not match the redirect URIs configured for "
        f"the application '{application.app_id}'. Make sure the redirect URI sent in the request matches one added to "
        "your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about "
        "how to troubleshoot this error.",
    )


def check(request: AuthorizeRequest) -> None:
    """Raises StsError for parameters whose faults Entra reports at the redirect URI."""
    kinds = request.types
    if not kinds:
        raise missing("response_type")
    if kinds - _TYPES:
        raise StsError(
            70007 if "code" in kinds else 700051,
            f"'{request.get('response_type')[:100]}' is not a supported value of 'response_type'.",
            "unsupported_response_type",
        )
    _check_implicit(request, kinds)
    mode = request.get("response_mode")
    if mode and (mode not in _MODES or request.mode != mode):
        raise StsError(
            70007,
            f"'{mode[:100]}' is not a supported value of 'response_mode' when requesting a token.",
        )
    if request.get("prompt") not in _PROMPTS:
        raise StsError(90023, f"Unsupported 'prompt' value '{request.get('prompt')[:100]}'.")
    if not request.get("scope"):
        raise missing("scope")
    _check_challenge(request)


def _check_implicit(request: AuthorizeRequest, kinds: frozenset[str]) -> None:
    settings = request.application.properties.get("web", {}).get("implicitGrantSettings") or {}
    for kind, name, code in (
        ("id_token", "enableIdTokenIssuance", 700054),
        ("token", "enableAccessTokenIssuance", 700051),
    ):
        if kind in kinds and not settings.get(name):
            raise StsError(code, f"response_type '{kind}' is not enabled for the application.")
    if "id_token" in kinds and not request.get("nonce"):
        raise missing("nonce")


def _check_challenge(request: AuthorizeRequest) -> None:
    challenge, method = request.get("code_challenge"), request.get("code_challenge_method")
    if method and not challenge:
        raise missing("code_challenge")
    if method not in {"", "plain", "S256"}:
        raise StsError(501491, "The 'code_challenge_method' is not supported: it is 'S256' or 'plain'.")
    if challenge and not _CHALLENGE.fullmatch(challenge):
        raise StsError(50147, "The size of the code challenge parameter is not valid.")


def _check_shared(application: Application, name: str) -> None:
    if name.lower() == "consumers":
        raise StsError(700016, "The client does not exist or is not enabled for consumers.", "unauthorized_client")
    if not application.shared:
        raise StsError(
            50194,
            f"Application '{application.app_id}'({application.display_name}) is not configured as a multi-tenant "
            f"application. Usage of the /{name.lower()} endpoint is not supported for such apps created after "
            "'10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
        )


def _same_loopback(registered_uri: str, requested_uri: str) -> bool:
    """A loopback URI fits with any port, as native clients take a free one (RFC 8252, section 7.3)."""
    try:
        uri, other = urlsplit(registered_uri), urlsplit(requested_uri)
        _ = other.port
    except ValueError:
        return False
    return (
        uri.hostname in LOOPBACK
        and (uri.scheme, uri.hostname, uri.path, uri.query) == (other.scheme, other.hostname, other.path, other.query)
        and not other.username
        and not other.fragment
    )
