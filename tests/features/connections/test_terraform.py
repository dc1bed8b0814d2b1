"""What Terraform does with ``infisical_app_connection_azure_client_secrets``: signed in for real, request by request."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.accounts.service import Access
from keyturn.api.people.routes import login_router
from keyturn.crypto.hashing import Hasher
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.identities.domain import NewClientSecret, NewIdentity, UniversalAuthChanges
from keyturn.kit.actor import Role
from keyturn.settings.model import Settings
from keyturn.web.ratelimit import Limiter
from keyturn.web.server.app import build
from keyturn_simulation.world import ROOT_KEY, World
from tests.client import Client
from tests.features.accounts.people import IDS
from tests.features.connections.desk import ROOT, WEEKLY, Json, connection_routes

READ = ("id", "name", "description", "version", "orgId", "projectId", "app", "method", "credentialsHash", "gatewayId")


@dataclass
class Terraform:
    """The provider's own requests, and the state that it keeps between two runs."""

    client: Client
    login: Json
    configuration: Json
    id: str | None = None
    known_hash: str = ""
    methods: list[str] = field(default_factory=list)

    def call(self, method: str, path: str, body: object = None, *, expect: int = 200) -> Json:
        answer = self.client.post("/api/v1/auth/universal-auth/login", json=self.login)
        headers = {
            "authorization": f"Bearer {answer.json()['accessToken']}",
            "accept": "application/json",
            "user-agent": "terraform",
        }
        self.methods.append(method)
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        assert answer.headers["content-type"] == "application/json"
        decoded: Json = answer.json()
        return decoded

    def plan(self) -> list[str]:
        """Return what would be changed, as the provider finds it when it reads the resource."""
        if self.id is None:
            return ["create"]
        actual = self.call("GET", f"{ROOT}/{self.id}")["appConnection"]
        assert {name: type(actual[name]) for name in ("version",)} == {"version": int}
        assert set(READ) <= set(actual)
        desired = self.configuration
        drift = [name for name in ("name", "method") if actual[name] != desired[name]]
        drift += ["description"] if (actual["description"] or "") != desired.get("description", "") else []
        return drift + (["credentials"] if actual["credentialsHash"] != self.known_hash else [])

    def apply(self) -> None:
        if not self.plan():
            return
        body = {"App": "azure-client-secrets", **self.configuration}
        if self.id is None:
            answer = self.call("POST", ROOT, body)["appConnection"]
            self.id = answer["id"]
        else:
            body = {"ID": self.id, "description": "", **body}
            answer = self.call("PATCH", f"{ROOT}/{self.id}", body)["appConnection"]
        self.known_hash = answer["credentialsHash"]

    def destroy(self) -> None:
        self.call("DELETE", f"{ROOT}/{self.id}")
        self.id = None


@pytest.fixture
def terraform(world: World, tmp_path: Path) -> Iterator[Terraform]:
    digests = KeyringDigests(Keyring.open(world.database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), world.clock))
    access = Access(world.database, world.clock, IDS, Hasher(memory_kib=8, passes=1), digests=digests)
    identity = access.identities.create(world.actor, NewIdentity(name="terraform", role=Role.ADMIN))
    auth = access.universal.attach(world.actor, identity.id, UniversalAuthChanges())
    secret, _ = access.universal.create_secret(world.actor, identity.id, NewClientSecret())
    routers = [
        login_router(access, Limiter(world.clock, per_minute=1000)),
        connection_routes(world),
    ]
    settings = Settings(data_dir=tmp_path, database_url="sqlite://")
    app = build(routers, authenticate=access.authenticate, settings=settings, clock=world.clock, ids=IDS)
    credentials = world.first_secret()
    configuration = {
        "method": "client-secret",
        "name": "prod-entra",
        "credentials": {
            "tenantId": credentials.tenant_id,
            "clientId": credentials.client_id,
            "clientSecret": credentials.secret.reveal(),
        },
    }
    with Client(app) as client:
        yield Terraform(client, {"clientId": auth.client_id, "clientSecret": secret.reveal()}, configuration)


def enable(terraform: Terraform) -> None:
    body = {"isAutoRotationEnabled": True, "rotation": WEEKLY}
    terraform.call("PATCH", f"{ROOT}/{terraform.id}", body)


def rotation(terraform: Terraform) -> Json:
    view: Json = terraform.call("GET", f"{ROOT}/{terraform.id}")["appConnection"]["rotation"]
    return view


def test_the_life_of_a_resource(terraform: Terraform, world: World) -> None:
    assert terraform.plan() == ["create"]
    terraform.apply()
    assert terraform.plan() == []
    terraform.configuration["description"] = "tenant A"
    assert terraform.plan() == ["description"]
    terraform.apply()
    assert terraform.plan() == []
    del terraform.configuration["description"]
    terraform.apply()
    assert terraform.plan() == []
    first = terraform.id
    terraform.destroy()
    assert terraform.call("GET", f"{ROOT}/{first}", expect=404)["error"] == "NotFound"
    assert len(world.keys()) == 1, "the secret of a connection that never rotated is the user's own"


def test_a_plan_sees_no_drift_however_often_the_secret_was_rotated(terraform: Terraform, world: World) -> None:
    terraform.apply()
    enable(terraform)
    world.run_until(world.clock.now() + timedelta(days=16))
    assert terraform.plan() == []
    history = terraform.call("GET", f"{ROOT}/{terraform.id}/rotation-runs")["rotationRuns"]
    assert [run["reason"] for run in history] == ["scheduled", "scheduled", "enabled"]


def test_an_unrelated_change_does_not_disturb_the_rotation(terraform: Terraform, world: World) -> None:
    terraform.apply()
    enable(terraform)
    world.settle()
    before, keys, view = world.all_connections()[0], world.keys(), rotation(terraform)
    terraform.configuration["description"] = "tenant A"
    terraform.apply()  # sends the original secret, which was revoked long ago
    after = world.all_connections()[0]
    assert (after.description, after.secret_version) == ("tenant A", before.secret_version)
    assert terraform.plan() == []
    assert rotation(terraform) == view
    world.settle()
    assert world.keys() == keys
    assert world.signs_in(world.current_secret(after))


def test_a_new_secret_in_the_configuration_is_taken_over(terraform: Terraform, world: World) -> None:
    terraform.apply()
    enable(terraform)
    world.settle()
    fresh = world.emulator.admin.add_secret(world.application.object_id, "typed anew")
    terraform.configuration["credentials"] = terraform.configuration["credentials"] | {"clientSecret": fresh.value}
    terraform.known_hash = ""  # Terraform sees that its configuration changed
    terraform.apply()
    world.settle()
    assert terraform.plan() == []
    assert rotation(terraform)["rotationStatus"] == "success"
    (key_id,) = world.keys()
    assert key_id != fresh.key_id


def test_a_rejected_name_is_shown_as_a_whole(terraform: Terraform, world: World) -> None:
    terraform.configuration["name"] = "my_connection"
    body = {"App": "azure-client-secrets", **terraform.configuration}
    answer = terraform.call("POST", ROOT, body, expect=422)
    assert [issue["path"] for issue in answer["message"]] == [["name"]]
    assert world.all_connections() == []
