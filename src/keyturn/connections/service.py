"""Use cases of app connections. Rotating them is the business of ``rotations``, which builds on this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy.exc

from keyturn.access import door
from keyturn.access.domain import Action
from keyturn.access.door import Scope
from keyturn.audit import store as audit
from keyturn.audit.domain import Event
from keyturn.connections import store
from keyturn.connections.domain import (
    APP,
    ClientSecret,
    Connection,
    Draft,
    Home,
    Method,
    credentials_hash,
    pack,
    place,
    unpack,
)
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, NeedsAction, NotFound, NotYet, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext
from keyturn.ports import (
    AccessToken,
    ApplicationSummary,
    Clock,
    Ids,
    RemoteApplication,
    Sealer,
    SecretsProvider,
    Tenant,
)


@dataclass(frozen=True)
class Check:
    """One line of a connection's test: what was tried, whether it worked, and what to do if not."""

    name: str
    ok: bool
    message: str
    fix: str | None = None
    code: str | None = None


def replace_secret(tx: Tx, sealer: Sealer, connection_id: str, secret: Plaintext, now: datetime) -> None:
    """Give the connection its new current secret. The hash of what the user supplied stays as it is."""
    connection = store.get(tx, connection_id, lock=True)
    if connection is None:
        return
    _, salt = unpack(sealer.open(connection.secret, connection.place))
    version = connection.secret_version + 1
    sealed = sealer.seal(pack(secret, salt), place(connection.id, version))
    store.change(tx, connection, secret=sealed, secret_version=version, updated_at=now)


class Connections:
    """Creates, reads and changes app connections."""

    def __init__(
        self, database: Database, sealer: Sealer, provider: SecretsProvider, clock: Clock, ids: Ids, cloud: str
    ) -> None:
        self.database = database
        self.sealer = sealer
        self.provider = provider
        self.clock = clock
        self.ids = ids
        self.cloud = cloud

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
        door.require(tx, actor, action, Scope(connection.org_id, connection.project_id))
        return connection

    def by_name(self, actor: Actor, name: str, project_id: str | None) -> Connection:
        """Return the connection of that name in the project, or without one in the organization."""
        with self.database.read() as tx:
            door.require(tx, actor, Action.READ_CONNECTIONS, Scope(actor.org_id, project_id))
            connection = store.by_name(tx, actor.org_id, project_id, name)
        if connection is None:
            raise NotFound(f"There is no app connection named '{name}' here.", code="connections.not_found")
        return connection

    def visible(self, actor: Actor, project_id: str | None) -> Sequence[Connection]:
        """Return what the actor may read, by name: of one project, or of the organization and all its projects."""
        with self.database.read() as tx:
            if project_id:
                door.require(tx, actor, Action.READ_CONNECTIONS, Scope(actor.org_id, project_id))
                return store.in_organization(tx, actor.org_id, organization=False, projects=[project_id])
            sight = door.visible(tx, actor)
            return store.in_organization(tx, actor.org_id, organization=sight.organization, projects=sight.projects)

    def available(self, actor: Actor, project_id: str | None) -> Sequence[Connection]:
        """Return what the actor may use (not only read) in the project: its own and the organization's."""
        with self.database.read() as tx:
            if project_id:
                door.require(tx, actor, Action.CONNECT_CONNECTIONS, Scope(actor.org_id, project_id))
            organization = door.allowed(tx, actor, Action.CONNECT_CONNECTIONS, Scope(actor.org_id))
            projects = [project_id] if project_id else []
            return store.in_organization(tx, actor.org_id, organization=organization, projects=projects)

    def homes(self, connections: Sequence[Connection]) -> Mapping[str, Home]:
        """Return by id the projects of connections that the caller was allowed to read: one statement at most."""
        of_projects = {(one.org_id, one.project_id) for one in connections if one.project_id}
        if not of_projects:
            return {}
        org_id, project_id = next(iter(of_projects))
        with self.database.read() as tx:
            return store.homes(tx, org_id, project_id if len(of_projects) == 1 else None)

    # --- creating ---------------------------------------------------------------------------------------------------

    def create(self, actor: Actor, draft: Draft) -> Connection:
        """Make a connection whose credentials sign in. Raises Refused, Forbidden or what the provider says."""
        self.check_new(actor, draft)
        self.sign_in(draft.credentials)
        with self.database.write() as tx:
            return self.insert(tx, actor, draft)

    def check_new(self, actor: Actor, draft: Draft) -> None:
        """Make all checks of a new connection that need no network."""
        with self.database.read() as tx:
            self._check_place(tx, actor, draft)

    def _check_place(self, tx: Tx, actor: Actor, draft: Draft) -> None:
        try:
            door.require(tx, actor, Action.CREATE_CONNECTIONS, Scope(actor.org_id, draft.project_id))
        except NotFound as error:
            raise Refused(error.message, code=error.code, fix="Check projectId.") from None
        self._check_name(tx, actor.org_id, draft.project_id, draft.name)

    def _check_name(self, tx: Tx, org_id: str, project_id: str | None, name: str) -> None:
        if store.by_name(tx, org_id, project_id, name):
            raise name_taken(name)

    def insert(self, tx: Tx, actor: Actor, draft: Draft) -> Connection:
        """Write down a connection whose checks were made before this transaction; the name is checked again."""
        self._check_place(tx, actor, draft)
        now, new, given = self.clock.now(), self.ids.new(), draft.credentials
        salt = self.ids.new() + self.ids.new()
        connection = Connection(
            id=new,
            org_id=actor.org_id,
            project_id=draft.project_id,
            name=draft.name,
            description=draft.description,
            app=APP,
            method=Method.CLIENT_SECRET,
            cloud=self.cloud,
            tenant_id=given.tenant_id,
            client_id=given.client_id,
            secret=self.sealer.seal(pack(given.secret, salt), place(new, 1)),
            secret_version=1,
            credentials_hash=credentials_hash(given, salt),
            version=1,
            created_at=now,
            updated_at=now,
            checked_at=now,
            check_result={"ok": True},
        )
        try:
            store.insert(tx, connection)
        except sqlalchemy.exc.IntegrityError as error:  # another server took the name just now
            raise name_taken(draft.name) from error
        self.tell(
            tx, actor, "create-app-connection", connection, method=connection.method.value, credentialsUpdated=True
        )
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
        self.tell(tx, actor, "update-app-connection", changed, previousName=connection.name, credentialsUpdated=False)
        return changed

    def replace_credentials(self, tx: Tx, actor: Actor, connection: Connection, given: ClientSecret) -> Connection:
        """Store what the user supplied; it signed in before this transaction."""
        _, salt = self.open(connection)
        version = connection.secret_version + 1
        changed = replace(
            connection,
            tenant_id=given.tenant_id,
            client_id=given.client_id,
            secret=self.sealer.seal(pack(given.secret, salt), place(connection.id, version)),
            secret_version=version,
            credentials_hash=credentials_hash(given, salt),
            version=connection.version + 1,
            checked_at=self.clock.now(),
            check_result={"ok": True},
        )
        fields = ("tenant_id", "client_id", "secret", "secret_version", "credentials_hash", "version", "checked_at")
        self._change(tx, connection, check_result={"ok": True}, **{name: getattr(changed, name) for name in fields})
        self.tell(tx, actor, "update-app-connection", changed, credentialsUpdated=True)
        return changed

    def _change(self, tx: Tx, connection: Connection, **changes: Any) -> None:
        if not store.change(tx, connection, updated_at=self.clock.now(), **changes):
            raise Refused(
                "The connection's credentials were changed by somebody else meanwhile.",
                code="connections.changed_meanwhile",
                fix="Load the connection again and repeat the change.",
            )

    def delete(self, tx: Tx, actor: Actor, connection: Connection, **facts: Any) -> None:
        store.delete(tx, connection.id)
        self.tell(tx, actor, "delete-app-connection", connection, **facts)

    def tell(self, tx: Tx, actor: Actor, event: str, connection: Connection, **data: Any) -> None:
        facts = {"name": connection.name, "app": connection.app}
        audit.append(
            tx,
            Event(
                event,
                actor,
                "app-connection",
                connection.id,
                self.clock.now(),
                project_id=connection.project_id,
                data=facts | data,
            ),
        )

    # --- credentials ------------------------------------------------------------------------------------------------

    def open(self, connection: Connection) -> tuple[Plaintext, str]:
        """Return the client secret and the salt of the hash."""
        return unpack(self.sealer.open(connection.secret, connection.place))

    def credentials(self, connection: Connection) -> ClientSecret:
        return ClientSecret(connection.tenant_id, connection.client_id, self.open(connection)[0])

    def is_as_supplied(self, connection: Connection, given: ClientSecret) -> bool:
        """Whether the user sent again what they had sent before, as declarative tools do with every change."""
        return credentials_hash(given, self.open(connection)[1]) == connection.credentials_hash

    def sign_in(self, given: ClientSecret) -> AccessToken:
        """Prove credentials that somebody typed. A refusal is final here: nothing was changed that could still spread."""
        try:
            return self.provider.sign_in(Tenant(self.cloud, given.tenant_id), given.client_id, given.secret)
        except NotYet as error:
            raise NeedsAction(error.message, code=error.code, fix=error.fix, request_id=error.request_id) from None

    def clients(self, actor: Actor, connection_id: str) -> Sequence[ApplicationSummary]:
        """List the applications that the connection can see, for choosing one."""
        with self.database.read() as tx:
            connection = self.connection_for(tx, actor, connection_id, Action.CONNECT_CONNECTIONS)
        token = self.sign_in(self.credentials(connection))
        return self.provider.applications(connection.tenant, token)

    def test(self, actor: Actor, connection_id: str) -> tuple[Connection, list[Check]]:
        """Try the connection now: sign in, read its application, and whether it may change it. Changes nothing there."""
        with self.database.read() as tx:
            connection = self.connection_for(tx, actor, connection_id, Action.CONNECT_CONNECTIONS)
        checks = list(self._try(connection))
        failed = next((check for check in checks if not check.ok), None)
        now = self.clock.now()
        result = {"ok": failed is None, "code": failed and failed.code, "message": failed and failed.message}
        with self.database.write() as tx:
            store.change(tx, connection, checked_at=now, check_result=result)
            self.tell(tx, actor, "test-app-connection", connection, ok=failed is None, checkedAt=iso(now))
        return replace(connection, checked_at=now, check_result=result), checks

    def _try(self, connection: Connection) -> list[Check]:
        done: list[Check] = []
        try:
            token = self.sign_in(self.credentials(connection))
            done.append(Check("sign-in", ok=True, message="The client secret signs in."))
            application = self._application(connection, token)
            done.append(Check("application", ok=True, message=f"The application is '{application.name}'."))
            self.provider.check_may_write(connection.tenant, token, application)
            done.append(Check("permission", ok=True, message="Its secrets may be added and removed."))
        except KeyturnError as error:
            name = ("sign-in", "application", "permission")[len(done)]
            done.append(Check(name, ok=False, message=error.message, fix=error.fix, code=error.code))
        return done

    def _application(self, connection: Connection, token: AccessToken) -> RemoteApplication:
        return self.provider.application(connection.tenant, token, app_id=connection.client_id)


def name_taken(name: str) -> Refused:
    return Refused(
        f"An app connection named '{name}' already exists here.",
        code="connections.name_taken",
        fix="Choose another name.",
    )


def missing(connection_id: str) -> NotFound:
    return NotFound(f"There is no app connection '{connection_id}'.", code="connections.not_found")
