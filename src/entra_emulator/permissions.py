"""Who may do what at Graph with an app-only token."""

from __future__ import annotations

import uuid

from entra_emulator.directory import Holder
from entra_emulator.graph_errors import denied
from entra_emulator.world import Call

READ_ALL = "Application.Read.All"
WRITE_ALL = "Application.ReadWrite.All"
WRITE_OWNED = "Application.ReadWrite.OwnedBy"
DIRECTORY_READ = "Directory.Read.All"
DIRECTORY_WRITE = "Directory.ReadWrite.All"
POLICY_READ = "Policy.Read.All"
POLICY_WRITE = "Policy.ReadWrite.ApplicationConfiguration"

_READERS = frozenset({READ_ALL, WRITE_ALL, DIRECTORY_READ, DIRECTORY_WRITE})
_ROLE_IDS = {
    READ_ALL: "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    WRITE_ALL: "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    WRITE_OWNED: "18a4783c-866b-4cc7-a460-3d5e5662c884",
    DIRECTORY_READ: "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    DIRECTORY_WRITE: "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    POLICY_READ: "246dd0d5-5bd0-4def-940b-0421030a5b68",
    POLICY_WRITE: "be74164b-cff1-491c-8741-e671cb536e13",
}


def role_id(role: str) -> str:
    """The GUID of an application permission; for unknown names one that depends on the name only."""
    return _ROLE_IDS.get(role) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"app-role:{role}"))


def may_list(call: Call) -> None:
    """Listing needs a permission over all applications. Raises GraphError 403."""
    if _READERS & call.roles or (WRITE_OWNED in call.roles and not call.settings.owned_by_list_refused):
        return
    raise denied()


def may_try(call: Call, *, write: bool) -> None:
    """Refuses callers that no object could be open to, before any object is looked up. Raises GraphError 403."""
    wide = {WRITE_ALL, WRITE_OWNED} if write else _READERS | {WRITE_OWNED}
    if not wide & call.roles:
        raise denied()


def may_touch(call: Call, holder: Holder, *, write: bool) -> None:
    """One object: a permission over all, or OwnedBy and the calling service principal is an owner. GraphError 403."""
    if WRITE_ALL in call.roles or (not write and _READERS & call.roles):
        return
    if WRITE_OWNED in call.roles and call.caller_oid in holder.owners:
        return
    raise denied()


def may_manage_owners(call: Call) -> None:
    """OwnedBy is not enough to change owners. Raises GraphError 403."""
    if WRITE_ALL not in call.roles:
        raise denied()


def may_read_owned(call: Call, owner_id: str) -> None:
    """What a service principal owns: any reader of the directory, and itself with OwnedBy. Raises GraphError 403."""
    if _READERS & call.roles or (WRITE_OWNED in call.roles and owner_id == call.caller_oid):
        return
    raise denied()


def may_read_policies(call: Call) -> None:
    """Raises GraphError 403."""
    if not {POLICY_READ, POLICY_WRITE} & call.roles:
        raise denied()


def may_write_policies(call: Call) -> None:
    """Raises GraphError 403."""
    if POLICY_WRITE not in call.roles:
        raise denied()
