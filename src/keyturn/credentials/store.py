"""The journal's SQL. Rows are added and moved along their life, never deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from keyturn.credentials.domain import ENDED, MOVES, Credential, State
from keyturn.db import unread
from keyturn.db.tables import credentials
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.batches import batches

_FIELDS = tuple(field for field in Credential.__dataclass_fields__ if field != "state")


def read(row: Mapping[str, Any], prefix: str = "") -> Credential:
    """Return the credential of a row of the journal. One that cannot be understood has a state of its own. Pure."""
    values, faults = unread.values(row, _FIELDS, prefix)
    word = row[prefix + "state"]
    if word not in _STATES:
        faults.append(f"state is {str(word)[:40]!r}")
    if not faults:
        return Credential(state=_STATES[word], **values)
    values["note"] = f"The row {values['id']} of the table credentials cannot be read: {', '.join(faults)}."
    return Credential(state=State.UNREADABLE, **values)


_STATES = {state.value: state for state in State if state is not State.UNREADABLE}


JOINED = tuple(credentials.c[name].label(f"credential_{name}") for name in (*_FIELDS, "state"))
"""The columns of a journal row in a statement that joins it to something else."""


def joined(row: Mapping[str, Any]) -> Credential:
    """Read what JOINED selected."""
    return read(row, "credential_")


ENTRIES = credentials
"""For statements of rooms above that join them with JOINED or LIVE."""
_ADD = sa.insert(credentials)
_MOVE = sa.update(credentials).where(
    credentials.c.id == sa.bindparam("of_id"), credentials.c.state == sa.bindparam("of_state")
)
# Not a list of values: such a statement is written out anew for each use.
LIVE = sa.and_(*(credentials.c.state != state.value for state in sorted(ENDED)))
OLDEST_FIRST = (credentials.c.generation, credentials.c.planned_at, credentials.c.id)
_LIVE = (
    sa.select(credentials).where(credentials.c.rotation_id == sa.bindparam("of_rotation"), LIVE).order_by(*OLDEST_FIRST)
)


_GET = sa.select(credentials).where(credentials.c.id == sa.bindparam("of_id"))


def get(tx: Tx, credential_id: str) -> Credential | None:
    row = tx.one(_GET, of_id=credential_id)
    return read(row) if row else None


def vanished_among(tx: Tx, credential_ids: Sequence[str]) -> list[str]:
    """Return those of these that are handed out to readers and are known not to be at the provider any more."""
    return [
        str(row["id"]) for ids in batches(sorted(credential_ids), _AT_ONCE) for row in tx.rows(_VANISHED, of_ids=ids)
    ]


_AT_ONCE = 500
_VANISHED = sa.select(credentials.c.id).where(
    credentials.c.id.in_(sa.bindparam("of_ids", expanding=True)),
    credentials.c.removed_at.is_not(None),
    credentials.c.state.in_([State.CURRENT.value, State.RETIRING.value]),
)


def insert(tx: Tx, credential: Credential) -> None:
    values = {name: getattr(credential, name) for name in _FIELDS}
    tx.run(_ADD, state=credential.state.value, **values)


def move(tx: Tx, credential: Credential, to: State | None = None, **changes: Any) -> Credential:
    """Change a row, and its state if ``to`` is given, provided that nobody moved it since it was read.

    Raises Refused (``journal.moved``) otherwise; the caller loads again and decides anew.
    """
    if to is not None and to not in MOVES[credential.state]:
        raise ValueError(f"a credential cannot go from {credential.state} to {to}")
    values = dict(changes, state=(to or credential.state).value)
    touched = tx.run(_MOVE, of_id=credential.id, of_state=credential.state.value, **values)
    if touched != 1:
        raise Refused(
            "The journal was changed by somebody else meanwhile.",
            code="journal.moved",
            fix="Repeat it: nothing was done.",
        )
    return replace(credential, state=to or credential.state, **changes)


def forget_values(tx: Tx, rotation_id: str) -> None:
    """Drop the sealed values of an ended rotation's remaining rows: nothing signs in with them any more."""
    tx.run(sa.update(credentials).where(credentials.c.rotation_id == rotation_id).values(value=None))


def live(tx: Tx, rotation_id: str) -> tuple[Credential, ...]:
    """Return the rows that have not ended, oldest generation first."""
    return tuple(read(row) for row in tx.rows(_LIVE, of_rotation=rotation_id))


def of_rotation(tx: Tx, rotation_id: str, limit: int = 200) -> list[Credential]:
    """Return the whole journal of a rotation, newest first."""
    return [
        read(row)
        for row in tx.rows(
            sa.select(credentials)
            .where(credentials.c.rotation_id == rotation_id)
            .order_by(credentials.c.generation.desc(), credentials.c.planned_at.desc(), credentials.c.id)
            .limit(limit)
        )
    ]


def of_run(tx: Tx, rotation_id: str, run_id: str) -> list[Credential]:
    """Return what a run asked for, and what it replaced, oldest generation first."""
    concerned = sa.or_(credentials.c.run_id == run_id, credentials.c.retired_by == run_id)
    query = sa.select(credentials).where(credentials.c.rotation_id == rotation_id, concerned)
    return [read(row) for row in tx.rows(query.order_by(*OLDEST_FIRST))]


def of_application(tx: Tx, object_id: str, key_ids: list[str], markers: list[str]) -> list[Credential]:
    """Return the rows of any rotation on the application that hold one of the key ids or markers."""
    if not key_ids and not markers:
        return []
    return [
        read(row)
        for row in tx.rows(
            sa.select(credentials).where(
                credentials.c.object_id == object_id,
                sa.or_(credentials.c.key_id.in_(key_ids), credentials.c.marker.in_(markers)),
            )
        )
    ]
