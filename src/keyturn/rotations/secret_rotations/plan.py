"""What rotating an application's secret would do, before anything is done: a dry run with real looks at the provider."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.ports.preflight import PolicyReport
from keyturn.ports.provider import RemoteApplication
from keyturn.rotations.commands import NewSecretRotation
from keyturn.rotations.domain import Rotation, RotationKind, RotationState
from keyturn.rotations.freezes.domain import Freeze, FreezeWindows, freeze_at
from keyturn.rotations.overlap import promised_until
from keyturn.rotations.policy_check import require_allowed
from keyturn.rotations.run_schedule import ComingRun, anchor_after, coming_runs, lifetime, run_of_slot, runs_from
from keyturn.rotations.schedule import Anchor, next_slot
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.application_check import ApplicationCheck, CheckedApplication
from keyturn.rotations.secret_rotations.checks import require_new
from keyturn.rotations.secret_rotations.other_writers import OtherWriter, probable_writer
from keyturn.rotations.secret_rotations.writes import require_listable, require_same_connection
from keyturn.rotations.store import freezes, policies, runs

SHOWN_RUNS = 3


@dataclass(frozen=True)
class PlannedSecret:
    """A secret of the application. ``until`` is when it is removed; None: it stays. ``ours``: this server has its value.

    ``writer`` is what probably made one of others.
    """

    key_id: str
    name: str | None
    ends_at: datetime | None
    ours: bool
    until: datetime | None = None
    writer: OtherWriter | None = None


@dataclass(frozen=True)
class SecretRotationPlan:
    """What would be done, all at the moment of asking. ``adds`` is False where what is current would be published at once.

    ``ends_at`` is the end of the new secret, and ``shorter_ends_at`` what is asked for when the tenant's policy refuses that;
    ``free_slots`` how many more secrets the application may hold then (None: no small limit); ``listed``: the application is on
    the connection's list already; ``runs`` are the coming ones; ``principal_unseen``: it could not be seen whether anybody can
    sign in as the application; ``policy``: whether the tenant lets the new secret be added; ``windows`` are when nothing is
    rotated, ``frozen`` is the freeze that it would be in.
    """

    application: RemoteApplication
    connection: Connection
    listed: bool
    adds: bool
    ends_at: datetime
    shorter_ends_at: datetime
    secrets: Sequence[PlannedSecret]
    free_slots: int | None
    runs: Sequence[ComingRun]
    principal_unseen: bool = False
    policy: PolicyReport | None = None
    windows: FreezeWindows = ()
    frozen: Freeze | None = None


class SecretRotationPlans:
    """Plans of secret rotations. Changes nothing."""

    def __init__(self, database: Database, clock: Clock, applications: ApplicationCheck) -> None:
        self._database = database
        self._clock = clock
        self._applications = applications

    def of_new(self, actor: Actor, new: NewSecretRotation) -> SecretRotationPlan:
        """Return what creating it would do. Raises as creating it does."""
        with self._database.read() as tx:
            connection, _, _ = require_new(tx, actor, new)
        checked = self._applications.check(connection, new.object_id, new.client_id, schedule=new.schedule)
        with self._database.read() as tx:
            require_listable(tx, actor, connection, checked)
            rotation = policies.of_application(tx, checked.application.object_id)
            if rotation is None:
                require_allowed(checked.policy, new.schedule)
                plan = self._plan(tx, _first(new, connection, checked.application), connection, checked, adds=True)
                return replace(plan, principal_unseen=checked.principal is None)
            require_same_connection(tx, actor, rotation, connection, checked.application)
            return self._plan(tx, rotation, connection, checked, adds=rotation.generation == 0)

    def of(self, actor: Actor, secret_rotation_id: str) -> SecretRotationPlan:
        """Return what rotating it now would do. Raises NotFound, Forbidden, Refused, or what the provider says."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
        rotation = view.rotation
        checked = self._applications.check(
            view.connection, rotation.object_id, rotation.app_id, new=False, schedule=rotation.schedule
        )
        with self._database.read() as tx:
            return self._plan(tx, rotation, view.connection, checked, adds=True)

    def _plan(
        self, tx: Tx, rotation: Rotation, connection: Connection, checked: CheckedApplication, *, adds: bool
    ) -> SecretRotationPlan:
        now, application = self._clock.now(), checked.application
        anchor = anchor_after(rotation.schedule, None, now) if adds else rotation.anchor or Anchor(now, scheduled=False)
        first = (
            next_slot(rotation.schedule, anchor) if adds else rotation.due_at or next_slot(rotation.schedule, anchor)
        )
        windows = freezes.of_rotation(tx, rotation)
        rows = {row.key_id: row for row in journal.live(tx, rotation.id)}
        slots = application.slots
        return SecretRotationPlan(
            application,
            connection,
            checked.listed,
            adds,
            now + lifetime(rotation),
            now + lifetime(replace(rotation, short_lifetime=True)),
            [
                PlannedSecret(
                    key.key_id,
                    key.name,
                    key.ends_at,
                    key.key_id in rows,
                    _until(
                        rows.get(key.key_id),
                        promised_until(rotation.overlap, now, first, key.ends_at if slots is None else None),
                        adds=adds,
                    ),
                    None if key.key_id in rows else probable_writer(key.name, key.starts_at, key.ends_at),
                )
                for key in application.credentials
            ],
            None if slots is None else slots - len(application.credentials) - (1 if adds else 0),
            _first_runs(rotation, first, windows)
            if adds or not rotation.due_at
            else coming_runs(_state(tx, rotation, rows.values(), windows), SHOWN_RUNS, now),
            policy=checked.policy if adds else None,
            windows=windows,
            frozen=freeze_at(windows, now),
        )


def _state(tx: Tx, rotation: Rotation, rows: Iterable[Credential], windows: FreezeWindows) -> RotationState:
    current = next((row for row in rows if row.state is State.CURRENT), None)
    return RotationState(rotation, current, next(iter(runs.runs_of(tx, rotation.id, 1)), None), windows)


def _first_runs(rotation: Rotation, first: datetime, windows: FreezeWindows) -> Sequence[ComingRun]:
    run, after = run_of_slot(rotation.schedule, first, windows), Anchor(first, scheduled=True)
    return runs_from(rotation.schedule, run, after, SHOWN_RUNS, windows)


def _until(row: Credential | None, replaced_until: datetime, *, adds: bool) -> datetime | None:
    """Return when a secret that is there is removed: what this server does not know stays."""
    if row is None:
        return None
    if row.state is State.CURRENT:
        return replaced_until if adds else None
    return row.revoke_after


def _first(new: NewSecretRotation, connection: Connection, application: RemoteApplication) -> Rotation:
    return Rotation(
        id="",
        kind=RotationKind.APPLICATION,
        org_id=connection.org_id,
        project_id=new.project_id,
        connection_id=connection.id,
        name=new.name,
        tenant=connection.tenant,
        app_id=application.app_id,
        object_id=application.object_id,
        application_name=application.name,
        schedule=new.schedule,
        enabled=new.enabled,
        overlap=new.overlap,
    )
