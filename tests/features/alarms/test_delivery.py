"""What is told arrives: with processes that are in each other's way and die, and a receiver that fails half of the time."""

import json
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
from keyturn.ports.http import HttpRequest, HttpResponse
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
        bodies = [body["data"] for body in office.receiver.taken.values()]
        assert {body["title"] for body in bodies} == {"[Keyturn] connection refused: 120 connections"}
        assert [(body["part"], body["parts"], len(body["alarms"]), body["leftOut"]) for body in bodies] == [
            (1, 3, 50, 70),
            (2, 3, 50, 20),
            (3, 3, 20, 0),
        ]
        assert sorted(office.receiver.told()) == sorted(("opened", f"app-{number}") for number in range(120))
        assert office.alarms.count(office.boss) == 120


def test_parts_that_were_taken_are_not_sent_again_with_one_that_fails(database: Database) -> None:
    office = Office(database)
    channel = office.webhook()
    for number in range(120):
        office.happens(f"app-{number}")
    answer, refused = office.receiver.send, []

    def refuses_the_second(request: HttpRequest) -> HttpResponse:
        if json.loads(request.body)["data"]["part"] == 2 and len(refused) < 3:
            refused.append(request.headers["webhook-id"])
            return HttpResponse(503, {}, b"busy")
        return answer(request)

    office.receiver.send = refuses_the_second  # type: ignore[method-assign, assignment]
    office.passes(30 * MINUTE)
    first, second, third = office.receiver.taken
    assert (second, third) == (f"{first}-2", f"{first}-3")
    assert refused == [second] * 3
    assert office.receiver.doubles == 0
    (message,) = office.channels.messages(office.boss, channel)
    assert message.message.state == "sent"
    assert [attempt.outcome for attempt in message.attempts] == [
        "Part 1 of 3: Taken, with status 204",
        *["Part 2 of 3: Answered with status 503."] * 3,
        "Part 2 of 3: Taken, with status 204",
        "Part 3 of 3: Taken, with status 204",
    ]


def test_many_alarms_arrive_once_each_part_at_a_receiver_that_fails_half(database: Database) -> None:
    office = Office(database, Receiver(fails=0.5))
    office.webhook()
    chance = random.Random(5)
    first, second = (office.process(lambda: chance.random() < 0.2) for _ in range(2))
    for number in range(120):
        office.happens(f"app-{number}")
    office.passes(DAY, timedelta(hours=1), first, second)
    office.work(first, second, rounds=20)
    assert sorted(office.receiver.told()) == sorted(("opened", f"app-{number}") for number in range(120))


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
        office.work(rounds=20)
        assert len(office.receiver.told(f"keyturn.{'alarm' if severity is Severity.CRITICAL else 'digest'}")) == MANY
        assert len(office.receiver.taken) == -(-MANY // 50), "the parts of one message"

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
    assert len(office.receiver.told()) == len(set(office.receiver.told())) == MANY
    begun = [body for body in office.receiver.taken.values() if body["data"]["part"] == 1]
    assert len(begun) == (1 if lives > 2 else 2), "what was written down before it died, and the rest"
    assert office.alarms.count(office.boss) == MANY
