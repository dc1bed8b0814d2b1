"""What a wrong password, client secret or code does: it counts, it is written down, and in the end it locks."""

from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import subject_of
from keyturn.audit.record import record
from keyturn.db.unit import Tx
from keyturn.errors import Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.counting import counted
from keyturn.lockout.domain import Attempts, LockoutPolicy, after_failure


def add_failure(tx: Tx, owner: Actor, attempts: Attempts, policy: LockoutPolicy, now: datetime) -> Attempts:
    """Return the attempts after one more failure, and write it to the audit trail."""
    after = after_failure(attempts, policy, now)
    if policy.enabled and after.locked(now):
        event, once = events.SIGN_IN_LOCKED, None
    else:  # at most one a minute: failed sign-ins must not be able to fill the disk
        event = events.SIGN_IN_FAILED
        once = f"{event.name}:{owner.id}:{int(now.timestamp()) // 60}"
    record(tx, owner, event, subject_of(owner), now, once)
    return after


def invalid_credentials(message: str = "Invalid credentials.", field: str | None = None) -> Unauthenticated:
    return Unauthenticated(message, code="access.invalid_credentials", field=field)


def wrong_code() -> Unauthenticated:
    return Unauthenticated(
        "This code is not right, or it was used already.",
        code="access.code_wrong",
        field="code",
        fix="Type the digits that the app shows now, or one of the recovery codes.",
    )


def lock_refusal(attempts: Attempts, now: datetime) -> Unauthenticated:
    seconds = int((attempts.locked_until - now).total_seconds()) + 1 if attempts.locked_until else 0
    return Unauthenticated(
        f"Too many failed sign-ins: signing in is locked for {counted(seconds, 'more second')}.",
        code="access.locked",
        fix="Wait, or ask an admin of the organization to clear the lock.",
    )
