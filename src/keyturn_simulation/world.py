"""A whole Keyturn in one process, on a clock that stands still until it is moved, against the emulator.

``World`` is the scene of tests and of the simulation: a tenant, one database, servers that share it, an administrator.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from typing import Any

import sqlalchemy as sa

from entra_emulator import Emulator, Settings
from entra_emulator.admin.admin import ApplicationHandle
from keyturn.app.services import Services, build
from keyturn.audit.linking import open_chains
from keyturn.connections import sealed
from keyturn.connections.domain import Connection, NewConnection
from keyturn.connections.due import LOOK_CLAIM
from keyturn.connections.due_store import any_look_due, claim_looks
from keyturn.connections.service import Connections
from keyturn.credentials.domain import ENDED, Credential, State
from keyturn.credentials.store import read
from keyturn.crypto.keyring import Keyring, KeyringSealer
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.tables import app_connections, audit_events, credentials, rotations
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor
from keyturn.kit.clock import MovableClock
from keyturn.kit.ids import SeededIds
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import Transport
from keyturn.ports.provider import Tenant
from keyturn.ports.sign_in import Credentials
from keyturn.providers.azure.methods.certificate import Certificate
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.providers.azure.methods.federated import Federated
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn.providers.token_sources import TokenSources
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.domain import Rotation
from keyturn.rotations.due import CLAIM
from keyturn.rotations.history import RotationHistory
from keyturn.rotations.protocol import Step
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.rotations.store import policies
from keyturn.rotations.store.due import any_due, claim_due
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.workflow import Rotator
from keyturn.settings.model import Pace
from keyturn_simulation.administrator import administrator
from keyturn_simulation.clocks import NodeClock
from keyturn_simulation.emulated import EmulatedTransport, EmulatorTime, emulated_clouds
from keyturn_simulation.issued import Issued
from keyturn_simulation.keys import SimulatedProvider, key_pool, private_lines, signing_key
from keyturn_simulation.platform_tokens import trust_of

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_WAKES = [sa.select(sa.func.min(column).label("at")) for column in (rotations.c.wake_at, app_connections.c.look_at)]
OWNED = "Application.ReadWrite.OwnedBy"
ALL = "Application.ReadWrite.All"
ROOT_KEY = bytes.fromhex("cd70e73d61125a6b253c460d36e0590ec8874889fbd88644a390e45bef1cb2cf")


@dataclass
class Server:
    """One process of the product: its own name, network and provider; the database is shared."""

    name: str
    context: WorkerContext
    rotator: Rotator
    services: Services
    clock: NodeClock

    @property
    def rotations(self) -> SelfRotation:
        return self.services.rotations


@dataclass
class World:
    database: Database
    clock: MovableClock
    ids: SeededIds
    emulator: Emulator
    settings: Settings
    tenant_id: str
    application: ApplicationHandle
    actor: Actor
    sealer: KeyringSealer
    pace: Pace
    services: Services
    servers: list[Server] = field(default_factory=list)
    watcher: Callable[[str, Step], None] | None = None
    applications: dict[str, ApplicationHandle] = field(default_factory=dict)
    """By client id: every application that a connection may use."""
    writers: set[str] = field(default_factory=set)
    """By client id: those that may write every application."""
    sources: TokenSources | None = None
    clocks_apart: timedelta = timedelta(0)
    """How far moments that a server wrote may be from the true time, without anybody being to blame."""
    removed_outside: set[str] = field(default_factory=set)
    """Key ids that somebody outside removed."""
    issued: Issued = field(default_factory=Issued)

    @property
    def connections(self) -> Connections:
        return self.services.connections

    @property
    def rotations(self) -> SelfRotation:
        return self.services.rotations

    @property
    def history(self) -> RotationHistory:
        return self.services.history

    # --- doing ------------------------------------------------------------------------------------------------------

    def add_server(self, name: str) -> Server:
        server = self.server(name, self.database, self.network(name))
        self.servers.append(server)
        return server

    def network(self, name: str) -> EmulatedTransport:
        return EmulatedTransport(self.emulator, guard=self.guard, elapse=self.clock.advance, instance=name)

    def server(
        self,
        name: str,
        database: Database,
        transport: Transport,
        await_lease: Callable[[float], object] = lambda _seconds: None,
    ) -> Server:
        """A process with a database handle and a network of its own."""
        keys = partial(next, key_pool())
        clock = NodeClock(self.clock)
        azure = SimulatedProvider(transport, clock, emulated_clouds(), ids=self.ids, keys=keys, sources=self.sources)
        providers = Providers([azure])
        use_cases = build(
            *(database, self.sealer, providers, clock, self.ids, "global"),
            pace=self.pace,
            pause=self.clock.advance,
            await_lease=await_lease,
            process_id=name,
        )
        context = WorkerContext(database, self.sealer, providers, clock, self.ids, self.pace, name, use_cases.targets)
        return Server(name, context, Rotator(context, self._watch), use_cases, clock)

    def _watch(self, rotation_id: str, step: Step) -> None:
        if self.watcher:
            self.watcher(rotation_id, step)

    def guard(self) -> None:
        if self.database.in_transaction:
            raise AssertionError("a network call inside a transaction")

    def first_secret(self, application: ApplicationHandle | None = None, **changes: Any) -> ClientSecret:
        """The credentials that a user would type for the application's first secret."""
        app = application or self.application
        first = app.secrets[0]
        credentials = ClientSecret(self.tenant_id, app.app_id, Plaintext(first.value), first.key_id)
        return replace(credentials, **changes)

    def connect(
        self,
        name: str = "prod-entra",
        application: ApplicationHandle | None = None,
        *,
        rotate: bool = True,
        days: int = 30,
        at: tuple[int, int] = (2, 15),
        zone: str = "UTC",
        **changes: Any,
    ) -> Connection:
        draft = NewConnection(name, self.first_secret(application, **changes))
        schedule = ScheduleChange(days, at[0], at[1], zone) if rotate else None
        return self.rotations.create(self.actor, draft, schedule)

    def change(self, connection: Connection, **changes: Any) -> Connection:
        return self.rotations.update(self.actor, connection.id, ConnectionChange(**changes))

    def next_wake(self) -> datetime | None:
        """When there is something to do next: a rotation, or a look at a connection."""
        with self.database.read() as tx:
            moments = [tx.rows(query)[0]["at"] for query in _WAKES]
        return min((at for at in moments if at), default=None)

    def work(self, server: Server | None = None) -> int:
        """Do everything that is due now, as the finder and the engine would. Returns how many rotations were advanced."""
        at_work = server or self.servers[0]
        claimed = self.claim(at_work)
        for rotation_id in claimed:
            at_work.rotator.advance(rotation_id)
        self.look()
        return len(claimed)

    def look(self) -> None:
        """Look at the connections at which it is time to, as the finder and the engine would."""
        for connection_id in self.claim_looks():
            self.services.daily_check.run(connection_id)

    def claim_looks(self) -> list[str]:
        return list(self._claim(any_look_due, claim_looks, self.clock.now(), LOOK_CLAIM))

    def claim(self, server: Server | None = None) -> list[str]:
        """Claim what is due, as the finder does: work that is lost is found again."""
        now = (server or self.servers[0]).clock.now()
        return [due.rotation_id for due in self._claim(any_due, claim_due, now, CLAIM)]

    def _claim(self, is_due: Callable[..., bool], claim: Callable[..., Any], now: datetime, to: timedelta) -> Any:
        with self.database.read() as tx:
            if not is_due(tx, now):
                return []
        with self.database.write() as tx:
            return claim(tx, now, 1000, now + to)

    def settle(self, within: timedelta = timedelta(minutes=30), server: Server | None = None) -> datetime:
        """Work until nothing is due for that long, moving the clock from one moment of waking to the next."""
        for _ in range(5000):
            self.work(server)
            wake = self.next_wake()
            if wake is None or wake - self.clock.now() > within:
                return self.clock.now()
            self.clock.move_to(wake)
        raise AssertionError("the world does not come to rest")

    def run_until(self, moment: datetime) -> None:
        """Let the time pass until the moment, doing what comes due meanwhile."""
        while True:
            self.work()
            wake = self.next_wake()
            if wake is None or wake > moment:
                self.clock.move_to(moment)
                return
            self.clock.move_to(wake)

    # --- looking ----------------------------------------------------------------------------------------------------

    def rotation(self, connection: Connection) -> Rotation:
        with self.database.read() as tx:
            rotation = policies.of_connection(tx, connection.id)
        if rotation is None:
            raise LookupError(connection.name)
        return rotation

    def journal(self, connection: Connection | None = None) -> list[Credential]:
        """All that was ever planned, of deleted connections too, from the oldest to the newest."""
        of_one = [credentials.c.rotation_id == self.rotation(connection).id] if connection else []
        order = (credentials.c.planned_at, credentials.c.generation, credentials.c.id)
        query = sa.select(credentials).where(*of_one).order_by(*order)
        with self.database.read() as tx:
            return [read(row) for row in tx.rows(query)]

    def states(self, connection: Connection | None = None) -> list[State]:
        return [row.state for row in self.journal(connection)]

    def current_secret(self, connection: Connection) -> Plaintext:
        return self.secret_of(self.connections.get(self.actor, connection.id))

    def stored_credentials(self, connection: Connection) -> Credentials | None:
        """Return what is sealed in the connection; None for a connection by OAuth."""
        method = self.services.providers.method_of(connection)
        return sealed.open_credentials(self.database, self.sealer, method, connection)

    def secret_of(self, connection: Connection) -> Plaintext:
        """Return the client secret that is sealed in the connection."""
        credentials = self.stored_credentials(connection)
        if not isinstance(credentials, ClientSecret):
            raise TypeError(f"{connection.name} has no client secret")
        return credentials.secret

    def keys(self, application: ApplicationHandle | None = None) -> dict[str, str]:
        """The key ids that exist in Entra, with their names."""
        return self.keys_of((application or self.application).object_id)

    def keys_of(self, object_id: str) -> dict[str, str]:
        credentials = self.emulator.admin.application(object_id).credentials_held()
        return {credential.key_id: credential.display_name or "" for credential in credentials}

    def current_of(self, connection: Connection) -> tuple[str, str | None]:
        """Return what the connection signs in with, as one can tell it, and its key id in Entra, even if it is gone by now.

        A client secret is told by its value, a certificate by its thumbprint, whose private key counts as hidden from now on, and
        a federated identity by what the application trusts.
        """
        credentials = self.stored_credentials(connection)
        if isinstance(credentials, Federated):
            value = trust_of(connection.client_id, credentials.issuer, credentials.subject)
        elif isinstance(credentials, Certificate):
            self.hide(private_lines(credentials.signing.private_key))
            value = credentials.signing.thumbprint
        else:
            value = self.secret_of(connection).reveal()
        self.collect_values()
        return value, self.issued.key_ids.get(value)

    def key_id_of(self, secret: Plaintext) -> str | None:
        """Return the key id of a secret that Entra has or had, of those that were collected."""
        return self.issued.key_ids.get(secret.reveal())

    def ends_of(self, object_id: str) -> dict[str, float]:
        """When what signs in to the application ends, by key id; what it trusts does not end."""
        application = self.emulator.admin.application(object_id)
        ends = {credential.key_id: credential.end for credential in application.credentials_held()}
        return ends | {item.id: inf for item in application.federated_held()}

    def all_connections(self) -> list[Connection]:
        return list(self.connections.visible(self.actor, None))

    def application_of(self, client_id: str) -> str:
        return self.applications[client_id].object_id

    def our_applications(self) -> list[str]:
        return [application.object_id for application in self.applications.values()]

    def slots_of(self, object_id: str) -> int | None:
        personal = "Personal" in self.emulator.admin.application(object_id).audience
        return self.settings.personal_secret_cap if personal else None

    def has_no_slot(self, object_id: str) -> bool:
        """Whether every slot is taken by what rotation may not remove: then only a person can make room, and is told so."""
        slots = self.slots_of(object_id)
        if slots is None:
            return False
        removable = {row.key_id for row in self.journal() if row.state not in ENDED and row.state is not State.CURRENT}
        return len(set(self.keys_of(object_id)) - removable) >= slots

    def values_ever_issued(self) -> set[str]:
        """Every secret seen in Entra so far; collected by :meth:`collect_values`."""
        self.collect_values()
        return set(self.issued.values)

    def hide(self, texts: Iterable[str]) -> None:
        """Count these, too, among the values that may not be readable anywhere."""
        self.issued.values.update(texts)

    def collect_values(self) -> None:
        for object_id in self.our_applications():
            self.issued.collect(self.emulator.admin, object_id)

    def signs_in(self, secret: Plaintext, application: ApplicationHandle | None = None) -> bool:
        """Whether the secret is accepted at the token endpoint right now."""
        app = application or self.application
        provider = AzureProvider(EmulatedTransport(self.emulator), self.clock, emulated_clouds())
        try:
            provider.sign_in(Tenant("global", self.tenant_id), app.app_id, secret)
        except Exception:  # noqa: BLE001 - any refusal is a no
            return False
        return True

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        named = [audit_events.c.event == name] if name else []
        query = sa.select(audit_events).where(audit_events.c.org_id.is_not(None), *named).order_by(audit_events.c.id)
        with self.database.read() as tx:
            return [dict(row) for row in tx.rows(query)]

    def runs(self, connection: Connection) -> Iterator[Any]:
        return iter(run for run, _ in self.history.runs(self.actor, connection.id, 100, None))


def make_world(
    database: Database,
    *,
    seed: int = 1,
    settings: Settings | None = None,
    pace: Pace | None = None,
    servers: int = 1,
    permissions: tuple[str, ...] = (OWNED,),
    owns_itself: bool = True,
    audience: str = "AzureADMyOrg",
    secrets: int = 1,
    start: datetime = START,
    sources: TokenSources | None = None,
) -> World:
    """Build the scene. The rest of the arguments describe the application that the first connection uses."""
    clock, ids = MovableClock(start), SeededIds(seed)
    emulator = Emulator(EmulatorTime(clock), seed=seed, signing_key=signing_key())
    tenant = emulator.admin.create_tenant("Contoso", settings=settings)
    application = emulator.admin.create_application(
        tenant, "Our connection", permissions=permissions, owns_itself=owns_itself, audience=audience, secrets=secrets
    )
    sealer = KeyringSealer(Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), clock))
    open_chains(database, sealer, clock)
    actor = administrator(database, ids, clock)
    transport = EmulatedTransport(emulator, elapse=clock.advance, instance="api")
    providers = Providers([SimulatedProvider(transport, clock, emulated_clouds(), ids=ids, sources=sources)])
    rules, tempo = settings or Settings(), pace or Pace()
    use_cases = build(database, sealer, providers, clock, ids, "global", pace=tempo, pause=clock.advance)
    world = World(database, clock, ids, emulator, rules, tenant, application, actor, sealer, tempo, use_cases)
    world.sources = sources
    world.applications[application.app_id] = application
    if ALL in permissions:
        world.writers.add(application.app_id)
    for number in range(servers):
        world.add_server(f"server-{number + 1}")
    return world
