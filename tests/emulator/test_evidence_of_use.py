"""Which credential was used, when and from where: GET /beta/auditLogs/signIns, /beta/reports/..., /auditLogs/directoryAudits."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from entra_emulator import ApplicationHandle, Request, Response
from entra_emulator.faults.faults import WRITES
from entra_emulator.graph.directory_audits import ACTIVITIES
from entra_emulator.graph.service import routes
from entra_emulator.vault.keys import ROUTES
from tests.emulator.certificates import Certificate
from tests.emulator.people import People
from tests.emulator.scene import LOGIN, EmulatorFixture
from tests.emulator.test_token_endpoint import assertion, with_assertion

MINUTE, DAY = 60.0, 86_400.0
BETA = "https://graph.microsoft.com/beta/"
ALONE = "signInEventTypes/any(t: t eq 'servicePrincipal')"
ROLE = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def reader(scene: EmulatorFixture) -> ApplicationHandle:
    scene.emulator.admin.configure(scene.tenant, reports_budget=None)
    return scene.application("reader", permissions=("AuditLog.Read.All",))


def beta(scene: EmulatorFixture, by: ApplicationHandle, path: str, **query: Any) -> Response:
    scene.tokens.clear()  # time goes on: tokens are taken anew
    return scene.graph(by, "GET", BETA + path, **query)


def sign_ins(scene: EmulatorFixture, by: ApplicationHandle, app: ApplicationHandle, more: str = "") -> list[Any]:
    response = beta(scene, by, "auditLogs/signIns", filter=f"{ALONE} and appId eq '{app.app_id}'{more}")
    assert response.status == 200, response.body
    value: list[Any] = response.json()["value"]
    return value


def sign_in_from(scene: EmulatorFixture, app: ApplicationHandle, secret: str, address: str) -> Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": app.app_id,
        "client_secret": secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"{LOGIN}/{scene.tenant}/oauth2/v2.0/token"
    return scene.emulator.call(Request("POST", url, {}, urlencode(form).encode(), address))


def test_a_sign_in_is_in_the_log_minutes_later_with_the_key_that_was_used(
    scene: EmulatorFixture, reader: ApplicationHandle
) -> None:
    app = scene.application(secrets=2)
    at = scene.clock.now()
    for secret in app.secrets:
        assert sign_in_from(scene, app, secret.value, "203.0.113.9").status == 200
    scene.clock.advance(119)
    assert sign_ins(scene, reader, app) == []
    scene.clock.advance(13 * MINUTE)
    rows = sign_ins(scene, reader, app)
    assert {row["servicePrincipalCredentialKeyId"] for row in rows} == {item.key_id for item in app.secrets}
    row = rows[0]
    assert (row["status"]["errorCode"], row["ipAddress"], row["clientCredentialType"]) == (
        0,
        "203.0.113.9",
        "clientSecret",
    )
    assert (row["servicePrincipalId"], row["resourceDisplayName"]) == (app.principal_id, "Microsoft Graph")
    assert row["signInEventTypes"] == ["servicePrincipal"]
    shown = row["createdDateTime"]
    assert len(sign_ins(scene, reader, app, f" and createdDateTime ge {shown}")) == 2
    assert sign_ins(scene, reader, app, f" and createdDateTime gt {shown}") == []
    assert beta(scene, reader, f"auditLogs/signIns/{row['id']}").json()["appId"] == app.app_id
    assert beta(scene, reader, "auditLogs/signIns", filter=f"appId eq '{app.app_id}'").json()["value"] == []
    scene.emulator.admin.remove_secret(app.object_id, app.secrets[0].key_id)
    scene.clock.advance(at + 30 * DAY - scene.clock.now())
    assert len(sign_ins(scene, reader, app)) == 2, "what was removed was used all the same"
    scene.clock.advance(1)
    assert sign_ins(scene, reader, app) == []


def test_failed_sign_ins_are_in_the_log_with_their_codes(
    scene: EmulatorFixture, reader: ApplicationHandle, certificate: Certificate
) -> None:
    admin, app = scene.emulator.admin, scene.application(secrets=0)
    old = admin.add_secret(app.object_id, "old", end=scene.clock.now() + 10)
    key_id = admin.add_certificate(app.object_id, certificate.pem)
    new = admin.add_secret(app.object_id, "new")
    scene.clock.advance(20)
    assert scene.token(app, old.value).json()["error_codes"] == [7000222]
    assert scene.token(app, "wrong").json()["error_codes"] == [7000215]
    assert "access_token" in with_assertion(scene, app.app_id, assertion(scene, certificate, app.app_id))
    admin.set_disabled(app.object_id, disabled=True)
    assert scene.token(app, new.value).json()["error_codes"] == [7000112]
    scene.clock.advance(15 * MINUTE)
    rows = {row["status"]["errorCode"]: row for row in sign_ins(scene, reader, app)}
    assert set(rows) == {7000222, 7000215, 7000112, 0}
    assert rows[7000222]["servicePrincipalCredentialKeyId"] == old.key_id
    assert rows[7000215]["servicePrincipalCredentialKeyId"] == ""
    assert (rows[0]["clientCredentialType"], rows[0]["servicePrincipalCredentialKeyId"]) == ("certificate", key_id)
    assert rows[0]["servicePrincipalCredentialThumbprint"]
    assert len(sign_ins(scene, reader, app, " and status/errorCode eq 7000215")) == 1


def test_sign_ins_come_twice_late_or_never(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    admin, app = scene.emulator.admin, scene.application()
    for _ in range(60):
        scene.token(app)
    admin.configure(scene.tenant, sign_in_delay=(0, 0), sign_in_doubles=0.2, sign_in_drops=0.3)
    rows = sign_ins(scene, reader, app)
    shown = {row["id"] for row in rows}
    assert 30 <= len(shown) <= 54
    assert len(shown) + 3 <= len(rows) <= len(shown) + 24
    seen: list[str] = []
    link, query = "auditLogs/signIns", {"filter": f"{ALONE} and appId eq '{app.app_id}'", "top": "7"}
    while link:
        body = beta(scene, reader, link.removeprefix(BETA), **query).json()
        seen += [row["id"] for row in body["value"]]
        link, query = body.get("@odata.nextLink", ""), {}
    assert sorted(seen) == sorted(row["id"] for row in rows), "pages show each row once, also doubles"
    admin.configure(
        scene.tenant, sign_in_doubles=0, sign_in_drops=0, sign_in_tail_probability=0.5, sign_in_tail=(3600, 3600)
    )
    early = sign_ins(scene, reader, app)
    assert 15 <= len(early) <= 45
    scene.clock.advance(3600)
    assert len(sign_ins(scene, reader, app)) == 60


def test_the_report_of_a_credential_lags_a_day_and_counts_every_flow(
    scene: EmulatorFixture, people: People, reader: ApplicationHandle
) -> None:
    scene.emulator.admin.configure(scene.tenant, summary_delay=(DAY, DAY))
    web, unused = people.web, scene.application("unused")
    assert "access_token" in people.tokens()
    path, query = "reports/appCredentialSignInActivities", {"filter": f"keyId eq '{web.secrets[0].key_id}'"}
    assert beta(scene, reader, path, **query).json()["value"] == []
    used = scene.clock.now()
    scene.clock.advance(DAY)
    [row] = beta(scene, reader, path, **query).json()["value"]
    assert (row["appId"], row["credentialOrigin"], row["keyType"]) == (web.app_id, "application", "clientSecret")
    assert row["signInActivity"]["lastSignInDateTime"] == "2026-11-23T00:00:00Z"
    assert used == 1_795_392_000.0
    assert beta(scene, reader, path, filter=f"appId eq '{unused.app_id}'").json()["value"] == []
    assert sign_ins(scene, reader, web) == [], "a person signed in, not the service principal"
    interactive = beta(scene, reader, "auditLogs/signIns", filter=f"appId eq '{web.app_id}'").json()["value"]
    assert [(item["userId"], item["isInteractive"]) for item in interactive] == [(people.ada, True)]
    rows = beta(scene, reader, "reports/servicePrincipalSignInActivities", filter=f"appId eq '{web.app_id}'").json()[
        "value"
    ]
    assert rows[0]["delegatedClientSignInActivity"]
    assert not rows[0]["applicationAuthenticationClientSignInActivity"]


def test_logs_need_a_permission_and_a_licence(
    scene: EmulatorFixture, people: People, reader: ApplicationHandle
) -> None:
    def code(response: Response) -> tuple[int, str]:
        return response.status, response.json()["error"]["code"]

    manager = scene.manager()
    for path in ("auditLogs/signIns", "auditLogs/directoryAudits", "reports/appCredentialSignInActivities"):
        assert code(beta(scene, manager, path)) == (403, "Authentication_MSGraphPermissionMissing")
        assert beta(scene, reader, path).status == 200
    scene.emulator.admin.consent(people.web.object_id, "AuditLog.Read.All", user=people.ada)
    token = people.tokens(scope="https://graph.microsoft.com/AuditLog.Read.All")["access_token"]
    answer = people.graph(token, "GET", "auditLogs/signIns")
    assert code(answer) == (403, "Authentication_RequestFromUnsupportedUserRole")
    for path in ("reports/appCredentialSignInActivities", "reports/servicePrincipalSignInActivities"):
        assert scene.graph(reader, "GET", path).status == 400, "v1.0 has no such report"
    assert scene.graph(reader, "GET", "auditLogs/signIns", filter=ALONE).status == 400
    assert "servicePrincipalCredentialKeyId" not in str(scene.graph(reader, "GET", "auditLogs/signIns").body)
    by_key = beta(scene, reader, "auditLogs/signIns", filter="servicePrincipalCredentialKeyId eq 'x'")
    assert by_key.status == 400, "no page says that one can filter by the key"
    scene.emulator.admin.configure(scene.tenant, premium=False)
    refused = beta(scene, reader, "auditLogs/signIns")
    assert code(refused) == (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")


def test_logs_and_reports_allow_five_requests_in_ten_seconds(scene: EmulatorFixture) -> None:
    reader = scene.application("reader", permissions=("AuditLog.Read.All",))
    paths = ["auditLogs/signIns", "auditLogs/directoryAudits", "reports/appCredentialSignInActivities"] * 2
    answers = [beta(scene, reader, path) for path in paths]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert answers[-1].header("Retry-After") == "10"
    scene.clock.advance(10)
    assert beta(scene, reader, "auditLogs/signIns").status == 200


def test_the_audit_tells_who_added_which_secret(scene: EmulatorFixture, reader: ApplicationHandle) -> None:
    manager, app = scene.manager(), scene.application()
    key_id = scene.add_password(manager, app, "rotated").json()["keyId"]
    assert beta(scene, reader, "auditLogs/directoryAudits").json()["value"] == []
    scene.clock.advance(300)
    scene.tokens.clear()
    scene.remove_password(manager, app, key_id)
    scene.clock.advance(300)
    about = f"targetResources/any(t: t/id eq '{app.object_id}')"
    removed, added = beta(scene, reader, "auditLogs/directoryAudits", filter=about).json()["value"]
    assert "Certificates and secrets management" in added["activityDisplayName"]
    assert added["initiatedBy"]["app"]["appId"] == manager.app_id
    [change] = added["targetResources"][0]["modifiedProperties"]
    assert change["displayName"] == "KeyDescription"
    assert key_id in change["newValue"]
    assert "rotated" in change["newValue"]
    assert key_id not in change["oldValue"]
    [change] = removed["targetResources"][0]["modifiedProperties"]
    assert key_id in change["oldValue"]
    assert key_id not in change["newValue"]
    since = added["activityDateTime"]
    query = f"activityDateTime le {since} and activityDisplayName eq '{added['activityDisplayName']}'"
    assert len(beta(scene, reader, "auditLogs/directoryAudits", filter=query).json()["value"]) == 1


def test_the_audit_names_both_sides_of_a_membership_and_of_a_role(
    scene: EmulatorFixture, reader: ApplicationHandle
) -> None:
    admin = scene.emulator.admin
    director = scene.application(
        "director", permissions=("Group.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All")
    )
    ada, group = admin.create_user(scene.tenant, "Ada"), admin.create_group(scene.tenant, "Team")
    app = scene.application("portal")
    role = {"id": ROLE, "displayName": "Reader", "value": "read", "description": "r", "isEnabled": True}
    roles = {"appRoles": [role | {"allowedMemberTypes": ["User"]}]}
    assert scene.graph(director, "PATCH", f"applications/{app.object_id}", roles).status == 204
    body = {"principalId": ada, "resourceId": app.principal_id, "appRoleId": ROLE}
    given = scene.graph(director, "POST", f"users/{ada}/appRoleAssignments", body).json()["id"]
    for method, path, sent in (
        ("POST", f"groups/{group}/members/$ref", {"@odata.id": ada}),
        ("DELETE", f"groups/{group}/members/{ada}/$ref", None),
        ("DELETE", f"users/{ada}/appRoleAssignments/{given}", None),
    ):
        assert scene.graph(director, method, path, sent).status == 204
    scene.clock.advance(300)
    scene.tokens.clear()

    def told(activity: str) -> tuple[str, list[tuple[str, str]], dict[str, tuple[str | None, str | None]]]:
        about = f"activityDisplayName eq '{activity}' and targetResources/any(t: t/id eq '{ada}')"
        [row] = beta(scene, reader, "auditLogs/directoryAudits", filter=about).json()["value"]
        first, second = row["targetResources"]
        assert second["modifiedProperties"] == []
        changed = {each["displayName"]: (each["oldValue"], each["newValue"]) for each in first["modifiedProperties"]}
        return row["category"], [(each["id"], each["type"]) for each in (first, second)], changed

    members = [(ada, "User"), (group, "Group")]
    assert told("Add member to group") == (
        "GroupManagement",
        members,
        {"Group.ObjectID": (None, f'"{group}"'), "Group.DisplayName": (None, '"Team"')},
    )
    assert told("Remove member from group")[2]["Group.ObjectID"] == (f'"{group}"', None)
    category, targets, changed = told("Add app role assignment grant to user")
    assert (category, targets) == ("UserManagement", [(app.principal_id, "ServicePrincipal"), (ada, "User")])
    assert changed["AppRole.Value"] == (None, '"read"')
    assert changed["User.ObjectID"] == (None, f'"{ada}"')
    assert told("Remove app role assignment from user")[2]["AppRole.Id"] == (f'"{ROLE}"', None)


def test_every_write_is_in_the_audit_by_a_name() -> None:
    of_vaults = {name for name, _, _ in ROUTES.values()}
    assert set(ACTIVITIES) == WRITES - of_vaults
    writes = {name for methods in routes("beta").values() for method, name in methods.items() if method != "GET"}
    of_members = {f"{verb}Member{kind}" for verb in ("check", "get") for kind in ("Groups", "Objects")}
    assert writes - WRITES == {"batch", "getDirectoryObjectsByIds", "validateProperties", *of_members}
