"""The promise to clients of secrets: method, path and JSON.

POST   /api/v3/secrets/raw/NAME   {"workspaceId", "environment", "secretPath", "secretValue", "secretComment", "type", ...}
PATCH  /api/v3/secrets/raw/NAME   the same keys, what is absent stays; "newSecretName"
GET    /api/v3/secrets/raw/NAME   ?workspaceId|workspaceSlug&environment&secretPath&viewSecretValue&version&type
GET    /api/v3/secrets/raw/id/ID
DELETE /api/v3/secrets/raw/NAME   {"workspaceId", "environment", "secretPath", "type"}
       -> 200 {"secret": {...}}
GET    /api/v3/secrets/raw        ?workspaceId|workspaceSlug&environment&secretPath&recursive&viewSecretValue
       -> 200 {"secrets": [{...}], "imports": []}

and the same under /api/v4/secrets with "projectId".
"""

from urllib.parse import quote

import pytest

from tests.features.secrets.desk import V3, V4, Json, SecretsClient

PYTHON_NEEDS = {
    *("id", "_id", "workspace", "environment", "version", "type", "secretKey", "secretValue", "secretComment"),
    *("createdAt", "updatedAt"),
}


def test_what_terraform_creates_it_reads_again_without_drift(web: SecretsClient) -> None:
    web.folder("/app")
    body = {
        "workspaceId": web.id,
        "type": "shared",
        "environment": "dev",
        "secretKey": "DB_URL",
        "secretValue": "postgres://app:canary-of-terraform@db",
        "secretComment": "",
        "secretPath": "/app",
        "secretReminderNote": "",
        "secretReminderRepeatDays": 0,
        "tagIds": [],
        "secretMetadata": [{"key": "owner", "value": "team-a", "isEncrypted": False}],
    }
    created = web.ask("POST", f"{V3}/DB_URL", body)["secret"]
    secret = web.ask("GET", f"{V3}/id/{created['id']}")["secret"]
    assert secret == created
    assert (secret["secretPath"], secret["environment"]) == ("/app", "dev")
    assert secret["secretMetadata"] == [{"key": "owner", "value": "team-a", "isEncrypted": False}]
    assert (secret["secretReminderNote"], secret["secretReminderRepeatDays"]) == (None, None)
    assert (secret["version"], secret["tags"], secret["secretValue"]) == (1, [], body["secretValue"])
    assert secret["_id"] == secret["id"]
    assert secret["workspace"] == web.id
    assert set(secret) >= PYTHON_NEEDS


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\n",
        "two\nlines\n\n",
        " both ends ",
        "tab\t",
        "\r\n",
        "ümläut 名前 🔑",
        "\u200b",
        "${NOT_THERE}",
        '"quoted"',
    ],
)
def test_a_value_comes_back_as_it_was_sent(web: SecretsClient, value: str) -> None:
    secret = web.put("BYTES", value)
    assert secret["secretValue"] == value
    assert web.get("BYTES")["secretValue"] == value
    assert web.listed()[0]["secretValue"] == value


@pytest.mark.parametrize("name", ["plain", "with blank", "Ünïcode", "名前", "имя", "a.b-c_d", "100%", "A+B", "id"])
def test_names_in_every_script(web: SecretsClient, name: str) -> None:
    web.ask("POST", f"{V3}/{quote(name)}", web.at(secretValue="a"))
    assert web.ask("GET", f"{V4}/{quote(name)}", projectId=web.id, environment="dev")["secret"]["secretKey"] == name
    web.ask("PATCH", f"{V4}/{quote(name)}", {"projectId": web.id, "environment": "dev", "secretValue": "b"})
    assert web.values() == {name: "b"}
    assert web.ask("DELETE", f"{V3}/{quote(name)}", web.at())["secret"]["secretKey"] == name
    assert web.values() == {}


@pytest.mark.parametrize("name", [" ", "a:b", "a\nb", "a\u2028b", "a\ufffd"])
def test_names_that_no_secret_can_have(web: SecretsClient, name: str) -> None:
    refused = web.ask("POST", f"{V3}/{quote(name)}", web.at(secretValue="a"), expect=400)
    assert refused["code"] == "secrets.name"
    web.put("GOOD", "a")
    assert web.ask("PATCH", f"{V3}/GOOD", web.at(newSecretName=name), expect=400)["code"] == "secrets.name"
    assert web.values() == {"GOOD": "a"}


def test_a_change_makes_a_new_version_and_the_old_one_can_be_read(web: SecretsClient) -> None:
    first = web.put("KEY", "first value of the key", secretComment="kept")
    changed = web.ask("PATCH", f"{V3}/KEY", web.at(secretValue="second value of it"))["secret"]
    assert (changed["id"], changed["version"], changed["secretComment"]) == (first["id"], 2, "kept")
    assert web.get("KEY")["secretValue"] == "second value of it"
    old = web.get("KEY", version=1)
    assert (old["secretValue"], old["version"]) == ("first value of the key", 1)
    missing = web.ask("GET", f"{V3}/KEY", **web.at(), version=3, expect=404)
    assert missing["code"] == "secrets.version_not_found"
    for beyond in (2**31, 2**53):
        web.ask("GET", f"{V3}/KEY", **web.at(), version=beyond, expect=422)
        web.ask("POST", f"{V4}/id/{first['id']}/rollback", {"version": beyond}, expect=422)
        web.ask("GET", f"{V4}/id/{first['id']}/versions", offset=beyond, expect=422)


def test_the_same_again_changes_nothing(web: SecretsClient) -> None:
    web.put("KEY", "value", secretComment="why", secretReminderNote="soon", secretReminderRepeatDays=3)
    before, tag = web.feed(), web.send("GET", V4, projectId=web.id, environment="dev").headers["etag"]
    again = web.ask(
        "PATCH",
        f"{V3}/KEY",
        web.at(secretValue="value", secretComment="why", secretReminderRepeatDays=3, secretReminderNote="soon"),
    )
    assert again["secret"]["version"] == 1
    assert web.feed() == before
    assert web.send("GET", V4, projectId=web.id, environment="dev").headers["etag"] == tag
    web.ask("PATCH", f"{V3}/KEY", web.at(secretReminderNote="", secretReminderRepeatDays=0))
    assert web.get("KEY")["secretReminderNote"] is None


def test_a_secret_can_be_renamed_but_not_onto_another(web: SecretsClient) -> None:
    secret = web.put("OLD", "a")
    web.put("OTHER", "b")
    refusal = web.ask("PATCH", f"{V3}/OLD", web.at(newSecretName="OTHER"), expect=400)
    assert refusal["code"] == "secrets.name_taken"
    renamed = web.ask("PATCH", f"{V3}/OLD", web.at(newSecretName="NEW"))["secret"]
    assert (renamed["id"], renamed["secretKey"], renamed["version"]) == (secret["id"], "NEW", 2)
    assert web.values() == {"NEW": "a", "OTHER": "b"}
    web.ask("GET", f"{V3}/OLD", **web.at(), expect=404)


def test_a_name_in_use_is_refused(web: SecretsClient) -> None:
    web.put("KEY", "a")
    assert web.ask("POST", f"{V3}/KEY", web.at(secretValue="b"), expect=400)["code"] == "secrets.name_taken"
    assert web.values() == {"KEY": "a"}
    web.put("KEY", "c", environment="prod")  # each folder has its own names
    web.put("key", "d")  # and another case is another name


def test_404_only_for_what_is_not_there(web: SecretsClient) -> None:
    web.put("KEY", "a")
    for method, body in (("GET", None), ("PATCH", {"secretValue": "x"}), ("DELETE", {})):
        query = web.at() if method == "GET" else {}
        answer = web.ask(method, f"{V3}/NONE", body if body is None else web.at(**body), expect=404, **query)
        assert (answer["error"], answer["code"]) == ("NotFound", "secrets.not_found")
        assert answer["reqId"].startswith("req-")
    for where in (web.at("nowhere"), {**web.at(), "workspaceId": "00000000-0000-4000-8000-000000000000"}):
        assert web.ask("GET", V3, **where, expect=404)["error"] == "NotFound"
    for where in ({"workspaceId": web.id}, {"environment": "dev"}, {"workspaceId": "", "environment": "dev"}):
        assert web.ask("GET", V3, **where, expect=400)["error"] == "BadRequest"
    assert web.ask("GET", V3, **web.at(path="/not/there")) == {"secrets": [], "imports": []}
    assert web.ask("POST", f"{V3}/X", web.at(path="/not/there", secretValue="a"), expect=404)["code"] == (
        "secrets.folder_not_found"
    )
    web.ask("GET", f"{V3}/id/00000000-0000-4000-8000-000000000000", expect=404)


def test_a_project_is_found_by_its_slug_and_an_empty_id_counts_as_absent(web: SecretsClient) -> None:
    web.put("KEY", "a")
    answer = web.ask("GET", V3, workspaceId="", workspaceSlug="payments", environment="dev")
    assert [secret["secretKey"] for secret in answer["secrets"]] == ["KEY"]
    body = {"projectSlug": "payments", "environment": "dev", "secretValue": "b"}
    assert web.ask("POST", f"{V3}/BY_SLUG", body)["secret"]["workspace"] == web.id


@pytest.mark.parametrize("who", ["member", "viewer"])
def test_a_value_that_nobody_asked_for_is_not_decrypted(web: SecretsClient, who: str) -> None:
    web.put("KEY", "value that stays hidden", secretComment="shown")
    for spelled in ("false", "False", "0"):
        [secret] = web.ask("GET", V3, **web.at(), viewSecretValue=spelled, who=who)["secrets"]
        assert (secret["secretValue"], secret["secretValueHidden"]) == ("<hidden-by-infisical>", True)
        assert secret["secretComment"] == "shown"
    assert web.trail("get-secrets") == []


def test_roles_in_the_project_decide(web: SecretsClient) -> None:
    web.put("KEY", "value of the project")
    web.ask("GET", f"{V3}/KEY", **web.at(), who="viewer")
    for method, needs in (("POST", "create-secrets"), ("PATCH", "edit-secrets"), ("DELETE", "delete-secrets")):
        refused = web.ask(method, f"{V3}/KEY", web.at(secretValue="x"), who="viewer", expect=403)
        assert [secret["action"] for secret in refused["details"]] == [needs]
    for who, status in (("nobody", 403), ("stranger", 404)):
        web.ask("GET", V3, **web.at(), who=who, expect=status)
        web.ask("GET", f"{V3}/KEY", **web.at(), who=who, expect=status)
        web.ask("GET", f"{V3}/id/{web.get('KEY')['id']}", who=who, expect=status)
    assert web.values() == {"KEY": "value of the project"}


def test_a_list_has_an_etag_that_changes_with_any_value_and_only_then(web: SecretsClient) -> None:
    web.put("B", "b")
    web.put("A", "a")
    where = {"projectId": web.id, "environment": "dev"}
    first = web.send("GET", V4, **where)
    assert [secret["secretKey"] for secret in first.json()["secrets"]] == ["A", "B"]
    again = web.send("GET", V4, **where, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    web.ask("PATCH", f"{V3}/B", web.at(secretValue="c"))
    changed = web.send("GET", V4, **where, headers={"if-none-match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["secrets"][1]["secretValue"]) == (200, "c")
    assert changed.headers["cache-control"] == "no-store"
    assert "content-encoding" not in changed.headers


def test_limits_say_what_is_taken(web: SecretsClient) -> None:
    web.put("LARGE", "x" * 512 * 1024)
    assert len(web.get("LARGE")["secretValue"]) == 512 * 1024
    refused = web.ask("POST", f"{V3}/HUGE", web.at(secretValue="ü" * 300_000), expect=400)
    assert refused["code"] == "secrets.value_too_large"
    assert "524288" in refused["message"]
    web.ask("POST", f"{V3}/HUGE", web.at(secretValue="x" * 600_000), expect=422)
    web.ask("POST", f"{V3}/HUGE", web.at(secretValue="x" * 10_000_000), expect=413)
    web.ask("POST", f"{V3}/{'n' * 256}", web.at(secretValue="x"), expect=422)
    assert set(web.values()) == {"LARGE"}


@pytest.mark.parametrize("body", [{}, {"value": "under another name"}, {"secretValue": None}])
def test_a_new_secret_needs_its_value_which_may_be_empty(web: SecretsClient, body: Json) -> None:
    [issue] = web.ask("POST", f"{V3}/KEY", web.at(**body), expect=422)["message"]
    assert issue["path"] == ["secretValue"]
    entries = [{"secretKey": "OTHER", "secretValue": "x"}, {"secretKey": "KEY", **body}]
    [issue] = web.ask("POST", "/api/v3/secrets/batch/raw", web.at(secrets=entries), expect=422)["message"]
    assert issue["path"] == ["secrets", 1, "secretValue"]
    assert web.values() == {}
    web.put("KEY", "")
    assert web.values() == {"KEY": ""}


def test_a_value_that_cannot_be_text_is_refused(web: SecretsClient) -> None:
    assert (
        web.ask("POST", f"{V3}/NUL", web.at(secretValue="canary\x00with nul"), expect=422)["error"]
        == "ValidationFailure"
    )
    assert web.counts()["secret_versions"] == 0
