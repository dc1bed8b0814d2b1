"""A local Entra ID with an application, and an administrator who connects and rotates it at a server that runs elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from entra_emulator import Emulator, SystemClock
from entra_emulator.admin.admin import ApplicationHandle
from entra_emulator.server.server import Running, run_in_thread

CONNECTIONS = "/api/v1/app-connections/azure-client-secrets"
PASSWORD = "vellum-orbit-pickle-94"
BODY = {"email": "ada@example.com", "password": PASSWORD, "organization": "Contoso"}
PACE = {"KEYTURN_PROOF_SPACING": "0.05", "KEYTURN_CONFIRM_SPACING": "0.1", "KEYTURN_FIND_EVERY": "0.1"}
PATIENCE = 60.0


@dataclass
class Entra:
    emulator: Emulator
    running: Running
    tenant: str
    ca_file: Path

    @property
    def environ(self) -> dict[str, str]:
        """What a server needs to take this for Microsoft's. The path of the certificate is that of this machine."""
        return {
            "KEYTURN_AUTHORITY": self.running.authority,
            "KEYTURN_GRAPH": self.running.authority,
            "KEYTURN_CA_FILE": str(self.ca_file),
            **PACE,
        }

    def application(self, name: str) -> ApplicationHandle:
        return self.emulator.admin.create_application(
            self.tenant, name, permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True
        )

    def keys(self, application: ApplicationHandle) -> set[str]:
        """Return the key ids of the application's secrets."""
        return {secret.key_id for secret in self.emulator.admin.secrets(application.object_id)}


@contextmanager
def local_entra(folder: Path) -> Iterator[Entra]:
    emulator = Emulator(SystemClock(), 1)
    tenant = emulator.admin.create_tenant("Contoso")
    ca_file = folder / "entra-ca.pem"
    with run_in_thread(emulator, ca_file=ca_file) as running:
        ca_file.chmod(0o644)
        yield Entra(emulator, running, tenant, ca_file)


@dataclass
class Admin:
    """Asks the server over HTTP; every answer has to be 200."""

    url: str
    token: str = field(repr=False)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = httpx2.request(method, self.url + path, json=body, headers=headers, timeout=PATIENCE, trust_env=False)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def connect(self, entra: Entra, application: ApplicationHandle, name: str, *, rotate: bool = True) -> str:
        """Make a connection, and return its id. If it rotates, its first run is due at once."""
        first = application.secrets[0]
        schedule = {"rotationInterval": 30, "rotateAtUtc": {"hours": 2, "minutes": 15}}
        rotation = {"isAutoRotationEnabled": True, "rotation": schedule}
        body = {
            "name": name,
            "method": "client-secret",
            **(rotation if rotate else {}),
            "credentials": {
                "tenantId": entra.tenant,
                "clientId": application.app_id,
                "clientSecret": first.value,
                "clientSecretKeyId": first.key_id,
            },
        }
        made: str = self.api("POST", CONNECTIONS, body)["appConnection"]["id"]
        return made

    def rotate(self, connection: str) -> None:
        self.api("POST", f"{CONNECTIONS}/{connection}/rotate-credentials")

    def runs(self, connection: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.api("GET", f"{CONNECTIONS}/{connection}/rotation-runs")["rotationRuns"]
        return shown

    def finished(self, connection: str) -> int:
        """Return how many runs have succeeded."""
        return sum(run["state"] == "succeeded" for run in self.runs(connection))


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until it holds: others are at work. Raises AssertionError when it does not in so many seconds."""
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over, f"waited in vain until {what}"
        time.sleep(0.1)
