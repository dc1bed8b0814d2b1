"""JSON of owners."""

from typing import Annotated

from msgspec import Meta

from keyturn.ownership.domain import OwnerChoice
from keyturn.web.schema.validate import Uuid, printable, trimmed
from keyturn.web.schema.wire import ApiModel

Contact = Annotated[str, trimmed, printable, Meta(max_length=200)]


class ChangeOwner(ApiModel):
    """``userId``: a user of the organization, or null. ``contact``: an e-mail address or the name of a channel, or null."""

    user_id: Uuid | None = None
    contact: Contact | None = None


class FirstOwner(ApiModel):
    """As ``ChangeOwner``; without ``userId`` who makes it is the owner."""

    user_id: Uuid | None = None
    contact: Contact | None = None

    def command(self) -> OwnerChoice:
        return OwnerChoice(self.user_id, self.contact)


class OwnerShown(ApiModel):
    """``left``: the person is no user of the organization any more; administrators are told instead."""

    user_id: str | None
    email: str
    contact: str | None
    left: bool


class OwnerAnswer(ApiModel):
    owner: OwnerShown
