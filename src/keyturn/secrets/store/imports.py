"""SQL of imports: which folders a folder takes secrets from, in an order."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import secret_folders, secret_imports
from keyturn.db.tables.views import environments, projects
from keyturn.db.unit import Tx
from keyturn.secrets.domain import Import, Place
from keyturn.secrets.store.secrets import chunks

_OF = sa.select(secret_imports).where(secret_imports.c.folder_id == sa.bindparam("folder"))
_IN_ORDER = _OF.order_by(secret_imports.c.position, secret_imports.c.id)


def of_folder(tx: Tx, folder_id: str) -> list[Import]:
    """Return the imports of a folder in their order."""
    return [_import(row) for row in tx.rows(_IN_ORDER, folder=folder_id)]


def of_folders(tx: Tx, folder_ids: Sequence[str]) -> Mapping[str, list[Import]]:
    """Return the imports of those of the folders that have some, in their order."""
    imports_of_folder: dict[str, list[Import]] = {}
    for ids in chunks(folder_ids):
        query = sa.select(secret_imports).where(secret_imports.c.folder_id.in_(ids))
        for row in tx.rows(query.order_by(secret_imports.c.position, secret_imports.c.id)):
            imports_of_folder.setdefault(row["folder_id"], []).append(_import(row))
    return imports_of_folder


def by_id(tx: Tx, org_id: str, import_id: str) -> tuple[Import, Place] | None:
    """Return the import and the folder that has it, wherever in the organization that is."""
    query = (
        sa.select(
            secret_imports,
            secret_folders.c.path.label("at_path"),
            environments.c.id.label("at_environment_id"),
            environments.c.slug,
            environments.c.name,
            environments.c.project_id,
        )
        .join(secret_folders, secret_folders.c.id == secret_imports.c.folder_id)
        .join(environments, environments.c.id == secret_folders.c.environment_id)
        .join(projects, projects.c.id == environments.c.project_id)
        .where(secret_imports.c.id == import_id, projects.c.org_id == org_id)
    )
    row = tx.one(query)
    if row is None:
        return None
    place = Place(row["project_id"], row["at_environment_id"], row["slug"], row["name"], row["at_path"])
    return _import(row), place


def add(tx: Tx, new: Import) -> None:
    tx.run(
        sa.insert(secret_imports),
        id=new.id,
        folder_id=new.folder_id,
        environment_id=new.environment_id,
        path=new.path,
        position=new.position,
        created_at=new.created_at,
        updated_at=new.updated_at,
    )


def save(tx: Tx, changed: Import) -> None:
    """Write what may change of an import, besides its position."""
    values = {
        "environment_id": changed.environment_id,
        "path": changed.path,
        "updated_at": changed.updated_at,
    }
    tx.run(sa.update(secret_imports).where(secret_imports.c.id == changed.id).values(values))


def set_order(tx: Tx, order: Sequence[str]) -> None:
    """Number the imports of one folder from 1 in this order."""
    for position, import_id in enumerate(order, start=1):
        tx.run(sa.update(secret_imports).where(secret_imports.c.id == import_id).values(position=position))


def remove(tx: Tx, import_id: str) -> None:
    tx.run(sa.delete(secret_imports).where(secret_imports.c.id == import_id))


def _import(row: Mapping[str, Any]) -> Import:
    return Import(
        row["id"],
        row["folder_id"],
        row["environment_id"],
        row["path"],
        row["position"],
        row["created_at"],
        row["updated_at"],
    )
