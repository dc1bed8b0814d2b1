"""The wire of secret rotations: what existing clients send and read.

GET    /api/v2/secret-rotations/options                                    {"secretRotationOptions": [...]}
GET    /api/v2/secret-rotations?projectId=                                 {"secretRotations": [...]}
GET    /api/v2/secret-rotations/azure-client-secret?projectId=             {"secretRotations": [...]}
POST   .../azure-client-secret                                             {"secretRotation": {...}}
GET    .../azure-client-secret/:id                                         {"secretRotation": {...}}
GET    .../azure-client-secret/rotation-name/:name?projectId=&environment=&secretPath=
PATCH  .../azure-client-secret/:id                                         {"secretRotation": {...}}
DELETE .../azure-client-secret/:id?deleteSecrets=&revokeGeneratedCredentials=
GET    .../azure-client-secret/:id/generated-credentials                   {"generatedCredentials": [1 or 2], "activeIndex": ...}
POST   .../azure-client-secret/:id/rotate-secrets                          {"secretRotation": {...}}, when it is done
POST   .../azure-client-secret/:id/check-credentials                       204
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.databases import sqlite_database
from tests.features.rotations.secret_desk import ALL, CONNECTIONS, NOBODY, Json, RotationClient, desk, make_application

STAMP = re.compile(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NAMES = {"clientId": "AZURE_CLIENT_ID", "clientSecret": "AZURE_CLIENT_SECRET"}
SHOWN = {
    *("id", "name", "description", "type", "projectId", "connectionId", "folderId", "connection", "environment"),
    *("folder", "parameters", "secretsMapping", "isAutoRotationEnabled", "rotationInterval", "rotateAtUtc"),
    *("activeIndex", "rotationStatus", "lastRotationAttemptedAt", "lastRotatedAt", "lastRotationJobId"),
    *("lastRotationMessage", "isLastRotationManual", "nextRotationAt", "createdAt", "updatedAt"),
}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[RotationClient]:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as opened:
        yield opened
        told = "".join(opened.answers)
        assert not [secret for secret in opened.world.values_ever_issued() if secret in told], "a secret shows"


# --- creating ---------------------------------------------------------------------------------------------------------


def test_a_rotation_looks_as_clients_expect_and_its_secrets_are_there(web: RotationClient) -> None:
    rotation = web.create(description="  of accounting ")
    assert set(rotation) >= SHOWN
    app = web.application
    expected = {
        "name": "billing-app",
        "description": "of accounting",
        "type": "azure-client-secret",
        "projectId": web.project,
        "connectionId": web.connection,
        "connection": {"app": "azure-client-secrets", "name": "prod-entra", "id": web.connection},
        "folder": {"id": rotation["folderId"], "path": "/billing"},
        "parameters": {"objectId": app.object_id, "clientId": app.app_id, "appName": "Billing"},
        "secretsMapping": NAMES,
        "isAutoRotationEnabled": True,
        "rotationInterval": 30,
        "rotateAtUtc": {"hours": 0, "minutes": 0},
        "activeIndex": 0,
        "rotationStatus": "success",
        "lastRotationJobId": None,
        "lastRotationMessage": None,
        "isLastRotationManual": True,
        # Made at 9:30: a run later in the day than the schedule's time gets a full interval.
        "nextRotationAt": "2026-04-02T00:00:00.000Z",
    }
    assert rotation.items() >= expected.items()
    assert rotation["environment"].items() >= {"slug": "prod", "name": "Production"}.items()
    for name in ("createdAt", "updatedAt", "lastRotatedAt", "lastRotationAttemptedAt"):
        assert STAMP.fullmatch(rotation[name])
    assert web.get(rotation) == rotation
    for secret in web.secrets():
        assert (secret["isRotatedSecret"], secret["rotationId"], secret["type"]) == (True, rotation["id"], "shared")
    values = web.values()
    assert values["AZURE_CLIENT_ID"] == app.app_id
    assert web.signs_in(values["AZURE_CLIENT_SECRET"])
    assert len(web.keys()) == 1


def test_what_is_optional_may_be_absent_and_text_may_stand_for_the_number(web: RotationClient) -> None:
    body = web.body(rotationInterval="7", secretPath="/billing/")
    for name in ("Provider", "description", "isAutoRotationEnabled", "rotateAtUtc"):
        del body[name]
    rotation = web.ask("POST", "", body)["secretRotation"]
    assert (rotation["description"], rotation["isAutoRotationEnabled"]) == (None, True)
    assert (rotation["rotationInterval"], rotation["rotateAtUtc"]) == (7, {"hours": 0, "minutes": 0})
    assert rotation["folder"]["path"] == "/billing"


def test_lists_and_names(web: RotationClient) -> None:
    assert web.ask("GET", f"{ALL}/options")["secretRotationOptions"] == [
        {
            "name": "Azure Client Secret",
            "type": "azure-client-secret",
            "connection": "azure-client-secrets",
            "template": {"secretsMapping": NAMES},
        }
    ]
    assert web.ask("GET", "", projectId=web.project) == {"secretRotations": []}
    rotation = web.create()
    for url in (ALL, ""):
        assert web.ask("GET", url, projectId=web.project) == {"secretRotations": [rotation]}
        assert web.ask("GET", url, expect=422)["error"] == "ValidationFailure"
    where = {"projectId": web.project, "environment": "prod", "secretPath": "/billing"}
    assert web.ask("GET", "rotation-name/billing-app", **where)["secretRotation"] == rotation
    assert web.ask("GET", "rotation-name/other", **where, expect=404)["error"] == "NotFound"
    assert web.ask("GET", NOBODY, expect=404)["error"] == "NotFound"
    assert web.ask("GET", "no-uuid", expect=422)["error"] == "ValidationFailure"


CANNOT_BE: list[tuple[Json, int, str]] = [
    ({"name": "Billing_App"}, 422, "name"),
    ({"rotationInterval": 0}, 422, "rotationInterval"),
    ({"secretsMapping": {"clientId": "A", "clientSecret": "A"}}, 422, "different names"),
    ({"secretsMapping": {"clientId": "A:B", "clientSecret": "B"}}, 400, "colon"),
    ({"environment": "nowhere"}, 404, "environment"),
    ({"secretPath": "/nowhere"}, 404, "folder"),
    ({"connectionId": NOBODY}, 404, "connection"),
    ({"projectId": NOBODY}, 404, "project"),
    ({"overlap": "until-consumers-switched:400d"}, 400, "until-next-rotation"),
    ({"overlap": "for ever"}, 400, "until-next-rotation"),
]


def test_a_request_that_cannot_be_is_refused_and_leaves_nothing(web: RotationClient) -> None:
    for changes, status, words in CANNOT_BE:
        answer = web.refused(web.body(**changes), status)
        assert words in str([answer["message"], answer.get("fix")]), changes


def test_names_that_are_taken_are_refused_before_anything_is_asked_for(web: RotationClient) -> None:
    web.create()
    other = make_application(web.world, "Shop")
    again = web.refused(web.body("billing-app", other, secretsMapping={"clientId": "A", "clientSecret": "B"}))
    assert "billing-app" in again["message"]
    where = {"workspaceId": web.project, "environment": "prod", "secretPath": "/billing", "secretValue": "typed"}
    web.ask("POST", "/api/v3/secrets/raw/TAKEN", where)
    for names in ({"clientId": "A", "clientSecret": "TAKEN"}, NAMES):
        taken = web.refused(web.body("shop", other, secretsMapping=names))
        assert any(name in taken["message"] for name in names.values())
    assert not web.keys(other)


def test_what_entra_refuses_is_told_and_leaves_nothing(web: RotationClient) -> None:
    stranger = make_application(web.world, "Shop")
    mixed = web.body(parameters={"objectId": stranger.object_id, "clientId": web.application.app_id})
    assert "object" in web.refused(mixed)["message"].lower()
    gone = web.body(parameters={"objectId": NOBODY, "clientId": web.application.app_id})
    web.refused(gone)
    own = web.refused(web.body("self", web.world.application))
    assert "sign" in own["message"], "the connection's own application is rotated by the connection"


def test_a_first_run_that_fails_is_a_400_in_entras_words_and_leaves_nothing(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as web:
        web.forbid_new_secrets()
        before = web.remains()
        answer = web.ask("POST", "", web.body(), expect=400)
        assert answer["message"]
        web.days(1)
        after = web.remains()
        for table in ("secret_rotations", "mapped_secrets", "secrets", "secret_versions", "application_claims"):
            assert after[table] == before[table], table
        assert not web.keys()
        assert web.secrets() == []
        assert web.ask("GET", "", projectId=web.project) == {"secretRotations": []}


def test_a_first_run_that_takes_too_long_is_a_504_and_is_undone(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as web:
        web.world.emulator.admin.configure(web.world.tenant_id, token_appear=(240.0, 240.0))
        answer = web.ask("POST", "", web.body(), expect=504)
        assert answer["fix"] or answer["message"]
        web.days(1)
        assert web.secrets() == []
        assert not web.keys()
        assert web.ask("GET", "", projectId=web.project) == {"secretRotations": []}


def test_the_same_create_again_answers_what_there_is(web: RotationClient) -> None:
    rotation = web.create()
    writes = web.remains()["writes at Entra"]
    assert web.create()["id"] == rotation["id"]
    assert web.remains()["writes at Entra"] == writes
    names = {"clientId": "A", "clientSecret": "B"}
    assert "billing-app" in web.refused(web.body(secretsMapping=names))["message"], "another one of the same name"


# --- rotating ---------------------------------------------------------------------------------------------------------


def test_a_rotation_answers_when_the_new_secret_is_there_and_the_old_one_still_works(web: RotationClient) -> None:
    rotation = web.create()
    first = web.values()["AZURE_CLIENT_SECRET"]
    rotated = web.rotate(rotation)
    second = web.values()["AZURE_CLIENT_SECRET"]
    assert first != second
    assert (rotated["activeIndex"], rotated["rotationStatus"], rotated["isLastRotationManual"]) == (1, "success", True)
    generated = web.ask("GET", f"{rotation['id']}/generated-credentials")
    assert (generated["rotationId"], generated["type"]) == (rotation["id"], "azure-client-secret")
    assert [each["clientSecret"] for each in generated["generatedCredentials"]] == [first, second]
    assert {each["keyId"] for each in generated["generatedCredentials"]} == set(web.keys())
    assert generated["activeIndex"] == 1
    assert web.signs_in(first)
    assert web.signs_in(second)
    web.days(31)
    third = web.values()["AZURE_CLIENT_SECRET"]
    assert third not in {first, second}
    assert (web.get(rotation)["activeIndex"], web.get(rotation)["isLastRotationManual"]) == (0, False)
    assert [web.signs_in(value) for value in (first, second, third)] == [False, True, True]


def test_two_who_ask_at_once_get_one_rotation(web: RotationClient) -> None:
    rotation = web.create()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: web.rotate(rotation), range(2)))
    assert [answer["activeIndex"] for answer in answers] == [1, 1]
    assert len(web.keys()) == 2


def test_a_rotation_that_entra_refuses_is_a_500_and_shows_why(web: RotationClient) -> None:
    rotation = web.create()
    value = web.values()["AZURE_CLIENT_SECRET"]
    web.forbid_new_secrets()
    answer = web.ask("POST", f"{rotation['id']}/rotate-secrets", expect=500)
    assert answer["error"] == "InternalServerError"
    shown = web.get(rotation)
    assert shown["rotationStatus"] == "failed"
    assert answer["message"] in shown["lastRotationMessage"]
    assert web.values()["AZURE_CLIENT_SECRET"] == value


def test_a_leaked_secret_is_replaced_and_all_older_ones_go(web: RotationClient) -> None:
    rotation = web.create()
    web.rotate(rotation)
    old = [each["clientSecret"] for each in _generated(web, rotation)]
    web.rotate(rotation, reason="leaked")
    web.days(0.1)
    assert not any(web.signs_in(value) for value in old)
    assert web.signs_in(web.values()["AZURE_CLIENT_SECRET"])
    assert len(web.keys()) == 1


def _generated(web: RotationClient, rotation: dict[str, object]) -> list[dict[str, str]]:
    generated: list[dict[str, str]] = web.ask("GET", f"{rotation['id']}/generated-credentials")["generatedCredentials"]
    return generated


def test_credentials_are_checked_by_signing_in(web: RotationClient) -> None:
    rotation = web.create()
    assert web.ask("POST", f"{rotation['id']}/check-credentials", expect=204) == {}
    (key_id,) = web.keys()
    web.world.emulator.admin.remove_secret(web.application.object_id, key_id)
    answer = web.ask("POST", f"{rotation['id']}/check-credentials", expect=400)
    assert "AADSTS7000215" in answer["message"]


# --- changing ---------------------------------------------------------------------------------------------------------


def test_what_is_absent_stays_and_another_mapping_renames_the_secrets(web: RotationClient) -> None:
    rotation = web.create(isAutoRotationEnabled=False)
    assert rotation["nextRotationAt"] is None
    before = web.values()
    names = {"clientId": "APP_ID", "clientSecret": "APP_SECRET"}
    changed = web.change(rotation, name="accounting", secretsMapping=names, rotationInterval=9, description="new")
    assert (changed["name"], changed["secretsMapping"], changed["description"]) == ("accounting", names, "new")
    assert (changed["isAutoRotationEnabled"], changed["rotationInterval"]) == (False, 9)
    assert web.values() == {"APP_ID": before["AZURE_CLIENT_ID"], "APP_SECRET": before["AZURE_CLIENT_SECRET"]}
    assert web.change(rotation, isAutoRotationEnabled=True)["nextRotationAt"] == "2026-03-12T00:00:00.000Z"


def test_what_cannot_change_is_refused_and_not_passed_over(web: RotationClient) -> None:
    rotation = web.create()
    other = make_application(web.world, "Shop")
    another: Json = {"parameters": {"objectId": other.object_id, "clientId": other.app_id}}
    for changes in (another, {"environment": "dev"}, {"secretPath": "/"}):
        answer = web.refused({"description": "half", **changes}, method="PATCH", url=rotation["id"])
        assert answer["fix"]
    assert web.get(rotation)["description"] is None


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_without_flags_the_secrets_stay_as_ordinary_ones_and_the_keys_stay_valid(web: RotationClient) -> None:
    rotation = web.create()
    values = web.values()
    answer = web.ask("DELETE", rotation["id"], {"Provider": "azure-client-secret", "ID": rotation["id"]})
    assert answer["secretRotation"]["id"] == rotation["id"]
    assert [each["keyId"] for each in answer["staysValid"]] == list(web.keys())
    assert web.ask("GET", rotation["id"], expect=404)["error"] == "NotFound"
    assert web.values() == values
    assert {(each["isRotatedSecret"], each["rotationId"]) for each in web.secrets()} == {(False, None)}
    web.days(2)
    assert web.signs_in(values["AZURE_CLIENT_SECRET"])
    taken = web.refused(web.body())
    assert "AZURE_CLIENT" in taken["message"]


def test_with_both_flags_nothing_is_left(web: RotationClient) -> None:
    rotation = web.create()
    web.rotate(rotation)
    flags = {"deleteSecrets": "true", "revokeGeneratedCredentials": "true"}
    assert web.ask("DELETE", rotation["id"], **flags)["staysValid"] == []
    assert web.secrets() == []
    web.days(1)
    assert not web.keys()
    assert web.create()["activeIndex"] == 0, "the application may be rotated again"


# --- who may ----------------------------------------------------------------------------------------------------------


def test_viewers_look_and_members_change(web: RotationClient) -> None:
    connection = web.ask("POST", CONNECTIONS, _own_connection(web))["appConnection"]["id"]
    body = web.body(connectionId=connection)
    for who, status in (("viewer", 403), ("nobody", 403), ("stranger", 404)):
        web.ask("POST", "", body, who=who, expect=status)
    rotation = web.ask("POST", "", body, who="robot")["secretRotation"]
    one = rotation["id"]
    assert web.ask("GET", one, who="viewer")["secretRotation"] == rotation
    for method, url in (("PATCH", one), ("DELETE", one), ("POST", f"{one}/rotate-secrets")):
        web.ask(method, url, {}, who="viewer", expect=403)
    for method, url in (("GET", one), ("PATCH", one), ("POST", f"{one}/check-credentials")):
        web.ask(method, url, {} if method != "GET" else None, who="nobody", expect=403)
        web.ask(method, url, {} if method != "GET" else None, who="stranger", expect=404)
    assert web.ask("PATCH", one, {"description": "mine"}, who="member")["secretRotation"]["description"] == "mine"


def _own_connection(web: RotationClient) -> dict[str, object]:
    """A connection of the project, with an application of its own that may write all others."""
    own = make_application(web.world, "Payments' own", permissions=("Application.ReadWrite.All",), secrets=1)
    given = web.world.first_secret(own)
    credentials = {"tenantId": given.tenant_id, "clientId": given.client_id, "clientSecret": given.secret.reveal()}
    return {"name": "own", "method": "client-secret", "projectId": web.project, "credentials": credentials}


# --- values by hand ---------------------------------------------------------------------------------------------------


def test_nobody_changes_a_rotated_value_by_hand(web: RotationClient) -> None:
    web.create()
    where = {"workspaceId": web.project, "environment": "prod", "secretPath": "/billing"}
    for change in ({"secretValue": "typed"}, {"newSecretName": "OTHER"}):
        answer = web.ask("PATCH", "/api/v3/secrets/raw/AZURE_CLIENT_SECRET", where | change, expect=400)
        assert "billing-app" in str(answer)
    web.ask("DELETE", "/api/v3/secrets/raw/AZURE_CLIENT_SECRET", where, expect=400)
    assert set(web.values()) == set(NAMES.values())
