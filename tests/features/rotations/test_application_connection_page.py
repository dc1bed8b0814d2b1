"""The page of a connection names the secret rotations that go through it, to those who may see them, before it is deleted."""

from datetime import timedelta
from pathlib import Path

from keyturn.audit.retention import remove_old_events
from keyturn.kit.actor import Role
from keyturn.rotations.overviews import NAMED
from keyturn.secrets.mapped import SecretNames
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.rotations.applications import make_applications
from tests.features.rotations.page_desk import page_desk


def test_what_is_rotated_through_a_connection(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        path, name = f"/app-connections/{scene.signer.id}", "the-shop-of-contoso"
        with page_desk(scene, tmp_path) as web:
            before = web.page(path)
            assert "of applications" not in before
            assert "Read the tenant" in before
            web.done(f"{path}/inventory", on="true")
            assert 'href="/inventory">Of its tenant' in web.page(path)
            web.done(f"{path}/inventory", on="false")
            assert "Read the tenant" in web.page(path)
            assert f'action="{path}/delete"' in before
            view = scene.create(name=name)
            page = web.page(path)
            assert "Rotates 1 secret of applications" in page
            dialog = page[page.index('id="delete"') :]
            assert f'href="/secret-rotations/{view.secret_rotation.id}">{name}</a>' in dialog
            assert f'action="{path}/delete"' not in page
            # The form of a page that was opened before: nothing is deleted, and the answer names what prevents it.
            told = web.refused(f"{path}/delete", confirm=scene.signer.name, secrets="own")
            assert f"secrets of applications are rotated: '{name}'" in told
            assert scene.world.connections.get(scene.actor, scene.signer.id)

            web.who = person(database, scene.actor.org_id, Role.MEMBER, "colleague@contoso.test")
            page = web.page(path)
            assert "Rotates 1 secret of applications" in page
            assert "1 you may not see" in " ".join(page.split())
            assert name not in page


def test_pages_are_there_when_no_event_of_theirs_is_kept_any_more(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        view = scene.create()
        later = scene.world.clock.now() + timedelta(days=8)
        remove_old_events(database, 7, later, later, lambda: False)
        with page_desk(scene, tmp_path) as web:
            for path in (f"/app-connections/{scene.signer.id}", f"/secret-rotations/{view.secret_rotation.id}"):
                assert "Nothing yet." in web.page(path)


def test_of_many_that_go_through_a_connection_the_first_are_named(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        for number in range(NAMED + 2):
            new = scene.new(None, name=f"shop-{number:02}", names=SecretNames(f"ID_{number}", f"SECRET_{number}"))
            scene.use_cases.create(scene.actor, new)
        with page_desk(scene, tmp_path) as web:
            page = web.page(f"/app-connections/{scene.signer.id}")
            assert f"Rotates {NAMED + 2} secrets of applications" in page
            assert (f"shop-{NAMED - 1:02}" in page, f"shop-{NAMED:02}" in page) == (True, False)
            assert "And 2 more." in page


def test_earlier_rotations_are_a_click_away(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database)
        with page_desk(scene, tmp_path) as web:
            path = f"/app-connections/{scene.signer.id}"
            assert "Earlier rotations" not in web.page(path)
            for _ in range(11):
                scene.world.rotations.rotate_now(scene.actor, scene.signer.id)
                scene.world.settle()
            page = web.page(path)
            assert page.count('<details class="run"') == 10
            assert f'href="{path}?runs=50"' in page
            every = web.page(f"{path}?runs=50")
            assert (every.count('<details class="run"'), "Earlier rotations" in every) == (11, False)
