"""SQL for one-time links with which people set a password."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import password_links as links
from keyturn.db.unit import Tx
from keyturn.kit.actor import ActorKind
from keyturn.people.domain import PasswordLink, Purpose

_OPEN = (links.c.used_at.is_(None), links.c.revoked_at.is_(None))


def add(tx: Tx, link: PasswordLink, digest: str) -> None:
    values = {
        "id": link.id,
        "user_id": link.user_id,
        "digest": digest,
        "purpose": link.purpose.value,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "made_by_kind": link.made_by[0].value if link.made_by else None,
        "made_by_id": link.made_by[1] if link.made_by else None,
    }
    tx.run(sa.insert(links).values(values))


def by_digest(tx: Tx, digest: str, *, lock: bool = False) -> PasswordLink | None:
    query = sa.select(links).where(links.c.digest == digest)
    row = tx.one(query.with_for_update() if lock else query)
    return _link(row) if row else None


def open_of_user(tx: Tx, user_id: str) -> PasswordLink | None:
    """Return the link that was neither used nor revoked; it may be past its end."""
    row = tx.one(
        sa.select(links).where(links.c.user_id == user_id, *_OPEN).order_by(links.c.created_at.desc()).limit(1)
    )
    return _link(row) if row else None


def open_of_users(tx: Tx, user_ids: Sequence[str]) -> dict[str, PasswordLink]:
    """Return such links by the id of their user."""
    query = sa.select(links).where(links.c.user_id.in_(user_ids), *_OPEN).order_by(links.c.created_at)
    return {row["user_id"]: _link(row) for row in tx.rows(query)}


def use(tx: Tx, link_id: str, now: datetime) -> None:
    tx.run(sa.update(links).where(links.c.id == link_id).values(used_at=now))


def revoke_of_user(tx: Tx, user_id: str, now: datetime) -> int:
    return tx.run(sa.update(links).where(links.c.user_id == user_id, *_OPEN).values(revoked_at=now))


def expire_of_user(tx: Tx, user_id: str, now: datetime) -> int:
    """Let the link of a user that works end now. One that invites is still there, to be made anew."""
    working = (links.c.user_id == user_id, *_OPEN, links.c.expires_at > now)
    return tx.run(sa.update(links).where(*working).values(expires_at=now))


def clear(tx: Tx, ended_before: datetime) -> None:
    """Clear away links whose end is long past."""
    tx.run(sa.delete(links).where(links.c.expires_at < ended_before))


def _link(row: Mapping[str, Any]) -> PasswordLink:
    return PasswordLink(
        row["id"],
        row["user_id"],
        Purpose(row["purpose"]),
        row["created_at"],
        row["expires_at"],
        row["used_at"],
        row["revoked_at"],
        (ActorKind(row["made_by_kind"]), row["made_by_id"]) if row["made_by_kind"] else None,
    )
