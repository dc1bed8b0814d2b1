"""A tenant is read to its end, whatever comes between: throttling, a kill, a connection that is refused."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator.faults.faults import Effect
from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.audit.service import AuditTrail
from keyturn.db.unit import Database
from keyturn.inventory.domain import Finding, InventoryFilter, NotObservable, Observed, Origin, Owners
from keyturn.inventory.list_store import Slice
from keyturn.inventory.plan import DETAILS_EVERY, OBJECTS_AT_ONCE, Phase
from keyturn.kit.secret import Plaintext
from keyturn.ports.inventory import KeyKind, ObjectKind
from keyturn.rotations.store import evidence as reports
from tests.databases import sqlite_database
from tests.features.inventory.scene import DAY, OWNED, READ_ALL, Killed, Tenant, tenant


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Tenant]:
    with sqlite_database(tmp_path) as database, tenant(database) as made:
        yield made


def test_everything_is_found_with_what_is_wrong_with_it(database: Database) -> None:
    with tenant(database) as scene:
        world, admin = scene.world, scene.world.emulator.admin
        now = world.clock.now().timestamp()
        owner = world.application.principal_id
        shop = scene.application("Shop", owners=(owner,))
        soon = admin.add_secret(shop.object_id, "soon", end=now + 20 * DAY)
        old = admin.add_secret(shop.object_id, "old", start=now - 90 * DAY, end=now - 3 * DAY)
        lost = scene.application("Lost", secrets=1)
        personal = scene.application("Personal", audience="AzureADandPersonalMicrosoftAccount", secrets=1)
        off = scene.application("Off", secrets=1)
        admin.set_disabled(off.object_id, disabled=True)
        bare = scene.application("Bare")
        scene.switch_on()
        view = scene.read()
        assert (view.inventory.sees_all, view.inventory.read_at, view.is_stale) == (
            True,
            view.inventory.began_at,
            False,
        )
        assert view.connection.name == "reader"
        rows = {(row.entry.name, row.entry.key_name): row for row in scene.rows()}
        row = rows[("Shop", "soon")]
        assert (row.entry.key_id, row.entry.hint) == (soon.key_id, soon.value[:3])
        assert (row.entry.object_kind, row.entry.key_kind) == (ObjectKind.APPLICATION, KeyKind.SECRET)
        assert (row.entry.object_id, row.entry.app_id) == (shop.object_id, shop.app_id)
        assert [owned.id for owned in row.owners] == [owner]
        assert (row.origin, row.rotation_id, row.findings(world.clock.now())) == (Origin.FOREIGN, None, [])
        assert isinstance(row.last_use, NotObservable)
        assert row.last_use.reason
        assert rows[("Shop", "old")].findings(world.clock.now()) == [Finding.EXPIRED]
        assert rows[("Shop", "old")].entry.key_id == old.key_id
        found = rows[("Lost", "secret 1")].findings(world.clock.now())
        assert set(found) == {Finding.NO_OWNER, Finding.LIVES_TOO_LONG}
        assert rows[("Lost", "secret 1")].entry.app_id == lost.app_id
        assert rows[("Personal", "secret 1")].entry.slots_left == 1
        assert personal.app_id in {each.entry.app_id for each in scene.rows(words=("personal",))}
        assert Finding.DISABLED_APPLICATION in rows[("Off", "secret 1")].findings(world.clock.now())
        assert [each.entry.object_id for each in scene.rows(kind="none")] == [bare.object_id]
        # What is shown is what filters find, whatever the finding.
        for finding in Finding:
            shown = {each.entry.key_id for each in scene.rows() if finding in each.findings(world.clock.now())}
            assert {each.entry.key_id for each in scene.rows(finding=finding)} == shown, finding
        assert [each.entry.key_name for each in scene.rows(within_days=30)] == ["soon"]
        assert {each.entry.name for each in scene.rows(owners=Owners.ONE)} >= {"Shop"}
        assert not any(soon.value in text for text in scene.line.sent)


def test_a_scan_that_is_killed_anywhere_goes_on_where_it_was(scene: Tenant) -> None:
    for number in range(40):
        scene.application(f"app-{number:02}", secrets=1)
    scene.switch_on()
    killed = 0
    for after in (1, 2, 3, 5, 17, 30):
        scene.line.kill_after = after
        try:
            for _ in range(30):
                scene.work()
                scene.world.clock.advance(10)
        except Killed:
            killed += 1
        scene.line.kill_after = None
        scene.restart()
        scene.world.clock.advance(700)
    scene.read()
    assert killed == 6
    assert len(scene.rows()) == 42
    assert all(row.entry.owner_state is not Owners.NOT_READ for row in scene.rows())
    # Nothing was begun anew: each kill costs the piece that was under way, and a sign-in.
    needed = 2 + 3 + 42 * 2
    assert len(scene.line.graph()) <= needed + 6 * 4


def test_owners_are_asked_for_slowly_and_first_of_what_ends_soon(scene: Tenant) -> None:
    now = scene.world.clock.now().timestamp()
    apps = [scene.application(f"app-{number:02}") for number in range(OBJECTS_AT_ONCE + 15)]
    soonest = apps[37]
    for number, made in enumerate(apps):
        end = now + (5 if made is soonest else 100 + number) * DAY
        scene.world.emulator.admin.add_secret(made.object_id, "key", end=end)
    scene.switch_on()
    while not any("/owners?" in each for each in scene.line.sent):
        assert scene.work()
    asked = [each for each in scene.line.sent if "/owners?" in each]
    assert len(asked) == OBJECTS_AT_ONCE
    assert soonest.object_id in asked[0]
    assert scene.work() == 0
    scene.world.clock.advance(DETAILS_EVERY.total_seconds() + 1)
    assert scene.work() == 1


def test_throttling_is_waited_for_as_long_as_is_asked(scene: Tenant) -> None:
    busy = Effect(429, "TooManyRequests", "Please wait.", retry_after=77)
    scene.world.emulator.faults.fail_next("listServicePrincipals", busy, when="before")
    scene.switch_on()
    while not (view := scene.view()) or not view.inventory.trouble:
        assert scene.work()
    assert view.inventory.phase is Phase.PRINCIPALS
    assert "azure.throttled" in str(view.inventory.trouble)
    scene.world.clock.advance(70)
    assert scene.work() == 0
    scene.world.clock.advance(10)
    assert scene.work() == 1
    assert scene.read().inventory.trouble is None


def test_one_of_several_connections_reads_and_another_stands_in(scene: Tenant) -> None:
    world, admin = scene.world, scene.world.emulator.admin
    handle = scene.application("Second reader", permissions=READ_ALL, secrets=1)
    second = world.connect("second", handle, rotate=False)
    scene.switch_on()
    scene.switch_on(second)
    view = scene.read()
    assert (view.connection.name, [each.name for each in view.others]) == ("reader", ["second"])
    lists = [each for each in scene.line.sent if "/applications?" in each]
    scene.pass_time(0.5)
    assert [each for each in scene.line.sent if "/applications?" in each] == lists
    secret = next(each for each in admin.secrets(world.application_of(scene.reader.client_id)))
    admin.remove_secret(world.application_of(scene.reader.client_id), secret.key_id)
    world.clock.advance(3600)
    scene.restart()
    scene.pass_time(3)
    after = scene.view()
    assert after is not None
    assert after.connection.name == "second"
    assert (after.inventory.id, after.inventory.phase) == (view.inventory.id, Phase.REST)
    assert "Second reader" in {row.entry.name for row in scene.rows()}


def test_with_ownership_alone_it_says_what_is_not_seen(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, OWNED) as scene:
        principal = scene.world.applications[scene.reader.client_id].principal_id
        scene.application("Mine", owners=(principal,), secrets=1)
        scene.application("Hidden", secrets=1)
        scene.switch_on()
        view = scene.read()
        assert view.inventory.sees_all is False
        assert {row.entry.name for row in scene.rows()} == {"Mine"}


def test_what_changes_between_full_reads_is_seen_within_an_hour(scene: Tenant) -> None:
    shop = scene.application("Shop", secrets=1)
    scene.switch_on()
    scene.read()
    scene.world.clock.advance(1)
    added = scene.world.emulator.admin.add_secret(shop.object_id, "added")
    scene.application("New", secrets=1)
    scene.pass_time(1.1)
    assert added.key_id in {row.entry.key_id for row in scene.rows()}
    assert "New" in {row.entry.name for row in scene.rows()}
    scene.world.emulator.admin.remove_secret(shop.object_id, added.key_id)
    scene.pass_time(1.2)
    assert added.key_id not in {row.entry.key_id for row in scene.rows()}
    assert sum("/delta?" in each for each in scene.line.graph()) >= 2 + 2 * 2
    lists = [each for each in scene.line.graph() if "$top=999" in each]
    assert len(lists) == 3, "each list was read once"


def test_a_credential_that_appears_on_a_rotated_application_is_told_of(scene: Tenant) -> None:
    world = scene.world
    connection = world.connect()
    world.settle()
    rotation = world.rotation(connection)
    scene.switch_on()
    scene.read()
    ours = {row.origin for row in scene.rows(words=(world.application.app_id,))}
    assert ours <= {Origin.OURS, Origin.ADOPTED}
    assert {row.rotation_id for row in scene.rows(words=(world.application.app_id,))} == {rotation.id}
    world.clock.advance(1)
    stray = world.emulator.admin.add_secret(world.application.object_id, "stray")
    scene.pass_time(3)
    world.work()
    assert [row.entry.key_id for row in scene.rows(finding=Finding.APPEARED)] == [stray.key_id]
    trail = AuditTrail(world.database)
    events = {each.name: each for each in trail.page(world.actor, subject_id=rotation.id, limit=100).events}
    told = events["foreign-credential-found"].data
    assert (told["keyId"], told["madeBy"]) == (stray.key_id, None)
    assert told["unknownBecause"]
    # The rotation was woken, and tells of it as of all drift, which raises the alarm.
    assert events["credentials-drifted"].data["keyId"] == stray.key_id


def test_who_made_what_appeared_is_named_by_the_directorys_own_log(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, (*READ_ALL, "AuditLog.Read.All")) as scene:
        world = scene.world
        world.connect()
        world.settle()
        scene.switch_on()
        scene.read()
        world.clock.advance(1)
        body = {"passwordCredential": {"displayName": "backdoor"}}
        made = scene.administer("POST", f"applications/{world.application.object_id}/addPassword", body)
        world.clock.advance(3600)
        scene.pass_time(1.2)
        (event,) = world.events("foreign-credential-found")
        assert (event["data"]["keyId"], event["data"]["madeBy"]) == (made["keyId"], "Administrator")
        assert event["data"]["unknownBecause"] is None


def test_counts_are_what_there_is_whatever_changes(database: Database) -> None:
    """They are kept between changes, so each kind of change is tried."""
    with tenant(database) as scene:
        world, admin = scene.world, scene.world.emulator.admin

        def check() -> None:
            view, rows = scene.view(), scene.rows()
            assert view is not None
            page = scene.inventories.page(world.actor, view.inventory.id, InventoryFilter(), Slice(), summary=True)
            now = world.clock.now()
            found = Counter(finding for row in rows for finding in row.findings(now))
            assert {finding: count for finding, count in page.findings.items() if count} == dict(found)
            assert view.counts.credentials == sum(row.entry.key_kind is not None for row in rows)
            assert view.counts.objects == len({row.entry.object_id for row in rows})
            assert page.total == len(rows)

        shop = scene.application("Shop", secrets=2)
        gone = scene.application("Gone", secrets=1)
        scene.switch_on()
        while (view := scene.view()) is None or view.inventory.phase is not Phase.REST:
            scene.work()
            world.clock.advance(5)
            if view is not None:
                check()
        admin.add_secret(
            shop.object_id, "old", start=world.clock.now().timestamp() - DAY, end=world.clock.now().timestamp() - 60
        )
        scene.administer("DELETE", f"applications/{gone.object_id}")
        scene.pass_time(1.2)
        check()
        admin.set_disabled(shop.object_id, disabled=True)
        world.clock.advance(300 * DAY)
        check()
        scene.read()
        check()


def test_credentials_on_principals_of_foreign_applications_are_found(scene: Tenant) -> None:
    world, admin = scene.world, scene.world.emulator.admin
    elsewhere = admin.create_tenant("Fabrikam")
    made = admin.create_application(elsewhere, "Their app", audience="AzureADMultipleOrgs", secrets=1)
    principal = scene.administer("POST", "servicePrincipals", {"appId": made.app_id})
    body = {"passwordCredential": {"displayName": "local"}}
    scene.administer("POST", f"servicePrincipals/{principal['id']}/addPassword", body)
    shop = scene.application("Shop", secrets=1)
    scene.switch_on()
    scene.read()
    (row,) = scene.rows(finding=Finding.FOREIGN_APPLICATION)
    assert (row.entry.name, row.entry.key_name, row.entry.object_kind) == ("Their app", "local", ObjectKind.PRINCIPAL)
    assert [each.entry.name for each in scene.rows(foreign=True)] == ["Their app"]
    # Nobody signs in as an application whose own principal is disabled.
    world.clock.advance(1)
    scene.administer("PATCH", f"servicePrincipals/{shop.principal_id}", {"accountEnabled": False})
    scene.pass_time(1.2)
    assert [each.entry.name for each in scene.rows(disabled=True)] == ["Shop"]
    scene.administer("PATCH", f"servicePrincipals/{shop.principal_id}", {"accountEnabled": True})
    scene.pass_time(1.2)
    assert scene.rows(disabled=True) == []


def test_a_principal_with_credentials_of_its_own_is_enabled_again(scene: Tenant) -> None:
    shop = scene.application("Shop", secrets=1)
    scene.administer("POST", f"servicePrincipals/{shop.principal_id}/addPassword", {"passwordCredential": {}})
    scene.switch_on()
    scene.read()
    for is_enabled in (False, True):
        scene.world.clock.advance(1)
        scene.administer("PATCH", f"servicePrincipals/{shop.principal_id}", {"accountEnabled": is_enabled})
        scene.pass_time(1.2)
        rows = scene.rows(words=("shop",))
        assert {(row.entry.object_kind, row.entry.disabled) for row in rows} == {
            (ObjectKind.APPLICATION, not is_enabled),
            (ObjectKind.PRINCIPAL, not is_enabled),
        }


def test_switching_off_removes_what_was_read(scene: Tenant) -> None:
    scene.switch_on()
    scene.read()
    scene.inventories.switch(scene.world.actor, scene.reader.id, on=False)
    assert scene.view() is None
    assert scene.work() == 0
    scene.world.clock.advance(timedelta(days=1).total_seconds())
    assert scene.work() == 0


def test_what_is_too_old_and_what_ends_is_told_of(scene: Tenant) -> None:
    world = scene.world
    made = scene.application("Shop")
    end = world.clock.now().timestamp() + 20 * DAY
    world.emulator.admin.add_secret(made.object_id, "soon", end=end)
    finder = ConditionFinder(world.services.providers)

    def kinds() -> set[ConditionKind]:
        with world.database.read() as tx:
            return {one.kind for one in finder.of_organization(tx, world.actor.org_id, world.clock.now())}

    scene.switch_on()
    view = scene.read()
    assert not {ConditionKind.INVENTORY_STALE, ConditionKind.TENANT_CREDENTIAL_ENDS} & kinds()
    scene.inventories.warn(world.actor, view.inventory.id, on=True)
    assert ConditionKind.TENANT_CREDENTIAL_ENDS in kinds()
    world.clock.advance(27 * 3600)
    assert ConditionKind.INVENTORY_STALE in kinds()
    scene.pass_time(0.5)
    assert ConditionKind.INVENTORY_STALE not in kinds()


def test_a_connection_that_reads_a_tenant_need_not_be_able_to_change_it(scene: Tenant) -> None:
    world = scene.world
    world.clock.advance(60)
    world.look()
    before = world.connections.get(world.actor, scene.reader.id)
    assert (before.refused_at, (before.check_result or {})["ok"]) == (None, True)
    assert not world.services.tests.run(world.actor, scene.reader.id).ok, "who wants to rotate learns what is missing"
    scene.switch_on()
    world.clock.advance(2 * 3600)
    world.look()
    after = world.connections.get(world.actor, scene.reader.id)
    assert (after.refused_at, (after.check_result or {})["ok"]) == (None, True)
    tested = world.services.tests.run(world.actor, scene.reader.id)
    assert tested.ok
    assert "inventory" in tested.checks[-1].message


def test_when_a_credential_last_signed_in_is_told_or_why_that_is_not_known(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, (*READ_ALL, "AuditLog.Read.All")) as scene:
        world = scene.world
        shop = scene.application("Shop", secrets=2)
        used, unused = shop.secrets
        world.clock.advance(60)
        at = world.clock.now()
        assert world.signs_in(Plaintext(used.value), shop)
        world.clock.advance(30 * 3600)
        scene.switch_on()
        scene.read()
        other = next(row for row in scene.rows() if row.entry.key_id == unused.key_id)
        assert other.application_use is not None
        assert (other.application_use.key_id, other.application_use.kind) == (used.key_id, KeyKind.SECRET)
        known = {row.entry.key_id for row in scene.rows(words=("shop",), last_success=True)}
        assert known == {used.key_id}
        assert [row.entry.key_id for row in scene.rows(words=("shop",), last_success=False)] == [unused.key_id]
        assert {row.entry.key_id for row in scene.rows(words=("shop",), quiet_for_days=1)} == known
        assert scene.rows(quiet_for_days=2) == [], "what is not known to be used is not known to be quiet"
        rows = {row.entry.key_id: row.last_use for row in scene.rows()}
        seen, unseen = rows[used.key_id], rows[unused.key_id]
        assert isinstance(seen, Observed)
        assert abs(seen.at - at) < timedelta(minutes=1)
        assert isinstance(unseen, NotObservable)
        assert "lags by a day" in unseen.reason
        world.emulator.admin.configure(world.tenant_id, premium=False)
        scene.pass_time(26)
        after = {row.entry.key_id: row.last_use for row in scene.rows()}
        assert isinstance(after[used.key_id], Observed), "what was told once is not forgotten"
        missing = after[unused.key_id]
        assert isinstance(missing, NotObservable)
        assert "licence" in missing.reason


def test_the_inventory_asks_for_reports_in_turn_with_those_who_look_for_uses(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, (*READ_ALL, "AuditLog.Read.All")) as scene:
        world = scene.world
        rotation = world.rotation(world.connect("rotating"))
        world.settle()
        now = world.clock.now()
        busy = now + timedelta(minutes=20)
        with database.write() as tx:
            reports.expect(tx, rotation.id, rotation.tenant, now)
            assert reports.claim(tx, now, 5, busy, busy), "somebody looks now"

        def asked() -> int:
            return sum("appCredentialSignInActivities" in each for each in scene.line.sent)

        scene.switch_on()
        scene.pass_time(0.25)
        assert asked() == 0
        scene.read()
        assert asked() > 0
        assert world.clock.now() >= busy
        last = world.clock.now() + timedelta(seconds=6)
        with database.write() as tx:
            assert reports.take_turn(tx, rotation.tenant, last, last + timedelta(seconds=5)) is None
            reports.ask_at(tx, rotation.id, last)
            assert reports.claim(tx, last, 5, busy, last) == [], "which is the turn of the inventory"
            soon = last + timedelta(seconds=6)
            assert len(reports.claim(tx, soon, 5, soon, soon)) == 1
