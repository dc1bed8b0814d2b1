"""Signing in with what is stored in a connection, so that a refusal means what it says.

A credential that was replaced while it was being tried is read again; and soon after a publish, when replicas may not know the
new one yet, a refusal is tried again before anybody is told of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keyturn.connections import store
from keyturn.connections.domain import Connection
from keyturn.connections.health import is_settled
from keyturn.connections.refresh_tokens import Grants
from keyturn.connections.sealed import open_credentials
from keyturn.db.unit import Database
from keyturn.errors import NeedsAction, NotYet, Retryable, Upstream
from keyturn.kit.clock_difference import is_right, provider_time
from keyturn.ports.clock import Clock
from keyturn.ports.provider import AccessToken
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials
from keyturn.providers.registry import Providers
from keyturn.settings.model import Pace

MOST_TRIES = 4


class Stored:
    """Opens what is stored and signs in with it. ``pause`` waits so many seconds."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        providers: Providers,
        clock: Clock,
        grants: Grants,
        pace: Pace,
        pause: Callable[[float], object],
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._providers = providers
        self._clock = clock
        self._grants = grants
        self._pace = pace
        self._pause = pause

    def sign_in(self, connection: Connection) -> tuple[Connection, AccessToken]:
        """Return a fresh token for the management API, and the connection as it was when it signed in.

        Raises NotYet for a refusal that replication still explains, otherwise what the provider says. Repeatable.
        """
        last = MOST_TRIES - 1
        for number in range(MOST_TRIES):
            try:
                return connection, self._once(connection)
            except Upstream as error:
                newer = self._newer(connection)
                spreading = isinstance(error, NotYet) and not self.settled(newer or connection)
                if number < last and newer:
                    connection = newer
                elif number < last and spreading:
                    self._pause(self._pace.proof_spacing.total_seconds())
                else:
                    raise self._explained(error, spreading=spreading) from None
        raise RuntimeError("unreachable: the last try returns or raises")

    def sign_in_once(self, connection: Connection) -> AccessToken:
        """Return a fresh token. Raises what the provider says: what replication may explain is for the caller to judge.

        Raises Retryable when the connection got another credential while the one it had was refused.
        """
        try:
            return self._once(connection)
        except Upstream as error:
            if self._newer(connection) is None:
                raise
            raise Retryable(error.message, code=error.code, fix=error.fix, request_id=error.request_id) from None

    def credentials(self, connection: Connection) -> Credentials | None:
        """Return what the connection signs in with; None for what a person granted. Raises as ``sealed.opened`` does."""
        return open_credentials(self._database, self._sealer, self._providers.method_of(connection), connection)

    def settled(self, connection: Connection) -> bool:
        now = provider_time(self._clock.now(), self._providers.clock_ahead())
        return is_settled(connection, self._pace.settle, now)

    def clock_is_right(self) -> bool:
        """Whether this server's clock may be trusted: with a wrong one refusals say nothing about the connection."""
        return is_right(self._providers.clock_ahead())

    def _once(self, connection: Connection) -> AccessToken:
        method = self._providers.method_of(connection)
        if method.browser:
            return self._grants.access(connection)
        credentials = self.credentials(connection)
        if credentials is None:
            raise NeedsAction(
                f"Nothing is stored that '{connection.name}' could sign in with.",
                code="connections.unreadable",
                fix="Enter the credentials of the connection again.",
            )
        return method.sign_in(connection.tenant, credentials)

    def _newer(self, connection: Connection) -> Connection | None:
        """Return the connection anew if it has other credentials by now."""
        with self._database.read() as tx:
            other = store.get(tx, connection.id)
        return other if other and other.secret_version != connection.secret_version else None

    def _explained(self, error: Upstream, *, spreading: bool) -> Upstream:
        """A refusal that replication could explain is final once it cannot any more."""
        return error.judged(spreading=spreading) if isinstance(error, NotYet) else error


@contextmanager
def final() -> Iterator[None]:
    """A refusal that replication could explain is final where nothing was changed that could still spread."""
    try:
        yield
    except NotYet as error:
        raise error.judged(spreading=False) from None
