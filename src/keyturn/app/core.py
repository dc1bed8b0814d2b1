"""What every process of the product has: settings in, database, keys, provider and services out."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.alarms.conditions.service import Conditions
from keyturn.app import startup
from keyturn.app.meters import host_of, open_meters, tell_clock
from keyturn.app.services import Services, build
from keyturn.app.sign_in_certificate import certificate_file, look_at
from keyturn.app.token_sources import token_sources
from keyturn.app.traces import open_tracer
from keyturn.app.vault_wait import VaultWatch, waiting
from keyturn.connections.flow import CALLBACK_PATH
from keyturn.crypto.keyring import Keyring, KeyringSealer
from keyturn.crypto.root_choice import RootPlaces
from keyturn.db.unit import Database
from keyturn.errors import busy
from keyturn.kit.bulkhead import Bulkhead
from keyturn.kit.clock import SystemClock
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import SystemIds
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import Transport
from keyturn.ports.provider import OAuthApp
from keyturn.providers.azure.certificate_file import CertificateFile
from keyturn.providers.azure.clouds import Clouds, standard_clouds
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn.providers.token_sources import TokenSources
from keyturn.providers.transport import HttpTransport
from keyturn.settings.model import Settings
from keyturn.telemetry.calls import ObservedTransport
from keyturn.telemetry.meters import Meters
from keyturn.telemetry.tracing import NO_TRACES, Tracer


@dataclass
class Core:
    """What every process of the product has."""

    settings: Settings
    database: Database
    keyring: Keyring
    sealer: KeyringSealer
    clock: Clock
    ids: Ids
    process_id: str
    http: HttpTransport
    transport: Transport
    """By which Microsoft is called: that, and each call is counted."""
    azure: AzureProvider
    providers: Providers
    sources: TokenSources
    meters: Meters
    vault_watch: VaultWatch | None = None
    tracer: Tracer = NO_TRACES
    sso_certificate: CertificateFile | None = None

    def close(self) -> None:
        if self.vault_watch is not None:
            self.vault_watch.stop()
        self.tracer.close()
        self.http.close()
        self.database.close()


def open_core(settings: Settings, notice: startup.Notice, ahead: timedelta = timedelta(0)) -> Core:
    """Open the database, bring it up to date as far as that is safe, open the keyring. Raises Misconfigured.

    ``ahead`` moves this process's clock, for demonstrations of what happens in a month.
    """
    clock, ids = SystemClock(ahead), SystemIds()
    if ahead:
        notice(f"This server's clock is {ahead} ahead.")
    database = startup.open_database(settings)
    startup.prepare_database(settings, database, clock, notice)
    keyring, watch = _open_keyring(settings, database, clock, notice)
    process_id = ids.new()
    guard = partial(before_call, database, Bulkhead(partial(busy, "waiting for Microsoft"), places=12, waiting=4))
    http = HttpTransport(ca_file=settings.ca_file, guard=guard, name=process_id)
    known, oauth = clouds(settings), oauth_app(settings)
    tracer = open_tracer(settings, process_id)
    meters = open_meters(settings, database, clock, refreshes=oauth is not None)
    transport = ObservedTransport(http, host_of(known, settings.cloud), meters, tracer)
    sources = token_sources(settings, os.environ, transport, HttpTransport(guard=guard, direct=True))
    azure = AzureProvider(
        transport,
        clock,
        known,
        ids=ids,
        timeout=settings.pace.call_timeout,
        oauth=oauth,
        bare_codes=settings.oauth_bare_codes,
        sources=sources,
    )
    providers = Providers([azure])
    tell_clock(meters, providers.clock_ahead)
    sealer = KeyringSealer(keyring)
    return Core(
        settings,
        database,
        keyring,
        sealer,
        clock,
        ids,
        process_id,
        http,
        transport,
        azure,
        providers,
        sources,
        meters,
        watch,
        tracer,
        certificate_file(settings, clock),
    )


def _open_keyring(
    settings: Settings, database: Database, clock: Clock, notice: startup.Notice
) -> tuple[Keyring, VaultWatch | None]:
    if settings.key_vault is None:
        return startup.open_keyring(settings, database, clock, notice), None
    host, port = settings.host, settings.port
    if settings.health_port is not None:
        host, port = settings.health_host or host, settings.health_port
    with waiting(settings.key_vault.wait, notice, time.sleep, host, port) as wait:
        keyring = startup.open_keyring(settings, database, clock, notice, wait)
    source = keyring.source
    if not isinstance(source, RootPlaces) or source.vault is None:
        return keyring, None
    watch = VaultWatch(keyring, source.vault)
    watch.start()
    return keyring, watch


def clouds(settings: Settings) -> Clouds:
    """Return the table of clouds, with the custom addresses where some are set. Only the server's own cloud is talked to."""
    table, custom = standard_clouds().limited_to(settings.cloud), settings.cloud_override
    if custom is None:
        return table
    return table.overridden(settings.cloud, authority=custom.authority, graph=custom.graph)


def before_call(database: Database, calls: Bulkhead) -> None:
    """Before each call to Microsoft. Raises Unavailable when too many requests of people wait for such calls already."""
    if database.in_transaction:
        raise RuntimeError("a network call inside a database transaction")
    calls.hold()


def services(core: Core, nudge: Callable[[], None]) -> Services:
    """Return the use cases of this process. ``nudge`` tells the finder of due work to look at once."""
    settings = core.settings
    return build(
        core.database,
        core.sealer,
        core.providers,
        core.clock,
        core.ids,
        settings.cloud,
        most=settings.quotas.connections_per_project,
        most_secret_rotations=settings.quotas.secret_rotations_per_project,
        pace=settings.pace,
        nudge=nudge,
        pause=time.sleep,
        await_lease=time.sleep,
        process_id=core.process_id,
    )


def conditions_of(settings: Settings, database: Database, clock: Clock) -> Conditions:
    """Return what finds what needs somebody, for a command: without keys, and without a call to anybody."""
    azure = AzureProvider(HttpTransport(ca_file=settings.ca_file), clock, clouds(settings), ids=SystemIds())
    finder = ConditionFinder(Providers([azure]), look_at(certificate_file(settings, clock)))
    return Conditions(database, clock, finder)


def condition_finder(core: Core) -> ConditionFinder:
    """Return what finds what needs somebody, in this process."""
    return ConditionFinder(core.providers, look_at(core.sso_certificate))


def oauth_app(settings: Settings) -> OAuthApp | None:
    """Return this server's OAuth application; None unless all three of its settings are there."""
    site, client_id, secret = settings.site_url, settings.oauth_client_id, settings.oauth_client_secret
    return OAuthApp(client_id, secret, f"{site}{CALLBACK_PATH}") if site and client_id and secret else None
