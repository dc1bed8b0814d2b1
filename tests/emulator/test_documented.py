"""What Microsoft documents and the emulator does not have is refused, and never answered with a made-up success."""

from __future__ import annotations

from entra_emulator.graph.documented import DOCUMENTED
from entra_emulator.graph.service import routes
from tests.emulator.scene import EmulatorFixture

NOBODY = "00000000-0000-4000-8000-000000000009"


def test_what_is_documented_and_not_here_is_refused_aloud(scene: EmulatorFixture) -> None:
    everything = ("Directory.ReadWrite.All", "Application.ReadWrite.All", "Policy.Read.All", "AuditLog.Read.All")
    caller = scene.application("caller", permissions=everything)
    here = routes("beta")
    absent = 0
    for resource, operations in DOCUMENTED.items():
        for suffix, methods in operations.items():
            path = f"{resource}/{suffix}".rstrip("/")
            for method in (part.partition(":")[0] for part in methods.split("|")):
                if method in here.get(path.lower(), {}):
                    continue
                absent += 1
                answer = scene.graph(caller, method, path.replace("{}", NOBODY), {} if method != "GET" else None)
                assert answer.status in {400, 405}, (method, path, answer.status)
                assert answer.json()["error"]["code"]
    assert absent > 10
    listed = sum(len(methods) for methods in here.values())
    assert listed > 110
