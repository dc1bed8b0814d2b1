"""Looking at the application's credentials: what others changed (shown, never acted on) and what of ours came back."""

from datetime import timedelta

from keyturn.audit import events
from keyturn.connections import health
from keyturn.connections import store as connections
from keyturn.connections.domain import Connection
from keyturn.connections.looks import report
from keyturn.credentials import store as journal
from keyturn.credentials.domain import ENDED, Credential, State, is_marker
from keyturn.db.unit import Tx
from keyturn.errors import Retryable, Upstream
from keyturn.ports.provider import RemoteApplication, RemoteCredential
from keyturn.rotations.domain import Kind, Snapshot
from keyturn.rotations.store import observed, policies
from keyturn.rotations.work.hold import Hold
from keyturn.rotations.work.outcome import record_rotation_event

SWEEP_EVERY = timedelta(days=1)
SWEEP_RETRY = timedelta(hours=1)
GONE_IS_NEWS_FOR = timedelta(days=2)


def sweep(hold: Hold, snapshot: Snapshot) -> None:
    """List the application's credentials; bring back to removal any of ours that should not be there; note drift."""
    rotation = snapshot.rotation
    application = hold.look(snapshot)
    with hold.write() as tx:
        suspect = note(tx, hold, snapshot, application)
        # Doubtful news is looked at again soon; otherwise once a day, spread over it.
        again = hold.tools.pace.confirm_spacing if suspect else SWEEP_EVERY * (1 - hold.tools.ids.jitter() / 10)
        policies.set_sweep(tx, rotation.id, hold.now() + again)
        note_accepted(tx, hold, snapshot)


def sweep_failed(tx: Tx, hold: Hold, snapshot: Snapshot, error: Upstream) -> None:
    """Look again later: soon while a credential is still spreading, so that by the end of that time it is clear."""
    now, pace, current = hold.now(), hold.tools.pace, snapshot.current
    again = now + SWEEP_RETRY
    if isinstance(error, Retryable) and current and current.published_at:
        settled_at = health.settled_at(current.published_at, pace.settle, now)
        soon = now + max(pace.confirm_spacing, (now - current.published_at) / 2, timedelta(seconds=1))
        again = min(soon, settled_at) if now < settled_at else again
    policies.set_sweep(tx, hold.rotation_id, again)
    report(str(snapshot.rotation.connection_id), error)
    connection = _connection(tx, snapshot)
    if connection and hold.refusal is None:
        health.troubled(tx, connection, error, now)


def note_refused(tx: Tx, hold: Hold, snapshot: Snapshot, error: Upstream) -> None:
    """The provider refuses the connection: a state of it, whatever step found out."""
    connection = _connection(tx, snapshot)
    if connection:
        health.refused(tx, connection, error, hold.now())


def note_accepted(tx: Tx, hold: Hold, snapshot: Snapshot, *, looked: bool = True) -> None:
    """The connection works. To be called last: it locks the connection. Without ``looked`` only the end of a refusal counts."""
    connection = _connection(tx, snapshot)
    if connection and (looked or connection.refused_at):
        now = hold.now()
        health.accepted(tx, connection, now, health.next_look(now, hold.tools.ids.jitter()))


def _connection(tx: Tx, snapshot: Snapshot) -> Connection | None:
    """Return the connection whose own credential this is; None once that has ended."""
    rotation = snapshot.rotation
    own = rotation.kind is Kind.CONNECTION and not rotation.retired
    return connections.get(tx, rotation.connection_id) if own and rotation.connection_id else None


def note(tx: Tx, hold: Hold, snapshot: Snapshot, application: RemoteApplication) -> bool:
    """Compare the list with what was seen before. Returns whether something is doubtful and worth a second look."""
    rotation, now = snapshot.rotation, hold.now()
    listed = {one.key_id: one for one in application.credentials}
    known = _known(tx, rotation.object_id, listed)
    before = observed.seen(tx, rotation.id)
    for key_id, one in listed.items():
        row = known.get(key_id)
        if key_id not in before:
            observed.note_seen(tx, rotation.id, hold.tools.ids.new(), one, now, ours=row is not None)
            if before and row is None:
                _drift(tx, hold, snapshot, "stray-marker" if is_marker(one.name) else "appeared", one)
        elif before[key_id].gone_at:
            observed.note_presence(tx, rotation.id, key_id, None)
        if row is not None:
            _bring_back(tx, hold, row, one)
    return _note_gone(tx, hold, snapshot, before, set(listed))


def _known(tx: Tx, object_id: str, listed: dict[str, RemoteCredential]) -> dict[str, Credential]:
    """Match listed keys with the journal, by key id or, where an answer was lost, by marker."""
    markers = {one.name: key_id for key_id, one in listed.items() if one.name and is_marker(one.name)}
    found: dict[str, Credential] = {}
    for row in journal.of_application(tx, object_id, list(listed), list(markers)):
        key_id = row.key_id or markers.get(row.marker)
        if key_id in listed:
            found[key_id] = row
    return found


def _bring_back(tx: Tx, hold: Hold, row: Credential, one: RemoteCredential) -> None:
    """A key that the journal holds as gone is listed: a late replica, or one that never was gone. Remove it (again)."""
    if row.state not in ENDED or row.rotation_id != hold.rotation_id:
        return
    back = State.LOST if row.state is State.ABANDONED else State.REVOKING
    journal.move(
        tx,
        row,
        back,
        key_id=one.key_id,
        hint=one.hint,
        ended_at=None,
        retired_at=hold.now(),
        removed_at=None,
        absences=0,
        absent_at=None,
        retry_at=None,
        tries=0,
        note="listed again after it was held for gone",
    )


def _note_gone(tx: Tx, hold: Hold, snapshot: Snapshot, before: dict[str, observed.Seen], listed: set[str]) -> bool:
    now, suspect = hold.now(), False
    ours = {row.key_id: row for row in snapshot.journal}
    for key_id, one in before.items():
        if key_id in listed:
            continue
        if one.gone_at is None or one.gone_at > now:
            observed.note_presence(tx, snapshot.rotation.id, key_id, now)
            suspect = True
        elif now - one.gone_at < hold.tools.pace.confirm_spacing:
            suspect = True
        elif now - one.gone_at < GONE_IS_NEWS_FOR:
            row = ours.get(key_id)
            if row is not None and row.state is State.CURRENT:
                _drift(tx, hold, snapshot, "current-vanished", one)
            elif not one.ours:
                _drift(tx, hold, snapshot, "vanished", one)
    return suspect


def _drift(tx: Tx, hold: Hold, snapshot: Snapshot, kind: str, one: RemoteCredential | observed.Seen) -> None:
    since = one.gone_at.isoformat() if isinstance(one, observed.Seen) and one.gone_at else "-"
    record_rotation_event(
        tx,
        hold.actor,
        events.CREDENTIALS_DRIFTED,
        snapshot.rotation,
        hold.now(),
        once=f"drift:{snapshot.rotation.id}:{kind}:{one.key_id}:{since}",
        kind=kind,
        keyId=one.key_id,
        displayName=one.name,
        hint=one.hint,
    )
