"""Rows that the engine looks at, made and read directly."""

from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import leases, organizations, processes, rotations
from keyturn.db.unit import Database


def make_rotation(database: Database, rotation_id: str, wake_at: datetime | None, object_id: str | None = None) -> None:
    """Insert a rotation on an application of its own, or on the one given."""
    moment = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    with database.write() as tx:
        if not tx.one(sa.select(organizations.c.id)):
            values = {"id": "org", "name": "Org", "slug": "org", "created_at": moment, "updated_at": moment}
            tx.run(sa.insert(organizations).values(**values))
        tx.run(
            sa.insert(rotations).values(
                id=rotation_id,
                kind="application",
                org_id="org",
                name=rotation_id,
                cloud="global",
                tenant_id="tenant",
                app_id="app",
                object_id=object_id or f"object of {rotation_id}",
                application_name="App",
                time_zone="UTC",
                overlap="until-proven",
                credential_kind="client-secret",
                wake_at=wake_at,
                created_at=moment,
                updated_at=moment,
            )
        )


def wake_of(database: Database, rotation_id: str) -> datetime | None:
    with database.read() as tx:
        row = tx.one(sa.select(rotations.c.wake_at).where(rotations.c.id == rotation_id))
    assert row is not None
    wake: datetime | None = row["wake_at"]
    return wake


def set_wake(database: Database, rotation_id: str, wake_at: datetime | None) -> None:
    with database.write() as tx:
        tx.run(sa.update(rotations).where(rotations.c.id == rotation_id).values(wake_at=wake_at))


def make_lease(database: Database, object_id: str, holder: str, expires_at: datetime) -> None:
    with database.write() as tx:
        tx.run(sa.delete(leases).where(leases.c.object_id == object_id))
        tx.run(sa.insert(leases).values(object_id=object_id, holder=holder, token=7, expires_at=expires_at))


def lease_of(database: Database, object_id: str) -> tuple[str | None, datetime]:
    with database.read() as tx:
        row = tx.one(sa.select(leases.c.holder, leases.c.expires_at).where(leases.c.object_id == object_id))
    assert row is not None
    return row["holder"], row["expires_at"]


def process_ids(database: Database) -> set[str]:
    with database.read() as tx:
        return {row["id"] for row in tx.rows(sa.select(processes.c.id))}
