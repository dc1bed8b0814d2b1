"""This server below a path of a shared host, as in ``SITE_URL=https://tools.example.com/keyturn``.

Inside, all paths begin at ``/``. Here, and nowhere else, the path of SITE_URL is put before what goes out to browsers and
taken off what comes in. A proxy may take it off itself, or leave it: both arrive at the same page.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass

_LEADING = frozenset({b"location", b"hx-redirect", b"hx-location", b"hx-push-url", b"hx-replace-url"})
# Text that people wrote has its quotes escaped, so it never looks like an attribute.
_ADDRESS = re.compile(
    r'(\s(?:href|src|action|formaction|hx-get|hx-post|hx-put|hx-patch|hx-delete|data-live)=")(/[^"]*)'
)
_COOKIE_PATH = re.compile(rb"(;\s*path=)/(?=\s*(?:;|$))", re.IGNORECASE)


@dataclass(frozen=True)
class SubPath:
    """``base`` is empty, or a path such as ``/keyturn``."""

    base: str = ""

    @staticmethod
    def of(site_url: str | None) -> "SubPath":
        return SubPath(urlsplit(site_url or "").path.rstrip("/"))

    def outside(self, path: str) -> str:
        """Return what a browser has to ask for to get to this path of ours. Repeatable."""
        ours = path.startswith("/") and not path.startswith("//")
        return path if not ours or self._below(path) else self.base + path

    def inside(self, path: str) -> str:
        """Return our path of what was asked for."""
        return (path[len(self.base) :] or "/") if self.base and self._below(path) else path

    def html(self, text: str) -> str:
        """Return a page whose addresses lead below the path."""
        if not self.base:
            return text
        return _ADDRESS.sub(lambda match: match[1] + self.outside(match[2]), text)

    def inner(self, scope: Any) -> Any:
        """Return the request as the application knows it."""
        path = self.inside(scope["path"])
        if path is scope["path"]:
            return scope
        return {**scope, "path": path, "raw_path": path.encode()}

    def headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return the headers of an answer: where it leads to, and for which paths its cookies are."""
        return [(name, self._header(name.lower(), value)) for name, value in headers] if self.base else headers

    def refuse_ambiguous(self, paths: Iterable[str]) -> None:
        """Raise Misconfigured when our own paths begin like the base: nobody could tell what a proxy left out."""
        first = self.base.split("/")[1:2]
        if first and first[0] in {path.split("/")[1] for path in paths if path.startswith("/")}:
            raise Misconfigured(
                f"SITE_URL leads to {self.base}, and {first[0]!r} is the beginning of addresses of Keyturn itself.",
                code="config.site_url",
                fix="Choose another path, for example /keyturn.",
            )

    def _header(self, name: bytes, value: bytes) -> bytes:
        if name in _LEADING:
            return self.outside(value.decode("latin-1")).encode("latin-1")
        if name == b"set-cookie":
            return _COOKIE_PATH.sub(rb"\1" + self.base.encode(), value)
        return value

    def _below(self, path: str) -> bool:
        return path == self.base or path.startswith((f"{self.base}/", f"{self.base}?", f"{self.base}#"))


AT_ROOT = SubPath()
