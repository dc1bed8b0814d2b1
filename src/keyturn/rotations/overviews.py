"""What is shown beside connections: their rotation, their project, who shares their credential, what they rotate."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from keyturn.connections import holders
from keyturn.connections.domain import Connection
from keyturn.connections.holders import Sharing
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.projects import store as projects
from keyturn.projects.domain import ProjectRef
from keyturn.rotations.domain import RotationState
from keyturn.rotations.run_schedule import replaced_in_time
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.domain import RotatedThrough
from keyturn.rotations.store import policies
from keyturn.rotations.store import secret_rotations as store

NAMED = 20
"""So many secret rotations are named that go through a connection."""


@dataclass(frozen=True)
class ConnectionOverview:
    """``home`` is the project that the connection belongs to; ``sharing`` is None where nobody holds the same credential."""

    rotation: RotationState | None = None
    home: ProjectRef | None = None
    sharing: Sharing | None = None


class Overviews:
    """Reads what lists show."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, actor: Actor, connections: Sequence[Connection]) -> Mapping[str, ConnectionOverview]:
        """Return the overviews by id of connections that the caller was allowed to read.

        One transaction with a fixed number of statements, however many connections they are.
        """
        with self._database.read() as tx:
            rotations = policies.states(tx, [connection.id for connection in connections])
            homes = _homes(tx, connections)
            sharing = holders.sharing(tx, actor, connections)
        return {
            connection.id: ConnectionOverview(
                rotations.get(connection.id), homes.get(connection.project_id or ""), sharing.get(connection.id)
            )
            for connection in connections
        }

    def rotations(self, connections: Sequence[Connection]) -> Mapping[str, RotationState]:
        """Return by connection id what lists show of the rotations of connections that the caller was allowed to read."""
        with self._database.read() as tx:
            return policies.states(tx, [connection.id for connection in connections])

    def replaced_in_time(self, credential_ids: Sequence[str], now: datetime) -> frozenset[str]:
        """Return which of these credentials, as the caller was allowed to see them, are replaced in time by themselves."""
        with self._database.read() as tx:
            states = policies.states_of_credentials(tx, credential_ids)
        return frozenset(key for key, state in states.items() if replaced_in_time(state, now))

    def sharing(self, actor: Actor, connections: Sequence[Connection]) -> Mapping[str, Sharing]:
        """Return by id who else holds the credentials of connections that the caller was allowed to read."""
        with self._database.read() as tx:
            return holders.sharing(tx, actor, connections)

    def rotated_through(self, actor: Actor, connection: Connection) -> RotatedThrough:
        """Return whose secrets are rotated through a connection that the caller was allowed to read: the first of them by name.

        Two statements.
        """
        with self._database.read() as tx:
            if actor.role is Role.ADMIN:  # sees all: a connection may rotate thousands
                first = store.refs_of_connection(tx, connection.id, NAMED)
                return RotatedThrough(first, 0, store.count_of_connection(tx, connection.id) - len(first))
            refs = store.refs_of_connection(tx, connection.id)
            seen = secret_access.seen_among(tx, actor, refs)
        named = seen[:NAMED]
        return RotatedThrough(named, len(refs) - len(seen), len(seen) - len(named))


def _homes(tx: Tx, connections: Sequence[Connection]) -> Mapping[str, ProjectRef]:
    of_projects = {(connection.org_id, connection.project_id) for connection in connections if connection.project_id}
    if not of_projects:
        return {}
    org_id, project_id = next(iter(of_projects))
    return projects.refs(tx, org_id, project_id if len(of_projects) == 1 else None)
