"""What is written down of reads and writes: the audit trail, and the feed that is numbered by the project's revision."""

import threading

import pytest
import sqlalchemy as sa

from keyturn.audit import project_events as events
from keyturn.audit.service import AuditTrail
from keyturn.db.tables import environments, secret_folders, secret_versions
from keyturn.db.unit import Tx
from keyturn.delivery import reads
from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext
from keyturn.projects.domain import EnvironmentChange, NewEnvironment, NewProject
from keyturn.secrets.domain import Address, NewSecret
from tests.features.secrets.desk import V3, V4, SecretsClient


def test_each_write_has_the_next_number_of_the_project(web: SecretsClient) -> None:
    web.folder("/a")
    web.put("KEY", "first value ever", path="/a")
    web.ask("PATCH", f"{V3}/KEY", web.at(path="/a", secretValue="second value ever"))
    web.ask("DELETE", f"{V3}/KEY", web.at(path="/a"))
    web.ask("GET", V3, **web.at())
    numbered_changes = [
        (number, change.kind.value, change.path, change.name, change.version) for number, change in web.feed()
    ]
    assert numbered_changes == [
        (1, "folder:create", "/a", "a", None),
        (2, "secret:create", "/a", "KEY", 1),
        (3, "secret:update", "/a", "KEY", 2),
        (4, "secret:delete", "/a", "KEY", 2),
    ]


def test_a_refused_write_has_no_number(web: SecretsClient) -> None:
    web.put("KEY", "a")
    web.ask("POST", f"{V3}/KEY", web.at(secretValue="b"), expect=400)
    assert [number for number, _ in web.feed()] == [1]


def test_writers_at_once_get_numbers_without_a_gap_and_one_makes_each_name(web: SecretsClient) -> None:
    address, results = Address(web.id, None, "dev"), []
    member = web.actors["member"]

    def write(number: int) -> None:
        try:
            new = NewSecret(f"KEY_{number % 10}", Plaintext("x"))
            results.append(web.secrets.create(member, address, new).stored.name)
        except Exception as error:  # noqa: BLE001 - it is judged below
            results.append(getattr(error, "code", repr(error)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted([f"KEY_{number}" for number in range(10)] + ["secrets.name_taken"] * 20)
    assert [number for number, _ in web.feed()] == list(range(1, 11))
    assert len(web.listed()) == 10


def test_who_reads_values_is_written_down_once_a_minute_and_version(web: SecretsClient) -> None:
    web.put("KEY", "value to be read")
    for _ in range(3):
        web.ask("GET", f"{V3}/KEY", **web.at(), who="viewer")
    [read] = web.trail("get-secret")
    assert (read["secretKey"], read["secretVersion"], read["environment"]) == ("KEY", 1, "dev")
    assert read["actor"] == web.actors["viewer"].id
    web.ask("GET", f"{V3}/KEY", **web.at(), who="robot")
    web.ask("PATCH", f"{V3}/KEY", web.at(secretValue="value to be read again"))
    web.ask("GET", f"{V3}/KEY", **web.at(), who="viewer")
    web.world.clock.advance(60)
    web.ask("GET", f"{V3}/KEY", **web.at(), who="viewer")
    web.reads.close()
    events = web.trail("get-secret")
    assert [(event["actor"], event["secretVersion"]) for event in events if "repeats" not in event] == [
        (web.actors["viewer"].id, 1),
        (web.actors["robot"].id, 1),
        (web.actors["viewer"].id, 2),
        (web.actors["viewer"].id, 2),
    ]
    [repeats] = [event for event in events if "repeats" in event]
    assert (repeats["actor"], repeats["secretVersion"], repeats["repeats"]) == (web.actors["viewer"].id, 1, 2)


def test_a_list_is_one_event_and_an_empty_one_none(web: SecretsClient) -> None:
    web.ask("GET", V4, projectId=web.id, environment="dev")
    assert web.trail("get-secrets") == []
    web.put("A", "a")
    web.put("B", "b")
    web.ask("GET", V4, projectId=web.id, environment="dev")
    [read] = web.trail("get-secrets")
    assert (read["numberOfSecrets"], read["secretPath"], read["recursive"]) == (2, "/", False)


def test_nobody_gets_a_value_while_the_trail_cannot_be_written(
    web: SecretsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.put("KEY", "canary in the dark")

    def broken(*_: object, **_facts: object) -> None:
        raise Misconfigured("the trail is full", code="test.trail")

    monkeypatch.setattr(reads, "record", broken)
    for path in (V3, f"{V3}/KEY"):
        assert "in the dark" not in web.send("GET", path, **web.at()).text
    assert web.send("GET", V3, **web.at(), viewSecretValue="false").status_code == 200


def test_writes_are_in_the_trail_without_values(web: SecretsClient) -> None:
    web.put("KEY", "first secret value")
    web.ask("PATCH", f"{V3}/KEY", web.at(newSecretName="RENAMED"))
    web.ask("DELETE", f"{V3}/RENAMED", web.at())
    facts = web.trail("create-secret", "update-secret", "delete-secret")
    assert [(fact["event"], fact["secretKey"], fact["secretVersion"]) for fact in facts] == [
        ("create-secret", "KEY", 1),
        ("update-secret", "RENAMED", 2),
        ("delete-secret", "RENAMED", 2),
    ]
    assert facts[1]["previousSecretKey"] == "KEY"


def test_a_value_moved_to_another_row_or_project_in_the_database_does_not_open(web: SecretsClient) -> None:
    mine, other = web.put("MINE", "value of mine"), web.put("OTHER", "value of other")
    project = web.projects.create(web.actors["admin"], NewProject(name="Second", slug="second"))
    with web.world.database.write() as tx:
        sealed = tx.one(sa.select(secret_versions.c.value).where(secret_versions.c.secret_id == mine["id"]))
        assert sealed is not None
        tx.run(
            sa.update(secret_versions).where(secret_versions.c.secret_id == other["id"]).values(value=sealed["value"])
        )
    assert web.send("GET", f"{V3}/OTHER", **web.at()).status_code == 500
    with web.world.database.write() as tx:
        _move_all(tx, project.id)
    answer = web.send("GET", f"{V3}/MINE", workspaceId=project.id, environment="dev", who="admin")
    assert (answer.status_code, answer.json()["code"]) == (500, "secrets.value_moved")


def _move_all(tx: Tx, project_id: str) -> None:
    """Hang all folders into an environment of another project, as somebody with the database's password might."""
    home = tx.one(
        sa.select(environments.c.id).where(environments.c.project_id == project_id, environments.c.slug == "dev")
    )
    assert home is not None
    tx.run(sa.update(secret_folders).values(environment_id=home["id"]))


def test_what_happens_to_environments_is_in_the_feed(web: SecretsClient) -> None:
    environment = web.projects.create_environment(web.actors["admin"], web.id, NewEnvironment("Blue", "blue"))
    web.projects.update_environment(web.actors["admin"], web.id, environment.id, EnvironmentChange(slug="green"))
    changed = AuditTrail(web.world.database).page(
        web.actors["admin"], project_id=web.id, event=events.ENVIRONMENT_UPDATED.name, limit=1
    )
    assert [changed.events[0].data[name] for name in ("slug", "previousSlug")] == ["green", "blue"]
    web.put("KEY", "value of green", environment="green")
    web.projects.delete_environment(web.actors["admin"], web.id, environment.id)
    numbered_changes = [(change.kind.value, change.environment) for _, change in web.feed()]
    assert numbered_changes == [
        ("environment:create", "blue"),
        ("environment:update", "green"),
        ("secret:create", "green"),
        ("environment:delete", "green"),
    ]
    assert web.counts()["secret_versions"] == 0
