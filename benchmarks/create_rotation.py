"""How much longer a secret rotation takes to create than the protocol needs: what the server adds to the answers of Entra.

Beside what the clock shows stand the processor time that the server used for it, which other work on the machine does not
change, and how long one flush of the disk takes: some fifteen commits are waited for one after the other.

The protocol needs the calls to Entra, each 0.1 s here, and the pauses between the sign-ins that prove a new secret, which are
those of a server that is not told otherwise. A genuine server is asked over HTTP, by one client, again and again.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measured import Measured
from benchmarks.pages import database
from benchmarks.secrets import flush_seconds
from entra_emulator import Settings
from keyturn.connections.domain import Connection, NewConnection
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.client_secret import ClientSecret
from tests.system.installation import ROOT, Installation, installation

CREATED, LIMIT = 5, 150
LATENCY = 0.1
ROTATIONS = "/api/v2/secret-rotations/azure-client-secret"


def measure(kind: str) -> Measured:
    """Create some, one after the other, and return one line about what the server added to each."""
    with (
        tempfile.TemporaryDirectory() as folder,
        database(kind) as where,
        installation(Path(folder), settings=Settings(), database_url=where.get("DB_CONNECTION_URI")) as place,
        _server(place) as (http, pid),
    ):
        project_id = _posted(http, "/api/v1/projects", {"projectName": "Shop", "slug": "shop"})["project"]["id"]
        signer = _signer(place)
        place.emulator.admin.configure(place.tenant_id, latency=(LATENCY, LATENCY))
        _create(place, http, project_id, signer, 0)  # meets a server that has done nothing yet
        used = _processor_time(pid)
        found = [_create(place, http, project_id, signer, number) for number in range(1, 1 + CREATED)]
        used = (_processor_time(pid) - used) / CREATED
    added = [1000 * (each.took - each.needed) for each in found]
    line = (
        f"create of a secret rotation on {kind}: {statistics.median(each.took for each in found):.1f} s (median), of which the "
        f"protocol needs {statistics.median(each.needed for each in found):.1f} s; the server adds "
        f"{statistics.median(added):.0f} ms (median), {max(added):.0f} ms at worst (limit {LIMIT} ms for the median); of the "
        f"processor it uses {1000 * used:.0f} ms; one flush of the disk takes {1000 * flush_seconds():.1f} ms"
    )
    return Measured(line, statistics.median(added) <= LIMIT)


@dataclass(frozen=True)
class Creation:
    """Seconds: of the request as a whole, and of what the protocol needs."""

    took: float
    needed: float


def _create(place: Installation, http: httpx.Client, project_id: str, signer: Connection, number: int) -> Creation:
    target = place.emulator.admin.create_application(place.tenant_id, f"target-{number}", secrets=0)
    body = {
        "name": f"target-{number}",
        "projectId": project_id,
        "connectionId": signer.id,
        "environment": "prod",
        "secretPath": "/",
        "rotationInterval": 30,
        "rotateAtUtc": {"hours": 0, "minutes": 0},
        "parameters": {"objectId": target.object_id, "clientId": target.app_id},
        "secretsMapping": {"clientId": f"ID_{number}", "clientSecret": f"SECRET_{number}"},
    }
    before, began = len(place.emulator.ledger), time.perf_counter()
    _posted(http, ROTATIONS, body)
    took = time.perf_counter() - began
    calls = list(place.emulator.ledger)[before:]
    made = next(call for call in calls if call.operation == "addPassword")
    proofs = [call for call in calls if call.operation == "token" and call.auth_key_id == made.key_id]
    pauses = (len(proofs) - 1) * place.core.settings.pace.proof_spacing.total_seconds()
    until_proven = [call for call in calls if call.started <= proofs[-1].started]
    return Creation(took, sum(call.ended - call.started for call in until_proven) + pauses)


def _signer(place: Installation) -> Connection:
    """A connection that does not rotate itself and may write every application."""
    application = place.application("signer", "Application.ReadWrite.All")
    first = application.secrets[0]
    credentials = ClientSecret(place.tenant_id, application.app_id, Plaintext(first.value), first.key_id)
    return place.rotations.create(place.actor, NewConnection("signer", credentials), None)


def _posted(http: httpx.Client, path: str, body: object) -> Any:
    return http.post(path, json=body).raise_for_status().json()


def _processor_time(pid: int) -> float:
    """Return how many seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _server(place: Installation) -> Iterator[tuple[httpx.Client, int]]:
    """A client of the genuine ``keyturn serve``, and the id of its process."""
    command = [sys.executable, "-m", "keyturn", "serve", "--port", "0"]
    with (
        (place.folder / "server.log").open("wb") as log,
        subprocess.Popen(command, env=place.environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as child,
    ):
        try:
            assert child.stdout is not None
            url = next(word for word in child.stdout.readline().split() if word.startswith("http://"))
            with httpx.Client(
                base_url=url, headers={"authorization": f"Bearer {place.token}"}, trust_env=False, timeout=120
            ) as http:
                yield http, child.pid
        finally:
            child.terminate()
