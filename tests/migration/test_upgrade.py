"""Databases that earlier versions left behind: migrated, read to the last row, and rotated on.

Each folder ``version-NNNN`` was written by ``recording.py`` at a server of that version.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from entra_emulator import Emulator
from keyturn.app.core import Core, open_core, services
from keyturn.app.startup import open_database, prepare_database
from keyturn.app.web import web_application
from keyturn.cli.main import main
from keyturn.db import migrate
from keyturn.db.tables import rotations
from keyturn.errors import Misconfigured
from keyturn.kit.clock import MovableClock
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn.rotations.store.due import claim_due
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.workflow import Rotator
from keyturn.settings.reader import read_settings
from keyturn_simulation.emulated import EmulatedTransport, EmulatorTime, emulated_clouds
from tests.client import Client
from tests.deploy.scene import CONNECTIONS, PASSWORD
from tests.migration.recording import ROOT_KEY
from tests.postgres import fresh_database

VERSIONS = sorted(path.name for path in Path(__file__).parent.glob("version-*"))
KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


@dataclass
class Recorded:
    """A restored database, and what its server had to know."""

    kind: str
    environ: dict[str, str]
    facts: dict[str, Any]
    entra: dict[str, Any]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=VERSIONS)
def recorded(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Recorded]:
    folder = Path(__file__).parent / request.param
    dump = (folder / f"{kind}.sql").read_text(encoding="utf-8")
    facts, entra = (json.loads((folder / f"{kind}.{what}.json").read_text()) for what in ("facts", "entra"))
    environ = {"KEYTURN_DATA_DIR": str(tmp_path), "ENCRYPTION_KEY": ROOT_KEY, "HOME": str(tmp_path)}
    if kind == "sqlite":
        path = tmp_path / "keyturn.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("PRAGMA journal_mode=WAL;" + dump)
        path.chmod(0o600)
        yield Recorded(kind, environ, facts, entra)
        return
    with fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(dump.encode())
        yield Recorded(kind, environ | {"DB_CONNECTION_URI": url}, facts, entra)


@dataclass
class Upgraded:
    """This version on that database, on a day after the recording."""

    core: Core
    client: Client
    emulator: Emulator
    clock: MovableClock
    facts: dict[str, Any]

    def api(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {self.facts['token']}"}
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def work(self, rotator: Rotator) -> None:
        """Do what is due and what that leads to, moving the clock to each next moment within the hour."""
        until = self.clock.now() + timedelta(hours=1)
        while True:
            with self.core.database.write() as tx:
                due = claim_due(tx, self.clock.now(), 100, self.clock.now() + timedelta(minutes=1))
            for each in due:
                rotator.advance(each.rotation_id)
            with self.core.database.read() as tx:
                wake = tx.rows(sa.select(sa.func.min(rotations.c.wake_at).label("at")))[0]["at"]
            if wake is None or wake > until:
                return
            self.clock.move_to(wake)


@contextmanager
def upgraded(recorded: Recorded) -> Iterator[Upgraded]:
    settings = read_settings(recorded.environ)
    core = open_core(settings, lambda _sentence: None)
    with core.database.engine.connect() as connection:
        last = connection.exec_driver_sql("SELECT max(at) FROM audit_events").scalar()
    moment = datetime.fromisoformat(str(last))
    clock = MovableClock((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) + timedelta(days=1))
    emulator = Emulator(EmulatorTime(clock), 1)
    emulator.restore(recorded.entra)
    transport = EmulatedTransport(emulator, elapse=clock.advance)
    azure = AzureProvider(transport, clock, emulated_clouds(), ids=core.ids)
    core = replace(core, clock=clock, azure=azure, providers=Providers([azure]))
    application = web_application(core, None)
    try:
        with Client(application) as client:
            yield Upgraded(core, client, emulator, clock, recorded.facts)
    finally:
        core.close()


def test_a_database_of_an_earlier_version_is_migrated_read_and_rotated_on(
    recorded: Recorded, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if recorded.kind == "postgres":
        assert refusal(recorded) == ("database.behind", "Run: keyturn migrate")
    assert main(["migrate", "--check"], recorded.environ) == 1
    assert main(["migrate"], recorded.environ) == 0
    told = capsys.readouterr()
    assert f"Migrated to version {migrate.newest()}." in told.out
    assert ("was copied to" in told.err) == (recorded.kind == "sqlite")
    assert main(["migrate", "--check"], recorded.environ) == 0
    facts = recorded.facts
    with upgraded(recorded) as now:
        emails = {user["email"] for user in now.api("GET", "/api/v1/users")["users"]}
        assert emails == {"ada@example.com", "bob@example.com"}
        for email in sorted(emails):
            login = now.client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
            assert login.status_code == 200, login.text
        identity = {"clientId": facts["clientId"], "clientSecret": facts["clientSecret"]}
        assert now.client.post("/api/v1/auth/universal-auth/login", json=identity).status_code == 200
        members = now.api("GET", f"/api/v1/workspace/{facts['projectId']}/memberships")["memberships"]
        assert "bob@example.com" in {member["user"]["email"] for member in members}
        shown = {each["id"]: each for each in now.api("GET", CONNECTIONS)["appConnections"]}
        assert {each["name"] for each in shown.values()} == {"billing", "still"}
        events = now.api("GET", "/api/v1/organization/audit-logs?limit=1000")["auditLogs"]
        kept = [event["event"]["type"] for event in events]
        assert all(kept.count(name) >= facts["events"].count(name) for name in facts["events"])
        rotate_on(now)
    assert main(["audit", "verify"], recorded.environ) == 0, "rows of before are a part of the chain"


def refusal(recorded: Recorded) -> tuple[str, str | None]:
    """Start as a server does, which is refused. Returns the code and what to do."""
    settings = read_settings(recorded.environ)
    with closing(open_database(settings)) as database, pytest.raises(Misconfigured) as refused:
        prepare_database(settings, database, MovableClock(datetime(2026, 12, 1, tzinfo=UTC)), print)
    return refused.value.code, refused.value.fix


def rotate_on(now: Upgraded) -> None:
    rotating = now.facts["rotating"]
    runs = partial(now.api, "GET", f"{CONNECTIONS}/{rotating['id']}/rotation-runs")
    assert [run["state"] for run in runs()["rotationRuns"]] == ["succeeded"] * 3
    [before] = now.emulator.admin.secrets(rotating["objectId"])
    core = now.core
    targets = services(core, lambda: None).targets
    rotator = Rotator(
        WorkerContext(
            core.database,
            core.sealer,
            core.providers,
            core.clock,
            core.ids,
            core.settings.pace,
            core.process_id,
            targets,
            core.settings.quotas.runs_per_hour,
        )
    )
    now.work(rotator)
    assert len(runs()["rotationRuns"]) == 3, "nothing is rotated because of an upgrade"
    now.api("POST", f"{CONNECTIONS}/{rotating['id']}/rotate-credentials")
    now.work(rotator)
    [last, *_] = runs()["rotationRuns"]
    assert last["state"] == "succeeded"
    [after] = now.emulator.admin.secrets(rotating["objectId"])
    assert after.key_id != before.key_id, "the secret that the earlier version had made was replaced and removed"
    now.clock.move_to(now.clock.now() + timedelta(days=31))
    now.work(rotator)
    [scheduled, *_] = runs()["rotationRuns"]
    assert (scheduled["reason"], scheduled["state"]) == ("scheduled", "succeeded")
