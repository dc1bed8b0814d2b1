"""Forty creations wait for a slow Entra: others are answered meanwhile, and a refusal says when to come again."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from entra_emulator.admin.admin import ApplicationHandle
from entra_emulator.faults.faults import Fault, slow
from tests.system.installation import Installation, installation
from tests.system.test_streams import LONGEST_ANSWER, PATIENCE, Served, serving

SLOWNESS = 8.0
"""Seconds that each sign-in at Entra takes: more than the longest answer that is waited for below."""
CREATIONS = 40


@dataclass
class Flood:
    """Creations of connections, all at once."""

    served: Served
    body: bytes
    responses: list[tuple[int, str | None]] = field(default_factory=list)

    def create(self, number: int) -> None:
        asking = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=PATIENCE)
        headers = {"authorization": f"Bearer {self.served.token}", "content-type": "application/json"}
        body = self.body.replace(b"NUMBER", str(number).encode())
        asking.request("POST", "/api/v1/app-connections/azure-client-secrets", body=body, headers=headers)
        response = asking.getresponse()
        response.read()
        self.responses.append((response.status, response.headers["retry-after"]))
        asking.close()


def creation(place: Installation, application: ApplicationHandle) -> bytes:
    credentials = {
        "tenantId": place.tenant_id,
        "clientId": application.app_id,
        "clientSecret": application.secrets[0].value,
    }
    return json.dumps({"name": "flood-NUMBER", "method": "client-secret", "credentials": credentials}).encode()


def health(port: int) -> tuple[int, float]:
    """Ask whether the process lives; return status and seconds."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    began = time.monotonic()
    asking.request("GET", "/healthz")
    response = asking.getresponse()
    response.read()
    asking.close()
    return response.status, time.monotonic() - began


def test_forty_creations_at_a_slow_entra_leave_health_and_lists_quick(tmp_path: Path) -> None:
    with installation(tmp_path) as place, serving(place) as served:
        application = place.application("Slow")
        place.emulator.faults.add(Fault("token", (slow(SLOWNESS),), times=None))
        flood = Flood(served, creation(place, application))
        threads = [threading.Thread(target=flood.create, args=(number,)) for number in range(CREATIONS)]
        for thread in threads:
            thread.start()
        answers, began = [], time.monotonic()
        while time.monotonic() - began < SLOWNESS / 2:
            answers += [served.ask(), health(served.port)]
            time.sleep(0.1)
        waiting = CREATIONS - len(flood.responses)
        for thread in threads:
            thread.join(timeout=PATIENCE)

    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < LONGEST_ANSWER
    assert waiting, "nobody waited for Entra while the others were asked"
    accepted = [status for status, _ in flood.responses if status < 300]
    refused = [(status, after) for status, after in flood.responses if status >= 300]
    assert accepted
    assert {status for status, _ in refused} == {503}
    assert all(after and after.isdecimal() for _, after in refused)
