"""The one door: whether a change may go on, in the transaction that makes it.

A use case asks here after it has asked for the actor's own permission. With an approved request its decision is written in the
same transaction as the change, so that it is carried out once.
"""

from datetime import datetime

from keyturn.approvals import store
from keyturn.approvals.domain import (
    ApprovalNeeded,
    ApprovalRequest,
    ChangeKind,
    Consent,
    ProposedChange,
    RequestState,
    describe_change,
)
from keyturn.audit import approval_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz import authorize
from keyturn.db.unit import Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.identities.store import makers_of
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.ports.clock import Ids


def needs_second_person(tx: Tx, org_id: str, project_id: str | None) -> bool:
    """Say whether a second person is needed in the project, or in the organization itself."""
    return any(settings.required for settings in store.settings_of(tx, org_id, project_id))


def require(tx: Tx, actor: Actor, change: ProposedChange, consent: Consent, now: datetime, ids: Ids) -> None:
    """Return when the change may be made now.

    Raises ApprovalNeeded where it needs another person, and Refused or Forbidden for a request that does not permit it.
    """
    if consent.request_id:
        _settle(tx, actor, change, consent.request_id, now)
        return
    of_organization, of_project = store.settings_of(tx, change.scope.org_id, change.scope.project_id)
    if not (of_organization.required or of_project.required):
        return
    if not (consent.emergency and change.kind.is_leak):
        raise ApprovalNeeded(change)
    if not of_organization.emergency or actor.kind is not ActorKind.USER or actor.role is not Role.ADMIN:
        raise Forbidden(
            "Only an administrator of the organization replaces what leaked without approval, where its settings allow that.",
            code="approvals.no_emergency",
            fix="Send approvalReason instead: another person approves it under Approvals.",
        )
    request = request_of(actor, change, ids.new(), consent.emergency, now, now, RequestState.BYPASSED)
    store.insert(tx, request)
    tell(tx, actor, events.APPROVAL_BYPASSED, request, now)


def request_of(
    actor: Actor,
    change: ProposedChange,
    request_id: str,
    reason: str,
    now: datetime,
    expires_at: datetime,
    state: RequestState = RequestState.PENDING,
) -> ApprovalRequest:
    """Return the change as a request of this actor."""
    return ApprovalRequest(
        request_id,
        actor.org_id,
        change.kind,
        change.subject_id,
        change.subject_name,
        change.action,
        change.scope,
        change.parameters,
        change.seen,
        reason,
        state,
        actor.kind,
        actor.id or "",
        actor.name,
        now,
        expires_at,
    )


def _settle(tx: Tx, actor: Actor, change: ProposedChange, request_id: str, now: datetime) -> None:
    request = open_request(tx, actor, request_id, now)
    require_decider(tx, actor, request)
    if not change.same_as(request):
        raise Refused(
            "The request is about something else.",
            code="approvals.other_change",
            fix="Approve it under Approvals, or ask anew.",
        )
    if change.seen != request.seen:
        raise Refused(
            f"{describe_change(request.kind, request.subject_name)} is not what was asked for any more: it has changed since.",
            code="approvals.changed_meanwhile",
            fix="Look at it as it is now, reject this request, and ask anew if it is still wanted.",
        )
    asker = authorize.actor_now(tx, request.asked_by_kind, request.asked_by_id, now)
    if asker is None or not authorize.is_allowed(tx, asker, request.action, request.scope):
        raise Refused(
            f"{request.asked_by_name}, who asked for it, may not do it any more.",
            code="approvals.asker_may_not",
            fix="Reject the request. If it is still wanted, somebody else who may do it can ask.",
        )
    store.decide(tx, request, RequestState.APPROVED, actor, now, None)
    tell(tx, actor, events.APPROVAL_GIVEN, request, now)


def open_request(tx: Tx, actor: Actor, request_id: str, now: datetime) -> ApprovalRequest:
    """Return a request that waits, locked. Raises NotFound, or Refused for one that was decided or has expired."""
    request = store.get(tx, actor.org_id, request_id, lock=True)
    if request is None:
        raise missing(request_id)
    require_open(request, now)
    return request


def require_open(request: ApprovalRequest, now: datetime) -> None:
    """Raise Refused for one that was decided or has expired."""
    state = request.state_at(now)
    if state is not RequestState.PENDING:
        by = f" by {request.decided_by_name}" if request.decided_by_name else ""
        raise Refused(
            f"The request was {state.value}{by} already." if by else f"The request is {state.value}.",
            code="approvals.decided",
            fix="Ask anew if it is still wanted.",
        )


def require_decider(tx: Tx, actor: Actor, request: ApprovalRequest) -> None:
    """Raise Forbidden unless this is another person, who may do what is asked for."""
    if actor.kind is not ActorKind.USER:
        raise Forbidden(
            "Machine identities decide no requests.",
            code="approvals.not_a_person",
            fix="Let a person sign in and decide it under Approvals.",
        )
    authorize.require(tx, actor, request.action, request.scope)
    if request.asked_by(actor) or (
        request.asked_by_kind is ActorKind.IDENTITY and actor.id in makers_of(tx, request.asked_by_id)
    ):
        raise Forbidden(
            "Another person has to decide it: you asked for it yourself, or set up the machine identity that did.",
            code="approvals.same_person",
            fix="Ask a colleague who has the same permission.",
        )


def tell(tx: Tx, actor: Actor, event: AuditEvent, request: ApprovalRequest, now: datetime, **facts: str) -> None:
    """Record an event of the request: what, who asked, and why."""
    kind = {
        ChangeKind.LOOSEN: SubjectKind.PROJECT if request.project_id else SubjectKind.ORGANIZATION,
    }.get(request.kind, SubjectKind.CONNECTION if request.kind.of_connection else SubjectKind.SECRET_ROTATION)
    record(
        tx,
        actor,
        event,
        Subject(kind, request.subject_id, request.project_id),
        now,
        requestId=request.id,
        change=request.kind.value,
        name=request.subject_name,
        parameters=dict(request.parameters),
        askedBy={"kind": request.asked_by_kind.value, "id": request.asked_by_id, "name": request.asked_by_name},
        reason=request.reason,
        **facts,
    )


def missing(request_id: str) -> NotFound:
    return NotFound(
        f"There is no approval request '{request_id}'.",
        code="approvals.not_found",
        fix="GET /api/v1/approval-requests?state=all lists those that you may see.",
    )
