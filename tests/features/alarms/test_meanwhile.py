"""Receivers, rules, silences and ends change while alarms go on: who is concerned is told, once, and of what is so."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.alarms.channels.kind import ChannelKind, Config
from keyturn.alarms.conditions.domain import Condition, Severity
from keyturn.alarms.domain import Rules
from keyturn.alarms.evaluation import Evaluation
from keyturn.alarms.notification import Notification
from keyturn.db.unit import Database
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.alarms.office import START, Office
from tests.features.alarms.receivers import SECRET, URL, Receiver

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOOK = ChannelDraft("hook", "webhook", {"url": URL}, SECRET)


class Letters(ChannelKind):
    """Mail that is kept: who got which title."""

    key, title, secret, secret_needed, for_programs = "email", "E-mail", "Password", False, False
    secret_goes_to = frozenset({"host"})

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, object]:
        del secret
        return dict(config)

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        del config, secret
        self.sent.append((notification.receiver, notification.title))
        return "Taken"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    with sqlite_database(tmp_path) as database:
        yield Office(database, kinds={"email": Letters()})  # type: ignore[misc]


def letters(office: Office) -> list[tuple[str, str]]:
    kind = office.kinds["email"]
    assert isinstance(kind, Letters)
    return kind.sent


# --- ends and silences ------------------------------------------------------------------------------------------------


def test_an_end_is_told_again_where_what_ended_was_replaced_by_what_ends_soon(office: Office) -> None:
    office.webhook()
    office.ends("prod", START + 26 * HOUR)
    office.passes(30 * HOUR, HOUR)
    assert office.receiver.told() == [("opened", "prod"), ("nearer", "prod"), ("ended", "prod")]
    office.ends("prod", START + 5 * DAY)
    office.passes(4 * DAY, 6 * HOUR)
    assert office.receiver.told()[3:] == [("nearer", "prod"), ("ended", "prod")]


def test_each_end_of_a_snooze_is_told_however_short_it_was(office: Office) -> None:
    office.webhook()
    office.happens("prod")
    office.passes(2 * MINUTE)
    (alarm,) = office.alarms.list(office.boss)
    for _ in range(2):
        office.alarms.snooze(office.boss, alarm.id, "in a minute", office.clock.now() + HOUR)
        office.passes(2 * HOUR, 20 * MINUTE)
    assert office.receiver.told() == [("opened", "prod"), ("reminder", "prod"), ("reminder", "prod")]


def test_rules_that_tell_later_call_nothing_over(office: Office) -> None:
    office.webhook()
    office.ends("prod", START + 40 * DAY + timedelta(microseconds=1))
    office.passes(2 * DAY, HOUR)
    office.alarms.change_rules(office.boss, Rules(days=(7, 1)))
    office.passes(2 * DAY, HOUR)
    assert office.alarms.list(office.boss) == []
    assert office.receiver.told("keyturn.digest") == [("opened", "prod")]
    office.clock.advance((28 * DAY).total_seconds())
    office.passes(2 * DAY, 6 * HOUR)
    assert office.receiver.told("keyturn.digest") == [("opened", "prod"), ("opened", "prod")]
    office.ends("prod", START + 90 * DAY)
    office.passes(2 * DAY, HOUR)
    assert office.receiver.told("keyturn.digest")[2:] == [("resolved", "prod")]


def test_what_ended_while_nobody_looked_after_it_had_been_replaced_is_told(office: Office) -> None:
    office.webhook()
    office.ends("prod", START + 2 * HOUR)
    office.passes(3 * HOUR, HOUR)
    office.ends("prod", START + 5 * HOUR)
    office.clock.advance((4 * HOUR).total_seconds())
    office.passes(2 * HOUR, HOUR)
    assert office.receiver.told() == [("opened", "prod"), ("ended", "prod"), ("ended", "prod")]


def test_that_what_was_acknowledged_is_over_is_told_where_it_is_about_nothing_any_more(office: Office) -> None:
    office.webhook()
    key = office.happens("prod")
    office.passes(2 * MINUTE)
    (alarm,) = office.alarms.list(office.boss)
    office.alarms.acknowledge(office.boss, alarm.id, "I am at it")
    del office.conditions[key]  # with the connection that it was about
    office.passes(2 * MINUTE)
    assert office.receiver.told() == [("opened", "prod"), ("resolved", "prod")]
    assert office.alarms.get(office.boss, alarm.id).alarm.state == "resolved"


# --- receivers --------------------------------------------------------------------------------------------------------


def test_a_new_channel_is_told_what_goes_on_already(office: Office) -> None:
    office.happens("prod")
    office.happens("quiet")
    office.ends("later", START + 20 * DAY)
    office.work()
    quiet = next(alarm for alarm in office.alarms.list(office.boss) if alarm.subject == "quiet")
    office.alarms.snooze(office.boss, quiet.id, "next week", START + 7 * DAY)
    office.webhook()
    office.passes(10 * MINUTE)
    assert office.receiver.told() == [("opened", "prod")]
    office.passes(2 * DAY, HOUR)
    assert office.receiver.told("keyturn.digest") == [("opened", "later")]
    assert office.receiver.told() == [("opened", "prod")]


def test_whoever_answers_from_now_on_is_told_what_goes_on_already(office: Office) -> None:
    office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
    ann, ben = (person(office.database, office.org_id, Role.MEMBER, f"{name}@acme.test") for name in ("ann", "ben"))
    office.happens("prod")
    office.owned_by("prod", ann)
    office.passes(2 * MINUTE)
    office.owned_by("prod", ben)
    office.passes(10 * MINUTE)
    about = "[Keyturn] prod: connection refused"
    assert letters(office) == [("ann@acme.test", about), ("ben@acme.test", about)]


def test_a_channel_that_is_switched_off_does_not_fail(office: Office) -> None:
    channel = office.webhook()
    office.receiver.down = True
    office.happens("prod")
    office.passes(5 * MINUTE)
    assert office.channels.get(office.boss, channel).failing_since
    office.channels.update(office.boss, channel, ChannelDraft("hook", "webhook", {"url": URL}, enabled=False))
    office.passes(DAY, HOUR)
    office.receiver.down = False
    office.channels.update(office.boss, channel, HOOK)
    assert office.channels.get(office.boss, channel).failing_since is None
    office.passes(8 * HOUR, 30 * MINUTE)
    assert office.receiver.told() == [("opened", "prod")]


def test_what_waits_is_sent_once_a_test_shows_that_the_channel_was_repaired(office: Office) -> None:
    channel = office.webhook()
    office.receiver.down = True
    office.happens("prod")
    office.passes(DAY, HOUR)
    assert not office.channels.test(office.boss, channel)[0].ok
    office.receiver.down = False
    office.passes(MINUTE)
    assert office.receiver.told() == []
    assert office.channels.test(office.boss, channel)[0].ok
    office.passes(2 * MINUTE)
    assert office.receiver.told() == [("opened", "prod")]


@pytest.mark.parametrize("how", ["away", "switched off"])
def test_what_goes_on_is_told_to_a_receiver_that_was_away_for_longer_than_a_message_waits(
    office: Office, how: str
) -> None:
    channel = office.webhook()
    office.receiver.down = True
    office.happens("prod")
    office.alarms.change_rules(office.boss, Rules(reminder_days=90))
    office.passes(5 * MINUTE)
    if how == "switched off":
        office.channels.update(office.boss, channel, replace(HOOK, enabled=False))
    office.passes(9 * DAY, 3 * HOUR)
    assert {each.message.state for each in office.channels.messages(office.boss, channel)} >= {"given-up"}
    office.receiver.down = False
    office.channels.update(office.boss, channel, HOOK)
    office.passes(8 * HOUR, HOUR)
    assert office.receiver.told() == [("opened", "prod")]


def test_a_channel_may_be_deleted_and_made_again_while_it_delivers(database: Database) -> None:
    office = Office(database)
    channel = office.webhook()

    def deleted() -> bool:
        if [each.id for each in office.channels.list(office.boss)] == [channel]:
            office.channels.delete(office.boss, channel)
            office.webhook()
        return False

    office.happens("prod")
    office.work(office.process(deleted), rounds=2)
    office.passes(5 * MINUTE)
    assert office.receiver.told() == [("opened", "prod"), ("opened", "prod")]
    (renewed,) = office.channels.list(office.boss)
    (delivery,) = office.channels.messages(office.boss, renewed.id)
    assert [attempt.ok for attempt in delivery.attempts] == [True]


def test_a_long_address_is_written_to_like_others(database: Database) -> None:
    office = Office(database, kinds={"email": Letters()})
    address = f"{'a' * 60}@{'.'.join(['b' * 60] * 3)}.test"
    office.channels.create(office.boss, ChannelDraft("mail", "email", {"to": [address]}))
    office.happens("prod")
    office.ends("later", START + 20 * DAY)
    office.passes(2 * DAY, HOUR)
    assert [receiver for receiver, _ in letters(office)] == [address, address]


# --- receivers that ask for time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_date", [False, True])
def test_a_receiver_that_asks_for_time_is_left_alone_so_long(office: Office, as_date: bool) -> None:
    class Busy(Receiver):
        def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
            if office.clock.now() < START + 50 * MINUTE:
                self.requests.append(request)
                until = format_datetime(START + 50 * MINUTE, usegmt=True) if as_date else str(50 * 60)
                return HttpResponse(429, {"retry-after": until}, b"slow down")
            return super().send(request, ca=ca)

    office.kinds["webhook"] = type(office.kinds["webhook"])(Busy(), office.clock)  # type: ignore[call-arg]
    channel = office.webhook()
    office.happens("prod")
    office.passes(70 * MINUTE)
    (delivery,) = office.channels.messages(office.boss, channel)
    assert [attempt.outcome for attempt in delivery.attempts] == [
        "Answered with status 429.",
        "Taken, with status 204",
    ]


@pytest.mark.parametrize(
    ("status", "says"), [(308, "redirects are not followed"), (410, "Enter its new address"), (500, "status 500.")]
)
def test_an_answer_that_needs_somebody_says_so(office: Office, status: int, says: str) -> None:
    class Answers(Receiver):
        def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
            return HttpResponse(status, {"location": "https://elsewhere.example.test/"}, b"x" * 100_000)

    office.kinds["webhook"] = type(office.kinds["webhook"])(Answers(), office.clock)  # type: ignore[call-arg]
    (attempt,) = office.channels.test(office.boss, office.webhook())
    assert says in attempt.outcome
    assert "elsewhere" not in attempt.outcome


# --- processes --------------------------------------------------------------------------------------------------------


def test_a_look_that_took_too_long_does_not_undo_a_later_one(database: Database) -> None:
    office = Office(database)
    office.webhook()

    def find(org_id: str, now: datetime) -> Sequence[Condition]:
        """Find nothing, and come back after another process has taken over and found something."""
        office.happens("prod")
        office.passes(20 * MINUTE)
        return []

    slow = Evaluation(database, office.clock, office.ids, find)
    with database.write() as tx:
        office.process()[0].claim(tx, office.clock.now(), 4)
    assert slow.run(office.org_id) == 0
    office.passes(5 * MINUTE)
    assert office.receiver.told() == [("opened", "prod")]


def test_a_daily_message_comes_once_a_day_wherever_the_channel_lives(office: Office) -> None:
    channel = office.webhook()
    zones = ["Pacific/Kiritimati", "Pacific/Honolulu", "Europe/Oslo", "America/New_York", "UTC"]
    for number in range(12):
        office.happens(f"app-{number}", severity=Severity.WARNING)
        draft = ChannelDraft("hook", "webhook", {"url": URL}, time_zone=zones[number % 5], digest_hour=number * 7 % 24)
        office.channels.update(office.boss, channel, draft)
        office.passes(19 * HOUR, HOUR)
    office.passes(2 * DAY, 2 * HOUR)
    told = office.receiver.told("keyturn.digest")
    assert sorted(subject for event, subject in told if event == "opened") == sorted(
        f"app-{number}" for number in range(12)
    )
    sent = sorted(office.receiver.times.values())
    assert len(sent) > 9
    assert max(after - before for before, after in pairwise(sent)) <= 26 * HOUR, (
        "a day that has an hour more, and a step"
    )


def test_a_channel_that_moves_to_where_it_is_the_day_before_is_told_within_a_day(office: Office) -> None:
    channel = office.webhook(time_zone="Pacific/Kiritimati")
    office.happens("first", severity=Severity.WARNING)
    office.passes(10 * HOUR, HOUR)  # it is 8 o'clock there, on the day after
    office.channels.update(office.boss, channel, replace(HOOK, time_zone="Pacific/Honolulu"))
    office.happens("second", severity=Severity.WARNING)
    office.passes(25 * HOUR, HOUR)
    assert office.receiver.told("keyturn.digest") == [("opened", "first"), ("opened", "second")]


@pytest.mark.parametrize("ahead", [-DAY, 30 * DAY])
def test_a_clock_that_is_wrong_puts_nothing_off_that_is_told_at_once(office: Office, ahead: timedelta) -> None:
    office.webhook()
    office.ahead = ahead
    office.happens("prod")
    office.passes(2 * MINUTE)
    assert office.receiver.told() == [("opened", "prod")]
