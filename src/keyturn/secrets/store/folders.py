"""SQL of folders."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import secret_folders, secrets
from keyturn.db.tables.views import environments, projects
from keyturn.db.unit import Tx
from keyturn.kit.batches import batches
from keyturn.secrets.domain import Folder, Place

_AT = sa.select(secret_folders).where(
    secret_folders.c.environment_id == sa.bindparam("environment"), secret_folders.c.path == sa.bindparam("at")
)


def add(tx: Tx, folder: Folder) -> None:
    tx.run(
        sa.insert(secret_folders),
        id=folder.id,
        environment_id=folder.environment_id,
        parent_id=folder.parent_id,
        path=folder.path,
        name=folder.name,
        description=folder.description,
        version=folder.version,
        created_at=folder.created_at,
        updated_at=folder.updated_at,
    )


def at(tx: Tx, environment_id: str, path: str) -> Folder | None:
    row = tx.one(_AT, environment=environment_id, at=path)
    return Folder(**row) if row else None


def by_id(tx: Tx, org_id: str, folder_id: str) -> tuple[Folder, Place] | None:
    """Return the folder and where it is, wherever in the organization that may be."""
    query = (
        sa.select(
            secret_folders,
            environments.c.project_id,
            environments.c.slug.label("environment"),
            environments.c.name.label("environment_name"),
        )
        .join(environments, environments.c.id == secret_folders.c.environment_id)
        .join(projects, projects.c.id == environments.c.project_id)
        .where(secret_folders.c.id == folder_id, projects.c.org_id == org_id)
    )
    row = tx.one(query)
    if row is None:
        return None
    folder = Folder(**{column.name: row[column.name] for column in secret_folders.columns})
    place = Place(row["project_id"], folder.environment_id, row["environment"], row["environment_name"], folder.path)
    return folder, place


def children(tx: Tx, parent_id: str) -> list[Folder]:
    """Return the folders right in it, by name."""
    rows = tx.rows(sa.select(secret_folders).where(secret_folders.c.parent_id == parent_id))
    return sorted((Folder(**row) for row in rows), key=lambda folder: folder.name)


def in_and_below(tx: Tx, environment_id: str, path: str) -> list[Folder]:
    """Return the folder and all folders below it, by path."""
    # Compared here: what databases call alike or smaller depends on their settings.
    below = path.rstrip("/") + "/"
    rows = tx.rows(sa.select(secret_folders).where(secret_folders.c.environment_id == environment_id))
    folders = [Folder(**row) for row in rows if row["path"] == path or row["path"].startswith(below)]
    return sorted(folders, key=lambda folder: folder.path)


def contents(tx: Tx, folder_ids: Iterable[str]) -> int:
    """Return how many secrets of everybody's are in these folders."""
    total = 0
    for part in batches(list(folder_ids), 500):
        query = sa.select(sa.func.count().label("n")).where(
            secrets.c.folder_id.in_(part), secrets.c.owner_id.is_(None), secrets.c.removed_revision.is_(None)
        )
        row = tx.one(query)
        total += int(row["n"]) if row else 0
    return total


def count(tx: Tx, environment_id: str) -> int:
    query = sa.select(sa.func.count().label("n")).where(secret_folders.c.environment_id == environment_id)
    row = tx.one(query)
    return int(row["n"]) if row else 0


def save(tx: Tx, folder: Folder) -> None:
    """Write what may change of a folder."""
    values = {
        "path": folder.path,
        "name": folder.name,
        "description": folder.description,
        "version": folder.version,
        "updated_at": folder.updated_at,
    }
    tx.run(sa.update(secret_folders).where(secret_folders.c.id == folder.id).values(values))


def move(tx: Tx, folders: Iterable[Folder], before: str, after: str, now: datetime) -> None:
    """Give the folders, which are in or below the path ``before``, their paths below ``after``."""
    for folder in folders:
        save(tx, replace(folder, path=after + folder.path.removeprefix(before), updated_at=now))


def remove(tx: Tx, folder_id: str) -> None:
    """Remove the folder with everything in it and below it."""
    tx.run(sa.delete(secret_folders).where(secret_folders.c.id == folder_id))
