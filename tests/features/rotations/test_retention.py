"""What rotations of the past have left is removed after a time, and never what is still needed, shown or under way."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from keyturn.app.maintenance import HourlyTasks
from keyturn.audit.verification import Verified
from keyturn.connections.domain import Connection
from keyturn.credentials.domain import State
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.tables import run_steps, runs
from keyturn.db.unit import Database
from keyturn.ports.provider import Tenant
from keyturn.rotations.commands import ConnectionChange
from keyturn.rotations.domain import RunState
from keyturn.rotations.retention import remove_old_history
from keyturn.rotations.run_check import compare_runs
from keyturn.rotations.store import observed
from keyturn.rotations.store import runs as run_store
from keyturn.settings.model import RetentionSettings
from keyturn_simulation.invariants import check_quiet
from keyturn_simulation.world import ROOT_KEY, Server, World, make_world

DAY = timedelta(days=1)
SHORT = RetentionSettings(step_days=5, gone_key_days=5)
FOR_EVER = RetentionSettings(step_days=0, gone_key_days=0)


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def upkeep(world: World, retention: RetentionSettings = SHORT, server: Server | None = None) -> None:
    """One round of what a server does hourly."""
    at_work = server or world.servers[0]
    keyring = Keyring.open(world.database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), at_work.clock)
    context, grants = at_work.context, at_work.services.grants
    hourly = HourlyTasks(
        keyring,
        context.database,
        context.sealer,
        context.providers,
        at_work.clock,
        grants,
        context.providers.clock_confirmed_at,
        retention,
    )
    assert not any(task.act() for task in hourly.tasks()), "nothing is left"


def ages_and_steps(world: World, connection: Connection) -> list[tuple[int, int]]:
    """The runs as the API lists them, the oldest first: how many days ago each was, and how many steps it shows."""
    runs = world.history.runs(world.actor, connection.id, 100, None)
    return [((world.clock.now() - run.created_at).days, len(steps)) for run, steps in reversed(runs)]


def seen_keys(world: World, connection: Connection) -> set[str]:
    rotation = world.rotation(connection)
    with world.database.read() as tx:
        return set(observed.observed_keys_of(tx, rotation.id))


def rotated_for(world: World, days: int = 9, every: int = 2) -> Connection:
    connection = world.connect(days=every)
    world.run_until(world.clock.now() + days * DAY)
    return connection


def test_steps_of_long_ago_are_removed_and_runs_and_events_stay(world: World) -> None:
    connection = rotated_for(world)
    before, events = ages_and_steps(world, connection), len(world.events())
    assert [age for age, _ in before] == [9, 6, 4, 2, 0]
    assert all(steps for _, steps in before)
    upkeep(world)
    assert ages_and_steps(world, connection) == [(9, 0), (6, 0), *before[2:]]
    assert len(world.events()) == events
    check_quiet(world)
    world.run_until(world.clock.now() + 2 * DAY)
    assert world.rotation(connection).status == "success"
    assert len(ages_and_steps(world, connection)) == 6
    check_quiet(world)


def test_nothing_is_removed_that_is_to_be_kept_for_ever(world: World) -> None:
    connection = rotated_for(world)
    before, keys = ages_and_steps(world, connection), seen_keys(world, connection)
    upkeep(world, FOR_EVER)
    assert (ages_and_steps(world, connection), seen_keys(world, connection)) == (before, keys)


def test_runs_of_long_ago_are_removed_once_their_steps_are(world: World) -> None:
    connection = rotated_for(world)
    upkeep(world, replace(FOR_EVER, run_days=3))
    assert [age for age, _ in ages_and_steps(world, connection)] == [9, 6, 4, 2, 0], "they have steps"
    upkeep(world, RetentionSettings(run_days=3, step_days=5))
    assert [age for age, _ in ages_and_steps(world, connection)] == [4, 2, 0]
    world.clock.advance(3 * 86_400)  # nobody was there
    confirm(world)
    upkeep(world, RetentionSettings(run_days=1, step_days=1))
    assert [age for age, _ in ages_and_steps(world, connection)] == [3], "the latest stays"
    world.run_until(world.clock.now() + 2 * DAY)
    assert world.rotation(connection).status == "success"
    check_quiet(world)


def faults(world: World) -> list[str]:
    found = Verified(world.actor.org_id)
    compare_runs(world.database, found)
    return [fault.message for fault in found.faults]


def test_verification_tells_runs_and_steps_that_somebody_deleted_from_those_that_retention_removed(
    world: World,
) -> None:
    connection = rotated_for(world)
    for retention in (SHORT, RetentionSettings(run_days=5, step_days=3)):
        upkeep(world, retention)
        assert faults(world) == []
    assert [(age, bool(steps)) for age, steps in ages_and_steps(world, connection)] == [
        (4, False),
        (2, True),
        (0, True),
    ]
    old, middle, latest = [run.id for run, _ in reversed(world.history.runs(world.actor, connection.id, 100, None))]
    gone = " is gone, though older ones, or the latest, are kept"
    latest_began = sa.select(sa.func.min(run_steps.c.id)).where(run_steps.c.run_id == latest).scalar_subquery()
    for where, expected in (
        (runs.c.id == middle, [f"run {middle}{gone}"]),
        (runs.c.id.in_([middle, latest]), [f"run {latest}{gone}", f"run {middle}{gone}"]),
        (runs.c.id == old, []),
        (run_steps.c.run_id == latest, [f"the steps of run {latest} are not as they were when it ended"]),
        (run_steps.c.id < latest_began, []),
    ):
        table = runs if "runs.id" in str(where) else run_steps
        with world.database.write() as tx:
            rows = [dict(row) for row in tx.rows(sa.select(table).where(where))]
            tx.run(sa.delete(table).where(where))
        assert faults(world) == expected
        with world.database.write() as tx:
            for row in rows:
                tx.run(sa.insert(table).values(**row))
        assert faults(world) == []
    with world.database.write() as tx:
        tx.run(sa.delete(runs))
    assert f"run {latest}{gone}" in faults(world)


def test_the_latest_run_stays_even_without_steps(world: World) -> None:
    connection = rotated_for(world)
    with world.database.write() as tx:
        tx.run(sa.delete(run_steps))
    world.clock.advance(3 * 86_400)  # nobody was there
    confirm(world)
    upkeep(world, RetentionSettings(run_days=1))
    assert ages_and_steps(world, connection) == [(3, 0)]


def test_a_run_that_has_not_ended_stays_with_its_steps_and_goes_on(world: World) -> None:
    connection = world.connect(days=90)
    world.work()
    (old,) = ages_and_steps(world, connection)
    assert old[1]
    world.clock.advance(20 * 86_400)  # nobody was there
    confirm(world)
    upkeep(world, RetentionSettings(run_days=7, step_days=7, gone_key_days=7))
    (after,) = ages_and_steps(world, connection)
    assert after == (20, old[1])
    world.run_until(world.clock.now() + DAY)
    assert world.rotation(connection).status == "success"
    assert not [run for run in world.runs(connection) if run.state is RunState.ACTIVE]
    check_quiet(world)


def test_keys_that_are_gone_for_long_are_forgotten_and_nothing_is_reported_of_it(world: World) -> None:
    foreign = world.emulator.admin.add_secret(world.application.object_id, "of somebody else")
    connection = world.connect(days=2)
    world.run_until(world.clock.now() + DAY)
    world.emulator.admin.remove_secret(world.application.object_id, foreign.key_id)
    first = next(row.key_id for row in world.journal(connection) if row.adopted)
    world.run_until(world.clock.now() + 8 * DAY)
    assert {foreign.key_id, first} <= seen_keys(world, connection)
    drift, journal = len(world.events("credentials-drifted")), [row.id for row in world.journal(connection)]
    upkeep(world)
    remaining = seen_keys(world, connection)
    assert not {foreign.key_id, first} & remaining
    assert set(world.keys()) <= remaining
    world.run_until(world.clock.now() + 3 * DAY)
    assert len(world.events("credentials-drifted")) == drift
    assert [row.id for row in world.journal(connection)][: len(journal)] == journal, "the journal is never removed"


def test_keys_stay_where_no_other_is_left_to_be_seen(world: World) -> None:
    connection = world.connect(days=2)
    world.run_until(world.clock.now() + DAY)
    with world.database.write() as tx:
        tx.connection.execute(sa.text("UPDATE observed_keys SET gone_at = first_seen_at"))
    world.clock.advance(60 * 86_400)
    before = seen_keys(world, connection)
    confirm(world)
    upkeep(world)
    assert before
    assert seen_keys(world, connection) == before


def test_a_key_that_the_journal_has_not_done_with_is_not_forgotten(world: World) -> None:
    connection = world.connect(days=2)
    world.run_until(world.clock.now() + 4 * DAY)
    (first,) = (row for row in world.journal(connection) if row.adopted)
    assert first.state is State.REVOKED
    with world.database.write() as tx:
        tx.connection.execute(sa.text("UPDATE credentials SET state = 'revoking' WHERE adopted"))
    upkeep(world, RetentionSettings(gone_key_days=1))
    assert first.key_id in seen_keys(world, connection)


def confirm(world: World, server: Server | None = None) -> None:
    """Let the server hear from Entra."""
    providers = (server or world.servers[0]).context.providers
    other = world.emulator.admin.create_application(world.tenant_id, "Another", secrets=1)
    credentials = world.first_secret(other)
    providers.method_of(credentials).sign_in(Tenant("global", world.tenant_id), credentials)


ALL_SHORT = RetentionSettings(audit_days=5, step_days=5, run_days=5, gone_key_days=5)


def test_a_server_that_has_not_heard_from_entra_removes_nothing(world: World) -> None:
    connection = rotated_for(world)
    silent = world.add_server("silent")
    before, events = ages_and_steps(world, connection), len(world.events())
    upkeep(world, ALL_SHORT, silent)
    assert (ages_and_steps(world, connection), len(world.events())) == (before, events)
    confirm(world, silent)
    upkeep(world, ALL_SHORT, silent)
    assert [age for age, _ in ages_and_steps(world, connection)] == [4, 2, 0]
    assert len(world.events("remove-audit-events")) == 1


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("off", [1000 * DAY, -1000 * DAY])
def test_a_server_whose_clock_is_wrong_removes_nothing_before_its_time(
    world: World, off: timedelta, *, heard: bool
) -> None:
    connection = rotated_for(world, 4)
    before, events = ages_and_steps(world, connection), world.events()
    server = world.servers[0]
    server.clock.off = off
    if heard:
        confirm(world, server)
    upkeep(world, ALL_SHORT)
    assert (ages_and_steps(world, connection), world.events()) == (before, events)


def test_events_of_a_clock_that_was_years_ahead_do_not_keep_the_trail_for_years(world: World) -> None:
    server = world.servers[0]
    connection = world.connect(days=2)
    world.settle()
    server.clock.off = 4000 * DAY
    server.rotations.update(world.actor, connection.id, ConnectionChange(name="written in ten years"))
    server.clock.off = timedelta()
    world.run_until(world.clock.now() + 9 * DAY)
    assert max(event["at"] for event in world.events()) > world.clock.now() + 3000 * DAY
    upkeep(world, ALL_SHORT)
    assert min(event["at"] for event in world.events()) >= world.clock.now() - 6 * DAY


STEPS = st.lists(st.tuples(st.sampled_from([-900, -1, 1, 4, 7, 900]), st.integers(0, 3)), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[(7, 1), (7, 2), (900, 1)])
def test_of_steps_only_the_beginning_is_removed_whatever_the_clocks_said(
    world: World, steps: Sequence[tuple[int, int]]
) -> None:
    if not world.all_connections():
        rotated_for(world)
    (connection,) = world.all_connections()
    now, rotation = world.clock.now(), world.rotation(connection)
    runs = [run.id for run in world.runs(connection)]  # the latest first
    with world.database.write() as tx:
        tx.run(sa.delete(run_steps))
        for number, (age, run) in enumerate(steps):
            at = now - age * DAY
            step = run_store.StepRecord(f"s{number}", "done", at, at, runs[run])
            run_store.record_step(tx, rotation.id, step, None)
    remove_old_history(world.database, SHORT, now, lambda: False)
    with world.database.read() as tx:
        remaining = [row["step"] for row in tx.rows(sa.select(run_steps.c.step).order_by(run_steps.c.id))]
    assert remaining == [f"s{number}" for number in range(len(steps) - len(remaining), len(steps))]
    removed = steps[: len(steps) - len(remaining)]
    assert all(run != 0 and not 0 <= age <= 5 for age, run in removed)
    assert remaining or not steps, "the last one stays"
    if removed:
        assert removed[-1][0] > 5
    elif steps[:-1]:
        first_old = next((n for n, (age, run) in enumerate(steps[:-1]) if age > 6), None)
        needed = [n for n, (age, run) in enumerate(steps) if run == 0 or 0 <= age <= 5]
        assert first_old is None or (needed and needed[0] <= first_old)


def test_many_steps_are_removed_in_parts_between_which_a_server_may_stop(world: World) -> None:
    connection = rotated_for(world, 3)
    now, rotation = world.clock.now(), world.rotation(connection)
    oldest = [run.id for run in world.runs(connection)][-1]
    at = now - 500 * DAY
    with world.database.write() as tx:
        tx.run(sa.delete(run_steps))
        for number in range(1201):
            run_store.record_step(tx, rotation.id, run_store.StepRecord(f"s{number}", "done", at, at, oldest), None)
    counts = []

    def stopped() -> bool:
        with world.database.write() as tx:  # others may write
            counts.append(tx.rows(sa.select(sa.func.count().label("n")).select_from(run_steps))[0]["n"])
        return len(counts) == 2

    assert remove_old_history(world.database, SHORT, now, stopped), "something may be left"
    assert counts == [701, 201]
    assert not remove_old_history(world.database, SHORT, now, stopped)
    assert counts == [701, 201, 1]
