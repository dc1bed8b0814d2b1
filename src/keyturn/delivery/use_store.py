"""SQL of who has which credential: one row for each caller and credential, with what it showed last."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import credential_uses
from keyturn.db.tables.views import journal_entries, secret_versions, secrets
from keyturn.db.unit import Tx
from keyturn.delivery.use_domain import Caller, Use
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST

_MOMENTS = ("first_at", "read_at", "acknowledged_at")
_USES = credential_uses.c


@dataclass(frozen=True)
class Entry:
    """A credential of the journal, by both of its ids."""

    id: str
    key_id: str | None
    rotation_id: str


def entries(tx: Tx, credential_ids: Collection[str], key_ids: Collection[str]) -> list[Entry]:
    """Return the credentials with one of these ids, and those with one of these key ids."""
    if not credential_ids and not key_ids:
        return []
    query = sa.select(journal_entries.c.id, journal_entries.c.key_id, journal_entries.c.rotation_id).where(
        sa.or_(journal_entries.c.id.in_(credential_ids), journal_entries.c.key_id.in_(key_ids))
    )
    return [Entry(*row) for row in tx.tuples(query)]


def entries_in_folder(tx: Tx, folder_id: str, key_ids: Collection[str]) -> list[Entry]:
    """Return the credentials with these key ids that a secret of the folder holds or held."""
    query = (
        sa.select(journal_entries.c.id, journal_entries.c.key_id, journal_entries.c.rotation_id)
        .join(secret_versions, secret_versions.c.credential_id == journal_entries.c.id)
        .join(secrets, secrets.c.id == secret_versions.c.secret_id)
        .where(secrets.c.folder_id == folder_id, journal_entries.c.key_id.in_(key_ids))
        .distinct()
    )
    return [Entry(*row) for row in tx.tuples(query)]


def of_credentials(tx: Tx, credential_ids: Collection[str]) -> list[Use]:
    """Return all that is known of who has these."""
    return [_read(row) for row in tx.rows(_ALL.where(_USES.credential_id.in_(credential_ids)))]


def of_callers(tx: Tx, credential_ids: Collection[str], callers: Collection[Caller]) -> list[Use]:
    """Return what these callers showed of these credentials."""
    query = _ALL.where(
        _USES.credential_id.in_(credential_ids),
        _USES.caller_id.in_({caller.id for caller in callers}),
        _USES.instance.in_({caller.instance for caller in callers}),
    )
    return [use for use in (_read(row) for row in tx.rows(query)) if use.caller in callers]


_OF_ROTATION = (
    sa.select(credential_uses)
    .join(journal_entries, journal_entries.c.id == _USES.credential_id)
    .where(journal_entries.c.rotation_id == sa.bindparam("of_rotation"))
)


def of_rotation(tx: Tx, rotation_id: str) -> list[Use]:
    """Return all that is known of who has credentials of this rotation."""
    return [_read(row) for row in tx.rows(_OF_ROTATION, of_rotation=rotation_id)]


_COUNT = sa.select(sa.func.count().label("count")).where(
    _USES.credential_id == sa.bindparam("of_credential"),
    _USES.caller_kind == sa.bindparam("kind"),
    _USES.caller_id == sa.bindparam("caller"),
)


def instances_of(tx: Tx, credential_id: str, caller: Caller) -> int:
    """Return how many instances of this identity are written down for the credential."""
    row = tx.one(_COUNT, of_credential=credential_id, kind=caller.kind, caller=caller.id)
    return int(row["count"]) if row else 0


def add(tx: Tx, use: Use) -> bool:
    """Add a row; False when another process has just added it."""
    return tx.add_new(credential_uses, **_columns(use))


_SAVE = sa.update(credential_uses).where(
    _USES.credential_id == sa.bindparam("of_credential"),
    _USES.caller_kind == sa.bindparam("of_kind"),
    _USES.caller_id == sa.bindparam("of_caller"),
    _USES.instance == sa.bindparam("of_instance"),
)


def save(tx: Tx, use: Use) -> None:
    """Write what the caller shows now."""
    caller, columns = use.caller, _columns(use)
    of = {"of_kind": caller.kind, "of_caller": caller.id, "of_instance": caller.instance}
    tx.run(_SAVE, of_credential=use.credential_id, **of, **{name: columns[name] for name in _CHANGED})


_CHANGED = ("read_at", "acknowledged_at", "last_at", "refresh_seconds", "address")


def silent_of(tx: Tx, credential_id: str, caller: Caller, now: datetime) -> Sequence[Caller]:
    """Return the instances of this identity that announced how often they come, and have stayed away for a day since."""
    query = sa.select(_USES.instance).where(
        _USES.credential_id == credential_id,
        _USES.caller_kind == caller.kind,
        _USES.caller_id == caller.id,
        _USES.refresh_seconds.is_not(None),
        _USES.last_at < now - timedelta(days=1),
    )
    return [Caller(caller.kind, caller.id, row["instance"]) for row in tx.rows(query)]


_REMOVE = sa.delete(credential_uses).where(
    _USES.credential_id == sa.bindparam("of_credential"),
    _USES.caller_kind == sa.bindparam("of_kind"),
    _USES.caller_id == sa.bindparam("of_caller"),
    _USES.instance == sa.bindparam("of_instance"),
)


def remove(tx: Tx, credential_id: str, caller: Caller) -> None:
    tx.run(_REMOVE, of_credential=credential_id, of_kind=caller.kind, of_caller=caller.id, of_instance=caller.instance)


def callers_to_forget(tx: Tx, before: datetime, most: int) -> list[tuple[str, Caller]]:
    """Return up to so many callers with a credential that is gone, that were last seen before."""
    query = (
        sa.select(_USES.credential_id, _USES.caller_kind, _USES.caller_id, _USES.instance)
        .join(journal_entries, journal_entries.c.id == _USES.credential_id)
        .where(_USES.last_at < before, journal_entries.c.state.in_(["revoked", "abandoned"]))
        .limit(most)
    )
    return [(credential_id, Caller(*caller)) for credential_id, *caller in tx.tuples(query)]


_ALL = sa.select(credential_uses)


def _columns(use: Use) -> dict[str, Any]:
    refresh = use.refresh
    return {
        "credential_id": use.credential_id,
        "caller_kind": use.caller.kind,
        "caller_id": use.caller.id,
        "instance": use.caller.instance,
        "address": use.address,
        "refresh_seconds": None if refresh is None else round(refresh.total_seconds()),
        "first_at": use.first_at,
        "read_at": use.read_at,
        "acknowledged_at": use.acknowledged_at,
        "last_at": use.last_at,
    }


def _read(row: Mapping[str, Any]) -> Use:
    """Read a row. A moment that cannot be understood makes it one that counts as holding: it never announced anything."""
    values, faults = unread.values(row, _MOMENTS)
    seconds = row["refresh_seconds"]
    return Use(
        row["credential_id"],
        Caller(row["caller_kind"], row["caller_id"], row["instance"]),
        values["first_at"] or FIRST,
        values["read_at"],
        values["acknowledged_at"],
        timedelta(seconds=seconds) if seconds and not faults else None,
        row["address"],
    )
