"""All connections of this server that hold one credential: who they are, what an actor may know of them, who may join them.

A connection whose credential rotates shares it with every other that holds the same: each publish moves them all. So whoever
switches rotation on, or joins a credential that rotates already, must be allowed to change what moves along; of a connection
that they may not see they learn only that it is there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections import rotation_store, store
from keyturn.connections.domain import Connection
from keyturn.connections.fingerprints import known_fingerprint
from keyturn.connections.store import Holder
from keyturn.credentials import rotation_store as journal
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.sign_in import SignInMethod

REMOVED_LATELY = timedelta(hours=1)
"""For so long after a removal, signing in proves little: a replica may still know the credential."""
_ASK = (
    "Ask an administrator of the organization to do this: they see all connections. "
    "Or give this connection a credential of its own."
)


def scope_of(holder: Holder) -> Scope:
    return Scope(holder.org_id, holder.project_id, connection_id=holder.id)


@dataclass(frozen=True)
class Sharing:
    """The other connections that hold a connection's credential. ``hidden`` is how many the actor may not see.

    ``owner_id`` is the connection whose rotation moves them all, if one does; ``owner`` that connection if it is another one
    that the actor may see.
    """

    seen: Sequence[Holder] = ()
    hidden: int = 0
    owner_id: str | None = None
    owner: Holder | None = None

    @property
    def count(self) -> int:
        return len(self.seen) + self.hidden

    def moves_along(self, connection_id: str) -> bool:
        """Say whether this connection is moved by the rotation of another one."""
        return self.owner_id is not None and self.owner_id != connection_id


def lock(tx: Tx, *fingerprints: str | None) -> None:
    """Let nobody else join or move the holders of these credentials until the transaction ends.

    To be called before rotations and connections are locked, and by whoever writes a fingerprint.
    """
    for fingerprint in sorted({each for each in fingerprints if each}):
        tx.alone_with(f"credential {fingerprint}")


# --- who holds it -----------------------------------------------------------------------------------------------------


def of(tx: Tx, fingerprint: str | None, *, beside: str | None = None) -> list[Holder]:
    """Return all connections that hold the credential, the oldest first, but for the one whose id is ``beside``."""
    holders = store.holders(tx, fingerprint) if fingerprint else []
    return [holder for holder in holders if holder.id != beside]


def lock_holder(tx: Tx, holder: Holder) -> Connection | None:
    """Keep everybody from changing or deleting the connection until the transaction ends; None if it holds it no more."""
    connection = store.get(tx, holder.id, lock=True)
    return connection if connection is not None and known_fingerprint(connection) == holder.fingerprint else None


def stays(tx: Tx, holder: Holder) -> bool:
    """As :func:`lock_holder`: whether the connection still holds it."""
    return lock_holder(tx, holder) is not None


def rotated_by(tx: Tx, holders: Sequence[Holder]) -> str | None:
    """Return which of the connections has the rotation that moves them all."""
    return next(iter(rotation_store.rotating_among(tx, [holder.id for holder in holders])), None)


def sharing(tx: Tx, actor: Actor, connections: Sequence[Connection]) -> dict[str, Sharing]:
    """Return by id with whom these connections share their credentials; nothing for those that share none.

    A few statements, however many connections they are. The caller was allowed to read the connections.
    """
    fingerprints = {connection.id: mark for connection in connections if (mark := known_fingerprint(connection))}
    groups: dict[str, list[Holder]] = {}
    for holder in store.holders_of_any(tx, sorted(set(fingerprints.values()))):
        groups.setdefault(holder.fingerprint, []).append(holder)
    shared = {
        connection_id: groups[mark] for connection_id, mark in fingerprints.items() if len(groups.get(mark, ())) > 1
    }
    if not shared:
        return {}
    sight = authorize.visible(tx, actor)
    owners = set(
        rotation_store.rotating_among(tx, sorted({holder.id for group in shared.values() for holder in group}))
    )
    return {connection_id: _sharing_of(connection_id, group, sight, owners) for connection_id, group in shared.items()}


def _sharing_of(connection_id: str, group: Sequence[Holder], sight: authorize.Visibility, owners: set[str]) -> Sharing:
    others = [holder for holder in group if holder.id != connection_id]
    in_sight = [holder for holder in others if sight.covers(scope_of(holder))]
    owner = next((holder for holder in group if holder.id in owners), None)
    visible = owner if owner in in_sight else None
    return Sharing(in_sight, len(others) - len(in_sight), owner.id if owner else None, visible)


# --- who may ----------------------------------------------------------------------------------------------------------


def require_movable(tx: Tx, actor: Actor, others: Sequence[Holder], what: str) -> None:
    """Return when the actor may have these connections moved along by a rotation. Raises Refused otherwise."""
    sight = authorize.visible(tx, actor)
    hidden = [holder for holder in others if not sight.covers(scope_of(holder))]
    if hidden:
        raise _out_of_sight(what, len(hidden))
    unchangeable = [
        holder for holder in others if not authorize.is_allowed(tx, actor, Action.EDIT_CONNECTIONS, scope_of(holder))
    ]
    if unchangeable:
        raise Refused(
            f"{what} is also used by {named(unchangeable)}, which would be moved along and which {actor.name} may not change.",
            code="rotation.shared_without_permission",
            fix=_ASK,
        )


def _out_of_sight(what: str, count: int) -> Refused:
    return Refused(
        f"{what} is used elsewhere by {counted(count, 'connection')} that you may not see.",
        code="rotation.shared_out_of_sight",
        fix=_ASK,
    )


def admit(tx: Tx, actor: Actor, fingerprint: str, connection_id: str | None, what: str) -> None:
    """Let a connection hold this credential. Raises Refused for one that is being removed, or of a rotation out of reach.

    From now on each rotation of the credential moves the connection along: so that is decided here, once.
    """
    entries = journal.with_fingerprint(tx, fingerprint)
    rotating = next((row for row in entries if row.state == "current" and not row.retired), None)
    if rotating is None:
        return
    owner_id = rotating.connection_id
    others = of(tx, fingerprint, beside=connection_id)
    if owner_id == connection_id:
        return
    sight = authorize.visible(tx, actor)
    owner = next((holder for holder in others if holder.id == owner_id), None)
    if owner is None or not sight.covers(scope_of(owner)):
        raise _out_of_sight(what, max(1, sum(1 for holder in others if not sight.covers(scope_of(holder)))))
    if not authorize.is_allowed(tx, actor, Action.EDIT_CONNECTIONS, scope_of(owner)):
        raise Refused(
            f"{what} is rotated by the connection '{owner.name}', which {actor.name} may not change: a connection that signs in "
            "with it would get each new one.",
            code="rotation.shared_without_permission",
            fix=_ASK,
        )


def refuse_removed(tx: Tx, fingerprint: str, now: datetime, what: str) -> None:
    """Raise Refused for a credential that a rotation of this server is removing, or has removed just now."""
    entries = journal.with_fingerprint(tx, fingerprint)
    if any(row.state == "current" for row in entries):
        return
    for row in entries:
        lately = row.state == "revoked" and row.ended_at is not None and row.ended_at > now - REMOVED_LATELY
        going = (row.state == "retiring" and row.revoke_after is not None) or row.state in {"revoking", "lost"}
        if lately or going:
            raise Refused(
                f"{what} was replaced by a rotation of this server and {'is gone' if lately else 'is being removed'}.",
                code="rotation.credential_replaced",
                fix="Make a new client secret or certificate for this connection, and enter that.",
            )


# --- in words ---------------------------------------------------------------------------------------------------------


def credential_name(method: SignInMethod) -> str:
    return f"This {method.words.noun}"


def named(holders: Sequence[Holder], at_most: int = 5) -> str:
    """Return the names for a sentence: the first few, and how many more."""
    names = [f"'{name}'" for name in sorted(holder.name for holder in holders)[:at_most]]
    more = len(holders) - len(names)
    head = "the connection " if len(holders) == 1 else "the connections "
    return head + ", ".join(names) + (f" and {more} more" if more else "")
