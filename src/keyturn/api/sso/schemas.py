"""JSON of sign-in through Entra ID: which groups have which roles, and who signs in as which user."""

from typing import Annotated

from msgspec import Meta

from keyturn.api.fields import Text
from keyturn.sso.domain import NewGroupRole
from keyturn.web.schema.validate import NonEmpty, Uuid
from keyturn.web.schema.wire import ApiModel, Timestamp


class CreateGroupRole(ApiModel):
    group_id: Uuid
    """The object id of the group in Entra ID."""
    role: Annotated[NonEmpty, Meta(max_length=64, examples=["member"])]
    """A role in the organization; with `projectId` a role in that project, by its slug."""
    group_name: Text = ""
    """What the group is called, for people: it decides nothing."""
    project_id: Uuid | None = None

    def command(self) -> NewGroupRole:
        return NewGroupRole(self.group_id, self.role, self.group_name, self.project_id)


class GroupRoleShown(ApiModel):
    id: str
    group_id: str
    group_name: str
    project_id: str | None
    """null: the role is one in the organization."""
    role: str
    created_at: Timestamp


class GroupRoleAnswer(ApiModel):
    group_role: GroupRoleShown


class GroupRoleList(ApiModel):
    group_roles: list[GroupRoleShown]


class SetEntraIdentity(ApiModel):
    object_id: Uuid
    """The object id in Entra ID of the person who signs in as the user."""


class EntraIdentityAnswer(ApiModel):
    user_id: str
    object_id: str | None
    """null: nobody of Entra ID signs in as the user."""
