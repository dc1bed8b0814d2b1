"""What may not be deleted while rotations depend on it. Each raises Refused and names them, as far as the actor may see them."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.approvals import gate
from keyturn.authz.authorize import Scope, allowed_of
from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.connections.store import in_place as count_connections
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.domain import SecretRotationRef
from keyturn.rotations.store import conversions, policies
from keyturn.rotations.store import secret_rotations as store

_FIX = (
    "Delete these secret rotations first, choosing whether what they made is revoked or kept, or let them end with it: what they "
    "made stays valid then. Over the API that is POST /api/v1/deletions with endSecretRotations."
)


def refuse_project(tx: Tx, actor: Actor, project_id: str) -> None:
    """What rotates in a project is ended first, so that no secret is orphaned."""
    refs = store.refs_of_project(tx, project_id)
    if refs:
        raise Refused(
            f"Secrets of this project come from secret rotations: {_seen(tx, actor, refs)}.",
            code="projects.secret_rotations",
            fix=_FIX,
        )
    if count_connections(tx, actor.org_id, project_id) and gate.needs_second_person(tx, actor.org_id, project_id):
        raise needs_approval("connections")
    rotating = policies.rotating_in(tx, project_id)
    if rotating:
        scopes = [Scope(actor.org_id, project_id, connection_id=connection_id) for connection_id, _ in rotating]
        visible = allowed_of(tx, actor, Action.READ_CONNECTIONS, scopes)
        seen = [name for (_, name), may_see in zip(rotating, visible, strict=True) if may_see]
        raise Refused(
            f"Connections of this project rotate their credentials: {_counted(seen, len(rotating) - len(seen))}.",
            code="projects.rotating",
            fix="Delete these connections first, choosing whether their secrets are revoked or kept.",
        )


def needs_approval(of: str) -> Refused:
    """Build the refusal of a deletion that would take along what only two persons delete."""
    return Refused(
        f"There are {of} in it, and deleting these needs the approval of another person.",
        code="approvals.in_place",
        fix=f"Ask for the deletion of each of the {of} first; once they are gone, delete this.",
    )


def refuse_environment(tx: Tx, actor: Actor, environment_id: str) -> None:
    refs = store.refs_of_environment(tx, environment_id)
    if refs:
        raise Refused(
            f"Secrets of this environment come from secret rotations: {_seen(tx, actor, refs)}.",
            code="projects.secret_rotations",
            fix=_FIX,
        )


def refuse_while_signing_for_others(tx: Tx, actor: Actor, connection: Connection) -> None:
    """A connection through which applications are rotated, or secrets of ended rotations are still being removed."""
    refs = store.refs_of_connection(tx, connection.id)
    if refs:
        raise Refused(
            f"Through '{connection.name}' secrets of applications are rotated: {_seen(tx, actor, refs)}.",
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


def refuse_while_converting(tx: Tx, connection: Connection) -> None:
    """Raise Refused while the connection is being made to sign in without a secret: its credentials rest.

    Once it has gone back they are as before.
    """
    conversion = conversions.under_way(tx, connection.id)
    if conversion and conversion.rests:
        raise Refused(
            f"'{connection.name}' is being made to sign in without a secret ({conversion.state}).",
            code="connections.conversion_under_way",
            fix="Wait until that is done, or go back first, which takes a minute: "
            f"POST /api/v1/app-connections/{connection.app}/{connection.id}/secretless/back, or its page.",
        )


def refuse_until_trust_is_removed(tx: Tx, connection: Connection, now: datetime) -> None:
    """Raise Refused as :func:`refuse_while_converting`, and as long as the connection is needed to remove what its application
    was made to trust.
    """
    refuse_while_converting(tx, connection)
    conversion = conversions.under_way(tx, connection.id)
    if conversion is None:
        return
    removed_by, reason = conversion.trust_removed_by(now), conversion.reason or {}
    needed = (
        f"'{connection.name}' signs in as before, and is still needed to remove the federated credential "
        f"'{conversion.name}' from its application."
    )
    if removed_by is None:
        raise Refused(
            f"{needed} That was tried in vain: {reason.get('message')}",
            code="connections.conversion_under_way",
            fix=f"{reason.get('fix') or ''} It is tried again by itself, for a week at most; or leave it there, on its page or "
            f"by: `keyturn secretless back {connection.id} --leave`".lstrip(),
        )
    raise Refused(
        needed,
        code="connections.conversion_under_way",
        fix=f"Try again after {removed_by:%Y-%m-%d %H:%M} UTC, when every server of Entra ID shows that it is gone.",
    )


def _seen(tx: Tx, actor: Actor, refs: Sequence[SecretRotationRef]) -> str:
    """Return the names of those that the actor may see, and how many others there are."""
    seen = secret_access.seen_among(tx, actor, refs)
    return _counted([ref.name for ref in seen], len(refs) - len(seen))


def _counted(names: Sequence[str], hidden: int) -> str:
    words = [_listed(names)] if names else []
    return " and ".join([*words, *([f"{hidden} that you may not see"] if hidden else [])])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"'{name}'" for name in names[:5]) + more
