"""Applications that only those may use who were assigned to them (`appRoleAssignmentRequired`).

Source of both refusals: https://doc.nais.io/security/auth/azure-ad/faq-troubleshooting/. That a group hands its assignments to
its direct members, and that a role without a value is one: https://learn.microsoft.com/graph/api/resources/approleassignment.
"""

from __future__ import annotations

from entra_emulator.directory.directory import ServicePrincipal, User
from entra_emulator.directory.membership import given_roles
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_errors import StsError


def check_application_assigned(call: Call, principal: ServicePrincipal, audience: str, resource_app_id: str) -> None:
    """Raises StsError 501051 where the resource wants an assignment that this service principal does not have."""
    resource = _wanting(call, resource_app_id)
    if (
        resource is None
        or resource is principal
        or given_roles(call.home(), principal, call.replica, call.now, resource_app_id)
    ):
        return
    raise StsError(
        501051,
        f"Application '{principal.app_id}'({principal.display_name}) is not assigned to a role for the application "
        f"'{audience}'({resource.display_name}).",
    )


def check_user_assigned(call: Call, user: User, *app_ids: str) -> None:
    """Raises StsError 50105 where one of these applications wants an assignment that this user does not have."""
    for app_id in app_ids:
        wanting = _wanting(call, app_id)
        if wanting is not None and not given_roles(call.home(), user, call.replica, call.now, app_id):
            raise StsError(
                50105,
                f"Your administrator has configured the application {wanting.display_name} ('{app_id}') to block users unless "
                f"they are specifically granted ('assigned') access to the application. The signed in user "
                f"'{user.principal_name}' is blocked because they are not a direct member of a group with access, nor had "
                "access directly assigned by an administrator. Please contact your administrator to assign access to this "
                "application.",
            )


def _wanting(call: Call, app_id: str) -> ServicePrincipal | None:
    principal = call.world.directory.principal(call.home(), app_id)
    return principal if principal and principal.properties.get("appRoleAssignmentRequired") else None
