"""The sequences that real clients were seen to send, request by request, and what each of them takes from the answers.

The command line   GET /api/v4/secrets?environment&expandSecretReferences&includeImports&includePersonalOverrides&projectId
                   &recursive&secretPath[&tagSlugs], then POST, PATCH or DELETE /api/v3/secrets/raw/NAME
Terraform          POST, GET by id, PATCH, DELETE /api/v3/secrets/raw; POST, GET, PATCH /api/v1/folders, DELETE /api/v2/folders
External Secrets   GET /api/v3/secrets/raw?workspaceId=&workspaceSlug=S&..., GET, POST, PATCH, DELETE /api/v3/secrets/raw/NAME
The agent          the header ETag of its last read
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.features.secrets.desk import V3, V4, Json, SecretsClient

FLAGS = ("expandSecretReferences", "includeImports", "includePersonalOverrides", "recursive")


def cli_query(web: SecretsClient, path: str = "/", *, flags: str = "true", **more: str) -> Json:
    """What the command line sends with each read."""
    query = {"environment": "dev", "projectId": web.id, "secretPath": path, **more}
    return {**query, **dict.fromkeys(FLAGS, flags), "recursive": "false"}


def test_the_command_line_lists_sets_and_deletes(web: SecretsClient) -> None:
    web.who = "robot"
    assert web.ask("GET", V4, **cli_query(web, flags="false"))["secrets"] == []
    body = {"workspaceId": web.id, "type": "shared", "environment": "dev", "secretPath": "/", "secretValue": "one"}
    web.ask("POST", f"{V3}/KEY", body)
    [listed] = web.ask("GET", V4, **cli_query(web))["secrets"]
    assert {name: type(listed[name]) for name in ("version", "skipMultilineEncoding", "tags")} == {
        "version": int,
        "skipMultilineEncoding": bool,
        "tags": list,
    }
    assert (listed["_id"], listed["workspace"], listed["type"], listed["secretPath"]) == (
        listed["id"],
        web.id,
        "shared",
        "/",
    )
    web.ask("PATCH", f"{V3}/KEY", {**body, "secretValue": "two"})
    gone = {"secretName": "KEY", "workspaceId": web.id, "environment": "dev", "secretPath": "/"}
    web.ask("DELETE", f"{V3}/KEY", {**gone, "type": "personal"}, expect=404)  # what it sends unless told otherwise
    web.ask("DELETE", f"{V3}/KEY", {**gone, "type": "shared"})
    assert web.ask("GET", V4, **cli_query(web, "/not/there"))["secrets"] == []
    for wrong in ({"environment": "nowhere"}, {"projectId": "00000000-0000-4000-8000-000000000000"}):
        assert web.ask("GET", V4, **{**cli_query(web), **wrong}, expect=404)["reqId"]


def test_the_command_line_sets_with_a_tag_that_it_makes_and_lists_by_it(web: SecretsClient) -> None:
    web.ask("GET", f"/api/v1/projects/{web.id}/tags/slug/new", expect=404)
    tag = web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "new", "color": ""})["tag"]
    body = {"workspaceId": web.id, "type": "shared", "environment": "dev", "secretPath": "/", "secretValue": "1"}
    web.ask("POST", f"{V3}/TAGGED", {**body, "tagIds": [tag["id"]]})
    web.ask("POST", f"{V3}/PLAIN", body)
    listed = web.ask("GET", V4, **cli_query(web, tagSlugs="new"))["secrets"]
    assert [connection["secretKey"] for connection in listed] == ["TAGGED"]


def test_the_agent_renders_anew_just_when_the_tag_of_its_read_changes(web: SecretsClient) -> None:
    web.put("KEY", "one")
    web.put("USER", "${KEY}")
    reads: tuple[tuple[str, Json], ...] = (
        (V4, cli_query(web)),
        (f"{V4}/USER", {**cli_query(web), "type": "shared"}),
        (V3, web.at(expandSecretReferences="true")),
    )

    def tags() -> list[str]:
        return [web.send("GET", path, **query).headers["etag"] for path, query in reads]

    first = tags()
    web.world.clock.advance(3600)
    assert tags() == first
    web.put("ELSEWHERE", "in another folder", environment="prod")
    assert tags() == first
    web.ask("PATCH", f"{V3}/KEY", web.at(secretValue="two"))  # and with it the value that refers to it
    assert all(after != before for after, before in zip(tags(), first, strict=True))
    for path, query in reads:
        for spelled in ("{}", "W/{}", '"other", {}'):
            tag = web.send("GET", path, **query).headers["etag"]
            again = web.send("GET", path, **query, headers={"if-none-match": spelled.format(tag)})
            assert (again.status_code, again.content) == (304, b"")


def test_external_secrets_reads_pushes_and_deletes(web: SecretsClient) -> None:
    web.who = "robot"
    where = {"environment": "dev", "secretPath": "/", "workspaceId": "", "workspaceSlug": "payments"}
    flags = {"expandSecretReferences": "true", "recursive": "true"}
    assert web.ask("GET", V3, **where, **flags, include_imports="false") == {"secrets": [], "imports": []}
    one = {**{name: value for name, value in where.items() if name != "workspaceId"}, "type": "shared"}
    web.ask("GET", f"{V3}/KEY", **one, include_imports="false", expect=404)
    project = web.ask("GET", "/api/v1/projects/slug/payments")["id"]
    body = {"workspaceId": project, "environment": "dev", "secretPath": "/", "type": "shared", "secretValue": "pushed"}
    web.ask("POST", f"{V3}/KEY", body)
    assert web.ask("GET", f"{V3}/KEY", **one, include_imports="true", **flags)["secret"]["secretValue"] == "pushed"
    [listed] = web.ask("GET", V3, **where, **flags, include_imports="true")["secrets"]
    assert listed["secretPath"] == "/"
    web.ask("PATCH", f"{V3}/KEY", {**body, "secretValue": "again"})
    web.ask("DELETE", f"{V3}/KEY", body)


def test_the_manifests_of_the_example_for_external_secrets_ask_for_what_is_there(web: SecretsClient) -> None:
    folder = Path(__file__).parents[3] / "examples" / "external-secrets"
    store, wanted = (
        yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in ("secret-store", "external-secret")
    )
    provider = store["spec"]["provider"]["infisical"]
    assert set(provider) == {"hostAPI", "auth", "secretsScope"}
    assert set(provider["auth"]["universalAuthCredentials"]) == {"clientId", "clientSecret"}
    assert wanted["spec"]["secretStoreRef"] == {"kind": store["kind"], "name": store["metadata"]["name"]}
    scope = provider["secretsScope"]
    where = {"environment": scope["environmentSlug"], "secretPath": scope["secretsPath"]}
    for data in wanted["spec"]["data"]:
        name = data["remoteRef"]["key"]
        web.put(name, f"value of {name}", environment="prod")
        query = {**where, "workspaceSlug": scope["projectSlug"], "type": "shared"}
        flags = {"expandSecretReferences": "true", "include_imports": "true"}
        found = web.ask("GET", f"{V3}/{name}", who="robot", **query, **flags)["secret"]["secretValue"]
        assert found == f"value of {name}"


def test_a_missing_permission_is_never_told_as_a_missing_secret(web: SecretsClient) -> None:
    """External Secrets removes what it made of a secret when that is answered 404."""
    web.put("KEY", "a")
    for path in (V3, f"{V3}/KEY"):
        assert web.ask("GET", path, **web.at(), who="nobody", expect=403)["error"] == "PermissionDenied"


def test_the_java_and_the_node_sdk_may_leave_out_and_write_flags_as_they_do(web: SecretsClient) -> None:
    web.put("KEY", "a", environment="prod")
    import_body = {"workspaceId": web.id, "environment": "dev", "path": "/", "import": {"environment": "prod"}}
    web.ask("POST", "/api/v1/secret-imports", import_body)
    java = f"{V3}?workspaceId={web.id}&environment=dev&secretPath=/&recursive&includeImports=true&expandSecretReferences=false"
    assert len(web.ask("GET", java)["imports"]) == 1
    node = {"workspaceId": web.id, "environment": "dev", "secretName": "KEY", "includeImports": "true"}
    assert web.ask("GET", f"{V3}/KEY", **node)["secret"]["environment"] == "prod"


def test_terraform_makes_a_secret_in_a_folder_anew_within_a_second(web: SecretsClient) -> None:
    """A changed description of a folder lets the provider delete and make everything below it again."""
    for _ in range(2):
        folder = {"name": "app", "environment": "dev", "workspaceId": web.id, "path": "/", "description": "x"}
        created_folder = web.ask("POST", "/api/v1/folders", folder)["folder"]
        secret = web.ask("POST", f"{V3}/KEY", terraform_secret(web, created_folder["path"]))["secret"]
        read = web.ask("GET", f"{V3}/id/{secret['id']}")["secret"]
        assert (read["secretPath"], read["environment"]) == ("/app", "dev")
        gone = {
            "secretName": "KEY",
            "workspaceId": web.id,
            "environment": "dev",
            "type": "shared",
            "secretPath": "/app",
        }
        web.ask("DELETE", f"{V3}/KEY", gone)
        web.ask("GET", f"{V3}/id/{secret['id']}", expect=404)
        below = {
            "id": created_folder["id"],
            "environment": "dev",
            "projectId": web.id,
            "path": "/",
            "forceDelete": False,
        }
        web.ask("DELETE", f"/api/v2/folders/{created_folder['id']}", below)


def test_terraform_sees_no_drift_in_tags_and_may_leave_the_value_out(web: SecretsClient) -> None:
    path = f"/api/v1/workspace/{web.id}/tags"
    tag = web.ask("POST", path, {"name": "Data", "color": "#fff", "slug": "data", "projectId": web.id})["workspaceTag"]
    secret = web.ask("POST", f"{V3}/KEY", terraform_secret(web, "/", tagIds=[tag["id"]]))["secret"]
    assert [each["id"] for each in web.ask("GET", f"{V3}/id/{secret['id']}")["secret"]["tags"]] == [tag["id"]]
    update = terraform_secret(web, "/", tagIds=[tag["id"]], secretName="KEY", secretComment="changed")
    update.pop("secretValue")
    changed = web.ask("PATCH", f"{V3}/KEY", update)["secret"]
    assert (changed["secretValue"], changed["secretComment"]) == ("value kept by terraform\n", "changed")


def terraform_secret(web: SecretsClient, path: str, **more: Any) -> Json:
    return {
        "workspaceId": web.id,
        "type": "shared",
        "environment": "dev",
        "secretKey": "KEY",
        "secretValue": "value kept by terraform\n",
        "secretComment": "",
        "secretPath": path,
        "secretReminderNote": "",
        "secretReminderRepeatDays": 0,
        "tagIds": None,
        **more,
    }


@pytest.mark.parametrize("extra", [{"App": "x", "ID": 1, "Provider": None, "ProjectSlug": "y"}, {"folderId": []}])
def test_keys_that_are_not_known_are_ignored(web: SecretsClient, extra: Json) -> None:
    web.ask("POST", f"{V3}/KEY", web.at(secretValue="a", **extra))
    assert web.ask("GET", V3, **web.at(), unknown="x", secretName="KEY")["secrets"][0]["secretValue"] == "a"
