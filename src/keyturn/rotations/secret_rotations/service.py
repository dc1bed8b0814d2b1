"""Use cases of secret rotations: the secret of an application, rotated through a connection into secrets of a project.

All checks and all network calls come first; then one transaction writes everything. The rotation itself is done by the
workflow; whoever waits for it asks again and again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from keyturn.approvals import gate
from keyturn.approvals.domain import NO_CONSENT, Consent
from keyturn.audit import secret_rotation_events as events
from keyturn.authz import authorize
from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, NotFound, Refused, RunFailed, TimedOut
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.rotations import proposals
from keyturn.rotations.commands import NewSecretRotation, SecretRotationChange
from keyturn.rotations.domain import Reason, Run, RunState
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.overlap import require_overlap
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.application_check import ApplicationCheck
from keyturn.rotations.secret_rotations.checks import require_new, require_schedule
from keyturn.rotations.secret_rotations.consumers import ConsumedSecret, consumed_secrets
from keyturn.rotations.secret_rotations.domain import Awaited, SecretRotation, SecretRotationView, SharedWith
from keyturn.rotations.secret_rotations.events import record_secret_rotation_event
from keyturn.rotations.secret_rotations.kept_value import KeptValue, kept_value
from keyturn.rotations.secret_rotations.writes import SecretRotationWriter
from keyturn.rotations.store import runs
from keyturn.rotations.store import secret_rotations as store
from keyturn.rotations.work.run_outcome import credential_facts
from keyturn.secrets import access as places
from keyturn.secrets.domain import Address, clean_path
from keyturn.secrets.store import folders

LONGEST_WAIT = timedelta(seconds=100)
"""For the end of a run that a request waits for."""


@dataclass(frozen=True)
class DeletedSecretRotation:
    """What was deleted, as it was. ``stays_valid`` are secrets that still work at the provider afterwards.

    ``consumed``: who had which secret of the application at that moment. ``kept``: the value that its two secrets keep.
    """

    view: SecretRotationView
    stays_valid: Sequence[Credential]
    consumed: Sequence[ConsumedSecret]
    kept: KeptValue | None = None


class SecretRotations:
    """Secret rotations: created, changed, rotated and deleted.

    ``nudge`` tells the finder of due work to look at once.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        applications: ApplicationCheck,
        writer: SecretRotationWriter,
        edits: EditLock,
        nudge: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._applications = applications
        self._writer = writer
        self._policies = writer.policies
        self._edits = edits
        self._nudge = nudge

    # --- reading ------------------------------------------------------------------------------------------------------

    def list(self, actor: Actor, project_id: str) -> Sequence[SecretRotationView]:
        """Return those of the project that the actor may see, by name. Raises NotFound, or Forbidden for somebody of no role."""
        with self._database.read() as tx:
            scope = authorize.Scope(actor.org_id, project_id)
            grants = authorize.grants_of(tx, actor, scope)
            views = [
                view
                for view in store.views(tx, project_id)
                if grants.allow(
                    Action.READ_ROTATIONS,
                    secret_access.scope_of(actor.org_id, view.place, view.secret_rotation.connection_id),
                )
            ]
            if not views:
                authorize.require_in(grants, actor, Action.READ_ROTATIONS, scope)
            return views

    def get(self, actor: Actor, secret_rotation_id: str) -> SecretRotationView:
        """Return one that the actor may see. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            return secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)

    def by_name(self, actor: Actor, address: Address, name: str) -> SecretRotationView:
        """Return the one of this name in the folder at the address. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            place, grants = places.locate_above(tx, actor, Action.READ_ROTATIONS, address)
            folder = folders.at(tx, place.environment_id, place.path)
            each = store.rotation_of_name(tx, folder.id, name) if folder else None
            # What one may see depends on its connection: so what is hidden is answered as what is not there.
            scope = secret_access.scope_of(actor.org_id, place, each.connection_id if each else None)
            if each and grants.allow(Action.READ_ROTATIONS, scope):
                return store.required_view(tx, each.id)
            authorize.require_in(grants, actor, Action.READ_ROTATIONS, replace(scope, connection_id=None))
            raise NotFound(
                f"There is no secret rotation named '{name}' in that folder.",
                code="secret_rotations.not_found",
                fix="GET /api/v2/secret-rotations?projectId={id} lists those of a project that you may see, as its page does.",
            )

    def shared_with(self, actor: Actor, secret_rotation_id: str) -> SharedWith:
        """Return the other secret rotations that publish the same secrets of the application. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
            refs = [ref for ref in store.refs_of_rotation(tx, view.rotation.id) if ref.id != secret_rotation_id]
            seen = secret_access.seen_among(tx, actor, refs)
        return SharedWith(seen, len(refs) - len(seen))

    # --- creating -----------------------------------------------------------------------------------------------------

    def create(self, actor: Actor, new: NewSecretRotation) -> Awaited:
        """Begin to rotate an application's secret into two secrets, which appear with the end of its first run.

        The same again joins the first run while that is under way, and afterwards answers what there is. Ask :meth:`created`
        for the end of it. Raises Refused, Forbidden, NotFound, or what the provider says; then nothing was written.
        """
        with self._database.read() as tx:
            connection, _, same = require_new(tx, actor, new)
            if same:
                return self._first_run(tx, same)
        checked = self._applications.check(connection, new.object_id, new.client_id, schedule=new.schedule)
        with self._edits.write(checked.application.object_id) as tx:
            connection, place, same = require_new(tx, actor, new)
            if same:
                return self._first_run(tx, same)
            awaited = self._first_run(tx, self._writer.begin(tx, actor, new, connection, checked, place))
        self._nudge()
        return awaited

    def _first_run(self, tx: Tx, each: SecretRotation) -> Awaited:
        """Return what its creation waits for: nothing once a secret of the application was published."""
        run = runs.active_run(tx, each.rotation_id)
        return self._awaited(each.id, each.rotation_id, run if run and run.generation == 1 else None)

    def _awaited(self, secret_rotation_id: str, rotation_id: str, run: Run | None) -> Awaited:
        return Awaited(secret_rotation_id, rotation_id, run.id if run else None, self._clock.now() + LONGEST_WAIT)

    def created(self, actor: Actor, awaited: Awaited) -> SecretRotationView | None:
        """Return it once its first run has published; None as long as that is under way. Repeatable.

        Raises Refused with the provider's words when the run has failed, and TimedOut past ``awaited.until``: then it is
        deleted, and what was made at the provider is removed.
        """
        run = self._run(awaited)
        if run is not None and run.state in {RunState.FAILED, RunState.CANCELLED}:
            raise _told(run, Refused)
        if run is None or run.state is RunState.SUCCEEDED:
            return self._found(actor, Action.CREATE_ROTATIONS, awaited)
        if self._clock.now() < awaited.until or not self._ended(actor, awaited):
            return None
        raise TimedOut(
            f"The first run was not over after {LONGEST_WAIT.total_seconds():.0f} seconds. The secret rotation was ended, and "
            "what was made at the provider is being removed.",
            code="secret_rotations.timed_out",
            fix="Create it again; if it takes as long again, look at the time line of the connection's removals for the cause.",
        )

    def _ended(self, actor: Actor, awaited: Awaited) -> bool:
        """End what has not published yet; False where that is not possible at this moment, or not necessary any more."""
        try:
            with self._edits.write(*self._object_ids(awaited)) as tx:
                view, rotation = secret_access.lock_view(tx, actor, Action.CREATE_ROTATIONS, awaited.secret_rotation_id)
                if rotation.generation > 0:
                    return False
                self._writer.end(tx, actor, view, rotation, delete_secrets=True, revoke=True)
                now = self._clock.now()
                record_secret_rotation_event(tx, actor, events.SECRET_ROTATION_DELETED, view, now, staysValid=[])
        except Refused as error:
            if error.code == "rotation.busy":
                return False
            raise
        except NotFound:
            return False  # its run has just failed
        self._nudge()
        return True

    def _object_ids(self, awaited: Awaited) -> Sequence[str]:
        with self._database.read() as tx:
            view = store.view(tx, awaited.secret_rotation_id)
        return [view.rotation.object_id] if view else []

    # --- rotating now -------------------------------------------------------------------------------------------------

    def rotate(
        self,
        actor: Actor,
        secret_rotation_id: str,
        *,
        leaked: bool = False,
        freeze_reason: str | None = None,
        consent: Consent = NO_CONSENT,
    ) -> Awaited:
        """Ask for a rotation at once; while one is under way, join it. Ask :meth:`rotated` for the end of it.

        ``leaked`` ends all promises to readers: once the new secret is published, all older ones are removed. Raises Refused
        where that ends promises of a secret rotation that the actor may not rotate; :meth:`shared_with` tells of them before.
        Within a freeze anything else is refused without a ``freeze_reason``. Raises ApprovalNeeded where what leaked is replaced
        by two persons.
        """
        with self._database.write() as tx:
            view, rotation = secret_access.lock_view(tx, actor, Action.ROTATE_SECRETS, secret_rotation_id)
            if leaked:
                secret_access.require_for_all(
                    tx,
                    actor,
                    Action.ROTATE_SECRETS,
                    store.views_of_rotation(tx, view.rotation.id),
                    fix="Ask an administrator of the organization to do it. A rotation by hand keeps what was promised.",
                )
            if leaked:
                change = proposals.leak_of_rotation(view)
                gate.require(tx, actor, change, consent, self._clock.now(), self._policies.ids)
            reason = Reason.LEAKED if leaked else Reason.MANUAL
            run = self._policies.start(tx, actor, rotation, reason, freeze_reason)
            awaited = self._awaited(secret_rotation_id, rotation.id, run)
        self._nudge()
        return awaited

    def rotated(self, actor: Actor, awaited: Awaited) -> SecretRotationView | None:
        """Return it once the run has published, or is still not over past ``awaited.until``; None before. Repeatable.

        Raises RunFailed with the provider's words when the run has failed.
        """
        run = self._run(awaited)
        if run is not None and run.state in {RunState.FAILED, RunState.CANCELLED}:
            raise _told(run, RunFailed)
        if run is not None and run.state is RunState.ACTIVE and self._clock.now() < awaited.until:
            return None
        return self._found(actor, Action.ROTATE_SECRETS, awaited)

    def _found(self, actor: Actor, action: Action, awaited: Awaited) -> SecretRotationView:
        with self._database.read() as tx:
            return secret_access.get_view(tx, actor, action, awaited.secret_rotation_id)

    def _run(self, awaited: Awaited) -> Run | None:
        with self._database.read() as tx:
            return runs.get(tx, awaited.run_id) if awaited.run_id else None

    # --- changing -----------------------------------------------------------------------------------------------------

    def update(self, actor: Actor, secret_rotation_id: str, change: SecretRotationChange) -> SecretRotationView:
        """Change what is given: all of it or nothing. Other names rename the secrets. Raises as :meth:`create` does."""
        with self._database.read() as tx:
            before = secret_access.get_view(tx, actor, Action.EDIT_ROTATIONS, secret_rotation_id)
            after = _after(before, change)
            connection = before.connection
            if after.connection_id != before.secret_rotation.connection_id:
                connection = self._other_connection(tx, actor, before, after.connection_id)
        checked = None
        if connection.id != before.connection.id:
            rotation = before.rotation
            checked = self._applications.check(connection, rotation.object_id, rotation.app_id, new=False)
        with self._edits.write(before.rotation.object_id) as tx:
            view, rotation = secret_access.lock_view(tx, actor, Action.EDIT_ROTATIONS, secret_rotation_id)
            after = _after(view, change)
            if checked:
                connection = self._other_connection(tx, actor, view, connection.id)
                self._writer.reconnect(tx, actor, rotation, connection, checked)
            elif after.connection_id != view.secret_rotation.connection_id:
                raise secret_access.changed_meanwhile()
            self._writer.change(tx, actor, view, after, change.names or view.names)
            view = store.required_view(tx, secret_rotation_id)
        self._nudge()
        return view

    def _other_connection(self, tx: Tx, actor: Actor, view: SecretRotationView, connection_id: str) -> Connection:
        """Return another connection for the application. It signs in for all who share the rotation: so all may be edited."""
        sharing = store.views_of_rotation(tx, view.rotation.id)
        secret_access.require_for_all(
            tx,
            actor,
            Action.EDIT_ROTATIONS,
            sharing,
            fix="Ask an administrator of the organization to change the connection.",
            field="connectionId",
        )
        projects = (other.secret_rotation.project_id for other in sharing)
        connection = secret_access.connection_to_use(tx, actor, connection_id, *projects)
        for other in sharing:
            scope = secret_access.scope_of(actor.org_id, other.place, connection.id)
            authorize.require(tx, actor, Action.EDIT_ROTATIONS, scope)
        tenant = view.rotation.tenant
        if (connection.cloud, connection.tenant_id.lower()) != (tenant.cloud, tenant.tenant_id.lower()):
            raise Refused(
                f"The connection '{connection.name}' signs in to another tenant than that of the application.",
                code="rotation.other_tenant",
                fix="Choose a connection of the application's tenant.",
                field="connectionId",
            )
        return connection

    # --- deleting -----------------------------------------------------------------------------------------------------

    def delete(
        self,
        actor: Actor,
        secret_rotation_id: str,
        *,
        delete_secrets: bool = False,
        revoke: bool = False,
        consent: Consent = NO_CONSENT,
    ) -> DeletedSecretRotation:
        """Delete it. The mapped secrets stay as ordinary ones, unless ``delete_secrets``.

        With ``revoke`` what was made at the provider is removed, after this returns; else what was published stays there. The
        application's rotation goes on for its other mappings, and then none of its secrets is removed because of this. Raises
        ApprovalNeeded where that needs two persons.
        """
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.DELETE_ROTATIONS, secret_rotation_id)
        with self._edits.write(view.rotation.object_id) as tx:
            view, rotation = secret_access.lock_view(tx, actor, Action.DELETE_ROTATIONS, secret_rotation_id)
            now = self._clock.now()
            change = proposals.deletion_of_rotation(view, delete_secrets=delete_secrets, revoke=revoke)
            gate.require(tx, actor, change, consent, now, self._policies.ids)
            used = consumed_secrets(tx, actor, view, now)
            kept = None if delete_secrets else kept_value(tx, view, now, revoke=revoke)
            stay = self._writer.end(tx, actor, view, rotation, delete_secrets=delete_secrets, revoke=revoke)
            record_secret_rotation_event(
                tx,
                actor,
                events.SECRET_ROTATION_DELETED,
                view,
                now,
                deleteSecrets=delete_secrets,
                staysValid=[credential_facts(row) for row in stay],
            )
        self._nudge()
        return DeletedSecretRotation(view, stay, used, kept)


def _told(run: Run, kind: type[KeyturnError]) -> KeyturnError:
    """Return as an error why the run has failed."""
    failure = run.failure or {}
    message = failure.get("message") or "The secret rotation was deleted while its run was under way."
    return kind(message, code=failure.get("code") or "secret_rotations.deleted", fix=failure.get("fix"))


def _after(view: SecretRotationView, change: SecretRotationChange) -> SecretRotation:
    """Return it after the change. Raises Refused for what cannot be, and for another application or folder."""
    each, rotation = view.secret_rotation, view.rotation
    named = {(change.object_id or rotation.object_id).lower(), (change.client_id or rotation.app_id).lower()}
    if named != {rotation.object_id.lower(), rotation.app_id.lower()}:
        raise Refused(
            "The application of a secret rotation cannot be changed.",
            code="secret_rotations.application_fixed",
            fix="Create another secret rotation for the other application.",
            field="parameters",
        )
    place = view.place
    if (change.environment or place.environment, clean_path(change.path or place.path)) != (
        place.environment,
        place.path,
    ):
        raise Refused(
            f"The secrets of '{each.name}' are in {place.environment} {place.path} and stay there: programs read them there.",
            code="secret_rotations.folder_fixed",
            fix="Create another secret rotation of the application in the other folder.",
            field="secretPath",
        )
    if change.overlap is not None:
        require_overlap(change.overlap)
    schedule = change.schedule.on(each.schedule) if change.schedule else each.schedule
    require_schedule(schedule)
    return replace(
        each,
        name=each.name if change.name is None else change.name,
        description=change.description or None if change.describe else each.description,
        connection_id=change.connection_id or each.connection_id,
        schedule=schedule,
        enabled=each.enabled if change.enabled is None else change.enabled,
        overlap=each.overlap if change.overlap is None else change.overlap,
    )
