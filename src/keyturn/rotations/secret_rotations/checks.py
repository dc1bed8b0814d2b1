"""What is checked of a secret rotation that is to be made, before the provider is asked and again when it is written."""

from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.rotations.commands import NewSecretRotation
from keyturn.rotations.overlap import require_overlap
from keyturn.rotations.schedule import Schedule, schedule_fault
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.domain import SecretRotation
from keyturn.rotations.secret_rotations.writes import name_taken
from keyturn.rotations.store import secret_rotations as store
from keyturn.secrets import access as places
from keyturn.secrets.domain import Address, Place
from keyturn.secrets.writes import require_free


def require_new(tx: Tx, actor: Actor, new: NewSecretRotation) -> tuple[Connection, Place, SecretRotation | None]:
    """Return the connection and where the secrets are to be; and the one that was made when the same was asked for before.

    Raises Refused, Forbidden or NotFound.
    """
    require_overlap(new.overlap)
    require_schedule(new.schedule)
    address = Address(new.project_id, None, new.environment, new.path)
    place = places.locate(tx, actor, Action.CREATE_ROTATIONS, address, new.connection_id)
    connection = secret_access.connection_to_use(tx, actor, new.connection_id, place.project_id)
    folder = places.folder_at(tx, place)
    before = store.rotation_of_name(tx, folder.id, new.name) if folder else None
    if before is None:
        if folder:
            require_free(tx, actor, place, folder.id, new.names)
        return connection, place, None
    view = store.required_view(tx, before.id)
    same = (connection.id, new.object_id.lower(), new.names)
    if same != (before.connection_id, view.rotation.object_id.lower(), view.names):
        raise name_taken(new.name)
    return connection, place, before


def require_schedule(schedule: Schedule) -> None:
    """Raise Refused for a schedule that cannot be kept to."""
    fault = schedule_fault(schedule)
    if fault:
        raise Refused(fault, code="rotation.schedule", fix="Send another interval, time or time zone.")
