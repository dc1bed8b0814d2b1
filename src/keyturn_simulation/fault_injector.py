"""What Entra, its replicas, its administrators and the networks do to the servers; drawn anew now and then."""

from datetime import timedelta
from random import Random
from typing import Literal

from entra_emulator import GATEWAY_TIMEOUT, HANG, RESET, SERVICE_UNAVAILABLE, Budget, Effect, Fault, Settings, slow
from entra_emulator.admin.admin import ApplicationHandle
from keyturn_simulation.simulation import Simulation
from keyturn_simulation.world import ALL, OWNED

OPERATIONS = (
    "addPassword",
    "removePassword",
    "addKey",
    "removeKey",
    "getApplication",
    "token",
    "openidConfiguration",
    "listOwners",
    "writes",
    "*",
)
EFFECTS = (
    SERVICE_UNAVAILABLE,
    GATEWAY_TIMEOUT,
    RESET,
    HANG,
    slow(6),
    slow(15),
    Effect(429, "TooManyRequests", "Slow down.", retry_after=7),
    Effect(503, "Directory_ConcurrencyViolation", "Another write.", retry_after=1.5),
    Effect(409, "Directory_ConcurrencyViolation", "Another write."),
    Effect(500, "InternalServerError", "Oops."),
)
LAGS = (0.0, 2.0, 12.0, 45.0, 130.0, 500.0)
QUIET = Settings()
ROLES = (OWNED, ALL)


class FaultInjector:
    """``calm_down`` undoes everything, except what already spreads through the replicas."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._admin = simulation.world.emulator.admin
        self._tenant = simulation.world.tenant_id
        self.lagged = False
        """Whether Graph ever was slow to show what it had made."""
        self._withdrawn: dict[str, tuple[str, ...]] = {}
        """By client id: the permissions that an administrator took away."""
        self._without_owner: set[str] = set()

    @property
    def _rng(self) -> Random:
        return self._sim.rng

    def change(self) -> None:
        """Something about Entra or the network gets worse or better."""
        choices = [
            self._lag,
            self._throttle,
            self._fault,
            self._fault,
            self._fault,
            self._network,
            self._clear,
            self._skew,
        ]
        if self._sim.features.admins:
            choices += [self._policy, self._permission, self._permission, self._disable]
        self._rng.choice(choices)()

    def _note(self, what: str) -> None:
        self._sim.trace.note("faults", what)

    def _lag(self) -> None:
        def upto() -> tuple[float, float]:
            longest = self._rng.choice(LAGS)
            return (min(longest, self._rng.choice((0.0, 1.0))), longest)

        lags = {name: upto() for name in ("token_appear", "graph_appear", "token_vanish", "graph_vanish")}
        replicas = self._rng.choice((1, 2, 3))
        self.lagged |= lags["graph_appear"][1] > 0
        self._admin.configure(self._tenant, replicas=replicas, **lags)
        self._note(f"{replicas} replicas, {lags}")

    def _throttle(self) -> None:
        budget = self._rng.choice((None, Budget(3, 20.0), Budget(8, 60.0), Budget(2, 5.0)))
        which = self._rng.choice(("token_budget", "graph_budget"))
        style = self._rng.choice(("integer", "fraction", "date"))
        wait = self._rng.choice((0.0, 3.0, 60.0))
        window = self._rng.choice((0.0, 3.0, 20.0))
        status = self._rng.choice((409, 503))
        self._admin.configure(
            self._tenant,
            **{which: budget},
            retry_after=style,
            token_retry_after=wait,
            conflict_window=window,
            conflict_status=status,
            conflict_probability=self._rng.choice((0.5, 1.0)),
            latency=self._rng.choice(((0.0, 0.0), (0.0, 0.4), (0.5, 3.0))),
        )
        self._note(f"{which} {budget}, Retry-After {style}, conflicts for {window} s as {status}")

    def _fault(self) -> None:
        operation, effect = self._rng.choice(OPERATIONS), self._rng.choice(EFFECTS)
        when: Literal["before", "after"] = self._rng.choice(("before", "after"))
        times = self._rng.choice((1, 1, 1, 2, 5, 12))
        self._sim.world.emulator.faults.add(
            Fault(operation, (effect,), when=when, times=times, probability=self._rng.choice((0.4, 1.0)))
        )
        self._note(f"{operation} fails {when} {times} times: {effect.status} {effect.code} {effect.wire.kind}")

    def _skew(self) -> None:
        skew = self._rng.choice((0.0, 0.0, 20.0, -20.0, 200.0, -200.0))
        self._admin.configure(self._tenant, clock_skew=skew)
        self._note(f"Entra's clock is off by {skew} s")

    def _network(self) -> None:
        if self._sim.processes:
            process = self._rng.choice(self._sim.processes)
            network = process.network
            network.cut = self._rng.random() < 0.2
            network.loss = self._rng.choice((0.0, 0.1, 0.4))
            network.trouble = self._rng.choice((0.0, 0.1, 0.4))
            self._note(f"{process.name}'s network: cut {network.cut}, loss {network.loss}, trouble {network.trouble}")

    def outage(self) -> None:
        """Nothing answers for hours; the servers go on trying."""
        effects = (SERVICE_UNAVAILABLE, RESET, HANG)
        self._sim.world.emulator.faults.add(Fault("*", effects, when="before", times=None))
        end = self._sim.clock.now() + timedelta(minutes=self._rng.choice((20, 90, 400)))
        self._note(f"outage until {end:%d %H:%M}")
        for _ in range(25):
            if self._sim.clock.now() >= end:
                break
            if not self._sim.busy:
                self._sim.let_pass(end - self._sim.clock.now())
            for process in list(self._sim.processes):
                self._sim.run_once(process)
        self._sim.clock.move_to(end)
        self._clear()

    def _clear(self) -> None:
        self._sim.world.emulator.faults.clear()
        for process in self._sim.processes:
            process.network.heal()
        self._note("faults and networks are well again")

    # --- administrators ---------------------------------------------------------------------------------------------

    def _policy(self) -> None:
        rules = self._rng.choice(
            (
                [],
                [{"restrictionType": "passwordLifetime", "maxLifetime": "P40D"}],
                [{"restrictionType": "passwordLifetime", "maxLifetime": "P4D"}],
                [{"restrictionType": "passwordAddition"}],
            )
        )
        self._admin.set_policy(self._tenant, passwordCredentials=rules)
        self._note(f"policy: {rules}")

    def _any_application(self) -> ApplicationHandle:
        return self._rng.choice(list(self._sim.world.applications.values()))

    def _permission(self) -> None:
        app = self._any_application()
        if app.app_id in self._withdrawn:
            self._grant(app)
        elif self._rng.random() < 0.6:
            self._admin.withdraw(app.principal_id, *ROLES)
            self._withdrawn[app.app_id] = (self._role(app),)
            self._note(f"permission of {app.display_name} is withdrawn")
        elif app.principal_id in (owners := self._admin.application(app.object_id).owners):
            owners.remove(app.principal_id)
            self._without_owner.add(app.app_id)
            self._withdrawn[app.app_id] = ()
            self._note(f"{app.display_name} does not own itself any more")

    def _role(self, app: ApplicationHandle) -> str:
        return OWNED if app.principal_id in self._admin.application(app.object_id).owners else ALL

    def _grant(self, app: ApplicationHandle) -> None:
        self._admin.grant(app.principal_id, *self._withdrawn.pop(app.app_id))
        if app.app_id in self._without_owner:
            self._without_owner.discard(app.app_id)
            self._admin.application(app.object_id).owners.append(app.principal_id)
        self._note(f"permission of {app.display_name} is granted again")

    def _disable(self) -> None:
        app = self._any_application()
        disabled = not self._admin.application(app.object_id).disabled
        self._admin.set_disabled(app.object_id, disabled=disabled)
        self._note(f"{app.display_name} is {'disabled' if disabled else 'enabled'}")

    # --- the end ----------------------------------------------------------------------------------------------------

    def calm_down(self) -> None:
        """Take every fault away and give every permission back."""
        self._clear()
        names = (
            "replicas", "token_appear", "graph_appear", "token_vanish", "graph_vanish", "conflict_window", "token_budget",
            "graph_budget", "clock_skew", "latency", "token_retry_after", "retry_after",
        )  # fmt: skip
        self._admin.configure(self._tenant, **{name: getattr(QUIET, name) for name in names})
        self._admin.set_policy(self._tenant, passwordCredentials=[])
        for app in self._sim.world.applications.values():
            self._admin.set_disabled(app.object_id, disabled=False)
            if app.app_id in self._withdrawn:
                self._grant(app)
        self._note("all is calm")
