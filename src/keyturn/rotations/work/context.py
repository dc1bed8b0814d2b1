"""What rotation work needs of its process."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from keyturn.connections import older_rows
from keyturn.db.unit import Database
from keyturn.kit.clock_difference import provider_time
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import RotationKind
from keyturn.rotations.targets import RotationTarget
from keyturn.rotations.timings import ProtocolTimings
from keyturn.settings.model import USUAL_QUOTAS, Pace
from keyturn.telemetry.meters import Meters
from keyturn.telemetry.tracing import NO_TRACES, Tracer


@dataclass(frozen=True)
class WorkerContext:
    """What rotation work needs; one per process."""

    database: Database
    sealer: Sealer
    providers: Providers
    clock: Clock
    ids: Ids
    pace: Pace
    process_id: str
    targets: Mapping[RotationKind, RotationTarget]
    runs_per_hour: int = USUAL_QUOTAS.runs_per_hour
    """Most scheduled runs of rotations of other applications, in an organization; 0: any number."""

    meters: Meters = field(default_factory=Meters)
    tracer: Tracer = NO_TRACES

    def mark_all(self) -> None:
        """Bring rows of earlier versions to the form of today: outside transactions, before holders are looked for."""
        older_rows.complete(self.database, self.sealer, self.providers, self.clock.now())

    def provider_time(self) -> datetime:
        """What time it is by the provider's clock: what servers with different clocks compare is dated by it."""
        return provider_time(self.clock.now(), self.providers.clock_ahead())

    @property
    def timings(self) -> ProtocolTimings:
        pace = self.pace
        return ProtocolTimings(
            pace.proof_count,
            pace.proof_spacing,
            pace.confirm_spacing,
            proof_deadline=pace.proof_deadline,
            settle=pace.settle,
            run_tries=pace.run_tries,
        )
