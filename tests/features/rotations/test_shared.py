"""Connections that hold the same credential: a rotation moves them all, and nobody is cut off."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from entra_emulator import Settings
from keyturn.connections import fingerprints
from keyturn.connections.domain import Connection, NewConnection
from keyturn.credentials.domain import State
from keyturn.db.tables import app_connections, credentials, fingerprint_keys
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError, Refused
from keyturn.kit.actor import Actor, Role
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.domain import StepName
from keyturn_simulation.invariants import check_quiet
from keyturn_simulation.world import World, make_world
from tests.emulator.certificates import make_certificate
from tests.features.accounts.people import join, person, project
from tests.features.rotations.test_edges import credentials_by_hand, turn_until

DAILY = ScheduleChange(1, 2, 15, "UTC")


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def plain(world: World, name: str, actor: Actor | None = None, project_id: str | None = None) -> Connection:
    """A connection without rotation, by the application's first secret."""
    return world.rotations.create(
        actor or world.actor, NewConnection(name, world.first_secret(), None, project_id), None
    )


def enable(world: World, connection: Connection, actor: Actor | None = None, **changes: object) -> Connection:
    change = ConnectionChange(enabled=True, schedule=DAILY, **changes)  # type: ignore[arg-type]
    return world.rotations.update(actor or world.actor, connection.id, change)


def values(world: World, *connections: Connection) -> set[str]:
    return {world.current_secret(connection).reveal() for connection in connections}


def working(world: World, *connections: Connection) -> bool:
    return all(world.signs_in(world.current_secret(connection)) for connection in connections)


def member_of(world: World, *projects: str) -> Actor:
    user = person(world.database, world.actor.org_id, Role.VIEWER, f"mia{len(projects)}@contoso.test")
    for project_id in projects:
        join(world.database, user, project_id, Role.MEMBER)
    return user


def test_every_connection_that_holds_the_secret_moves_along_at_each_rotation(world: World) -> None:
    home = project(world.database, world.actor.org_id)
    first, second, third = plain(world, "first"), plain(world, "second", project_id=home), plain(world, "third")
    enable(world, second)
    world.settle()

    assert values(world, first, second, third) == values(world, second)
    assert working(world, first, second, third)
    assert not world.signs_in(world.first_secret().secret)
    moved = world.events("app-connection-credential-moved")
    assert {event["subject_id"] for event in moved} == {first.id, third.id}
    assert [event["data"]["movedAlong"] for event in world.events("rotation-run-succeeded")] == [2]

    world.rotations.rotate_now(world.actor, second.id)
    world.settle()
    assert values(world, first, second, third) == values(world, second)
    assert working(world, first, second, third)
    assert len(world.keys()) == 1
    check_quiet(world)


def test_another_secret_of_the_same_application_stays_as_it_is(world: World) -> None:
    other = credentials_by_hand(world)
    apart = world.rotations.create(world.actor, NewConnection("apart", other), None)
    first = plain(world, "first")
    enable(world, first)
    world.settle()

    assert values(world, apart) == {other.secret.reveal()}
    assert working(world, first, apart)


def test_a_certificate_that_two_connections_hold_moves_both(world: World) -> None:
    pair = make_certificate()
    world.emulator.admin.add_certificate(world.application.object_id, pair.pem)
    key = Plaintext(pair.private_pem.decode())
    files = CertificateFiles(world.tenant_id, world.application.app_id, pair.pem.decode(), key)
    bundle = f"{make_certificate().pem.decode()}{files.certificate}"
    chained = CertificateFiles(world.tenant_id, world.application.app_id, bundle, key)
    first = world.rotations.create(world.actor, NewConnection("first", files), None)
    second = world.rotations.create(world.actor, NewConnection("second", chained), DAILY)
    world.settle()

    prints = {(world.connections.get(world.actor, each.id).facts or {})["thumbprint"] for each in (first, second)}
    assert len(prints) == 1
    assert prints != {(first.facts or {})["thumbprint"]}
    check_quiet(world)


def test_a_connection_made_later_with_the_current_secret_moves_along_from_then_on(world: World) -> None:
    first = world.connect("first")
    world.settle()
    current = world.first_secret(secret=world.current_secret(first), key_id=None)
    later = world.rotations.create(world.actor, NewConnection("later", current), None)
    world.rotations.rotate_now(world.actor, first.id)
    world.settle()

    assert values(world, first) == values(world, later)
    assert working(world, first, later)


def test_what_somebody_may_not_see_is_counted_only_and_an_administrator_has_to_do_it(world: World) -> None:
    here, there = project(world.database, world.actor.org_id), project(world.database, world.actor.org_id, "there")
    plain(world, "out-of-sight", project_id=there)
    mia = member_of(world, here)
    mine = plain(world, "mine", mia, here)
    with pytest.raises(Refused) as refused:
        enable(world, mine, mia)

    assert refused.value.code == "rotation.shared_out_of_sight"
    assert "used elsewhere by 1 connection that you may not see" in refused.value.message
    assert "out-of-sight" not in f"{refused.value.diagnostics()}{refused.value.details}"
    assert "dministrator of the organization" in str(refused.value.fix)
    assert not world.events("rotation-enabled")

    enable(world, mine)
    world.settle()
    check_quiet(world)


def test_joining_a_secret_that_rotates_needs_the_right_to_change_whose_rotation_it_is(world: World) -> None:
    here, there = project(world.database, world.actor.org_id), project(world.database, world.actor.org_id, "there")
    world.rotations.create(world.actor, NewConnection("rotating", world.first_secret(), None, there), DAILY)
    with pytest.raises(Refused) as refused:
        plain(world, "joins", member_of(world, here), here)
    assert refused.value.code == "rotation.shared_out_of_sight"

    joined = plain(world, "joins", member_of(world, here, there), here)
    world.settle()
    assert working(world, joined)
    check_quiet(world)


def test_who_may_see_but_not_change_a_holder_is_told_its_name_and_refused(world: World) -> None:
    home = project(world.database, world.actor.org_id)
    plain(world, "of-the-organization")
    mia = member_of(world, home)
    mine = plain(world, "mine", mia, home)
    with pytest.raises(Refused, match="'of-the-organization'") as refused:
        enable(world, mine, mia)
    assert refused.value.code == "rotation.shared_without_permission"


def test_scheduled_runs_ask_nobody(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    due = world.rotation(first).next_run_at
    assert due is not None
    world.clock.move_to(due)
    world.settle()
    assert working(world, first, second)
    assert world.rotation(first).generation == 2


def test_a_second_rotation_of_the_same_secret_is_refused_and_names_the_first(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    with pytest.raises(Refused, match="rotated already, by the connection 'first'") as refused:
        enable(world, second)
    assert refused.value.code == "rotation.key_in_use"


def test_others_are_named_before_they_are_moved_where_that_is_asked_for(world: World) -> None:
    plain(world, "first")
    second = plain(world, "second")
    with pytest.raises(Refused, match="also used by the connection 'first'") as refused:
        enable(world, second, move_along=False)
    assert [detail["name"] for detail in refused.value.details] == ["first"]
    with pytest.raises(Refused, match="also used by the connections 'first', 'second'"):
        world.rotations.create(world.actor, NewConnection("third", world.first_secret()), DAILY, move_along=False)
    assert [connection.name for connection in world.all_connections()] == ["first", "second"]
    enable(world, second, move_along=True)


# --- leaving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revoke", [None, True, False])
def test_deleting_whose_rotation_it_is_hands_the_rotation_over(world: World, revoke: bool | None) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    _, remaining = world.rotations.delete(world.actor, first.id, revoke=revoke)
    world.settle()

    assert [row.note for row in remaining] == ["other connections sign in with it"]
    assert working(world, second)
    assert world.rotation(second).generation == 1
    assert world.events("rotation-handed-over")[0]["data"]["connectionId"] == second.id
    world.rotations.rotate_now(world.actor, second.id)
    world.settle()
    assert world.rotation(second).generation == 2
    world.rotations.delete(world.actor, second.id, revoke=True)
    world.settle()
    assert world.keys() == {}
    check_quiet(world)


def test_deleting_during_a_run_hands_the_run_over_too(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    turn_until(world, first, StepName.ISSUE)
    world.rotations.delete(world.actor, first.id, revoke=True)
    world.settle()

    assert working(world, second)
    assert world.rotation(second).generation == 1
    assert len(world.keys()) == 1
    check_quiet(world)


def test_deleting_a_holder_leaves_the_others_as_they_are(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    world.rotations.delete(world.actor, second.id, revoke=True)
    world.settle()
    assert working(world, first)
    check_quiet(world)


def test_a_holder_that_gets_other_credentials_leaves(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    own = credentials_by_hand(world)
    world.change(second, credentials=own)
    world.rotations.rotate_now(world.actor, first.id)
    world.settle()

    assert values(world, second) == {own.secret.reveal()}
    assert working(world, first, second)
    check_quiet(world)


def test_when_whose_rotation_it_is_gets_other_credentials_the_others_keep_the_rotation(world: World) -> None:
    first, second, third = plain(world, "first"), plain(world, "second"), plain(world, "third")
    enable(world, first)
    world.settle()
    world.change(first, credentials=credentials_by_hand(world))
    world.settle()

    assert values(world, second) == values(world, third) != values(world, first)
    assert working(world, first, second, third)
    assert world.rotation(first).id != world.rotation(second).id
    assert len(world.keys()) == 2
    check_quiet(world)


# --- what may not slip between ----------------------------------------------------------------------------------------


def test_a_secret_that_is_being_removed_or_was_just_now_is_not_taken(database: Database) -> None:
    world = make_world(database, settings=Settings(replicas=2, token_vanish=(600, 900)))
    first = world.connect("first")
    turn_until(world, first, StepName.PUBLISH)
    with pytest.raises(Refused) as refused:
        plain(world, "too-late")
    assert refused.value.code == "rotation.credential_replaced"
    assert "is being removed" in refused.value.message

    world.settle(within=timedelta(minutes=2))
    assert State.REVOKED in world.states(first)
    with pytest.raises(Refused, match="is gone"):
        plain(world, "much-too-late")


def test_a_connection_made_while_its_secret_is_being_replaced_is_moved_or_refused(world: World) -> None:
    """Publishing and creating at the same instant, from two threads, many times over."""
    first, codes = world.connect("first"), []
    world.settle()
    for number in range(4):
        current = world.first_secret(secret=world.current_secret(first), key_id=None)
        world.rotations.rotate_now(world.actor, first.id)
        turn_until(world, first, StepName.PROVE)
        ready = threading.Barrier(2)

        def join_in(
            supplied: object = current, name: str = f"joins-{number}", ready: threading.Barrier = ready
        ) -> None:
            ready.wait()
            try:
                world.rotations.create(world.actor, NewConnection(name, supplied), None)  # type: ignore[arg-type]
            except KeyturnError as error:
                codes.append(error.code)

        other = threading.Thread(target=join_in)
        other.start()
        ready.wait()
        world.settle()
        other.join()
        world.settle()
        assert working(world, *world.all_connections())
    assert set(codes) <= {"rotation.credential_replaced", "azure.secret_invalid"}
    check_quiet(world)


def test_whoever_gets_other_credentials_while_the_others_are_moved_keeps_them(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    turn_until(world, first, StepName.PROVE)
    own = credentials_by_hand(world)
    world.change(second, credentials=own)
    world.settle()
    assert values(world, second) == {own.secret.reveal()}
    check_quiet(world)


# --- fingerprints -----------------------------------------------------------------------------------------------------


def forget_fingerprints(world: World) -> None:
    """Make the rows look like those of a server of before."""
    with world.database.write() as tx:
        tx.run(sa.delete(fingerprint_keys))
        tx.run(sa.update(app_connections).values(fingerprint=None, fingerprint_version=0))
        tx.run(sa.update(credentials).values(fingerprint=None))


def test_rows_of_before_get_their_fingerprints_before_anything_is_revoked(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    turn_until(world, first, StepName.PROVE)
    forget_fingerprints(world)
    world.settle()
    assert working(world, first, second)
    check_quiet(world)


def test_a_connection_that_an_older_server_left_behind_is_moved_before_the_secret_is_removed(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    with world.database.read() as tx:
        before = dict(tx.rows(sa.select(app_connections).where(app_connections.c.id == second.id))[0])
    turn_until(world, first, StepName.PUBLISH)
    older_values = {name: before[name] for name in ("secret", "secret_version", "credential_id", "updated_at")}
    with world.database.write() as tx:  # an older server publishes for one connection alone
        tx.run(
            sa.update(app_connections)
            .where(app_connections.c.id == second.id)
            .values(older_values | {"fingerprint_version": 0})
        )
    world.settle()

    assert working(world, first, second)
    assert values(world, first) == values(world, second)
    check_quiet(world)


def test_fingerprints_say_nothing_without_the_key_and_differ_by_application(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    other = world.emulator.admin.create_application(world.tenant_id, "Other", secrets=0)
    secret = world.emulator.admin.add_secret(other.object_id, value=world.first_secret().secret.reveal())
    supplied = world.first_secret(client_id=other.app_id, key_id=secret.key_id)
    third = world.rotations.create(world.actor, NewConnection("third", supplied), None)
    marks = [world.connections.get(world.actor, each.id).fingerprint for each in (first, second, third)]

    assert marks[0] == marks[1] != marks[2]
    forget_fingerprints(world)
    assert fingerprints.complete(world.database, world.sealer, world.services.providers, world.clock.now()) == 3
    anew = [world.connections.get(world.actor, each.id).fingerprint for each in (first, second, third)]
    assert anew[0] == anew[1] != anew[2]
    assert not set(anew) & set(marks), "another key, other fingerprints"


def test_a_row_that_cannot_be_read_keeps_nobody_from_rotating(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    damaged = plain(world, "damaged")
    with world.database.write() as tx:
        row = sa.update(app_connections).where(app_connections.c.id == damaged.id)
        tx.run(row.values(secret_version=7))
    reports: list[str] = []
    fingerprints.complete(
        world.database,
        world.sealer,
        world.services.providers,
        world.clock.now(),
        lambda table, row, error: reports.append(f"{table} {row} {error.code}"),
    )
    assert reports == [f"app_connections {damaged.id} crypto.value_refused"]
    enable(world, first)
    world.settle()
    assert working(world, first, second)
