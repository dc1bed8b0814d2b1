"""SQL of credentials that are the values of secrets, with the rotations that they belong to."""

from collections.abc import Collection

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.tables import rotations
from keyturn.db.unit import Tx
from keyturn.kit.batches import batches
from keyturn.rotations.domain import Rotation
from keyturn.rotations.store.rows import rotation as _rotation

_AT_ONCE = 500
_JOINED = sa.select(rotations, *journal.JOINED).join(journal.ENTRIES, journal.ENTRIES.c.rotation_id == rotations.c.id)


def with_rotations(tx: Tx, credential_ids: Collection[str]) -> list[tuple[Credential, Rotation]]:
    """Return these rows of the journal, those that are there, each with its rotation."""
    return [
        (journal.joined(row), _rotation(row))
        for ids in batches(sorted(credential_ids), _AT_ONCE)
        for row in tx.rows(_JOINED.where(journal.ENTRIES.c.id.in_(ids)))
    ]
