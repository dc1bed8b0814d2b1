"""Pages of app connections: the list, adding one, its own page and everything that can be done with it."""

from keyturn.pages.connections import (
    actions,
    change,
    create,
    detail,
    listing,
    live,
    oauth_callback,
    removed,
    secretless,
    several,
)
from keyturn.pages.connections.urls import ConnectionPages
from keyturn.web.pages import Pages, group

__all__ = ["ConnectionPages", "router"]


def router(pages: ConnectionPages) -> Pages:
    """Return all routes of these pages."""
    page, of_one = detail.routes(pages)
    return group(
        *listing.routes(pages),
        *create.routes(pages),
        *of_one,
        *actions.routes(pages, page),
        *change.credentials_routes(pages),
        *change.schedule_routes(pages),
        *oauth_callback.routes(pages),
        *removed.routes(pages),
        *secretless.routes(pages),
        *several.routes(pages),
        *live.handlers(pages),
    )
