"""Who answers for a connection or a secret rotation, as a value."""

from dataclasses import dataclass
from enum import StrEnum


class Owned(StrEnum):
    """What has an owner."""

    CONNECTION = "app-connection"
    SECRET_ROTATION = "secret-rotation"


@dataclass(frozen=True)
class Owner:
    """``user_id`` and ``email`` are of a person; None and empty where nobody was named.

    ``contact`` is an e-mail address or the name of a channel, for those who look for somebody. ``left``: the person is no
    longer a user of the organization, so its administrators and those of the project answer instead.
    """

    user_id: str | None = None
    email: str = ""
    contact: str | None = None
    left: bool = False


NOBODY = Owner()
