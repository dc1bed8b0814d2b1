"""The one table from Microsoft's refusals to what this product does about them.

A row is found by source, code and status; never by the words of a message, except where ``contains`` says so.
Messages may hold ids, links and commands, never a secret. Codes of this product are stable; Microsoft's may change.
"""

from collections.abc import Iterable
from dataclasses import replace

from keyturn.errors import RefusalReason
from keyturn.providers.azure import entra_codes
from keyturn.providers.azure.certificate_errors import CERTIFICATE_TABLE
from keyturn.providers.azure.disabled_words import ENABLE
from keyturn.providers.azure.error_row import ErrorKind, ErrorRow, ErrorSource
from keyturn.providers.azure.federated_errors import FEDERATED_TABLE, IDENTITY_TABLE
from keyturn.providers.azure.oauth_errors import OAUTH_TABLE
from keyturn.providers.azure.people_errors import PEOPLE_TABLE
from keyturn.providers.azure.policy_words import own_policy
from keyturn.providers.azure.responses import Answer

WAIT = "Nothing to do: it is tried again."
PERMISSION_FIX = (
    "Least privilege: grant the connection's application the Microsoft Graph application permission "
    "Application.ReadWrite.OwnedBy and make its service principal an owner of the application it rotates. "
    "Portal: Entra ID > App registrations > the connection's application > API permissions > Add a permission > "
    "Microsoft Graph > Application permissions, then Grant admin consent. Commands: "
    "`az ad app permission add --id {client_id} --api 00000003-0000-0000-c000-000000000000 "
    "--api-permissions 18a4783c-866b-4cc7-a460-3d5e5662c884=Role`, "
    "`az ad app permission admin-consent --id {client_id}`, "
    "`az ad app owner add --id {app_id} --owner-object-id {principal_id}`. "
    "Application.ReadWrite.All also works, but may change every application of the tenant."
)
MAKE_ANOTHER = (
    "Portal: {portal}, New client secret, copy the Value. "
    "Command: `az ad app credential reset --id {app_id} --append` (without --append it removes all other secrets)."
)
_THROTTLED = ("azure.throttled", "{source} asks to slow down: too many requests.", WAIT)
_UNAVAILABLE = ("azure.unavailable", "{source} has a temporary failure (status {status}).", WAIT)
_S, _G = ErrorSource.SIGN_IN, ErrorSource.GRAPH


def _sign_in(
    numbers: Iterable[int | str],
    kind: ErrorKind,
    code: str,
    cause: str,
    fix: str,
    *,
    reason: RefusalReason | None = None,
    field: str | None = None,
) -> list[ErrorRow]:
    return [ErrorRow(_S, str(number), None, kind, code, cause, fix, reason=reason, field=field) for number in numbers]


def _graph(
    provider_code: str,
    kind: ErrorKind,
    code: str,
    cause: str,
    fix: str,
    *contains: str,
    reason: RefusalReason | None = None,
) -> ErrorRow:
    return ErrorRow(_G, provider_code, None, kind, code, cause, fix, contains or ("",), reason)


def _by_status(
    source: ErrorSource,
    status: int,
    kind: ErrorKind,
    code: str,
    cause: str,
    fix: str,
    *,
    reason: RefusalReason | None = None,
) -> ErrorRow:
    return ErrorRow(source, None, status, kind, code, cause, fix, reason=reason)


TABLE: tuple[ErrorRow, ...] = (
    *OAUTH_TABLE,
    *FEDERATED_TABLE,
    *CERTIFICATE_TABLE,
    *PEOPLE_TABLE,
    *_sign_in(
        (7000215,),
        ErrorKind.NOT_YET,
        "azure.secret_invalid",
        "Entra ID does not accept the client secret of application {app_id}.",
        "A secret made in the last minutes may still be spreading. Otherwise paste the secret's Value, "
        "not its Secret ID, and check that it belongs to this client id. If the Value is lost, make a new secret. "
        + MAKE_ANOTHER,
        reason=RefusalReason.CREDENTIAL_UNKNOWN,
        field="clientSecret",
    ),
    *_sign_in(
        (7000222,),
        ErrorKind.NOT_YET,
        "azure.secret_expired",
        "Entra ID says that the client secret of application {app_id} has expired.",
        "A secret made in the last minutes may still be spreading. Otherwise make a new secret. " + MAKE_ANOTHER,
        reason=RefusalReason.CREDENTIAL_EXPIRED,
        field="clientSecret",
    ),
    *_sign_in(
        (700016,),
        ErrorKind.NOT_YET,
        "azure.application_unknown",
        "Entra ID finds no application with client id {app_id} in tenant {tenant_id}.",
        "An application made in the last minutes may still be spreading. Otherwise compare Application (client) ID and "
        "Directory (tenant) ID with the application's Overview page in the portal, and check the cloud. "
        "Command: `az ad sp show --id {app_id}`.",
        field="clientId",
    ),
    *_sign_in(
        (7000229,),
        ErrorKind.ACTION,
        "azure.principal_missing",
        "Application {app_id} has no service principal in tenant {tenant_id}.",
        "Create it: `az ad sp create --id {app_id}`.",
    ),
    *_sign_in(
        (7000112,),
        ErrorKind.ACTION,
        "azure.application_disabled",
        "Application {app_id} is disabled in tenant {tenant_id}.",
        ENABLE,
    ),
    *_sign_in(
        (700038,),
        ErrorKind.ACTION,
        "azure.client_id_invalid",
        "{app_id} is not a valid client id.",
        "Copy Application (client) ID from the application's Overview page in the portal.",
        field="clientId",
    ),
    *_sign_in(
        (90002,),
        ErrorKind.ACTION,
        "azure.tenant_unknown",
        "There is no tenant {tenant_id} at {authority}.",
        "Copy Directory (tenant) ID from the application's Overview page, and check that the cloud is the right one. "
        "Command: `az account show --query tenantId`.",
        field="tenantId",
    ),
    *_sign_in(
        (900023, 50059),
        ErrorKind.ACTION,
        "azure.tenant_malformed",
        "{tenant_id} is neither a tenant id nor a domain of a tenant.",
        "Copy Directory (tenant) ID, a UUID, from the application's Overview page in the portal.",
        field="tenantId",
    ),
    *_sign_in(
        (500011,),
        ErrorKind.ACTION,
        "azure.graph_unknown",
        "Tenant {tenant_id} does not know Microsoft Graph at {graph}.",
        "Check that the connection's cloud is the one that the tenant lives in.",
    ),
    *_sign_in(
        entra_codes.CONDITIONAL_ACCESS,
        ErrorKind.ACTION,
        "azure.conditional_access",
        "A Conditional Access policy blocks the sign-in of application {app_id} from this server.",
        "Portal: Entra ID > Sign-in logs > Service principal sign-ins shows which policy. Allow this server's address "
        "as a named location, or exclude the service principal: Entra ID > Protection > Conditional Access.",
    ),
    *_sign_in(
        (7000218, 700025),
        ErrorKind.NEVER,
        "azure.credential_not_received",
        "Entra ID did not take a client credential for application {app_id}.",
        "A public client cannot use secrets: register a confidential (web) application. "
        "If it is one, check that no proxy changes requests on their way.",
    ),
    *_sign_in(entra_codes.THROTTLED, ErrorKind.AGAIN, *_THROTTLED),
    *_sign_in(entra_codes.TEMPORARY, ErrorKind.AGAIN, *_UNAVAILABLE),
    _graph(
        "InvalidAuthenticationToken",
        ErrorKind.AGAIN,
        "azure.token_refused",
        "Microsoft Graph does not accept the access token any more.",
        "It is tried again with a fresh token. If it goes on, check this server's clock.",
    ),
    _graph(
        "Authorization_IdentityNotFound",
        ErrorKind.NOT_YET,
        "azure.principal_unknown",
        "Microsoft Graph does not know the connection's service principal in tenant {tenant_id}.",
        "One made in the last minutes may still be spreading. Otherwise create it: `az ad sp create --id {client_id}`.",
        reason=RefusalReason.PERMISSION,
    ),
    _graph(
        "Authorization_RequestDenied",
        ErrorKind.ACTION,
        "azure.permission_missing",
        "The connection may not do this with application {app_id} in tenant {tenant_id}.",
        PERMISSION_FIX,
        reason=RefusalReason.PERMISSION,
    ),
    _graph(
        "Request_ResourceNotFound",
        ErrorKind.ACTION,
        "azure.application_not_found",
        "Tenant {tenant_id} has no application object {app_id} ({object_id}).",
        "It was deleted, belongs to another tenant, or the id of its service principal (Enterprise application) was "
        "given: take the ids from App registrations. Command: `az ad app show --id {app_id}`. "
        "A deleted one can be restored for 30 days: Entra ID > App registrations > Deleted applications.",
        reason=RefusalReason.PERMISSION,
    ),
    _graph(
        "CredentialInvalidLifetimeAsPerAppPolicy",
        ErrorKind.ACTION,
        "azure.lifetime_policy",
        "App management policy {policy} does not allow a credential of application {app_id} to live that long.",
        "Choose a shorter rotation interval. Or "
        + own_policy("passwordCredentials", "passwordLifetime")
        + " Of a certificate: "
        "keyCredentials and asymmetricKeyLifetime. With Policy.Read.All the test of the connection says what is allowed.",
        reason=RefusalReason.LIFETIME,
    ),
    _graph(
        "CredentialTypeNotAllowedAsPerAppPolicy",
        ErrorKind.ACTION,
        "azure.type_policy",
        "App management policy {policy} forbids new client secrets on application {app_id}.",
        "Exempt the principal {principal_id} that signs in, by the custom security attribute that the policy names: with the "
        "permission Policy.Read.All the connection's test says which. Or "
        + own_policy("passwordCredentials", "passwordAddition")
        + " A certificate or a federated credential needs none of this.",
    ),
    _graph(
        "Directory_ResourceSizeExceeded",
        ErrorKind.ACTION,
        "azure.application_full",
        "Application {app_id} holds too much: no further client secret fits.",
        "Remove expired secrets and certificates that nobody uses. Portal: {portal}. "
        "What it holds: `az ad app credential list --id {app_id}` (and, with --cert, its certificates); each is removed by "
        "`az ad app credential delete` with its --key-id.",
    ),
    _graph(
        "Directory_QuotaExceeded",
        ErrorKind.ACTION,
        "azure.quota_exceeded",
        "The directory quota of tenant {tenant_id} is used up.",
        "Delete directory objects that nobody uses (deleted applications count too), or ask Microsoft for more.",
    ),
    _graph(
        "Request_BadRequest",
        ErrorKind.ACTION,
        "azure.key_not_found",
        "Application {app_id} shows no credential with this key id.",
        "List them: {portal}, or `az ad app credential list --id {app_id}`.",
        "no password credential found",
        "no key credential found",
    ),
    _graph(
        "Request_BadRequest",
        ErrorKind.ACTION,
        "azure.slots_full",
        "Application {app_id} is open to personal accounts and holds its two client secrets already.",
        "Remove one that nobody uses. Portal: {portal}. What it holds: `az ad app credential list --id {app_id}`; each is "
        "removed by `az ad app credential delete` with its --key-id.",
        "may have at most",
        "maximum number of",
    ),
    _graph(
        "Directory_ConcurrencyViolation",
        ErrorKind.AGAIN,
        "azure.concurrent_change",
        "Somebody else is changing application {app_id} at the same moment.",
        WAIT,
    ),
    _graph(
        "Error_MsaAppDoesNotExist",
        ErrorKind.AGAIN,
        "azure.application_settling",
        "Application {app_id} is still being set up for personal accounts.",
        WAIT,
    ),
    _graph("TooManyRequests", ErrorKind.AGAIN, *_THROTTLED),
    *(
        row
        for source in ErrorSource
        for row in (
            _by_status(source, 429, ErrorKind.AGAIN, *_THROTTLED),
            _by_status(source, 408, ErrorKind.AGAIN, *_UNAVAILABLE),
            *(_by_status(source, status, ErrorKind.AGAIN, *_UNAVAILABLE) for status in (500, 502, 503, 504)),
        )
    ),
    _by_status(
        _G,
        401,
        ErrorKind.AGAIN,
        "azure.token_refused",
        "Microsoft Graph does not accept the access token.",
        "It is tried again with a fresh token. If it goes on, check the cloud and any proxy.",
    ),
    _by_status(
        _G,
        403,
        ErrorKind.ACTION,
        "azure.permission_missing",
        "The connection may not do this with application {app_id} in tenant {tenant_id}.",
        PERMISSION_FIX,
        reason=RefusalReason.PERMISSION,
    ),
    _by_status(
        _G,
        409,
        ErrorKind.AGAIN,
        "azure.concurrent_change",
        "Application {app_id} is being changed at the same moment.",
        WAIT,
    ),
)

_CHECK_ROUTE = "Check the connection's cloud, and any proxy between this server and Microsoft."
UNREADABLE = ErrorRow(
    _G,
    None,
    None,
    ErrorKind.AGAIN,
    "azure.unreadable_answer",
    "{source} gave an answer that makes no sense.",
    _CHECK_ROUTE,
)
_FOREIGN = replace(
    UNREADABLE,
    cause="In place of {source} something else answered, such as a proxy that blocks it (status {status}).",
)
_FAILED = ErrorRow(_G, None, None, ErrorKind.AGAIN, *_UNAVAILABLE)
_SIGN_IN_REFUSED = ErrorRow(
    _S,
    None,
    None,
    ErrorKind.ACTION,
    "azure.sign_in_refused",
    "Entra ID refused the sign-in of application {app_id}: {words}",
    "Portal: Entra ID > Sign-in logs > Service principal sign-ins shows the reason. Codes are explained at {error_page}",
)
_CONSENT_REFUSED = ErrorRow(
    ErrorSource.CONSENT,
    None,
    None,
    ErrorKind.ACTION,
    "azure.sign_in_refused",
    "Entra ID refused the sign-in for application {app_id}: {words}",
    "Portal: Entra ID > Sign-in logs > User sign-ins shows the reason. Codes are explained at {error_page}",
)
_PEOPLE_REFUSED = replace(_CONSENT_REFUSED, source=ErrorSource.PEOPLE, code="sso.refused")
_REFUSED = {
    ErrorSource.SIGN_IN: _SIGN_IN_REFUSED,
    ErrorSource.CONSENT: _CONSENT_REFUSED,
    ErrorSource.PEOPLE: _PEOPLE_REFUSED,
}
_REQUEST_REFUSED = ErrorRow(
    _G,
    None,
    None,
    ErrorKind.NEVER,
    "azure.request_refused",
    "Microsoft Graph refused a request about application {app_id}: {words}",
    _CHECK_ROUTE,
)


def row_for(source: ErrorSource, answer: Answer, *, by_identity: bool = False) -> ErrorRow:
    """Return the row of an answer: by the most specific code, then by status, then by the class of the status.

    ``by_identity``: what was presented is a token of another issuer, for which some codes mean something else.

    What an answer of something between has for a status says nothing about permissions or what there is at Microsoft.
    """
    if answer.is_foreign and 400 <= answer.status < 500 and answer.status not in {408, 429}:
        return _FOREIGN
    rows = (*IDENTITY_TABLE, *TABLE) if by_identity else TABLE
    for code in (*answer.codes, None):
        for row in rows:
            if row.matches(source, code, answer):
                return row
    if answer.status >= 500:
        return _FAILED
    if answer.status < 400:
        return UNREADABLE
    return _REFUSED.get(source, _REQUEST_REFUSED)
