"""What is told arrives: with processes that are in each other's way and die, and a receiver that fails half of the time."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Alarm
from keyturn.alarms.evaluation import AT_ONCE, KEPT, Evaluation
from keyturn.db.tables import alarms
from keyturn.db.unit import Database, Tx
from tests.databases import sqlite_database
from tests.features.alarms.office import Killed, Office
from tests.features.alarms.receivers import Receiver

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MANY = 2 * AT_ONCE + 50
"""Alarms that are written in three transactions."""


def test_every_alarm_arrives_once_for_its_id(database: Database) -> None:
    office = Office(database, Receiver(fails=0.5))
    channel = office.webhook()
    chance = random.Random(3)
    first, second = (office.process(lambda: chance.random() < 0.1) for _ in range(2))
    names = [f"app-{number}" for number in range(12)]
    for name in names:
        office.happens(name)
        office.passes(2 * MINUTE, MINUTE, first, second)
    office.passes(3 * DAY, timedelta(hours=1), first, second)
    office.work(first, second, rounds=20)
    assert sorted(office.receiver.told()) == sorted(("opened", name) for name in names)

    gone = names[:6]
    for name in gone:
        del office.conditions[f"connection-refused:{name}"]
    office.passes(2 * DAY, timedelta(hours=1), first, second)
    assert sorted(office.receiver.told())[len(names) :] == sorted(("resolved", name) for name in gone)

    assert office.receiver.doubles, "the test is to see doubles, which the receiver knows by their id"
    attempts = [attempt for each in office.channels.messages(office.boss, channel) for attempt in each.attempts]
    assert {attempt.ok for attempt in attempts} == {True, False}
    assert {attempt.outcome for attempt in attempts if not attempt.ok} == {
        "Answered with status 503.",
        "No answer: hooks.example.test gave no answer: it did not answer in time.",
    }
    assert len(office.alarms.list(office.boss)) == 6
    assert len(office.alarms.list(office.boss, resolved=True)) == 6


def test_what_happens_to_many_at_once_is_one_message(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        office = Office(database)
        office.webhook()
        for number in range(120):
            office.happens(f"app-{number}")
        office.passes(10 * MINUTE)
        (body,) = office.receiver.taken.values()
        assert body["data"]["title"] == "[Keyturn] connection refused: 120 connections"
        assert (len(body["data"]["alarms"]), body["data"]["leftOut"]) == (50, 70)
        assert office.alarms.count(office.boss) == 120


class Mortal(Database):
    """The database of a process that dies after so many of its transactions: ``lives``. ``most`` opened in one of them."""

    lives, most = -1, 0

    @contextmanager
    def write(self) -> Iterator[Tx]:  # type: ignore[override]
        with super().write() as tx:
            before = _number_of_alarms(tx)
            yield tx
            self.most = max(self.most, _number_of_alarms(tx) - before)
        self.lives -= 1
        if self.lives == 0:
            raise Killed


def _resolved_alarms(office: Office) -> Sequence[Alarm]:
    return office.alarms.list(office.boss, resolved=True)


def _number_of_alarms(tx: Tx) -> int:
    row = tx.one(sa.select(sa.func.count().label("n")).select_from(alarms))
    return row["n"] if row else 0


@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.WARNING], ids=["at once", "daily"])
def test_others_write_between_the_parts_of_a_look_in_which_much_has_happened(
    tmp_path: Path, severity: Severity
) -> None:
    with sqlite_database(tmp_path) as database:
        office = Office(database)
        office.webhook()
        for number in range(MANY):
            office.happens(f"app-{number}", severity=severity)
        mortal = Mortal(database.engine)
        assert Evaluation(mortal, office.clock, office.ids, office.find).run(office.org_id) == MANY
        assert mortal.most == AT_ONCE
        office.work()
        office.passes(DAY, timedelta(hours=1))
        (body,) = office.receiver.taken.values()
        assert len(body["data"]["alarms"]) + body["data"]["leftOut"] == MANY

        office.conditions.clear()
        office.passes(DAY, timedelta(hours=12))
        office.clock.advance((KEPT + DAY).total_seconds())
        kept = []
        for _ in range(4):
            kept.append(len(_resolved_alarms(office)))
            office.passes(2 * MINUTE, 2 * MINUTE)
        assert kept == [MANY, MANY - AT_ONCE, MANY - 2 * AT_ONCE, 0]


@pytest.mark.parametrize("lives", [1, 3])
def test_a_look_that_died_in_the_middle_is_gone_on_with(database: Database, lives: int) -> None:
    office = Office(database)
    office.webhook()
    for number in range(MANY):
        office.happens(f"app-{number}")
    mortal = Mortal(database.engine)
    mortal.lives = lives
    with database.write() as tx:
        office.process()[0].claim(tx, office.clock.now(), 1)
    with pytest.raises(Killed):
        Evaluation(mortal, office.clock, office.ids, office.find).run(office.org_id)
    office.passes(30 * MINUTE)
    told = [body["data"] for body in office.receiver.taken.values()]
    assert sum(len(data["alarms"]) + data["leftOut"] for data in told) == MANY
    assert len(told) == (1 if lives > 2 else 2), "what was written down before it died, and the rest"
    assert office.alarms.count(office.boss) == MANY
