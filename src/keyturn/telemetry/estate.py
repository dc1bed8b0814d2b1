"""The gauges that the database tells, the same in every process: read at a scrape, and kept for some seconds."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client.core import InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family

from keyturn.db.unit import Database
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.latest import Latest
from keyturn.ports.clock import Clock
from keyturn.telemetry import catalogue, store
from keyturn.telemetry.catalogue import MOST_ENDS, Metric
from keyturn.telemetry.meters import family_of

_log = structlog.get_logger("keyturn.telemetry")

FRESH = 10.0
"""Seconds for which what was read is shown: however many scrape, each process reads once in so long."""
PATIENCE = 2.0
"""After so many seconds a scrape goes without: a database that hangs takes nobody's metrics away."""


@dataclass(frozen=True)
class Reading:
    """What was read of the database at one moment, and how many seconds that took."""

    at: datetime
    figures: Mapping[str, Any]
    endings: Sequence[store.Ending]
    seconds: float


class Estate:
    """Asks the database in a thread of its own, at most once in ``FRESH`` seconds."""

    def __init__(
        self, database: Database, clock: Clock, dead_after: timedelta, *, refreshes: bool, names: bool
    ) -> None:
        """``refreshes``: whether this server uses refresh tokens; ``names``: whether names that people typed are told."""
        self._database = database
        self._clock = clock
        self._dead_after = dead_after
        self._refreshes = refreshes
        self._names = names
        self._latest: Latest[Reading | None] = Latest(self._read, None, patience=PATIENCE, fresh=FRESH)

    def families(self) -> list[Family]:
        """Return the gauges; without an answer of the database only the one that says so."""
        reading = self._latest.value()
        if reading is None:
            return [family_of(catalogue.DATABASE_ANSWERS, {(): 0.0})]
        return [
            family_of(catalogue.DATABASE_ANSWERS, {(): 1.0}),
            *gauges(reading, refreshes=self._refreshes),
            *([_names(reading.endings)] if self._names else []),
        ]

    def _read(self) -> Reading | None:
        began, now = time.perf_counter(), self._clock.now()
        try:
            with self._database.read() as tx:
                figures, endings = store.figures(tx, now, self._dead_after), store.endings(tx, MOST_ENDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other metrics go on
            _log.warning("the database was not read for the metrics", reason=type(error).__name__)
            return None
        return Reading(now, figures, endings, time.perf_counter() - began)


def gauges(reading: Reading, *, refreshes: bool) -> Iterator[Family]:
    """Yield what a reading says."""
    of = reading.figures
    unchecked = of["connections"] - of["checked"]
    connections = {"accepted": of["checked"] - of["refused"], "refused": of["refused"], "unchecked": unchecked}
    told = {"waiting": of["told_waiting"], "failing": of["told_failing"], "given_up": of["told_given_up"]}
    yield _by(catalogue.CONNECTIONS, connections)
    yield _by(catalogue.ROTATIONS, {state: of[f"rotations_{state}"] for state in store.ROTATION_STATES})
    yield family_of(catalogue.ROTATIONS_OVERDUE, {(): of["overdue"]})
    yield _by(catalogue.CREDENTIALS, {state: of[state] for state in store.LIVE_STATES})
    yield family_of(catalogue.RUNS_ACTIVE, {(): of["runs"]})
    yield family_of(catalogue.PROCESSES, {(): of["processes"]})
    yield _by(catalogue.ALARMS, {severity: of[f"alarms_{severity}"] for severity in store.SEVERITIES})
    yield _by(catalogue.ALARM_MESSAGES, told)
    yield family_of(catalogue.ALARM_CHANNELS_FAILING, {(): of["channels_failing"]})
    yield family_of(catalogue.WEBHOOK_MESSAGES_WAITING, {(): of["webhooks_waiting"]})
    yield family_of(catalogue.WEBHOOKS_FAILING, {(): of["webhooks_failing"]})
    yield family_of(catalogue.AUDIT_STREAMS_FAILING, {(): of["streams_failing"]})
    yield _by(catalogue.LOCKED, {"user": of["locked_users"], "identity": of["locked_identities"]})
    yield _by(catalogue.DUE_WORK_AGE, dict(_ages(reading, refreshes=refreshes)))
    ends: dict[tuple[str, ...], float] = {
        (ending.subject, ending.id): ending.ends_at.timestamp() for ending in reading.endings
    }
    yield family_of(catalogue.CREDENTIAL_END, ends)
    yield family_of(catalogue.DATABASE_READ, {(): reading.seconds})


def _ages(reading: Reading, *, refreshes: bool) -> Iterator[tuple[str, float]]:
    for source in store.SOURCES:
        due_at = reading.figures[f"due_{source}"]
        waits = isinstance(due_at, datetime) and (refreshes or source != "refresh-token")
        yield source, max(0.0, (reading.at - due_at).total_seconds()) if waits else 0.0


def _by(metric: Metric, values: Mapping[str, float]) -> Family:
    return family_of(metric, {(label,): number for label, number in values.items()})


def _names(endings: Sequence[store.Ending]) -> Family:
    metric = catalogue.NAMES
    family = InfoMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for ending in endings:
        family.add_metric([ending.subject, ending.id, ending.project_id or "", ending.name], {})
    return family
