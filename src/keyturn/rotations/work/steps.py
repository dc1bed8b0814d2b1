"""The steps of the protocol by name.

Each is one function: a transaction, or network calls followed by one. Each may be killed anywhere and repeated, except that
``issue`` asks at most once per announcement. Errors of the provider are raised before anything is written.
"""

from collections.abc import Callable

from keyturn.credentials.domain import Credential
from keyturn.rotations.domain import StepName
from keyturn.rotations.work import inspection, issue, opening, publish, removal, sweep
from keyturn.rotations.work.attempt import StepAttempt

StepFunction = Callable[[StepAttempt, Credential], None]


def perform(attempt: StepAttempt) -> None:
    """Do one step. Raises errors of the provider, Deferred, LeaseLost, or Refused when the journal moved meanwhile."""
    name, row = attempt.step.name, attempt.step.credential
    if name in WITHOUT_CREDENTIAL:
        WITHOUT_CREDENTIAL[name](attempt)
    elif row is not None:
        WITH_CREDENTIAL[name](attempt, row)


WITHOUT_CREDENTIAL: dict[StepName, Callable[[StepAttempt], None]] = {
    StepName.OPEN: opening.open_run,
    StepName.INSPECT: inspection.inspect,
    StepName.PLAN: issue.plan,
    StepName.SWEEP: sweep.sweep,
}
WITH_CREDENTIAL: dict[StepName, StepFunction] = {
    StepName.ANNOUNCE: issue.announce,
    StepName.ISSUE: issue.issue,
    StepName.RESOLVE: removal.resolve,
    StepName.PROVE: issue.prove,
    StepName.PUBLISH: publish.publish,
    StepName.RETIRE: removal.retire,
    StepName.REMOVE: removal.remove,
    StepName.CONFIRM: removal.confirm,
}
NETWORK = frozenset(
    {
        StepName.INSPECT,
        StepName.ISSUE,
        StepName.RESOLVE,
        StepName.PROVE,
        StepName.RETIRE,
        StepName.REMOVE,
        StepName.CONFIRM,
        StepName.SWEEP,
    }
)
"""Steps that make network calls: the lease must outlive them."""
