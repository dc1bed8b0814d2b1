"""SQL of what applications are used for: connections sign in to them, or a rotation replaces their secret for others."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import app_connections, application_claims
from keyturn.db.unit import Tx

_OF_APP = sa.and_(
    application_claims.c.cloud == sa.bindparam("of_cloud"), application_claims.c.app_id == sa.bindparam("of_app")
)
_LOCKED = sa.select(application_claims.c.use).where(_OF_APP).with_for_update()
_DELETE = sa.delete(application_claims).where(_OF_APP, application_claims.c.use == sa.bindparam("of_use"))


def take(tx: Tx, cloud: str, app_id: str, use: str) -> str:
    """Return what the application is used for, from now on if it was not used before. It stays so until the transaction ends."""
    while True:
        tx.add_new(application_claims, cloud=cloud, app_id=app_id, use=use)
        row = tx.one(_LOCKED, of_cloud=cloud, of_app=app_id)
        if row is not None:  # else its last user has just let go of it
            return str(row["use"])


def use_of(tx: Tx, cloud: str, app_id: str) -> str | None:
    row = tx.one(sa.select(application_claims.c.use).where(_OF_APP), of_cloud=cloud, of_app=app_id)
    return str(row["use"]) if row else None


def change(tx: Tx, cloud: str, app_id: str, use: str) -> None:
    tx.run(sa.update(application_claims).where(_OF_APP), of_cloud=cloud, of_app=app_id, use=use)


def delete(tx: Tx, cloud: str, app_id: str, use: str) -> None:
    tx.run(_DELETE, of_cloud=cloud, of_app=app_id, of_use=use)


def signed_in_to(tx: Tx, project_id: str) -> set[tuple[str, str]]:
    """Return cloud and client id of the applications that connections of the project sign in to."""
    query = sa.select(app_connections.c.cloud, app_connections.c.client_id)
    return {
        (row["cloud"], row["client_id"]) for row in tx.rows(query.where(app_connections.c.project_id == project_id))
    }


def signs_in_to(tx: Tx, cloud: str, app_id: str) -> bool:
    """Whether some connection of this server signs in to the application."""
    query = sa.select(app_connections.c.id).where(
        app_connections.c.cloud == cloud, sa.func.lower(app_connections.c.client_id) == app_id
    )
    return tx.one(query.limit(1)) is not None


def signing_in_by(tx: Tx, cloud: str, app_id: str, method: str) -> dict[str, Mapping[str, Any]]:
    """Return the facts of the connections that sign in to the application by this method, by their ids."""
    same = (app_connections.c.cloud == cloud, app_connections.c.method == method)
    query = sa.select(app_connections.c.id, app_connections.c.facts).where(
        sa.func.lower(app_connections.c.client_id) == app_id, *same
    )
    return {str(row["id"]): row["facts"] or {} for row in tx.rows(query)}
