"""Looking at the application's credentials: what others changed (shown, never acted on) and what of ours came back."""

from dataclasses import replace
from datetime import timedelta

from keyturn.audit import events
from keyturn.connections import health
from keyturn.connections import store as connections
from keyturn.connections.domain import Connection
from keyturn.credentials import store as journal
from keyturn.credentials.domain import ENDED, Credential, State, is_marker
from keyturn.db.unit import Tx
from keyturn.errors import RefusalReason, Upstream
from keyturn.ports.provider import RemoteApplication, RemoteCredential
from keyturn.rotations.secret_rotations.other_writers import probable_writer
from keyturn.rotations.store import observed, policies
from keyturn.rotations.work import vanished
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.rotations.work.run_outcome import record_rotation_event

SWEEP_EVERY = timedelta(days=1)
_OF_CREDENTIALS = frozenset({RefusalReason.CREDENTIAL_UNKNOWN, RefusalReason.CREDENTIAL_EXPIRED})
GONE_IS_NEWS_FOR = timedelta(days=2)


def sweep(attempt: StepAttempt) -> None:
    """List the application's credentials; bring back to removal any of ours that should not be there; note drift."""
    rotation = attempt.snapshot.rotation
    # Signed in with the current secret alone: it is looked at, too.
    try:
        application = attempt.session.look(replace(attempt.snapshot, seen_at=None))
    except Upstream as error:
        if attempt.session.is_refusal(error) and not attempt.snapshot.signer_is_own:
            _note_unseen(attempt)
        raise
    listed_key_ids = {remote.key_id for remote in application.credentials}
    refused = vanished.refused_rows(attempt, listed_key_ids)
    with attempt.write() as tx:
        suspect = record_observation(tx, attempt, application)
        vanished.note(tx, attempt, refused, listed_key_ids)
        policies.set_sweep(tx, rotation.id, attempt.now() + _next(attempt, listed_key_ids, suspect=suspect))
        note_accepted(tx, attempt)


def _next(attempt: StepAttempt, listed_key_ids: set[str], *, suspect: bool) -> timedelta:
    """After how long to look again: soon at doubtful news, when replicas know the current one, and else within a day."""
    pace, current = attempt.context.pace, attempt.snapshot.current
    if suspect:
        return pace.confirm_spacing
    if current and current.key_id not in listed_key_ids and vanished.may_be_unknown(attempt, current):
        return max(pace.settle, pace.confirm_spacing)
    return SWEEP_EVERY * (1 - attempt.context.ids.jitter() / 10)


def _note_unseen(attempt: StepAttempt) -> None:
    """Whoever signs in is refused and sees nothing: but what does not sign in itself any more is handed out to nobody."""
    refused = [row for row in vanished.refused_rows(attempt, ()) if row.removed_at is None]
    if refused:
        with attempt.write("failed", vanished.GONE) as tx:
            vanished.note(tx, attempt, refused, ())


def note_refused(tx: Tx, attempt: StepAttempt, error: Upstream) -> None:
    """The provider refuses the connection: a state of it, whatever step found out."""
    connection = _connection(tx, attempt)
    if connection:
        health.note_refused(tx, connection, error, attempt.now())


def note_troubled(tx: Tx, attempt: StepAttempt, error: Upstream) -> None:
    """Whether the provider still takes the connection could not be found out."""
    connection = _connection(tx, attempt)
    if connection:
        health.note_trouble(tx, connection, error, attempt.now())


def note_accepted(tx: Tx, attempt: StepAttempt, *, looked: bool = True) -> None:
    """The connection works. To be called last: it locks the connection. Without ``looked`` only the end of a refusal counts.

    One that signs in for another application has shown no more than that it signs in; and what signed in instead of the
    current secret says nothing of that.
    """
    if attempt.snapshot.stand_in:
        return
    connection = _connection(tx, attempt)
    if connection is None:
        return
    reason = (connection.refusal or {}).get("reason")
    healed = connection.refused_at and (attempt.snapshot.signer_is_own or reason in _OF_CREDENTIALS)
    if healed or (looked and attempt.snapshot.signer_is_own):
        now = attempt.now()
        health.note_accepted(tx, connection, now, health.next_look(now, attempt.context.ids.jitter()))


def _connection(tx: Tx, attempt: StepAttempt) -> Connection | None:
    """Return the connection that works or is refused as these sign-ins are, if there is one.

    One that gives its secret up, and is watched, signs in otherwise.
    """
    rotation = attempt.snapshot.rotation
    connection_id = attempt.target.connection_to_judge(rotation)
    connection = connections.get(tx, connection_id) if connection_id else None
    return connection if connection and connection.method == rotation.credential_kind else None


def record_observation(tx: Tx, attempt: StepAttempt, application: RemoteApplication) -> bool:
    """Compare the list with what was seen before. Returns whether something is doubtful and worth a second look."""
    rotation, now = attempt.snapshot.rotation, attempt.now()
    if application.slots != rotation.slots:
        policies.set_slots(tx, rotation.id, application.slots)
    credentials_by_key_id = {remote.key_id: remote for remote in application.credentials}
    rows_by_key_id = _known(tx, rotation.object_id, credentials_by_key_id)
    before = observed.observed_keys_of(tx, rotation.id)
    for key_id, credential in credentials_by_key_id.items():
        row = rows_by_key_id.get(key_id)
        if key_id not in before:
            observed.record_observed(tx, rotation.id, attempt.context.ids.new(), credential, now, ours=row is not None)
            if before and row is None:
                _drift(tx, attempt, "stray-marker" if is_marker(credential.name) else "appeared", credential)
        elif before[key_id].gone_at:
            observed.record_presence(tx, rotation.id, key_id, None)
        if row is not None:
            _bring_back(tx, attempt, row, credential)
    return _note_gone(tx, attempt, before, set(credentials_by_key_id))


def _known(tx: Tx, object_id: str, credentials_by_key_id: dict[str, RemoteCredential]) -> dict[str, Credential]:
    """Match listed keys with the journal, by key id or, where an answer was lost, by marker."""
    markers = {
        credential.name: key_id
        for key_id, credential in credentials_by_key_id.items()
        if credential.name and is_marker(credential.name)
    }
    rows_by_key_id: dict[str, Credential] = {}
    for row in journal.of_application(tx, object_id, list(credentials_by_key_id), list(markers)):
        key_id = row.key_id or markers.get(row.marker)
        if key_id in credentials_by_key_id:
            rows_by_key_id[key_id] = row
    return rows_by_key_id


def _bring_back(tx: Tx, attempt: StepAttempt, row: Credential, credential: RemoteCredential) -> None:
    """A key that the journal holds as gone is listed: a late replica, or one that never was gone. Remove it (again)."""
    if row.state not in ENDED or row.rotation_id != attempt.work.rotation_id:
        return
    back = State.LOST if row.state is State.ABANDONED else State.REVOKING
    journal.move(
        tx,
        row,
        back,
        key_id=credential.key_id,
        hint=credential.hint,
        ended_at=None,
        retired_at=attempt.now(),
        removed_at=None,
        absences=0,
        absent_at=None,
        retry_at=None,
        tries=0,
        note="listed again after it was held for gone",
    )


def _note_gone(
    tx: Tx,
    attempt: StepAttempt,
    before: dict[str, observed.ObservedKey],
    listed_key_ids: set[str],
) -> bool:
    now, suspect = attempt.now(), False
    ours = {row.key_id: row for row in attempt.snapshot.journal}
    current = attempt.snapshot.current
    missed = current.key_id if current and not vanished.may_be_unknown(attempt, current) else None
    if current and missed and missed not in before and missed not in listed_key_ids:
        # It was published after the last look, or in another copy of the database: it is missed all the same.
        unseen = RemoteCredential(missed, current.marker, current.hint, current.starts_at, current.ends_at)
        observed.record_observed(tx, attempt.snapshot.rotation.id, attempt.context.ids.new(), unseen, now, ours=True)
        observed.record_presence(tx, attempt.snapshot.rotation.id, missed, now)
        suspect = True
    for key_id, observed_key in before.items():
        if key_id in listed_key_ids:
            continue
        if observed_key.gone_at is None or observed_key.gone_at > now:
            observed.record_presence(tx, attempt.snapshot.rotation.id, key_id, now)
            suspect = True
        elif now - observed_key.gone_at < attempt.context.pace.confirm_spacing:
            suspect = True
        elif now - observed_key.gone_at < GONE_IS_NEWS_FOR:
            row = ours.get(key_id)
            if row is not None and row.state is State.CURRENT:
                _drift(tx, attempt, "current-vanished", observed_key)
            elif not observed_key.ours:
                _drift(tx, attempt, "vanished", observed_key)
    return suspect


def _drift(tx: Tx, attempt: StepAttempt, kind: str, key: RemoteCredential | observed.ObservedKey) -> None:
    since = key.gone_at.isoformat() if isinstance(key, observed.ObservedKey) and key.gone_at else "-"
    ours = isinstance(key, observed.ObservedKey) and key.ours
    writer = None if ours else probable_writer(key.name, key.starts_at, key.ends_at)
    record_rotation_event(
        tx,
        attempt.actor,
        events.CREDENTIALS_DRIFTED,
        attempt.snapshot.rotation,
        attempt.now(),
        once=f"drift:{attempt.snapshot.rotation.id}:{kind}:{key.key_id}:{since}",
        kind=kind,
        keyId=key.key_id,
        displayName=key.name,
        hint=key.hint,
        probablyMadeBy=writer.name if writer else None,
    )
