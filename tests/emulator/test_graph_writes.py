"""Changing applications and what hangs on them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Request
from tests.emulator.certificates import Certificate
from tests.emulator.scene import GRAPH, EmulatorFixture


@pytest.fixture
def manager(scene: EmulatorFixture) -> ApplicationHandle:
    return scene.application(
        "manager", permissions=("Application.ReadWrite.All", "Policy.ReadWrite.ApplicationConfiguration")
    )


def test_an_application_is_made_changed_deleted_and_restored(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    response = scene.graph(manager, "POST", "applications", {"displayName": "new", "tags": ["a"]})
    assert response.status == 201
    path = f"applications/{response.json()['id']}"
    assert response.json()["id"] != response.json()["appId"]
    change = {"displayName": "newer", "signInAudience": "AzureADMultipleOrgs", "web": {"redirectUris": ["https://x"]}}
    assert scene.graph(manager, "PATCH", path, change).status == 204
    body = scene.graph(manager, "GET", path).json()
    assert (body["displayName"], body["signInAudience"]) == ("newer", "AzureADMultipleOrgs")
    assert body["web"]["redirectUris"] == ["https://x"]
    assert body["tags"] == ["a"]

    assert scene.graph(manager, "DELETE", path).status == 204
    assert scene.graph(manager, "GET", path).status == 404
    deleted_path = f"directory/deletedItems/{response.json()['id']}"
    assert scene.graph(manager, "GET", deleted_path).json()["deletedDateTime"]
    listed = scene.graph(manager, "GET", "directory/deletedItems/microsoft.graph.application").json()["value"]
    assert [item["displayName"] for item in listed] == ["newer"]
    assert scene.graph(manager, "POST", f"{deleted_path}/restore").status == 200
    assert scene.graph(manager, "GET", path).status == 200
    scene.graph(manager, "DELETE", path)
    assert scene.graph(manager, "DELETE", deleted_path).status == 204
    assert scene.graph(manager, "DELETE", deleted_path).status == 404


def test_a_deleted_application_gets_tokens_again_only_when_its_principal_is_restored_too(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.application()
    scene.graph(manager, "DELETE", f"applications/{app.object_id}")
    assert scene.token(app).json()["error_codes"] == [700016]
    listed = scene.graph(manager, "GET", "directory/deletedItems/microsoft.graph.servicePrincipal").json()["value"]
    assert [item["id"] for item in listed] == [app.principal_id]
    assert listed[0]["deletedDateTime"]
    scene.graph(manager, "POST", f"directory/deletedItems/{app.object_id}/restore")
    assert scene.token(app).json()["error_codes"] == [700016], "the principal is still deleted"
    restored = scene.graph(manager, "POST", f"directory/deletedItems/{app.principal_id}/restore")
    assert (restored.status, restored.json()["@odata.type"]) == (200, "#microsoft.graph.servicePrincipal")
    assert scene.token(app).status == 200


def test_a_deleted_principal_is_not_restored_beside_a_new_one(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.application()
    scene.graph(manager, "DELETE", f"servicePrincipals/{app.principal_id}")
    assert scene.graph(manager, "POST", "servicePrincipals", {"appId": app.app_id}).status == 201
    refused = scene.graph(manager, "POST", f"directory/deletedItems/{app.principal_id}/restore")
    assert (refused.status, refused.json()["error"]["code"]) == (409, "Request_MultipleObjectsWithSameKeyValue")
    assert scene.graph(manager, "DELETE", f"directory/deletedItems/{app.principal_id}").status == 204
    assert scene.graph(manager, "GET", f"directory/deletedItems/{app.principal_id}").status == 404


def test_an_api_is_known_by_an_identifier_it_was_given_later(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    api, caller = scene.application("api"), scene.application("caller")
    assert scene.token(caller, scope="api://later/.default").status == 400
    scene.graph(manager, "PATCH", f"applications/{api.object_id}", {"identifierUris": ["api://later"]})
    assert scene.token(caller, scope="api://later/.default").status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"passwordCredentials": [{"displayName": "mine"}]},
        {"appId": "11111111-1111-4111-8111-111111111111"},
        {"nonsense": 1},
        {"displayName": ""},
        {"displayName": None},
        {"displayName": 7},
        {"displayName": "x" * 121},
        {"signInAudience": "everyone"},
        {"identifierUris": "api://x"},
        {"identifierUris": ["api://taken"]},
        {"keyCredentials": [{"key": "bm8="}]},
        {"keyCredentials": {}},
        {"web": []},
        {"tags": [1]},
        {"api": {"requestedAccessTokenVersion": 3}},
        {"isDisabled": "yes"},
    ],
)
def test_a_change_that_does_not_fit_is_refused_and_changes_nothing(
    scene: EmulatorFixture, manager: ApplicationHandle, body: dict[str, Any]
) -> None:
    scene.application("other", identifier_uris=("api://taken",))
    app = scene.application()
    path = f"applications/{app.object_id}"
    before = scene.graph(manager, "GET", path).json()
    answer = scene.graph(manager, "PATCH", path, {"notes": "changed"} | body)
    assert answer.status == 400
    assert answer.json()["error"]["message"]
    assert scene.graph(manager, "GET", path).json() == before


def test_passwords_come_only_from_their_own_action(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    body = {"displayName": "x", "passwordCredentials": [{"displayName": "mine"}]}
    answer = scene.graph(manager, "POST", "applications", body)
    assert answer.json()["error"]["message"] == "New password credentials must be generated with service actions."


@pytest.mark.parametrize(
    "credential",
    [
        [],
        "x",
        {"displayName": 7},
        {"endDateTime": "tomorrow"},
        {"endDateTime": "2027-01-01T00:00:00"},
        {"endDateTime": "2027-02-31T00:00:00Z"},
        {"startDateTime": "2027-01-02T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z"},
    ],
)
def test_a_password_that_does_not_fit_is_refused(
    scene: EmulatorFixture, manager: ApplicationHandle, credential: Any
) -> None:
    app = scene.application(secrets=0)
    body = {"passwordCredential": credential}
    answer = scene.graph(manager, "POST", f"applications/{app.object_id}/addPassword", body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert scene.emulator.admin.secrets(app.object_id) == []


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        ({"endDateTime": "2027-01-01T00:00:00+00:00"}, "2027-01-01T00:00:00Z"),
        ({"endDateTime": "2027-01-01T02:00:00+02:00"}, "2027-01-01T00:00:00Z"),
        ({"endDateTime": "2027-01-01T00:00:00.1234567Z", "displayName": None}, "2027-01-01T00:00:00.1234560Z"),
    ],
)
def test_dates_are_read_in_all_forms_that_clients_send(
    scene: EmulatorFixture, manager: ApplicationHandle, credential: dict[str, Any], expected: str
) -> None:
    app = scene.application(secrets=0)
    for body in ({"passwordCredential": credential},):
        answer = scene.graph(manager, "POST", f"applications(appId='{app.app_id}')/addPassword", body)
        assert answer.status == 200
        assert answer.json()["endDateTime"] == expected


@pytest.mark.parametrize("body", [None, {}, {"keyId": None}, {"keyId": "x"}, {"keyId": 7}, {"other": 1}])
def test_removing_needs_a_key_id(scene: EmulatorFixture, manager: ApplicationHandle, body: Any) -> None:
    app = scene.application()
    answer = scene.graph(manager, "POST", f"applications/{app.object_id}/removePassword", body)
    assert answer.status == 400
    assert len(scene.emulator.admin.secrets(app.object_id)) == 1


def test_a_key_id_is_read_in_any_case(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    assert scene.remove_password(manager, app, app.secrets[0].key_id.upper()).status == 204


def test_a_compressed_request_is_read(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application(secrets=0)
    headers = {
        "Authorization": f"Bearer {scene.bearer(manager)}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    body = gzip.compress(json.dumps({"passwordCredential": {"displayName": "zipped"}}).encode())
    url = f"{GRAPH}/applications/{app.object_id}/addPassword"
    assert scene.emulator.call(Request("POST", url, headers, body)).json()["displayName"] == "zipped"


def test_certificates_are_replaced_as_a_whole(
    scene: EmulatorFixture, manager: ApplicationHandle, certificate: Certificate
) -> None:
    app = scene.application(secrets=0)
    path = f"applications/{app.object_id}"
    fresh = {"key": base64.b64encode(certificate.der).decode(), "type": "AsymmetricX509Cert", "usage": "Verify"}
    assert scene.graph(manager, "PATCH", path, {"keyCredentials": [fresh]}).status == 204
    (first,) = scene.graph(manager, "GET", path).json()["keyCredentials"]
    assert first["customKeyIdentifier"]
    assert scene.graph(manager, "PATCH", path, {"keyCredentials": [first, fresh]}).status == 204
    both = scene.graph(manager, "GET", path).json()["keyCredentials"]
    assert len(both) == 2
    assert both[0]["keyId"] == first["keyId"]
    assert scene.graph(manager, "PATCH", path, {"keyCredentials": []}).status == 204
    assert scene.graph(manager, "GET", path).json()["keyCredentials"] == []


def test_owners_are_added_and_removed(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    user = scene.emulator.admin.create_user(scene.tenant, "Ada Byron")
    path = f"applications/{app.object_id}/owners"
    for owner in (user, app.principal_id):
        reference = {"@odata.id": f"{GRAPH}/directoryObjects/{owner}"}
        assert scene.graph(manager, "POST", f"{path}/$ref", reference).status == 204
        assert scene.graph(manager, "POST", f"{path}/$ref", reference).status == 400
    listed = scene.graph(manager, "GET", path).json()["value"]
    kinds = {item["id"]: item["@odata.type"] for item in listed}
    assert kinds == {user: "#microsoft.graph.user", app.principal_id: "#microsoft.graph.servicePrincipal"}
    assert scene.graph(manager, "DELETE", f"{path}/{user}/$ref").status == 204
    assert scene.graph(manager, "DELETE", f"{path}/{user}/$ref").status == 404
    stranger = {"@odata.id": f"{GRAPH}/directoryObjects/11111111-1111-4111-8111-111111111111"}
    assert scene.graph(manager, "POST", f"{path}/$ref", stranger).status == 404


def test_federated_credentials_are_kept_by_id_and_by_name(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    path = f"applications/{app.object_id}/federatedIdentityCredentials"
    credential = {"name": "ci-1", "issuer": "https://ci", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    response = scene.graph(manager, "POST", path, credential)
    assert response.status == 201
    assert scene.graph(manager, "POST", path, credential).status == 409
    assert (
        scene.graph(manager, "POST", path, credential | {"name": "two", "subject": "t", "audiences": []}).status == 400
    )
    for place in (f"{path}/{response.json()['id']}", f"{path}/ci-1", f"{path}(name='ci-1')"):
        assert scene.graph(manager, "GET", place).json()["subject"] == "s"
    assert scene.graph(manager, "PATCH", f"{path}/ci-1", {"subject": "other"}).status == 204
    assert [item["subject"] for item in scene.graph(manager, "GET", path).json()["value"]] == ["other"]
    assert scene.graph(manager, "DELETE", f"{path}/ci-1").status == 204
    assert scene.graph(manager, "GET", f"{path}/ci-1").status == 404


def test_an_application_has_at_most_twenty_federated_credentials(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.application()
    path = f"applications/{app.object_id}/federatedIdentityCredentials"
    credential = {"issuer": "https://ci", "audiences": ["x"]}
    statuses = [
        scene.graph(manager, "POST", path, credential | {"name": f"ci-{number}", "subject": f"s{number}"}).status
        for number in range(21)
    ]
    assert statuses == [201] * 20 + [400]


def test_a_service_principal_has_secrets_of_its_own(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application(secrets=0)
    path = f"servicePrincipals/{app.principal_id}"
    secret = scene.graph(manager, "POST", f"{path}/addPassword", {}).json()
    assert scene.token(app, secret["secretText"]).status == 200
    assert scene.graph(manager, "POST", f"{path}/removePassword", {"keyId": secret["keyId"]}).status == 204
    assert scene.token(app, secret["secretText"]).status == 401


def test_terraform_creates_a_principal_with_everything_it_always_sends(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    """Source: terraform-provider-azuread b40be14 (servicePrincipalResourceCreate): the caller is always bound as an owner."""
    application = scene.graph(manager, "POST", "applications", {"displayName": "by terraform"}).json()
    fields = {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "accountEnabled": True,
        "alternativeNames": [],
        "appId": application["appId"],
        "appRoleAssignmentRequired": False,
        "description": "TERRAFORM_UPDATE_0",
        "loginUrl": None,
        "notes": None,
        "notificationEmailAddresses": [],
        "owners@odata.bind": [f"{GRAPH}/{scene.tenant}/directoryObjects/{manager.principal_id}"],
        "preferredSingleSignOnMode": None,
        "samlSingleSignOnSettings": {"relayState": ""},
        "tags": [],
    }
    response = scene.graph(manager, "POST", "servicePrincipals", fields)
    assert response.status == 201, response.body
    path = f"servicePrincipals/{response.json()['id']}"
    [owner] = scene.graph(manager, "GET", f"{path}/owners").json()["value"]
    assert owner["id"] == manager.principal_id
    assert scene.graph(manager, "PATCH", path, {"description": None}).status == 204
    assert scene.graph(manager, "GET", path).json()["description"] is None


@pytest.mark.parametrize("kind", ["applications", "servicePrincipals", "groups"])
def test_owners_that_cannot_be_bound_are_refused_wherever_owners_are_bound(scene: EmulatorFixture, kind: str) -> None:
    director = scene.application("director", permissions=("Application.ReadWrite.All", "Group.ReadWrite.All"))
    application = scene.graph(director, "POST", "applications", {"displayName": "new"}).json()
    group = {"displayName": "g", "mailEnabled": False, "mailNickname": "g", "securityEnabled": True}
    named = {
        "applications": {"displayName": "x"},
        "servicePrincipals": {"appId": application["appId"]},
        "groups": group,
    }
    reference = f"{GRAPH}/directoryObjects/{director.principal_id}"
    nobody = f"{GRAPH}/directoryObjects/00000000-0000-4000-8000-000000000001"
    for owners, status in (
        (reference, 400),
        ([1], 400),
        ([nobody], 404),
        ([f"{GRAPH}/applications/{application['id']}"], 400),
        ([reference] * 21, 400),
    ):
        body = named[kind] | {"owners@odata.bind": owners}
        assert scene.graph(director, "POST", kind, body).status == status, owners
    made = scene.graph(director, "POST", kind, named[kind] | {"owners@odata.bind": [reference]})
    assert made.status == 201, made.body
    owned = scene.graph(director, "GET", f"{kind}/{made.json()['id']}/owners").json()["value"]
    assert [item["id"] for item in owned] == [director.principal_id]


def test_a_service_principal_is_made_once(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    application = scene.graph(manager, "POST", "applications", {"displayName": "new"}).json()
    first = scene.graph(manager, "POST", "servicePrincipals", {"appId": application["appId"]})
    assert first.status == 201
    assert scene.graph(manager, "POST", "servicePrincipals", {"appId": application["appId"]}).status == 409
    assert scene.graph(manager, "DELETE", f"servicePrincipals/{first.json()['id']}").status == 204
    unknown = {"appId": "11111111-1111-4111-8111-111111111111"}
    assert scene.graph(manager, "POST", "servicePrincipals", unknown).status == 400


def test_a_policy_assigned_to_an_application_replaces_the_tenants(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.application(secrets=0)
    forbid = {"applicationRestrictions": {"passwordCredentials": [{"restrictionType": "passwordAddition"}]}}
    default = "policies/defaultAppManagementPolicy"
    assert scene.graph(manager, "PATCH", default, {"isEnabled": True} | forbid).status == 204
    assert scene.graph(manager, "GET", default).json()["isEnabled"] is True
    assert scene.add_password(manager, app).status == 400

    allow = {"displayName": "lenient", "isEnabled": True, "restrictions": {"passwordCredentials": []}}
    policy = scene.graph(manager, "POST", "policies/appManagementPolicies", allow).json()
    reference = {"@odata.id": f"{GRAPH}/policies/appManagementPolicies/{policy['id']}"}
    path = f"applications/{app.object_id}/appManagementPolicies"
    assert scene.graph(manager, "POST", f"{path}/$ref", reference).status == 204
    assert [item["id"] for item in scene.graph(manager, "GET", path).json()["value"]] == [policy["id"]]
    assert scene.add_password(manager, app).status == 200
    assert scene.graph(manager, "DELETE", f"{path}/{policy['id']}/$ref").status == 204
    assert scene.add_password(manager, app).status == 400
    assert scene.graph(manager, "DELETE", f"policies/appManagementPolicies/{policy['id']}").status == 204


@pytest.mark.parametrize("rule", [{"maxLifetime": "soon"}, {"restrictForAppsCreatedAfterDateTime": "soon"}, 7])
def test_a_policy_that_could_not_be_applied_is_refused(
    scene: EmulatorFixture, manager: ApplicationHandle, rule: Any
) -> None:
    body = {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [rule]}}
    assert scene.graph(manager, "PATCH", "policies/defaultAppManagementPolicy", body).status == 400
