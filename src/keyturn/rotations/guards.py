"""What may not be deleted while rotations depend on it. Each raises Refused and names them."""

from collections.abc import Sequence

from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.rotations.store import policies
from keyturn.rotations.store import secret_rotations as store


def refuse_project(tx: Tx, project_id: str) -> None:
    """What rotates in a project is ended first, so that no secret is orphaned."""
    names = store.of_place(tx, project_id=project_id)
    if names:
        raise Refused(
            f"Secrets of this project come from the secret rotations {_listed(names)}.",
            code="projects.secret_rotations",
            fix="Delete these secret rotations first, choosing whether what they made is revoked or kept.",
        )
    names = policies.rotating_in(tx, project_id)
    if names:
        raise Refused(
            f"Connections of this project rotate their credentials: {_listed(names)}.",
            code="projects.rotating",
            fix="Delete these connections first, choosing whether their secrets are revoked or kept.",
        )


def refuse_environment(tx: Tx, environment_id: str) -> None:
    names = store.of_place(tx, environment_id=environment_id)
    if names:
        raise Refused(
            f"Secrets of this environment come from the secret rotations {_listed(names)}.",
            code="projects.secret_rotations",
            fix="Delete these secret rotations first, choosing whether what they made is revoked or kept.",
        )


def refuse_while_signing_for_others(tx: Tx, connection: Connection) -> None:
    """A connection through which applications are rotated, or secrets of ended rotations are still being removed."""
    names = store.of_connection(tx, connection.id)
    if names:
        raise Refused(
            f"Through '{connection.name}' secrets of applications are rotated: {_listed(names)}.",
            code="connections.rotates_applications",
            fix="Delete these secret rotations first, or give them another connection.",
        )
    ended = policies.removing_through(tx, connection.id)
    if ended:
        raise Refused(
            f"'{connection.name}' is still needed to remove secrets of applications: {_listed(ended)}.",
            code="connections.removes_for_applications",
            fix="Try again in a few minutes. If they cannot be removed, the list of removals says why.",
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"'{name}'" for name in names[:5]) + more
