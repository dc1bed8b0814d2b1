"""The promise of versions: method, path and JSON.

GET    /api/v4/secrets/id/ID/versions    ?limit&offset -> {"secretVersions": [{"version", "secretKey", "actor", "isCurrent"}]}
POST   /api/v4/secrets/id/ID/rollback    {"version": 1} -> {"secret": {...}}, a new version that says what the older one said
"""

from tests.features.secrets.desk import V3, V4, Json, SecretsClient


def versions(web: SecretsClient, secret_id: str, **query: int) -> list[Json]:
    answer: list[Json] = web.ask("GET", f"{V4}/id/{secret_id}/versions", **query)["secretVersions"]
    return answer


def test_versions_are_listed_newest_first_with_who_made_them_and_no_value(web: SecretsClient) -> None:
    secret = web.put("KEY", "first value of versions")
    web.ask("PATCH", f"{V3}/KEY", web.at(secretValue="second value of versions", newSecretName="NEW"), who="robot")
    listing = versions(web, secret["id"])
    assert [(version["version"], version["secretKey"], version["isCurrent"]) for version in listing] == [
        (2, "NEW", True),
        (1, "KEY", False),
    ]
    assert [version["actor"]["actorType"] for version in listing] == ["identity", "user"]
    assert listing[1]["actor"]["name"] == "member@contoso.test"
    assert "value of versions" not in str(listing)
    assert web.trail("get-secret") == []
    assert [version["version"] for version in versions(web, secret["id"], limit=1, offset=1)] == [1]


def test_an_older_version_becomes_current_again_as_a_new_one(web: SecretsClient) -> None:
    web.put("SAME", "1")
    secret = web.put("KEY", "first value", secretComment="first", secretMetadata=[{"key": "k", "value": "v"}])
    web.ask("PATCH", f"{V3}/KEY", web.at(secretValue="wrong value", secretComment="wrong", secretMetadata=[]))
    back = web.ask("POST", f"{V4}/id/{secret['id']}/rollback", {"version": 1})["secret"]
    assert (back["version"], back["secretValue"], back["secretComment"]) == (3, "first value", "first")
    assert back["secretMetadata"] == secret["secretMetadata"]
    assert web.get("KEY") == back
    assert web.get("KEY", version=2)["secretValue"] == "wrong value"
    assert [change.version for _, change in web.feed()] == [1, 1, 2, 3]


def test_going_back_to_what_is_current_changes_nothing(web: SecretsClient) -> None:
    secret = web.put("KEY", "first value")
    assert web.ask("POST", f"{V4}/id/{secret['id']}/rollback", {"version": 1})["secret"]["version"] == 1
    assert web.ask("POST", f"{V4}/id/{secret['id']}/rollback", {"version": 7}, expect=404)["code"] == (
        "secrets.version_not_found"
    )
    web.ask("POST", f"{V4}/id/{secret['id']}/rollback", {}, expect=422)
    assert len(web.feed()) == 1


def test_who_may_read_only_cannot_go_back(web: SecretsClient) -> None:
    secret = web.put("KEY", "first value")
    path = f"{V4}/id/{secret['id']}"
    web.ask("POST", f"{path}/rollback", {"version": 1}, who="viewer", expect=403)
    web.ask("GET", f"{path}/versions", who="viewer")
    for who, status in (("nobody", 403), ("stranger", 404)):
        web.ask("GET", f"{path}/versions", who=who, expect=status)
        web.ask("POST", f"{path}/rollback", {"version": 1}, who=who, expect=status)
    mine = web.put("KEY", "my own value", type="personal")
    for who in ("other", "admin"):
        web.ask("GET", f"{V4}/id/{mine['id']}/versions", who=who, expect=404)
        web.ask("POST", f"{V4}/id/{mine['id']}/rollback", {"version": 1}, who=who, expect=404)
