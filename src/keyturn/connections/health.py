"""Whether the provider still takes a connection: a refusal is a state with a beginning and an end, and an event for each.

Whoever signs in with what is stored says here how that went: the daily look, a test, a rotation, whoever uses it. Trouble
that passes (no network, 429, 5xx, replicas that lag) is never taken for a refusal.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.connections import store
from keyturn.connections.domain import COULD_CHANGE, Connection
from keyturn.connections.recording import record_connection_event
from keyturn.credentials import rotation_store as journal
from keyturn.credentials.domain import settled_at
from keyturn.db.unit import Tx
from keyturn.errors import KeyturnError, NeedsAction, NotYet, Permanent, RefusalReason, SignInAgain, Upstream
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso
from keyturn.kit.clock_difference import WRONG
from keyturn.kit.moments import not_after
from keyturn.ports.sign_in import Credentials, SignInMethod
from keyturn.providers.registry import Providers

LOOK_EVERY = timedelta(days=1)
FIRST_LOOK = timedelta(minutes=1)
"""After a credential was entered of which the provider alone knows when it ends."""
LOOK_AGAIN = timedelta(hours=1)
"""After a look that failed, and while a connection is refused."""


def next_look(now: datetime, jitter: float) -> datetime:
    """Return when to look again: within a day, spread over its last tenth."""
    return now + LOOK_EVERY * (1 - jitter / 10)


def first_look(now: datetime, jitter: float, method: SignInMethod, credentials: Credentials) -> datetime:
    """Return when to look for the first time at a credential that has just signed in."""
    knows_its_end = method.kind() is None or method.ends_at(credentials) is not None
    return next_look(now, jitter) if knows_its_end else now + FIRST_LOOK


def is_settled(connection: Connection, settle: timedelta, now: datetime) -> bool:
    """Whether every replica knows the connection's credential by ``now``, which is by the provider's clock."""
    published = connection.published_at
    return published is None or now >= settled_at(published, settle, now)


def is_refusal(error: KeyturnError, *, settled: bool) -> bool:
    return settled if isinstance(error, NotYet) else isinstance(error, (NeedsAction, Permanent))


def healthy_columns(now: datetime) -> dict[str, Any]:
    """Return what to write of a connection whose credential has just been accepted."""
    return {
        "checked_at": now,
        "check_result": {"ok": True},
        "refused_at": None,
        "refusal": None,
        "unreached_since": None,
    }


def note_accepted(
    tx: Tx,
    earlier: Connection,
    now: datetime,
    look_at: datetime,
    ends_at: datetime | None = None,
    *,
    may_change: bool = False,
) -> None:
    """The credential that was seen is accepted, and ends then, where that was seen, too. ``may_change``: it may change secrets.

    Nothing is written when another took its place since.
    """
    connection = _same(tx, earlier)
    if connection:
        end = {"secret_ends_at": ends_at} if ends_at else {}
        columns = healthy_columns(now)
        columns["check_result"] |= {COULD_CHANGE: True} if may_change or connection.could_change else {}
        store.change(tx, connection, look_at=look_at, **columns, **end)
        if connection.refused_at or not (connection.check_result or {}).get("ok"):
            journal.wake_through(tx, connection.id, now)
        record_recovery(tx, connection, now)


def record_recovery(tx: Tx, before: Connection, now: datetime) -> None:
    """Write down the end of a refusal, if there was one."""
    if before.refused_at is None:
        return
    code = (before.refusal or {}).get("code")
    facts = {"method": before.method, "refusedAt": iso(before.refused_at), "code": code}
    record_connection_event(tx, platform(before.org_id), events.CONNECTION_RECOVERED, before, now, **facts)


def note_refused(tx: Tx, earlier: Connection, error: KeyturnError, now: datetime) -> None:
    """The provider refuses what was seen: a state, and an event when it begins and whenever the reason becomes another."""
    connection = _same(tx, earlier)
    if connection is None:
        return
    result, since = _failed(connection, error), not_after(connection.refused_at or now, now)
    before = (connection.refusal or {}).get("code")
    refusal = {name: result[name] for name in ("code", "message", "fix")}
    reason = error.reason if isinstance(error, Upstream) else None
    store.change(
        tx,
        connection,
        checked_at=now,
        check_result=result,
        refused_at=since,
        refusal=refusal | {"reason": reason},
        unreached_since=None,
        look_at=now + LOOK_AGAIN,
    )
    if before == error.code:
        return
    by = platform(connection.org_id)
    facts = {"method": connection.method, "refusedAt": iso(since)} | refusal
    record_connection_event(tx, by, events.CONNECTION_REFUSED, connection, now, **facts)
    current = journal.current_of_connection(tx, connection.id)
    # A provider that holds only expired credentials calls any other one expired, too. Near its end, by whichever of both
    # clocks, nobody can tell an expired credential from one that was removed.
    still_lives = current and current["ends_at"] and current["ends_at"] > now + WRONG
    expired_early = reason is RefusalReason.CREDENTIAL_EXPIRED and still_lives
    # While a connection is watched that gives its secret up, the journal has the secret, and something else is refused.
    is_it = current is None or current["credential_kind"] == connection.method
    if is_it and (reason is RefusalReason.CREDENTIAL_UNKNOWN or expired_early):
        _record_vanished(tx, connection, current, now)


def note_trouble(tx: Tx, earlier: Connection, error: KeyturnError, now: datetime) -> None:
    """It could not be found out, nor since when that is so. Whether the connection is refused stays as it was."""
    connection = _same(tx, earlier)
    if connection:
        facts = _failed(connection, error) | {"transient": True}
        since = not_after(connection.unreached_since or now, now)
        store.change(
            tx, connection, checked_at=now, check_result=facts, unreached_since=since, look_at=now + LOOK_AGAIN
        )


def check_failed(error: KeyturnError) -> dict[str, Any]:
    """What a connection remembers of a failed check."""
    facts: dict[str, Any] = {"ok": False, "code": error.code, "message": error.message, "fix": error.fix}
    return facts | ({"needsReconnect": True} if isinstance(error, SignInAgain) else {})


def _failed(connection: Connection, error: KeyturnError) -> dict[str, Any]:
    """As :func:`check_failed`. What the credential could do is not forgotten: else its loss would be no news an hour later."""
    return check_failed(error) | ({COULD_CHANGE: True} if connection.could_change else {})


def readable(connection: Connection, providers: Providers) -> Connection:
    """Return the connection as it is shown: one with a method that this server does not know does not work, and says so."""
    try:
        providers.method_of(connection)
    except NeedsAction as error:
        return replace(connection, check_result=check_failed(error))
    return connection


def _same(tx: Tx, earlier: Connection) -> Connection | None:
    """Return the connection as it is, locked, unless its credential is another one by now."""
    connection = store.get(tx, earlier.id, lock=True)
    return connection if connection and connection.secret_version == earlier.secret_version else None


def _record_vanished(tx: Tx, connection: Connection, credential: Mapping[str, Any] | None, now: datetime) -> None:
    """Somebody removed the current secret: told of the rotation where there is one, as all drift of it is."""
    kind, subject_id = SubjectKind.CONNECTION, connection.id
    if credential:
        kind, subject_id = SubjectKind.ROTATION, str(credential["rotation_id"])
    subject = Subject(kind, subject_id, connection.project_id)
    facts = {
        "connectionId": connection.id,
        "applicationObjectId": credential and credential["object_id"],
        "appId": connection.client_id,
        "kind": "current-vanished",
        "keyId": credential and credential["key_id"],
        "displayName": credential and credential["marker"],
        "hint": credential and credential["hint"],
    }
    details = {name: value or None for name, value in facts.items()}
    record(tx, platform(connection.org_id), events.CREDENTIALS_DRIFTED, subject, now, **details)
