"""The capability that the core sees: Entra ID signs in, Graph reads and writes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NoReturn

from keyturn.errors import NeedsAction, RefusalReason
from keyturn.kit.ids import SystemIds, is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import Transport
from keyturn.ports.provider import (
    AccessToken,
    ApplicationPage,
    ApplicationSummary,
    Capability,
    CredentialKind,
    Grant,
    IssuedCredential,
    OAuthApp,
    Principal,
    RemoteApplication,
    SigningCertificate,
    Tenant,
    Trust,
)
from keyturn.providers.azure import application_pages, federated_credentials
from keyturn.providers.azure.assertions import audience_of
from keyturn.providers.azure.capabilities import ADMINISTRATORS, READERS, WRITE_ALL, WRITE_OWNED, capabilities
from keyturn.providers.azure.clouds import Clouds
from keyturn.providers.azure.credential_kinds import Keys, kinds
from keyturn.providers.azure.directory import AzureDirectory
from keyturn.providers.azure.disabled_words import ACTIVATE, ENABLE_PRINCIPAL
from keyturn.providers.azure.error_mapping import ErrorContext, principal_of
from keyturn.providers.azure.errors import PERMISSION_FIX
from keyturn.providers.azure.graph import Graph, GraphContext
from keyturn.providers.azure.key_pairs import new_key
from keyturn.providers.azure.manifest import MANIFEST
from keyturn.providers.azure.methods.certificate import CertificateMethod
from keyturn.providers.azure.methods.client_secret import ClientSecretMethod
from keyturn.providers.azure.methods.federated import FederatedMethod
from keyturn.providers.azure.methods.oauth import OAuthMethod
from keyturn.providers.azure.oauth import OAuth
from keyturn.providers.azure.reading import read_certificate
from keyturn.providers.azure.tokens import Tokens
from keyturn.providers.azure.use_reports import GraphUseReports
from keyturn.providers.dated import DatedTransport
from keyturn.providers.token_sources import TokenSources


class AzureProvider:
    """``ports.sign_in.AppProvider`` for Microsoft Entra ID. Safe to share between threads; holds no secret and no token."""

    manifest = MANIFEST

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        clouds: Clouds,
        *,
        ids: Ids | None = None,
        timeout: timedelta = timedelta(seconds=10),
        keys: Keys = new_key,
        oauth: OAuthApp | None = None,
        bare_codes: bool = False,
        sources: TokenSources | None = None,
    ) -> None:
        """``timeout`` is for each single request. ``ids`` name requests for Microsoft's support; random by default.

        ``oauth`` and ``bare_codes`` are for signing in with a browser: see ``methods.oauth``. ``sources`` are where this server
        gets tokens that tell who it is.
        """
        request_ids = ids or SystemIds()
        self._clouds = clouds
        transport = self._dated = DatedTransport(transport, clock)
        self._tokens = Tokens(transport, clock, request_ids, timeout)
        self._oauth = OAuth(transport, self._tokens.discovery, clock, request_ids, timeout)
        self._graph = Graph(transport, clock, request_ids, timeout)
        self._clock = clock
        self._keys = keys
        self.use_reports = GraphUseReports(self._graph, self._caller, clock)
        self.directory = AzureDirectory(self._graph, self._caller, self.use_reports)
        self.browser = OAuthMethod(self, oauth, bare_codes=bare_codes)
        self.identity = FederatedMethod(self, sources or TokenSources({}))
        self.methods = (self.browser, ClientSecretMethod(self), CertificateMethod(self), self.identity)

    def clock_ahead(self) -> timedelta | None:
        """Return how far our clock is ahead of Entra's by the newest answer; None as long as nothing was answered. Pure."""
        return self._dated.ahead()

    def clock_confirmed_at(self) -> datetime | None:
        """Return when our clock was last found right; None when the newest answer found it wrong, or there was none. Pure."""
        return self._dated.confirmed_at()

    def kind(self, name: str, *, app_id: str | None = None) -> CredentialKind:
        """Return the kind of credential that connections of this method sign in with. Raises KeyError for others. Pure.

        ``app_id`` is the client id of the application that is worked on by its object id: messages name it.
        """
        callers = partial(self._caller, client_id=app_id)
        return kinds(self, self._graph, callers, self._clock, self._keys, app_id)[name]

    def sign_in(self, tenant: Tenant, app_id: str, secret: Plaintext) -> AccessToken:
        """Get a fresh token with the secret: no cache of any kind, so success proves the secret. Repeatable."""
        return self._tokens.by_secret(self._clouds.get(tenant.cloud), tenant.tenant_id, app_id, secret)

    def read_certificate(
        self, certificate: str, private_key: Plaintext, passphrase: Plaintext | None, now: datetime | None
    ) -> SigningCertificate:
        """Read a certificate and its key. Raises Refused, naming the field, when they cannot be used to sign in now."""
        return read_certificate(certificate, private_key, passphrase, now)

    def sign_in_by_certificate(self, tenant: Tenant, app_id: str, certificate: SigningCertificate) -> AccessToken:
        """Get a fresh token with an assertion signed here; the key is never sent. Repeatable."""
        return self._tokens.by_certificate(self._clouds.get(tenant.cloud), tenant.tenant_id, app_id, certificate)

    def token_audience(self, tenant: Tenant) -> str:
        """Return for whom a token must be that is exchanged in this cloud. Pure."""
        return audience_of(self._clouds.get(tenant.cloud).name)

    def sign_in_by_assertion(self, tenant: Tenant, app_id: str, token: Plaintext) -> AccessToken:
        """Get a fresh token for a token of another issuer, which the application trusts. Repeatable."""
        return self._tokens.by_assertion(self._clouds.get(tenant.cloud), tenant.tenant_id, app_id, token)

    def trusts(self, tenant: Tenant, token: AccessToken, object_id: str) -> Mapping[str, Trust]:
        """List the federated credentials of an application, by name. Repeatable."""
        return federated_credentials.trusts(self._graph, self._caller(tenant, token, object_id=object_id), object_id)

    def add_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str, trust: Trust) -> None:
        """Add a federated credential. Raises Unanswered when it may have been made: its name finds it again."""
        caller = self._caller(tenant, token, object_id=object_id)
        federated_credentials.add_trust(self._graph, caller, object_id, name, trust)

    def remove_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str) -> None:
        """Remove a federated credential. Repeatable. Returns also when Graph finds none: that is a hint, not proof."""
        caller = self._caller(tenant, token, object_id=object_id)
        federated_credentials.remove_trust(self._graph, caller, object_id, name)

    def authorize_url(self, tenant: Tenant, app: OAuthApp, *, state: str, nonce: str, challenge: str) -> str:
        """Return where to send the browser. Raises NeedsAction for what is not one existing tenant. Repeatable."""
        cloud = self._clouds.get(tenant.cloud)
        return self._oauth.authorize_url(cloud, tenant.tenant_id, app, state=state, nonce=nonce, challenge=challenge)

    def redeem(
        self, tenant: Tenant, app: OAuthApp, code: Plaintext, *, verifier: Plaintext | None, nonce: str | None
    ) -> Grant:
        """Exchange the code that the browser brought. NOT repeatable."""
        cloud = self._clouds.get(tenant.cloud)
        return self._oauth.redeem(cloud, tenant.tenant_id, app, code, verifier=verifier, nonce=nonce)

    def refresh(self, tenant: Tenant, app: OAuthApp, refresh_token: Plaintext) -> Grant:
        """Get a fresh token. Raises SignInAgain when only the person can help. Repeatable."""
        return self._oauth.refresh(self._clouds.get(tenant.cloud), tenant.tenant_id, app, refresh_token)

    def refuse(self, tenant: Tenant, app: OAuthApp, answer: Mapping[str, str]) -> NoReturn:
        """Raise what the callback says instead of bringing a code."""
        self._oauth.refuse(self._clouds.get(tenant.cloud), tenant.tenant_id, app, answer)

    def tenant_id(self, tenant: Tenant) -> str:
        """Return the id of a tenant that is named by one of its domains. Raises NeedsAction for none. Repeatable."""
        return self._oauth.tenant_id(self._clouds.get(tenant.cloud), tenant.tenant_id)

    def capabilities(self, token: AccessToken, app_id: str) -> Sequence[Capability]:
        """Say what the token may do, what is missing, and how to grant it. Pure."""
        return capabilities(token, app_id)

    def application(
        self,
        tenant: Tenant,
        token: AccessToken,
        *,
        app_id: str | None = None,
        object_id: str | None = None,
        client_id: str | None = None,
    ) -> RemoteApplication:
        """Read the application by client id or object id (exactly one). Repeatable."""
        if (app_id is None) == (object_id is None):
            raise ValueError("give either the client id or the object id")
        caller = self._caller(tenant, token, app_id=app_id, object_id=object_id, client_id=client_id)
        return self._graph.application(caller, f"(appId='{app_id}')" if app_id is not None else f"/{object_id}")

    def check_may_write(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> None:
        """Raise NeedsAction unless the token may add and remove secrets of the application. Changes nothing.

        A token that cannot be read is accepted: the application could be read with it, and the first write will tell.
        """
        if token.on_behalf:
            self._check_person(tenant, token, application)
            return
        if WRITE_ALL in token.roles or token.principal_id is None:
            return
        if WRITE_OWNED not in token.roles:
            _no_permission(application, token)
        if not self.owns(tenant, token, application):
            _not_owner(application, token.principal_id)

    def _check_person(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> None:
        """The permission lets a person's own rights through: by a role over all applications, or by ownership of this one."""
        if not token.scopes or token.principal_id is None:
            return
        if WRITE_ALL not in token.scopes:
            _no_delegated_permission(application)
        if not token.directory_roles or not ADMINISTRATORS.keys().isdisjoint(token.directory_roles):
            return
        if not self.owns(tenant, token, application):
            _person_not_owner(application, token.principal_id)

    def add_password(
        self,
        tenant: Tenant,
        token: AccessToken,
        object_id: str,
        marker: str,
        ends_at: datetime,
        *,
        client_id: str | None = None,
    ) -> IssuedCredential:
        """Ask for a new secret named by the marker. NOT repeatable: each call may make one."""
        caller = self._caller(tenant, token, object_id=object_id, client_id=client_id)
        return self._graph.add_password(caller, object_id, marker, ends_at)

    def remove_password(
        self, tenant: Tenant, token: AccessToken, object_id: str, key_id: str, *, client_id: str | None = None
    ) -> None:
        """Ask for removal. Repeatable. Returns also when Graph says it has no such key: that is a hint, not proof."""
        _require_uuid(key_id, "The key id", "azure.key_id_malformed")
        self._graph.remove_password(
            self._caller(tenant, token, object_id=object_id, client_id=client_id), object_id, key_id
        )

    def applications(self, tenant: Tenant, token: AccessToken) -> Sequence[ApplicationSummary]:
        """List the applications the token can see, all pages. Repeatable.

        Graph refuses the list to a caller with only OwnedBy, who can see the applications that it owns instead.
        """
        caller, owner = self._caller(tenant, token), _sees_only_owned(token)
        return self._graph.owned_applications(caller, owner) if owner else self._graph.applications(caller)

    def find_applications(self, tenant: Tenant, token: AccessToken, text: str, cursor: str | None) -> ApplicationPage:
        """Return a page of the applications whose name has these words, or whose id this is. Repeatable."""
        caller, owner = self._caller(tenant, token), _sees_only_owned(token)
        if owner:
            return application_pages.find_owned(self._graph, caller, owner, text, cursor)
        return application_pages.find(self._graph, caller, text, cursor)

    def owns(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> bool:
        """Say whether who signed in owns the application; False where the token does not tell who that is. Repeatable."""
        principal_id = token.principal_id
        if principal_id is None:
            return False
        caller = self._caller(tenant, token, app_id=application.app_id, object_id=application.object_id)
        try:
            return principal_id.lower() in self._graph.owner_ids(caller, application.object_id)
        except NeedsAction as refusal:
            if refusal.code != "azure.permission_missing":
                raise
        # Reading the owners of a foreign application is itself refused to OwnedBy; one's own list always is allowed.
        owned = self._graph.owned_applications(caller, principal_id)
        return any(item.object_id.lower() == application.object_id for item in owned)

    def principal(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> Principal | None:
        """Say what service principal of the application the tenant has; None where the token may not see that. Repeatable.

        That of a deactivated application counts as disabled. Only who may read all of them can tell one that is missing from one
        that is hidden.
        """
        if application.deactivated:
            return Principal.DISABLED
        if READERS.isdisjoint(token.scopes if token.on_behalf else token.roles):
            return None
        caller = self._caller(tenant, token, app_id=application.app_id, object_id=application.object_id)
        try:
            return self._graph.principal(caller, application.app_id)
        except NeedsAction as refusal:
            if refusal.code != "azure.permission_missing":
                raise
            return None

    def principal_fix(self, tenant: Tenant, principal: Principal, application: RemoteApplication) -> str:
        """Say how to make or enable the application's service principal."""
        if principal is Principal.MISSING:
            return (
                f"Create it: `az ad sp create --id {application.app_id}`. One made in the last minutes may still be spreading: "
                "then try again."
            )
        command = (ACTIVATE if application.deactivated else ENABLE_PRINCIPAL).format(
            app_id=application.app_id, graph=self._clouds.get(tenant.cloud).graph
        )
        return f"Enable it: {command}. One enabled in the last minutes may still be spreading: then try again."

    def _caller(
        self,
        tenant: Tenant,
        token: AccessToken,
        *,
        app_id: str | None = None,
        object_id: str | None = None,
        client_id: str | None = None,
    ) -> GraphContext:
        """Ids become parts of URLs, so nothing but UUIDs is let through. ``client_id`` is for messages only."""
        cloud = self._clouds.get(tenant.cloud)
        if app_id is not None:
            _require_uuid(app_id, "The client id", "azure.client_id_malformed")
        if object_id is not None:
            _require_uuid(object_id, "The object id", "azure.object_id_malformed")
        of_client = app_id or client_id
        page = cloud.credentials_page(of_client) if of_client else f"{cloud.portal}/#view/Microsoft_AAD_RegisteredApps"
        # An application object's id names it to `az`, too; a list is about what the caller sees of itself.
        about = of_client or object_id or token.client_id or token.principal_id or tenant.tenant_id
        subject = ErrorContext(
            tenant.tenant_id,
            page,
            cloud.authority,
            cloud.graph,
            about,
            token.client_id,
            object_id,
            token.principal_id,
        )
        return GraphContext(cloud, token, subject)


def _require_uuid(text: str, what: str, code: str) -> None:
    if not is_uuid(text):
        raise NeedsAction(f"{what} is not a UUID.", code=code, fix="Copy it from App registrations in the portal.")


def _sees_only_owned(token: AccessToken) -> str | None:
    """Return the principal of a token that can see nothing but the applications which that one owns."""
    return token.principal_id if WRITE_OWNED in token.roles and not READERS.intersection(token.roles) else None


def _no_permission(application: RemoteApplication, token: AccessToken) -> NoReturn:
    client_id = token.client_id or application.app_id
    principal_id = token.principal_id or principal_of(client_id)
    raise NeedsAction(
        f"The connection has no permission to change the secrets of {application.name} ({application.app_id}): "
        "neither Application.ReadWrite.OwnedBy nor Application.ReadWrite.All is granted to it.",
        code="azure.permission_missing",
        reason=RefusalReason.PERMISSION,
        fix=PERMISSION_FIX.format(app_id=application.app_id, client_id=client_id, principal_id=principal_id),
    )


def _no_delegated_permission(application: RemoteApplication) -> NoReturn:
    raise NeedsAction(
        f"The person who signed in may not change the secrets of {application.name} ({application.app_id}) through this server: "
        "the delegated permission Application.ReadWrite.All is not granted.",
        code="azure.permission_missing",
        reason=RefusalReason.PERMISSION,
        fix="Portal: Entra ID > App registrations > this server's OAuth application > API permissions > Add a permission > "
        "Microsoft Graph > Delegated permissions > Application.ReadWrite.All, Grant admin consent; then connect again.",
    )


def _person_not_owner(application: RemoteApplication, person_id: str) -> NoReturn:
    raise NeedsAction(
        f"The person who signed in ({person_id}) does not own {application.name} ({application.app_id}).",
        code="azure.not_owner",
        reason=RefusalReason.PERMISSION,
        fix=f"Make them an owner: `az ad app owner add --id {application.app_id} --owner-object-id {person_id}`, or Portal: "
        "Entra ID > App registrations > the application > Owners > Add owners.",
    )


def _not_owner(application: RemoteApplication, principal_id: str) -> NoReturn:
    raise NeedsAction(
        f"The connection has Application.ReadWrite.OwnedBy, but its service principal ({principal_id}) does not own "
        f"{application.name} ({application.app_id}).",
        code="azure.not_owner",
        reason=RefusalReason.PERMISSION,
        fix=f"Make it an owner: `az ad app owner add --id {application.app_id} --owner-object-id {principal_id}`. "
        "The portal can add only people as owners.",
    )
