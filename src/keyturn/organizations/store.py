"""SQL for organizations."""

from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import organizations
from keyturn.db.unit import Tx
from keyturn.organizations.domain import Organization


def lock_installation(tx: Tx) -> None:
    """Let no other transaction add an organization until this one ends (SQLite: a writer is alone already)."""
    if tx.postgres:
        tx.connection.execute(sa.text("LOCK TABLE organizations IN EXCLUSIVE MODE"))


def any_organization(tx: Tx) -> bool:
    return tx.one(sa.select(organizations.c.id).limit(1)) is not None


def organizations_of_server(tx: Tx) -> list[Organization]:
    """Return all of them, by name."""
    query = sa.select(organizations.c.id, organizations.c.name, organizations.c.slug).order_by(organizations.c.name)
    return [Organization(row["id"], row["name"], row["slug"]) for row in tx.rows(query)]


def add_organization(tx: Tx, organization: Organization, now: datetime) -> None:
    values = {"id": organization.id, "name": organization.name, "slug": organization.slug}
    tx.run(sa.insert(organizations).values(values | {"created_at": now, "updated_at": now}))


def second_factor_required(tx: Tx, org_id: str) -> bool:
    row = tx.one(sa.select(organizations.c.second_factor_required).where(organizations.c.id == org_id))
    return bool(row and row["second_factor_required"])


def require_second_factor(tx: Tx, org_id: str, now: datetime, *, required: bool) -> None:
    values = {"second_factor_required": required, "updated_at": now}
    tx.run(sa.update(organizations).where(organizations.c.id == org_id).values(values))


def organization(tx: Tx, org_id: str, *, lock: bool = False) -> Organization | None:
    """Return it; ``lock`` holds off others who lock it, e.g. while the last admin is counted.

    Not those who only refer to it: on PostgreSQL a second change of a user's row in one transaction does, with that row locked.
    """
    query = sa.select(organizations).where(organizations.c.id == org_id)
    row = tx.one(query.with_for_update(key_share=True) if lock else query)
    return Organization(row["id"], row["name"], row["slug"]) if row else None
