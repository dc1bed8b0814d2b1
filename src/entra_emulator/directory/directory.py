"""The state of the simulated directory: tenants, applications, service principals and what belongs to them."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from entra_emulator.directory.app_policies import Policy
from entra_emulator.directory.azure_roles import AzureRoles
from entra_emulator.directory.grants import Consent, Grant
from entra_emulator.directory.groups import Group
from entra_emulator.directory.replicas import Plane, Presence
from entra_emulator.directory.table import Table
from entra_emulator.directory.vaults import Vault
from entra_emulator.faults.faults import Settings

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
PERSONAL_AUDIENCES = frozenset({"AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"})
AUDIENCES = PERSONAL_AUDIENCES | {"AzureADMyOrg", "AzureADMultipleOrgs"}


def new_guid(rng: random.Random) -> str:
    """A random GUID of version 4."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def as_guid(text: object) -> str | None:
    """The canonical form of a GUID in its hyphenated form and any case; None for anything else."""
    if not isinstance(text, str) or len(text) != 36 or text.count("-") != 4:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


@dataclass(slots=True)
class PasswordCredential:
    """A client secret. `value` is known to the token endpoint only; Graph shows it once."""

    key_id: str
    display_name: str | None
    start: float
    end: float
    value: str
    presence: Presence
    hinted: bool = True
    custom_key_identifier: str | None = None
    """Secrets from before Microsoft Graph have their name there, and no displayName."""

    @property
    def hint(self) -> str | None:
        """The first three characters, as Graph shows them; its schema lets them be missing.

        Source: https://learn.microsoft.com/graph/api/resources/passwordcredential.
        """
        return self.value[:3] if self.hinted else None


@dataclass(slots=True)
class KeyCredential:
    """A certificate."""

    key_id: str
    display_name: str | None
    start: float
    end: float
    der: bytes
    sha1: bytes
    sha256: bytes
    public_key: RSAPublicKey
    presence: Presence
    custom_key_identifier: str | None = None
    """What a client chose; the thumbprint where it chose nothing."""
    thumbprinted: bool = True
    """Whether the customKeyIdentifier is shown where nothing was chosen; the schema lets it be null."""


@dataclass(slots=True)
class FederatedCredential:
    """Trust in the tokens that another issuer signs for one subject, or for those that fit an expression."""

    id: str
    name: str
    issuer: str
    subject: str
    audiences: list[str]
    presence: Presence
    description: str | None = None
    expression: str = ""


@dataclass(slots=True)
class Holder:
    """What applications and service principals have in common: an identity, owners and credentials."""

    object_id: str
    app_id: str
    tenant_id: str
    display_name: str
    created_at: float
    presence: Presence
    owners: list[str] = field(default_factory=list)
    passwords: list[PasswordCredential] = field(default_factory=list)
    keys: list[KeyCredential] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    """Declared properties that were set and have no field of their own, by their name in Graph."""
    template_id: str | None = None
    """The template of the gallery that it was made from."""
    deleted_at: float | None = None
    last_write: float = float("-inf")
    policy_ids: list[str] = field(default_factory=list)
    """App management policies that are assigned to it: none, or one."""
    changed_at: float = float("-inf")
    """When a property or credential of it changed last."""

    def passwords_seen(self, plane: Plane, replica: int, now: float) -> list[PasswordCredential]:
        """The client secrets that this replica knows of now."""
        return [item for item in self.passwords if item.presence.visible(plane, replica, now)]

    def keys_seen(self, plane: Plane, replica: int, now: float) -> list[KeyCredential]:
        """The certificates that this replica knows of now."""
        return [item for item in self.keys if item.presence.visible(plane, replica, now)]

    def passwords_held(self) -> list[PasswordCredential]:
        """The client secrets that are truly there, whatever any replica shows."""
        return [item for item in self.passwords if not item.presence.removed]

    def keys_held(self) -> list[KeyCredential]:
        """The certificates that are truly there, whatever any replica shows."""
        return [item for item in self.keys if not item.presence.removed]

    def credentials_held(self) -> list[PasswordCredential | KeyCredential]:
        """The secrets and certificates that exist, whether or not every replica knows."""
        return [*self.passwords_held(), *self.keys_held()]

    def forget_gone(self, now: float) -> None:
        """Drops removed credentials that no replica shows any more."""
        self.passwords = [item for item in self.passwords if not item.presence.gone(now)]
        self.keys = [item for item in self.keys if not item.presence.gone(now)]


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """An identity that Azure gives to the machine this service stands for: its own, or one that a user assigned to it."""

    tenant_id: str
    principal_id: str
    client_id: str
    resource_id: str
    system: bool


@dataclass(slots=True)
class Application(Holder):
    """An application object."""

    audience: str = "AzureADMyOrg"
    identifier_uris: list[str] = field(default_factory=list)
    token_version: int | None = None
    disabled: bool = False
    blueprint: bool = False
    """An agent identity blueprint: a kind of application."""
    federated: list[FederatedCredential] = field(default_factory=list)

    def redirect_uris(self, platform: str) -> list[str]:
        """The redirect URIs registered for `web` or `publicClient`."""
        uris: list[str] = self.properties.get(platform, {}).get("redirectUris") or []
        return uris

    def federated_seen(self, plane: Plane, replica: int, now: float) -> list[FederatedCredential]:
        """The federated credentials that this replica knows of now."""
        return [item for item in self.federated if item.presence.visible(plane, replica, now)]

    def federated_held(self) -> list[FederatedCredential]:
        """The federated credentials that are truly there, whatever any replica shows."""
        return [item for item in self.federated if not item.presence.removed]

    @property
    def shared(self) -> bool:
        """Whether users of other tenants may sign in."""
        return self.audience != "AzureADMyOrg"

    @property
    def personal(self) -> bool:
        """Whether personal accounts may sign in, which limits the number of secrets."""
        return self.audience in PERSONAL_AUDIENCES

    def item_count(self) -> int:
        """Items over all collections, against the object's size limit."""
        held = (self.passwords_held(), self.keys_held(), self.federated_held(), self.identifier_uris, self.owners)
        return sum(len(items) for items in held)


@dataclass(slots=True)
class ServicePrincipal(Holder):
    """An application's identity in one tenant."""

    enabled: bool = True
    revoked_at: float = 0.0
    """When it was disabled or deleted last, since when tokens that are evaluated continuously are refused."""
    service_principal_type: str = "Application"
    names: list[str] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    security_attributes: dict[str, str | list[str]] = field(default_factory=dict)
    """Custom security attributes by set and name, joined by `_`."""
    roles: list[str] = field(default_factory=list)
    """Directory roles, by name."""


@dataclass(slots=True)
class User:
    """A person's account."""

    object_id: str
    display_name: str
    principal_name: str
    roles: list[str] = field(default_factory=list)
    """Directory roles, by name."""
    enabled: bool = True
    revocations: int = 0
    """How often all sessions and refresh tokens of this user were revoked, and when last."""
    revoked_at: float = 0.0
    created_at: float = 0.0
    password_changed_at: float = 0.0
    changed_at: float = float("-inf")
    deleted_at: float | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    """Declared properties that were set and have no field of their own, by their name in Graph."""
    security_attributes: dict[str, str | list[str]] = field(default_factory=dict)
    """Custom security attributes by set and name, joined by `_`."""
    grants: list[Grant] = field(default_factory=list)
    manager: str = ""
    """The object id of their manager, where they have one."""

    def revoke(self, now: float) -> None:
        """Ends all sessions and refresh tokens, and the access tokens that are evaluated continuously."""
        self.revocations += 1
        self.revoked_at = now


DirectoryObject = Application | ServicePrincipal | User | Group
Assignee = ServicePrincipal | User | Group
"""What app roles and directory roles are given to."""


@dataclass(slots=True)
class Tenant:
    """One tenant and all that is in it, each by object id."""

    id: str
    name: str
    domains: list[str]
    settings: Settings
    default_policy: Policy
    created_at: float = 0.0
    policies: Table[Policy] = field(default_factory=Table)
    applications: Table[Application] = field(default_factory=Table)
    deleted: Table[Application] = field(default_factory=Table)
    deleted_principals: Table[ServicePrincipal] = field(default_factory=Table)
    principals: Table[ServicePrincipal] = field(default_factory=Table)
    users: Table[User] = field(default_factory=Table)
    groups: Table[Group] = field(default_factory=Table)
    deleted_users: Table[User] = field(default_factory=Table)
    deleted_groups: Table[Group] = field(default_factory=Table)
    purged: Table[tuple[str, float]] = field(default_factory=Table)
    """What was deleted for good: object id -> kind (`applications` or `servicePrincipals`) and when."""
    consents: Table[Consent] = field(default_factory=Table)
    azure: AzureRoles = field(default_factory=AzureRoles)
    vaults: Table[Vault] = field(default_factory=Table)
    """Key vaults by name."""
    activated_roles: list[str] = field(default_factory=list)
    """Directory roles that were activated without being given to anybody."""

    def principal_of(self, app_id: str) -> ServicePrincipal | None:
        """The service principal of an application in this tenant, for those who only read it."""
        return next((item for item in self.principals.values() if item.app_id == app_id), None)

    def owners_of(self, holder: Holder) -> list[ServicePrincipal | User]:
        """The owners that still exist, in the order they were added."""
        return [item for key in holder.owners if (item := self.principals.seen(key) or self.users.seen(key))]

    def directory_object(self, object_id: str) -> DirectoryObject | None:
        """Any object of the directory that is not deleted, by its id."""
        return self.applications.get(object_id) or self.assignee(object_id)

    def assignee(self, object_id: str) -> Assignee | None:
        """Any object by its id that app roles and directory roles can be given to."""
        return self.principals.get(object_id) or self.users.get(object_id) or self.groups.get(object_id)

    def assignees(self) -> list[Assignee]:
        """All of them."""
        return [*self.principals.values(), *self.users.values(), *self.groups.values()]

    def delete_user(self, user: User, now: float) -> None:
        """Soft delete: the user moves to the deleted items; what they own and consented to stays behind."""
        user.deleted_at = user.changed_at = user.revoked_at = now
        self.deleted_users[user.object_id] = self.users.pop(user.object_id)


class Directory:
    """All tenants, and the look-ups that cross them."""

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant] = {}
        self._domains: dict[str, str] = {}
        self._app_ids: dict[str, Application] = {}
        self._principals: dict[tuple[str, str], str] = {}

    def add_tenant(self, tenant: Tenant) -> None:
        """Adds a tenant. Raises ValueError if its id or a domain of it is taken."""
        if tenant.id in self.tenants or any(name.lower() in self._domains for name in tenant.domains):
            raise ValueError(f"tenant {tenant.name} exists already")
        self.tenants[tenant.id] = tenant
        self._domains.update({name.lower(): tenant.id for name in tenant.domains})

    def tenant(self, name: str) -> Tenant | None:
        """A tenant by id or by domain, in any case."""
        return self.tenants.get(name.lower()) or self.tenants.get(self._domains.get(name.lower(), ""))

    def add_application(self, application: Application) -> None:
        """Adds an application. Raises ValueError if its app id is taken."""
        if application.app_id in self._app_ids:
            raise ValueError(f"app id {application.app_id} exists already")
        self.tenants[application.tenant_id].applications[application.object_id] = application
        self._app_ids[application.app_id] = application

    def know(self, application: Application) -> None:
        """Makes an application known that lives in no tenant here."""
        self._app_ids.setdefault(application.app_id, application)

    def add_principal(self, principal: ServicePrincipal) -> None:
        """Adds a service principal. Raises ValueError if the tenant has one for that app id."""
        key = (principal.tenant_id, principal.app_id)
        if key in self._principals:
            raise ValueError(f"app id {principal.app_id} has a service principal already")
        self._principals[key] = principal.object_id
        self.tenants[principal.tenant_id].principals[principal.object_id] = principal

    def soft_delete_principal(self, principal: ServicePrincipal, now: float) -> None:
        """Soft delete: the service principal moves to the tenant's deleted items."""
        tenant = self.tenants[principal.tenant_id]
        del self._principals[principal.tenant_id, principal.app_id]
        principal.deleted_at = principal.revoked_at = now
        tenant.deleted_principals[principal.object_id] = tenant.principals.pop(principal.object_id)

    def restore_principal(self, principal: ServicePrincipal) -> None:
        """Undoes a soft delete. Raises ValueError where the tenant has another one for that app id by now."""
        self.add_principal(principal)
        principal.deleted_at = None
        del self.tenants[principal.tenant_id].deleted_principals[principal.object_id]

    def application(self, app_id: str) -> Application | None:
        """An application by app id, in whatever tenant it lives; deleted ones are not found."""
        application = self._app_ids.get(app_id)
        home = self.tenants.get(application.tenant_id) if application else None
        return home.applications.get(application.object_id) if home and application else application

    def published(self, app_id: str) -> Application | None:
        """The same, for those who only read it."""
        return self._app_ids.get(app_id)

    def principal(self, tenant: Tenant, app_id: str) -> ServicePrincipal | None:
        """The service principal of an app id in a tenant."""
        return tenant.principals.get(self._principals.get((tenant.id, app_id), ""))

    def soft_delete(self, application: Application, now: float) -> None:
        """Soft delete: the application moves to the tenant's deleted items, and so does its service principal, by itself."""
        tenant = self.tenants[application.tenant_id]
        principal = self.principal(tenant, application.app_id)
        if principal is not None:
            self.soft_delete_principal(principal, now)
        application.deleted_at = now
        tenant.deleted[application.object_id] = tenant.applications.pop(application.object_id)
        del self._app_ids[application.app_id]

    def restore(self, application: Application) -> None:
        """Undoes a soft delete of the application object alone: its service principal stays deleted until it is restored, too.

        Source: https://learn.microsoft.com/graph/api/directory-deleteditems-restore. Raises ValueError if its app id is taken.
        """
        tenant = self.tenants[application.tenant_id]
        if application.app_id in self._app_ids:
            raise ValueError(f"app id {application.app_id} exists already")
        application.deleted_at = None
        tenant.applications[application.object_id] = tenant.deleted.pop(application.object_id)
        self._app_ids[application.app_id] = application
