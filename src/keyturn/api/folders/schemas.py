"""JSON of folders."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from keyturn.secrets.domain import Address
from keyturn.web.schema.validate import coerced
from keyturn.web.schema.wire import ApiModel, Timestamp

Reference = Annotated[str, Meta(max_length=255)]
ProjectId = Annotated[str, Meta(max_length=255, examples=["8c1e2f7a-5b3d-4e6f-9a01-2b4c6d8e0f13"])]
Path = Annotated[str, Meta(max_length=2000, examples=["/"])]
Directory = Annotated[str, Meta(max_length=2000)]
Name = Annotated[str, Meta(max_length=64, examples=["billing"])]
Text = Annotated[str, Meta(max_length=1000)]
EnvironmentSlug = Annotated[str, Meta(max_length=64, examples=["dev"])]


class _InFolder(ApiModel):
    """The folder that is meant or that holds the one meant: ``path``, or ``directory`` as some clients call it."""

    environment: EnvironmentSlug | None = None
    path: Path | None = None
    directory: Directory | None = None
    project_id: ProjectId | None = None
    workspace_id: Reference | None = None

    def address(self) -> Address:
        project_id = self.project_id or self.workspace_id
        return Address(project_id or None, None, self.environment, self.path or self.directory or "/")


class ListFolders(_InFolder):
    recursive: bool = False


class CreateFolder(_InFolder):
    name: Name = ""
    description: Text | None = None


class UpdateFolder(_InFolder):
    """What is absent stays as it is; a description of null or nothing is removed."""

    name: Name | None = None
    description: Text | UnsetType | None = UNSET


class DeleteFolder(_InFolder):
    force_delete: Annotated[bool, coerced] | None = None


class FolderShown(ApiModel):
    id: str
    name: str
    env_id: str
    parent_id: str | None
    version: int
    description: str | None
    path: str
    relative_path: str
    created_at: Timestamp
    updated_at: Timestamp
    is_reserved: bool = False
    last_secret_modified: str | None = None


class EnvironmentOfFolder(ApiModel):
    env_id: str
    env_name: str
    env_slug: str


class FolderWithPlace(FolderShown, kw_only=True):
    project_id: str
    environment: EnvironmentOfFolder


class FolderAnswer(ApiModel):
    folder: FolderShown


class FolderWithPlaceAnswer(ApiModel):
    folder: FolderWithPlace


class FolderList(ApiModel):
    folders: list[FolderShown]
