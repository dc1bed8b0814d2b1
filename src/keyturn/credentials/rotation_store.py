"""SQL of the journal's credentials together with the rotations that they belong to, whose room lies above."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import credentials
from keyturn.db.tables.views import OF_OWN_CREDENTIAL, rotations, wake_ups
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Sealed

_OWNED = credentials.join(rotations, rotations.c.id == credentials.c.rotation_id)

# --- by connection ----------------------------------------------------------------------------------------------------

_SHOWN = ("object_id", "key_id", "marker", "hint", "ends_at")
_CURRENT = (
    sa.select(credentials.c.rotation_id, rotations.c.credential_kind, *(credentials.c[name] for name in _SHOWN))
    .select_from(_OWNED)
    .where(
        rotations.c.connection_id == sa.bindparam("of_connection"), OF_OWN_CREDENTIAL, credentials.c.state == "current"
    )
)


def current_of_connection(tx: Tx, connection_id: str) -> Mapping[str, Any] | None:
    """Return what may be shown of the current credential and its rotation, where the connection rotates."""
    return tx.one(_CURRENT, of_connection=connection_id)


# --- by fingerprint ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JournalEntry:
    """What the journal knows of a credential that somebody gives: in which state it is, and whose rotation's."""

    state: str
    ended_at: datetime | None
    revoke_after: datetime | None
    connection_id: str | None
    retired: bool


_ENTRIES = (
    sa.select(
        *(credentials.c[name] for name in ("state", "ended_at", "revoke_after")),
        *(rotations.c[name] for name in ("connection_id", "retired")),
    )
    .select_from(_OWNED)
    .where(credentials.c.fingerprint == sa.bindparam("of_fingerprint"))
    .order_by(credentials.c.planned_at, credentials.c.id)
)


def with_fingerprint(tx: Tx, fingerprint: str) -> list[JournalEntry]:
    """Return the entries of this credential, the oldest first."""
    rows = tx.rows(_ENTRIES, of_fingerprint=fingerprint)
    return [JournalEntry(**unread.values(row, JournalEntry.__dataclass_fields__)[0]) for row in rows]


_KEPT_AS_CURRENT = (
    sa.select(credentials.c.id)
    .select_from(_OWNED)
    .where(
        credentials.c.fingerprint == sa.bindparam("of_fingerprint"),
        credentials.c.state == "current",
        credentials.c.value.is_not(None),
        rotations.c.retired.is_(False),
    )
    .limit(1)
)


def current_with_fingerprint(tx: Tx, fingerprint: str) -> str | None:
    """Return the id of the entry in which a rotation that has not ended keeps this credential as its current one."""
    row = tx.one(_KEPT_AS_CURRENT, of_fingerprint=fingerprint)
    return str(row["id"]) if row else None


# --- without a fingerprint --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UnmarkedCredential:
    """A row of the journal that was published and has no fingerprint, with its rotation's application."""

    id: str
    value: Sealed
    cloud: str
    tenant_id: str
    app_id: str
    credential_kind: str


_UNMARKED = (
    sa.select(
        *(credentials.c[name] for name in ("id", "value")),
        *(rotations.c[name] for name in ("cloud", "tenant_id", "app_id", "credential_kind")),
    )
    .select_from(_OWNED)
    .where(
        credentials.c.fingerprint.is_(None), credentials.c.value.is_not(None), credentials.c.published_at.is_not(None)
    )
    .order_by(credentials.c.id)
)


def unmarked(tx: Tx, after: str, limit: int) -> list[UnmarkedCredential]:
    """Return credentials that were published and have no fingerprint, in the order of their ids."""
    return [UnmarkedCredential(**row) for row in tx.rows(_UNMARKED.where(credentials.c.id > after).limit(limit))]


def mark(tx: Tx, credential_id: str, fingerprint: str) -> None:
    """Give a row of the journal its fingerprint, unless it has one."""
    without = sa.and_(credentials.c.id == credential_id, credentials.c.fingerprint.is_(None))
    tx.run(sa.update(credentials).where(without), fingerprint=fingerprint)


def forget_fingerprints(tx: Tx) -> None:
    """Take their fingerprints from all rows: the key of these is lost."""
    tx.run(sa.update(credentials).where(credentials.c.fingerprint.is_not(None)).values(fingerprint=None))


# --- waking -----------------------------------------------------------------------------------------------------------

_LATER = sa.or_(wake_ups.c.wake_at.is_(None), wake_ups.c.wake_at > sa.bindparam("now"))
_AT_ONCE: dict[Any, Any] = {wake_ups.c.wake_at: sa.bindparam("now"), wake_ups.c.wake_set_at: sa.bindparam("now")}
_WAKE_WAITING = (
    sa.update(wake_ups)
    .where(
        wake_ups.c.id == sa.bindparam("of_rotation"),
        _LATER,
        sa.exists().where(
            credentials.c.rotation_id == sa.bindparam("of_rotation"),
            credentials.c.state == "retiring",
            credentials.c.wait_ends_at.is_not(None),
        ),
    )
    .values(_AT_ONCE)
)
# Whoever works on a rotation looks at it anew before it rests: nobody has to wait for its row.
_WAKE_THROUGH = (
    sa.update(wake_ups)
    .where(
        wake_ups.c.id.in_(
            sa.select(wake_ups.c.id)
            .where(wake_ups.c.connection_id == sa.bindparam("of_connection"), wake_ups.c.kind == "application", _LATER)
            .with_for_update(skip_locked=True)
        )
    )
    .values(_AT_ONCE)
)


def wake_waiting(tx: Tx, rotation_id: str, now: datetime) -> None:
    """Have the rotation looked at, if one of its credentials waits until nobody holds it."""
    tx.run(_WAKE_WAITING, of_rotation=rotation_id, now=now)


def wake_through(tx: Tx, connection_id: str, now: datetime) -> None:
    """Have the rotations of applications looked at for which this connection signs in: it works again."""
    tx.run(_WAKE_THROUGH, of_connection=connection_id, now=now)
