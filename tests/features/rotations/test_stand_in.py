"""What is about to be removed helps once more when nothing else signs in; and what was repaired goes on at once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator import SERVICE_UNAVAILABLE, Fault
from keyturn.credentials.domain import State
from keyturn.db.unit import Database
from keyturn.kit.secret import Plaintext
from keyturn_simulation.invariants import check_quiet
from keyturn_simulation.world import World, make_world
from tests.databases import sqlite_database
from tests.features.rotations.applications import make_applications

LONG = timedelta(days=64)
"""Longer than a secret lives that is replaced every 30 days."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with sqlite_database(tmp_path) as database:
        yield make_world(database)


@pytest.mark.parametrize("paused", [False, True])
def test_the_original_that_could_not_be_removed_signs_in_for_a_current_secret_that_has_expired(
    world: World, paused: bool
) -> None:
    (original,) = world.keys()
    world.emulator.faults.add(Fault("removePassword", (SERVICE_UNAVAILABLE,), when="before", times=None))
    connection = world.connect()
    world.settle()
    assert world.states(connection) == [State.REVOKING, State.CURRENT]
    if paused:
        world.change(connection, enabled=False)
    world.clock.advance(LONG.total_seconds())  # all servers were down
    world.emulator.faults.clear()
    world.settle()
    if paused:
        assert original in set(world.keys()), "the last that works is not removed while nobody replaces it"
        assert world.connections.get(world.actor, connection.id).refused_at, (
            "what is stored in the connection has expired"
        )
        world.change(connection, enabled=True)
        world.settle()
    assert world.signs_in(world.current_secret(connection))
    assert original not in set(world.keys())
    assert world.connections.get(world.actor, connection.id).refused_at is None
    check_quiet(world)


def test_a_rotation_goes_on_at_once_when_its_connection_was_repaired(database: Database) -> None:
    scene = make_applications(database, signer_rotates=False)
    world, view = scene.world, scene.create()
    (key_id,) = world.keys()
    world.emulator.admin.remove_secret(world.application.object_id, key_id)
    due = scene.use_cases.get(scene.actor, view.secret_rotation.id).rotation.next_run_at
    assert due is not None
    scene.run_until(due + timedelta(hours=9))
    failed = scene.use_cases.get(scene.actor, view.secret_rotation.id).rotation
    assert failed.paused_until is not None
    assert failed.paused_until - world.clock.now() > timedelta(hours=1), "its next attempt is hours away"
    secret = world.emulator.admin.add_secret(world.application.object_id, "typed by hand")
    typed = world.first_secret(secret=Plaintext(secret.value), key_id=secret.key_id)
    world.change(scene.signer, credentials=typed)
    world.settle(within=timedelta(minutes=5))
    again = scene.use_cases.get(scene.actor, view.secret_rotation.id).rotation
    assert (again.generation, again.paused_until) == (2, None)
