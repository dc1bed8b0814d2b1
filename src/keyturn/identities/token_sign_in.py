"""How machine identities sign in with a token that others sign: without any secret of their own.

Tokens are proven between two transactions, never inside one: an issuer may have to be asked for its keys. A stranger is
told nothing but that it did not work; which binding failed stands in the audit trail.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from keyturn.audit import identity_events as events
from keyturn.audit.domain import subject_of
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.identities import store, token_store
from keyturn.identities.bindings import TokenRefusal, shown_text
from keyturn.identities.token_auth import TokenAuth, TokenProof
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.lockout.failures import invalid_credentials
from keyturn.ports.clock import Clock
from keyturn.tokens.addresses import is_trusted
from keyturn.tokens.domain import IssuedToken, Origin
from keyturn.tokens.service import AccessTokens, not_trusted


class TokenSignIn:
    """Exchanges tokens that others sign for access tokens. ``proofs`` are by method."""

    def __init__(
        self, database: Database, clock: Clock, issuer: AccessTokens, proofs: Mapping[str, TokenProof]
    ) -> None:
        self._database = database
        self._clock = clock
        self._issuer = issuer
        self._proofs = proofs

    def login(
        self, method: str, identity_id: str, token: Plaintext, origin: Origin, admit: Callable[[], None]
    ) -> IssuedToken:
        """Exchange a token for an access token.

        Raises Unauthenticated, with the same words whatever was wrong, Forbidden from an address that is not trusted once
        the token is proven, Unavailable when too many wait for issuers. ``admit`` is called once the token is proven,
        before anything is written, and may raise.
        """
        with self._database.read() as tx:
            auth = token_store.token_auth(tx, identity_id, method)
        if auth is None:
            raise invalid_credentials()
        try:
            subject = self._proofs[method].prove(auth, token, self._clock.now())
        except TokenRefusal as error:
            refusal = error
        else:
            admit()
            return self._let_in(auth, subject, origin)
        self._record_refusal(auth, refusal, origin)
        # Raised outside the handler: what was wrong is for the audit trail alone.
        raise invalid_credentials()

    def _let_in(self, auth: TokenAuth, subject: str, origin: Origin) -> IssuedToken:
        with self._database.write() as tx:
            current = token_store.token_auth(tx, auth.identity_id, auth.method, hold=True)
            if current is None or (current.id, current.binding) != (auth.id, auth.binding):
                raise invalid_credentials()  # it was changed while the token was proven
            if not is_trusted(current.trusted_ips, origin.ip):
                raise not_trusted(origin.ip)
            now, owner = self._clock.now(), self._owner(tx, auth, origin)
            facts = {"method": auth.method, "tokenSubject": shown_text(subject), "ip": origin.ip}
            record(tx, owner, events.MACHINE_SIGNED_IN_BY_TOKEN, subject_of(owner), now, **facts)
            return self._issuer.issue(tx, owner, current.rules, now, token_auth_id=auth.id)

    def _record_refusal(self, auth: TokenAuth, refusal: TokenRefusal, origin: Origin) -> None:
        now = self._clock.now()
        with self._database.write() as tx:
            if token_store.token_auth(tx, auth.identity_id, auth.method) is None:
                return
            owner = self._owner(tx, auth, origin)
            facts = {"method": auth.method, "reason": refusal.reason, "found": refusal.shown, "ip": origin.ip}
            once = _once_a_minute(auth, refusal.reason, now)
            record(tx, owner, events.MACHINE_TOKEN_REFUSED, subject_of(owner), now, once, **facts)

    def _owner(self, tx: Tx, auth: TokenAuth, origin: Origin) -> Actor:
        return replace(store.machine(tx, auth.identity_id), request_id=origin.request_id)


def _once_a_minute(auth: TokenAuth, reason: str, now: datetime) -> str:
    """Return the key under which there is one event a minute and reason: refusals must not be able to fill the disk."""
    return f"{events.MACHINE_TOKEN_REFUSED.name}:{auth.id}:{reason}:{int(now.timestamp()) // 60}"
