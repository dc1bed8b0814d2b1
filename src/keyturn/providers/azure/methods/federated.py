"""Signing in without any secret: a token of another issuer, which the application trusts, is exchanged at each sign-in."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, NoReturn

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import Field, FieldFault
from keyturn.ports.provider import AccessToken, Capability, RemoteApplication, RemoteCredential, Tenant, Trust
from keyturn.ports.sign_in import CredentialWords, PermissionReport
from keyturn.providers.azure.assertions import create_command, list_command, read_presented, update_command
from keyturn.providers.azure.federated_credentials import MOST
from keyturn.providers.azure.manifest import APP
from keyturn.providers.azure.methods.fields import CLIENT, TENANT
from keyturn.providers.azure.methods.of_application import ApplicationMethod, check_writes_owned
from keyturn.providers.azure.operations import ApplicationOperations
from keyturn.providers.token_sources import TokenSources

KEY = "federated"
_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"
SOURCE = Field(
    "tokenSource",
    "Token Source",
    "Where this server gets its token. The operator of the server names the sources: KEYTURN_TOKEN_SOURCES.",
    longest=40,
    min_length=1,
    max_length=40,
    pattern=_NAME,
    sentence="must be the name of a token source of this server: lower-case letters, digits and -",
    description="Name of a token source of the server (KEYTURN_TOKEN_SOURCES): never a path or an address.",
    examples=("aks",),
)


@dataclass(frozen=True)
class Federated:
    """What a connection of this method signs in with. ``issuer`` and ``subject`` were presented when it was made."""

    tenant_id: str
    client_id: str
    source: str
    issuer: str = ""
    subject: str = ""
    app: ClassVar[str] = APP
    method: ClassVar[str] = KEY
    key_id: ClassVar[str | None] = None


class FederatedMethod(ApplicationMethod[Federated]):
    """``ports.sign_in.SignInMethod`` for federated identity credentials."""

    key = KEY
    label = "Federated Identity"
    help = (
        "An application trusts an identity of this server: of its cluster, its machine in Azure, its CI job. No secret is "
        "kept, and none has to be rotated. For administrators of the organization."
    )
    words = CredentialWords("federated identity", "identity", "identity", "nothing of it", others_use_it=False)
    signed_in = "The token of this server's identity is exchanged."
    credential_field = SOURCE.name
    as_server = True
    rotation_fields: Sequence[Field] = ()
    schema_name = "Federated"
    schema_help = (
        "Credentials of the method ``federated``: no secret. The application has a federated identity credential that trusts the "
        "token of this source.\n\nOnly who may add connections to the organization sets one up: it acts as the server."
    )

    def __init__(self, provider: ApplicationOperations, sources: TokenSources) -> None:
        super().__init__(provider)
        self._sources = sources
        self.fields: Sequence[Field] = (TENANT, CLIENT, replace(SOURCE, choices=tuple(sources.names)))

    @property
    def unavailable(self) -> str | None:
        if self._sources.names:
            return None
        return "Federated Identity is not set up on this server: it has no token source (KEYTURN_TOKEN_SOURCES)."

    # --- what was supplied ------------------------------------------------------------------------------------------

    def faults(self, value: Callable[[str], Any]) -> Iterable[FieldFault]:
        """Say nothing: the fields do not depend on each other."""
        return ()

    def supplied(self, values: Mapping[str, Any]) -> Federated:
        return Federated(values[TENANT.name], values[CLIENT.name], values[SOURCE.name])

    def read(self, credentials: Federated, now: datetime | None) -> Federated:
        """Return it as it is: whether the source is there shows when it is asked."""
        return credentials

    def accept(self, cloud: str, credentials: Federated) -> Federated:
        """Sign in, and note what was presented. Repeatable."""
        stored = self.locate(cloud, credentials)
        tenant = Tenant(cloud, stored.tenant_id)
        token = self._token(tenant, stored)
        self._provider.sign_in_by_assertion(tenant, stored.client_id, token)
        told = read_presented(token)
        return replace(stored, issuer=told.issuer, subject=told.subject)

    def sign_in(self, tenant: Tenant, credentials: Federated) -> AccessToken:
        return self._provider.sign_in_by_assertion(tenant, credentials.client_id, self._token(tenant, credentials))

    # --- what applications trust --------------------------------------------------------------------------------------

    most_trusts = MOST

    def credentials(self, tenant_id: str, client_id: str, source: str, trust: Trust) -> Federated:
        return Federated(tenant_id, client_id, source, trust.issuer, trust.subject)

    def trust_of(self, tenant: Tenant, source: str) -> Trust:
        told = read_presented(self._sources.token(source, self._provider.token_audience(tenant)))
        return Trust(told.issuer, told.subject, told.audience)

    def trusts(self, tenant: Tenant, token: AccessToken, object_id: str) -> Mapping[str, Trust]:
        return self._provider.trusts(tenant, token, object_id)

    def add_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str, trust: Trust) -> None:
        self._provider.add_trust(tenant, token, object_id, name, trust)

    def remove_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str) -> None:
        self._provider.remove_trust(tenant, token, object_id, name)

    def how_to_trust(self, client_id: str, trust: Trust) -> str:
        return create_command(client_id, trust)

    def how_to_change(self, client_id: str, name: str, trust: Trust) -> str:
        return update_command(client_id, name, trust)

    def how_to_list(self, client_id: str) -> str:
        return list_command(client_id)

    def _token(self, tenant: Tenant, credentials: Federated) -> Plaintext:
        return self._sources.token(credentials.source, self._provider.token_audience(tenant))

    # --- what is stored ---------------------------------------------------------------------------------------------

    def hashed(self, credentials: Federated) -> Sequence[str]:
        return [credentials.client_id.lower(), credentials.source]

    def value(self, credentials: Federated) -> Plaintext:
        """Return where the token comes from: there is no secret."""
        told = {"source": credentials.source, "issuer": credentials.issuer, "subject": credentials.subject}
        return Plaintext(json.dumps(told))

    def of_value(self, tenant_id: str, client_id: str, value: Plaintext) -> Federated:
        told = json.loads(value.reveal())
        return Federated(tenant_id, client_id, told["source"], told["issuer"], told["subject"])

    def fingerprint(self, value: Plaintext) -> None:
        """Return None: there is nothing that somebody else could hold."""

    def facts(self, credentials: Federated) -> dict[str, Any]:
        return {"tokenSource": credentials.source, "issuer": credentials.issuer, "subject": credentials.subject}

    def ends_at(self, credentials: Federated) -> None:
        """Return None: each token ends within hours, and the next one is got when it is needed."""

    # --- what it may do ---------------------------------------------------------------------------------------------

    def kind(self, *, app_id: str | None = None) -> None:
        """Return None: there is nothing to rotate."""

    def match(
        self,
        listed: Sequence[RemoteCredential],
        credentials: Federated,
        now: datetime,
        key_id: str | None,
        *,
        confirmed: bool,
    ) -> NoReturn:
        raise TypeError("a federated identity is no credential of the application that could be taken over")

    def permission(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, may: Sequence[Capability]
    ) -> PermissionReport:
        check_writes_owned(may)
        return PermissionReport(
            "Secrets of the applications that it may change may be added and removed. It has no secret of its own: nothing of it "
            "is rotated."
        )
