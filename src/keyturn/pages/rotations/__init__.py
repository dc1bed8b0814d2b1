"""Pages of secret rotations: the list of a project, setting one up, its own page and everything that can be done with it."""

from keyturn.pages.rotations import actions, applications, change, create, detail, listing, plans, several
from keyturn.pages.rotations.urls import RotationPages
from keyturn.web.pages import Pages, group

__all__ = ["RotationPages", "router"]


def router(pages: RotationPages) -> Pages:
    """Return all routes of these pages."""
    page, of_one = detail.routes(pages)
    return group(
        *listing.routes(pages),
        *create.routes(pages),
        *of_one,
        *actions.routes(pages, page),
        *change.routes(pages),
        *plans.routes(pages),
        *applications.routes(pages),
        *several.routes(pages),
    )
