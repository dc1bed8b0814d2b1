"""Publishing the current secret of an application, within a transaction of the caller."""

from keyturn.credentials.domain import Credential
from keyturn.db.unit import Tx
from keyturn.projects.store import lock_project
from keyturn.rotations.domain import Rotation
from keyturn.rotations.store import secret_rotations as store
from keyturn.secrets.writes import MappingWriter


def publish_everywhere(tx: Tx, writer: MappingWriter, rotation: Rotation, current: Credential) -> None:
    """Make it the current version of every secret that is mapped to it, project by project in the order of their ids.

    The rotation is locked in this transaction.
    """
    for view in sorted(store.views_of_rotation(tx, rotation.id), key=lambda each: each.place.project_id):
        lock_project(tx, view.place.project_id)
        writer.publish(tx, view.secret_rotation.id, view.place, rotation.app_id, current)
