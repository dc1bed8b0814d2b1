"""When there is something to do next, by the tables alone: a rotation, a look at a connection, a step of a conversion."""

import sqlite3
from datetime import UTC, datetime, timedelta

from keyturn.connections.due_store import LONGEST_LOOK
from keyturn.kit.moments import CLOCKS_APART
from keyturn.rotations.conversion.domain import LOOK_EVERY

_NEXT = (
    "SELECT min(at) FROM (SELECT wake_at AS at FROM rotations UNION ALL SELECT look_at FROM app_connections"
    " UNION ALL SELECT wake_at FROM conversions)"
)
_NEXT_OF_WRONG_CLOCKS = (
    "SELECT min(at) FROM ("
    "SELECT CASE WHEN wake_set_at > :ahead THEN min(wake_at, :now) ELSE wake_at END AS at FROM rotations UNION ALL "
    "SELECT CASE WHEN look_at > :look THEN :now ELSE look_at END FROM app_connections UNION ALL "
    "SELECT CASE WHEN wake_at > :step THEN :now ELSE wake_at END FROM conversions)"
)
_PUT_OFF = {"now": timedelta(0), "ahead": CLOCKS_APART, "look": LONGEST_LOOK, "step": LOOK_EVERY + CLOCKS_APART}
"""What lies further ahead than this was put off by a wrong clock, and is due."""


def next_wake(raw: sqlite3.Connection) -> datetime | None:
    """Return the earliest moment that any row names."""
    return _moment(raw.execute(_NEXT).fetchone()[0])


def next_wake_by_wrong_clocks(raw: sqlite3.Connection, now: datetime) -> datetime | None:
    """Return it as a server takes it whose clock says ``now``: what a wrong clock put off is due."""
    bounds = {name: f"{now + by:%Y-%m-%d %H:%M:%S.%f}" for name, by in _PUT_OFF.items()}
    return _moment(raw.execute(_NEXT_OF_WRONG_CLOCKS, bounds).fetchone()[0])


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
