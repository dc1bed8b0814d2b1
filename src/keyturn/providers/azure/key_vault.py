"""``ports.KeyVault`` by the REST API of Azure Key Vault: a root key is wrapped and unwrapped by an RSA key of a vault.

Sources: https://learn.microsoft.com/rest/api/keyvault/keys/wrap-key and .../unwrap-key (api-version 2025-07-01),
https://learn.microsoft.com/azure/key-vault/general/rest-error-codes and .../authentication-requests-and-responses (challenge).
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from keyturn.errors import NeedsAction, Retryable, Upstream
from keyturn.kit.retry_after import retry_after
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.ports.key_vault import VaultKeyFacts, WrappedRoot
from keyturn.providers.azure.responses import json_object

API_VERSION = "2025-07-01"
ALGORITHM = "RSA-OAEP-256"
TIMEOUT = timedelta(seconds=10)
_VERSION = re.compile(r"/[0-9a-f]{32}\Z")
_TENANT = re.compile(r'authorization="?https://[^/"]+/([0-9a-fA-F-]{36})')
_HSM = ".managedhsm."
_ROLE = "Key Vault Crypto Service Encryption User"


def resource_of(key: str) -> str:
    """Return what a token for the vault of this key is asked for: its own service, in whichever cloud that is."""
    host = urlsplit(key).hostname or ""
    for domain in ("vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net"):
        if host.endswith(f".{domain}"):
            return f"https://{domain}"
    if _HSM in host:
        return f"https://{host.partition('.')[2]}"
    return "https://vault.azure.net"


class AzureVaultKey:
    """One key, by its address ``https://<vault>/keys/<name>`` without a version. Each call signs in anew; nothing is kept."""

    def __init__(
        self, key: str, sign_in: Callable[[], Plaintext], transport: Transport, clock: Clock, tenant_id: str = ""
    ) -> None:
        """``sign_in`` returns an access token for the vault, or raises Upstream; ``tenant_id`` is where it signs in, if known."""
        self._key = key
        self._sign_in = sign_in
        self._transport = transport
        self._clock = clock
        self._tenant_id = tenant_id

    @property
    def name(self) -> str:
        return self._key

    def holds(self, key_id: str) -> bool:
        return key_id.lower().startswith(f"{self._key.lower()}/") and _VERSION.search(key_id.lower()) is not None

    def wrap(self, root: bytes) -> WrappedRoot:
        body = self._ask("POST", f"{self._key}/wrapkey", {"alg": ALGORITHM, "value": _to_text(root)})
        key_id, value = body.get("kid"), body.get("value")
        if not isinstance(key_id, str) or not isinstance(value, str) or not self.holds(key_id):
            raise self._unreadable()
        return WrappedRoot(key_id, value)

    def unwrap(self, wrapped: WrappedRoot) -> bytes:
        if not self.holds(wrapped.key_id):  # or whoever can write to the database could have the token sent to them
            raise NeedsAction(
                f"The root key was wrapped by {wrapped.key_id[:300]!a}, which is no version of {self._key}.",
                code="vault.other_key",
                fix="Name that key in KEYTURN_KEY_VAULT_KEY; several are separated by spaces, the one for new root keys first.",
            )
        body = self._ask("POST", f"{wrapped.key_id}/unwrapkey", {"alg": ALGORITHM, "value": wrapped.value})
        root = _from_text(body.get("value"))
        if root is None:
            raise self._unreadable()
        return root

    def look(self) -> VaultKeyFacts:
        body = self._ask("GET", self._key)
        key, attributes = _part(body, "key"), _part(body, "attributes")
        level, ends = str(attributes.get("recoveryLevel", "")), attributes.get("exp")
        key_id = key.get("kid")
        if not isinstance(key_id, str):
            raise self._unreadable()
        return VaultKeyFacts(
            key_id,
            attributes.get("enabled") is not False,
            "Recoverable" in level,
            "Purgeable" not in level,
            datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) else None,
        )

    def _ask(self, method: str, url: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        outcome = self._send(method, url, body)
        if isinstance(outcome, Upstream):
            raise outcome  # raised here, where no frame below is alive: they hold the token
        answer = json_object(outcome.body)
        if outcome.status == 200 and answer is not None:
            return answer
        raise self._refusal(outcome, answer or {})

    def _send(self, method: str, url: str, body: Mapping[str, str] | None) -> HttpResponse | Upstream:
        try:
            token = self._sign_in()
        except Upstream as error:
            return error.with_traceback(None)
        headers = {"authorization": f"Bearer {token.reveal()}", "accept": "application/json"}
        data = b"" if body is None else json.dumps(body).encode()
        if data:
            headers["content-type"] = "application/json"
        try:
            request = HttpRequest(method, f"{url}?api-version={API_VERSION}", headers, data, TIMEOUT)
            return self._transport.send(request)
        except TransportFailed as failure:
            return Retryable(
                f"Key Vault does not answer at {urlsplit(url).netloc}: {failure}.",
                code="vault.unreachable",
                fix="Check that this server reaches the vault: its firewall, private endpoint and DNS, and HTTPS_PROXY.",
            )

    def _refusal(self, response: HttpResponse, body: Mapping[str, Any]) -> Upstream:
        error = _part(body, "error")
        code = str(error.get("code", ""))[:100]
        inner = str(_part(error, "innererror").get("code", ""))[:100]
        request_id = response.headers.get("x-ms-request-id", "")[:100] or None
        if response.status == 429 or response.status >= 500:
            return Retryable(
                f"Key Vault answers with status {response.status} ({code or 'no code'}).",
                code="vault.unavailable",
                fix="It is tried again. If it goes on, look at the vault's metrics and at Azure's status.",
                request_id=request_id,
                retry_after=retry_after(response.headers, self._clock.now()),
            )
        refused = (
            self._signed_in_wrongly(response)
            if response.status == 401
            else self._denied(response.status, inner or code)
        )
        return NeedsAction(refused.message, code=refused.code, fix=refused.fix, request_id=request_id)

    def _signed_in_wrongly(self, response: HttpResponse) -> NeedsAction:
        found = _TENANT.search(response.headers.get("www-authenticate", ""))
        other = found is not None and self._tenant_id and found.group(1).lower() != self._tenant_id.lower()
        return NeedsAction(
            f"Key Vault at {urlsplit(self._key).netloc} does not accept this server's sign-in.",
            code="vault.sign_in_refused",
            fix=f"The vault belongs to tenant {found.group(1)}: sign in there (KEYTURN_KEY_VAULT_TENANT_ID)."
            if found and other
            else "Check the identity that the settings KEYTURN_KEY_VAULT_... name, and that this server's clock is right.",
        )

    def _denied(self, status: int, why: str) -> NeedsAction:
        vault, name = (urlsplit(self._key).hostname or "").partition(".")[0], self._key.rpartition("/")[2]
        if why == "KeyDisabled":
            return NeedsAction(
                f"The version of {self._key} that wraps the root key is disabled.",
                code="vault.key_disabled",
                fix=f"Enable it: az keyvault key set-attributes --vault-name {vault} --name {name} --enabled true",
            )
        if status == 403:
            return NeedsAction(
                f"This server may not use {self._key} ({why or 'Forbidden'}).",
                code="vault.forbidden",
                fix=f'Give the identity of this server the role "{_ROLE}" on the key, or let its network through the firewall of '
                "the vault; a new role may take ten minutes.",
            )
        if status == 404:
            return NeedsAction(
                f"The key vault has no {self._key}, or not the version that wraps the root key.",
                code="vault.key_missing",
                fix="Check KEYTURN_KEY_VAULT_KEY. A deleted key can be recovered for a while: "
                f"az keyvault key recover --vault-name {vault} --name {name}",
            )
        return NeedsAction(
            f"Key Vault refuses with status {status} ({why or 'no code'}).",
            code="vault.refused",
            fix="The key must be an RSA key that may wrapKey and unwrapKey; a wrapped root key that was changed is not opened.",
        )

    def _unreadable(self) -> NeedsAction:
        return NeedsAction(
            f"What answers as {self._key} is no Key Vault: its answer has not the form of one.",
            code="vault.unreadable",
            fix="Check KEYTURN_KEY_VAULT_KEY, which is the Key Identifier that the vault shows, as https://contoso.vault.azure.net/keys/keyturn.",
        )


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_text(text: object) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
