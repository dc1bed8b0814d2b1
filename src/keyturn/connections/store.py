"""SQL of app connections. Loading never decrypts."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from keyturn.connections.domain import Connection, Home, Method
from keyturn.db.tables import app_connections as table
from keyturn.db.tables import projects
from keyturn.db.unit import Tx

_FIELDS = tuple(name for name in Connection.__dataclass_fields__ if name != "method")


def _read(row: Mapping[str, Any]) -> Connection:
    return Connection(method=Method(row["method"]), **{name: row[name] for name in _FIELDS})


def _scope(org_id: str, project_id: str | None) -> str:
    return project_id or org_id


def insert(tx: Tx, connection: Connection) -> None:
    values = {name: getattr(connection, name) for name in _FIELDS}
    scope = _scope(connection.org_id, connection.project_id)
    tx.run(sa.insert(table).values(method=connection.method.value, scope=scope, **values))


def get(tx: Tx, connection_id: str, *, lock: bool = False) -> Connection | None:
    query = sa.select(table).where(table.c.id == connection_id)
    row = tx.one(query.with_for_update() if lock else query)
    return _read(row) if row else None


def by_name(tx: Tx, org_id: str, project_id: str | None, name: str) -> Connection | None:
    row = tx.one(sa.select(table).where(table.c.scope == _scope(org_id, project_id), table.c.name == name))
    return _read(row) if row else None


def in_organization(tx: Tx, org_id: str, *, organization: bool, projects: Collection[str] | None) -> list[Connection]:
    """Return the connections of the organization itself, if asked for, and of these projects (None: of all)."""
    of_projects = table.c.project_id.is_not(None) if projects is None else table.c.project_id.in_(projects)
    wanted = sa.or_(table.c.project_id.is_(None), of_projects) if organization else of_projects
    query = sa.select(table).where(table.c.org_id == org_id, wanted)
    return [_read(row) for row in tx.rows(query.order_by(sa.func.lower(table.c.name), table.c.id))]


def homes(tx: Tx, org_id: str, project_id: str | None) -> dict[str, Home]:
    """Return name and slug of the one project, or (None) of all projects of the organization, by id."""
    query = sa.select(projects.c.id, projects.c.name, projects.c.slug).where(projects.c.org_id == org_id)
    if project_id:
        query = query.where(projects.c.id == project_id)
    return {row["id"]: Home(row["id"], row["name"], row["slug"]) for row in tx.rows(query)}


def change(tx: Tx, connection: Connection, **changes: Any) -> bool:
    """Change the connection, provided that nobody else changed its credentials since it was read."""
    return (
        tx.run(
            sa.update(table)
            .where(table.c.id == connection.id, table.c.secret_version == connection.secret_version)
            .values(**changes)
        )
        == 1
    )


def delete(tx: Tx, connection_id: str) -> None:
    tx.run(sa.delete(table).where(table.c.id == connection_id))
