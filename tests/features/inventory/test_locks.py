"""Transactions that change who reads a tenant lock rows in the same order, so that none makes another one fail on PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from entra_emulator.faults.faults import Effect
from keyturn.connections.domain import Connection, NewConnection
from keyturn.db.unit import Database
from keyturn.projects.service import Projects
from tests.databases import postgres_database
from tests.features.accounts.people import project
from tests.features.inventory.scene import OWNED, READ_ALL, Meanwhile, Tenant, tenant
from tests.features.rotations.test_locks import waits_for_a_lock

pytestmark = pytest.mark.postgres
SWITCH = "UPDATE inventory_connections"


@pytest.fixture
def scene() -> Iterator[Tenant]:
    with postgres_database() as database, tenant(database, OWNED) as opened:
        yield opened


@contextmanager
def meanwhile(database: Database, words: str, happens: Callable[[], object]) -> Iterator[Future[object]]:
    """Before this thread's first statement with these words, let something begin in another one, until it waits for a lock."""
    here, begun = threading.get_ident(), Future[object]()

    def execute(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if threading.get_ident() == here and statement.startswith(words) and not begun.done():
            begun.set_result(others.submit(happens))
            waits_for_a_lock(database)

    event.listen(database.engine, "before_cursor_execute", execute)
    with ThreadPoolExecutor(1) as others:
        yield begun
    event.remove(database.engine, "before_cursor_execute", execute)


def second_reader(scene: Tenant) -> Connection:
    """A connection that sees all of the tenant, so that it takes the place of the one that sees only what it owns."""
    handle = scene.application("Second reader", permissions=READ_ALL, secrets=1)
    return scene.world.connect("second", handle, rotate=False)


def check(scene: Tenant, words: str, one: Callable[[], object], other: Callable[[], object]) -> None:
    """Both come to their end, though the second begins in the middle of the first."""
    with meanwhile(scene.world.database, words, other) as begun:
        one()
    waiting = begun.result(0)
    assert isinstance(waiting, Future)
    waiting.result(0)


def test_a_connection_takes_the_place_of_one_that_is_switched_off(scene: Tenant) -> None:
    scene.switch_on()
    scene.read()
    second = second_reader(scene)
    scene.switch_on(second)
    first = scene.reader.id
    check(
        scene,
        SWITCH,
        lambda: scene.inventories.switch(scene.world.actor, first, on=False),
        lambda: scene.source.do(second.id),
    )
    assert scene.read().connection.name == "second"


def test_a_connection_takes_the_place_of_one_that_is_refused(scene: Tenant) -> None:
    scene.switch_on()
    view, second = scene.read(), second_reader(scene)
    scene.inventories.read_now(scene.world.actor, view.inventory.id)
    scene.source.do(scene.reader.id)
    scene.world.emulator.faults.fail_next("listOwnedObjects", Effect(403, "Authorization_RequestDenied"), when="before")
    scene.line.inner = Meanwhile(scene.line.inner, "/ownedObjects", lambda: scene.switch_on(second))
    check(scene, SWITCH, lambda: scene.source.do(scene.reader.id), lambda: scene.source.do(second.id))
    assert scene.read().connection.name == "second"


def test_two_connections_of_a_tenant_are_switched_off_at_once(scene: Tenant) -> None:
    second = second_reader(scene)
    scene.switch_on()
    scene.switch_on(second)
    off = scene.inventories.switch
    check(
        scene,
        SWITCH,
        lambda: off(scene.world.actor, scene.reader.id, on=False),
        lambda: off(scene.world.actor, second.id, on=False),
    )
    assert scene.work() == 0


def test_a_connection_is_deleted_while_what_it_read_is_kept(scene: Tenant) -> None:
    """Whoever changes an inventory twice in a transaction locks the connection, too: the database looks whether it is there."""
    scene.switch_on()
    world = scene.world
    scene.work()
    check(
        scene,
        "UPDATE inventories",
        lambda: scene.source.do(scene.reader.id),
        lambda: world.rotations.delete(world.actor, scene.reader.id, revoke=False),
    )
    assert scene.view() is None


def test_a_connection_is_deleted_while_a_strange_credential_is_found_on_its_application(scene: Tenant) -> None:
    world = scene.world
    handle = scene.application("Watched", permissions=("Application.ReadWrite.All",), secrets=1)
    watched = world.connect("watched", handle)
    world.settle()
    scene.switch_on(watched)
    view = scene.read()
    world.emulator.admin.add_secret(handle.object_id, "strange")
    scene.inventories.read_now(world.actor, view.inventory.id)
    scene.source.do(watched.id)
    check(
        scene,
        "UPDATE rotations",
        lambda: scene.source.do(watched.id),
        lambda: world.rotations.delete(world.actor, watched.id, revoke=False),
    )
    assert scene.view() is None


def test_a_project_is_deleted_while_what_its_connection_read_is_kept(scene: Tenant) -> None:
    world = scene.world
    home = project(world.database, world.actor.org_id, "payments")
    handle = scene.application("Reader of payments", permissions=READ_ALL, secrets=1)
    reader = world.rotations.create(
        world.actor, NewConnection("payments", world.first_secret(handle), project_id=home), None
    )
    scene.switch_on(reader)
    scene.work()
    check(
        scene,
        "UPDATE inventories",
        lambda: scene.source.do(reader.id),
        lambda: Projects(world.database, world.clock, world.ids).delete(world.actor, home),
    )
    assert scene.view() is None
