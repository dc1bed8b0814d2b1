"""SQL of app connections, of who shares their credentials, of refresh tokens and of sign-ins by browser.

Loading never decrypts.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.authz.authorize import Visibility
from keyturn.connections.domain import Connection
from keyturn.connections.flow import PendingSignIn
from keyturn.connections.rotation_store import (
    current_ends,
    next_runs,
    own_rotations,
    resting_until,
    with_application,
    with_key,
)
from keyturn.connections.rows import FIELDS, read
from keyturn.db import unread
from keyturn.db.tables import app_connections as table
from keyturn.db.tables import oauth_flows, oauth_tokens
from keyturn.db.tables.views import owners, projects
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ends import WARNS_BEFORE_END
from keyturn.kit.moments import shift
from keyturn.kit.secret import SealContext, Sealed

CONNECTIONS = table
GRANTS = oauth_tokens
"""For statements of rooms above that join them; read by ``rows.read``."""


def _scope(org_id: str, project_id: str | None) -> str:
    return project_id or org_id


def insert(tx: Tx, connection: Connection) -> None:
    values = {name: getattr(connection, name) for name in FIELDS}
    scope = _scope(connection.org_id, connection.project_id)
    tx.run(sa.insert(table).values(scope=scope, **values))


_GET = sa.select(table).where(table.c.id == sa.bindparam("of_connection"))
_GET_LOCKED = _GET.with_for_update(key_share=True)


def get(tx: Tx, connection_id: str, *, lock: bool = False) -> Connection | None:
    row = tx.one(_GET_LOCKED if lock else _GET, of_connection=connection_id)
    return read(row) if row else None


def with_ids(tx: Tx, connection_ids: Sequence[str]) -> Iterator[Connection]:
    """Yield the connections with these ids: a statement for each 10 000."""
    for start in range(0, len(connection_ids), _AT_ONCE):
        query = sa.select(table).where(table.c.id.in_(connection_ids[start : start + _AT_ONCE]))
        yield from (read(row) for row in tx.rows(query))


def by_name(tx: Tx, org_id: str, project_id: str | None, name: str) -> Connection | None:
    row = tx.one(sa.select(table).where(table.c.scope == _scope(org_id, project_id), table.c.name == name))
    return read(row) if row else None


def in_organization(tx: Tx, sight: Visibility) -> list[Connection]:
    """Return the connections in sight, by name."""
    query = sa.select(table).where(in_sight(sight))
    return [read(row) for row in tx.rows(query.order_by(table.c.name, table.c.id))]


def in_place(tx: Tx, org_id: str, project_id: str | None) -> int:
    """Count the connections of the project, or (None) of the organization itself."""
    row = tx.one(sa.select(sa.func.count().label("n")).where(table.c.scope == _scope(org_id, project_id)))
    return int(row["n"]) if row else 0


_CHANGE = sa.update(table).where(
    table.c.id == sa.bindparam("of_connection"), table.c.secret_version == sa.bindparam("of_version")
)


def change(tx: Tx, connection: Connection, **changes: Any) -> bool:
    """Change the connection, provided that nobody else changed its credentials since it was read."""
    return tx.run(_CHANGE, of_connection=connection.id, of_version=connection.secret_version, **changes) == 1


def seal_again(tx: Tx, connection: Connection, **columns: Any) -> None:
    """Store the same credential in another way, unless somebody stored another one meanwhile."""
    same = (table.c.id == connection.id, table.c.secret == connection.secret)
    tx.run(sa.update(table).where(*same).values(**columns))


_POINTING = sa.select(table).where(table.c.credential_id == sa.bindparam("of_credential")).order_by(table.c.id)
_POINTING_LOCKED = _POINTING.with_for_update(key_share=True)


def of_credential(tx: Tx, credential_id: str) -> list[Connection]:
    """Return the connections whose credential this row of the journal keeps; nobody else changes them meanwhile."""
    return [read(row) for row in tx.rows(_POINTING_LOCKED, of_credential=credential_id)]


_WITH_SALT_INSIDE = sa.select(table).where(table.c.salt.is_(None)).order_by(table.c.id)


def with_salt_inside(tx: Tx, after: str, limit: int) -> list[Connection]:
    """Return connections as versions before 0012 of the tables wrote them, in the order of their ids."""
    return [read(row) for row in tx.rows(_WITH_SALT_INSIDE.where(table.c.id > after).limit(limit))]


def refused_now(tx: Tx) -> list[Mapping[str, Any]]:
    """Return name, refused_at and refusal of all connections of this server that the provider refuses, the longest first."""
    query = sa.select(table.c.name, table.c.refused_at, table.c.refusal).where(table.c.refused_at.is_not(None))
    rows = tx.rows(query.order_by(table.c.refused_at, table.c.id))
    return [unread.values(row, ("name", "refused_at", "refusal"))[0] for row in rows]


def delete(tx: Tx, connection_id: str) -> None:
    tx.run(sa.delete(table).where(table.c.id == connection_id))


# --- one page of a list -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConnectionFilter:
    """Which connections a page of a list shows, of those in sight."""

    sight: Visibility
    words: tuple[str, ...] = ()
    """Each is part of the name, the description, the app's key or the method, in capitals or not; or of the client id, the
    tenant id, or the name of the application that rotates; or it is the Key ID of a credential that was made or taken over."""
    app: str | None = None
    status: str | None = None
    """One of STATUSES."""
    now: datetime | None = None
    """By which the status is judged."""
    owner: str | None = None
    """The id of the person who answers for them, where the status is *mine*."""
    sort: str = "name"
    descending: bool = False
    limit: int = 20
    offset: int = 0


STATUSES = ("failed", "refused", "ending", "paused", "not-rotated", "mine")


def _of_status(criteria: ConnectionFilter) -> sa.ColumnElement[bool]:
    soon = shift(criteria.now, WARNS_BEFORE_END) if criteria.now else None
    match criteria.status:
        case "failed":
            not_ok = sa.cast(table.c.check_result, sa.Text).like('%"ok": false%')
            return sa.or_(table.c.id.in_(own_rotations(failed=True)), sa.and_(not_ok, table.c.refused_at.is_(None)))
        case "refused":
            return table.c.refused_at.is_not(None)
        case "ending":
            ends = sa.or_(table.c.ends_at <= soon, table.c.secret_ends_at <= soon)
            rests = table.c.id.not_in(own_rotations(enabled=True))
            return sa.or_(sa.and_(ends, rests), table.c.id.in_(resting_until(soon)))
        case "paused":
            return table.c.id.in_(own_rotations(enabled=False))
        case "not-rotated":
            return table.c.id.not_in(own_rotations())
        case _:
            mine = owners.c.user_id == criteria.owner
            return table.c.id.in_(sa.select(owners.c.connection_id).where(mine, owners.c.connection_id.is_not(None)))


_HOME = sa.select(sa.func.lower(projects.c.name)).where(projects.c.id == table.c.project_id).scalar_subquery()
_NEXT_RUNS, _CURRENT_ENDS = next_runs(), current_ends()
_JOINED = {"rotation": _NEXT_RUNS, "ends": _CURRENT_ENDS}
_SORTS: Mapping[str, sa.ColumnElement[Any]] = {
    "app": table.c.app,
    "name": table.c.name,
    "method": table.c.method,
    "home": _HOME,
    "rotation": _NEXT_RUNS.c.moment,
    "ends": sa.func.coalesce(_CURRENT_ENDS.c.moment, table.c.ends_at, table.c.secret_ends_at),
}
SORTS = tuple(_SORTS)


def page(tx: Tx, criteria: ConnectionFilter) -> tuple[list[Connection], int]:
    """Return one page, sorted, and how many there are on all pages (0 where the page lies beyond the last one).

    Cost: one pass over what matches; what has no value to sort by comes last.
    """
    key = _SORTS[criteria.sort]
    order = key.desc() if criteria.descending else key.asc()
    in_order = (order.nulls_last() if criteria.sort in _MAY_LACK else order, table.c.name, table.c.id)
    # Ids alone are sorted: with their sealed credentials, rows are long, and most of them are not on the page.
    query = sa.select(table.c.id, sa.func.count().over().label("total")).where(*_matching(criteria)).order_by(*in_order)
    if (joined := _JOINED.get(criteria.sort)) is not None:
        query = query.select_from(table.outerjoin(joined, joined.c.connection_id == table.c.id))
    rows = tx.rows(query.limit(criteria.limit).offset(criteria.offset))
    ids = [row["id"] for row in rows]
    found_rows = {row["id"]: read(row) for row in tx.rows(sa.select(table).where(table.c.id.in_(ids)))} if ids else {}
    return [found_rows[connection_id] for connection_id in ids], rows[0]["total"] if rows else 0


_MAY_LACK = {"home", "rotation", "ends"}


def count(tx: Tx, criteria: ConnectionFilter) -> int:
    """Return how many there are on all pages."""
    row = tx.one(sa.select(sa.func.count().label("n")).select_from(table).where(*_matching(criteria)))
    return int(row["n"]) if row else 0


def _matching(criteria: ConnectionFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [in_sight(criteria.sight)]
    if criteria.app:
        conditions.append(table.c.app == criteria.app)
    if criteria.status:
        conditions.append(_of_status(criteria))
    return [*conditions, *(_contains(word) for word in criteria.words)]


def _contains(word: str) -> sa.ColumnElement[bool]:
    small = word.lower()  # as names, apps and methods are
    return sa.or_(
        table.c.name.contains(small, autoescape=True),
        table.c.app.contains(small, autoescape=True),
        table.c.method.contains(small, autoescape=True),
        has_word(table.c.description, word),
        *(column.icontains(word, autoescape=True) for column in (table.c.client_id, table.c.tenant_id)),
        table.c.id.in_(with_application(word)),
        *([table.c.id.in_(with_key(small))] if _looks_like_an_id(word) else []),
    )


def _looks_like_an_id(word: str) -> bool:
    return len(word) == len("00000000-0000-4000-8000-000000000000") and word.count("-") == 4


def in_sight(sight: Visibility) -> sa.ColumnElement[bool]:
    """Return whether a connection is one of those in sight, for statements of rooms above, too."""
    of = sight.projects
    places = [table.c.project_id.is_not(None) if of is None else table.c.project_id.in_(of)]
    if sight.organization:
        places.append(table.c.project_id.is_(None))
    if sight.connections:
        places.append(table.c.id.in_(sight.connections))
    return sa.and_(table.c.org_id == sight.org_id, sa.or_(*places))


# --- who holds the same credential ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Holder:
    """A connection as far as others that hold its credential are concerned."""

    id: str
    org_id: str
    project_id: str | None
    name: str
    app: str
    method: str
    fingerprint: str


_AT_ONCE = 10_000
_HOLDERS = (
    sa.select(*(table.c[name] for name in Holder.__dataclass_fields__))
    .where(table.c.fingerprint_version == table.c.secret_version)
    .order_by(table.c.created_at, table.c.id)
)
_HOLDERS_OF_ONE = _HOLDERS.where(table.c.fingerprint == sa.bindparam("of_fingerprint"))


def _holder(row: Mapping[str, Any]) -> Holder:
    return Holder(**row)


def holders(tx: Tx, fingerprint: str) -> list[Holder]:
    """Return all connections of this server that hold the credential, the oldest first."""
    return [_holder(row) for row in tx.rows(_HOLDERS_OF_ONE, of_fingerprint=fingerprint)]


def holders_of_any(tx: Tx, fingerprints: Sequence[str]) -> list[Holder]:
    """Return all connections that hold one of these credentials, the oldest first: a statement for each 10 000."""
    starts = range(0, len(fingerprints), _AT_ONCE)
    queries = [_HOLDERS.where(table.c.fingerprint.in_(fingerprints[start : start + _AT_ONCE])) for start in starts]
    return [_holder(row) for query in queries for row in tx.rows(query)]


_UNMARKED = sa.select(table).where(table.c.fingerprint_version != table.c.secret_version).order_by(table.c.id)


def unmarked_connections(tx: Tx, after: str, limit: int) -> list[Connection]:
    """Return connections whose fingerprint is missing or of an earlier credential, in the order of their ids."""
    return [read(row) for row in tx.rows(_UNMARKED.where(table.c.id > after).limit(limit))]


def forget_fingerprints(tx: Tx) -> None:
    """Take their fingerprints from all connections: the key of these is lost."""
    tx.run(sa.update(table).where(table.c.fingerprint.is_not(None)).values(fingerprint=None, fingerprint_version=0))


# --- refresh tokens ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RefreshToken:
    """The refresh token of a connection. ``refresh_due_at`` is None when only a person can help.

    ``signed_in_by`` and ``signed_in_email`` are of the user of this server who signed in, None where it is not known.
    """

    connection_id: str
    refresh_token: Sealed
    refresh_token_version: int
    refreshed_at: datetime
    refresh_due_at: datetime | None
    signed_in_by: str | None = None
    signed_in_email: str | None = None

    @property
    def seal_context(self) -> SealContext:
        return refresh_place(self.connection_id, self.refresh_token_version)


def refresh_place(connection_id: str, version: int) -> SealContext:
    return SealContext("oauth_tokens", connection_id, "refresh_token", version)


def _same(row: RefreshToken) -> tuple[sa.ColumnElement[bool], ...]:
    column = oauth_tokens.c
    return column.connection_id == row.connection_id, column.refresh_token_version == row.refresh_token_version


def insert_refresh_token(tx: Tx, row: RefreshToken) -> None:
    tx.run(sa.insert(oauth_tokens).values(**vars(row)))


def refresh_token(tx: Tx, connection_id: str) -> RefreshToken | None:
    row = tx.one(sa.select(oauth_tokens).where(oauth_tokens.c.connection_id == connection_id))
    return RefreshToken(**row) if row else None


def change_refresh_token(tx: Tx, row: RefreshToken, **changes: Any) -> bool:
    """Change the row, provided that nobody has stored another token since it was read."""
    return tx.run(sa.update(oauth_tokens).where(*_same(row)).values(**changes)) == 1


REFRESH_EVERY = timedelta(days=30)


# --- sign-ins by browser ----------------------------------------------------------------------------------------------


def insert_flow(tx: Tx, flow: PendingSignIn) -> None:
    tx.run(sa.insert(oauth_flows).values(**vars(flow)))


def end_flow(tx: Tx, digest: str, now: datetime) -> PendingSignIn | None:
    """Return the flow as it was before, and end it: of all who try, one sees it open. Its payload is forgotten."""
    row = tx.one(sa.select(oauth_flows).where(oauth_flows.c.digest == digest).with_for_update())
    if row is None:
        return None
    open_one = sa.and_(oauth_flows.c.id == row["id"], oauth_flows.c.ended_at.is_(None))
    tx.run(sa.update(oauth_flows).where(open_one).values(ended_at=now, payload=None))
    return PendingSignIn(**row)


def forget_flows(tx: Tx, before: datetime) -> int:
    """Delete the flows that could not have been finished any more before this moment."""
    return tx.run(sa.delete(oauth_flows).where(oauth_flows.c.expires_at < before))
