"""Rotations that have ended, while their credentials are being removed at the provider: what a deletion leaves to be done.

Reads only. Whoever may read the connections of the place that the deleted one was in may read these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope, Visibility
from keyturn.authz.domain import Action
from keyturn.credentials import store as journal
from keyturn.credentials.domain import ENDED, Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.rotations.domain import Rotation
from keyturn.rotations.store import policies
from keyturn.rotations.store import removals as removal_store
from keyturn.rotations.store.runs import StepRecord

MOST = 100


class Stage(StrEnum):
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
class Item:
    """A credential. ``until`` is when the next thing happens, where it is waited for; ``message`` is why it was refused."""

    credential: Credential
    stage: Stage
    until: datetime | None = None
    message: str = ""

    @property
    def left(self) -> bool:
        """Whether there is still something to do."""
        return self.stage not in {Stage.REMOVED, Stage.NEVER_MADE, Stage.KEPT}


@dataclass(frozen=True)
class Removal:
    """What becomes of the credentials of a connection that was deleted, the newest first."""

    rotation: Rotation
    items: Sequence[Item]

    @property
    def left(self) -> int:
        return sum(item.left for item in self.items)

    @property
    def refused(self) -> bool:
        return any(item.stage is Stage.REFUSED for item in self.items)

    @property
    def mark(self) -> str:
        """A text that changes whenever there is something new to see."""
        return str([(one.credential.id, one.stage.value, one.credential.tries, one.until) for one in self.items])


def one(database: Database, actor: Actor, rotation_id: str) -> Removal:
    """Return the removal, also when it is done. Raises NotFound, or Forbidden without permission to read connections there."""
    with database.read() as tx:
        rotation = policies.get(tx, rotation_id)
        if rotation is None or not rotation.retired or rotation.org_id != actor.org_id:
            raise NotFound(f"There is no removal '{rotation_id}'.", code="rotation.removal_not_found")
        authorize.require(tx, actor, Action.READ_CONNECTIONS, Scope(rotation.org_id, rotation.project_id))
        return _removal(tx, rotation)


def under_way(database: Database, actor: Actor, project_id: str | None) -> list[Removal]:
    """Return the removals that are not done: those of the project, or without one all that the actor may read."""
    with database.read() as tx:
        if project_id:
            authorize.require(tx, actor, Action.READ_CONNECTIONS, Scope(actor.org_id, project_id))
            sight = Visibility(actor.org_id, organization=False, projects=frozenset({project_id}))
        else:
            sight = authorize.visible(tx, actor)
        return [_removal(tx, rotation) for rotation in removal_store.under_way(tx, sight, MOST)]


def _removal(tx: Tx, rotation: Rotation) -> Removal:
    last = removal_store.last_steps(tx, rotation.id)
    return Removal(rotation, [_item(row, last) for row in journal.of_rotation(tx, rotation.id)])


def _item(row: Credential, last: Mapping[str, StepRecord]) -> Item:
    if row.state is State.UNREADABLE:
        return Item(row, Stage.UNREADABLE, message=row.note or "")
    if row.state in ENDED:
        return Item(row, Stage.REMOVED if row.state is State.REVOKED else Stage.NEVER_MADE, message=row.note or "")
    if row.kept:
        return Item(row, Stage.KEPT)
    said = last.get(row.id)
    if row.tries and said and said.outcome == "failed":
        return Item(row, Stage.REFUSED, row.retry_at, said.message or "")
    if row.state is State.RETIRING:
        return Item(row, Stage.WAITING, row.revoke_after if row.promised else None)
    if row.state is State.ASKING:
        return Item(row, Stage.RESOLVING)
    if row.removed_at is None:
        return Item(row, Stage.REMOVING)
    return Item(row, Stage.CONFIRMING, row.retry_at)
