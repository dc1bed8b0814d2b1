"""JSON of projects and environments."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from keyturn.projects.domain import EnvironmentChange, NewEnvironment, NewProject, ProjectChange
from keyturn.web.schema.validate import Fault, NonEmpty, Sentence, Slug, Trimmed, coerced, printable
from keyturn.web.schema.wire import ApiModel, Timestamp

Name = Annotated[NonEmpty, printable, Meta(max_length=64)]
Description = Annotated[Trimmed, Meta(max_length=256)]
ShortSlug = Annotated[Slug, Meta(min_length=1, max_length=64)]
OptionalSlug = Annotated[
    Trimmed,
    Meta(max_length=64, pattern=r"^(?:[a-z0-9]+(?:-[a-z0-9]+)*)?$"),
    Sentence("Use up to 64 lower-case letters, digits and single hyphens between them, such as payments-eu"),
]
Position = Annotated[int, coerced, Meta(ge=0, le=1000)]
"""Counted from 1; 0 counts as absent."""
VersionLimit = Annotated[int, coerced, Meta(ge=0, le=1000)]
"""How many versions of each secret are kept, the newest ones; 0: as many as the server keeps."""

# --- projects ---------------------------------------------------------------------------------------------------------


class CreateProject(ApiModel):
    """Empty texts count as absent. Templates, foreign keys and other kinds of projects are refused, not ignored."""

    project_name: Name
    slug: OptionalSlug | None = None
    type: str | None = None
    project_description: Description | None = None
    template: str | None = None
    kms_key_id: str | None = None
    should_create_default_envs: Annotated[bool, coerced] | None = None
    has_delete_protection: Annotated[bool, coerced] | None = None

    def check(self) -> Iterator[Fault]:
        if self.type not in {None, "", "secret-manager"}:
            yield Fault("This server has projects of the type 'secret-manager' only", path=("type",))
        if self.template not in {None, "", "default"}:
            yield Fault("This server has no project templates: create the environments one by one", path=("template",))
        if self.kms_key_id:
            yield Fault("This server encrypts with its own keys: leave kmsKeyId out", path=("kmsKeyId",))

    def command(self) -> NewProject:
        return NewProject(
            self.project_name,
            self.slug or None,
            self.project_description,
            has_delete_protection=bool(self.has_delete_protection),
            default_environments=self.should_create_default_envs is not False,
        )


class UpdateProject(ApiModel):
    """What is absent stays as it is; a description of null or nothing is removed."""

    name: Name | None = None
    slug: OptionalSlug | None = None
    description: Description | UnsetType | None = UNSET
    has_delete_protection: Annotated[bool, coerced] | None = None
    pit_version_limit: VersionLimit | None = None

    def command(self) -> ProjectChange:
        description = None if self.description is UNSET else self.description or ""
        return ProjectChange(
            self.name, self.slug or None, description, self.has_delete_protection, self.pit_version_limit
        )


class EnvironmentBrief(ApiModel):
    id: str
    name: str
    slug: str


class ProjectShown(ApiModel):
    id: str
    same_id: str = field(name="_id")
    name: str
    slug: str
    description: str | None
    org_id: str
    environments: list[EnvironmentBrief]
    has_delete_protection: bool
    created_at: Timestamp
    updated_at: Timestamp
    type: Literal["secret-manager"] = "secret-manager"
    auto_capitalization: bool = False
    version: int = 3
    upgrade_status: str | None = None
    audit_logs_retention_days: int | None = None
    pit_version_limit: int | None = None
    kms_secret_manager_key_id: str | None = None


class ProjectAnswer(ApiModel):
    project: ProjectShown


class WorkspaceAnswer(ApiModel):
    workspace: ProjectShown


class ProjectList(ApiModel):
    projects: list[ProjectShown]


class WorkspaceList(ApiModel):
    workspaces: list[ProjectShown]


class LimitVersions(ApiModel):
    pit_version_limit: VersionLimit


class Retention(ApiModel):
    audit_logs_retention_days: Annotated[int, coerced, Meta(ge=0, le=36_500)]


# --- environments -----------------------------------------------------------------------------------------------------


class CreateEnvironment(ApiModel):
    """Without a position, or with 0, it becomes the last one."""

    name: Name
    slug: ShortSlug
    position: Position | None = None

    def command(self) -> NewEnvironment:
        return NewEnvironment(self.name, self.slug, self.position or None)


class UpdateEnvironment(ApiModel):
    """What is absent stays as it is; so does a position of 0, which some clients cannot leave out."""

    name: Name | None = None
    slug: OptionalSlug | None = None
    position: Position | None = None

    def command(self) -> EnvironmentChange:
        return EnvironmentChange(self.name, self.slug or None, self.position or None)


class EnvironmentShown(ApiModel):
    id: str
    name: str
    slug: str
    position: int
    project_id: str
    created_at: Timestamp
    updated_at: Timestamp


class EnvironmentAnswer(ApiModel):
    environment: EnvironmentShown


class EnvironmentChanged(ApiModel):
    message: str
    workspace: str
    environment: EnvironmentShown
