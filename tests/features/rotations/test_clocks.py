"""A clock that is or was wrong, on one server or on all: what it wrote keeps nobody waiting once the clocks are right."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from entra_emulator import Effect, Fault, Settings
from keyturn.connections.domain import Connection, NewConnection
from keyturn.credentials.domain import Credential, State
from keyturn.db.tables import credentials, rotations
from keyturn.db.unit import Database
from keyturn.engine import store as engine_store
from keyturn.engine.dead_processes import last_end
from keyturn.rotations.commands import ScheduleChange
from keyturn.rotations.domain import RunState
from keyturn.rotations.store.due import wake_applications
from keyturn_simulation.invariants import check_always, check_quiet
from keyturn_simulation.world import Server, World, make_world
from tests.databases import sqlite_database
from tests.simulation.seeds import share

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TEN_YEARS = 3652 * DAY


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database, servers=2)


def work_for(world: World, server: Server, seconds: int) -> None:
    """Let one server work for so long of the true time, looking every second."""
    for _ in range(seconds):
        world.work(server)
        world.clock.advance(1)


def healed(world: World, connection: Connection, within: timedelta, server: Server | None = None) -> None:
    """The servers whose clocks are right bring all to rest in so long a time, and the next run is where it belongs."""
    began = world.clock.now()
    work_for(world, server or world.servers[0], int(within.total_seconds()))
    check_quiet(world)
    rotation = world.rotation(connection)
    assert rotation.status == "success"
    assert not [run for run in world.runs(connection) if run.state is RunState.ACTIVE]
    assert rotation.next_run_at is not None
    assert rotation.next_run_at - began < 32 * DAY
    assert rotation.anchor is not None
    assert rotation.anchor.at <= world.clock.now() + DAY


@pytest.mark.parametrize("off", [timedelta(minutes=30), HOUR, TEN_YEARS])
@pytest.mark.parametrize("seconds", share(range(1, 24, 4), 2))
def test_a_clock_set_back_in_the_middle_of_a_run(world: World, off: timedelta, seconds: int) -> None:
    server = world.servers[0]
    connection = world.connect()
    work_for(world, server, seconds)
    server.clock.off = off
    work_for(world, server, 10)
    server.clock.off = timedelta(0)
    healed(world, connection, timedelta(minutes=4))


@pytest.mark.parametrize("off", share([HOUR, 60 * DAY, TEN_YEARS], 2))
def test_a_clock_that_was_ahead_for_25_seconds(world: World, off: timedelta) -> None:
    server = world.servers[0]
    connection = world.connect(days=7)
    world.settle()
    server.clock.off = off
    work_for(world, server, 25)
    assert world.rotation(connection).generation <= 2, "a tenth of a life is never due because two clocks differ"
    server.clock.off = timedelta(0)
    healed(world, connection, timedelta(minutes=4))
    world.run_until(world.clock.now() + 9 * DAY)
    assert world.clock.now() - max(run.created_at for run in world.runs(connection)) < 3 * DAY, (
        "it goes on as scheduled"
    )


@pytest.mark.parametrize("seconds", share([2, 4, 6, 9, 14], 2))
def test_of_two_workers_one_is_an_hour_ahead_and_killed(world: World, seconds: int) -> None:
    ahead, right = world.servers
    connection = world.connect()
    work_for(world, ahead, 2)
    ahead.clock.off = HOUR
    seen_at = world.clock.now() + HOUR
    work_for(world, ahead, seconds)
    with world.database.write() as tx:  # as the survivor does once it has watched the silence
        leases = engine_store.free_leases(tx, ahead.name, right.clock.now(), last_end(seen_at, world.pace))
        wake_applications(tx, leases, right.clock.now())
    healed(world, connection, timedelta(seconds=100), right)


def test_a_lease_of_a_killed_worker_that_nobody_ended_is_not_in_the_way_of_rest(world: World) -> None:
    """What only rests is found whoever put it to rest; nothing has to be asked for again."""
    ahead, right = world.servers
    connection = world.connect()
    work_for(world, ahead, 2)
    ahead.clock.off = HOUR
    work_for(world, ahead, 2)
    wake = stored(world, rotations.c.wake_at)
    assert wake - world.clock.now() > HOUR - timedelta(seconds=30)
    healed(world, connection, timedelta(seconds=100), right)


def test_a_secret_that_a_wrong_clock_left_in_removal_is_removed(world: World) -> None:
    connection = world.connect()
    world.settle()
    world.rotations.rotate_now(world.actor, connection.id)
    work_for(world, world.servers[0], 7)
    future = world.clock.now() + TEN_YEARS
    with world.database.write() as tx:
        undead = credentials.c.state == State.REVOKING.value
        moments = {"removed_at": future, "absent_at": future, "retry_at": future, "retry_set_at": future}
        assert tx.run(sa.update(credentials).where(undead).values(absences=1, **moments)) == 1
        tx.run(sa.update(rotations).values(sweep_at=future, next_run_at=future, wake_at=future, wake_set_at=future))
    healed(world, connection, timedelta(minutes=4))


def test_a_pause_of_the_future_is_over(world: World) -> None:
    connection = world.connect(days=7)
    world.settle()
    future = world.clock.now() + TEN_YEARS
    with world.database.write() as tx:
        tx.run(sa.update(rotations).values(paused_until=future, status="failed", wake_at=future, wake_set_at=future))
    healed(world, connection, timedelta(minutes=4))


def stored(world: World, column: sa.Column[datetime]) -> datetime:
    with world.database.read() as tx:
        [row] = tx.rows(sa.select(column.label("moment")))
    moment: datetime = row["moment"]
    return moment


# --- what was promised ------------------------------------------------------------------------------------------------


def overlapping(world: World) -> Connection:
    """A connection whose readers may use a secret until the rotation after the one that replaced it."""
    connection = world.connect(days=7)
    with world.database.write() as tx:
        tx.run(sa.update(rotations).values(overlap="until-next-rotation"))
    world.settle()
    return connection


def replaced(world: World, connection: Connection) -> Credential:
    """The newest of the secrets that were replaced, and whose readers may still rely on them."""
    return [row for row in world.journal(connection) if row.state is State.RETIRING][-1]


def exists(world: World, secret: Credential) -> bool:
    return secret.key_id in set(world.keys())


@pytest.mark.parametrize("off", share([8 * DAY, 60 * DAY, TEN_YEARS, -HOUR, -60 * DAY], 2))
def test_a_wrong_clock_ends_no_overlap_before_its_time(world: World, off: timedelta) -> None:
    wrong, right = world.servers
    connection = overlapping(world)
    secret = replaced(world, connection)
    promised = secret.revoke_after or world.clock.now()
    assert promised > world.clock.now() + 6 * DAY
    wrong.clock.off = off
    work_for(world, wrong, 90)
    assert exists(world, secret)
    wrong.clock.off = timedelta(0)
    world.settle(server=right)
    world.run_until(promised - timedelta(minutes=10))
    assert exists(world, secret), "readers were promised this secret for longer"
    world.run_until(promised + HOUR)
    assert not exists(world, secret), "it goes when it was promised to"
    check_quiet(world)


@pytest.mark.parametrize("off", share([HOUR, 60 * DAY, TEN_YEARS, -HOUR, -60 * DAY], 2))
@pytest.mark.parametrize("seconds", share(range(3, 12, 4), 3))
def test_an_overlap_that_a_wrong_clock_grants_lasts_as_long_as_any(world: World, off: timedelta, seconds: int) -> None:
    wrong, right = world.servers
    connection = overlapping(world)
    world.clock.advance(3600)
    before = {row.id for row in world.journal(connection) if row.state is State.RETIRING}
    world.rotations.rotate_now(world.actor, connection.id)
    work_for(world, wrong, seconds)
    wrong.clock.off = off
    work_for(world, wrong, 60)
    wrong.clock.off = timedelta(0)
    published = world.clock.now()
    work_for(world, right, 300)
    secret, *_ = [row for row in world.journal(connection) if row.state is State.RETIRING and row.id not in before]
    world.run_until(published + 7 * DAY - timedelta(minutes=10))
    assert exists(world, secret)
    world.run_until(published + 9 * DAY)
    assert not exists(world, secret)
    assert world.rotation(connection).status == "success"
    check_quiet(world)


def test_a_promise_noted_by_a_clock_that_was_ahead_is_kept_for_its_own_length(world: World) -> None:
    connection = overlapping(world)
    secret, began = replaced(world, connection), world.clock.now()
    with world.database.write() as tx:
        tx.run(
            sa.update(credentials)
            .where(credentials.c.id == secret.id)
            .values(retired_at=began + TEN_YEARS, revoke_after=began + TEN_YEARS + 5 * DAY)
        )
    world.run_until(began + 4 * DAY)
    assert exists(world, secret)
    until = replaced(world, connection).revoke_after
    assert until is not None
    assert until - began < 6 * DAY, "what is shown is the moment until which it is kept"
    world.run_until(began + 6 * DAY)
    assert not exists(world, secret)


def test_what_leaked_is_removed_although_the_clock_is_wrong(world: World) -> None:
    server = world.servers[0]
    connection = overlapping(world)
    secret = replaced(world, connection)
    world.rotations.rotate_now(world.actor, connection.id, leaked=True)
    work_for(world, server, 4)
    server.clock.off = -HOUR
    work_for(world, server, 90)
    assert not exists(world, secret)
    assert set(world.states(connection)) == {State.CURRENT, State.REVOKED}


@pytest.mark.parametrize("behind", [timedelta(seconds=0.2), timedelta(seconds=15), timedelta(minutes=4)])
def test_a_clock_a_little_behind_takes_no_new_secret_for_vanished(world: World, behind: timedelta) -> None:
    """A replica that does not know it yet is met at once, by a server for whom it was published in the future."""
    server = world.servers[0]
    connection = world.connect()
    server.clock.off = -behind
    world.emulator.faults.add(Fault("token", (Effect(401, "7000215"),), when="before", times=1))
    work_for(world, server, 90)
    assert not world.events("app-connection-refused")
    assert not world.events("credentials-drifted")
    assert world.rotation(connection).status == "success"


def not_yet_known_to_a_replica(world: World) -> None:
    world.emulator.faults.add(Fault("token", (Effect(401, "7000215"),), when="before", times=8))


def nobody_is_alarmed(world: World) -> bool:
    return not world.events("app-connection-refused") and not world.events("credentials-drifted")


APART = [(4 * MINUTE, -4 * MINUTE), (-4 * MINUTE, 4 * MINUTE), (-4 * MINUTE, timedelta(0)), (timedelta(0), HOUR)]


@pytest.mark.parametrize(("publishes", "looks"), APART)
@pytest.mark.parametrize("later", [timedelta(0), 9 * MINUTE])
def test_a_new_secret_still_spreads_by_whichever_clocks(
    world: World, publishes: timedelta, looks: timedelta, later: timedelta
) -> None:
    """Each clock may be right enough by Entra's, and both further apart than either is wrong."""
    publisher, other = world.servers
    connection = world.connect()
    publisher.clock.off, other.clock.off = publishes, looks
    work_for(world, publisher, 8)
    assert world.rotation(connection).generation == 1, "it was published just now"
    world.clock.advance(later.total_seconds())
    not_yet_known_to_a_replica(world)
    other.services.tests.run(world.actor, connection.id)
    world.work(other)
    assert nobody_is_alarmed(world)
    world.emulator.faults.clear()
    publisher.clock.off = other.clock.off = timedelta(0)
    world.clocks_apart = 4 * MINUTE
    healed(world, connection, timedelta(minutes=4))


@pytest.mark.parametrize("off", [-HOUR, HOUR])
@pytest.mark.parametrize("rotate", [True, False])
def test_a_secret_typed_at_a_server_with_a_wrong_clock_still_spreads(
    world: World, off: timedelta, *, rotate: bool
) -> None:
    wrong, right = world.servers
    wrong.clock.off = off
    schedule = ScheduleChange(30, 2, 15) if rotate else None
    connection = wrong.rotations.create(world.actor, NewConnection("typed", world.first_secret()), schedule)
    not_yet_known_to_a_replica(world)
    right.services.tests.run(world.actor, connection.id)
    world.work(right)
    assert nobody_is_alarmed(world)


@pytest.mark.parametrize(("publishes", "looks"), APART[:3])
def test_a_secret_that_was_removed_is_missed_by_whichever_clocks(
    world: World, publishes: timedelta, looks: timedelta
) -> None:
    publisher, other = world.servers
    connection = world.connect()
    publisher.clock.off, other.clock.off = publishes, looks
    work_for(world, publisher, 60)
    world.clock.advance(20 * 60)
    world.emulator.admin.remove_secret(world.application.object_id, *world.keys())
    other.services.tests.run(world.actor, connection.id)
    [drift] = world.events("credentials-drifted")
    assert drift["data"]["kind"] == "current-vanished"


@pytest.mark.parametrize("off", [HOUR, TEN_YEARS, -HOUR])
def test_a_secret_that_graph_still_hides_is_not_taken_for_gone_by_a_wrong_clock(
    database: Database, off: timedelta
) -> None:
    """Nobody looks for it any more once its rotation has ended."""
    world = make_world(database, servers=2, settings=Settings(graph_appear=(200, 200)))
    wrong, right = world.servers
    connection = world.connect()
    work_for(world, right, 1)
    assert len(world.keys()) == 2, "the new one was made just now"
    world.rotations.delete(world.actor, connection.id, revoke=False)
    wrong.clock.off = off
    work_for(world, wrong, 60)
    wrong.clock.off = timedelta(0)
    world.settle(server=right)
    assert set(world.keys()) == {world.first_secret().key_id}


def test_a_secret_whose_end_only_a_wrong_clock_has_seen_is_still_removed(world: World) -> None:
    wrong, right = world.servers
    connection = world.connect()
    world.settle()
    world.emulator.faults.add(Fault("removePassword", (Effect(503),), when="before", times=None))
    world.rotations.delete(world.actor, connection.id, revoke=True)
    wrong.clock.off = TEN_YEARS
    for _ in range(20):
        world.work(wrong)
        world.clock.advance(7 * 3600)
    world.emulator.faults.clear()
    wrong.clock.off = timedelta(0)
    world.settle(server=right)
    world.run_until(world.clock.now() + DAY)
    assert world.keys() == {}


# --- planning -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", share([timedelta(minutes=6), -timedelta(minutes=6), HOUR, -60 * DAY, TEN_YEARS], 2))
def test_no_new_credential_is_planned_while_the_clock_is_wrong(world: World, off: timedelta) -> None:
    server = world.servers[0]
    connection = world.connect(days=7)
    world.settle()
    before = world.keys()
    server.clock.off = off
    world.rotations.rotate_now(world.actor, connection.id)
    work_for(world, server, 90)
    assert world.keys() == before
    rotation = world.rotation(connection)
    assert rotation.status == "failed"
    message = rotation.last_message or ""
    assert ("ahead of" if off > timedelta(0) else "behind") in message
    assert "keyturn doctor" in message
    [run] = [run for run in world.runs(connection) if run.failure]
    assert run.failure["code"] == "rotation.clock_wrong"
    assert run.failure["kind"] == "retryable"
    server.clock.off = timedelta(0)
    healed(world, connection, timedelta(minutes=5))
    assert world.keys() != before, "it goes on by itself"


@pytest.mark.parametrize("off", [timedelta(minutes=4), -timedelta(minutes=4)])
def test_a_clock_that_is_a_little_wrong_plans(world: World, off: timedelta) -> None:
    server = world.servers[0]
    server.clock.off = off
    connection = world.connect(days=7)
    work_for(world, server, 120)
    assert world.rotation(connection).status == "success"
    assert server.context.providers.clock_ahead() is not None
    assert abs((server.context.providers.clock_ahead() or timedelta(0)) - off) <= timedelta(seconds=2)


def test_work_that_is_under_way_is_finished_by_a_wrong_clock(world: World) -> None:
    server = world.servers[0]
    connection = world.connect()
    world.settle()
    world.rotations.rotate_now(world.actor, connection.id)
    work_for(world, server, 4)
    assert State.CURRENT in world.states()
    assert {State.ISSUED, State.PROVEN} & set(world.states()), "a new secret is on its way"
    server.clock.off = HOUR
    work_for(world, server, 60)
    assert set(world.states(connection)) == {State.CURRENT, State.REVOKED}
    check_quiet(world)


@pytest.mark.parametrize("seed", range(3))
def test_clocks_that_jump_on_single_servers_break_nothing_and_all_heals(tmp_path: Path, seed: int) -> None:
    """Two servers at work in turn; now and then the clock of one jumps ahead, or back to the right time."""
    luck = Random(seed)
    with sqlite_database(tmp_path) as opened:
        world = make_world(opened, servers=2, seed=seed)
        connection = world.connect(days=7)
        for _ in range(120):
            server = luck.choice(world.servers)
            if luck.random() < 0.15:
                server.clock.off = luck.choice(
                    [timedelta(0), timedelta(seconds=40), timedelta(minutes=4), HOUR, 60 * DAY, TEN_YEARS]
                )
            if luck.random() < 0.05:
                world.rotations.rotate_now(world.actor, connection.id)
            world.work(server)
            check_always(world)
            world.clock.advance(luck.choice([0.5, 1, 2, 16]))
        for server in world.servers:
            server.clock.off = timedelta(0)
        healed(world, connection, timedelta(minutes=6))
