"""Reading the audit trail. Writing it is part of each use case that changes something."""

from dataclasses import dataclass

from keyturn.audit import store
from keyturn.audit.domain import Filter, StoredEvent
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor


@dataclass(frozen=True)
class AuditEvents:
    """Events, newest first. ``cursor`` asks for the older ones; None: there are none."""

    events: tuple[StoredEvent, ...]
    cursor: str | None


class AuditTrail:
    """The audit trail of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        actor: Actor,
        *,
        limit: int = 100,
        cursor: str | None = None,
        project_id: str | None = None,
        event: str | None = None,
        subject_id: str | None = None,
        actor_id: str | None = None,
    ) -> AuditEvents:
        """Return one page of the events of a project, or (None) of the whole organization.

        Events added meanwhile do not shift the following pages. Raises Refused for a bad cursor, and as :func:`require` for
        an actor who may not read them.
        """
        criteria = Filter(actor.org_id, project_id, event, subject_id, actor_id, _position(cursor))
        with self._database.read() as tx:
            require(tx, actor, Action.READ_AUDIT_LOGS, Scope(actor.org_id, project_id))
            events = store.newest(tx, criteria, limit + 1)
        entries = tuple(events[:limit])
        return AuditEvents(entries, str(entries[-1].id) if len(events) > limit else None)


def newest(tx: Tx, conditions: Filter, limit: int) -> list[StoredEvent]:
    """Return the matching events, newest first, for a use case that has checked what the actor may see."""
    return store.newest(tx, conditions, limit)


def _position(cursor: str | None) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Refused(
            "This cursor was not made by this server.",
            code="audit.cursor_invalid",
            fix="Begin again without a cursor.",
        )
    return int(cursor)
