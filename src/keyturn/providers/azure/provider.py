"""The capability that the core sees: Entra ID signs in, Graph reads and writes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from keyturn.errors import NeedsAction
from keyturn.kit.ids import SystemIds, is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.ports import (
    AccessToken,
    ApplicationSummary,
    Clock,
    Ids,
    IssuedCredential,
    RemoteApplication,
    Tenant,
    Transport,
)
from keyturn.providers.azure.clouds import Clouds
from keyturn.providers.azure.errors import PERMISSION_FIX
from keyturn.providers.azure.graph import Caller, Graph
from keyturn.providers.azure.refusals import Subject
from keyturn.providers.azure.tokens import Tokens

WRITE_ALL = "Application.ReadWrite.All"
WRITE_OWNED = "Application.ReadWrite.OwnedBy"
LIST_ROLES = frozenset({"Application.Read.All", WRITE_ALL, "Directory.Read.All", "Directory.ReadWrite.All"})


class AzureProvider:
    """``ports.SecretsProvider`` for Microsoft Entra ID. Safe to share between threads; holds no secret and no token."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        clouds: Clouds,
        *,
        ids: Ids | None = None,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        """``timeout`` is for each single request. ``ids`` name requests for Microsoft's support; random by default."""
        named = ids or SystemIds()
        self._clouds = clouds
        self._tokens = Tokens(transport, clock, named, timeout)
        self._graph = Graph(transport, clock, named, timeout)

    def sign_in(self, tenant: Tenant, app_id: str, secret: Plaintext) -> AccessToken:
        """Get a fresh token with the secret: no cache of any kind, so success proves the secret. Repeatable."""
        return self._tokens.by_secret(self._clouds.get(tenant.cloud), tenant.tenant_id, app_id, secret)

    def application(
        self, tenant: Tenant, token: AccessToken, *, app_id: str | None = None, object_id: str | None = None
    ) -> RemoteApplication:
        """Read the application by client id or object id (exactly one). Repeatable."""
        if (app_id is None) == (object_id is None):
            raise ValueError("give either the client id or the object id")
        caller = self._caller(tenant, token, app_id=app_id, object_id=object_id)
        return self._graph.application(caller, f"(appId='{app_id}')" if app_id is not None else f"/{object_id}")

    def check_may_write(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> None:
        """Raise NeedsAction unless the token may add and remove secrets of the application. Changes nothing.

        A token that cannot be read is accepted: the application could be read with it, and the first write will tell.
        """
        if WRITE_ALL in token.roles or token.principal_id is None:
            return
        if WRITE_OWNED not in token.roles:
            _no_permission(application, token.principal_id)
        if not self._owns(tenant, token, token.principal_id, application):
            _not_owner(application, token.principal_id)

    def add_password(
        self, tenant: Tenant, token: AccessToken, object_id: str, marker: str, ends_at: datetime
    ) -> IssuedCredential:
        """Ask for a new secret named by the marker. NOT repeatable: each call may make one."""
        return self._graph.add_password(self._caller(tenant, token, object_id=object_id), object_id, marker, ends_at)

    def remove_password(self, tenant: Tenant, token: AccessToken, object_id: str, key_id: str) -> None:
        """Ask for removal. Repeatable. Returns also when Graph says it has no such key: that is a hint, not proof."""
        _require_uuid(key_id, "The key id", "azure.key_id_malformed")
        self._graph.remove_password(self._caller(tenant, token, object_id=object_id), object_id, key_id)

    def applications(self, tenant: Tenant, token: AccessToken) -> Sequence[ApplicationSummary]:
        """List the applications the token can see, all pages. Repeatable.

        Graph refuses the list to a caller with only OwnedBy, who can see the applications that it owns instead.
        """
        caller = self._caller(tenant, token)
        if WRITE_OWNED in token.roles and token.principal_id and not LIST_ROLES.intersection(token.roles):
            return self._graph.owned_applications(caller, token.principal_id)
        return self._graph.applications(caller)

    def _owns(self, tenant: Tenant, token: AccessToken, principal_id: str, application: RemoteApplication) -> bool:
        caller = self._caller(tenant, token, app_id=application.app_id, object_id=application.object_id)
        try:
            return principal_id.lower() in self._graph.owner_ids(caller, application.object_id)
        except NeedsAction as refused:
            if refused.code != "azure.permission_missing":
                raise
        # Reading the owners of a foreign application is itself refused to OwnedBy; one's own list always is allowed.
        owned = self._graph.owned_applications(caller, principal_id)
        return any(item.object_id.lower() == application.object_id for item in owned)

    def _caller(
        self, tenant: Tenant, token: AccessToken, *, app_id: str | None = None, object_id: str | None = None
    ) -> Caller:
        """Ids become parts of URLs, so nothing but UUIDs is let through."""
        cloud = self._clouds.get(tenant.cloud)
        if app_id is not None:
            _require_uuid(app_id, "The client id", "azure.client_id_malformed")
        if object_id is not None:
            _require_uuid(object_id, "The object id", "azure.object_id_malformed")
        known = {
            name: value
            for name, value in (("app_id", app_id), ("object_id", object_id), ("principal_id", token.principal_id))
            if value is not None
        }
        page = cloud.credentials_page(app_id) if app_id else f"{cloud.portal}/#view/Microsoft_AAD_RegisteredApps"
        return Caller(cloud, token, Subject(tenant.tenant_id, page, cloud.authority, cloud.graph, **known))


def _require_uuid(text: str, what: str, code: str) -> None:
    if not is_uuid(text):
        raise NeedsAction(f"{what} is not a UUID.", code=code, fix="Copy it from App registrations in the portal.")


def _no_permission(application: RemoteApplication, principal_id: str) -> NoReturn:
    raise NeedsAction(
        f"The connection has no permission to change the secrets of {application.name} ({application.app_id}): "
        "neither Application.ReadWrite.OwnedBy nor Application.ReadWrite.All is granted to it.",
        code="azure.permission_missing",
        fix=PERMISSION_FIX.format(app_id=application.app_id, principal_id=principal_id),
    )


def _not_owner(application: RemoteApplication, principal_id: str) -> NoReturn:
    raise NeedsAction(
        f"The connection has Application.ReadWrite.OwnedBy, but its service principal ({principal_id}) does not own "
        f"{application.name} ({application.app_id}).",
        code="azure.not_owner",
        fix=f"Make it an owner: `az ad app owner add --id {application.app_id} --owner-object-id {principal_id}`. "
        "The portal can add only people as owners.",
    )
