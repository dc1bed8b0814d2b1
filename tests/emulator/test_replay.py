"""The same seed and the same calls give the same history."""

from __future__ import annotations

import random

from entra_emulator import SERVICE_UNAVAILABLE, Emulator, Fault, Settings, SigningKey, VirtualClock
from tests.emulator.scene import EmulatorFixture


def history(seed: int, key: SigningKey) -> list[tuple[object, ...]]:
    clock = VirtualClock()
    emulator = Emulator(clock, seed, signing_key=key)
    settings = Settings(
        replicas=3,
        token_appear=(1, 30),
        graph_appear=(1, 30),
        conflict_window=5,
        conflict_probability=0.5,
        latency=(0, 1),
    )
    scene = EmulatorFixture(emulator, clock, emulator.admin.create_tenant("Contoso", settings=settings))
    emulator.faults.add(Fault("writes", (SERVICE_UNAVAILABLE,), times=None, probability=0.3))
    manager, app = scene.manager(), scene.application()
    moves = random.Random(1)
    answers: list[tuple[object, ...]] = []
    for number in range(60):
        clock.advance(moves.uniform(0, 4))
        response = scene.add_password(manager, app, f"number {number}")
        value = response.json().get("secretText") or "none"
        answers.append((response.status, value, scene.token(app, value).status, tuple(scene.key_ids(manager, app))))
    return answers


def test_the_same_seed_replays_and_another_does_not(signing_key: SigningKey) -> None:
    first = history(3, signing_key)
    assert history(3, signing_key) == first
    assert history(4, signing_key) != first


def test_a_reset_begins_anew(scene: EmulatorFixture) -> None:
    first = scene.emulator.admin.create_application(scene.tenant, "x")
    scene.emulator.admin.reset()
    assert len(scene.emulator.ledger) == 0
    tenant = scene.emulator.admin.create_tenant("Contoso")
    assert tenant == scene.tenant
    assert scene.emulator.admin.create_application(tenant, "x") == first
