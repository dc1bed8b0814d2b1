"""JSON of imports."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from keyturn.secrets.domain import Address
from keyturn.web.schema.validate import Fault, coerced
from keyturn.web.schema.wire import ApiModel, Timestamp

Reference = Annotated[str, Meta(max_length=255)]
ProjectId = Annotated[str, Meta(max_length=255, examples=["8c1e2f7a-5b3d-4e6f-9a01-2b4c6d8e0f13"])]
Path = Annotated[str, Meta(max_length=2000, examples=["/"])]
SourcePath = Annotated[str, Meta(max_length=2000, examples=["/shared"])]
EnvironmentSlug = Annotated[str, Meta(max_length=64, examples=["dev"])]
Position = Annotated[int, coerced, Meta(ge=0, le=1000)]
"""Counted from 1; 0 counts as absent."""


class InFolder(ApiModel):
    """The folder that imports."""

    environment: EnvironmentSlug | None = None
    path: Path = "/"
    project_id: ProjectId | None = None
    workspace_id: Reference | None = None

    def address(self) -> Address:
        return Address(self.project_id or self.workspace_id or None, None, self.environment, self.path)


class Source(ApiModel):
    """The folder that is imported."""

    environment: EnvironmentSlug
    path: SourcePath = "/"


class CreateImport(InFolder, kw_only=True):
    source: Source = field(name="import")
    is_replication: Annotated[bool, coerced] = False

    def check(self) -> Iterator[Fault]:
        if self.is_replication:
            yield Fault(
                "This server reads imports when they are asked for and replicates nothing", path=("isReplication",)
            )


class ChangedSource(ApiModel):
    environment: EnvironmentSlug | None = None
    path: SourcePath | None = None
    position: Position | None = None


class UpdateImport(InFolder, kw_only=True):
    """What is absent stays as it is. Where the import is cannot be changed."""

    source: ChangedSource = field(name="import")


class EnvironmentOfImport(ApiModel):
    id: str
    name: str
    slug: str


class SecretImportShown(ApiModel):
    id: str
    folder_id: str
    project_id: str
    environment: EnvironmentOfImport
    secret_path: str
    import_env: EnvironmentOfImport
    import_path: str
    position: int
    created_at: Timestamp
    updated_at: Timestamp
    version: int = 1
    is_replication: bool = False
    is_replication_success: bool | None = None
    replication_status: str | None = None
    last_replicated: str | None = None
    is_reserved: bool = False


class SecretImportAnswer(ApiModel):
    message: str
    secret_import: SecretImportShown


class SecretImportList(ApiModel):
    message: str
    secret_imports: list[SecretImportShown]
