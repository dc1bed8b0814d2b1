"""A process whose database was migrated by a newer version does nothing more on its own."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from keyturn.db import migrate
from keyturn.db.unit import Database
from keyturn.engine.loop import Loop

_log = structlog.get_logger("keyturn.app")

EVERY = timedelta(seconds=2)


class VersionWatch:
    """Looks again and again which version the database has. ``on_newer`` is called once, when this code does not know it."""

    def __init__(self, database: Database, on_newer: Callable[[], None], every: timedelta = EVERY) -> None:
        self._database = database
        self._on_newer = on_newer
        self._every = every
        self._loop = Loop("version of the database", self._round, every)
        self.is_over = False
        """Whether a newer version has taken over."""

    def start(self) -> None:
        self._loop.start()

    def stop(self, grace: timedelta) -> None:
        self._loop.stop(grace)

    def _round(self) -> timedelta:
        newer = None if self.is_over else migrate.newer_version(self._database)
        if newer is not None:
            self.is_over = True
            _log.warning("a newer version migrated the database: this process takes no more work", version=newer)
            self._on_newer()
        return self._every
