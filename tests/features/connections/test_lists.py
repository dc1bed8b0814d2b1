"""Lists: what is in them, in which order, and what they cost."""

import pytest

from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.sealing import Sealer
from tests.features.connections.desk import ALL, NOBODY, ROOT, ApiClient, Json, statements


def names(answer: Json) -> list[str]:
    return [connection["name"] for connection in answer["appConnections"]]


@pytest.fixture
def stocked(web: ApiClient) -> ApiClient:
    web.create("zulu")
    web.create("alpha")
    web.create("mike", projectId=web.project_id)
    return web


def test_lists_are_in_order_of_the_name(stocked: ApiClient) -> None:
    for path in (ALL, ROOT):
        assert names(stocked.ask("GET", path)) == ["alpha", "mike", "zulu"]
        assert names(stocked.ask("GET", path, projectId="")) == ["alpha", "mike", "zulu"]
        assert names(stocked.ask("GET", path, projectId=stocked.project_id)) == ["mike"]
        assert stocked.ask("GET", path, projectId=NOBODY, expect=404)["error"] == "NotFound"
        stocked.ask("GET", path, projectId="payments", expect=422)


def test_available_are_those_of_the_organization_and_of_the_project(stocked: ApiClient) -> None:
    path = f"{ROOT}/available"
    assert names(stocked.ask("GET", path)) == ["alpha", "zulu"]
    within = stocked.ask("GET", path, projectId=stocked.project_id)
    assert names(within) == ["alpha", "mike", "zulu"]
    assert set(within["appConnections"][1]) == {"app", "name", "id", "projectId", "orgId"}
    assert within["appConnections"][1]["projectId"] == stocked.project_id


def test_an_empty_list(web: ApiClient) -> None:
    assert web.ask("GET", ALL) == {"appConnections": []}
    assert web.ask("GET", f"{ROOT}/available") == {"appConnections": []}


def test_a_list_shows_what_a_single_connection_shows(web: ApiClient) -> None:
    rotating = web.create_rotating("alpha")
    web.world.settle()
    application = web.world.emulator.admin.create_application(web.world.tenant_id, "Other", secrets=1)
    plain = web.create("mike", projectId=web.project_id, credentials=web.credentials(application))
    assert web.ask("GET", ALL)["appConnections"] == [web.get(rotating), web.get(plain)]


def test_a_long_list_costs_as_many_statements_as_a_short_one(web: ApiClient) -> None:
    counts = []
    for size in (1, 12):
        for number in range(size):
            application = web.world.emulator.admin.create_application(
                web.world.tenant_id,
                f"App {size}-{number}",
                permissions=("Application.ReadWrite.OwnedBy",),
                owns_itself=True,
            )
            web.create_rotating(
                f"c-{size}-{number}", credentials=web.credentials(application), projectId=web.project_id
            )
        with statements(web) as executed:
            connections = web.ask("GET", ALL)["appConnections"]
        assert all(connection["rotation"]["activeRun"] for connection in connections)
        counts.append(len(executed))
    assert counts[0] == counts[1] <= 5


class Blind:
    """A sealer that refuses to open anything."""

    def seal(self, value: Plaintext, place: SealContext) -> Sealed:
        raise AssertionError("nothing is sealed here")

    def open(self, sealed: Sealed, place: SealContext) -> Plaintext:
        raise AssertionError("nothing is opened here")


def test_reading_never_decrypts(web: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = web.create_rotating()
    web.world.settle()
    blind: Sealer = Blind()
    for name in ("seal", "open"):
        monkeypatch.setattr(web.world.sealer, name, getattr(blind, name))
    for path in (
        "",
        f"/{connection['id']}",
        f"/{connection['id']}/credentials",
        f"/{connection['id']}/rotation-runs",
        "/available",
    ):
        web.ask("GET", f"{ROOT}{path}")
