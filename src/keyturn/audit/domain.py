"""What is recorded: facts about who did what to what, never a secret."""

from collections.abc import Collection
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass


class SubjectKind(StrEnum):
    """What events are about. The text is what the trail holds and the HTTP API shows."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    USER = "user"
    IDENTITY = "identity"
    CONNECTION = "app-connection"
    ROTATION = "rotation"
    SECRET_ROTATION = "secret-rotation"
    SECRET = "secret"
    FOLDER = "secret-folder"
    SECRET_IMPORT = "secret-import"
    TAG = "secret-tag"
    ROLE = "project-role"
    ALARM = "alarm"
    ALARM_CHANNEL = "alarm-channel"
    WEBHOOK = "webhook"


@dataclass(frozen=True)
class Subject:
    """What one event is about. ``project_id`` is the project whose members may read of it, None outside of projects."""

    kind: SubjectKind
    id: str
    project_id: str | None = None


def subject_of(actor: Actor) -> Subject:
    """Return the actor as the subject: somebody signs in, or ends an access token of theirs."""
    return Subject(SubjectKind(actor.kind.value), actor.id or "")


@dataclass(frozen=True)
class AuditEvent:
    """The declaration of an event: which kinds of subject it may have, and the names of the facts that may come with it.

    ``topic`` is the heading under which the reference shows it, and ``meaning`` what it says there.
    """

    name: str
    topic: str
    subjects: tuple[SubjectKind, ...]
    meaning: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """One event as it is written. ``once`` is a key that at most one event may carry, e.g. ``run-end:<run id>``."""

    name: str
    actor: Actor
    subject_kind: str
    subject_id: str
    at: datetime
    project_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    once: str | None = None


@dataclass(frozen=True)
class StoredEvent:
    """An event as the trail holds it. Ids grow with time."""

    id: int
    at: datetime
    name: str
    actor_kind: str
    actor_id: str | None
    actor_name: str | None
    subject_kind: str
    subject_id: str
    project_id: str | None
    request_id: str | None
    data: dict[str, Any]


@dataclass(frozen=True)
class Tenure:
    """While a project had a slug: its events with ids from ``first`` to ``last``; None: it has it still."""

    project_id: str
    first: int
    last: int | None


@dataclass(frozen=True)
class Filter:
    """Which events to show; None: no matter. ``before`` is the id that the last page ended with."""

    org_id: str
    project_id: str | None = None
    event: str | None = None
    subject_id: str | None = None
    actor_id: str | None = None
    before: int | None = None
    tenures: tuple[Tenure, ...] | None = None
    subjects: Collection[str] | None = None
    actors: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    """``subjects`` and ``actors`` are ids, of which one has to fit. ``until`` itself does not count."""


@dataclass(frozen=True)
class StreamState:
    """How it goes with a receiver. ``behind``: how many events it has not got yet."""

    id: str
    sent_at: datetime | None
    failing_since: datetime | None
    failures: int
    reason: str | None
    behind: int = 0


@dataclass(frozen=True)
class ChainedEvent:
    """An event with its organization and its place in the chain."""

    org_id: str | None
    position: int
    hash: str
    event: StoredEvent
