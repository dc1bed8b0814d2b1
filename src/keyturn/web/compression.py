"""Compression of answers whose routes say that they may be compressed.

The length of a compressed answer tells whoever can make a browser ask, and put words of theirs into the answer, whether
those words are in it already (BREACH). So only what holds no secret, no token and no code is compressed: a page or a
list says so itself, answers to other methods than GET never are, and neither are pages that show an input again.
"""

import zlib
from collections.abc import Mapping

from keyturn.web.messages import Response

LEAST = 1024
_LEVEL = 5
_GZIP = 31  # zlib's way to ask for gzip's frame


def accepts_gzip(header: str) -> bool:
    """Read ``Accept-Encoding`` (RFC 9110, section 12.5.3): what is said of gzip counts, else what is said of everything."""
    wanted: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        wanted[name.strip()] = weight.replace(" ", "").replace("\t", "") not in {
            "q=0",
            "q=0.",
            "q=0.0",
            "q=0.00",
            "q=0.000",
        }
    return wanted.get("gzip", wanted.get("*", False))


def gzip(content: bytes) -> bytes:
    """Compress. The same content gives the same bytes, so they may have an ETag."""
    making = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return making.compress(content) + making.flush()


def compress(response: Response, request_headers: Mapping[str, str]) -> Response:
    """Compress an answer that may be: when it is good, long enough, and asked for."""
    response.headers["vary"] = "Accept-Encoding"
    if response.status != 200 or len(response.content) < LEAST:
        return response
    if accepts_gzip(request_headers.get("accept-encoding", "")):
        response.content = gzip(response.content)
        response.headers["content-encoding"] = "gzip"
    return response
