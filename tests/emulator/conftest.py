"""An emulator on a virtual clock for tests in process, and a served one for real clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from entra_emulator import Demo, Emulator, SigningKey, SystemClock, VirtualClock
from entra_emulator.server.server import Running, run_in_thread
from tests.emulator.certificates import Certificate, make_certificate
from tests.emulator.people import People, people_in
from tests.emulator.rows import RowKeeper
from tests.emulator.scene import EmulatorFixture


@dataclass(frozen=True)
class Served:
    """A served emulator with its demo tenant."""

    emulator: Emulator
    running: Running
    demo: Demo

    @property
    def authority(self) -> str:
        return f"{self.running.authority}/{self.demo.tenant_id}"


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    return SigningKey()


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    return make_certificate()


@pytest.fixture
def scene(signing_key: SigningKey) -> Iterator[EmulatorFixture]:
    """A small tenant. What a test does to it can be kept row by row, whichever way it does it."""
    clock = VirtualClock()
    emulator = Emulator(clock, seed=7, signing_key=signing_key)
    keeper = RowKeeper(emulator)
    yield EmulatorFixture(emulator, clock, emulator.admin.create_tenant("Contoso"))
    keeper.check()


@pytest.fixture
def people(scene: EmulatorFixture) -> People:
    return people_in(scene)


@pytest.fixture(scope="module")
def served(signing_key: SigningKey) -> Iterator[Served]:
    """One server for a module; real clients find its certificate through the environment."""
    emulator = Emulator(SystemClock(), seed=7, signing_key=signing_key)
    demo = emulator.seed_demo()
    with run_in_thread(emulator) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", running.ca_file)
        patch.setenv("SSL_CERT_FILE", running.ca_file)
        patch.delenv("CURL_CA_BUNDLE", raising=False)
        yield Served(emulator, running, demo)


@pytest.fixture
def world(served: Served) -> Iterator[Served]:
    """The served emulator; faults that a test leaves behind are dropped."""
    yield served
    served.emulator.faults.clear()
