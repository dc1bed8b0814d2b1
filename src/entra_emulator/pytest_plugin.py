"""The fixture `entra` for pytest: an emulator of its own for each test, and the environment that points clients at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from entra_emulator.admin.admin import Admin, ApplicationHandle
from entra_emulator.core.clock import SystemClock
from entra_emulator.directory.keys import SigningKey
from entra_emulator.faults.faults import FaultPlan
from entra_emulator.faults.ledger import Ledger
from entra_emulator.server.emulator import Emulator
from entra_emulator.server.instructions import SignIn, client_environment
from entra_emulator.server.server import Running, run_in_thread


@dataclass(frozen=True)
class Entra:
    """A served emulator with one tenant, and in it an application that owns itself and may rotate its own secrets."""

    emulator: Emulator
    clock: SystemClock
    running: Running
    application: ApplicationHandle

    @property
    def tenant_id(self) -> str:
        """The tenant of the application."""
        return self.application.tenant_id

    @property
    def client_id(self) -> str:
        """The app id of the application."""
        return self.application.app_id

    @property
    def client_secret(self) -> str:
        """The value of the secret that the application was made with."""
        return self.application.secrets[0].value

    @property
    def authority(self) -> str:
        """The base URL of the token endpoint, without a tenant."""
        return self.running.authority

    @property
    def graph(self) -> str:
        """The base URL of Microsoft Graph, with its version."""
        return self.running.graph

    @property
    def ca_file(self) -> str:
        """The certificate that clients must trust."""
        return self.running.ca_file

    @property
    def admin(self) -> Admin:
        """Makes more applications, tenants and secrets, and changes settings."""
        return self.emulator.admin

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong next."""
        return self.emulator.faults

    @property
    def ledger(self) -> Ledger:
        """Every request so far."""
        return self.emulator.ledger

    @property
    def environ(self) -> dict[str, str]:
        """The variables that are set while the test runs; for programs that it starts with an environment of their own."""
        return client_environment(self.running, SignIn(self.tenant_id, self.client_id, self.client_secret))

    def advance(self, seconds: float) -> None:
        """Moves the emulator's clock, which is otherwise the machine's. Raises ValueError for a step backwards."""
        self.clock.advance(seconds)


@pytest.fixture(scope="session")
def entra_signing_key() -> SigningKey:
    """The key that signs the tokens of all tests, since making one takes longer than all else."""
    return SigningKey()


@contextmanager
def serve_entra(signing_key: SigningKey) -> Iterator[Entra]:
    """A running emulator until the block ends; environment variables point azure-identity, requests and others at it.

    For fixtures of another scope than that of `entra`.
    """
    clock = SystemClock()
    emulator = Emulator(clock, signing_key=signing_key)
    tenant = emulator.admin.create_tenant("Contoso")
    permissions = ("Application.ReadWrite.OwnedBy",)
    application = emulator.admin.create_application(tenant, "under test", permissions=permissions, owns_itself=True)
    with run_in_thread(emulator) as running, pytest.MonkeyPatch.context() as patch:
        served = Entra(emulator, clock, running, application)
        for name, value in served.environ.items():
            patch.setenv(name, value)
        for name in ("CURL_CA_BUNDLE", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME", "AZURE_PASSWORD"):
            patch.delenv(name, raising=False)  # which clients would prefer
        yield served


@pytest.fixture
def entra(entra_signing_key: SigningKey) -> Iterator[Entra]:
    """A running emulator for this test alone; environment variables point azure-identity, requests and others at it."""
    with serve_entra(entra_signing_key) as served:
        yield served
