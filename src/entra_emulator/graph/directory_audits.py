"""The directory audit: who changed which application or principal, and when.

Sources: https://learn.microsoft.com/graph/api/directoryaudit-list ($filter with eq, ge, le and startswith, $top, $orderby) and
.../resources/directoryaudit; the names of activities: https://learn.microsoft.com/entra/identity/monitoring-health/ (its page
reference-audit-activities).
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.audit_log import AuditRecord
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import not_found
from entra_emulator.graph.filters import Field
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import ListRules, entity, listed_as, page, select
from entra_emulator.graph.reports import may_read_logs

_RULES = ListRules(1000, 1000, frozenset({"activityDateTime"}), plain_order=True, order="activityDateTime")
_SECRETS = "Update application – Certificates and secrets management"
_UPDATE = "Update application"
ACTIVITIES = {
    "createApplication": ("Add application", "Add"),
    "updateApplication": (_UPDATE, "Update"),
    "deleteApplication": ("Delete application", "Delete"),
    "addPassword": (_SECRETS, "Update"),
    "removePassword": (_SECRETS, "Update"),
    "addKey": (_SECRETS, "Update"),
    "removeKey": (_SECRETS, "Update"),
    "addOwner": ("Add owner to application", "Assign"),
    "removeOwner": ("Remove owner from application", "Unassign"),
    "createFederatedIdentityCredential": (_UPDATE, "Update"),
    "updateFederatedIdentityCredential": (_UPDATE, "Update"),
    "deleteFederatedIdentityCredential": (_UPDATE, "Update"),
    "instantiateApplicationTemplate": ("Add application", "Add"),
    "createServicePrincipal": ("Add service principal", "Add"),
    "updateServicePrincipal": ("Update service principal", "Update"),
    "deleteServicePrincipal": ("Remove service principal", "Delete"),
    "addServicePrincipalKey": ("Add service principal credentials", "Update"),
    "removeServicePrincipalKey": ("Remove service principal credentials", "Update"),
    "addServicePrincipalPassword": ("Add service principal credentials", "Update"),
    "removeServicePrincipalPassword": ("Remove service principal credentials", "Update"),
    "assignAppManagementPolicy": ("Add policy to application", "Assign"),
    "unassignAppManagementPolicy": ("Remove policy from application", "Unassign"),
    "updateDefaultAppManagementPolicy": ("Update policy", "Update"),
    "createAppManagementPolicy": ("Add policy", "Add"),
    "updateAppManagementPolicy": ("Update policy", "Update"),
    "deleteAppManagementPolicy": ("Delete policy", "Delete"),
    "addServicePrincipalOwner": ("Add owner to service principal", "Assign"),
    "removeServicePrincipalOwner": ("Remove owner from service principal", "Unassign"),
    "createUser": ("Add user", "Add"),
    "updateUser": ("Update user", "Update"),
    "setManager": ("Set user manager", "Assign"),
    "removeManager": ("Remove user manager", "Unassign"),
    "deleteUser": ("Delete user", "Delete"),
    "deleteDirectoryObject": ("Delete user", "Delete"),
    "revokeSignInSessions": ("Update StsRefreshTokenValidFrom Timestamp", "Update"),
    "createGroup": ("Add group", "Add"),
    "updateGroup": ("Update group", "Update"),
    "deleteGroup": ("Delete group", "Delete"),
    "addGroupMember": ("Add member to group", "Assign"),
    "removeGroupMember": ("Remove member from group", "Unassign"),
    "addGroupOwner": ("Add owner to group", "Assign"),
    "removeGroupOwner": ("Remove owner from group", "Unassign"),
    "assignAppRole": ("Add app role assignment to service principal", "Assign"),
    "unassignAppRole": ("Remove app role assignment from service principal", "Unassign"),
    "activateDirectoryRole": ("Add role from template", "Add"),
    "addDirectoryRoleMember": ("Add member to role", "Assign"),
    "removeDirectoryRoleMember": ("Remove member from role", "Unassign"),
    "createRoleAssignment": ("Add member to role", "Assign"),
    "deleteRoleAssignment": ("Remove member from role", "Unassign"),
    "createPermissionGrant": ("Add delegated permission grant", "Add"),
    "updatePermissionGrant": ("Update delegated permission grant", "Update"),
    "deletePermissionGrant": ("Remove delegated permission grant", "Delete"),
    "purgeDeletedItem": ("Hard Delete application", "Delete"),
    "restoreDeletedItem": ("Restore application", "Update"),
}
"""Operation in the ledger -> the name of the activity and its kind."""
_OF_KINDS = {
    ("deleteDirectoryObject", "Application"): "Delete application",
    ("deleteDirectoryObject", "Group"): "Delete group",
    ("deleteDirectoryObject", "ServicePrincipal"): "Remove service principal",
    ("assignAppRole", "User"): "Add app role assignment grant to user",
    ("assignAppRole", "Group"): "Add app role assignment to group",
    ("unassignAppRole", "User"): "Remove app role assignment from user",
    ("unassignAppRole", "Group"): "Remove app role assignment from group",
    ("purgeDeletedItem", "ServicePrincipal"): "Hard delete service principal",
    ("purgeDeletedItem", "User"): "Hard Delete user",
    ("purgeDeletedItem", "Group"): "Hard Delete group",
    ("instantiateApplicationTemplate", "ServicePrincipal"): "Add service principal",
    ("restoreDeletedItem", "ServicePrincipal"): "Restore service principal",
    ("restoreDeletedItem", "User"): "Restore user",
    ("restoreDeletedItem", "Group"): "Restore group",
}
"""Operation and kind of target -> the name, where it is another one than for applications and their service principals."""
_CATEGORIES = {"Policy": "Policy", "User": "UserManagement", "Group": "GroupManagement"}


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_logs(call)
    result = page(call, _records(call), _FIELDS, _id, rules=_RULES)
    return listed_as(call, result, lambda of, item: select(of, _shown(of, item)), "auditLogs/directoryAudits")


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_logs(call)
    record = next((item for item in _records(call) if _id(item) == keys[0][1]), None)
    if record is None:
        raise not_found(keys[0][1][:100])
    return entity(call, _shown(call, record), "auditLogs/directoryAudits")


def _records(call: Call) -> list[AuditRecord]:
    return list(call.world.audits.visible(call.home().id, call.settings, call.now))


def _id(record: AuditRecord) -> str:
    return f"Directory_{record.id}_{record.target_id[:5].upper()}_0"  # a request may change several objects


def _category(record: AuditRecord) -> str:
    if "Role" in record.operation and "AppRole" not in record.operation:
        return "RoleManagement"
    if "Group" in record.operation:
        return "GroupManagement"
    return _CATEGORIES.get(record.target_type, "ApplicationManagement")


def _shown(call: Call, record: AuditRecord) -> dict[str, Any]:
    return {
        "id": _id(record),
        "category": _category(record),
        "correlationId": record.id,
        "result": "success",
        "resultReason": "",
        "activityDisplayName": _activity(record),
        "activityDateTime": graph_time(record.at),
        "loggedByService": "Core Directory",
        "operationType": ACTIVITIES[record.operation][1],
        "initiatedBy": _initiator(call, record),
        "targetResources": _targets(record),
        "additionalDetails": [],
    }


def _targets(record: AuditRecord) -> list[dict[str, Any]]:
    """The first one has what changed: of an app role that is given the resource, of a membership the member.

    Source, a capture of a tenant of April 2026: https://github.com/akshayk-sys/KavachIQ (its WI-05).
    """
    changed = [{"displayName": name, "oldValue": old, "newValue": new} for name, old, new in record.changed]
    targets = [(record.target_id, record.target_name, record.target_type), *record.beside]
    if "AppRole" in record.operation:
        targets.reverse()
    return [
        {
            "id": object_id,
            "displayName": name,
            "type": kind,
            "userPrincipalName": None,
            "groupType": None,
            "modifiedProperties": [] if number else changed,
        }
        for number, (object_id, name, kind) in enumerate(targets)
    ]


def _activity(record: AuditRecord) -> str:
    return _OF_KINDS.get((record.operation, record.target_type)) or ACTIVITIES[record.operation][0]


def _initiator(call: Call, record: AuditRecord) -> dict[str, Any]:
    tenant = call.home()
    if record.by_user:
        user = tenant.users.get(record.by_user)
        name, address = (user.display_name, user.principal_name) if user else (None, None)
        who = {"id": record.by_user, "displayName": name, "userPrincipalName": address, "ipAddress": record.address}
        return {"app": None, "user": who}
    principal = tenant.principal_of(record.by_app)
    app = {
        "appId": record.by_app,
        "displayName": principal.display_name if principal else None,
        "servicePrincipalId": principal.object_id if principal else None,
        "servicePrincipalName": None,
    }
    return {"app": app, "user": None}


_FIELDS: dict[str, Field[AuditRecord]] = {
    "id": _id,
    "activityDateTime": lambda item: item.at,
    "activityDisplayName": _activity,
    "category": _category,
    "correlationId": lambda item: item.id,
    "initiatedBy/user/id": lambda item: item.by_user,
    "initiatedBy/app/appId": lambda item: item.by_app,
    "targetResources/id": lambda item: [item.target_id, *(each[0] for each in item.beside)],
    "targetResources/displayName": lambda item: [item.target_name, *(each[1] for each in item.beside)],
}
ROUTES = (
    ("GET", "auditLogs/directoryAudits", "listDirectoryAudits", _list),
    ("GET", "auditLogs/directoryAudits/{}", "getDirectoryAudit", _get),
)
