"""Kills a server at every instant of the protocol, on both databases, and judges what is left when all is quiet again.

``make crash`` prints the table; test_crashes.py asserts that every cell is clean.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from entra_emulator import Settings
from keyturn.connections.domain import Connection, NewConnection
from keyturn.db.unit import Database
from keyturn.delivery import use
from keyturn.delivery.domain import Read
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.certificate import Certificate, CertificateFiles
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.secrets.domain import ReadValue, StoredSecret
from keyturn.secrets.service import Secrets
from keyturn.settings.model import Pace
from keyturn_simulation.crashes import Fuse, Killed, MortalDatabase, MortalTransport, Point, end_leases_of
from keyturn_simulation.invariants import check_always, check_no_plaintext, check_quiet
from keyturn_simulation.keys import private_lines
from keyturn_simulation.projects import add_project
from keyturn_simulation.world import OWNED, Server, World, make_world
from tests.databases import database_of_kind, wipe
from tests.emulator.certificates import Certificate as GivenCertificate
from tests.emulator.certificates import make_certificate
from tests.features.rotations.applications import NAMES, WRITE_ALL, Applications

SLOW = Settings(replicas=2, token_appear=(0, 3), graph_appear=(0, 4), token_vanish=(0, 3), graph_vanish=(0, 4))
"""Replication that lags a little: waiting, flapping, repeated proofs."""
PACE = Pace(proof_count=2)


@dataclass
class CrashScenario:
    """A world with one server that may die; whoever takes over does not."""

    world: World
    fuse: Fuse
    mortal: Server
    dead: bool = False
    project_id: str = ""

    @property
    def server(self) -> Server:
        return self.world.servers[0] if self.dead else self.mortal

    def do(self, what: str, act: Callable[[Server], object]) -> None:
        """Let the server do it; if it dies of it, the next one does what a user or the finder would: the same again."""
        try:
            with self.fuse.arm(what):
                act(self.server)
        except Killed:
            self.dead = True
            end_leases_of(self.world.database, self.mortal.name, self.world.clock.now)
            check_always(self.world)
            act(self.server)

    def settle(self) -> None:
        for _ in range(1000):
            self.world.collect_values()
            for rotation_id in self.world.claim():
                self.do("-", lambda server, it=rotation_id: server.rotator.advance(it))
                check_always(self.world)
            for connection_id in self.world.claim_looks():
                self.do("-", lambda server, it=connection_id: server.services.daily_check.run(it))
            wake = self.world.next_wake()
            if wake is None or wake - self.world.clock.now() > timedelta(minutes=30):
                return
            self.world.clock.move_to(wake)
        raise AssertionError("the world does not come to rest")


def create(scene: CrashScenario) -> Connection:
    """A user connects with rotation on; after a crash of the request they look, and repeat it if nothing is there."""

    def act(server: Server) -> None:
        if not scene.world.all_connections():
            draft = NewConnection("prod-entra", scene.world.first_secret())
            server.rotations.create(scene.world.actor, draft, ScheduleChange(30, 2, 15))

    scene.do("create", act)
    return scene.world.all_connections()[0]


def settled(scene: CrashScenario) -> Connection:
    """A connection that rotates and is at rest; nobody dies on the way there."""
    connection = scene.world.connect()
    scene.world.settle()
    return connection


def enable(scene: CrashScenario) -> None:
    """A user connects with rotation on: the first run comes at once."""
    create(scene)
    scene.settle()


def rotate(scene: CrashScenario) -> None:
    """The scheduled rotation, a month later."""
    due = scene.world.rotation(settled(scene)).next_run_at
    assert due is not None
    scene.world.clock.move_to(due)
    scene.settle()


def share(scene: CrashScenario) -> None:
    """Two connections hold one secret; a user has one of them rotate, and both move."""
    connections = [scene.world.connect(name, rotate=False) for name in ("first", "second")]

    def act(server: Server) -> None:
        if not scene.world.history.rotations(connections):
            change = ConnectionChange(enabled=True, schedule=ScheduleChange(30, 2, 15))
            server.rotations.update(scene.world.actor, connections[0].id, change)

    scene.do("enable", act)
    scene.settle()
    values = {scene.world.current_secret(connection).reveal() for connection in connections}
    assert len(values) == 1, "one of two that shared a secret was left behind"
    assert len(scene.world.keys()) == 1, "the shared secret was not removed"


def replace_credentials(scene: CrashScenario) -> None:
    """A user types a new secret into a rotating connection."""
    connection = settled(scene)
    secret = scene.world.emulator.admin.add_secret(scene.world.application.object_id, "typed by hand")
    credentials = scene.world.first_secret(secret=Plaintext(secret.value), key_id=secret.key_id)

    def act(server: Server) -> None:
        server.rotations.update(scene.world.actor, connection.id, ConnectionChange(credentials=credentials))

    scene.do("replace", act)
    scene.settle()


def delete(scene: CrashScenario) -> None:
    """A user deletes the connection and has its secrets revoked."""
    connection = settled(scene)

    def act(server: Server) -> None:
        if scene.world.all_connections():
            server.rotations.delete(scene.world.actor, connection.id, revoke=True)

    scene.do("delete", act)
    scene.settle()
    assert scene.world.keys() == {}, "a secret of a deleted connection stayed behind"


def roll_certificate(scene: CrashScenario) -> None:
    """A user connects with a certificate, which is replaced at once by one that is made here."""
    world, first = scene.world, given_certificate()
    world.emulator.admin.add_certificate(world.application.object_id, first.pem)
    files = CertificateFiles(
        world.tenant_id, world.application.app_id, first.pem.decode(), Plaintext(first.private_pem.decode())
    )

    def act(server: Server) -> None:
        if not world.all_connections():
            server.rotations.create(world.actor, NewConnection("prod-entra", files), ScheduleChange(30, 2, 15))

    scene.do("create", act)
    scene.settle()
    note_private_key(world)


@cache
def given_certificate() -> GivenCertificate:
    return make_certificate()


def note_private_key(world: World) -> None:
    """From now on no piece of the current private key may be readable anywhere."""
    credentials = world.stored_credentials(world.all_connections()[0])
    assert isinstance(credentials, Certificate)
    world.hide(private_lines(credentials.signing.private_key))


# --- secrets of other applications ----------------------------------------------------------------------------------------


def team(scene: CrashScenario, server: Server) -> Applications:
    """A project whose programs read an application's secret, asked of this server."""
    world = scene.world
    signer = next(iter(world.all_connections()), None) or world.connect("signer", rotate=False)
    handles = [handle for handle in world.applications.values() if handle is not world.application]
    if not scene.project_id:
        scene.project_id = add_project(world, "Shop")
    secrets = Secrets(server.context.database, world.sealer, world.clock, world.ids)
    made = Applications(world, signer, world.application, scene.project_id, secrets)
    made.application = handles[0] if handles else made.other_application("Target")
    return made


def mapped(scene: CrashScenario, generations: int, **changes: Any) -> SecretRotationView:
    """A secret rotation that has so many generations behind it, at rest; nobody dies on the way there."""
    shop, world = team(scene, scene.world.servers[0]), scene.world
    view = shop.create(**changes)
    for _ in range(generations - 1):
        world.run_until(
            shop.use_cases.get(world.actor, view.secret_rotation.id).rotation.next_run_at or world.clock.now()
        )
        world.settle()
    return shop.use_cases.get(world.actor, view.secret_rotation.id)


def check_readers(scene: CrashScenario) -> None:
    """What programs read is current, works, and is what the feed told of last."""
    shop = team(scene, scene.server)
    shop.check_agreement()
    assert shop.works(shop.read())


def map_application(scene: CrashScenario) -> None:
    """A user has an application's secret rotated for programs; after a crash of the request they send it again."""
    new = team(scene, scene.server).new()
    scene.do("map", lambda server: server.services.secret_rotations.create(scene.world.actor, new))
    scene.settle()
    check_readers(scene)


def rotate_application(scene: CrashScenario) -> None:
    """The scheduled rotation of an application, after which the secret before the previous one goes."""
    view = mapped(scene, 2)
    assert view.rotation.next_run_at is not None
    scene.world.clock.move_to(view.rotation.next_run_at)
    scene.settle()
    check_readers(scene)


def restore_previous(scene: CrashScenario) -> None:
    """A user makes the previous secret of an application the current one again, and has the mapping deleted later."""
    view, before = mapped(scene, 2), team(scene, scene.server).read()

    def act(server: Server) -> None:
        if team(scene, server).read() == before:
            server.services.secret_values.make_previous_current(scene.world.actor, view.secret_rotation.id)

    scene.do("restore", act)
    scene.settle()
    check_readers(scene)
    assert team(scene, scene.server).read() != before


def switch_consumers(scene: CrashScenario) -> None:
    """Two programs use an application's secret; it is replaced, one after the other switches, and only then it goes."""
    shop, pods = team(scene, scene.world.servers[0]), ("pod-1", "pod-2")
    view = mapped(scene, 1, overlap="until-consumers-switched")
    old = shop.secret(NAMES.client_secret).stored
    for pod in pods:
        say_used(scene, pod, old)
    awaited = shop.use_cases.rotate(scene.world.actor, view.secret_rotation.id)
    scene.settle()
    new, object_id = shop.secret(NAMES.client_secret).stored, view.rotation.object_id
    assert awaited.run_id
    for pod in pods:
        assert len(scene.world.keys_of(object_id)) == 2, "a secret went that a program used"
        say_used(scene, pod, new)
        scene.settle()
    assert len(scene.world.keys_of(object_id)) == 1, "nobody uses it, and it stays"
    check_readers(scene)


def say_used(scene: CrashScenario, pod: str, secret: StoredSecret) -> None:
    """A program reads and acknowledges a version; without an answer it does so again."""
    value, world = ReadValue(secret.id, secret.version_id, secret.credential_id), scene.world
    (key_id,) = [row.key_id for row in world.journal() if row.id == secret.credential_id]
    actor = Actor(ActorKind.IDENTITY, "shop", "shop", world.actor.org_id, Role.MEMBER)

    def act(server: Server) -> None:
        read = Read(actor, "192.0.2.1", pod, None, (str(key_id),), [value], server.clock.now())
        with server.context.database.write() as tx:
            use.note(tx, [read])

    scene.do("use", act)


def unmap(scene: CrashScenario) -> None:
    """A user deletes a secret rotation with its secrets, and has those of the application revoked."""
    view = mapped(scene, 2)

    def act(server: Server) -> None:
        if server.services.secret_rotations.list(scene.world.actor, scene.project_id):
            server.services.secret_rotations.delete(
                scene.world.actor, view.secret_rotation.id, delete_secrets=True, revoke=True
            )

    scene.do("unmap", act)
    scene.settle()
    assert team(scene, scene.server).keys() == set(), "a secret of an application that is not rotated any more stayed"
    assert team(scene, scene.server).names() == []


SCENARIOS: dict[str, tuple[Callable[[CrashScenario], None], Settings]] = {
    "map, slow replicas": (map_application, SLOW),
    "rotate application": (rotate_application, Settings()),
    "restore previous": (restore_previous, Settings()),
    "switch consumers": (switch_consumers, Settings()),
    "unmap": (unmap, Settings()),
    "enable, slow replicas": (enable, SLOW),
    "scheduled rotation": (rotate, Settings()),
    "shared secret": (share, Settings()),
    "replace credentials": (replace_credentials, Settings()),
    "delete": (delete, Settings()),
    "certificate": (roll_certificate, SLOW),
}


OF_APPLICATIONS = {map_application, rotate_application, restore_previous, switch_consumers, unmap}


def play(database: Database, scenario: str, kill_at: int | None, folder: Path | None = None) -> Fuse:
    """Run the scenario on an empty database with a death at the given instant; judge it; return what passed."""
    act, settings = SCENARIOS[scenario]
    world = make_world(
        database, settings=settings, pace=PACE, permissions=WRITE_ALL if act in OF_APPLICATIONS else (OWNED,)
    )
    fuse = Fuse(kill_at)
    world.watcher = fuse.watch
    mortal = world.server("mortal", MortalDatabase(database, fuse), MortalTransport(world.network("mortal"), fuse))
    scene = CrashScenario(world, fuse, mortal)
    act(scene)
    check_quiet(world)
    check_no_plaintext(world, folder)
    return fuse


@contextmanager
def ground(kind: str) -> Iterator["CrashBench"]:
    """A database to play on again and again."""
    with tempfile.TemporaryDirectory() as name, database_of_kind(kind, Path(name)) as database:
        yield CrashBench(kind, database, Path(name))


@dataclass
class CrashBench:
    """One database, emptied before each play: many times faster than a new one."""

    kind: str
    database: Database
    folder: Path

    def points(self, scenario: str) -> list[Point]:
        """Every instant of the scenario, in order."""
        return self._play(scenario, None).points

    def die_at(self, scenario: str, index: int) -> None:
        self._play(scenario, index)

    def _play(self, scenario: str, kill_at: int | None) -> Fuse:
        wipe(self.database)
        return play(self.database, scenario, kill_at, self.folder)


def main() -> int:
    """Print the table: one line for each step and moment, one column for each database. Exit status 1 unless all is clean."""
    cells: Counter[tuple[str, str, str, str, bool]] = Counter()
    kinds = ("sqlite", "postgres")
    for kind in kinds:
        with ground(kind) as here:
            for scenario in SCENARIOS:
                for index, point in enumerate(here.points(scenario)):
                    clean = _survives(here, kind, scenario, index, point)
                    cells[(scenario, point.step, point.moment, kind, clean)] += 1
    rows = sorted({key[:3] for key in cells})
    print(f"{'scenario':22}{'step':12}{'killed':22}" + "".join(f"{kind:>16}" for kind in kinds))
    for row in rows:
        counts = [(cells[(*row, kind, True)], cells[(*row, kind, False)]) for kind in kinds]
        text = "".join(f"{f'{good} clean' if not bad else f'{bad} BROKEN':>16}" for good, bad in counts)
        print(f"{row[0]:22}{row[1]:12}{row[2]:22}{text}")
    total, broken = sum(cells.values()), sum(count for key, count in cells.items() if not key[4])
    print(f"{total} deaths, {broken} broken")
    return 1 if broken else 0


def _survives(here: CrashBench, kind: str, scenario: str, index: int, point: Point) -> bool:
    try:
        here.die_at(scenario, index)
    except (AssertionError, KeyturnError) as error:
        print(f"BROKEN {kind} / {scenario} / point {index} ({point.step}, {point.moment}): {error}")
        return False
    return True


def again(kind: str, scenario: str, index: str) -> int:
    """Play one death of the table."""
    with ground(kind) as here:
        here.die_at(scenario, int(index))
    print("clean")
    return 0


if __name__ == "__main__":
    sys.exit(again(*sys.argv[1:]) if sys.argv[1:] else main())
