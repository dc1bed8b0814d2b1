"""Lives of organizations by chance: whatever happens to ends, people, channels, rules and clocks, who has to be told is told."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Rules
from keyturn.db.unit import Database
from keyturn.kit.actor import Role
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.alarms.office import START, Office
from tests.features.alarms.receivers import SECRET, URL, Receiver
from tests.simulation.seeds import base_seed, every_case

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = ("Pacific/Kiritimati", "Pacific/Honolulu", "Europe/Oslo", "America/New_York", "UTC")
SEEDS = 40 if every_case() else 1
LASTS, STEP = 8 * DAY, 5 * HOUR
LATEST = 25 * HOUR + STEP
"""A daily message comes within 25 hours, wherever its channel moves."""
HOOK = ChannelDraft("hook", "webhook", {"url": URL}, SECRET)


class Life:
    """An organization, and what happens to it. ``ends`` are the ends of what has one, by name."""

    def __init__(self, database: Database, seed: int) -> None:
        self.luck = random.Random(seed)
        self.office = Office(database, Receiver(seed=seed, fails=0.3))
        self.channel, self.draft = self.office.webhook(), HOOK
        self.people = [
            person(database, self.office.org_id, Role.MEMBER, f"{name}@acme.test") for name in ("ann", "ben")
        ]
        self.ends: dict[str, datetime] = {}
        self.names = 0

    def live(self) -> None:
        """Let time pass with something that happens now and then; in the end everything works for long enough."""
        happenings: list[Callable[[], None]] = [
            *([self.something_fails, self.something_ends] * 3),
            *([self.an_end_moves, self.it_is_over, self.somebody_answers, self.somebody_silences] * 2),
            *(self.rules_change, self.the_channel_changes, self.the_channel_is_made_again, self.the_receiver_goes),
            *(self.nobody_works, self.the_clock_is_wrong),
        ]
        while self.office.clock.now() < START + LASTS:
            self.luck.choice(happenings)()
            self.time_passes(STEP)
        self.office.receiver.down, self.office.receiver.fails = False, 0
        self.channel_becomes(enabled=True)
        for _ in range(12):
            self.time_passes(5 * HOUR)

    def time_passes(self, time: timedelta) -> None:
        self.office.passes(time, time / 2)
        self.office.work(rounds=4)

    # --- what happens -------------------------------------------------------------------------------------------------

    def new_name(self) -> str:
        self.names += 1
        return f"app-{self.names}"

    def some_name(self) -> str | None:
        names = [condition.subject.name for condition in self.office.conditions.values()]
        return self.luck.choice(names) if names else None

    def something_fails(self) -> None:
        self.office.happens(self.new_name(), severity=self.luck.choice([Severity.CRITICAL, Severity.WARNING]))

    def something_ends(self) -> None:
        self._ends(self.new_name(), self.luck.choice([2 * HOUR, 30 * HOUR, 3 * DAY, 8 * DAY, 61 * DAY]))

    def an_end_moves(self) -> None:
        if self.ends:
            self._ends(self.luck.choice(sorted(self.ends)), self.luck.choice([5 * HOUR, 40 * HOUR, 50 * DAY]))

    def _ends(self, name: str, time: timedelta) -> None:
        self.ends[name] = self.office.clock.now() + time
        self.office.ends(name, self.ends[name])

    def it_is_over(self) -> None:
        if name := self.some_name():
            self.office.conditions = {
                key: condition for key, condition in self.office.conditions.items() if condition.subject.name != name
            }
            self.ends.pop(name, None)

    def somebody_answers(self) -> None:
        if name := self.some_name():
            self.office.owned_by(name, self.luck.choice(self.people))

    def somebody_silences(self) -> None:
        alarms, office = self.office.alarms, self.office
        if found := alarms.list(office.boss):
            one, now = self.luck.choice(list(found)).id, office.clock.now()
            self.luck.choice(
                [
                    lambda: alarms.acknowledge(office.boss, one, "mine", self.luck.choice([None, now + DAY])),
                    lambda: alarms.snooze(office.boss, one, "later", now + self.luck.choice([HOUR, 2 * DAY])),
                    lambda: alarms.reopen(office.boss, one),
                ]
            )()

    def rules_change(self) -> None:
        days = tuple(day for day in (60, 30, 7) if self.luck.random() < 0.5)
        self.office.alarms.change_rules(self.office.boss, Rules((*days, 3, 1), self.luck.choice([1, 3]), 2))

    def the_channel_changes(self) -> None:
        zone, hour = self.luck.choice(ZONES), self.luck.randrange(24)
        self.channel_becomes(time_zone=zone, digest_hour=hour, enabled=self.luck.random() < 0.8)

    def channel_becomes(self, **changes: object) -> None:
        self.draft = replace(self.draft, **changes)  # type: ignore[arg-type]
        self.office.channels.update(self.office.boss, self.channel, self.draft)

    def the_channel_is_made_again(self) -> None:
        self.office.channels.delete(self.office.boss, self.channel)
        self.channel, self.draft = self.office.webhook(), HOOK

    def the_receiver_goes(self) -> None:
        self.office.receiver.down = not self.office.receiver.down

    def nobody_works(self) -> None:
        self.office.clock.advance((3 * DAY).total_seconds())

    def the_clock_is_wrong(self) -> None:
        """Ours is a month ahead or a day behind, as answers of the provider show, and is set right."""
        wrong = self.luck.choice([30 * DAY, -DAY])
        self.office.clock.advance(wrong.total_seconds())
        self.office.ahead = wrong
        self.time_passes(HOUR)
        self.office.clock.advance(-wrong.total_seconds())
        self.office.ahead = None


@pytest.mark.parametrize("number", range(SEEDS))
def test_who_has_to_be_told_is_told_whatever_happens(tmp_path: Path, number: int) -> None:
    seed = base_seed() + number
    with sqlite_database(tmp_path) as database:
        life = Life(database, seed)
        life.live()
        office = life.office
        open_ones = {alarm.subject: alarm for alarm in office.alarms.list(office.boss)}
        conditions = {condition.subject.name for condition in office.conditions.values()}
        assert set(open_ones) <= conditions, f"seed {seed}: an alarm without a cause"
        far = {name for name, at in life.ends.items() if at > office.clock.now() + 3 * DAY}
        assert conditions - far <= set(open_ones), f"seed {seed}: a cause without an alarm"

        told = [
            (alarm["event"], alarm["alarmId"])
            for body in office.receiver.taken.values()
            for alarm in body["data"]["alarms"]
        ]
        through = {
            alarm.subject: [each.message for each in office.alarms.get(office.boss, alarm.id).deliveries]
            for alarm in open_ones.values()
            if alarm.silence is None and alarm.opened_at < office.clock.now() - LATEST
        }
        for name, messages in through.items():
            sent = [message for message in messages if message.channel_id == life.channel and message.sent_at]
            assert sent, f"seed {seed}: {name} was not told through the channel that there is"
        resolved = Counter(alarm for event, alarm in told if event == "resolved")
        assert all(times == 1 for times in resolved.values()), f"seed {seed}: resolved twice"
        assert not resolved.keys() & {alarm.id for alarm in open_ones.values()}, f"seed {seed}: resolved, and open"
        waiting = [
            each.message.due_at for each in office.channels.messages(office.boss, life.channel) if each.message.due_at
        ]
        assert all(at > office.clock.now() - DAY for at in waiting), f"seed {seed}: messages that nobody sends"
