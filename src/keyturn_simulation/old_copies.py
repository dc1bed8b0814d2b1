"""A seed in which an older copy of the database is put back in the end: what comes of it, judged by Entra alone.

While it is played, a copy is made after some step. In the end all servers are gone, the copy takes the place of the database, and
a new server starts, with nothing going wrong any more.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from keyturn.app.continuity import Continuity
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database
from keyturn.rotations.domain import Rotation, RotationKind
from keyturn.rotations.store import policies
from keyturn_simulation.invariants import Broken
from keyturn_simulation.scenario import STEPS, Scenario
from keyturn_simulation.simulation import Simulation
from keyturn_simulation.temp_database import scratch_database
from keyturn_simulation.world import Server, World

FIRST_LOOK = timedelta(minutes=20)
"""Longer than replicas lag, and than a credential counts as spreading."""
HEALED = timedelta(hours=30)


@dataclass(frozen=True)
class OldCopy:
    """What a seed came to: of how many rotations the current credential was gone, how many of these healed by themselves."""

    seed: int
    broken: str | None
    gone: int = 0
    healed: int = 0


def play_old_copy(seed: int, steps: int = STEPS) -> OldCopy:
    """Play one seed and put an older copy back. Never raises for what the product does wrong."""
    with scratch_database() as (_, database, raw):
        simulation = Simulation(seed, database, raw)
        try:
            return _play(simulation, Scenario(simulation), steps)
        except Exception as error:  # noqa: BLE001 - whatever is raised, this seed shows how
            return OldCopy(seed, f"{type(error).__name__}: {error}")


def _play(simulation: Simulation, scenario: Scenario, steps: int) -> OldCopy:
    at = Random(simulation.seed).randrange(steps)  # noqa: S311 - repeatable on purpose
    world = simulation.world
    scenario.begin()
    scenario.go_on(at)
    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(world.database.engine.url.database or "")) as there:
            there.backup(copy)
        scenario.go_on(steps - at)
        scenario.end_trouble()
        for process in list(simulation.processes):
            simulation.kill(process)
        simulation.clock.advance(timedelta(hours=2).total_seconds())
        _put_back(copy, world.database)
    server = world.add_server("after")
    return _Judge(world, server).judge(simulation.seed)


def _put_back(copy: sqlite3.Connection, database: Database) -> None:
    with closing(sqlite3.connect(database.engine.url.database or "")) as there:
        copy.backup(there)


class _Judge:
    def __init__(self, world: World, server: Server) -> None:
        self._world = world
        self._server = server
        journal = world.journal()
        # What was asked for when the copy was made is known by its marker: its answer is lost to this copy, so it goes.
        markers, self._known = {row.marker for row in journal}, {row.key_id for row in journal}
        self._there = {
            object_id: {key_id for key_id, name in world.keys_of(object_id).items() if name not in markers}
            for object_id in world.our_applications()
        }

    def judge(self, seed: int) -> OldCopy:
        world = self._world
        before = [(rotation, row) for rotation, row in self._currents() if not self._signs_in(rotation, row)]
        continuity = Continuity(world.database, world.clock)
        continuity.begin()
        continuity.notice_gap()
        world.run_until(world.clock.now() + FIRST_LOOK)
        self._nothing_dead_is_handed_out()
        world.run_until(world.clock.now() + HEALED)
        self._nothing_dead_is_handed_out()
        self._nothing_foreign_was_removed()
        ids = {rotation.id for rotation, _ in before}
        healed = [
            rotation for rotation, row in self._currents() if rotation.id in ids and self._signs_in(rotation, row)
        ]
        return OldCopy(seed, None, len(before), len(healed))

    def _currents(self) -> list[tuple[Rotation, Credential]]:
        rows = [row for row in self._world.journal() if row.state is State.CURRENT and row.value is not None]
        with self._world.database.read() as tx:
            pairs = [(policies.get(tx, row.rotation_id), row) for row in rows]
        return [(rotation, row) for rotation, row in pairs if rotation is not None and not rotation.retired]

    def _signs_in(self, rotation: Rotation, row: Credential) -> bool:
        """Whether Entra has it, and it has not ended."""
        credentials = self._world.emulator.admin.application(rotation.object_id).credentials_held()
        now = self._world.clock.now().timestamp()
        return any(each.key_id == row.key_id and each.end > now for each in credentials)

    def _nothing_dead_is_handed_out(self) -> None:
        """What is gone is refused to readers, and of what can be healed nothing is gone."""
        for rotation, row in self._currents():
            gone = row.key_id not in self._world.keys_of(rotation.object_id)
            if rotation.kind is RotationKind.APPLICATION and gone and row.removed_at is None:
                raise Broken(f"{row.marker!r} is not at Entra, and is handed to readers")
            if row.removed_at is not None and not gone:
                raise Broken(f"{row.marker!r} is at Entra, and is refused to readers")

    def _nothing_foreign_was_removed(self) -> None:
        """Only what the copy knows, or what was made since it was put back, may be gone."""
        for object_id, before in self._there.items():
            removed = before - set(self._world.keys_of(object_id)) - self._known
            if removed:
                raise Broken(f"{', '.join(removed)} of {object_id} were removed, and the copy does not know them")
