"""Templates of the gallery: `POST /applicationTemplates/ID/instantiate {"displayName": "..."}` makes applications.

The answer is 201 `{"application": {...}, "servicePrincipal": {...}}`, which other replicas know later, as with all that is made.
"""

from __future__ import annotations

import pytest

from entra_emulator import SigningKey
from tests.emulator.certificates import Certificate
from tests.emulator.full_tenant import FullTenant
from tests.emulator.scene import EmulatorFixture

OUTSIDE = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621"
AWS = "21ed01d2-ec13-4e9e-86c1-cd546719ebc4"


@pytest.fixture
def full(scene: EmulatorFixture, certificate: Certificate, signing_key: SigningKey) -> FullTenant:
    return FullTenant(scene, certificate)


@pytest.mark.parametrize("template", [OUTSIDE, AWS])
def test_an_application_is_made_with_its_principal(full: FullTenant, template: str) -> None:
    full.scene.clock.advance(1)
    answer = full.ask("POST", f"applicationTemplates/{template}/instantiate", {"displayName": "Payroll"})
    made = answer.json()
    assert (answer.status, made["@odata.context"].partition("#")[2]) == (
        201,
        "microsoft.graph.applicationServicePrincipal",
    )
    application, principal = made["application"], made["servicePrincipal"]
    assert application["appId"] == principal["appId"]
    assert {each["applicationTemplateId"] for each in (application, principal)} == {template}
    assert {each["displayName"] for each in (application, principal)} == {"Payroll"}
    assert [role["displayName"] for role in principal["appRoles"]] == ["User", "msiam_access"]
    [scope] = principal["oauth2PermissionScopes"]
    assert (scope["value"], scope["adminConsentDisplayName"]) == ("user_impersonation", "Access Payroll")
    assert principal["tags"][0] == "WindowsAzureActiveDirectoryIntegratedApp"
    assert principal["appRoleAssignmentRequired"] is True
    for path, each in (
        (f"applications/{application['id']}", application),
        (f"servicePrincipals/{principal['id']}", principal),
    ):
        assert full.ask("GET", path).json() == each | {"@odata.context": full.ask("GET", path).json()["@odata.context"]}
    audits = full.ask("GET", "auditLogs/directoryAudits?$top=2").json()["value"]
    assert {(row["activityDisplayName"], row["targetResources"][0]["id"]) for row in audits} == {
        ("Add application", application["id"]),
        ("Add service principal", principal["id"]),
    }
    assert len({row["id"] for row in audits}) == 2
    assert len({row["correlationId"] for row in audits}) == 1
    added = full.ask("POST", f"applications/{application['id']}/addPassword", {}).json()
    form = {"grant_type": "client_credentials", "client_id": application["appId"], "client_secret": added["secretText"]}
    assert full.scene.post_form(form | {"scope": "https://graph.microsoft.com/.default"}).status == 200


def test_templates_are_found_and_others_refused(full: FullTenant) -> None:
    eventual = {"ConsistencyLevel": "eventual"}
    assert full.ask("GET", "applicationTemplates/$count", headers=eventual).body == b"2"
    assert full.ask("GET", "applicationTemplates/$count?$filter=displayName eq 'Custom'", headers=eventual).body == b"1"
    assert full.ask("GET", "applicationTemplates/$count").status == 400
    [row] = full.ask("GET", "applicationTemplates?$filter=displayName eq 'Custom'&$select=id,displayName").json()[
        "value"
    ]
    assert row == {"id": OUTSIDE, "displayName": "Custom"}
    make = f"applicationTemplates/{OUTSIDE}/instantiate"
    for path, body, status in (
        (f"applicationTemplates/{full.people.ada}/instantiate", {"displayName": "x"}, 404),
        (make, {}, 400),
        (make, {"displayName": "x" * 121}, 400),
        (make, {"displayName": "x", "tags": []}, 400),
    ):
        assert full.ask("POST", path, body).status == status, (path, body)
    reader = full.scene.application("reader", permissions=("Application.Read.All",))
    assert full.scene.graph(reader, "GET", "applicationTemplates").status == 200
    assert full.scene.graph(reader, "POST", make, {"displayName": "x"}).status == 403


def test_lists_beside_an_object_tell_their_number(full: FullTenant) -> None:
    app, principal = f"applications/{full.app.object_id}", f"servicePrincipals/{full.app.principal_id}"
    for path in (
        f"{app}/federatedIdentityCredentials",
        f"{app}/owners",
        f"{principal}/appRoleAssignments",
        f"{principal}/appRoleAssignedTo",
        f"users/{full.people.ada}/appRoleAssignments",
        "directoryRoles",
        "directory/deletedItems/microsoft.graph.application",
        "directory/deletedItems/graph.user",
    ):
        rows = full.ask("GET", path).json()["value"]
        answer = full.ask("GET", f"{path}/$count", headers={"ConsistencyLevel": "eventual"})
        assert (answer.status, answer.body) == (200, str(len(rows)).encode()), (path, answer.body)
        assert rows
        assert full.ask("GET", f"{path}/$count").status == 400
        assert full.ask("GET", f"{path}/$count?$select=id", headers={"ConsistencyLevel": "eventual"}).status == 400
    nobody = f"{app}/owners/$count?$filter=displayName eq 'nobody'"
    assert full.ask("GET", nobody, headers={"ConsistencyLevel": "eventual"}).body == b"0"
