"""Two-person approval: what may need it, what was asked, and who may decide. Values only."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from keyturn.authz.domain import Action
from keyturn.authz.permissions import Scope
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, Sealed
from keyturn.kit.sentences import upper_first

DEFAULT_HOURS = 24
LONGEST_HOURS = 168


class ChangeKind(StrEnum):
    """What needs a second person where approval is switched on. The text is what the API shows."""

    CONNECTION_LEAKED = "connection-leaked"
    ROTATION_LEAKED = "secret-rotation-leaked"
    DELETE_CONNECTION = "connection-deletion"
    DELETE_ROTATION = "secret-rotation-deletion"
    HAND_OVER = "secret-hand-over"
    RELEASE = "secret-release"
    CREDENTIALS = "connection-credentials"
    SECRETLESS = "secretless-connection"
    LOOSEN = "looser-approval-rules"

    @property
    def is_leak(self) -> bool:
        return self in {ChangeKind.CONNECTION_LEAKED, ChangeKind.ROTATION_LEAKED}

    @property
    def of_connection(self) -> bool:
        return self in {
            ChangeKind.CONNECTION_LEAKED,
            ChangeKind.DELETE_CONNECTION,
            ChangeKind.SECRETLESS,
            ChangeKind.CREDENTIALS,
        }


class RequestState(StrEnum):
    """``bypassed``: an administrator did it at once, in an emergency. ``expired`` is pending, past its time."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    BYPASSED = "bypassed"
    EXPIRED = "expired"


NO_ROTATION = "no rotation"
"""What is seen of a connection that does not rotate."""


@dataclass(frozen=True)
class ProposedChange:
    """A command, frozen with all that decides what it does.

    ``action`` and ``scope`` are the permission that both persons need. ``seen`` says in what state its subject was: in another
    one the change is not what was approved. ``secret`` is a value that belongs to the command.
    """

    kind: ChangeKind
    subject_id: str
    subject_name: str
    action: Action
    scope: Scope
    parameters: Mapping[str, Any]
    seen: str
    secret: Plaintext | None = None

    def same_as(self, request: "ApprovalRequest") -> bool:
        mine = (self.kind, self.subject_id, dict(self.parameters))
        return mine == (request.kind, request.subject_id, dict(request.parameters))


@dataclass(frozen=True)
class Consent:
    """What a caller brings along: the id of an approved request, or why an administrator does not wait for one."""

    request_id: str | None = None
    emergency: str | None = None


NO_CONSENT = Consent()


@dataclass(frozen=True)
class ApprovalRequest:
    """A change that waits for another person, or was decided."""

    id: str
    org_id: str
    kind: ChangeKind
    subject_id: str
    subject_name: str
    action: Action
    scope: Scope
    parameters: Mapping[str, Any]
    seen: str
    reason: str
    state: RequestState
    asked_by_kind: ActorKind
    asked_by_id: str
    asked_by_name: str
    asked_at: datetime
    expires_at: datetime
    decided_by_id: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    value: Sealed | None = field(default=None, repr=False)

    @property
    def project_id(self) -> str | None:
        return self.scope.project_id

    def state_at(self, now: datetime) -> RequestState:
        over = self.state is RequestState.PENDING and self.expires_at <= now
        return RequestState.EXPIRED if over else self.state

    def asked_by(self, actor: Actor) -> bool:
        return (self.asked_by_kind, self.asked_by_id) == (actor.kind, actor.id)


@dataclass(frozen=True)
class ApprovalSettings:
    """Of an organization or a project: whether a second person is needed, and for how long a request waits for one.

    ``emergency``: an administrator may replace what leaked at once, with a reason; of the organization alone.
    """

    required: bool = False
    emergency: bool = True
    hours: int = DEFAULT_HOURS

    @property
    def patience(self) -> timedelta:
        return timedelta(hours=min(max(self.hours, 1), LONGEST_HOURS))

    def loosened_by(self, other: "ApprovalSettings") -> bool:
        """Say whether with the other settings something needs no second person that needs one with these."""
        return self.required and (not other.required or (other.emergency and not self.emergency))


@dataclass(frozen=True)
class ApprovalNeed:
    """Whether a second person is needed, and whether this one may replace what leaked without."""

    required: bool = False
    emergency: bool = False


class ApprovalNeeded(KeyturnError):
    """Another person has to approve this: nothing was done. ``change`` is what a request would be about."""

    status = 403
    error = "PolicyViolationError"

    def __init__(self, change: ProposedChange) -> None:
        super().__init__(
            f"{describe_change(change.kind, change.subject_name)} needs the approval of another person. Nothing was done.",
            code="approvals.needed",
            fix="Send approvalReason with why it is to be done: it becomes a request, which another person with the same "
            "permission approves under Approvals.",
        )
        self.change = change


def all_changes() -> str:
    """Return all that needs a second person, as the beginning of a sentence."""
    each = [_IN_SHORT[kind] for kind in ChangeKind]
    return upper_first(f"{', '.join(dict.fromkeys(each[:-1]))} and {each[-1]}")


_IN_SHORT = {
    ChangeKind.CONNECTION_LEAKED: "replacing what leaked",
    ChangeKind.ROTATION_LEAKED: "replacing what leaked",
    ChangeKind.DELETE_CONNECTION: "deleting connections",
    ChangeKind.DELETE_ROTATION: "deleting secret rotations",
    ChangeKind.HAND_OVER: "handing over a secret",
    ChangeKind.RELEASE: "releasing one",
    ChangeKind.CREDENTIALS: "entering new credentials",
    ChangeKind.SECRETLESS: "making a connection sign in without a secret",
    ChangeKind.LOOSEN: "loosening these rules",
}


def describe_change(kind: ChangeKind, name: str) -> str:
    """Say what a change does, as the beginning of a sentence."""
    return {
        ChangeKind.CONNECTION_LEAKED: f"Replacing what leaked of the connection '{name}'",
        ChangeKind.ROTATION_LEAKED: f"Replacing what leaked of the secret rotation '{name}'",
        ChangeKind.DELETE_CONNECTION: f"Deleting the connection '{name}'",
        ChangeKind.DELETE_ROTATION: f"Deleting the secret rotation '{name}'",
        ChangeKind.HAND_OVER: f"Handing over a secret to the secret rotation '{name}'",
        ChangeKind.RELEASE: f"Releasing a secret of the secret rotation '{name}'",
        ChangeKind.CREDENTIALS: f"Entering new credentials for the connection '{name}'",
        ChangeKind.SECRETLESS: f"Making the connection '{name}' sign in without a secret",
        ChangeKind.LOOSEN: f"Loosening the approval rules of {name}",
    }[kind]
