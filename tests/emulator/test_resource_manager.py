"""What stands beside Graph: Azure Resource Manager, the documents that clients begin with, version 1, user info."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Request, Response
from tests.emulator.people import People, claims_of
from tests.emulator.scene import LOGIN, EmulatorFixture

MANAGER = "https://management.azure.com"
LOCAL = "https://localhost:8443"
ROLES = "/providers/Microsoft.Authorization/role"
NAME = "33333333-3333-4333-8333-333333333333"
OTHER = "55555555-5555-4555-8555-555555555555"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def arm(scene: EmulatorFixture, by: ApplicationHandle | None, method: str, path: str, body: Any = None) -> Response:
    headers = {"Content-Type": "application/json"}
    if by is not None:
        token = scene.token(by, scope=f"{MANAGER}/.default").json()["access_token"]
        headers["Authorization"] = f"Bearer {token}"
    data = b"" if body is None else json.dumps(body).encode()
    return scene.emulator.call(Request(method, MANAGER + path, headers, data))


@pytest.mark.parametrize("base", [LOCAL, MANAGER])
def test_everything_is_found_from_the_resource_manager(scene: EmulatorFixture, base: str) -> None:
    url = f"{base}/metadata/endpoints?api-version="
    document = scene.emulator.call(Request("GET", f"{url}2022-09-01")).json()
    login, graph = (LOCAL, LOCAL) if base == LOCAL else (LOGIN, "https://graph.microsoft.com")
    assert document["authentication"]["loginEndpoint"] == login
    assert (document["microsoftGraphResourceId"], document["resourceManager"]) == (f"{graph}/", f"{base}/")
    assert document["authentication"]["identityProvider"] == "AAD"
    assert scene.emulator.call(Request("GET", f"{url}2019-05-01")).json() == [document]


def test_roles_are_given_and_taken_in_a_subscription(scene: EmulatorFixture) -> None:
    owner, app = scene.application("owner"), scene.application()
    assert arm(scene, None, "GET", "/subscriptions?api-version=2022-12-01").status == 401
    assert arm(scene, owner, "GET", "/subscriptions?api-version=2022-12-01").json()["value"] == []
    subscription = scene.emulator.admin.create_subscription(scene.tenant, "Works", owners=(owner.principal_id,))
    [shown] = arm(scene, owner, "GET", "/subscriptions?api-version=2022-12-01").json()["value"]
    assert (shown["subscriptionId"], shown["displayName"]) == (subscription, "Works")
    scope = f"/subscriptions/{subscription}"
    [role] = arm(scene, owner, "GET", f"{scope}{ROLES}Definitions?$filter=roleName%20eq%20'Reader'").json()["value"]
    assert role["name"] == READER
    path = f"{scope}/resourceGroups/rg{ROLES}Assignments/{NAME}?api-version=2022-04-01"
    body = {"properties": {"roleDefinitionId": role["id"], "principalId": app.principal_id}}
    assert arm(scene, app, "PUT", path, body).json()["error"]["code"] == "AuthorizationFailed"
    made = arm(scene, owner, "PUT", path, body)
    assert (made.status, made.json()["properties"]["principalType"]) == (201, "ServicePrincipal")
    assert len(arm(scene, app, "GET", "/subscriptions").json()["value"]) == 1, "who has a role sees the subscription"
    again = path.replace(NAME, NAME.replace("3", "4"))
    assert arm(scene, owner, "PUT", again, body).json()["error"]["code"] == "RoleAssignmentExists"
    mine = f"{scope}{ROLES}Assignments?$filter=principalId%20eq%20'{app.principal_id}'"
    assert [item["name"] for item in arm(scene, owner, "GET", mine).json()["value"]] == [NAME]
    group = scene.emulator.admin.create_group(scene.tenant, "Team", members=(app.principal_id,))
    of_group = {"properties": {"roleDefinitionId": role["id"], "principalId": group}}
    ours = f"{scope}{ROLES}Assignments/{OTHER}?api-version=2022-04-01"
    assert arm(scene, owner, "PUT", ours, of_group).json()["properties"]["principalType"] == "Group"
    inner, who = f"{scope}/resourceGroups/rg", f"assignedTo('{app.principal_id}')"
    for at, condition, found in (
        (scope, who, {NAME, OTHER}),
        (inner, who, {NAME, OTHER}),
        (scope, f"atScope()%20and%20{who}", {OTHER}),
        (inner, f"atScope()%20and%20{who}", {NAME, OTHER}),
        (inner, f"principalId%20eq%20'{group}'", {OTHER}),
    ):
        rows = arm(scene, owner, "GET", f"{at}{ROLES}Assignments?$filter={condition}").json()["value"]
        assert {row["name"] for row in rows} == found, (at, condition)
        assert {row["properties"]["roleDefinitionId"] for row in rows} == {role["id"]}
    [same] = arm(scene, owner, "GET", f"{inner}{ROLES}Definitions?$filter=roleName%20eq%20'Reader'").json()["value"]
    assert same["id"] == role["id"], "a role has one id in its subscription"
    assert arm(scene, owner, "DELETE", ours).status == 200
    assert arm(scene, owner, "DELETE", path).status == 200
    assert arm(scene, owner, "DELETE", path).status == 204

    scene.emulator.admin.configure(scene.tenant, object_appear=(10, 10))
    manager = scene.manager()
    fresh = scene.graph(manager, "POST", "applications", {"displayName": "fresh"}).json()
    scene.clock.advance(10)
    principal = scene.graph(manager, "POST", "servicePrincipals", {"appId": fresh["appId"]}).json()["id"]
    young = {"properties": {"roleDefinitionId": role["id"], "principalId": principal}}
    assert arm(scene, owner, "PUT", path, young).json()["error"]["code"] == "PrincipalNotFound"
    young["properties"]["principalType"] = "ServicePrincipal"
    assert arm(scene, owner, "PUT", path, young).status == 201
    custom = f"{scope}{ROLES}Definitions/{NAME}"
    assert arm(scene, owner, "PUT", custom, {"properties": {"roleName": "Own", "permissions": []}}).status == 201
    assert arm(scene, owner, "PUT", custom, {"properties": {"roleName": "Ours", "permissions": []}}).status == 201
    assert arm(scene, owner, "PUT", custom, {"nonsense": 1}).status == 400
    assert arm(scene, owner, "GET", f"{scope}{ROLES}Definitions?$filter=nonsense").status == 400
    assert arm(scene, owner, "GET", f"{scope}/providers/Microsoft.Storage/storageAccounts").status == 404


@pytest.mark.parametrize("base", [LOCAL, LOGIN])
def test_discovery_and_tokens_name_the_same_issuer(scene: EmulatorFixture, base: str) -> None:
    api = scene.application("api", identifier_uris=("api://things",), token_version=2)
    old = scene.application("old api", identifier_uris=("api://old",))
    for uri, place in (("api://things", "/v2.0"), ("api://old", "")):
        document = scene.emulator.call(
            Request("GET", f"{base}/{scene.tenant}{place}/.well-known/openid-configuration")
        ).json()
        form = f"grant_type=client_credentials&client_id={api.app_id}&client_secret={api.secrets[0].value}&scope={uri}/.default"
        url = f"{base}/{scene.tenant}/oauth2/v2.0/token"
        token = scene.emulator.call(Request("POST", url, {}, form.encode())).json()["access_token"]
        assert claims_of(token)["iss"] == document["issuer"]
        assert document["userinfo_endpoint"].startswith(LOCAL if base == LOCAL else "https://graph.microsoft.com/")
    for resource in ("https://storage.azure.com", "https://database.windows.net", "https://api.loganalytics.io"):
        assert scene.token(old, scope=f"{resource}/.default").status == 200


def test_version_1_answers_in_its_own_form(scene: EmulatorFixture) -> None:
    app = scene.application()
    form = (
        f"grant_type=client_credentials&client_id={app.app_id}&client_secret={app.secrets[0].value}&resource={MANAGER}/"
    )
    body = scene.emulator.call(Request("POST", f"{LOGIN}/{scene.tenant}/oauth2/token", {}, form.encode())).json()
    assert body["resource"] == f"{MANAGER}/"
    assert body["expires_on"] == str(int(scene.clock.now()) + int(body["expires_in"]))
    assert all(isinstance(value, str) for value in body.values())


def test_user_info_names_the_person(people: People) -> None:
    scope = "openid profile email https://graph.microsoft.com/User.Read"
    tokens = people.tokens(people.uri, scope=scope)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    url = "https://graph.microsoft.com/oidc/userinfo"
    answer = people.scene.emulator.call(Request("GET", url, headers)).json()
    assert (answer["name"], answer["sub"]) == ("Uri User", claims_of(tokens["id_token"])["sub"])


def test_scripts_find_and_make_what_they_name(scene: EmulatorFixture) -> None:
    manager = scene.application("manager", permissions=("Application.ReadWrite.All", "Policy.Read.All"))
    path, prefer = "applications(uniqueName='payments')", {"Prefer": "create-if-missing"}
    assert scene.graph(manager, "PATCH", path, {"displayName": "Payments"}).status == 404
    made = scene.graph(manager, "PATCH", path, {"displayName": "Payments", "tags": ["team:a"]}, headers=prefer)
    assert (made.status, made.json()["uniqueName"]) == (201, "payments")
    assert scene.graph(manager, "PATCH", path, {"notes": "n"}, headers=prefer).status == 204
    credential = f"{path}/federatedIdentityCredentials(name='ci-1')"
    trust = {"issuer": "https://ci.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    assert scene.graph(manager, "PATCH", credential, trust).status == 404
    assert scene.graph(manager, "PATCH", credential, trust, headers=prefer).status == 201
    assert scene.graph(manager, "PATCH", credential, {"subject": "t"}, headers=prefer).status == 204
    assert scene.graph(manager, "GET", credential).json()["subject"] == "t"
    found = scene.graph(manager, "GET", "applications", filter="tags/any(t:t eq 'team:a')").json()["value"]
    assert [item["notes"] for item in found] == ["n"]
    since = scene.graph(manager, "GET", "applications", filter="createdDateTime ge 2026-11-23T00:00:00Z").json()[
        "value"
    ]
    assert len(since) == 2
    assert (
        scene.graph(manager, "GET", "applications", filter="createdDateTime gt 2026-11-23T00:00:00Z").json()["value"]
        == []
    )
    count = f"applications/{manager.object_id}/owners/$count"
    assert scene.graph(manager, "GET", count).status == 400
    assert scene.graph(manager, "GET", count, headers={"ConsistencyLevel": "eventual"}).body == b"0"
    for empty in ("policies/tokenLifetimePolicies", f"servicePrincipals/{manager.principal_id}/claimsMappingPolicies"):
        assert scene.graph(manager, "GET", empty).json()["value"] == []
    for unknown in ("nonsense", "id,nonsense"):
        assert scene.graph(manager, "GET", "applications", select=unknown).status == 400
    assert scene.graph(manager, "GET", "applications", expand="federatedIdentityCredentials($select=id)").status == 200
    assert scene.graph(manager, "GET", "applications", expand="owners($top=1)").status == 400
