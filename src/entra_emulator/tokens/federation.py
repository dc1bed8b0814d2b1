"""Tokens of other issuers as client assertions: federated identity credentials.

Sources: https://learn.microsoft.com/graph/api/resources/federatedidentitycredentials-overview (issuer, subject and audience must
be equal); https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from entra_emulator.directory.claims_expressions import fits_expression
from entra_emulator.directory.directory import Application, FederatedCredential, Tenant, as_guid
from entra_emulator.directory.issuers import IssuerError
from entra_emulator.directory.world import Call, World
from entra_emulator.tokens.jwt import Jwt, audiences, check_times, malformed
from entra_emulator.tokens.sts_errors import StsError
from entra_emulator.tokens.tokens import TOKEN_EXCHANGE, TOKEN_EXCHANGE_APP_ID

# Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
_ENTRA_HOSTS = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net")
_CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)


def authenticate(call: Call, jwt: Jwt, application: Application) -> str:
    """The id of the federated credential that this assertion matches. Raises StsError."""
    credential = _matched(call, jwt, application)
    if _is_entra(credential.issuer) or call.world.signing.read(jwt.encoded) is not None:
        _check_managed_identity(call, jwt, application)
    else:
        _check_signature(call, jwt, credential.issuer)
    check_times(call, jwt)
    return credential.id


def issuer_to_ask(world: World, body: bytes) -> tuple[str, Tenant] | None:
    """The issuer whose keys have to be fetched before this token request can be judged, and the application's tenant."""
    if b"client_assertion=" not in body:
        return None
    try:
        form = dict(parse_qsl(body.decode("utf-8"), max_num_fields=100))
        issuer = Jwt(form.get("client_assertion", "")).text("iss")
    except (ValueError, StsError):
        return None
    application = world.directory.application(as_guid(form.get("client_id")) or "")
    if application is None or _is_entra(issuer) or not any(item.issuer == issuer for item in application.federated):
        return None
    return (
        (issuer, world.directory.tenants[application.tenant_id])
        if world.issuers.due(issuer, world.clock.now())
        else None
    )


def _matched(call: Call, jwt: Jwt, application: Application) -> FederatedCredential:
    """The credential that this replica knows. Each of 700211, 700213 and 700212 says what was presented."""
    issuer, subject, presented = jwt.text("iss"), jwt.text("sub"), _audiences(jwt)
    known = application.federated_seen("token", call.replica, call.now)
    for_issuer = [item for item in known if item.issuer == issuer]
    for_subject = [item for item in for_issuer if _fits(item, jwt)]
    credential = next((item for item in for_subject if presented & set(item.audiences)), None)
    if credential is not None:
        return credential
    audience = ", ".join(sorted(presented))
    if any(
        item.issuer == issuer and _fits(item, jwt) and presented & set(item.audiences)
        for item in application.federated_held()
    ):  # made a moment ago: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
        raise StsError(
            70021,
            f"No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. Assertion "
            f"Subject: '{subject}'. Assertion Audience: '{audience}'. "
            "https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
        )
    if not for_issuer:
        raise _no_match(700211, "issuer", issuer)
    if not for_subject:
        raise _no_match(700213, "subject", subject)
    raise _no_match(700212, "audience", audience)


def _fits(item: FederatedCredential, jwt: Jwt) -> bool:
    return fits_expression(item.expression, jwt.claims) if item.expression else item.subject == jwt.text("sub")


def _no_match(code: int, what: str, value: str) -> StsError:
    return StsError(
        code, f"No matching federated identity record found for presented assertion {what} '{value}'. {_CHECK}"
    )


def _check_signature(call: Call, jwt: Jwt, issuer: str) -> None:
    if jwt.algorithm != "RS256":
        raise malformed("its algorithm is not RS256")
    key_id = str(jwt.header.get("kid", ""))
    try:
        key = call.world.issuers.key(issuer, key_id, call.now)
    except IssuerError as error:
        text = (
            "Failed to parse provider signing keys."
            if error.code == 900612
            else "Request to External OIDC endpoint failed."
        )
        raise StsError(error.code, text) from error
    if key is None:
        raise StsError(
            7000272,
            f"The certificate with identifier {key_id} used to sign the federated credential could not be found in the metadata "
            f"of identity provider {issuer}. Please validate that your Identity Provider's metadata exposes the key used to sign "
            "the incoming token.",
        )
    if not jwt.signed_by(key):
        raise StsError(700027, "Client assertion failed signature validation.")


def _check_managed_identity(call: Call, jwt: Jwt, application: Application) -> None:
    """Of the tokens that Entra itself issues, only those of managed identities of the same tenant will do.

    Sources: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations (700222), and the page
    about managed identities above; 700226, 700227 and 700229 were seen by people who tried.
    """
    claims = call.world.signing.read(jwt.encoded)
    tenant = call.world.directory.tenants.get(application.tenant_id)
    if claims is None or tenant is None or claims.get("tid") != tenant.id:
        raise StsError(700222, "AAD-issued tokens may not be used for federated identity flows.")
    if claims.get("ver") != "2.0":
        raise StsError(
            700227, "Forbidden token audience. The audience is not allowed for Federated Identity Credentials."
        )
    if claims.get("oid") in tenant.users:
        raise StsError(
            700229,
            "Forbidden token type. Only app-only tokens may be used as Federated Identity Credentials for AAD issuer.",
        )
    principal = tenant.principals.get(str(claims.get("oid")))
    if principal is None or principal.service_principal_type != "ManagedIdentity":
        raise StsError(700226, "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer.")


def _audiences(jwt: Jwt) -> set[str]:
    """What the token is for. In Entra's own tokens the name `api://AzureADTokenExchange` stands as an application id."""
    return {TOKEN_EXCHANGE if name == TOKEN_EXCHANGE_APP_ID else name for name in audiences(jwt.claims.get("aud"))}


def _is_entra(issuer: str) -> bool:
    try:
        host = urlsplit(issuer).hostname or ""
    except ValueError:
        return False
    return any(host == name or host.endswith(f".{name}") for name in _ENTRA_HOSTS)
