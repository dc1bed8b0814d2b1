"""A seed from beginning to end: the scene, so many steps of trouble, then calm, repair and the checks at the end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections.domain import Connection
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.rotations.domain import Rotation
from keyturn_simulation.fault_injector import FaultInjector
from keyturn_simulation.health_checks import SWEPT, HealthChecks
from keyturn_simulation.invariants import Broken, beyond_repair, check_no_plaintext, check_quiet
from keyturn_simulation.people import Outsiders, Users
from keyturn_simulation.secretless import Secretless
from keyturn_simulation.simulation import Simulation
from keyturn_simulation.teams import Teams
from keyturn_simulation.temp_database import scratch_database
from keyturn_simulation.wrong_clocks import WrongClocks

STEPS = 60
FILES_EVERY = 10
"""Every so many seeds the bytes of the database's files are searched for secrets, too."""
AFTER_TROUBLE = timedelta(hours=8)
"""The longest pause between two attempts is six hours and a tenth."""
A_REPAIR = timedelta(minutes=20)
MOST_REPAIRS = 6
A_RUN = timedelta(hours=1)
A_STEP = timedelta(minutes=1)
"""Longer than what lies between two steps of a run that goes well."""
MOST_ROUNDS = 4000


@dataclass(frozen=True)
class Outcome:
    """``broken`` is the invariant that did not hold, None when all did; ``trace`` the last lines."""

    seed: int
    steps: int
    broken: str | None
    trace: tuple[str, ...]
    fingerprint: str
    length: int

    @property
    def replay(self) -> str:
        return f"keyturn simulate --seed {self.seed} --steps {self.steps}"


def play(seed: int, steps: int = STEPS, echo: Callable[[str], None] | None = None) -> Outcome:
    """Play one seed in a database of its own. Never raises for what the product does wrong."""
    with scratch_database() as (folder, database, raw):
        simulation = Simulation(seed, database, raw, echo)
        broken = None
        try:
            Scenario(simulation).play(steps, folder if seed % FILES_EVERY == 0 else None)
        except Exception as error:  # noqa: BLE001 - whatever is raised, this seed shows how
            broken = f"{type(error).__name__}: {error}"
        trace = simulation.trace
        return Outcome(seed, steps, broken, tuple(trace.last), trace.fingerprint(), trace.length)


class Scenario:
    """``play`` raises Broken, or whatever else the product should not have raised."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._users = Users(simulation)
        self._outsiders = Outsiders(simulation)
        self._faults = FaultInjector(simulation)
        self._clocks = WrongClocks(simulation)
        self._teams = Teams(simulation, self._users)
        self._secretless = Secretless(simulation, self._users)
        self._health = HealthChecks(simulation, self._users)

    def play(self, steps: int, folder: Path | None) -> None:
        self.begin()
        self.go_on(steps)
        self._end(folder)

    def go_on(self, steps: int) -> None:
        """Let so many things happen, and judge after each."""
        for number in range(steps):
            self._step()
            if self._sim.features.applications and number % 2:
                self._teams.consume()
            self._clocks.put_right()
            self._note_health()
            self._sim.judge.always()

    def begin(self) -> None:
        """Two to four connections, of which two may share an application."""
        sim = self._sim
        shared = sim.rng.random() < 0.5
        for app in sim.rng.sample(sim.spare, sim.rng.randint(2, 3)):
            self._users.connect(app, self._first(app, 0))
            if shared and len(app.secrets) > 1:
                self._users.connect(app, self._first(app, 1))
                shared = False
            if sim.rng.random() < 0.3:
                self._users.share()
        if sim.features.applications:
            self._teams.begin()
        if sim.rng.random() < 0.5:
            self._work(40)

    def _first(self, app: ApplicationHandle, number: int) -> ClientSecret | None:
        """One of the secrets that the application came with; None where a new secret or certificate is made instead."""
        if self._sim.rng.random() < 0.5:
            return None
        return self._users.portal.as_typed(app, app.secrets[number].value, app.secrets[number].key_id)

    # --- trouble ----------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        sim, features = self._sim, self._sim.features
        choices: list[tuple[float, Callable[[], None]]] = [(60, self._burst), (8, self._pass_time)]
        if features.faults:
            choices += [(10, self._faults.change), (0.3, self._faults.outage)]
        if features.users:
            choices.append((9, self._users.click))
        if features.applications:
            choices += [(8, self._teams.click), (2, self._teams.read)]
        if features.secretless:
            choices += [(6, self._secretless.click), (2, self._secretless.trouble)]
        if features.outsiders:
            choices.append((4, self._outsiders.change_application))
        if features.deaths:
            choices.append((6, self._death))
        if features.jumps:
            choices.append((3, self._jump))
        if features.clocks:
            choices.append((12, self._clocks.jump))
        weights = [weight for weight, _ in choices]
        sim.rng.choices([act for _, act in choices], weights)[0]()

    def _burst(self) -> None:
        """Some work, by whichever server comes first."""
        sim = self._sim
        if not sim.processes:
            sim.start_process()
        if not sim.busy:
            sim.let_pass(sim.rng.choice((timedelta(seconds=20), timedelta(minutes=10), timedelta(hours=2))))
        if sim.rng.random() < 0.05:
            sim.contend(sim.rng.choice(sim.processes))
        for _ in range(sim.rng.randint(1, 5)):
            if sim.processes:
                sim.run_once(sim.rng.choice(sim.processes))

    def _pass_time(self) -> None:
        self._sim.clock.advance(self._sim.rng.choice((0.5, 5, 30, 70, 600, 7200)))

    def _death(self) -> None:
        """Kill a server now or at one of its next instants; start another where one is missing."""
        sim = self._sim
        if len(sim.processes) < 2:
            sim.start_process()
        elif sim.rng.random() < 0.3:
            sim.kill(sim.rng.choice(sim.processes))
        else:
            sim.rng.choice(sim.processes).die_at(sim.rng.randrange(25))

    def _jump(self) -> None:
        """The machines sleep until something is due, or are all down for days, weeks or years."""
        sim = self._sim
        if sim.rng.random() < 0.6:
            slots = sorted(
                rotation.next_run_at for rotation in self._rotations() if rotation.enabled and rotation.next_run_at
            )
            if slots:
                sim.clock.move_to(slots[0] + timedelta(seconds=sim.rng.choice((-40, 0, 1, 3600))))
                sim.trace.note("time", "the machines slept")
            return
        for process in list(sim.processes):
            sim.kill(process)
        sim.clock.advance(86_400 * sim.rng.choice((1, 3, 17, 40, 70, 400)))
        sim.trace.note("time", "all servers were down")
        sim.start_process()
        sim.start_process()

    def _note_health(self) -> None:
        """Until all is calm nothing promises that a rotation can do its work."""
        for connection_id in self._sim.judge.healthy_since:
            self._sim.judge.healthy_since[connection_id] = self._sim.clock.now()

    # --- the end ----------------------------------------------------------------------------------------------------

    def _end(self, folder: Path | None) -> None:
        self.end_trouble()
        self._until(AFTER_TROUBLE if not self._strays_possible() else SWEPT)
        self._health.refusals_shown(self._until)
        self._repair_all()
        if self._sim.features.secretless:
            self._secretless.come_to_an_end(self._until)
            self._repair_all()
            self._secretless.convert_all(self._until)
            self._repair_all()
        self._check_quiet()
        self._rotate_all()
        self._check_quiet()
        if self._sim.features.applications:
            self._teams.rotate_all(lambda: self._until(A_RUN))
            self._check_quiet()
        self._check_recovered()
        check_no_plaintext(self._sim.world, folder)

    def _strays_possible(self) -> bool:
        """Whether a secret may exist that everybody has given up: only the daily sweep finds it.

        A process that was suspended for long may have asked late, or Graph may have hidden for minutes what it had made.
        """
        return self._sim.features.slowness > 0 or self._faults.lagged

    def end_trouble(self) -> None:
        """From now on nothing goes wrong at Entra, with the clocks or in the processes."""
        sim = self._sim
        sim.calm = True
        self._clocks.put_right(all_of_them=True)
        sim.judge.put_right()
        self._faults.calm_down()
        self._secretless.calm_down()
        while len(sim.processes) < 2:
            sim.start_process()
        for process in sim.processes:
            process.fuse.armed = False
        for app in sim.world.applications.values():
            self._outsiders.make_room(app)
        self._note_health()

    def _repair_all(self) -> None:
        for _ in range(MOST_REPAIRS):
            repaired = self._repair()
            self._until(A_REPAIR)
            if not repaired:
                break

    def _repair(self) -> bool:
        """Users type new credentials where the current secret was removed or has expired; say whether anybody did.

        Another round may find more: what took the slots of an application is gone once its own repair is done.
        """
        sim, repaired = self._sim, False
        for connection in self._users.connections():
            current, now = sim.judge.currents[connection.id], sim.clock.now().timestamp()
            end = sim.world.ends_of(current.object_id).get(str(current.key_id))
            if self._secretless.repair(connection):
                repaired = True
            elif end is None or end <= now:
                app = sim.world.applications[connection.client_id]
                self._outsiders.make_room(app, expired=current.key_id if end else None)
                if self._users.portal.room(app):
                    repaired = True
                    if not self._users.retype(sim.processes[0], connection):
                        raise Broken(f"new credentials for {connection.name} were refused, with Entra in order")
        return repaired

    def _rotate_all(self) -> None:
        """Everything that is enabled works again: it rotates within the hour when asked to."""
        sim = self._sim
        before = {other.name: rotation for other, rotation in self._enabled()}
        for connection, _ in self._enabled():
            if not self._users.rotate(sim.rng.choice(sim.processes), connection):
                raise Broken(f"{connection.name} was not asked to rotate")
        self._until(A_RUN)
        for connection, rotation in self._enabled():
            if rotation.generation <= before[connection.name].generation:
                raise Broken(
                    f"liveness: {connection.name} did not rotate within an hour: {rotation.status}, {rotation.last_message}"
                )

    def _check_quiet(self) -> None:
        sim = self._sim
        sim.judge.always()
        check_quiet(sim.world)
        for connection, rotation in self._enabled():
            due = rotation.due_at
            if due is not None and due <= sim.clock.now() - A_RUN:
                raise Broken(
                    f"liveness: {connection.name} was due at {due} and has not rotated: {rotation.last_message}"
                )
            furthest = timedelta(days=rotation.schedule.interval_days + 2)
            if rotation.next_run_at and rotation.next_run_at - sim.clock.now() > furthest:
                raise Broken(
                    f"liveness: {connection.name} is to rotate at {rotation.next_run_at}, later than its schedule says"
                )
            if rotation.paused_until and not sim.world.has_no_slot(rotation.object_id):
                raise Broken(f"liveness: {connection.name} waits until {due} since it failed: {rotation.last_message}")

    def _check_recovered(self) -> None:
        self._health.working_shown()
        for connection, rotation in self._enabled():
            if rotation.status != "success" and not self._sim.world.has_no_slot(rotation.object_id):
                raise Broken(
                    f"liveness: {connection.name} does not work again: {rotation.status}, {rotation.last_message}"
                )

    def _enabled(self) -> list[tuple[Connection, Rotation]]:
        return [
            (connection, rotation)
            for connection, rotation in self._pairs()
            if rotation.enabled and self._has_room(rotation) and not beyond_repair(self._sim.world, connection)
        ]

    def _has_room(self, rotation: Rotation) -> bool:
        """Whether others leave it the two slots that it needs, on an application that has only so many."""
        slots = self._sim.world.slots_of(rotation.object_id)
        if slots is None:
            return True
        own = {row.key_id for row in self._sim.judge.rows.values() if row.rotation_id == rotation.id}
        return len(set(self._sim.world.keys_of(rotation.object_id)) - own) + 2 <= slots

    def _rotations(self) -> list[Rotation]:
        return [rotation for _, rotation in self._pairs()]

    def _pairs(self) -> list[tuple[Connection, Rotation]]:
        connections = self._users.connections()
        rotations = self._sim.world.history.rotations(connections)
        return [(connection, rotations[connection.id]) for connection in connections if connection.id in rotations]

    def _work(self, rounds: int) -> None:
        sim = self._sim
        for _ in range(rounds):
            if not sim.busy:
                sim.let_pass(timedelta(minutes=1))
            if sim.processes:
                sim.run_once(sim.rng.choice(sim.processes))

    def _until(self, longest: timedelta) -> None:
        """Let the time pass, doing all that comes due meanwhile, and whatever is under way after that."""
        sim = self._sim
        end = sim.clock.now() + longest
        for _ in range(MOST_ROUNDS):
            if sim.busy:
                for process in list(sim.processes):
                    sim.run_once(process)
                continue
            wake = sim.next_wake()
            if wake is None or (wake > end and not (wake - end < A_STEP and sim.judge.on_the_way())):
                sim.clock.move_to(max(end, sim.clock.now()))
                sim.judge.always()
                return
            sim.clock.move_to(wake)
        raise Broken(f"10: the world does not come to rest within {MOST_ROUNDS} turns")
