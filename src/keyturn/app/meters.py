"""The meters of a process, and what they ask at each scrape."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from keyturn.backup.folder import backups_in
from keyturn.db.unit import Database
from keyturn.ports.clock import Clock
from keyturn.ports.work import Engine
from keyturn.providers.azure.clouds import Clouds
from keyturn.settings.model import Settings
from keyturn.telemetry import catalogue
from keyturn.telemetry.estate import Estate
from keyturn.telemetry.meters import Meters, Samples

if TYPE_CHECKING:
    from keyturn.delivery.watch import ChangeWatch
    from keyturn.web.server.app import Application


def open_meters(settings: Settings, database: Database, clock: Clock, *, refreshes: bool) -> Meters:
    """Return what counts, and tells what the database says. ``refreshes``: whether refresh tokens are used here."""
    meters = Meters()
    estate = Estate(database, clock, settings.pace.dead_after, refreshes=refreshes, names=settings.metrics_names)
    meters.read(estate.families)
    meters.tell((catalogue.POOL, lambda: _pool(database.engine)))
    if settings.backup.folder is not None:
        meters.tell(
            (catalogue.BACKUP, partial(_newest_backup, settings.backup.folder)),
            (catalogue.BACKUP_INTERVAL, lambda: {(): settings.backup.hours * 3600}),
        )
    return meters


def _newest_backup(folder: Path) -> Samples:
    made = backups_in(folder)
    return {(): made[-1].made_at.timestamp() if made else 0.0}


def _pool(engine: sa.Engine) -> Samples:
    pool = engine.pool
    if not isinstance(pool, sa.QueuePool):
        return {}
    limit = pool.size() + pool._max_overflow  # noqa: SLF001 - the library has no name for it
    return {("used",): pool.checkedout(), ("idle",): pool.checkedin(), ("limit",): limit}


def tell_clock(meters: Meters, ahead: Callable[[], timedelta | None]) -> None:
    """Let scrapes tell how far this server's clock is ahead."""

    def seconds() -> Samples:
        difference = ahead()
        return {} if difference is None else {(): difference.total_seconds()}

    meters.tell((catalogue.CLOCK_AHEAD, seconds))


def tell_serving(meters: Meters, application: "Application", watch: "ChangeWatch", most_waiters: int) -> None:
    """Let scrapes tell what a web application does."""
    meters.tell(
        (catalogue.READS, lambda: {(answer,): count for answer, count in application.reads.items()}),
        (catalogue.REQUESTS_INSIDE, lambda: {(): application.edge.inside}),
        (catalogue.WAITERS, lambda: {(): watch.waiting}),
        (catalogue.WAITERS_LIMIT, lambda: {(): most_waiters}),
    )


def tell_work(meters: Meters, engine: Engine, places: int) -> None:
    """Let scrapes tell what a worker does."""
    meters.tell(
        (catalogue.WORK_UNDER_WAY, lambda: {(): engine.in_flight()}), (catalogue.WORK_PLACES, lambda: {(): places})
    )


def host_of(known: Clouds, cloud: str) -> Callable[[str], str]:
    """Return what says of a URL whose it is."""
    own = known.get(cloud)

    def host(url: str) -> str:
        return "sign-in" if own.is_authority(url) else "graph" if own.is_graph(url) else "other"

    return host
