"""JSON of approval requests and of the rules that ask for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from keyturn.approvals.domain import DEFAULT_HOURS, LONGEST_HOURS, ApprovalRequest, ApprovalSettings, describe_change
from keyturn.approvals.outcome import outcome_of
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.approved_changes import ChangePreview
from keyturn.rotations.change_previews import CredentialFate
from keyturn.web.schema.validate import Trimmed, Uuid, printable, trimmed
from keyturn.web.schema.wire import ApiModel, Timestamp

ApprovalReason = Annotated[
    str,
    trimmed,
    printable,
    Meta(
        min_length=1,
        max_length=500,
        description="Why it is to be done: with it this becomes a request to another person.",
    ),
]
EmergencyReason = Annotated[
    str,
    trimmed,
    printable,
    Meta(
        min_length=1, max_length=500, description="Why an administrator does not wait for another person, if it leaked."
    ),
]


class PersonShown(ApiModel):
    kind: str
    id: str
    name: str


class DecisionShown(ApiModel):
    by_id: str | None
    by_name: str | None
    at: Timestamp
    note: str | None


class ApprovalRequestShown(ApiModel):
    """``parameters`` are those of the change, ``outcome`` says in sentences what is done. A secret of it is never shown.

    ``state`` is pending, approved, rejected, withdrawn, expired, or bypassed: an administrator did it at once.
    """

    id: str
    change: str
    summary: str
    subject_id: str
    subject_name: str
    project_id: str | None
    parameters: dict[str, str | int | bool | None]
    outcome: list[str]
    reason: str
    state: str
    requested_by: PersonShown
    requested_at: Timestamp
    expires_at: Timestamp
    decision: DecisionShown | None


class CredentialFateShown(ApiModel):
    """``removedAt`` null: it stays valid until it ends."""

    key_id: str | None
    display_name: str
    hint: str | None
    ends_at: Timestamp | None
    removed_at: Timestamp | None


class PreviewShown(ApiModel):
    """What would become of each credential. ``hasChanged``: it is not as it was when this was asked, and cannot be approved."""

    credentials: list[CredentialFateShown]
    has_changed: bool


class ApprovalRequestAnswer(ApiModel):
    approval_request: ApprovalRequestShown


class ApprovalRequestDetails(ApiModel):
    approval_request: ApprovalRequestShown
    may_decide: bool
    preview: PreviewShown


class ApprovalRequestList(ApiModel):
    approval_requests: list[ApprovalRequestShown]


class ListApprovals(ApiModel):
    """``all``: also those that were decided."""

    state: Literal["pending", "all"] = "pending"


class RejectRequest(ApiModel):
    note: Annotated[Trimmed, printable, Meta(max_length=500)] = ""


class ApprovalRules(ApiModel):
    """``isEmergencyAllowed``: an administrator may replace what leaked at once, with a reason; the organization's rule counts.

    ``hours``: for so long a request waits.
    """

    is_required: bool
    is_emergency_allowed: bool = True
    hours: Annotated[int, Meta(ge=1, le=LONGEST_HOURS)] = DEFAULT_HOURS

    def command(self) -> ApprovalSettings:
        return ApprovalSettings(self.is_required, self.is_emergency_allowed, self.hours)


class ChangeApprovalRules(ApprovalRules):
    """``approvalReason``: what loosens the rules needs an approval itself."""

    approval_reason: ApprovalReason | None = None


class OfPlace(ApiModel):
    """``projectId``: of that project; without it of the organization."""

    project_id: Uuid | None = None


class ApprovalRulesAnswer(ApiModel):
    approval_rules: ApprovalRules


def rules(settings: ApprovalSettings) -> ApprovalRulesAnswer:
    return ApprovalRulesAnswer(ApprovalRules(settings.required, settings.emergency, settings.hours))


def present_request(request: ApprovalRequest, now: datetime) -> ApprovalRequestShown:
    decided_at = request.decided_at
    by_id, by_name = request.decided_by_id, request.decided_by_name
    return ApprovalRequestShown(
        id=request.id,
        change=request.kind.value,
        summary=describe_change(request.kind, request.subject_name),
        subject_id=request.subject_id,
        subject_name=request.subject_name,
        project_id=request.project_id,
        parameters=dict(request.parameters),
        outcome=outcome_of(request),
        reason=request.reason,
        state=request.state_at(now).value,
        requested_by=PersonShown(request.asked_by_kind.value, request.asked_by_id, request.asked_by_name),
        requested_at=iso(request.asked_at),
        expires_at=iso(request.expires_at),
        decision=DecisionShown(by_id, by_name, iso(decided_at), request.note) if decided_at else None,
    )


def answer(request: ApprovalRequest, now: datetime) -> ApprovalRequestAnswer:
    return ApprovalRequestAnswer(present_request(request, now))


def preview(found: ChangePreview) -> PreviewShown:
    return PreviewShown(fates(found.credentials), found.changed)


def fates(credentials: Sequence[CredentialFate]) -> list[CredentialFateShown]:
    rows = [(fate.credential, fate.removed_at) for fate in credentials]
    return [
        CredentialFateShown(row.key_id, row.marker, row.hint, iso_or_none(row.ends_at), iso_or_none(removed_at))
        for row, removed_at in rows
    ]
