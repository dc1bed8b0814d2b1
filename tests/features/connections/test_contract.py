"""The wire of app connections: what existing clients send and read."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.connections.domain import NewConnection, VerifiedCredentials
from keyturn.connections.writes import ConnectionWriter
from keyturn_simulation.world import World, make_world
from tests.databases import postgres_database
from tests.features.connections.desk import ALL, NOBODY, ROOT, WEEKLY, ApiClient, Json, desk

SHOWN = {
    *("id", "name", "description", "app", "method", "version", "orgId", "projectId", "project"),
    *("isPlatformManagedCredentials", "gatewayId", "gatewayPoolId", "isAutoRotationEnabled"),
    *("credentialsHash", "credentials", "lastCheck", "refusal", "createdAt", "updatedAt", "credentialEndsAt"),
}
WAITING = sa.text("SELECT 1 FROM pg_locks WHERE NOT granted")
STAMP = re.compile(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


# --- creating ---------------------------------------------------------------------------------------------------------


def test_a_connection_looks_as_clients_expect(web: ApiClient) -> None:
    connection = web.create(description="  tenant A ")
    credentials = web.credentials()
    assert set(connection) == SHOWN
    expected = {
        "name": "prod-entra",
        "description": "tenant A",
        "app": "azure-client-secrets",
        "method": "client-secret",
        "version": 1,
        "orgId": web.world.actor.org_id,
        "projectId": None,
        "project": None,
        "isPlatformManagedCredentials": False,
        "gatewayId": None,
        "gatewayPoolId": None,
        "isAutoRotationEnabled": False,
        "credentials": {"tenantId": credentials["tenantId"], "clientId": credentials["clientId"]},
    }
    assert connection.items() >= expected.items()
    assert re.fullmatch(r"[0-9a-f]{64}", connection["credentialsHash"])
    assert STAMP.fullmatch(connection["createdAt"])
    assert STAMP.fullmatch(connection["updatedAt"])
    assert web.get(connection) == connection


def test_unknown_keys_are_ignored_and_ids_may_be_in_capitals(web: ApiClient) -> None:
    credentials = web.credentials()
    capitals = {name: value.upper() for name, value in credentials.items() if name != "clientSecret"}
    connection = web.create(
        App="azure-client-secrets", ID="", credentials=credentials | capitals | {"clientSecretID": "x"}
    )
    assert connection["credentials"] == {"tenantId": credentials["tenantId"], "clientId": credentials["clientId"]}


def test_white_space_around_what_was_pasted_does_not_matter(web: ApiClient) -> None:
    credentials = {name: f"\n {value}\t" for name, value in web.credentials().items()}
    assert web.create(credentials=credentials)["name"] == "prod-entra"


@pytest.mark.parametrize(
    "changes",
    [
        {"gatewayId": None, "gatewayPoolId": None, "isPlatformManagedCredentials": False},
        {"isPlatformManagedCredentials": None, "isAutoRotationEnabled": None, "rotation": None, "projectId": None},
        {"isAutoRotationEnabled": False, "rotation": WEEKLY},
        {"description": None},
        {"description": ""},
    ],
)
def test_what_says_nothing_may_be_sent(web: ApiClient, changes: Json) -> None:
    connection = web.create(**changes)
    assert (connection["description"], connection["isAutoRotationEnabled"], "rotation" in connection) == (
        None,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"name": None}, ["name"], "invalid_type"),
        ({"name": ""}, ["name"], "too_small"),
        ({"name": "x" * 65}, ["name"], "too_big"),
        ({"name": "x" * 1_000_000}, ["name"], "too_big"),
        ({"name": "prod_entra"}, ["name"], "custom"),
        ({"name": "Prod"}, ["name"], "custom"),
        ({"name": "prod--entra"}, ["name"], "custom"),
        ({"name": "-prod"}, ["name"], "custom"),
        ({"name": "prod\x00"}, ["name"], "custom"),
        ({"description": "d" * 257}, ["description"], "too_big"),
        ({"projectId": "not-a-uuid"}, ["projectId"], "invalid_string"),
        ({"gatewayId": NOBODY}, ["gatewayId"], "invalid_type"),
        ({"gatewayPoolId": NOBODY}, ["gatewayPoolId"], "invalid_type"),
        ({"isPlatformManagedCredentials": True}, ["isPlatformManagedCredentials"], "invalid_literal"),
        ({"isAutoRotationEnabled": "yes"}, ["isAutoRotationEnabled"], "invalid_type"),
        ({"isAutoRotationEnabled": True}, ["rotation"], "custom"),
        ({"isAutoRotationEnabled": True, "rotation": None}, ["rotation"], "custom"),
        ({"rotation": {"rotateAtUtc": {"hours": 1, "minutes": 2}}}, ["rotation", "rotationInterval"], "invalid_type"),
        ({"credentials": None}, ["credentials"], "invalid_type"),
        ({"method": "password"}, ["method"], "invalid_union_discriminator"),
        ({"method": None}, ["method"], "invalid_union_discriminator"),
    ],
)
def test_a_body_of_the_wrong_shape(shape: ApiClient, changes: Json, path: list[str], code: str) -> None:
    answer = shape.refused(shape.body() | changes, 422)
    assert answer["error"] == "ValidationFailure"
    assert answer["reqId"].startswith("req-")
    assert [(issue["path"], issue["code"]) for issue in answer["message"]] == [(path, code)]
    assert len(str(answer)) < 1000


def test_the_methods_are_named_when_one_is_unknown(web: ApiClient) -> None:
    (issue,) = web.refused(web.body(method="password"), 422)["message"]
    assert set(issue["options"]) == {"oauth", "client-secret", "certificate", "federated"}


@pytest.mark.parametrize("body", [None, [], "text"])
def test_a_body_that_is_no_object(shape: ApiClient, body: object) -> None:
    shape.ask("POST", "", body, expect=422)


def test_a_body_of_two_megabytes_is_not_read(web: ApiClient) -> None:
    assert web.refused(web.body(name="x" * 2_000_000), 413)["error"] == "PayloadTooLarge"


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        ("oauth", {"code": "", "tenantId": ""}),
        ("certificate", {"tenantId": "", "clientId": "", "certificateBody": " ", "privateKey": ""}),
    ],
)
def test_the_other_methods_name_what_is_missing(web: ApiClient, method: str, missing: Json) -> None:
    issues = web.issues({"name": "prod", "method": method, "credentials": missing})
    assert {path[-1] for path in issues} == set(missing)


def test_something_else_than_a_certificate_is_told(web: ApiClient) -> None:
    credentials = {"tenantId": NOBODY, "clientId": NOBODY, "certificateBody": "MII", "privateKey": "MII"}
    issues = web.issues({"name": "prod", "method": "certificate", "credentials": credentials})
    assert "-----BEGIN CERTIFICATE-----" in issues["credentials", "certificateBody"]


def test_a_name_is_taken_once_in_each_place(web: ApiClient) -> None:
    web.create()
    answer = web.refused(web.body(), 400)
    assert (answer["error"], answer["code"]) == ("BadRequest", "connections.name_taken")
    other = web.create(projectId=web.project_id)
    assert other["projectId"] == web.project_id
    assert other["project"].items() >= {"id": web.project_id, "slug": "payments", "type": "secret-manager"}.items()
    web.refused(web.body(projectId=web.project_id), 400)


def test_an_unknown_project(web: ApiClient) -> None:
    assert web.refused(web.body(projectId=NOBODY), 400)["error"] == "BadRequest"


# --- reading ----------------------------------------------------------------------------------------------------------


def test_options_name_the_methods(web: ApiClient, tmp_path: Path) -> None:
    option = {"name": "Azure Client Secrets", "app": "azure-client-secrets"}
    methods = ["oauth", "client-secret", "certificate", "federated"]
    path = f"{ALL}/options"
    assert web.ask("GET", path, projectType="secret-manager") == {
        "appConnectionOptions": [option | {"methods": methods}]
    }


def test_options_tell_browsers_where_to_sign_in(world: World, tmp_path: Path) -> None:
    with desk(world, tmp_path, oauth_client_id=NOBODY) as web:
        (option,) = web.ask("GET", f"{ALL}/options")["appConnectionOptions"]
    assert option["oauthClientId"] == NOBODY


def test_a_connection_is_found_by_name_in_its_place(web: ApiClient) -> None:
    connection, inside = web.create(), web.create(projectId=web.project_id)
    path = "connection-name/prod-entra"
    assert web.ask("GET", path)["appConnection"]["id"] == connection["id"]
    assert web.ask("GET", path, projectId="")["appConnection"]["id"] == connection["id"]
    assert web.ask("GET", path, projectId=web.project_id)["appConnection"]["id"] == inside["id"]
    assert web.ask("GET", "connection-name/nothing", expect=404)["error"] == "NotFound"
    assert web.ask("GET", path, projectId=NOBODY, expect=404)["error"] == "NotFound"


@pytest.mark.parametrize("path", ["", "/credentials", "/rotation-runs", "/clients"])
def test_ids_are_checked(web: ApiClient, path: str) -> None:
    assert web.ask("GET", f"{ROOT}/{NOBODY}{path}", expect=404)["error"] == "NotFound"
    (issue,) = web.ask("GET", f"{ROOT}/not-a-uuid{path}", expect=422)["message"]
    assert (issue["path"], issue["validation"]) == (["connectionId"], "uuid")


def test_a_trailing_slash_does_not_matter(web: ApiClient) -> None:
    connection = web.ask("POST", f"{ROOT}/", web.body())["appConnection"]
    for path in (ALL, ROOT, f"{ROOT}/{connection['id']}", f"{ROOT}/available", f"{ALL}/options"):
        assert web.ask("GET", f"{path}/") == web.ask("GET", path)
    assert web.ask("PATCH", f"{ROOT}/{connection['id']}/", {"description": "x"})["appConnection"]["description"] == "x"
    web.ask("DELETE", f"{ROOT}/{connection['id']}/")


def test_clients_are_the_applications_that_the_connection_sees(web: ApiClient) -> None:
    connection, application = web.create(), web.world.application
    assert web.ask("GET", f"{connection['id']}/clients")["clients"] == [
        {"id": application.object_id, "name": application.display_name, "appId": application.app_id}
    ]


# --- changing ---------------------------------------------------------------------------------------------------------


def test_only_what_is_sent_changes(web: ApiClient) -> None:
    connection = web.create(description="tenant A")
    assert web.change(connection, name="renamed")["description"] == "tenant A"
    assert web.change(connection, description="tenant B")["name"] == "renamed"
    for nothing in (None, "", "  "):
        assert web.change(connection, description=nothing)["description"] is None
    assert web.change(connection)["version"] == web.change(connection, name="renamed")["version"]
    assert web.get(connection)["credentialsHash"] == connection["credentialsHash"]


def test_the_method_and_the_project_stay_whatever_is_sent(web: ApiClient) -> None:
    connection = web.create()
    changed = web.change(connection, method="oauth", projectId=web.project_id, ID=connection["id"], App="x")
    assert (changed["method"], changed["projectId"]) == ("client-secret", None)


def test_credentials_of_another_method_are_refused(web: ApiClient) -> None:
    connection = web.create()
    for credentials in (
        {"code": "c", "tenantId": NOBODY},
        {"certificateBody": "x", "privateKey": "y", "tenantId": NOBODY},
    ):
        answer = web.refused({"credentials": credentials}, 400, method="PATCH", path=connection["id"])
        assert answer["code"] == "connections.method_fixed"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": None}, ("name",)),
        ({"name": "Prod"}, ("name",)),
        ({"description": 5}, ("description",)),
        ({"credentials": []}, ("credentials",)),
        ({"credentials": {"tenantId": NOBODY, "clientId": NOBODY}}, ("credentials", "clientSecret")),
        ({"rotation": {"rotationInterval": 0}}, ("rotation", "rotationInterval")),
        ({"rotation": {"clientSecretKeyId": "x"}}, ("rotation", "clientSecretKeyId")),
        ({"gatewayId": NOBODY}, ("gatewayId",)),
        ({"isPlatformManagedCredentials": True}, ("isPlatformManagedCredentials",)),
    ],
)
def test_a_change_of_the_wrong_shape(shape: ApiClient, body: Json, path: tuple[str, ...]) -> None:
    connection = shape.create()
    assert set(shape.issues(body, method="PATCH", path=connection["id"])) == {path}


def test_a_change_of_what_is_not_there(web: ApiClient) -> None:
    assert web.refused({"name": "x"}, 404, method="PATCH", path=NOBODY)["error"] == "NotFound"
    assert web.ask("DELETE", NOBODY, expect=404)["error"] == "NotFound"


def test_a_name_in_use_is_refused_on_a_change(web: ApiClient) -> None:
    web.create()
    other = web.create("other")
    answer = web.refused({"name": "prod-entra"}, 400, method="PATCH", path=other["id"])
    assert answer["code"] == "connections.name_taken"


def test_new_credentials_give_a_new_hash(web: ApiClient) -> None:
    connection = web.create()
    second = web.world.emulator.admin.add_secret(web.world.application.object_id, "second")
    changed = web.change(connection, credentials=web.credentials(clientSecret=second.value))
    assert changed["credentialsHash"] != connection["credentialsHash"]
    assert web.change(connection, credentials=web.credentials())["credentialsHash"] == connection["credentialsHash"]


@pytest.mark.parametrize("body", [None, {}, {"ID": "x", "App": "azure-client-secrets"}])
def test_deleting_returns_what_was_deleted(web: ApiClient, body: object) -> None:
    connection = web.create()
    answer = web.ask("DELETE", connection["id"], body)
    assert answer == {"appConnection": connection, "staysValid": []}
    web.ask("GET", connection["id"], expect=404)
    assert web.ask("GET", ALL)["appConnections"] == []


@pytest.mark.postgres
def test_a_name_that_another_server_takes_at_the_same_moment(tmp_path: Path) -> None:
    """The other server's row is not committed yet, so it cannot be seen; the insert waits for it and then collides."""
    with postgres_database() as database:
        world = make_world(database)
        with desk(world, tmp_path) as web, ThreadPoolExecutor(1) as pool:
            with database.write() as tx:
                credentials = world.first_secret()
                ConnectionWriter(world.clock, world.ids, world.sealer, world.services.providers, "global").insert(
                    tx,
                    world.actor,
                    NewConnection("prod-entra", credentials),
                    VerifiedCredentials(credentials, credentials, world.clock.now()),
                )
                request = pool.submit(web.ask, "POST", "", web.body(), expect=400)
                while not tx.rows(WAITING) and not request.done():
                    pass
            assert request.result()["code"] == "connections.name_taken"
            assert len(web.ask("GET", ALL)["appConnections"]) == 1
