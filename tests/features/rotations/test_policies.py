"""App management policies of the tenant are found before anything is written, with the way out."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keyturn.db.unit import Database
from tests.features.rotations.secret_desk import CONNECTIONS, WRITE_ALL, Json, RotationClient, desk

READS_POLICIES = (*WRITE_ALL, "Policy.Read.All")


@contextmanager
def opened(database: Database, folder: Path, *permissions: str) -> Iterator[RotationClient]:
    with desk(database, folder, permissions=permissions) as web:
        yield web


@pytest.fixture
def web(database: Database, tmp_path: Path) -> Iterator[RotationClient]:
    with opened(database, tmp_path, *READS_POLICIES) as client:
        yield client


def restrict(web: RotationClient, kind: str, **more: object) -> None:
    rule = {"restrictionType": kind, "state": "enabled", **more}
    web.world.emulator.admin.set_policy(web.world.tenant_id, passwordCredentials=[rule])


def plan(web: RotationClient, **changes: object) -> Json:
    shown: Json = web.ask("POST", "plan", web.body(**changes))["plan"]
    return shown


def test_what_a_policy_forbids_is_refused_before_anything_is_written(web: RotationClient) -> None:
    assert plan(web)["policy"]["verdict"] == "allowed"
    restrict(web, "passwordAddition")
    for url in ("plan", ""):
        answer = web.refused(web.body(), url=url)
        assert answer["code"] == "azure.type_policy"
        assert "The tenant's default app management policy forbids a new client secret on Billing" in answer["message"]
        assert f"/applications/{web.application.object_id}/appManagementPolicies/$ref" in answer["fix"]
        assert "A certificate or a federated credential is not concerned" in answer["fix"]
    restrict(web, "passwordAddition", restrictForAppsCreatedAfterDateTime="2099-01-01T00:00:00Z")
    assert plan(web)["policy"]["verdict"] == "allowed", "the application is older than what the policy is about"


def test_a_lifetime_is_told_and_only_one_that_no_run_could_keep_is_refused(web: RotationClient) -> None:
    restrict(web, "passwordLifetime", maxLifetime="P40D")
    policy = plan(web)["policy"]
    assert policy["verdict"] == "shorter-lifetime"
    assert "live for 40 days at most, and not for 63 days" in policy["message"]
    assert plan(web, rotationInterval=10)["policy"]["verdict"] == "allowed"
    refused = web.refused(web.body(rotationInterval=60))
    assert refused["code"] == "azure.lifetime_policy"
    assert "Rotate more often" in refused["fix"]
    restrict(web, "passwordLifetime", maxLifetime="PT0S")
    assert "live for 0 minutes at most" in web.refused(web.body(), url="plan")["message"], "none is not unlimited"


def test_what_may_not_be_read_is_unknown_and_refuses_nothing(database: Database, tmp_path: Path) -> None:
    with opened(database, tmp_path, *WRITE_ALL) as web:
        policy = plan(web)["policy"]
        assert (policy["verdict"], "246dd0d5-5bd0-4def-940b-0421030a5b68=Role" in policy["fix"]) == ("unknown", True)
        assert "is not known: the connection may not read policies" in policy["message"]
        rotation = web.create()
        web.forbid_new_secrets()
        assert web.ask("GET", f"{rotation['id']}/plan")["plan"]["policy"]["verdict"] == "unknown"


def test_the_plan_of_what_rotates_warns_and_does_not_refuse(web: RotationClient) -> None:
    rotation = web.create()
    web.forbid_new_secrets()
    policy = web.ask("GET", f"{rotation['id']}/plan")["plan"]["policy"]
    assert policy["verdict"] == "refused"
    assert policy["instead"]


EXEMPTION = {
    "@odata.type": "#microsoft.graph.customSecurityAttributeStringValueExemption",
    "id": "AppManagement_Exempt",
    "operator": "equals",
    "value": "Rotators",
}
EXEMPTS = {"excludeActors": {"customSecurityAttributes": [EXEMPTION]}}


def test_whether_an_exemption_applies_is_unknown_where_attributes_may_not_be_read(web: RotationClient) -> None:
    restrict(web, "passwordAddition", **EXEMPTS)
    policy = plan(web)["policy"]
    assert policy["verdict"] == "unknown"
    assert (
        "AppManagement/Exempt = 'Rotators'; whether the connection's principal has it cannot be seen"
        in policy["message"]
    )


def test_a_shorter_life_that_may_not_hold_for_who_signs_in_refuses_nothing_and_is_told(web: RotationClient) -> None:
    restrict(web, "passwordLifetime", maxLifetime="P3D", **EXEMPTS)
    policy = plan(web)["policy"]
    assert policy["verdict"] == "unknown"
    assert "live for 3 days at most, and not for 63 days, except for who has" in policy["message"]
    assert "Rotate more often, or exempt who signs in" in policy["fix"]
    checks = {each["name"]: each for each in web.ask("POST", f"{CONNECTIONS}/{web.connection}/test")["checks"]}
    assert checks["policy"]["code"] == "azure.lifetime_policy"
    assert "whether the connection's principal has it cannot be seen" in checks["policy"]["message"]
    web.world.emulator.admin.set_security_attributes(
        web.world.application.principal_id, AppManagement_Exempt="Rotators"
    )
    web.create()


def test_a_policy_that_exempts_by_attribute_says_which_on_whom(database: Database, tmp_path: Path) -> None:
    with opened(database, tmp_path, *READS_POLICIES, "CustomSecAttributeAssignment.Read.All") as web:
        restrict(web, "passwordAddition", **EXEMPTS)
        principal = web.world.application.principal_id
        refused = web.refused(web.body())
        assert f"/servicePrincipals/{principal}" in refused["fix"]
        assert '"AppManagement": {' in refused["fix"]
        assert '"Exempt": "Rotators"' in refused["fix"]
        web.world.emulator.admin.set_security_attributes(principal, AppManagement_Exempt="Rotators")
        allowed = plan(web)["policy"]
        assert (allowed["verdict"], "exempts who signed in" in allowed["message"]) == ("allowed", True)
        web.create()


def test_the_command_that_exempts_is_quoted_for_a_shell(database: Database, tmp_path: Path) -> None:
    value = "Ops' rotators; $(id)"
    exempts = {"excludeActors": {"customSecurityAttributes": [EXEMPTION | {"value": value}]}}
    with opened(database, tmp_path, *READS_POLICIES, "CustomSecAttributeAssignment.Read.All") as web:
        restrict(web, "passwordAddition", **exempts)
        command = web.refused(web.body())["fix"].partition("`")[2].rpartition("`")[0]
        words = shlex.split(command)
        sent = json.loads(words[words.index("--body") + 1])["customSecurityAttributes"]
        assert (len(words), sent["AppManagement"]["Exempt"]) == (10, value)
