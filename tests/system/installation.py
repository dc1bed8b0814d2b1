"""An installation as its processes see it: a database, keys, and a local Entra ID over TLS with applications to rotate.

The processes of the product join from outside with :attr:`Installation.environ`; whoever holds the installation plays
the administrator through the services, and looks at the ledger of Entra and at the rows of the database.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from entra_emulator import Emulator, Settings, SystemClock
from entra_emulator.admin.admin import ApplicationHandle
from entra_emulator.server.server import Running, run_in_thread
from keyturn.app.core import Core, open_core
from keyturn.app.services import Services, build
from keyturn.app.web import open_access
from keyturn.connections.domain import Connection, NewConnection
from keyturn.connections.service import Connections
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn.rotations.commands import ScheduleChange
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.settings.reader import read_settings
from keyturn_simulation.emulated import EmulatedTransport, emulated_clouds

ROOT = Path(__file__).parents[2]
PASSWORD = "a long password for tests"
EMAIL = "ada@example.com"


@dataclass
class Installation:
    folder: Path
    environ: Mapping[str, str]
    emulator: Emulator
    running: Running
    core: Core
    provider: AzureProvider
    services: Services
    actor: Actor
    token: str
    tenant_id: str

    @property
    def connections(self) -> Connections:
        return self.services.connections

    @property
    def rotations(self) -> SelfRotation:
        return self.services.rotations

    def application(self, name: str, permission: str = "Application.ReadWrite.OwnedBy") -> ApplicationHandle:
        """Make an application in Entra that may change its own secrets."""
        return self.emulator.admin.create_application(self.tenant_id, name, permissions=(permission,), owns_itself=True)

    def connect(self, application: ApplicationHandle, name: str, *, days: int = 30) -> Connection:
        """Make a connection that rotates: its first run is due at once."""
        first = application.secrets[0]
        credentials = ClientSecret(self.tenant_id, application.app_id, Plaintext(first.value), first.key_id)
        return self.rotations.create(self.actor, NewConnection(name, credentials), ScheduleChange(days, 2, 15, "UTC"))


def system_environ() -> dict[str, str]:
    """What a process needs of the environment, and nothing of this machine's configuration."""
    variables = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return variables | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def installation(
    folder: Path,
    *,
    database_url: str | None = None,
    settings: Settings | None = None,
    seed: int = 1,
    make: Callable[[int], Emulator] = lambda seed: Emulator(SystemClock(), seed),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Installation]:
    """Set up a new installation in the folder: on the database at this address, or on the embedded one.

    ``settings`` are those of the tenant in Entra, ``variables`` go into the environment of all processes.
    """
    emulator = make(seed)
    tenant = emulator.admin.create_tenant("Contoso", settings=settings)
    ca_file = folder / "entra-ca.pem"
    with run_in_thread(emulator, ca_file=ca_file) as running:
        environ = system_environ() | {
            "HOME": str(folder),
            "KEYTURN_DATA_DIR": str(folder / "data"),
            "KEYTURN_AUTHORITY": running.authority,
            "KEYTURN_GRAPH": running.authority,
            "KEYTURN_CA_FILE": str(ca_file),
            "ENCRYPTION_KEY": secrets.token_hex(32),
            **({"DB_CONNECTION_URI": database_url} if database_url else {}),
            **variables,
        }
        core = open_core(read_settings(environ), lambda _sentence: None)
        try:
            access = open_access(core)
            first = access.bootstrap(EMAIL, Plaintext(PASSWORD), "Contoso")
            token = first.token.reveal()
            provider = AzureProvider(EmulatedTransport(emulator), core.clock, emulated_clouds(), ids=core.ids)
            use_cases = build(
                core.database, core.sealer, Providers([provider]), core.clock, core.ids, core.settings.cloud
            )
            actor = access.authenticate(token, "127.0.0.1")
            yield Installation(folder, environ, emulator, running, core, provider, use_cases, actor, token, tenant)
        finally:
            core.close()
