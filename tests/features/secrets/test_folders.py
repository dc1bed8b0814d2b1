"""The promise to clients of folders: method, path and JSON.

GET    /api/v1/folders              ?workspaceId&environment&path|directory&recursive   -> {"folders": [F]}
POST   /api/v1/folders              {"workspaceId", "environment", "name", "path", "description"} -> {"folder": F}
GET    /api/v1/folders/ID           -> {"folder": F with "projectId", "environment": {"envId", "envName", "envSlug"}}
GET    /api/v1/folders/PROJECT/ENVIRONMENT/PATH
PATCH  /api/v1/folders/ID
DELETE /api/v1/folders/ID_OR_NAME   {"workspaceId", "environment", "directory"}
       /api/v2/folders...           the same with "projectId"
F = {"id", "name", "path", "envId", "parentId", "version", "description", "isReserved", "createdAt", "updatedAt", ...}
"""

import pytest

from tests.features.secrets.desk import SecretsClient

V1 = "/api/v1/folders"
V2 = "/api/v2/folders"


def test_what_terraform_creates_it_reads_again_without_drift(web: SecretsClient) -> None:
    body = {"name": "app", "environment": "dev", "workspaceId": web.id, "path": "/", "description": "of the app"}
    created = web.ask("POST", V1, body)["folder"]
    assert created["path"] == "/app"
    folder = web.ask("GET", f"{V1}/{created['id']}")["folder"]
    assert (folder["name"], folder["path"], folder["projectId"]) == ("app", "/app", web.id)
    assert folder["description"] == "of the app"
    assert folder["environment"]["envSlug"] == "dev"
    assert web.ask("GET", f"{V1}/{web.id}/dev/%2Fapp")["folder"] == folder
    changed = web.ask("PATCH", f"{V1}/{created['id']}", {**body, "name": "api"})["folder"]
    assert (changed["path"], changed["version"]) == ("/api", 2)
    gone = {"id": created["id"], "environment": "dev", "projectId": web.id, "path": "/", "forceDelete": False}
    assert web.ask("DELETE", f"{V2}/{created['id']}", gone)["folder"]["id"] == created["id"]
    web.ask("GET", f"{V1}/{created['id']}", expect=404)


def test_folders_are_listed_by_path_and_with_all_below(web: SecretsClient) -> None:
    web.folder("/a/b/c")
    web.folder("/a/d")
    web.folder("/A")  # another case is another folder

    def names(**query: str) -> list[str]:
        folders = web.folders(**query)
        return [folder["path"] for folder in folders]

    assert names(path="/") == ["/A", "/a"]
    assert names(directory="/a") == ["/a/b", "/a/d"]
    assert names(path="/a/") == ["/a/b", "/a/d"]
    assert names(path="/a", recursive="True") == ["/a/b", "/a/b/c", "/a/d"]
    assert names(path="/nothing") == []
    relative = web.folders(path="/a", recursive="true")
    assert [folder["relativePath"] for folder in relative] == ["/b", "/b/c", "/d"]


def test_a_renamed_folder_takes_all_in_it_along(web: SecretsClient) -> None:
    web.folder("/a/b")
    inner = web.put("KEY", "value", path="/a/b")
    folder = web.folders(path="/")[0]
    web.ask("PATCH", f"{V1}/{folder['id']}", {"name": "z"})
    assert web.values(path="/a/b") == {}
    assert web.values(path="/z/b") == {"KEY": "value"}
    assert web.ask("GET", f"/api/v3/secrets/raw/id/{inner['id']}")["secret"]["secretPath"] == "/z/b"
    web.folder("/y")
    for wrong in ({"workspaceId": web.world.ids.new()}, {"environment": "prod"}):
        web.ask("PATCH", f"{V1}/{folder['id']}", {"name": "x", "workspaceId": web.id, **wrong}, expect=404)
    assert web.values(path="/z/b") == {"KEY": "value"}
    refusal = web.ask("PATCH", f"{V1}/{folder['id']}", {"name": "y"}, expect=400)
    assert refusal["code"] == "secrets.folder_taken"


def test_a_folder_is_deleted_by_name_with_all_in_it(web: SecretsClient) -> None:
    web.folder("/a/b")
    web.put("KEY", "value of a folder", path="/a/b")
    body = {"folderName": "b", "workspaceId": web.id, "environment": "dev", "directory": "/a"}
    web.ask("DELETE", f"{V1}/b", body)
    assert web.counts()["secret_versions"] == 0
    web.ask("DELETE", f"{V1}/b", body, expect=404)
    web.folder("/a/b")  # the same name again at once


def test_a_secret_is_read_with_all_below_its_folder(web: SecretsClient) -> None:
    web.folder("/a/b")
    web.folder("/ab")
    web.put("TOP", "1")
    web.put("INNER", "2", path="/a/b")
    web.put("BESIDE", "3", path="/ab")
    paths = {secret["secretKey"]: secret["secretPath"] for secret in web.listed(recursive="true")}
    assert paths == {"TOP": "/", "INNER": "/a/b", "BESIDE": "/ab"}
    assert {secret["secretKey"] for secret in web.listed(path="/a", recursive="true")} == {"INNER"}
    assert {secret["secretKey"] for secret in web.listed()} == {"TOP"}


@pytest.mark.parametrize("name", ["", "..", ".", "a b", "a/b", "ü", "x" * 65, "a\n"])
def test_names_that_no_folder_can_have(web: SecretsClient, name: str) -> None:
    answer = web.send("POST", V1, {"workspaceId": web.id, "environment": "dev", "path": "/", "name": name})
    assert answer.status_code in {400, 422}
    assert web.counts()["secret_folders"] == 0


def test_a_path_with_dots_leads_nowhere(web: SecretsClient) -> None:
    web.put("KEY", "value at the root")
    assert web.values(path="/a/../") == {}
    refused = web.ask(
        "POST", V1, {"workspaceId": web.id, "environment": "dev", "path": "/a/..", "name": "b"}, expect=400
    )
    assert refused["code"] == "secrets.folder_name"
    deep = web.ask(
        "POST", V1, {"workspaceId": web.id, "environment": "dev", "path": "/a" * 20, "name": "b"}, expect=400
    )
    assert deep["code"] == "secrets.folder_too_deep"


def test_who_may_not_change_folders_may_list_them(web: SecretsClient) -> None:
    folder = web.folder("/a")
    assert web.ask("GET", V2, projectId=web.id, environment="dev", who="viewer")["folders"]
    refused = web.ask("PATCH", f"{V2}/{folder['id']}", {"name": "b"}, who="viewer", expect=403)
    assert refused["details"][0]["subject"] == "secret-folders"
    web.ask("GET", f"{V2}/{folder['id']}", who="nobody", expect=403)
    web.ask("GET", f"{V2}/{folder['id']}", who="stranger", expect=404)


def test_the_root_stays(web: SecretsClient) -> None:
    web.put("KEY", "a")
    root = web.ask("GET", f"{V1}/{web.id}/dev")["folder"]
    assert root["path"] == "/"
    body = {"workspaceId": web.id, "environment": "dev"}
    assert web.ask("DELETE", f"{V1}/{root['id']}", body, expect=400)["code"] == "secrets.folder_root"
    assert web.ask("PATCH", f"{V1}/{root['id']}", {"name": "b"}, expect=400)["code"] == "secrets.folder_root"
