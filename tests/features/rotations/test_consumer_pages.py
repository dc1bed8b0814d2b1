"""Pages say who uses which secret of an application, and before a leak is told who will stop."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.credentials.domain import State
from keyturn.delivery import use
from keyturn.delivery.domain import Read
from keyturn.kit.actor import Actor, Role
from keyturn.ports.use_reports import ReportTrouble, Unobservable
from keyturn.rotations.evidence.domain import Coverage, Evidence, ObservedUse, Pace
from keyturn.rotations.store import evidence
from keyturn.secrets.domain import ReadValue
from tests.databases import sqlite_database
from tests.features.accounts.people import machine
from tests.features.rotations.applications import NAMES, Applications, make_applications
from tests.features.rotations.page_desk import page_desk


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False)


def reads(scene: Applications, actor: Actor, pod: str, *using: str) -> None:
    stored = scene.secret(NAMES.client_secret).stored
    value = ReadValue(stored.id, stored.version_id, stored.credential_id)
    with scene.world.database.write() as tx:
        use.note(tx, [Read(actor, "192.0.2.7", pod, 600, using, [value], scene.world.clock.now())])


def test_a_rotation_shows_who_holds_what_and_whom_a_leak_stops(scene: Applications, tmp_path: Path) -> None:
    view = scene.create(overlap="until-consumers-switched:7d")
    shop = machine(scene.world.database, scene.actor.org_id, Role.MEMBER)
    path = f"/secret-rotations/{view.secret_rotation.id}"
    with page_desk(scene, tmp_path) as web:
        assert "Nobody is known to have read it: anybody may hold it." in web.page(path)
        (old,) = scene.keys()
        for pod in ("pod-1", "pod-2"):
            reads(scene, shop, pod)
        scene.rotate(view)
        (new,) = scene.keys() - {old}
        scene.world.clock.advance(60)
        reads(scene, shop, "pod-1", old)
        reads(scene, shop, "pod-2", new)
        page = web.page(path)
        assert "until no program holds it; it waits 7d for programs that still use it" in page
        assert f'{shop.name} <span class="mono">pod-1</span>' in page
        assert "192.0.2.7" in page
        assert "1 of 2 may still use it. It waits for them, and goes" in page
        assert "Switched" in page
        leak = page[page.index("stop signing in until they read the new one") :]
        assert f'Generation 1: {shop.name} <span class="mono">pod-1</span></li>' in leak
        assert "live on: most until" in leak
        scene.world.run_until(scene.world.clock.now() + timedelta(minutes=22))
        assert "1 of 2 may still use it" not in web.page(path)


def test_a_rotation_shows_who_still_uses_a_secret_that_was_removed(scene: Applications, tmp_path: Path) -> None:
    view = scene.create()
    shop = machine(scene.world.database, scene.actor.org_id, Role.MEMBER)
    path, world = f"/secret-rotations/{view.secret_rotation.id}", scene.world
    with page_desk(scene, tmp_path) as web:
        (old,) = scene.keys()
        reads(scene, shop, "pod-1")
        web.done(f"{path}/rotate", reason="leaked")
        world.run_until(world.clock.now() + timedelta(minutes=3))
        assert not scene.keys() & {old}
        assert "which was removed" not in web.page(path), "nobody was heard of since"
        reads(scene, shop, "pod-1", old)
        page = web.page(path)
        gone = page[page.index("Generation 1, which was removed") :]
        assert "was still read or used after that" in gone
        assert f'{shop.name} <span class="mono">pod-1</span>' in gone
        world.run_until(world.clock.now() + timedelta(days=3))
        assert "which was removed" not in web.page(path)


def test_a_previous_secret_that_somebody_removed_is_not_said_to_work(scene: Applications, tmp_path: Path) -> None:
    view, world = scene.create(), scene.world
    (old,) = scene.keys()
    scene.rotate(view)
    path, api = f"/secret-rotations/{view.secret_rotation.id}", "/api/v2/secret-rotations/azure-client-secret"
    with page_desk(scene, tmp_path) as web:
        assert "2 secrets sign in now" in web.page(path)
        world.emulator.admin.remove_secret(scene.application.object_id, old)
        world.run_until(world.clock.now() + timedelta(days=1.2))
        page = web.page(path)
        assert "1 secret signs in now" in page
        assert "Generation 1, which is gone" in page
        assert "It signs in no more: Entra ID does not have it since" in page
        assert page.count("usable until") == 1
        rows = web.json("GET", f"{api}/{view.secret_rotation.id}/credentials")["credentials"]
        assert [(row["generation"], row["usableUntil"] is None) for row in rows] == [(2, False), (1, True)]


def test_what_reports_show_of_each_secret_is_said_with_its_source_or_why_they_are_silent(
    scene: Applications, tmp_path: Path
) -> None:
    view, world, now = scene.create(overlap="until-unused"), scene.world, scene.world.clock.now
    path = f"/secret-rotations/{view.secret_rotation.id}"
    with page_desk(scene, tmp_path) as web:
        assert "Entra ID's reports were not asked for it yet" in web.page(path)
        scene.rotate(view)
        old = next(row for row in world.journal() if row.state is State.RETIRING)
        silent = Coverage(log_trouble=ReportTrouble(Unobservable.PERMISSION, "It may not read the log.", "Grant it."))

        def reported(use: ObservedUse) -> str:
            with world.database.write() as tx:
                evidence.save(tx, old.rotation_id, Evidence(silent, (use,)), None, now())
            return web.page(path)

        page = reported(ObservedUse(old.id))
        assert "Not observable" in page
        assert "shows no sign-in with it, which is not to say that it is unused" in page
        assert page.count("It may not read the log.") == page.count("Grant it.") == 1, "once, for both of them"
        used = Pace(now() - timedelta(hours=3), now() - timedelta(hours=2))
        page = reported(ObservedUse(old.id, used, credential_kind="client-secret"))
        assert "by Entra ID's sign-in log. Its last sign-in there was with a client secret." in page


def test_who_deletes_sees_before_and_after_who_holds_the_secrets(scene: Applications, tmp_path: Path) -> None:
    view = scene.create()
    shop = machine(scene.world.database, scene.actor.org_id, Role.MEMBER)
    reads(scene, shop, "pod-1")
    project, each = view.place.project_id, view.secret_rotation
    held = f'{shop.name} <span class="mono">pod-1</span>'
    with page_desk(scene, tmp_path) as web:
        page = web.page(f"/secret-rotations/{each.id}")
        dialog = page[page.index("Remove them from Entra ID") :]
        assert f"Generation 1: {held}</li>" in dialog, "before somebody removes what it signs in with"
        assert held in web.page(f"/projects/{project}/deletion")
        (ending,) = web.json("GET", "/api/v1/deletions/preview", projectId=project)["secretRotations"]
        (secret,) = ending["consumers"]
        assert (secret["holding"], secret["consumers"][0]["instance"]) == (1, "pod-1")
        route = f"/api/v2/secret-rotations/azure-client-secret/{each.id}"
        deleted = web.json("DELETE", route, revokeGeneratedCredentials="true")
        assert deleted["staysValid"] == []
        assert [one["instance"] for one in deleted["consumers"][0]["consumers"]] == ["pod-1"]
