"""Who may do what at Graph: applications by their own permissions, users by delegated ones, roles and ownership.

Source, also of the ids: learn.microsoft.com/graph/permissions-reference. That an application which rotates itself must own
itself: https://github.com/pulumi/docs/issues/19522.
"""

from __future__ import annotations

import uuid

from entra_emulator.directory.directory import Holder
from entra_emulator.directory.roles import MANAGE_APPLICATIONS, READ_POLICIES
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import denied

READ_ALL = "Application.Read.All"
WRITE_ALL = "Application.ReadWrite.All"
WRITE_OWNED = "Application.ReadWrite.OwnedBy"
DIRECTORY_READ = "Directory.Read.All"
DIRECTORY_WRITE = "Directory.ReadWrite.All"
POLICY_READ = "Policy.Read.All"
POLICY_WRITE = "Policy.ReadWrite.ApplicationConfiguration"

AS_USER = "Directory.AccessAsUser.All"

_READERS = frozenset({READ_ALL, WRITE_ALL, DIRECTORY_READ, DIRECTORY_WRITE, AS_USER})
_USER_WRITERS = frozenset({WRITE_ALL, DIRECTORY_WRITE, AS_USER})
_ROLE_IDS = {
    READ_ALL: "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    WRITE_ALL: "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    WRITE_OWNED: "18a4783c-866b-4cc7-a460-3d5e5662c884",
    DIRECTORY_READ: "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    DIRECTORY_WRITE: "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    POLICY_READ: "246dd0d5-5bd0-4def-940b-0421030a5b68",
    POLICY_WRITE: "be74164b-cff1-491c-8741-e671cb536e13",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
}


def role_id(role: str) -> str:
    """The GUID of an application permission; for unknown names one that depends on the name only."""
    return _ROLE_IDS.get(role) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"app-role:{role}"))


def role_of(guid: str) -> str | None:
    """The application permission of Graph with this GUID."""
    return next((name for name, value in _ROLE_IDS.items() if value == guid), None)


def may_list(call: Call) -> None:
    """Listing needs a permission over all applications. Raises GraphError 403.

    Source: learn.microsoft.com/graph/permissions-reference (Application.ReadWrite.OwnedBy). Others have seen the list work
    with it: the setting `owned_by_list_refused`.
    """
    if _READERS & _held(call) or (WRITE_OWNED in call.roles and not call.settings.owned_by_list_refused):
        return
    raise denied()


def may_try(call: Call, *, write: bool) -> None:
    """Refuses callers that no object could be open to, before any object is looked up. Raises GraphError 403."""
    wide = _writers(call) if write else _READERS | {WRITE_OWNED}
    if not wide & _held(call):
        raise denied()


def may_touch(call: Call, holder: Holder, *, write: bool) -> None:
    """One object: a permission over all, or one over owned objects and the caller is an owner. GraphError 403.

    A user needs for writing, beside the permission, a directory role that manages applications, or to be an owner.
    """
    if not write and _READERS & _held(call):
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
    if _READERS & _held(call) or (WRITE_OWNED in call.roles and owner_id == call.caller_oid):
        return
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
    if not {"Organization.Read.All", "User.Read", DIRECTORY_READ, DIRECTORY_WRITE, AS_USER} & _held(call):
        raise denied()


def may_read_policies(call: Call) -> None:
    """Raises GraphError 403."""
    if not {POLICY_READ, POLICY_WRITE} & _held(call) or (call.user and not READ_POLICIES & call.directory_roles):
        raise denied()


def may_write_policies(call: Call) -> None:
    """Raises GraphError 403."""
    if POLICY_WRITE not in _held(call) or (call.user and not manages(call)):
        raise denied()


def _held(call: Call) -> frozenset[str]:
    """The permissions in the token: delegated ones where there is a user, application permissions otherwise."""
    return call.roles if call.user is None else call.scopes


def _writers(call: Call) -> frozenset[str]:
    return frozenset({WRITE_ALL, WRITE_OWNED}) if call.user is None else _USER_WRITERS
