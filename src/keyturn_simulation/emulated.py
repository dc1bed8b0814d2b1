"""The emulator in process, behind the product's own ports: no sockets, no waiting, time only where it is moved."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from entra_emulator import Emulator, Request, WireError, deliver
from keyturn.ports.clock import Clock
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.providers.azure.clouds import Clouds, standard_clouds

HOST = "https://entra.test"


class EmulatorTime:
    """The product's clock as the emulator wants it: POSIX seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now().timestamp()


def emulated_clouds() -> Clouds:
    """The table of clouds where ``global`` is the emulator."""
    return standard_clouds().overridden("global", authority=HOST, graph=HOST)


class EmulatedTransport:
    """A ``ports.Transport`` into an emulator: acts out wire faults as the failures that a real client would see.

    ``guard`` is called before each request, as the real transport does it. ``elapse`` is told how many seconds each
    exchange takes (delays, slow bodies and time-outs), for simulations that move a clock; nothing ever waits.
    ``instance`` names the calling server in the emulator's ledger. ``requests`` counts what was sent.
    """

    def __init__(
        self,
        emulator: Emulator,
        *,
        guard: Callable[[], None] | None = None,
        elapse: Callable[[float], None] | None = None,
        instance: str | None = None,
    ) -> None:
        self.emulator = emulator
        self.requests = 0
        self._guard = guard
        self._elapse = elapse
        self._marks = {"user-agent": "keyturn/test"} | ({"x-keyturn-instance": instance} if instance else {})
        self._cut = False

    @contextmanager
    def cut(self) -> Iterator[None]:
        """No connection can be made while this is open, so nothing is sent."""
        self._cut = True
        try:
            yield
        finally:
            self._cut = False

    def send(self, request: HttpRequest) -> HttpResponse:
        if self._guard:
            self._guard()
        if self._cut:
            raise TransportFailed("cannot connect: the network is cut", sent=False)
        self.requests += 1
        limit = request.timeout.total_seconds()
        answer = self.emulator.handle(
            Request(request.method, request.url, {**request.headers, **self._marks}, request.body)
        )
        takes = limit if answer.wire.kind == "hang" else answer.delay + answer.wire.seconds
        if self._elapse and takes:
            self._elapse(min(takes, limit))
        try:
            deliver(answer, limit)
        except WireError as failure:
            raise TransportFailed(str(failure), sent=True) from None
        return HttpResponse(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)
