"""Teams that have the secrets of applications rotated into their project, and programs that read them there."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections.domain import NewConnection
from keyturn.credentials.domain import State
from keyturn.errors import NotFound, Unavailable
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.rotations.commands import HandedOver, NewSecretRotation, ScheduleChange, SecretRotationChange
from keyturn.rotations.domain import Rotation
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.secret_rotations.domain import Awaited, SecretRotationView
from keyturn.rotations.secret_rotations.service import SecretRotations
from keyturn.rotations.secret_rotations.values import SecretRotationValues
from keyturn.secrets.domain import Address, Reading, SecretType
from keyturn.secrets.mapped import SecretNames
from keyturn.secrets.service import Secrets
from keyturn_simulation.browser_actor import BrowserActor
from keyturn_simulation.consumers import Consumers
from keyturn_simulation.invariants import Broken
from keyturn_simulation.people import INTERVALS, TIMES, ZONES, Users
from keyturn_simulation.processes import Process
from keyturn_simulation.projects import add_project
from keyturn_simulation.simulation import PERSONAL, Simulation
from keyturn_simulation.world import OWNED

ENVIRONMENT = "prod"
TARGETS = (("AzureADMyOrg", 0), (PERSONAL, 0), ("AzureADMyOrg", 1))
"""Audience, and how many secrets there are already, of applications whose secrets are rotated."""
OVERLAPS = ("until-next-rotation", "until-next-rotation", "12h", "3d")
MOST = 5


@dataclass
class _Asked:
    """Somebody who waits for a run; in a tab that may be closed at any moment."""

    awaited: Awaited
    created: bool
    """Whether it is the first run that is waited for."""


class Teams:
    """Whoever of them reads a secret that does not work, although nobody outside removed it, was let down."""

    def __init__(self, simulation: Simulation, users: Users) -> None:
        self._sim = simulation
        self._users = users
        self.consumers = Consumers(simulation)
        self._portal = BrowserActor(simulation)
        self._targets: list[ApplicationHandle] = []
        self._asked: list[_Asked] = []
        self._names_used = 0
        self._project_id = ""
        world = simulation.world
        self._secrets = Secrets(world.database, world.sealer, world.clock, world.ids)

    @property
    def _rng(self) -> Random:
        return self._sim.rng

    def consume(self) -> None:
        """Programs come whose time it is."""
        self.consumers.step(self.views(), self._project_id, ENVIRONMENT)

    def begin(self) -> None:
        """Make the applications and the project, and a connection that may write every application."""
        world = self._sim.world
        self._project_id = add_project(world, "Shop")
        for number, (audience, secrets) in enumerate(TARGETS):
            name = f"Target {number + 1}"
            handle = world.emulator.admin.create_application(
                world.tenant_id, name, permissions=(OWNED,), owns_itself=True, audience=audience, secrets=secrets
            )
            world.applications[handle.app_id] = handle
            self._targets.append(handle)
        world.collect_values()
        self._users.connect(self._sim.spare[0], rotating=True)
        for _ in range(2):
            self.create()

    def views(self) -> list[SecretRotationView]:
        return list(self._sim.world.services.secret_rotations.list(self._sim.world.actor, self._project_id))

    def rotations(self) -> list[Rotation]:
        """The rotations of applications, each once."""
        return list({view.rotation.id: view.rotation for view in self.views()}.values())

    def rotate_all(self, let_an_hour_pass: Callable[[], None]) -> None:
        """Every application that can be rotated is, within the hour, when somebody asks for it."""
        before = {rotation.id: rotation.generation for rotation in self._rotatable()}
        for view in self.views():
            if view.rotation.id in before and not self.rotate(self._rng.choice(self._sim.processes), view):
                raise Broken(f"{view.secret_rotation.name} was not asked to rotate")
        let_an_hour_pass()
        for rotation in self.rotations():
            if rotation.id in before and rotation.generation <= before[rotation.id]:
                raise Broken(
                    f"liveness: {rotation.name} did not rotate within an hour: {rotation.status}, {rotation.last_message}"
                )
        self.read()

    def _rotatable(self) -> list[Rotation]:
        """Those whose connection may write the application, on which one more secret fits beside those readers rely on."""
        world = self._sim.world
        views = [each for each in self.views() if each.connection.client_id in world.writers]
        rotations = {each.rotation.id: each.rotation for each in views}.values()
        return [each for each in rotations if self._fits(each.object_id)]

    def _fits(self, object_id: str) -> bool:
        slots = self._sim.world.slots_of(object_id)
        return slots is None or len(self._sim.world.keys_of(object_id)) < slots

    def click(self) -> None:
        """One member of a team does one thing."""
        if not self._sim.processes:
            return
        views, process = self.views(), self._rng.choice(self._sim.processes)
        actions: list[Callable[[], object]] = [self.create, self.connect_to_target, self.look]
        if views:
            view = self._rng.choice(views)
            actions = actions[:1] if len(views) < MOST else []
            actions += [
                self.connect_to_target, self.look, self.look, self.read,
                lambda: self.rotate(process, view), lambda: self.rotate(process, view),
                lambda: self.rotate(process, view, leaked=True), lambda: self.delete(process, view),
                lambda: self.change(process, view), lambda: self.change(process, view), lambda: self.go_back(process, view),
                lambda: self.hand_over(process, view), lambda: self.release(process, view),
            ]  # fmt: skip
        self._rng.choice(actions)()

    def create(self) -> None:
        """Rotate an application through some connection: most may not, and are told so. Some ask twice for the same."""
        connections = self._users.connections()
        if not connections or not self._sim.processes:
            return
        self._names_used += 1
        target = self._rng.choice([*self._targets, *self._targets, self._sim.world.application])
        hour, minute = self._rng.choice(TIMES)
        new = NewSecretRotation(
            name=f"mapping {self._names_used}",
            project_id=self._project_id,
            environment=ENVIRONMENT,
            path="/",
            connection_id=self._rng.choice(connections).id,
            object_id=target.object_id,
            client_id=target.app_id,
            names=SecretNames(f"ID_{self._names_used}", f"SECRET_{self._names_used}"),
            schedule=Schedule(self._rng.choice(INTERVALS), hour, minute, self._rng.choice(ZONES)),
            overlap=self.consumers.overlap(self._rng.choice(OVERLAPS)),
        )
        for _ in range(self._rng.choice((1, 1, 2))):
            self._request(
                f"rotate {target.display_name} as {new.name}", lambda use_cases: use_cases.create(self._actor, new)
            )

    def rotate(self, process: Process, view: SecretRotationView, *, leaked: bool = False) -> bool:
        """Ask for a rotation at once; say whether that was taken."""
        what = f"rotate {view.secret_rotation.name} now" + (", it leaked" if leaked else "")
        awaited = self._request(
            what,
            lambda use_cases: use_cases.rotate(self._actor, view.secret_rotation.id, leaked=leaked),
            process,
            created=False,
        )
        return awaited is not None

    def change(self, process: Process, view: SecretRotationView) -> None:
        """Change one thing: its names, its schedule, whether it rotates by itself, or the connection."""
        connections = self._users.connections() or [view.connection]
        self._names_used += 1
        hour, minute = self._rng.choice(TIMES)
        schedule = ScheduleChange(self._rng.choice(INTERVALS), hour, minute, self._rng.choice(ZONES))
        change = self._rng.choice(
            (
                SecretRotationChange(name=f"mapping {self._names_used}"),
                SecretRotationChange(names=SecretNames(f"ID_{self._names_used}", f"SECRET_{self._names_used}")),
                SecretRotationChange(schedule=schedule),
                SecretRotationChange(enabled=self._rng.random() < 0.7),
                SecretRotationChange(overlap=self._rng.choice(OVERLAPS)),
                SecretRotationChange(connection_id=self._rng.choice(connections).id),
            )
        )
        self._sim.request(
            process,
            f"change {view.secret_rotation.name}: {change}",
            lambda _rotations: self._use_cases(process).update(self._actor, view.secret_rotation.id, change),
        )

    def go_back(self, process: Process, view: SecretRotationView) -> None:
        """Make the previous secret the current one again."""
        self._sim.request(
            process,
            f"go back with {view.secret_rotation.name}",
            lambda _rotations: self._values(process).make_previous_current(self._actor, view.secret_rotation.id),
        )

    def hand_over(self, process: Process, view: SecretRotationView) -> None:
        """Take over a secret that somebody made by hand; it stays until it is released."""
        made = self._portal.secret(self._sim.world.applications[view.rotation.app_id])
        if made is None:
            return
        key_id = self._sim.world.key_id_of(made.secret)
        self._sim.request(
            process,
            f"hand a secret over to {view.secret_rotation.name}",
            lambda _rotations: self._values(process).hand_over(
                self._actor, view.secret_rotation.id, HandedOver(str(key_id), made.secret)
            ),
        )

    def release(self, process: Process, view: SecretRotationView) -> None:
        """Say that nobody uses a secret any more that was handed over: it is removed."""
        kept = [row for row in self._sim.world.journal() if row.rotation_id == view.rotation.id and row.used_elsewhere]
        if kept:
            key_id = str(self._rng.choice(kept).key_id)
            self._sim.request(
                process,
                f"release {key_id}",
                lambda _rotations: self._values(process).release(self._actor, view.secret_rotation.id, key_id),
            )

    def delete(self, process: Process, view: SecretRotationView) -> None:
        delete_secrets, revoke = self._rng.random() < 0.5, self._rng.random() < 0.5
        flags = {"delete_secrets": delete_secrets, "revoke": revoke}
        self._sim.request(
            process,
            f"delete {view.secret_rotation.name}, {flags}",
            lambda _rotations: self._use_cases(process).delete(
                self._actor, view.secret_rotation.id, delete_secrets=delete_secrets, revoke=revoke
            ),
        )

    def connect_to_target(self) -> None:
        """Try to have a connection sign in to an application whose secret others read: that must be refused."""
        rotated = {rotation.app_id for rotation in self.rotations()}
        target = self._rng.choice(self._targets)
        credentials = self._portal.secret(target)
        if credentials is None or not self._sim.processes:
            return
        self._names_used += 1
        draft = NewConnection(f"signer {self._names_used}", credentials)
        made = self._sim.request(
            self._rng.choice(self._sim.processes),
            f"connect {draft.name} to {target.display_name}",
            lambda server: server.create(self._actor, draft, None),
        )
        if made and target.app_id in rotated & {rotation.app_id for rotation in self.rotations()}:
            raise Broken(f"claims: {draft.name} signs in to {target.display_name}, whose secret is rotated for readers")

    def look(self) -> None:
        """Whoever waits asks again, or closes the tab."""
        if not self._asked or not self._sim.processes:
            return
        asked, process = self._rng.choice(self._asked), self._rng.choice(self._sim.processes)
        use_cases = self._use_cases(process)
        look = use_cases.created if asked.created else use_cases.rotated
        view = self._sim.request(process, "looks", lambda _rotations: look(self._actor, asked.awaited))
        if view is not None or self._rng.random() < 0.3:
            self._asked.remove(asked)

    def read(self) -> None:
        """A program reads what is published; what it gets must be what the journal calls current."""
        for view in self.views():
            address = Address(self._project_id, None, ENVIRONMENT, "/")
            try:
                value = self._secrets.reader.get(
                    self._actor, address, view.names.client_secret, Reading(), SecretType.SHARED
                ).value
            except NotFound:
                continue  # its first run is under way
            except Unavailable:
                if self._is_there(view):
                    raise
                continue
            if value is not None:
                self._check_works(view, value)

    def _is_there(self, view: SecretRotationView) -> bool:
        """Whether what readers are to get is at Entra: what others removed may be refused."""
        rows = [row for row in self._sim.judge.rows.values() if row.rotation_id == view.rotation.id]
        return not any(row.state is State.CURRENT and row.key_id in self._sim.world.removed_outside for row in rows)

    def _check_works(self, view: SecretRotationView, value: Plaintext) -> None:
        """What a program was just given exists at Entra, unless somebody else removed it."""
        world = self._sim.world
        world.collect_values()
        key_id = world.key_id_of(value)
        if key_id in world.removed_outside:
            return
        if key_id not in world.keys_of(view.rotation.object_id):
            raise Broken(f"5: a program was given a secret of {view.rotation.application_name} that does not exist")

    @property
    def _actor(self) -> Actor:
        return self._sim.world.actor

    @staticmethod
    def _use_cases(process: Process) -> SecretRotations:
        return process.server.services.secret_rotations

    @staticmethod
    def _values(process: Process) -> SecretRotationValues:
        return process.server.services.secret_values

    def _request(
        self,
        what: str,
        act: Callable[[SecretRotations], Awaited],
        process: Process | None = None,
        *,
        created: bool = True,
    ) -> Awaited | None:
        at = process or self._rng.choice(self._sim.processes)
        awaited = self._sim.request(at, what, lambda _rotations: act(self._use_cases(at)))
        if awaited:
            self._asked.append(_Asked(awaited, created=created))
        return awaited
