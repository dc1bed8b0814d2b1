"""How Azure Key Vault refuses.

Sources: https://learn.microsoft.com/azure/key-vault/general/rest-error-codes (the envelope, 401, 403 and 429),
https://github.com/Azure/azure-sdk-for-python/issues/45342 (a disabled key wraps and does not unwrap: KeyDisabled),
https://learn.microsoft.com/rest/api/keyvault/keys/ (statuses). The wording of 400 is assumed.
"""

from __future__ import annotations

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import Tenant
from entra_emulator.directory.hosts import LOGIN, login_at
from entra_emulator.directory.replies import retry_after
from entra_emulator.directory.world import Call
from entra_emulator.faults.faults import Effect

RESOURCE = "https://vault.azure.net"
DOMAIN = ".vault.azure.net"
JSON = (
    ("Content-Type", "application/json; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    ("x-ms-keyvault-region", "westeurope"),
)


class VaultError(Exception):
    """A refusal; `inner` is the more precise code, `headers` are added to the answer's own."""

    def __init__(
        self, status: int, code: str, message: str, inner: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.inner, self.headers = status, code, inner, headers


def answer(call: Call, refusal: VaultError) -> Response:
    """The refusal on the wire."""
    call.entry.error = refusal.inner or refusal.code
    error: dict[str, object] = {"code": refusal.code, "message": str(refusal)}
    if refusal.inner:
        error["innererror"] = {"code": refusal.inner}
    headers = (*JSON, ("x-ms-request-id", call.request_id), *refusal.headers)
    return Response(refusal.status, headers, json_body({"error": error}))


def faulty(call: Call, effect: Effect) -> Response:
    """The answer of a scripted fault."""
    waits = () if effect.retry_after is None else (retry_after(call, effect.retry_after),)
    return answer(call, VaultError(effect.status, effect.code or "InternalServerError", effect.message, "", waits))


def unauthenticated(call: Call, tenant: Tenant, text: str) -> VaultError:
    """401 with the challenge that says where tokens for this vault come from, and for what they are asked."""
    login = LOGIN if call.host.lower().endswith(DOMAIN) else login_at(call.host)
    challenge = f'Bearer authorization="{login}/{tenant.id}", resource="{RESOURCE}"'
    return VaultError(401, "Unauthorized", text, "", (("WWW-Authenticate", challenge),))


def unknown_key(name: str) -> VaultError:
    text = (
        f"A key with (name/id) {name[:200]} was not found in this key vault. If you recently deleted this key you may be able "
        "to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182"
    )
    return VaultError(404, "KeyNotFound", text)


def bad(text: str) -> VaultError:
    return VaultError(400, "BadParameter", text)


def not_here(what: str) -> VaultError:
    """What Key Vault has and this emulator does not: refused, never answered with a made-up success."""
    return VaultError(400, "BadParameter", f"entra-emulator does not have {what} of Key Vault.", "NotEmulated")


def forbidden(call: Call, permission: str, vault: str) -> VaultError:
    text = (
        f"The user, group or application 'appid={call.entry.caller};oid={call.caller_oid}' does not have keys {permission} "
        f"permission on key vault '{vault};location=westeurope'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"
    )
    return VaultError(403, "Forbidden", text, "AccessDenied")


def disabled(operation: str) -> VaultError:
    return VaultError(403, "Forbidden", f"Operation {operation} is not allowed on a disabled key.", "KeyDisabled")


def throttled() -> VaultError:
    text = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    return VaultError(429, "Throttled", text)
