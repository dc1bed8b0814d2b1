"""What users do in the portal before they type credentials into the product: make a secret, upload a certificate."""

from datetime import datetime, timedelta

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections.domain import Connection
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods import federated
from keyturn.providers.azure.methods.certificate import CertificateFiles, CertificateMethod
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.providers.azure.methods.federated import Federated
from keyturn_simulation.keys import key_pool, uploaded_pair
from keyturn_simulation.platform_tokens import ISSUER, SOURCES
from keyturn_simulation.simulation import Simulation

LIVES = (2, 60, 730)
"""Days."""
PLENTY = 9


class BrowserActor:
    """Makes credentials as their user would type them."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._admin = simulation.world.emulator.admin
        self._keys = key_pool()

    def room(self, app: ApplicationHandle) -> int:
        """How many more credentials the application takes, as far as that matters."""
        slots = self._sim.world.slots_of(app.object_id)
        return PLENTY if slots is None else slots - len(self._sim.world.keys_of(app.object_id))

    def for_connection(
        self, connection: Connection, app: ApplicationHandle
    ) -> ClientSecret | CertificateFiles | Federated | None:
        """Make new credentials of the connection's method; None without room for them."""
        if connection.method == federated.KEY:
            source = self._sim.rng.choice(sorted(SOURCES))
            self.trust(app, source)
            return Federated(self._sim.world.tenant_id, app.app_id, source)
        if connection.method == CertificateMethod.key:
            return self.certificate(app)
        return self.secret(app)

    def secret(self, app: ApplicationHandle) -> ClientSecret | None:
        """Make a secret, if the application has room for one."""
        if self.room(app) < 1:
            return None
        replicated = not self._sim.calm and self._sim.rng.random() < 0.3
        end = self._ends_at().timestamp()
        secret = self._admin.add_secret(app.object_id, "typed by hand", end=end, replicated=replicated)
        self._sim.world.collect_values()
        self._sim.trace.note("portal", f"a secret is made on {app.display_name}")
        return self.as_typed(app, secret.value, secret.key_id)

    def as_typed(self, app: ApplicationHandle, value: str, key_id: str) -> ClientSecret:
        """Return what the user types: some leave out the Key ID."""
        key_id_typed = None if self._sim.rng.random() < 0.3 else key_id
        return ClientSecret(self._sim.world.tenant_id, app.app_id, Plaintext(value), key_id_typed)

    def certificate(self, app: ApplicationHandle) -> CertificateFiles | None:
        """Upload a certificate, where the application takes any number of credentials."""
        if self._sim.world.slots_of(app.object_id) is not None:
            return None
        signing = uploaded_pair(next(self._keys), self._sim.clock.now(), self._ends_at())
        self._admin.add_certificate(app.object_id, signing.chain.encode())
        self._sim.world.collect_values()
        self._sim.trace.note("portal", f"a certificate is uploaded to {app.display_name}")
        return CertificateFiles(self._sim.world.tenant_id, app.app_id, signing.chain, signing.private_key)

    def trust(self, app: ApplicationHandle, source: str) -> bool:
        """Have the application trust the tokens of this source; say whether it did not before."""
        if self.trusts(app.object_id, source):
            return False
        self._admin.trust_identity(app.object_id, ISSUER, SOURCES[source], name=f"by-hand-{source}")
        self._sim.trace.note("portal", f"{app.display_name} is made to trust {source}")
        return True

    def trusts(self, object_id: str, source: str) -> bool:
        """Whether the application trusts what this source presents while nothing is wrong with it."""
        held = self._admin.application(object_id).federated_held()
        return any((item.issuer, item.subject) == (ISSUER, SOURCES[source]) for item in held)

    def _ends_at(self) -> datetime:
        return self._sim.clock.now() + timedelta(days=self._sim.rng.choice(LIVES))
