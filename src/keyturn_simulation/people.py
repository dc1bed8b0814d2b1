"""Users of the product, who click at bad moments and make mistakes, and others who change the applications past it."""

from dataclasses import replace
from random import Random

import sqlalchemy as sa

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections.domain import Connection, NewConnection
from keyturn.credentials.domain import ENDED
from keyturn.db.tables import rotations
from keyturn.providers.azure.methods.certificate import Certificate, CertificateFiles
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.providers.azure.methods.federated import Federated
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn_simulation.browser_actor import BrowserActor
from keyturn_simulation.processes import Process
from keyturn_simulation.simulation import Simulation

ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Oslo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Cairo",
)
TIMES = ((0, 0), (2, 15), (1, 45), (2, 30), (3, 0), (23, 59), (12, 34))
INTERVALS = (1, 1, 2, 7, 30, 90, 365)
BY_CERTIFICATE = 0.5
Credentials = ClientSecret | CertificateFiles | Federated


class Users:
    """They know what a user knows: the connections they see, and the secrets that they made in the portal."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self.portal = BrowserActor(simulation)
        self._names_used = 0
        self._last_typed: dict[str, Credentials] = {}
        """By connection id: what was typed last."""

    @property
    def _rng(self) -> Random:
        return self._sim.rng

    def connections(self) -> list[Connection]:
        return sorted(self._sim.world.all_connections(), key=lambda connection: connection.name)

    def click(self) -> None:
        """One user does one thing."""
        connections = self.connections()
        if not self._sim.processes:
            return
        if not connections or (len(connections) < 5 and self._rng.random() < 0.15):
            self.share() if self._rng.random() < 0.5 else self.connect()
            return
        connection, process = self._rng.choice(connections), self._rng.choice(self._sim.processes)
        actions = [
            self.rotate, self.rotate, self.rotate_leaked, self.pause, self.resume, self.resume, self.reschedule, self.reschedule,
            self.rename, self.retype, self.move, self.delete, self.test, self.send_again,
        ]  # fmt: skip
        self._rng.choice(actions)(process, connection)

    def schedule(self) -> ScheduleChange:
        hour, minute = self._rng.choice(TIMES)
        return ScheduleChange(self._rng.choice(INTERVALS), hour, minute, self._rng.choice(ZONES))

    def connect(
        self, app: ApplicationHandle | None = None, credentials: Credentials | None = None, *, rotating: bool = False
    ) -> None:
        """Make a connection, mostly one that rotates; by a new secret or certificate unless credentials are given."""
        app = app or self._rng.choice(self._sim.spare)
        credentials = credentials or (self.portal.certificate(app) if self._rng.random() < BY_CERTIFICATE else None)
        credentials = credentials or self.portal.secret(app)
        if credentials is None or not self._sim.processes:
            return
        self._names_used += 1
        schedule = self.schedule() if rotating or self._rng.random() < 0.9 else None
        draft = NewConnection(f"connection {self._names_used}", credentials)
        connection = self._sim.request(
            self._rng.choice(self._sim.processes),
            f"connect {draft.name} to {app.display_name}",
            lambda server: server.create(self._sim.world.actor, draft, schedule),
        )
        if connection:
            self._last_typed[connection.id] = credentials
            if self._sim.world.slots_of(app.object_id) is None and self._rng.random() < 0.3:
                self._promise(connection)

    def _promise(self, connection: Connection) -> None:
        """Readers of this connection may use a secret until the rotation after the one that replaced it."""
        with self._sim.world.database.write() as tx:
            tx.run(
                sa.update(rotations)
                .where(rotations.c.connection_id == connection.id)
                .values(overlap="until-next-rotation")
            )
        self._sim.trace.note("scene", f"{connection.name} overlaps until the next rotation")

    def share(self) -> None:
        """Type a credential that another connection may have already: one that it came with, or its current one."""
        connection = self._rng.choice(self.connections()) if self.connections() else None
        if connection is None or self._rng.random() < 0.5:
            app = self._rng.choice(self._sim.spare)
            secret = self._rng.choice(app.secrets)
            self.connect(app, self.portal.as_typed(app, secret.value, secret.key_id))
            return
        credentials = self._sim.world.stored_credentials(connection)
        if isinstance(credentials, Certificate):
            files = CertificateFiles(
                credentials.tenant_id, credentials.client_id, credentials.signing.chain, credentials.signing.private_key
            )
            self.connect(self._sim.world.applications[connection.client_id], files)
        elif isinstance(credentials, ClientSecret):
            self.connect(self._sim.world.applications[connection.client_id], replace(credentials, key_id=None))

    def rotate(self, process: Process, connection: Connection) -> bool:
        actor = self._sim.world.actor
        connections = self._sim.request(
            process, f"rotate {connection.name} now", lambda server: server.rotate_now(actor, connection.id)
        )
        return connections is not None

    def rotate_leaked(self, process: Process, connection: Connection) -> None:
        actor = self._sim.world.actor
        self._sim.request(
            process, f"{connection.name} leaked", lambda server: server.rotate_now(actor, connection.id, leaked=True)
        )

    def pause(self, process: Process, connection: Connection) -> None:
        self._change(process, connection, "pause", ConnectionChange(enabled=False))

    def resume(self, process: Process, connection: Connection) -> None:
        self._change(process, connection, "resume", ConnectionChange(enabled=True, schedule=self.schedule()))

    def reschedule(self, process: Process, connection: Connection) -> None:
        self._change(process, connection, "change the schedule", ConnectionChange(schedule=self.schedule()))

    def rename(self, process: Process, connection: Connection) -> None:
        self._names_used += 1
        self._change(
            process,
            connection,
            "rename",
            ConnectionChange(name=f"connection {self._names_used}", description="new", describe=True),
        )

    def test(self, process: Process, connection: Connection) -> None:
        actor = self._sim.world.actor
        self._sim.request(
            process,
            f"test {connection.name}",
            lambda _rotations: process.server.services.tests.run(actor, connection.id),
        )

    def send_again(self, process: Process, connection: Connection) -> None:
        """A declarative client sends what it sent before, with every change."""
        credentials = self._last_typed.get(connection.id)
        if credentials:
            self._change(
                process, connection, "apply again", ConnectionChange(name=connection.name, credentials=credentials)
            )

    def retype(self, process: Process, connection: Connection) -> bool:
        """New credentials of the same application; how a removed or expired secret is repaired."""
        return self._type(process, connection, self._sim.world.applications[connection.client_id])

    def move(self, process: Process, connection: Connection) -> None:
        """New credentials of another application."""
        self._type(process, connection, self._rng.choice(self._sim.spare))

    def _type(self, process: Process, connection: Connection, app: ApplicationHandle) -> bool:
        credentials = self.portal.for_connection(connection, app)
        if credentials is None:
            return False
        done = self._change(
            process,
            connection,
            f"type new credentials of {app.display_name}",
            ConnectionChange(credentials=credentials),
        )
        if done:
            self._last_typed[connection.id] = credentials
        return done

    def delete(self, process: Process, connection: Connection) -> None:
        revoke, actor = self._rng.choice((True, False, None)), self._sim.world.actor
        self._sim.request(
            process,
            f"delete {connection.name}, revoke {revoke}",
            lambda server: server.delete(actor, connection.id, revoke=revoke),
        )

    def _change(self, process: Process, other: Connection, what: str, change: ConnectionChange) -> bool:
        actor = self._sim.world.actor
        connection = self._sim.request(
            process, f"{what}: {other.name}", lambda server: server.update(actor, other.id, change)
        )
        return connection is not None


class Outsiders:
    """Somebody with a script and too many permissions."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._admin = simulation.world.emulator.admin
        self._portal = BrowserActor(simulation)

    def change_application(self) -> None:
        """Add a secret, remove a foreign one, or remove one of the product's."""
        sim = self._sim
        app = sim.rng.choice(list(sim.world.applications.values()))
        keys = sim.world.keys_of(app.object_id)
        slots = sim.world.slots_of(app.object_id)
        what = sim.rng.random()
        if what < 0.4:
            if slots is None and sim.rng.random() < 0.3:
                self._portal.certificate(app)
            elif slots is None or len(keys) < slots:
                self._admin.add_secret(app.object_id, "somebody else's", replicated=sim.rng.random() < 0.5)
                sim.world.collect_values()
                sim.trace.note("outsider", f"adds a secret to {app.display_name}")
        elif what < 0.75:
            self._remove(app, self.foreign(app))
        else:
            self._remove(app, sorted(set(keys) - set(self.foreign(app))))

    def foreign(self, app: ApplicationHandle) -> list[str]:
        """The keys that the journal does not count as its own, nor any connection as its current one."""
        judge = self._sim.judge
        used = {current.key_id for current in judge.currents.values()}
        rows = {key: judge.row_of_key(key) for key in self._sim.world.keys_of(app.object_id)}
        return sorted(key for key, row in rows.items() if key not in used and (row is None or row.state in ENDED))

    def _remove(self, app: ApplicationHandle, keys: list[str]) -> None:
        if keys:
            key_id = self._sim.rng.choice(keys)
            self._sim.world.removed_outside.add(key_id)
            secret = key_id in {secret.key_id for secret in self._admin.secrets(app.object_id)}
            (self._admin.remove_secret if secret else self._admin.remove_certificate)(app.object_id, key_id)
            row = self._sim.judge.row_of_key(key_id)
            self._sim.trace.note(
                "outsider", f"removes {row.marker if row else 'a foreign secret'} of {app.display_name}"
            )

    def make_room(self, app: ApplicationHandle, expired: str | None = None) -> None:
        """Remove what others put, or the expired secret, where it takes the slots that rotation needs."""
        slots = self._sim.world.slots_of(app.object_id)
        if slots is not None:
            for key_id in self.foreign(app):
                self._remove(app, [key_id])
            if expired and len(self._sim.world.keys_of(app.object_id)) >= slots:
                self._remove(app, [expired])
