"""What an Infisical server answers, as far as an import reads it. What else is in an answer is left out."""

from typing import Any

import msgspec

from keyturn.kit.secret import Plaintext


class _There(msgspec.Struct, rename="camel"):
    """Base of them. Whatever documented clients do without may be absent or null."""


class SignedIn(_There):
    access_token: Plaintext


class EnvironmentThere(_There):
    name: str
    slug: str


class ProjectThere(_There):
    id: str
    name: str
    slug: str
    environments: list[EnvironmentThere]
    description: str | None = None
    type: str | None = None


class ProjectsThere(_There):
    projects: list[ProjectThere]


class TagThere(_There):
    slug: str
    name: str | None = None
    color: str | None = None


class TagsThere(_There):
    workspace_tags: list[TagThere] | None = None
    tags: list[TagThere] | None = None


class FolderThere(_There):
    name: str
    description: str | None = None
    is_reserved: bool | None = None


class FoldersThere(_There):
    folders: list[FolderThere]


class MetadataThere(_There):
    key: str
    value: str | None = None
    is_encrypted: bool | None = None


class SecretThere(_There):
    secret_key: str
    secret_value: Plaintext
    secret_value_hidden: bool | None = None
    secret_comment: str | None = None
    type: str | None = None
    skip_multiline_encoding: bool | None = None
    secret_metadata: list[MetadataThere] | None = None
    secret_reminder_note: str | None = None
    secret_reminder_repeat_days: int | None = None
    tags: list[TagThere] | None = None
    is_rotated_secret: bool | None = None

    def __repr__(self) -> str:
        """Show the name only: people write secrets into comments."""
        return f"SecretThere({self.secret_key!r})"


class SecretsThere(_There):
    secrets: list[SecretThere]


class OneSecretThere(_There):
    secret: SecretThere


class ImportedThere(_There):
    slug: str


class ImportThere(_There):
    import_env: ImportedThere
    import_path: str
    is_replication: bool | None = None
    is_reserved: bool | None = None


class ImportsThere(_There):
    secret_imports: list[ImportThere]


class RotationFolder(_There):
    path: str


class RotationThere(_There):
    name: str
    type: str
    environment: ImportedThere
    folder: RotationFolder
    secrets_mapping: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    rotation_interval: int | None = None
    is_auto_rotation_enabled: bool | None = None


class RotationsThere(_There):
    secret_rotations: list[RotationThere]
