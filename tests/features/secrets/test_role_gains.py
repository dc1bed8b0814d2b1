"""What holders of limited roles neither learn nor gain: by other names of places, and by looking at the past of a folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.db.tables import secret_folders
from keyturn.db.unit import Tx
from keyturn.secrets import past
from tests.databases import sqlite_database
from tests.features.secrets.desk import V3, SecretsClient, desk
from tests.features.secrets.test_roles import FOLDERS, READ, give, role, within


@pytest.fixture
def web(tmp_path: Path) -> Iterator[SecretsClient]:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as opened:
        opened.who = "admin"
        yield opened


def test_a_folder_is_not_renamed_into_a_place_of_which_its_secret_rotations_show_more(web: SecretsClient) -> None:
    folder, body = web.folder("/team-a"), {"workspaceId": web.id, "environment": "dev", "path": "/"}
    role(
        web,
        "renames",
        {"subject": "secret-folders", "action": ["read", "edit"]},
        within({"subject": "secret-rotation", "action": "read-generated-credentials"}, path="/team-b/**"),
    )
    give(web, "renames")
    web.who = "robot"
    refused = web.ask("PATCH", f"{FOLDERS}/{folder['id']}", body | {"name": "team-b"}, expect=403)
    assert "read-generated-credentials" in str(refused)
    web.ask("PATCH", f"{FOLDERS}/{folder['id']}", body | {"name": "team-c"})


def test_an_environment_is_not_renamed_into_one_of_which_one_may_see_more(web: SecretsClient) -> None:
    web.put("KEY", "value in prod", environment="prod")
    project = f"/api/v1/projects/{web.id}"
    slugs = {each["slug"]: each["id"] for each in web.ask("GET", project)["project"]["environments"]}
    prod = f"{project}/environments/{slugs['prod']}"
    role(web, "renames", {"subject": "environments", "action": "edit"}, within(READ, "test"))
    give(web, "renames")
    web.who = "robot"
    refused = web.ask("PATCH", prod, {"slug": "test"}, expect=403)
    assert refused["code"] == "projects.slug_in_roles"
    assert refused["fix"]
    web.ask("PATCH", prod, {"name": "Production", "slug": "live"})
    assert web.ask("PATCH", prod, {"slug": "test"}, who="admin")["environment"]["slug"] == "test"


def test_who_may_not_read_values_does_not_learn_which_were_the_same_before(web: SecretsClient) -> None:
    folder = web.folder("/app")
    for name in ("BACK", "OTHER"):
        web.put(name, "first value of BACK", path="/app")
    revision = len(web.feed())
    for names, value in ((("BACK", "OTHER"), "second value of it"), (("BACK",), "first value of BACK")):
        for name in names:
            web.ask("PATCH", f"{V3}/{name}", web.at(path="/app", secretValue=value))
    path = f"/api/v2/folders/{folder['id']}"
    assert web.ask("GET", f"{path}/past/difference", revision=revision)["changed"] == ["OTHER"]
    role(web, "names", within({"subject": "secrets", "action": "describeSecret"}, path="/app"))
    role(web, "writes", within({"subject": "secrets", "action": "edit"}, path="/app"))
    give(web, "names")
    assert web.ask("GET", f"{path}/past/difference", revision=revision, who="robot")["changed"] == ["BACK", "OTHER"]
    give(web, "writes")
    web.ask("POST", f"{path}/rollback", {"revision": revision}, who="robot", expect=403)


def test_a_folder_that_is_moved_while_its_rollback_waits_is_asked_about_again(
    web: SecretsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, before = web.folder("/app"), web.put("KEY", "value that is kept", path="/app")
    revision = len(web.feed())
    web.put("NEW", "value that is new", path="/app")
    role(web, "all", within({"subject": "secrets", "action": ["read", "create", "edit", "delete"]}, path="/app"))
    give(web, "all")

    def meanwhile(tx: Tx, _project_id: str) -> None:
        tx.run(sa.update(secret_folders).where(secret_folders.c.id == folder["id"]).values(path="/vault"))

    monkeypatch.setattr(past, "lock_project", meanwhile)
    path = f"/api/v2/folders/{folder['id']}/rollback"
    web.ask("POST", path, {"revision": revision}, who="robot", expect=403)
    assert before["id"] in {each["id"] for each in web.listed(path="/app")}
