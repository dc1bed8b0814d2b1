"""SQL of one page of a list of secret rotations."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.connections.store import CONNECTIONS
from keyturn.credentials.store import ENTRIES
from keyturn.db.tables import rotations, secret_rotations
from keyturn.db.tables.views import environments, mapped_secrets, owners, secret_folders
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift

STATUSES = ("failed", "refused", "ending", "paused", "mine")
_ENDING = timedelta(days=30)
_table = secret_rotations


@dataclass(frozen=True)
class SecretRotationFilter:
    """Which secret rotations of a project a page shows.

    Each of ``words`` is part of the name, the description, the folder, a secret's name, the connection's name, or of the
    application's name or ids, in capitals or not; or it is the Key ID of one of its credentials. ``status`` is one of STATUSES,
    judged by ``now``; ``owner`` is the person of *mine*.
    """

    project_id: str
    now: datetime
    words: tuple[str, ...] = ()
    status: str | None = None
    owner: str | None = None
    sort: str = "name"
    descending: bool = False


@dataclass(frozen=True)
class Placed:
    """A secret rotation by id, with what decides who may see it."""

    id: str
    environment: str
    path: str
    connection_id: str


def _of_rotation(column: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    return sa.select(column).where(rotations.c.id == _table.c.rotation_id).scalar_subquery()


_ENDS = (
    sa.select(sa.func.max(ENTRIES.c.ends_at))
    .where(ENTRIES.c.rotation_id == _table.c.rotation_id, ENTRIES.c.state == "current")
    .scalar_subquery()
)
_NEXT = sa.case(
    (_table.c.enabled.is_(True), _of_rotation(sa.func.coalesce(rotations.c.paused_until, rotations.c.next_run_at)))
)
_SORTS: Mapping[str, sa.ColumnElement[Any]] = {
    "name": _table.c.name,
    "application": _of_rotation(sa.func.lower(rotations.c.application_name)),
    "ends": _ENDS,
    "rotation": _NEXT,
}
SORTS = tuple(_SORTS)
_IN_ORDER: Mapping[tuple[str, bool], tuple[sa.ColumnElement[Any], ...]] = {
    (name, descending): ((key.desc() if descending else key.asc()).nulls_last(), _table.c.name, _table.c.id)
    for name, key in _SORTS.items()
    for descending in (False, True)
}
_PLACES = (
    sa.select(_table.c.id, environments.c.slug, secret_folders.c.path, _table.c.connection_id)
    .join(secret_folders, secret_folders.c.id == _table.c.folder_id)
    .join(environments, environments.c.id == _table.c.environment_id)
)


def page(tx: Tx, criteria: SecretRotationFilter, limit: int, offset: int) -> tuple[list[str], int]:
    """Return the ids of one page, in order, and how many there are on all pages (0 where the page lies beyond the last one).

    Cost: one pass over what matches.
    """
    in_order = _IN_ORDER[criteria.sort, criteria.descending]
    query = (
        sa.select(_table.c.id, sa.func.count().over().label("total")).where(*_matching(criteria)).order_by(*in_order)
    )
    rows = tx.rows(query.limit(limit).offset(offset))
    return [row["id"] for row in rows], rows[0]["total"] if rows else 0


def count(tx: Tx, criteria: SecretRotationFilter) -> int:
    """Return how many there are on all pages."""
    row = tx.one(sa.select(sa.func.count().label("n")).select_from(_table).where(*_matching(criteria)))
    return int(row["n"]) if row else 0


def places(tx: Tx, criteria: SecretRotationFilter) -> Sequence[Placed]:
    """Return all that match with where they are, in order: for a reader who may not see all of them."""
    query = _PLACES.where(*_matching(criteria)).order_by(*_IN_ORDER[criteria.sort, criteria.descending])
    return [Placed(row["id"], row["slug"], row["path"], row["connection_id"]) for row in tx.rows(query)]


def _matching(criteria: SecretRotationFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [_table.c.project_id == criteria.project_id]
    if criteria.status:
        conditions.append(_of_status(criteria))
    return [*conditions, *(_contains(word) for word in criteria.words)]


def _of_status(criteria: SecretRotationFilter) -> sa.ColumnElement[bool]:
    match criteria.status:
        case "failed":
            return _table.c.rotation_id.in_(sa.select(rotations.c.id).where(rotations.c.status == "failed"))
        case "refused":
            return _table.c.connection_id.in_(sa.select(CONNECTIONS.c.id).where(CONNECTIONS.c.refused_at.is_not(None)))
        case "ending":
            soon = shift(criteria.now, _ENDING)
            ends = sa.select(ENTRIES.c.rotation_id).where(ENTRIES.c.state == "current", ENTRIES.c.ends_at <= soon)
            rests = sa.select(rotations.c.id).where(
                sa.or_(rotations.c.enabled.is_(False), rotations.c.status == "failed")
            )
            return sa.and_(_table.c.rotation_id.in_(ends), _table.c.rotation_id.in_(rests))
        case "paused":
            return _table.c.enabled.is_(False)
        case _:
            mine = sa.select(owners.c.secret_rotation_id).where(owners.c.user_id == criteria.owner)
            return _table.c.id.in_(mine.where(owners.c.secret_rotation_id.is_not(None)))


def _contains(word: str) -> sa.ColumnElement[bool]:
    small = word.lower()  # as names of rotations and connections, and ids are

    def like(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return has_word(column, word)

    def has(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return column.contains(small, autoescape=True)

    ids = sa.or_(*(has(rotations.c[name]) for name in ("app_id", "tenant_id", "object_id")))
    of_application = sa.select(rotations.c.id).where(rotations.c.kind != "connection")
    of_key = sa.select(ENTRIES.c.rotation_id).where(ENTRIES.c.key_id == small)
    return sa.or_(
        has(_table.c.name),
        like(_table.c.description),
        _table.c.rotation_id.in_(of_application.where(sa.or_(like(rotations.c.application_name), ids))),
        _table.c.folder_id.in_(sa.select(secret_folders.c.id).where(like(secret_folders.c.path))),
        _table.c.id.in_(sa.select(mapped_secrets.c.secret_rotation_id).where(like(mapped_secrets.c.name))),
        _table.c.connection_id.in_(sa.select(CONNECTIONS.c.id).where(has(CONNECTIONS.c.name))),
        *([_table.c.rotation_id.in_(of_key)] if len(word) == 36 else []),
    )
