"""Forms of what may need a second person: done at once, or asked for."""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from keyturn.approvals.domain import NO_CONSENT, ApprovalNeeded, Consent
from keyturn.approvals.service import Approvals
from keyturn.kit.actor import Actor
from keyturn.web.pages import Redirect
from keyturn.web.schema.validate import Trimmed, printable
from keyturn.web.schema.wire import ApiModel

Why = Annotated[Trimmed, printable, Meta(max_length=500)]


class ApprovalFields(ApiModel, rename=None):
    """``approval_reason``: why, for the other person. ``emergency_reason``: why an administrator does not wait for one."""

    approval_reason: Why = ""
    emergency_reason: Why = ""


def asked_instead(
    approvals: Approvals, actor: Actor, form: ApprovalFields, change: Callable[[Consent], object]
) -> Redirect | None:
    """Make the change and return None; or return where its request is shown, when it needs another person.

    Raises ApprovalNeeded without a reason.
    """
    try:
        change(Consent(emergency=form.emergency_reason) if form.emergency_reason else NO_CONSENT)
    except ApprovalNeeded as needed:
        if not form.approval_reason:
            raise
        request = approvals.submit(actor, needed.change, form.approval_reason)
        return Redirect(f"/approvals/{request.id}", toast="Another person has to approve it. Nothing was done yet.")
    return None
