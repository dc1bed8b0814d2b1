"""Who answers for a connection or a secret rotation, as a value."""

from enum import StrEnum

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass


class Owned(StrEnum):
    """What has an owner."""

    CONNECTION = "app-connection"
    SECRET_ROTATION = "secret-rotation"


@dataclass(frozen=True)
class Owner:
    """``user_id`` and ``email`` are of a person; None and empty where nobody was named.

    ``contact`` is an e-mail address or the name of a channel, for those who look for somebody. ``left``: the person is no
    longer a user of the organization, or is disabled, so its administrators and those of the project answer instead.
    """

    user_id: str | None = None
    email: str = ""
    contact: str | None = None
    left: bool = False

    def facts(self) -> dict[str, str | None]:
        """Return what the audit trail tells of it."""
        return {"owner": self.email or None, "contact": self.contact}


NOBODY = Owner()


@dataclass(frozen=True)
class OwnerChoice:
    """Who is to answer for something that is made: a user of the organization, None for whoever makes it; and a contact."""

    user_id: str | None = None
    contact: str | None = None


WHO_MAKES_IT = OwnerChoice()


def unknown_user(field: str = "userId") -> Refused:
    return Refused(
        "The owner is no user of this organization who can sign in.",
        code="owners.unknown_user",
        fix="Choose one of its members, or write somebody outside of it as the contact.",
        field=field,
    )
