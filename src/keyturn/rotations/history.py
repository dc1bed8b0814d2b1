"""What is shown of a connection's rotation: its credentials, runs and steps, and what others changed. Reads only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import Filter, StoredEvent
from keyturn.audit.service import newest
from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations import access
from keyturn.rotations.domain import Rotation, RotationState, Run
from keyturn.rotations.freezes.domain import FreezeWindows
from keyturn.rotations.run_schedule import ComingRun, coming_runs, planned_run, runs_from
from keyturn.rotations.schedule import Anchor, Schedule
from keyturn.rotations.store import freezes, observed, policies
from keyturn.rotations.store import runs as run_store
from keyturn.rotations.store.observed import ObservedKey
from keyturn.rotations.store.runs import StepRecord

SHOWN_RUNS = 10
SHOWN_DRIFT = 10


@dataclass(frozen=True)
class History:
    """A connection with its rotation. Without a rotation all the rest is empty. ``foreign`` are secrets of others."""

    connection: Connection
    rotation: Rotation | None = None
    credentials: Sequence[Credential] = ()
    foreign: Sequence[ObservedKey] = ()
    runs: Sequence[tuple[Run, Sequence[StepRecord]]] = ()
    drift: Sequence[StoredEvent] = ()
    windows: FreezeWindows = ()

    @property
    def current(self) -> Credential | None:
        return next((row for row in self.credentials if row.state is State.CURRENT), None)

    @property
    def busy(self) -> bool:
        """Whether there is work under way: something to watch."""
        return _busy([run for run, _ in self.runs], self.credentials)

    @property
    def state(self) -> RotationState | None:
        if self.rotation is None:
            return None
        runs = [run for run, _ in self.runs]
        active = next((run for run in runs if run.finished_at is None), None)
        return RotationState(self.rotation, self.current, active or next(iter(runs), None), self.windows)

    def coming(self, count: int, now: datetime) -> Sequence[ComingRun]:
        return coming_runs(self.state, count, now) if self.state else ()


class RotationHistory:
    """What connections show of their rotation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, actor: Actor, connection_id: str, runs: int = SHOWN_RUNS) -> History:
        """Return all that the connection's page shows of it, with so many runs, read in one transaction.

        Raises NotFound or Forbidden.
        """
        with self._database.read() as tx:
            connection, rotation = access.find(tx, actor, connection_id, Action.READ_CONNECTIONS)
            if rotation is None:
                return History(connection)
            return history_of(tx, connection, rotation, runs)

    def rotations(self, connections: Sequence[Connection]) -> Mapping[str, Rotation]:
        """Return by id the rotations of connections that the caller was allowed to read."""
        with self._database.read() as tx:
            return policies.of_connections(tx, [connection.id for connection in connections])

    def credentials(self, actor: Actor, connection_id: str) -> list[Credential]:
        """Return the journal of the connection's credentials, newest first. Never values. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            _, rotation = access.require(tx, actor, connection_id, Action.READ_CONNECTIONS)
            return journal.of_rotation(tx, rotation.id)

    def runs(
        self, actor: Actor, connection_id: str, limit: int, before: datetime | None
    ) -> list[tuple[Run, list[StepRecord]]]:
        """Return the runs that began before a moment with their steps, newest first. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            _, rotation = access.require(tx, actor, connection_id, Action.READ_CONNECTIONS)
            return runs_with_steps(tx, rotation, limit, before)

    def progress(self, actor: Actor, connection_id: str) -> tuple[str, bool]:
        """Return a mark that changes whenever there is something new to see, and whether work is under way."""
        with self._database.read() as tx:
            _, rotation = access.find(tx, actor, connection_id, Action.READ_CONNECTIONS)
            if rotation is None:
                return "", False
            return progress_of(tx, rotation)


def history_of(tx: Tx, connection: Connection, rotation: Rotation, runs: int = SHOWN_RUNS) -> History:
    """Return all that is shown of a rotation. ``connection`` is the one that signs in for it."""
    drift = Filter(rotation.org_id, event=events.CREDENTIALS_DRIFTED.name, subject_id=rotation.id)
    keys = observed.observed_keys_of(tx, rotation.id).values()
    return History(
        connection,
        rotation,
        journal.of_rotation(tx, rotation.id),
        [observed_key for observed_key in keys if not observed_key.ours],
        runs_with_steps(tx, rotation, runs, None),
        newest(tx, drift, SHOWN_DRIFT),
        freezes.of_rotation(tx, rotation),
    )


def runs_with_steps(
    tx: Tx, rotation: Rotation, limit: int, before: datetime | None
) -> list[tuple[Run, list[StepRecord]]]:
    """Return the runs that began before a moment with their steps, newest first."""
    runs = run_store.runs_of(tx, rotation.id, limit, before)
    steps = run_store.steps_of(tx, [run.id for run in runs])
    return [(run, steps[run.id]) for run in runs]


def progress_of(tx: Tx, rotation: Rotation) -> tuple[str, bool]:
    """Return a mark that changes whenever there is something new to see of a rotation, and whether work is under way."""
    newest_runs = run_store.runs_of(tx, rotation.id, 1)
    steps = run_store.steps_of(tx, [run.id for run in newest_runs])
    live = journal.live(tx, rotation.id)
    states = [(row.id, row.state.value) for row in live]
    counts = [(len(records), records[-1].repeats if records else 0) for records in steps.values()]
    mark = f"{[(run.id, run.state.value) for run in newest_runs]}{states}{counts}{rotation.enabled}{rotation.due_at}"
    return mark, _busy(newest_runs, live)


def _busy(runs: Iterable[Run], rows: Iterable[Credential]) -> bool:
    return any(run.finished_at is None for run in runs) or any(row.being_removed for row in rows)


def preview_runs(rotation_history: History, schedule: Schedule, now: datetime, count: int) -> Sequence[ComingRun]:
    """Return when the runs would be after a change to this schedule; the first run of a new rotation is at once."""
    rotation, windows = rotation_history.rotation, rotation_history.windows
    if rotation is None or rotation.anchor is None:
        return runs_from(schedule, ComingRun(now), Anchor(now, scheduled=False), count, windows)
    due = planned_run(schedule, rotation.anchor, rotation_history.current, windows, now)
    changed = replace(
        rotation,
        schedule=schedule,
        enabled=True,
        next_run_at=max(due.at, now),
        moved_days=due.moved_days,
        paused_until=None,
    )
    return replace(rotation_history, rotation=changed).coming(count, now)
