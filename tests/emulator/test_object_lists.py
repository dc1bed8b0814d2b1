"""Lists of directory objects: one kind of them, their number, references to them; managers; any object deleted by its id."""

from __future__ import annotations

from typing import Any

import pytest

from entra_emulator import ApplicationHandle
from tests.emulator.people import People, people_in
from tests.emulator.scene import GRAPH, EmulatorFixture

ADVANCED = {"ConsistencyLevel": "eventual"}
EVERYTHING = (
    "Application.ReadWrite.All", "User.ReadWrite.All", "Group.ReadWrite.All", "Directory.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)  # fmt: skip


@pytest.fixture
def director(scene: EmulatorFixture) -> ApplicationHandle:
    return scene.application("director", permissions=EVERYTHING)


@pytest.fixture
def people(scene: EmulatorFixture) -> People:
    return people_in(scene)


def ids(response: Any) -> list[str]:
    assert response.status == 200, response.body
    return [row["id"] for row in response.json()["value"]]


@pytest.mark.parametrize("prefix", ["microsoft.graph.", "graph."])
def test_a_list_is_asked_for_one_kind_of_objects(
    scene: EmulatorFixture, director: ApplicationHandle, people: People, prefix: str
) -> None:
    owned = scene.application("owned", owners=(people.ada, director.principal_id))
    inner = scene.emulator.admin.create_group(scene.tenant, "inner", members=(people.uri,))
    team = scene.emulator.admin.create_group(scene.tenant, "team", members=(people.ada, inner, owned.principal_id))
    for path, expected in (
        (f"applications/{owned.object_id}/owners/{prefix}user", [people.ada]),
        (f"applications/{owned.object_id}/owners/{prefix}servicePrincipal", [director.principal_id]),
        (f"groups/{team}/members/{prefix}user", [people.ada]),
        (f"groups/{team}/members/{prefix}group", [inner]),
        (f"groups/{team}/members/{prefix}servicePrincipal", [owned.principal_id]),
        (f"groups/{team}/members/{prefix}application", []),
        (f"groups/{team}/transitiveMembers/{prefix}user", [people.ada, people.uri]),
        (f"users/{people.uri}/transitiveMemberOf/{prefix}group", [inner, team]),
        (f"users/{people.ada}/ownedObjects/{prefix}application", [owned.object_id]),
    ):
        assert sorted(ids(scene.graph(director, "GET", path))) == sorted(expected), path
        counted = scene.graph(director, "GET", f"{path}/$count", None, ADVANCED)
        assert (counted.status, counted.body) == (200, str(len(expected)).encode()), path
    scene.graph(director, "DELETE", f"applications/{owned.object_id}")
    assert ids(scene.graph(director, "GET", f"directory/deletedItems/{prefix}application")) == [owned.object_id]


def test_a_list_tells_its_number_and_references(
    scene: EmulatorFixture, director: ApplicationHandle, people: People
) -> None:
    team = scene.emulator.admin.create_group(scene.tenant, "team", members=(people.ada, people.uri))
    assert scene.graph(director, "GET", f"groups/{team}/members/$count").status == 400, "only where the index is asked"
    assert scene.graph(director, "GET", f"groups/{team}/members/$count", None, ADVANCED).body == b"2"
    rows = scene.graph(director, "GET", f"groups/{team}/members/$ref").json()["value"]
    assert [row["@odata.id"].split("/")[-2:] for row in rows] == [
        [people.ada, "Microsoft.DirectoryServices.User"], [people.uri, "Microsoft.DirectoryServices.User"]
    ]  # fmt: skip
    assert scene.graph(director, "GET", f"groups/{team}/members/$ref", top="1").status == 400, "not dropped in silence"
    assert scene.graph(director, "GET", f"groups/{team}/members/graph.nothing").status == 400
    assert scene.graph(director, "GET", "applications/graph.user").status in {400, 404}


def test_filters_count_and_look_into_texts(scene: EmulatorFixture, director: ApplicationHandle, people: People) -> None:
    orphan, owned = scene.application("orphan"), scene.application("owned", owners=(people.ada,))
    change = {"tags": ["red", "blue"], "identifierUris": [f"api://{owned.app_id}"]}
    assert scene.graph(director, "PATCH", f"applications/{owned.object_id}", change).status == 204

    def found(text: str) -> set[str]:
        return set(ids(scene.graph(director, "GET", "applications", None, ADVANCED, filter=text, count="true")))

    everyone = found("displayName ne 'x'")
    assert owned.object_id not in found("owners/$count eq 0")
    assert orphan.object_id in found("owners/$count eq 0")
    assert found("owners/$count ne 0") == everyone - found("owners/$count eq 0")
    assert found("tags/$count gt 1") == found("not (tags/$count le 1)") == {owned.object_id}
    assert found("identifierUris/any(u:startswith(u,'api://'))") == {owned.object_id}
    assert found("tags/any(t:endswith(t,'ue') or t eq 'nothing')") == {owned.object_id}
    for plain in ("owners/$count eq 0", "tags/any(t:endswith(t,'ue'))"):
        assert scene.graph(director, "GET", "applications", filter=plain).status == 400, "the index is not asked"
    for wrong in (
        "nothing/$count eq 0",
        "tags/any(t:startswith(u,'x'))",
        "owners/$count eq 'x'x",
        "tags/any(t:startswith)",
    ):
        answer = scene.graph(director, "GET", "applications", None, ADVANCED, filter=wrong, count="true")
        assert answer.status == 400, wrong


def test_people_have_managers(scene: EmulatorFixture, director: ApplicationHandle, people: People) -> None:
    path = f"users/{people.uri}/manager"
    assert scene.graph(director, "GET", path).status == 404
    reference = {"@odata.id": f"{GRAPH}/users/{people.ada}"}
    assert scene.graph(director, "PUT", f"{path}/$ref", reference).status == 204
    assert scene.graph(director, "GET", path).json()["id"] == people.ada
    assert ids(scene.graph(director, "GET", f"users/{people.ada}/directReports")) == [people.uri]
    url = f"users/{people.uri}?$expand=manager($select=id,displayName)&$select=id"
    shown = scene.graph(director, "GET", url).json()
    assert shown["manager"]["id"] == people.ada
    rows = scene.graph(director, "GET", "users?$expand=manager").json()["value"]
    assert {row["id"]: bool(row["manager"]) for row in rows} == {people.ada: False, people.uri: True}
    group = scene.emulator.admin.create_group(scene.tenant, "team")
    assert scene.graph(director, "PUT", f"{path}/$ref", {"@odata.id": f"{GRAPH}/groups/{group}"}).status == 400
    assert scene.graph(director, "DELETE", f"{path}/$ref").status == 204
    assert scene.graph(director, "DELETE", f"{path}/$ref").status == 404


def test_users_are_sorted_and_shown_with_all_that_can_be_selected(
    scene: EmulatorFixture, director: ApplicationHandle, people: People
) -> None:
    url = "users?$count=true&$orderby=userPrincipalName%20desc&$filter=endswith(userPrincipalName,'.com')"
    assert ids(scene.graph(director, "GET", url, None, ADVANCED)) == [people.uri, people.ada]
    change = {"streetAddress": "Main St 1", "employeeType": "Contractor", "postalCode": "1"}
    assert scene.graph(director, "PATCH", f"users/{people.uri}", change).status == 204
    names = (*change, "identities", "proxyAddresses", "onPremisesSyncEnabled", "assignedLicenses")
    shown = scene.graph(director, "GET", f"users/{people.uri}", select=",".join(names)).json()
    assert {name: shown[name] for name in change} == change
    assert (shown["proxyAddresses"], shown["onPremisesSyncEnabled"], shown["assignedLicenses"]) == ([], None, [])
    assert shown["identities"][0]["issuer"] == "contoso.onmicrosoft.com"
    assert scene.graph(director, "PATCH", f"users/{people.uri}", {"proxyAddresses": []}).status == 400


def test_what_a_person_consented_to_is_listed_beside_them(
    scene: EmulatorFixture, director: ApplicationHandle, people: People
) -> None:
    scene.emulator.admin.consent(people.web.object_id, "User.Read", user=people.ada)
    scene.emulator.admin.consent(people.web.object_id, "Directory.Read.All")
    [row] = scene.graph(director, "GET", f"users/{people.ada}/oauth2PermissionGrants").json()["value"]
    assert (row["principalId"], row["scope"].split()) == (people.ada, ["User.Read"])
    assert ids(scene.graph(director, "GET", f"users/{people.uri}/oauth2PermissionGrants")) == []
    token = people.tokens(scope="Directory.Read.All")["access_token"]
    assert ids(people.graph(token, "GET", "me/oauth2PermissionGrants")) == [row["id"]]
    assert people.graph(token, "GET", "me/manager").status == 404


def test_any_object_is_deleted_by_its_id_by_whoever_may(
    scene: EmulatorFixture, director: ApplicationHandle, people: People
) -> None:
    app = scene.application("target")
    group = scene.emulator.admin.create_group(scene.tenant, "team")
    reader = scene.application("reader", permissions=("Directory.Read.All",))
    for object_id in (app.principal_id, app.object_id, group, people.uri):
        assert scene.graph(reader, "DELETE", f"directoryObjects/{object_id}").status == 403
        assert scene.graph(director, "DELETE", f"directoryObjects/{object_id}").status == 204
        assert scene.graph(director, "GET", f"directoryObjects/{object_id}").status == 404
    assert scene.graph(director, "DELETE", f"directoryObjects/{people.uri}").status == 404


def test_names_of_groups_are_validated(scene: EmulatorFixture, director: ApplicationHandle) -> None:
    def asked(**body: Any) -> int:
        return scene.graph(director, "POST", "directoryObjects/validateProperties", body).status

    assert asked(entityType="Group", displayName="x", mailNickname="x") == 204
    assert asked(entityType="User", displayName="x") == 400
    assert asked(entityType="Group") == 400
    assert asked(displayName="x") == 400
    assert asked(entityType="Group", displayName="x", more=1) == 400


def test_objects_are_made_by_their_alternate_keys_where_they_are_missing(
    scene: EmulatorFixture, director: ApplicationHandle
) -> None:
    wanted = {"Prefer": "create-if-missing"}
    group = {"displayName": "Team", "mailNickname": "team", "mailEnabled": False, "securityEnabled": True}
    path = "groups(uniqueName='team-1')"
    assert scene.graph(director, "GET", path).status == 404
    assert scene.graph(director, "PATCH", path, group).status == 404
    made = scene.graph(director, "PATCH", path, group, wanted)
    assert (made.status, made.json()["uniqueName"]) == (201, "team-1")
    assert scene.graph(director, "PATCH", path, {"displayName": "Other"}, wanted).status == 204
    assert scene.graph(director, "GET", path).json()["displayName"] == "Other"
    assert scene.graph(director, "PATCH", path, {"uniqueName": "team-2"}).status == 400, "given once"
    assert scene.graph(director, "POST", "groups", group | {"uniqueName": "team-1"}).status == 400, "given to one"
    other = scene.graph(director, "POST", "groups", group).json()["id"]
    assert scene.graph(director, "PATCH", f"groups/{other}", {"uniqueName": "team-1"}).status == 400
    app_id = scene.graph(director, "POST", "applications", {"displayName": "x"}).json()["appId"]
    path = f"servicePrincipals(appId='{app_id}')"
    assert scene.graph(director, "PATCH", path, {"notes": "n"}).status == 404
    made = scene.graph(director, "PATCH", path, {"notes": "n"}, wanted)
    assert (made.status, made.json()["appId"], made.json()["notes"]) == (201, app_id, "n")
    assert scene.graph(director, "PATCH", path, {"notes": "m"}, wanted).status == 204
    nobody = "servicePrincipals(appId='00000000-0000-4000-8000-000000000001')"
    assert scene.graph(director, "PATCH", nobody, {"notes": "n"}, wanted).status == 400
    reader = scene.application("reader", permissions=("Directory.Read.All",))
    assert scene.graph(reader, "PATCH", "groups(uniqueName='mine')", group, wanted).status == 403
    assert scene.graph(reader, "PATCH", path.replace(app_id, director.app_id), {"notes": "n"}, wanted).status == 403
