"""The scene of tests of secret rotations: a connection, applications that it may write, and a project with readers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.changes import store as feed
from keyturn.connections.domain import Connection, NewConnection
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database
from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.rotations.commands import NewSecretRotation, ScheduleChange
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.secret_rotations.domain import Awaited, SecretRotationView
from keyturn.rotations.secret_rotations.service import SecretRotations
from keyturn.secrets.domain import Address, Reading, Secret, SecretType
from keyturn.secrets.mapped import SecretNames
from keyturn.secrets.service import Secrets
from keyturn_simulation.projects import add_project
from keyturn_simulation.world import Server, World, make_world

WRITE_ALL = ("Application.ReadWrite.All",)
DAYS = 10
NAMES = SecretNames("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")


@dataclass
class Applications:
    """A world with a connection that may write every application, a project, and one application to be rotated."""

    world: World
    signer: Connection
    application: ApplicationHandle
    project_id: str
    secrets: Secrets

    @property
    def use_cases(self) -> SecretRotations:
        return self.world.services.secret_rotations

    @property
    def actor(self) -> Actor:
        return self.world.actor

    def other_application(self, name: str, **changes: Any) -> ApplicationHandle:
        made = self.world.emulator.admin.create_application(self.world.tenant_id, name, **({"secrets": 0} | changes))
        self.world.applications[made.app_id] = made
        return made

    def new(self, application: ApplicationHandle | None = None, **changes: Any) -> NewSecretRotation:
        target = application or self.application
        values: dict[str, Any] = {
            "name": "shop",
            "project_id": self.project_id,
            "environment": "prod",
            "path": "/",
            "connection_id": self.signer.id,
            "object_id": target.object_id,
            "client_id": target.app_id,
            "names": NAMES,
            "schedule": Schedule(DAYS, 2, 15),
        }
        return NewSecretRotation(**(values | changes))

    def create(
        self,
        application: ApplicationHandle | None = None,
        *,
        actor: Actor | None = None,
        server: Server | None = None,
        **changes: Any,
    ) -> SecretRotationView:
        """Create it as a request does: begin, and ask until its first run is over."""
        who, use_cases = actor or self.actor, server.services.secret_rotations if server else self.use_cases
        return self.wait(use_cases.create(who, self.new(application, **changes)), actor=who, server=server)

    def wait(self, awaited: Awaited, *, actor: Actor | None = None, server: Server | None = None) -> SecretRotationView:
        use_cases = server.services.secret_rotations if server else self.use_cases
        return self._wait(use_cases.created, awaited, actor, server)

    def rotate(self, view: SecretRotationView, *, leaked: bool = False) -> SecretRotationView:
        awaited = self.use_cases.rotate(self.actor, view.secret_rotation.id, leaked=leaked)
        return self._wait(self.use_cases.rotated, awaited, None, None)

    def _wait(self, look: Any, awaited: Awaited, actor: Actor | None, server: Server | None) -> SecretRotationView:
        for _ in range(200):
            self.world.work(server)
            view: SecretRotationView | None = look(actor or self.actor, awaited)
            if view is not None:
                return view
            self.world.clock.advance(1)
        raise AssertionError("nobody said that it is over")

    # --- looking ------------------------------------------------------------------------------------------------------

    def read(self, name: str = NAMES.client_secret, *, path: str = "/", environment: str = "prod") -> Plaintext:
        """Return what a program reads at this moment."""
        value = self.secret(name, path=path, environment=environment).value
        assert value is not None
        return value

    def secret(self, name: str, *, path: str = "/", environment: str = "prod") -> Secret:
        address = Address(self.project_id, None, environment, path)
        return self.secrets.reader.get(self.actor, address, name, Reading(), SecretType.SHARED)

    def names(self, *, path: str = "/", environment: str = "prod") -> list[str]:
        address = Address(self.project_id, None, environment, path)
        return [each.stored.name for each in self.secrets.reader.list(self.actor, address, Reading()).secrets]

    def works(self, value: Plaintext, application: ApplicationHandle | None = None) -> bool:
        return self.world.signs_in(value, application or self.application)

    def journal(self, application: ApplicationHandle | None = None) -> list[Credential]:
        object_id = (application or self.application).object_id
        return [row for row in self.world.journal() if row.object_id == object_id]

    def live(self) -> set[str | None]:
        return {row.key_id for row in self.journal() if row.state in {State.CURRENT, State.RETIRING}}

    def keys(self) -> set[str]:
        return set(self.world.keys(self.application))

    def run_until(self, moment: datetime, server: Server | None = None) -> None:
        while True:
            self.world.work(server)
            wake = self.world.next_wake()
            if wake is None or wake > moment:
                self.world.clock.move_to(moment)
                return
            self.world.clock.move_to(wake)

    def run_for(self, time: timedelta, server: Server | None = None) -> None:
        self.run_until(self.world.clock.now() + time, server)

    def check_agreement(self, name: str = NAMES.client_secret, **where: Any) -> None:
        """The pointer, the journal and the feed never disagree: what is read is current, and the last change tells of it."""
        current = [row for row in self.journal() if row.state is State.CURRENT]
        try:
            secret = self.secret(name, **where)
        except NotFound:
            assert not current
            return
        assert [row.id for row in current] == [secret.stored.credential_id]
        row = current[0]
        assert row.value is not None
        assert secret.value == self.world.sealer.open(row.value, row.seal_context)
        with self.world.database.read() as tx:
            changes = [change for _, change in feed.since(tx, self.project_id, 0, 10_000)]
        versions = [change.version for change in changes if change.subject_id == secret.stored.id]
        assert versions == list(range(1, secret.stored.version + 1))


def make_applications(
    database: Database, *, signer_rotates: bool = True, signer: NewConnection | None = None, **changes: Any
) -> Applications:
    world = make_world(database, **({"permissions": WRITE_ALL} | changes))
    if signer is None:
        connection = world.connect("signer", rotate=signer_rotates)
    else:
        connection = world.rotations.create(world.actor, signer, ScheduleChange() if signer_rotates else None)
    secrets = Secrets(world.database, world.sealer, world.clock, world.ids)
    scene = Applications(world, connection, world.application, add_project(world, "Shop"), secrets)
    scene.application = scene.other_application("Shop")
    return scene
