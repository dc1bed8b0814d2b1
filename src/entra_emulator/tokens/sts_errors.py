"""Refusals of the token endpoint, in Entra's shape.

The texts follow what the public documentation and public issue threads quote, because tools match parts of them: azure-cli
2.91.0 prints a hint for 7000215 (azure-cli-core, auth/util.py). Who says what of each code: `sts_codes`.
"""

from __future__ import annotations

from entra_emulator.core.clock import sts_time
from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import Application, new_guid
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_codes import CODES, SUB_ERRORS, WITH_URI


class StsError(Exception):
    """A refusal: the number, its text without the number, and where needed another `error` than usual."""

    def __init__(self, code: int, text: str, error: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        entry = CODES.get(code)  # a fault may answer with any number
        self.status = entry.status if entry else 400
        self.error = error or (entry.error if entry else "invalid_request")


def missing(field: str) -> StsError:
    """A form field is not there."""
    return StsError(900144, f"The request body must contain the following parameter: '{field}'.")


def wrong_secret(app_id: str) -> StsError:
    """The value is not one of the application's secrets. The same text whether a key id was sent or nonsense."""
    return StsError(
        7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
        f"not the client secret ID, for a secret added to app '{app_id}'.",
    )


def expired_secret(app_id: str) -> StsError:
    """The secret has expired, or the replica knows expired ones only.

    Source of the second case: https://github.com/Azure-Samples/active-directory-dotnetcore-daemon-v2/issues/87.
    """
    return StsError(
        7000222,
        f"The provided client secret keys for app '{app_id}' are expired. Visit the Azure portal to create new keys "
        "for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
        "https://aka.ms/certCreds.",
    )


def unknown_application(app_id: str, tenant: str) -> StsError:
    """The tenant has no service principal for this app id, or not yet.

    Source of the second case: https://github.com/hashicorp/vault-plugin-secrets-azure/issues/26.
    """
    return StsError(
        700016,
        f"Application with identifier '{app_id}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    )


def unknown_tenant(name: str, error: str | None = None) -> StsError:
    """No such tenant in this cloud. Source: https://github.com/Azure/azure-cli/issues/22145."""
    return StsError(
        90002,
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
        error,
    )


def bad_tenant(name: str) -> StsError:
    """The tenant segment is neither a GUID nor a domain name."""
    return StsError(
        900023,
        f"Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid external domain.",
    )


def unknown_resource(name: str, tenant: str) -> StsError:
    """The tenant has no service principal for the resource in the scope."""
    return StsError(
        500011,
        f"The resource principal named {name} was not found in the tenant named {tenant}. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You might have sent your authentication request to the wrong tenant.",
    )


def key_problem(reason: str, thumbprint: str, app_id: str) -> StsError:
    """The certificate that signed the assertion is not one of the application's valid ones.

    Source of the text in brackets: https://github.com/Azure/azure-sdk-for-net/issues/29007.
    """
    return StsError(
        700027,
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        f"[Reason - {reason}, Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph "
        f"Explorer or directly use MS Graph to see configured keys for app Id '{app_id}'.]",
    )


def not_consented(application: Application, error: str | None = None) -> StsError:
    """Nobody has consented to the delegated permissions that are asked for, or the replica does not know it yet.

    Source of the second case, some 30 seconds long:
    https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/2612.
    """
    return StsError(
        65001,
        f"The user or administrator has not consented to use the application with ID '{application.app_id}' named "
        f"'{application.display_name}'. Send an interactive authorization request for this user and resource.",
        error,
    )


def answer(call: Call, refusal: StsError) -> Response:
    """The refusal as an answer.

    Source of the members and the form of `timestamp`: https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
    """
    call.entry.error = str(refusal.code)
    trace = call.request_id
    correlation = correlation_id(call)
    stamp = sts_time(call.local_now)
    body: dict[str, object] = {
        "error": refusal.error,
        "error_description": described(refusal, trace, correlation, stamp),
        "error_codes": [refusal.code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    body |= error_uri(call, refusal)
    if refusal.code in SUB_ERRORS:
        body["suberror"] = SUB_ERRORS[refusal.code]
    return Response(refusal.status, headers(call), json_body(body))


def error_uri(call: Call, refusal: StsError) -> dict[str, str]:
    """The member `error_uri`, for the codes that Entra gives one."""
    return {"error_uri": f"{call.host}/error?code={refusal.code}"} if refusal.code in WITH_URI else {}


def described(refusal: StsError, trace: str, correlation: str, stamp: str) -> str:
    """The text of `error_description`.

    Blanks stand between its parts in captures of a live tenant of August 2026; until about 2023 it was CR and LF
    (https://github.com/Azure/azure-cli/issues/22145).
    """
    return f"AADSTS{refusal.code}: {refusal.text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"


def correlation_id(call: Call) -> str:
    """The caller's own request id, or a new one. That it comes back is assumed; MSAL for Python sends one."""
    return call.headers.get("client-request-id") or new_guid(call.world.rng)


def headers(call: Call, kind: str = "application/json; charset=utf-8") -> tuple[tuple[str, str], ...]:
    """The headers of every answer of the token endpoint.

    No-store: RFC 6749, section 5.1. `x-ms-request-id` is the trace id; the other x-ms headers are assumed.
    """
    return (
        ("Cache-Control", "no-store, no-cache"),
        ("Pragma", "no-cache"),
        ("Content-Type", kind),
        ("Expires", "-1"),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
        ("x-ms-request-id", call.request_id),
        ("x-ms-ests-server", "2.1.0 - EMULATOR ProdSlices"),
        ("x-ms-httpver", "1.1"),
    )
