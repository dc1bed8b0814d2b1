"""SQL of channels."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.alarms.conditions.channel_rules import ChannelState
from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Channel
from keyturn.db import unread
from keyturn.db.tables import alarm_channels as channels
from keyturn.db.unit import Tx
from keyturn.kit.secret import SealContext


def place(channel_id: str) -> SealContext:
    """Return what the secret of a channel is sealed for."""
    return SealContext("alarm_channels", channel_id, "secret")


def of_organization(tx: Tx, org_id: str) -> list[Channel]:
    """Return the channels, by name."""
    return [_channel(row) for row in tx.rows(sa.select(channels).where(channels.c.org_id == org_id).order_by(_NAME))]


_NAME = channels.c.name
_ON = sa.select(
    channels.c.id, channels.c.name, channels.c.project_id, channels.c.failing_since, channels.c.failure
).where(channels.c.org_id == sa.bindparam("org"), channels.c.enabled.is_(True))


def switched_on(tx: Tx, org_id: str) -> list[ChannelState]:
    """Return how the channels do that are switched on."""
    rows = tx.rows(_ON, org=org_id)
    return [
        ChannelState(row["id"], row["name"], row["project_id"], row["failing_since"], row["failure"] or "")
        for row in rows
    ]


def get(tx: Tx, channel_id: str, *, lock: bool = False) -> Channel | None:
    query = sa.select(channels).where(channels.c.id == channel_id)
    row = tx.one(query.with_for_update() if lock else query)
    return _channel(row) if row else None


def channel_of_name(tx: Tx, org_id: str, name: str) -> Channel | None:
    row = tx.one(sa.select(channels).where(channels.c.org_id == org_id, channels.c.name == name))
    return _channel(row) if row else None


def add(tx: Tx, channel: Channel) -> bool:
    """Add a channel, unless one of this name is there; say whether it was added."""
    return tx.add_new(channels, **_columns(channel))


def change(tx: Tx, channel: Channel) -> None:
    tx.run(sa.update(channels).where(channels.c.id == channel.id), **_columns(channel))


def remove(tx: Tx, channel_id: str) -> None:
    tx.run(sa.delete(channels).where(channels.c.id == channel_id))


def note_success(tx: Tx, channel_id: str) -> None:
    tx.run(
        sa.update(channels).where(channels.c.id == channel_id, channels.c.failing_since.is_not(None)),
        failing_since=None,
        failure=None,
    )


def note_failure(tx: Tx, channel_id: str, failure: str, now: datetime) -> None:
    """Write down why it fails, and since when it does."""
    since = sa.func.coalesce(channels.c.failing_since, sa.bindparam("at", now, channels.c.failing_since.type))
    tx.run(sa.update(channels).where(channels.c.id == channel_id).values(failing_since=since, failure=failure))


def _columns(channel: Channel) -> dict[str, Any]:
    return asdict(channel) | {"least": channel.least.value, "secret": channel.secret}


def _channel(row: Mapping[str, Any]) -> Channel:
    faults: list[str] = []
    return Channel(
        id=row["id"],
        org_id=row["org_id"],
        project_id=row["project_id"],
        name=row["name"],
        kind=row["kind"],
        config=row["config"] if isinstance(row["config"], dict) else {},
        secret=row["secret"],
        least=unread.word(row, "least", Severity.NOTICE, faults),
        digest_hour=row["digest_hour"],
        time_zone=row["time_zone"],
        enabled=row["enabled"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        failing_since=row["failing_since"],
        failure=row["failure"],
    )
