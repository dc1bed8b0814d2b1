"""A read of a tenant that somebody or something gets into: what was read is kept where it belongs, and it goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keyturn.inventory.plan import Phase
from tests.databases import sqlite_database
from tests.features.inventory.scene import DAY, OWNED, READ_ALL, Meanwhile, Tenant, tenant


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Tenant]:
    with sqlite_database(tmp_path) as database, tenant(database) as made:
        made.application("Shop", secrets=1)
        made.switch_on()
        yield made


def meanwhile(scene: Tenant, words: str, happens: Callable[[], object]) -> Meanwhile:
    scene.line.inner = there = Meanwhile(scene.line.inner, words, happens)
    return there


@pytest.mark.parametrize("words", ["/applications?", "/policies/", "/owners?", "appCredentialSignInActivities"])
def test_a_connection_that_is_deleted_meanwhile_leaves_nothing(scene: Tenant, words: str) -> None:
    world = scene.world
    admin = world.emulator.admin
    reader = world.applications[scene.reader.client_id]
    admin.grant(reader.principal_id, "AuditLog.Read.All", "Policy.Read.All")
    there = meanwhile(scene, words, lambda: world.rotations.delete(world.actor, scene.reader.id, revoke=False))
    scene.pass_time(0.2)
    assert there.has_happened
    assert scene.view() is None
    assert scene.work() == 0


def test_what_one_connection_reads_is_not_kept_once_another_reads(scene: Tenant) -> None:
    """Who may use the second may not learn what only the first was shown."""
    world = scene.world
    handle = scene.application("Second reader", permissions=OWNED, secrets=1)
    second = world.connect("second", handle, rotate=False)

    def hand_over() -> None:
        scene.switch_on(second)
        scene.inventories.switch(world.actor, scene.reader.id, on=False)
        scene.work()

    meanwhile(scene, "/applications?", hand_over)
    while (view := scene.view()) is None or view.connection.name != "second":
        assert scene.work()
    assert scene.rows() == []
    view = scene.read()
    assert view.connection.name == "second"
    assert {row.entry.name for row in scene.rows()} == set()


@pytest.mark.parametrize("words", ["/applications?", "/servicePrincipals?"])
def test_a_permission_that_is_withdrawn_in_the_middle_leaves_what_is_owned(scene: Tenant, words: str) -> None:
    world, admin = scene.world, scene.world.emulator.admin
    reader = world.applications[scene.reader.client_id]
    admin.grant(reader.principal_id, *OWNED)
    scene.application("Mine", owners=(reader.principal_id,), secrets=1)

    def withdraw() -> None:
        admin.withdraw(reader.principal_id, *READ_ALL)
        scene.restart()

    meanwhile(scene, words, withdraw)
    scene.pass_time(2.2)
    view = scene.read()
    assert view.inventory.sees_all is False
    assert {row.entry.name for row in scene.rows()} == {"Mine"}


def test_an_application_that_is_deleted_in_the_middle_goes_and_one_of_its_name_is_another(scene: Tenant) -> None:
    world = scene.world
    gone = scene.application("Twin", secrets=1)

    def delete() -> None:
        world.clock.advance(1)
        scene.administer("DELETE", f"applications/{gone.object_id}")
        scene.application("Twin", secrets=1)

    meanwhile(scene, "/servicePrincipals?", delete)
    scene.read()
    scene.pass_time(1.2)
    (twin,) = scene.rows(words=("twin",), kind="client-secret")
    assert twin.entry.object_id != gone.object_id
    scene.administer("POST", f"directory/deletedItems/{gone.object_id}/restore")
    scene.pass_time(1.2)
    assert {row.entry.object_id for row in scene.rows(words=("twin",))} >= {gone.object_id, twin.entry.object_id}
    assert not world.emulator.admin.application(gone.object_id).deleted_at


def test_clocks_that_jump_stop_nothing(scene: Tenant) -> None:
    world = scene.world
    scene.read()
    for jump in (400 * DAY, -DAY, 30 * DAY):
        world.clock.advance(jump)
        scene.restart()
        name = f"made after {jump}"
        scene.application(name, secrets=1)
        scene.pass_time(2.5)
        view = scene.read()
        assert view.inventory.phase is Phase.REST
        assert name in {row.entry.name for row in scene.rows()}, jump


def test_lists_are_read_anew_where_nobody_tells_any_more_what_changed(scene: Tenant) -> None:
    """Graph answers 410 for a token that is too old."""
    world = scene.world
    scene.read()
    world.emulator.admin.configure(world.tenant_id, delta_lifetime=60.0)
    scene.application("New", secrets=1)

    def lists() -> int:
        return sum("$top=999" in each and "/applications?" in each for each in scene.line.graph())

    before = lists()
    scene.pass_time(1.2)
    view = scene.read()
    assert (lists(), view.inventory.trouble) == (before + 1, None)
    assert "New" in {row.entry.name for row in scene.rows()}


def test_owners_of_what_ends_late_are_read_again_once_a_week(scene: Tenant) -> None:
    """They show in no list of changes."""
    world = scene.world
    scene.read()
    (row,) = scene.rows(words=("shop",))
    owner = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{world.application.principal_id}"}
    scene.administer("POST", f"applications/{row.entry.object_id}/owners/$ref", owner)
    for days, expected in ((1.1, []), (7, [world.application.principal_id])):
        world.clock.advance(days * DAY)
        scene.restart()
        scene.read()
        (row,) = scene.rows(words=("shop",))
        assert [each.id for each in row.owners] == expected, days
