"""Programs that read the secrets of applications, use what they read, and say so, each in its own way or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from keyturn.delivery import use
from keyturn.delivery.domain import Read
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.rotations.overlap import UNTIL_SWITCHED
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.secrets.domain import Address, Reading, ReadValue, SecretType
from keyturn.secrets.service import Secrets
from keyturn_simulation.processes import Process
from keyturn_simulation.programs import Program
from keyturn_simulation.simulation import Simulation

INTERVALS = (timedelta(minutes=20), timedelta(minutes=20), timedelta(hours=3), timedelta(days=1))
WAITS = (UNTIL_SWITCHED, f"{UNTIL_SWITCHED}:2d", f"{UNTIL_SWITCHED}:12h")
MOST = 4


@dataclass
class _Habit:
    """How a program behaves: ``acknowledges`` what it uses, and goes on using what it has for so many times that it comes."""

    acknowledges: bool
    keeps: int
    came: int = 0


class Consumers:
    """What they do is drawn apart from all else, so that the worlds are those that they would be without them."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._rng = Random(simulation.seed * 7919 + 1)  # noqa: S311 - repeatable on purpose
        self._secrets = Secrets(
            simulation.world.database, simulation.world.sealer, simulation.world.clock, simulation.world.ids
        )
        self._habits: dict[int, _Habit] = {}
        self._numbered = 0

    def overlap(self, usual: str) -> str:
        """Return the overlap of a new rotation: for half of them, that it waits for its consumers."""
        return self._rng.choice(WAITS) if self._rng.random() < 0.5 else usual

    def step(self, views: Sequence[SecretRotationView], project_id: str, environment: str) -> None:
        """Programs start and die; those whose time it is come and read."""
        programs = [program for program in self._sim.judge.programs if program.alive]
        if views and len(programs) < MOST and self._rng.random() < 0.4:
            programs.append(self._start(self._rng.choice(views)))
        if programs and self._rng.random() < 0.08:
            program = self._rng.choice(programs)
            self._sim.trace.note("program", f"{program.name or 'a job'} dies, and nobody is told")
            program.alive = False
        by_id = {view.secret_rotation.id: view for view in views}
        for program in programs:
            view = by_id.get(program.reads)
            if view and program.alive and self._is_due(program):
                self._come(program, view, project_id, environment)

    def _is_due(self, program: Program) -> bool:
        if program.last_at is None:
            return True
        if program.interval is None:
            return self._rng.random() < 0.02
        return self._sim.clock.now() - program.last_at >= program.interval * 0.9

    def _start(self, view: SecretRotationView) -> Program:
        self._numbered += 1
        announces = self._rng.random() < 0.9
        program = Program(
            self._numbered,
            f"pod-{self._numbered}" if announces or self._rng.random() < 0.5 else "",
            view.secret_rotation.id,
            self._rng.choice(INTERVALS) if announces else None,
        )
        acknowledges = announces and self._rng.random() < 0.6
        self._habits[program.number] = _Habit(acknowledges, self._rng.choice((0, 3, 8)) if acknowledges else 0)
        self._sim.judge.programs.append(program)
        return program

    def _come(self, program: Program, view: SecretRotationView, project_id: str, environment: str) -> None:
        """Read, and again where no answer came. What the program then uses is the truth that the judge goes by."""
        sim, habit, address = self._sim, self._habits[program.number], Address(project_id, None, environment, "/")
        try:
            found = self._secrets.reader.get(
                sim.world.actor, address, view.names.client_secret, Reading(), SecretType.SHARED
            )
        except KeyturnError:
            return
        if found.value is None or found.stored.credential_id is None:
            return
        sim.world.collect_values()
        current = sim.world.key_id_of(found.value)
        using = program.uses if program.uses and habit.came < habit.keeps else current
        # It says what it has used until now, which is what it goes on using if it does not switch.
        said = (program.uses,) if habit.acknowledges and program.uses else ()
        value = ReadValue(found.stored.id, "version", found.stored.credential_id)
        if not any(self._told(process, program, said, value) for process in list(sim.processes)):
            program.alive, program.uses = False, None  # no server answers it any more
            return
        habit.came = habit.came + 1 if using == program.uses != current else 0
        program.uses, program.last_at = using, sim.clock.now()
        sim.trace.note("program", f"{program.name or 'a job'} reads, and uses {using}")

    def _told(self, process: Process, program: Program, said: tuple[str, ...], value: ReadValue) -> bool:
        """Whether the server wrote the read down, and lived to answer."""
        world, now = self._sim.world, process.server.clock.now()
        actor = Actor(ActorKind.IDENTITY, "shop", "shop", world.actor.org_id, Role.MEMBER)
        seconds = None if program.interval is None else round(program.interval.total_seconds())
        read = Read(actor, "192.0.2.1", program.name or None, seconds, said, [value], now)

        def write() -> bool:
            with process.under(None), process.server.context.database.write() as tx:
                use.note(tx, [read])
            return True

        return bool(self._sim.surviving(process, write))
