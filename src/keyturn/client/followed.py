"""A client id and its secret as they are now, for programs that sign in with them for as long as they run."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from keyturn.client.domain import Refusal, SecretSet
from keyturn.client.reader import Reader
from keyturn.errors import KeyturnError, NotFound
from keyturn.kit.secret import Plaintext

_log = logging.getLogger("keyturn.client")


@dataclass(frozen=True)
class ClientCredential:
    client_id: str
    client_secret: Plaintext


class FollowedCredential:
    """Reads both again now and then. Safe to share between threads; one of them reads, the others take what is known.

    A program that has a credential keeps it whatever happens to the server: it may still sign in.
    """

    def __init__(
        self,
        reader: Reader,
        id_name: str,
        secret_name: str,
        close: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``close`` ends what the reader reads through."""
        self._reader = reader
        self._names = (id_name, secret_name)
        self.close = close
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: ClientCredential | None = None
        self._read_sets: list[tuple[ClientCredential, SecretSet]] = []
        self._look_at = 0.0

    def current(self) -> ClientCredential:
        """Return what to sign in with; reads when it is time to. Raises Refusal, NotFound or Outage when nothing is known."""
        known = self._known
        if known is not None and self._monotonic() < self._look_at:
            return known
        if known is not None and self._lock.locked():
            return known  # another thread reads at this moment
        with self._lock:
            if self._known is None or self._monotonic() >= self._look_at:
                self._read()
            assert self._known is not None  # noqa: S101 - _read raises when it found nothing
            return self._known

    def newer_than(self, refused: ClientCredential) -> ClientCredential | None:
        """Read at once, since this one was refused. Returns what took its place; None when nothing did."""
        with self._lock:
            if self._known == refused:
                self._read()
            return None if self._known == refused else self._known

    def used(self, credential: ClientCredential) -> None:
        """Say that somebody signed in with this one: the server is told that it is in use."""
        for known, secret_set in self._read_sets:
            if known == credential:
                self._reader.use(secret_set)

    def _read(self) -> None:
        try:
            secret_set = self._reader.read().secret_set
            values = secret_set.values
            missing = [name for name in self._names if name not in values]
            if missing:
                raise NotFound(
                    f"There is no secret '{missing[0]}' in the folder.",
                    code="client.no_secret",
                    fix="Say under which names client id and client secret are there.",
                )
            before, self._known = self._known, ClientCredential(values[self._names[0]].reveal(), values[self._names[1]])
            kept = [each for each in self._read_sets if each[0] == before != self._known]
            self._read_sets = [(self._known, secret_set), *kept]
        except KeyturnError as error:
            if self._known is None:
                raise
            kind = "refuses" if isinstance(error, Refusal | NotFound) else "does not answer"
            _log.warning("the server %s; going on with the known client secret: %s", kind, error.message)
        finally:
            self._look_at = self._monotonic() + self._reader.wait()
