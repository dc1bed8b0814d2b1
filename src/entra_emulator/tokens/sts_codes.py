"""The AADSTS codes that the emulator answers with: their `error`, their HTTP status, and who says so.

The number and the meaning are from the source of each row. The status follows one rule: 400, and 401 where the client has
not proved who it is (RFC 6749, section 5.2). Captures of a live tenant show it for 7000215, 500011, 700038 and 70003, and
https://github.com/dafthack/GraphRunner/issues/28 for 7000222. 405 of 900561 and 503 of 90033 are the exceptions.
"""

from __future__ import annotations

from typing import NamedTuple

_LIST = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
_CAPTURED = (
    "https://github.com/calvinchengx/entra-emulator (e2e/differential/testdata/fixtures: a live tenant, August 2026)"
)
_NAIS = "https://doc.nais.io/security/auth/azure-ad/faq-troubleshooting/"
_MSAL_JS = "https://github.com/AzureAD/microsoft-authentication-library-for-js/issues"
_MSAL_NET = "https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues"
_WORKLOAD = "https://github.com/Azure/azure-workload-identity/issues"
_ID_WEB = "https://github.com/AzureAD/microsoft-identity-web/issues"
ASSUMED = "assumed"


class StsCode(NamedTuple):
    """A row. `source` is ASSUMED where nobody is known who published the code; `assumed` is what the source leaves open."""

    error: str
    status: int
    source: str
    assumed: str = ""


CODES: dict[int, StsCode] = {
    16000: StsCode("interaction_required", 400, _LIST),
    28000: StsCode("invalid_scope", 400, "https://github.com/Earlybyte/aad_oauth/issues/328", "error"),
    50011: StsCode("invalid_request", 400, _LIST, "error"),
    50013: StsCode(
        "invalid_grant", 400, "https://github.com/AzureAD/azure-activedirectory-library-for-dotnet/issues/1234"
    ),
    50020: StsCode("invalid_grant", 400, _LIST, "error"),
    50027: StsCode("invalid_client", 401, f"{_MSAL_NET}/124"),
    50049: StsCode("invalid_instance", 400, _LIST),  # MSAL for Go reads this `error` of an unknown host
    50057: StsCode("invalid_grant", 400, _LIST, "error"),
    50058: StsCode("login_required", 400, _LIST),  # the error for prompt=none: the page v2-oauth2-auth-code-flow
    50059: StsCode("invalid_request", 400, _LIST, "error"),
    50076: StsCode("invalid_grant", 400, _LIST, "error"),
    50105: StsCode("invalid_grant", 400, _NAIS),
    50126: StsCode("invalid_grant", 400, _LIST, "error"),  # no user has a password here
    50147: StsCode("invalid_request", 400, _LIST, "error"),
    50166: StsCode("invalid_request", 400, f"{_WORKLOAD}/642"),
    50173: StsCode("invalid_grant", 400, _LIST),
    50194: StsCode("invalid_request", 400, _LIST, "error"),
    53003: StsCode("invalid_grant", 400, _LIST, "error"),
    54005: StsCode("invalid_grant", 400, _LIST),
    65001: StsCode("invalid_grant", 400, _LIST, "error"),
    65004: StsCode("access_denied", 400, _LIST, "error"),
    70000: StsCode("invalid_grant", 400, _LIST),
    70003: StsCode("unsupported_grant_type", 400, _CAPTURED),
    70007: StsCode("unsupported_response_mode", 400, _LIST, "error"),
    70008: StsCode("invalid_grant", 400, _LIST),
    70011: StsCode("invalid_scope", 400, _LIST),
    70021: StsCode(
        "invalid_client", 401, "https://github.com/external-secrets/external-secrets/issues/2783"
    ),  # 400 invalid_request until about 2022: issue 616 of azure-workload-identity
    70016: StsCode("authorization_pending", 400, _LIST),
    70017: StsCode("authorization_declined", 400, ASSUMED, "all"),
    70018: StsCode("bad_verification_code", 400, _LIST, "error"),
    70019: StsCode("expired_token", 400, _LIST, "error"),
    90002: StsCode(
        "invalid_request", 400, _LIST
    ),  # discovery says invalid_tenant: github.com/panva/openid-client, issue 175
    90023: StsCode("invalid_request", 400, _LIST),
    90033: StsCode("temporarily_unavailable", 503, "https://github.com/Azure/azure-sdk-for-python/issues/14241"),
    90061: StsCode("invalid_request", 400, f"{_WORKLOAD}/605"),
    90094: StsCode("access_denied", 400, _LIST, "error"),
    90100: StsCode("invalid_request", 400, _LIST, "error"),
    240002: StsCode("invalid_request", 400, "https://github.com/microsoft/azure-spring-boot/issues/333"),
    500011: StsCode("invalid_resource", 400, _CAPTURED),
    500112: StsCode("invalid_client", 401, "https://github.com/AzureAD/microsoft-identity-web/issues/461", "error"),
    500113: StsCode(
        "invalid_request", 400, "https://github.com/microsoftgraph/msgraph-sdk-python-core/issues/50", "error"
    ),
    500131: StsCode(
        "invalid_grant",
        400,
        "https://github.com/OfficeDev/microsoft-teams-apps-company-communicator/issues/214",
        "error",
    ),
    500133: StsCode("invalid_grant", 400, "https://github.com/microsoftgraph/msgraph-sdk-dotnet/issues/2551"),
    500341: StsCode("invalid_grant", 400, ASSUMED, "all"),
    501051: StsCode("invalid_grant", 400, _NAIS),
    501481: StsCode("invalid_grant", 400, _LIST),
    501491: StsCode("invalid_request", 400, _LIST, "error"),
    501661: StsCode("invalid_request", 400, "https://github.com/Azure/login/issues/283", "error"),
    650053: StsCode("invalid_client", 400, "https://github.com/MicrosoftDocs/azure-docs/issues/67211"),
    650056: StsCode("invalid_request", 400, _LIST, "error"),
    650057: StsCode("invalid_resource", 400, _LIST),
    700005: StsCode("invalid_grant", 400, _LIST),
    700009: StsCode("invalid_grant", 400, f"{_MSAL_JS}/7728"),
    700016: StsCode("unauthorized_client", 400, _LIST),
    700021: StsCode("invalid_client", 401, ASSUMED, "all"),
    700023: StsCode("invalid_client", 401, f"{_MSAL_NET}/2746"),  # the list has another meaning for this number
    700024: StsCode("invalid_client", 401, "https://github.com/obikuro/Sato/issues/1"),
    700025: StsCode("invalid_client", 401, _LIST),
    700027: StsCode("invalid_client", 401, "https://github.com/Azure/azure-sdk-for-net/issues/29007"),
    700038: StsCode("unauthorized_client", 400, _CAPTURED),
    700051: StsCode("unsupported_response_type", 400, f"{_MSAL_JS}/766"),
    700054: StsCode("unsupported_response_type", 400, _LIST, "error"),
    700082: StsCode("invalid_grant", 400, _LIST),
    700084: StsCode("invalid_grant", 400, _LIST),
    700211: StsCode("invalid_client", 401, "https://github.com/Azure/azure-workload-identity/issues/1200"),
    700212: StsCode("invalid_client", 401, ASSUMED, "all"),
    700213: StsCode("invalid_client", 401, "https://github.com/Azure/login/issues/482", "error"),
    700222: StsCode("invalid_client", 401, f"{_ID_WEB}/2519"),
    700226: StsCode("invalid_client", 401, ASSUMED, "all"),
    700227: StsCode("invalid_client", 401, ASSUMED, "all"),
    700229: StsCode("invalid_client", 401, "https://github.com/MicrosoftDocs/azure-docs/issues/109083", "error"),
    900023: StsCode("invalid_request", 400, "https://github.com/microsoft/Analysis-Services/issues/194"),
    900144: StsCode("invalid_request", 400, _LIST),
    900561: StsCode("invalid_request", 405, _LIST, "status"),
    900612: StsCode("invalid_request", 400, ASSUMED, "all"),
    900971: StsCode("invalid_request", 400, _LIST, "error"),
    7000112: StsCode("unauthorized_client", 400, _LIST),
    7000114: StsCode("unauthorized_client", 400, f"{_MSAL_NET}/2130"),
    7000215: StsCode("invalid_client", 401, _CAPTURED),
    7000218: StsCode("invalid_client", 401, _LIST),
    7000222: StsCode("invalid_client", 401, "https://github.com/dafthack/GraphRunner/issues/28"),
    7000272: StsCode("invalid_client", 401, f"{_WORKLOAD}/1232"),
    9000411: StsCode("invalid_request", 400, "https://github.com/MicrosoftDocs/azure-dev-docs/issues/934"),
    9002313: StsCode("invalid_grant", 400, _LIST, "error"),
    9002325: StsCode("invalid_request", 400, "https://github.com/microsoftgraph/msgraph-sdk-php/issues/1057"),
    9002326: StsCode("invalid_request", 400, "https://github.com/umijs/umi-request/issues/299"),
    9002327: StsCode("invalid_request", 400, "https://github.com/sidebase/nuxt-auth/issues/301"),
}

WITH_URI = frozenset({7000215, 500011, 90002, 9002313, 700082})
"""Codes with an `error_uri`. The captures show it for 7000215 and 500011, and that 700038 and 70003 have none;
https://github.com/microsoftgraph/windowsupdates-webapplication-sample/issues/6 shows it, too. 9002313 and 700082 are assumed.
"""
SUB_ERRORS = {50076: "basic_action", 50173: "bad_token", 65001: "consent_required", 700082: "bad_token"}
"""The member `suberror`, which MSAL for Go reads (OAuthResponseBase); which code has which is assumed."""
