"""Who agreed that which client may do what on whose behalf."""

from __future__ import annotations

from entra_emulator.directory.directory import GRAPH_APP_ID, Application, ServicePrincipal, Tenant, User, new_guid
from entra_emulator.directory.first_party import CLIENTS
from entra_emulator.directory.grants import Consent, Grant
from entra_emulator.directory.replicas import Presence, everywhere, object_presence
from entra_emulator.directory.requested_scopes import RequestedScopes
from entra_emulator.directory.roles import CONSENT_TO_SCOPES, roles_of
from entra_emulator.directory.world import Call, World
from entra_emulator.sign_in.scopes import OIDC, configured, scopes_of
from entra_emulator.tokens.sts_errors import StsError

Permissions = dict[str, set[str]]
"""Resource app id -> names of delegated permissions."""


def granted(call: Call, app_id: str, user: User, resource_app_id: str) -> set[str]:
    """The delegated permissions that the answering replica knows to be consented to, for everyone or for this user."""
    if app_id in CLIENTS:
        return set(scopes_of(call.world.directory, resource_app_id))
    return {
        scope
        for item in _consents(call, app_id, user)
        if item.resource_app_id == resource_app_id
        for scope in item.scopes
    }


def _consents(call: Call, app_id: str, user: User) -> list[Consent]:
    return [
        item
        for item in call.home().consents.values()
        if item.app_id == app_id
        and item.user_id in {None, user.object_id}
        and item.presence.visible("token", call.replica, call.now)
    ]


def needed_permissions(
    call: Call, application: Application, user: User, scopes: RequestedScopes, *, again: bool = False
) -> Permissions:
    """All that this request needs consent for, given or not.

    `.default` needs what is configured for all resources, unless something is granted on that resource already and
    it is not asked `again`. Raises StsError 650057 where neither is the case.
    """
    permissions: Permissions = {GRAPH_APP_ID: set(scopes.oidc)} if scopes.oidc else {}
    for resource in scopes.resources:
        permissions.setdefault(resource.app_id, set()).update(resource.names)
        if resource.default and (again or not granted(call, application.app_id, user, resource.app_id) - OIDC):
            configured_permissions = configured(call.world.directory, application)
            if resource.app_id not in configured_permissions:
                raise _not_listed(call, application, resource.app_id)
            for app_id, names in configured_permissions.items():
                permissions.setdefault(app_id, set()).update(names)
    return permissions


def missing(call: Call, application: Application, user: User, scopes: RequestedScopes) -> Permissions:
    """What nobody has consented to yet. Raises StsError 650057.

    Of what is asked for with each sign-in (`openid`, `offline_access`, ...) nothing is missing where anything was consented to:
    an administrator consents to what is configured only, and nobody is asked again (assumed).
    """
    every, app_id = needed_permissions(call, application, user, scopes), application.app_id
    free = OIDC if _consents(call, app_id, user) else frozenset()
    gaps = {resource: names - free - granted(call, app_id, user, resource) for resource, names in every.items()}
    return {resource: names for resource, names in gaps.items() if names}


def may_consent(call: Call, user: User, scopes: Permissions) -> bool:
    """Whether this user may consent to all of it for themselves."""
    if is_admin(call, user):
        return True
    known = {app_id: scopes_of(call.world.directory, app_id) for app_id in scopes}
    needs_admin = any(known[app_id][name].admin for app_id, names in scopes.items() for name in names)
    return call.settings.users_may_consent and not needs_admin


def is_admin(call: Call, user: User) -> bool:
    """Whether this user may consent for everyone."""
    return bool(CONSENT_TO_SCOPES & set(roles_of(call.home(), user)))


def give(world: World, tenant: Tenant, application: Application, scopes: Permissions, user: User | None) -> None:
    """Records consent of one user, or of everyone where `user` is None; each replica learns of it in its own time."""
    now, rng = world.clock.now(), world.rng
    join(world, tenant, application)
    for app_id, names in scopes.items():
        presence = object_presence(now, tenant.settings, rng)
        add(world, tenant, application.app_id, app_id, names, user, presence)


def add(
    world: World,
    tenant: Tenant,
    app_id: str,
    resource_app_id: str,
    names: set[str],
    user: User | None,
    presence: Presence,
) -> None:
    """Records one grant; what is already granted to the same user is not repeated."""
    user_id = user.object_id if user else None
    present = {
        name
        for item in tenant.consents.values()
        if (item.app_id, item.resource_app_id, item.user_id) == (app_id, resource_app_id, user_id)
        for name in item.scopes
    }
    if names - present:
        consent = Consent(new_guid(world.rng), app_id, resource_app_id, user_id, names - present, presence)
        tenant.consents[consent.id] = consent


def give_roles(world: World, tenant: Tenant, application: Application, roles: Permissions) -> None:
    """Grants application permissions that the service principal does not hold yet; replicas learn of them later."""
    principal = world.directory.principal(tenant, application.app_id)
    if principal is None:
        return
    now, rng = world.clock.now(), world.rng
    for app_id, names in roles.items():
        present = {item.role for item in principal.grants if item.resource_app_id == app_id}
        for name in sorted(names - present):
            presence = object_presence(now, tenant.settings, rng)
            principal.grants.append(Grant(new_guid(rng), app_id, name, presence))


def join(world: World, tenant: Tenant, application: Application) -> None:
    """The first consent brings the application into the tenant: it has a service principal there from now on."""
    if world.directory.principal(tenant, application.app_id) is not None:
        return
    now, rng = world.clock.now(), world.rng
    world.directory.add_principal(
        ServicePrincipal(
            new_guid(rng),
            application.app_id,
            tenant.id,
            application.display_name,
            now,
            everywhere(now),
            names=list(application.identifier_uris),
        )
    )


def _not_listed(call: Call, application: Application, resource_app_id: str) -> StsError:
    listed = ", ".join(configured(call.world.directory, application))
    return StsError(
        650057,
        "Invalid resource. The client has requested access to a resource which is not listed in the requested "
        f"permissions in the client's application registration. Client app ID: {application.app_id}"
        f"({application.display_name}). Resource value from request: {resource_app_id}. Resource app ID: "
        f"{resource_app_id}. List of valid resources from app registration: {listed}.",
    )
