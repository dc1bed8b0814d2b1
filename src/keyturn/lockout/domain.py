"""When a sign-in is locked after failures. Pure: values and ``now`` in, values out."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import bound_delay


@dataclass(frozen=True)
class LockoutPolicy:
    """After ``threshold`` failures, each within ``reset`` of the one before, sign-in is refused for ``duration``."""

    enabled: bool = True
    threshold: int = 3
    duration: timedelta = timedelta(seconds=300)
    reset: timedelta = timedelta(seconds=30)


PEOPLE = LockoutPolicy(threshold=5, reset=timedelta(minutes=15))
"""People mistype passwords, but not many times in a row."""


@dataclass(frozen=True)
class Attempts:
    """The failed sign-ins so far."""

    failures: int = 0
    last_failure_at: datetime | None = None
    locked_until: datetime | None = None

    def locked(self, now: datetime) -> bool:
        until = self.locked_until
        if until is None or self.last_failure_at is None:
            return until is not None and now < until
        return now < bound_delay(until, now, until - self.last_failure_at)


def after_failure(attempts: Attempts, policy: LockoutPolicy, now: datetime) -> Attempts:
    """Return the attempts after one more failure. While locked nothing changes, so a lock cannot be prolonged."""
    if not policy.enabled or attempts.locked(now):
        return attempts
    recent = attempts.last_failure_at is not None and now - attempts.last_failure_at <= policy.reset
    failures = attempts.failures + 1 if recent else 1
    if failures >= policy.threshold:
        return Attempts(0, now, now + policy.duration)
    return replace(attempts, failures=failures, last_failure_at=now, locked_until=None)


def attempt_columns(attempts: Attempts) -> dict[str, Any]:
    return {
        "failures": attempts.failures,
        "last_failure_at": attempts.last_failure_at,
        "locked_until": attempts.locked_until,
    }
