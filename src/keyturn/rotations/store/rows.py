"""Reads the rows of rotations and runs. What cannot be understood is said by the one object that it concerns. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from keyturn.db import unread
from keyturn.kit.moments import FIRST, utc_of
from keyturn.ports.provider import Tenant
from keyturn.rotations.domain import Reason, Rotation, RotationKind, Run, RunState
from keyturn.rotations.schedule import Anchor, Schedule, schedule_fault, weekday_mask, weekdays_of

_SPECIAL = {"kind", "tenant", "schedule", "anchor", "unreadable"}
PLAIN = tuple(name for name in Rotation.__dataclass_fields__ if name not in _SPECIAL)


def read_schedule(row: Mapping[str, Any], prefix: str = "") -> Schedule:
    days, hour, minute, zone = (row[prefix + name] for name in ("interval_days", "at_hour", "at_minute", "time_zone"))
    return Schedule(days, hour, minute, zone, weekdays_of(row[f"{prefix}weekdays"]))


def schedule_columns(schedule: Schedule) -> dict[str, Any]:
    return {
        "interval_days": schedule.interval_days,
        "at_hour": schedule.hour,
        "at_minute": schedule.minute,
        "time_zone": schedule.time_zone,
        "weekdays": weekday_mask(schedule.weekdays),
    }


def rotation(row: Mapping[str, Any]) -> Rotation:
    """Read a rotation. What cannot be understood makes it one that has failed and says so; it never fails a list."""
    values, faults = unread.values(row, PLAIN)
    schedule = read_schedule(row)
    kind = unread.word(row, "kind", RotationKind.CONNECTION, faults)
    sentence = (
        f"The rotation {row['id']} cannot be read: {', '.join(faults)}. Restore it from a backup, or "
        if faults
        else None
    )
    sentence = f"{sentence}save its schedule again." if sentence else schedule_fault(schedule)
    policy = Rotation(
        kind=kind,
        tenant=Tenant(row["cloud"], row["tenant_id"]),
        schedule=schedule,
        anchor=_anchor(row["anchor"], values["last_rotated_at"]),
        unreadable=sentence,
        **values,
    )
    return replace(policy, status="failed", last_message=sentence) if sentence else policy


def _anchor(stored: Any, last_rotated_at: datetime | None) -> Anchor | None:
    """Read what the next run is counted from; the last rotation where that cannot be understood."""
    if stored is None:
        return None
    try:
        at = datetime.fromisoformat(stored["at"])
        return Anchor(utc_of(at.replace(tzinfo=at.tzinfo or UTC)), bool(stored["scheduled"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Anchor(last_rotated_at, scheduled=False) if last_rotated_at else None


def run(row: Mapping[str, Any], prefix: str = "") -> Run:
    """Read a run. A word that is not known counts as the most harmless one."""
    fields, _ = unread.values(row, Run.__dataclass_fields__, prefix)
    ended = RunState.FAILED if fields["finished_at"] else RunState.ACTIVE
    words = {
        "reason": unread.word(row, f"{prefix}reason", Reason.SCHEDULED, []),
        "state": unread.word(row, f"{prefix}state", ended, []),
    }
    documents = {name: unread.mapping(fields[name]) for name in ("requested_by", "failure")}
    return Run(**(fields | words | documents | {"created_at": fields["created_at"] or FIRST}))
