"""A second target, which lives here only: another connection's credential signs in, and the result goes to a table of ours.

It proves the seam: the protocol, its steps and its crashes are the same, and nothing waits for a signer of the rotation's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections import sealed
from keyturn.connections import store as connections
from keyturn.connections.domain import Connection
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import Tenant
from keyturn.rotations.domain import Rotation, RotationKind, RunState, Snapshot
from keyturn.rotations.protocol import Step
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.store import policies, runs
from keyturn.rotations.targets import RotationTarget, Signer, TargetDescription
from keyturn.rotations.work.workflow import Rotator
from keyturn_simulation.crashes import Fuse, Killed, MortalDatabase, MortalTransport, Point, end_leases_of
from keyturn_simulation.world import Server, World, make_world
from tests.databases import sqlite_database

DAYS = 10
DEADLY = {"issue", "publish"}
LETTERBOX = sa.table("letterbox", sa.column("rotation_id"), sa.column("credential_id"))
WRITE_ALL = ("Application.ReadWrite.All",)


@dataclass(frozen=True)
class Letterbox:
    """The current credential of any application, for programs that read it in a table; a connection signs in."""

    world: World

    signer_is_own = False

    def signers(self, snapshot: Snapshot) -> Sequence[Signer]:
        connection = self._connection(snapshot.rotation)
        return [
            Signer(
                connection.tenant,
                connection.client_id,
                "client-secret",
                connection.secret,
                connection.seal_context,
                connection.published_at,
            )
        ]

    def _connection(self, rotation: Rotation) -> Connection:
        with self.world.database.read() as tx:
            connection = connections.get(tx, str(rotation.connection_id))
        assert connection is not None
        return connection

    def open_signer(self, rotation: Rotation, _signer: Signer) -> Plaintext:
        connection = self._connection(rotation)
        method = self.world.services.providers.method_of(connection)
        credentials = sealed.opened(self.world.database, self.world.sealer, method, connection)
        assert credentials is not None
        return method.value(credentials)

    def require_unchanged(self, rotation: Rotation) -> None:
        """Nothing to compare with: the application has no other credential here."""

    def publish(self, tx: Tx, rotation: Rotation, current: Credential, _value: Plaintext, _now: datetime) -> None:
        tx.run(sa.delete(LETTERBOX).where(LETTERBOX.c.rotation_id == rotation.id))
        tx.run(sa.insert(LETTERBOX).values(rotation_id=rotation.id, credential_id=current.id))

    def connection_to_judge(self, rotation: Rotation) -> str | None:
        return rotation.connection_id

    def describe(self) -> TargetDescription:
        return TargetDescription("Give the rotation another connection.", "the application's credentials")


@dataclass
class Scene:
    """A connection that may write every application, and the rotation of an application through it."""

    world: World
    signer: Connection
    application: ApplicationHandle
    rotation: Rotation

    def rotator(self, server: Server) -> Rotator:
        target: RotationTarget = Letterbox(self.world)
        targets = {**server.context.targets, RotationKind.APPLICATION: target}
        return Rotator(replace(server.context, targets=targets), self._watch)

    def _watch(self, rotation_id: str, step: Step) -> None:
        if self.world.watcher:
            self.world.watcher(rotation_id, step)

    def now_rotation(self) -> Rotation:
        with self.world.database.read() as tx:
            rotation = policies.get(tx, self.rotation.id)
        assert rotation is not None
        return rotation

    def journal(self) -> list[Credential]:
        return [row for row in self.world.journal() if row.rotation_id == self.rotation.id]

    def published(self) -> Plaintext:
        """Return what a program reads: the credential in the table."""
        with self.world.database.read() as tx:
            read = tx.one(sa.select(LETTERBOX.c.credential_id).where(LETTERBOX.c.rotation_id == self.rotation.id))
            assert read is not None
            rows = {row.id: row for row in journal.of_rotation(tx, self.rotation.id)}
        row = rows[read["credential_id"]]
        assert row.value is not None
        return self.world.sealer.open(row.value, row.seal_context)

    def works(self, value: Plaintext) -> bool:
        return self.world.signs_in(value, self.application)

    def run_until(self, moment: datetime, rotator: Rotator) -> None:
        while True:
            for rotation_id in self.world.claim():
                rotator.advance(rotation_id)
            self.world.look()
            wake = self.world.next_wake()
            if wake is None or wake > moment:
                self.world.clock.move_to(moment)
                return
            self.world.clock.move_to(wake)


def make_scene(database: Database, *, signer_rotates: bool = True) -> Scene:
    world = make_world(database, permissions=WRITE_ALL)
    signer = world.connect("signer", rotate=signer_rotates)
    other = world.emulator.admin.create_application(world.tenant_id, "Shop", secrets=0)
    world.applications[other.app_id] = other
    now = world.clock.now()
    rotation = Rotation(
        id=world.ids.new(),
        kind=RotationKind.APPLICATION,
        org_id=signer.org_id,
        project_id=None,
        connection_id=signer.id,
        name="shop",
        tenant=Tenant("global", world.tenant_id),
        app_id=other.app_id,
        object_id=other.object_id,
        application_name="Shop",
        schedule=Schedule(DAYS, 2, 15),
        overlap="until-next-rotation",
        next_run_at=now,
        wake_at=now,
        wake_set_at=now,
        sweep_at=now + timedelta(days=1),
        created_at=now,
        updated_at=now,
    )
    with database.write() as tx:
        tx.run(sa.text("CREATE TABLE letterbox (rotation_id VARCHAR(36), credential_id VARCHAR(36))"))
        policies.insert(tx, rotation)
    return Scene(world, signer, other, rotation)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with sqlite_database(tmp_path) as database:
        yield make_scene(database)


def test_an_application_rotates_for_generations_through_a_connection_that_rotates_itself(scene: Scene) -> None:
    world, rotator = scene.world, scene.rotator(scene.world.servers[0])
    start, values = world.clock.now(), []
    for generation in range(1, 6):
        scene.run_until(start + timedelta(days=DAYS * generation - 5), rotator)
        values.append(scene.published())
        assert scene.now_rotation().generation == generation
        assert scene.works(values[-1])
        if generation > 1:
            assert scene.works(values[-2]), "what a program has read works until the next rotation"
            assert not any(scene.works(older) for older in values[:-2])
    assert world.rotation(scene.signer).generation > 1, "the signer has rotated meanwhile"
    assert set(world.keys(scene.application)) == {
        row.key_id for row in scene.journal() if row.state in {State.CURRENT, State.RETIRING}
    }
    removals = world.emulator.ledger.query(operation="removePassword", application=scene.application.object_id)
    assert removals
    assert {entry.caller for entry in removals} == {world.application.app_id}


def test_no_removal_waits_for_a_signer_of_its_own(scene: Scene) -> None:
    """It ends while its previous secret is promised for days: the one in use does not have to outlive it."""
    world, rotator = scene.world, scene.rotator(scene.world.servers[0])
    scene.run_until(world.clock.now() + timedelta(days=DAYS + 1), rotator)
    promised, current = (row for row in scene.journal() if row.state in {State.RETIRING, State.CURRENT})
    now, rotation = world.clock.now(), scene.now_rotation()
    with world.database.write() as tx:
        journal.move(tx, current, State.RETIRING, retired_at=now, revoke_after=now)
        policies.save(tx, replace(rotation, retired=True, enabled=False, next_run_at=None, wake_at=now))
    scene.run_until(now + timedelta(hours=2), rotator)
    assert set(world.keys(scene.application)) == {promised.key_id}
    scene.run_until(now + timedelta(days=2 * DAYS), rotator)
    assert not world.keys(scene.application)


def test_a_signer_that_is_refused_confirms_no_removal(scene: Scene) -> None:
    world, rotator = scene.world, scene.rotator(scene.world.servers[0])
    scene.run_until(world.clock.now() + timedelta(days=1), rotator)
    value = scene.published()
    for key_id in list(world.keys()):
        world.emulator.admin.remove_secret(world.application.object_id, key_id)
    scene.run_until(world.clock.now() + timedelta(days=2 * DAYS), rotator)
    assert scene.works(value)
    assert scene.published().reveal() == value.reveal()
    with world.database.read() as tx:
        newest = runs.runs_of(tx, scene.rotation.id, 1)[0]
    assert newest.state is RunState.FAILED
    assert [row.state for row in scene.journal() if row.state is not State.ABANDONED] == [State.CURRENT]


# --- crashes --------------------------------------------------------------------------------------------------------


def play(folder: Path, kill_at: int | None) -> list[Point]:
    """Two generations, with a death at this instant; then all must be as if nobody had died. Returns what passed."""
    with sqlite_database(folder) as database:
        scene = make_scene(database, signer_rotates=False)
        world, fuse = scene.world, Fuse(kill_at)
        world.watcher = fuse.watch
        mortal = world.server("mortal", MortalDatabase(database, fuse), MortalTransport(world.network("mortal"), fuse))
        survivor, rotator = scene.rotator(world.servers[0]), scene.rotator(mortal)
        start = world.clock.now()
        scene.run_until(start + timedelta(hours=1), survivor)
        first = scene.published()
        world.clock.move_to(start + timedelta(days=DAYS - 1))
        try:
            with fuse.arm("-"):
                scene.run_until(start + timedelta(days=DAYS + 1), rotator)
        except Killed:
            end_leases_of(database, mortal.name, world.clock.now)
            assert scene.works(scene.published())
        scene.run_until(start + timedelta(days=DAYS + 2), survivor)
        assert scene.now_rotation().generation == 2
        assert scene.works(scene.published())
        assert scene.works(first)
        live = {row.key_id for row in scene.journal() if row.state in {State.CURRENT, State.RETIRING}}
        assert set(world.keys(scene.application)) == live
        assert len(live) == 2
        return fuse.points


def test_a_death_where_a_secret_may_be_lost_or_half_published_changes_nothing(tmp_path: Path) -> None:
    """One of each kind of instant of these steps: before and after each request and each commit."""
    folder = tmp_path / "whole"
    folder.mkdir()
    instants: dict[Point, int] = {}
    for index, point in enumerate(play(folder, None)):
        if point.step in DEADLY:
            instants.setdefault(point, index)
    assert {point.step for point in instants} == DEADLY
    for index in instants.values():
        folder = tmp_path / str(index)
        folder.mkdir()
        play(folder, index)
