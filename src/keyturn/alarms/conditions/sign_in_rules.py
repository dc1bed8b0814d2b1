"""Conditions of connections that the provider does not take, or that nobody has tried. Pure.

When the provider or the network is away all connections have one at once. So which one a connection has is told apart from its
words: statements count by it, and only what is shown is put into words.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity
from keyturn.alarms.conditions.rules import about_connection
from keyturn.connections.domain import Connection
from keyturn.kit.moments import shift

UNCHECKED_AFTER = timedelta(days=2)
"""Each connection is tried daily: one that was not for so long is watched by nobody."""
AWAY_AFTER = timedelta(hours=12)
"""What could not be found out is tried again hourly: what lasts for so long does not pass by itself."""
_LOOK = "See on its page what is wrong, and test it again."
"""Where the one who said that something is wrong did not say what to do."""


class SignInTrouble(StrEnum):
    """Why it is not known that a connection signs in: a connection has one of these at most."""

    REFUSED = "refused"
    FAILED = "failed"
    UNTRIED = "untried"
    AWAY = "away"
    """It could not be found out for longer than what passes by itself lasts."""
    UNREACHED = "unreached"
    """It could not be found out when it was tried last: what passes by itself."""

    @property
    def kind(self) -> ConditionKind:
        return _CONDITIONS[self][0]

    @property
    def severity(self) -> Severity:
        return _CONDITIONS[self][1]


_CONDITIONS = {
    SignInTrouble.REFUSED: (ConditionKind.CONNECTION_REFUSED, Severity.CRITICAL),
    SignInTrouble.FAILED: (ConditionKind.CONNECTION_FAILED, Severity.CRITICAL),
    SignInTrouble.UNTRIED: (ConditionKind.CONNECTION_UNCHECKED, Severity.WARNING),
    SignInTrouble.AWAY: (ConditionKind.CONNECTION_UNCHECKED, Severity.WARNING),
    SignInTrouble.UNREACHED: (ConditionKind.CONNECTION_UNCHECKED, Severity.NOTICE),
}


def trouble_of(connection: Connection, now: datetime) -> SignInTrouble | None:
    """Say what keeps the connection from signing in, as far as it is known. The statements of ``sign_in_store`` say the same."""
    check = connection.check_result or {}
    if connection.refused_at or connection.needs_reconnect:
        return SignInTrouble.REFUSED
    if check.get("transient"):
        since = connection.unreached_since
        lasts = since is not None and shift(since, AWAY_AFTER) < now
        return SignInTrouble.AWAY if lasts else SignInTrouble.UNREACHED
    if check.get("ok") is False:
        return SignInTrouble.FAILED
    last = connection.checked_at or connection.created_at
    return SignInTrouble.UNTRIED if shift(last, UNCHECKED_AFTER) < now else None


def of_sign_in(connection: Connection, noun: str, now: datetime) -> Condition | None:
    """Return the condition of a connection that does not sign in, or of which nobody knows; None where all is well."""
    trouble = trouble_of(connection, now)
    if trouble is None:
        return None
    cause, fix = _words(connection, trouble)
    since = connection.checked_at
    if trouble is SignInTrouble.REFUSED:
        since = connection.refused_at or since
    elif trouble in {SignInTrouble.AWAY, SignInTrouble.UNREACHED}:
        since = connection.unreached_since or since
    elif trouble is SignInTrouble.UNTRIED:
        since = since or connection.created_at
    return about_connection(connection, noun).condition(trouble.kind, trouble.severity, cause, fix, since=since)


def _words(connection: Connection, trouble: SignInTrouble) -> tuple[str, str]:
    """Return the cause, and what to do."""
    if trouble is SignInTrouble.UNTRIED:
        last = f"since {connection.checked_at:%Y-%m-%d}" if connection.checked_at else "since it was made"
        return (
            f"'{connection.name}' was not tried {last}, though each connection is tried daily.",
            "Test it here, and see whether a worker lives with: keyturn doctor",
        )
    check = connection.check_result or {}
    refusal = (connection.refusal or {}) if trouble is SignInTrouble.REFUSED else {}
    cause = refusal.get("message") or check.get("message") or f"'{connection.name}' did not work when it was tried."
    return str(cause), str(refusal.get("fix") or check.get("fix") or _LOOK)
