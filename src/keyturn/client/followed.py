"""A client id and its secret as they are now, for programs that sign in with them for as long as they run."""

import logging
import threading
import weakref
from collections.abc import Callable

from keyturn.client.domain import Refusal, SecretSet
from keyturn.client.reader import Reader
from keyturn.client.watching import News, read
from keyturn.errors import KeyturnError, NotFound
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

_log = logging.getLogger("keyturn.client")


@dataclass(frozen=True)
class ClientCredential:
    client_id: str
    client_secret: Plaintext


class FollowedCredential:
    """Knows both as they are now. Safe to share between threads.

    The first who asks reads them. From then on a thread of its own waits for changes, as far as the server lets requests wait,
    and else looks now and then. It keeps no program from ending, and ends with this object; a process that was forked from
    this one begins another. A program that has a credential keeps it whatever happens to the server: it may still sign in.
    """

    def __init__(self, reader: Reader, id_name: str, secret_name: str, close: Callable[[], None]) -> None:
        """``close`` ends what the reader reads through."""
        self._reader = reader
        self._names = (id_name, secret_name)
        self._close = close
        self._reading = threading.Lock()
        self._changing = threading.Lock()
        self._known: ClientCredential | None = None
        self._read_sets: list[tuple[ClientCredential, SecretSet]] = []
        self._told = 0
        self._trouble = ""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_known(self) -> bool:
        """Whether :meth:`current` answers without asking anybody."""
        return self._known is not None

    def current(self) -> ClientCredential:
        """Return what to sign in with. Raises Refusal, NotFound or Outage when nothing is known yet and none can be read."""
        if self._known is None:
            with self._reading:
                if self._known is None:
                    self._take(self._reader.read().secret_set)
        with self._changing:
            self._follow()
            assert self._known is not None  # noqa: S101 - _take raises when it found nothing
            return self._known

    def newer_than(self, refused: ClientCredential) -> ClientCredential | None:
        """Read at once, since this one was refused. Returns what took its place; None when nothing did."""
        with self._reading:
            if self._known == refused:
                told = self._told
                try:
                    secret_set = self._reader.read().secret_set
                    if told == self._told:  # else the thread was told meanwhile, and maybe of something newer
                        self._take(secret_set)
                except KeyturnError as error:
                    self._warn(error)
            return None if self._known == refused else self._known

    def used(self, credential: ClientCredential) -> None:
        """Say that somebody signed in with this one: the server is told that it is in use."""
        for known, secret_set in self._read_sets:
            if known == credential:
                self._reader.use(secret_set)

    def close(self) -> None:
        """Follow no more, and end what is read through. Safe to repeat."""
        self._over.set()
        self._close()

    def told(self, news: News) -> None:
        """Take what the thread was told."""
        try:
            if isinstance(news, KeyturnError):
                raise news
            self._take(news.secret_set)
            self._trouble = ""
        except KeyturnError as error:
            if error.message != self._trouble:
                self._trouble = error.message
                self._warn(error)

    def _take(self, secret_set: SecretSet) -> None:
        values = secret_set.values
        missing = [name for name in self._names if name not in values]
        if missing:
            raise NotFound(
                f"There is no secret '{missing[0]}' in the folder.",
                code="client.no_secret",
                fix="Say under which names client id and client secret are there.",
            )
        with self._changing:
            before, self._known = self._known, ClientCredential(values[self._names[0]].reveal(), values[self._names[1]])
            kept = [each for each in self._read_sets if each[0] == before != self._known]
            self._read_sets = [(self._known, secret_set), *kept]
            self._told += 1

    @staticmethod
    def _warn(error: KeyturnError) -> None:
        kind = "refuses" if isinstance(error, Refusal | NotFound) else "does not answer"
        _log.warning("the server %s; going on with the known client secret: %s", kind, error.message)

    def _follow(self) -> None:
        """Begin to wait for changes, unless somebody does: no thread outlives a fork."""
        if self._over.is_set() or (self._thread is not None and self._thread.is_alive()):
            return
        following = (weakref.ref(self), self._reader.twin(), self._over)
        self._thread = threading.Thread(target=_wait_for_changes, args=following, name="secrets", daemon=True)
        self._thread.start()


def _wait_for_changes(followed: "weakref.ref[FollowedCredential]", reader: Reader, over: threading.Event) -> None:
    while not over.wait(reader.wait()):
        news = read(reader, wait=True)
        told = followed()
        if told is None or over.is_set():
            return
        told.told(news)
        del told
