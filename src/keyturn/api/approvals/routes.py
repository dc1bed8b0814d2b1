"""Routes of approval requests, and of the rules that ask for them."""

from keyturn.api.approvals import schemas
from keyturn.api.approvals.asking import ALSO_APPROVED, Asking
from keyturn.approvals.service import Approvals
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.rotations.approved_changes import ApprovedChanges
from keyturn.web.routes import Operation, Routes, get, group, post, put
from keyturn.web.schema.validate import Uuid

ALL = "/api/v1/approval-requests"
ONE = f"{ALL}/{{request_id}}"
RULES = "/api/v1/approval-rules"


def router(approvals: Approvals, changes: ApprovedChanges, clock: Clock) -> Routes:
    """Return the routes."""
    return group("Approvals", *_requests(approvals, changes, clock), *_rules(approvals, clock))


def _requests(approvals: Approvals, changes: ApprovedChanges, clock: Clock) -> list[Operation]:
    @get(ALL)
    def list_approval_requests(actor: Actor, query: schemas.ListApprovals) -> schemas.ApprovalRequestList:
        """List the requests that wait for another person: those of the caller, and those of what the caller may do, too."""
        found = approvals.list(actor, pending=query.state == "pending")
        return schemas.ApprovalRequestList([schemas.present_request(request, clock.now()) for request in found])

    @get(ONE)
    def get_approval_request(actor: Actor, request_id: Uuid) -> schemas.ApprovalRequestDetails:
        """Show a request, and what would be done if it were approved now."""
        request = approvals.get(actor, request_id)
        may_decide, preview = approvals.may_decide(actor, request), changes.preview(actor, request)
        return schemas.ApprovalRequestDetails(
            schemas.present_request(request, clock.now()), may_decide, schemas.preview(preview)
        )

    @post(f"{ONE}/approve")
    def approve_request(actor: Actor, request_id: Uuid) -> schemas.ApprovalRequestAnswer:
        """Approve a request of somebody else: what was asked for is done at once.

        Both persons need the permission, at this moment. Refused when its subject has changed since. Machine identities approve
        nothing.
        """
        return schemas.answer(changes.approve(actor, request_id), clock.now())

    @post(f"{ONE}/reject")
    def reject_request(actor: Actor, request_id: Uuid, data: schemas.RejectRequest) -> schemas.ApprovalRequestAnswer:
        """Reject a request of somebody else."""
        return schemas.answer(approvals.reject(actor, request_id, data.note), clock.now())

    @post(f"{ONE}/withdraw")
    def withdraw_request(actor: Actor, request_id: Uuid) -> schemas.ApprovalRequestAnswer:
        """Take back an own request."""
        return schemas.answer(approvals.withdraw(actor, request_id), clock.now())

    return [list_approval_requests, get_approval_request, approve_request, reject_request, withdraw_request]


def _rules(approvals: Approvals, clock: Clock) -> list[Operation]:
    asking = Asking(approvals, clock)

    @get(RULES)
    def get_approval_rules(actor: Actor, query: schemas.OfPlace) -> schemas.ApprovalRulesAnswer:
        """Show whether a second person is needed in the organization, or in a project. One of the two is enough."""
        return schemas.rules(approvals.rules(actor, query.project_id))

    @put(RULES, also=ALSO_APPROVED)
    def change_approval_rules(
        actor: Actor, query: schemas.OfPlace, data: schemas.ChangeApprovalRules
    ) -> schemas.ApprovalRulesAnswer:
        """Say whether a second person is needed. For administrators of the organization, or who may edit the project.

        What loosens the rules needs an approval itself.
        """
        after = asking.done(
            actor,
            lambda consent: approvals.change_rules(actor, query.project_id, data.command(), consent),
            reason=data.approval_reason,
        )
        return schemas.rules(after)

    return [get_approval_rules, change_approval_rules]
