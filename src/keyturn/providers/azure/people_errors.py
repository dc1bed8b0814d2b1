"""What Entra ID says while somebody signs in to this server itself; and what to do about each."""

from collections.abc import Iterable

from keyturn.providers.azure import entra_codes
from keyturn.providers.azure.disabled_words import ENABLE
from keyturn.providers.azure.error_row import ErrorKind, ErrorRow, ErrorSource

_AGAIN = "Sign in again."
_OTHER_ACCOUNT = "Sign in with an account of that tenant: Sign in with another account, or a private browser window."
_ADMIN = (
    "Let an administrator of the tenant give consent once for all: Portal: Entra ID > Enterprise applications > the "
    "application > Permissions > Grant admin consent. Command: `az ad app permission admin-consent --id {app_id}`."
)
_SETTINGS = "KEYTURN_SSO_TENANT_ID and KEYTURN_SSO_CLIENT_ID"


def _rows(
    codes: Iterable[int | str], code: str, cause: str, fix: str, kind: ErrorKind = ErrorKind.ACTION
) -> list[ErrorRow]:
    return [ErrorRow(ErrorSource.PEOPLE, str(each_code), None, kind, code, cause, fix) for each_code in codes]


PEOPLE_TABLE: tuple[ErrorRow, ...] = (
    *_rows(
        (65004,),
        "sso.consent_declined",
        "Access was declined at Entra ID, so nobody was signed in.",
        f"{_AGAIN} Choose Accept.",
    ),
    *_rows(("cancel",), "sso.cancelled", "The sign-in at Entra ID was cancelled.", _AGAIN),
    *_rows(
        (65001, *entra_codes.ADMIN_CONSENT),
        "sso.consent_missing",
        "Tenant {tenant_id} has not consented that people sign in through application {app_id}.",
        _ADMIN,
    ),
    *_rows(
        (50105,),
        "sso.not_assigned",
        "The person who signed in is not assigned to application {app_id} in tenant {tenant_id}.",
        "An administrator of the tenant assigns the person, or a group: Portal: Entra ID > Enterprise applications > the "
        "application > Users and groups > Add user.",
    ),
    *_rows(
        (16000, *entra_codes.ACCOUNT_OF_ANOTHER_TENANT),
        "sso.wrong_account",
        "The account that signed in does not belong to tenant {tenant_id}.",
        _OTHER_ACCOUNT,
    ),
    *_rows(
        entra_codes.APPLICATION_UNKNOWN,
        "sso.application_unknown",
        "Tenant {tenant_id} does not know application {app_id}.",
        f"An operator of this server checks {_SETTINGS}: Portal: Entra ID > App registrations > the application > Overview.",
    ),
    *_rows(
        (7000112,),
        "sso.application_disabled",
        "Application {app_id} is disabled in tenant {tenant_id}.",
        ENABLE,
    ),
    *_rows(
        (7000215, 7000222, 7000218, 700025, 700027, 700211, 700212, 700213, 70021, 700024, "invalid_client"),
        "sso.credential_refused",
        "Entra ID does not accept what this server signs in with as application {app_id}.",
        "An operator of this server renews the client secret ({portal}), sets KEYTURN_SSO_CLIENT_SECRET and restarts; or uploads "
        "the certificate of KEYTURN_SSO_CERTIFICATE there; or lets the application trust the token source of "
        "KEYTURN_SSO_TOKEN_SOURCE. Administrators can sign in with their password.",
    ),
    *_rows(
        entra_codes.REDIRECT_UNKNOWN,
        "sso.redirect_unknown",
        "The redirect URI of this server is not registered with application {app_id}.",
        "Register {redirect_uri} as a Web redirect URI: Portal: Entra ID > App registrations > the application > "
        "Authentication. Command: `az ad app update --id {app_id} --web-redirect-uris {redirect_uri}`.",
    ),
    *_rows((54005,), "sso.code_used", "This sign-in was completed before: its code is good for one use.", _AGAIN),
    *_rows(
        (700005, *entra_codes.CODE_OF_ANOTHER_SIGN_IN),
        "sso.code_of_another_sign_in",
        "The code belongs to another sign-in than the one that was started here.",
        f"{_AGAIN} If it happens again, somebody may be tampering with the sign-in.",
    ),
    *_rows((70008, 70000, "invalid_grant"), "sso.code_expired", "The sign-in at Entra ID has expired.", _AGAIN),
    *_rows(
        (50057,),
        "sso.account_disabled",
        "The account is disabled in tenant {tenant_id}.",
        "An administrator of the tenant enables it: Portal: Entra ID > Users.",
    ),
    *_rows(
        (50058, *entra_codes.INTERACTION_REQUIRED),
        "sso.interaction_required",
        "Entra ID wants more of the person, for example a second factor.",
        _AGAIN,
    ),
    *_rows(
        entra_codes.CONDITIONAL_ACCESS,
        "sso.conditional_access",
        "A Conditional Access policy of tenant {tenant_id} does not let the person in from here.",
        "Portal: Entra ID > Sign-in logs > User sign-ins shows which policy, and what it asks for.",
    ),
    *_rows(
        entra_codes.TENANT_UNKNOWN,
        "sso.tenant_unknown",
        "There is no tenant {tenant_id} at {authority}.",
        "An operator of this server checks KEYTURN_SSO_TENANT_ID and KEYTURN_CLOUD. Command: `az account show --query tenantId`.",
    ),
    *_rows(
        ("access_denied", "permission_denied"),
        "sso.access_denied",
        "Entra ID did not let the person in: {words}",
        f"{_AGAIN} If an administrator is needed: {_ADMIN}",
    ),
    *_rows(
        (*entra_codes.THROTTLED, *entra_codes.TEMPORARY),
        "sso.unavailable",
        "Entra ID has a temporary failure.",
        "Try again in a minute. Administrators can sign in with their password meanwhile.",
        ErrorKind.AGAIN,
    ),
)
