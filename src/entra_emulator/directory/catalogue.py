"""The permissions that Microsoft Graph offers, as far as the emulator knows them.

Source of names and ids: https://learn.microsoft.com/graph/permissions-reference.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

ROLE_IDS = {
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Directory.ReadWrite.All": "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    "Policy.Read.All": "246dd0d5-5bd0-4def-940b-0421030a5b68",
    "Policy.ReadWrite.ApplicationConfiguration": "be74164b-cff1-491c-8741-e671cb536e13",
    "AuditLog.Read.All": "b0afded3-3588-46d8-8b3d-9842eff778da",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.ReadWrite.All": "741f803b-c850-494e-b5df-cde7c675a1ca",
    "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b",
    "Group.ReadWrite.All": "62a82d76-70ea-41e2-9197-370581804d09",
    "GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "GroupMember.ReadWrite.All": "dbaae8cf-10b5-4b86-a4a1-f871c94c6695",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    "Domain.Read.All": "dbb9058a-0e50-45d7-ae91-66909b5d4664",
    "User.RevokeSessions.All": "77f3a031-c388-4f99-b373-dc68676a979e",
    "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
    "DelegatedPermissionGrant.Read.All": "81b4724a-58aa-41c1-8a55-84ef97466587",
    "DelegatedPermissionGrant.ReadWrite.All": "8e8e4742-1d95-4f68-9d56-6ee75648c72a",
    "RoleManagement.Read.Directory": "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
    "RoleManagement.ReadWrite.Directory": "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8",
    "CustomSecAttributeAssignment.Read.All": "3b37c5a4-1226-493d-bec3-5d6c6b866f3f",
    "CustomSecAttributeAssignment.ReadWrite.All": "de89b5e4-5b8f-48eb-8925-29c2b33bd8bd",
}
"""Application permissions, by name."""


def role_id(role: str) -> str:
    """The GUID of an application permission; for unknown names one that depends on the name only."""
    return ROLE_IDS.get(role) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"app-role:{role}"))


def role_of(guid: str) -> str | None:
    """The application permission of Graph with this GUID."""
    return next((name for name, value in ROLE_IDS.items() if value == guid), None)


@dataclass(frozen=True, slots=True)
class Scope:
    """One delegated permission, as the consent page shows it. `admin`: only an administrator can consent to it."""

    id: str
    title: str
    admin: bool = False


GRAPH_SCOPES = {
    "openid": Scope("37f7f235-527c-4136-accd-4a02d197296e", "Sign you in"),
    "profile": Scope("14dad69e-099b-42c9-810b-d002981feec1", "View your basic profile"),
    "email": Scope("64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0", "View your email address"),
    "offline_access": Scope(
        "7427e0e9-2fba-42fe-b0c0-848c9e6a8182", "Maintain access to data you have given it access to"
    ),
    "User.Read": Scope("e1fe6dd8-ba31-4d61-89e7-88639da4683d", "Sign you in and read your profile"),
    "User.ReadBasic.All": Scope("b340eb25-3456-403f-be2f-af7a0d370277", "Read all users' basic profiles"),
    "User.Read.All": Scope("a154be20-db9c-4678-8ab7-66f6cc099a59", "Read all users' full profiles", admin=True),
    "Application.Read.All": Scope("c79f8feb-a9db-4090-85f9-90d820caa0eb", "Read applications", admin=True),
    "Application.ReadWrite.All": Scope(
        "bdfbf15f-ee85-4955-8675-146e8e5296b5", "Read and write all applications", admin=True
    ),
    "Directory.Read.All": Scope("06da0dbc-49e2-44d2-8312-53f166ab848a", "Read directory data", admin=True),
    "Directory.ReadWrite.All": Scope(
        "c5366453-9fb0-48a5-a156-24f0c49a4b84", "Read and write directory data", admin=True
    ),
    "Directory.AccessAsUser.All": Scope(
        "0e263e50-5827-48a4-b97c-d940288653c7", "Access the directory as you", admin=True
    ),
    "AuditLog.Read.All": Scope("e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20", "Read audit log data", admin=True),
    "RoleManagement.Read.Directory": Scope(
        "741c54c3-0c1e-44a1-818b-3f97ab4e8c83", "Read directory role-based access control settings", admin=True
    ),
    "RoleManagement.ReadWrite.Directory": Scope(
        "d01b97e9-cbc0-49fe-810a-750afd5527a3",
        "Read and write directory role-based access control settings",
        admin=True,
    ),
    "Organization.Read.All": Scope("4908d5b9-3fb2-4b1e-9336-1888b7937185", "Read organization information", admin=True),
    "Policy.Read.All": Scope("572fea84-0151-49b2-9301-11cb16974376", "Read your organization's policies", admin=True),
    "Policy.ReadWrite.ApplicationConfiguration": Scope(
        "b27add92-efb2-4f16-84f5-8108ba77985c", "Read and write your organization's application policies", admin=True
    ),
}
"""Delegated permissions, by name."""
