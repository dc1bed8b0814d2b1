"""SQL of the connections to one tenant: through which of them an application may be rotated, and which sign in as it."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from keyturn.authz.authorize import Visibility
from keyturn.connections.domain import COULD_CHANGE, Connection
from keyturn.connections.rows import read
from keyturn.connections.store import CONNECTIONS, in_sight
from keyturn.db.tables import connection_applications
from keyturn.db.unit import Tx
from keyturn.ports.provider import Tenant

_C = CONNECTIONS.c
_COULD_CHANGE = sa.cast(_C.check_result, sa.Text).like(f'%"{COULD_CHANGE}": true%')


def to_tenant(tx: Tx, sight: Visibility, tenant: Tenant, object_id: str, projects: Collection[str] | None) -> list[str]:
    """Return the ids of the connections in sight to the tenant.

    First come those that work, that have the application on their list, and that were once seen to be able to change secrets.
    Of connections of projects only those of these ``projects`` count; None: of all.
    """
    listing = sa.select(connection_applications.c.connection_id).where(
        connection_applications.c.object_id == object_id.lower()
    )
    here = [in_sight(sight), _C.cloud == tenant.cloud, sa.func.lower(_C.tenant_id) == tenant.tenant_id.lower()]
    if projects is not None:
        here.append(sa.or_(_C.project_id.is_(None), _C.project_id.in_(projects)))
    likely = (_C.refused_at.is_not(None), _C.id.not_in(listing), sa.case((_COULD_CHANGE, 0), else_=1))
    return [row.id for row in tx.tuples(sa.select(_C.id).where(*here).order_by(*likely, _C.name, _C.id))]


def signing_in_to(tx: Tx, org_id: str, cloud: str, app_ids: Sequence[str]) -> dict[str, list[Connection]]:
    """Return the connections of the organization that sign in as these applications, by name, by client id in small letters."""
    # Were the database asked for the organization, SQLite would go through all of its connections: it takes them for few.
    query = sa.select(CONNECTIONS).where(_C.cloud == cloud, sa.func.lower(_C.client_id).in_(app_ids))
    found: dict[str, list[Connection]] = {}
    for row in tx.rows(query.order_by(_C.name, _C.id)) if app_ids else ():
        if row["org_id"] == org_id:
            found.setdefault(row["client_id"].lower(), []).append(read(row))
    return found
