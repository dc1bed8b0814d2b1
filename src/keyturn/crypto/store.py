"""All SQL on the tables of keys."""

from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import audit_keys, data_keys, fingerprint_keys, root_keys
from keyturn.db.tables.views import processes
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Sealed


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as the database holds it."""

    id: str
    root_key_id: str
    wrapped: str
    created_at: datetime
    retired_at: datetime | None
    seals: int


def load(tx: Tx) -> list[WrappedKey]:
    """Return all data keys, the oldest first."""
    rows = tx.rows(sa.select(data_keys).order_by(data_keys.c.created_at, data_keys.c.id))
    return [
        WrappedKey(row["id"], row["root_key_id"], row["wrapped"], row["created_at"], row["retired_at"], row["seals"])
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class StoredRoot:
    """A root key as the database holds it: wrapped by a version of a vault's key."""

    id: str
    vault_key_id: str
    wrapped: str
    created_at: datetime


def load_roots(tx: Tx) -> list[StoredRoot]:
    """Return all root keys that vaults have wrapped, the oldest first."""
    rows = tx.rows(sa.select(root_keys).order_by(root_keys.c.created_at, root_keys.c.id))
    return [StoredRoot(row["id"], row["vault_key_id"], row["wrapped"], row["created_at"]) for row in rows]


def insert_root(tx: Tx, root: StoredRoot) -> None:
    """Add a root key. Its row stays for ever: a backup may still need it."""
    values = {"id": root.id, "vault_key_id": root.vault_key_id, "wrapped": root.wrapped, "created_at": root.created_at}
    tx.run(sa.insert(root_keys).values(values))


def insert(tx: Tx, key_id: str, root_key_id: str, wrapped: str, now: datetime) -> None:
    tx.run(sa.insert(data_keys).values(id=key_id, root_key_id=root_key_id, wrapped=wrapped, created_at=now, seals=0))


def redate(tx: Tx, key_id: str, created_at: datetime) -> None:
    tx.run(sa.update(data_keys).where(data_keys.c.id == key_id).values(created_at=created_at))


def rewrap(tx: Tx, old: WrappedKey, root_key_id: str, wrapped: str) -> bool:
    """Replace the wrapping; False when somebody else did so first."""
    same = sa.and_(data_keys.c.id == old.id, data_keys.c.wrapped == old.wrapped)
    return tx.run(sa.update(data_keys).where(same).values(root_key_id=root_key_id, wrapped=wrapped)) == 1


def retire(tx: Tx, key_id: str, now: datetime) -> None:
    """Mark as no longer in use. The row stays for ever: a backup or a slow process may still hold values under it."""
    tx.run(
        sa.update(data_keys).where(data_keys.c.id == key_id, data_keys.c.retired_at.is_(None)).values(retired_at=now)
    )


def count_seals(tx: Tx, key_id: str, seals: int) -> None:
    tx.run(sa.update(data_keys).where(data_keys.c.id == key_id).values(seals=data_keys.c.seals + seals))


def server_seen(tx: Tx, since: datetime) -> bool:
    """Say whether any server gave a sign of life since then."""
    return tx.one(sa.select(processes.c.id).where(processes.c.seen_at >= since).limit(1)) is not None


_FINGERPRINT_KEY = sa.select(fingerprint_keys.c.value).where(fingerprint_keys.c.id == sa.bindparam("of_key"))


def fingerprint_key(tx: Tx, key_id: str) -> Sealed | None:
    """Return the sealed key of fingerprints; None before there is one."""
    row = tx.one(_FINGERPRINT_KEY, of_key=key_id)
    return row["value"] if row else None


def add_fingerprint_key(tx: Tx, key_id: str, value: Sealed, now: datetime) -> bool:
    """Add the key; False when another transaction was faster."""
    return tx.add_new(fingerprint_keys, id=key_id, value=value, created_at=now)


_AUDIT_KEY = sa.select(audit_keys.c.value).where(audit_keys.c.id == sa.bindparam("of_key"))


def audit_key(tx: Tx, key_id: str) -> Sealed | None:
    """Return a sealed key of the audit trail; None before there is one."""
    row = tx.one(_AUDIT_KEY, of_key=key_id)
    return row["value"] if row else None


def add_audit_key(tx: Tx, key_id: str, value: Sealed, now: datetime) -> None:
    tx.run(sa.insert(audit_keys), id=key_id, value=value, created_at=now)


def audit_keys_like(tx: Tx, key_id: str) -> list[tuple[str, Sealed, datetime]]:
    """Return the key of this id, and those whose ids are this and more: id, sealed value, since when.

    The one of this id comes first, then the newest.
    """
    query = sa.select(audit_keys.c.id, audit_keys.c.value, audit_keys.c.created_at)
    query = query.where(audit_keys.c.id.startswith(key_id, autoescape=True))
    # By the clock alone, one that was made on a host whose clock is behind would not be the present one.
    return list(tx.tuples(query.order_by(audit_keys.c.id != key_id, audit_keys.c.created_at.desc())))


def change_audit_key(tx: Tx, key_id: str, value: Sealed, now: datetime) -> None:
    tx.run(sa.update(audit_keys).where(audit_keys.c.id == key_id).values(value=value, created_at=now))
