"""The server of HashiCorp Vault with its Azure secrets engine, unmodified, by the real names: a variable names the binary."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from entra_emulator.pytest_plugin import Entra, entra, entra_signing_key
from tests.emulator.given_programs import Observer, given_program
from tests.emulator.real_names import real_names
from tests.ports import free_port

__all__ = ["entra", "entra_signing_key"]

pytestmark = [pytest.mark.client, pytest.mark.compiled, pytest.mark.timeout(900)]

BINARY = "ENTRA_TEST_VAULT"
PLAYED = "leases of its Azure secrets engine, their renewal and revocation, and the rotation of the engine's own secret"
ROOT_TOKEN = "root"
NOBODY, REMOVED = "AADSTS700016", "AADSTS7000215"


@dataclass(frozen=True)
class Vault:
    """A server in its development mode, with the engine at `azure`."""

    http: httpx.Client

    def ask(self, method: str, path: str, **data: Any) -> dict[str, Any]:
        answer = self.http.request(method, f"/v1/{path}", json=data or None)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body


def until(condition: Callable[[], bool], otherwise: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.2)


@pytest.fixture
def vault(entra: Entra, tmp_path: Path) -> Iterator[Vault]:
    binary, port = given_program(BINARY, PLAYED), free_port()
    address = f"http://127.0.0.1:{port}"
    options = [
        "-dev",
        "-dev-no-store-token",
        f"-dev-root-token-id={ROOT_TOKEN}",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    log = tmp_path / "vault.log"
    with real_names(entra.running.port) as proxy, log.open("w") as sink:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}  # none of AZURE_*, which the engine prefers
        environment |= {"HTTPS_PROXY": proxy, "SSL_CERT_FILE": entra.ca_file}
        with subprocess.Popen([binary, "server", *options], env=environment, stdout=sink, stderr=sink) as server:
            headers = {"X-Vault-Token": ROOT_TOKEN}
            with httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=60) as http:
                try:
                    until(lambda: is_ready(http, server, log), "Vault does not answer", 60)
                    yield Vault(http)
                finally:
                    server.terminate()


def is_ready(http: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether the server is unsealed and has its root token. Fails the test where it ended instead."""
    assert server.poll() is None, log.read_text()
    try:
        return http.get("/v1/auth/token/lookup-self").is_success
    except httpx.TransportError:
        return False


def lease(vault: Vault, observer: Observer, role: str) -> tuple[str, str]:
    """Read credentials of a role, renew and use them, and revoke them; gives them."""
    leased = vault.ask("GET", f"azure/creds/{role}")
    client_id, secret = leased["data"]["client_id"], leased["data"]["client_secret"]
    renewed = vault.ask("PUT", "sys/leases/renew", lease_id=leased["lease_id"], increment=600)
    assert renewed["lease_duration"] == 600
    assert not observer.refusal(client_id, secret)
    vault.ask("PUT", "sys/leases/revoke", lease_id=leased["lease_id"], sync=True)
    return client_id, secret


def test_vault_leases_renews_and_revokes_secrets_and_replaces_its_own(entra: Entra, vault: Vault) -> None:
    admin, observer = entra.admin, Observer(entra)
    admin.grant(entra.application.principal_id, "Application.ReadWrite.All")
    subscription = admin.create_subscription(entra.tenant_id, "Works", owners=(entra.application.principal_id,))
    target = admin.create_application(entra.tenant_id, "target", secrets=0)
    vault.ask("POST", "sys/mounts/azure", type="azure")
    own = {"tenant_id": entra.tenant_id, "client_id": entra.client_id, "client_secret": entra.client_secret}
    vault.ask("POST", "azure/config", subscription_id=subscription, **own)

    vault.ask("POST", "azure/roles/there", application_object_id=target.object_id, ttl="1h")
    assert observer.refusal(*lease(vault, observer, "there")) == REMOVED
    assert not admin.secrets(target.object_id)
    reader = f'[{{"role_name": "Reader", "scope": "/subscriptions/{subscription}"}}]'
    vault.ask("POST", "azure/roles/made", azure_roles=reader, ttl="1h")
    assert observer.refusal(*lease(vault, observer, "made")) == NOBODY

    [before] = admin.secrets(entra.client_id)
    vault.ask("POST", "azure/rotate-root")
    [following] = [secret for secret in admin.secrets(entra.client_id) if secret != before]
    # the engine removes the old one by itself, when the new one is a minute old
    until(lambda: admin.secrets(entra.client_id) == [following], "the old secret of the engine is never removed", 200)
    assert observer.refusal(entra.client_id, before.value) == REMOVED
    assert observer.refusal(*lease(vault, observer, "there")) == REMOVED
    assert not admin.secrets(target.object_id)
