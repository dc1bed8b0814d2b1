"""Rotating from the inventory: through a connection that may change the application, or the one that signs in as it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from entra_emulator.admin.admin import ApplicationHandle
from entra_emulator.faults.faults import Effect, slow
from keyturn.authz.domain import Action
from keyturn.cli.main import main
from keyturn.connections.domain import Connection, NewConnection
from keyturn.kit.actor import Role
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn.rotations.commands import NewSecretRotation
from keyturn.rotations.schedule import Schedule
from keyturn.secrets.mapped import SecretNames
from tests.databases import sqlite_database
from tests.features.accounts.people import join, person, project
from tests.features.inventory.scene import OWNED, tenant
from tests.features.inventory.test_inventory_http import ALL, Desk, served
from tests.in_process import InProcess

WRITER = ("Application.ReadWrite.All",)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with sqlite_database(tmp_path) as database, tenant(database) as scene, served(scene, tmp_path) as opened:
        yield opened


def connect(desk: Desk, name: str, *permissions: str, home: str | None = None) -> Connection:
    """A connection to the tenant, of the organization or of a project, that rotates nothing yet."""
    world = desk.scene.world
    handle = desk.scene.application(name, permissions=permissions, secrets=1)
    return world.rotations.create(world.actor, NewConnection(name, world.first_secret(handle), project_id=home), None)


def read(desk: Desk) -> str:
    desk.scene.switch_on()
    return desk.scene.read().inventory.id


def start(desk: Desk, inventory_id: str, application: ApplicationHandle, who: str = "admin", expect: int = 200) -> Any:
    path = f"{ALL}/{inventory_id}/applications/{application.object_id}/rotation-start"
    return desk.ask("GET", path, who=who, expect=expect)


def leads_to(desk: Desk, inventory_id: str, application: ApplicationHandle) -> str:
    headers = {"sec-fetch-site": "same-origin", "accept": "text/html", "cookie": "keyturn_session=x"}
    path = f"/inventory/{inventory_id}/rotate?application={application.object_id}"
    return str(desk.client.request("GET", path, headers=headers, follow_redirects=False).headers.get("location", ""))


def test_a_connection_that_may_change_the_application_takes_the_place_of_the_one_that_reads(desk: Desk) -> None:
    world = desk.scene.world
    payments = project(world.database, world.actor.org_id, "payments")
    shop = desk.scene.application("Shop", secrets=1)
    connect(desk, "a-reader", "Application.Read.All", home=payments)
    writer = connect(desk, "writer", *WRITER, home=payments)
    found = start(desk, read(desk), shop)
    assert found["connection"] == {"id": writer.id, "name": "writer", "projectId": payments}
    (inventory,) = desk.ask("GET", ALL)["inventories"]
    target = urlsplit(leads_to(desk, inventory["id"], shop))
    assert target.path == f"/projects/{payments}/integrations/secret-rotations/new"
    chosen = {"connection": [writer.id], "application": [shop.object_id], "client": [shop.app_id]}
    assert parse_qs(target.query) == chosen
    assert f"/rotate?application={shop.object_id}" in desk.page(f"/inventory/{inventory['id']}?q=shop")


def test_through_a_connection_of_the_organization_a_project_is_chosen_in_which_one_may_rotate(desk: Desk) -> None:
    world = desk.scene.world
    seen, own = (project(world.database, world.actor.org_id, slug) for slug in ("seen", "own"))
    join(world.database, desk.actors["member"], seen, Role.VIEWER)
    join(world.database, desk.actors["member"], own, Role.MEMBER)
    shop = desk.scene.application("Shop", secrets=1)
    writer = connect(desk, "writer", *WRITER)
    inventory_id = read(desk)
    page = desk.page(f"/inventory/{inventory_id}/rotate?application={shop.object_id}")
    assert "It is rotated through writer." in page
    for home in (seen, own):
        assert f"/projects/{home}/integrations/secret-rotations/new?connection={writer.id}" in page
    may = Projects(world.database, world.clock, world.ids).page
    assert [each.id for each in may(desk.actors["member"], "", 9, action=Action.CREATE_ROTATIONS)[0]] == [own]


def test_with_ownership_alone_the_owner_is_chosen(desk: Desk) -> None:
    connect(desk, "a-stranger", *OWNED)
    owner = connect(desk, "owner", *OWNED)
    principal = desk.scene.world.applications[owner.client_id].principal_id
    shop = desk.scene.application("Shop", owners=(principal,), secrets=1)
    assert start(desk, read(desk), shop)["connection"]["name"] == "owner"


def test_where_none_may_each_says_why_and_what_would_change_that(desk: Desk) -> None:
    shop = desk.scene.application("Shop", secrets=1)
    other = connect(desk, "stranger", *OWNED)
    inventory_id = read(desk)
    found = start(desk, inventory_id, shop)
    assert (found["connection"], found["untried"]) == (None, 0)
    refused = {each["connection"]["name"]: each for each in found["refused"]}
    assert set(refused) == {"reader", "stranger"}
    assert refused["stranger"]["connection"]["id"] == other.id
    assert all(each["message"] and each["fix"] for each in refused.values())
    page = desk.page(f"/inventory/{inventory_id}/rotate?application={shop.object_id}")
    assert "cannot be rotated yet" in page
    for each in refused.values():
        assert each["connection"]["name"] in page
        assert each["message"] in re.sub(r"<[^>]+>", "", page)


def test_what_is_wrong_with_the_application_itself_is_said_once(desk: Desk) -> None:
    for name in ("writer", "another"):
        connect(desk, name, *WRITER)
    full = desk.scene.application("Full", audience="AzureADandPersonalMicrosoftAccount", secrets=2)
    (refused,) = start(desk, read(desk), full)["refused"]
    assert (refused["code"], refused["connection"]["name"]) == ("rotation.no_free_slot", "another")


def test_while_entra_cannot_be_reached_the_others_are_not_tried(desk: Desk) -> None:
    connect(desk, "writer", *WRITER)
    shop = desk.scene.application("Shop", secrets=1)
    inventory_id = read(desk)
    desk.scene.world.emulator.faults.fail_next("token", Effect(503), when="before")
    found = start(desk, inventory_id, shop)
    assert (found["connection"], len(found["refused"]), found["untried"]) == (None, 1, 1)
    assert start(desk, inventory_id, shop)["connection"]["name"] == "writer"


def test_all_are_tried_some_of_them_at_once(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a-1", "a-2", "a-3"):
        connect(desk, name, *OWNED)
    writer = connect(desk, "writer", *WRITER)
    shop = desk.scene.application("Shop", secrets=1)
    inventory_id, faults = read(desk), desk.scene.world.emulator.faults
    page = f"/inventory/{inventory_id}/rotate?application={shop.object_id}"
    faults.fail_next("token", slow(9), calls=3)
    first = start(desk, inventory_id, shop)
    assert (first["connection"], len(first["refused"]), first["untried"], first["nextOffset"]) == (None, 2, 3, 2)
    faults.fail_next("token", slow(9), calls=2)
    assert f"{page}&offset=2" in desk.page(page)
    assert "It is rotated through writer." in desk.page(f"{page}&offset=2")
    # The command asks until one may, or there is none left.
    faults.fail_next("token", slow(9), calls=2)
    monkeypatch.setattr("keyturn.client.opening.Http", lambda *_: InProcess(desk.client))
    environ = {"HOME": "/nonexistent", "KEYTURN_URL": "http://localhost", "KEYTURN_TOKEN": "admin"}
    for name in ("shop", shop.app_id, shop.object_id.upper()):
        assert main(["rotation-start", name], environ) == 0
        through = f"'Shop' ({shop.app_id}) can be rotated through the connection 'writer' ({writer.id})."
        assert through in capsys.readouterr().out
    assert main(["rotation-start", "a-1"], environ) == 0
    assert "signs in as 'a-1'" in capsys.readouterr().out
    assert main(["rotation-start", "nothing"], environ) == 1
    desk.scene.world.rotations.delete(desk.scene.world.actor, writer.id)
    assert main(["rotation-start", "shop", "--json"], environ) == 1
    printed = capsys.readouterr().out
    assert len(json.loads(printed[printed.index("{") :])["refused"]) == 4


def test_an_application_that_is_rotated_already_leads_to_the_same_connection(desk: Desk) -> None:
    world = desk.scene.world
    ada = person(world.database, world.actor.org_id, Role.ADMIN, "ada@contoso.test")
    home = Projects(world.database, world.clock, world.ids).create(ada, NewProject(name="Payments"))
    connect(desk, "a-writer", *WRITER)
    used = connect(desk, "used", *WRITER)
    shop = desk.scene.application("Shop", secrets=1)
    new = NewSecretRotation(
        name="shop",
        project_id=home.id,
        environment="prod",
        path="/",
        connection_id=used.id,
        object_id=shop.object_id,
        client_id=shop.app_id,
        names=SecretNames("SHOP_ID", "SHOP_SECRET"),
        schedule=Schedule(30, 2, 15),
    )
    world.services.secret_rotations.create(ada, new)
    assert start(desk, read(desk), shop)["connection"]["name"] == "used"


def test_what_a_connection_signs_in_with_is_rotated_by_that_connection(desk: Desk) -> None:
    world = desk.scene.world
    connect(desk, "writer", *WRITER)
    hidden = project(world.database, world.actor.org_id, "hidden")
    billing = connect(desk, "billing", home=hidden)
    application = world.applications[billing.client_id]
    inventory_id = read(desk)
    found = start(desk, inventory_id, application)
    assert (found["connection"], found["signInConnection"]["id"]) == (None, billing.id)
    assert leads_to(desk, inventory_id, application) == f"/app-connections/{billing.id}"
    page = desk.page(f"/inventory/{inventory_id}?q=billing")
    assert f'href="/app-connections/{billing.id}"' in page
    assert "Start rotating" not in page
    listed = f"{ALL}/{inventory_id}/credentials?search=billing"
    (line,) = desk.ask("GET", listed)["credentials"]
    assert (line["signsIn"], line["signInConnection"]["name"]) == (True, "billing")
    # Who may not see that connection learns that there is one, as who tries it does.
    (line,) = desk.ask("GET", listed, who="member")["credentials"]
    assert (line["signsIn"], line["signInConnection"]) == (True, None)


def test_only_connections_that_one_may_use_where_one_may_rotate_are_tried(desk: Desk) -> None:
    world = desk.scene.world
    own, others, read_only = (project(world.database, world.actor.org_id, slug) for slug in ("own", "others", "seen"))
    shop = desk.scene.application("Shop", secrets=1)
    for name, home in (("a-others", others), ("b-seen", read_only), ("c-own", own)):
        writer = connect(desk, name, *WRITER, home=home)
        world.services.applications.allow(world.actor, writer.id, shop.object_id)
    inventory_id = read(desk)
    assert [each["connection"]["name"] for each in start(desk, inventory_id, shop, "member")["refused"]] == ["reader"]
    member = desk.actors["member"]
    join(world.database, member, read_only, Role.VIEWER)
    join(world.database, member, own, Role.MEMBER)
    assert start(desk, inventory_id, shop, "member")["connection"]["name"] == "c-own"
    start(desk, inventory_id, shop, "viewer", expect=403)
    start(desk, inventory_id, shop, "stranger", expect=404)


def test_what_is_no_application_of_the_inventory_is_not_found(desk: Desk) -> None:
    inventory_id = read(desk)
    nothing = desk.scene.application("Later")
    assert "object id" in start(desk, inventory_id, nothing, expect=404)["fix"]
