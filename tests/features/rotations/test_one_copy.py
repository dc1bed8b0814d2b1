"""A value is sealed once: connections that rotate point to the journal, and whatever ends that, they still have a value."""

import pytest
import sqlalchemy as sa

from keyturn.connections import sealed
from keyturn.connections.domain import Connection
from keyturn.crypto.rewrap import sealed_columns
from keyturn.db.tables import app_connections, credentials
from keyturn.db.unit import Database
from keyturn.errors import Retryable
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.rotations.commands import ConnectionChange
from keyturn_simulation.invariants import check_always, check_quiet
from keyturn_simulation.world import OWNED, World, make_world
from tests.features.accounts.people import organization
from tests.features.rotations.test_edges import credentials_by_hand, settled
from tests.features.rotations.test_shared import enable, plain, values, working


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def copies(world: World, value: str) -> int:
    """Count the sealed values of the whole database in which this one is."""
    count = 0
    with world.database.read() as tx:
        for column in sealed_columns():
            version = () if column.version is None else (column.version.label("version"),)
            query = sa.select(column.row.label("row"), column.value.label("value"), *version)
            for row in tx.rows(query.where(column.value.is_not(None))):
                count += value in world.sealer.open(row["value"], column.place(row)).reveal()
    return count


def again(world: World, connection: Connection) -> Connection:
    return world.connections.get(world.actor, connection.id)


def signs_in(world: World, *connections: Connection) -> bool:
    return working(world, *(again(world, connection) for connection in connections))


def other_application(world: World) -> ClientSecret:
    handle = world.emulator.admin.create_application(
        world.tenant_id, "Other", permissions=(OWNED,), owns_itself=True, secrets=1
    )
    world.applications[handle.app_id] = handle
    return world.first_secret(handle)


def to_another_organization(world: World, connection: Connection) -> None:
    """Nobody can join across organizations: this is as an older server or a database of before may have left it."""
    elsewhere = organization(world.database, "elsewhere")
    with world.database.write() as tx:
        tx.run(sa.update(app_connections).where(app_connections.c.id == connection.id).values(org_id=elsewhere))


def test_the_current_secret_of_many_connections_is_sealed_once(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    old = world.current_secret(first).reveal()
    assert copies(world, old) == 2, "each that does not rotate has its own"
    enable(world, first)
    assert copies(world, old) == 1
    world.settle()
    assert copies(world, old) == 0
    [value] = values(world, first, second)
    joined = world.connect("joined", rotate=False, secret=Plaintext(value), key_id=None)
    assert values(world, joined) == {value}
    assert copies(world, value) == 1
    world.rotations.rotate_now(world.actor, first.id)
    world.settle()
    [value] = values(world, first, second, joined)
    assert copies(world, value) == 1
    assert signs_in(world, first, second, joined)
    check_quiet(world)


def test_switched_off_it_keeps_signing_in_and_rotates_on_when_it_is_switched_on(world: World) -> None:
    connection = settled(world)
    value = world.current_secret(connection).reveal()
    world.change(connection, enabled=False)
    world.settle()
    assert values(world, connection) == {value}
    assert copies(world, value) == 1
    check_quiet(world)
    world.change(connection, enabled=True)
    world.rotations.rotate_now(world.actor, connection.id)
    world.settle()
    assert values(world, connection) != {value}
    assert signs_in(world, connection)
    check_quiet(world)


def test_a_new_secret_of_the_same_application_is_pointed_to(world: World) -> None:
    connection, own = settled(world), credentials_by_hand(world)
    world.change(connection, enabled=False)
    world.change(connection, credentials=own)
    assert values(world, connection) == {own.secret.reveal()}
    assert copies(world, own.secret.reveal()) == 1
    world.settle()
    assert signs_in(world, connection)
    check_quiet(world)


def test_a_secret_of_another_application_begins_a_rotation_of_its_own(world: World) -> None:
    connection = settled(world)
    before, own = world.current_secret(connection).reveal(), other_application(world)
    world.change(connection, enabled=False)
    world.change(connection, credentials=own)
    assert values(world, connection) == {own.secret.reveal()}
    assert copies(world, own.secret.reveal()) == 1
    world.settle()
    assert copies(world, before) == 0
    assert values(world, connection) == {own.secret.reveal()}
    check_quiet(world)


def test_who_leaves_has_its_own_value_and_the_others_go_on(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    own = credentials_by_hand(world)
    world.change(second, credentials=own)
    assert copies(world, own.secret.reveal()) == 1
    world.rotations.rotate_now(world.actor, first.id)
    world.settle()
    assert values(world, second) == {own.secret.reveal()}
    assert signs_in(world, first, second)
    check_quiet(world)


def test_the_heir_of_a_rotation_points_on(world: World) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    value = world.current_secret(first).reveal()
    world.rotations.delete(world.actor, first.id, revoke=False)
    assert values(world, second) == {value}
    assert copies(world, value) == 1
    world.settle()
    assert signs_in(world, second)
    check_quiet(world)


def test_deleted_with_its_secrets_kept_nothing_stays_here(world: World) -> None:
    connection = settled(world)
    value = world.current_secret(connection)
    world.rotations.delete(world.actor, connection.id, revoke=False)
    world.settle()
    assert copies(world, value.reveal()) == 0
    assert world.signs_in(value), "its user kept it"
    check_quiet(world)


@pytest.mark.parametrize("revoke", [False, True])
def test_whom_a_rotation_cannot_be_handed_over_to_gets_a_copy_back(world: World, *, revoke: bool) -> None:
    first, second = plain(world, "first"), plain(world, "second")
    enable(world, first)
    world.settle()
    value = world.current_secret(first)
    to_another_organization(world, second)
    world.rotations.delete(world.actor, first.id, revoke=revoke)
    check_always(world)
    world.settle()
    with world.database.read() as tx:
        [row] = tx.rows(sa.select(app_connections.c.id, app_connections.c.credential_id))
    assert (row["id"], row["credential_id"]) == (second.id, None)
    assert copies(world, value.reveal()) == 1
    assert world.signs_in(value), "somebody signs in with it"


def test_whoever_read_a_connection_before_its_credential_was_replaced_is_told_and_reads_again(world: World) -> None:
    connection = settled(world)
    long_ago = again(world, connection)
    world.rotations.rotate_now(world.actor, connection.id)
    world.settle()
    with pytest.raises(Retryable) as caught:
        world.stored_credentials(long_ago)
    assert caught.value.code == "connections.credential_replaced"
    assert world.services.stored.sign_in(long_ago)[1]


def test_a_journal_that_does_not_open_takes_no_copy_away(world: World) -> None:
    """Whoever joins a rotation whose value is damaged keeps the one that they typed."""
    connection = settled(world)
    value, damage = world.current_secret(connection), again(world, connection).salt
    with world.database.write() as tx:
        tx.run(sa.update(credentials).values(value=damage))
    joined = world.connect("joined", rotate=False, secret=value, key_id=None)
    assert values(world, joined) == {value.reveal()}
    assert sealed.content_of(world.sealer, again(world, joined)).credential_id is None


def test_the_hash_of_what_was_typed_stays_the_same_through_all_rotations(world: World) -> None:
    supplied = world.first_secret()
    connection = world.connect()
    before = connection.credentials_hash
    world.settle()
    assert again(world, connection).credentials_hash == before
    version = again(world, connection).secret_version
    world.change(connection, credentials=supplied)
    assert again(world, connection).secret_version == version, "what was sent before is known again"
    own = credentials_by_hand(world)
    world.rotations.update(world.actor, connection.id, ConnectionChange(credentials=own))
    assert again(world, connection).credentials_hash != before
