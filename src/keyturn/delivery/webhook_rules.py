"""Webhooks as values: which changes they tell of, what a message says, and when it is tried again. Pure."""

import json
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.authz.globs import matches
from keyturn.changes.domain import Change, ChangeKind
from keyturn.kit.actor import ActorKind
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

EVERYWHERE = "/**"
PAUSES = tuple(timedelta(seconds=each) for each in (5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600))
"""Between two attempts; the last one again and again."""
TRIED_FOR = timedelta(days=3)
"""So long a message is tried; and after so long without one that was taken, a webhook is switched off."""
OVERLAP = timedelta(days=1)
"""For so long after a rotation messages carry the signature of the previous secret as well."""
LONGEST_REASON = 300
GONE = 410
_REDIRECTS = range(300, 400)


class State(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Webhook:
    """``position``: the number up to which the project's changes are in the journal. ``secret`` and ``previous`` are sealed."""

    id: str
    project_id: str
    url: str
    environment: str | None
    path: str
    kinds: frozenset[ChangeKind]
    acts_for_kind: ActorKind
    acts_for_id: str
    ca: str
    enabled: bool
    disabled_reason: str | None
    position: int
    failing_since: datetime | None
    failures: int
    last_at: datetime | None
    last_status: int | None
    last_reason: str | None
    previous_until: datetime | None
    created_at: datetime
    updated_at: datetime

    def wants(self, change: Change) -> bool:
        """Say whether it was asked to tell of this."""
        if self.kinds and change.kind not in self.kinds:
            return False
        if self.environment is not None and change.environment not in {None, self.environment}:
            return False
        paths = [path for path in (change.path, change.previous_path) if path is not None]
        return not paths or any(matches(self.path, path) for path in paths)


@dataclass(frozen=True)
class Delivery:
    """One message of one webhook. Its id stays the same, however often it is sent."""

    id: str
    webhook_id: str
    revision: int | None
    kind: str
    body: str
    created_at: datetime
    next_at: datetime | None
    state: State
    attempts: int


@dataclass(frozen=True)
class Attempt:
    """``reason`` says why it failed; ``status`` is what the receiver answered, if it did."""

    number: int
    at: datetime
    status: int | None
    reason: str | None
    milliseconds: int

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def delivery_id(webhook_id: str, revision: int) -> str:
    """Return the id of the message of this webhook on this change: the same whoever makes it, and whenever."""
    return f"msg_{webhook_id.replace('-', '')}_{revision}"


def body_of(kind: str, project_id: str, at: datetime, revision: int | None, change: Change | None) -> str:
    """Return the JSON of a message. Existing receivers depend on the keys: add, do not change."""
    told: dict[str, object | None] = {"projectId": project_id, "revision": revision}
    if change is not None:
        told |= {
            "environment": change.environment,
            "path": change.path,
            "name": change.name,
            "version": change.version,
            "reason": change.reason,
            "previousName": change.previous_name,
            "previousPath": change.previous_path,
        }
    data = {key: value for key, value in told.items() if value is not None}
    return json.dumps({"type": kind, "timestamp": iso(at), "data": data}, separators=(",", ":"))


def next_try(delivery: Delivery, now: datetime, jitter: float) -> datetime | None:
    """Return when a message that was not taken is tried again; None when it has been for long enough.

    ``jitter`` is from 0 to 1: receivers that failed together are not tried together.
    """
    pause = PAUSES[min(delivery.attempts, len(PAUSES) - 1)] * (0.8 + 0.4 * jitter)
    return None if now + pause - delivery.created_at > TRIED_FOR else now + pause


def why_not(status: int) -> str:
    """Say what is wrong with an answer that is none of success."""
    if status in _REDIRECTS:
        return f"It answered {status}: redirects are not followed. Enter the address that it leads to."
    return f"It answered {status}."


@dataclass(frozen=True)
class NewWebhook:
    """``secret`` is made when none is given."""

    url: str
    environment: str | None = None
    path: str = EVERYWHERE
    kinds: frozenset[ChangeKind] = frozenset()
    identity_id: str | None = None
    """A machine identity for which it acts; None: for whoever makes it."""
    ca: str = ""
    secret: Plaintext | None = None


@dataclass(frozen=True)
class WebhookChange:
    """What is None stays."""

    url: str | None = None
    path: str | None = None
    kinds: frozenset[ChangeKind] | None = None
    ca: str | None = None
    enabled: bool | None = None
