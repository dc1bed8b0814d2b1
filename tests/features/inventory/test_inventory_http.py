"""Inventories over the API and on the page: what is listed, filtered and exported, and who may see it."""

import csv
import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from keyturn.accounts.service import Access
from keyturn.api.inventory.routes import router
from keyturn.connections.domain import NewConnection
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.errors import Refused, TokenRefused
from keyturn.inventory import export
from keyturn.inventory.domain import InventoryFilter
from keyturn.inventory.rotation_start import RotationStarts
from keyturn.inventory.service import EXPORTED_AT_ONCE
from keyturn.kit.actor import Actor, Role
from keyturn.kit.secret import Plaintext
from keyturn.pages import TEMPLATES, inventory
from keyturn.pages.project_header import ProjectHeaders
from keyturn.projects.service import Projects
from keyturn.settings.model import Settings
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.keeping import Keeper
from keyturn.web.html.render import Navigation, Renderer
from keyturn.web.pages import Site
from keyturn.web.server.app import build
from keyturn_simulation.world import ROOT_KEY
from tests.client import Client
from tests.databases import sqlite_database
from tests.features.accounts.people import join, organization, person, project
from tests.features.inventory.scene import DAY, READ_ALL, Tenant, tenant

ALL = "/api/v1/inventories"


class Desk:
    """A client of the routes; tokens are names."""

    def __init__(self, scene: Tenant, client: Client, actors: dict[str, Actor]) -> None:
        self.scene, self.client, self.actors = scene, client, actors

    def send(self, method: str, path: str, body: object = None, who: str = "admin", **headers: str) -> Any:
        return self.client.request(method, path, json=body, headers={"authorization": f"Bearer {who}", **headers})

    def page(self, path: str) -> str:
        """Return a page as the administrator's browser gets it."""
        headers = {"sec-fetch-site": "same-origin", "accept": "text/html", "cookie": "keyturn_session=x"}
        answer = self.client.request("GET", path, headers=headers)
        assert answer.status_code == 200, answer.text
        return html.unescape(answer.text)

    def ask(self, method: str, path: str, body: object = None, *, expect: int = 200, who: str = "admin") -> Any:
        answer = self.send(method, path, body, who)
        assert answer.status_code == expect, answer.text
        return answer.json()


@contextmanager
def served(scene: Tenant, folder: Path) -> Iterator[Desk]:
    world, database = scene.world, scene.world.database
    elsewhere = organization(database, "elsewhere")
    actors = {
        "admin": world.actor,
        "member": person(database, world.actor.org_id, Role.MEMBER, "mia@contoso.test"),
        "viewer": person(database, world.actor.org_id, Role.VIEWER, "vic@contoso.test"),
        "stranger": person(database, elsewhere, Role.ADMIN, "sam@elsewhere.test"),
    }

    def authenticate(token: str, _ip: str) -> Actor:
        if token not in actors:
            raise TokenRefused("token malformed", code="token.malformed")
        return actors[token]

    digests = KeyringDigests(Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), world.clock))
    access = Access(database, world.clock, world.ids, sealer=world.sealer, digests=digests)
    heads = ProjectHeaders(access, Projects(database, world.clock, world.ids))
    starts = RotationStarts(database, world.services.application_check, world.clock)
    site = Site(
        Renderer(world.clock, folders=(TEMPLATES,)),
        lambda _session, _ip: world.actor,
        lambda actor: Navigation("Contoso", actor.name, actor.role.value),
        SessionCookie(secure=False),
        None,
        Keeper(digests, world.clock),
    )
    app = build(
        [
            router(scene.inventories, starts, world.clock),
            inventory.router(scene.inventories, starts, heads, world.clock),
        ],
        authenticate=authenticate,
        settings=Settings(data_dir=folder, database_url="sqlite://"),
        clock=world.clock,
        ids=world.ids,
        site=site,
    )
    with Client(app) as client:
        yield Desk(scene, client, actors)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with sqlite_database(tmp_path) as database, tenant(database) as scene:
        admin, now = scene.world.emulator.admin, scene.world.clock.now().timestamp()
        owner = scene.world.application.principal_id
        for number in range(12):
            made = scene.application(f"app-{number:02}", owners=(owner,) if number % 2 else ())
            admin.add_secret(made.object_id, f"key {number}", end=now + (number + 1) * 10 * DAY)
        evil = scene.application('=HYPERLINK("http://evil.test","x")')
        admin.add_secret(evil.object_id, "+cmd|' /C calc'!A0", start=now - 20 * DAY, end=now - DAY)
        with served(scene, tmp_path) as opened:
            yield opened


def test_from_the_switch_to_a_filtered_list(desk: Desk) -> None:
    """``PUT .../inventory {"enabled": true}``, then ``GET /api/v1/inventories/{id}/credentials?...``."""
    reader = desk.scene.reader.id
    switch = f"/api/v1/app-connections/azure-client-secrets/{reader}/inventory"
    assert desk.ask("GET", ALL) == {"inventories": []}
    assert desk.ask("GET", switch) == {"enabled": False}
    assert desk.ask("PUT", switch, {"enabled": True}) == {"enabled": True}
    desk.scene.read()
    (shown,) = desk.ask("GET", ALL)["inventories"]
    assert (shown["tenantId"], shown["phase"], shown["seesAll"]) == (desk.scene.world.tenant_id, "rest", True)
    assert (shown["connection"]["id"], shown["ownersRead"]) == (reader, shown["objects"])
    listed = f"{ALL}/{shown['id']}/credentials"
    first = desk.ask("GET", f"{listed}?limit=5")
    assert [each["displayName"] for each in first["credentials"]] == [f"app-{n:02}" for n in range(5)]
    assert (first["total"], first["nextOffset"]) == (15, 5)
    # What has ended stays visible, behind what will end.
    last = desk.ask("GET", f"{listed}?offset=5&limit=500")["credentials"]
    assert [each["daysLeft"] for each in last][-1] == -1
    assert last[-1]["findings"] == ["no-owner", "expired"]
    turned = desk.ask("GET", f"{listed}?order=desc&limit=500")["credentials"]
    assert turned == [*first["credentials"], *last][::-1]
    some = desk.ask("GET", f"{listed}?owners=none&kind=client-secret&endsWithinDays=60")["credentials"]
    assert [each["displayName"] for each in some] == ["app-00", "app-02", "app-04"]
    assert some[0]["lastSuccess"]["at"] is None
    assert some[0]["lastSuccess"]["notObservable"]
    key_id = some[1]["keyId"]
    for word in (key_id, key_id.upper(), f"{{{key_id}}}", "app-02", some[1]["appId"], "key 2"):
        found = desk.ask("GET", f"{listed}?search={word}")["credentials"]
        assert key_id in {each["keyId"] for each in found}, word
    owned = desk.ask("GET", f"{listed}?search=our%20connection%20app-01")["credentials"]
    assert [each["owners"][0]["name"] for each in owned] == ["Our connection"]
    desk.ask("GET", f"{listed}?kind=nothing", expect=422)
    assert "AzureADMyOrg" in desk.ask("GET", f"{listed}?audience=Nobody", expect=400)["fix"]
    etag = desk.send("GET", listed).headers["etag"]
    assert desk.send("GET", listed, **{"if-none-match": etag}).status_code == 304
    counted = desk.ask("GET", f"{ALL}/{shown['id']}/findings")["findings"]
    assert (counted["expired"], counted["appeared"]) == (1, 0)


def test_a_page_beyond_the_last_one_is_the_last_one(desk: Desk) -> None:
    desk.scene.application("Many", secrets=50)
    desk.scene.switch_on()
    listed = f"/inventory/{desk.scene.read().inventory.id}"
    last = desk.page(f"{listed}?page=2")
    assert desk.page(f"{listed}?page=99") == last
    assert "51 to 65 of 65" in last
    assert "1 to 1 of 1" in desk.page(f"{listed}?q=app-03&page=99")


def test_an_export_ends_when_another_connection_takes_the_inventory_over(desk: Desk) -> None:
    """Who may use the first may not learn what the second reads, and a file that is not whole is not taken for one that is."""
    scene, world = desk.scene, desk.scene.world
    scene.application("Many", secrets=EXPORTED_AT_ONCE)
    scene.switch_on()
    inventory_id = scene.read().inventory.id
    whole = scene.inventories.export(world.actor, inventory_id, InventoryFilter())
    assert sum(map(len, whole)) > EXPORTED_AT_ONCE
    parts = scene.inventories.export(world.actor, inventory_id, InventoryFilter())
    next(parts)
    second = world.connect("second", scene.application("Second", permissions=READ_ALL, secrets=1), rotate=False)
    scene.switch_on(second)
    scene.inventories.switch(world.actor, scene.reader.id, on=False)
    with pytest.raises(Refused, match="meanwhile"):
        next(parts)
    assert scene.read().inventory.id == inventory_id
    with pytest.raises(StopIteration):
        next(parts)


def test_an_export_holds_everything_and_nothing_that_runs(desk: Desk) -> None:
    desk.scene.switch_on()
    desk.scene.read()
    (shown,) = desk.ask("GET", ALL)["inventories"]
    answer = desk.send("GET", f"{ALL}/{shown['id']}/credentials.csv?kind=client-secret")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 15
    assert all(not value.startswith(("=", "+", "@")) for row in rows for value in row.values())
    (evil,) = (row for row in rows if "HYPERLINK" in row["displayName"])
    assert (evil["displayName"][:2], evil["keyName"][:2]) == ("'=", "'+")
    assert (evil["daysLeft"], evil["findings"]) == ("-1", "no-owner expired")


def test_who_may_use_what_reads_it_may_see_it_and_nobody_else(desk: Desk) -> None:
    desk.scene.switch_on()
    desk.scene.read()
    (shown,) = desk.ask("GET", ALL)["inventories"]
    one = f"{ALL}/{shown['id']}"
    switch = f"/api/v1/app-connections/azure-client-secrets/{desk.scene.reader.id}/inventory"
    assert [each["id"] for each in desk.ask("GET", ALL, who="member")["inventories"]] == [shown["id"]]
    desk.ask("GET", f"{one}/credentials", who="member")
    desk.ask("PUT", switch, {"enabled": False}, who="member", expect=403)
    desk.ask("PATCH", one, {"warns": True}, who="member", expect=403)
    assert desk.ask("PATCH", one, {"warns": True})["inventory"]["warns"] is True
    for who, status in (("viewer", 403), ("stranger", 404)):
        assert desk.ask("GET", ALL, who=who) == {"inventories": []}
        for path in (one, f"{one}/credentials", f"{one}/findings", f"{one}/credentials.csv"):
            desk.ask("GET", path, who=who, expect=status)
        desk.ask("POST", f"{one}/read", who=who, expect=status)
    assert desk.ask("POST", f"{one}/read", who="member")["inventory"]["phase"] == "begin"
    assert desk.ask("POST", f"{one}/read", who="member")["inventory"]["phase"] == "begin"


# Of each filter: what the page's address says, what the API's says, and which credentials are found.
FILTERS: dict[str, tuple[str, str, str]] = {
    "kind": ("kind=client-secret&q=key", "kind=client-secret&search=key", "0 1 2 3 4 5 6 7 8 9 10 11"),
    "held by": ("object=application&q=app-03", "objectType=application&search=app-03", "3"),
    "owners": ("owners=none&q=key", "owners=none&search=key", "0 2 4 6 8 10"),
    "origin": ("origin=foreign&q=app-01", "origin=foreign&search=app-01", "1"),
    "rotated": ("rotated=no&q=app-05", "rotated=false&search=app-05", "5"),
    "audience": ("audience=AzureADMyOrg&q=app-05", "audience=AzureADMyOrg&search=app-05", "5"),
    "state": ("disabled=yes", "disabled=true", "7"),
    "room": ("slots=free&q=app-06", "hasSlot=true&search=app-06", "6"),
    "finding": ("finding=expired", "finding=expired", "+cmd|' /C calc'!A0"),
    "ended": ("ended=yes", "expired=true", "+cmd|' /C calc'!A0"),
    "ends within": ("within=30&q=key", "endsWithinDays=30&search=key", "0 1 2"),
    "older than": ("older=15", "olderThanDays=15", "+cmd|' /C calc'!A0"),
    "lives longer than": ("lives=90&q=key", "livesLongerThanDays=90&search=key", "9 10 11"),
    "last success": ("success=known", "lastSuccess=known", ""),
    "last success is not known": ("success=not-known&q=app-04", "lastSuccess=not-known&search=app-04", "4"),
    "last success before": ("quiet=7", "quietForDays=7", ""),
    "policy": ("policy=not-known&q=app-04", "policy=not-known&search=app-04", "4"),
    "registered in": ("foreign=no&q=app-04", "foreign=false&search=app-04", "4"),
    "registered elsewhere": ("foreign=yes", "foreign=true", ""),
}


def test_each_filter_finds_the_same_on_the_page_over_the_api_and_in_the_file(desk: Desk) -> None:
    seventh = next(app for app in desk.scene.world.applications.values() if app.display_name == "app-07")
    desk.scene.world.emulator.admin.set_disabled(seventh.object_id, disabled=True)
    desk.scene.switch_on()
    desk.scene.read()
    (shown,) = desk.ask("GET", ALL)["inventories"]
    for name, (page, asked, expected) in FILTERS.items():
        wanted = {f"key {each}" if each.isdigit() else each for each in re.split(r" (?=\d)", expected) if each}
        text = desk.page(f"/inventory/{shown['id']}?{page}")
        on_page = set(re.findall(r"(?:Client secret|Certificate) <b>(.*?)</b>", text))
        listed = desk.ask("GET", f"{ALL}/{shown['id']}/credentials?{asked}&limit=500")["credentials"]
        link = re.search(r'href="(/api/v1/inventories/[^"]+csv[^"]*)"', text)
        assert link, name
        rows = csv.DictReader(io.StringIO(desk.send("GET", link[1]).text))
        in_file = {row["keyName"].removeprefix("'") for row in rows}
        assert (on_page, {each["name"] for each in listed}, in_file) == (wanted, wanted, wanted), name
    desk.ask("GET", f"{ALL}/{shown['id']}/credentials.csv?audience=Nobody", expect=400)


COLUMNS = {
    "isForeign": "foreign",
    "isDisabled": "disabled",
    "name": "keyName",
    "policyIsAssigned": "policyAssigned",
    "lastSuccessNotObservable": "lastSuccessUnknownBecause",
    "policyNotKnown": "policyUnknownBecause",
    "ownersId": "ownerIds",
    "ownersType": "ownerTypes",
    "ownersIsDisabled": "ownersDisabled",
    "ownersName": "owners",
}
"""Where a column of the file is not called as the API calls what it has."""
PARTS: dict[str, tuple[str, ...]] = {
    "owners": ("id", "type", "name", "isDisabled"),
    "lastSuccess": ("at", "source", "notObservable"),
    "applicationLastSuccess": ("at", "keyId", "kind"),
    "policy": ("state", "name", "isAssigned", "longestSeconds", "exempts", "notKnown"),
    "signInConnection": ("id", "name", "projectId"),
}


def cells(told: dict[str, Any]) -> dict[str, str]:
    """Return what the file has in a row of what the API tells of a credential: nothing is left out."""
    found = dict[str, str]()
    for name, value in told.items():
        for part in PARTS.get(name, ("",)):
            full = name + part[:1].upper() + part[1:]
            if name == "owners":
                values = [each[part] or (each["id"] if part == "name" else each[part]) for each in value]
                cell = "; ".join("unknown" if each is None else cell_of(each) for each in values)
            else:
                cell = cell_of(((value or {}).get(part)) if part else value)
            found[COLUMNS.get(full, full)] = f"'{cell}" if cell.startswith(("=", "+")) else cell
    return {column: found.pop(column) for column in export.COLUMNS} | found


def cell_of(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_a_line_says_which_policy_applies_and_how_the_application_signs_in(desk: Desk) -> None:
    world, admin = desk.scene.world, desk.scene.world.emulator.admin
    reader = world.applications[desk.scene.reader.client_id]
    admin.grant(reader.principal_id, "Policy.Read.All", "AuditLog.Read.All")
    short = {"restrictionType": "passwordLifetime", "maxLifetime": "P90D"}
    admin.set_policy(world.tenant_id, passwordCredentials=[short])
    shop = desk.scene.application("Shop", secrets=2)
    used, unused = shop.secrets
    assert world.signs_in(Plaintext(used.value), shop)
    world.clock.advance(30 * 3600)
    desk.scene.switch_on()
    desk.scene.read()
    (shown,) = desk.ask("GET", ALL)["inventories"]
    found = desk.ask("GET", f"{ALL}/{shown['id']}/credentials?search=shop&policy=limited")["credentials"]
    lines = {each["keyId"]: each for each in found}
    name = "Default app management tenant policy"
    assert lines[unused.key_id]["policy"] == {
        "state": "limited",
        "name": name,
        "isAssigned": False,
        "longestSeconds": 90 * 86_400,
        "exempts": False,
        "notKnown": None,
    }
    last = lines[unused.key_id]["applicationLastSuccess"]
    assert (last["keyId"], last["kind"], lines[unused.key_id]["lastSuccess"]["at"]) == (
        used.key_id,
        "client-secret",
        None,
    )
    assert lines[used.key_id]["lastSuccess"]["at"] == last["at"]
    rows = list(csv.DictReader(io.StringIO(desk.send("GET", f"{ALL}/{shown['id']}/credentials.csv").text)))
    told = desk.ask("GET", f"{ALL}/{shown['id']}/credentials?sort=name&limit=500")["credentials"]
    assert {True, False} == {each["signsIn"] for each in told}
    assert rows == [cells(each) for each in told]
    text = " ".join(desk.page(f"/inventory/{shown['id']}?q=shop").split())
    assert text.count(f"Policy {name}: a new client secret lives 90 days at most") == 2
    assert text.count("by client secret") == 1


def test_the_connections_to_read_through_are_the_first_that_one_may_edit(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database) as scene:
        world = scene.world
        mia = person(database, world.actor.org_id, Role.MEMBER, "mia@contoso.test")
        for slug, role, names in (("others", Role.VIEWER, ("a", "b", "c")), ("own", Role.ADMIN, ("d", "e", "f"))):
            home = project(database, world.actor.org_id, slug)
            join(database, mia, home, role)
            for name in names:
                made = world.rotations.create(
                    world.actor, NewConnection(name, world.first_secret(), project_id=home), None
                )
            last = made
        found = scene.inventories.switchable(mia, 2)
        assert [each.name for each in found] == ["d", "e"]
        for each in found:
            scene.inventories.switch(mia, each.id, on=True)
        assert [each.id for each in scene.inventories.switchable(mia, 2)] == [last.id]
