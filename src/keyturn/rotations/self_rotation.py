"""Use cases of connections that rotate their own client secret: enable, schedule, rotate now, change, delete.

All checks and all network calls come first; then one transaction writes everything. The rotation itself is done by the
workflow, never inside a user's request.
"""

from collections.abc import Callable
from dataclasses import replace

from keyturn.approvals import gate
from keyturn.approvals.domain import NO_CONSENT, ApprovalNeeded, Consent, ProposedChange
from keyturn.authz.domain import Action
from keyturn.connections import older_rows
from keyturn.connections.domain import (
    Connection,
    NewConnection,
    VerifiedCredentials,
)
from keyturn.connections.rotation_store import lock_reading
from keyturn.connections.verification import Verifier
from keyturn.connections.writes import ConnectionWriter, require_may_set_up
from keyturn.credentials import store as journal
from keyturn.credentials.domain import SHARED, Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials
from keyturn.providers.registry import Providers
from keyturn.rotations import access, guards, proposals
from keyturn.rotations.adoption_check import AdoptionCheck
from keyturn.rotations.commands import Adoption, ConnectionChange, ScheduleChange
from keyturn.rotations.domain import Reason, Rotation, Run
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.policy_writes import PolicyWriter
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.work.run_outcome import credential_facts


class SelfRotation:
    """Connections, and the rotation of their own credential where they have one: created, changed and deleted as one.

    ``nudge`` tells the finder of due work to look at once; ``pause`` waits between attempts to get at an application that
    the workflow is busy with; ``process_id`` is whose lease it is meanwhile, so that it ends if this process dies.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        providers: Providers,
        clock: Clock,
        ids: Ids,
        verifier: Verifier,
        writer: ConnectionWriter,
        *,
        nudge: Callable[[], None] = lambda: None,
        pause: Callable[[float], object] = lambda _seconds: None,
        process_id: str = "api",
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._providers = providers
        self._clock = clock
        self._verifier = verifier
        self._connections = writer
        self._adoptions = AdoptionCheck(database, sealer, providers, clock, verifier)
        self._policies = PolicyWriter(clock, ids, sealer, providers)
        self._nudge = nudge
        self._edits = EditLock(database, clock, pause, process_id)

    # --- creating and changing --------------------------------------------------------------------------------------

    def create(
        self, actor: Actor, new: NewConnection, schedule: ScheduleChange | None, *, move_along: bool = True
    ) -> Connection:
        """Make a connection whose credentials sign in; with a schedule, take its secret over and start rotating it.

        All checks are made first; then connection, rotation, journal and the first run are written together. Other connections
        that hold the same credential are moved along by the rotation; without ``move_along`` that is refused, and named.
        """
        cloud, first_schedule = self._connections.cloud, schedule.on(None) if schedule else None
        with self._database.read() as tx:
            self._connections.check_new(tx, actor, new.name, new.project_id)
            require_may_set_up(tx, actor, self._providers.method_of(new.credentials))
        credentials = self._verifier.read(new.credentials)
        adoption = None
        if schedule:
            adoption = self._adoptions.check(
                credentials, cloud, schedule.key_id, confirmed=schedule.key_confirmed, schedule=first_schedule
            )
        verified = self._verified(credentials, adoption, cloud)
        self._complete_older_rows()
        with self._edits.write(*_touched(None, adoption)) as tx:
            connection = self._connections.insert(tx, actor, new, verified)
            if adoption and first_schedule:
                self._policies.enroll(tx, actor, connection, adoption, first_schedule, move_along=move_along)
        if adoption:
            self._nudge()
        return connection

    def _verified(self, credentials: Credentials, adoption: Adoption | None, cloud: str) -> VerifiedCredentials:
        """Have credentials accepted by the provider, which those of an adoption were already."""
        if adoption:
            return VerifiedCredentials(credentials, adoption.given, adoption.accepted_at)
        return self._verifier.verify(credentials, cloud)

    def _complete_older_rows(self) -> None:
        """Outside transactions, before anything is decided by fingerprints."""
        older_rows.complete(self._database, self._sealer, self._providers, self._clock.now())

    def update(
        self, actor: Actor, connection_id: str, change: ConnectionChange, consent: Consent = NO_CONSENT
    ) -> Connection:
        """Change a connection, its credentials and its schedule: all of it or nothing.

        Raises ApprovalNeeded where new credentials are entered by two persons, and Refused where anything else is changed with
        them then. Who signs in with a browser enters none.
        """
        with self._database.read() as tx:
            connection, rotation = access.find(tx, actor, connection_id, Action.EDIT_CONNECTIONS)
            if change.of_credentials:
                guards.refuse_while_converting(tx, connection)
        change = change.for_method(self._verifier.method_named(connection, change.method))
        credentials = self._verifier.read_new(connection, change.credentials)
        if consent.request_id and credentials is None:
            raise Refused(
                f"'{connection.name}' has these credentials already.",
                code="approvals.changed_meanwhile",
                fix="Reject the request.",
            )
        if credentials:
            with self._database.read() as tx:
                require_may_set_up(tx, actor, self._providers.method_of(credentials))
        schedule = _schedule_after(rotation, change)
        adoption = self._adoptions.check_change(connection, rotation, credentials, change, schedule)
        verified = self._verified(credentials, adoption, connection.cloud) if credentials else None
        self._complete_older_rows()
        with self._edits.write(*_touched(rotation if credentials else None, adoption)) as tx:
            connection, rotation = access.lock(tx, actor, connection_id, Action.EDIT_CONNECTIONS, rotation)
            if change.of_credentials:
                guards.refuse_while_converting(tx, connection)
            method = self._providers.method_of(credentials or connection)
            if credentials and not method.browser:
                entered = proposals.new_credentials(connection, rotation, method, credentials, adoption, change)
                alone = not _changes_more(connection, rotation, schedule, change)
                self._require_consent_alone(tx, actor, entered, consent, alone=alone)
            name = connection.name if change.name is None else change.name
            description = change.description if change.describe else connection.description
            connection = self._connections.change(
                tx, actor, connection, name=name, description=description, verified=verified
            )
            self._policies.change(tx, actor, connection, rotation, adoption, schedule, change)
        self._nudge()
        return connection

    # --- rotating now -----------------------------------------------------------------------------------------------

    def rotate_now(
        self,
        actor: Actor,
        connection_id: str,
        *,
        leaked: bool = False,
        freeze_reason: str | None = None,
        consent: Consent = NO_CONSENT,
    ) -> tuple[Connection, Run]:
        """Ask for a rotation at once; while one is under way, join it. Returns before it is done.

        Raises Refused within a freeze, unless it leaked or ``freeze_reason`` says why it cannot wait; ApprovalNeeded where what
        leaked is replaced by two persons.
        """
        reason = Reason.LEAKED if leaked else Reason.MANUAL
        with self._database.write() as tx:
            connection, rotation = access.require(tx, actor, connection_id, Action.ROTATE_CREDENTIALS, lock=True)
            guards.refuse_while_converting(tx, connection)
            if leaked:
                self._require_consent(tx, actor, proposals.leak_of_connection(connection, rotation), consent)
            run = self._policies.start(tx, actor, rotation, reason, freeze_reason)
        self._nudge()
        return connection, run

    # --- deleting ---------------------------------------------------------------------------------------------------

    def delete(
        self, actor: Actor, connection_id: str, *, revoke: bool | None = None, consent: Consent = NO_CONSENT
    ) -> tuple[Connection, list[Credential]]:
        """Delete a connection. Returns it and the secrets that stay valid at the provider.

        ``revoke`` True removes every secret of its rotation from Entra, False keeps them all; by default those that this
        server asked for are removed, since nobody else has them, and one that a user supplied is kept. The removal is
        done by the workflow, after this returns. Where other connections hold the current secret, the rotation goes on for them
        and none of its secrets is removed because of this. Raises Refused while applications are rotated through it, and
        ApprovalNeeded where that needs two persons.
        """
        with self._database.read() as tx:
            _, before = access.find(tx, actor, connection_id, Action.DELETE_CONNECTIONS)
        self._complete_older_rows()
        with self._edits.write(*_touched(before, None)) as tx:
            lock_reading(tx, connection_id)
            connection, rotation = access.lock(tx, actor, connection_id, Action.DELETE_CONNECTIONS, before)
            guards.refuse_while_signing_for_others(tx, actor, connection)
            guards.refuse_until_trust_is_removed(tx, connection, self._clock.now())
            deletion = proposals.deletion_of_connection(connection, rotation, revoke=revoke)
            self._require_consent(tx, actor, deletion, consent)
            rows: list[Credential] = []
            if rotation and self._policies.hand_over(tx, actor, rotation):
                rows = [
                    replace(row, note=SHARED) for row in journal.live(tx, rotation.id) if row.state is State.CURRENT
                ]
            elif rotation:
                self._policies.cancel(tx, actor, rotation, "the connection was deleted")
                rows = self._policies.retire(
                    tx, actor, rotation, keep=lambda row: row.adopted if revoke is None else not revoke
                )
            self._connections.delete(tx, actor, connection, staysValid=[credential_facts(row) for row in rows])
        self._nudge()
        return connection, rows

    def _require_consent_alone(
        self, tx: Tx, actor: Actor, entered: ProposedChange, consent: Consent, *, alone: bool
    ) -> None:
        """Raise as :meth:`update` says for new credentials. ``alone``: nothing else is changed with them."""
        try:
            self._require_consent(tx, actor, entered, consent)
        except ApprovalNeeded:
            if not alone:
                raise Refused(
                    "New credentials need the approval of another person, and are changed alone.",
                    code="approvals.credentials_alone",
                    fix="Send the other changes by themselves, and the credentials after that.",
                ) from None
            raise

    def _require_consent(self, tx: Tx, actor: Actor, change: ProposedChange, consent: Consent) -> None:
        gate.require(tx, actor, change, consent, self._clock.now(), self._policies.ids)


def _schedule_after(rotation: Rotation | None, change: ConnectionChange) -> Schedule | None:
    """Return the schedule after the change; None where nothing rotates then. Raises Refused for one that would be lost."""
    if rotation:
        return change.schedule.on(rotation.schedule) if change.schedule else rotation.schedule
    if change.enabled:
        return (change.schedule or ScheduleChange()).on(None)
    if change.schedule and change.enabled is None:
        raise Refused(
            "Automatic credential rotation is not enabled for this connection, so it has no schedule to change.",
            code="rotation.not_enabled",
            fix="Send isAutoRotationEnabled: true together with rotation.",
        )
    return None


def _changes_more(
    connection: Connection, rotation: Rotation | None, schedule: Schedule | None, change: ConnectionChange
) -> bool:
    """Say whether the change is about more than credentials; declarative clients send all of it again."""
    renamed = change.name not in {None, connection.name}
    described = change.describe and (change.description or None) != (connection.description or None)
    switched = change.enabled not in {None, bool(rotation and rotation.enabled)}
    return renamed or described or switched or bool(rotation and schedule != rotation.schedule)


def _touched(rotation: Rotation | None, adoption: Adoption | None) -> set[str]:
    """Return the applications whose secrets an edit concerns."""
    object_ids = {rotation.object_id} if rotation else set()
    return object_ids | {adoption.application.object_id} if adoption else object_ids
