"""Which requests to `/_emulator` a browser sends for somebody else."""

from __future__ import annotations

from urllib.parse import urlsplit

from entra_emulator.core.wire import Request

_READS = frozenset({"GET", "HEAD"})


def is_foreign(request: Request, host: str) -> bool:
    """Whether a page of another origin makes a browser change something here.

    Browsers name the origin of every such request, and `null` where they hide it
    (https://fetch.spec.whatwg.org/#origin-header); programs send none. What is read, no page of another origin gets to see.
    """
    origin = next((value for name, value in request.headers.items() if name.lower() == "origin"), None)
    if origin is None or request.method in _READS:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True
