"""Signing in with a client secret, which Entra ID makes and shows once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from keyturn.kit import pasted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import Field, FieldFault
from keyturn.ports.provider import (
    AccessToken,
    Capability,
    RemoteApplication,
    RemoteCredential,
    Tenant,
)
from keyturn.ports.sign_in import CredentialWords, PermissionReport
from keyturn.providers.azure import paste_checks
from keyturn.providers.azure.manifest import APP, LONGEST_SECRET
from keyturn.providers.azure.methods.fields import CLIENT, TENANT, key_id, says
from keyturn.providers.azure.methods.of_application import ApplicationMethod
from keyturn.providers.azure.methods.secret_match import match_secret

KEY = "client-secret"
SECRET = Field(
    "clientSecret",
    "Client Secret",
    "The Value of a client secret. Portal: the application > Certificates & secrets. "
    "It is shown only once, when the secret is made.",
    secret=True,
    longest=LONGEST_SECRET,
    plain=pasted.secret,
    fault=says(lambda text: paste_checks.client_secret_fault(Plaintext(text))),
    shape={"maxLength": LONGEST_SECRET},
)
KEY_ID = key_id(
    "clientSecretKeyId",
    "Client Secret Key ID",
    "The Secret ID beside the Client Secret, in the portal under Certificates & secrets: so that the original can be revoked. "
    "It is checked, never taken on trust. Left empty, it is found by the first characters of the secret.",
)


@dataclass(frozen=True)
class ClientSecret:
    """What a connection of this method signs in with, as a user types it and as it is stored."""

    tenant_id: str
    client_id: str
    secret: Plaintext
    key_id: str | None = None
    app: ClassVar[str] = APP
    method: ClassVar[str] = KEY


class ClientSecretMethod(ApplicationMethod[ClientSecret]):
    """``ports.sign_in.SignInMethod`` for client secrets."""

    key = KEY
    label = "Client Secret"
    help = "An application signs in with its client secret, which can then be rotated automatically."
    words = CredentialWords("client secret", "secret", "Client Secret", "secret")
    signed_in = "The client secret signs in."
    credential_field = SECRET.name
    fields: Sequence[Field] = (TENANT, CLIENT, SECRET, KEY_ID)
    rotation_fields: Sequence[Field] = (KEY_ID,)
    schema_name = "ClientSecret"
    schema_help = (
        "Credentials of the method ``client-secret``. "
        "What people paste by mistake is told apart before anything is sent."
    )

    def faults(self, value: Any) -> Iterable[FieldFault]:
        """Say nothing: the fields do not depend on each other."""
        return ()

    def supplied(self, values: Mapping[str, Any]) -> ClientSecret:
        given_id = values.get(KEY_ID.name) or None
        return ClientSecret(values[TENANT.name], values[CLIENT.name], values[SECRET.name], given_id)

    def read(self, credentials: ClientSecret, now: datetime | None) -> ClientSecret:
        """Return it as it is: its field was checked already."""
        return credentials

    def sign_in(self, tenant: Tenant, credentials: ClientSecret) -> AccessToken:
        return self._provider.sign_in(tenant, credentials.client_id, credentials.secret)

    def hashed(self, credentials: ClientSecret) -> Sequence[str]:
        return [credentials.client_id.lower(), credentials.secret.reveal()]

    def value(self, credentials: ClientSecret) -> Plaintext:
        return credentials.secret

    def of_value(self, tenant_id: str, client_id: str, value: Plaintext) -> ClientSecret:
        return ClientSecret(tenant_id, client_id, value)

    def value_of_parts(
        self, parts: Mapping[str, Plaintext], facts: Mapping[str, Any], ends_at: datetime | None
    ) -> Plaintext | None:
        return parts.get("clientSecret")

    def fingerprint(self, value: Plaintext) -> str:
        return value.reveal()

    def facts(self, credentials: ClientSecret) -> dict[str, Any] | None:
        return None

    def ends_at(self, credentials: ClientSecret) -> datetime | None:
        """Return None: Entra ID knows it, the secret does not say."""
        return None

    def match(
        self,
        listed: Sequence[RemoteCredential],
        credentials: ClientSecret,
        now: datetime,
        key_id: str | None,
        *,
        confirmed: bool,
    ) -> RemoteCredential:
        return match_secret(listed, credentials.secret, credentials.key_id or key_id, now, confirmed=confirmed)

    def permission(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, may: Sequence[Capability]
    ) -> PermissionReport:
        self._provider.check_may_write(tenant, token, application)
        return PermissionReport("Its secrets may be added and removed.")
