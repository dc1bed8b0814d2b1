"""An organization with conditions that a test makes, and processes that look at it and deliver."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from keyturn.alarms.channel_service import ChannelDraft, Channels
from keyturn.alarms.channels.kind import ChannelKind
from keyturn.alarms.channels.slack.channel import Slack
from keyturn.alarms.channels.teams.channel import Teams
from keyturn.alarms.channels.webhook.channel import Webhook
from keyturn.alarms.conditions.domain import Condition, ConditionKind, ConditionSubject, Severity
from keyturn.alarms.delivery import Delivery, DueMessages, Sender
from keyturn.alarms.evaluation import Evaluation, Evaluations
from keyturn.alarms.service import Alarms
from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.db.tables import owners
from keyturn.db.unit import Database
from keyturn.engine.sources import Source
from keyturn.kit.actor import Actor, Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.ids import SeededIds
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from tests.features.accounts.people import organization, person
from tests.features.alarms.receivers import SECRET, URL, Receiver

START = datetime(2026, 12, 1, 9, tzinfo=UTC)
SITE = "https://keyturn.example.test"


class Killed(BaseException):
    """A process died here."""


class NoSealer:
    """Seals by naming the place, so that what is opened elsewhere shows."""

    def seal(self, value: Plaintext, place: SealContext) -> Sealed:
        return Sealed(f"{place.row}|{value.reveal()}")

    def open(self, sealed: Sealed, place: SealContext) -> Plaintext:
        row, _, text = sealed.text.partition("|")
        assert row == place.row
        return Plaintext(text)


@dataclass
class Office:
    """``conditions`` are what is so now, by key; ``receiver`` what the webhook of the organization leads to."""

    database: Database
    receiver: Receiver = field(default_factory=Receiver)
    kinds: dict[str, ChannelKind] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    clock: MovableClock = field(default_factory=lambda: MovableClock(START))
    ahead: timedelta | None = None

    def __post_init__(self) -> None:
        self.ids = SeededIds(7)
        self.org_id = organization(self.database)
        self.boss = person(self.database, self.org_id, Role.ADMIN, "boss@acme.test")
        self.sealer = NoSealer()
        usual: tuple[ChannelKind, ...] = (
            Webhook(self.receiver, self.clock),
            Slack(self.receiver, self.clock),
            Teams(self.receiver, self.clock),
        )
        self.kinds = {kind.key: kind for kind in usual} | self.kinds
        self.channels = Channels(self.database, self.sealer, self.clock, self.ids, self.kinds, SITE)
        self.alarms = Alarms(self.database, self.clock)

    def webhook(self, name: str = "hook", **changes: object) -> str:
        draft = ChannelDraft(name, "webhook", {"url": URL}, SECRET)
        return self.channels.create(self.boss, replace(draft, **changes)).id  # type: ignore[arg-type]

    def channels_with(self, kind: ChannelKind) -> Channels:
        """The use cases of channels, with another kind in the place of one of the same key."""
        return Channels(self.database, self.sealer, self.clock, self.ids, {**self.kinds, kind.key: kind}, SITE)

    # --- what is so ---------------------------------------------------------------------------------------------------

    def happens(
        self,
        name: str,
        kind: ConditionKind = ConditionKind.CONNECTION_REFUSED,
        severity: Severity = Severity.CRITICAL,
        **more: object,
    ) -> str:
        subject = ConditionSubject(SubjectKind.CONNECTION, f"id-{name}", name)
        place = Scope(self.org_id, connection_id=subject.id)
        key = f"{kind.value}:{name}"
        cause, fix = f"'{name}' does not work.", "Make it work."
        self.conditions[key] = Condition(kind, key, severity, subject, place, cause, fix, f"/c/{name}", **more)  # type: ignore[arg-type]
        return key

    def ends(self, name: str, ends_at: datetime) -> str:
        return self.happens(name, ConditionKind.CREDENTIAL_ENDS, Severity.WARNING, ends_at=ends_at)

    def owned_by(self, name: str, actor: Actor, contact: str | None = None) -> None:
        """Make the person the owner, of a connection that no table has."""
        row = {"id": f"id-{name}", "org_id": self.org_id, "user_id": actor.id, "email": actor.name, "contact": contact}
        with self.database.write() as tx:
            tx.run(sa.delete(owners).where(owners.c.id == row["id"]))
            tx.run(sa.insert(owners), **row, updated_at=self.clock.now())

    # --- processes ----------------------------------------------------------------------------------------------------

    def find(self, org_id: str, now: datetime) -> Sequence[Condition]:
        return [each for each in self.conditions.values() if each.organization == org_id]

    def process(self, dies: Callable[[], bool] = lambda: False) -> list[Source]:
        """The sources of one process. ``dies`` is asked after a message was sent, before that is written down."""

        class Dying(Sender):
            def send(self, channel, told):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                attempt = super().send(channel, told)
                if dies():
                    raise Killed
                return attempt

        evaluation = Evaluation(self.database, self.clock, self.ids, self.find, lambda: self.ahead)
        sender = Dying(self.sealer, self.kinds, self.clock)
        return [
            Evaluations(evaluation),
            DueMessages(Delivery(self.database, sender, self.clock, self.ids, SITE)),
        ]

    def work(self, *processes: list[Source], rounds: int = 1) -> None:
        """Let the processes do what is due: each in turn takes a piece, so they are always in each other's way."""
        sources = [source for pair in zip(*(processes or ([*self.process()],)), strict=True) for source in pair]
        for _ in range(rounds):
            for source in sources:
                with self.database.write() as tx:
                    now = self.clock.now()
                    works = source.claim(tx, now, 4) if source.is_due(tx, now) else []
                for work in works:
                    try:
                        source.do(work.id)
                    except Killed:
                        break  # with the rest of what it had taken

    def passes(self, time: timedelta, step: timedelta = timedelta(minutes=1), *processes: list[Source]) -> None:
        """Let time pass in steps, with work in each."""
        until = self.clock.now() + time
        while self.clock.now() < until:
            self.clock.advance(step.total_seconds())
            self.work(*processes)
