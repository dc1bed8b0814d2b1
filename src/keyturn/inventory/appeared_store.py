"""SQL of credentials that appeared on applications which this server rotates."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import inventory_entries
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass

_E = inventory_entries


@dataclass(frozen=True)
class Untraced:
    """A credential that appeared, of which it is still to be found out who made it."""

    entry_id: str
    object_id: str
    app_id: str
    key_kind: str
    key_id: str
    key_name: str | None
    hint: str | None
    starts_at: datetime | None
    appeared_at: datetime


_FIELDS = tuple(field.name for field in fields(Untraced) if field.name != "entry_id")


def mark(tx: Tx, inventory_id: str, object_id: str, key_ids: Sequence[str], now: datetime) -> None:
    of_these = (_E.c.inventory_id == inventory_id, _E.c.object_id == object_id, _E.c.key_id.in_(key_ids))
    tx.run(sa.update(_E).where(*of_these, _E.c.appeared_at.is_(None)).values(appeared_at=now))


def untraced_credentials(tx: Tx, inventory_id: str, limit: int) -> list[Untraced]:
    """Return what appeared and is still to be traced, the first one first."""
    query = sa.select(_E).where(
        _E.c.inventory_id == inventory_id, _E.c.appeared_at.is_not(None), _E.c.traced_at.is_(None)
    )
    rows = tx.rows(query.order_by(_E.c.appeared_at, _E.c.id).limit(limit))
    return [Untraced(entry_id=row["id"], **{name: row[name] for name in _FIELDS}) for row in rows]


def mark_traced(tx: Tx, entry_id: str, now: datetime) -> None:
    tx.run(sa.update(_E).where(_E.c.id == entry_id).values(traced_at=now))
