"""The main story: take a secret over, prove a new one, publish it, revoke the original, and again on schedule."""

from datetime import timedelta

import pytest

from keyturn.credentials.domain import State
from keyturn.db.unit import Database
from keyturn.rotations.domain import StepName
from keyturn.rotations.protocol import Step
from keyturn_simulation.world import World, make_world


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def test_enabling_replaces_the_original_and_revokes_it(world: World) -> None:
    original = world.first_secret().secret
    connection = world.connect()
    assert world.signs_in(original)

    world.settle()

    assert world.states(connection) == [State.REVOKED, State.CURRENT]
    old, new = world.journal(connection)
    assert set(world.keys()) == {new.key_id}
    assert world.keys()[new.key_id].startswith("keyturn prod-entra g1 ")
    assert not world.signs_in(original)
    assert world.signs_in(world.current_secret(connection))
    assert old.adopted
    assert old.value is None


def test_a_page_that_follows_a_rotation_follows_it_until_the_original_is_gone(world: World) -> None:
    connection = world.connect()
    followed: list[tuple[StepName, bool, bool]] = []

    def look(_rotation_id: str, step: Step) -> None:
        records = world.services.history.of(world.actor, connection.id)
        _, busy = world.services.history.progress(world.actor, connection.id)
        followed.append((step.name, busy, records.busy))

    world.watcher = look
    world.settle()

    missed = [step for step in followed if step[0] is not StepName.SWEEP and step[1:] != (True, True)]
    assert StepName.RETIRE in {name for name, _, _ in followed}
    assert missed == []
    assert world.services.history.progress(world.actor, connection.id)[1] is False


def test_the_schedule_brings_the_next_one(world: World) -> None:
    connection = world.connect(days=7, at=(2, 15), zone="Europe/Oslo")
    world.settle()
    rotation = world.rotation(connection)
    assert rotation.next_run_at is not None
    # enabled at 10:30 local time, after 02:15: a full interval, so the eighth day; Oslo is an hour ahead of UTC in March
    assert rotation.next_run_at.isoformat() == "2026-03-10T01:15:00+00:00"

    before = world.current_secret(connection)
    world.run_until(rotation.next_run_at + timedelta(minutes=5))

    assert world.current_secret(connection) != before
    assert not world.signs_in(before)
    assert world.rotation(connection).next_run_at == rotation.next_run_at + timedelta(days=7)
    assert [run.reason.value for run in world.runs(connection)] == ["scheduled", "enabled"]
