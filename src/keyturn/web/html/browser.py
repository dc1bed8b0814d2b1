"""The browser of one request: its session cookie, and how its person likes to see pages."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from keyturn.errors import Unauthenticated
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.web.auth import ByCookie, RequestContext
from keyturn.web.cookies import KEPT, THEME, TOAST, ZONE, SessionCookie, read_cookies, sign_in_name
from keyturn.web.html.render import Navigation, PageFrame
from keyturn.web.origin import require_ours

THEMES = ("light", "dark")
_LONGEST_TOAST = 300


class SessionLookup(Protocol):
    def __call__(self, session: Plaintext, ip: str, /) -> Actor:
        """Return whose sign-in session it is. Raises Unauthenticated when it is unknown or has ended."""
        ...


@dataclass(frozen=True)
class BrowserContext:
    """The browser of a request, signed in or not. ``partial``: htmx requests a part of the page.

    ``saved_form``: a form that was sent after its session had ended, see ``web.keeping``.
    """

    ip: str
    request_id: str
    user_agent: str
    session: Plaintext | None = field(default=None, repr=False)
    theme: str = ""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    toast: str | None = None
    partial: bool = False
    origin: str = ""
    """Where the page was that sent a form, as the browser says: scheme, host and port. Empty when it does not say."""
    saved_form: str | None = field(default=None, repr=False)
    away: str | None = field(default=None, repr=False)
    """What the browser brings back of a sign-in elsewhere."""

    @staticmethod
    def of(headers: Mapping[str, str], visit: RequestContext, session_cookie: str) -> "BrowserContext":
        """Read the request. What makes no sense in a cookie counts as absent."""
        cookies = read_cookies(headers.get("cookie"))
        session = cookies.get(session_cookie)
        toast = cookies.get(TOAST, "")[:_LONGEST_TOAST]
        return BrowserContext(
            visit.ip,
            visit.request_id,
            visit.user_agent or "",
            Plaintext(session) if session else None,
            cookies.get(THEME, "") if cookies.get(THEME) in THEMES else "",
            zone_of(cookies.get(ZONE, "")),
            toast if toast.isprintable() and toast else None,
            headers.get("hx-request") == "true",
            headers.get("origin", ""),
            cookies.get(KEPT) or None,
            cookies.get(sign_in_name(session_cookie)) or None,
        )

    def chrome(self, now: datetime, path: str, section: str, shell: Navigation | None) -> PageFrame:
        return PageFrame(self.theme, self.zone, path, now.astimezone(UTC), section, self.toast, shell)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of that IANA name, UTC when it is none that may be chosen."""
    return zones.display_zone(name if name in zones.names() else "UTC")


def signed_in_by_cookie(recall: SessionLookup, session: Plaintext | None, visit: RequestContext) -> Actor:
    """Return who sits at the browser, marked with this request's id. Raises Unauthenticated without a living session."""
    if session is None:
        raise Unauthenticated("Nobody has signed in.", code="session.missing", fix="Sign in.")
    actor = replace(recall(session, visit.ip), request_id=visit.request_id)
    visit.actor = actor
    return actor


def cookie_credentials(recall: SessionLookup, cookie: SessionCookie, site_url: str | None) -> ByCookie:
    """Return what knows the caller of the JSON API by the session cookie, for requests of our own pages only.

    It raises Forbidden for another site's request with such a cookie, and Unauthenticated for a session that has ended.
    """

    def identify(method: str, headers: Mapping[str, str], visit: RequestContext) -> Actor | None:
        session = read_cookies(headers.get("cookie")).get(cookie.name)
        if not session:
            return None
        require_ours(method, headers, site_url)
        return signed_in_by_cookie(recall, Plaintext(session), visit)

    return identify
