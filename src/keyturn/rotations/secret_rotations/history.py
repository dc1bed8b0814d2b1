"""What is shown of secret rotations beside themselves: credentials, runs, and what others changed. Reads only."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.authz.domain import Action
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor
from keyturn.rotations.domain import Rotation, Run
from keyturn.rotations.history import History, history_of, progress_of, runs_with_steps
from keyturn.rotations.overlap import grace_until, promised_until, waits_until
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.store.runs import StepRecord


class SecretRotationHistory:
    """What secret rotations show of the rotation of their application. All raise NotFound or Forbidden."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, actor: Actor, secret_rotation_id: str) -> tuple[SecretRotationView, History]:
        """Return all that its page shows, read in one transaction."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
            return view, history_of(tx, view.connection, view.rotation)

    def credentials(self, actor: Actor, secret_rotation_id: str) -> tuple[SecretRotationView, Sequence[Credential]]:
        """Return the journal of the application's credentials, newest first. Never values."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
            return view, journal.of_rotation(tx, view.rotation.id)

    def runs(
        self, actor: Actor, secret_rotation_id: str, limit: int, before: datetime | None
    ) -> list[tuple[Run, list[StepRecord]]]:
        """Return the runs that began before a moment with their steps, newest first."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
            return runs_with_steps(tx, view.rotation, limit, before)

    def progress(self, actor: Actor, secret_rotation_id: str) -> tuple[str, bool]:
        """Return a mark that changes whenever there is something new to see, and whether work is under way."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
            return progress_of(tx, view.rotation)


def usable_until(row: Credential, rotation: Rotation, now: datetime) -> datetime | None:
    """Return until when a reader of this secret may rely on it, unless it leaks; None: no longer, or not yet. Pure.

    Of the current one it is the least that holds even if somebody rotates in this moment.
    """
    if row.vanished:
        return None
    promise = None
    if row.kept or row.used_elsewhere:
        promise = row.ends_at
    elif row.state is State.CURRENT:
        next_run = rotation.due_at or row.ends_at or now
        promise = promised_until(rotation.overlap, now, next_run)
        kept = grace_until(rotation.overlap, now) or waits_until(rotation.overlap, now, next_run)
        promise = min(promise, kept or promise)
    elif row.state is State.RETIRING and row.revoke_after and row.promised:
        kept = max(row.grace_ends_at, now) if row.grace_ends_at else row.wait_ends_at
        promise = min(row.revoke_after, kept or row.revoke_after)
    return min(promise, row.ends_at) if promise and row.ends_at else promise
