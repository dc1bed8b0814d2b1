"""People and what they agree to: users, their roles, consent, and walking a sign-in."""

from __future__ import annotations

import threading
from collections.abc import Callable

from entra_emulator.core.wire import Request, Response
from entra_emulator.directory.azure_roles import OWNER, RoleAssignment
from entra_emulator.directory.directory import GRAPH_APP_ID, Application, ServicePrincipal, Tenant, User, new_guid
from entra_emulator.directory.grants import Grant
from entra_emulator.directory.groups import Group
from entra_emulator.directory.keys import SigningKey
from entra_emulator.directory.redirects import PLATFORMS, redirects
from entra_emulator.directory.replicas import everywhere, object_presence
from entra_emulator.directory.roles import TEMPLATES
from entra_emulator.directory.world import World
from entra_emulator.sign_in import consents
from entra_emulator.sign_in.browser import Browser
from entra_emulator.sign_in.scopes import scopes_of


class People:
    """The half of `Admin` that is about people, and about what applications are allowed."""

    def __init__(self, world: World, lock: threading.RLock, seed: int, answer: Callable[[Request], Response]) -> None:
        self._world = world
        self._lock = lock
        self._seed = seed
        self._answer = answer

    def create_user(self, tenant: str, display_name: str, *, roles: tuple[str, ...] = ()) -> str:
        """Makes a user with these directory roles and gives its object id. Raises ValueError for an unknown role."""
        with self._lock:
            home = self._tenant(tenant)
            address = f"{display_name.replace(' ', '.')}@{home.domains[0]}"
            now = self._world.clock.now()
            user = User(new_guid(self._world.rng), display_name, address, _known(roles), created_at=now)
            home.users[user.object_id] = user
            return user.object_id

    def set_user(self, user: str, *, roles: tuple[str, ...] | None = None, enabled: bool | None = None) -> None:
        """Changes a user's directory roles, or blocks their sign-in. Tokens that were issued keep the old roles."""
        with self._lock:
            _, person = self._user(user)
            if roles is not None:
                person.roles = _known(roles)
            if enabled is not None:
                person.enabled, person.changed_at = enabled, self._world.clock.now()
                person.revoked_at = person.revoked_at if enabled else self._world.clock.now()

    def delete_user(self, user: str) -> None:
        """Deletes a user, who can be restored for a while; what they own and consented to stays behind."""
        with self._lock:
            home, person = self._user(user)
            home.delete_user(person, self._world.clock.now())

    def create_group(self, tenant: str, display_name: str, *, members: tuple[str, ...] = ()) -> str:
        """Makes a security group with these members (object ids) and gives its object id."""
        with self._lock:
            home = self._tenant(tenant)
            nickname = "".join(letter for letter in display_name.lower() if letter.isalnum()) or "group"
            group = Group(
                new_guid(self._world.rng), display_name, nickname, self._world.clock.now(), members=list(members)
            )
            home.groups[group.object_id] = group
            return group.object_id

    def set_members(self, group: str, *members: str) -> None:
        """Replaces the members (object ids) of a group. Raises ValueError for an unknown group."""
        with self._lock:
            homes = [home for home in self._world.directory.tenants.values() if group in home.groups]
            if not homes:
                raise ValueError(f"no group {group}")
            target, now = homes[0].groups[group], self._world.clock.now()
            target.set_members(members, now)
            target.changed_at = now

    def set_group_claims(self, application: str, kinds: str | None) -> None:
        """Sets `groupMembershipClaims` of an application, such as `SecurityGroup`; None: its tokens tell no groups."""
        with self._lock:
            target = self.application(application)
            target.properties["groupMembershipClaims"], target.changed_at = kinds, self._world.clock.now()

    def change_signing_key(self, key: SigningKey) -> None:
        """Signs with another key from now on, the only one that is published; Graph knows no token of the one before."""
        with self._lock:
            self._world.signing = key

    def revoke_sessions(self, user: str) -> None:
        """Ends all browser sessions and refresh tokens of a user, and the access tokens of clients that declared CP1."""
        with self._lock:
            _, person = self._user(user)
            person.revoke(self._world.clock.now())

    def set_redirect_uris(self, application: str, *uris: str, platform: str = "web") -> None:
        """Replaces the redirect URIs of an application, on the platform `web`, `spa` (pages) or `publicClient` (native).

        Raises ValueError for what could not be registered.
        """
        if platform not in PLATFORMS:
            raise ValueError(f"platform is one of {', '.join(PLATFORMS)}")
        with self._lock:
            target = self.application(application)
            properties, target.changed_at = target.properties, self._world.clock.now()
            properties[platform] = properties.get(platform, {}) | redirects(platform, list(uris))

    def consent(
        self,
        application: str,
        *scopes: str,
        user: str | None = None,
        tenant: str | None = None,
        resource_app_id: str = GRAPH_APP_ID,
    ) -> None:
        """Consents to delegated permissions for one user, or for everyone of the tenant: the application's, or `tenant`.

        Known to all replicas at once. Raises ValueError for permissions that the resource does not have.
        """
        unknown = set(scopes) - set(scopes_of(self._world.directory, resource_app_id))
        if unknown:
            raise ValueError(f"the resource has no delegated permission {min(unknown)}")
        with self._lock:
            target = self.application(application)
            home, person = self._user(user) if user else (self._tenant(tenant or target.tenant_id), None)
            presence = everywhere(self._world.clock.now())
            consents.join(self._world, home, target)
            consents.add(self._world, home, target.app_id, resource_app_id, set(scopes), person, presence)

    def withdraw_consent(self, application: str) -> None:
        """Takes back all consent to delegated permissions, in all tenants; access tokens that were issued keep theirs."""
        with self._lock:
            app_id = self.application(application).app_id
            for home in self._world.directory.tenants.values():
                for key in [key for key, item in home.consents.items() if item.app_id == app_id]:
                    del home.consents[key]

    def authorize(
        self, url: str, *, user: str, decline: bool = False, cancel: bool = False, everyone: bool = False
    ) -> str:
        """Walks the sign-in that begins at this /authorize or admin consent address, in a fresh browser.

        Gives the address at which the client is called back. `user` is an object id or a principal name. It declines
        the consent, cancels at the first page, or consents for everyone where told to. Raises SignInStopped where the
        emulator shows an error instead, and ValueError for an unknown user.
        """
        with self._lock:
            _, person = self._user(user)
            browser = Browser(self._answer)
            return browser.sign_in(url, person.object_id, decline=decline, cancel=cancel, everyone=everyone)

    def create_subscription(self, tenant: str, name: str, *, owners: tuple[str, ...] = ()) -> str:
        """Makes an Azure subscription, gives these principals the role Owner in it, and gives its id."""
        with self._lock:
            home, rng = self._tenant(tenant), self._world.rng
            subscription = new_guid(rng)
            home.azure.subscriptions[subscription] = name
            for owner in owners:
                key, now = new_guid(rng), self._world.clock.now()
                scope, kind = f"/subscriptions/{subscription}", "User" if owner in home.users else "ServicePrincipal"
                home.azure.assignments[key] = RoleAssignment(key, scope, OWNER, owner, kind, now)
            return subscription

    def approve_device(self, user_code: str, *, user: str, decline: bool = False) -> None:
        """Types the code of another device, picks this user, and accepts; or declines. Raises ValueError for an unknown user.

        Raises SignInStopped where the emulator shows an error instead.
        """
        with self._lock:
            _, person = self._user(user)
            Browser(self._answer).approve_device(user_code, person.object_id, decline=decline)

    def grant(
        self, principal_id: str, *roles: str, resource_app_id: str = GRAPH_APP_ID, replicated: bool = False
    ) -> None:
        """Gives a service principal application permissions; those it has already are left alone.

        With `replicated` each replica learns of them only in its own time.
        """
        with self._lock:
            principal = self._principal(principal_id)
            present = {item.role for item in principal.grants if item.resource_app_id == resource_app_id}
            now, rng = self._world.clock.now(), self._world.rng
            settings = self._world.directory.tenants[principal.tenant_id].settings
            for role in roles:
                if role not in present:
                    presence = object_presence(now, settings, rng) if replicated else everywhere(now)
                    principal.grants.append(Grant(new_guid(rng), resource_app_id, role, presence))

    def withdraw(self, principal_id: str, *roles: str) -> None:
        """Takes application permissions away at once; tokens that were issued keep them."""
        with self._lock:
            principal = self._principal(principal_id)
            principal.grants = [item for item in principal.grants if item.role not in roles]

    def application(self, name: str) -> Application:
        """The application itself, by object id or app id. Raises ValueError if there is none."""
        directory = self._world.directory
        application = directory.application(name)
        for tenant in directory.tenants.values():
            application = application or tenant.applications.get(name)
        if application is None:
            raise ValueError(f"no application {name}")
        return application

    def _tenant(self, name: str) -> Tenant:
        tenant = self._world.directory.tenant(name)
        if tenant is None:
            raise ValueError(f"no tenant {name}")
        return tenant

    def _principal(self, object_id: str) -> ServicePrincipal:
        for tenant in self._world.directory.tenants.values():
            if object_id in tenant.principals:
                return tenant.principals[object_id]
        raise ValueError(f"no service principal {object_id}")

    def _user(self, name: str) -> tuple[Tenant, User]:
        for tenant in self._world.directory.tenants.values():
            for key, user in tenant.users.items():
                if name == key or name.lower() == user.principal_name.lower():
                    return tenant, tenant.users[key]
        raise ValueError(f"no user {name}")


def _known(roles: tuple[str, ...]) -> list[str]:
    unknown = set(roles) - set(TEMPLATES)
    if unknown:
        raise ValueError(f"unknown directory role {min(unknown)}")
    return list(roles)
