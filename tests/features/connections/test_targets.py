"""Credentials are sent to the cloud, tenant and application that they were stored for, whatever the database says later."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.app.services import build
from keyturn.connections import older_rows
from keyturn.db.tables import app_connections, rotations
from keyturn.errors import NeedsAction
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn_simulation.emulated import emulated_clouds
from keyturn_simulation.world import OWNED, World
from tests.features.connections.desk import NOBODY, ApiClient, Json
from tests.older_rows import write_as_before

CHANGED = "connections.target_changed"
SWAPS = [{"tenant_id": NOBODY}, {"client_id": NOBODY}, {"cloud": "china"}]


def swap(world: World, table: sa.Table, **values: Any) -> None:
    """Write into the database past the server."""
    with world.database.write() as tx:
        tx.run(sa.update(table).values(**values))


def first_check(web: ApiClient, connection: Json) -> Json:
    check: Json = web.ask("POST", f"{connection['id']}/test")["checks"][0]
    return check


def sealed_target(world: World, app_connection: Json) -> list[str] | None:
    connection = world.connections.get(world.actor, app_connection["id"])
    data = json.loads(world.sealer.open(connection.secret, connection.seal_context).reveal())
    target: list[str] | None = data.get("for")
    return target


@pytest.mark.parametrize("values", SWAPS)
def test_a_secret_never_leaves_for_another_target(web: ApiClient, values: Json) -> None:
    connection = web.create()
    requests = len(web.world.emulator.ledger)
    swap(web.world, app_connections, **values)
    check = first_check(web, connection)
    assert (check["ok"], check["code"]) == (False, CHANGED)
    assert "enter the credentials" in check["fix"]
    assert web.ask("GET", f"{connection['id']}/clients", expect=400)["code"] == CHANGED
    rotating = {
        "isAutoRotationEnabled": True,
        "rotation": {"rotationInterval": 7, "rotateAtUtc": {"hours": 1, "minutes": 0}},
    }
    assert web.ask("PATCH", connection["id"], rotating, expect=400)["code"] == CHANGED
    assert len(web.world.emulator.ledger) == requests, "something was sent"


def test_a_pointer_that_was_changed_in_the_database_leads_nowhere(web: ApiClient) -> None:
    """What counts is the row of the journal that was sealed together with the target."""
    world = web.world
    first = web.create_rotating()
    other = world.emulator.admin.create_application(
        world.tenant_id, "Other", permissions=(OWNED,), owns_itself=True, secrets=1
    )
    world.applications[other.app_id] = other
    second = web.create_rotating("second", credentials=web.credentials(other))
    world.settle()
    elsewhere = world.connections.get(world.actor, second["id"]).credential_id
    swap(world, app_connections, credential_id=elsewhere)
    assert first_check(web, first)["ok"] is True
    assert first_check(web, second)["ok"] is True


@pytest.mark.parametrize("values", SWAPS[:2])
def test_entering_the_credentials_again_heals_it(web: ApiClient, values: Json) -> None:
    connection = web.create()
    swap(web.world, app_connections, **values)
    web.change(connection, credentials=web.credentials())
    assert first_check(web, connection)["ok"] is True


@pytest.mark.parametrize("values", [{"tenant_id": NOBODY}, {"app_id": NOBODY}, {"cloud": "china"}])
def test_a_rotation_signs_in_nowhere_else(web: ApiClient, values: Json) -> None:
    connection = web.create_rotating()
    web.world.settle()
    swap(web.world, rotations, **values)
    requests = len(web.world.emulator.ledger)
    web.ask("POST", f"{connection['id']}/rotate-credentials")
    web.world.settle()
    (run, *_) = web.ask("GET", f"{connection['id']}/rotation-runs")["rotationRuns"]
    assert run["failure"]["code"] == CHANGED
    assert len(web.world.emulator.ledger) == requests, "something was sent"


def test_what_an_earlier_version_sealed_is_bound_when_a_server_starts(web: ApiClient) -> None:
    connection, world = web.create(), web.world
    write_as_before(world, connection["id"], bound=False)
    assert web.get(connection)["name"] == "prod-entra"
    assert sealed_target(world, connection) is None
    assert first_check(web, connection)["ok"] is True, "before it is bound it works, too"
    older_rows.complete(world.database, world.sealer, world.services.providers, world.clock.now())
    assert sealed_target(world, connection) == ["global", world.tenant_id, world.application.app_id]
    assert (
        web.change(connection, description="x", credentials=web.credentials())["credentialsHash"]
        == connection["credentialsHash"]
    )
    swap(world, app_connections, tenant_id=NOBODY)
    assert first_check(web, connection)["code"] == CHANGED


def test_what_an_earlier_version_sealed_rotates(web: ApiClient) -> None:
    connection, world = web.create_rotating(), web.world
    world.settle()
    write_as_before(world, connection["id"], bound=False)
    web.ask("POST", f"{connection['id']}/rotate-credentials")
    world.settle()
    assert web.get(connection)["rotation"]["rotationStatus"] == "success"
    assert sealed_target(world, connection) is not None


def test_a_server_of_another_cloud_sends_nothing(world: World) -> None:
    connection = world.connect(rotate=False)
    table = emulated_clouds().limited_to("usgov-l4")
    providers = Providers([AzureProvider(world.network("moved"), world.clock, table, ids=world.ids)])
    moved = build(world.database, world.sealer, providers, world.clock, world.ids, "usgov-l4").connections
    requests = len(world.emulator.ledger)
    with pytest.raises(NeedsAction) as caught:
        moved.clients(world.actor, connection.id)
    assert caught.value.code == "azure.other_cloud"
    assert "'global'" in caught.value.message
    assert "KEYTURN_CLOUD=global" in (caught.value.fix or "")
    assert len(world.emulator.ledger) == requests, "something was sent"
