"""What a provider says about itself. Pages and documentation are made from it."""

from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class Permission:
    """A permission that the provider must have been given; any one of the list is enough."""

    name: str
    kind: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """One provider: ``app`` is its key in the API and in rows.

    The types of its requests in the API have names that begin with ``type_prefix``, so that no two providers' are alike.
    """

    app: str
    name: str
    short_name: str
    """As buttons say it."""
    service: str
    """What signs its connections in and holds their credentials, in sentences."""
    vendor: str
    """Whose service that is."""
    icon: str
    permissions: tuple[Permission, ...] = ()
    type_prefix: str = ""
