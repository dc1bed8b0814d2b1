"""Reading the audit trail. Writing it is part of each use case that changes something."""

from collections.abc import Callable
from dataclasses import dataclass

from keyturn.audit import store
from keyturn.audit.domain import Filter, Recorded
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor

PermitReader = Callable[[Tx, Actor, str | None], None]
"""Given the actor and a project (None: the whole organization): raises unless the actor may read its events."""


@dataclass(frozen=True)
class Page:
    """Events, newest first. ``cursor`` asks for the older ones; None: there are none."""

    events: tuple[Recorded, ...]
    cursor: str | None


class Trail:
    """The audit trail of one installation. ``permit`` decides who may read it."""

    def __init__(self, database: Database, permit: PermitReader) -> None:
        self._database = database
        self._permit = permit

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
        """Return one page. Events added meanwhile do not shift the following pages. Raises Refused for a bad cursor."""
        wanted = Filter(actor.org_id, project_id, event, subject_id, actor_id, _position(cursor))
        with self._database.read() as tx:
            self._permit(tx, actor, project_id)
            found = store.newest(tx, wanted, limit + 1)
        shown = tuple(found[:limit])
        return Page(shown, str(shown[-1].id) if len(found) > limit else None)


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
