"""One request and one answer over the network."""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Protocol

from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class HttpRequest:
    """One request. The body and the headers may hold secrets, so neither is part of the repr.

    ``status_only``: the body of the answer is not waited for, since nobody looks at it: a receiver has taken what it answers
    with 200, however much it says besides, how slowly, and however that is packed.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    timeout: timedelta = timedelta(seconds=10)
    status_only: bool = False


@dataclass(frozen=True)
class HttpResponse:
    """One response; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class TransportFailed(Exception):
    """No response. ``sent`` says whether the request may have reached the server.

    ``proxy_status`` is the status with which a proxy refused to let it through.
    """

    def __init__(self, reason: str, *, sent: bool, proxy_status: int | None = None) -> None:
        super().__init__(reason)
        self.sent = sent
        self.proxy_status = proxy_status


class ResponseTooLarge(TransportFailed):
    """A response came, and is larger than what is read of one."""


class Transport(Protocol):
    def send(self, request: HttpRequest) -> HttpResponse:
        """Send once, never repeat, never follow redirects. Raises TransportFailed when no response came."""


class NamedHostTransport(Protocol):
    """Like ``Transport``, to hosts that a user named instead of the operator."""

    def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
        """Send once to an address that may be called, never follow redirects. Raises TransportFailed for all others, too.

        ``ca`` is PEM: only what leads to these certificates is trusted then.
        """
