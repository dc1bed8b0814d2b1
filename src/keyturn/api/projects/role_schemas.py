"""JSON of the roles of projects.

Sources of the shapes: https://infisical.com/docs/api-reference/endpoints/project-roles/create and get-by-slug, and what the
Terraform provider sends (its source, ``internal/client/project_role.go``). Built-in roles in the list have a shape of our own:
that of the others, with the slug for an id.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from keyturn.projects.role_domain import NewRole, RoleChange
from keyturn.web.schema.validate import NonEmpty, Slug, Trimmed, coerced, printable
from keyturn.web.schema.wire import ApiModel, Timestamp

RoleName = Annotated[NonEmpty, printable, Meta(max_length=64)]
RoleText = Annotated[Trimmed, Meta(max_length=256)]


class PermissionGiven(ApiModel):
    """What is permitted, or with ``inverted`` is not; ``conditions`` say where.

    Of the permissions that fit, the last one decides.
    """

    subject: Annotated[NonEmpty, Meta(max_length=64, examples=["secrets"])]
    action: Annotated[list[str] | str, Meta(examples=[["describeSecret", "readValue"]])]
    inverted: Annotated[bool, coerced] | None = None
    conditions: dict[str, object] | None = None

    def packed(self) -> Mapping[str, Any]:
        """Return it as it is kept, and shown again: as it was written."""
        packed: dict[str, Any] = {"subject": self.subject, "action": self.action, "inverted": bool(self.inverted)}
        return packed | ({"conditions": self.conditions} if self.conditions else {})


Permissions = list[PermissionGiven]


class CreateRole(ApiModel):
    slug: Slug
    name: RoleName
    permissions: Permissions
    description: RoleText | None = None

    def command(self) -> NewRole:
        return NewRole(self.slug, self.name, self.description or "", tuple(each.packed() for each in self.permissions))


class UpdateRole(ApiModel):
    """What is absent stays as it is; a description of null or nothing is removed."""

    slug: Slug | None = None
    name: RoleName | None = None
    permissions: Permissions | None = None
    description: RoleText | UnsetType | None = UNSET

    def command(self) -> RoleChange:
        description = None if self.description is UNSET else self.description or ""
        permissions = None if self.permissions is None else tuple(each.packed() for each in self.permissions)
        return RoleChange(self.slug, self.name, description, permissions)


class ProjectRoleShown(ApiModel):
    id: str
    project_id: str
    slug: str
    name: str
    description: str
    permissions: list[dict[str, object]]
    is_built_in: bool
    created_at: Timestamp
    updated_at: Timestamp
    version: int = 1


class RoleAnswer(ApiModel):
    role: ProjectRoleShown


class RoleList(ApiModel):
    roles: list[ProjectRoleShown]
