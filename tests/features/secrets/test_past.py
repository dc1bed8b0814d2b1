"""The promise of the past of a folder: method, path and JSON.

GET    /api/v2/folders/ID/past              ?revision=N or at=MOMENT, viewSecretValue -> {"revision", "secrets": [...]}
GET    /api/v2/folders/ID/past/difference   ?revision=N or at=MOMENT -> {"revision", "added", "changed", "removed", "kept"}
POST   /api/v2/folders/ID/rollback          {"revision": N} or {"at": MOMENT} -> the same, when it was done: all, or nothing
"""

from datetime import timedelta

import sqlalchemy as sa

from keyturn.db.tables import secrets
from keyturn.kit.clock import iso
from tests.features.secrets.desk import V3, Json, SecretsClient
from tests.features.secrets.many import add_many


def was(web: SecretsClient, folder: Json, **query: object) -> dict[str, str]:
    answer = web.ask("GET", f"/api/v2/folders/{folder['id']}/past", **query)
    return {secret["secretKey"]: secret["secretValue"] for secret in answer["secrets"]}


def put_back(web: SecretsClient, folder: Json, revision: int) -> tuple[list[str], list[str], list[str], list[str]]:
    """Ask what would be done, do it, and return it."""
    path = f"/api/v2/folders/{folder['id']}"
    before = len(web.feed())
    planned = web.ask("GET", f"{path}/past/difference", revision=revision)
    assert len(web.feed()) == before
    done = web.ask("POST", f"{path}/rollback", {"revision": revision})
    assert done == planned
    return done["added"], done["changed"], done["removed"], done["kept"]


def test_a_folder_is_seen_as_it_was_and_put_back(web: SecretsClient) -> None:
    folder = web.folder("/app")
    web.put("SAME", "value that stays", path="/app")
    web.put("KEY", "first value of it", path="/app", secretComment="first", secretMetadata=[{"key": "k", "value": "v"}])
    web.put("GONE", "value of gone", path="/app")
    web.put("OLD", "value of old", path="/app")
    revision, moment = len(web.feed()), web.world.clock.now()
    then = {"SAME": "value that stays", "KEY": "first value of it", "GONE": "value of gone", "OLD": "value of old"}
    web.world.clock.advance(60)
    here = web.at(path="/app")
    web.ask(
        "PATCH", f"{V3}/KEY", {**here, "secretValue": "second value of it", "secretComment": "", "secretMetadata": []}
    )
    web.ask("DELETE", f"{V3}/GONE", here)
    web.ask("PATCH", f"{V3}/OLD", {**here, "newSecretName": "NEW"})
    web.put("OLD", "another that is called old", path="/app")
    web.put("NEW2", "value of new", path="/app")
    web.put("ELSEWHERE", "value at the root")
    now = web.values(path="/app")

    assert was(web, folder, revision=revision) == was(web, folder, at=iso(moment)) == then
    assert was(web, folder, revision=0) == was(web, folder, at=iso(moment - timedelta(days=1))) == {}
    assert was(web, folder, revision=len(web.feed())) == now
    hidden = was(web, folder, revision=revision, viewSecretValue="false")
    assert set(hidden.values()) == {"<hidden-by-infisical>"}

    assert put_back(web, folder, revision) == (["GONE"], ["KEY", "OLD"], ["NEW2", "OLD"], [])
    assert web.values(path="/app") == then
    key = web.get("KEY", path="/app")
    assert (key["version"], key["secretComment"]) == (3, "first")
    assert key["secretMetadata"] == [{"key": "k", "value": "v", "isEncrypted": False}]
    assert web.values() == {"ELSEWHERE": "value at the root"}
    assert put_back(web, folder, revision) == ([], [], [], [])
    [event] = web.trail("rollback-folder")
    assert (event["added"], event["changed"], event["removed"], event["revision"]) == (1, 2, 2, revision)
    assert [number for number, _ in web.feed()] == list(range(1, len(web.feed()) + 1))

    put_back(web, folder, revision + 6)  # and forth again
    assert web.values(path="/app") == now


def test_reads_of_the_past_are_in_the_trail(web: SecretsClient) -> None:
    folder = web.folder("/app")
    web.put("KEY", "value that is read", path="/app")
    for _ in range(2):
        was(web, folder, revision=2)
    was(web, folder, revision=2, viewSecretValue="false")
    [event] = web.trail("get-secrets")
    assert (event["secretPath"], event["numberOfSecrets"], event["revision"]) == ("/app", 1, 2)


def test_who_may_not_do_all_of_it_does_nothing_of_it(web: SecretsClient) -> None:
    folder = web.folder("/app")
    web.put("KEY", "value to be kept", path="/app")
    path, before = f"/api/v2/folders/{folder['id']}", web.counts()
    for who, expected in (("viewer", 403), ("nobody", 403), ("stranger", 404)):
        web.ask("POST", f"{path}/rollback", {"revision": 1}, who=who, expect=expected)
    for who, expected in (("nobody", 403), ("stranger", 404)):
        web.ask("GET", f"{path}/past", revision=1, who=who, expect=expected)
        web.ask("GET", f"{path}/past/difference", revision=1, who=who, expect=expected)
    for body, code in (
        ({}, "request.invalid"),
        ({"revision": 1, "at": "2026-01-01T00:00:00Z"}, "request.invalid"),
        ({"revision": -1}, "request.invalid"),
        ({"at": "yesterday"}, "request.invalid"),
        ({"revision": 99}, "secrets.no_such_revision"),
    ):
        refused = web.ask("POST", f"{path}/rollback", body, expect=422 if code == "request.invalid" else 400)
        assert refused.get("code", code) == code
    web.ask("POST", "/api/v2/folders/none/rollback", {"revision": 1}, expect=404)
    assert web.counts() == before


def test_a_rollback_that_cannot_be_whole_does_nothing(web: SecretsClient) -> None:
    folder, here = web.folder("/app"), web.at(path="/app")
    web.put("A", "value of a", path="/app")
    web.put("B", "value of b", path="/app")
    web.put("USER", "${dev.OTHER}", path="/app")
    revision = len(web.feed())
    web.ask("PATCH", f"{V3}/USER", {**here, "secretValue": "value without a reference"})
    web.put("OTHER", "${dev.app.USER}")
    web.put("LATER", "value added later", path="/app")
    before = web.values(path="/app")
    path = f"/api/v2/folders/{folder['id']}/rollback"
    assert web.ask("POST", path, {"revision": revision}, expect=400)["code"] == "secrets.reference_circle"
    for old, new in (("A", "C"), ("B", "A"), ("C", "B")):
        web.ask("PATCH", f"{V3}/{old}", {**here, "newSecretName": new})
    web.ask("DELETE", f"{V3}/OTHER", web.at())
    exchanged = web.ask("POST", path, {"revision": revision}, expect=400)
    assert exchanged["code"] == "secrets.past_names_exchanged"
    assert web.values(path="/app") == before | {"A": "value of b", "B": "value of a"}
    web.ask("PATCH", f"{V3}/{exchanged['fix'].split(chr(39))[1]}", {**here, "newSecretName": "FREE"})
    web.ask("POST", path, {"revision": revision})
    assert web.values(path="/app") == {"A": "value of a", "B": "value of b", "USER": "${dev.OTHER}"}


def test_a_personal_value_goes_with_the_shared_one(web: SecretsClient) -> None:
    folder = web.folder("/app")
    web.put("KEY", "value for everybody", path="/app")
    web.put("KEY", "value for me alone", path="/app", type="personal")
    web.ask("PATCH", f"{V3}/KEY", web.at(path="/app", newSecretName="NAME"))
    put_back(web, folder, 2)
    assert web.get("KEY", path="/app", type="personal")["secretValue"] == "value for me alone"
    put_back(web, folder, 1)
    assert web.values(path="/app") == {}
    web.ask("GET", f"{V3}/KEY", **web.at(path="/app"), type="personal", expect=404)


def test_large_folders_are_seen_part_by_part_and_too_much_is_not_put_back(web: SecretsClient) -> None:
    folder, world = web.folder("/many"), web.world
    values = [(f"NAME_{number:05}", "value") for number in range(2100)]
    add_many(world.database, world.sealer, world.ids, web.id, folder["id"], values)
    assert was(web, folder, revision=1) == dict(values)
    with world.database.write() as tx:
        tx.run(sa.update(secrets).values(added_revision=1))
    assert was(web, folder, revision=0) == {}
    path = f"/api/v2/folders/{folder['id']}/rollback"
    assert web.ask("POST", path, {"revision": 0}, expect=400)["code"] == "secrets.too_much_to_roll_back"
    assert web.counts()["secrets"] == 2100
