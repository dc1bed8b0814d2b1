"""JSON about the connections that hold one credential."""

from keyturn.connections.domain import Connection
from keyturn.connections.holders import Sharing
from keyturn.connections.store import Holder
from keyturn.web.schema.wire import ApiModel


class OtherConnection(ApiModel):
    id: str
    name: str
    project_id: str | None


class CredentialSharing(ApiModel):
    """Which other connections hold the same credential: a rotation of one moves them all.

    ``hidden`` counts those that the caller may not see. ``movesAlong``: another connection's rotation moves this one; it is
    ``rotatedBy``, unless the caller may not see it.
    """

    others: list[OtherConnection]
    hidden: int
    moves_along: bool
    rotated_by: OtherConnection | None


def present_sharing(connection: Connection, sharing: Sharing) -> CredentialSharing:
    moves = sharing.moves_along(connection.id)
    owner = _other_connection(sharing.owner) if sharing.owner else None
    return CredentialSharing([_other_connection(holder) for holder in sharing.seen], sharing.hidden, moves, owner)


def _other_connection(holder: Holder) -> OtherConnection:
    return OtherConnection(holder.id, holder.name, holder.project_id)
