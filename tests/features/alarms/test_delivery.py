"""What is told arrives: with processes that are in each other's way and die, and a receiver that fails half of the time."""

import random
from datetime import timedelta
from pathlib import Path

from keyturn.db.unit import Database
from tests.databases import sqlite_database
from tests.features.alarms.office import Office
from tests.features.alarms.receivers import Receiver

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


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
