"""Permissions given through Graph: appRoleAssignments, appRoleAssignedTo, oauth2PermissionGrants."""

from __future__ import annotations

from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Response
from entra_emulator.sign_in.browser import SignInStopped
from tests.emulator.people import People, claims_of, code_of
from tests.emulator.scene import EmulatorFixture
from tests.emulator.test_devices import begin

NO_ROLE = "00000000-0000-0000-0000-000000000000"
USER_READ = "https://graph.microsoft.com/User.Read"
MANAGE = "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"
ROLE = {
    "id": "22222222-2222-4222-8222-222222222222",
    "displayName": "Reader",
    "description": "reads",
    "value": "Things.Read",
    "allowedMemberTypes": ["Application"],
    "isEnabled": True,
}


@pytest.fixture
def administrator(scene: EmulatorFixture) -> ApplicationHandle:
    permissions = (
        "Application.ReadWrite.All",
        "AppRoleAssignment.ReadWrite.All",
        "DelegatedPermissionGrant.ReadWrite.All",
    )
    return scene.application("administrator", permissions=permissions)


def graph_of(scene: EmulatorFixture, by: ApplicationHandle) -> dict[str, Any]:
    body: dict[str, Any] = scene.graph(
        by, "GET", "servicePrincipals", filter="appId eq '00000003-0000-0000-c000-000000000000'"
    ).json()["value"][0]
    return body


def test_a_role_is_given_found_from_both_sides_and_taken_away(
    scene: EmulatorFixture, administrator: ApplicationHandle
) -> None:
    def graph(method: str, path: str, body: Any = None, **query: Any) -> Response:
        return scene.graph(administrator, method, path, body, **query)

    app, msgraph = scene.application(), graph_of(scene, administrator)
    role = next(item for item in msgraph["appRoles"] if item["value"] == "Application.ReadWrite.All")
    assert role["id"] == MANAGE
    assert "User.Read" in {item["value"] for item in msgraph["oauth2PermissionScopes"]}
    body = {"principalId": app.principal_id, "resourceId": msgraph["id"], "appRoleId": MANAGE}
    path = f"servicePrincipals/{app.principal_id}/appRoleAssignments"
    assert scene.graph(app, "POST", path, body).status == 403
    made = graph("POST", path, body)
    assert (made.status, made.json()["resourceDisplayName"]) == (201, "Microsoft Graph")
    assert graph("POST", path, body).status == 400, "it has the role already"
    scene.tokens.clear()
    assert scene.graph(app, "GET", "applications").status == 200
    assigned = graph("GET", f"servicePrincipals/{msgraph['id']}/appRoleAssignedTo").json()["value"]
    assert made.json()["id"] in {item["id"] for item in assigned}
    assert graph("DELETE", f"{path}/{made.json()['id']}").status == 204
    assert graph("DELETE", f"{path}/{made.json()['id']}").status == 404
    scene.tokens.clear()
    assert scene.graph(app, "GET", "applications").status == 403

    api = scene.application("api", identifier_uris=("api://things",))
    assert graph("PATCH", f"applications/{api.object_id}", {"appRoles": [ROLE]}).status == 204
    shown = graph("GET", f"servicePrincipals/{api.principal_id}").json()
    assert [item["value"] for item in shown["appRoles"]] == ["Things.Read"]
    own = {"principalId": app.principal_id, "resourceId": api.principal_id, "appRoleId": ROLE["id"]}
    assert graph("POST", f"servicePrincipals/{api.principal_id}/appRoleAssignedTo", own).status == 201
    token = scene.token(app, scope="api://things/.default").json()["access_token"]
    assert claims_of(token)["roles"] == ["Things.Read"]
    for wrong in ({"appRoleId": app.app_id}, {"nonsense": 1}, {"principalId": "x"}):
        assert graph("POST", path, own | wrong).status == 400, wrong
    assert graph("POST", path, own | {"principalId": api.object_id}).status == 404


def test_delegated_permissions_are_granted_changed_and_taken_away(
    scene: EmulatorFixture, people: People, administrator: ApplicationHandle
) -> None:
    def graph(method: str, path: str, body: Any = None, **query: Any) -> Response:
        return scene.graph(administrator, method, path, body, **query)

    msgraph = graph_of(scene, administrator)
    body = {
        "clientId": people.web.principal_id,
        "consentType": "AllPrincipals",
        "principalId": None,
        "resourceId": msgraph["id"],
        "scope": "openid profile offline_access User.Read",
    }
    made = graph("POST", "oauth2PermissionGrants", body)
    assert made.status == 201, made.body
    assert graph("POST", "oauth2PermissionGrants", body).status == 409
    scope = "https://graph.microsoft.com/User.Read openid profile offline_access"
    silent = people.tokens(people.uri, scope=scope)
    assert "User.Read" in silent["scope"]
    [row] = graph("GET", "oauth2PermissionGrants", filter=f"clientId eq '{people.web.principal_id}'").json()["value"]
    assert (row["id"], row["consentType"]) == (made.json()["id"], "AllPrincipals")
    path = f"oauth2PermissionGrants/{row['id']}"
    assert graph("PATCH", path, {"scope": "User.Read"}).status == 204
    assert graph("PATCH", path, {"resourceId": msgraph["id"]}).status == 400
    assert graph("GET", path).json()["scope"] == "User.Read"
    assert graph("DELETE", path).status == 204
    assert graph("GET", path).status == 404
    assert people.refresh(silent["refresh_token"]).json()["error_codes"] == [65001]
    one = body | {"consentType": "Principal", "principalId": people.uri}
    assert graph("POST", "oauth2PermissionGrants", one).status == 201
    for wrong in ({"principalId": None}, {"consentType": "x"}, {"nonsense": 1}, {"scope": 7}):
        assert graph("POST", "oauth2PermissionGrants", one | wrong).status == 400, wrong


def test_people_are_asked_for_the_scopes_that_an_api_declares(
    scene: EmulatorFixture, people: People, administrator: ApplicationHandle
) -> None:
    api = scene.application("api", identifier_uris=("api://things",))
    scope = {"id": ROLE["id"], "value": "Things.Change", "type": "User", "isEnabled": True}
    scope |= {"adminConsentDisplayName": "Change things", "adminConsentDescription": "Change things"}
    change = {"api": {"oauth2PermissionScopes": [scope]}}
    assert scene.graph(administrator, "PATCH", f"applications/{api.object_id}", change).status == 204
    tokens = people.tokens(people.uri, scope="api://things/Things.Change offline_access")
    assert claims_of(tokens["access_token"])["scp"] == "Things.Change"
    assert people.authorize(people.uri, scope="api://things/user_impersonation")["error"] == "invalid_client"
    scene.emulator.admin.grant(administrator.principal_id, "User.RevokeSessions.All")
    scene.tokens.clear()
    assert scene.graph(administrator, "POST", f"users/{people.uri}/revokeSignInSessions").json()["value"] is True
    assert people.refresh(tokens["refresh_token"]).json()["error_codes"] == [50173]


def test_people_and_groups_are_given_roles_which_their_tokens_name(
    scene: EmulatorFixture, people: People, administrator: ApplicationHandle
) -> None:
    def graph(method: str, path: str, body: Any = None, **query: Any) -> Response:
        return scene.graph(administrator, method, path, body, **query)

    both = ROLE | {"allowedMemberTypes": ["Application", "User"]}
    second = both | {
        "id": "33333333-3333-4333-8333-333333333333",
        "value": "Things.Count",
        "allowedMemberTypes": ["User"],
    }
    web, principal = people.web, people.web.principal_id
    assert graph("PATCH", f"applications/{web.object_id}", {"appRoles": [both, second]}).status == 204
    group = scene.emulator.admin.create_group(scene.tenant, "Team", members=(people.uri,))
    to_user = {"principalId": people.uri, "resourceId": principal, "appRoleId": ROLE["id"]}
    to_group = {"principalId": group, "resourceId": principal, "appRoleId": second["id"]}
    assert graph("POST", f"groups/{group}/appRoleAssignments", to_user).status == 400, "it names somebody else"
    made = graph("POST", f"users/{people.uri}/appRoleAssignments", to_user)
    assert (made.status, made.json()["principalType"]) == (201, "User")
    of_group = graph("POST", f"servicePrincipals/{principal}/appRoleAssignedTo", to_group)
    assert (of_group.status, of_group.json()["principalType"]) == (201, "Group")
    only_for_users = to_group | {"principalId": administrator.principal_id}
    assert graph("POST", f"servicePrincipals/{principal}/appRoleAssignedTo", only_for_users).status == 400
    assigned = graph(
        "GET", f"servicePrincipals/{principal}/appRoleAssignedTo", filter="principalType eq 'Group'"
    ).json()
    assert [item["principalDisplayName"] for item in assigned["value"]] == ["Team"]
    tokens = people.tokens(people.uri, scope=f"{USER_READ} openid profile")
    assert claims_of(tokens["id_token"])["roles"] == ["Things.Read", "Things.Count"]
    [own] = people.graph(
        people.tokens(people.uri, scope=USER_READ)["access_token"], "GET", "me/appRoleAssignments"
    ).json()["value"]
    assert own["id"] == made.json()["id"]
    path = f"users/{people.uri}/appRoleAssignments/{own['id']}"
    assert graph("DELETE", path).status == 204
    assert graph("GET", path).status == 404
    assert graph("DELETE", f"servicePrincipals/{principal}/appRoleAssignedTo/{of_group.json()['id']}").status == 204
    assert graph("GET", f"groups/{group}/appRoleAssignments").json()["value"] == []
    narrow = scene.application("narrow", permissions=("User.Read.All",))
    assert scene.graph(narrow, "GET", f"users/{people.uri}/appRoleAssignments").status == 403


def test_an_application_that_wants_assignments_is_closed_to_all_others(
    scene: EmulatorFixture, people: People, administrator: ApplicationHandle
) -> None:
    def graph(method: str, path: str, body: Any = None) -> Response:
        return scene.graph(administrator, method, path, body)

    api, caller = scene.application("api", identifier_uris=("api://things",)), scene.application("caller")
    closed = {"appRoleAssignmentRequired": True}
    assert graph("PATCH", f"servicePrincipals/{api.principal_id}", closed).status == 204
    refused = scene.token(caller, scope="api://things/.default")
    assert (refused.status, refused.json()["error"], code_of(refused)) == (400, "invalid_grant", 501051)
    assert scene.token(caller).status == 200, "other resources are as open as before"
    given = {"principalId": caller.principal_id, "resourceId": api.principal_id, "appRoleId": NO_ROLE}
    assert graph("POST", f"servicePrincipals/{api.principal_id}/appRoleAssignedTo", given).status == 201
    token = scene.token(caller, scope="api://things/.default")
    assert token.status == 200
    assert "roles" not in claims_of(token.json()["access_token"]), "access without a role is named in no token"

    old = people.tokens(people.uri, scope=f"{USER_READ} offline_access")
    assert graph("PATCH", f"servicePrincipals/{people.web.principal_id}", closed).status == 204
    assert "AADSTS50105" in people.authorize(people.uri, scope=USER_READ)["error_description"]
    assert code_of(people.refresh(old["refresh_token"])) == 50105
    assert graph("PATCH", f"applications/{people.web.object_id}", {"isFallbackPublicClient": True}).status == 204
    code = begin(people, people.web.app_id, scene.tenant, USER_READ)["user_code"]
    with pytest.raises(SignInStopped, match="AADSTS50105"):
        scene.emulator.admin.approve_device(code, user=people.uri)
    group = scene.emulator.admin.create_group(scene.tenant, "Team", members=(people.uri,))
    body = {"principalId": group, "resourceId": people.web.principal_id, "appRoleId": NO_ROLE}
    assert graph("POST", f"groups/{group}/appRoleAssignments", body).status == 201
    assert people.refresh(old["refresh_token"]).status == 200
