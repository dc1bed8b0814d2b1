"""Whether a run begins when it is due, by another computation of when that is."""

import sqlite3
from collections.abc import Collection
from datetime import timedelta

from keyturn.credentials.domain import State
from keyturn.rotations.domain import Reason
from keyturn.rotations.run_schedule import guard
from keyturn_simulation.invariants import Broken
from keyturn_simulation.journal_rows import Row, is_gone, moment_of, slot_of
from keyturn_simulation.world import World

KEPT_TIME_OF_DAY = timedelta(hours=25)
"""A run because of expiry is so much earlier at most than it must be: it keeps the schedule's time of day."""


def check_run(world: World, raw: sqlite3.Connection, rows: Collection[Row], run_id: str) -> None:
    """A run that nobody asked for starts when it is due, by another computation of when that is."""
    query = (
        "SELECT r.reason, r.created_at, r.slot_at, r.requested_by, p.id, p.anchor, p.interval_days, p.at_hour, p.at_minute,"
        " p.time_zone, p.enabled, p.paused_until"
        " FROM runs r JOIN rotations p ON p.id = r.rotation_id WHERE r.id = ?"
    )
    cells = raw.execute(query, (run_id,)).fetchone()
    reason, created, slot, by, rotation_id, anchor, days, hour, minute, zone, enabled, paused = cells
    asked = by not in {None, "null"} or (paused and reason in {Reason.MANUAL.value, Reason.LEAKED.value})
    gone = reason == Reason.VANISHED.value and is_gone(rows, rotation_id, world.keys_of)
    if asked or gone:
        return  # asked for, or tried again after it failed; or the current secret is not there
    began = moment_of(created)
    if not enabled:
        raise Broken(f"schedule: a run of the paused rotation {rotation_id} started by itself")
    if slot is None and world.clocks_apart:
        return  # what a wrong clock put off is due
    if reason == Reason.SCHEDULED.value:
        due = slot_of(anchor, days, hour, minute, zone)
        if moment_of(slot) != due:
            raise Broken(f"schedule: the run is for the slot {slot}, by the calendar it is {due}")
        if began < due:
            raise Broken(f"schedule: a run for {due} started at {began}")
    elif reason == Reason.EXPIRY.value:
        current = next(row for row in rows if row.rotation_id == rotation_id and row.state is State.CURRENT)
        if (
            current.starts_at
            and current.ends_at
            and began < guard(current.starts_at, current.ends_at) - KEPT_TIME_OF_DAY
        ):
            raise Broken(f"schedule: a run because of expiry at {began}, but the secret lives until {current.ends_at}")
    elif anchor not in {None, "null"}:
        raise Broken(f"schedule: a run of rotation {rotation_id} for the reason {reason} started by itself")
