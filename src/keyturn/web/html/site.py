"""What pages need of the rest of the server."""

from collections.abc import Callable

from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.browser import SessionLookup
from keyturn.web.html.keeping import Keeper
from keyturn.web.html.render import Navigation, Renderer


@dataclass(frozen=True)
class Site:
    """``shell`` is asked for each page of somebody who has signed in."""

    renderer: Renderer
    recall: SessionLookup
    shell: Callable[[Actor], Navigation]
    session_cookie: SessionCookie
    site_url: str | None = None
    keeper: Keeper | None = None
