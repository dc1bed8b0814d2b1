"""An older copy of the database is put back while Entra ID has gone on.

Values that work nowhere are given to nobody, what can heal does, and nothing that others made is touched.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.alarms.conditions.service import Conditions
from keyturn.app.continuity import Continuity
from keyturn.cli.context import CommandContext
from keyturn.cli.journal_checkup import examine_journal
from keyturn.db.unit import Database
from keyturn.kit.secret import Plaintext
from keyturn.rotations.comparison import JournalCheck
from keyturn.rotations.store import due
from keyturn_simulation.world import ROOT_KEY, World, make_world
from tests.databases import sqlite_database
from tests.features.backup.copies import address, versioned
from tests.features.rotations.secret_desk import Json, RotationClient, desk, make_application


@pytest.fixture
def web(tmp_path: Path) -> Iterator[RotationClient]:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as opened:
        yield opened


def copy_of(database: Database, folder: Path) -> Path:
    path = folder / "copy.db"
    with closing(sqlite3.connect(database.engine.url.database or "")) as there, closing(sqlite3.connect(path)) as copy:
        there.backup(copy)
    return path


def put_back(copy: Path, world: World) -> Continuity:
    """Put a copy in the place of the database, past Keyturn; return what a server that starts then knows."""
    with (
        closing(sqlite3.connect(world.database.engine.url.database or "")) as there,
        closing(sqlite3.connect(copy)) as old,
    ):
        old.backup(there)
    continuity = Continuity(world.database, world.clock)
    continuity.begin()
    return continuity


def read(web: RotationClient, url: str = "/api/v4/secrets", **headers: str) -> tuple[int, Json]:
    query = {"projectId": web.project, "environment": "prod", "secretPath": "/billing"}
    if "delivery" in url:
        query["secretName"] = "AZURE_CLIENT_SECRET"
    answer = web.client.get(url, params=query, headers={"authorization": "Bearer robot", **headers})
    return answer.status_code, answer.json() if answer.content else {}


def there_now(web: RotationClient) -> set[str]:
    return set(web.keys())


def batch(web: RotationClient) -> list[tuple[int, str | None]]:
    where = {"projectId": web.project, "environment": "prod"}
    names = [("/billing", "AZURE_CLIENT_SECRET"), ("/billing", "AZURE_CLIENT_ID"), ("/", "LEDGER_SECRET")]
    wanted = [{**where, "secretPath": path, "secretName": name} for path, name in names]
    answer = web.client.post(
        "/api/v1/delivery/batch", json={"secrets": wanted}, headers={"authorization": "Bearer robot"}
    )
    assert answer.status_code == 200, answer.text
    return [(each["status"], each.get("code")) for each in answer.json()["secrets"]]


def doctor(world: World) -> list[str]:
    """What ``keyturn doctor`` says of the journal."""
    url = address(world.database)
    environ = {"DB_CONNECTION_URI": url, "ENCRYPTION_KEY": ROOT_KEY.hex(), "KEYTURN_DATA_DIR": "/nowhere"}
    around = CommandContext(environ, world.clock)
    services = world.services

    def opener(*_: object) -> JournalCheck:
        return JournalCheck(world.database, world.sealer, services.providers, services.targets)

    with versioned(world.database):
        return [f"{each.level}: {each.message} {each.fix}" for each in examine_journal(around, opener)]


def conditions(web: RotationClient) -> set[ConditionKind]:
    finder = ConditionFinder(web.world.services.providers)
    with Conditions(web.world.database, web.world.clock, finder).of_server() as found:
        return {each.kind for _, attention in found for each in attention.conditions(0, attention.count())}


def test_dead_values_are_refused_and_replaced_and_nothing_foreign_is_touched(
    web: RotationClient, tmp_path: Path
) -> None:
    world, app = web.world, web.application
    web.create(rotationInterval=2)
    other = make_application(world, "ledger-app")
    names = {"clientId": "LEDGER_ID", "clientSecret": "LEDGER_SECRET"}
    web.create("ledger", application=other, secretPath="/", secretsMapping=names, rotationInterval=100)
    web.days(1)
    old_value = web.values()["AZURE_CLIENT_SECRET"]
    etag = web.client.get(
        "/api/v4/secrets",
        params={"projectId": web.project, "environment": "prod", "secretPath": "/billing"},
        headers={"authorization": "Bearer robot"},
    ).headers["etag"]
    copy = copy_of(world.database, tmp_path)
    web.days(7)
    programs_have = web.values()["AZURE_CLIENT_SECRET"]
    foreign = world.emulator.admin.add_secret(app.object_id, "made by hand")
    there = there_now(web)
    assert not web.signs_in(old_value)
    removals = len(world.emulator.ledger.query(operation="removePassword"))

    continuity = put_back(copy, world)
    gone, strays = doctor(world)
    assert gone.startswith("warn: 1 current secret of an application is not at Entra ID any more: 'billing-app'.")
    assert f"az ad app credential delete --id {app.app_id} --key-id" in strays
    assert strays.startswith(f"warn: {len(there) - 1} credentials at Entra ID were made by a Keyturn server")
    assert strays.count("az ad app credential delete") == len(there) - 1, "each of them"
    web.forbid_new_secrets()
    continuity.notice_gap()
    world.settle()
    for url, sent in (
        ("/api/v4/secrets", {}),
        ("/api/v4/secrets", {"if-none-match": etag}),
        ("/api/v1/delivery/current", {}),
        ("/api/v4/secrets/AZURE_CLIENT_SECRET", {}),
    ):
        status, said = read(web, url, **sent)
        assert (status, said["code"]) == (503, "secrets.credential_gone"), url
        assert "an older copy of this server's database was put back" in said["message"]
    assert batch(web) == [(503, "secrets.credential_gone"), (200, None), (200, None)]
    web.days(0.01)
    assert ConditionKind.CREDENTIAL_VANISHED in conditions(web)
    kinds = {event["data"]["kind"] for event in world.events("credentials-drifted")}
    assert kinds == {"current-vanished", "stray-marker", "appeared"}

    world.emulator.admin.set_policy(world.tenant_id, passwordCredentials=[])
    web.days(0.5)
    healed = web.values()["AZURE_CLIENT_SECRET"]
    assert web.signs_in(healed)
    assert healed not in {old_value, programs_have}
    assert read(web, "/api/v1/delivery/current")[1]["previous"] is None
    assert web.signs_in(programs_have), "what programs got from the newer copy goes on working"
    assert foreign.key_id in there_now(web)
    assert there <= there_now(web)
    assert len(world.emulator.ledger.query(operation="removePassword")) == removals
    assert ConditionKind.CREDENTIAL_VANISHED not in conditions(web)
    assert read(web, if_none_match=etag)[0] == 200
    assert doctor(world) == [strays], "only what the newer copy made is left to be told"
    web.days(5)
    assert foreign.key_id in there_now(web)
    assert web.signs_in(web.values()["AZURE_CLIENT_SECRET"])


def test_a_connection_whose_own_secret_is_gone_says_what_to_enter_and_goes_on_with_that(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database)
        connection = world.connect(days=1)
        world.settle()
        copy = copy_of(database, tmp_path)
        world.run_until(world.clock.now() + timedelta(days=3))
        there = world.keys()
        continuity = put_back(copy, world)
        gone, *others = doctor(world)
        assert gone.startswith(
            "warn: 1 current credential is not at Entra ID any more and cannot be replaced by itself"
        )
        assert f"az ad app credential reset --id {world.application.app_id} --append" in gone
        assert others == []
        continuity.notice_gap()
        world.settle()
        [refused] = [each for each in world.all_connections() if each.refused_at]
        assert (refused.refusal or {})["code"] == "azure.secret_invalid"
        assert world.keys() == there, "nothing is removed"
        typed = world.emulator.admin.add_secret(world.application.object_id, "typed")
        world.change(connection, credentials=world.first_secret(secret=Plaintext(typed.value), key_id=typed.key_id))
        world.settle()
        assert not [each for each in world.all_connections() if each.refused_at]
        assert world.signs_in(world.current_secret(connection))
        assert there.keys() <= world.keys().keys()


def test_all_is_looked_at_after_a_time_without_a_server_and_not_after_a_restart(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database)
        world.connect()
        world.settle()

        def looks() -> bool:
            with database.read() as tx:
                return due.looks_waiting(tx, world.clock.now())

        def started() -> Continuity:
            continuity = Continuity(database, world.clock)
            continuity.begin()
            return continuity

        world.clock.advance(300)
        running = started()
        running.notice_gap()
        assert not looks(), "a restart"
        world.clock.advance(3600)
        running.notice_gap()
        assert not looks(), "an hour of a process that lives"
        world.clock.advance(3 * 3600)
        running.notice_gap()
        assert looks(), "its machine was put back to a snapshot"
        world.settle()
        world.clock.advance(660)
        assert not looks()
        started().notice_gap()
        assert looks(), "nobody was there"
