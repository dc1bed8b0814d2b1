"""Who uses the secrets of an application, as pages of rotations and of mapped secrets show it."""

from collections.abc import Sequence

from keyturn.credentials.domain import Credential
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.secret_rotations.consumers import ConsumedSecret


@dataclass(frozen=True)
class UsedSecret:
    """A secret that may work, and who has or had it."""

    name: str
    secret: ConsumedSecret


def used_secrets(consumed: Sequence[ConsumedSecret]) -> Sequence[UsedSecret]:
    return [UsedSecret(name_of(each.credential), each) for each in consumed]


def name_of(row: Credential) -> str:
    return "Handed over" if row.adopted else f"Generation {row.generation}"
