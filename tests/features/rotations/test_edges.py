"""What two servers, users and bad luck can do to a rotation. Most of these once ended badly in a simulation."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from entra_emulator import RESET, SERVICE_UNAVAILABLE, Effect, Fault, Settings
from keyturn.connections.domain import Connection, NewConnection
from keyturn.credentials.domain import State
from keyturn.db.tables import rotations
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.rotations.commands import ScheduleChange
from keyturn.rotations.domain import Reason, RunState, StepName
from keyturn.rotations.protocol import Step
from keyturn.rotations.run_schedule import lifetime
from keyturn.rotations.work.attempt import RotationWork, acquire
from keyturn.rotations.work.lease import LeaseLost
from keyturn.rotations.work.workflow import Rotator
from keyturn_simulation.invariants import check_quiet
from keyturn_simulation.world import World, make_world
from tests.emulator.certificates import make_certificate

HOUR = timedelta(hours=1)


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def settled(world: World) -> Connection:
    connection = world.connect()
    world.settle()
    return connection


def credentials_by_hand(world: World) -> ClientSecret:
    secret = world.emulator.admin.add_secret(world.application.object_id, "typed by hand")
    return world.first_secret(secret=Plaintext(secret.value), key_id=secret.key_id)


def outage(world: World) -> None:
    world.emulator.faults.add(Fault("*", (SERVICE_UNAVAILABLE,), when="before", times=None))


def overlap_until_next(world: World) -> None:
    with world.database.write() as tx:
        tx.run(sa.update(rotations).values(overlap="until-next-rotation"))


def turn_until(world: World, which: Connection | str, last: StepName) -> None:
    """Work on the rotation until that step has just been done, and then give the lease back as a dying process would not."""
    rotation_id = which if isinstance(which, str) else world.rotation(which).id
    done: list[StepName] = []
    world.watcher = lambda _rotation, step: done.append(step.name)
    server = world.servers[0]
    for _ in range(60):
        world.claim()
        work = acquire(server.context, rotation_id)
        assert work is not None
        while last not in done and server.rotator.turn(work):
            pass
        work.lease.release()
        if last in done:
            world.watcher = None
            return
        wake = world.next_wake()
        assert wake is not None
        world.clock.move_to(wake)
    raise AssertionError(f"{last} never came")


def test_a_leaked_secret_is_replaced_after_an_outage_without_asking_again(world: World) -> None:
    connection = settled(world)
    leaked = world.current_secret(connection)
    outage(world)
    world.rotations.rotate_now(world.actor, connection.id, leaked=True)
    world.settle(within=timedelta(seconds=50))
    assert world.rotation(connection).status == "failed"

    world.emulator.faults.clear()
    world.run_until(world.clock.now() + HOUR)

    assert not world.signs_in(leaked)
    assert next(world.runs(connection)).reason is Reason.LEAKED
    check_quiet(world)


def test_a_change_of_schedule_does_not_forget_a_leak(world: World) -> None:
    connection = settled(world)
    leaked = world.current_secret(connection)
    outage(world)
    world.rotations.rotate_now(world.actor, connection.id, leaked=True)
    world.settle(within=timedelta(seconds=50))

    world.emulator.faults.clear()
    world.change(connection, schedule=ScheduleChange(interval_days=90))
    world.settle()

    assert not world.signs_in(leaked)


def test_saying_leaked_while_a_rotation_is_under_way_ends_the_overlap(world: World) -> None:
    connection = settled(world)
    overlap_until_next(world)
    before = world.current_secret(connection)
    world.rotations.rotate_now(world.actor, connection.id)
    turn_until(world, connection, StepName.ISSUE)

    _, run = world.rotations.rotate_now(world.actor, connection.id, leaked=True)
    assert run.reason is Reason.LEAKED
    world.settle()

    assert not world.signs_in(before)


def test_a_secret_is_taken_over_once(world: World) -> None:
    world.connect("first")
    with pytest.raises(Refused) as refused:
        world.connect("second")
    assert refused.value.code == "rotation.key_in_use"


def test_keeping_secrets_of_a_deleted_connection_still_removes_the_one_on_its_way(world: World) -> None:
    connection = world.connect()
    original = world.first_secret().key_id
    turn_until(world, connection, StepName.ISSUE)
    assert len(world.keys()) == 2

    world.rotations.delete(world.actor, connection.id, revoke=False)
    world.settle()

    assert set(world.keys()) == {original}
    assert all(row.value is None for row in world.journal())


@pytest.mark.parametrize("status", [(429, "TooManyRequests"), (409, "Directory_ConcurrencyViolation")])
def test_a_secret_that_was_made_before_the_answer_said_slow_down_is_found_and_removed(
    world: World, status: tuple[int, str]
) -> None:
    """Somebody deletes the connection meanwhile and keeps its secrets: no later rotation would look for it."""
    connection = settled(world)
    world.emulator.faults.add(Fault("addPassword", (Effect(*status, retry_after=7),), when="after", times=1))
    world.rotations.rotate_now(world.actor, connection.id)
    turn_until(world, connection, StepName.ISSUE)
    world.rotations.delete(world.actor, connection.id, revoke=False)
    world.settle()
    check_quiet(world)
    assert len(world.keys()) == 1, "the kept one is left, and none that nobody knows"


def test_deleting_removes_ours_also_beside_an_overlapping_one_of_the_user(world: World) -> None:
    connection = world.connect()
    overlap_until_next(world)
    world.settle()
    assert world.states(connection) == [State.RETIRING, State.CURRENT]

    world.rotations.delete(world.actor, connection.id)
    world.settle()

    assert set(world.keys()) == {world.first_secret().key_id}
    assert all(row.value is None for row in world.journal())


def test_after_a_long_time_down_it_rotates_once_and_then_an_interval_later(world: World) -> None:
    connection = settled(world)
    due = world.rotation(connection).next_run_at
    assert due is not None
    world.clock.move_to(due + timedelta(days=31, hours=5))
    world.settle()
    rotated = world.rotation(connection)
    assert rotated.generation == 2
    assert rotated.next_run_at is not None
    assert rotated.next_run_at > world.clock.now() + timedelta(days=29)

    world.change(connection, enabled=False)
    world.change(connection, enabled=True)
    world.settle()

    assert world.rotation(connection).next_run_at == rotated.next_run_at
    assert world.rotation(connection).generation == 2


def test_new_credentials_let_removals_go_on_at_once(world: World) -> None:
    connection = settled(world)
    world.rotations.rotate_now(world.actor, connection.id)
    turn_until(world, connection, StepName.PUBLISH)
    current = next(row for row in world.journal(connection) if row.state is State.CURRENT)
    world.emulator.admin.remove_secret(world.application.object_id, str(current.key_id))
    world.run_until(world.clock.now() + timedelta(hours=5))
    assert State.REVOKING in world.states(connection)

    world.change(connection, credentials=credentials_by_hand(world))
    world.run_until(world.clock.now() + timedelta(minutes=10))

    assert State.REVOKING not in world.states(connection)
    check_quiet(world)


def test_a_connection_that_moved_away_removes_what_it_left_with_the_newest_secret_that_works(world: World) -> None:
    connection = settled(world)
    world.change(connection, credentials=credentials_by_hand(world))
    other = world.emulator.admin.create_application(
        world.tenant_id, "Another", permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True
    )
    world.applications[other.app_id] = other
    world.change(connection, credentials=world.first_secret(other))
    world.settle()

    assert world.keys() == {}
    assert len(world.keys(other)) == 1
    check_quiet(world)


def test_removals_under_way_delay_a_rotation_but_do_not_fail_it(world: World) -> None:
    connection = settled(world)
    for _ in range(3):
        credentials = credentials_by_hand(world)
        world.change(connection, credentials=credentials)
    world.settle()

    assert world.rotation(connection).status == "success"
    assert [run.state for run in world.runs(connection)].count(RunState.FAILED) == 0
    assert len(world.keys()) == 1


def test_a_secret_still_spreading_is_not_taken_for_removed(database: Database) -> None:
    lagging = Settings(replicas=2, token_appear=(0, 300))
    world = make_world(database, settings=lagging, seed=3)
    connection = world.connect()
    world.settle()
    world.rotations.delete(world.actor, connection.id, revoke=True)
    world.run_until(world.clock.now() + timedelta(hours=1))

    assert world.keys() == {}


def test_deleting_seconds_after_a_secret_was_made_waits_until_it_shows(database: Database) -> None:
    world = make_world(database, settings=Settings(graph_appear=(200, 200)))
    connection = world.connect()
    turn_until(world, connection, StepName.ISSUE)
    world.rotations.delete(world.actor, connection.id, revoke=False)
    world.settle()

    assert set(world.keys()) == {world.first_secret().key_id}


def test_a_failed_run_that_a_new_schedule_has_put_off_is_not_tried_again_early(world: World) -> None:
    connection = settled(world)
    due = world.rotation(connection).next_run_at
    assert due is not None
    world.clock.move_to(due)
    outage(world)
    turn_until(world, connection, StepName.OPEN)
    world.change(connection, schedule=ScheduleChange(interval_days=365))
    world.run_until(world.clock.now() + timedelta(minutes=40))
    world.emulator.faults.clear()
    count = len(list(world.runs(connection)))
    world.run_until(world.clock.now() + 8 * HOUR)
    put_off = world.rotation(connection).next_run_at
    assert put_off is not None
    assert put_off > world.clock.now()
    assert len(list(world.runs(connection))) == count


def test_a_click_that_joined_a_scheduled_run_is_tried_again_whatever_becomes_of_the_schedule(world: World) -> None:
    connection = settled(world)
    before = world.current_secret(connection)
    due = world.rotation(connection).next_run_at
    assert due is not None
    world.clock.move_to(due)
    outage(world)
    turn_until(world, connection, StepName.OPEN)
    world.rotations.rotate_now(world.actor, connection.id)
    world.change(connection, schedule=ScheduleChange(interval_days=365))
    world.run_until(world.clock.now() + timedelta(minutes=40))
    world.emulator.faults.clear()
    world.run_until(world.clock.now() + HOUR)

    assert world.current_secret(connection).reveal() != before.reveal()
    newest, *older = world.runs(connection)
    assert (newest.reason, newest.state) == (Reason.MANUAL, RunState.SUCCEEDED)
    joined = next(run for run in older if run.reason is Reason.SCHEDULED)
    assert (joined.state, joined.requested_by["name"]) == (RunState.FAILED, "Ada")
    assert world.events("rotation-run-joined")


def test_what_was_planned_before_a_long_time_down_is_asked_for_with_its_whole_life(world: World) -> None:
    connection = settled(world)
    world.rotations.rotate_now(world.actor, connection.id)
    turn_until(world, connection, StepName.PLAN)
    world.clock.advance(timedelta(days=20).total_seconds())
    world.settle()

    current = next(row for row in world.journal(connection) if row.state is State.CURRENT)
    assert current.generation == 2
    assert current.asked_at is not None
    assert current.ends_at is not None
    assert current.ends_at - current.asked_at >= lifetime(world.rotation(connection)) - timedelta(minutes=1)


def test_who_enables_the_application_again_is_told_within_the_hour_that_the_connection_works(world: World) -> None:
    connection = settled(world)
    world.run_until(world.clock.now() + 3 * HOUR)

    world.emulator.admin.set_disabled(world.application.object_id, disabled=True)
    assert not world.services.tests.run(world.actor, connection.id).ok
    refused = world.connections.get(world.actor, connection.id)
    assert str((refused.refusal or {})["code"]).endswith("application_disabled")
    world.emulator.admin.set_disabled(world.application.object_id, disabled=False)

    world.run_until(world.clock.now() + HOUR)
    works = world.connections.get(world.actor, connection.id)
    assert (works.refused_at, (works.check_result or {}).get("ok")) == (None, True)
    looks = len(world.emulator.ledger.query(operation="token"))
    world.run_until(world.clock.now() + 12 * HOUR)
    assert len(world.emulator.ledger.query(operation="token")) == looks, "one that works is looked at once a day"


def test_an_older_secret_that_still_works_removes_itself_when_the_kept_one_has_expired(world: World) -> None:
    connection = world.connect()
    turn_until(world, connection, StepName.RETIRE)
    original, current = (row.key_id for row in world.journal(connection))
    world.clock.advance(timedelta(days=70).total_seconds())
    world.rotations.delete(world.actor, connection.id, revoke=False)
    world.settle()

    assert set(world.keys()) == {current}, f"{original} is not removed"
    check_quiet(world)


def test_a_certificate_whose_registration_was_not_confirmed_removes_itself_when_it_alone_is_left(world: World) -> None:
    first = make_certificate()
    key_id = world.emulator.admin.add_certificate(world.application.object_id, first.pem)
    private = Plaintext(first.private_pem.decode())
    credentials = CertificateFiles(world.tenant_id, world.application.app_id, first.pem.decode(), private)
    connection = world.rotations.create(
        world.actor, NewConnection("by-certificate", credentials), ScheduleChange(30, 2, 15)
    )
    world.emulator.faults.add(Fault("addKey", (RESET,), when="after"))
    turn_until(world, connection, StepName.ISSUE)
    world.emulator.admin.remove_certificate(world.application.object_id, key_id)
    rotation = world.rotation(connection).id

    world.rotations.delete(world.actor, connection.id, revoke=True)
    turn_until(world, rotation, StepName.RESOLVE)  # whoever found it dies before it removes it
    world.settle()

    assert not world.emulator.admin.application(world.application.object_id).keys_held()
    assert all(row.value is None for row in world.journal())


def turn_to_rest(rotator: Rotator, work: RotationWork) -> None:
    while rotator.turn(work):
        pass


def test_a_server_that_slept_just_before_asking_for_a_secret_leaves_that_to_whoever_took_over(world: World) -> None:
    rotation_id = world.rotation(world.connect()).id
    server = world.servers[0]
    world.claim()
    sleeper = acquire(server.context, rotation_id)
    assert sleeper is not None

    def sleep(_rotation: str, step: Step) -> None:
        if step.name is StepName.ISSUE:
            world.watcher = None
            world.clock.advance(server.context.pace.lease.total_seconds() + 1)
            assert acquire(server.context, rotation_id) is not None

    world.watcher = sleep
    with pytest.raises(LeaseLost):
        turn_to_rest(server.rotator, sleeper)

    assert not world.emulator.ledger.query(operation="addPassword")
