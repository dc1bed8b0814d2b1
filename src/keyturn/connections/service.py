"""Use cases of app connections that change nothing. Whatever changes one may concern its rotation: see ``rotations``."""

from collections.abc import Sequence
from dataclasses import replace

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope, Visibility
from keyturn.authz.domain import Action
from keyturn.connections import store
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.connections.store import ConnectionFilter
from keyturn.connections.stored import Stored
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound
from keyturn.kit import pasted
from keyturn.kit.actor import Actor
from keyturn.ports.provider import ApplicationPage, ApplicationSummary
from keyturn.providers.registry import Providers


class Connections:
    """Finds app connections, and lists what they can see."""

    def __init__(self, database: Database, providers: Providers, stored: Stored) -> None:
        self._database = database
        self._providers = providers
        self._stored = stored

    def get(self, actor: Actor, connection_id: str) -> Connection:
        """Return a connection that the actor may read. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            return connection_for(tx, actor, connection_id, Action.READ_CONNECTIONS)

    def by_name(self, actor: Actor, name: str, project_id: str | None) -> Connection:
        """Return the connection of that name in the project, or without one in the organization."""
        with self._database.read() as tx:
            connection = store.by_name(tx, actor.org_id, project_id, name)
            scope = Scope(actor.org_id, project_id, connection_id=connection.id if connection else None)
            authorize.require(tx, actor, Action.READ_CONNECTIONS, scope)
        if connection is None:
            raise NotFound(
                f"There is no app connection named '{name}' here.",
                code="connections.not_found",
                fix="GET /api/v1/app-connections lists those that you may see, as the page App Connections does.",
            )
        return connection

    def visible(self, actor: Actor, project_id: str | None) -> Sequence[Connection]:
        """Return what the actor may read, by name: of one project, or of the organization and all its projects."""
        with self._database.read() as tx:
            sight = authorize.visible_in(tx, actor, project_id) if project_id else authorize.visible(tx, actor)
            return store.in_organization(tx, sight)

    def available(self, actor: Actor, project_id: str | None) -> Sequence[Connection]:
        """Return what the actor may use (not only read) in the project: its own and the organization's."""
        with self._database.read() as tx:
            return store.in_organization(tx, _available(tx, actor, project_id))

    def find_available(
        self, actor: Actor, project_id: str, app: str, text: str, page: int, size: int
    ) -> tuple[Sequence[Connection], int]:
        """Return a page of what :meth:`available` returns of one app, by name, and how many match.

        Pages count from 1; one beyond the last is the last one.
        """
        with self._database.read() as tx:
            sight = _available(tx, actor, project_id)
            criteria = ConnectionFilter(sight, pasted.search_words(text), app, limit=size, offset=(page - 1) * size)
            found, total = store.page(tx, criteria)
            if not found and page > 1:
                last = max(1, -(-store.count(tx, criteria) // size))
                found, total = store.page(tx, replace(criteria, offset=(last - 1) * size))
            return found, total

    def clients(self, actor: Actor, connection_id: str) -> Sequence[ApplicationSummary]:
        """List the applications that the connection can see, for choosing one."""
        with self._database.read() as tx:
            connection = connection_for(tx, actor, connection_id, Action.CONNECT_CONNECTIONS)
        _, token = self._stored.sign_in(connection)
        return self._providers.of(connection.app).applications(connection.tenant, token)

    def find_applications(self, actor: Actor, connection_id: str, text: str, cursor: str | None) -> ApplicationPage:
        """Return a page of the applications that the connection can see: those whose name has these words, or whose id it is.

        ``cursor`` is that of the page before, for the same text. Raises Refused for any other.
        """
        with self._database.read() as tx:
            connection = connection_for(tx, actor, connection_id, Action.CONNECT_CONNECTIONS)
        _, token = self._stored.sign_in(connection)
        return self._providers.of(connection.app).find_applications(connection.tenant, token, text.strip(), cursor)


def _available(tx: Tx, actor: Actor, project_id: str | None) -> Visibility:
    organization = authorize.is_allowed(tx, actor, Action.CONNECT_CONNECTIONS, Scope(actor.org_id))
    if project_id is None:
        return Visibility(actor.org_id, organization, frozenset())
    return replace(authorize.visible_in(tx, actor, project_id, Action.CONNECT_CONNECTIONS), organization=organization)
