"""Secrets whose values come from the rotation of an application's secret: nobody else changes them. Pure."""

from collections.abc import Sequence

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass

CLIENT_ID = "clientId"
CLIENT_SECRET = "clientSecret"
"""Which part of what signs in for the application a secret holds, as the API calls it."""


@dataclass(frozen=True)
class SecretNames:
    """What the two secrets of a mapping are called in their folder."""

    client_id: str
    client_secret: str

    def of(self, which: str) -> str:
        return self.client_id if which == CLIENT_ID else self.client_secret


@dataclass(frozen=True)
class MappedSecret:
    """A name in a folder that belongs to a secret rotation. ``secret_id`` is None before the first value is published."""

    secret_rotation_id: str
    which: str
    folder_id: str
    name: str
    secret_id: str | None
    rotation_name: str
    connection_id: str


UNSEEN = "a secret rotation that you may not see"


def reserved_refusal(mapped: MappedSecret, *, seen: bool) -> Refused:
    """Return the refusal of a secret whose name belongs to a secret rotation, which is named where it may be ``seen``."""
    rotation = f"the secret rotation '{mapped.rotation_name}' in this folder" if seen else UNSEEN
    return Refused(
        f"The name '{mapped.name}' belongs to {rotation}.",
        code="secrets.name_reserved",
        field="secretName",
        fix="Choose another name, or change the mapping of that secret rotation.",
    )


def read_only(name: str, mapped: MappedSecret | None) -> Refused:
    """Return the refusal of a change of a secret that a secret rotation alone changes: of ``mapped``, where it may be seen."""
    rotation = f"the secret rotation '{mapped.rotation_name}'" if mapped else UNSEEN
    return Refused(
        f"The value and the name of the secret '{name}' come from {rotation}: they cannot be changed by hand.",
        code="secrets.rotated",
        fix="Rotate or change that secret rotation, or delete it: its secrets are ordinary ones then.",
    )


def folder_in_use(seen: Sequence[MappedSecret], unseen: Sequence[MappedSecret]) -> Refused:
    """Return the refusal of a deletion of what holds these secrets. The rotations of those ``unseen`` are counted only."""
    names = list(dict.fromkeys(f"'{each.rotation_name}'" for each in seen))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    hidden = len({each.secret_rotation_id for each in unseen})
    words = [f"the secret rotations {', '.join(names[:5])}{more}"] if names else []
    words += [UNSEEN if hidden == 1 else f"{hidden} secret rotations that you may not see"] if hidden else []
    return Refused(
        f"Secrets in it come from {' and from '.join(words)}.",
        code="secrets.folder_rotated",
        fix="Delete these secret rotations first, or let them end with it: POST /api/v1/deletions with endSecretRotations.",
    )
