"""Starts a server as far as its database and keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from keyturn.app import startup
from keyturn.crypto.keyring import Keyring
from keyturn.db.unit import Database
from keyturn.kit.clock import MovableClock
from keyturn.settings.reader import read_settings

CLOCK = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))


@contextmanager
def started(environ: dict[str, str], notices: list[str]) -> Iterator[tuple[Database, Keyring]]:
    """What a server does before it serves."""
    settings = read_settings(environ)
    database = startup.open_database(settings)
    try:
        startup.prepare_database(settings, database, CLOCK, notices.append)
        yield database, startup.open_keyring(settings, database, CLOCK, notices.append)
    finally:
        database.close()


def start(environ: dict[str, str]) -> list[str]:
    notices: list[str] = []
    with started(environ, notices):
        return notices
