"""SQL for what was seen at the provider."""

from datetime import datetime

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import observed_keys
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST
from keyturn.ports.provider import RemoteCredential


@dataclass(frozen=True)
class ObservedKey:
    """A password credential as last listed; ``gone_at`` once it was no longer there."""

    key_id: str
    name: str | None
    hint: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    ours: bool
    first_seen_at: datetime
    gone_at: datetime | None


_SEEN = sa.select(observed_keys).where(observed_keys.c.rotation_id == sa.bindparam("of_rotation"))


def observed_keys_of(tx: Tx, rotation_id: str) -> dict[str, ObservedKey]:
    rows = tx.rows(_SEEN, of_rotation=rotation_id)
    read = [unread.values(row, ObservedKey.__dataclass_fields__)[0] for row in rows]
    return {
        values["key_id"]: ObservedKey(**(values | {"first_seen_at": values["first_seen_at"] or FIRST}))
        for values in read
    }


def record_observed(
    tx: Tx, rotation_id: str, new_id: str, credential: RemoteCredential, now: datetime, *, ours: bool
) -> None:
    """Remember a key that is listed for the first time."""
    facts = {name: getattr(credential, name) for name in ("key_id", "name", "hint", "starts_at", "ends_at")}
    tx.run(_NOTE, id=new_id, rotation_id=rotation_id, ours=ours, first_seen_at=now, **facts)


_NOTE = sa.insert(observed_keys)


def record_presence(tx: Tx, rotation_id: str, key_id: str, gone_at: datetime | None) -> None:
    tx.run(
        sa.update(observed_keys)
        .where(observed_keys.c.rotation_id == rotation_id, observed_keys.c.key_id == key_id)
        .values(gone_at=gone_at)
    )
