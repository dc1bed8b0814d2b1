"""Changes of several secrets in one transaction, as values."""

from enum import StrEnum

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import NO_DETAILS, Address, NewSecret, SecretChange


class Absent(StrEnum):
    """What becomes of the change of a secret that is not there."""

    REFUSED = "failOnNotFound"
    """Nothing is changed at all."""
    ADDED = "upsert"
    IGNORED = "ignore"


@dataclass(frozen=True)
class PlacedChange:
    """What is to change of the secret of this name."""

    address: Address
    name: str
    change: SecretChange

    def new(self) -> NewSecret:
        """Return the secret that there is after the change where there was none."""
        change = self.change
        return NewSecret(
            change.new_name or self.name,
            change.value or Plaintext(""),
            change.type,
            change.details(NO_DETAILS),
            bool(change.skip_multiline_encoding),
            change.tag_ids or (),
        )
