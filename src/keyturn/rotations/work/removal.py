"""The steps that end a secret's life: finding out about a lost answer, removing a key, and confirming that it is gone."""

from datetime import datetime, timedelta

from keyturn.audit import events
from keyturn.connections import holders
from keyturn.credentials import store as journal
from keyturn.credentials.domain import OUT_OF_REACH, Credential, State
from keyturn.db.unit import Tx
from keyturn.errors import NeedsAction, Retryable, Upstream
from keyturn.kit.moments import not_after
from keyturn.ports.provider import RemoteCredential
from keyturn.rotations import clock, waits
from keyturn.rotations.domain import Snapshot
from keyturn.rotations.work.along import Along, keep_for
from keyturn.rotations.work.lease import ApplicationLease
from keyturn.rotations.work.run_outcome import credential_facts, record_rotation_event

ABSENCES_NEEDED = 2
"""Replicas differ, so one list without the key proves nothing."""
GIVE_UP_TRIES = 8


def resolve(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> None:
    """Whether the request was carried out is unknown: look for its marker. Either way nothing is asked for again under it."""
    credentials = _list(lease, snapshot, row)
    matches = [
        credential
        for credential in credentials
        if credential.name == row.marker or (row.hint and credential.hint == row.hint)
    ]
    now = lease.now()
    with lease.write() as tx:
        if matches:
            _found(tx, lease, snapshot, row, matches[0])
        elif _absent_enough(lease, snapshot, row):
            journal.move(tx, row, State.ABANDONED, value=None, ended_at=now, note="never existed: absent in two lists")
            _forget_unneeded(tx, snapshot)
        else:
            _absent_again(tx, lease, snapshot, row)


def _found(tx: Tx, lease: ApplicationLease, snapshot: Snapshot, row: Credential, credential: RemoteCredential) -> None:
    """It exists. If its value is known and its run goes on, so does it; else it is to be removed."""
    now, rotation = lease.now(), snapshot.rotation
    facts = {
        "key_id": credential.key_id,
        "hint": credential.hint or row.hint,
        "starts_at": credential.starts_at,
        "retry_at": None,
        "tries": 0,
    }
    if row.value and snapshot.run and snapshot.run.id == row.run_id:
        issued = journal.move(tx, row, State.ISSUED, issued_at=now, ends_at=credential.ends_at or row.ends_at, **facts)
        record_rotation_event(
            tx, lease.actor, events.CREDENTIAL_ISSUED, rotation, now, runId=row.run_id, **credential_facts(issued)
        )
    else:
        # A certificate keeps its value: it may be the only one left that signs in for the removal of itself.
        lost = journal.move(tx, row, State.LOST, **facts)
        record_rotation_event(
            tx, lease.actor, events.CREDENTIAL_LOST, rotation, now, runId=row.run_id, **credential_facts(lost)
        )


def retire(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> None:
    """Write down that the key will now be removed: the time for which it was promised to work is over.

    Only when no connection holds it any more. One that still does moves to the current secret first; if the rotation has ended
    and there is none to move to, the key stays. Raises Retryable where a promise might be cut short because the clock is wrong.
    """
    if row.promised and not _kept(lease, snapshot, row):
        return
    lease.context.mark_all()
    with lease.write() as tx:
        along, current = Along(lease.context.sealer, snapshot.rotation, lease.provider_time()), snapshot.current
        holders.lock(tx, along.mark_of(tx, row))
        if current is None or snapshot.rotation.retired:
            if along.holders(tx, row):
                keep_for(tx, row, snapshot.journal)
                return
        elif current.value is not None:
            along.move(tx, row, current, lease.context.sealer.open(current.value, current.seal_context), row.retired_by)
        journal.move(tx, row, State.REVOKING, retry_at=None, tries=0)


def _kept(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> bool:
    """Whether the promise is over by a clock that was just compared; if it is not, until when it is kept is written down."""
    lease.forget_access()  # what was answered before says nothing of the clock now
    with clock.compared(lease.context.provider, clock.NOTHING_ENDS):
        lease.access(snapshot)
    now = lease.now()
    until = waits.kept_until(row.revoke_after or now, row.retired_at, now)
    if until <= now:
        return True
    with lease.write() as tx:
        given_at = row.retired_at if until == row.revoke_after else now
        journal.move(tx, row, retired_at=given_at, revoke_after=until, retry_at=None, tries=0)
    return False


def remove(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> None:
    """Ask for the removal, signed in with the current secret. The answer is not trusted; see confirm."""
    rotation = snapshot.rotation
    try:
        token = lease.access(snapshot)
    except Upstream as error:
        # Soon after it was published a refusal means that it is still spreading, not that it is gone.
        if isinstance(error, Retryable) or not _refused_itself(snapshot, row, error):
            raise
    else:
        lease.kind.remove(rotation.tenant, token, lease.signer(snapshot), row.object_id, str(row.key_id))
    with lease.write() as tx:
        journal.move(tx, row, removed_at=lease.now(), absences=0, absent_at=None, retry_at=None)


def confirm(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> None:
    """Gone only when two lists some time apart do not have it; asked for again if it stays."""
    present, note = False, None
    try:
        present = any(credential.key_id == row.key_id for credential in _list(lease, snapshot, row))
    except Upstream as error:
        # The secret that removed itself can no longer sign in: that it is refused is the confirmation.
        if not _refused_itself(snapshot, row, error):
            raise
        note = OUT_OF_REACH if row.ends_at and row.ends_at <= lease.provider_time() else None
    with lease.write() as tx:
        if present:
            _still_there(tx, lease, row)
        elif _absent_enough(lease, snapshot, row):
            _gone(tx, lease, snapshot, row, note=note)
        else:
            _absent_again(tx, lease, snapshot, row)


def _absent_enough(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> bool:
    """Whether one more list without the key settles it."""
    return _absences(lease, row) >= ABSENCES_NEEDED and not _settles_in(lease, snapshot, row)


def _absences(lease: ApplicationLease, row: Credential) -> int:
    """How many lists in a row do not have it, this one included. Those of which a wrong clock noted the moment do not count."""
    return 1 if row.absent_at and row.absent_at > lease.now() else row.absences + 1


def _absent_again(tx: Tx, lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> None:
    now, there, absences = lease.now(), lease.provider_time(), _absences(lease, row)
    settles_in = _settles_in(lease, snapshot, row) if absences >= ABSENCES_NEEDED else None
    journal.move(
        tx,
        row,
        absences=absences,
        absent_at=now,
        retry_at=now + settles_in if settles_in else None,
        retry_set_at=now,
        tries=0,
        asked_at=row.asked_at and not_after(row.asked_at, there),
        issued_at=row.issued_at and not_after(row.issued_at, there),
    )


def _settles_in(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> timedelta:
    """How long it takes until every replica knows of the key, where that has to be waited for; by the provider's clock.

    Nobody sweeps after a rotation that has ended. A key that was made just before and is still hidden must therefore not
    be taken for gone.
    """
    made_at, there = row.issued_at or row.asked_at or row.starts_at, lease.provider_time()
    if made_at is None or not snapshot.rotation.retired:
        return timedelta()
    return max(not_after(made_at, there) + lease.context.pace.settle - there, timedelta())


def give_up_expired(tx: Tx, lease: ApplicationLease, snapshot: Snapshot, row: Credential, error: Upstream) -> bool:
    """A key that cannot be removed and is past its end no longer works: stop trying. False while it may still work."""
    if (
        row.ends_at is None
        or row.ends_at > lease.provider_time()
        or row.tries < GIVE_UP_TRIES
        or row.state in {State.ASKING, State.RETIRING}
    ):
        return False
    _gone(tx, lease, snapshot, row, note=f"expired; its removal was refused: {error.code}")
    return True


def _still_there(tx: Tx, lease: ApplicationLease, row: Credential) -> None:
    now = lease.now()
    again = row.removed_at is not None and not now - lease.context.patience.remove_again_after < row.removed_at <= now
    journal.move(tx, row, absences=0, absent_at=now, retry_at=None, **({"removed_at": None} if again else {}))


def _gone(tx: Tx, lease: ApplicationLease, snapshot: Snapshot, row: Credential, note: str | None) -> None:
    now = lease.now()
    revoked = journal.move(tx, row, State.REVOKED, value=None, ended_at=now, note=note or row.note)
    _forget_unneeded(tx, snapshot)
    once = f"{events.CREDENTIAL_REVOKED.name}:{row.id}:{_stamp(row.retired_at)}"
    facts = {"runId": row.run_id} | credential_facts(revoked)
    record_rotation_event(tx, lease.actor, events.CREDENTIAL_REVOKED, snapshot.rotation, now, once=once, **facts)


def _forget_unneeded(tx: Tx, snapshot: Snapshot) -> None:
    """Once the last row of an ended rotation is dealt with, nothing needs to sign in any more: kept values go, too."""
    if snapshot.rotation.retired and len(snapshot.journal) <= 1 + sum(1 for row in snapshot.journal if row.kept):
        journal.forget_values(tx, snapshot.rotation.id)


def _stamp(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "-"


def _refused_itself(snapshot: Snapshot, row: Credential, error: Upstream) -> bool:
    """Whether every secret there is was refused, and among them the very one which is being removed."""
    return error.refuses_credential and any(signer.id == row.id for signer in snapshot.signers)


def _list(lease: ApplicationLease, snapshot: Snapshot, row: Credential) -> tuple[RemoteCredential, ...]:
    token = lease.access(snapshot)
    application = lease.kind.application(snapshot.rotation.tenant, token, object_id=row.object_id)
    if application.object_id != row.object_id:
        raise NeedsAction("Another application was answered than asked for.", code="rotation.wrong_application")
    return application.credentials
