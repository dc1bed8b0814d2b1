"""What is let in: the form of a request's head, and how many bodies may be on their way at once.

Connections are counted in ``connections.py``, and requests that need a thread in ``app.py``.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException

from keyturn.errors import Refused

HEADER_BYTES = 64 * 1024
"""Of all header lines of one request together."""
PROBES = frozenset({"/healthz", "/readyz"})
_OLD = frozenset({"1", "1.0"})
_LINE_EXTRA = 4  # the colon, the blank and the line's end

Headers = list[tuple[bytes, bytes]]


class TooManyHeaders(Refused):
    status = 431
    error = "RequestHeaderFieldsTooLarge"


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
    """Raise Refused when a request's head cannot be right: no Host or several, or more header lines than are taken.

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
    named = hosts != [b""] and len(hosts) == 1  # the web server gives an empty one to a request that has none
    if not named and (len(hosts) > 1 or version not in _OLD or path not in PROBES):
        raise Refused(
            f"A request names its host once; this one does so {f'{len(hosts)} times' if hosts[1:] else 'never'}.",
            code="request.host",
            fix="Send one Host header.",
        )


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

    async def read(self, request: Request[Any, Any, Any], network: str) -> bytes:
        """Return the body. Raises HTTPException: 408 when it took too long, 413, 499 and 400 when it did not come whole."""
        self._make_room(network)
        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                self._open[limit] = network
                return await request.body()
        except TimeoutError as error:
            raise HTTPException(status_code=408, detail="The request body did not arrive in time") from error
        except HTTPException as error:
            if error.status_code == 500:
                raise _broken_off(request) from error
            raise
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


def _broken_off(request: Request[Any, Any, Any]) -> HTTPException:
    """Say why a body ended early. With a length, the caller hung up; in chunks, they may have been no chunks at all."""
    if "content-length" in request.headers:
        return HTTPException(status_code=499, detail="The caller hung up before the request body was there")
    return HTTPException(status_code=400, detail="The request body is not in well-formed chunks, or ended early")
