"""Freezes and approvals on pages: said where something is planned, asked for where something is done."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from keyturn.approvals.domain import ApprovalSettings
from keyturn.approvals.service import Approvals
from keyturn.kit.actor import Role
from keyturn.kit.clock import iso
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.rotations.applications import Applications, make_applications
from tests.features.rotations.page_desk import PageClient, page_desk

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database)


@pytest.fixture
def browser(scene: Applications, tmp_path: Path) -> Iterator[PageClient]:
    with page_desk(scene, tmp_path) as opened:
        yield opened


def test_days_and_freezes_are_said_with_the_next_rotations(scene: Applications, browser: PageClient) -> None:
    view = scene.create()
    path, due = f"/secret-rotations/{view.secret_rotation.id}", view.next_rotation_at
    assert due is not None
    page = browser.page(f"{path}/edit")
    assert page.count(" checked> <span>") == len(WEEK)
    form = {
        "name": "shop",
        "connectionId": view.connection.id,
        "rotationInterval": "10",
        "rotateAt": "02:15",
        "timeZone": "UTC",
        "overlap": "until-next-rotation",
        "clientIdName": "AZURE_CLIENT_ID",
        "clientSecretName": "AZURE_CLIENT_SECRET",
        "isAutoRotationEnabled": "true",
        "daysShown": "true",
    }
    assert "Choose one day at least" in browser.wrong(f"{path}/edit", **form)
    others = {day: "true" for day in WEEK if day != WEEK[due.weekday()]}
    browser.done(f"{path}/edit", **form, **others)
    page = browser.page(path)
    assert f"Moved from {due:%a} {due.day} {due:%b}: no rotations on {due:%A}" in page
    assert "only on" in page

    today = scene.world.clock.now().date()
    days = {"from": str(today), "to": str(today - timedelta(days=1)), "timeZone": "UTC", "name": "Sale"}
    assert "before its first day" in browser.refused("/organization/freezes", **days)
    browser.done("/organization/freezes", **(days | {"to": str(today + timedelta(days=20)), "reason": "Peak."}))
    assert "Frozen" in browser.page(f"/projects/{scene.project_id}/freezes")
    [window] = scene.world.services.freezes.list(scene.actor, None)
    one = f"/organization/freezes/{window.id}"
    assert "before its first day" in browser.refused(one, **days)
    longer = days | {"to": str(today + timedelta(days=30)), "reason": "Peak."}
    browser.done(one, **longer)
    page_of_freezes = browser.page("/organization/freezes")
    assert f'value="{today + timedelta(days=30)}"' in page_of_freezes
    assert "Of the organization" in browser.page(f"/projects/{scene.project_id}/freezes")
    assert "no changes: Sale" in browser.page(path)
    refused = browser.refused(f"{path}/rotate")
    assert "Nothing is to be changed now: Sale" in refused
    assert "Peak." in refused
    browser.done(f"{path}/rotate", freeze_reason="The vendor revokes it.")


def test_several_are_rotated_in_a_freeze_with_a_reason(scene: Applications, browser: PageClient) -> None:
    view, today = scene.create(), str(scene.world.clock.now().date())
    several = f"/projects/{scene.project_id}/integrations/secret-rotations/several"
    form: dict[str, str | list[str]] = {"act": "rotate", "id": [view.secret_rotation.id], "back": "/overview"}
    assert "Why it cannot wait" not in browser.page(f"{several}?{urlencode(form, doseq=True)}")
    browser.done("/organization/freezes", **{"from": today, "to": today, "timeZone": "UTC", "name": "Sale"})
    refused = browser.sent(several, form)
    assert "Nothing is to be changed now: Sale" in refused
    assert "Why it cannot wait" in refused
    assert f'name="id" value="{view.secret_rotation.id}"' in refused
    begun = browser.sent(several, form | {"freeze_reason": "The vendor revokes it."})
    assert "The rotation has begun." in begun
    assert "Why it cannot wait" not in begun
    assert scene.world.events("rotation-run-requested")[-1]["data"]["freezeReason"] == "The vendor revokes it."


def test_the_form_of_a_freeze_shows_which_rotations_it_would_move(scene: Applications, browser: PageClient) -> None:
    view, world = scene.create(), scene.world
    due = view.next_rotation_at
    assert due is not None
    day, after = due.date(), due + timedelta(days=1)
    draft = {"from": str(day), "to": str(day), "timeZone": "UTC", "yearly": "false"}

    def moved(here: str, form: str = "new", **typed: str) -> str:
        page = browser.page(f"{here}?{urlencode(draft | typed)}")
        return page.partition(f'id="{form}-moves"')[2].partition("</section>")[0]

    organization, project = "/organization/freezes", f"/projects/{scene.project_id}/freezes"
    for here in (organization, project):
        told = moved(here)
        assert view.secret_rotation.name in told
        assert told.index(iso(due)) < told.index(iso(after))
        earlier = day - timedelta(days=3)
        assert "None: no rotation runs at another time" in moved(here, **{"from": str(earlier), "to": str(earlier)})
        assert "before its first day" in moved(here, to=str(earlier))
        assert "as soon as the days are filled in" in moved(here, to="")
        assert world.services.freezes.list(scene.actor, scene.project_id) == ()
    wrong = browser.wrong(organization, **(draft | {"name": "Sale", "from": ""}))
    assert "This is needed." in wrong
    assert (
        "before its first day"
        in browser.page(f"{organization}?{urlencode(draft | {'to': str(earlier)})}").partition('id="new-to-error"')[2]
    )

    browser.done(project, **draft, name="Sale")
    [window] = world.services.freezes.list(scene.actor, scene.project_id)
    told = moved(project, f"edit-{window.id}", freezeId=window.id, to=str(day + timedelta(days=1)))
    assert told.index(iso(after)) < told.index(iso(due + timedelta(days=2)))
    assert world.services.freezes.list(scene.actor, scene.project_id) == (window,)
    browser.who = person(world.database, world.actor.org_id, Role.VIEWER, "viewer@contoso.test")
    browser.page(f"{organization}?{urlencode(draft)}", expect=403)


def test_new_credentials_and_a_release_are_asked_for_on_pages(scene: Applications, browser: PageClient) -> None:
    view, world = scene.create(), scene.world
    approvals: Approvals = world.services.approvals
    second = person(world.database, world.actor.org_id, Role.ADMIN, "second@contoso.test")
    browser.who = first = person(world.database, world.actor.org_id, Role.ADMIN, "first@contoso.test")
    path, signer = f"/secret-rotations/{view.secret_rotation.id}", view.connection
    by_hand = world.emulator.admin.add_secret(view.rotation.object_id, "by hand")
    browser.done(f"{path}/hand-over", keyId=by_hand.key_id, clientSecret=by_hand.value)
    browser.done("/organization/approval-rules", required="true", emergency="true", hours="24")

    assert "Why, for the person who approves it" in browser.page(path)
    browser.done(f"{path}/release", keyId=by_hand.key_id, approval_reason="The batch is gone.")
    edit = f"/app-connections/{signer.id}/credentials"
    assert "Another person has to approve it" in browser.page(edit)
    app = world.applications[signer.client_id]
    fresh = world.emulator.admin.add_secret(app.object_id, "fresh")
    form = {"tenantId": world.tenant_id, "clientId": app.app_id, "clientSecret": fresh.value}
    refused = browser.forbidden(edit, **form)
    assert "needs the approval of another person" in refused
    assert fresh.value not in refused
    browser.done(edit, **form, approval_reason="The old one was lost.")

    browser.who = second
    told = ""
    for request in approvals.list(second):
        here = f"/approvals/{request.id}"
        told += browser.page(here)
        browser.done(f"{here}/approve")
    assert f"as the application with the Client ID <code>{app.app_id}</code>." in told
    assert f"The secret with the Key ID <code>{by_hand.key_id}</code> is removed from Entra ID" in told
    assert fresh.value not in told
    world.settle()
    assert by_hand.key_id not in list(scene.keys())
    assert f"the Key ID <code>{fresh.key_id}</code> is taken over" in told
    assert fresh.key_id in [row.key_id for row in world.journal()], "and replaced, since the connection rotates"
    assert approvals.list(first) == []


def test_a_deletion_is_asked_for_approved_and_watched(scene: Applications, browser: PageClient) -> None:
    view, world = scene.create(), scene.world
    second = person(world.database, world.actor.org_id, Role.ADMIN, "second@contoso.test")
    approvals: Approvals = world.services.approvals
    browser.who = first = person(world.database, world.actor.org_id, Role.ADMIN, "first@contoso.test")
    browser.done("/organization/approval-rules", required="true", emergency="true", hours="24")
    assert approvals.rules(first, None) == ApprovalSettings(required=True)
    path = f"/secret-rotations/{view.secret_rotation.id}"
    assert "Another person has to approve it" in browser.page(path)
    form = {"confirm": "shop", "keys": "remove"}
    browser.done(f"{path}/delete", **form, approval_reason="The shop is closed.")
    (request,) = approvals.list(first)
    here = f"/approvals/{request.id}"
    own = browser.page(here)
    assert "Take it back" in own
    assert "Approve</button>" not in own
    browser.who = second
    page = browser.page(here)
    assert "The shop is closed." in page
    assert "The application's secrets that were made here are removed, unless another rotation" in page
    assert str(view.current and view.current.key_id) in page
    browser.done(f"{here}/approve")
    world.settle()
    assert scene.keys() == set()
    assert "Approved and done" in browser.page("/approvals")
    assert "The secret rotation was deleted." in browser.page(f"/removals/{view.rotation.id}")
