"""SQL of what people leave behind: what they answered for, and connections that work by what they granted with a browser."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from keyturn.alarms.conditions.domain import ConditionSubject
from keyturn.alarms.conditions.server_rules import LostOwner
from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.db.tables.views import (
    app_connections,
    environments,
    oauth_tokens,
    owners,
    secret_folders,
    secret_rotations,
    users,
)
from keyturn.db.unit import Tx

_LEFT = sa.or_(users.c.id.is_(None), users.c.disabled_at.is_not(None))
_LOST = (
    sa.select(
        owners.c.email,
        owners.c.org_id,
        users.c.disabled_at,
        *(app_connections.c[name].label(f"connection_{name}") for name in ("id", "name", "project_id")),
        *(secret_rotations.c[name].label(f"mapping_{name}") for name in ("id", "name", "project_id", "connection_id")),
        environments.c.slug,
        secret_folders.c.path,
    )
    .select_from(
        owners.outerjoin(users, users.c.id == owners.c.user_id)
        .outerjoin(app_connections, app_connections.c.id == owners.c.connection_id)
        .outerjoin(secret_rotations, secret_rotations.c.id == owners.c.secret_rotation_id)
        .outerjoin(secret_folders, secret_folders.c.id == secret_rotations.c.folder_id)
        .outerjoin(environments, environments.c.id == secret_rotations.c.environment_id)
    )
    .where(owners.c.org_id == sa.bindparam("org"), owners.c.user_id.is_not(None), _LEFT)
)
_GRANTED = (
    sa.select(
        oauth_tokens.c.signed_in_email,
        users.c.disabled_at,
        *(app_connections.c[name] for name in ("id", "name", "project_id")),
    )
    .select_from(
        oauth_tokens.join(app_connections, app_connections.c.id == oauth_tokens.c.connection_id).outerjoin(
            users, users.c.id == oauth_tokens.c.signed_in_by
        )
    )
    .where(app_connections.c.org_id == sa.bindparam("org"), oauth_tokens.c.signed_in_by.is_not(None), _LEFT)
)


def lost_owners(tx: Tx, org_id: str) -> Iterator[LostOwner]:
    """Yield what was given to somebody to answer for who is no user any more, or is disabled."""
    for row in tx.rows(_LOST, org=org_id):
        email, disabled = row["email"], row["disabled_at"] is not None
        if row["mapping_id"]:
            subject = ConditionSubject(SubjectKind.SECRET_ROTATION, row["mapping_id"], row["mapping_name"])
            place = Scope(org_id, row["mapping_project_id"], row["slug"], row["path"], row["mapping_connection_id"])
            yield LostOwner(email, disabled, subject, place, f"/owners/secret-rotations/{subject.id}")
        else:
            subject = ConditionSubject(SubjectKind.CONNECTION, row["connection_id"], row["connection_name"])
            place = Scope(org_id, row["connection_project_id"], connection_id=subject.id)
            yield LostOwner(email, disabled, subject, place, f"/owners/app-connections/{subject.id}")


def sign_ins_of_leavers(tx: Tx, org_id: str) -> Iterator[LostOwner]:
    """Yield connections that work by what somebody granted who is no user any more, or is disabled."""
    for row in tx.rows(_GRANTED, org=org_id):
        subject = ConditionSubject(SubjectKind.CONNECTION, row["id"], row["name"])
        place = Scope(org_id, row["project_id"], connection_id=subject.id)
        disabled = row["disabled_at"] is not None
        yield LostOwner(
            row["signed_in_email"], disabled, subject, place, f"/app-connections/{subject.id}", signed_in=True
        )


_SIGNED_IN = (
    sa.select(app_connections.c.id)
    .join_from(oauth_tokens, app_connections, app_connections.c.id == oauth_tokens.c.connection_id)
    .where(oauth_tokens.c.signed_in_by == sa.bindparam("person"), app_connections.c.org_id == sa.bindparam("org"))
)


def signed_in_by(tx: Tx, org_id: str, user_id: str) -> Sequence[str]:
    """Return the ids of the connections that work by what this person granted."""
    return [str(row["id"]) for row in tx.rows(_SIGNED_IN, person=user_id, org=org_id)]
