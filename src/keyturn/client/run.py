"""``keyturn run``: a program with its secrets in the environment, started anew or told when they change.

The program is never stopped because the server is down, and never started with what the server refuses.
"""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from keyturn.client.child import Child, Signals, reap_orphans
from keyturn.client.core_dumps import Limits, forbid_core_dumps
from keyturn.client.domain import Reading, SecretSet
from keyturn.client.formats import is_variable
from keyturn.client.reader import Reader
from keyturn.client.settings import CREDENTIALS
from keyturn.client.watching import Watch
from keyturn.errors import KeyturnError
from keyturn.kit.dataclasses import dataclass

_REFUSED_NAMES = ("LD_", "DYLD_", "BASH_FUNC_")
_REFUSED_WHOLE = frozenset({"PATH", "IFS", "BASH_ENV", "ENV", "PYTHONSTARTUP", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS"})
_LOOK_EVERY = 0.05


class OnChange(StrEnum):
    RESTART = "restart"
    SIGNAL = "signal"
    NONE = "none"


@dataclass(frozen=True)
class RunPlan:
    """What to run and how. ``grace`` and ``settle`` are in seconds: how long a program may take to end, and for how long
    further changes are waited for before it is told of the first one.

    ``patience`` is how long the server may take at the start when there is a copy to start with. A program that lives ``ready``
    seconds after its start counts as working with its secrets: only then the server is told that they are in use.
    """

    command: Sequence[str]
    on_change: OnChange = OnChange.RESTART
    signal: int = signal.SIGHUP
    grace: float = 10.0
    settle: float = 0.5
    patience: float = 0.1
    ready: float = 2.0
    watch: bool = True


class Runner:
    """Runs one program. ``tell`` is given sentences for the operator."""

    def __init__(self, reader: Reader, plan: RunPlan, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
        self._reader = reader
        self._plan = plan
        self._environ = environ
        self._tell = tell
        self._trouble = ""
        self._limits: Limits | None = None

    def run(self) -> int:
        """Start the program and return its exit status when it has ended.

        Raises Refusal or NotFound when the server says no before it was started, Outage when there is nothing to start with.
        """
        self._limits = forbid_core_dumps()
        signals = Signals()
        copy = self._reader.copy()  # before the thread begins: a reader is of one thread
        watch = Watch(self._reader, once=not self._plan.watch)
        try:
            secret_set = self._first(watch, copy)
            return self._supervise(
                watch, Child(self._plan.command, self._given(secret_set), self._limits), secret_set, signals
            )
        finally:
            watch.stop()

    def _first(self, watch: Watch, copy: SecretSet | None) -> SecretSet:
        """Return what to start with: what the server says at once, else the copy, else what it says in the end."""
        first = watch.first(self._plan.patience if copy else None)
        if isinstance(first, KeyturnError):
            raise first
        if first is not None:
            self._note(first)
            return first.secret_set
        assert copy is not None  # noqa: S101 - without one it is waited until there are news
        self._tell(f"The server has not answered yet: starting with the copy of {copy.read_at:%Y-%m-%d %H:%M} UTC.")
        return copy

    def _supervise(self, watch: Watch, child: Child, running: SecretSet, signals: Signals) -> int:
        change_at: float | None = None
        ready_at: float | None = time.monotonic() + self._plan.ready
        latest, stopping = running, False
        while True:
            for number in signals.take():
                stopping |= signals.asks_to_stop(number)
                child.tell(number)
            reap_orphans(child.pid)
            status = child.ended()
            if status is not None:
                return status
            now = time.monotonic()
            if ready_at is not None and now >= ready_at:
                ready_at = None
                self._reader.use(running)
            fresh = self._news(watch)
            if fresh is not None and not fresh.same(latest):
                change_at, latest = (None if fresh.same(running) else now), fresh
            if change_at is not None and not stopping and now - change_at >= self._plan.settle:
                change_at = None
                before, child = child, self._changed(child, latest)
                if child is not before:
                    running, ready_at = latest, time.monotonic() + self._plan.ready
            time.sleep(_LOOK_EVERY)

    def _news(self, watch: Watch) -> SecretSet | None:
        """Return what was read last, if anything was; trouble is told once as long as it lasts."""
        news = watch.take()
        if isinstance(news, KeyturnError):
            self._note_trouble(news.message, f"{news.diagnostics()} The program goes on with what it has.")
        elif news is not None:
            self._note(news)
            return news.secret_set
        return None

    def _changed(self, child: Child, secret_set: SecretSet) -> Child:
        """Tell the program that its secrets changed, in the way that was asked for."""
        if self._plan.on_change is OnChange.SIGNAL:
            self._tell(f"Secrets changed: telling the program ({signal.Signals(self._plan.signal).name}).")
            child.tell(self._plan.signal)
            return child
        if self._plan.on_change is OnChange.NONE:
            self._tell("Secrets changed: the program goes on with those that it was started with.")
            return child
        self._tell("Secrets changed: starting the program anew.")
        given = self._given(secret_set)
        child.stop(self._plan.grace)
        return Child(self._plan.command, given, self._limits)

    def _given(self, secret_set: SecretSet) -> dict[str, str]:
        """Return the environment of the program: ours without our own credentials, and the secrets."""
        environ = {name: value for name, value in self._environ.items() if name not in CREDENTIALS}
        for name in sorted(secret_set.values):
            if not is_variable(name) or name.startswith(_REFUSED_NAMES) or name in _REFUSED_WHOLE:
                self._tell(f"The secret '{name}' is not passed on: no program should take a variable of this name.")
            else:
                environ[name] = secret_set.values[name].reveal()
        return environ

    def _note(self, reading: Reading) -> None:
        if reading.stale is None:
            if self._trouble:
                self._tell("The server answers again.")
            self._trouble = ""
        else:
            read_at = reading.secret_set.read_at
            message = reading.stale.message
            self._note_trouble(message, f"{message}. Using what it said at {read_at:%Y-%m-%d %H:%M} UTC.")

    def _note_trouble(self, kind: str, text: str) -> None:
        if kind != self._trouble:
            self._tell(text)
        self._trouble = kind
