"""Whether a request comes from our own pages, and by a name of this server. This is the whole protection against forged
requests: no tokens.

Browsers tell where a request comes from in ``Sec-Fetch-Site``, which pages cannot change; where they leave it out (plain
HTTP on another machine) they still send ``Origin`` with every request that may change something. Both say nothing when
the other site's name leads to this server's address, so a browser's request must name this server as its ``Host``.
Programs with an access token are left alone: inside a cluster they use whatever name leads here.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from keyturn.errors import Forbidden, Untyped
from keyturn.kit.dataclasses import dataclass

_LONGEST_HOST = 100
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
    """Raise Forbidden unless the request comes from our own pages, by a name of this server."""
    require_host(headers, site_url)
    if not is_ours(method, headers, site_url):
        raise Forbidden(
            "This request came from another site, so it was not carried out.",
            code="request.cross_site",
            fix="Open the page on this server and try again. Programs send an access token instead of a cookie.",
        )


def require_host(headers: Mapping[str, str], site_url: str | None) -> None:
    """Raise Forbidden unless ``Host`` is SITE_URL's, a name of the machine itself, or an address."""
    host = headers.get("host", "")
    name = _name(f"//{host}")
    if name and (name in {_name(site_url or ""), "localhost"} or name.endswith(".localhost") or _is_address(name)):
        return
    host_name = f"'{host[:_LONGEST_HOST]}'" if host and host.isprintable() else "no name"
    site = "SITE_URL is not set" if site_url is None else f"SITE_URL is {site_url}"
    raise Forbidden(
        f"The request asks for {host_name}, which this server does not know as its own name ({site}).",
        code="request.host_unknown",
        fix="Use the address in SITE_URL, or set SITE_URL to the one that browsers use. A proxy has to pass the header Host on.",
    )


def require_json(headers: Mapping[str, str], body: bytes) -> None:
    """Raise Untyped unless a body that is there says that it is JSON: pages of other sites cannot say so unasked."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Untyped(
            "The body does not say that it is JSON.",
            code="request.media_type",
            fix="Send the header: Content-Type: application/json",
        )


@dataclass(frozen=True)
class OriginRules:
    """From where the JSON API may be called. ``others`` are the origins whose pages may call it with a token."""

    site_url: str | None = None
    others: frozenset[str] = frozenset()

    def check(
        self, method: str, headers: Mapping[str, str], body: bytes, *, guarded: bool = False, bearer: bool = False
    ) -> None:
        """Check a request without a cookie. ``guarded``: also one that is not a browser's has to be typed and addressed.

        ``bearer``: it has an access token. Raises Forbidden or Untyped. A request without ``Origin`` passes, unless guarded.
        """
        origin = headers.get("origin")
        if guarded:
            require_json(headers, body)
            require_ours("GET" if origin is None else method, headers, self.site_url)
        elif origin is not None and (bearer or method not in SAFE):
            require_json(headers, body)
            if origin not in self.others:
                require_ours(method, headers, self.site_url)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_origin_of(origin: str, url: str) -> bool:
    """Say whether the address belongs to the origin: the same scheme, host and port."""
    return _whole(origin) == _whole(url) != ("", "")


def _whole(url: str) -> tuple[str, str]:
    return url.partition("://")[0].lower() if _place(url) else "", _place(url)


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
