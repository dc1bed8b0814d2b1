"""What Entra ID says while a person signs in, comes back, or is acted for; and what to do about each.

The same numbers mean other things than when an application signs in: the secret that is refused here is the server's own.
"""

from collections.abc import Iterable

from keyturn.providers.azure import entra_codes
from keyturn.providers.azure.disabled_words import ENABLE
from keyturn.providers.azure.error_row import ErrorKind, ErrorRow, ErrorSource

_SETTINGS = (
    "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID and INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET"
)
_AGAIN = "Connect again and sign in."
_ADMIN = (
    "Let an administrator of the tenant connect, or give consent for all: Portal: Entra ID > Enterprise applications > the "
    "application > Permissions > Grant admin consent. Command: `az ad app permission admin-consent --id {app_id}`."
)


def _rows(
    codes: Iterable[int | str], kind: ErrorKind, code: str, cause: str, fix: str, *, field: str | None = None
) -> list[ErrorRow]:
    return [
        ErrorRow(ErrorSource.CONSENT, str(each_code), None, kind, code, cause, fix, field=field) for each_code in codes
    ]


OAUTH_TABLE: tuple[ErrorRow, ...] = (
    *_rows(
        (65004,),
        ErrorKind.ACTION,
        "azure.consent_declined",
        "Access was declined at Microsoft, so nothing was connected.",
        "Connect again and choose Accept; the page lists what this server will be allowed to do.",
    ),
    *_rows(
        ("cancel",),
        ErrorKind.ACTION,
        "azure.sign_in_cancelled",
        "The sign-in at Microsoft was cancelled, so nothing was connected.",
        "Connect again when you are ready.",
    ),
    *_rows(
        (65001,),
        ErrorKind.SIGN_IN_AGAIN,
        "azure.consent_missing",
        "Application {app_id} has no consent for the permissions it asks for in tenant {tenant_id}, or not any more.",
        f"{_AGAIN} If Microsoft asks for an administrator: {_ADMIN}",
    ),
    *_rows(
        entra_codes.ADMIN_CONSENT,
        ErrorKind.ACTION,
        "azure.admin_consent_required",
        "Only an administrator of tenant {tenant_id} may let application {app_id} in.",
        _ADMIN,
    ),
    *_rows(
        (50105,),
        ErrorKind.ACTION,
        "azure.not_assigned",
        "The person who signed in is not assigned to application {app_id} in tenant {tenant_id}.",
        "Portal: Entra ID > Enterprise applications > the application > Users and groups > Add user; or Properties > "
        "Assignment required: No.",
    ),
    *_rows(
        entra_codes.ACCOUNT_OF_ANOTHER_TENANT,
        ErrorKind.ACTION,
        "azure.wrong_account",
        "The account that signed in does not belong to tenant {tenant_id}.",
        "Connect again with an account of that tenant (a private browser window helps), or check Directory (tenant) ID.",
    ),
    *_rows(
        entra_codes.APPLICATION_UNKNOWN,
        ErrorKind.ACTION,
        "azure.oauth_app_unknown",
        "Tenant {tenant_id} does not know this server's OAuth application {app_id}, or may not use it.",
        "Check Directory (tenant) ID. An application for one tenant serves that tenant only: for others set Supported account "
        "types to multiple organizations. Portal: Entra ID > App registrations > the application > Authentication. "
        f"The server's settings are {_SETTINGS}.",
    ),
    *_rows(
        (7000112,),
        ErrorKind.ACTION,
        "azure.application_disabled",
        "Application {app_id} is disabled in tenant {tenant_id}.",
        ENABLE,
    ),
    *_rows(
        (7000215, 7000222, 7000218, 700025, 700027, "invalid_client"),
        ErrorKind.ACTION,
        "azure.oauth_app_secret_refused",
        "Entra ID does not accept the client secret of this server's OAuth application {app_id}.",
        f"An operator of this server has to renew it: make a new client secret ({{portal}}), set {_SETTINGS}, and restart. "
        "Connections keep working afterwards without signing in again.",
    ),
    *_rows(
        entra_codes.REDIRECT_UNKNOWN,
        ErrorKind.ACTION,
        "azure.redirect_unknown",
        "The redirect URI of this server is not registered with application {app_id}.",
        "Register it as a Web redirect URI: SITE_URL followed by /organization/app-connections/azure/oauth/callback. Portal: "
        "Entra ID > App registrations > the application > Authentication.",
    ),
    *_rows(
        (54005,),
        ErrorKind.ACTION,
        "azure.code_used",
        "This sign-in was completed before: its code is good for one use.",
        _AGAIN,
    ),
    *_rows(
        (700005,),
        ErrorKind.ACTION,
        "azure.code_of_another_tenant",
        "The code was issued by another tenant than {tenant_id}.",
        "Check Directory (tenant) ID, and connect again.",
    ),
    *_rows(
        entra_codes.CODE_OF_ANOTHER_SIGN_IN,
        ErrorKind.ACTION,
        "azure.code_of_another_sign_in",
        "The code belongs to another sign-in than the one that was started here.",
        f"{_AGAIN} If it happens again, somebody may be tampering with the sign-in.",
    ),
    *_rows(
        (70008, 700082, 700084, 70043, 700003),
        ErrorKind.SIGN_IN_AGAIN,
        "azure.grant_expired",
        "What was granted at the sign-in has expired.",
        _AGAIN,
    ),
    *_rows(
        (50173, 50057, 50055, 50144, 50133, 500133, 70000, 700009, 9002341, "invalid_grant"),
        ErrorKind.SIGN_IN_AGAIN,
        "azure.grant_revoked",
        "What was granted at the sign-in does not hold any more: it was revoked, or the person's account or password changed.",
        _AGAIN,
    ),
    *_rows(
        entra_codes.INTERACTION_REQUIRED,
        ErrorKind.SIGN_IN_AGAIN,
        "azure.interaction_required",
        "Microsoft wants the person to sign in again, for example with a second factor.",
        _AGAIN,
    ),
    *_rows(
        entra_codes.CONDITIONAL_ACCESS,
        ErrorKind.SIGN_IN_AGAIN,
        "azure.conditional_access",
        "A Conditional Access policy blocks what is done for the person who signed in.",
        "Portal: Entra ID > Sign-in logs > User sign-ins (non-interactive) shows which policy. Allow this server's address as a "
        "named location, then connect again; or connect with a certificate instead, which acts for no person.",
    ),
    *_rows(
        entra_codes.TENANT_UNKNOWN,
        ErrorKind.ACTION,
        "azure.tenant_unknown",
        "There is no tenant {tenant_id} at {authority}.",
        "Copy Directory (tenant) ID from the application's Overview page, and check that the cloud is the right one. "
        "Command: `az account show --query tenantId`.",
        field="tenantId",
    ),
    *_rows(
        ("access_denied", "permission_denied"),
        ErrorKind.ACTION,
        "azure.access_denied",
        "Microsoft did not let the person in: {words}",
        f"Connect again and choose Accept. If an administrator is needed: {_ADMIN}",
    ),
    *_rows(
        (*entra_codes.THROTTLED, *entra_codes.TEMPORARY),
        ErrorKind.AGAIN,
        "azure.unavailable",
        "Entra ID has a temporary failure.",
        "Try again in a minute.",
    ),
)
