"""Who may do what at Graph: applications by their own permissions, users by delegated ones, roles and ownership.

Source, also of the ids: learn.microsoft.com/graph/permissions-reference. That an application which rotates itself must own
itself: https://github.com/pulumi/docs/issues/19522.
"""

from __future__ import annotations

from entra_emulator.directory.directory import Assignee, Holder
from entra_emulator.directory.groups import Group
from entra_emulator.directory.roles import (
    CONSENT_TO_GRAPH_ROLES,
    CONSENT_TO_SCOPES,
    GLOBAL,
    MANAGE_APPLICATIONS,
    READ_POLICIES,
)
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import denied

READ_ALL = "Application.Read.All"
WRITE_ALL = "Application.ReadWrite.All"
WRITE_OWNED = "Application.ReadWrite.OwnedBy"
DIRECTORY_READ = "Directory.Read.All"
DIRECTORY_WRITE = "Directory.ReadWrite.All"
AUDIT_READ = "AuditLog.Read.All"
POLICY_READ = "Policy.Read.All"
POLICY_WRITE = "Policy.ReadWrite.ApplicationConfiguration"

ROLES_WRITE = "RoleManagement.ReadWrite.Directory"
AS_USER = "Directory.AccessAsUser.All"

_GRANT_READERS = frozenset(
    {
        "DelegatedPermissionGrant.Read.All",
        "DelegatedPermissionGrant.ReadWrite.All",
        DIRECTORY_READ,
        DIRECTORY_WRITE,
        AS_USER,
    }
)
_USER_WRITE = frozenset({"User.ReadWrite.All", DIRECTORY_WRITE, AS_USER})
_USER_READERS = _USER_WRITE | {"User.Read.All", "User.ReadBasic.All", DIRECTORY_READ}
_GROUP_WRITE = frozenset({"Group.ReadWrite.All", DIRECTORY_WRITE, AS_USER})
_GROUP_READERS = _GROUP_WRITE | {"Group.Read.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All", DIRECTORY_READ}
_READERS = frozenset({READ_ALL, WRITE_ALL, DIRECTORY_READ, DIRECTORY_WRITE, AS_USER})
_USER_WRITERS = frozenset({WRITE_ALL, DIRECTORY_WRITE, AS_USER})


def may_list(call: Call) -> None:
    """Listing needs a permission over all applications. Raises GraphError 403.

    Source: learn.microsoft.com/graph/permissions-reference (Application.ReadWrite.OwnedBy). Others have seen the list work
    with it: the setting `owned_by_list_refused`.
    """
    if _READERS & permissions_held(call) or (WRITE_OWNED in call.roles and not call.settings.owned_by_list_refused):
        return
    raise denied()


def may_try(call: Call, *, write: bool) -> None:
    """Refuses callers that no object could be open to, before any object is looked up. Raises GraphError 403."""
    wide = _writers(call) if write else _READERS | {WRITE_OWNED}
    if not wide & permissions_held(call):
        raise denied()


def may_touch(call: Call, holder: Holder, *, write: bool) -> None:
    """One object: a permission over all, or one over owned objects and the caller is an owner. GraphError 403.

    A user needs for writing, beside the permission, a directory role that manages applications, or to be an owner.
    """
    if not write and _READERS & permissions_held(call):
        return
    if call.user is not None:
        if _writers(call) & call.scopes and (manages(call) or call.caller_oid in holder.owners):
            return
        raise denied()
    if WRITE_ALL in call.roles or (WRITE_OWNED in call.roles and call.caller_oid in holder.owners):
        return
    raise denied()


def manages(call: Call) -> bool:
    """Whether the user has a directory role that manages all applications."""
    return bool(MANAGE_APPLICATIONS & call.directory_roles)


def owns_what_it_makes(call: Call) -> bool:
    """Whether the maker of an application becomes its owner: who could not change it otherwise."""
    return WRITE_OWNED in call.roles if call.user is None else not manages(call)


def may_manage_owners(call: Call) -> None:
    """OwnedBy is not enough to change owners. Raises GraphError 403."""
    if call.user is None and WRITE_ALL not in call.roles:
        raise denied()


def may_read_owned(call: Call, owner_id: str) -> None:
    """What somebody owns: any reader of the directory, and a service principal itself with OwnedBy. GraphError 403."""
    if _READERS & permissions_held(call) or (WRITE_OWNED in call.roles and owner_id == call.caller_oid):
        return
    raise denied()


def sees_users(call: Call) -> bool:
    """Whether the caller may read users; of those in the lists of others it sees only the ids otherwise."""
    return bool(_USER_READERS & permissions_held(call))


def sees_groups(call: Call) -> bool:
    """The same for groups."""
    return bool(_GROUP_READERS & permissions_held(call))


def may_read_users(call: Call) -> None:
    """Raises GraphError 403."""
    if not sees_users(call):
        raise denied()


def may_revoke_sessions(call: Call) -> None:
    """Raises GraphError 403."""
    if "User.RevokeSessions.All" not in permissions_held(call):
        may_write_users(call)


def may_read_domains(call: Call) -> None:
    """Raises GraphError 403."""
    if not {"Domain.Read.All", DIRECTORY_READ, DIRECTORY_WRITE, AS_USER} & permissions_held(call):
        raise denied()


def may_write_users(call: Call) -> None:
    """A permission, and a directory role of the user where there is one. Raises GraphError 403."""
    if not _USER_WRITE & permissions_held(call) or (call.user and GLOBAL not in call.directory_roles):
        raise denied()


def may_read_groups(call: Call) -> None:
    """Raises GraphError 403."""
    if not sees_groups(call):
        raise denied()


def may_write_groups(call: Call) -> None:
    """Raises GraphError 403."""
    if not _GROUP_WRITE & permissions_held(call) or (call.user and GLOBAL not in call.directory_roles):
        raise denied()


def may_write_members(call: Call) -> None:
    """Raises GraphError 403."""
    held = permissions_held(call)
    if not (_GROUP_WRITE | {"GroupMember.ReadWrite.All"}) & held or (call.user and GLOBAL not in call.directory_roles):
        raise denied()


def may_read_objects(call: Call) -> None:
    """Any permission to read some kind of directory object; of other kinds only the ids are shown. Raises GraphError 403."""
    if not (_READERS | _USER_READERS | _GROUP_READERS) & permissions_held(call):
        raise denied()


def may_assign_roles(call: Call) -> None:
    """Raises GraphError 403. Source: https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignments."""
    if not {"AppRoleAssignment.ReadWrite.All", AS_USER} & permissions_held(call):
        raise denied()
    if call.user and not CONSENT_TO_GRAPH_ROLES & call.directory_roles:
        raise denied()


def may_read_assignments(call: Call, assignee: Assignee) -> None:
    """App roles that were given to somebody, or by a resource: a reader of the directory, and each for itself. GraphError 403.

    Source: https://learn.microsoft.com/graph/api/approleassignment-get.
    """
    held = permissions_held(call)
    if _READERS & held or (isinstance(assignee, Group) and _GROUP_READERS & held):
        return
    own = assignee.object_id == call.caller_oid
    if own and ({"User.Read", "User.Read.All"} if call.user else {WRITE_OWNED}) & held:
        return
    raise denied()


def may_read_roles(call: Call) -> None:
    """Raises GraphError 403. Source: https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments."""
    readers = {"RoleManagement.Read.Directory", ROLES_WRITE, DIRECTORY_READ, DIRECTORY_WRITE, AS_USER}
    if not readers & permissions_held(call):
        raise denied()


def may_give_roles(call: Call) -> None:
    """Raises GraphError 403. Source: https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments."""
    if not {ROLES_WRITE, AS_USER} & permissions_held(call):
        raise denied()
    if call.user and not CONSENT_TO_GRAPH_ROLES & call.directory_roles:
        raise denied()


def may_read_grants(call: Call) -> None:
    """Raises GraphError 403. Source: https://learn.microsoft.com/graph/api/oauth2permissiongrant-list."""
    if not _GRANT_READERS & permissions_held(call):
        raise denied()


def may_write_grants(call: Call) -> None:
    """Raises GraphError 403. Source: https://learn.microsoft.com/graph/api/oauth2permissiongrant-post."""
    if not {"DelegatedPermissionGrant.ReadWrite.All", AS_USER} & permissions_held(call):
        raise denied()
    if call.user and not CONSENT_TO_SCOPES & call.directory_roles:
        raise denied()


def may_read_me(call: Call) -> None:
    """The signed-in user. Raises GraphError 403."""
    if not {"User.Read", "User.ReadBasic.All", "User.Read.All", DIRECTORY_READ, DIRECTORY_WRITE, AS_USER} & call.scopes:
        raise denied()


def may_read_member_of(call: Call) -> None:
    """The directory roles of the signed-in user. Raises GraphError 403."""
    if not {"User.Read", "User.Read.All", DIRECTORY_READ, DIRECTORY_WRITE, AS_USER} & call.scopes:
        raise denied()


def may_read_organization(call: Call) -> None:
    """Raises GraphError 403."""
    if not {"Organization.Read.All", "User.Read", DIRECTORY_READ, DIRECTORY_WRITE, AS_USER} & permissions_held(call):
        raise denied()


def may_read_policies(call: Call) -> None:
    """Raises GraphError 403."""
    if not {POLICY_READ, POLICY_WRITE} & permissions_held(call) or (
        call.user and not READ_POLICIES & call.directory_roles
    ):
        raise denied()


def may_read_assignments_of_policies(call: Call) -> None:
    """Raises GraphError 403. Source: learn.microsoft.com/graph/api/appmanagementpolicy-list-appliesto."""
    may_read_policies(call)
    if not _READERS & permissions_held(call):
        raise denied()


def may_write_policies(call: Call) -> None:
    """Raises GraphError 403."""
    if POLICY_WRITE not in permissions_held(call) or (call.user and not manages(call)):
        raise denied()


def permissions_held(call: Call) -> frozenset[str]:
    """The permissions in the token: delegated ones where there is a user, application permissions otherwise."""
    return call.roles if call.user is None else call.scopes


def _writers(call: Call) -> frozenset[str]:
    return frozenset({WRITE_ALL, WRITE_OWNED}) if call.user is None else _USER_WRITERS
