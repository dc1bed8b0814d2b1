"""Credentials that the journal holds as working and that the provider does not have any more: somebody removed them, or an older
copy of the database was put back, in which those are current that were replaced since.

Readers are refused them instead of being given what works nowhere. They are told apart from what a replica does not know yet by
being signed in with.
"""

from collections.abc import Collection
from dataclasses import replace

from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State, settled_at
from keyturn.db.unit import Tx
from keyturn.rotations.comparison import is_unknown
from keyturn.rotations.domain import RotationKind
from keyturn.rotations.store import policies
from keyturn.rotations.work.attempt import StepAttempt

GONE = (
    "The current credential is not at the provider any more: somebody removed it, or an older copy of the database was put"
    " back."
)
_HANDED_OUT = frozenset({State.CURRENT, State.RETIRING})


def refused_rows(attempt: StepAttempt, listed_key_ids: Collection[str]) -> list[Credential]:
    """Return those handed out to readers that are not listed and that the provider refuses. Signs in with each."""
    return [
        row
        for row in attempt.snapshot.journal
        if row.state in _HANDED_OUT and row.key_id and row.key_id not in listed_key_ids and _is_refused(attempt, row)
    ]


def may_be_unknown(attempt: StepAttempt, row: Credential) -> bool:
    """Say whether a replica of the provider may not know it yet, as it was published a short while ago."""
    now = attempt.context.provider_time()
    return row.published_at is not None and now < settled_at(row.published_at, attempt.context.pace.settle, now)


def _is_refused(attempt: StepAttempt, row: Credential) -> bool:
    context = attempt.context
    if row.value is None or may_be_unknown(attempt, row):
        return False
    attempt.work.lease.before_network()
    return is_unknown(attempt.kind, attempt.snapshot.rotation, context.sealer.open(row.value, row.seal_context))


def note(tx: Tx, attempt: StepAttempt, refused: Collection[Credential], listed_key_ids: Collection[str]) -> None:
    """Write down which are gone, and which are there again. A current one of another application is replaced at once.

    That of a connection cannot be: it is what would sign in for that.
    """
    now, gone = attempt.now(), {row.id for row in refused}
    for row in attempt.snapshot.journal:
        if row.state not in _HANDED_OUT:
            continue
        if row.id in gone and row.removed_at is None:
            journal.move(tx, row, removed_at=now)
        elif row.removed_at is not None and row.key_id in listed_key_ids:
            journal.move(tx, row, removed_at=None)
    current, rotation = attempt.snapshot.current, policies.get(tx, attempt.work.rotation_id, lock=True)
    if current is None or rotation is None or current.id not in gone or current.removed_at is not None:
        return
    told = replace(rotation, status="failed", last_message=GONE, updated_at=now)
    if rotation.kind is RotationKind.APPLICATION and rotation.enabled and not rotation.retired:
        told = replace(told, next_run_at=now, moved_days=0, paused_until=None)
    policies.save(tx, told)
