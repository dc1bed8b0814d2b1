"""Use cases of looking for connections: one page of a list, and what the caller may do with what they see."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope, Visibility
from keyturn.authz.domain import Action
from keyturn.connections import store
from keyturn.connections.domain import Connection
from keyturn.connections.store import SORTS, STATUSES, ConnectionFilter
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound
from keyturn.kit import pasted
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.projects import store as projects
from keyturn.projects.domain import ProjectRef

__all__ = ["SORTS", "STATUSES", "ConnectionMatches", "ConnectionQuery", "ConnectionSearch"]

ABOUT_CONNECTIONS = (
    Action.READ_CONNECTIONS,
    Action.CREATE_CONNECTIONS,
    Action.EDIT_CONNECTIONS,
    Action.DELETE_CONNECTIONS,
    Action.CONNECT_CONNECTIONS,
    Action.ROTATE_CREDENTIALS,
    Action.READ_AUDIT_LOGS,
)


@dataclass(frozen=True)
class ConnectionQuery:
    """What somebody looks for. ``everywhere``: in all projects as well, for lists of the organization. Pages count from 1."""

    text: str = ""
    app: str | None = None
    status: str | None = None
    sort: str = "app"
    descending: bool = False
    page: int = 1
    size: int = 20
    everywhere: bool = False


@dataclass(frozen=True)
class ConnectionMatches:
    """One page. ``total`` counts what matches, ``all`` what there is without the search; ``can`` is by project id."""

    connections: Sequence[Connection]
    homes: Mapping[str, ProjectRef]
    total: int
    all: int
    page: int
    pages: int
    can: frozenset[str]
    can_in: Mapping[str, frozenset[str]]


class ConnectionSearch:
    """Lists of connections. Reads only; the cost does not grow with the page's number."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def page(self, actor: Actor, project_id: str | None, search: ConnectionQuery) -> ConnectionMatches:
        """Return one page of a project's connections, or (None) of the organization's. Raises NotFound or Forbidden.

        A page beyond the last one is the last one.
        """
        with self._database.read() as tx:
            base = self._sight(tx, actor, project_id, search.everywhere)
            criteria = replace(
                base,
                words=pasted.search_words(search.text),
                app=search.app,
                status=search.status,
                now=self._clock.now(),
                owner=actor.id,
                sort=search.sort,
                descending=search.descending,
                limit=search.size,
            )
            number = max(1, search.page)
            connections, total = store.page(tx, replace(criteria, offset=(number - 1) * search.size))
            if not connections and number > 1:
                number = max(1, -(-store.count(tx, criteria) // search.size))
                connections, total = store.page(tx, replace(criteria, offset=(number - 1) * search.size))
            filtered = bool(criteria.words or criteria.app or criteria.status)
            return ConnectionMatches(
                connections,
                projects.refs(tx, actor.org_id, project_id)
                if any(connection.project_id for connection in connections)
                else {},
                total,
                store.count(tx, base) if filtered else total,
                number,
                max(1, -(-total // search.size)),
                _actions(tx, actor, project_id),
                {
                    home: _actions(tx, actor, home)
                    for home in {connection.project_id for connection in connections}
                    if home
                },
            )

    def granted(self, actor: Actor, project_id: str | None) -> frozenset[str]:
        """Return what the caller may do with connections that live there, to show buttons that are of use."""
        with self._database.read() as tx:
            return _actions(tx, actor, project_id)

    def _sight(self, tx: Tx, actor: Actor, project_id: str | None, everywhere: bool) -> ConnectionFilter:
        if project_id:
            return ConnectionFilter(authorize.visible_in(tx, actor, project_id))
        if everywhere:
            return ConnectionFilter(authorize.visible(tx, actor))
        authorize.require(tx, actor, Action.READ_CONNECTIONS, Scope(actor.org_id))
        return ConnectionFilter(Visibility(actor.org_id, organization=True, projects=frozenset()))


def _actions(tx: Tx, actor: Actor, project_id: str | None) -> frozenset[str]:
    try:
        grants = authorize.grants_of(tx, actor, Scope(actor.org_id, project_id))
    except NotFound:
        return frozenset()
    return frozenset(action.value for action in ABOUT_CONNECTIONS if grants.anywhere(action))
