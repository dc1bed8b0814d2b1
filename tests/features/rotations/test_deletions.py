"""The promise of deletions: method, path and JSON.

GET  /api/v1/deletions/preview  ?projectId[&environmentId|&folderId]
                                -> {"folders", "secrets", "secretRotations": [R], "hidden", "restorableUntil"}
POST /api/v1/deletions          {"projectId", "environmentId" | "folderId", "endSecretRotations"} -> {"deletion": D}
GET  /api/v1/deletions          [?projectId] -> {"deletions": [D]}
POST /api/v1/deletions/ID/restore  {"name"} -> {"deletion": D}

R: id, name, applicationName, environment, secretPath, staysValid: [{keyId, endsAt}]
D: id, kind, subjectId, projectId, name, environment, secretPath, deletedBy, deletedAt, restorableUntil
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.crypto.rewrap import sealed_columns
from keyturn.db.tables import deleted_values
from keyturn.db.unit import Database
from keyturn.kit.secret import Plaintext
from keyturn.secrets.restoring import Restoring, remove_for_good
from tests.databases import sqlite_database
from tests.features.rotations.applications import Applications, make_applications
from tests.features.rotations.page_desk import page_desk
from tests.features.rotations.secret_desk import Json, RotationClient, desk

DELETIONS = "/api/v1/deletions"
V3 = "/api/v3/secrets/raw"
KEPT_ROWS = {"deletions", "deleted_rows", "deleted_values"}
APART = {*KEPT_ROWS, "audit_events", "audit_links", "audit_chains", "changes"}
"""Tables that tell of a deletion, and of its end."""


@pytest.fixture
def web(database: Database, tmp_path: Path) -> Iterator[RotationClient]:
    with desk(database, tmp_path) as opened:
        yield opened


def place(web: RotationClient, environment: str = "prod", **more: str) -> Json:
    return {"workspaceId": web.project, "environment": environment, **more}


def values(
    web: RotationClient, environment: str = "prod", path: str = "/billing", who: str | None = None
) -> dict[str, str]:
    query = place(web, environment, secretPath=path, recursive="true")
    return {each["secretKey"]: each["secretValue"] for each in web.ask("GET", V3, who=who, **query)["secrets"]}


def fill(web: RotationClient) -> Json:
    """Put into /billing what there can be in a folder; return the secret rotation that publishes there."""
    folder = place(web, path="/billing", name="inner")
    web.ask("POST", "/api/v1/folders", folder)
    body = place(web, secretPath="/billing/inner", secretValue="${prod.billing.OTHER}-plain", secretComment="of a test")
    web.ask("POST", f"{V3}/PLAIN", body)
    web.ask("PATCH", f"{V3}/PLAIN", {**body, "secretValue": "second value"})
    web.ask("POST", f"{V3}/OTHER", place(web, secretPath="/billing", secretValue="a" * 5000))
    personal = {**place(web, secretPath="/billing", secretValue="only the member's"), "type": "personal"}
    web.ask("POST", f"{V3}/OTHER", personal, who="member")
    return web.create()


def folder_id(web: RotationClient) -> str:
    (folder,) = web.ask("GET", "/api/v1/folders", **place(web, path="/"))["folders"]
    found: str = folder["id"]
    return found


def rows(web: RotationClient) -> dict[str, int]:
    return {table: count for table, count in web.remains().items() if table not in APART}


def restore(web: RotationClient, deletion: Json, /, expect: int = 200, **body: str) -> Json:
    return web.ask("POST", f"{DELETIONS}/{deletion['id']}/restore", body, expect=expect)


def test_a_folder_goes_with_its_rotations_when_asked_and_comes_back_within_a_week(web: RotationClient) -> None:
    rotation = fill(web)
    before, folder = values(web), folder_id(web)
    asked = {"projectId": web.project, "folderId": folder}
    preview = web.ask("GET", f"{DELETIONS}/preview", **asked)
    assert (preview["folders"], preview["secrets"], preview["hidden"]) == (2, 4, 0)
    (ending,) = preview["secretRotations"]
    assert (ending["name"], ending["secretPath"], len(ending["staysValid"])) == ("billing-app", "/billing", 1)
    there = web.remains()
    refusal = web.ask("DELETE", f"/api/v1/folders/{folder}", place(web, path="/"), expect=400)
    assert "endSecretRotations" in refusal["fix"]
    web.ask("POST", DELETIONS, asked, expect=400)
    web.ask("POST", DELETIONS, {**asked, "endSecretRotations": True}, who="viewer", expect=403)
    assert web.remains() == there
    deletion = web.ask("POST", DELETIONS, {**asked, "endSecretRotations": True})["deletion"]
    assert (deletion["kind"], deletion["environment"], deletion["secretPath"]) == ("folder", "prod", "/billing")
    web.ask("GET", rotation["id"], expect=404)
    assert values(web, path="/") == {}
    assert web.world.signs_in(Plaintext(before["AZURE_CLIENT_SECRET"]), web.application)
    open_with_its_place(web)
    web.ask("POST", "/api/v1/folders", place(web, path="/", name="billing"))  # its name is free at once
    assert [each["id"] for each in web.ask("GET", DELETIONS, projectId=web.project)["deletions"]] == [deletion["id"]]
    assert web.ask("GET", DELETIONS, projectId=web.project, who="viewer")["deletions"] == []
    assert restore(web, deletion, expect=400)["code"] == "secrets.folder_taken"
    web.ask("POST", f"{DELETIONS}/{deletion['id']}/restore", {"name": "old"}, who="viewer", expect=403)
    restored = restore(web, deletion, name="old")["deletion"]
    assert restored["secretPath"] == "/old"
    assert values(web, path="/old") == before
    mine = web.ask("GET", f"{V3}/OTHER", who="member", **place(web, secretPath="/old", type="personal"))["secret"]
    assert mine["secretValue"] == "only the member's"
    secrets = web.ask("GET", V3, **place(web, secretPath="/old"))["secrets"]
    assert not any(secret["isRotatedSecret"] for secret in secrets)
    restore(web, deletion, expect=404)
    assert not any(web.remains()[table] for table in KEPT_ROWS)


def open_with_its_place(web: RotationClient) -> None:
    """Make sure that a change of keys finds what is kept sealed."""
    (column,) = (each for each in sealed_columns() if each.table is deleted_values)
    with web.world.database.read() as tx:
        kept = tx.rows(sa.select(deleted_values))
    assert kept
    for row in kept:
        web.world.sealer.open(row["value"], column.place(row))


def test_environment_and_project_come_back_as_they_were(web: RotationClient) -> None:
    rotation = fill(web)
    web.ask("DELETE", rotation["id"])
    before, there = values(web), rows(web)
    project = web.ask("GET", f"/api/v1/projects/{web.project}")["project"]
    prod = next(each for each in project["environments"] if each["slug"] == "prod")
    environments = f"/api/v1/projects/{web.project}/environments"
    web.ask("DELETE", f"{environments}/{prod['id']}")
    web.ask("POST", environments, {"name": "New", "slug": "prod"})
    (deletion,) = web.ask("GET", DELETIONS, projectId=web.project)["deletions"]
    assert restore(web, deletion, expect=400)["code"] == "projects.slug_taken"
    restore(web, deletion, name="former")
    assert values(web, "former") == before
    new = web.ask("GET", f"{environments}/slug/prod")
    web.ask("DELETE", f"{environments}/{new['id']}")
    assert rows(web) == there
    member = values(web, "former", who="member")
    web.ask("DELETE", f"/api/v1/projects/{web.project}")
    web.ask("GET", f"/api/v1/projects/{web.project}", expect=404, who="member")
    web.ask("POST", "/api/v1/projects", {"projectName": "Another", "slug": "payments"})
    (deletion,) = web.ask("GET", DELETIONS)["deletions"]
    assert web.ask("GET", DELETIONS, who="member")["deletions"] == []
    web.ask("POST", f"{DELETIONS}/{deletion['id']}/restore", {}, who="member", expect=404)
    web.ask("POST", f"{DELETIONS}/{deletion['id']}/restore", {}, who="stranger", expect=404)
    assert restore(web, deletion, expect=400)["code"] == "projects.slug_taken"
    with web.world.database.write() as tx:  # somebody left meanwhile
        tx.run(sa.text("DELETE FROM users WHERE email = 'viewer@contoso.test'"))
    restore(web, deletion, name="payments-again")
    assert values(web, "former") == before
    assert values(web, "former", who="member") == member
    # The deletion of the new environment prod is kept as well, and is that of a project that is there again.
    assert [each["name"] for each in web.ask("GET", DELETIONS, projectId=web.project)["deletions"]] == ["New"]


def test_after_a_week_what_was_deleted_is_gone_for_good(web: RotationClient) -> None:
    fill(web)
    asked = {"projectId": web.project, "endSecretRotations": True}
    deletion = web.ask("POST", DELETIONS, asked)["deletion"]
    database, clock = web.world.database, web.world.clock
    clock.advance(timedelta(days=7, seconds=-1).total_seconds())
    remove_for_good(database, clock.now(), lambda: False)
    assert web.remains()["deletions"] == 1
    clock.advance(1)
    assert web.ask("GET", DELETIONS)["deletions"] == []
    restore(web, deletion, expect=404)
    remove_for_good(database, clock.now(), lambda: False)
    assert not any(web.remains()[table] for table in KEPT_ROWS)


def test_the_page_says_what_a_deletion_stops_and_restores_it(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        _the_page(make_applications(database, signer_rotates=False), tmp_path)


def _the_page(scene: Applications, tmp_path: Path) -> None:
    scene.create()
    with scene.world.database.read() as tx:
        row = tx.one(sa.text("SELECT id FROM environments WHERE slug = 'prod'"))
    assert row is not None
    here, deleted = (
        f"/projects/{scene.project_id}/deletion?environment_id={row['id']}",
        f"/projects/{scene.project_id}/deleted",
    )
    with page_desk(scene, tmp_path) as web:
        shown = web.page(here)
        for part in ("2 secrets, 0 folders", ">shop<", "1 secret", "End these secret rotations"):
            assert part in shown
        assert "'shop'" in web.refused(here, confirm="Production")
        web.wrong(here, confirm="production", end_rotations="true")
        assert len(scene.names()) == 2
        web.done(here, confirm="Production", end_rotations="true")
        assert "Production" in web.page(deleted)
        (deletion,) = Restoring(scene.world.database, scene.world.clock, scene.secrets.folders).list(
            scene.actor, scene.project_id
        )
        web.done(f"{deleted}/{deletion.id}", name="")
        assert "Nothing to restore" in web.page(deleted)
        assert "Nothing to restore" in web.page("/projects/deleted")
    assert len(scene.names()) == 2
