"""An organization as a value."""

from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class Organization:
    id: str
    name: str
    slug: str
