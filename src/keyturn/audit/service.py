"""Reading the audit trail. Writing it is part of each use case that changes something."""

from dataclasses import dataclass

from keyturn.audit import store
from keyturn.audit.domain import Filter, Recorded
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor


@dataclass(frozen=True)
class Page:
    """Events, newest first. ``cursor`` asks for the older ones; None: there are none."""

    events: tuple[Recorded, ...]
    cursor: str | None


class Trail:
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
    ) -> Page:
        """Return one page of the events of a project, or (None) of the whole organization.

        Events added meanwhile do not shift the following pages. Raises Refused for a bad cursor, and as :func:`require` for
        an actor who may not read them.
        """
        wanted = Filter(actor.org_id, project_id, event, subject_id, actor_id, _position(cursor))
        with self._database.read() as tx:
            require(tx, actor, Action.READ_AUDIT_LOGS, Scope(actor.org_id, project_id))
            found = store.newest(tx, wanted, limit + 1)
        shown = tuple(found[:limit])
        return Page(shown, str(shown[-1].id) if len(found) > limit else None)


def newest(tx: Tx, wanted: Filter, limit: int) -> list[Recorded]:
    """Return the matching events, newest first, for a use case that has checked what the actor may see."""
    return store.newest(tx, wanted, limit)


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
