"""Pages of secrets: those of a folder, one with its versions, importing files, comparing environments."""

from keyturn.pages.secrets import compare, create, dotenv, listing, one, tags
from keyturn.pages.secrets.places import SecretPages
from keyturn.web.pages import Pages, group

__all__ = ["SecretPages", "router"]


def router(pages: SecretPages) -> Pages:
    """Return all routes of these pages."""
    return group(
        *listing.routes(pages),
        *create.routes(pages),
        *dotenv.routes(pages),
        *compare.routes(pages),
        *tags.routes(pages),
        *one.routes(pages),
    )
