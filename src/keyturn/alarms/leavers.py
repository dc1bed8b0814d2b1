"""Use cases of somebody who leaves: disabled or deleted, and who answers from then on for what they answered for."""

from collections.abc import Iterator, Sequence

from keyturn.alarms.conditions import leaver_store
from keyturn.audit import alarm_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action
from keyturn.connections import store as connections
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ownership import store as ownership
from keyturn.ownership.domain import Owned, Owner, unknown_user
from keyturn.people import leaving
from keyturn.people.domain import User
from keyturn.ports.clock import Clock
from keyturn.rotations.store import secret_rotations

SUBJECTS = {Owned.CONNECTION: SubjectKind.CONNECTION, Owned.SECRET_ROTATION: SubjectKind.SECRET_ROTATION}


@dataclass(frozen=True)
class Held:
    """Something that a person answers for, or a connection that works by what they granted."""

    kind: Owned
    id: str
    name: str
    project_id: str | None


@dataclass(frozen=True)
class Leaving:
    """A person and what they would leave behind. ``signed_in``: connections that work by what they granted with a browser."""

    user: User
    owned: Sequence[Held]
    signed_in: Sequence[Held]


class Leavers:
    """For those who manage users. What is disabled, deleted and handed over is audited, each in one transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, actor: Actor, user_id: str) -> Leaving:
        """Return the user, and what they answer for. Raises NotFound and Forbidden."""
        with self._database.read() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            user = leaving.find_user(tx, actor, user_id)
            signed_in = leaver_store.signed_in_by(tx, actor.org_id, user_id)
            return Leaving(user, _owned(tx, actor.org_id, user_id), list(_connections(tx, signed_in)))

    def disable(self, actor: Actor, user_id: str, new_owner_id: str | None = None) -> Leaving:
        """End all that the user can do, and hand over what they answered for where somebody is named. Safe to repeat.

        Returns the user as they are then, with what was handed over. What nobody was named for has lost its owner, which is an
        alarm; so is each connection that works by what they granted, until somebody else signs in. Raises as
        :func:`leaving.disable`, and Refused for a new owner who is the user, or no user who can sign in.
        """
        with self._database.write() as tx:
            user = leaving.disable(tx, actor, user_id, self._clock.now())
            return self._left(tx, actor, user, new_owner_id)

    def enable(self, actor: Actor, user_id: str) -> User:
        """Let a disabled user sign in again; what they answered for and was not handed over is theirs again."""
        with self._database.write() as tx:
            return leaving.enable(tx, actor, user_id, self._clock.now())

    def delete(self, actor: Actor, user_id: str, new_owner_id: str | None = None) -> Leaving:
        """Remove the user with tokens and memberships, and hand over as :meth:`disable`. Raises as that."""
        with self._database.write() as tx:
            user = leaving.managed_user(tx, actor, user_id)
            left = self._left(tx, actor, user, new_owner_id)
            leaving.delete(tx, actor, user_id, self._clock.now())
        return left

    def _left(self, tx: Tx, actor: Actor, user: User, new_owner_id: str | None) -> Leaving:
        signed_in = list(_connections(tx, leaver_store.signed_in_by(tx, actor.org_id, user.id)))
        if new_owner_id is None:
            return Leaving(user, (), signed_in)
        if new_owner_id == user.id:
            raise Refused(
                "The new owner is the one who leaves.",
                code="owners.same_user",
                fix="Choose somebody else, or nobody: then administrators are told.",
                field="newOwnerId",
            )
        email = ownership.email_of(tx, actor.org_id, new_owner_id)
        if email is None:
            raise unknown_user("newOwnerId")
        owned = _owned(tx, actor.org_id, user.id)
        before = ownership.of(tx, [one.id for one in owned])
        for one in owned:
            self._hand_over(tx, actor, one, before[one.id], Owner(new_owner_id, email, before[one.id].contact))
        return Leaving(user, owned, signed_in)

    def _hand_over(self, tx: Tx, actor: Actor, one: Held, before: Owner, after: Owner) -> None:
        now = self._clock.now()
        ownership.put(tx, actor.org_id, one.kind, one.id, after, now)
        subject = Subject(SUBJECTS[one.kind], one.id, one.project_id)
        facts = {"name": one.name, "before": before.facts(), "after": after.facts()}
        record(tx, actor, events.OWNER_CHANGED, subject, now, **facts)


def _owned(tx: Tx, org_id: str, user_id: str) -> list[Held]:
    ids = ownership.owned_by(tx, org_id, user_id)
    views = secret_rotations.views_among(tx, ids[Owned.SECRET_ROTATION])
    rotations = (
        Held(Owned.SECRET_ROTATION, one.id, one.name, one.project_id)
        for one in (view.secret_rotation for view in views)
    )
    return sorted([*_connections(tx, ids[Owned.CONNECTION]), *rotations], key=lambda one: one.name.lower())


def _connections(tx: Tx, ids: Sequence[str]) -> Iterator[Held]:
    for one in connections.with_ids(tx, ids):
        yield Held(Owned.CONNECTION, one.id, one.name, one.project_id)
