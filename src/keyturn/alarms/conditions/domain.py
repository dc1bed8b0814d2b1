"""Conditions: what needs somebody, each with its cause, what to do, and where. Pure.

A condition has no row of its own: it is found in the rows of what it is about, and is over when they say so.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.kit.counting import distance_in_words
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ends import URGENT_BEFORE_END, WARNS_BEFORE_END
from keyturn.kit.moments import LAST, shift

DAYS_BEFORE_END = (60, 30, 14, 7, 3, 1)
"""With so many days to go somebody is told of an end; once more when it has come."""


class Severity(StrEnum):
    """How soon somebody is needed: at once, in time, or not at all."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"


class ConditionKind(StrEnum):
    """What it is. The text is a promise: programs read it."""

    CONNECTION_REFUSED = "connection-refused"
    CONNECTION_FAILED = "connection-failed"
    CONNECTION_UNCHECKED = "connection-unchecked"
    CONVERSION_WITHDRAWN = "conversion-withdrawn"
    ROTATION_FAILED = "rotation-failed"
    ROTATION_HALTED = "rotation-halted"
    ROTATION_OVERDUE = "rotation-overdue"
    ROTATION_DUE = "rotation-due"
    FREEZE_OVERRIDDEN = "freeze-overridden"
    LEAK_OPEN = "leak-open"
    CREDENTIAL_ENDS = "credential-ends"
    PAUSED_CREDENTIAL_ENDS = "paused-credential-ends"
    SIGN_IN_ENDS = "sign-in-ends"
    SIGN_IN_OF_LEAVER = "sign-in-of-leaver"
    SSO_CERTIFICATE_ENDS = "sso-certificate-ends"
    SSO_CERTIFICATE_UNUSABLE = "sso-certificate-unusable"
    IDENTITY_SECRET_ENDS = "identity-secret-ends"
    PROVISIONING_TOKEN_ENDS = "provisioning-token-ends"
    REMOVAL_UNCONFIRMED = "removal-unconfirmed"
    REMOVAL_LATE = "removal-late"
    OLD_CREDENTIAL_USED = "old-credential-used"
    REMOVED_CREDENTIAL_USED = "removed-credential-used"
    REMOVAL_BLOCKS_ROTATION = "removal-blocks-rotation"
    CREDENTIAL_APPEARED = "credential-appeared"
    CREDENTIAL_VANISHED = "credential-vanished"
    IDENTITY_LOCKED = "identity-locked"
    OWNER_LEFT = "owner-left"
    NO_WORKER = "no-worker"
    DATA_KEY_OVERDUE = "data-key-overdue"
    BACKUP_OVERDUE = "backup-overdue"
    AUDIT_STREAM_FAILING = "audit-stream-failing"
    APPROVAL_WAITS = "approval-waits"
    APPROVAL_BYPASSED = "approval-bypassed"
    CHANNEL_FAILING = "channel-failing"
    NOBODY_TOLD = "nobody-told"
    INVENTORY_STALE = "inventory-stale"
    TENANT_CREDENTIAL_ENDS = "tenant-credential-ends"


@dataclass(frozen=True)
class ConditionSubject:
    """What a condition is about, by its name."""

    kind: SubjectKind
    id: str
    name: str


@dataclass(frozen=True)
class Condition:
    """Something that needs somebody. It holds ids and names, never a value of a secret.

    ``key`` names it as long as it lasts, whatever becomes of its severity and its words; when the same happens again it has the
    same key. ``cause`` is a sentence and ``fix`` what to do; ``path`` is the page whose first button does it, a path of this
    server. ``ends_at`` is when something stops to work by itself. ``place`` is where its subject lives: who may see that may
    see this. ``owner`` is the id of the person who was made answerable for the subject.
    """

    kind: ConditionKind
    key: str
    severity: Severity
    subject: ConditionSubject
    place: Scope
    cause: str
    fix: str
    path: str
    since: datetime | None = None
    ends_at: datetime | None = None
    owner: str | None = None

    @property
    def organization(self) -> str:
        return self.place.org_id

    @property
    def project(self) -> str | None:
        return self.place.project_id

    @property
    def needs_action(self) -> bool:
        return self.severity is not Severity.NOTICE


def days_before_end(ends_at: datetime, now: datetime) -> int | None:
    """Return the last of :data:`DAYS_BEFORE_END` that has been reached; 0 once the end has come, None before the first."""
    if ends_at <= now:
        return 0
    return min((days for days in DAYS_BEFORE_END if ends_at <= shift(now, timedelta(days=days))), default=None)


def severity_of_end(ends_at: datetime, now: datetime) -> Severity:
    """Say how urgent an end is."""
    if ends_at <= shift(now, URGENT_BEFORE_END):
        return Severity.CRITICAL
    return Severity.WARNING if ends_at <= shift(now, WARNS_BEFORE_END) else Severity.NOTICE


def told_end(ends_at: datetime, now: datetime) -> str:
    """Return an end in words, behind what ends: ``ends in 5 days, on 2026-12-05``."""
    if ends_at <= now:
        return f"ended on {ends_at:%Y-%m-%d at %H:%M} UTC"
    return f"ends {distance_in_words(ends_at, now)}, on {ends_at:%Y-%m-%d at %H:%M} UTC"


_ORDER = {severity: number for number, severity in enumerate(Severity)}


def in_order(conditions: list[Condition]) -> list[Condition]:
    """Return them as they are shown: the most severe first, of these what ends first, then by name."""
    return sorted(
        conditions, key=lambda one: (_ORDER[one.severity], one.ends_at or LAST, one.subject.name.lower(), one.key)
    )
