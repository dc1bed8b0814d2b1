"""What is kept of the past of secrets, and for how long; what is current stays."""

from datetime import timedelta

import pytest

from keyturn.secrets import retention
from keyturn.secrets.retention import remove_old_changes, remove_old_versions
from keyturn.settings.model import RetentionSettings
from tests.features.secrets.desk import V3, V4, SecretsClient

DAY = 24 * 60 * 60
MONTH = RetentionSettings(change_days=30, secret_versions=3)


def upkeep(web: SecretsClient, settings: RetentionSettings) -> None:
    database, now = web.world.database, web.world.clock.now()
    assert not remove_old_changes(database, settings, now, lambda: False)
    assert not remove_old_versions(database, settings, lambda: False)


def past(web: SecretsClient, folder_id: str, expect: int = 200, **when: object) -> object:
    answer = web.ask("GET", f"/api/v2/folders/{folder_id}/past", expect=expect, **when)
    return answer["code"] if expect != 200 else {each["secretKey"]: each["secretValue"] for each in answer["secrets"]}


def test_the_oldest_versions_of_a_secret_go_without_a_gap(web: SecretsClient) -> None:
    folder_id = web.folder("/app")["id"]
    secret = web.put("KEY", "value 1", path="/app")
    web.put("OTHER", "value", path="/app")
    for number in range(2, 6):
        web.ask("PATCH", f"{V3}/KEY", web.at(path="/app", secretValue=f"value {number}"))
    upkeep(web, RetentionSettings(secret_versions=0))
    upkeep(web, MONTH)
    upkeep(web, MONTH)
    listed = web.ask("GET", f"{V4}/id/{secret['id']}/versions")["secretVersions"]
    assert [version["version"] for version in listed] == [5, 4, 3]
    assert web.values(path="/app") == {"KEY": "value 5", "OTHER": "value"}
    missing = web.ask("GET", f"{V3}/KEY", **web.at(path="/app"), version=2, expect=404)
    assert missing["code"] == "secrets.version_not_found"
    assert past(web, folder_id, revision=5) == {"KEY": "value 3", "OTHER": "value"}
    assert past(web, folder_id, expect=400, revision=4) == "secrets.past_versions_removed"
    rollback = f"/api/v2/folders/{folder_id}/rollback"
    assert web.ask("POST", rollback, {"revision": 4}, expect=400)["code"] == "secrets.past_versions_removed"
    assert web.get("KEY", path="/app")["version"] == 5


def test_a_project_keeps_fewer_versions_than_the_server(web: SecretsClient) -> None:
    other = web.ask("POST", "/api/v1/projects", {"projectName": "Other"}, who="admin")["project"]
    limit = "/api/v1/workspace/payments/version-limit"
    web.ask("PUT", limit, {"pitVersionLimit": 2}, who="viewer", expect=403)
    web.ask("PUT", limit, {"pitVersionLimit": -1}, who="admin", expect=422)
    set_to = web.ask("PUT", limit, {"pitVersionLimit": 2}, who="admin")["workspace"]
    assert (set_to["pitVersionLimit"], other["pitVersionLimit"]) == (2, None)
    secret = web.put("KEY", "value 1")
    for number in range(2, 5):
        web.ask("PATCH", f"{V3}/KEY", web.at(secretValue=f"value {number}"))

    def versions() -> list[int]:
        listed = web.ask("GET", f"{V4}/id/{secret['id']}/versions")["secretVersions"]
        return [version["version"] for version in listed]

    web.ask("PATCH", f"/api/v1/projects/{web.id}", {"pitVersionLimit": 50}, who="admin")
    upkeep(web, MONTH)
    assert versions() == [4, 3, 2]  # never more than the server keeps
    web.ask("PUT", limit, {"pitVersionLimit": 2}, who="admin")
    upkeep(web, RetentionSettings(change_days=0, secret_versions=0))
    assert versions() == [4, 3]


def test_old_changes_go_with_the_secrets_that_only_they_could_show(web: SecretsClient) -> None:
    clock, folder_id = web.world.clock, web.folder("/app")["id"]
    for name in ("KEPT", "GONE"):
        web.put(name, f"value of {name}", path="/app")
    web.put("KEPT", "value for me", path="/app", type="personal")
    web.ask("DELETE", f"{V3}/GONE", web.at(path="/app"))
    clock.advance(20 * DAY)
    web.put("LATER", "value of later", path="/app")
    web.ask("DELETE", f"{V3}/LATER", web.at(path="/app"))
    last = len(web.feed())
    clock.advance(12 * DAY)
    upkeep(web, RetentionSettings(change_days=0, secret_versions=0))
    assert len(web.feed()) == last
    upkeep(web, MONTH)
    assert [number for number, _ in web.feed()] == [last - 1, last]
    assert web.counts()["secrets"] == 3
    assert past(web, folder_id, revision=last - 1) == {"KEPT": "value of KEPT", "LATER": "value of later"}
    assert past(web, folder_id, revision=last - 2) == {"KEPT": "value of KEPT"}
    for when in ({"revision": last - 3}, {"at": (clock.now() - timedelta(days=32)).isoformat()}):
        assert past(web, folder_id, expect=400, **when) == "secrets.past_removed"
    clock.advance(40 * DAY)
    upkeep(web, MONTH)
    assert (web.feed(), web.counts()["secrets"]) == ([], 2)
    assert past(web, folder_id, revision=last) == web.values(path="/app") == {"KEPT": "value of KEPT"}
    web.put("NEW", "value of new", path="/app")
    assert [number for number, _ in web.feed()] == [last + 1]


def test_a_removal_that_is_stopped_goes_on_later(web: SecretsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 5)
    world = web.world
    for number in range(7):
        web.put(f"N{number}", "value")
        web.ask("DELETE", f"{V3}/N{number}", web.at())
    world.clock.advance(40 * DAY)
    assert remove_old_changes(world.database, MONTH, world.clock.now(), lambda: True)
    assert [number for number, _ in web.feed()] == list(range(6, 15))
    assert web.counts()["secrets"] == 5
    upkeep(web, MONTH)
    assert (web.feed(), web.counts()["secrets"]) == ([], 0)
