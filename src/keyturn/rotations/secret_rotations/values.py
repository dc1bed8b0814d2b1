"""Use cases of the secrets that a secret rotation has made: what works is shown, tried, published again, and handed over.

All checks and all network calls come first; then one transaction writes everything.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from keyturn.approvals import gate
from keyturn.approvals.domain import NO_CONSENT, Consent
from keyturn.audit import secret_rotation_events as events
from keyturn.authz.domain import Action
from keyturn.connections.stored import Stored, final
from keyturn.credentials import store as journal
from keyturn.credentials.domain import ENDED, USED_ELSEWHERE, Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.delivery.use import caller_of
from keyturn.delivery.use import write as note_uses
from keyturn.delivery.use_domain import Use
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.provider import RemoteCredential
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations import proposals, waits
from keyturn.rotations.commands import HandedOver
from keyturn.rotations.domain import CLIENT_SECRET, Rotation
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.overlap import promised_until
from keyturn.rotations.overlap import waits as waits_for
from keyturn.rotations.run_schedule import next_run
from keyturn.rotations.schedule import Anchor, next_slot
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.consumers import require_unused
from keyturn.rotations.secret_rotations.domain import (
    GeneratedCredential,
    GeneratedCredentials,
    SecretRotationView,
    slot_of,
)
from keyturn.rotations.secret_rotations.events import record_secret_rotation_event
from keyturn.rotations.secret_rotations.publishing import publish_everywhere
from keyturn.rotations.secret_rotations.writes import SecretRotationWriter
from keyturn.rotations.store import evidence, freezes, policies, runs
from keyturn.rotations.store import secret_rotations as store
from keyturn.rotations.work.along import Along
from keyturn.rotations.work.run_outcome import credential_facts


class SecretRotationValues:
    """Looks at the secrets of secret rotations, and says which of them readers get.

    ``nudge`` tells the finder of due work to look at once.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        clock: Clock,
        ids: Ids,
        providers: Providers,
        stored: Stored,
        writer: SecretRotationWriter,
        edits: EditLock,
        nudge: Callable[[], None],
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self._providers = providers
        self._stored = stored
        self._writer = writer
        self._edits = edits
        self._nudge = nudge

    # --- looking ------------------------------------------------------------------------------------------------------

    def generated_credentials(self, actor: Actor, secret_rotation_id: str) -> GeneratedCredentials:
        """Return the values that work: the current one and the newest previous one, written down as a read before."""
        action = Action.READ_GENERATED_CREDENTIALS
        with self._database.write() as tx:
            view = secret_access.get_view(tx, actor, action, secret_rotation_id)
            live = journal.live(tx, view.rotation.id)
            current = [row for row in live if row.state is State.CURRENT]
            rows = sorted([*current, *_previous(live)[:1]], key=slot_of)
            facts = [credential_facts(row) for row in rows]
            event, now = events.SECRET_ROTATION_CREDENTIALS_READ, self._clock.now()
            record_secret_rotation_event(tx, actor, event, view, now, credentials=facts)
            # Nobody knows which program gets them: they count as held.
            shown = [Use(row.id, caller_of(actor, None), now, now) for row in rows]
            note_uses(tx, shown, dict.fromkeys((row.id for row in rows), view.rotation.id))
        return GeneratedCredentials(view, [GeneratedCredential(row, self._open(row)) for row in rows])

    def check_credentials(self, actor: Actor, secret_rotation_id: str) -> None:
        """Sign in with the current secret. Raises what the provider says, and Refused while there is none."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
        if view.current is None:
            raise Refused(
                "No secret was published yet.",
                code="secret_rotations.nothing_published",
                fix="Wait for the end of the first run.",
            )
        self._sign_in(view.rotation, self._open(view.current))

    # --- the one before -----------------------------------------------------------------------------------------------

    def make_previous_current(self, actor: Actor, secret_rotation_id: str) -> SecretRotationView:
        """Publish the newest previous secret again, once it has signed in; the current one becomes the previous.

        Raises Refused without one that still works, or while a run is under way; or what the provider says.
        """
        action = Action.ROTATE_SECRETS
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, action, secret_rotation_id)
            row = _newest_previous(tx, view.rotation)
        self._sign_in(view.rotation, self._open(row))
        with self._edits.write(view.rotation.object_id) as tx:
            view, rotation = secret_access.lock_view(tx, actor, action, secret_rotation_id)
            if runs.active_run(tx, rotation.id):
                raise Refused(
                    "A rotation is under way, which would replace it at once.",
                    code="rotation.run_under_way",
                    fix="Try again when it is over.",
                )
            if _newest_previous(tx, rotation).id != row.id:
                raise secret_access.changed_meanwhile()
            self._publish_again(tx, actor, view, rotation, row)
            view = store.required_view(tx, secret_rotation_id)
        self._nudge()
        return view

    def _publish_again(
        self, tx: Tx, actor: Actor, view: SecretRotationView, rotation: Rotation, row: Credential
    ) -> None:
        now = self._clock.now()
        anchor = waits.known_anchor(rotation.anchor, now) if rotation.anchor else Anchor(now, scheduled=False)
        due = next_run(rotation.schedule, anchor, row, freezes.of_rotation(tx, rotation))
        slot = max(next_slot(rotation.schedule, anchor), now)
        for current in journal.live(tx, rotation.id):
            if current.state is State.CURRENT:
                ends_at = current.ends_at if rotation.slots is None else None
                until = promised_until(rotation.overlap, now, slot, ends_at)
                waited = waits_for(rotation.overlap, now, max(due.at, now), until)
                journal.move(tx, current, State.RETIRING, retired_at=now, revoke_after=until, **waited)
                evidence.expect(tx, rotation.id, rotation.tenant, now)
        nothing = dict.fromkeys(("retired_at", "retired_by", "revoke_after", "wait_ends_at", "grace_ends_at", "note"))
        again = journal.move(tx, row, State.CURRENT, published_at=now, **nothing)
        again_due = replace(rotation, next_run_at=due.at, moved_days=due.moved_days)
        policies.save(tx, replace(again_due, wake_at=now, wake_set_at=now, updated_at=now))
        publish_everywhere(tx, self._writer.mappings(actor), rotation, again)
        event = events.SECRET_ROTATION_PREVIOUS_RESTORED
        record_secret_rotation_event(tx, actor, event, view, now, **credential_facts(again))

    # --- handed over --------------------------------------------------------------------------------------------------

    def hand_over(
        self, actor: Actor, secret_rotation_id: str, secret: HandedOver, consent: Consent = NO_CONSENT
    ) -> SecretRotationView:
        """Keep a secret that was made by hand as a previous one: it is removed only after :meth:`release`.

        Raises Refused unless it is a secret of the application, unexpired, and signs in; or what the provider says; and
        ApprovalNeeded where that needs two persons.
        """
        action = Action.EDIT_ROTATIONS
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, action, secret_rotation_id)
        key = self._listed(view, secret)
        self._sign_in(view.rotation, secret.value)
        with self._edits.write(view.rotation.object_id) as tx:
            view, rotation = secret_access.lock_view(tx, actor, action, secret_rotation_id)
            if rotation.generation == 0:
                # A first run that fails ends the rotation, and nobody would remember the secret.
                raise Refused(
                    "The first secret is not there yet, to which its users could switch.",
                    code="rotation.run_under_way",
                    fix="Hand it over once the first run has succeeded.",
                )
            gate.require(tx, actor, proposals.hand_over(view, secret), consent, self._clock.now(), self._ids)
            known = journal.of_application(tx, rotation.object_id, [key.key_id], [])
            if any(row.state not in ENDED and not row.kept for row in known):
                raise Refused(
                    "This secret is in this server's hands already.",
                    code="rotation.key_in_use",
                    fix="Give the Secret ID of another one.",
                    field="keyId",
                )
            event, now = events.SECRET_ROTATION_HANDED_OVER, self._clock.now()
            row = self._kept(rotation, key, now)
            mark = Along(self._sealer, self._providers, rotation, now).mark(tx, secret.value)
            sealed_value = self._sealer.seal(secret.value, row.seal_context)
            journal.insert(tx, replace(row, value=sealed_value, fingerprint=mark))
            record_secret_rotation_event(tx, actor, event, view, now, **credential_facts(row))
        return view

    def release(
        self,
        actor: Actor,
        secret_rotation_id: str,
        key_id: str,
        *,
        confirmed: bool = False,
        consent: Consent = NO_CONSENT,
    ) -> SecretRotationView:
        """Say that nobody uses a secret any more that was handed over, or that waits until it is not used: it is removed, after
        this returns, but not before its grace time ends.

        Raises Refused, naming them, when consumers hold it or it is seen in use, unless that was ``confirmed``; and
        ApprovalNeeded where that needs two persons.
        """
        action = Action.EDIT_ROTATIONS
        with self._database.read() as tx:
            object_id = secret_access.get_view(tx, actor, action, secret_rotation_id).rotation.object_id
        with self._edits.write(object_id) as tx:
            view, rotation = secret_access.lock_view(tx, actor, action, secret_rotation_id)
            row = next(
                (row for row in journal.live(tx, rotation.id) if _waits_for_somebody(row) and row.key_id == key_id),
                None,
            )
            if row is None:
                raise NotFound(
                    f"No secret with the id '{key_id}' was handed over or waits until it is not used, or it is being removed "
                    "already.",
                    code="secret_rotations.not_handed_over",
                    fix="GET .../consumers of the secret rotation lists its secrets, with their key ids and states.",
                )
            now = self._clock.now()
            require_unused(tx, actor, view, row, now, confirmed=confirmed)
            gate.require(tx, actor, proposals.release(view, key_id, confirmed=confirmed), consent, now, self._ids)
            if row.used_elsewhere:
                journal.move(tx, row, retired_at=now, revoke_after=now, note=None)
            else:
                journal.move(tx, row, revoke_after=max(now, row.grace_ends_at or now))
            policies.wake(tx, rotation.id, now)
            event = events.SECRET_ROTATION_RELEASED
            record_secret_rotation_event(tx, actor, event, view, now, **credential_facts(row))
        self._nudge()
        return view

    def _listed(self, view: SecretRotationView, secret: HandedOver) -> RemoteCredential:
        """Return the secret as the application lists it. A wrong key id would have somebody else's secret removed one day."""
        rotation, kind = view.rotation, self._providers.kind(CLIENT_SECRET, app_id=view.rotation.app_id)
        connection, token = self._stored.sign_in(view.connection)
        application = kind.application(connection.tenant, token, object_id=rotation.object_id)
        now, key_id = self._clock.now(), secret.key_id.lower()
        for key in application.credentials:
            if (
                key.key_id.lower() == key_id
                and kind.matches(key, secret.value)
                and not (key.ends_at and key.ends_at <= now)
            ):
                return key
        raise Refused(
            f"The application '{application.name}' has no unexpired secret {secret.key_id} that begins as this value does.",
            code="rotation.key_mismatch",
            fix="Take the Secret ID from Certificates & secrets, and the Value that belongs to it.",
            field="keyId",
            details=[
                {
                    "keyId": key.key_id,
                    "name": key.name,
                    "hint": key.hint,
                    "endsAt": key.ends_at and key.ends_at.isoformat(),
                }
                for key in application.credentials
            ],
        )

    def _kept(self, rotation: Rotation, key: RemoteCredential, now: datetime) -> Credential:
        return Credential(
            id=self._ids.new(),
            rotation_id=rotation.id,
            org_id=rotation.org_id,
            object_id=rotation.object_id,
            generation=0,
            state=State.RETIRING,
            adopted=True,
            marker=key.name or "",
            key_id=key.key_id,
            hint=key.hint,
            starts_at=key.starts_at,
            ends_at=key.ends_at,
            planned_at=now,
            published_at=now,
            retired_at=now,
            note=USED_ELSEWHERE,
        )

    # --- parts --------------------------------------------------------------------------------------------------------

    def _open(self, row: Credential) -> Plaintext:
        if row.value is None:
            raise RuntimeError("a secret that works without its value")
        return self._sealer.open(row.value, row.seal_context)

    def _sign_in(self, rotation: Rotation, value: Plaintext) -> None:
        kind = self._providers.kind(CLIENT_SECRET, app_id=rotation.app_id)
        with final():
            kind.sign_in(rotation.tenant, rotation.app_id, value)


def _waits_for_somebody(row: Credential) -> bool:
    """Whether it stays until somebody, or a report, says that it is not used any more."""
    return row.used_elsewhere or (row.state is State.RETIRING and row.promised and row.grace_ends_at is not None)


def _previous(live: tuple[Credential, ...]) -> list[Credential]:
    """Return the secrets that were replaced and still work, the one that was published last first."""
    working = [row for row in live if row.state is State.RETIRING and row.value is not None]
    return sorted(working, key=lambda row: (row.generation, row.published_at or row.planned_at), reverse=True)


def _newest_previous(tx: Tx, rotation: Rotation) -> Credential:
    """Return the previous secret that readers may still have. Raises Refused when none is left."""
    rows = [row for row in _previous(journal.live(tx, rotation.id)) if row.promised or row.used_elsewhere]
    if not rows:
        raise Refused(
            "There is no previous secret that still works.",
            code="secret_rotations.no_previous",
            fix="Rotate now for a new one.",
        )
    return rows[0]
