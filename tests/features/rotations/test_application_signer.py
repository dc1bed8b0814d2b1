"""A secret rotation tells, in its JSON and on its pages, when its connection cannot sign in any more, and the way out."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator import SERVICE_UNAVAILABLE, Fault
from tests.databases import sqlite_database
from tests.features.connections.desk import desk
from tests.features.methods.scene import MethodsFixture, set_up
from tests.features.rotations.applications import Applications, make_applications
from tests.features.rotations.page_desk import PageClient, page_desk

ALL = "/api/v2/secret-rotations/azure-client-secret"
WORKS = {"needsSignIn": False, "grantEndsAt": None, "refusedAt": None, "code": None, "message": None, "fix": None}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False)


def listed(web: PageClient, scene: Applications) -> str:
    return web.page(f"/projects/{scene.project_id}/integrations/secret-rotations")


def test_a_connection_that_a_person_has_to_renew(scene: Applications, tmp_path: Path) -> None:
    world = scene.world
    wire, app = set_up(world)
    world.emulator.admin.consent(app.object_id, "Application.ReadWrite.All")
    ada = world.emulator.admin.create_user(world.tenant_id, "Ada", roles=("Application Administrator",))
    with desk(world, tmp_path, oauth_client_id=app.app_id) as web:
        people = MethodsFixture(web, wire, app, ada, ada, ada)
        people.connect("by-oauth")
        scene.signer = world.connections.by_name(scene.actor, "by-oauth", None)
        awaited = scene.use_cases.create(scene.actor, scene.new())
        used = world.clock.now()
        with page_desk(scene, tmp_path) as pages:
            one, path = f"{ALL}/{awaited.secret_rotation_id}", f"/secret-rotations/{awaited.secret_rotation_id}"
            way_out = f'href="/app-connections/{scene.signer.id}"'
            assert pages.json("GET", one)["secretRotation"]["signer"] == WORKS
            assert "Sign in again" not in pages.page(path) + listed(pages, scene)

            world.clock.advance(60 * 86_400)  # no use succeeds meanwhile
            ends_at = used + timedelta(days=90)
            signer = pages.json("GET", ALL, projectId=scene.project_id)["secretRotations"][0]["signer"]
            assert signer == WORKS | {"grantEndsAt": signer["grantEndsAt"]}
            assert signer["grantEndsAt"][:10] == ends_at.date().isoformat()
            page = pages.page(path)
            assert "is about to end" in page
            assert way_out in page
            assert "Sign-in ends in 30 days" in listed(pages, scene)

            world.emulator.admin.revoke_sessions(ada)
            people.web.ask("POST", f"{scene.signer.id}/test")
            told = pages.json("GET", one)["secretRotation"]["signer"]
            assert (told["needsSignIn"], told["grantEndsAt"]) == (True, None)
            assert told["refusedAt"]
            assert told["code"]
            assert told["fix"]
            page = pages.page(path)
            assert "Nobody is signed in for the connection any more since" in page
            assert told["message"] in page
            assert "Sign in again</a>" in page
            assert "Nothing is rotated until somebody signs in again" in page
            assert "Sign in again" in listed(pages, scene)


def test_a_connection_that_is_refused(scene: Applications, tmp_path: Path) -> None:
    view, world = scene.create(), scene.world
    one, path = f"{ALL}/{view.secret_rotation.id}", f"/secret-rotations/{view.secret_rotation.id}"
    with page_desk(scene, tmp_path) as pages:
        world.emulator.faults.add(Fault("token", (SERVICE_UNAVAILABLE,), when="before", times=None))
        world.services.daily_check.run(scene.signer.id)
        assert pages.json("GET", one)["secretRotation"]["signer"] == WORKS  # trouble that passes is no refusal
        world.emulator.faults.clear()
        world.emulator.admin.remove_secret(world.application.object_id, world.application.secrets[0].key_id)
        scene.run_for(timedelta(days=2))
        told = pages.json("GET", one)["secretRotation"]["signer"]
        assert (told["needsSignIn"], bool(told["refusedAt"])) == (False, True)
        page = pages.page(path)
        assert "The connection is refused since" in page
        assert "Rotations may fail until this is solved" in page
        assert f'href="/app-connections/{scene.signer.id}"' in page
        assert told["message"] in re.sub(r"<[^>]+>", "", page), "with its ids set apart"
        assert "Connection refused" in listed(pages, scene)
