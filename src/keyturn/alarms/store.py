"""SQL of alarms, of the rules by which somebody is told, and of when each organization is looked at."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Alarm, Rules, Silence, SilenceKind
from keyturn.authz.permissions import Scope
from keyturn.db import unread
from keyturn.db.tables import alarm_evaluations, alarm_rules, alarms
from keyturn.db.tables.views import organizations
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.kit.dataclasses import dataclass

LONGEST_WAIT = timedelta(hours=1)
"""Between two looks at an organization: what lies further ahead was written by a wrong clock, and is due."""
_OPEN = alarms.c.resolved_at.is_(None)

# --- when an organization is looked at --------------------------------------------------------------------------------

_JOINED = organizations.outerjoin(alarm_evaluations, alarm_evaluations.c.org_id == organizations.c.id)
_DUE = sa.or_(
    alarm_evaluations.c.org_id.is_(None),
    alarm_evaluations.c.due_at <= sa.bindparam("now"),
    alarm_evaluations.c.due_at > sa.bindparam("never"),
)
_ANY_DUE = sa.select(organizations.c.id).select_from(_JOINED).where(_DUE).limit(1)
_DUE_ONES = (
    sa.select(organizations.c.id)
    .select_from(_JOINED)
    .where(_DUE)
    .order_by(alarm_evaluations.c.due_at, organizations.c.id)
    .limit(sa.bindparam("most"))
)


def any_due(tx: Tx, now: datetime) -> bool:
    """Say whether an organization is to be looked at. There are few of them."""
    return tx.one(_ANY_DUE, now=now, never=now + LONGEST_WAIT) is not None


def claim(tx: Tx, now: datetime, limit: int, until: datetime) -> list[str]:
    """Put off the organizations that are due, and return them. No other transaction gets the same."""
    tx.alone_with("alarm-evaluations")
    org_ids = [row["id"] for row in tx.rows(_DUE_ONES, now=now, never=now + LONGEST_WAIT, most=limit)]
    for org_id in org_ids:
        put_off(tx, org_id, until)
    return org_ids


def put_off(tx: Tx, org_id: str, until: datetime) -> None:
    """Look at the organization again at this moment."""
    _put(tx, org_id, due_at=until)


def _put(tx: Tx, org_id: str, **moments: datetime) -> None:
    if not tx.run(sa.update(alarm_evaluations).where(alarm_evaluations.c.org_id == org_id), **moments):
        tx.add_new(alarm_evaluations, org_id=org_id, **moments)


def due_at(tx: Tx, org_id: str) -> datetime | None:
    """Return when the organization is looked at next; a process that looks finds what its own claim says."""
    row = tx.one(sa.select(alarm_evaluations.c.due_at).where(alarm_evaluations.c.org_id == org_id))
    return row["due_at"] if row else None


def alone(tx: Tx, org_id: str) -> None:
    """Let nobody else write down a look at the organization, or remove a channel of it, until this transaction ends."""
    tx.alone_with(f"alarms:{org_id}")


def note_evaluation(tx: Tx, org_id: str, now: datetime, again_at: datetime) -> None:
    """Write down that the organization was looked at to the end, and when it is looked at again."""
    _put(tx, org_id, evaluated_at=now, due_at=again_at)


def evaluated_at(tx: Tx, org_id: str) -> datetime | None:
    """Return when the organization was last looked at to the end."""
    row = tx.one(sa.select(alarm_evaluations.c.evaluated_at).where(alarm_evaluations.c.org_id == org_id))
    return row["evaluated_at"] if row else None


# --- alarms -----------------------------------------------------------------------------------------------------------


_OPEN_ONES = sa.select(alarms).where(alarms.c.org_id == sa.bindparam("org"), _OPEN).order_by(alarms.c.id)
_OF_KEYS = _OPEN_ONES.where(alarms.c.condition_key.in_(sa.bindparam("keys", expanding=True))).with_for_update()
_CHANGE = sa.update(alarms).where(alarms.c.id == sa.bindparam("alarm_id"))


def open_alarms(tx: Tx, org_id: str) -> dict[str, Alarm]:
    """Return all alarms that are not resolved, by the key of their condition."""
    return {row["condition_key"]: _alarm(row) for row in tx.rows(_OPEN_ONES, org=org_id)}


def lock_open(tx: Tx, org_id: str, keys: Sequence[str]) -> dict[str, Alarm]:
    """Return as :func:`open_alarms` those of these conditions; nobody else changes them until this transaction ends."""
    return {row["condition_key"]: _alarm(row) for row in tx.rows(_OF_KEYS, org=org_id, keys=keys)}


def add_all(tx: Tx, opened: Sequence[Alarm]) -> None:
    """Add alarms for conditions of which none is open: within a transaction that is :func:`alone`."""
    tx.run_all(sa.insert(alarms), [_columns(alarm) for alarm in opened])


def change(tx: Tx, alarm: Alarm) -> None:
    change_all(tx, [alarm])


def change_all(tx: Tx, changed: Sequence[Alarm]) -> None:
    tx.run_all(_CHANGE, [_columns(alarm) | {"alarm_id": alarm.id} for alarm in changed])


def get(tx: Tx, org_id: str, alarm_id: str, *, lock: bool = False) -> Alarm | None:
    query = sa.select(alarms).where(alarms.c.id == alarm_id, alarms.c.org_id == org_id)
    row = tx.one(query.with_for_update() if lock else query)
    return _alarm(row) if row else None


@dataclass(frozen=True)
class KindsInSight:
    """Of subjects of these kinds alarms may be seen that are of these projects, and with ``organization`` of no project."""

    kinds: frozenset[str]
    organization: bool
    projects: frozenset[str]


@dataclass(frozen=True)
class AlarmFilter:
    """Which alarms are looked for. ``sight``: of what lies in it, or owned by ``owner``; None: of all.

    ``owner`` is whose alarms the status ``mine`` means.
    """

    org_id: str
    resolved: bool = False
    project_id: str | None = None
    words: tuple[str, ...] = ()
    status: str | None = None
    owner: str | None = None
    sight: tuple[KindsInSight, ...] | None = None


@dataclass(frozen=True)
class PlacedAlarm:
    """What is needed to know who may see an alarm."""

    id: str
    subject_kind: str
    place: Scope
    owner_id: str | None


_STATUSES: Mapping[str, Callable[[AlarmFilter], sa.ColumnElement[bool]]] = {
    "open": lambda _: alarms.c.silence.is_(None),
    "critical": lambda _: alarms.c.severity == Severity.CRITICAL.value,
    "silenced": lambda _: alarms.c.silence.is_not(None),
    "mine": lambda criteria: alarms.c.owner_id == criteria.owner,
}


def page(tx: Tx, criteria: AlarmFilter, limit: int, offset: int) -> list[Alarm]:
    """Return some of those that match: open ones as they opened, or those resolved last, the newest first."""
    query = _in_order(sa.select(alarms), criteria).limit(limit).offset(offset)
    return [_alarm(row) for row in tx.rows(query)]


def count(tx: Tx, criteria: AlarmFilter) -> int:
    row = tx.one(sa.select(sa.func.count().label("n")).select_from(alarms).where(*_matching(criteria)))
    return int(row["n"]) if row else 0


def places(tx: Tx, criteria: AlarmFilter) -> list[PlacedAlarm]:
    """Return where all those that match are, in their order. Those in the same place have the same object."""
    columns = (
        alarms.c.id,
        alarms.c.subject_kind,
        alarms.c.org_id,
        alarms.c.project_id,
        sa.cast(alarms.c.place, sa.Text).label("place"),  # read once for each place: many alarms are in few folders
        alarms.c.owner_id,
    )
    read: dict[tuple[str | None, str], Scope] = {}
    found = []
    for id_, subject_kind, org_id, project_id, place, owner_id in tx.tuples(_in_order(sa.select(*columns), criteria)):
        scope = read.get((project_id, place))
        if scope is None:
            scope = read[project_id, place] = _scope(org_id, project_id, unread.document(place))
        found.append(PlacedAlarm(id_, subject_kind, scope, owner_id))
    return found


def with_ids(tx: Tx, ids: Sequence[str]) -> list[Alarm]:
    """Return these alarms, in the order of the ids."""
    found = {row["id"]: _alarm(row) for row in tx.rows(sa.select(alarms).where(alarms.c.id.in_(ids)))}
    return [found[one] for one in ids if one in found]


def _in_order(query: sa.Select[Any], criteria: AlarmFilter) -> sa.Select[Any]:
    order = alarms.c.resolved_at if criteria.resolved else alarms.c.opened_at
    return query.where(*_matching(criteria)).order_by(order.desc(), alarms.c.id)


def _matching(criteria: AlarmFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [
        alarms.c.org_id == criteria.org_id,
        alarms.c.resolved_at.is_not(None) if criteria.resolved else _OPEN,
        *(_contains(word) for word in criteria.words),
    ]
    if criteria.project_id:
        conditions.append(alarms.c.project_id == criteria.project_id)
    if criteria.status:
        conditions.append(_STATUSES[criteria.status](criteria))
    if criteria.sight is not None:
        conditions.append(sa.or_(alarms.c.owner_id == criteria.owner, *(_is_in(each) for each in criteria.sight)))
    return conditions


def _is_in(sight: KindsInSight) -> sa.ColumnElement[bool]:
    places = [alarms.c.project_id.in_(sorted(sight.projects))]
    if sight.organization:
        places.append(alarms.c.project_id.is_(None))
    return sa.and_(alarms.c.subject_kind.in_(sorted(sight.kinds)), sa.or_(*places))


def _contains(word: str) -> sa.ColumnElement[bool]:
    columns = (alarms.c.subject, alarms.c.kind, alarms.c.cause)
    return sa.or_(*(has_word(column, word) for column in columns))


def remove_resolved(tx: Tx, org_id: str, before: datetime, most: int) -> int:
    """Remove alarms that were resolved before this, with what was told of them: so many at most, the others the next time."""
    resolved = sa.select(alarms.c.id).where(alarms.c.org_id == org_id, alarms.c.resolved_at < before)
    return tx.run(sa.delete(alarms).where(alarms.c.id.in_(resolved.limit(most))))


def _columns(alarm: Alarm) -> dict[str, Any]:
    place, silence = alarm.place, alarm.silence
    return {
        "id": alarm.id,
        "org_id": place.org_id,
        "project_id": place.project_id,
        "kind": alarm.kind,
        "condition_key": alarm.key,
        "severity": alarm.severity.value,
        "subject_kind": alarm.subject_kind,
        "subject_id": alarm.subject_id,
        "subject": alarm.subject,
        "place": {"environment": place.environment, "path": place.path, "connectionId": place.connection_id},
        "cause": alarm.cause,
        "fix": alarm.fix,
        "path": alarm.path,
        "owner_id": alarm.owner_id,
        "contact": alarm.contact,
        "since": alarm.since,
        "ends_at": alarm.ends_at,
        "step": alarm.step,
        "opened_at": alarm.opened_at,
        "escalated_at": alarm.escalated_at,
        "reminded_at": alarm.reminded_at,
        "resolved_at": alarm.resolved_at,
        "silence": silence.kind.value if silence else None,
        "silence_by": silence.by if silence else None,
        "silence_reason": silence.reason if silence else None,
        "silence_at": silence.at if silence else None,
        "silence_until": silence.until if silence else None,
    }


def _alarm(row: Mapping[str, Any]) -> Alarm:
    faults: list[str] = []
    return Alarm(
        id=row["id"],
        kind=row["kind"],
        key=row["condition_key"],
        severity=unread.word(row, "severity", Severity.CRITICAL, faults),
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        subject=row["subject"],
        place=_place(row),
        cause=row["cause"],
        fix=row["fix"],
        path=row["path"],
        opened_at=row["opened_at"],
        reminded_at=row["reminded_at"],
        owner_id=row["owner_id"],
        contact=row["contact"],
        since=row["since"],
        ends_at=row["ends_at"],
        step=row["step"],
        escalated_at=row["escalated_at"],
        resolved_at=row["resolved_at"],
        silence=_silence(row),
    )


def _place(row: Mapping[str, Any]) -> Scope:
    return _scope(row["org_id"], row["project_id"], row["place"])


def _scope(org_id: str, project_id: str | None, place: object) -> Scope:
    known = place if isinstance(place, dict) else {}  # what cannot be read names no place
    return Scope(org_id, project_id, known.get("environment"), known.get("path"), known.get("connectionId"))


def _silence(row: Mapping[str, Any]) -> Silence | None:
    if row["silence"] not in set(SilenceKind):
        return None  # what cannot be read silences nothing
    by, reason = row["silence_by"] or "", row["silence_reason"] or ""
    return Silence(SilenceKind(row["silence"]), by, reason, row["silence_at"], row["silence_until"])


# --- rules ------------------------------------------------------------------------------------------------------------


def rules_of(tx: Tx, org_id: str) -> Rules:
    """Return the rules of the organization; the usual ones where none were set, or what was set cannot be read."""
    row = tx.one(sa.select(alarm_rules).where(alarm_rules.c.org_id == org_id))
    if row is None:
        return Rules()
    days = row["days"] if isinstance(row["days"], list) else []
    usual = Rules()
    known = tuple(each for each in usual.days if each in days)
    return Rules(known or usual.days, row["reaction_days"], row["reminder_days"])


def put_rules(tx: Tx, org_id: str, rules: Rules, now: datetime) -> None:
    tx.run(sa.delete(alarm_rules).where(alarm_rules.c.org_id == org_id))
    tx.run(
        sa.insert(alarm_rules),
        org_id=org_id,
        days=list(rules.days),
        reaction_days=rules.reaction_days,
        reminder_days=rules.reminder_days,
        updated_at=now,
    )


_COUNT = sa.select(sa.func.count().label("n")).where(
    alarms.c.org_id == sa.bindparam("org"), _OPEN, alarms.c.silence.is_(None)
)


def count_open(tx: Tx, org_id: str) -> int:
    """Return how many alarms of the organization go on and are not silenced: one look into an index."""
    row = tx.one(_COUNT, org=org_id)
    return int(row["n"]) if row else 0
