"""Use cases of owners: who answers for a connection or a secret rotation, and where they can be asked."""

from keyturn.alarms.leavers import SUBJECTS
from keyturn.audit import alarm_events as events
from keyturn.audit.domain import Subject
from keyturn.audit.record import record
from keyturn.authz.domain import Action
from keyturn.connections.access import connection_for
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ownership import store
from keyturn.ownership.domain import Owned, Owner, unknown_user
from keyturn.ports.clock import Clock
from keyturn.rotations.secret_rotations import access as secret_access

_READ = {Owned.CONNECTION: Action.READ_CONNECTIONS, Owned.SECRET_ROTATION: Action.READ_ROTATIONS}
_EDIT = {Owned.CONNECTION: Action.EDIT_CONNECTIONS, Owned.SECRET_ROTATION: Action.EDIT_ROTATIONS}


@dataclass(frozen=True)
class _Thing:
    name: str
    project_id: str | None


class Owners:
    """Shows and changes owners. Whoever may change a thing may change who answers for it; changes are audited."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, actor: Actor, kind: Owned, owned_id: str) -> Owner:
        """Return who answers for it. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            _found(tx, actor, kind, owned_id, _READ[kind])
            return store.of(tx, [owned_id])[owned_id]

    def change(self, actor: Actor, kind: Owned, owned_id: str, user_id: str | None, contact: str | None) -> Owner:
        """Name the person and the contact, None for nobody and none. Safe to repeat.

        Raises NotFound or Forbidden, and Refused for somebody who is no user of the organization.
        """
        with self._database.write() as tx:
            thing = _found(tx, actor, kind, owned_id, _EDIT[kind])
            email = store.email_of(tx, actor.org_id, user_id) if user_id else ""
            if email is None:
                raise unknown_user()
            before, after = store.of(tx, [owned_id])[owned_id], Owner(user_id, email, contact or None)
            if before == after:
                return after
            now = self._clock.now()
            store.put(tx, actor.org_id, kind, owned_id, after, now)
            subject = Subject(SUBJECTS[kind], owned_id, thing.project_id)
            facts = {"name": thing.name, "before": before.facts(), "after": after.facts()}
            record(tx, actor, events.OWNER_CHANGED, subject, now, **facts)
            return after


def _found(tx: Tx, actor: Actor, kind: Owned, owned_id: str, action: Action) -> _Thing:
    if kind is Owned.CONNECTION:
        connection = connection_for(tx, actor, owned_id, action)
        return _Thing(connection.name, connection.project_id)
    each = secret_access.get_view(tx, actor, action, owned_id).secret_rotation
    return _Thing(each.name, each.project_id)
