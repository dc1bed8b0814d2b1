"""The test of a connection: what it may do, what is missing, and exactly how to grant it."""

from datetime import timedelta

import pytest

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.audit.domain import Event
from keyturn.audit.store import append
from keyturn.kit.clock import iso
from keyturn_simulation.world import OWNED
from tests.features.connections.desk import Json
from tests.features.methods.certificates import ENDS, pair
from tests.features.methods.scene import WRITE_ALL, MethodsFixture

READ_ALL = "Application.Read.All"
NAMES = ["list-applications", "read-application", "change-owned-secrets", "change-all-secrets"]
EVIDENCE = ["read-sign-ins", "read-policies", "read-exemptions"]


def connected(scene: MethodsFixture, *permissions: str, owns_itself: bool = True) -> tuple[Json, ApplicationHandle]:
    app = scene.admin.create_application(
        scene.world.tenant_id, "Tested", permissions=permissions, owns_itself=owns_itself, secrets=1
    )
    scene.world.applications[app.app_id] = app
    connection = scene.web.create("tested", credentials=scene.web.credentials(app))
    return scene.web.ask("POST", f"{connection['id']}/test"), app


def allowed(report: Json) -> list[bool | None]:
    assert [capability["name"] for capability in report["capabilities"]] == [*NAMES, *EVIDENCE]
    return [capability["allowed"] for capability in report["capabilities"][: len(NAMES)]]


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ((), [False, False, False, False]),
        ((READ_ALL,), [True, True, False, False]),
        ((OWNED,), [False, True, True, False]),
        ((OWNED, READ_ALL), [True, True, True, False]),
        ((WRITE_ALL,), [True, True, True, True]),
        (("Directory.ReadWrite.All",), [True, True, False, False]),
    ],
)
def test_the_token_of_an_application_tells(
    scene: MethodsFixture, permissions: tuple[str, ...], may: list[bool]
) -> None:
    report, _ = connected(scene, *permissions)
    assert allowed(report) == may
    assert report["ok"] is may[2]


def test_what_is_missing_comes_with_portal_path_and_commands(scene: MethodsFixture) -> None:
    report, app = connected(scene)
    missing = report["capabilities"][2]
    assert missing["allowed"] is False
    assert "API permissions > Add a permission > Microsoft Graph > Application permissions" in missing["fix"]
    grant = "--api-permissions 18a4783c-866b-4cc7-a460-3d5e5662c884=Role"
    assert f"az ad app permission add --id {app.app_id} " in missing["fix"]
    assert grant in missing["fix"]
    assert f"az ad app permission admin-consent --id {app.app_id}" in missing["fix"]
    assert f"--owner-object-id {app.principal_id}" in missing["fix"]
    failed = report["checks"][-1]
    assert (failed["ok"], bool(failed["fix"])) == (False, True)


def test_each_permission_that_opens_evidence_is_named_and_none_is_needed(scene: MethodsFixture) -> None:
    report, app = connected(scene, OWNED, "Policy.Read.All")
    found = {each["name"]: each for each in report["capabilities"] if each["name"] in EVIDENCE}
    assert [found[name]["allowed"] for name in EVIDENCE] == [False, True, False]
    grant = f"az ad app permission add --id {app.app_id} "
    assert grant in found["read-sign-ins"]["fix"]
    assert "b0afded3-3588-46d8-8b3d-9842eff778da=Role" in found["read-sign-ins"]["fix"]
    assert report["ok"] is True


def test_a_policy_against_secrets_is_found_before_a_rotation_meets_it(scene: MethodsFixture) -> None:
    rule = {"restrictionType": "passwordAddition", "state": "enabled"}
    scene.admin.set_policy(scene.world.tenant_id, passwordCredentials=[rule])
    report, app = connected(scene, WRITE_ALL, "Policy.Read.All")
    check = report["checks"][-1]
    assert (check["name"], check["ok"], check["code"]) == ("policy", True, "azure.type_policy")
    assert f"/applications/{app.object_id}/appManagementPolicies/$ref" in check["fix"]
    assert "A certificate or a federated credential is not concerned" in check["fix"]


def test_more_than_needed_is_advised_against(scene: MethodsFixture) -> None:
    report, app = connected(scene, WRITE_ALL)
    advice = report["capabilities"][3]["fix"]
    assert "OwnedBy and ownership are enough" in advice
    assert f"az ad app permission delete --id {app.app_id}" in advice
    assert "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9=Role" in advice


def test_least_privilege_has_nothing_to_do(scene: MethodsFixture) -> None:
    report, _ = connected(scene, OWNED)
    assert [check["name"] for check in report["checks"]] == ["sign-in", "application", "permission"]
    assert all(check["ok"] for check in report["checks"])
    assert report["capabilities"][3]["fix"] is None
    assert report["capabilities"][0]["fix"] is None


def test_permission_without_ownership_is_found_out(scene: MethodsFixture) -> None:
    report, app = connected(scene, OWNED, owns_itself=False)
    assert report["ok"] is False
    assert report["checks"][-1]["code"] in {"azure.not_owner", "azure.permission_missing"}
    assert f"az ad app owner add --id {app.app_id}" in report["checks"][-1]["fix"]


def certified(scene: MethodsFixture, permission: str) -> Json:
    good = pair(ends=ENDS)
    app = scene.admin.create_application(scene.world.tenant_id, "C", permissions=(permission,), owns_itself=True)
    scene.admin.add_certificate(app.object_id, good.pem.encode())
    credentials = {
        "tenantId": scene.world.tenant_id,
        "clientId": app.app_id,
        "certificateBody": good.pem,
        "privateKey": good.key_pem,
    }
    scene.web.secret_texts.update(good.key_lines)
    body = {"name": "c", "method": "certificate", "credentials": credentials}
    connection = scene.web.ask("POST", "", body)["appConnection"]
    return scene.web.ask("POST", f"{connection['id']}/test")


def test_a_certificate_is_tried_like_a_secret(scene: MethodsFixture) -> None:
    report = certified(scene, OWNED)
    assert allowed(report) == [False, True, True, False]
    assert report["checks"][0]["message"] == "The certificate signs in."
    assert report["ok"] is True


def test_a_certificate_without_permission_to_write_may_still_replace_itself(scene: MethodsFixture) -> None:
    report = certified(scene, READ_ALL)
    assert allowed(report) == [True, True, False, False]
    assert report["ok"] is True
    permission = report["checks"][-1]
    assert "Its own certificate may be replaced" in permission["message"]
    assert OWNED in permission["fix"]


@pytest.mark.parametrize(("person", "may"), [("ada", [True, True, True, True]), ("kim", [True, True, True, False])])
def test_the_token_of_a_person_tells_as_far_as_it_can(scene: MethodsFixture, person: str, may: list[bool]) -> None:
    connection = scene.connect(person=getattr(scene, person))
    report = scene.web.ask("POST", f"{connection['id']}/test")
    assert allowed(report) == may
    assert report["ok"] is True
    assert [check["name"] for check in report["checks"]] == ["sign-in", "permission"]
    if not may[3]:
        assert "Cloud Application Administrator" in report["capabilities"][3]["fix"]


def test_a_delegated_permission_that_is_missing_is_named(scene: MethodsFixture) -> None:
    scene.admin.withdraw_consent(scene.app.object_id)
    scene.admin.consent(scene.app.object_id, "User.Read", "Application.Read.All")
    code = scene.code(
        scope="https://graph.microsoft.com/User.Read https://graph.microsoft.com/Application.Read.All "
        "openid offline_access"
    )
    connection = scene.web.ask("POST", "", scene.by_code(code))["appConnection"]
    report = scene.web.ask("POST", f"{connection['id']}/test")
    assert report["ok"] is False
    missing = report["checks"][-1]
    assert missing["code"] in {"connections.permission_missing", "azure.consent_missing"}
    assert "Microsoft Graph" in missing["fix"] or "Connect again" in missing["fix"]


def test_a_connection_that_does_not_sign_in_says_why(scene: MethodsFixture) -> None:
    connection = scene.connect(person=scene.ben)
    scene.admin.revoke_sessions(scene.ben)
    report = scene.web.ask("POST", f"{connection['id']}/test")
    assert (report["ok"], report["capabilities"]) == (False, [])
    (line,) = report["checks"]
    assert (line["name"], line["code"]) == ("sign-in", "azure.grant_revoked")
    assert scene.web.get(connection)["lastCheck"]["needsReconnect"] is True


def audited_tests(scene: MethodsFixture) -> list[tuple[str, bool, str | None]]:
    """Who tested and what came of it, as the audit trail has it."""
    events = scene.world.events("test-app-connection")
    return [(event["actor_name"], event["data"]["ok"], event["data"]["code"]) for event in events]


def test_a_test_on_a_timer_does_not_fill_the_trail(scene: MethodsFixture) -> None:
    connection = scene.web.create("probed")
    for _ in range(3 * 12):  # three days, every second hour
        scene.world.clock.advance(7200)
        checked = scene.web.ask("POST", f"{connection['id']}/test")
        assert checked["ok"]
        assert scene.web.get(connection)["lastCheck"]["checkedAt"] == iso(scene.world.clock.now())
    assert [ok for _, ok, _ in audited_tests(scene)] == [True] * 3


def test_each_one_who_tests_is_in_the_trail(scene: MethodsFixture) -> None:
    connection = scene.web.create("probed")
    for who in ("admin", "other-admin") * 3:
        scene.web.ask("POST", f"{connection['id']}/test", who=who)
        scene.world.clock.advance(60)
    names = [scene.web.actors[who].name for who in ("admin", "other-admin")]
    assert [name for name, _, _ in audited_tests(scene)] == names
    assert len(set(names)) == 2


def test_another_result_of_a_test_is_in_the_trail_at_once(scene: MethodsFixture) -> None:
    connection = scene.connect(person=scene.ben)
    for _ in range(2):
        scene.web.ask("POST", f"{connection['id']}/test")
    scene.admin.revoke_sessions(scene.ben)
    for who in ("admin", "other-admin", "admin"):
        scene.world.clock.advance(3600)
        scene.web.ask("POST", f"{connection['id']}/test", who=who)
    expected = [(True, None), (False, "azure.grant_revoked"), (False, "azure.grant_revoked")]
    assert [(ok, code) for _, ok, code in audited_tests(scene)] == expected


def test_another_cause_of_a_failure_is_in_the_trail_at_once(scene: MethodsFixture) -> None:
    _, app = connected(scene, owns_itself=False)
    (connection,) = scene.world.all_connections()
    scene.world.clock.advance(3600)
    for secret in app.secrets:
        scene.admin.remove_secret(app.object_id, secret.key_id)
    scene.world.clock.advance(3600)
    for _ in range(2):
        scene.web.ask("POST", f"{connection.id}/test")
    first, second = (code for _, _, code in audited_tests(scene))
    assert (first, second) == ("azure.permission_missing", "azure.secret_invalid")


def test_the_first_test_of_new_credentials_is_in_the_trail(scene: MethodsFixture) -> None:
    connection = scene.web.create("probed")
    for _ in range(2):
        scene.web.ask("POST", f"{connection['id']}/test")
    scene.world.clock.advance(3600)
    other = scene.admin.add_secret(scene.world.application.object_id, "second")
    scene.web.change(connection, credentials=scene.web.credentials(clientSecret=other.value))
    scene.world.clock.advance(60)
    for _ in range(2):
        scene.web.ask("POST", f"{connection['id']}/test")
    assert [ok for _, ok, _ in audited_tests(scene)] == [True, True]


def test_a_test_that_a_clock_ahead_of_ours_wrote_silences_nothing(scene: MethodsFixture) -> None:
    connection = scene.web.create("probed")
    scene.web.ask("POST", f"{connection['id']}/test")
    with scene.world.database.write() as tx:
        append(
            tx,
            Event(
                "test-app-connection",
                scene.web.actors["admin"],
                "app-connection",
                connection["id"],
                scene.world.clock.now() + timedelta(days=4000),
                data={"ok": True, "code": None},
            ),
        )
    for _ in range(2):
        scene.web.ask("POST", f"{connection['id']}/test")
    assert len(audited_tests(scene)) == 3
