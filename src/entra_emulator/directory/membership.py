"""Which groups somebody is in, directly and through other groups; and what tokens say of it.

Sources: https://learn.microsoft.com/security/zero-trust/develop/configure-tokens-group-claims-app-roles (`groupMembershipClaims`,
200 groups at most in a JSON Web Token, and what it holds instead); the address in `_claim_sources` is an older one, of a service
that is gone, in Entra ID as well.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.directory.directory import Application, Assignee, Tenant, User
from entra_emulator.directory.grants import Grant
from entra_emulator.directory.groups import Group

MOST_IN_A_TOKEN = 200
_CLAIMS_OF_GROUPS = frozenset({"SecurityGroup", "All"})


def groups_of(tenant: Tenant, member: str) -> list[Group]:
    """The groups that have this member, the groups that have those, and so on."""
    found: dict[str, Group] = {}
    waiting = [member]
    while waiting:
        member = waiting.pop()
        for group in tenant.groups.values():
            if member in group.members and group.object_id not in found:
                found[group.object_id] = group
                waiting.append(group.object_id)
    return list(found.values())


def with_groups(tenant: Tenant, member: str) -> set[str]:
    """The object ids that an assignment may name to be one of this member: its own, and those of its groups."""
    return {member, *(group.object_id for group in groups_of(tenant, member))}


def given_roles(tenant: Tenant, member: Assignee, replica: int, now: float, resource_app_id: str) -> list[Grant]:
    """The app roles of that resource which somebody was given, as the replica knows them: their own, a user's by direct groups.

    Source: https://learn.microsoft.com/graph/api/resources/approleassignment.
    """
    groups = tenant.groups.values() if isinstance(member, User) else ()
    of_groups = (grant for group in groups if member.object_id in group.members for grant in group.grants)
    return [
        grant
        for grant in (*member.grants, *of_groups)
        if grant.resource_app_id == resource_app_id and grant.presence.visible("token", replica, now)
    ]


def app_roles(tenant: Tenant, member: Assignee, replica: int, now: float, resource_app_id: str) -> list[str]:
    """The names of these roles as tokens tell them."""
    given = given_roles(tenant, member, replica, now, resource_app_id)
    return list(dict.fromkeys(grant.role for grant in given if grant.in_tokens))


def group_claims(tenant: Tenant, application: Application, user_id: str) -> dict[str, Any]:
    """What a token for the application says of the groups of a user; nothing where it is not configured to."""
    kinds = {kind.strip() for kind in str(application.properties.get("groupMembershipClaims") or "").split(",")}
    if not kinds & _CLAIMS_OF_GROUPS:
        return {}
    ids = [group.object_id for group in groups_of(tenant, user_id) if group.security_enabled or "All" in kinds]
    if len(ids) <= MOST_IN_A_TOKEN:
        return {"groups": ids} if ids else {}
    endpoint = f"https://graph.windows.net/{tenant.id}/users/{user_id}/getMemberObjects"
    return {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": endpoint}}}
