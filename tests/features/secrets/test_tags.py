"""The promise to clients of tags, metadata and batches: method, path and JSON.

POST   /api/v1/workspace/PROJECT/tags        {"slug", "name", "color"}   (and under /api/v1/projects)
GET    /api/v1/workspace/PROJECT/tags/ID     GET .../tags/slug/SLUG      PATCH, DELETE .../tags/ID
       -> 200 {"tag": T, "workspaceTag": T}      GET .../tags -> 200 {"tags": [T], "workspaceTags": [T]}
POST   /api/v3/secrets/batch/raw             {"workspaceId", "environment", "secretPath", "secrets": [{"secretKey", ...}]}
PATCH  the same                              the same with "mode"; an entry may have "secretPath" and "newSecretName"
DELETE the same                              {..., "secrets": [{"secretKey", "type"}]}
       -> 200 {"secrets": [...]}      All three also at /api/v4/secrets/batch, with "projectId"
GET    ...secrets?tagSlugs=a,b               those with one of the tags
GET    ...secrets?metadataFilter=key=a,value=b|key=c      those with each of the entries
"""

import pytest

from keyturn.projects.domain import NewProject
from tests.features.secrets.desk import V3, V4, Json, SecretsClient

BATCH = "/api/v3/secrets/batch/raw"


def make_tag(web: SecretsClient, slug: str, **more: str) -> Json:
    tag: Json = web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": slug, **more})["tag"]
    return tag


@pytest.mark.parametrize("root", ["workspace", "projects"])
def test_a_tag_is_made_read_changed_and_removed_in_both_envelopes(web: SecretsClient, root: str) -> None:
    path = f"/api/v1/{root}/{web.id}/tags"
    answer = web.ask("POST", path, {"name": "Data", "color": "#fff", "slug": "db", "projectId": web.id})
    assert answer["tag"] == answer["workspaceTag"]
    assert {"slug": "db", "name": "Data", "color": "#fff", "projectId": web.id}.items() <= answer["tag"].items()
    address = f"{path}/{answer['tag']['id']}"
    assert web.ask("GET", address) == answer == web.ask("GET", f"{path}/slug/db")
    changed = web.ask("PATCH", address, {"slug": "data", "tagId": "ignored"})["workspaceTag"]
    assert (changed["slug"], changed["name"]) == ("data", "Data")
    listed = web.ask("GET", path)
    assert listed["tags"] == listed["workspaceTags"] == [changed]
    web.ask("DELETE", address)
    for gone in (address, f"{path}/slug/data"):
        assert web.ask("GET", gone, expect=404)["code"] == "secrets.tag_not_found"
    kinds = [change.kind.value for _, change in web.feed()]
    assert kinds == ["tag:create", "tag:update", "tag:delete"]
    assert [event["slug"] for event in web.trail("create-tag", "update-tag", "delete-tag")] == ["db", "data", "data"]


def test_what_the_command_line_sends_is_enough(web: SecretsClient) -> None:
    assert make_tag(web, "by-cli", color="")["name"] == "by-cli"
    refusal = web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "by-cli", "color": ""}, expect=400)
    assert refusal["code"] == "secrets.tag_taken"
    web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "not/this"}, expect=422)
    web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "x"}, who="viewer", expect=403)
    web.ask("GET", f"/api/v1/projects/{web.id}/tags", who="stranger", expect=404)


def test_a_secret_shows_its_tags_and_a_list_can_ask_for_them(web: SecretsClient) -> None:
    red, blue = make_tag(web, "red"), make_tag(web, "blue")
    secret = web.put("BOTH", "1", tagIds=[red["id"], blue["id"], red["id"]])
    assert [(tag["id"], tag["slug"]) for tag in secret["tags"]] == [(blue["id"], "blue"), (red["id"], "red")]
    assert web.ask("GET", f"{V3}/id/{secret['id']}")["secret"] == secret
    web.put("RED", "2", tagIds=[red["id"]])
    web.put("NONE", "3", tagIds=None)
    assert set(web.values(tagSlugs="red")) == {"BOTH", "RED"}
    assert set(web.values(tagSlugs="blue, nothing")) == {"BOTH"}
    assert set(web.values(tagSlugs="nothing")) == set()
    assert set(web.values(tagSlugs="")) == {"BOTH", "RED", "NONE"}


def test_tags_change_with_a_new_version_and_stay_when_they_are_not_named(web: SecretsClient) -> None:
    red = make_tag(web, "red")
    web.put("KEY", "1", tagIds=[red["id"]])
    same = web.ask("PATCH", f"{V3}/KEY", web.at(secretValue="1", tagIds=[red["id"]]))["secret"]
    unchanged = web.ask("PATCH", f"{V3}/KEY", web.at(secretValue="2"))["secret"]
    gone = web.ask("PATCH", f"{V3}/KEY", web.at(tagIds=[]))["secret"]
    assert [(secret["version"], len(secret["tags"])) for secret in (same, unchanged, gone)] == [(1, 1), (2, 1), (3, 0)]
    other = web.projects.create(web.actors["admin"], NewProject(name="Second", slug="second"))
    foreign = web.ask("POST", f"/api/v1/projects/{other.id}/tags", {"slug": "x"}, who="admin")["tag"]["id"]
    refused = web.ask("PATCH", f"{V3}/KEY", web.at(tagIds=[foreign]), expect=400)
    assert refused["code"] == "secrets.no_such_tag"


def test_a_removed_tag_is_on_no_secret_any_more(web: SecretsClient) -> None:
    red = make_tag(web, "red")
    web.put("KEY", "1", tagIds=[red["id"]])
    web.ask("DELETE", f"/api/v1/projects/{web.id}/tags/{red['id']}")
    assert web.get("KEY")["tags"] == []


def test_a_list_can_ask_for_metadata(web: SecretsClient) -> None:
    def entries(**pairs: str) -> list[Json]:
        return [{"key": key, "value": value} for key, value in pairs.items()]

    web.put("A", "1", secretMetadata=entries(owner="team-a", tier="1"))
    web.put("B", "2", secretMetadata=entries(owner="team-b", tier="1"))
    for metadata_filter, expected in (
        ("key=owner,value=team-a", {"A"}),
        ("key=tier", {"A", "B"}),
        ("value=team-b", {"B"}),
        ("key=tier,value=1|key=owner,value=team-b", {"B"}),
        ("key=owner,value=1", set()),
    ):
        assert set(web.values(metadataFilter=metadata_filter)) == expected, metadata_filter
    web.ask("GET", V3, **web.at(), metadataFilter="owner", expect=422)


def test_what_is_written_about_a_secret_is_not_stored_in_the_clear(web: SecretsClient) -> None:
    web.put(
        "KEY",
        "1",
        secretComment="canary in a comment",
        secretReminderNote="canary in a note",
        secretMetadata=[{"key": "canary of a key", "value": "canary of an entry", "isEncrypted": True}],
    )
    assert "canary" not in web.everything_stored()
    secret = web.get("KEY")
    assert (secret["secretComment"], secret["secretReminderNote"]) == ("canary in a comment", "canary in a note")
    assert secret["secretMetadata"] == [{"key": "canary of a key", "value": "canary of an entry", "isEncrypted": True}]


def test_a_batch_is_made_as_a_whole_or_not_at_all(web: SecretsClient) -> None:
    red = make_tag(web, "red")
    entries = [
        {"secretKey": "A", "secretValue": "value a of a batch", "secretComment": "why", "tagIds": [red["id"]]},
        {"secretKey": "B", "secretValue": "value b of a batch", "secretMetadata": [{"key": "k", "value": "v"}]},
    ]
    secrets = web.ask("POST", BATCH, web.at(path="/", secrets=entries))["secrets"]
    assert [(secret["secretKey"], secret["secretValue"]) for secret in secrets] == [
        ("A", "value a of a batch"),
        ("B", "value b of a batch"),
    ]
    assert (secrets[0]["secretComment"], secrets[0]["tags"][0]["slug"]) == ("why", "red")
    before = web.counts()
    for bad, status in (
        ([{"secretKey": "C", "secretValue": "c"}, {"secretKey": "A", "secretValue": "again"}], 400),
        ([{"secretKey": "C", "secretValue": "c"}, {"secretKey": "C", "secretValue": "twice"}], 400),
        ([{"secretKey": "C", "secretValue": "c"}, {"secretKey": "a:b", "secretValue": "d"}], 400),
        ([], 422),
        ([{"secretKey": f"K{number}", "secretValue": "x"} for number in range(101)], 422),
    ):
        web.ask("POST", BATCH, web.at(secrets=bad), expect=status)
    assert web.counts() == before


@pytest.mark.parametrize("batch", [BATCH, f"{V4}/batch"])
def test_a_batch_is_changed_and_removed_as_a_whole_or_not_at_all(web: SecretsClient, batch: str) -> None:
    web.folder("/app")
    web.put("C", "of the app", path="/app")
    where = web.at(path="/") | {"projectId": web.id}
    made = [{"secretKey": name, "secretValue": f"first value of {name}"} for name in "AB"]
    web.ask("POST", batch, {**where, "secrets": made})
    entries = [
        {"secretKey": "A", "secretValue": "second value of A", "tagIds": [make_tag(web, "red")["id"]]},
        {"secretKey": "B", "newSecretName": "D"},
        {"secretKey": "C", "secretValue": "second of the app", "secretPath": "/app"},
    ]
    before = web.counts()
    for more, status in (
        ([{"secretKey": "NONE", "secretValue": "x"}], 404),
        ([{"secretKey": "D", "newSecretName": "A"}], 400),
        ([{"secretKey": "A", "secretValue": "${A}"}], 400),
        ([{"secretKey": "C", "secretPath": "/nowhere"}], 404),
    ):
        web.ask("PATCH", batch, {**where, "secrets": entries + more}, expect=status)
    web.ask("PATCH", batch, {**where, "secrets": entries, "mode": "replace"}, expect=422)
    web.ask("PATCH", batch, {**where, "secrets": entries}, who="viewer", expect=403)
    assert web.counts() == before
    answer = web.ask("PATCH", batch, {**where, "secrets": entries})["secrets"]
    assert [(each["secretKey"], each["secretPath"], each["version"]) for each in answer] == [
        ("A", "/", 2),
        ("D", "/", 2),
        ("C", "/app", 2),
    ]
    new = [{"secretKey": "NEW", "secretValue": "value that was not there"}]
    assert web.ask("PATCH", batch, {**where, "secrets": new, "mode": "ignore"})["secrets"] == []
    assert web.ask("PATCH", batch, {**where, "secrets": new, "mode": "upsert"})["secrets"][0]["version"] == 1
    assert set(web.values()) == {"A", "D", "NEW"}, "a batch is no secret"
    gone = [{"secretKey": "A"}, {"secretKey": "D", "type": "shared"}]
    web.ask("DELETE", batch, {**where, "secrets": [*gone, {"secretKey": "B"}]}, expect=404)
    web.ask("DELETE", batch, {**where, "secrets": gone}, who="viewer", expect=403)
    assert [each["secretKey"] for each in web.ask("DELETE", batch, {**where, "secrets": gone})["secrets"]] == ["A", "D"]
    assert set(web.values()) == {"NEW"}


def test_a_secret_may_be_called_batch(web: SecretsClient) -> None:
    web.put("batch", "a value like others")
    for path in (f"{V3}/batch", f"{V4}/batch"):
        assert web.ask("GET", path, **web.at(), projectId=web.id)["secret"]["secretValue"] == "a value like others"
    web.ask("POST", f"{V4}/batch", {"projectId": web.id, "environment": "dev", "secretValue": "x"}, expect=422)
    web.ask("DELETE", f"{V3}/batch", web.at())


def test_a_read_cannot_hide_behind_a_change_of_nothing(web: SecretsClient) -> None:
    web.put("KEY", "value that somebody wants")
    web.ask("PATCH", f"{V4}/KEY", {"projectId": web.id, "environment": "dev"}, who="other")
    [read] = web.trail("get-secret")
    assert read["actor"] == web.actors["other"].id
