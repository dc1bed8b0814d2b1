"""Entra ID's own reports say whether a secret that was replaced is still used: it goes when they show that it is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from entra_emulator import Request
from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.db.unit import Database
from keyturn.rotations.evidence.reading import UseReader, UseReportsDue
from tests.features.rotations.secret_desk import WRITE_ALL, Json, RotationClient, desk, make_application

READS_LOGS = (*WRITE_ALL, "AuditLog.Read.All")
HOUR = timedelta(hours=1)


@contextmanager
def opened(database: Database, folder: Path, **of_world: object) -> Iterator[RotationClient]:
    with desk(database, folder, **{"permissions": READS_LOGS, **of_world}) as web:
        yield web


@pytest.fixture
def web(database: Database, tmp_path: Path) -> Iterator[RotationClient]:
    with opened(database, tmp_path) as client:
        yield client


def source(web: RotationClient) -> UseReportsDue:
    context = web.world.servers[0].context
    return UseReportsDue(UseReader(context.database, context.providers, context.clock, context.targets).read)


def read_reports(web: RotationClient) -> int:
    """Read the reports that are due, as the finder and the engine would; return of how many applications."""
    reports, now = source(web), web.world.clock.now()
    with web.world.database.write() as tx:
        claimed = reports.claim(tx, now, 100) if reports.is_due(tx, now) else []
    for work in claimed:
        reports.do(work.id)
    return len(claimed)


def hours(web: RotationClient, count: int, *, using: str = "", address: str = "203.0.113.9") -> None:
    """Let hours pass; a program signs in with a secret in each."""
    for _ in range(count):
        if using:
            sign_in(web, using, address)
        web.days(1 / 24)
        read_reports(web)
        web.days(0)


def sign_in(web: RotationClient, value: str, address: str) -> int:
    """Sign in as the application from somewhere, past this server; return the status."""
    form = {
        "grant_type": "client_credentials",
        "client_id": web.application.app_id,
        "client_secret": value,
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"https://login.microsoftonline.com/{web.world.tenant_id}/oauth2/v2.0/token"
    return web.world.emulator.call(Request("POST", url, {}, urlencode(form).encode(), address)).status


def previous(web: RotationClient, rotation: Json) -> Json:
    shown = web.ask("GET", f"{rotation['id']}/consumers")["secrets"]
    found: Json = next(each for each in shown if each["state"] == "retiring")
    return found


def rotated(web: RotationClient, overlap: str = "until-unused") -> tuple[Json, str]:
    """Rotate once; return the rotation and the value that was replaced."""
    rotation = web.create(overlap=overlap)
    old = web.values()["AZURE_CLIENT_SECRET"]
    hours(web, 5, using=old)
    web.rotate(rotation)
    web.days(1 / 1440)
    return rotation, old


def test_a_secret_goes_once_every_report_shows_that_nobody_uses_it(web: RotationClient) -> None:
    rotation, old = rotated(web)
    hours(web, 8, using=old)
    shown = previous(web, rotation)
    evidence = shown["evidence"]
    assert (evidence["verdict"], evidence["sources"], evidence["isUnexplained"]) == ("in-use", ["sign-in-log"], False)
    assert shown["reported"]["credentialKind"] == "client-secret"
    assert [user["address"] for user in evidence["usedBy"] if user["address"] == "203.0.113.9"]
    assert datetime.fromisoformat(shown["keptUntil"]) - web.world.clock.now() < timedelta(hours=28)
    refused = web.refused({"keyId": shown["keyId"]}, url=f"{rotation['id']}/release")
    assert (refused["code"], "203.0.113.9" in refused["message"]) == ("rotation.seen_in_use", True)
    last_used = datetime.fromisoformat(evidence["since"])
    hours(web, 30)
    assert len(web.keys()) == 2, "nobody was seen for longer than a token lives, but the slower report may still tell"
    assert previous(web, rotation)["evidence"]["verdict"] == "in-use"
    while len(web.keys()) == 2 and web.world.clock.now() - last_used < timedelta(days=5):
        hours(web, 1)
    assert timedelta(hours=52) <= web.world.clock.now() - last_used < timedelta(hours=64)
    assert web.signs_in(web.values()["AZURE_CLIENT_SECRET"])


def test_programs_that_all_switched_release_it_after_its_grace(web: RotationClient) -> None:
    rotation = web.create(overlap="until-unused:12h")
    headers = {"X-Keyturn-Instance": "pod-1", "X-Keyturn-Refresh-Interval": "300"}
    query = {"workspaceId": web.project, "environment": "prod", "secretPath": "/billing"}

    def read() -> None:
        web.ask("GET", "/api/v3/secrets/raw", who="robot", sends=headers, **query)

    read()
    web.rotate(rotation)
    for _ in range(3):
        read()
        web.days(301 / 86400)
    assert previous(web, rotation)["evidence"]["verdict"] == "acknowledged-elsewhere"
    hours(web, 11)
    assert len(web.keys()) == 2, "its grace is not over"
    hours(web, 2)
    assert len(web.keys()) == 1


@pytest.mark.parametrize(
    ("permissions", "settings", "reason"),
    [(WRITE_ALL, {}, "permission"), (READS_LOGS, {"premium": False}, "licence")],
)
def test_what_cannot_be_seen_says_why_and_stays(
    database: Database, tmp_path: Path, permissions: tuple[str, ...], settings: Json, reason: str
) -> None:
    with opened(database, tmp_path, permissions=permissions) as web:
        web.world.emulator.admin.configure(web.world.tenant_id, **settings)
        rotation = web.create(overlap="until-unused")
        web.rotate(rotation)
        hours(web, 30)
        evidence = previous(web, rotation)["evidence"]
        assert evidence["verdict"] == "not-observable"
        assert reason in {each["reason"] for each in evidence["reasons"]}
        assert not evidence["usedBy"]
        current = web.ask("GET", f"{rotation['id']}/consumers")["secrets"][0]
        assert (current["state"], current["reported"]["lastUsedAt"]) == ("current", None)
        assert [each["reason"] for each in current["reported"]["reasons"]] == [reason]
        web.days(25)
        assert len(web.keys()) == 2, "not seen is not unused"
        web.ask("POST", f"{rotation['id']}/release", {"keyId": previous(web, rotation)["keyId"]})
        web.days(1 / 24)
        assert len(web.keys()) == 1, "somebody said so"


def test_a_program_that_is_refused_after_a_removal_is_named(web: RotationClient) -> None:
    rotation, old = rotated(web, "until-next-rotation")
    web.rotate(rotation, reason="leaked")
    hours(web, 1)
    assert sign_in(web, old, "203.0.113.9") == 401
    hours(web, 3)
    with web.world.database.read() as tx:
        finder = ConditionFinder(web.world.services.providers)
        found = finder.of_organization(tx, web.world.actor.org_id, web.world.clock.now())
        events = tx.rows(sa.text("SELECT event FROM audit_events WHERE event = 'credential-used-after-removal'"))
    (condition,) = [one for one in found if one.kind is ConditionKind.REMOVED_CREDENTIAL_USED]
    assert "203.0.113.9" in condition.cause
    assert "7000215" in condition.cause
    assert condition.subject.name == rotation["name"]
    assert [row["event"] for row in events] == ["credential-used-after-removal"]


def test_a_tenant_is_asked_five_times_in_ten_seconds_at_most(web: RotationClient) -> None:
    for name in ("one", "two", "three", "four"):
        application = make_application(web.world, name)
        path = {"secretPath": "/", "secretsMapping": {"clientId": f"{name}_ID", "clientSecret": f"{name}_SECRET"}}
        parameters = {"objectId": application.object_id, "clientId": application.app_id}
        web.rotate(web.create(name, parameters=parameters, overlap="until-unused", **path))
    for _ in range(80):
        read_reports(web)
        web.days(1 / 86400)
    asked = [entry for entry in web.world.emulator.ledger if entry.operation in REPORTS]
    assert len({entry.operation for entry in asked}) == 2
    assert len(asked) >= 8
    assert all(entry.status == 200 for entry in asked)
    for entry in asked:
        assert sum(entry.at <= other.at < entry.at + 10 for other in asked) <= 5


REPORTS = {"listSignIns", "listAppCredentialSignInActivities"}
