"""A server that can fail, and a client for it with a home of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from keyturn.client.cache import CacheFile, cache_file
from keyturn.client.domain import Source
from keyturn.client.opening import Client, open_client
from keyturn.client.reader import Reader
from tests.features.client.standin import SECRET, StandIn, standing_in

SOURCE = Source("payments", "dev")


@dataclass
class Machine:
    """A machine on which programs are given secrets. ``told`` is what was said to its operator."""

    server: StandIn
    home: Path
    told: list[str] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
    seconds: float = 0.0
    """Of the clock that nobody sets."""
    opened: list[Client] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "KEYTURN_URL": self.server.url,
            "KEYTURN_CLIENT_ID": "5f8a1c80",
            "KEYTURN_CLIENT_SECRET": SECRET,
            "KEYTURN_PROJECT": SOURCE.project,
            "KEYTURN_ENVIRONMENT": SOURCE.environment,
        }

    def client(self, seconds: float = 30.0, **variables: str) -> Client:
        client = open_client(self.environ | variables, {}, self.told.append, seconds=seconds)
        self.opened.append(client)
        return client

    def copy(self, source: Source = SOURCE, **variables: str) -> CacheFile:
        client = self.client(**variables)
        copy = cache_file(client.settings, client.server.identity, source, client.environ, self.told.append)
        assert copy is not None
        return copy

    def reader(self, *, cached: bool = True, seconds: float = 30.0, interval: float = 60.0, **more: Any) -> Reader:
        client = self.client(seconds)
        cache = cache_file(client.settings, client.server.identity, SOURCE, client.environ, self.told.append)
        return Reader(
            client.server,
            SOURCE,
            cache if cached else None,
            interval=interval,
            tell=self.told.append,
            now=lambda: self.now,
            spread=lambda: 0.5,
            **{"monotonic": lambda: self.seconds} | more,
        )

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()

    @property
    def copies(self) -> list[Path]:
        return sorted(self.home.glob(".cache/keyturn/*.sealed"))


@pytest.fixture(scope="session")
def _server() -> Iterator[StandIn]:
    with standing_in() as server:
        yield server


@pytest.fixture
def machine(_server: StandIn, tmp_path: Path) -> Iterator[Machine]:
    _server.reset()
    machine = Machine(_server, tmp_path)
    yield machine
    for client in machine.opened:
        client.server.close()
