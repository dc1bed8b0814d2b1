"""Use cases of app connections. Rotating them is the business of ``rotations``, which builds on this."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy.exc

from keyturn.audit import events
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections import fingerprints, health, holders, sealed, store
from keyturn.connections.domain import (
    APP,
    AuthorizationCode,
    Certificate,
    CertificateFiles,
    ClientSecret,
    Connection,
    NewConnection,
    OAuthGrant,
    ProjectRef,
    ReadCredentials,
    Rotatable,
    StoredCredentials,
    SubmittedCredentials,
    UnsealedCredentials,
    VerifiedCredentials,
    credentials_hash,
    end_of,
    facts_of,
    method_of,
    pack,
    seal_context,
)
from keyturn.connections.flow import require_whole
from keyturn.connections.recording import record_connection_event
from keyturn.connections.refresh_tokens import Grants
from keyturn.connections.stored import Stored, final
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.organizations.quotas import require_room
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.provider import AccessToken, ApplicationSummary, OAuthApp, Provider, Tenant
from keyturn.ports.sealing import Sealer
from keyturn.settings.model import Pace

_DEFAULT_PACE = Pace()


class Connections:
    """Creates, reads and changes app connections. ``oauth`` is this server's own application; ``pause`` waits so many seconds."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        provider: Provider,
        clock: Clock,
        ids: Ids,
        cloud: str,
        oauth: OAuthApp | None = None,
        *,
        bare_codes: bool = False,
        most: int = 0,
        pace: Pace = _DEFAULT_PACE,
        pause: Callable[[float], object] = lambda _seconds: None,
    ) -> None:
        self.database = database
        self.sealer = sealer
        self.provider = provider
        self.clock = clock
        self.ids = ids
        self.cloud = cloud
        self._bare_codes, self._most = bare_codes, most
        self.grants = Grants(database, sealer, provider, clock, oauth)
        self.stored = Stored(database, sealer, provider, clock, self.grants, pace, pause)

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, actor: Actor, connection_id: str) -> Connection:
        """Return a connection that the actor may read. Raises NotFound or Forbidden."""
        with self.database.read() as tx:
            return self.connection_for(tx, actor, connection_id, Action.READ_CONNECTIONS)

    def connection_for(
        self, tx: Tx, actor: Actor, connection_id: str, action: Action, *, lock: bool = False
    ) -> Connection:
        """The one way to a connection: by id, for an actor, with a permission. Raises NotFound or Forbidden."""
        connection = store.get(tx, connection_id, lock=lock)
        if connection is None or connection.org_id != actor.org_id:
            raise missing(connection_id)
        authorize.require(tx, actor, action, Scope(connection.org_id, connection.project_id))
        return connection

    def by_name(self, actor: Actor, name: str, project_id: str | None) -> Connection:
        """Return the connection of that name in the project, or without one in the organization."""
        with self.database.read() as tx:
            authorize.require(tx, actor, Action.READ_CONNECTIONS, Scope(actor.org_id, project_id))
            connection = store.by_name(tx, actor.org_id, project_id, name)
        if connection is None:
            raise NotFound(f"There is no app connection named '{name}' here.", code="connections.not_found")
        return connection

    def visible(self, actor: Actor, project_id: str | None) -> Sequence[Connection]:
        """Return what the actor may read, by name: of one project, or of the organization and all its projects."""
        with self.database.read() as tx:
            if project_id:
                authorize.require(tx, actor, Action.READ_CONNECTIONS, Scope(actor.org_id, project_id))
                return store.in_organization(tx, actor.org_id, organization=False, projects=[project_id])
            sight = authorize.visible(tx, actor)
            return store.in_organization(tx, actor.org_id, organization=sight.organization, projects=sight.projects)

    def available(self, actor: Actor, project_id: str | None) -> Sequence[Connection]:
        """Return what the actor may use (not only read) in the project: its own and the organization's."""
        with self.database.read() as tx:
            if project_id:
                authorize.require(tx, actor, Action.CONNECT_CONNECTIONS, Scope(actor.org_id, project_id))
            organization = authorize.allowed(tx, actor, Action.CONNECT_CONNECTIONS, Scope(actor.org_id))
            projects = [project_id] if project_id else []
            return store.in_organization(tx, actor.org_id, organization=organization, projects=projects)

    def homes(self, connections: Sequence[Connection]) -> Mapping[str, ProjectRef]:
        """Return by id the projects of connections that the caller was allowed to read: one statement at most."""
        of_projects = {(each.org_id, each.project_id) for each in connections if each.project_id}
        if not of_projects:
            return {}
        org_id, project_id = next(iter(of_projects))
        with self.database.read() as tx:
            return store.homes(tx, org_id, project_id if len(of_projects) == 1 else None)

    # --- creating ---------------------------------------------------------------------------------------------------

    def create(self, actor: Actor, draft: NewConnection) -> Connection:
        """Make a connection whose credentials sign in. Raises Refused, Forbidden or what the provider says."""
        self.check_new(actor, draft.name, draft.project_id)
        verified = self.prove(self.read(draft.credentials))
        self.mark_all()
        with self.database.write() as tx:
            return self.insert(tx, actor, draft, verified)

    def check_new(self, actor: Actor, name: str, project_id: str | None) -> None:
        """Make all checks of a new connection that need no network: permission, name and room where it shall be."""
        with self.database.read() as tx:
            self._check_place(tx, actor, name, project_id)

    def _check_place(self, tx: Tx, actor: Actor, name: str, project_id: str | None) -> None:
        try:
            authorize.require(tx, actor, Action.CREATE_CONNECTIONS, Scope(actor.org_id, project_id))
        except NotFound as error:
            raise Refused(error.message, code=error.code, fix="Check projectId.") from None
        self._check_name(tx, actor.org_id, project_id, name)
        there = store.in_place(tx, actor.org_id, project_id)
        require_room(there, self._most, "app connections here", "KEYTURN_MAX_CONNECTIONS")

    def _check_name(self, tx: Tx, org_id: str, project_id: str | None, name: str) -> None:
        if store.by_name(tx, org_id, project_id, name):
            raise name_taken(name)

    def insert(self, tx: Tx, actor: Actor, draft: NewConnection, verified: VerifiedCredentials) -> Connection:
        """Write down a connection whose checks were made before this transaction; the name is checked again."""
        self._check_place(tx, actor, draft.name, draft.project_id)
        now, new, credentials = self.clock.now(), self.ids.new(), verified.credentials
        mark = self._admitted(tx, actor, credentials, None)
        salt = self.ids.secret()
        connection = Connection(
            id=new,
            org_id=actor.org_id,
            project_id=draft.project_id,
            name=draft.name,
            description=draft.description,
            app=APP,
            method=method_of(credentials),
            cloud=self.cloud,
            tenant_id=credentials.tenant_id,
            client_id=credentials.client_id,
            secret=self.sealer.seal(pack(credentials, salt, self.cloud), seal_context(new, 1)),
            secret_version=1,
            credentials_hash=credentials_hash(verified.given, salt),
            version=1,
            created_at=now,
            updated_at=now,
            checked_at=now,
            check_result={"ok": True},
            ends_at=end_of(credentials),
            facts=facts_of(credentials),
            fingerprint=mark,
            fingerprint_version=1,
            published_at=now,
            look_at=health.next_look(now, self.ids.jitter()),
        )
        try:
            store.insert(tx, connection)
        except sqlalchemy.exc.IntegrityError as error:  # another server took the name just now
            raise name_taken(draft.name) from error
        if isinstance(credentials, OAuthGrant):
            self.grants.keep(tx, new, credentials)
        facts = {"method": connection.method.value, "credentialsUpdated": True} | (connection.facts or {})
        record_connection_event(tx, actor, events.CONNECTION_CREATED, connection, now, **facts)
        return connection

    # --- changing ---------------------------------------------------------------------------------------------------

    def rename(self, tx: Tx, actor: Actor, connection: Connection, *, name: str, description: str | None) -> Connection:
        """Change name and description; a no-op when both are as before."""
        if (name, description) == (connection.name, connection.description):
            return connection
        if name != connection.name:
            self._check_name(tx, connection.org_id, connection.project_id, name)
        changed = replace(connection, name=name, description=description, version=connection.version + 1)
        try:
            self._change(tx, connection, name=name, description=description, version=changed.version)
        except sqlalchemy.exc.IntegrityError as error:
            raise name_taken(name) from error
        facts = {"previousName": connection.name, "credentialsUpdated": False}
        record_connection_event(tx, actor, events.CONNECTION_UPDATED, changed, self.clock.now(), **facts)
        return changed

    def replace_credentials(
        self, tx: Tx, actor: Actor, connection: Connection, verified: VerifiedCredentials
    ) -> Connection:
        """Store what the user supplied; the provider accepted it before this transaction."""
        credentials, salt = verified.credentials, sealed.salt(self.sealer, connection)
        version, now = connection.secret_version + 1, self.clock.now()
        mark = self._admitted(tx, actor, credentials, connection)
        changed = replace(
            connection,
            tenant_id=credentials.tenant_id,
            client_id=credentials.client_id,
            secret=self.sealer.seal(pack(credentials, salt, connection.cloud), seal_context(connection.id, version)),
            secret_version=version,
            credentials_hash=credentials_hash(verified.given, salt),
            version=connection.version + 1,
            ends_at=end_of(credentials),
            facts=facts_of(credentials),
            fingerprint=mark,
            fingerprint_version=version,
            published_at=now,
            look_at=health.next_look(now, self.ids.jitter()),
            **health.healed(now),
        )
        self._change(tx, connection, **{name: getattr(changed, name) for name in _CREDENTIAL_FIELDS})
        if isinstance(credentials, OAuthGrant):
            self.grants.keep(tx, connection.id, credentials)
        facts = {"credentialsUpdated": True} | (changed.facts or {})
        record_connection_event(tx, actor, events.CONNECTION_UPDATED, changed, now, **facts)
        health.record_recovery(tx, connection, now)
        return changed

    def _admitted(self, tx: Tx, actor: Actor, stored: StoredCredentials, connection: Connection | None) -> str | None:
        """Return the fingerprint of credentials that a connection may hold. Raises Refused as :func:`holders.admit` does."""
        now = self.clock.now()
        mark = fingerprints.of(tx, self.sealer, now, connection.cloud if connection else self.cloud, stored)
        if mark is None or (connection is not None and mark == fingerprints.marked(connection)):
            return mark
        holders.lock(tx, mark)
        what = holders.credential_name(method_of(stored))
        holders.refuse_removed(tx, mark, now, what)
        holders.admit(tx, actor, mark, connection.id if connection else None, what)
        return mark

    def _change(self, tx: Tx, connection: Connection, **changes: Any) -> None:
        if not store.change(tx, connection, updated_at=self.clock.now(), **changes):
            raise Refused(
                "The connection's credentials were changed by somebody else meanwhile.",
                code="connections.changed_meanwhile",
                fix="Load the connection again and repeat the change.",
            )

    def delete(self, tx: Tx, actor: Actor, connection: Connection, **facts: Any) -> None:
        store.delete(tx, connection.id)
        record_connection_event(tx, actor, events.CONNECTION_DELETED, connection, self.clock.now(), **facts)

    def mark_all(self, report: fingerprints.Report = fingerprints.quiet) -> None:
        """Give fingerprints to connections that have none yet: outside transactions, before anything is decided by them."""
        fingerprints.complete(self.database, self.sealer, self.clock.now(), report)

    # --- credentials ------------------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> UnsealedCredentials:
        """Return what is sealed in the connection; see :func:`sealed.opened`."""
        return sealed.opened(self.database, self.sealer, connection)

    def open(self, connection: Connection) -> tuple[Plaintext, str]:
        """Return the client secret and the salt of the hash. Raises Refused for other methods."""
        return self.credentials(connection).secret, self.opened(connection).salt

    def credentials(self, connection: Connection) -> ClientSecret:
        """Return the client secret of a connection. Raises Refused for other methods."""
        credentials = self.opened(connection).credentials
        if not isinstance(credentials, ClientSecret):
            raise Refused(
                f"A connection of the method '{connection.method}' has no client secret.",
                code="connections.no_client_secret",
            )
        return credentials

    def read(self, supplied: SubmittedCredentials, *, dated: bool = True) -> ReadCredentials:
        """Check what needs no network. Raises Refused, naming the field, for a certificate that cannot be used.

        With ``dated`` False its dates are not looked at: it may only be what was supplied long ago.
        """
        if isinstance(supplied, AuthorizationCode) and not self._bare_codes:
            require_whole(supplied)
        if not isinstance(supplied, CertificateFiles):
            return supplied
        signing = self.provider.read_certificate(
            supplied.certificate, supplied.private_key, supplied.passphrase, self.clock.now() if dated else None
        )
        return Certificate(supplied.tenant_id, supplied.client_id, signing)

    def is_as_supplied(self, connection: Connection, credentials: ReadCredentials) -> bool:
        """Whether the user sent again what they had sent before, as declarative tools do with every change."""
        same = credentials_hash(credentials, sealed.salt(self.sealer, connection)) == connection.credentials_hash
        return same and sealed.is_as_sealed(self.database, self.sealer, connection)

    def prove(self, credentials: ReadCredentials, cloud: str | None = None) -> VerifiedCredentials:
        """Have the provider accept what was given, in the connection's cloud. NOT repeatable for a code, which is exchanged."""
        if isinstance(credentials, AuthorizationCode):
            return VerifiedCredentials(credentials, self._exchange(credentials, cloud or self.cloud))
        verified = self.located(credentials, cloud)
        self.sign_in(verified, cloud)
        return VerifiedCredentials(credentials, verified)

    def located(self, credentials: Rotatable, cloud: str | None = None) -> Rotatable:
        """Return the credentials with the id of their tenant, if they name one of its domains. Repeatable."""
        if is_uuid(credentials.tenant_id):
            return credentials
        with final():
            return replace(
                credentials, tenant_id=self.provider.tenant_id(Tenant(cloud or self.cloud, credentials.tenant_id))
            )

    def _exchange(self, code: AuthorizationCode, cloud: str) -> StoredCredentials:
        app = self.grants.app()
        tenant = Tenant(cloud, code.tenant_id)
        with final():
            grant = self.provider.redeem(tenant, app, code.code, verifier=code.verifier, nonce=code.nonce)
        return OAuthGrant.of(grant, app.client_id)

    def sign_in(self, credentials: ClientSecret | Certificate, cloud: str | None = None) -> AccessToken:
        """Prove credentials that somebody gave. A refusal is final here: nothing was changed that could still spread."""
        tenant = Tenant(cloud or self.cloud, credentials.tenant_id)
        with final():
            if isinstance(credentials, Certificate):
                return self.provider.sign_in_by_certificate(tenant, credentials.client_id, credentials.signing)
            return self.provider.sign_in(tenant, credentials.client_id, credentials.secret)

    def access(self, connection: Connection) -> AccessToken:
        """Return a fresh token for the management API, whatever the method. Raises what the provider says."""
        return self.stored.sign_in(connection)[1]

    def clients(self, actor: Actor, connection_id: str) -> Sequence[ApplicationSummary]:
        """List the applications that the connection can see, for choosing one."""
        with self.database.read() as tx:
            connection = self.connection_for(tx, actor, connection_id, Action.CONNECT_CONNECTIONS)
        return self.provider.applications(connection.tenant, self.access(connection))


_CREDENTIAL_FIELDS = (
    *("tenant_id", "client_id", "secret", "secret_version", "credentials_hash", "version"),
    *("checked_at", "check_result", "ends_at", "facts", "fingerprint", "fingerprint_version"),
    *("published_at", "look_at", "refused_at", "refusal"),
)


def name_taken(name: str) -> Refused:
    return Refused(
        f"An app connection named '{name}' already exists here.",
        code="connections.name_taken",
        fix="Choose another name.",
    )


def missing(connection_id: str) -> NotFound:
    return NotFound(f"There is no app connection '{connection_id}'.", code="connections.not_found")
