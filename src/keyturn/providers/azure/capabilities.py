"""What a token may do, in words: each capability with what grants it, what is missing, and the exact fix. Pure."""

from collections.abc import Callable, Collection
from functools import partial

from keyturn.ports.provider import AccessToken, Capability
from keyturn.providers.azure.error_mapping import principal_of

GRAPH = "00000003-0000-0000-c000-000000000000"
WRITE_ALL = "Application.ReadWrite.All"
WRITE_OWNED = "Application.ReadWrite.OwnedBy"
READ_ALL = "Application.Read.All"
DIRECTORY_WRITE = "Directory.ReadWrite.All"
AUDIT_READ = "AuditLog.Read.All"
POLICY_READ = "Policy.Read.All"
ATTRIBUTES_READ = "CustomSecAttributeAssignment.Read.All"
POLICY_READERS = frozenset(
    {POLICY_READ, "Policy.Read.ApplicationConfiguration", "Policy.ReadWrite.ApplicationConfiguration"}
)
READERS = frozenset({READ_ALL, WRITE_ALL, "Directory.Read.All", DIRECTORY_WRITE})

ROLE_IDS = {
    READ_ALL: "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    WRITE_ALL: "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    WRITE_OWNED: "18a4783c-866b-4cc7-a460-3d5e5662c884",
    DIRECTORY_WRITE: "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    AUDIT_READ: "b0afded3-3588-46d8-8b3d-9842eff778da",
    POLICY_READ: "246dd0d5-5bd0-4def-940b-0421030a5b68",
    ATTRIBUTES_READ: "3b37c5a4-1226-493d-bec3-5d6c6b866f3f",
}
"""Ids of Microsoft Graph's application permissions."""

SCOPE_IDS = {
    WRITE_ALL: "bdfbf15f-ee85-4955-8675-146e8e5296b5",
    READ_ALL: "c79f8feb-a9db-4090-85f9-90d820caa0eb",
    AUDIT_READ: "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20",
    POLICY_READ: "572fea84-0151-49b2-9301-11cb16974376",
}
"""Ids of Microsoft Graph's delegated permissions."""

ADMINISTRATORS = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
}
"""Roles of the directory whose holders may change every application."""

_UNKNOWN = "The token cannot be read, so this shows only when it is tried."


def may_hold(token: AccessToken, permissions: Collection[str]) -> bool:
    """Whether the token has one of these permissions, as far as it tells: of one that cannot be read nothing is known."""
    granted = token.scopes if token.on_behalf else token.roles
    is_known = bool(token.scopes) if token.on_behalf else token.principal_id is not None
    return not is_known or any(name in granted for name in permissions)


def capabilities(token: AccessToken, app_id: str) -> list[Capability]:
    """Say what the token lets the connection do. ``app_id`` is the application that permissions are granted to."""
    return _of_person(token, app_id) if token.on_behalf else _of_application(token, app_id)


def _of_application(token: AccessToken, app_id: str) -> list[Capability]:
    roles, is_known = frozenset(token.roles), token.principal_id is not None
    reader = next(iter(sorted(READERS & roles)), None)
    owned = WRITE_OWNED in roles
    return [
        _capability(
            "list-applications",
            is_known,
            reader,
            "Lists all applications of the tenant",
            "Only applications that the connection owns are listed, which is enough to rotate them."
            if owned
            else "May not list applications.",
            grant(app_id, READ_ALL) if not owned else None,
        ),
        _capability(
            "read-application",
            is_known,
            reader or (WRITE_OWNED if owned else None),
            "Reads applications and the dates of their secrets",
            "May not read applications.",
            _grant_owned(app_id, token),
        ),
        _capability(
            "change-owned-secrets",
            is_known,
            WRITE_ALL if WRITE_ALL in roles else (WRITE_OWNED if owned else None),
            "Adds and removes secrets of applications that its service principal owns",
            "May not add and remove secrets.",
            _grant_owned(app_id, token),
        ),
        _capability(
            "change-all-secrets",
            is_known,
            WRITE_ALL if WRITE_ALL in roles else None,
            "Adds and removes secrets of every application of the tenant",
            "May not change applications that it does not own. That is the least privilege: nothing to do.",
            None,
            _less(token, app_id),
        ),
        *_evidence(roles, is_known, partial(grant, app_id)),
    ]


def _evidence(granted: frozenset[str], is_known: bool, how: Callable[[str], str]) -> list[Capability]:
    """Return what opens evidence: none of it is needed to rotate. ``how`` says how a permission is granted."""
    held = {name: name if name in granted else None for name in (AUDIT_READ, POLICY_READ, ATTRIBUTES_READ)}
    return [
        _capability(
            "read-sign-ins",
            is_known,
            held[AUDIT_READ],
            "Reads who still signs in with a secret that was replaced, where the tenant has Entra ID P1 or P2",
            "May not read sign-in logs: whether a secret that was replaced is still used shows only where programs say so.",
            how(AUDIT_READ),
        ),
        _capability(
            "read-policies",
            is_known,
            next((name for name in sorted(POLICY_READERS) if name in granted), None),
            "Reads before the first write whether a policy of the tenant forbids it",
            "May not read policies: that one forbids new secrets shows only when a rotation is refused.",
            how(POLICY_READ),
        ),
        _capability(
            "read-exemptions",
            is_known,
            held[ATTRIBUTES_READ],
            "Reads whether its own principal is exempted from such a policy by a custom security attribute",
            "May not read custom security attributes. Only tenants that exempt principals from policies need this.",
            None,
        ),
    ]


def _of_person(token: AccessToken, app_id: str) -> list[Capability]:
    scopes, is_known = frozenset(token.scopes), bool(token.scopes)
    reader = next(iter(sorted(READERS & scopes)), None)
    writer = WRITE_ALL if WRITE_ALL in scopes else None
    role = next((name for key, name in ADMINISTRATORS.items() if key in token.directory_roles), None)
    fix = _consent(app_id, WRITE_ALL)
    everything = _capability(
        "change-all-secrets",
        is_known,
        f"{writer} and the role {role}" if writer and role else None,
        "Adds and removes secrets of every application of the tenant",
        "May not change applications that the person does not own."
        + ("" if writer else f" The delegated permission {WRITE_ALL} is missing."),
        "For applications of others the person needs the role Cloud Application Administrator. Portal: Entra ID > Roles & "
        "administrators > Cloud Application Administrator > Add assignments."
        if writer
        else fix,
    )
    if writer and not token.directory_roles:
        everything = Capability(
            "change-all-secrets", None, "Depends on the person's role, which the token does not tell."
        )
    return [
        _capability(
            "list-applications",
            is_known,
            reader,
            "Lists all applications of the tenant",
            "May not list applications.",
            fix,
        ),
        _capability(
            "read-application",
            is_known,
            reader,
            "Reads applications and the dates of their secrets",
            "May not read applications.",
            fix,
        ),
        _capability(
            "change-owned-secrets",
            is_known,
            writer,
            "Adds and removes secrets of applications that the person owns",
            "May not add and remove secrets.",
            fix,
        ),
        everything,
        *_evidence(scopes, is_known, partial(_consent, app_id)),
    ]


def _capability(
    name: str, is_known: bool, by: str | None, can: str, cannot: str, fix: str | None, less: str | None = None
) -> Capability:
    """``fix`` is what grants it; ``less`` is what to do when it is granted and not needed."""
    if by:
        return Capability(name, allowed=True, message=f"{can} ({by}).", fix=less)
    if not is_known:
        return Capability(name, allowed=None, message=_UNKNOWN)
    return Capability(name, allowed=False, message=cannot, fix=fix)


def _less(token: AccessToken, app_id: str) -> str | None:
    """How to get along with less, when an application has more than rotation needs."""
    excess = [name for name in (WRITE_ALL, DIRECTORY_WRITE) if name in token.roles]
    if not excess:
        return None
    names = " and ".join(excess)
    away = " ".join(f"{ROLE_IDS[name]}=Role" for name in excess)
    return (
        f"More than rotation needs: {WRITE_OWNED} and ownership are enough. {_grant_owned(app_id, token)} Then remove "
        f"{names}: `az ad app permission delete --id {app_id} --api {GRAPH} --api-permissions {away}`, and revoke it in "
        "Portal: Entra ID > Enterprise applications > the application > Permissions."
    )


def grant(app_id: str, permission: str) -> str:
    """Return how to grant an application permission to this application, in the portal and by commands."""
    return (
        f"Grant the application permission {permission}. Portal: Entra ID > App registrations > the application > "
        "API permissions > Add a permission > Microsoft Graph > Application permissions, then Grant admin consent. "
        f"Commands: `az ad app permission add --id {app_id} --api {GRAPH} "
        f"--api-permissions {ROLE_IDS[permission]}=Role`, `az ad app permission admin-consent --id {app_id}`."
    )


def _grant_owned(app_id: str, token: AccessToken) -> str:
    owner = token.principal_id or principal_of(app_id)
    return (
        f"{grant(app_id, WRITE_OWNED)} Make it an owner of each application it rotates. Of its own: "
        f"`az ad app owner add --id {app_id} --owner-object-id {owner}`."
    )


def _consent(app_id: str, permission: str) -> str:
    return (
        f"Grant the delegated permission {permission} to this server's OAuth application, then connect again. Portal: "
        "Entra ID > App registrations > the application > API permissions > Add a permission > Microsoft Graph > Delegated "
        f"permissions, then Grant admin consent. Commands: `az ad app permission add --id {app_id} --api {GRAPH} "
        f"--api-permissions {SCOPE_IDS[permission]}=Scope`, `az ad app permission admin-consent --id {app_id}`."
    )
