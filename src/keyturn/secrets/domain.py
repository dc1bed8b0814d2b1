"""Folders, secrets and versions, as values, and the rules for what they may be called and how large they may be."""

import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, Sealed

LARGEST_VALUE = 512 * 1024
"""Bytes of a value in UTF-8."""
MOST_FOLDERS = 10_000
"""In one environment."""
MOST_IN_FOLDER = 100_000
LONGEST_NAME = 255
"""Characters of a secret's name."""
ROOT = "/"

_NOT_IN_NAMES = frozenset(":/")
_NO_TEXT = "\ufffd"
"""Stands for bytes that are not UTF-8: names that differ would become one."""


class SecretType(StrEnum):
    """Whose a value is: everybody's who may read there, or one person's own in place of it."""

    SHARED = "shared"
    PERSONAL = "personal"


@dataclass(frozen=True)
class Address:
    """Where a caller says that something is: a project by id or by slug, an environment by slug, a folder by its path."""

    project_id: str | None
    project_slug: str | None
    environment: str | None
    path: str = ROOT


@dataclass(frozen=True)
class Place:
    """An address that is there. The folder itself need not be."""

    project_id: str
    environment_id: str
    environment: str
    """Its slug."""
    environment_name: str
    path: str


@dataclass(frozen=True)
class Folder:
    id: str
    environment_id: str
    parent_id: str | None
    path: str
    name: str
    description: str | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Import:
    """That a folder takes the secrets of another one of the project, which ``environment_id`` and ``path`` name."""

    id: str
    folder_id: str
    environment_id: str
    path: str
    position: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Metadata:
    """One entry of what clients attach to a secret. It is sealed whatever ``encrypted`` says, which is only answered again."""

    key: str
    value: str
    encrypted: bool = False


@dataclass(frozen=True)
class Details:
    """What is written about a secret beside its value; sealed with it, since people write secrets into comments."""

    comment: str = ""
    metadata: tuple[Metadata, ...] = ()
    reminder_note: str | None = None
    reminder_days: int | None = None

    def packed(self) -> str:
        entries = [[entry.key, entry.value, entry.encrypted] for entry in self.metadata]
        return json.dumps([self.comment, entries, self.reminder_note, self.reminder_days], ensure_ascii=False)

    @staticmethod
    def unpacked(text: str) -> "Details":
        comment, entries, note, days = json.loads(text)
        return Details(comment, tuple(Metadata(*entry) for entry in entries), note, days)


NO_DETAILS = Details()


@dataclass(frozen=True)
class Tag:
    """A word that a project puts on secrets, to ask for those that have it."""

    id: str
    project_id: str
    slug: str
    name: str
    color: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Maker:
    """Who made a version."""

    kind: str
    id: str | None
    name: str


@dataclass(frozen=True)
class Version:
    """What may be told of a version to those who see no values."""

    number: int
    name: str
    maker: Maker
    created_at: datetime
    current: bool


@dataclass(frozen=True)
class StoredSecret:
    """A secret with one of its versions, as it is stored: sealed.

    ``has_references``: the value may name others; without any, what is answered does not depend on other secrets. A row of the
    journal, ``credential_id``, may have the value; then ``value`` only says which row that is, and ``credential_value`` is None
    once the credential is gone. ``secret_rotation_id`` is what alone changes the secret.
    """

    id: str
    folder_id: str
    name: str
    owner_id: str | None
    version: int
    version_id: str
    value: Sealed | None
    details: Sealed | None
    skip_multiline_encoding: bool
    maker: Maker
    created_at: datetime
    updated_at: datetime
    has_references: bool = True
    credential_id: str | None = None
    credential_value: Sealed | None = None
    secret_rotation_id: str | None = None

    @property
    def size(self) -> int:
        """Bytes of what is sealed."""
        return sum(len(sealed.text) for sealed in (self.value, self.details) if sealed)

    @property
    def type(self) -> SecretType:
        return SecretType.SHARED if self.owner_id is None else SecretType.PERSONAL


@dataclass(frozen=True)
class Secret:
    """A secret as a reader gets it. ``value`` is None when it is hidden from them, or they asked not to see it."""

    stored: StoredSecret
    place: Place
    value: Plaintext | None
    details: Details = NO_DETAILS
    tags: Sequence[Tag] = ()


class ReadValue(NamedTuple):
    """A value that is handed out. ``credential_id`` is the row of the journal that holds it, if one does."""

    secret_id: str
    version_id: str
    credential_id: str | None


@dataclass(frozen=True)
class Imported:
    """What one import of a folder brings. ``folder_id`` and ``place`` are those of the folder that it names."""

    folder_id: str | None
    place: Place
    secrets: Sequence[Secret]


@dataclass(frozen=True)
class SecretList:
    secrets: Sequence[Secret]
    imports: Sequence[Imported] = ()
    """In their order. Which one counts more is for the reader to say; the secrets of the folder itself always do."""


@dataclass(frozen=True)
class Reading:
    """How secrets are to be read."""

    view: bool = True
    """Whether values are wanted; else nothing is decrypted but what is written about them."""
    expand: bool = False
    """Whether references in values are to be replaced."""
    imports: bool = False
    """Whether what the folders import is wanted."""
    recursive: bool = False
    overrides: bool = False
    """Whether the caller's personal values are wanted as well."""
    tag_slugs: frozenset[str] = frozenset()
    """Only secrets with one of these tags; empty: all."""
    metadata: tuple[tuple[str | None, str | None], ...] = ()
    """Only secrets that have each of these entries, by key, value, or both."""

    def wants_tags(self, tags: Sequence[Tag]) -> bool:
        return not self.tag_slugs or any(tag.slug in self.tag_slugs for tag in tags)

    def wants_details(self, details: Details) -> bool:
        return all(
            any(key in {None, entry.key} and value in {None, entry.value} for entry in details.metadata)
            for key, value in self.metadata
        )


@dataclass(frozen=True)
class NewSecret:
    name: str
    value: Plaintext
    type: SecretType = SecretType.SHARED
    details: Details = NO_DETAILS
    skip_multiline_encoding: bool = False
    tag_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class SecretChange:
    """What is to change of a secret; None: it stays."""

    type: SecretType = SecretType.SHARED
    new_name: str | None = None
    value: Plaintext | None = None
    comment: str | None = None
    metadata: tuple[Metadata, ...] | None = None
    reminder: tuple[str | None, int | None] | None = None
    skip_multiline_encoding: bool | None = None
    tag_ids: tuple[str, ...] | None = None

    def details(self, before: Details) -> Details:
        """Return the details after the change."""
        note, days = self.reminder or (before.reminder_note, before.reminder_days)
        return Details(
            before.comment if self.comment is None else self.comment,
            before.metadata if self.metadata is None else self.metadata,
            note,
            days,
        )


def owner_of(actor: Actor) -> str | None:
    """Return whose personal values the actor has; machine identities have none."""
    return actor.id if actor.kind is ActorKind.USER else None


def owner_for(actor: Actor, kind: SecretType) -> str | None:
    """Return the owner to look for: None for everybody's. What a machine identity calls personal is nobody's, an empty id."""
    return None if kind is SecretType.SHARED else owner_of(actor) or ""


def facts_of(place: Place, secret: StoredSecret) -> dict[str, object]:
    """Return what the audit trail tells of a secret."""
    return {
        "environment": place.environment,
        "secretPath": place.path,
        "secretKey": secret.name,
        "secretVersion": secret.version,
        "type": secret.type.value,
    }


# --- names ------------------------------------------------------------------------------------------------------------


def clean_path(path: str) -> str:
    """Return the path with one slash before each name and none at the end; the root is ``/``."""
    return ROOT + "/".join(name for name in path.split("/") if name)


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or ROOT


def below(path: str, name: str) -> str:
    """Return the path of the folder with this name in the folder."""
    return f"{path.rstrip('/')}/{name}"


def require_name(name: str) -> None:
    """Raise Refused for what no secret can be called."""
    if _NO_TEXT in name:
        raise Refused(
            "The name is not written in UTF-8.", code="secrets.name", field="secretName", fix="Send it in UTF-8."
        )
    bad = not name.strip() or any(
        char in _NOT_IN_NAMES or unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in name
    )
    if bad:
        raise Refused(
            "A secret's name is not empty and has no colon, no slash and no control characters.",
            code="secrets.name",
            field="secretName",
            fix="Choose another name.",
        )


def require_size(value: Plaintext) -> None:
    """Raise Refused for a value that is too large."""
    size = len(value.reveal().encode())
    if size > LARGEST_VALUE:
        raise Refused(
            f"The value has {size} bytes; {LARGEST_VALUE} are taken.",
            code="secrets.value_too_large",
            field="secretValue",
            fix="Keep large files elsewhere, and the key to them here.",
        )


# --- refusals ---------------------------------------------------------------------------------------------------------


def no_secret(name: str) -> NotFound:
    return NotFound(
        f"There is no secret '{name}' there.",
        code="secrets.not_found",
        fix="List the secrets of the folder, and look at environment, path and name.",
    )


def no_folder(path: str) -> NotFound:
    return NotFound(
        f"There is no folder '{path}' in this environment.", code="secrets.folder_not_found", fix="Create it first."
    )


def no_folder_id(folder_id: str) -> NotFound:
    return NotFound(
        f"There is no folder '{folder_id}'.", code="secrets.folder_not_found", fix="GET /api/v2/folders lists them."
    )


def name_taken(name: str) -> Refused:
    return Refused(
        f"There is a secret '{name}' there already.",
        code="secrets.name_taken",
        field="secretName",
        fix="Change that one, or choose another.",
    )
