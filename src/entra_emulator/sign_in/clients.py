"""Who asks the token endpoint, and whether they are who they say."""

from __future__ import annotations

import base64
import re
from urllib.parse import parse_qsl, unquote

from entra_emulator.directory.directory import Application, ServicePrincipal, Tenant, as_guid
from entra_emulator.directory.world import Call
from entra_emulator.faults.ledger import without_secrets
from entra_emulator.tokens import assertion
from entra_emulator.tokens.sts_errors import (
    StsError,
    bad_tenant,
    expired_secret,
    missing,
    unknown_application,
    unknown_tenant,
    wrong_secret,
)

SHARED = frozenset({"common", "organizations", "consumers"})
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE)
NOBODY = "00000000-0000-0000-0000-000000000000"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM_LIMIT = 1_000_000
_MOST_FIELDS = 100


def known_application(call: Call, client_id: str) -> tuple[Application, ServicePrincipal]:
    """The application and its service principal here. Raises StsError where the replica knows none, or it is disabled."""
    tenant, replica, now = call.home(), call.replica, call.now
    if client_id == NOBODY:
        raise StsError(700038, f"{client_id} is not a valid application identifier.")
    application = call.world.directory.application(client_id)
    principal = call.world.directory.principal(tenant, client_id)
    visible = application and principal and principal.presence.visible("token", replica, now)
    if not application or not principal or not visible or not application.presence.visible("token", replica, now):
        raise unknown_application(client_id, tenant.name)
    if application.disabled or not principal.enabled:
        raise StsError(7000112, f"Application '{client_id}'({application.display_name}) is disabled.")
    return application, principal


def authenticate(
    call: Call, form: dict[str, str], secret: str, application: Application, principal: ServicePrincipal
) -> tuple[str, str]:
    """The key id that authenticated and the method: "1" a secret, "2" a certificate. Raises StsError.

    Source of the fields: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow; of the methods:
    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (appidacr).
    """
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


def note_credential(call: Call, application: Application, key_id: str, method: str) -> None:
    """Writes into the ledger which credential was accepted."""
    kind = {"0": "none", "1": "clientSecret", "2": "certificate"}[method]
    if any(item.id == key_id for item in application.federated):
        kind = "federatedIdentityCredential"
    call.entry.auth_key_id = call.entry.presented_key_id = key_id
    call.entry.credential_type = kind


def _check_secret(call: Call, secret: str, application: Application, principal: ServicePrincipal) -> str:
    """Secrets of the application and of its principal. Raises StsError 7000215 or 7000222.

    7000222 for a fresh secret where the replica knows expired ones only, and flapping between replicas:
    https://github.com/dafthack/GraphRunner/issues/28 and https://github.com/hashicorp/vault-plugin-secrets-azure/issues/23.
    """
    now = call.local_now
    visible = application.passwords_seen("token", call.replica, call.now)
    visible += principal.passwords_seen("token", call.replica, call.now)
    for item in visible:
        if item.value == secret:
            call.entry.presented_key_id, call.entry.credential_type = item.key_id, "clientSecret"
            if now >= item.end:
                raise expired_secret(application.app_id)
            if now < item.start:
                break
            return item.key_id
    if call.settings.expired_hides_unknown and visible and all(now >= item.end for item in visible):
        raise expired_secret(application.app_id)
    raise wrong_secret(application.app_id)


def read_form(call: Call) -> dict[str, str]:
    """The fields of a token request. Raises StsError for what is not a form, and for a field that stands there twice."""
    body = call.request.body
    call.world.ledger.remember(without_secrets(body))
    if len(body) > _FORM_LIMIT:
        raise StsError(900144, "The request body is too large.")
    try:
        return read_fields(body.decode("utf-8"))
    except ValueError as error:
        raise missing("grant_type") from error


def read_fields(text: str) -> dict[str, str]:
    """The fields of a query or a form, a hundred at most. Raises StsError 9000411 for one twice, ValueError for no form."""
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise StsError(
                9000411, f"The request is not properly formatted. The parameter '{name[:100]}' is duplicated."
            )
        fields[name] = value
    return fields


def read_client(call: Call, form: dict[str, str]) -> tuple[str, str]:
    """Who asks, and with which secret: from the form, or from HTTP Basic (RFC 6749, section 2.3.1)."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except ValueError:
            name, password = "", ""
        client_id, secret = client_id or unquote(name), secret or unquote(password)
    return as_guid(client_id) or client_id, secret


def find_tenant(call: Call, name: str, error: str | None = None) -> Tenant | None:
    """The tenant of that name; None for the shared names. Raises StsError where there is none."""
    tenant = call.world.directory.tenant(name)
    if tenant is not None:
        return tenant
    if name.lower() in SHARED:
        return None
    if as_guid(name) or _DOMAIN.fullmatch(name):
        raise unknown_tenant(name, error)
    raise bad_tenant(name)
