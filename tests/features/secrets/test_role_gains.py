"""Places are named by environments and folders, and roles by these names: nobody gains by giving a place another name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import sqlite_database
from tests.features.secrets.desk import SecretsClient, desk
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
