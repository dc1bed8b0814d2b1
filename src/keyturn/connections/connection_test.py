"""Trying a connection: does it sign in, and what may it do. Changes nothing at the provider."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keyturn.audit import events
from keyturn.audit.domain import Filter
from keyturn.audit.service import newest
from keyturn.authz.domain import Action
from keyturn.connections import health, rotation_store
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.connections.health import check_failed
from keyturn.connections.recording import record_connection_event
from keyturn.connections.stored import Stored
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, NeedsAction, RefusalReason, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import not_after
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.preflight import PolicyVerdict
from keyturn.ports.provider import AccessToken, Capability, RemoteApplication
from keyturn.ports.sign_in import SignInMethod
from keyturn.providers.registry import Providers

LEAST_LIFE = timedelta(days=4)
"""A credential that may not live so long cannot be rotated even daily."""
TOLD_AGAIN_AFTER = timedelta(days=1)
"""A test by the same actor that comes to the same result is written to the audit trail once in this time."""


@dataclass(frozen=True)
class ConnectionTestCheck:
    """One line of a connection's test: what was tried, whether it worked, and what to do if not."""

    name: str
    ok: bool
    message: str
    fix: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class ConnectionTest:
    """How a test went. ``capabilities`` is empty when the connection did not sign in."""

    connection: Connection
    checks: Sequence[ConnectionTestCheck]
    capabilities: Sequence[Capability] = ()

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


class ConnectionTests:
    """Use cases of trying connections."""

    def __init__(self, database: Database, providers: Providers, clock: Clock, ids: Ids, stored: Stored) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock
        self._ids = ids
        self._stored = stored

    def run(self, actor: Actor, connection_id: str) -> ConnectionTest:
        """Try the connection now, and remember how it went. Raises NotFound or Forbidden; all else is part of the answer.

        The audit trail gets an event when it says something new; see :func:`_record`.
        """
        with self._database.read() as tx:
            connection = connection_for(tx, actor, connection_id, Action.CONNECT_CONNECTIONS)
            rotates = rotation_store.rotates(tx, connection_id)
        attempt = self.of(connection, rotates=rotates)
        failure = attempt.make()
        now = self._clock.now()
        with self._database.write() as tx:
            attempt.remember(tx, failure, now)
            _record(tx, actor, connection, now, ok=failure is None, code=failure.code if failure else None)
        result = check_failed(failure) if failure else {"ok": True}
        return ConnectionTest(
            replace(connection, checked_at=now, check_result=result), attempt.checks, attempt.capabilities
        )

    def of(self, connection: Connection, *, rotates: bool) -> "ConnectionTestRun":
        """Return a test of the connection that has not been made yet."""
        with self._database.read() as tx:
            reads = rotation_store.reads_tenant(tx, connection.id) and not rotates
            changes = connection.could_change or rotation_store.is_rotated_through(tx, connection.id)
        around = (self._providers, self._stored, self._clock, self._ids)
        return ConnectionTestRun(*around, connection, rotates=rotates, reads=reads, changes=changes)


def _record(tx: Tx, actor: Actor, connection: Connection, now: datetime, **result: Any) -> None:
    """Write the test to the audit trail, unless that would repeat it: programs test on a timer.

    It is written when the result differs from that of the last test, whoever made it, and when this actor's last test is a
    day old or was made with other credentials.
    """
    about = Filter(connection.org_id, event=events.CONNECTION_TESTED.name, subject_id=connection.id)
    last, own = newest(tx, about, 1), newest(tx, replace(about, actor_id=actor.id), 1)
    since = max(now - TOLD_AGAIN_AFTER, not_after(connection.published_at or now - TOLD_AGAIN_AFTER, now))
    same = bool(last) and all(last[0].data.get(name) == value for name, value in result.items())
    if not (same and own and since <= own[0].at <= now):
        record_connection_event(tx, actor, events.CONNECTION_TESTED, connection, now, **result, checkedAt=iso(now))


class ConnectionTestRun:
    """One look at what a connection can do: it signs in, reads its application, and may change its secrets.

    ``reads``: it is there to read a tenant, for which it need not be able to change anything. ``changes``: something is rotated
    through it, or could be until now.
    """

    def __init__(
        self,
        providers: Providers,
        stored: Stored,
        clock: Clock,
        ids: Ids,
        connection: Connection,
        *,
        rotates: bool,
        reads: bool,
        changes: bool,
    ) -> None:
        self._providers = providers
        self._stored = stored
        self._clock = clock
        self._ids = ids
        self._rotates = rotates
        self._reads = reads
        self._changes = changes
        self._connection = connection
        self.checks: list[ConnectionTestCheck] = []
        self.capabilities: Sequence[Capability] = ()
        self._ends_at: datetime | None = None
        self._may_change = self._has_read = False

    def make(self) -> KeyturnError | None:
        """Try one thing after another; return what stopped it."""
        for name, attempt in (
            ("sign-in", self._sign_in),
            ("application", self._application),
            ("permission", self._permission),
            ("policy", self._policy),
        ):
            try:
                check = attempt(name)
            except KeyturnError as error:
                self.checks.append(
                    ConnectionTestCheck(name, ok=False, message=error.message, fix=error.fix, code=error.code)
                )
                return error
            if check:
                self.checks.append(check)
        return None

    def may_fail(self, failure: KeyturnError) -> bool:
        """Whether the connection is in order all the same: it signs in and reads, and needs no more as long as nothing is rotated
        through it.
        """
        is_permission = isinstance(failure, NeedsAction) and failure.reason is RefusalReason.PERMISSION
        reads = self._has_read and any(each.allowed for each in self.capabilities)
        return is_permission and reads and not self._changes

    def remember(self, tx: Tx, failure: KeyturnError | None, now: datetime) -> None:
        """Write down at the connection how it went. Nothing is written when it has other credentials by now."""
        connection, stored = self._connection, self._stored
        if failure is None or self.may_fail(failure):
            own = self._ends_at if not rotation_store.has_rotation(tx, connection.id) else None
            health.note_accepted(
                tx, connection, now, health.next_look(now, self._ids.jitter()), own, may_change=self._may_change
            )
        elif stored.clock_is_right() and health.is_refusal(failure, settled=stored.settled(connection)):
            health.note_refused(tx, connection, failure, now)
        else:
            health.note_trouble(tx, connection, failure, now)

    def _sign_in(self, name: str) -> ConnectionTestCheck:
        self._token: AccessToken
        self._connection, self._token = self._stored.sign_in(self._connection)
        connection, provider = self._connection, self._providers.of(self._connection.app)
        self.capabilities = provider.capabilities(self._token, connection.client_id)
        warning = None if self._rotates else connection.warning(self._clock.now())
        return ConnectionTestCheck(name, ok=True, message=self._method.signed_in, fix=warning)

    def _application(self, name: str) -> ConnectionTestCheck | None:
        connection = self._connection
        self._remote = self._method.application(connection.tenant, self._token, connection.client_id)
        if self._remote is None:
            return None
        self._ends_at = self._listed_end(self._remote)
        return ConnectionTestCheck(name, ok=True, message=f"The application is '{self._remote.name}'.")

    def _listed_end(self, application: RemoteApplication) -> datetime | None:
        """Return when the credential ends; None where the list does not tell which one of the application's it is."""
        if self._rotates or self._connection.ends_at or self._method.kind() is None:
            return None
        credentials = self._stored.credentials(self._connection)
        if credentials is None:
            return None
        try:
            match = self._method.match(application.credentials, credentials, self._clock.now(), None, confirmed=False)
        except Refused:
            return None
        return match.ends_at

    def _permission(self, name: str) -> ConnectionTestCheck:
        self._has_read = True
        try:
            report = self._method.permission(self._connection.tenant, self._token, self._remote, self.capabilities)
        except NeedsAction as refusal:
            if not self._reads or refusal.reason is not RefusalReason.PERMISSION:
                raise
            told = "The inventory of its tenant is read through it; secrets may not be changed through it."
            return ConnectionTestCheck(name, ok=True, message=told)
        self._may_change = True
        return ConnectionTestCheck(name, ok=True, message=report.message, fix=report.fix)

    def _policy(self, name: str) -> ConnectionTestCheck | None:
        """Say what policies of the tenant will or may have the next credential refused, as far as they can be read.

        It is no failure yet.
        """
        kind = self._method.kind(app_id=self._connection.client_id)
        if kind is None or self._remote is None:
            return None
        report = kind.policy(self._connection.tenant, self._token, self._remote, LEAST_LIFE)
        if report.verdict is PolicyVerdict.ALLOWED or not report.code:
            return None
        fix = " ".join(text for text in (report.fix, report.instead) if text)
        return ConnectionTestCheck(name, ok=True, message=report.message, fix=fix, code=report.code)

    @property
    def _method(self) -> SignInMethod:
        return self._providers.method_of(self._connection)
