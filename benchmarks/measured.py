"""What a measurement says, and how the processor's time is measured, which others on the machine cost nothing of."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

_TICKS = os.sysconf("SC_CLK_TCK")


class Measured(NamedTuple):
    """One line for people, and whether it keeps the limit that the line names. Without a limit: ``True``."""

    line: str
    kept: bool = True

    def __str__(self) -> str:
        return self.line if self.kept else f"{self.line} LIMIT MISSED"


def processor_milliseconds(engine: sa.Engine, work: Callable[[], object], times: int) -> float:
    """Return what one call costs of a processor, in this process and in the database's: the mean of so many."""
    with engine.connect() as connection:
        # In no transaction: PostgreSQL ends those in which nothing happens for long, as here on a busy machine.
        backends = _backends(connection.execution_options(isolation_level="AUTOCOMMIT"))
        work()
        began = time.process_time() + _of_processes(backends())
        for _ in range(times):
            work()
        return (time.process_time() + _of_processes(backends()) - began) * 1000 / times


def _backends(connection: sa.Connection) -> Callable[[], list[int]]:
    """Return what tells the processes of PostgreSQL that work for this database, which are on this machine; SQLite has none."""
    if connection.dialect.name != "postgresql":
        return list
    query = sa.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    return lambda: list(connection.scalars(query))


def _of_processes(pids: list[int]) -> float:
    """Return the seconds of a processor that these processes had."""
    return sum(_of_process(pid) for pid in pids)


def _of_process(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS
