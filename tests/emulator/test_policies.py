"""App management policies: what they forbid, whom they bind, and whom they spare."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Response
from tests.emulator.certificates import Certificate
from tests.emulator.scene import GRAPH, EmulatorFixture

DEFAULT, POLICIES = "policies/defaultAppManagementPolicy", "policies/appManagementPolicies"
NO_SECRETS = {"restrictionType": "passwordAddition", "state": "enabled", "maxLifetime": None}
EXEMPT = {
    "excludeActors": {
        "customSecurityAttributes": [
            {
                "@odata.type": "#microsoft.graph.customSecurityAttributeStringValueExemption",
                "id": "AppManagement_Exempt",
                "operator": "equals",
                "value": "Rotators",
            }
        ]
    }
}


@pytest.fixture
def administrator(scene: EmulatorFixture) -> ApplicationHandle:
    permissions = (
        "Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration", "Application.ReadWrite.All",
        "CustomSecAttributeAssignment.ReadWrite.All",
    )  # fmt: skip
    return scene.application("administrator", permissions=permissions)


def refused(response: Response) -> tuple[int, str]:
    return response.status, response.json()["error"]["code"]


def test_policies_bind_whom_they_name_and_spare_whom_they_exempt(
    scene: EmulatorFixture, administrator: ApplicationHandle
) -> None:
    def graph(method: str, path: str, body: Any = None, **query: Any) -> Response:
        return scene.graph(administrator, method, path, body, **query)

    app, rotator = scene.application(), scene.application("rotator", permissions=("Application.ReadWrite.All",))
    body = {
        "isEnabled": True,
        "applicationRestrictions": {"passwordCredentials": [NO_SECRETS | EXEMPT]},
        "servicePrincipalRestrictions": {"passwordCredentials": [NO_SECRETS]},
    }
    assert graph("PATCH", DEFAULT, body).status == 204
    [shown] = graph("GET", DEFAULT).json()["applicationRestrictions"]["passwordCredentials"]
    assert (shown["excludeActors"], shown["state"]) == (EXEMPT["excludeActors"], "enabled")
    assert graph("PATCH", DEFAULT, {"applicationRestrictions": {"keyCredentials": []}}).status == 204
    blocked = scene.add_password(rotator, app)
    assert refused(blocked) == (400, "CredentialTypeNotAllowedAsPerAppPolicy")
    assert "Credential type not allowed as per assigned policy" in blocked.json()["error"]["message"]
    of_principal = f"servicePrincipals/{app.principal_id}/addPassword"
    assert refused(scene.graph(rotator, "POST", of_principal, {}))[1] == "CredentialTypeNotAllowedAsPerAppPolicy"

    attribute = {"customSecurityAttributes": {"AppManagement": {"Exempt": "Rotators"}}}
    caller = f"servicePrincipals/{rotator.principal_id}"
    assert scene.graph(rotator, "PATCH", caller, attribute).status == 403
    assert graph("PATCH", caller, attribute).status == 204
    selected = graph("GET", caller, select="customSecurityAttributes").json()["customSecurityAttributes"]
    assert selected["AppManagement"]["Exempt"] == "Rotators"
    assert scene.graph(rotator, "GET", caller, select="customSecurityAttributes").status == 403
    assert scene.add_password(rotator, app).status == 200
    assert scene.graph(rotator, "POST", of_principal, {}).status == 400, "that restriction exempts nobody"
    graph("PATCH", caller, {"customSecurityAttributes": {"AppManagement": {"Exempt": None}}})
    assert scene.add_password(rotator, app).status == 400
    scene.emulator.admin.set_security_attributes(rotator.principal_id, AppManagement_Exempt="Rotators")
    assert scene.add_password(rotator, app).status == 200

    short = {"restrictionType": "passwordLifetime", "maxLifetime": "P90D"}
    own = {"displayName": "own", "isEnabled": True, "restrictions": {"passwordCredentials": [short]}}
    policy = graph("POST", POLICIES, own).json()
    reference = {"@odata.id": f"{GRAPH}/{POLICIES}/{policy['id']}"}
    assert graph("POST", f"applications/{app.object_id}/appManagementPolicies/$ref", reference).status == 204
    assert [item["id"] for item in graph("GET", f"{POLICIES}/{policy['id']}/appliesTo").json()["value"]] == [
        app.object_id
    ]
    assert refused(scene.add_password(administrator, app))[1] == "CredentialInvalidLifetimeAsPerAppPolicy"
    month = {"endDateTime": "2026-12-23T00:00:00Z"}
    assert scene.add_password(administrator, app, **month).status == 200
    scene.emulator.admin.configure(scene.tenant, policies_inherit=True)
    assert refused(scene.add_password(administrator, app, **month))[1] == "CredentialTypeNotAllowedAsPerAppPolicy"
    allow = {"restrictions": {"passwordCredentials": [NO_SECRETS | {"state": "disabled"}]}}
    assert graph("PATCH", f"{POLICIES}/{policy['id']}", allow).status == 204
    assert scene.add_password(administrator, app).status == 200
    for path in (
        DEFAULT,
        POLICIES,
        f"{POLICIES}/{policy['id']}",
        f"applications/{app.object_id}/appManagementPolicies",
    ):
        assert graph("GET", path).status == 200
        assert scene.graph(rotator, "GET", path).status == 403, "only with Policy.Read.All"


def test_a_policy_may_limit_certificates(
    scene: EmulatorFixture, administrator: ApplicationHandle, certificate: Certificate
) -> None:
    rule = {"restrictionType": "asymmetricKeyLifetime", "maxLifetime": "P365D"}
    body = {"isEnabled": True, "servicePrincipalRestrictions": {"keyCredentials": [rule]}}
    assert scene.graph(administrator, "PATCH", DEFAULT, body).status == 204
    app = scene.application()
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(certificate.der).decode()}
    change = {"keyCredentials": [key]}
    refusal = scene.graph(administrator, "PATCH", f"servicePrincipals/{app.principal_id}", change)
    assert refused(refusal) == (400, "CredentialInvalidLifetimeAsPerAppPolicy")
    assert scene.graph(administrator, "PATCH", f"applications/{app.object_id}", change).status == 204


@pytest.mark.parametrize(
    "rule",
    [
        {"restrictionType": "nonsense"},
        {"restrictionType": "passwordAddition", "nonsense": 1},
        {"restrictionType": "passwordAddition", "state": "sometimes"},
        {"restrictionType": "passwordAddition", "maxLifetime": "P1D"},
        {"restrictionType": "passwordLifetime"},
        {"restrictionType": "trustedCertificateAuthority"},
        {"restrictionType": "passwordAddition", "excludeActors": {"nonsense": []}},
        {"restrictionType": "passwordAddition", "excludeActors": {"customSecurityAttributes": [{"id": "x"}]}},
    ],
)
def test_a_restriction_that_would_not_be_obeyed_is_refused(
    scene: EmulatorFixture, administrator: ApplicationHandle, rule: dict[str, Any]
) -> None:
    for part in ("applicationRestrictions", "servicePrincipalRestrictions"):
        body = {"isEnabled": True, part: {"passwordCredentials": [rule]}}
        assert scene.graph(administrator, "PATCH", DEFAULT, body).status == 400
    twice = {"applicationRestrictions": {"passwordCredentials": [NO_SECRETS, NO_SECRETS]}}
    assert scene.graph(administrator, "PATCH", DEFAULT, twice).status == 400
    assert scene.graph(administrator, "PATCH", DEFAULT, {"nonsense": 1}).status == 400
    assert scene.graph(administrator, "GET", DEFAULT).json()["isEnabled"] is False, (
        "nothing was kept of what was refused"
    )
