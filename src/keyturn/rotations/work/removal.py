"""The steps that end a secret's life: finding out about a lost answer, removing a key, and confirming that it is gone."""

from datetime import datetime, timedelta
from typing import Any

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
from keyturn.rotations.store import runs
from keyturn.rotations.work.along import Along, keep_for
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.rotations.work.run_outcome import credential_facts, record_rotation_event

ABSENCES_NEEDED = 2
"""Replicas differ, so one list without the key proves nothing."""


def resolve(attempt: StepAttempt, row: Credential) -> None:
    """Whether the request was carried out is unknown: look for its marker. Either way nothing is asked for again under it."""
    credentials = _list(attempt, row)
    matches = [
        credential
        for credential in credentials
        if credential.name == row.marker or (row.hint and credential.hint == row.hint)
    ]
    now = attempt.now()
    with attempt.write() as tx:
        if matches:
            _found(tx, attempt, row, matches[0])
        elif _absent_enough(attempt, row):
            journal.move(tx, row, State.ABANDONED, value=None, ended_at=now, note="never existed: absent in two lists")
            _forget_unneeded(tx, attempt.snapshot)
        else:
            _absent_again(tx, attempt, row)


def _found(tx: Tx, attempt: StepAttempt, row: Credential, credential: RemoteCredential) -> None:
    """It exists. If its value is known and its run goes on, so does it; else it is to be removed."""
    now, rotation = attempt.now(), attempt.snapshot.rotation
    facts = {
        "key_id": credential.key_id,
        "hint": credential.hint or row.hint,
        "starts_at": credential.starts_at,
        "retry_at": None,
        "tries": 0,
    }
    if row.value and attempt.snapshot.run and attempt.snapshot.run.id == row.run_id:
        issued = journal.move(tx, row, State.ISSUED, issued_at=now, ends_at=credential.ends_at or row.ends_at, **facts)
        record_rotation_event(
            tx, attempt.actor, events.CREDENTIAL_ISSUED, rotation, now, runId=row.run_id, **credential_facts(issued)
        )
    else:
        # A certificate keeps its value: it may be the only one left that signs in for the removal of itself.
        lost = journal.move(tx, row, State.LOST, **facts)
        record_rotation_event(
            tx, attempt.actor, events.CREDENTIAL_LOST, rotation, now, runId=row.run_id, **credential_facts(lost)
        )


def retire(attempt: StepAttempt, row: Credential) -> None:
    """Write down that the key will now be removed: the time for which it was promised to work is over.

    Only when no connection holds it any more. One that still does moves to the current secret first; if the rotation has ended
    and there is none to move to, the key stays. Raises Retryable where a promise might be cut short because the clock is wrong.
    """
    if row.promised and not _kept(attempt, row):
        return
    attempt.context.mark_all()
    with attempt.write() as tx:
        if row.promised and _held_again(tx, attempt, row):
            return
        sealer, current = attempt.context.sealer, attempt.snapshot.current
        along = Along(sealer, attempt.context.providers, attempt.snapshot.rotation, attempt.context.provider_time())
        holders.lock(tx, along.mark_of(tx, row))
        if current is None or attempt.snapshot.rotation.retired:
            if along.holders(tx, row):
                keep_for(tx, sealer, row, attempt.snapshot)
                return
        elif current.value is not None:
            along.move(tx, row, current, sealer.open(current.value, current.seal_context), row.retired_by)
        journal.move(tx, row, State.REVOKING, retry_at=None, tries=0)


def _kept(attempt: StepAttempt, row: Credential) -> bool:
    """Whether the promise is over by a clock that was just compared; if it is not, until when it is kept is written down."""
    attempt.session.forget()  # what was answered before says nothing of the clock now
    with clock.compared(attempt.context.providers, clock.NOTHING_ENDS):
        attempt.session.access(attempt.snapshot)
    now = attempt.now()
    if waits.over(row, attempt.snapshot, now, waits.kept_until) <= now:
        return True
    until = waits.kept_until(row.revoke_after or now, row.retired_at, now)
    later: dict[str, Any] = {
        name: at and waits.kept_until(at, row.retired_at, now)
        for name, at in (("wait_ends_at", row.wait_ends_at), ("grace_ends_at", row.grace_ends_at))
    }
    with attempt.write() as tx:
        given_at = row.retired_at if until == row.revoke_after else now
        journal.move(tx, row, retired_at=given_at, revoke_after=until, retry_at=None, tries=0, **later)
    return False


def _held_again(tx: Tx, attempt: StepAttempt, row: Credential) -> bool:
    """Whether somebody began to hold it while the clock was compared: then it is decided anew."""
    snapshot, now = attempt.work.read(tx) if row.wait_ends_at else None, attempt.now()
    return snapshot is not None and waits.over(row, snapshot, now, waits.kept_until) > now


def remove(attempt: StepAttempt, row: Credential) -> None:
    """Ask for the removal, signed in with the current secret. The answer is not trusted; see confirm."""
    rotation = attempt.snapshot.rotation
    try:
        token = attempt.session.access(attempt.snapshot)
    except Upstream as error:
        # Soon after it was published a refusal means that it is still spreading, not that it is gone.
        if isinstance(error, Retryable) or not _refused_itself(attempt.snapshot, row, error):
            raise
    else:
        signer = attempt.session.signer_value(attempt.snapshot)
        attempt.kind.remove(rotation.tenant, token, signer, row.object_id, str(row.key_id))
    with attempt.write() as tx:
        journal.move(tx, row, removed_at=attempt.now(), absences=0, absent_at=None, retry_at=None)


def confirm(attempt: StepAttempt, row: Credential) -> None:
    """Gone only when two lists some time apart do not have it; asked for again if it stays."""
    present, note = False, None
    try:
        present = any(credential.key_id == row.key_id for credential in _list(attempt, row))
    except Upstream as error:
        # The secret that removed itself can no longer sign in: that it is refused is the confirmation.
        if not _refused_itself(attempt.snapshot, row, error):
            raise
        note = OUT_OF_REACH if row.ends_at and row.ends_at <= attempt.context.provider_time() else None
    with attempt.write() as tx:
        if present:
            _still_there(tx, attempt, row)
        elif _absent_enough(attempt, row):
            record_gone(tx, attempt, row, note=note)
        else:
            _absent_again(tx, attempt, row)


def _absent_enough(attempt: StepAttempt, row: Credential) -> bool:
    """Whether one more list without the key settles it."""
    return _absences(attempt, row) >= ABSENCES_NEEDED and not _settles_in(attempt, row)


def _absences(attempt: StepAttempt, row: Credential) -> int:
    """How many lists in a row do not have it, this one included. Those of which a wrong clock noted the moment do not count."""
    return 1 if row.absent_at and row.absent_at > attempt.now() else row.absences + 1


def _absent_again(tx: Tx, attempt: StepAttempt, row: Credential) -> None:
    now, there, absences = attempt.now(), attempt.context.provider_time(), _absences(attempt, row)
    settles_in = _settles_in(attempt, row) if absences >= ABSENCES_NEEDED else None
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


def _settles_in(attempt: StepAttempt, row: Credential) -> timedelta:
    """How long it takes until every replica knows of the key, where that has to be waited for; by the provider's clock.

    Nobody sweeps after a rotation that has ended. A key that was made just before and is still hidden must therefore not
    be taken for gone. A clock that was behind may have dated one of the moments: the latest counts.
    """
    there = attempt.context.provider_time()
    moments = [not_after(at, there) for at in (row.issued_at, row.asked_at, row.starts_at) if at]
    if not moments or not attempt.snapshot.rotation.retired:
        return timedelta()
    return max(max(moments) + attempt.context.pace.settle - there, timedelta())


def _still_there(tx: Tx, attempt: StepAttempt, row: Credential) -> None:
    now = attempt.now()
    again = row.removed_at is not None and not now - attempt.context.timings.remove_again_after < row.removed_at <= now
    journal.move(tx, row, absences=0, absent_at=now, retry_at=None, **({"removed_at": None} if again else {}))


def record_gone(tx: Tx, attempt: StepAttempt, row: Credential, note: str | None) -> None:
    """The key is gone, or no longer works: its value is erased."""
    now = attempt.now()
    revoked = journal.move(tx, row, State.REVOKED, value=None, ended_at=now, note=note or row.note)
    _forget_unneeded(tx, attempt.snapshot)
    if attempt.snapshot.run and attempt.snapshot.rotation.slots is not None:
        runs.change_run(tx, attempt.snapshot.run.id, retry_at=None)  # it may have waited for this slot
    once = f"{events.CREDENTIAL_REVOKED.name}:{row.id}:{_stamp(row.retired_at)}"
    facts = {"runId": row.run_id} | credential_facts(revoked)
    record_rotation_event(
        tx, attempt.actor, events.CREDENTIAL_REVOKED, attempt.snapshot.rotation, now, once=once, **facts
    )


def _forget_unneeded(tx: Tx, snapshot: Snapshot) -> None:
    """Once the last row of an ended rotation is dealt with, nothing needs to sign in any more: kept values go, too."""
    if snapshot.rotation.retired and len(snapshot.journal) <= 1 + sum(1 for row in snapshot.journal if row.kept):
        journal.forget_values(tx, snapshot.rotation.id)


def _stamp(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "-"


def _refused_itself(snapshot: Snapshot, row: Credential, error: Upstream) -> bool:
    """Whether every secret of the rotation's own was refused, and among them the very one which is being removed."""
    return error.refuses_credential and any(signer.id == row.id for signer in snapshot.own_signers)


def _list(attempt: StepAttempt, row: Credential) -> tuple[RemoteCredential, ...]:
    token = attempt.session.access(attempt.snapshot)
    application = attempt.kind.application(attempt.snapshot.rotation.tenant, token, object_id=row.object_id)
    if application.object_id != row.object_id:
        raise NeedsAction(
            "Another application was answered than asked for.",
            code="rotation.wrong_application",
            fix="Nothing was removed. See what answers in the place of Microsoft Graph, such as a proxy.",
        )
    return application.credentials
