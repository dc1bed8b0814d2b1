"""Cookies: what a browser sent, and what it is told to keep."""

from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import quote, unquote

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

MOST_COOKIES = 64
SESSION_DAYS = 7
THEME = "keyturn_theme"
ZONE = "keyturn_zone"
TOAST = "keyturn_toast"
KEPT = "keyturn_kept"


@dataclass(frozen=True)
class Cookie:
    """What a browser shall keep, out of reach of scripts. ``lasts`` None: until it is closed; zero: forget it now."""

    name: str
    value: str
    lasts: timedelta | None = None
    secure: bool = False

    def header(self) -> str:
        """Return the value of the ``Set-Cookie`` line."""
        parts = [f"{self.name}={quote(self.value, safe='')}", "Path=/", "HttpOnly", "SameSite=lax"]
        if self.lasts is not None:
            parts.append(f"Max-Age={int(self.lasts.total_seconds())}")
        if self.secure:
            parts.append("Secure")
        return "; ".join(parts)


@dataclass(frozen=True)
class SessionCookie:
    """The cookie that holds a sign-in session. ``__Host-`` binds it to this host, and needs HTTPS.

    Below a path of a shared host it is for that path alone, which ``__Host-`` does not permit.
    """

    secure: bool
    shared_host: bool = False

    @property
    def name(self) -> str:
        if not self.secure:
            return "keyturn_session"
        return "__Secure-keyturn" if self.shared_host else "__Host-keyturn"

    @property
    def of_sign_in(self) -> str:
        """The name of the cookie that brings back a sign-in elsewhere, as well bound."""
        return sign_in_name(self.name)

    def away(self, text: str, lasts: timedelta) -> Cookie:
        """Return what a browser keeps while its person signs in elsewhere."""
        return Cookie(self.of_sign_in, text, lasts, self.secure)

    def back(self) -> Cookie:
        """Return what ends that."""
        return Cookie(self.of_sign_in, "", timedelta(0), self.secure)

    def holding(self, token: Plaintext) -> Cookie:
        return Cookie(self.name, token.reveal(), timedelta(days=SESSION_DAYS), self.secure)

    def gone(self) -> Cookie:
        return Cookie(self.name, "", timedelta(0), self.secure)


def sign_in_name(session_cookie: str) -> str:
    return f"{session_cookie}_entra"


def read_cookies(header: str | None) -> dict[str, str]:
    """Return the cookies by name. Of a name that comes twice the first counts, as browsers send the nearest first."""
    cookies: dict[str, str] = {}
    for pair in _pairs(header or ""):
        name, _, value = pair.partition("=")
        cookies.setdefault(name.strip(), unquote(value.strip().strip('"')))
    return cookies


def _pairs(header: str) -> Iterable[str]:
    return (pair for pair in header.split(";", MOST_COOKIES)[:MOST_COOKIES] if "=" in pair)
