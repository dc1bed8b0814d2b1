"""People who have connections sign in without a secret, who go back, and others who end an application's trust."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

from entra_emulator.directory.directory import Application
from keyturn.connections.domain import Connection
from keyturn.providers.azure.methods.federated import Federated
from keyturn.rotations.conversion.domain import Conversion, ConversionState
from keyturn_simulation.invariants import Broken
from keyturn_simulation.people import Users
from keyturn_simulation.platform_tokens import SOURCES, TROUBLES
from keyturn_simulation.processes import Process
from keyturn_simulation.simulation import Simulation

WATCHES = (timedelta(hours=1), timedelta(hours=1), timedelta(hours=3), timedelta(hours=24))
LONGEST_COURSE = timedelta(hours=27)
"""Until a conversion has come to its end where nothing goes wrong: the proofs, the longest watch, the way back."""
A_COURSE = timedelta(hours=3)
"""The same for the shortest watch."""


class Secretless:
    """What they do, and that it comes to an end."""

    def __init__(self, simulation: Simulation, users: Users) -> None:
        self._sim = simulation
        self._users = users

    @property
    def _rng(self) -> Random:
        return self._sim.rng

    def click(self) -> None:
        """Somebody begins with it, or goes back."""
        connections = self._users.connections()
        if not connections or not self._sim.processes:
            return
        connection, process = self._rng.choice(connections), self._rng.choice(self._sim.processes)
        if self._newest(connection) is not None and self._rng.random() < 0.4:
            self.go_back(process, connection)
        else:
            self.begin(process, connection, self._rng.choice(WATCHES))

    def begin(self, process: Process, connection: Connection, watch: timedelta) -> Conversion | None:
        """Ask for it; None where that was refused or not answered."""
        source, conversions = self._rng.choice(sorted(SOURCES)), process.server.services.conversions
        begun = self._sim.request(
            process,
            f"make {connection.name} secretless by {source}, watched for {watch}",
            lambda _rotations: conversions.begin(self._sim.world.actor, connection.id, source, watch),
        )
        return begun[1] if begun else None

    def go_back(self, process: Process, connection: Connection) -> None:
        conversions = process.server.services.conversions
        self._sim.request(
            process,
            f"go back to the secret of {connection.name}",
            lambda _rotations: conversions.go_back(self._sim.world.actor, connection.id),
        )

    def trouble(self) -> None:
        """Something about the platform gets worse or better, or somebody else ends what an application trusts."""
        acts: list[Callable[[], None]] = [self._break, self._mend, self._mend]
        if self._sim.features.outsiders:
            acts.append(self._end_a_trust)
        self._rng.choice(acts)()

    def _break(self) -> None:
        source = self._rng.choice(sorted(SOURCES))
        self._sim.platform.trouble[source] = self._rng.choice(TROUBLES)
        self._sim.trace.note("platform", f"tokens of {source} are {self._sim.platform.trouble[source]}")

    def _mend(self) -> None:
        self._sim.platform.trouble.clear()
        self._sim.trace.note("platform", "is well")

    def _end_a_trust(self) -> None:
        world = self._sim.world
        app = self._rng.choice(list(world.applications.values()))
        application = world.emulator.admin.application(app.object_id)
        held = application.federated_held()
        if held:
            item = self._rng.choice(held)
            world.removed_outside.add(item.id)
            application.federated.remove(item)
            self._sim.trace.note("outsider", f"ends the trust {item.name[:12]} of {app.display_name}")

    # --- the end ----------------------------------------------------------------------------------------------------

    def calm_down(self) -> None:
        """Nothing is wrong with the platform from now on."""
        self._sim.platform.trouble.clear()

    def repair(self, connection: Connection) -> bool:
        """Make the application trust again what the connection signs in by; say whether that was needed."""
        credentials = self._sim.world.stored_credentials(connection)
        if not isinstance(credentials, Federated):
            return False
        return self._users.portal.trust(self._sim.world.applications[connection.client_id], credentials.source)

    def come_to_an_end(self, let_pass: Callable[[timedelta], None]) -> None:
        """Whatever is under way does."""
        let_pass(LONGEST_COURSE)
        self._check_ended()

    def convert_all(self, let_pass: Callable[[timedelta], None]) -> None:
        """Whoever still has a credential is rid of it when they ask for it."""
        begun = {
            connection.name
            for connection in self._users.connections()
            if self.begin(self._rng.choice(self._sim.processes), connection, WATCHES[0])
        }
        let_pass(A_COURSE)
        self._check_ended()
        for connection in self._users.connections():
            conversion = self._newest(connection)
            if connection.name in begun and conversion and conversion.state is not ConversionState.DONE:
                raise Broken(
                    f"liveness: {connection.name} was not made secretless: {conversion.state}, {conversion.reason}"
                )

    def _check_ended(self) -> None:
        """14: what is under way comes to its end, and leaves behind what belongs to that end only."""
        for connection in self._users.connections():
            conversion = self._newest(connection)
            if conversion is None:
                continue
            if conversion.under_way:
                raise Broken(f"liveness: {connection.name} is {conversion.state} for ever: {conversion.reason}")
            names = {item.name for item in self._application(conversion).federated_held()}
            left = (conversion.reason or {}).get("left")
            if conversion.state is ConversionState.WITHDRAWN and conversion.name in names and not left:
                raise Broken(f"14: {connection.name} went back, and its application still trusts {conversion.name}")

    def _application(self, conversion: Conversion) -> Application:
        return self._sim.world.emulator.admin.application(conversion.object_id)

    def _newest(self, connection: Connection) -> Conversion | None:
        world = self._sim.world
        return world.services.conversions.newest(world.actor, connection.id)
