"""How a route asks for what may need a second person: it is done, or with a reason it becomes a request."""

from collections.abc import Callable
from typing import TypeVar

from keyturn.api.approvals import schemas
from keyturn.approvals.domain import NO_CONSENT, ApprovalNeeded, Consent
from keyturn.approvals.service import Approvals
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.web.routes import Accepted

Result = TypeVar("Result")
ALSO_APPROVED = {202: "Another person has to approve it: with approvalReason it is a request now, and nothing was done"}
"""What a route says of this."""


@dataclass(frozen=True)
class Asking:
    approvals: Approvals
    clock: Clock

    def done(
        self,
        actor: Actor,
        change: Callable[[Consent], Result],
        *,
        reason: str | None,
        emergency: str | None = None,
    ) -> Result:
        """Return what the change returns. Raises ApprovalNeeded, or Accepted with the request where there is a reason."""
        try:
            return change(Consent(emergency=emergency) if emergency else NO_CONSENT)
        except ApprovalNeeded as needed:
            if not reason:
                raise
            request = self.approvals.submit(actor, needed.change, reason)
            raise Accepted(schemas.answer(request, self.clock.now())) from None
