"""Conditions of approvals: what waits for a second person, and what an administrator did without one. Pure."""

from datetime import datetime, timedelta

from keyturn.alarms.conditions.domain import Condition, ConditionKind, ConditionSubject, Severity
from keyturn.approvals.domain import ApprovalRequest, ChangeKind, RequestState, describe_change
from keyturn.audit.domain import SubjectKind

TOLD_FOR = timedelta(days=3)
"""For so long what was done without a second person is told."""


def of_request(request: ApprovalRequest) -> Condition:
    """Return that a request waits, or that an administrator did not wait for one."""
    what = describe_change(request.kind, request.subject_name)
    if request.state is RequestState.BYPASSED:
        kind, severity = ConditionKind.APPROVAL_BYPASSED, Severity.WARNING
        cause = f"{what} was done at once by {request.asked_by_name}, without a second person: {request.reason}"
        fix = "See whether it had to be, and that it went well."
    else:
        kind = ConditionKind.APPROVAL_WAITS
        severity = Severity.CRITICAL if request.kind.is_leak else Severity.WARNING
        cause = f"{what} waits for the approval of another person than {request.asked_by_name}: {request.reason}"
        fix = f"Approve or reject it by {request.expires_at:%Y-%m-%d at %H:%M} UTC."
    subject = ConditionSubject(_subject_kind(request), request.subject_id, request.subject_name)
    key = f"{kind.value}:{subject.kind.value}:{subject.id}:{request.id}"
    return Condition(
        kind, key, severity, subject, request.scope, cause, fix, f"/approvals/{request.id}", request.asked_at
    )


def _subject_kind(request: ApprovalRequest) -> SubjectKind:
    if request.kind is ChangeKind.LOOSEN:
        return SubjectKind.PROJECT if request.project_id else SubjectKind.ORGANIZATION
    return SubjectKind.CONNECTION if request.kind.of_connection else SubjectKind.SECRET_ROTATION


def told_since(now: datetime) -> datetime:
    return now - TOLD_FOR
