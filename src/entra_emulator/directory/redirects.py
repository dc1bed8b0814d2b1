"""Redirect URIs as an application registers them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

PLATFORMS = ("web", "spa", "publicClient")
"""The properties of an application that hold redirect URIs: of web applications, of pages, and of native ones."""
LOOPBACK = frozenset({"localhost", "127.0.0.1"})
# Source: https://learn.microsoft.com/entra/identity-platform/reply-url.
_MOST = 256
_LONGEST = 256


def redirects(platform: str, uris: list[Any]) -> dict[str, Any]:
    """The value of the application's property `web`, `spa` or `publicClient` with these redirect URIs.

    Raises ValueError for a URI that Entra would not register.
    """
    for uri in uris:
        if not isinstance(uri, str) or not _registrable(uri, platform):
            raise ValueError(f"not a redirect URI for {platform}: {uri!r}"[:300])
    if len(uris) > _MOST:
        raise ValueError(f"more than {_MOST} redirect URIs")
    return {"redirectUris": uris}


def _registrable(uri: str, platform: str) -> bool:
    """Absolute, without fragment or wildcard; for the web `https`, or `http` on this machine only."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not parts.scheme or len(uri) > _LONGEST or parts.fragment or "*" in uri or not uri.isascii() or " " in uri:
        return False
    if platform == "publicClient":
        return bool(host or parts.path)
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
