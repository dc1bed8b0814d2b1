"""A deadline for a whole exchange with the HTTP client, whose own limits are for each read and each write alone.

A server, or a proxy before it, that sends a byte each second never runs into those: not with its headers, and not with its body.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_LEAST = 0.001
"""Seconds: with none the system would not wait at all, and say so in other words."""
Monotonic = Callable[[], float]
_ends: ContextVar[tuple[float, Monotonic] | None] = ContextVar("ends", default=None)


class DeadlinePassed(Exception):
    """What was to end in time did not."""


class NoHostName(Exception):
    """What is to be connected to has no name that addresses can be looked up for. Nothing was sent."""


@contextmanager
def ends_within(seconds: float, monotonic: Monotonic = time.monotonic) -> Iterator[None]:
    """Let what this thread sends and receives in the block end in time. A read or a write after that raises DeadlinePassed."""
    token = _ends.set((monotonic() + seconds, monotonic))
    try:
        yield
    finally:
        _ends.reset(token)


def obey_deadlines(client: Any) -> None:
    """Let all connections of an ``httpx2.Client`` obey :func:`ends_within`. Before its first request."""
    # The library's public interface has no place for a network backend, where the layer below it has one.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if transport is not None:
            transport._pool._network_backend = _Backend(transport._pool._network_backend)  # noqa: SLF001


def _limited(timeout: float | None) -> float | None:
    """Return how long the system may wait: as the client says, and not beyond the deadline."""
    ends = _ends.get()
    if ends is None:
        return timeout
    left = max(ends[0] - ends[1](), _LEAST)
    return left if timeout is None else min(timeout, left)


def _require_time() -> None:
    """Raise DeadlinePassed when none is left: bytes that are there already are read without waiting."""
    ends = _ends.get()
    if ends is not None and ends[1]() >= ends[0]:
        raise DeadlinePassed


class _Stream:
    """A connection, as ``httpcore2.NetworkStream`` describes it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        _require_time()
        return bytes(self._stream.read(max_bytes, _limited(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        _require_time()
        self._stream.write(buffer, _limited(timeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_Stream":
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _limited(timeout)))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend:
    """What connects, as ``httpcore2.NetworkBackend`` describes it."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        """Connect to one of the host's addresses. Each gets its share of the time: one that is silent does not take all."""
        addresses = _addresses(host, port)
        for number, address in enumerate(addresses[:-1]):
            limit = _limited(timeout)
            share = None if limit is None else limit / (len(addresses) - number)
            try:
                return _Stream(self._backend.connect_tcp(address, port, share, **options))
            except Exception:  # noqa: BLE001, S112 - what the last one raises is what is told
                continue
        return _Stream(self._backend.connect_tcp(addresses[-1], port, _limited(timeout), **options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def _addresses(host: str, port: int) -> list[str]:
    """Return the host's addresses; the host itself where the system does not know them, so that the client says why.

    Raises NoHostName for what the system cannot even be asked for.
    """
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return [host]
    except UnicodeError:
        raise NoHostName from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in infos))
