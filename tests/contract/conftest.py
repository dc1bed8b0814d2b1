"""A directory with the product's provider in front of it, on one clock that stands still until it is moved."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from entra_emulator import ApplicationHandle, Emulator
from keyturn.kit.clock import MovableClock
from keyturn.kit.ids import SeededIds
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, Tenant
from keyturn.providers.azure.provider import AzureProvider
from keyturn_simulation.emulated import EmulatedTransport, EmulatorTime, emulated_clouds

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@dataclass
class ContractFixture:
    """One tenant; ``app`` may change its own secrets because it has OwnedBy and owns itself."""

    clock: MovableClock = field(default_factory=lambda: MovableClock(START))

    def __post_init__(self) -> None:
        self.emulator = Emulator(EmulatorTime(self.clock), seed=7)
        self.admin = self.emulator.admin
        self.tenant_id = self.admin.create_tenant()
        self.app = self.admin.create_application(
            self.tenant_id, "Billing", permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True
        )
        self.transport = EmulatedTransport(self.emulator)
        self.provider = AzureProvider(self.transport, self.clock, emulated_clouds(), ids=SeededIds(7))
        self.tenant = Tenant("global", self.tenant_id)

    def secret(self, app: ApplicationHandle | None = None) -> Plaintext:
        return Plaintext((app or self.app).secrets[0].value)

    def token(self, app: ApplicationHandle | None = None) -> AccessToken:
        return self.provider.sign_in(self.tenant, (app or self.app).app_id, self.secret(app))

    def in_days(self, days: float) -> datetime:
        return self.clock.now() + timedelta(days=days)

    def names(self, app: ApplicationHandle | None = None) -> list[str | None]:
        """The names of the secrets that are truly there."""
        return [item.display_name for item in self.admin.secrets((app or self.app).object_id)]


@pytest.fixture
def scene() -> ContractFixture:
    return ContractFixture()
