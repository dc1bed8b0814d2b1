"""What Terraform does with ``infisical_secret_rotation_azure_client_secret``, request by request as they were recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.db.unit import Database
from tests.databases import sqlite_database
from tests.features.rotations.secret_desk import WRITE_ALL, Json, RotationClient, desk, make_application

TYPE = "azure-client-secret"
LEFT_OUT_WHEN_EMPTY = ("isAutoRotationEnabled", "rotationInterval")
"""Zero values that the provider's update does not send: automatic rotation cannot be switched off by it."""


@dataclass
class Terraform:
    """The provider's own requests, and the state that it keeps between two runs."""

    web: RotationClient
    configuration: Json
    id: str | None = None

    def plan(self) -> list[str]:
        """Return what would be changed, compared as the provider compares it. Raises AssertionError where it gives up."""
        if self.id is None:
            return ["create"]
        actual = self.web.ask("GET", self.id)["secretRotation"]
        for group in ("parameters", "secretsMapping"):
            for name in self.configuration[group]:
                assert isinstance(actual[group][name], str), "API Reading Error"
        for number in (actual["rotationInterval"], *actual["rotateAtUtc"].values()):
            assert type(number) is int
        seen = {
            **{name: actual[name] for name in ("name", "isAutoRotationEnabled", "projectId", "rotationInterval")},
            "description": actual["description"] or "",
            "connectionId": actual["connection"]["id"],
            "environment": actual["environment"]["slug"],
            "secretPath": actual["folder"]["path"],
            "rotateAtUtc": actual["rotateAtUtc"],
            "parameters": {name: actual["parameters"][name] for name in ("objectId", "clientId")},
            "secretsMapping": actual["secretsMapping"],
        }
        return [name for name, wanted in self.configuration.items() if seen[name] != wanted]

    def apply(self) -> None:
        if not self.plan():
            return
        if self.id is None:
            body = {"Provider": TYPE, **self.configuration}
            self.id = self.web.ask("POST", "", body)["secretRotation"]["id"]
            return
        body = {"Provider": TYPE, "ID": self.id, **self.configuration}
        del body["projectId"]
        for name in LEFT_OUT_WHEN_EMPTY:
            if not body[name]:
                del body[name]
        self.web.ask("PATCH", self.id, body)

    def destroy(self) -> None:
        self.web.ask("DELETE", str(self.id), {"Provider": TYPE, "ID": self.id})
        self.id = None


@contextmanager
def configured(database: Database, folder: Path) -> Iterator[Terraform]:
    with desk(database, folder) as web:
        configuration = web.body()
        del configuration["Provider"]
        yield Terraform(web, configuration)


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Terraform]:
    with sqlite_database(tmp_path) as database, configured(database, tmp_path) as opened:
        yield opened


def test_the_life_of_a_resource(database: Database, tmp_path: Path) -> None:
    with configured(database, tmp_path) as terraform:
        live(terraform)


def live(terraform: Terraform) -> None:
    web, world = terraform.web, terraform.web.world
    terraform.apply()
    assert terraform.plan() == []
    first = web.values()["AZURE_CLIENT_SECRET"]
    web.days(32)
    assert web.values()["AZURE_CLIENT_SECRET"] != first
    assert terraform.plan() == [], "a rotation is no drift"

    terraform.configuration |= {"description": "tenant A", "rotationInterval": 14}
    terraform.configuration["rotateAtUtc"] = {"hours": 2, "minutes": 15}
    assert terraform.plan() == ["description", "rotationInterval", "rotateAtUtc"]
    terraform.apply()
    assert terraform.plan() == []
    terraform.configuration["secretsMapping"] = {"clientId": "ID", "clientSecret": "SECRET"}
    terraform.apply()
    assert terraform.plan() == []
    assert set(web.values()) == {"ID", "SECRET"}

    other = world.connect("other-entra", _second(web), rotate=False)
    terraform.configuration["connectionId"] = other.id
    terraform.apply()
    assert terraform.plan() == []
    web.days(15)
    assert web.signs_in(web.values()["SECRET"])

    terraform.configuration["isAutoRotationEnabled"] = False
    terraform.apply()
    assert terraform.plan() == ["isAutoRotationEnabled"], "the provider cannot say so: absent means unchanged"
    terraform.destroy()
    assert set(web.values()) == {"ID", "SECRET"}


def _second(web: RotationClient) -> ApplicationHandle:
    return make_application(web.world, "Second", permissions=WRITE_ALL, secrets=1)


def test_what_was_deleted_elsewhere_is_made_again(terraform: Terraform) -> None:
    terraform.apply()
    gone = terraform.id
    flags = {"deleteSecrets": "true", "revokeGeneratedCredentials": "true"}
    terraform.web.ask("DELETE", str(gone), **flags)
    terraform.web.ask("GET", str(gone), expect=404)
    terraform.id = None
    terraform.apply()
    assert terraform.plan() == []


def test_one_mapping_in_two_environments(terraform: Terraform) -> None:
    web = terraform.web
    terraform.apply()
    second = Terraform(web, terraform.configuration | {"environment": "dev", "rotationInterval": 60})
    second.apply()
    assert (terraform.plan(), second.plan()) == ([], [])
    assert web.values("dev") == web.values("prod")
    web.days(32)
    assert (terraform.plan(), second.plan()) == ([], [])
    assert web.values("dev") == web.values("prod")
