"""SQL of conversions."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db.columns import first_of, last_of
from keyturn.db.tables import conversions as table
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.moments import CLOCKS_APART, shift
from keyturn.rotations.conversion.domain import LOOK_EVERY, UNDER_WAY, Conversion, ConversionState
from keyturn.rotations.evidence.domain import LEAST_WINDOW

_LONGEST = LOOK_EVERY + CLOCKS_APART
"""Between two steps. What lies further ahead was put off by a wrong clock, and is due."""

_BACK = (ConversionState.WITHDRAWING.value, ConversionState.WITHDRAWN.value)
_RELYING = (ConversionState.TRUSTING.value, ConversionState.PROVING.value, ConversionState.WATCHING.value)


def _read(row: Any) -> Conversion:
    return Conversion(**{**row, "state": ConversionState(row["state"])})


def insert(tx: Tx, conversion: Conversion) -> None:
    tx.run(sa.insert(table).values(**(vars(conversion) | {"state": conversion.state.value})))


def get(tx: Tx, conversion_id: str) -> Conversion | None:
    row = tx.one(sa.select(table).where(table.c.id == conversion_id))
    return _read(row) if row else None


def newest(tx: Tx, connection_id: str) -> Conversion | None:
    """Return the newest conversion of the connection, whatever became of it."""
    query = sa.select(table).where(table.c.connection_id == connection_id)
    row = tx.one(query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(1))
    return _read(row) if row else None


def under_way(tx: Tx, connection_id: str) -> Conversion | None:
    conversion = newest(tx, connection_id)
    return conversion if conversion and conversion.state in UNDER_WAY else None


def resting(tx: Tx, org_id: str) -> set[str]:
    """Return the connections of the organization whose rotation rests: on their way to sign in without a secret."""
    query = sa.select(table.c.connection_id).where(table.c.org_id == org_id, table.c.state.in_(_RELYING))
    return {str(row["connection_id"]) for row in tx.rows(query)}


def went_back(tx: Tx, org_id: str, since: datetime) -> Mapping[str, Conversion]:
    """Return those of the organization that went back after that, by connection; none after which another one was begun."""
    later = table.alias()
    newer = sa.exists().where(later.c.connection_id == table.c.connection_id, later.c.created_at > table.c.created_at)
    query = sa.select(table).where(table.c.org_id == org_id, table.c.state.in_(_BACK), table.c.since > since, ~newer)
    return {row["connection_id"]: _read(row) for row in tx.rows(query)}


def used_outside(tx: Tx, org_id: str, now: datetime) -> Mapping[str, Conversion]:
    """Return those of the organization that are watched and whose credential of before somebody else uses, by connection."""
    watched = sa.and_(table.c.org_id == org_id, table.c.state == ConversionState.WATCHING.value)
    rows = tx.rows(sa.select(table).where(watched, table.c.used_at > shift(now, -LEAST_WINDOW)))
    return {row["connection_id"]: _read(row) for row in rows}


def relied_upon(tx: Tx, conversion: Conversion) -> bool:
    """Whether another connection is on its way to sign in, or signs in, by what this one's application was made to trust."""
    same = [table.c[name] == getattr(conversion, name) for name in ("object_id", "issuer", "subject", "audience")]
    others = sa.and_(table.c.id != conversion.id, table.c.state.in_(_RELYING), *same)
    return tx.one(sa.select(table.c.id).where(others).limit(1)) is not None


def move(tx: Tx, conversion: Conversion, **changes: Any) -> Conversion:
    """Change it, provided that nobody else did since it was read. Raises Refused otherwise: nothing of the step counts then."""
    values = {name: value.value if isinstance(value, ConversionState) else value for name, value in changes.items()}
    same = sa.and_(table.c.id == conversion.id, table.c.version == conversion.version)
    if tx.run(sa.update(table).where(same).values(version=conversion.version + 1, **values)) != 1:
        raise Refused(
            "Somebody else went on with it.",
            code="connections.conversion_moved",
            fix="Look at its page, and do it again where it is still needed.",
        )
    return replace(conversion, version=conversion.version + 1, **changes)


def any_due(tx: Tx, now: datetime) -> bool:
    """Whether something is due. Looks at both ends of an index."""
    due = sa.or_(first_of(table.c.wake_at) <= now, last_of(table.c.wake_at) > now + _LONGEST)
    row = tx.one(sa.select(due.label("due")))
    return bool(row and row["due"])


def claim(tx: Tx, now: datetime, limit: int, until: datetime) -> list[Conversion]:
    """Put what is longest due off to ``until``, and return it. No other transaction gets the same."""
    due = sa.or_(table.c.wake_at <= now, table.c.wake_at > now + _LONGEST)
    query = sa.select(table).where(due).order_by(table.c.wake_at).limit(limit).with_for_update(skip_locked=True)
    claimed = [_read(row) for row in tx.rows(query)]
    if claimed:
        ids = [conversion.id for conversion in claimed]
        tx.run(sa.update(table).where(table.c.id.in_(ids)).values(wake_at=until))
    return claimed


def rest(tx: Tx, conversion: Conversion, wake_at: datetime | None) -> None:
    """Say when there is something to do, unless somebody went on with it since it was read."""
    same = sa.and_(table.c.id == conversion.id, table.c.version == conversion.version)
    tx.run(sa.update(table).where(same).values(wake_at=wake_at))


def wake(tx: Tx, connection_ids: Collection[str], now: datetime) -> None:
    """Have what is under way of these connections found at once."""
    there = sa.and_(table.c.connection_id.in_(list(connection_ids)), table.c.wake_at.is_not(None))
    tx.run(sa.update(table).where(there).values(wake_at=now))
