"""Keeps the connections that say nothing from being everybody.

The web server accepts far more connections than this application serves requests, and cuts off those that are idle for too
long. What it cannot do is done here, once a second, by looking at this process's own sockets: a connection that never sent
a whole request is ended after a few seconds, and no network may keep more than its share of quiet ones. A connection
with a request under way, such as a page that watches a rotation, is not quiet, and there may be thousands of one address.
"""

import os
import resource
import socket
import stat
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import field
from ipaddress import ip_address
from pathlib import Path

import structlog

from keyturn.kit.dataclasses import dataclass
from keyturn.web.auth import Network, network_of

_log = structlog.get_logger("keyturn.web")

Peer = tuple[str, int]
"""Address and port of the other side: the name of a connection as long as it lasts."""
FOR_OTHERS = 256
"""File descriptors that are left for the database, the log and calls to Microsoft."""
_DESCRIPTORS = Path("/dev/fd")
_EVERY = 1.0
_MOST_NAMED = 10
"""Addresses that are told of after one look."""


def descriptors() -> int:
    """Return how many files this process may have open, after asking for as many as it may get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS says "unlimited" and means less
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def can_look() -> bool:
    """Say whether this system shows a process its own descriptors."""
    return _DESCRIPTORS.is_dir()


@dataclass
class Traffic:
    """Which connections have sent a whole request, and which are being served. For any number of threads."""

    _busy: dict[Peer, int] = field(default_factory=dict)
    _served: dict[Peer, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def request(self, peer: Peer | None) -> Iterator[None]:
        """Around one request of a connection."""
        self.begin(peer)
        try:
            yield
        finally:
            self.end(peer)

    def begin(self, peer: Peer | None) -> None:
        """Note that a request is served. As often as this, :meth:`end` is to be called."""
        if peer is not None:
            with self._lock:
                self._busy[peer] = self._busy.get(peer, 0) + 1

    def end(self, peer: Peer | None) -> None:
        if peer is not None:
            with self._lock:
                left = self._busy.pop(peer) - 1
                if left:
                    self._busy[peer] = left
                self._served[peer] = time.monotonic()

    def known(self) -> tuple[set[Peer], dict[Peer, float]]:
        """Return who is served now, and when others were served last."""
        with self._lock:
            return set(self._busy), dict(self._served)

    def forget(self, peers: set[Peer]) -> None:
        with self._lock:
            for peer in peers:
                self._served.pop(peer, None)


@dataclass(frozen=True)
class QuietLimits:
    """``first_request`` and ``idle`` in seconds; ``per_network`` quiet connections at most of one address or /64.

    A connection that is younger than ``arriving`` is not counted yet: a machine whose programs start together, or many behind
    one address, open a thousand at once, and the first request of each is on its way.
    """

    first_request: float = 5.0
    idle: float = 75.0
    """Longer than the minute for which most proxies keep theirs: who closes first breaks the other's next request."""
    per_network: int = 1024
    arriving: float = 1.0


def to_end(
    quiet_since: dict[Peer, float],
    served: dict[Peer, float],
    now: float,
    limits: QuietLimits,
    exempt: Sequence[Network],
) -> dict[Peer, str | None]:
    """Say which quiet connections are to be ended, each with the network that has too many; None: it said nothing for too long.

    ``exempt`` are proxies that stand for many.
    """
    ending: dict[Peer, str | None] = {}
    by_network: dict[str, list[Peer]] = defaultdict(list)
    for peer, since in sorted(quiet_since.items(), key=lambda pair: pair[1]):
        patience = limits.idle if peer in served else limits.first_request
        if now - since > patience:
            ending[peer] = None
        elif (peer in served or now - since >= limits.arriving) and not any(
            ip_address(peer[0]) in network for network in exempt
        ):
            by_network[network_of(peer[0])].append(peer)
    for network, peers in by_network.items():
        ending |= dict.fromkeys(peers[: max(0, len(peers) - limits.per_network)], network)
    return ending


class ConnectionWatch:
    """A thread that looks at the connections of one listening port. ``start`` and ``stop`` once."""

    def __init__(self, port: int, traffic: Traffic, limits: QuietLimits, exempt: Sequence[Network] = ()) -> None:
        self._port = port
        self._traffic = traffic
        self._limits = limits
        self._exempt = exempt
        self._since: dict[Peer, float] = {}
        self._seen: dict[int, tuple[int, Peer | None]] = {}
        """What the last look found at each descriptor: the socket's number, and whose connection it is, if one of the port."""
        self.silent = 0
        self.crowded = 0
        """Connections that were ended since the start: those that said nothing for too long, and those of an address with too
        many."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def look(self, now: float) -> int:
        """End what is to be ended; return how many that were."""
        busy, served = self._traffic.known()
        here = self._present(busy)
        quiet = {peer: max(self._since.get(peer, now), served.get(peer, 0.0)) for peer in here - busy}
        self._since = quiet
        self._traffic.forget({peer for peer, at in served.items() if peer not in here and at < now})
        ending = to_end(quiet, served, now, self._limits, self._exempt)
        if ending:
            # Asked again: a request may have come meanwhile.
            busy = self._traffic.known()[0]
            ending = {peer: network for peer, network in ending.items() if peer not in busy}
            _shut(self._port, ending.keys())
            self._tell(Counter(ending.values()))
        return len(ending)

    def _present(self, busy: Set[Peer]) -> set[Peer]:
        """Return the connections that there are. Of a socket that was seen by the last look nothing is asked again.

        While a request of a connection is served, it is open: of the thousands that wait the system is asked nothing at all.
        """
        before, self._seen = self._seen, {}
        for descriptor in _descriptors():
            seen = before.get(descriptor)
            if seen is not None and seen[1] in busy:
                self._seen[descriptor] = seen
                continue
            with suppress(OSError):
                number = os.fstat(descriptor).st_ino
                if seen is None or seen[0] != number:
                    with _connection(descriptor, self._port) as found:
                        seen = number, found[0] if found else None
                self._seen[descriptor] = seen
        return {peer for _, peer in self._seen.values() if peer is not None}

    def _tell(self, ended: "Counter[str | None]") -> None:
        silent = ended.pop(None, 0)
        self.silent += silent
        if silent:
            _log.info("ended silent connections", count=silent, since_start=self.silent)
        self.crowded += ended.total()
        for network, count in ended.most_common(_MOST_NAMED):
            _log.warning(
                "ended connections of an address that had too many without a request under way",
                address=network,
                count=count,
                limit=self._limits.per_network,
                since_start=self.crowded,
                fix="If it stands for many programs, raise KEYTURN_MAX_QUIET_CONNECTIONS; if it is a proxy, name it in"
                " KEYTURN_TRUSTED_PROXIES.",
            )

    def _run(self) -> None:
        pause = _EVERY
        while not self._over.wait(pause):
            used = time.thread_time()
            self.look(time.monotonic())
            # With very many connections a look takes a while: it may use a hundredth of one processor.
            pause = max(_EVERY, 100 * (time.thread_time() - used))


def _shut(port: int, ending: Set[Peer]) -> None:
    for descriptor in _descriptors():
        with suppress(OSError), _connection(descriptor, port) as found:
            if found is not None and found[0] in ending:
                found[1].shutdown(socket.SHUT_RDWR)


def _descriptors() -> list[int]:
    return [int(name) for name in os.listdir(_DESCRIPTORS)]  # noqa: PTH208 - thousands of paths take longer than the look


@contextmanager
def _connection(descriptor: int, port: int) -> Iterator[tuple[Peer, socket.socket] | None]:
    """Give the connection that came in at the port, and whose it is; None for what is none. Raises OSError.

    The web server owns it; it is looked at through a descriptor of its own, so it cannot become another one meanwhile.
    """
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        yield None
        return
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family not in {socket.AF_INET, socket.AF_INET6} or connection.getsockname()[1] != port:
            yield None
            return
        try:
            address, number = connection.getpeername()[:2]
        except OSError:  # it listens, or its other side is gone
            yield None
            return
        yield (_plain(address), number), connection


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:").partition("%")[0]


def peer_of(scope: dict[str, object]) -> Peer | None:
    """Return the connection that a request came over, as the web server names it."""
    client = scope.get("client")
    if type(client) is tuple and len(client) == 2 and type(client[1]) is int and ":" not in str(client[0]):
        return client  # as all but those of IPv6 are
    if not isinstance(client, Sequence) or len(client) != 2:
        return None
    with suppress(ValueError):
        return _plain(str(client[0])), int(str(client[1]))
    return None
