"""Freeze windows and weekdays as rotations meet them: put off, done before, and never the reason for the end of a secret."""

from datetime import date, timedelta

import pytest

from keyturn.connections.domain import Connection
from keyturn.credentials.domain import State
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.rotations.commands import ScheduleChange
from keyturn.rotations.domain import Reason
from keyturn.rotations.freezes.domain import FreezeWindow
from keyturn.rotations.freezes.service import NewFreeze
from keyturn_simulation.world import World, make_world
from tests.features.rotations.applications import Applications, make_applications

DAY = timedelta(days=1)


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def freeze(world: World, first: date, days: int) -> FreezeWindow:
    new = NewFreeze("Year end", "Nobody is here.", first, first + timedelta(days - 1), "UTC")
    return world.services.freezes.create(world.actor, new)


def due(world: World, connection: Connection) -> date:
    at = world.rotation(connection).next_run_at
    assert at is not None
    return at.date()


def test_a_scheduled_run_waits_for_the_end_of_a_freeze_and_comes_back_when_that_is_removed(world: World) -> None:
    connection = world.connect()
    world.settle()
    slot = due(world, connection)
    window = freeze(world, slot - DAY, 5)
    assert due(world, connection) == slot + 4 * DAY
    world.services.freezes.delete(world.actor, window.id)
    assert due(world, connection) == slot
    window = freeze(world, slot - DAY, 5)
    generation = world.rotation(connection).generation
    world.run_until(world.clock.now() + (slot + 3 * DAY - world.clock.now().date()))
    assert world.rotation(connection).generation == generation, "nothing was rotated in the freeze"
    assert window.id

    with pytest.raises(Refused, match="Year end") as refused:
        world.rotations.rotate_now(world.actor, connection.id)
    assert refused.value.code == "rotation.frozen"
    assert "freezeReason" in str(refused.value.fix)
    world.rotations.rotate_now(world.actor, connection.id, freeze_reason="The vendor revokes it tonight.")
    world.settle()
    assert world.events("rotation-run-requested")[-1]["data"]["freezeReason"] == "The vendor revokes it tonight."
    world.rotations.rotate_now(world.actor, connection.id, leaked=True)
    world.settle()
    assert world.rotation(connection).generation == generation + 2


def test_a_freeze_longer_than_the_life_of_a_secret_gives_way_before_its_end(world: World) -> None:
    connection = world.connect()
    world.settle()
    today = world.clock.now().date()
    freeze(world, today, 92)
    generation = world.rotation(connection).generation
    for _ in range(90):
        world.run_until(world.clock.now() + DAY)
        assert world.signs_in(world.current_secret(connection))
    newest = next(world.runs(connection))
    assert (newest.reason, newest.generation) == (Reason.EXPIRY, generation + 1), "once, and no more than is needed"


def test_a_server_that_was_down_on_the_day_waits_for_a_permitted_one(world: World) -> None:
    connection = world.connect()
    world.settle()
    slot = due(world, connection)
    world.change(connection, schedule=ScheduleChange(weekdays=frozenset({slot.weekday()})))
    generation = world.rotation(connection).generation
    world.clock.move_to(world.clock.now() + (slot + 2 * DAY - world.clock.now().date()))
    world.run_until(world.clock.now() + DAY)
    assert world.rotation(connection).generation == generation
    assert due(world, connection) == slot + 7 * DAY
    world.run_until(world.clock.now() + 6 * DAY)
    assert world.rotation(connection).generation == generation + 1


@pytest.fixture
def scene(database: Database) -> Applications:
    return make_applications(database)


def test_a_removal_that_was_promised_waits_for_the_end_of_a_freeze(scene: Applications) -> None:
    world, view = scene.world, scene.create(overlap="2d")
    scene.rotate(view)
    tomorrow = world.clock.now().date() + DAY
    window = NewFreeze("Sale", "", tomorrow, tomorrow + 9 * DAY, "UTC", project_id=scene.project_id)
    world.services.freezes.create(scene.actor, window)
    (previous,) = [row.id for row in world.journal() if row.state is State.RETIRING]
    world.run_until(world.clock.now() + 9 * DAY)
    assert previous in [row.id for row in world.journal() if row.state is State.RETIRING], "long after the two days"
    world.run_until(world.clock.now() + 2 * DAY)
    assert previous in [row.id for row in world.journal() if row.state is State.REVOKED]
