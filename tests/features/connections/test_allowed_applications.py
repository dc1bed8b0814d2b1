"""Which applications may be rotated through a connection: found there page by page, and listed by who may edit the connection.

GET    .../azure-client-secrets/:id/applications?search=&cursor=    {"applications": [...], "cursor": ..., "allOwned": ...}
GET    .../azure-client-secrets/:id/allowed-applications            {"objectIds": [...], "allOwned": ...}
PATCH  .../azure-client-secrets/:id/allowed-applications            {"allOwned": true}
PUT    .../azure-client-secrets/:id/allowed-applications/:objectId
DELETE .../azure-client-secrets/:id/allowed-applications/:objectId
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn_simulation.world import make_world
from tests.databases import sqlite_database
from tests.features.connections.desk import NOBODY, ApiClient, desk


@pytest.fixture
def web(tmp_path: Path) -> Iterator[ApiClient]:
    with sqlite_database(tmp_path) as database:
        world = make_world(database, permissions=("Application.ReadWrite.All",))
        with desk(world, tmp_path) as opened:
            yield opened


def test_nothing_is_allowed_until_somebody_allows_it(web: ApiClient) -> None:
    one = web.create()["id"]
    shop = web.world.emulator.admin.create_application(web.world.tenant_id, "Shop", secrets=2)
    found = web.ask("GET", f"{one}/applications", search="shop")
    assert found["applications"] == [
        {
            "objectId": shop.object_id,
            "clientId": shop.app_id,
            "name": "Shop",
            "owners": [],
            "livingSecrets": 2,
            "firstEndsAt": found["applications"][0]["firstEndsAt"],
            "isAllowed": False,
        }
    ]
    assert (found["cursor"], found["allOwned"]) == (None, False)
    assert web.ask("GET", f"{one}/allowed-applications") == {"objectIds": [], "allOwned": False}

    for _ in range(2):  # once more does no harm
        allowed = web.ask("PUT", f"{one}/allowed-applications/{shop.object_id.upper()}")
        assert allowed == {"objectIds": [shop.object_id], "allOwned": False}
    assert web.ask("GET", f"{one}/applications", search=shop.app_id)["applications"][0]["isAllowed"] is True
    assert web.ask("PATCH", f"{one}/allowed-applications", {"allOwned": True})["allOwned"] is True
    for _ in range(2):
        assert web.ask("DELETE", f"{one}/allowed-applications/{shop.object_id}")["objectIds"] == []

    told = [(event["event"], event["data"]) for event in web.world.events() if "application" in event["event"]]
    assert [name for name, _ in told if "app-connection" in name and not name.startswith("create")] == [
        "allow-application-of-app-connection",
        "change-owned-applications-of-app-connection",
        "disallow-application-of-app-connection",
    ]
    assert told[-3][1]["application"] == "Shop"


def test_what_the_connection_does_not_see_is_not_listed(web: ApiClient) -> None:
    one = web.create()["id"]
    missing = web.refused({}, 404, method="PUT", path=f"{one}/allowed-applications/{NOBODY}")
    assert missing["code"] == "connections.application_not_found"
    assert web.ask("GET", f"{one}/applications", cursor="/users?", expect=400)["code"] == "connections.no_such_page"
    assert web.ask("PATCH", f"{one}/allowed-applications", {}, expect=422)["error"] == "ValidationFailure"


def test_only_who_may_edit_the_connection_changes_the_list(web: ApiClient) -> None:
    one = web.create()["id"]
    for who, status in (("viewer", 403), ("member", 403), ("stranger", 404)):
        web.ask("PUT", f"{one}/allowed-applications/{NOBODY}", who=who, expect=status)
        web.ask("DELETE", f"{one}/allowed-applications/{NOBODY}", who=who, expect=status)
        web.ask("PATCH", f"{one}/allowed-applications", {"allOwned": True}, who=who, expect=status)
    web.ask("GET", f"{one}/applications", who="viewer", expect=403)
    assert web.ask("GET", f"{one}/applications", who="member")["applications"]
    assert web.ask("GET", f"{one}/allowed-applications", who="viewer") == {"objectIds": [], "allOwned": False}
