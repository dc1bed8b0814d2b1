"""SQL of the gauges that the database tells: counts and moments from indexes, in two statements for the whole installation."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables.views import (
    alarm_channels,
    alarm_evaluations,
    alarm_messages,
    alarms,
    app_connections,
    audit_streams,
    conversions,
    inventory_connections,
    journal_entries,
    oauth_tokens,
    processes,
    rotations,
    runs,
    universal_auths,
    use_reports,
    users,
    wake_ups,
    webhook_deliveries,
    webhooks,
)
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass

OVERDUE_AFTER = timedelta(hours=1)
GIVEN_UP_WITHIN = timedelta(days=1)
SENT_WITHIN = timedelta(minutes=15)
"""A receiver of audit events that fails is tried again sooner, unless the settings name it no more."""
LIVE_STATES = ("current", "retiring", "revoking", "lost")
"""Of credentials: the other states are passed in minutes, or are for ever."""
SEVERITIES = ("critical", "warning", "notice")
ROTATION_STATES = ("failed", "off", "paused", "new", "fine")


def _first(column: sa.ColumnClause[Any], *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """The earliest moment of an indexed column: one look into the index."""
    return sa.select(sa.func.min(column)).where(*where).scalar_subquery()


SOURCES: Mapping[str, Any] = {
    "rotation": _first(wake_ups.c.wake_at),
    "webhook": _first(webhooks.c.wake_at, webhooks.c.enabled.is_(True)),
    "look": _first(app_connections.c.look_at),
    "refresh-token": _first(oauth_tokens.c.refresh_due_at),
    "inventory": _first(inventory_connections.c.next_at),
    "use-reports": _first(use_reports.c.ask_at),
    "conversion": _first(conversions.c.wake_at),
    "alarm-evaluation": _first(alarm_evaluations.c.due_at),
    "alarm-message": _first(alarm_messages.c.due_at),
}
"""When the oldest piece of each source of work is due."""


def _count(of: sa.TableClause, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(of).where(*where).scalar_subquery()


def _literal(text: str) -> sa.ColumnElement[str]:
    """A constant that stands in the statement itself, as in the condition of an index."""
    return sa.literal_column(f"'{text}'")


def _sum(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


_now = sa.bindparam("now", type_=rotations.c.next_run_at.type)
_KEPT = sa.and_(rotations.c.retired.is_(False), sa.or_(rotations.c.status.is_(None), rotations.c.status != "failed"))
_PAUSED = sa.and_(rotations.c.paused_until.is_not(None), rotations.c.paused_until > _now)
_ON = sa.and_(_KEPT, rotations.c.enabled.is_(True), sa.not_(sa.func.coalesce(_PAUSED, sa.false())))
_ROTATIONS = sa.select(
    _sum(sa.and_(rotations.c.retired.is_(False), rotations.c.status == "failed")).label("rotations_failed"),
    _sum(sa.and_(_KEPT, rotations.c.enabled.is_(False))).label("rotations_off"),
    _sum(sa.and_(_KEPT, rotations.c.enabled.is_(True), _PAUSED)).label("rotations_paused"),
    _sum(sa.and_(_ON, rotations.c.last_rotated_at.is_(None))).label("rotations_new"),
    _sum(sa.and_(_ON, rotations.c.last_rotated_at.is_not(None))).label("rotations_fine"),
    _sum(sa.and_(rotations.c.retired.is_(False), rotations.c.next_run_at < sa.bindparam("overdue_before"))).label(
        "overdue"
    ),
).subquery()
_CONNECTIONS = (
    sa.select(sa.func.count().label("connections"), sa.func.count(app_connections.c.checked_at).label("checked"))
    .select_from(app_connections)
    .subquery()
)
_FIGURES = sa.select(
    *_ROTATIONS.c,
    *_CONNECTIONS.c,
    _count(app_connections, app_connections.c.refused_at.is_not(None)).label("refused"),
    *(_count(journal_entries, journal_entries.c.state == _literal(state)).label(state) for state in LIVE_STATES),
    _count(runs, runs.c.finished_at.is_(None)).label("runs"),
    _count(processes, processes.c.seen_at >= sa.bindparam("alive_since")).label("processes"),
    *(
        _count(alarms, alarms.c.resolved_at.is_(None), alarms.c.severity == severity).label(f"alarms_{severity}")
        for severity in SEVERITIES
    ),
    _count(alarm_messages, alarm_messages.c.due_at.is_not(None), alarm_messages.c.tries == 0).label("told_waiting"),
    _count(alarm_messages, alarm_messages.c.due_at.is_not(None), alarm_messages.c.tries > 0).label("told_failing"),
    _count(
        alarm_messages,
        alarm_messages.c.created_at >= sa.bindparam("given_up_since"),
        alarm_messages.c.given_up_at.is_not(None),
    ).label("told_given_up"),
    _count(alarm_channels, alarm_channels.c.enabled.is_(True), alarm_channels.c.failing_since.is_not(None)).label(
        "channels_failing"
    ),
    _count(webhook_deliveries, webhook_deliveries.c.next_at.is_not(None)).label("webhooks_waiting"),
    _count(webhooks, webhooks.c.enabled.is_(True), webhooks.c.failing_since.is_not(None)).label("webhooks_failing"),
    _count(
        audit_streams, audit_streams.c.failing_since.is_not(None), audit_streams.c.wake_at >= sa.bindparam("sent_since")
    ).label("streams_failing"),
    _count(users, users.c.locked_until > _now).label("locked_users"),
    _count(universal_auths, universal_auths.c.locked_until > _now).label("locked_identities"),
    *(moment.label(f"due_{name}") for name, moment in SOURCES.items()),
).select_from(_ROTATIONS.join(_CONNECTIONS, sa.true()))


def figures(tx: Tx, now: datetime, dead_after: timedelta) -> Mapping[str, Any]:
    """Return all counts, and under ``due_<source>`` the moments of ``SOURCES``, in one row."""
    return tx.rows(
        _FIGURES,
        now=now,
        overdue_before=now - OVERDUE_AFTER,
        alive_since=now - dead_after,
        given_up_since=now - GIVEN_UP_WITHIN,
        sent_since=now - SENT_WITHIN,
    )[0]


@dataclass(frozen=True)
class Ending:
    """A credential that ends by itself: that of a connection, or the current one of a rotation of another application."""

    subject: str
    id: str
    project_id: str | None
    name: str
    ends_at: datetime


def _ends_of_connections(column: sa.ColumnClause[Any]) -> sa.Select[Any]:
    return (
        sa.select(
            sa.literal_column("'connection'").label("subject"),
            app_connections.c.id,
            app_connections.c.project_id,
            app_connections.c.name,
            column.label("ends_at"),
        )
        .where(column.is_not(None))
        .order_by(column)
        .limit(sa.bindparam("most"))
    )


_SOONEST = (
    sa.select(journal_entries.c.rotation_id, journal_entries.c.ends_at)
    .where(journal_entries.c.state == _literal("current"), journal_entries.c.ends_at.is_not(None))
    .order_by(journal_entries.c.ends_at)
    .limit(sa.bindparam("most"))
    .subquery()
)
"""From an index alone: only what is told is looked up. What is told of a rotation that has ended is not."""
_OF_ROTATIONS = (
    sa.select(
        rotations.c.kind.label("subject"),
        sa.func.coalesce(
            sa.case((rotations.c.kind == "connection", rotations.c.connection_id), else_=rotations.c.id),
            rotations.c.id,
        ).label("id"),
        rotations.c.project_id,
        rotations.c.name,
        _SOONEST.c.ends_at,
    )
    .select_from(_SOONEST.join(rotations, rotations.c.id == _SOONEST.c.rotation_id))
    .where(rotations.c.retired.is_(False))
)
_ENDS = sa.union_all(
    *(
        sa.select(part.subquery())
        for part in (
            _OF_ROTATIONS,
            _ends_of_connections(app_connections.c.ends_at),
            _ends_of_connections(app_connections.c.secret_ends_at),
        )
    )
)


def endings(tx: Tx, most: int) -> list[Ending]:
    """Return what ends soonest, at most so many subjects, each once with its first end."""
    found: dict[tuple[str, str], Ending] = {}
    for row in tx.rows(_ENDS, most=most):
        if not isinstance(row["ends_at"], datetime):
            continue
        subject = "connection" if row["subject"] == "connection" else "rotation"
        ending = Ending(subject, str(row["id"]), row["project_id"], row["name"], row["ends_at"])
        before = found.setdefault((subject, ending.id), ending)
        if ending.ends_at < before.ends_at:
            found[subject, ending.id] = ending
    return sorted(found.values(), key=lambda ending: ending.ends_at)[:most]
