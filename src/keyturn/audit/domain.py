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
