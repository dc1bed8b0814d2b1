"""Directory roles: which are active, who has them by which way, and what they let applications and people do."""

from __future__ import annotations

from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Response
from tests.emulator.people import People, claims_of
from tests.emulator.scene import GRAPH, EmulatorFixture

APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"


@pytest.fixture
def director(scene: EmulatorFixture) -> ApplicationHandle:
    return scene.application("director", permissions=("RoleManagement.ReadWrite.Directory", "Directory.ReadWrite.All"))


class Asking:
    """One caller of Graph."""

    def __init__(self, scene: EmulatorFixture, by: ApplicationHandle) -> None:
        self.scene, self.by = scene, by

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Response:
        return self.scene.graph(self.by, method, path, body, **query)

    def names(self, path: str, **query: Any) -> list[str]:
        return [item["displayName"] for item in self("GET", path, **query).json()["value"]]


def test_a_role_is_activated_given_and_taken_away(scene: EmulatorFixture, director: ApplicationHandle) -> None:
    graph, app = Asking(scene, director), scene.application()
    assert graph.names("directoryRoles") == ["Global Administrator"], "the others are not active yet"
    assert "Directory Readers" in graph.names("directoryRoleTemplates")
    members = f"directoryRoles/roleTemplateId={DIRECTORY_READERS}/members"
    reference = {"@odata.id": f"{GRAPH}/directoryObjects/{app.principal_id}"}
    assert graph("POST", f"{members}/$ref", reference).status == 404
    made = graph("POST", "directoryRoles", {"roleTemplateId": DIRECTORY_READERS})
    assert (made.status, made.json()["roleTemplateId"]) == (201, DIRECTORY_READERS)
    assert graph("POST", "directoryRoles", {"roleTemplateId": DIRECTORY_READERS}).status == 400
    assert scene.graph(app, "GET", "users").status == 403
    assert graph("POST", f"{members}/$ref", reference).status == 204
    assert graph("POST", f"{members}/$ref", reference).status == 400, "it has the role already"
    assert graph.names(f"directoryRoles/{made.json()['id']}/members") == ["target"]
    scene.tokens.clear()
    assert scene.graph(app, "GET", "users").status == 200
    assert claims_of(scene.bearer(app))["wids"] == [DIRECTORY_READERS]
    assert graph.names(f"servicePrincipals/{app.principal_id}/memberOf") == ["Directory Readers"]
    found = graph("POST", "directoryObjects/getByIds", {"ids": [made.json()["id"]], "types": ["directoryRole"]})
    assert [item["@odata.type"] for item in found.json()["value"]] == ["#microsoft.graph.directoryRole"]
    assert graph("DELETE", f"{members}/{app.principal_id}/$ref").status == 204
    assert graph("DELETE", f"{members}/{app.principal_id}/$ref").status == 404
    scene.tokens.clear()
    assert scene.graph(app, "GET", "users").status == 403


def test_role_management_shows_the_same_roles(scene: EmulatorFixture, director: ApplicationHandle) -> None:
    graph, app, target = Asking(scene, director), scene.application(), scene.application("of others")
    assignments = "roleManagement/directory/roleAssignments"
    body = {"principalId": app.principal_id, "roleDefinitionId": APPLICATION_ADMINISTRATOR, "directoryScopeId": "/"}
    assert scene.graph(app, "POST", assignments, body).status == 403
    wrong: tuple[dict[str, Any], ...] = (
        {"directoryScopeId": f"/{app.object_id}"}, {"directoryScopeId": None}, {"appScopeId": "/"}, {"nonsense": 1},
        {"principalId": "x"},
    )  # fmt: skip
    for change in wrong:
        assert graph("POST", assignments, body | change).status == 400, change
    for change in ({"roleDefinitionId": app.app_id}, {"principalId": app.object_id}):
        assert graph("POST", assignments, body | change).status == 404, change
    made = graph("POST", assignments, body).json()
    scene.tokens.clear()
    assert scene.add_password(app, target).status == 200, "who manages applications needs no permission beside the role"
    assert sorted(graph.names("directoryRoles")) == ["Application Administrator", "Global Administrator"]
    only = {"filter": f"principalId eq '{app.principal_id}'"}
    [row] = graph("GET", assignments, **only, expand="principal($select=displayName)").json()["value"]
    assert (row["id"], row["principal"]["displayName"]) == (made["id"], "target")
    [row] = graph("GET", assignments, **only, expand="roleDefinition").json()["value"]
    assert row["roleDefinition"]["displayName"] == "Application Administrator"
    assert graph("GET", assignments, filter=f"principalId eq '{target.principal_id}'").json()["value"] == []
    assert graph("DELETE", f"{assignments}/{made['id']}").status == 204
    assert graph("GET", f"{assignments}/{made['id']}").status == 404
    assert graph("POST", "roleManagement/directory/roleDefinitions", {}).status == 405


def test_a_group_hands_its_roles_to_its_direct_members(
    scene: EmulatorFixture, people: People, director: ApplicationHandle
) -> None:
    graph = Asking(scene, director)
    fields = {"displayName": "Team", "mailNickname": "team", "mailEnabled": False, "securityEnabled": True}
    plain, team = (
        graph("POST", "groups", fields).json(),
        graph("POST", "groups", fields | {"isAssignableToRole": True}).json(),
    )
    for group in (plain, team):
        graph("POST", f"groups/{group['id']}/members/$ref", {"@odata.id": people.uri})
    body = {"roleDefinitionId": APPLICATION_ADMINISTRATOR, "directoryScopeId": "/"}
    assignments = "roleManagement/directory/roleAssignments"
    assert graph("POST", assignments, body | {"principalId": plain["id"]}).status == 400
    assert graph("POST", assignments, body | {"principalId": team["id"]}).status == 201
    claims = claims_of(people.tokens(people.uri)["access_token"])
    assert APPLICATION_ADMINISTRATOR in claims["wids"], claims
    kinds = {
        item["displayName"]: item["@odata.type"]
        for item in graph("GET", f"users/{people.uri}/memberOf").json()["value"]
    }
    assert kinds["Application Administrator"] == "#microsoft.graph.directoryRole"
    assert graph.names(f"users/{people.uri}/memberOf/microsoft.graph.group") == ["Team", "Team"]
    groups = graph("POST", f"users/{people.uri}/getMemberGroups", {"securityEnabledOnly": False}).json()["value"]
    objects = graph("POST", f"users/{people.uri}/getMemberObjects", {"securityEnabledOnly": False}).json()["value"]
    [role] = set(objects) - set(groups)
    asked = {"ids": [role, plain["id"], people.uri]}
    answer = graph("POST", f"users/{people.uri}/checkMemberObjects", asked).json()
    assert answer["value"] == [role, plain["id"]]
    assert graph("POST", f"users/{people.uri}/checkMemberGroups", {"groupIds": [role]}).json()["value"] == []
    assert graph("POST", f"users/{people.uri}/checkMemberGroups", asked).status == 400


def test_only_what_can_be_in_a_group_or_own_something_is_taken(
    scene: EmulatorFixture, people: People, director: ApplicationHandle
) -> None:
    graph, app = Asking(scene, director), scene.application()
    fields = {"displayName": "Team", "mailNickname": "team", "mailEnabled": False, "securityEnabled": True}
    group = graph("POST", "groups", fields).json()["id"]
    text = "The reference target 'Application_{id}' of type 'Application' is invalid for the '{of}' reference."
    for of in ("members", "owners"):
        refused = graph("POST", f"groups/{group}/{of}/$ref", {"@odata.id": app.object_id})
        assert refused.json()["error"]["message"] == text.format(id=app.object_id, of=of)
        assert graph("POST", "groups", fields | {f"{of}@odata.bind": [app.object_id]}).status == 400
    scene.emulator.admin.grant(director.principal_id, "Application.ReadWrite.All")
    scene.tokens.clear()
    for path in (f"applications/{app.object_id}", f"servicePrincipals/{app.principal_id}", f"groups/{group}"):
        assert graph("POST", f"{path}/owners/$ref", {"@odata.id": group}).status == 400, path
    assert graph("POST", "applications", {"displayName": "x", "owners@odata.bind": [group]}).status == 400
