"""What a provider says about itself. The form, the API's schema and the documentation are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One input of a method. ``name`` is its JSON key; ``rule`` names the provider's check of its shape."""

    name: str
    label: str
    help: str
    rule: str
    secret: bool = False
    required: bool = True
    longest: int = 255
    multiline: bool = False


@dataclass(frozen=True)
class SignInMethod:
    """One way to sign in with the provider."""

    key: str
    label: str
    help: str
    fields: tuple[Field, ...]
    rotates: bool = False
    """Whether a connection of this method may rotate its own credential."""


@dataclass(frozen=True)
class Permission:
    """A permission that the provider must have been given; any one of the list is enough."""

    name: str
    kind: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """One provider: ``app`` is its key in the API."""

    app: str
    name: str
    icon: str
    rotation: str
    methods: tuple[SignInMethod, ...]
    permissions: tuple[Permission, ...]

    def method(self, key: str) -> SignInMethod:
        """Return the method. Raises KeyError when there is none of that key."""
        for method in self.methods:
            if method.key == key:
                return method
        raise KeyError(key)
