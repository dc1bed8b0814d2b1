"""What is let in: the form of a request's head, and how many bodies may be on their way at once.

Connections are counted in ``connections.py``, and requests that need a thread in ``app.py``.
"""

import asyncio
import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import field

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.web.messages import Receive

HEADER_BYTES = 64 * 1024
"""Of all header lines of one request together."""
LARGEST_BODY = 1024 * 1024
LARGEST_SKIPPED = 16 * 1024 * 1024
"""Of a form that is too large so many bytes are read, and thrown away: a browser shows no answer before it has sent all."""
PROBES = frozenset({"/healthz", "/readyz"})
FOR_MACHINES = PROBES | {"/metrics"}
"""What is asked every few seconds, so a line for each in the log says nothing."""
ONCE = frozenset(
    {
        b"authorization",
        b"content-type",
        b"cookie",
        b"last-event-id",
        b"origin",
        b"sec-fetch-site",
        b"x-keyturn-in-use",
        b"x-keyturn-instance",
        b"x-keyturn-refresh-interval",
        b"x-keyturn-setup-code",
    }
)
"""Headers beside Host that hold one value, on which it depends who asks for what. Of two a proxy may have judged the other one.

Content-Length and Transfer-Encoding are judged by the web server, which closes the connection."""
_OLD = frozenset({"1", "1.0"})
_LINE_EXTRA = 4  # the colon, the blank and the line's end

_HOST = re.compile(r"[0-9A-Za-z!$&'()*+,;=\-._~:\[\]@%]*")

Headers = list[tuple[bytes, bytes]]


class TooManyHeaders(Refused):
    status = 431
    error = "RequestHeaderFieldsTooLarge"


class TooSlow(Refused):
    status = 408
    error = "RequestTimeout"


class TooLarge(Refused):
    status = 413
    error = "PayloadTooLarge"


class HungUp(Refused):
    status = 499
    error = "ClientClosedRequest"


LONGEST_SEGMENT = 200
"""Of the path of a page or a file: no address of ours comes near it."""


class NoSuchAddress(Refused):
    status = 404
    error = "NotFound"


def check_path(path: str) -> None:
    """Raise Refused for a path that no page and no file has, however it goes on: nothing is looked up or rendered for it."""
    if path != "/api" and not path.startswith("/api/") and any(len(each) > LONGEST_SEGMENT for each in path.split("/")):
        raise NoSuchAddress(
            f"No address of this server has a part of more than {LONGEST_SEGMENT} characters.",
            code="request.path_too_long",
            fix="Check the address.",
        )


def check_head(version: str, path: str, headers: Headers) -> None:
    """Raise Refused when a request's head cannot be right: no Host, or more header lines than are taken, or one twice.

    Old load balancers ask in HTTP/1.0 without a Host whether a server lives; for that none is needed.
    """
    size = sum(len(name) + len(value) + _LINE_EXTRA for name, value in headers)
    if size > HEADER_BYTES:
        raise TooManyHeaders(
            f"The header lines have {size} bytes; {HEADER_BYTES} are taken.",
            code="request.headers_too_large",
            fix="Send fewer or shorter headers. In a browser: delete the cookies of this site.",
        )
    hosts = [value.strip() for name, value in headers if name.lower() == b"host"]
    has_host = hosts != [b""] and len(hosts) == 1  # the web server gives an empty one to a request that has none
    if not has_host and (len(hosts) > 1 or version not in _OLD or path not in PROBES):
        raise Refused(
            f"A request names its host once; this one does so {f'{len(hosts)} times' if hosts[1:] else 'never'}.",
            code="request.host",
            fix="Send one Host header.",
        )
    _require_once(headers)


def _require_once(headers: Headers) -> None:
    """Raise Refused when a header of :data:`ONCE` was sent twice."""
    for name, count in Counter(name.lower() for name, _ in headers).items():
        if count > 1 and name in ONCE:
            shown = name.decode("ascii").title()
            raise Refused(
                f"The header {shown} was sent {count} times, so which of them counts is not known.",
                code="request.header_repeated",
                fix=f"Send one {shown} header. A proxy that sends one of its own has to leave out that of the caller.",
            )


def check_host(headers: Mapping[str, str]) -> None:
    """Raise Refused for a Host that no address of a server can have."""
    if not _HOST.fullmatch(headers.get("host", "")):
        raise Refused("Invalid host header", code="request.malformed")


@dataclass
class BodyReads:
    """Reads bodies, within a time limit. When too many are on their way, the one that takes longest gives way.

    So a crowd of slow senders delays nobody who sends a body at once: they can only push each other out.
    For one event loop.
    """

    seconds: float
    at_once: int = 512
    per_network: int = 64
    _open: OrderedDict[asyncio.Timeout, str] = field(default_factory=OrderedDict, repr=False)

    async def read(self, receive: Receive, headers: Mapping[str, str], network: str, *, of_page: bool = False) -> bytes:
        """Return the body. Raises TooSlow, TooLarge, and HungUp or Refused when it did not come whole.

        What a page sent is read to its end, and thrown away, before it is called too large.
        """
        self._make_room(network)
        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                self._open[limit] = network
                return await _whole(receive, headers, LARGEST_SKIPPED if of_page else LARGEST_BODY)
        except TimeoutError as error:
            raise TooSlow("The request body did not arrive in time", code="request.too_slow") from error
        finally:
            self._open.pop(limit, None)

    def _make_room(self, network: str) -> None:
        own = [limit for limit, whose in self._open.items() if whose == network]
        oldest = own[0] if len(own) >= self.per_network else None
        if oldest is None and len(self._open) >= self.at_once:
            oldest = next(iter(self._open))
        if oldest is not None:
            del self._open[oldest]
            oldest.reschedule(asyncio.get_running_loop().time())


async def _whole(receive: Receive, headers: Mapping[str, str], most: int) -> bytes:
    """Return the body. Of one that is too large up to ``most`` bytes are read before that is told."""
    if _announced(headers) > most:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _broken_off(headers)
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large()
        if size > LARGEST_BODY:
            parts.clear()
        else:
            parts.append(part)
        if not message.get("more_body", False):
            if size > LARGEST_BODY:
                raise _too_large()
            return b"".join(parts)


def _announced(headers: Mapping[str, str]) -> int:
    announced = headers.get("content-length", "0")
    try:
        return int(announced)
    except ValueError as error:
        raise Refused(f"Invalid content-length: {announced!r}", code="request.malformed") from error


def _too_large() -> TooLarge:
    return TooLarge(
        "The request body is larger than 1 MiB",
        code="request.too_large",
        fix="Send less at once: what is longer, a file for instance, in several parts.",
    )


def _broken_off(headers: Mapping[str, str]) -> Refused:
    """Say why a body ended early. With a length, the caller hung up; in chunks, they may have been no chunks at all."""
    if "content-length" in headers:
        return HungUp("The caller hung up before the request body was there", code="request.hung_up")
    return Refused("The request body is not in well-formed chunks, or ended early", code="request.malformed")
