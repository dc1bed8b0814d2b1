"""What people granted by OAuth, kept alive: access tokens are minted from a refresh token, which each use replaces.

Entra ID forgets a refresh token that was not used for 90 days, so each is used at least once in 30. The token lives in a row of
its own and changes by compare-and-swap: a refresh can never undo a change of anything else, nor a new sign-in.
"""

from datetime import datetime

from keyturn.audit import events
from keyturn.connections import health, sealed, store
from keyturn.connections.domain import Connection
from keyturn.connections.flow import FLOW_KEPT
from keyturn.connections.recording import record_connection_event
from keyturn.connections.store import REFRESH_EVERY, RefreshToken
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotYet, SignInAgain
from keyturn.kit.actor import Actor, ActorKind, platform
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.provider import AccessToken, Grant
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import BrowserMethod


class Grants:
    """Refresh tokens of connections, which people granted by this method."""

    def __init__(self, database: Database, sealer: Sealer, method: BrowserMethod, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._method = method
        self._clock = clock

    # --- using ------------------------------------------------------------------------------------------------------

    def access(self, connection: Connection) -> AccessToken:
        """Return a fresh access token. Repeatable, from several processes at once.

        Raises SignInAgain when only a person can help, which is then noted on the connection; or what the provider says.
        """
        try:
            row, grant = self._refresh(connection)
        except SignInAgain as error:
            self._note(connection, error)
            raise
        self._keep_fresh(row, grant)
        return grant.token

    def _refresh(self, connection: Connection) -> tuple[RefreshToken, Grant]:
        client_id = self._method.client_id
        with self._database.read() as tx:
            row = store.refresh_token(tx, connection.id)
        if row is None or connection.client_id.lower() != client_id.lower():
            raise _other_app(connection, client_id)
        sealed.content_of(self._sealer, connection)  # raises for a changed target
        token = self._sealer.open(row.refresh_token, row.seal_context)
        try:
            return row, self._method.refresh(connection.tenant, token)
        except NotYet as error:
            raise error.judged(spreading=False) from None

    def _keep_fresh(self, row: RefreshToken, grant: Grant) -> None:
        """Store what the refresh gave, unless somebody stored another meanwhile: theirs is as good, or belongs to a newer
        sign-in."""
        now = self._clock.now()
        fresh: dict[str, object] = {"refreshed_at": now, "refresh_due_at": now + REFRESH_EVERY}
        if grant.refresh_token is not None:
            version = row.refresh_token_version + 1
            place = store.refresh_place(row.connection_id, version)
            fresh |= {"refresh_token": self._sealer.seal(grant.refresh_token, place), "refresh_token_version": version}
        with self._database.write() as tx:
            store.change_refresh_token(tx, row, **fresh)

    def _note(self, connection: Connection, error: SignInAgain) -> None:
        """Write down once that the connection waits for a person; a sign-in that came in between wins."""
        now = self._clock.now()
        with self._database.write() as tx:
            current = store.get(tx, connection.id, lock=True)
            if current is None or current.secret_version != connection.secret_version:
                return
            row = store.refresh_token(tx, connection.id)
            if row:
                store.change_refresh_token(tx, row, refresh_due_at=None)
            health.note_refused(tx, current, error, now)
            if not current.needs_reconnect:
                by, event = platform(current.org_id), events.CONNECTION_NEEDS_RECONNECT
                facts = {"method": current.method, "code": error.code, "message": error.message}
                record_connection_event(tx, by, event, current, now, **facts)

    # --- keeping alive ------------------------------------------------------------------------------------------------

    @property
    def configured(self) -> bool:
        """Whether this server can use refresh tokens at all."""
        return self._method.configured

    def refresh(self, connection_id: str) -> None:
        """Use the connection's refresh token, so that it is not forgotten. Outside transactions. Repeatable.

        Nothing happens when the connection is gone. Raises as :meth:`access` does.
        """
        with self._database.read() as tx:
            connection = store.get(tx, connection_id)
        if connection is not None:
            self.access(connection)

    def forget_sign_ins(self) -> None:
        """Delete the sign-ins by browser that could not have been finished for long. To be called now and then. Repeatable."""
        with self._database.write() as tx:
            store.forget_flows(tx, self._clock.now() - FLOW_KEPT)


def keep(tx: Tx, sealer: Sealer, connection_id: str, refresh_token: Plaintext, actor: Actor, now: datetime) -> None:
    """Store the refresh token of a new sign-in, in place of the one before, and who signed in."""
    before = store.refresh_token(tx, connection_id)
    version = before.refresh_token_version + 1 if before else 1
    token = sealer.seal(refresh_token, store.refresh_place(connection_id, version))
    by, email = (actor.id, actor.name) if actor.kind is ActorKind.USER else (None, None)
    row = RefreshToken(connection_id, token, version, now, now + REFRESH_EVERY, by, email)
    if before is None:
        store.insert_refresh_token(tx, row)
    else:
        store.change_refresh_token(tx, before, **vars(row))


def _other_app(connection: Connection, client_id: str) -> SignInAgain:
    return SignInAgain(
        f"The connection was made for the OAuth application {connection.client_id}, but this server uses {client_id} now.",
        code="connections.oauth_app_changed",
        fix="Connect again and sign in.",
    )
