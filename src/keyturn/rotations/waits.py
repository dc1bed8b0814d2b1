"""When stored moments let the next thing happen. Each is bounded by now and its own spacing, see ``kit.moments``. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from keyturn.credentials.domain import Credential
from keyturn.delivery.use_domain import held_until, holders
from keyturn.kit.clock_difference import WRONG
from keyturn.kit.moments import CLOCKS_APART, bound_delay, shift
from keyturn.rotations.domain import Snapshot
from keyturn.rotations.evidence.domain import NOTHING_KNOWN, Verdict, judge
from keyturn.rotations.freezes.domain import LONGEST_MOVE, FreezeWindows, freeze_at
from keyturn.rotations.schedule import Anchor, Schedule

LONGEST_RETRY = timedelta(hours=7)
"""Longer than every pause after a failure."""
LONGEST_PROMISE = timedelta(days=367)
SWEEP_AT_MOST = timedelta(days=1.1)
"""Between two looks at the application."""
COPIES = timedelta(seconds=1)
"""For so long other processes may still answer readers with a secret that was replaced."""
_SHIFT = timedelta(days=2)
"""By so much a slot is more than the interval away: a full day after a late run, and what clocks are put forward or back."""


class Planned(Protocol):
    """What of a rotation says when its next run is due."""

    @property
    def schedule(self) -> Schedule: ...
    @property
    def next_run_at(self) -> datetime | None: ...
    @property
    def moved_days(self) -> int: ...
    @property
    def paused_until(self) -> datetime | None: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def updated_at(self) -> datetime | None: ...


def again(done_at: datetime | None, spacing: timedelta, now: datetime) -> datetime:
    """When something that was last done then may be done again."""
    return now if done_at is None else bound_delay(shift(done_at, spacing), now, spacing)


def put_off(
    until: datetime | None, set_at: datetime | None, now: datetime, again_since: datetime | None = None
) -> datetime:
    """When something may be done that was put off, at ``set_at``, until then; at once if there is reason to since."""
    if until is None or (set_at and again_since and set_at < again_since <= now):
        return now
    return bound_delay(until, now, until - set_at if set_at else LONGEST_RETRY)


def promise_end(until: datetime, given_at: datetime | None, now: datetime) -> datetime:
    """When it is time to see whether the promise to readers of a secret that was replaced is over.

    At once if nothing was promised, or longer than ever is; and if it was given in the future: then the clock of whoever gave
    it was wrong, or ours is.
    """
    if given_at is None:
        return bound_delay(until, now, LONGEST_PROMISE)
    length = until - given_at
    return bound_delay(until, now, min(length + WRONG, LONGEST_PROMISE)) if length > timedelta() else now


def kept_until(until: datetime, given_at: datetime | None, now: datetime) -> datetime:
    """Until when readers may rely on the secret, by a clock that is right.

    What was promised in its future was promised by a wrong clock: it is kept for its own length, from now on.
    """
    if given_at is None or until - given_at > LONGEST_PROMISE:
        return promise_end(until, given_at, now)
    return until if given_at - now <= WRONG else now + (until - given_at)


def over(
    row: Credential,
    snapshot: Snapshot,
    now: datetime,
    bound: Callable[[datetime, datetime | None, datetime], datetime] = promise_end,
) -> datetime:
    """Return when a secret that was replaced goes: when its promise is over, or, where it waits for that, nobody holds it.

    One that goes only once it is not used any more goes after its grace, when that is shown, or at its end.

    ``bound`` says when a stored moment has come: :func:`promise_end`, or :func:`kept_until` by a clock that is right.
    """
    end = bound(row.revoke_after or now, row.retired_at, now)
    if row.wait_ends_at is None or end <= now:
        return end
    held, used = held_until(snapshot.uses, row.id, snapshot.newer_than(row), now), verdict(row, snapshot, now)
    if row.grace_ends_at is not None:
        floor = bound(row.grace_ends_at, row.retired_at, now)
        if used.releases:
            return min(end, max(floor, now))
        return end if held is None or held <= now else min(end, max(floor, held))  # then it is looked at again
    wait = bound(row.wait_ends_at, row.retired_at, now)
    # Who was seen to sign in with it after all that are known had switched holds it, whoever that is.
    return end if held is None else min(end, wait if used.unexplained else held, wait)


def verdict(row: Credential, snapshot: Snapshot, now: datetime) -> Verdict:
    """Say whether a secret that was replaced is still used, by all that is known."""
    newer = snapshot.newer_than(row)
    found = holders(snapshot.uses, row.id, newer, now)
    switched = None
    if found and not any(each.holds for each in found):
        switched = max(min(each.switched_at or each.until or now, now) for each in found)
    return judge(snapshot.evidence or NOTHING_KNOWN, row.id, sorted(newer), switched, now)


def retry_at(row: Credential, snapshot: Snapshot, now: datetime) -> datetime:
    """Return when what failed for this credential is tried again."""
    return put_off(row.retry_at, row.retry_set_at, now, snapshot.try_again_since)


def retirement(row: Credential, snapshot: Snapshot, now: datetime) -> datetime:
    """Return when a secret that was replaced is taken up for its removal, or again when that failed.

    In a freeze one that was promised to its readers waits for the end of it, unless a run is under way, which may need its
    place. What leaked, and what is left of a rotation that has ended, never waits for that; but what leaked goes only after every
    process hands out its successor, so that a program that reads after the publishing is not given what is just removed.
    """
    at = max(over(row, snapshot, now), retry_at(row, snapshot, now))
    if row.retired_by and row.retired_at and not snapshot.rotation.retired:
        at = max(at, bound_delay(shift(row.retired_at, COPIES), now, COPIES + CLOCKS_APART))
    if snapshot.run or snapshot.rotation.retired or not row.promised:
        return at
    return unfrozen(snapshot.windows, at, now)


def unfrozen(windows: FreezeWindows, at: datetime, now: datetime) -> datetime:
    """Return the moment, or if nothing is changed then, the end of that freeze and of those that follow it at once."""
    until = max(at, now)
    for _ in range(len(windows)):
        freeze = freeze_at(windows, until)
        if freeze is None:
            break
        until = freeze.ends
    return at if until == max(at, now) else until


def swept(sweep_at: datetime, now: datetime) -> datetime:
    return bound_delay(sweep_at, now, SWEEP_AT_MOST)


def slot(planned: Planned, now: datetime) -> datetime | None:
    """When the schedule or the guard asks for the next run."""
    at = planned.next_run_at
    return None if at is None else bound_delay(at, now, _furthest(planned))


def due(planned: Planned, now: datetime, works_since: datetime | None = None) -> datetime | None:
    """When the next run starts by itself; None when it does not.

    A pause after a failure is over when the connection that signs in ``works_since`` a later moment.
    """
    if planned.due_at is None:
        return None
    if planned.paused_until:
        # A pause is written together with updated_at.
        return bound_delay(put_off(planned.due_at, planned.updated_at, now, works_since), now, LONGEST_RETRY)
    return slot(planned, now)


def doubt(planned: Planned, now: datetime) -> str | None:
    """Say that the next run lies further ahead than it can: then some clock was wrong when it was written down."""
    at = planned.due_at
    if at is None or due(planned, now) == at:
        return None
    return (
        f"The next run was set for {at:%Y-%m-%d %H:%M} UTC, further ahead than the schedule allows: a clock of this installation "
        "was wrong, or is now. It counts as due. If it does not run, compare the clocks with: keyturn doctor"
    )


def known_anchor(anchor: Anchor, now: datetime) -> Anchor:
    """Return what the next run is counted from: now, if it was noted by a clock that was far ahead."""
    return anchor if bound_delay(anchor.at, now, timedelta(days=1)) == anchor.at else Anchor(now, scheduled=False)


def _furthest(planned: Planned) -> timedelta:
    days = min(max(planned.schedule.interval_days, 1), 400) + min(max(planned.moved_days, 0), LONGEST_MOVE.days + 1)
    return timedelta(days=days) + _SHIFT
