"""SQL that removes versions of secrets that are too many, and secrets that no view of the past can show any more."""

from collections.abc import Sequence

import sqlalchemy as sa

from keyturn.db.tables import secret_folders, secret_versions, secrets
from keyturn.db.tables.views import environments, projects
from keyturn.db.unit import Tx

_MOST = sa.bindparam("kept", type_=sa.Integer)
_KEPT = sa.case(
    (projects.c.version_limit < _MOST, projects.c.version_limit), else_=_MOST
)  # a project keeps no more than the server does
_TOO_MANY = (
    sa.select(secret_versions.c.id)
    .join(secrets, secrets.c.id == secret_versions.c.secret_id)
    .join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
    .join(environments, environments.c.id == secret_folders.c.environment_id)
    .join(projects, projects.c.id == environments.c.project_id)
    .where(secret_versions.c.number <= secrets.c.version - _KEPT)
    .order_by(secret_versions.c.secret_id, secret_versions.c.number)
    .limit(sa.bindparam("most"))
)
_UNREACHABLE = (
    sa.select(secrets.c.id)
    .join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
    .join(environments, environments.c.id == secret_folders.c.environment_id)
    .where(environments.c.project_id == sa.bindparam("project"), secrets.c.removed_revision <= sa.bindparam("floor"))
    .limit(sa.bindparam("most"))
)


def versions_too_many(tx: Tx, kept: int, most: int) -> Sequence[str]:
    """Return up to ``most`` versions of secrets that have more than so many, or than their project keeps; the oldest first."""
    return [row["id"] for row in tx.rows(_TOO_MANY, kept=kept, most=most)]


def remove_versions(tx: Tx, version_ids: Sequence[str]) -> None:
    tx.run(sa.delete(secret_versions).where(secret_versions.c.id.in_(version_ids)))


def remove_unreachable(tx: Tx, project_id: str, floor: int, most: int) -> int:
    """Delete secrets of the project that were removed up to this revision, with their versions; return how many."""
    ids = [row["id"] for row in tx.rows(_UNREACHABLE, project=project_id, floor=floor, most=most)]
    if ids:
        tx.run(sa.delete(secrets).where(secrets.c.id.in_(ids)))
    return len(ids)
