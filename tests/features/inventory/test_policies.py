"""Which policy applies to what an inventory holds: what it says of new credentials, whom it exempts, and why nothing is known."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from entra_emulator.faults.faults import Effect
from keyturn.db.unit import Database
from keyturn.inventory.domain import Row
from keyturn.inventory.policies import PolicyState
from keyturn.ports.http import HttpRequest, HttpResponse, Transport
from keyturn_simulation.emulated import HOST
from tests.databases import sqlite_database
from tests.features.inventory.scene import DAY, OWNED, READ_ALL, Meanwhile, Tenant, tenant

POLICIES = (*READ_ALL, "Policy.Read.All")
NO_SECRETS = {"restrictionType": "passwordAddition"}
EXEMPT = {
    "customSecurityAttributes": [{"id": "AppManagement_Exempt", "operator": "equals", "value": "Rotators"}],
}


def shown(scene: Tenant) -> dict[str, Row]:
    return {row.entry.name: row for row in scene.rows()}


def check_filters(scene: Tenant) -> None:
    """What a filter finds is what the lines say, whatever is asked for."""
    rows = scene.rows()
    for state in PolicyState:
        lines = {(each.entry.object_id, each.entry.key_id) for each in rows if each.policy.state is state}
        found = {(each.entry.object_id, each.entry.key_id) for each in scene.rows(policy=state)}
        assert found == lines, state


def test_each_line_says_which_policy_applies_to_a_new_credential(database: Database) -> None:
    with tenant(database, POLICIES) as scene:
        world, admin = scene.world, scene.world.emulator.admin
        old = scene.application("Old", secrets=1)
        world.clock.advance(DAY)
        since = datetime.fromtimestamp(world.clock.now().timestamp(), UTC)
        world.clock.advance(DAY)
        scene.application("New", secrets=1)
        short = scene.application("Short", secrets=1)
        spared = scene.application("Spared", secrets=1)
        free = scene.application("Free")
        unlimited = {"restrictionType": "passwordLifetime", "maxLifetime": "P36500D"}
        scene.give_policy(short, "Ninety days", passwordCredentials=[{**unlimited, "maxLifetime": "P90DT12H"}])
        scene.give_policy(spared, "Only rotators", passwordCredentials=[{**NO_SECRETS, "excludeActors": EXEMPT}])
        scene.give_policy(free, "Nothing")
        after = {"restrictForAppsCreatedAfterDateTime": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        admin.set_policy(world.tenant_id, passwordCredentials=[NO_SECRETS | after, unlimited])
        reader = world.applications[scene.reader.client_id]
        admin.grant(reader.principal_id, "CustomSecAttributeAssignment.Read.All")
        admin.set_security_attributes(reader.principal_id, AppManagement_Exempt="Rotators")
        scene.switch_on()
        scene.read()
        policies = {name: row.policy for name, row in shown(scene).items()}
        assert (policies["New"].state, policies["New"].assigned) == (PolicyState.FORBIDDEN, False)
        assert policies["New"].name == "Default app management tenant policy"
        assert policies["Old"].state is PolicyState.LIMITED, "the application is older than the restriction"
        assert (policies["Short"].state, policies["Short"].name) == (PolicyState.LIMITED, "Ninety days")
        assert policies["Short"].longest is not None
        assert policies["Short"].longest.total_seconds() == 90.5 * DAY
        assert (policies["Spared"].state, policies["Spared"].exempts) == (PolicyState.EXEMPT, True)
        assert (policies["Free"].state, policies["Free"].assigned) == (PolicyState.UNRESTRICTED, True)
        check_filters(scene)
        # It costs a few requests.
        assert sum("/policies/" in each for each in scene.line.graph()) == 2 + 3
        admin.set_policy(world.tenant_id, enabled=False)
        scene.administer(
            "DELETE", f"applications/{short.object_id}/appManagementPolicies/{_id_of(scene, 'Ninety days')}/$ref"
        )
        scene.world.clock.advance(1.1 * DAY)
        scene.read()
        policies = {name: row.policy for name, row in shown(scene).items()}
        assert {policies[name].state for name in ("New", "Old", "Short")} == {PolicyState.UNRESTRICTED}
        check_filters(scene)
        assert old.object_id in {each.entry.object_id for each in scene.rows(policy=PolicyState.UNRESTRICTED)}


def test_a_policy_that_is_assigned_shows_within_the_hour(database: Database) -> None:
    """No list of changes tells of it."""
    with tenant(database, POLICIES) as scene:
        shop, office = scene.application("Shop", secrets=1), scene.application("Office", secrets=1)
        scene.switch_on()
        scene.read()
        assert {row.policy.state for row in scene.rows()} == {PolicyState.UNRESTRICTED}
        lists = sum("/applications?" in each for each in scene.line.sent)
        scene.give_policy(shop, "No secrets", passwordCredentials=[NO_SECRETS])
        scene.pass_time(1.1)
        policies = {name: row.policy for name, row in shown(scene).items()}
        assert (policies["Shop"].state, policies["Shop"].assigned) == (PolicyState.FORBIDDEN, True)
        assert policies["Office"].state is PolicyState.UNRESTRICTED
        moved = _id_of(scene, "No secrets")
        scene.administer("DELETE", f"applications/{shop.object_id}/appManagementPolicies/{moved}/$ref")
        reference = {"@odata.id": f"{HOST}/v1.0/policies/appManagementPolicies/{moved}"}
        scene.administer("POST", f"applications/{office.object_id}/appManagementPolicies/$ref", reference)
        scene.pass_time(1.1)
        policies = {name: row.policy for name, row in shown(scene).items()}
        assert (policies["Shop"].state, policies["Office"].state) == (PolicyState.UNRESTRICTED, PolicyState.FORBIDDEN)
        check_filters(scene)
        assert sum("/applications?" in each for each in scene.line.sent) == lists, "the lists were not read again"


def _id_of(scene: Tenant, name: str) -> str:
    listed = scene.administer("GET", "policies/appManagementPolicies")["value"]
    return next(str(each["id"]) for each in listed if each["displayName"] == name)


def test_what_cannot_be_seen_of_policies_is_said(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database) as scene:
        world, admin = scene.world, scene.world.emulator.admin
        scene.application("Shop", secrets=1)
        admin.set_policy(world.tenant_id, passwordCredentials=[{**NO_SECRETS, "excludeActors": EXEMPT}])
        scene.switch_on()
        scene.read()
        policy = shown(scene)["Shop"].policy
        assert policy.state is PolicyState.NOT_KNOWN
        assert "Policy.Read.All" in policy.unknown
        check_filters(scene)
        admin.grant(world.applications[scene.reader.client_id].principal_id, "Policy.Read.All")
        scene.restart()
        scene.world.clock.advance(1.1 * DAY)
        scene.read()
        policy = shown(scene)["Shop"].policy
        assert (policy.state, policy.exempts) == (PolicyState.FORBIDDEN, None), "its attributes may not be read"
        check_filters(scene)


def test_who_may_list_only_what_it_owns_may_not_know_what_policies_are_assigned_to(tmp_path: Path) -> None:
    """The list of those needs Application.Read.All. Owners are read all the same."""
    with sqlite_database(tmp_path) as database, tenant(database, (*OWNED, "Policy.Read.All")) as scene:
        reader = scene.world.applications[scene.reader.client_id]
        mine = scene.application("Mine", owners=(reader.principal_id,), secrets=1)
        scene.switch_on()
        scene.read()
        assert shown(scene)["Mine"].policy.state is PolicyState.UNRESTRICTED, "there is none that could be assigned"
        scene.give_policy(mine, "Nothing")
        scene.world.clock.advance(1.1 * DAY)
        scene.read()
        row = shown(scene)["Mine"]
        assert (row.policy.state, len(row.owners)) == (PolicyState.NOT_KNOWN, 1)
        assert "Application.Read.All" in row.policy.unknown
        check_filters(scene)


def test_a_policy_that_is_deleted_in_the_middle_applies_to_nothing(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, POLICIES) as scene:
        scene.give_policy(scene.application("Shop", secrets=1), "Nothing")
        policies = f"policies/appManagementPolicies/{_id_of(scene, 'Nothing')}"
        inner = scene.line.inner
        scene.line.inner = Meanwhile(inner, "appManagementPolicies?", lambda: scene.administer("DELETE", policies))
        scene.switch_on()
        scene.read(seconds=600)
        assert shown(scene)["Shop"].policy.state is PolicyState.UNRESTRICTED
        assert not shown(scene)["Shop"].policy.assigned


@dataclass
class Away:
    """A transport on which everything with these words is unavailable."""

    inner: Transport
    words: str

    def send(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(503, {}, b"{}") if self.words in request.url else self.inner.send(request)


def test_policies_that_cannot_be_read_for_long_hold_up_nothing(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, POLICIES) as scene:
        scene.application("Shop", secrets=1, owners=(scene.world.application.principal_id,))
        scene.switch_on()
        scene.line.inner = Away(scene.line.inner, "/policies/")
        scene.read(seconds=1200)
        row = shown(scene)["Shop"]
        assert (row.policy.state, len(row.owners)) == (PolicyState.NOT_KNOWN, 1)
        assert row.policy.unknown
        scene.line.inner = scene.line.inner.inner
        scene.pass_time(1.1)
        assert shown(scene)["Shop"].policy.state is PolicyState.UNRESTRICTED


def test_policies_that_are_refused_for_whatever_reason_hold_up_nothing(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, POLICIES) as scene:
        scene.application("Shop", secrets=1)
        refused = Effect(400, "Request_BadRequest", "No.")
        scene.world.emulator.faults.fail_next("getDefaultAppManagementPolicy", refused, when="before")
        scene.switch_on()
        scene.read(seconds=600)
        policy = shown(scene)["Shop"].policy
        assert policy.state is PolicyState.NOT_KNOWN
        assert policy.unknown
