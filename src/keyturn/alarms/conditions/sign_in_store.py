"""SQL of connections that do not sign in, or of which nobody knows: how many there are, and which are on a page.

Which trouble a connection has is said by ``sign_in_rules.trouble_of``; here stands the same for statements, and a test holds the
two to each other. Their order is that of ``domain.in_order``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.conditions.sign_in_rules import AWAY_AFTER, UNCHECKED_AFTER, SignInTrouble
from keyturn.authz.authorize import Visibility
from keyturn.connections.store import CONNECTIONS, in_sight
from keyturn.db import unread
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift

_columns = CONNECTIONS.c
_SAID = sa.cast(_columns.check_result, sa.Text)
_TRIED_BEFORE = sa.bindparam("tried_before", type_=_columns.checked_at.type)
_REACHED_BEFORE = sa.bindparam("reached_before", type_=_columns.unreached_since.type)
_PASSES = _SAID.like('%"transient": true%')
_TROUBLE = sa.case(
    (sa.or_(_columns.refused_at.is_not(None), _SAID.like('%"needsReconnect": true%')), SignInTrouble.REFUSED.value),
    (sa.and_(_PASSES, _columns.unreached_since < _REACHED_BEFORE), SignInTrouble.AWAY.value),
    (_PASSES, SignInTrouble.UNREACHED.value),
    (_SAID.like('%"ok": false%'), SignInTrouble.FAILED.value),
    (sa.func.coalesce(_columns.checked_at, _columns.created_at) < _TRIED_BEFORE, SignInTrouble.UNTRIED.value),
).label("trouble")


@dataclass(frozen=True)
class Tried:
    """How many connections there are, how many of them were never tried, and since when each other one was tried last."""

    connections: int
    untried: int
    since: datetime | None


@dataclass(frozen=True)
class Part:
    """Some of the connections with these troubles, in the order of their conditions: so many, from one with this number on."""

    troubles: frozenset[SignInTrouble] = frozenset()
    first: int = 0
    size: int = 0


def count(tx: Tx, sight: Visibility, now: datetime, part: Part) -> tuple[Mapping[SignInTrouble, int], Tried, list[str]]:
    """Return how many connections in sight have each trouble, how far those in sight are known, and the ids of a part of them.

    One pass over them for all of it. The ids are in no order.
    """
    found = _found(sight)
    columns = (
        found.c.trouble,
        sa.func.count().label("n"),
        sa.func.count(found.c.checked_at).label("tried"),
        sa.func.min(found.c.checked_at).label("since"),
        sa.cast(sa.null(), found.c.id.type).label("id"),
    )
    some = _some_of(found, part, postgres=tx.postgres).subquery()
    nothing = (sa.cast(sa.null(), column.type) for column in columns[:4])
    both = sa.union_all(sa.select(*columns).group_by(found.c.trouble), sa.select(*nothing, some.c.id))
    told = tx.rows(both, **_moments(now))
    rows = [row for row in told if row["id"] is None]
    moments = [moment for row in rows if (moment := unread.values(row, ("since",))[0]["since"])]
    number = sum(row["n"] for row in rows)
    tried = Tried(number, number - sum(row["tried"] for row in rows), min(moments, default=None))
    counts = {SignInTrouble(row["trouble"]): row["n"] for row in rows if row["trouble"]}
    return counts, tried, [row["id"] for row in told if row["id"] is not None]


def page(tx: Tx, sight: Visibility, now: datetime, part: Part) -> list[str]:
    """Return the ids of a part of the connections in sight, in order."""
    query = _some_of(_found(sight), part, postgres=tx.postgres)
    return [str(row[0]) for row in tx.tuples(query, **_moments(now))]


def _some_of(found: sa.FromClause, part: Part, *, postgres: bool) -> sa.Select[Any]:
    query = sa.select(found.c.id).where(found.c.trouble.in_(sorted(part.troubles)))
    return query.order_by(*_in_order(found, postgres=postgres)).limit(part.size).offset(part.first)


def _found(sight: Visibility) -> sa.CTE:
    """The connections in sight with their trouble, which is told once of each, however often a statement names it."""
    columns = (_columns.id, _columns.name, _columns.checked_at, _TROUBLE)
    return sa.select(*columns).where(in_sight(sight)).cte("found").prefix_with("MATERIALIZED")


def _moments(now: datetime) -> dict[str, datetime]:
    return {"tried_before": shift(now, -UNCHECKED_AFTER), "reached_before": shift(now, -AWAY_AFTER)}


def all_of(tx: Tx, org_id: str, now: datetime) -> list[str]:
    """Return the ids of all connections of the organization with a trouble."""
    query = sa.select(_columns.id).where(_columns.org_id == org_id, _TROUBLE.is_not(None))
    return [str(row[0]) for row in tx.tuples(query, **_moments(now))]


def _in_order(found: sa.FromClause, *, postgres: bool) -> Sequence[sa.ColumnElement[Any]]:
    """The most severe first, of these by name: in the order of characters, as Python sorts, whatever the database's language."""
    severities = list(Severity)
    rank = sa.case({each.value: severities.index(each.severity) for each in SignInTrouble}, value=found.c.trouble)
    kind = sa.case({each.value: each.kind.value for each in SignInTrouble}, value=found.c.trouble)
    by_text = [sa.collate(each, "C") if postgres else each for each in (found.c.name, kind, found.c.id)]
    return (rank, *by_text)
