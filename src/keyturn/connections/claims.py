"""What an application is used for on this server: a connection signs in to it, or a rotation replaces its secret for others.

Never both: whoever may read the secrets of a project would read what a connection signs in with. A client id names one
application object of one home tenant, worldwide in its cloud; so it is what is claimed, as Entra ID tells it.
"""

from enum import StrEnum

from keyturn.connections import claim_store as store
from keyturn.db.unit import Tx
from keyturn.errors import Refused


class Use(StrEnum):
    SIGN_IN = "sign-in"
    TARGET = "target"


def take(tx: Tx, cloud: str, client_id: str, use: Use) -> None:
    """Use the application for this. Repeatable. Raises Refused while it is used for the other."""
    app_id = client_id.lower()
    used = store.take(tx, cloud, app_id, use.value)
    if used == use:
        return
    # Connections end in many ways, and with their project: whether one is left is looked up while nobody can join.
    if used != Use.SIGN_IN or store.signs_in_to(tx, cloud, app_id):
        raise refusal(client_id, use)
    store.change(tx, cloud, app_id, use.value)


def take_again(tx: Tx, project_id: str) -> None:
    """Sign in to the applications of all connections of a project, which was restored. Raises Refused as :func:`take` does."""
    for cloud, client_id in sorted(store.signed_in_to(tx, project_id)):
        take(tx, cloud, client_id, Use.SIGN_IN)


def require_target(tx: Tx, cloud: str, client_id: str) -> None:
    """Return when no connection signs in to the application. Raises Refused otherwise."""
    app_id = client_id.lower()
    if store.use_of(tx, cloud, app_id) == Use.SIGN_IN and store.signs_in_to(tx, cloud, app_id):
        raise refusal(client_id, Use.TARGET)


def require_sign_in(tx: Tx, cloud: str, client_id: str) -> None:
    """Return unless a rotation replaces the application's secret for others. Raises Refused then. Locks nothing."""
    if store.use_of(tx, cloud, client_id.lower()) == Use.TARGET:
        raise refusal(client_id, Use.SIGN_IN)


def leave_target(tx: Tx, cloud: str, client_id: str) -> None:
    """To be called when the rotation of the application has ended: it has but one."""
    store.delete(tx, cloud, client_id.lower(), Use.TARGET.value)


def refusal(client_id: str, wanted: Use) -> Refused:
    """Return what to say of an application that is used for the other."""
    if wanted is Use.TARGET:
        return Refused(
            f"The application {client_id} is what an app connection, or this server itself, signs in with. Its secret cannot be "
            "rotated into secrets of a project: whoever reads those could sign in as it.",
            code="rotation.self_target",
            fix="Choose another application. A connection rotates its own secret by Automatic Credential Rotation.",
        )
    return Refused(
        f"The secret of the application {client_id} is rotated into secrets of a project: no connection may sign in with it.",
        code="connections.rotation_target",
        fix="Use another application for this connection, or delete that secret rotation first.",
    )
