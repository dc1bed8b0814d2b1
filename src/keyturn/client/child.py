"""A program that is given secrets: started in a process group of its own, told of signals, and waited for."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from keyturn.client.core_dumps import Limits, give_back
from keyturn.errors import Misconfigured

_PASSED_ON = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
    signal.SIGCONT,
)  # fmt: skip
_ASKED_TO_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
_LOOK_EVERY = 0.02


class Child:
    """One running program, with all that it started."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], limits: Limits | None = None) -> None:
        """Start it, with these limits of core dumps. Raises Misconfigured when it cannot be started."""
        self._foreground = os.isatty(0) and os.getpgrp() == _foreground_group()
        try:
            self._process = subprocess.Popen(command, env=dict(environ), process_group=0)  # noqa: S603 - what the operator asked for
        except OSError as error:
            raise Misconfigured(
                f"'{command[0]}' cannot be started: {error.strerror}.",
                code="client.command",
                fix="Look whether the program is there, and give its whole path.",
            ) from None
        self._status: int | None = None
        if limits is not None:
            give_back(self._process.pid, limits)
        if self._foreground:
            _give_terminal_to(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, number: int) -> None:
        """Send a signal to the program and all of its group. One that has ended is not told: its number may be another's."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def ended(self) -> int | None:
        """Return the exit status as a shell gives it, 128 and the signal for a program that a signal ended; None: it runs.

        With the program all ends that it started in its group.
        """
        if self._status is not None or not self._has_ended():
            return self._status
        # It was not taken leave of yet, so that its number, which is that of the group, belongs to no other.
        self.tell(signal.SIGKILL)
        code = self._process.wait()
        if self._foreground:
            _give_terminal_to(os.getpgrp())
        self._status = code if code >= 0 else 128 - code
        return self._status

    def wait(self, seconds: float) -> int | None:
        """Wait for its end, so many seconds at most. Returns as :meth:`ended`."""
        until = time.monotonic() + seconds
        while (status := self.ended()) is None and time.monotonic() < until:
            time.sleep(_LOOK_EVERY)
        return status

    def stop(self, grace: float, number: int = signal.SIGTERM) -> int:
        """End it and all of its group: asked first, and after ``grace`` seconds by force. Returns the exit status."""
        self.tell(number)
        self.tell(signal.SIGCONT)  # one that is stopped hears of nothing else
        status = self.wait(grace)
        if status is None:
            self.tell(signal.SIGKILL)
            status = self.wait(grace + 5.0)
        return 128 + signal.SIGKILL if status is None else status

    def _has_ended(self) -> bool:
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        except ChildProcessError:
            return True  # somebody else took leave of it


class Signals:
    """What this process was told since it was last asked. Installs handlers; for the main thread."""

    def __init__(self) -> None:
        self._told: list[int] = []
        for number in _PASSED_ON:
            signal.signal(number, lambda received, _frame: self._told.append(received))
        # Reading from a terminal of which another group is in front would stop us.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)

    def take(self) -> list[int]:
        """Return them, the oldest first."""
        told, self._told = self._told, []
        return told

    @staticmethod
    def asks_to_stop(number: int) -> bool:
        return number in _ASKED_TO_STOP


def reap_orphans(beside: int) -> None:
    """Take leave of ended processes that nobody waits for: as the first process of a container one inherits them all."""
    if os.getpid() != 1:
        return
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid == beside:
            return  # the program itself is waited for elsewhere
        os.waitpid(found.si_pid, 0)


def _foreground_group() -> int:
    try:
        return os.tcgetpgrp(0)
    except OSError:
        return -1


def _give_terminal_to(group: int) -> None:
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, group)
