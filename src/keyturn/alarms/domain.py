"""Alarms, who is told of them, and by which rules, as values. Pure."""

from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.alarms.conditions.domain import DAYS_BEFORE_END, Severity
from keyturn.authz.permissions import Scope
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Sealed


class Event(StrEnum):
    """What is told of an alarm. The text is a promise: receivers of webhooks read it."""

    OPENED = "opened"
    NEARER = "nearer"
    ENDED = "ended"
    WORSE = "worse"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"


class Audience(StrEnum):
    """Who is told, where a channel reaches persons: the owner, administrators, or both."""

    OWNER = "owner"
    ADMINISTRATORS = "administrators"
    EVERYBODY = "everybody"


class SilenceKind(StrEnum):
    """``acknowledged``: somebody sees to it, and reminders end. ``snoozed``: nothing is told for a time, but the end itself,
    and that it is over.
    """

    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"


@dataclass(frozen=True)
class Silence:
    """Why an alarm is not told of again. ``until`` is when that is over; None: as long as the alarm lasts."""

    kind: SilenceKind
    by: str
    reason: str
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Alarm:
    """A condition that somebody is told of, as it was last seen.

    ``step`` is the fewest days before its end that somebody was told of, 0 once it has ended, None where nothing ends.
    ``owner_id`` is a user of the organization; ``contact`` where they, or somebody else, can be asked.
    """

    id: str
    kind: str
    key: str
    severity: Severity
    subject_kind: str
    subject_id: str
    subject: str
    place: Scope
    cause: str
    fix: str
    path: str
    opened_at: datetime
    reminded_at: datetime
    owner_id: str | None = None
    contact: str | None = None
    since: datetime | None = None
    ends_at: datetime | None = None
    step: int | None = None
    escalated_at: datetime | None = None
    resolved_at: datetime | None = None
    silence: Silence | None = None

    @property
    def org_id(self) -> str:
        return self.place.org_id

    @property
    def state(self) -> str:
        """Return what pages and programs call its state."""
        if self.resolved_at is not None:
            return "resolved"
        return self.silence.kind.value if self.silence else "open"


@dataclass(frozen=True)
class Notice:
    """That somebody is to be told of an alarm. What is not ``urgent`` waits for the receiver's daily message."""

    event: Event
    audience: Audience
    urgent: bool


@dataclass(frozen=True)
class Rules:
    """When somebody is told: so many days before an end; administrators without a reaction of the owner for so long.

    An alarm that nobody silences is told of again after ``reminder_days``.
    """

    days: tuple[int, ...] = DAYS_BEFORE_END
    reaction_days: int = 3
    reminder_days: int = 7


@dataclass(frozen=True)
class Channel:
    """Where messages go. ``config`` may be shown, ``secret`` not: it is sealed with the id of the row."""

    id: str
    org_id: str
    project_id: str | None
    name: str
    kind: str
    config: dict[str, object] = field(hash=False)
    secret: Sealed | None
    least: Severity
    digest_hour: int
    time_zone: str
    enabled: bool
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Message:
    """What one receiver of one channel is told at once. ``id`` stays the same for all attempts: receivers know doubles by it.

    Of a message in several parts ``parts_taken`` were taken so far, and ``tries`` is of the part that follows.
    """

    id: str
    org_id: str
    channel_id: str
    receiver: str
    kind: str
    created_at: datetime
    due_at: datetime | None
    sent_at: datetime | None
    given_up_at: datetime | None
    tries: int
    parts_taken: int = 0

    @property
    def state(self) -> str:
        """Return what pages and programs call its state."""
        return "sent" if self.sent_at else "given-up" if self.given_up_at else "waiting"


@dataclass(frozen=True)
class Attempt:
    """How it went. ``wait`` is how long the receiver asked to be left alone, of the attempt that was made just now."""

    at: datetime
    ok: bool
    outcome: str
    wait: timedelta | None = None
