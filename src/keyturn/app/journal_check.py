"""What compares the journal with the provider, put together for a command: without a server, and without changing a table."""

import os
import time

from keyturn.app.core import clouds, oauth_app
from keyturn.app.services import build
from keyturn.app.startup import Notice, root_key_source
from keyturn.app.token_sources import token_sources
from keyturn.crypto.keyring import Keyring, KeyringSealer
from keyturn.db.unit import Database
from keyturn.kit.ids import SystemIds
from keyturn.ports.clock import Clock
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn.providers.transport import HttpTransport
from keyturn.rotations.comparison import JournalCheck
from keyturn.settings.model import Settings


def journal_check(settings: Settings, database: Database, clock: Clock, notice: Notice) -> JournalCheck:
    """Return what compares, with keys that were opened. Raises Misconfigured for a wrong root key."""
    keyring = Keyring(database, root_key_source(settings, notice, database, clock), clock)
    keyring.verify()
    keyring.reload()
    ids, transport, sealer = SystemIds(), HttpTransport(ca_file=settings.ca_file), KeyringSealer(keyring)
    azure = AzureProvider(
        transport,
        clock,
        clouds(settings),
        ids=ids,
        timeout=settings.pace.call_timeout,
        oauth=oauth_app(settings),
        bare_codes=settings.oauth_bare_codes,
        sources=token_sources(settings, os.environ, transport, HttpTransport(direct=True)),
    )
    providers = Providers([azure])
    services = build(database, sealer, providers, clock, ids, settings.cloud, pace=settings.pace, pause=time.sleep)
    return JournalCheck(database, sealer, providers, services.targets)
