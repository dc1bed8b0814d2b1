"""What is written of a connection, within one transaction of the caller. Nothing here asks the provider."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy.exc

from keyturn.audit import events
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections import claims, fingerprints, health, holders, refresh_tokens, sealed, store
from keyturn.connections.domain import (
    Connection,
    NewConnection,
    SealedContent,
    VerifiedCredentials,
    credentials_hash,
    salt_context,
)
from keyturn.connections.recording import record_connection_event
from keyturn.credentials import rotation_store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.organizations.quotas import require_room
from keyturn.ownership import store as owners
from keyturn.ownership.domain import Owned
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials, SignInMethod
from keyturn.providers.registry import Providers


@dataclass(frozen=True)
class ConnectionWriter:
    """Writes connections, and the audit events of that.

    ``cloud`` is that of new connections; ``most`` is how many there may be in one project, 0 for any number.
    """

    clock: Clock
    ids: Ids
    sealer: Sealer
    providers: Providers
    cloud: str
    most: int = 0

    def check_new(self, tx: Tx, actor: Actor, name: str, project_id: str | None) -> None:
        """Make all checks of a new connection that need no network: permission, name and room where it shall be."""
        try:
            authorize.require(tx, actor, Action.CREATE_CONNECTIONS, Scope(actor.org_id, project_id))
        except NotFound as error:
            raise Refused(error.message, code=error.code, fix="Check projectId.") from None
        _check_name(tx, actor.org_id, project_id, name)
        there = store.in_place(tx, actor.org_id, project_id)
        require_room(there, self.most, "app connections here", "KEYTURN_MAX_CONNECTIONS")

    def insert(self, tx: Tx, actor: Actor, new: NewConnection, verified: VerifiedCredentials) -> Connection:
        """Write down a connection whose credentials were verified before this transaction; all else is checked again."""
        self.check_new(tx, actor, new.name, new.project_id)
        now, new_id, credentials = self.clock.now(), self.ids.new(), verified.credentials
        method = self.providers.method_of(credentials)
        mark = self._admit(tx, actor, credentials, None)
        claims.take(tx, self.cloud, credentials.client_id, claims.Use.SIGN_IN)
        salt = Plaintext(self.ids.secret())
        connection = Connection(
            id=new_id,
            org_id=actor.org_id,
            project_id=new.project_id,
            name=new.name,
            description=new.description,
            app=method.app,
            method=method.key,
            cloud=self.cloud,
            tenant_id=credentials.tenant_id,
            client_id=credentials.client_id,
            secret_version=1,
            salt=self.sealer.seal(salt, salt_context(new_id)),
            credentials_hash=credentials_hash(method, verified.given, salt),
            version=1,
            created_at=now,
            updated_at=now,
            checked_at=now,
            check_result={"ok": True},
            ends_at=method.ends_at(credentials),
            facts=method.facts(credentials),
            fingerprint=mark,
            fingerprint_version=1,
            published_at=verified.accepted_at,
            look_at=health.first_look(now, self.ids.jitter(), method, credentials),
            **sealed.credential_columns(tx, self.sealer, new_id, 1, self.cloud, method, credentials, mark),
        )
        try:
            store.insert(tx, connection)
        except sqlalchemy.exc.IntegrityError as error:  # another server took the name just now
            raise _name_taken(new.name) from error
        owners.begin(tx, actor, Owned.CONNECTION, new_id, now, new.owner)
        if method.browser:
            refresh_tokens.keep(tx, self.sealer, new_id, method.value(credentials), actor, now)
        facts = {"method": connection.method, "credentialsUpdated": True} | (connection.facts or {})
        record_connection_event(tx, actor, events.CONNECTION_CREATED, connection, now, **facts)
        return connection

    def change(
        self,
        tx: Tx,
        actor: Actor,
        connection: Connection,
        *,
        name: str,
        description: str | None,
        verified: VerifiedCredentials | None,
    ) -> Connection:
        """Change name, description and (with ``verified``) credentials; what is as before is not written."""
        connection = self._rename(tx, actor, connection, name=name, description=description)
        return self.replace_credentials(tx, actor, connection, verified) if verified else connection

    def _rename(
        self, tx: Tx, actor: Actor, connection: Connection, *, name: str, description: str | None
    ) -> Connection:
        """Change name and description; a no-op when both are as before."""
        if (name, description) == (connection.name, connection.description):
            return connection
        if name != connection.name:
            _check_name(tx, connection.org_id, connection.project_id, name)
        after = replace(connection, name=name, description=description, version=connection.version + 1)
        try:
            self._change(tx, connection, name=name, description=description, version=after.version)
        except sqlalchemy.exc.IntegrityError as error:
            raise _name_taken(name) from error
        facts = {"previousName": connection.name, "credentialsUpdated": False}
        record_connection_event(tx, actor, events.CONNECTION_UPDATED, after, self.clock.now(), **facts)
        return after

    def replace_credentials(
        self, tx: Tx, actor: Actor, connection: Connection, verified: VerifiedCredentials
    ) -> Connection:
        """Store what the user supplied; the provider accepted it before this transaction."""
        mark = self._admit(tx, actor, verified.credentials, connection)
        claims.take(tx, connection.cloud, verified.credentials.client_id, claims.Use.SIGN_IN)
        return self._store(tx, actor, connection, verified, mark)

    def switch_method(
        self, tx: Tx, actor: Actor, connection: Connection, verified: VerifiedCredentials, hashed: str | None = None
    ) -> Connection:
        """Let the connection sign in to the same application by another method. Who may is for the caller to check.

        ``hashed`` is the hash of what a user once supplied, where that is to count again.
        """
        method = self.providers.method_of(verified.credentials)
        mark = fingerprints.of(tx, self.sealer, self.clock.now(), method, connection.cloud, verified.credentials)
        return self._store(tx, actor, connection, verified, mark, hashed)

    def _store(
        self,
        tx: Tx,
        actor: Actor,
        connection: Connection,
        verified: VerifiedCredentials,
        mark: str | None,
        hashed: str | None = None,
    ) -> Connection:
        credentials, salt = verified.credentials, sealed.salt(self.sealer, connection)
        version, now = connection.secret_version + 1, self.clock.now()
        method = self.providers.method_of(credentials)
        after = replace(
            connection,
            method=method.key,
            tenant_id=credentials.tenant_id,
            client_id=credentials.client_id,
            secret_version=version,
            salt=self.sealer.seal(salt, salt_context(connection.id)),
            credentials_hash=hashed or credentials_hash(method, verified.given, salt),
            version=connection.version + 1,
            ends_at=method.ends_at(credentials),
            secret_ends_at=None,
            facts=method.facts(credentials),
            fingerprint=mark,
            fingerprint_version=version,
            published_at=verified.accepted_at,
            look_at=health.first_look(now, self.ids.jitter(), method, credentials),
            **sealed.credential_columns(
                tx, self.sealer, connection.id, version, connection.cloud, method, credentials, mark
            ),
            **health.healthy_columns(now),
        )
        self._change(tx, connection, **{name: getattr(after, name) for name in _CREDENTIAL_FIELDS})
        if method.browser:
            refresh_tokens.keep(tx, self.sealer, connection.id, method.value(credentials), actor, now)
        switched = {"method": after.method} if after.method != connection.method else {}
        facts = {"credentialsUpdated": True} | switched | (after.facts or {})
        record_connection_event(tx, actor, events.CONNECTION_UPDATED, after, now, **facts)
        health.record_recovery(tx, connection, now)
        journal.wake_through(tx, connection.id, now)
        return after

    def delete(self, tx: Tx, actor: Actor, connection: Connection, **facts: Any) -> None:
        store.delete(tx, connection.id)
        record_connection_event(tx, actor, events.CONNECTION_DELETED, connection, self.clock.now(), **facts)

    def _admit(self, tx: Tx, actor: Actor, stored: Credentials, connection: Connection | None) -> str | None:
        """Return the fingerprint of credentials that a connection may hold. Raises Refused as :func:`holders.admit` does."""
        now, method = self.clock.now(), self.providers.method_of(stored)
        require_may_set_up(tx, actor, method)
        claims.require_sign_in(tx, connection.cloud if connection else self.cloud, stored.client_id)
        mark = fingerprints.of(tx, self.sealer, now, method, connection.cloud if connection else self.cloud, stored)
        if mark is None or (connection is not None and mark == fingerprints.known_fingerprint(connection)):
            return mark
        holders.lock(tx, mark)
        what = holders.credential_name(method)
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


_CREDENTIAL_FIELDS = (
    *(
        "method",
        "tenant_id",
        "client_id",
        "secret",
        "secret_version",
        "credential_id",
        "salt",
        "credentials_hash",
        "version",
    ),
    *("checked_at", "check_result", "ends_at", "secret_ends_at", "facts", "fingerprint"),
    "fingerprint_version",
    *("published_at", "look_at", "refused_at", "refusal", "unreached_since"),
)


def require_may_set_up(tx: Tx, actor: Actor, method: SignInMethod) -> None:
    """Raise Forbidden for who may not have connections act as this server itself; all else is for others to check.

    Applications of several projects may trust the one identity of the server. Who may only add connections to their own project
    could otherwise name the application of another one.
    """
    if not method.as_server:
        return
    try:
        authorize.require(tx, actor, Action.CREATE_CONNECTIONS, Scope(actor.org_id))
    except Forbidden as error:
        raise Forbidden(
            f"Connections by {method.label} act as this server itself: only who may add connections to the organization sets one "
            "up, also in a project.",
            code="connections.administrators_only",
            fix="Ask an administrator of the organization to make it, or to change its credentials.",
            details=error.details,
        ) from None


def _check_name(tx: Tx, org_id: str, project_id: str | None, name: str) -> None:
    if store.by_name(tx, org_id, project_id, name):
        raise _name_taken(name)


def _name_taken(name: str) -> Refused:
    return Refused(
        f"An app connection named '{name}' already exists here.",
        code="connections.name_taken",
        field="name",
        fix="Choose another name.",
    )


def point_to(
    tx: Tx,
    sealer: Sealer,
    method: SignInMethod,
    connection_id: str,
    row: Credential,
    value: Plaintext,
    now: datetime,
    *,
    holding: str | None = None,
) -> bool:
    """Let the connection sign in with this row of the journal, which has the ``value`` and alone keeps it.

    The hash of what the user supplied stays as it is. With ``holding`` only if it still holds the credential with this
    fingerprint. Returns whether it was done.
    """
    connection = store.get(tx, connection_id, lock=True)
    if connection is None or (holding is not None and fingerprints.known_fingerprint(connection) != holding):
        return False
    before, version = sealed.content_of(sealer, connection), connection.secret_version + 1
    credentials = method.of_value(connection.tenant_id, connection.client_id, value)
    mark = fingerprints.of(tx, sealer, now, method, connection.cloud, credentials)
    changes = sealed.content_columns(
        sealer, connection.id, version, SealedContent(connection.target, credential_id=row.id)
    )
    facts = {
        "ends_at": method.ends_at(credentials),
        "secret_ends_at": None,
        "facts": method.facts(credentials),
        "fingerprint": mark,
        "fingerprint_version": version,
    }
    fresh = facts | health.healthy_columns(now) | {"published_at": now}  # it has just signed in, several times
    changes |= sealed.salt_column(sealer, connection, before)
    changed_row = store.change(tx, connection, secret_version=version, updated_at=now, **changes, **fresh)
    if changed_row:
        health.record_recovery(tx, connection, now)
        journal.wake_through(tx, connection.id, now)
    return changed_row
