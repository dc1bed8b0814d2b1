"""What the methods have in common by which an application signs in for itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from keyturn.errors import NeedsAction, RefusalReason
from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, Capability, CredentialKind, RemoteApplication, Tenant
from keyturn.providers.azure.manifest import APP
from keyturn.providers.azure.operations import ApplicationOperations

C = TypeVar("C", bound=Any)
_WRITES_OWNED = "change-owned-secrets"


def check_writes_owned(may: Sequence[Capability]) -> None:
    """Raise NeedsAction for a token that may not change the secrets of any application. Pure."""
    refusal = next((each for each in may if each.name == _WRITES_OWNED and each.allowed is False), None)
    if refusal:
        raise NeedsAction(
            refusal.message,
            code="connections.permission_missing",
            fix=refusal.fix,
            reason=RefusalReason.PERMISSION,
        )


class ApplicationMethod(ABC, Generic[C]):
    """Base of these methods. ``C`` is what signs in."""

    app = APP
    key: str
    browser = False
    as_server = False

    def __init__(self, provider: ApplicationOperations) -> None:
        self._provider = provider

    @abstractmethod
    def sign_in(self, tenant: Tenant, credentials: C) -> AccessToken:
        """Get a fresh token: no cache of any kind, so success proves the credentials. Repeatable."""

    def locate(self, cloud: str, credentials: C) -> C:
        """Return the credentials with the id of their tenant, if they name one of its domains. Repeatable."""
        if is_uuid(credentials.tenant_id):
            return credentials
        return replace(credentials, tenant_id=self._provider.tenant_id(Tenant(cloud, credentials.tenant_id)))

    def accept(self, cloud: str, credentials: C) -> C:
        """Sign in, which proves the credentials. Repeatable."""
        stored = self.locate(cloud, credentials)
        self.sign_in(Tenant(cloud, stored.tenant_id), stored)
        return stored

    @property
    def unavailable(self) -> str | None:
        return None

    def value_of_parts(
        self, parts: Mapping[str, Plaintext], facts: Mapping[str, Any], ends_at: datetime | None
    ) -> Plaintext | None:
        """Return None: versions that sealed parts did not know the method."""
        return None

    def kind(self, *, app_id: str | None = None) -> CredentialKind | None:
        return self._provider.kind(self.key, app_id=app_id)

    def application(self, tenant: Tenant, token: AccessToken, client_id: str) -> RemoteApplication:
        return self._provider.application(tenant, token, app_id=client_id)
