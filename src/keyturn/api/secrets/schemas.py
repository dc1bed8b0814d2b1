"""JSON of secrets: what clients send and what they get.

Older clients name the project ``workspaceId`` or ``workspaceSlug`` (``projectSlug`` in bodies) and newer ones ``projectId``: each
is taken everywhere. Of several the id counts.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import NO_DETAILS, Address, Metadata, NewSecret, Reading, SecretChange, SecretType
from keyturn.secrets.several import Absent, PlacedChange
from keyturn.web.schema.paging import LARGEST_NUMBER, Offset
from keyturn.web.schema.validate import Fault, coerced
from keyturn.web.schema.wire import ApiModel, Timestamp

HIDDEN = "<hidden-by-infisical>"
"""What clients of this API know to stand in place of a value that they do not see."""

Reference = Annotated[str, Meta(max_length=255)]
ProjectId = Annotated[str, Meta(max_length=255, examples=["8c1e2f7a-5b3d-4e6f-9a01-2b4c6d8e0f13"])]
Path = Annotated[str, Meta(max_length=2000, examples=["/billing"])]
SecretName = Annotated[str, Meta(max_length=255, examples=["DATABASE_URL"])]
Renamed = Annotated[str, Meta(max_length=255)]
Value = Annotated[Plaintext, Meta(max_length=512 * 1024, examples=["postgres://billing@db/billing"])]
Comment = Annotated[str, Meta(max_length=10_000)]
Note = Annotated[str, Meta(max_length=1024)]
Days = Annotated[int, coerced, Meta(ge=0, le=3650)]
Words = Annotated[str, Meta(max_length=2000)]
TagIds = Annotated[list[Reference], Meta(max_length=50)]
VersionNumber = Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)]
Wait = Annotated[int, coerced, Meta(ge=1, le=60)]
"""Seconds for which an answer that says that nothing is new may wait for something new, see ``waits.py``."""
EnvironmentSlug = Annotated[str, Meta(max_length=64, examples=["dev"])]


class _Addressed(ApiModel):
    """Where secrets are. Without project or environment the answer is 400."""

    environment: EnvironmentSlug | None = None
    secret_path: Path = "/"
    project_id: ProjectId | None = None
    workspace_id: Reference | None = None
    workspace_slug: Reference | None = None
    project_slug: Reference | None = None

    def address(self) -> Address:
        return _address(self)


def _address(fields: "_Addressed | _Written") -> Address:
    project_id, slug = fields.project_id or fields.workspace_id, fields.project_slug or fields.workspace_slug
    return Address(project_id or None, slug or None, fields.environment, fields.secret_path)


# --- reading ----------------------------------------------------------------------------------------------------------


def metadata_filter(text: str) -> tuple[tuple[str | None, str | None], ...]:
    """Return the entries asked for, each as key and value; None where that was not said."""
    entries = [
        dict(part.strip().partition("=")[::2] for part in entry.split(",")) for entry in text.split("|") if entry
    ]
    return tuple((entry.get("key") or None, entry.get("value") or None) for entry in entries)


class _Listed(_Addressed):
    """``tagSlugs`` are several with commas: secrets with one of them. ``metadataFilter`` is ``key=a,value=b|key=c``: secrets
    with each of these entries.
    """

    view_secret_value: bool = True
    recursive: bool = False
    tag_slugs: Words | None = None
    metadata_filter: Words | None = None
    wait: Wait | None = None

    def check(self) -> Iterator[Fault]:
        if self.metadata_filter and not all(key or value for key, value in metadata_filter(self.metadata_filter)):
            yield Fault("Write it as key=owner,value=team-a|key=...", path=("metadataFilter",))

    def filters(self) -> Reading:
        slugs = frozenset(slug.strip() for slug in (self.tag_slugs or "").split(",") if slug.strip())
        return Reading(
            self.view_secret_value,
            recursive=self.recursive,
            tag_slugs=slugs,
            metadata=metadata_filter(self.metadata_filter or ""),
        )


class ListV3(_Listed):
    """Of the two spellings of ``include_imports`` either may be used."""

    expand_secret_references: bool = False
    include_imports: bool = field(name="include_imports", default=False)
    include_imports_as_well: bool = field(name="includeImports", default=False)

    def reading(self) -> Reading:
        imports = self.include_imports or self.include_imports_as_well
        return replace(self.filters(), expand=self.expand_secret_references, imports=imports)


class ListV4(_Listed):
    """References are replaced and imports included unless the query says otherwise."""

    expand_secret_references: bool = True
    include_imports: bool = True
    include_personal_overrides: bool = False

    def reading(self) -> Reading:
        return replace(
            self.filters(),
            expand=self.expand_secret_references,
            imports=self.include_imports,
            overrides=self.include_personal_overrides,
        )


class _One(_Addressed):
    view_secret_value: bool = True
    type: SecretType = SecretType.SHARED
    version: VersionNumber | None = None
    wait: Wait | None = None


class GetV3(_One):
    """A secret that the folder does not have is looked for in its imports when ``include_imports`` says so."""

    expand_secret_references: bool = False
    include_imports: bool = field(name="include_imports", default=False)
    include_imports_as_well: bool = field(name="includeImports", default=False)

    def reading(self) -> Reading:
        imports = self.include_imports or self.include_imports_as_well
        return Reading(self.view_secret_value, expand=self.expand_secret_references, imports=imports)


class GetV4(_One):
    """A secret that the folder does not have is looked for in its imports."""

    expand_secret_references: bool = True
    include_imports: bool = True

    def reading(self) -> Reading:
        return Reading(self.view_secret_value, expand=self.expand_secret_references, imports=self.include_imports)


class GetById(ApiModel):
    view_secret_value: bool = True
    wait: Wait | None = None


class VersionsPage(ApiModel):
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    offset: Offset = 0


# --- writing ----------------------------------------------------------------------------------------------------------


class MetadataEntry(ApiModel):
    """It is stored encrypted whatever ``isEncrypted`` says, which is answered as it was sent."""

    key: Annotated[str, Meta(min_length=1, max_length=255)]
    value: Annotated[str, Meta(max_length=1020)] = ""
    is_encrypted: Annotated[bool, coerced] = False


MetadataList = Annotated[list[MetadataEntry], Meta(max_length=50)]


class _Content(ApiModel):
    """What a secret holds beside its value. A reminder of nothing or 0 days is none."""

    secret_comment: Comment | None = None
    skip_multiline_encoding: Annotated[bool, coerced] | None = None
    secret_metadata: MetadataList | None = None
    tag_ids: TagIds | None = None
    secret_reminder_note: Note | UnsetType | None = UNSET
    secret_reminder_repeat_days: Days | UnsetType | None = UNSET

    def metadata(self) -> tuple[Metadata, ...] | None:
        if self.secret_metadata is None:
            return None
        return tuple(Metadata(entry.key, entry.value, entry.is_encrypted) for entry in self.secret_metadata)

    def reminder(self) -> tuple[str | None, int | None] | None:
        """Return what was sent of it; None when nothing was."""
        note, days = self.secret_reminder_note, self.secret_reminder_repeat_days
        if note is UNSET and days is UNSET:
            return None
        return None if note is UNSET else note or None, None if days is UNSET else days or None

    def change(self, kind: SecretType, value: Plaintext | None, new_name: str | None = None) -> SecretChange:
        return SecretChange(
            kind,
            new_name,
            value,
            self.secret_comment,
            self.metadata(),
            self.reminder(),
            self.skip_multiline_encoding,
            None if self.tag_ids is None else tuple(self.tag_ids),
        )

    def new(self, name: str, kind: SecretType, value: Plaintext) -> NewSecret:
        change, skips = self.change(kind, value), bool(self.skip_multiline_encoding)
        return NewSecret(name, value, kind, change.details(NO_DETAILS), skips, change.tag_ids or ())


class _Written(_Content):
    """What a secret holds beside its value, and where it is."""

    environment: EnvironmentSlug | None = None
    secret_path: Path = "/"
    project_id: ProjectId | None = None
    workspace_id: Reference | None = None
    workspace_slug: Reference | None = None
    project_slug: Reference | None = None
    type: SecretType = SecretType.SHARED

    def address(self) -> Address:
        return _address(self)


class CreateSecret(_Written, kw_only=True):
    """The value is kept as it is sent: nothing is trimmed."""

    secret_value: Value


class BatchEntry(_Content, kw_only=True):
    secret_key: SecretName
    secret_value: Value


class CreateSecrets(_Addressed, kw_only=True):
    secrets: Annotated[list[BatchEntry], Meta(min_length=1, max_length=100)]

    def new(self) -> list[NewSecret]:
        return [entry.new(entry.secret_key, SecretType.SHARED, entry.secret_value) for entry in self.secrets]


class ChangedEntry(_Content, kw_only=True):
    """What is absent stays as it is. Without a path it is in the folder that the batch names."""

    secret_key: SecretName
    secret_value: Value | None = None
    secret_path: Path | None = None
    new_secret_name: Renamed | None = None


class UpdateSecrets(_Addressed, kw_only=True):
    """``mode`` says what becomes of those that are not there."""

    secrets: Annotated[list[ChangedEntry], Meta(min_length=1, max_length=100)]
    mode: Absent = Absent.REFUSED

    def changes(self) -> list[PlacedChange]:
        address = self.address()
        return [
            PlacedChange(
                replace(address, path=each.secret_path or address.path),
                each.secret_key,
                each.change(SecretType.SHARED, each.secret_value, each.new_secret_name or None),
            )
            for each in self.secrets
        ]


class DeletedEntry(ApiModel):
    secret_key: SecretName
    type: SecretType = SecretType.SHARED


class DeleteSecrets(_Addressed, kw_only=True):
    secrets: Annotated[list[DeletedEntry], Meta(min_length=1, max_length=100)]

    def names(self) -> list[tuple[str, SecretType]]:
        return [(each.secret_key, each.type) for each in self.secrets]


class UpdateSecret(_Written):
    """What is absent stays as it is."""

    secret_value: Value | None = None
    new_secret_name: Renamed | None = None


class RollBack(ApiModel):
    version: Annotated[VersionNumber, coerced, Meta(examples=[1])]


class DeleteSecret(_Addressed):
    type: SecretType = SecretType.SHARED


# --- answers ----------------------------------------------------------------------------------------------------------


class MetadataShown(ApiModel):
    key: str
    value: str
    is_encrypted: bool


class MakerShown(ApiModel):
    """Who made the version that is shown."""

    actor_id: str | None
    actor_type: str
    name: str
    membership_id: str | None = None
    group_id: str | None = None


class TagOfSecret(ApiModel):
    id: str
    slug: str
    name: str
    color: str


class SecretShown(ApiModel):
    id: str
    same_id: str = field(name="_id")
    workspace: str
    environment: str
    version: int
    type: SecretType
    secret_key: str
    secret_value: str
    secret_value_hidden: bool
    secret_comment: str
    secret_path: str
    skip_multiline_encoding: bool
    secret_reminder_note: str | None
    secret_reminder_repeat_days: int | None
    secret_metadata: list[MetadataShown]
    tags: list[TagOfSecret]
    actor: MakerShown
    is_rotated_secret: bool
    rotation_id: str | None
    created_at: Timestamp
    updated_at: Timestamp


class SecretVersion(ApiModel):
    version: int
    secret_key: str
    actor: MakerShown
    is_current: bool
    created_at: Timestamp


class SecretVersions(ApiModel):
    secret_versions: list[SecretVersion]


class SecretAnswer(ApiModel):
    secret: SecretShown


class SecretBatchAnswer(ApiModel):
    secrets: list[SecretShown]


class ImportShown(ApiModel):
    """The secrets of one imported folder."""

    secret_path: str
    environment: str
    folder_id: str | None
    secrets: list[SecretShown]


class SecretListAnswer(ApiModel):
    secrets: list[SecretShown]
    imports: list[ImportShown]
