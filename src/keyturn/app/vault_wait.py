"""What a server does while its key vault cannot be reached at its start: it tries again, says so, and answers probes.

And what it does afterwards: it learns a new root key before anything is sealed under it.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from structlog import get_logger

from keyturn.crypto.keyring import Keyring
from keyturn.crypto.vault_root import VaultRoots
from keyturn.errors import KeyturnError, Misconfigured, Retryable
from keyturn.web.server.listening import listen
from keyturn.web.server.probes import ProbeServer

LEARN_EVERY = timedelta(seconds=10)
"""Shorter than the time that a change of the root key waits for running servers (``crypto.keyring.REFRESH``)."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)


class VaultWait:
    """Decides whether a start goes on waiting. Between two tries it pauses, twice as long each time, or as the vault asks."""

    def __init__(self, patience: timedelta, notice: Callable[[str], None], pause: Callable[[float], None]) -> None:
        self._left = patience
        self._notice = notice
        self._pause = pause
        self._next = FIRST_PAUSE
        self.reason = ""
        """Why the server is not ready."""

    def __call__(self, error: Retryable) -> bool:
        """Say why, pause, and return True; False when the patience is over."""
        if self._left <= timedelta():
            return False
        if error.message != self.reason:
            self._notice(
                f"{error.message} Trying again for {self._left.total_seconds():.0f} s. {error.fix or ''}".strip()
            )
        self.reason = error.message
        pause = min(max(self._next, error.retry_after or timedelta()), self._left)
        self._next = min(self._next * 2, LONGEST_PAUSE)
        self._left -= pause
        self._pause(pause.total_seconds())
        return True


class WaitingListener:
    """Answers probes while there is no server yet: alive, and not ready, with the reason. Listens from its first use on."""

    def __init__(self, host: str, port: int, reason: Callable[[], str]) -> None:
        self._where = host, port
        self._reason = reason
        self._server: ProbeServer | None = None

    def start(self) -> None:
        """Listen, unless it does already or cannot: the server that starts afterwards says what is wrong with its port."""
        if self._server is not None:
            return
        with suppress(Misconfigured):
            self._server = ProbeServer(self._answer, listen(*self._where), all_paths=True)
            self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()

    async def _answer(self, scope: Any, _receive: Any, send: Any) -> None:
        alive = scope["path"] == "/healthz"
        shape: dict[str, object] = {"ok": alive}
        if not alive:
            shape |= {"database": True, "writable": True, "worker": False, "reason": self._reason()}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200 if alive else 503, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(shape).encode()})


@contextmanager
def waiting(
    patience: timedelta, notice: Callable[[str], None], pause: Callable[[float], None], host: str, port: int
) -> Iterator[Callable[[Retryable], bool]]:
    """Yield what is asked after each try that failed; probes are answered from the first of them on, until the block ends."""

    def answer_and_pause(seconds: float) -> None:
        listener.start()
        pause(seconds)

    wait = VaultWait(patience, notice, answer_and_pause)
    listener = WaitingListener(host, port, lambda: wait.reason)
    with _ended_by_sigterm():
        try:
            yield wait
        finally:
            listener.stop()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End on SIGTERM, as the first process of a container would not by itself. Only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class VaultWatch:
    """Takes up new root keys and data keys in a thread of its own, outside transactions. What fails is tried again."""

    def __init__(self, keyring: Keyring, vault: VaultRoots, every: timedelta = LEARN_EVERY) -> None:
        self._keyring, self._vault, self._every = keyring, vault, every
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="key-vault", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def look(self) -> None:
        """Learn what is new. Never raises."""
        try:
            self._vault.learn()
            self._keyring.reload()
        except KeyturnError as error:
            get_logger("keyturn").warning("keys.not_learned", code=error.code, reason=error.message)
        except sa.exc.SQLAlchemyError as error:
            get_logger("keyturn").warning("keys.not_learned", reason=type(error).__name__)

    def _run(self) -> None:
        while not self._over.wait(self._every.total_seconds()):
            self.look()
