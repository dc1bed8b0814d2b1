"""SQL that finds secrets of the whole organization by name. Never values."""

from typing import NamedTuple

import sqlalchemy as sa

from keyturn.db.tables import secret_folders, secrets
from keyturn.db.tables.views import environments, projects
from keyturn.db.unit import Tx
from keyturn.db.words import has_word


class NamedSecret(NamedTuple):
    """A secret by name, and where it is."""

    id: str
    name: str
    path: str
    environment: str
    environment_name: str
    project_id: str
    project: str


_ALL = (
    sa.select(
        secrets.c.id,
        secrets.c.name,
        secret_folders.c.path,
        environments.c.slug,
        environments.c.name.label("environment_name"),
        projects.c.id.label("project_id"),
        projects.c.name.label("project"),
    )
    .select_from(
        secrets.join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
        .join(environments, environments.c.id == secret_folders.c.environment_id)
        .join(projects, projects.c.id == environments.c.project_id)
    )
    .where(projects.c.org_id == sa.bindparam("org"), secrets.c.owner_id.is_(None), secrets.c.removed_revision.is_(None))
    .order_by(secrets.c.name, secrets.c.id)
)


def search_names(tx: Tx, org_id: str, word: str, most: int) -> list[NamedSecret]:
    """Return the first secrets that are everybody's and have this in their name. One pass over the names."""
    query = _ALL.where(has_word(secrets.c.name, word)).limit(most)
    return [NamedSecret(*row) for row in tx.tuples(query, org=org_id)]
