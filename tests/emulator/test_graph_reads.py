"""Reading applications and service principals: keys, filters, pages, selection, headers."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from entra_emulator import ApplicationHandle
from tests.emulator.scene import GRAPH, EmulatorFixture

ADVANCED = {"ConsistencyLevel": "eventual"}


def names(body: dict[str, Any]) -> list[str]:
    return sorted(item["displayName"] for item in body["value"])


@pytest.fixture
def reader(scene: EmulatorFixture) -> ApplicationHandle:
    for name in ("Payments API", "payments worker", "Orders"):
        scene.application(name, identifier_uris=(f"api://{name.replace(' ', '-').lower()}",))
    return scene.application("reader", permissions=("Application.Read.All",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("displayName eq 'Orders'", ["Orders"]),
        ("startswith(displayName,'pay')", ["Payments API", "payments worker"]),
        ("startswith(displayName, 'pay') and displayName eq 'payments worker'", ["payments worker"]),
        ("displayName eq 'Orders' or displayName eq 'reader'", ["Orders", "reader"]),
        (
            "(displayName eq 'Orders' or displayName eq 'reader') and signInAudience eq 'AzureADMyOrg'",
            ["Orders", "reader"],
        ),
        ("displayName in ('Orders', 'nothing')", ["Orders"]),
        ("identifierUris/any(s:s eq 'api://orders')", ["Orders"]),
        ("displayName eq 'it''s not there'", []),
    ],
)
def test_a_filter_finds_what_it_says(
    scene: EmulatorFixture, reader: ApplicationHandle, text: str, expected: list[str]
) -> None:
    assert names(scene.graph(reader, "GET", "applications", filter=text).json()) == expected


def test_an_application_is_found_by_app_id_and_by_object_id(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    for text in (f"appId eq '{reader.app_id}'", f"id eq '{reader.object_id.upper()}'"):
        assert names(scene.graph(reader, "GET", "applications", filter=text).json()) == ["reader"]
    for path in (
        f"applications/{reader.object_id}",
        f"applications/{reader.object_id.upper()}",
        f"applications(appId='{reader.app_id}')",
        f"applications('{reader.object_id}')",
    ):
        body = scene.graph(reader, "GET", path).json()
        assert (body["id"], body["appId"]) == (reader.object_id, reader.app_id)


def test_the_dollar_of_a_query_may_be_encoded_and_spaces_may_be_plus(
    scene: EmulatorFixture, reader: ApplicationHandle
) -> None:
    url = f"{GRAPH}/applications?%24filter=displayName+eq+%27Payments%20API%27"
    assert names(scene.graph(reader, "GET", url).json()) == ["Payments API"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("displayName ne 'Orders'", "Request_UnsupportedQuery"),
        ("not startswith(displayName,'p')", "Request_UnsupportedQuery"),
        ("endswith(displayName,'s')", "Request_UnsupportedQuery"),
        ("displayName gt 'a'", "Request_UnsupportedQuery"),
        ("nonsense eq 'a'", "Request_BadRequest"),
        ("displayName eq", "Request_BadRequest"),
        ("displayName eq 'a' and", "Request_BadRequest"),
        ("displayName eq 'a", "Request_BadRequest"),
        ("((((((displayName", "Request_BadRequest"),
        (" and ".join(["displayName eq 'a'"] * 50), "Request_BadRequest"),
        ("", "Request_BadRequest"),
    ],
)
def test_a_filter_that_graph_would_refuse_is_refused(
    scene: EmulatorFixture, reader: ApplicationHandle, text: str, code: str
) -> None:
    answer = scene.graph(reader, "GET", "applications", filter=text)
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)


def test_advanced_filters_need_the_header_and_the_count(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    parameters = {"filter": "endswith(displayName,'s') and displayName ne 'x'", "count": "true"}
    answer = scene.graph(reader, "GET", "applications", headers=ADVANCED, **parameters)
    assert names(answer.json()) == ["Orders"]
    assert answer.json()["@odata.count"] == 1
    ordered = scene.graph(reader, "GET", "applications", headers=ADVANCED, orderby="displayName desc", count="true")
    assert [item["displayName"] for item in ordered.json()["value"]] == [
        "reader",
        "payments worker",
        "Payments API",
        "Orders",
    ]
    assert scene.graph(reader, "GET", "applications", orderby="displayName").status == 400


def test_a_search_needs_the_header(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    refused = scene.graph(reader, "GET", "applications", search='"displayName:worker"')
    assert refused.json()["error"]["code"] == "Request_UnsupportedQuery"
    assert "ConsistencyLevel" in refused.json()["error"]["message"]
    response = scene.graph(reader, "GET", "applications", headers=ADVANCED, search='"displayName:worker"')
    assert names(response.json()) == ["payments worker"]


def test_counting_needs_the_header(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    refused = scene.graph(reader, "GET", "applications/$count")
    assert refused.json()["error"]["message"] == "$count is not currently supported."
    assert scene.graph(reader, "GET", "applications/$count", headers=ADVANCED).body == b"4"
    assert "@odata.count" not in scene.graph(reader, "GET", "applications", count="true").json()


def test_pages_show_each_item_once_even_while_others_come_and_go(
    scene: EmulatorFixture, reader: ApplicationHandle
) -> None:
    expected = {scene.application(f"item {number}").object_id for number in range(10)}
    answer = scene.graph(reader, "GET", "applications", headers=ADVANCED, top="3", count="true").json()
    assert answer["@odata.count"] == 14
    ids: list[str] = []
    while True:
        ids += [item["id"] for item in answer["value"]]
        scene.application("late")
        link = answer.get("@odata.nextLink")
        if link is None:
            break
        assert link.startswith(f"{GRAPH}/applications?")
        assert "skiptoken=" in link
        answer = scene.graph(reader, "GET", link).json()
        assert "@odata.count" not in answer
        assert len(answer["value"]) <= 3
    assert len(ids) == len(set(ids))
    assert expected <= set(ids)


def test_a_page_is_100_items_unless_asked_otherwise(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    for number in range(120):
        scene.application(f"many {number}", secrets=0)
    first = scene.graph(reader, "GET", "applications").json()
    assert len(first["value"]) == 100
    assert len(scene.graph(reader, "GET", first["@odata.nextLink"]).json()["value"]) == 24
    assert len(scene.graph(reader, "GET", "applications", top="999").json()["value"]) == 124


@pytest.mark.parametrize("size", ["0", "1000", "-1", "x", "9" * 400])
def test_a_page_size_out_of_range_is_refused(scene: EmulatorFixture, reader: ApplicationHandle, size: str) -> None:
    assert scene.graph(reader, "GET", "applications", top=size).status == 400


def test_a_selection_returns_only_what_was_named(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    body = scene.graph(reader, "GET", f"applications/{reader.object_id}", select="id,passwordCredentials").json()
    assert set(body) == {"@odata.context", "id", "passwordCredentials"}


def test_owners_are_shown_only_where_expanded(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application(owns_itself=True)
    path = f"applications/{app.object_id}"
    assert "owners" not in scene.graph(manager, "GET", path).json()
    for body in (
        scene.graph(manager, "GET", path, expand="owners", select="id").json(),
        scene.graph(manager, "GET", "applications", expand="owners", filter=f"id eq '{app.object_id}'").json()["value"][
            0
        ],
    ):
        assert [item["id"] for item in body["owners"]] == [app.principal_id]
    assert scene.graph(manager, "GET", path, expand="everything").status == 400
    assert scene.graph(manager, "GET", "applications", skip="5").json()["error"]["code"] == "Request_UnsupportedQuery"


def test_the_bytes_of_a_certificate_are_shown_only_where_selected(
    scene: EmulatorFixture, reader: ApplicationHandle, certificate: Any
) -> None:
    scene.emulator.admin.add_certificate(reader.object_id, certificate.pem)
    path = f"applications/{reader.object_id}"
    assert scene.graph(reader, "GET", path).json()["keyCredentials"][0]["key"] is None
    assert scene.graph(reader, "GET", path, select="keyCredentials").json()["keyCredentials"][0]["key"]


def test_an_error_has_the_odata_envelope_and_its_ids(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    mine = "33333333-3333-4333-8333-333333333333"
    missing = "44444444-4444-4444-8444-444444444444"
    answer = scene.graph(reader, "GET", f"applications/{missing}", headers={"client-request-id": mine})
    error = answer.json()["error"]
    assert answer.status == 404
    assert error["code"] == "Request_ResourceNotFound"
    assert error["message"] == (
        f"Resource '{missing}' does not exist or one of its queried reference-property objects are not present."
    )
    assert error["innerError"]["client-request-id"] == answer.header("client-request-id") == mine
    assert error["innerError"]["request-id"] == answer.header("request-id")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", error["innerError"]["date"])
    assert "RoleInstance" in json.loads(answer.header("x-ms-ags-diagnostic") or "")["ServerInfo"]
    assert answer.header("Content-Type") == "application/json"


def test_answers_and_requests_may_be_compressed(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application(secrets=0)
    answer = scene.graph(manager, "GET", f"applications/{app.object_id}", headers={"Accept-Encoding": "gzip, br"})
    assert answer.header("Content-Encoding") == "gzip"
    assert json.loads(gzip.decompress(answer.body))["id"] == app.object_id
    scene.emulator.admin.configure(scene.tenant, compress=False)
    assert scene.graph(manager, "GET", f"applications/{app.object_id}", headers={"Accept-Encoding": "gzip"}).json()


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "nonsense", 400, "Resource not found for the segment 'nonsense'."),
        ("GET", "applications/x/nonsense", 400, "Resource not found for the segment 'nonsense'."),
        ("PUT", "applications", 405, "not allowed"),
        ("GET", "applications/x/addPassword", 405, "not allowed"),
    ],
)
def test_unknown_routes_and_methods_are_odata_errors(
    scene: EmulatorFixture, reader: ApplicationHandle, method: str, path: str, status: int, text: str
) -> None:
    answer = scene.graph(reader, method, path)
    assert answer.status == status
    assert text in answer.json()["error"]["message"]


def test_service_principals_are_read_by_id_by_app_id_and_by_filter(
    scene: EmulatorFixture, reader: ApplicationHandle
) -> None:
    for path in (f"servicePrincipals/{reader.principal_id}", f"servicePrincipals(appId='{reader.app_id}')"):
        body = scene.graph(reader, "GET", path).json()
        assert (body["id"], body["appId"], body["accountEnabled"]) == (reader.principal_id, reader.app_id, True)
    for text in (f"appId eq '{reader.app_id}'", f"servicePrincipalNames/any(c:c eq '{reader.app_id}')"):
        principals = scene.graph(reader, "GET", "servicePrincipals", filter=text).json()["value"]
        assert [item["id"] for item in principals] == [reader.principal_id]
    pages = scene.graph(reader, "GET", "servicePrincipals", headers=ADVANCED, top="2", count="true").json()
    assert pages["@odata.count"] == 12
    assert pages["@odata.nextLink"]
    assert quote("appId eq", safe="") not in pages["@odata.nextLink"]


def test_the_permissions_of_a_service_principal_are_listed(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    path = f"servicePrincipals/{reader.principal_id}/appRoleAssignments"
    (grant,) = scene.graph(reader, "GET", path).json()["value"]
    assert grant["appRoleId"] == "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"
    assert grant["resourceDisplayName"] == "Microsoft Graph"


def test_a_property_is_read_by_its_path(scene: EmulatorFixture) -> None:
    """As the CLI for Microsoft 365 lists roles and permissions."""
    manager, app = scene.manager(), scene.application(roles=("Tasks.Read",))
    one = f"applications/{app.object_id}"
    change = {"web": {"homePageUrl": "https://app.example"}, "notes": None}
    assert scene.graph(manager, "PATCH", one, change).status == 204
    whole = scene.graph(manager, "GET", one).json()
    for path, value in (
        ("appRoles", whole["appRoles"]),
        ("displayname", "target"),
        ("web/homePageUrl", "https://app.example"),
        ("passwordCredentials", whole["passwordCredentials"]),
    ):
        answer = scene.graph(manager, "GET", f"{one}/{path}")
        assert answer.json()["value"] == value
        assert (
            answer.json()["@odata.context"]
            .lower()
            .endswith(f"$metadata#applications('{app.object_id}')/{path}".lower())
        )
    assert scene.graph(manager, "GET", f"myorganization/{one}/appRoles").json()["value"] == whole["appRoles"]
    principal = f"servicePrincipals(appId='{app.app_id}')"
    assert scene.graph(manager, "GET", f"{principal}/oauth2PermissionScopes").json()["value"] == []
    for path, status in (("notes", 204), ("nonsense", 400), ("web/nonsense", 400), ("displayName/x", 400)):
        assert scene.graph(manager, "GET", f"{one}/{path}").status == status, path
    assert scene.graph(manager, "GET", f"{one}/nonsense").json()["error"]["message"].endswith("segment 'nonsense'.")
    assert scene.graph(manager, "GET", "applications/x/appRoles").status == 404
    assert scene.graph(scene.application("nobody"), "GET", f"{one}/appRoles").status == 403
    assert scene.emulator.ledger.query(operation="getApplication")[-1].status == 403
    ada = scene.emulator.admin.create_user(scene.tenant, "Ada Admin")
    reader = scene.application("reader", permissions=("User.Read.All",))
    assert scene.graph(reader, "GET", f"users/{ada}/accountEnabled").json()["value"] is True
