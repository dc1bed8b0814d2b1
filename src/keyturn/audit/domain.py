"""What is recorded: facts about who did what to what, never a secret."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from keyturn.kit.actor import Actor


@dataclass(frozen=True)
class Event:
    """One audit event. ``once`` is a key that at most one event may carry, e.g. ``run-end:<run id>``."""

    name: str
    actor: Actor
    subject_kind: str
    subject_id: str
    at: datetime
    project_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    once: str | None = None


@dataclass(frozen=True)
class Recorded:
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
class Filter:
    """Which events to show; None: no matter. ``before`` is the id that the last page ended with."""

    org_id: str
    project_id: str | None = None
    event: str | None = None
    subject_id: str | None = None
    actor_id: str | None = None
    before: int | None = None
