"""Backups that are too old are an alarm, whoever makes them: servers by themselves, or cron or a job by the command."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.app.backups import ScheduledBackups
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.kit.clock import MovableClock
from keyturn.settings.reader import read_settings
from keyturn_simulation.world import ROOT_KEY, World, make_world
from tests.databases import sqlite_database
from tests.features.backup.copies import Shell, address, versioned

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def alarms(world: World, now: datetime) -> list[str]:
    """Return what is told of backups at this moment."""
    with world.database.read() as tx:
        found = ConditionFinder(world.services.providers).of_organization(tx, world.actor.org_id, now)
    return [each.cause for each in found if each.kind is ConditionKind.BACKUP_OVERDUE]


def test_a_backup_by_the_command_is_known_and_replaces_the_folder_of_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell, now = Shell(tmp_path, capsys), datetime.now(UTC)
    shell.key()
    with sqlite_database(tmp_path) as database, versioned(database):
        world, clock = make_world(database), MovableClock(now - 50 * HOUR)
        at = {"KEYTURN_DATA_DIR": str(tmp_path), "KEYTURN_BACKUP_DIR": str(tmp_path / "of-server"), **shell.environ}
        keyring = Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), clock)
        scheduled = ScheduledBackups(read_settings(at), database, keyring, clock)
        scheduled.make_due()
        clock.advance(20 * 3600)
        scheduled.make_due()  # for the last time
        [told] = alarms(world, now)
        assert "of-server" in told

        folder = tmp_path / "of-job"
        by_job = {"KEYTURN_BACKUP_DIR": str(folder), "DB_CONNECTION_URI": address(database)}
        assert shell.run("backup", "create", **by_job, KEYTURN_BACKUP_HOURS="12") == 0, shell.err
        assert alarms(world, now + 23 * HOUR) == []
        [told] = alarms(world, now + 25 * HOUR)
        assert "of-job" in told
        assert "one every 12 hours" in told

        rarely = {**by_job, "KEYTURN_BACKUP_HOURS": "168"}
        assert shell.run("backup", "create", **rarely, ENCRYPTION_KEY=ROOT_KEY[::-1].hex()) != 0
        assert len(list(folder.glob("*.age"))) == 1
        assert alarms(world, now + 13 * DAY) == []
        [told] = alarms(world, now + 15 * DAY)
        assert "one every 168 hours. " in told
        assert "key" in told.partition("hours. ")[2], "and why the last one failed"
        assert alarms(world, now + 29 * DAY) == [], "nobody makes them any more"
        before = alarms(world, now + 15 * DAY)
        assert shell.run("backup", "create", tmp_path / "by-hand.age", **rarely) == 0
        assert alarms(world, now + 15 * DAY) == before, "one for elsewhere says nothing of the folder"
