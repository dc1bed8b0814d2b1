"""``keyturn import infisical`` against another whole server over HTTP."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.app.core import open_core
from keyturn.app.web import web_application
from keyturn.db.tables import changes, projects
from keyturn.db.unit import Database, Tx
from keyturn.settings.reader import read_settings
from tests.client import Client
from tests.features.importing.conftest import ANN, Json, Machine, OtherServer, entries, seen

TABLES = ("projects", "environments", "secret_folders", "secrets", "secret_versions", "secret_tags", "changes")


class Died(Exception):
    """The process ends here."""


def rows(machine: Machine, *tables: str) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(machine.folder / "keyturn.db")) as file:
        return {table: file.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}


class OurServer:
    """The server that took over, asked as a client would."""

    def __init__(self, client: Client, token: str) -> None:
        self._client = client
        self._token = token

    def ask(self, method: str, path: str, body: object = None, /, **query: str) -> Json:
        headers = {"authorization": f"Bearer {self._token}"}
        answer = self._client.request(method, path, json=body, params=query or None, headers=headers)
        assert answer.status_code == 200, answer.text
        decoded: Json = answer.json()
        return decoded


@contextmanager
def ours(machine: Machine) -> Iterator[OurServer]:
    core = open_core(read_settings({"KEYTURN_DATA_DIR": str(machine.folder)}), lambda _sentence: None)
    try:
        with Client(web_application(core, None)) as client:
            yield OurServer(client, machine.token)
    finally:
        core.close()


def test_everything_comes_over_as_it_is_there_and_a_repeat_changes_nothing(
    machine: Machine, other: OtherServer
) -> None:
    before = rows(machine, *TABLES)
    dry = machine.report("--dry-run")
    assert rows(machine, *TABLES) == before, "a dry run writes nothing"
    real = machine.report()
    assert (dry["dryRun"], real["dryRun"], real["complete"]) == (True, False, True)
    assert real["entries"] == dry["entries"], "what a dry run says is what happens"
    assert real["counts"] == {
        "environment": {"created": 5},
        "folder": {"created": 3},
        "import": {"created": 2},
        "project": {"created": 2},
        "secret": {"created": 8},
        "tag": {"created": 1},
    }
    assert "payments/dev/app/db: 2 created" in machine.err
    written = rows(machine, *TABLES)
    again = machine.report()
    assert {outcome for each in again["counts"].values() for outcome in each} == {"equal"}
    assert rows(machine, *TABLES) == written, "a repeat changes nothing"
    with ours(machine) as server:
        assert seen(server, "payments") == other.everything("payments")
        assert seen(server, "billing") == other.everything("billing")
        log = server.ask("GET", "/api/v1/organization/audit-logs", limit="1000")["auditLogs"]
    made = [(event["event"]["type"], event["actor"]["name"]) for event in log if "create" in event["event"]["type"]]
    assert made.count(("create-secret", ANN)) == 8
    assert made.count(("create-project", ANN)) == 2


def test_what_is_different_here_stays_until_it_is_said_to_write_over_it(machine: Machine, other: OtherServer) -> None:
    assert machine.bring() == 0
    with ours(machine) as server:
        at = {"workspaceId": server.ask("GET", "/api/v1/projects/slug/payments")["id"], "environment": "dev"}
        server.ask("PATCH", "/api/v3/secrets/raw/PLAIN", {**at, "secretValue": "mine"})
        server.ask(
            "PATCH",
            "/api/v3/secrets/raw/DB_URL",
            {**at, "secretPath": "/app/db", "secretComment": "mine", "tagIds": []},
        )
        server.ask("POST", "/api/v3/secrets/raw/OURS", {**at, "secretValue": "only here"})
        server.ask("PATCH", f"/api/v1/projects/{at['workspaceId']}", {"name": "Ours"})
    kept = rows(machine, "projects", "secrets", "secret_versions", "changes")
    report = machine.report("--project", "payments", expect=1)
    assert entries(report, "different") == [
        ("project", "payments", "Payments"),
        ("secret", "payments/dev", "PLAIN"),
        ("secret", "payments/dev/app/db", "DB_URL"),
    ]
    assert [each["reason"] for each in report["entries"] if each["outcome"] == "different"] == [
        "name",
        "value",
        "comment, tags",
    ]
    assert rows(machine, "projects", "secrets", "secret_versions", "changes") == kept, "nothing was written over"
    assert machine.bring("--project", "payments", "--overwrite", "--dry-run") == 0
    assert rows(machine, "projects", "secrets", "secret_versions", "changes") == kept
    assert "Different here, and written over:\n  project Payments in payments: name" in machine.out
    assert machine.bring("--project", "payments", "--overwrite") == 0
    with ours(machine) as server:
        after, there = seen(server, "payments"), other.everything("payments")
        here_only = [secret for secret in after["environments"]["dev"]["secrets"] if secret["secretKey"] == "OURS"]
        assert len(here_only) == 1, "what is only here stays"
        after["environments"]["dev"]["secrets"].remove(here_only[0])
        assert after == there


def test_a_project_gets_another_slug_here_and_one_that_is_not_there_is_named(machine: Machine) -> None:
    arguments = ("--project", "billing=invoices", "--project", "hidden", "--project", "payments=Not a slug")
    report = machine.report(*arguments, expect=1)
    assert entries(report, "created")[0] == ("project", "invoices", "Billing")
    assert [(each["name"], each["reason"]) for each in report["entries"] if each["outcome"] == "refused"] == [
        (
            "Payments",
            "slug: Use up to 64 lower-case letters, digits and single hyphens between them, such as payments-eu",
        ),
        ("hidden", "There is no such project there, or the machine identity is not a member of it."),
    ]
    assert (
        rows(machine, "projects")["projects"][0][3] == "invoices"
        or "invoices" in rows(machine, "projects")["projects"][0]
    )


def test_who_signs_in_is_asked_for_in_words_and_never_shown(machine: Machine) -> None:
    wrong = {"INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET": "canary-wrong"}
    cases: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
        ((), {}, 2, "--client-secret-file"),
        (("--client-id", "x"), {}, 2, "It is not said who signs in"),
        (("--token-file", "/no/such/file"), {}, 2, "cannot be read: No such file"),
        ((), {"INFISICAL_TOKEN": "canary-wrong-token"}, 1, "does not accept the access token"),
        (("--client-id", "x"), wrong, 1, "refused to sign the machine"),
        (("--url", "ftp://x"), {"INFISICAL_TOKEN": "t"}, 2, "is not the address of a server"),
        (("--as", "bob@acme.test"), {"INFISICAL_TOKEN": "t"}, 1, "There is no user 'bob@acme.test'"),
    ]
    for arguments, environ, status, told in cases:
        command = ("import", "infisical", "--as", ANN, "--url", machine.other.url, *arguments)
        assert machine.run(*command, **environ) == status, machine.err
        assert told in machine.err
    assert "canary" not in machine.said


def test_the_credentials_come_from_the_usual_variables(machine: Machine) -> None:
    variables = {
        "INFISICAL_DOMAIN": f"{machine.other.url}/api/",
        "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID": machine.other.client_id,
        "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET": machine.other.client_secret,
    }
    assert machine.run("import", "infisical", "--as", ANN, "--dry-run", **variables) == 0
    assert "asked without TLS" in machine.err
    assert re.search(r"^payments/dev/app/db +secret +2$", machine.out, re.MULTILINE)
    token = machine.other.token
    assert (
        machine.run("import", "infisical", "--as", ANN, "--project", "hidden", INFISICAL_TOKEN=token, **variables) == 0
    )


def test_a_run_that_dies_after_any_write_is_finished_by_the_next_one(machine: Machine, other: OtherServer) -> None:
    written, deaths, left = Database.write, 0, 0

    @contextmanager
    def dying(database: Database) -> Iterator[Tx]:
        nonlocal left
        with written(database) as tx:
            before = size(tx)
            yield tx
            left -= size(tx) != before
        if left == 0:
            raise Died  # after the third change that this run committed

    def size(tx: Tx) -> int:
        counts = (tx.rows(sa.select(sa.func.count().label("n")).select_from(table)) for table in (projects, changes))
        return sum(rows[0]["n"] for rows in counts)

    finished = False
    while not finished:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Database, "write", dying)
            left = 3
            finished = machine.bring() == 0
        deaths += not finished
    assert deaths == 5
    with ours(machine) as server:
        assert seen(server, "payments") == other.everything("payments")
        assert seen(server, "billing") == other.everything("billing")
