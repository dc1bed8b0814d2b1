"""SQL for the set-up code: one row until the server is set up, none afterwards."""

from dataclasses import field
from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import setup_codes
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass

_THE_ONE = "setup"


@dataclass(frozen=True)
class StoredCode:
    """``derived`` names the data key under which the code is derived from the salt; both are None for a given code."""

    salt: str | None
    derived: str | None
    digest: str = field(repr=False)
    failures: int = 0


def setup_code(tx: Tx, *, lock: bool = False) -> StoredCode | None:
    query = sa.select(setup_codes).where(setup_codes.c.id == _THE_ONE)
    row = tx.one(query.with_for_update() if lock else query)
    return StoredCode(row["salt"], row["derived"], row["digest"], row["failures"]) if row else None


def put_setup_code(tx: Tx, code: StoredCode, now: datetime) -> None:
    """Write it in the place of the one before."""
    remove_setup_code(tx)
    values = {"id": _THE_ONE, "salt": code.salt, "derived": code.derived, "digest": code.digest, "made_at": now}
    tx.run(sa.insert(setup_codes).values(values))


def count_failure(tx: Tx) -> None:
    tx.run(sa.update(setup_codes).where(setup_codes.c.id == _THE_ONE).values(failures=setup_codes.c.failures + 1))


def remove_setup_code(tx: Tx) -> None:
    tx.run(sa.delete(setup_codes).where(setup_codes.c.id == _THE_ONE))
