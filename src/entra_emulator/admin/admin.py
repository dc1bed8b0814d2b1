"""Setting up tenants, applications and people, and reading their true state, in process."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from typing import Any

from entra_emulator.admin.changes import changed
from entra_emulator.admin.vaults import Vaults
from entra_emulator.core.clock import DAY, checked_time
from entra_emulator.directory.app_policies import Policy
from entra_emulator.directory.catalogue import GRAPH_SCOPES, role_id
from entra_emulator.directory.credentials import add_password, make_key, remove_credential
from entra_emulator.directory.directory import (
    AUDIENCES,
    GRAPH_APP_ID,
    Application,
    FederatedCredential,
    KeyCredential,
    ManagedIdentity,
    PasswordCredential,
    ServicePrincipal,
    Tenant,
    as_guid,
    new_guid,
)
from entra_emulator.directory.first_party import introduce, principals
from entra_emulator.directory.redirects import redirects
from entra_emulator.directory.replicas import credential_presence, everywhere
from entra_emulator.faults.faults import Settings
from entra_emulator.graph.policy_types import read_restrictions
from entra_emulator.graph.views import DEFAULT_POLICY_ID
from entra_emulator.tokens.tokens import TOKEN_EXCHANGE

_TWO_YEARS = 730 * DAY
_WELL_KNOWN = (
    (GRAPH_APP_ID, "Microsoft Graph", ("https://graph.microsoft.com",)),
    (
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",
        "Windows Azure Service Management API",
        ("https://management.azure.com", "https://management.core.windows.net"),
    ),
    ("cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault", ("https://vault.azure.net",)),
    ("e406a681-f3d4-42a8-90b6-c2b029497af1", "Azure Storage", ("https://storage.azure.com",)),
    ("022907d3-0f1b-48f7-badc-1ba6abab6d66", "Azure SQL Database", ("https://database.windows.net",)),
    ("00000002-0000-0000-c000-000000000000", "Windows Azure Active Directory", ("https://graph.windows.net",)),
    ("ca7f3f0b-7d91-482c-8e09-c5d840d0eac5", "Log Analytics API", ("https://api.loganalytics.io",)),
)


@dataclass(frozen=True, slots=True)
class SecretHandle:
    """A client secret with its value. Times are POSIX seconds."""

    key_id: str
    value: str
    display_name: str | None
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class ApplicationHandle:
    """An application made for a scene. `secrets` are those it was made with."""

    tenant_id: str
    object_id: str
    app_id: str
    principal_id: str
    display_name: str
    secrets: tuple[SecretHandle, ...] = ()


class Admin(Vaults):
    """Typed access to an emulator's state. Safe to use from any thread; nothing here is in the ledger.

    What it makes is known to all replicas at once, unless `replicated` is asked for.
    """

    def reset(self) -> None:
        """Forgets everything but the time and the signing key: as if started anew with the same seed."""
        with self._lock:
            self._world.clear(random.Random(self._seed))  # noqa: S311 - a simulation

    def create_tenant(
        self,
        name: str = "Contoso",
        domain: str | None = None,
        *,
        tenant_id: str | None = None,
        settings: Settings | None = None,
    ) -> str:
        """Makes a tenant and gives its id. Raises ValueError if the id or the domain is taken or malformed."""
        with self._lock:
            world = self._world
            guid = _given_guid(tenant_id) or new_guid(world.rng)
            slug = "".join(letter for letter in name.lower() if letter.isalnum()) or "tenant"
            policy = Policy(DEFAULT_POLICY_ID, "Default app management tenant policy", "", enabled=False)
            now = world.clock.now()
            tenant = Tenant(guid, name, [domain or f"{slug}.onmicrosoft.com"], settings or Settings(), policy, now)
            world.directory.add_tenant(tenant)
            for app_id, title, names in _WELL_KNOWN:
                object_id = str(uuid.uuid5(uuid.UUID(guid), app_id))
                world.directory.add_principal(
                    ServicePrincipal(object_id, app_id, guid, title, now, everywhere(now), names=list(names))
                )
            introduce(world.directory)
            for principal in principals(tenant, now):
                world.directory.add_principal(principal)
            return guid

    def create_application(
        self,
        tenant: str,
        name: str,
        *,
        permissions: tuple[str, ...] = (),
        owners: tuple[str, ...] = (),
        owns_itself: bool = False,
        audience: str = "AzureADMyOrg",
        secrets: int = 1,
        app_id: str | None = None,
        object_id: str | None = None,
        identifier_uris: tuple[str, ...] = (),
        token_version: int | None = None,
        redirect_uris: tuple[str, ...] = (),
        scopes: tuple[str, ...] = (),
        roles: tuple[str, ...] = (),
        blueprint: bool = False,
    ) -> ApplicationHandle:
        """Makes an application with its service principal, its Graph permissions and so many secrets.

        `owners` are object ids of service principals or users. `redirect_uris` are those of a web application. `scopes`
        and `roles` are delegated and application permissions on Graph that it is configured to ask for; nobody has
        consented to them yet, while `permissions` are application permissions that are granted. A `blueprint` is one of
        agent identities. Raises ValueError for
        an unknown tenant, audience or delegated permission, a bad redirect URI, or an app id that is taken.
        """
        if audience not in AUDIENCES:
            raise ValueError(f"unknown sign-in audience {audience}")
        with self._lock:
            world, home = self._world, self._tenant(tenant)
            now, rng = world.clock.now(), world.rng
            application = Application(
                _given_guid(object_id) or new_guid(rng),
                _given_guid(app_id) or new_guid(rng),
                home.id,
                name,
                now,
                everywhere(now),
                owners=list(owners),
                audience=audience,
                identifier_uris=list(identifier_uris),
                token_version=token_version,
                blueprint=blueprint,
                properties=_asking(redirect_uris, scopes, roles),
            )
            principal = ServicePrincipal(
                new_guid(rng), application.app_id, home.id, name, now, everywhere(now), names=list(identifier_uris)
            )
            if owns_itself:
                application.owners.append(principal.object_id)
            world.directory.add_application(application)
            world.directory.add_principal(principal)
            self.grant(principal.object_id, *permissions)
            handles = tuple(self.add_secret(application.object_id, f"secret {number + 1}") for number in range(secrets))
            return ApplicationHandle(
                home.id, application.object_id, application.app_id, principal.object_id, name, handles
            )

    def add_secret(
        self,
        application: str,
        display_name: str | None = None,
        *,
        start: float | None = None,
        end: float | None = None,
        value: str | None = None,
        replicated: bool = False,
        hinted: bool = True,
        custom_key_identifier: str | None = None,
    ) -> SecretHandle:
        """Adds a client secret, with any dates (POSIX seconds), past ones too; no limit or policy is checked.

        Raises ValueError for a time that is not from the year 1 to 9999.
        With `replicated` it appears as slowly as one that was added through Graph. Not `hinted`: Graph lists it with the hint
        null. A `custom_key_identifier` (base64) is where secrets of before Microsoft Graph have their name.
        """
        with self._lock:
            world, target = self._world, self.application(application)
            now = world.clock.now()
            settings = world.directory.tenants[target.tenant_id].settings
            begins = checked_time(now if start is None else start)
            presence = credential_presence(now, settings, world.rng) if replicated else everywhere(now)
            ends = checked_time(begins + _TWO_YEARS if end is None else end)
            if ends <= begins:
                raise ValueError("a secret ends after it starts")
            secret = add_password(target, display_name, begins, ends, presence, world.rng, value=value)
            secret.hinted, secret.custom_key_identifier = hinted, custom_key_identifier
            self._touch(target)
            return _handle(secret)

    def remove_secret(self, application: str, key_id: str) -> None:
        """Removes a client secret as somebody else would, at the replicas' own pace. Raises ValueError if not there."""
        with self._lock:
            target = self.application(application)
            self._remove(
                target,
                next((password for password in target.passwords_held() if password.key_id == key_id), None),
                key_id,
            )

    def remove_certificate(self, application: str, key_id: str) -> None:
        """Removes a certificate as somebody else would, at the replicas' own pace. Raises ValueError if not there."""
        with self._lock:
            target = self.application(application)
            self._remove(target, next((key for key in target.keys_held() if key.key_id == key_id), None), key_id)

    def _remove(self, target: Application, item: PasswordCredential | KeyCredential | None, key_id: str) -> None:
        if item is None:
            raise ValueError(f"no credential {key_id} on application {target.object_id}")
        settings = self._world.directory.tenants[target.tenant_id].settings
        remove_credential(item, self._world.clock.now(), settings, self._world.rng)
        self._touch(target)

    def _touch(self, target: Application) -> None:
        """What others change shows in delta queries, too."""
        if self._world.directory.tenants[target.tenant_id].settings.delta_shows_credentials:
            target.changed_at = self._world.clock.now()

    def add_certificate(
        self,
        application: str,
        certificate: bytes,
        *,
        end: float | None = None,
        start: float | None = None,
        thumbprinted: bool = True,
        custom_key_identifier: str | None = None,
    ) -> str:
        """Registers a certificate (PEM or DER) and gives its key id. Raises ValueError if it is not one.

        Not `thumbprinted`: Graph lists it with the customKeyIdentifier null, unless one is given.
        """
        with self._lock:
            world, target = self._world, self.application(application)
            now = world.clock.now()
            key = make_key(certificate, None, start, end, now, Settings(), world.rng)
            if checked_time(key.end) <= checked_time(key.start):
                raise ValueError("a certificate ends after it starts")
            key.thumbprinted, key.custom_key_identifier = thumbprinted, custom_key_identifier
            target.keys.append(key)
            self._touch(target)
            return key.key_id

    def trust_issuer(self, issuer: str, key_id: str, public_key_pem: bytes) -> None:
        """Makes the key of an outside issuer known, for federated identity credentials; then the issuer is never asked.

        Raises ValueError for what is not an RSA key in PEM form.
        """
        with self._lock:
            self._world.issuers.give(issuer, key_id, public_key_pem)

    def trust_identity(
        self, application: str, issuer: str, subject: str, *, name: str = "trusted", audience: str = TOKEN_EXCHANGE
    ) -> str:
        """Adds a federated credential and gives its id; no limit is checked."""
        with self._lock:
            target, world = self.application(application), self._world
            item = FederatedCredential(
                new_guid(world.rng), name, issuer, subject, [audience], everywhere(world.clock.now())
            )
            target.federated.append(item)
            return item.id

    def forget_issuers(self) -> None:
        """Forgets the keys of all outside issuers, so that they are fetched when they are needed next."""
        with self._lock:
            self._world.issuers.clear()

    def create_managed_identity(self, tenant: str, name: str, *, system: bool = False) -> ManagedIdentity:
        """Makes a managed identity of the machine: its own if `system`, else one that is assigned to it.

        Raises ValueError for an unknown tenant, or a second identity of the machine's own.
        """
        with self._lock:
            world, home = self._world, self._tenant(tenant)
            if system and any(one.system for one in world.machine):
                raise ValueError("the machine has an identity of its own already")
            now, rng = world.clock.now(), world.rng
            kind = "Compute/virtualMachines" if system else "ManagedIdentity/userAssignedIdentities"
            resource = f"/subscriptions/{new_guid(rng)}/resourcegroups/machines/providers/Microsoft.{kind}/{name}"
            principal = ServicePrincipal(new_guid(rng), new_guid(rng), home.id, name, now, everywhere(now))
            principal.service_principal_type = "ManagedIdentity"
            world.directory.add_principal(principal)
            identity = ManagedIdentity(home.id, principal.object_id, principal.app_id, resource, system)
            world.machine.append(identity)
            return identity

    def set_disabled(self, application: str, *, disabled: bool) -> None:
        """Disables or enables an application."""
        with self._lock:
            target = self.application(application)
            target.disabled, target.changed_at = disabled, self._world.clock.now()

    def set_policy(self, tenant: str, *, enabled: bool = True, **rules: Any) -> None:
        """Sets the tenant's default app management policy: `passwordCredentials=[...]`, `keyCredentials=[...]`.

        Raises GraphError for rules that Graph would refuse.
        """
        with self._lock:
            restrictions = read_restrictions("restrictions", rules)
            policy = self._tenant(tenant).default_policy
            policy.enabled, policy.restrictions = enabled, restrictions

    def set_security_attributes(self, object_id: str, **attributes: str | list[str]) -> None:
        """Sets custom security attributes of a user or service principal: `Set_Name="value"`. Raises ValueError for others."""
        with self._lock:
            for home in self._world.directory.tenants.values():
                holder = home.principals.get(object_id) or home.users.get(object_id)
                if holder is not None:
                    holder.security_attributes.update(attributes)
                    return
            raise ValueError(f"no user or service principal {object_id}")

    def settings(self, tenant: str) -> Settings:
        """How the tenant behaves now."""
        with self._lock:
            return self._tenant(tenant).settings

    def configure(self, tenant: str, **changes: Any) -> Settings:
        """Changes some settings; what is visible already stays so. Raises ValueError for what does not fit."""
        with self._lock:
            home = self._tenant(tenant)
            home.settings = changed(home.settings, changes)
            return home.settings

    def secrets(self, application: str) -> list[SecretHandle]:
        """The client secrets that are truly there, whatever any replica shows, with their values."""
        with self._lock:
            return [_handle(item) for item in self.application(application).passwords_held()]


def _asking(redirect_uris: tuple[str, ...], scopes: tuple[str, ...], roles: tuple[str, ...]) -> dict[str, Any]:
    """The properties of an application that signs people in, as Graph would hold them. Raises ValueError."""
    unknown = set(scopes) - set(GRAPH_SCOPES)
    if unknown:
        raise ValueError(f"Graph has no delegated permission {min(unknown)}")
    access = [{"id": GRAPH_SCOPES[name].id, "type": "Scope"} for name in scopes]
    access += [{"id": role_id(name), "type": "Role"} for name in roles]
    properties: dict[str, Any] = {}
    if access:
        properties["requiredResourceAccess"] = [{"resourceAppId": GRAPH_APP_ID, "resourceAccess": access}]
    if redirect_uris:
        properties["web"] = redirects("web", list(redirect_uris))
    return properties


def _given_guid(text: str | None) -> str | None:
    if text is None:
        return None
    guid = as_guid(text)
    if guid is None:
        raise ValueError(f"not a GUID: {text!r}"[:100])
    return guid


def _handle(item: PasswordCredential) -> SecretHandle:
    return SecretHandle(item.key_id, item.value, item.display_name, item.start, item.end)
