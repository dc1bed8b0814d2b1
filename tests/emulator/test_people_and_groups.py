"""People, groups, owners, any object by its id, what is deleted, and what changed."""

from __future__ import annotations

from typing import Any

import pytest

from entra_emulator import ApplicationHandle
from tests.emulator.scene import GRAPH, EmulatorFixture

DAY = 86_400.0


@pytest.fixture
def director(scene: EmulatorFixture) -> ApplicationHandle:
    return scene.application("director", permissions=("Directory.ReadWrite.All", "Application.ReadWrite.All"))


def new_user(name: str = "Bea Builder", **more: Any) -> dict[str, Any]:
    nickname = name.replace(" ", ".").lower()
    return {
        "displayName": name,
        "mailNickname": nickname,
        "userPrincipalName": f"{nickname}@contoso.onmicrosoft.com",
        "accountEnabled": True,
        "passwordProfile": {"password": "not kept", "forceChangePasswordNextSignIn": False},
        **more,
    }


def test_people_and_groups_are_made_found_and_changed(scene: EmulatorFixture, director: ApplicationHandle) -> None:
    def graph(method: str, path: str, body: Any = None, **query: Any) -> Any:
        return scene.graph(director, method, path, body, **query)

    user = graph("POST", "users", new_user(department="Works")).json()
    assert "accountEnabled" not in user, "a read shows the usual properties only"
    path = f"users/{user['userPrincipalName'].upper()}"
    selected = graph("GET", path, select="id,accountEnabled,department").json()
    assert (selected["id"], selected["accountEnabled"], selected["department"]) == (user["id"], True, "Works")
    assert graph("PATCH", path, {"accountEnabled": False, "jobTitle": "Smith"}).status == 204
    assert [item["id"] for item in graph("GET", "users", filter="accountEnabled eq false").json()["value"]] == [
        user["id"]
    ]
    for wrong in ({"nonsense": 1}, {"accountEnabled": None}, {"userPrincipalName": "x@elsewhere.example"}, {"id": "x"}):
        assert graph("PATCH", path, wrong).status == 400, wrong
    assert graph("POST", "users", new_user()).status == 400, "the address is taken"
    for path, kind in (("users", "User"), ("groups", "Group")):
        refusal = graph("POST", path, {"displayName": "x"})
        assert (
            refusal.json()["error"]["message"]
            == f"A value is required for property 'mailNickname' of resource '{kind}'."
        )
    assert graph("GET", "users", select="nonsense").status == 400

    fields = {"displayName": "Owners", "mailNickname": "owners", "mailEnabled": False, "securityEnabled": True}
    group = graph("POST", "groups", fields | {"members@odata.bind": [f"{GRAPH}/users/{user['id']}"]}).json()
    assert graph("GET", "groups", filter="displayName eq 'Owners'").json()["value"][0]["id"] == group["id"]
    members = f"groups/{group['id']}/members"
    reference = {"@odata.id": f"{GRAPH}/directoryObjects/{director.principal_id}"}
    assert graph("POST", f"{members}/$ref", reference).status == 204
    assert graph("POST", f"{members}/$ref", reference).status == 400, "it is a member already"
    kinds = {item["id"]: item["@odata.type"] for item in graph("GET", members).json()["value"]}
    assert kinds == {user["id"]: "#microsoft.graph.user", director.principal_id: "#microsoft.graph.servicePrincipal"}
    outer = graph("POST", "groups", fields | {"displayName": "Outer"}).json()
    graph("POST", f"groups/{outer['id']}/members/$ref", {"@odata.id": group["id"]})
    inside = graph("GET", f"groups/{outer['id']}/transitiveMembers").json()["value"]
    assert {item["id"] for item in inside} == {group["id"], *kinds}
    assert [item["id"] for item in graph("GET", f"users/{user['id']}/memberOf").json()["value"]] == [group["id"]]
    both = [group["id"], outer["id"]]
    above = graph("GET", f"users/{user['id']}/transitiveMemberOf").json()["value"]
    assert sorted(item["id"] for item in above) == sorted(both)
    asked = {"groupIds": [*both, user["id"]]}
    assert graph("POST", f"users/{user['userPrincipalName']}/checkMemberGroups", asked).json()["value"] == both
    ids = graph(
        "POST", f"servicePrincipals/{director.principal_id}/getMemberGroups", {"securityEnabledOnly": True}
    ).json()
    assert sorted(ids["value"]) == sorted(both)
    assert graph("POST", f"users/{user['id']}/getMemberGroups", {"nonsense": 1}).status == 400
    for name, number in (("users", b"1"), ("groups", b"2"), ("servicePrincipals", b"9")):
        counted = scene.graph(director, "GET", f"{name}/$count", headers={"ConsistencyLevel": "eventual"})
        assert (counted.status, counted.body) == (200, number), name
    assert [item["id"] for item in graph("GET", "domains").json()["value"]] == ["contoso.onmicrosoft.com"]
    assert graph("GET", "domains/contoso.onmicrosoft.com").json()["isVerified"] is True
    assert graph("GET", f"organization/{scene.tenant}").json()["displayName"] == "Contoso"
    assert graph("GET", "domains/nowhere.example").status == 404
    assert graph("DELETE", f"{members}/{user['id']}/$ref").status == 204
    assert graph("DELETE", f"{members}/{user['id']}/$ref").status == 404

    ids = [user["id"], group["id"], director.object_id, "00000000-0000-4000-8000-000000000001"]
    found = graph("POST", "directoryObjects/getByIds", {"ids": ids}).json()["value"]
    assert [item["id"] for item in found] == ids[:3], "what is unknown is left out"
    some = graph("POST", "directoryObjects/microsoft.graph.getByIds", {"ids": ids, "types": ["user"]}).json()["value"]
    assert [item["id"] for item in some] == ids[:1]
    assert graph("GET", f"directoryObjects/{group['id']}").json()["displayName"] == "Owners"
    assert graph("POST", "directoryObjects/getByIds", {"ids": ids, "types": ["nonsense"]}).status == 400
    assert graph("DELETE", f"groups/{group['id']}").status == 204
    assert graph("GET", f"directoryObjects/{group['id']}").status == 404


def test_of_owners_that_a_caller_may_not_read_it_sees_the_ids_only(
    scene: EmulatorFixture, director: ApplicationHandle
) -> None:
    ada = scene.emulator.admin.create_user(scene.tenant, "Ada Admin")
    app = scene.application(owners=(ada, director.principal_id))
    narrow = scene.application("narrow", permissions=("Application.Read.All",))
    owners = scene.graph(narrow, "GET", f"applications/{app.object_id}/owners").json()["value"]
    person = next(item for item in owners if item["@odata.type"] == "#microsoft.graph.user")
    assert (person["id"], person["displayName"], person["userPrincipalName"]) == (ada, None, None)
    assert next(item for item in owners if item["id"] == director.principal_id)["displayName"] == "director"
    assert scene.graph(narrow, "GET", f"users/{ada}").status == 403
    expanded = scene.graph(
        director, "GET", f"applications/{app.object_id}", expand="owners($select=id,displayName)"
    ).json()
    assert {item["displayName"] for item in expanded["owners"]} == {"Ada Admin", "director"}
    path = f"servicePrincipals/{app.principal_id}/owners"
    reference = {"@odata.id": f"{GRAPH}/directoryObjects/{ada}"}
    assert scene.graph(director, "POST", f"{path}/$ref", reference).status == 204
    shown = scene.graph(director, "GET", f"servicePrincipals/{app.principal_id}", expand="owners").json()
    assert [item["id"] for item in shown["owners"]] == [ada]
    owned = scene.graph(director, "GET", f"users/{ada}/ownedObjects").json()["value"]
    assert {item["id"] for item in owned} == {app.object_id, app.principal_id}
    assert scene.graph(director, "DELETE", f"{path}/{ada}/$ref").status == 204
    assert scene.graph(director, "GET", path).json()["value"] == []


def test_a_deleted_user_can_be_restored_for_thirty_days(scene: EmulatorFixture, director: ApplicationHandle) -> None:
    user = scene.graph(director, "POST", "users", new_user()).json()["id"]
    app = scene.application(owners=(user,))
    assert scene.graph(director, "DELETE", f"users/{user}").status == 204
    assert scene.graph(director, "GET", f"applications/{app.object_id}/owners").json()["value"] == []
    deleted = scene.graph(director, "GET", "directory/deletedItems/microsoft.graph.user").json()["value"]
    assert [(item["id"], item["deletedDateTime"]) for item in deleted] == [(user, "2026-11-23T00:00:00Z")]
    assert scene.graph(director, "POST", f"directory/deletedItems/{user}/restore").status == 200
    assert len(scene.graph(director, "GET", f"applications/{app.object_id}/owners").json()["value"]) == 1
    scene.graph(director, "DELETE", f"users/{user}")
    scene.graph(director, "DELETE", f"applications/{app.object_id}")
    scene.clock.advance(30 * DAY)
    scene.tokens.clear()
    assert scene.graph(director, "POST", f"directory/deletedItems/{user}/restore").status == 404
    left = scene.graph(director, "GET", "directory/deletedItems/microsoft.graph.application").json()
    assert left["value"] == [], left


def test_a_blueprint_of_agents_is_an_application(scene: EmulatorFixture, director: ApplicationHandle) -> None:
    kind = "#microsoft.graph.agentIdentityBlueprint"
    body = {"@odata.type": "Microsoft.Graph.AgentIdentityBlueprint", "displayName": "helpers"}
    made = scene.graph(director, "POST", "applications", body)
    assert (made.status, made.json()["@odata.type"]) == (201, kind)
    by_admin = scene.application("by admin", blueprint=True)
    listed = scene.graph(director, "GET", "applications/microsoft.graph.agentIdentityBlueprint", select="id").json()[
        "value"
    ]
    assert {item["id"] for item in listed} == {made.json()["id"], by_admin.object_id}
    everything = scene.graph(director, "GET", "applications", select="id,displayName").json()["value"]
    assert [item["displayName"] for item in everything if item.get("@odata.type") == kind]
    cast = f"applications/{by_admin.object_id}/microsoft.graph.agentIdentityBlueprint/addPassword"
    assert scene.graph(director, "POST", cast, {}).json()["secretText"]
    assert scene.graph(director, "POST", "applications", body | {"@odata.type": "microsoft.graph.device"}).status == 400
    cast = scene.graph(director, "POST", "applications/graph.agentIdentityBlueprint", {"displayName": "others"})
    assert (cast.status, cast.json()["@odata.type"]) == (201, kind)
    assert scene.graph(director, "GET", cast.header("Location") or "").json()["displayName"] == "others"
    path = "servicePrincipals/microsoft.graph.agentIdentityBlueprintPrincipal"
    plain = scene.graph(director, "POST", "applications", {"displayName": "no agent"}).json()["appId"]
    assert scene.graph(director, "POST", path, {"appId": plain}).status == 400
    principal = scene.graph(director, "POST", path, {"appId": cast.json()["appId"]})
    assert principal.status == 201
    listed = scene.graph(director, "GET", path, select="id").json()["value"]
    assert {item["id"] for item in listed} == {principal.json()["id"], by_admin.principal_id}


def test_a_disabled_application_says_so_and_signs_nobody_in(
    scene: EmulatorFixture, director: ApplicationHandle
) -> None:
    app = scene.application()
    path = f"applications/{app.object_id}"
    assert scene.graph(director, "GET", path).json()["isDisabled"] is None
    assert scene.graph(director, "PATCH", path, {"isDisabled": True}).status == 204
    assert scene.graph(director, "GET", path, select="isDisabled").json()["isDisabled"] is True
    assert scene.token(app).json()["error_codes"] == [7000112]
    assert scene.graph(director, "PATCH", path, {"isDisabled": False}).status == 204
    assert scene.token(app).status == 200


def test_delta_tells_what_changed_what_went_and_when_to_begin_anew(
    scene: EmulatorFixture, director: ApplicationHandle
) -> None:
    apps = [scene.application(f"app {number}") for number in range(5)]

    def read(url: str, **query: Any) -> tuple[list[dict[str, Any]], str]:
        rows: list[dict[str, Any]] = []
        while True:
            body = scene.graph(director, "GET", url, **query).json()
            rows, query = rows + body["value"], {}
            if "@odata.deltaLink" in body:
                return rows, body["@odata.deltaLink"]
            url = body["@odata.nextLink"]

    rows, link = read("applications/delta", select="displayName,passwordCredentials", top="2")
    assert {item["displayName"] for item in rows} == {"director", *(f"app {number}" for number in range(5))}
    assert all(set(item) == {"id", "displayName", "passwordCredentials"} for item in rows)
    assert read(link)[0] == []
    scene.clock.advance(1)
    scene.add_password(director, apps[0])
    scene.emulator.admin.add_secret(apps[1].object_id, "by others")
    ada = scene.emulator.admin.create_user(scene.tenant, "Ada")
    scene.graph(director, "POST", f"applications/{apps[2].object_id}/owners/$ref", {"@odata.id": ada})
    scene.graph(director, "DELETE", f"applications/{apps[3].object_id}")
    scene.graph(director, "DELETE", f"applications/{apps[4].object_id}")
    scene.graph(director, "DELETE", f"directory/deletedItems/{apps[4].object_id}")
    rows, later = read(link)
    secrets = {item["id"]: len(item["passwordCredentials"]) for item in rows if "@removed" not in item}
    assert secrets == {apps[0].object_id: 2, apps[1].object_id: 2}, "owners stand beside an object"
    gone = {item["id"]: item["@removed"]["reason"] for item in rows if "@removed" in item}
    assert gone == {apps[3].object_id: "changed", apps[4].object_id: "deleted"}
    assert read(later)[0] == []
    latest = scene.graph(director, "GET", "servicePrincipals/delta()?$deltatoken=latest").json()
    assert latest["value"] == []
    scene.clock.advance(1)
    scene.graph(director, "PATCH", f"servicePrincipals/{apps[0].principal_id}", {"accountEnabled": False})
    rows, _ = read(latest["@odata.deltaLink"])
    assert [(item["id"], item["accountEnabled"]) for item in rows] == [(apps[0].principal_id, False)]
    only = scene.graph(director, "GET", "applications/delta", filter=f"id eq '{apps[1].object_id}'").json()["value"]
    assert [item["id"] for item in only] == [apps[1].object_id]
    assert scene.graph(director, "GET", "applications/delta", filter="displayName eq 'x'").status == 400
    assert scene.graph(director, "GET", "applications/delta?$deltatoken=junk").status == 400
    scene.clock.advance(7 * DAY)
    scene.tokens.clear()
    stale = scene.graph(director, "GET", later)
    assert (stale.status, stale.json()["error"]["code"]) == (410, "resyncRequired")
    assert len(read(stale.header("Location") or "")[0]) == 4


def test_delta_tells_who_came_and_left(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, delta_delay=(0, 0))
    director = scene.application("director", permissions=("User.ReadWrite.All", "Group.ReadWrite.All"))
    admin = scene.emulator.admin
    ada, uri = (admin.create_user(scene.tenant, name) for name in ("Ada", "Uri"))
    team = admin.create_group(scene.tenant, "team", members=(ada,))

    def changes(link: str) -> tuple[dict[str, dict[str, Any]], str]:
        scene.clock.advance(10)
        body = scene.graph(director, "GET", link).json()
        return {row["id"]: row for row in body["value"]}, body["@odata.deltaLink"]

    people, of_users = changes("users/delta")
    groups, of_groups = changes("groups/delta")
    assert {ada, uri} <= people.keys()
    assert people[ada]["displayName"] == "Ada"
    assert groups[team]["members@delta"] == [{"@odata.type": "#microsoft.graph.user", "id": ada}]
    assert changes(of_users)[0] == changes(of_groups)[0] == {}

    reference = {"@odata.id": f"{GRAPH}/directoryObjects/{uri}"}
    assert scene.graph(director, "POST", f"groups/{team}/members/$ref", reference).status == 204
    assert scene.graph(director, "DELETE", f"groups/{team}/members/{ada}/$ref").status == 204
    assert scene.graph(director, "PATCH", f"users/{ada}", {"jobTitle": "x"}).status == 204
    assert scene.graph(director, "DELETE", f"users/{uri}").status == 204
    people, of_users = changes(of_users)
    assert people[ada]["jobTitle"] == "x"
    assert people[uri] == {"id": uri, "@removed": {"reason": "changed"}}
    groups, of_groups = changes(of_groups)
    assert groups[team]["members@delta"] == [{"id": ada, "@removed": {"reason": "deleted"}}], (
        "who is deleted is no member"
    )
    only_names, _ = changes("groups/delta?$select=displayName")
    assert only_names[team] == {"id": team, "displayName": "team"}

    assert scene.graph(director, "DELETE", f"groups/{team}").status == 204
    assert scene.graph(director, "DELETE", f"directory/deletedItems/{uri}").status == 204
    assert changes(of_groups)[0] == {team: {"id": team, "@removed": {"reason": "deleted"}}}
    assert changes(of_users)[0] == {uri: {"id": uri, "@removed": {"reason": "deleted"}}}
    stranger = scene.application("stranger", permissions=("Application.Read.All",))
    assert [scene.graph(stranger, "GET", f"{kind}/delta").status for kind in ("users", "groups")] == [403, 403]


def test_who_joins_and_leaves_is_told_once_however_late_a_delta_query_shows_it(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, delta_delay=(20, 20))
    reader = scene.application("reader", permissions=("Group.Read.All",))
    admin = scene.emulator.admin
    people = [admin.create_user(scene.tenant, str(number)) for number in range(4)]
    team = admin.create_group(scene.tenant, "team", members=tuple(people[:1]))
    scene.clock.advance(30)
    told, link = [], "groups/delta"
    for step in range(12):
        if step < 3:
            admin.set_members(team, *people[: step + 2])
        elif step == 3:
            admin.set_members(team, *people[1:])
        scene.clock.advance(8)
        body = scene.graph(reader, "GET", link).json()
        rows = [row for row in body["value"] if row["id"] == team]
        told += [(member["id"], "@removed" in member) for row in rows for member in row.get("members@delta", ())]
        link = body["@odata.deltaLink"]
    assert told == [*((person, False) for person in people), (people[0], True)]
