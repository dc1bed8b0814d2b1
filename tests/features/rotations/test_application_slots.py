"""An application that holds two secrets and does: its next run waits for one of them to go, without asking all the time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator import SERVICE_UNAVAILABLE, Fault
from keyturn.credentials.domain import State
from tests.databases import sqlite_database
from tests.features.rotations.applications import Applications, make_applications

TWO_SLOTS = "AzureADandPersonalMicrosoftAccount"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        scene.application = scene.other_application("Two slots", audience=TWO_SLOTS)
        yield scene


def test_a_run_waits_for_a_removal_that_failed_without_asking_all_the_time_until_somebody_asks_again(
    scene: Applications,
) -> None:
    view, emulator = scene.create(overlap="12h"), scene.world.emulator
    scene.rotate(view)
    scene.run_for(timedelta(hours=11))
    assert len(scene.keys()) == 2

    emulator.faults.add(Fault("removePassword", (SERVICE_UNAVAILABLE,), when="before", times=None))
    scene.run_for(timedelta(days=2))
    [previous] = [row for row in scene.journal() if row.state is State.REVOKING]
    assert previous.tries > 3

    def answers_within(time: timedelta) -> int:
        before = len(emulator.ledger.query(operation="token"))
        scene.run_for(time)
        return len(emulator.ledger.query(operation="token")) - before

    scene.use_cases.rotate(scene.actor, view.secret_rotation.id, leaked=False)
    assert answers_within(timedelta(minutes=20)) <= 5
    assert previous.key_id in set(scene.keys())
    emulator.faults.clear()
    assert answers_within(timedelta(minutes=20)) == 0

    # Whoever mended it does not wait for the next attempt, hours later: a run that is asked for again has them made at once.
    scene.use_cases.rotate(scene.actor, view.secret_rotation.id, leaked=False)
    assert answers_within(timedelta(minutes=2)) <= 8
    assert len(scene.keys()) == 2
    assert previous.key_id not in set(scene.keys())
    assert scene.works(scene.read())
