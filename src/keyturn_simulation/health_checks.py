"""What is said of connections: refused are those that do not work, and nobody is told that what is there was removed."""

from collections.abc import Callable
from datetime import timedelta
from math import inf

from keyturn.audit.events import CREDENTIALS_DRIFTED
from keyturn.connections.domain import Connection
from keyturn.providers.azure.methods.federated import FederatedMethod
from keyturn_simulation.invariants import Broken
from keyturn_simulation.people import Users
from keyturn_simulation.simulation import Simulation

SWEPT = timedelta(hours=27)
"""Every connection has been looked at, and every application swept."""


class HealthChecks:
    """``refusals_shown`` and ``working_shown`` raise Broken."""

    def __init__(self, simulation: Simulation, users: Users) -> None:
        self._sim = simulation
        self._users = users

    def refusals_shown(self, let_pass: Callable[[timedelta], None]) -> None:
        """What others removed, or what has expired, shows as refused after the daily look; what works does not.

        A server whose clock is ahead puts the next look off by as much.
        """
        if any(self._why_not_working(other) or self._is_put_off(other) for other in self._users.connections()):
            let_pass(SWEPT)
        for connection in self._users.connections():
            reason = self._why_not_working(connection)
            if reason and connection.refused_at is None:
                raise Broken(f"health: the credential of {connection.name} is {reason}, and it is not shown as refused")
            if (
                reason == "removed"
                and connection.method != FederatedMethod.key
                and not self._vanishing_reported(connection)
                and not self._may_look_expired(connection)
            ):
                raise Broken(f"health: nobody was told that the credential of {connection.name} was removed")
        self.working_shown()
        self._check_vanished_were_removed()

    def _check_vanished_were_removed(self) -> None:
        for event in self._sim.world.events(CREDENTIALS_DRIFTED.name):
            data = event["data"]
            key_id = data["keyId"]
            if data["kind"] == "current-vanished" and key_id and key_id not in self._sim.world.removed_outside:
                raise Broken(f"health: {data['displayName']} was told to have vanished, and nobody removed it")

    def working_shown(self) -> None:
        """No connection that works is shown as refused."""
        for connection in self._users.connections():
            if self._shows_what_works_as_refused(connection):
                raise Broken(f"health: {connection.name} works, and is shown as refused: {connection.refusal}")

    def _is_put_off(self, connection: Connection) -> bool:
        """Whether the look may be still to come that finds out that a connection works."""
        return self._sim.features.clocks and self._shows_what_works_as_refused(connection)

    def _shows_what_works_as_refused(self, connection: Connection) -> bool:
        return connection.refused_at is not None and self._works(connection)

    def _why_not_working(self, connection: Connection) -> str | None:
        """Say why the connection's credential has not worked for longer than it takes to be looked at, if it has not."""
        end = self._end_of(connection)
        if end is None:
            return "removed"
        return "expired" if end <= (self._sim.clock.now() - SWEPT).timestamp() else None

    def _works(self, connection: Connection) -> bool:
        end = self._end_of(connection)
        return end is not None and end > self._sim.clock.now().timestamp()

    def _end_of(self, connection: Connection) -> float | None:
        """When the credential ends; None for one that does not sign in.

        A workload signs in by whatever the application trusts of what the platform calls it now, whoever made it trust that.
        """
        current = self._sim.judge.currents[connection.id]
        if connection.method == FederatedMethod.key:
            trusted = self._users.portal.trusts(current.object_id, (connection.facts or {})["tokenSource"])
            return inf if trusted else None
        return self._sim.world.ends_of(current.object_id).get(current.key_id or "")

    def _vanishing_reported(self, connection: Connection) -> bool:
        events = (event["data"] for event in self._sim.world.events(CREDENTIALS_DRIFTED.name))
        return any(data["kind"] == "current-vanished" and data["connectionId"] == connection.id for data in events)

    def _may_look_expired(self, connection: Connection) -> bool:
        """Whether what was removed is past its end by now, or ends nobody here knows when: then Entra may call it expired."""
        row = self._sim.judge.row_of_key(self._sim.judge.currents[connection.id].key_id)
        not_yet_ended = row is not None and row.ends_at is not None and row.ends_at > self._sim.clock.now()
        return str((connection.refusal or {}).get("code")).endswith("_expired") and not (
            not_yet_ended and self._rotates(connection)
        )

    def _rotates(self, connection: Connection) -> bool:
        return connection.id in self._sim.world.history.rotations([connection])
