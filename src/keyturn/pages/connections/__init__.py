"""Pages of app connections: the list, adding one, its own page and everything that can be done with it."""

from keyturn.pages.connections import actions, change, create, listing, live, one, removed, returned
from keyturn.pages.connections.places import Shelf
from keyturn.web.pages import Pages, group

__all__ = ["Shelf", "router"]


def router(shelf: Shelf) -> Pages:
    """Return all routes of these pages."""
    page, of_one = one.routes(shelf)
    return group(
        *listing.routes(shelf),
        *create.routes(shelf),
        *of_one,
        *actions.routes(shelf, page),
        *change.credentials_routes(shelf),
        *change.schedule_routes(shelf),
        *returned.routes(shelf),
        *removed.routes(shelf),
        *live.handlers(shelf),
    )
