"""Whether a request comes from our own pages. This is the whole protection against forged requests: no tokens.

Browsers tell where a request comes from in ``Sec-Fetch-Site``, which pages cannot change; where they leave it out (plain
HTTP on another machine) they still send ``Origin`` with every request that may change something.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from keyturn.errors import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})  # "none": the user's own doing, such as a typed address


def is_ours(method: str, headers: Mapping[str, str], site_url: str | None) -> bool:
    """Say whether this request may use a browser's cookie. ``headers`` by lower-case name."""
    where = headers.get("sec-fetch-site")
    if where is not None:
        return where in _OURS
    origin = headers.get("origin")
    if origin is None:
        return method in SAFE
    if (site_url or "").startswith("https://") and not origin.startswith("https://"):
        return False  # a page of the same name without TLS may be anybody's on the way
    return _place(origin) in {_place(f"//{headers.get('host', '')}"), *_places(site_url)} - {""}


def require_ours(method: str, headers: Mapping[str, str], site_url: str | None) -> None:
    """Raise Forbidden unless the request comes from our own pages."""
    if not is_ours(method, headers, site_url):
        raise Forbidden(
            "This request came from another site, so it was not carried out.",
            code="request.cross_site",
            fix="Open the page on this server and try again. Programs send an access token instead of a cookie.",
        )


def _places(site_url: str | None) -> Iterable[str]:
    return () if site_url is None else (_place(site_url),)


def _place(url: str) -> str:
    """Return host and port. The scheme is left out: behind a proxy the server knows its own only from SITE_URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.hostname}:{port}" if port not in {None, default, 80, 443} else (parts.hostname or "")


def local_path(text: str, otherwise: str = "/") -> str:
    """Return the text when it is an address on this server, so that nobody is led elsewhere by a link to our pages."""
    plain = text.startswith("/") and text[1:2] not in {"/", "\\"} and text.isprintable() and "\\" not in text
    return text if plain else otherwise
