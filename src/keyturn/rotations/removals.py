"""Rotations that have ended, while their credentials are being removed at the provider: what a deletion leaves to be done.

Reads only. Whoever may read the connections of the place that the deleted one was in may read these.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.credentials import store as journal
from keyturn.credentials.domain import ENDED, Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.domain import Rotation
from keyturn.rotations.store import policies
from keyturn.rotations.store import removals as removal_store
from keyturn.rotations.store.runs import StepRecord

MOST = 100


class RemovalStage(StrEnum):
    """How far the removal of one credential is."""

    WAITING = "waiting"
    RESOLVING = "resolving"
    REMOVING = "removing"
    CONFIRMING = "confirming"
    REFUSED = "refused"
    REMOVED = "removed"
    NEVER_MADE = "never-made"
    KEPT = "kept"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class RemovalItem:
    """A credential. ``until`` is when the next thing happens, where it is waited for; ``message`` is why it was refused."""

    credential: Credential
    stage: RemovalStage
    until: datetime | None = None
    message: str = ""

    @property
    def left(self) -> bool:
        """Whether there is still something to do."""
        return self.stage not in {RemovalStage.REMOVED, RemovalStage.NEVER_MADE, RemovalStage.KEPT}


@dataclass(frozen=True)
class Removal:
    """What becomes of the credentials of a connection that was deleted, the newest first."""

    rotation: Rotation
    items: Sequence[RemovalItem]

    @property
    def left(self) -> int:
        return sum(item.left for item in self.items)

    @property
    def refused(self) -> bool:
        return any(item.stage is RemovalStage.REFUSED for item in self.items)

    @property
    def mark(self) -> str:
        """A text that changes whenever there is something new to see."""
        return str([(item.credential.id, item.stage.value, item.credential.tries, item.until) for item in self.items])


class Removals:
    """Finds the removals that an actor may read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, actor: Actor, rotation_id: str) -> Removal:
        """Return the removal, also when it is done. Raises NotFound, or Forbidden where the actor may not read connections."""
        with self._database.read() as tx:
            rotation = policies.get(tx, rotation_id)
            if rotation is None or not rotation.retired or rotation.org_id != actor.org_id:
                raise NotFound(
                    f"There is no removal '{rotation_id}'.",
                    code="rotation.removal_not_found",
                    fix="GET /api/v1/app-connections/{app}/removals lists those under way.",
                )
            scope = Scope(rotation.org_id, rotation.project_id, connection_id=rotation.connection_id)
            authorize.require(tx, actor, Action.READ_CONNECTIONS, scope)
            return _removal(tx, rotation)

    def under_way(self, actor: Actor, project_id: str | None) -> list[Removal]:
        """Return the removals that are not done: those of the project, or without one all that the actor may read."""
        with self._database.read() as tx:
            sight = authorize.visible_in(tx, actor, project_id) if project_id else authorize.visible(tx, actor)
            return [_removal(tx, rotation) for rotation in removal_store.under_way(tx, sight, MOST)]


def _removal(tx: Tx, rotation: Rotation) -> Removal:
    last = removal_store.last_steps(tx, rotation.id)
    return Removal(rotation, [_item(row, last) for row in journal.of_rotation(tx, rotation.id)])


def _item(row: Credential, last: Mapping[str, StepRecord]) -> RemovalItem:
    if row.state is State.UNREADABLE:
        return RemovalItem(row, RemovalStage.UNREADABLE, message=row.note or "")
    if row.state in ENDED:
        return RemovalItem(
            row, RemovalStage.REMOVED if row.state is State.REVOKED else RemovalStage.NEVER_MADE, message=row.note or ""
        )
    if row.kept:
        return RemovalItem(row, RemovalStage.KEPT)
    step = last.get(row.id)
    if row.tries and step and step.outcome == "failed":
        return RemovalItem(row, RemovalStage.REFUSED, row.retry_at, step.message or "")
    if row.state is State.RETIRING:
        return RemovalItem(row, RemovalStage.WAITING, row.revoke_after if row.promised else None)
    if row.state is State.ASKING:
        return RemovalItem(row, RemovalStage.RESOLVING)
    if row.removed_at is None:
        return RemovalItem(row, RemovalStage.REMOVING)
    return RemovalItem(row, RemovalStage.CONFIRMING, row.retry_at)
