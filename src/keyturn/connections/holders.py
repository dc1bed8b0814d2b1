"""All connections of this server that hold one credential: who they are, what an actor may know of them, who may join them.

A connection whose credential rotates shares it with every other that holds the same: each publish moves them all. So whoever
switches rotation on, or joins a credential that rotates already, must be allowed to change what moves along; of a connection
that they may not see they learn only that it is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections import store
from keyturn.connections.domain import Connection, Method
from keyturn.connections.fingerprints import marked
from keyturn.connections.store import Holder
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor

REMOVED_LATELY = timedelta(hours=1)
"""For so long after a removal, signing in proves little: a replica may still know the credential."""
_ASK = (
    "Ask an administrator of the organization to do this: they see all connections. "
    "Or give this connection a credential of its own."
)


def scope_of(one: Holder) -> Scope:
    return Scope(one.org_id, one.project_id)


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
    for one in sorted({one for one in fingerprints if one}):
        tx.alone_with(f"credential {one}")


# --- who holds it -----------------------------------------------------------------------------------------------------


def of(tx: Tx, fingerprint: str | None, *, beside: str | None = None) -> list[Holder]:
    """Return all connections that hold the credential, the oldest first, but for the one whose id is ``beside``."""
    found = store.holders(tx, fingerprint) if fingerprint else []
    return [one for one in found if one.id != beside]


def stays(tx: Tx, one: Holder) -> bool:
    """Keep everybody from changing or deleting the connection until the transaction ends; False if it holds it no more."""
    found = store.get(tx, one.id, lock=True)
    return found is not None and marked(found) == one.fingerprint


def rotated_by(tx: Tx, holders: Sequence[Holder]) -> str | None:
    """Return which of the connections has the rotation that moves them all."""
    return next(iter(store.rotating_among(tx, [one.id for one in holders])), None)


def sharing(tx: Tx, actor: Actor, connections: Sequence[Connection]) -> dict[str, Sharing]:
    """Return by id with whom these connections share their credentials; nothing for those that share none.

    A few statements, however many connections they are. The caller was allowed to read the connections.
    """
    wanted = {one.id: mark for one in connections if (mark := marked(one))}
    groups: dict[str, list[Holder]] = {}
    for holder in store.holders_of_any(tx, sorted(set(wanted.values()))):
        groups.setdefault(holder.fingerprint, []).append(holder)
    shared = {one: groups[mark] for one, mark in wanted.items() if len(groups.get(mark, ())) > 1}
    if not shared:
        return {}
    sight = authorize.visible(tx, actor)
    owners = set(store.rotating_among(tx, sorted({one.id for group in shared.values() for one in group})))
    return {one: _shared(one, group, sight, owners) for one, group in shared.items()}


def _shared(connection_id: str, group: Sequence[Holder], sight: authorize.Visibility, owners: set[str]) -> Sharing:
    others = [one for one in group if one.id != connection_id]
    seen = [one for one in others if sight.covers(scope_of(one))]
    owner = next((one for one in group if one.id in owners), None)
    visible = owner if owner in seen else None
    return Sharing(seen, len(others) - len(seen), owner.id if owner else None, visible)


# --- who may ----------------------------------------------------------------------------------------------------------


def require_movable(tx: Tx, actor: Actor, others: Sequence[Holder], what: str) -> None:
    """Return when the actor may have these connections moved along by a rotation. Raises Refused otherwise."""
    sight = authorize.visible(tx, actor)
    hidden = [one for one in others if not sight.covers(scope_of(one))]
    if hidden:
        raise _out_of_sight(what, len(hidden))
    locked = [one for one in others if not authorize.allowed(tx, actor, Action.EDIT_CONNECTIONS, scope_of(one))]
    if locked:
        raise Refused(
            f"{what} is also used by {named(locked)}, which would be moved along and which {actor.name} may not change.",
            code="rotation.shared_without_permission",
            fix=_ASK,
        )


def _out_of_sight(what: str, count: int) -> Refused:
    return Refused(
        f"{what} is used elsewhere by {counted(count)} that you may not see.",
        code="rotation.shared_out_of_sight",
        fix=_ASK,
    )


def admit(tx: Tx, actor: Actor, fingerprint: str, connection_id: str | None, what: str) -> None:
    """Let a connection hold this credential. Raises Refused for one that is being removed, or of a rotation out of reach.

    From now on each rotation of the credential moves the connection along: so that is decided here, once.
    """
    found = store.journaled(tx, fingerprint)
    rotating = next((row for row in found if row.state == "current" and not row.retired), None)
    if rotating is None:
        return
    owner_id = rotating.connection_id
    others = of(tx, fingerprint, beside=connection_id)
    if owner_id == connection_id:
        return
    sight = authorize.visible(tx, actor)
    owner = next((one for one in others if one.id == owner_id), None)
    if owner is None or not sight.covers(scope_of(owner)):
        raise _out_of_sight(what, max(1, sum(1 for one in others if not sight.covers(scope_of(one)))))
    if not authorize.allowed(tx, actor, Action.EDIT_CONNECTIONS, scope_of(owner)):
        raise Refused(
            f"{what} is rotated by the connection '{owner.name}', which {actor.name} may not change: a connection that signs in "
            "with it would get each new one.",
            code="rotation.shared_without_permission",
            fix=_ASK,
        )


def refuse_removed(tx: Tx, fingerprint: str, now: datetime, what: str) -> None:
    """Raise Refused for a credential that a rotation of this server is removing, or has removed just now."""
    found = store.journaled(tx, fingerprint)
    if any(row.state == "current" for row in found):
        return
    for row in found:
        lately = row.state == "revoked" and row.ended_at is not None and row.ended_at > now - REMOVED_LATELY
        going = (row.state == "retiring" and row.revoke_after is not None) or row.state in {"revoking", "lost"}
        if lately or going:
            raise Refused(
                f"{what} was replaced by a rotation of this server and {'is gone' if lately else 'is being removed'}.",
                code="rotation.credential_replaced",
                fix="Make a new client secret or certificate for this connection, and enter that.",
            )


# --- in words ---------------------------------------------------------------------------------------------------------


def credential_name(method: Method) -> str:
    return "This certificate" if method is Method.CERTIFICATE else "This client secret"


def counted(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"


def named(holders: Sequence[Holder], at_most: int = 5) -> str:
    """Return the names for a sentence: the first few, and how many more."""
    names = [f"'{name}'" for name in sorted(one.name for one in holders)[:at_most]]
    more = len(holders) - len(names)
    head = "the connection " if len(holders) == 1 else "the connections "
    return head + ", ".join(names) + (f" and {more} more" if more else "")
