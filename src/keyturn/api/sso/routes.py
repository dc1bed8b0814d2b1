"""Routes of sign-in through Entra ID, for administrators."""

from keyturn.api.sso.schemas import (
    CreateGroupRole,
    EntraIdentityAnswer,
    GroupRoleAnswer,
    GroupRoleList,
    GroupRoleShown,
    SetEntraIdentity,
)
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.sso.domain import GroupRole
from keyturn.sso.group_roles import GroupRoles
from keyturn.web.routes import Routes, delete, get, group, post, put


def router(group_roles: GroupRoles) -> Routes:
    """Return the routes."""

    @get("/api/v1/group-roles")
    def list_group_roles(actor: Actor) -> GroupRoleList:
        """List which groups of Entra ID have which roles, by the group's name."""
        return GroupRoleList([_shown(row) for row in group_roles.list(actor)])

    @post("/api/v1/group-roles")
    def create_group_role(actor: Actor, data: CreateGroupRole) -> GroupRoleAnswer:
        """Give the members of a group of Entra ID a role, from their next sign-in on.

        As soon as one group has a role in the organization, groups alone decide about roles there of people who sign in through
        Entra ID.
        """
        return GroupRoleAnswer(_shown(group_roles.add(actor, data.command())))

    @delete("/api/v1/group-roles/{group_role_id}")
    def delete_group_role(actor: Actor, group_role_id: str) -> GroupRoleAnswer:
        """Take a role from a group: who has it by that alone loses it at the next sign-in."""
        return GroupRoleAnswer(_shown(group_roles.remove(actor, group_role_id)))

    @put("/api/v1/users/{user_id}/entra-identity")
    def link_user(actor: Actor, user_id: str, data: SetEntraIdentity) -> EntraIdentityAnswer:
        """Let a person of Entra ID sign in as a user who is here already. Safe to repeat."""
        return EntraIdentityAnswer(group_roles.link(actor, user_id, data.object_id).id, data.object_id.lower())

    @delete("/api/v1/users/{user_id}/entra-identity")
    def unlink_user(actor: Actor, user_id: str) -> EntraIdentityAnswer:
        """Let nobody of Entra ID sign in as the user any more; their sessions and access tokens end. Safe to repeat."""
        return EntraIdentityAnswer(group_roles.unlink(actor, user_id).id, None)

    return group(
        "Sign-in through Entra ID", list_group_roles, create_group_role, delete_group_role, link_user, unlink_user
    )


def _shown(row: GroupRole) -> GroupRoleShown:
    return GroupRoleShown(row.id, row.group_id, row.group_name, row.project_id, row.role, iso(row.created_at))
