"""Who calls: a request's bearer token and the address it came from. The token is checked elsewhere."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol

from keyturn.errors import Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

Network = IPv4Network | IPv6Network

UNKNOWN_ADDRESS = "0.0.0.0"


class Authenticate(Protocol):
    def __call__(self, token: str, ip: str, /) -> Actor:
        """Return whose token it is. Raises TokenRefused or Unauthenticated."""
        ...


@dataclass
class RequestContext:
    """One request as the edge sees it, from the first byte to the access log."""

    request_id: str
    ip: str
    user_agent: str | None = None
    route: str | None = None
    actor: Actor | None = None
    ticket: object | None = None
    """With which the answer can be kept, where there was none to be given at once: see ``server/fast.py``."""
    waited: float = 0.0
    """Seconds for which it has waited for news already: others may have been woken with it."""
    refusal: str | None = None
    """The code of the error that it was answered with."""


ByCookie = Callable[[str, Mapping[str, str], RequestContext], Actor | None]
"""Says who sends a request with this method and these headers, when a browser's cookie tells it."""


@dataclass(frozen=True)
class Caller:
    """Where a request came from, whether or not anyone has signed in."""

    ip: str
    request_id: str
    user_agent: str | None = None
    token: Plaintext | None = field(default=None, repr=False)
    setup_code: Plaintext | None = field(default=None, repr=False)
    """What the header ``X-Keyturn-Setup-Code`` holds."""
    if_none_match: str = ""
    """Tags of answers that the caller has, see ``web.etags``."""
    instance: str = ""
    """What the headers ``X-Keyturn-Instance``, ``-Refresh-Interval`` and ``-In-Use`` hold: what a program says about itself."""
    refresh_interval: str = ""
    in_use: str = ""
    last_event_id: str = ""
    """What the header ``Last-Event-ID`` holds: the id of the last event of a stream that the caller has got."""
    ticket: object | None = None
    """With which the answer can be kept."""
    waited: float = 0.0
    """Seconds for which a request that wants to wait has done so already."""
    accept: str = ""
    """What the header ``Accept`` holds."""


def bearer(headers: Mapping[str, str]) -> str | None:
    """Return the token of ``Authorization: Bearer <token>``, None when there is none."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def sign_in(authenticate: Authenticate, token: str | None, visit: RequestContext) -> Actor:
    """Return the caller, marked with this request's id. Raises Unauthenticated when there is no token."""
    if token is None:
        raise Unauthenticated(
            "token missing",
            code="token.missing",
            fix="Send an access token in the header Authorization, after the word Bearer.",
        )
    actor = replace(authenticate(token, visit.ip), request_id=visit.request_id)
    visit.actor = actor
    return actor


def client_ip(peer: str | None, forwarded: Sequence[str], trusted: Iterable[Network]) -> str:
    """Return the caller's address: the peer's, or what trusted proxies say in ``X-Forwarded-For``.

    Anyone can write that header, so it is read from its end, only as far as every hop is a trusted proxy.
    """
    nearest = _address(peer or "")
    if nearest is None:
        return UNKNOWN_ADDRESS
    networks = tuple(trusted)
    hops = [hop for line in forwarded for hop in line.split(",")]
    while hops and any(nearest in network for network in networks):
        before = _address(hops.pop())
        if before is None:
            break
        nearest = before
    return str(nearest)


def network_of(ip: str) -> str:
    """Return what limits count an address under: itself, or the /64 of an IPv6 address, since one host has all of that."""
    address = _address(ip)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return ip if address is None else str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
