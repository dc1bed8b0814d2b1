"""The use cases of connections and rotations, put together from what they work with."""

from collections.abc import Callable, Mapping
from functools import partial

from keyturn.approvals.service import Approvals
from keyturn.connections.allowed import RotatableApplications
from keyturn.connections.connection_test import ConnectionTests
from keyturn.connections.daily_check import DailyCheck
from keyturn.connections.oauth import SignIns
from keyturn.connections.refresh_tokens import Grants
from keyturn.connections.search import ConnectionSearch
from keyturn.connections.service import Connections
from keyturn.connections.stored import Stored
from keyturn.connections.verification import Verifier
from keyturn.connections.writes import ConnectionWriter
from keyturn.db.unit import Database
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.projects.service import Projects
from keyturn.providers.registry import Providers
from keyturn.rotations.adoption_check import AdoptionCheck
from keyturn.rotations.approved_changes import ApprovedChanges
from keyturn.rotations.change_previews import ChangePreviews
from keyturn.rotations.conversion.service import Conversions
from keyturn.rotations.conversion.steps import ConversionWork
from keyturn.rotations.domain import RotationKind
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.freezes.service import Freezes
from keyturn.rotations.history import RotationHistory
from keyturn.rotations.overviews import Overviews
from keyturn.rotations.permitted import PermittedApplications
from keyturn.rotations.policy_writes import PolicyWriter
from keyturn.rotations.removals import Removals
from keyturn.rotations.secret_rotations.application_check import ApplicationCheck
from keyturn.rotations.secret_rotations.consumers import SecretConsumers
from keyturn.rotations.secret_rotations.history import SecretRotationHistory
from keyturn.rotations.secret_rotations.place_deletion import PlaceDeletions
from keyturn.rotations.secret_rotations.plan import SecretRotationPlans
from keyturn.rotations.secret_rotations.service import SecretRotations
from keyturn.rotations.secret_rotations.target import MappedSecrets
from keyturn.rotations.secret_rotations.values import SecretRotationValues
from keyturn.rotations.secret_rotations.writes import SecretRotationWriter
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.rotations.targets import ConnectionCredential, RotationTarget
from keyturn.secrets.folders import Folders
from keyturn.settings.model import Pace

_DEFAULT_PACE = Pace()


def _at_once(_seconds: float) -> None:
    """Wait for nothing."""


@dataclass(frozen=True)
class Services:
    providers: Providers
    connections: Connections
    rotations: SelfRotation
    sign_ins: SignIns
    tests: ConnectionTests
    daily_check: DailyCheck
    search: ConnectionSearch
    history: RotationHistory
    removals: Removals
    overviews: Overviews
    grants: Grants
    stored: Stored
    applications: RotatableApplications
    secret_rotations: SecretRotations
    secret_values: SecretRotationValues
    secret_plans: SecretRotationPlans
    secret_history: SecretRotationHistory
    secret_consumers: SecretConsumers
    application_check: ApplicationCheck
    targets: Mapping[RotationKind, RotationTarget]
    place_deletions: Callable[[Projects, Folders], PlaceDeletions]
    freezes: Freezes
    approvals: Approvals
    approved_changes: ApprovedChanges
    change_previews: ChangePreviews
    conversions: Conversions
    conversion_work: ConversionWork


def build(
    database: Database,
    sealer: Sealer,
    providers: Providers,
    clock: Clock,
    ids: Ids,
    cloud: str,
    *,
    most: int = 0,
    most_secret_rotations: int = 0,
    pace: Pace = _DEFAULT_PACE,
    nudge: Callable[[], None] = lambda: None,
    pause: Callable[[float], object] = _at_once,
    await_lease: Callable[[float], object] = _at_once,
    process_id: str = "api",
) -> Services:
    """Build the use cases.

    ``most`` is how many connections one place may have, ``most_secret_rotations`` how many of these a project (0: any number).
    ``pause`` waits so many seconds for replicas, ``await_lease`` for an application that a worker is busy with.
    """
    grants = Grants(database, sealer, providers.browser, clock)
    stored = Stored(database, sealer, providers, clock, grants, pace, pause)
    verifier = Verifier(sealer, providers, clock)
    writer = ConnectionWriter(clock, ids, sealer, providers, cloud, most)
    tests = ConnectionTests(database, providers, clock, ids, stored)
    rotations = SelfRotation(
        *(database, sealer, providers, clock, ids, verifier, writer),
        nudge=nudge,
        pause=await_lease,
        process_id=process_id,
    )
    connections = Connections(database, providers, stored)
    permitted = PermittedApplications(database, providers)
    policies = PolicyWriter(clock, ids, sealer, providers)
    folders = Folders(database, clock, ids)
    secret_writer = SecretRotationWriter(clock, ids, sealer, policies, folders, most_secret_rotations)
    edits = EditLock(database, clock, await_lease, process_id)
    applications = ApplicationCheck(stored, providers, permitted)
    targets: Mapping[RotationKind, RotationTarget] = {
        RotationKind.CONNECTION: ConnectionCredential(database, sealer, providers),
        RotationKind.APPLICATION: MappedSecrets(database, sealer, ids, stored, permitted),
    }
    approvals = Approvals(database, clock, ids, sealer)
    adoptions = AdoptionCheck(database, sealer, providers, clock, verifier)
    secret_rotations = SecretRotations(database, clock, applications, secret_writer, edits, nudge)
    secret_values = SecretRotationValues(database, sealer, clock, ids, providers, stored, secret_writer, edits, nudge)
    conversions = Conversions(database, providers, clock, ids, stored, policies, adoptions, edits, nudge)
    return Services(
        providers,
        connections,
        rotations,
        SignIns(database, sealer, providers.browser, clock, ids, verifier, writer),
        tests,
        DailyCheck(database, clock, ids, tests),
        ConnectionSearch(database, clock),
        RotationHistory(database),
        Removals(database),
        Overviews(database),
        grants,
        stored,
        RotatableApplications(database, connections, clock),
        secret_rotations,
        secret_values,
        SecretRotationPlans(database, clock, applications),
        SecretRotationHistory(database),
        SecretConsumers(database, clock),
        applications,
        targets,
        partial(PlaceDeletions, database, clock, writer=secret_writer, edits=edits, nudge=nudge),
        Freezes(database, clock, ids),
        approvals,
        ApprovedChanges(
            database, clock, sealer, providers, approvals, rotations, secret_rotations, secret_values, conversions
        ),
        ChangePreviews(database, clock),
        conversions,
        ConversionWork(database, sealer, providers, clock, stored, writer, policies, edits, pace, nudge),
    )
