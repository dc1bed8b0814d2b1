"""Access tokens of people and machines: made, recognised, renewed, revoked.

Uses are counted in the database, so the limits hold for several servers together.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit import events
from keyturn.audit.domain import subject_of
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, Refused, TokenRefused, Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.tokens import opaque, store
from keyturn.tokens.addresses import is_trusted
from keyturn.tokens.clearings import Clearings
from keyturn.tokens.domain import IssuedToken, Origin, StoredToken, TokenRules, first_lifetime, renewed_lifetime
from keyturn.tokens.opaque import RandomBytes

USE_NOTED_EVERY = timedelta(minutes=1)


class AccessTokens:
    """Makes, checks, renews and revokes access tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        random: RandomBytes,
        ends: Callable[[Actor], bool] = lambda _owner: False,
    ) -> None:
        """``ends`` says whether the tokens of an owner are over, because a newer rule lets them sign in no more."""
        self._ends = ends
        self._database = database
        self._clock = clock
        self._ids = ids
        self._random = random
        self._clearings = Clearings()

    def issue(
        self,
        tx: Tx,
        owner: Actor,
        rules: TokenRules,
        now: datetime,
        *,
        client_secret_id: str | None = None,
        token_auth_id: str | None = None,
    ) -> IssuedToken:
        """Make a token of the owner, in the caller's transaction. The ids say what the owner signed in with."""
        token = opaque.new_token(self._random)
        lifetime = first_lifetime(rules, now)
        store.add_token(
            tx,
            self._ids.new(),
            opaque.digest(token.reveal()),
            owner,
            lifetime,
            now,
            ttl=rules.period or rules.ttl,
            uses_limit=rules.uses_limit,
            client_secret_id=client_secret_id,
            token_auth_id=token_auth_id,
        )
        if self._clearings.due(owner.id or "", now):
            store.clear_tokens(tx, owner, now)
        return IssuedToken(token, lifetime.ttl, rules.max_ttl)

    def authenticate(self, token: str, ip: str) -> Actor:
        """Return whose token it is, as they are now.

        Raises TokenRefused for text that is no token of ours and for one past its end, Unauthenticated for an unknown,
        revoked or used-up one, Forbidden from an address that is not trusted. Counts one use.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            stored_token = _living(store.token(tx, _digest(token)), now)
        _check_address(stored_token, ip)
        if self._ends(stored_token.actor):
            raise _dead_token("The access token ended with the way in which its owner signed in.")
        if (
            stored_token.uses_limit
            or stored_token.last_used_at is None
            or now - stored_token.last_used_at >= USE_NOTED_EVERY
        ):
            with self._database.write() as tx:
                if not store.use_token(tx, stored_token.id, now):
                    raise _dead_token("The access token was revoked, or it has been used as often as it may be.")
        return replace(stored_token.actor, at=now)

    def renew(self, token: Plaintext, origin: Origin) -> IssuedToken:
        """Let the token live its TTL from now on; it stays the same token. Repeatable.

        Raises as :meth:`authenticate` does, Unauthenticated past the maximum lifetime, Refused when its uses are spent.
        """
        digest = _digest(token.reveal())
        with self._database.write() as tx:
            now = self._clock.now()
            stored_token = store.token(tx, digest, lock=True)
            if stored_token and stored_token.renewable_until and now >= stored_token.renewable_until:
                raise _dead_token("The access token has reached its maximum lifetime and cannot be renewed.")
            stored_token = _living(stored_token, now)
            _check_address(stored_token, origin.ip)
            if stored_token.uses_limit and stored_token.uses >= stored_token.uses_limit:
                raise Refused(
                    "The access token has been used as often as it may be.",
                    code="access.token_used_up",
                    fix="Sign in again.",
                )
            lifetime = renewed_lifetime(stored_token.ttl, stored_token.renewable_until, now)
            store.renew_token(tx, stored_token.id, lifetime.expires_at)
        return IssuedToken(token, lifetime.ttl, stored_token.max_ttl)

    def revoke(self, token: Plaintext, origin: Origin) -> None:
        """End the token. Repeatable: an unknown or ended token is left as it is. Raises TokenRefused for other text."""
        digest = _digest(token.reveal())
        with self._database.write() as tx:
            stored_token = store.token(tx, digest, lock=True)
            if stored_token is None or stored_token.revoked_at is not None:
                return
            now = self._clock.now()
            store.revoke_token(tx, stored_token.id, now)
            owner = replace(stored_token.actor, request_id=origin.request_id)
            record(tx, owner, events.TOKEN_REVOKED, subject_of(owner), now)


def holder(stored_token: StoredToken | None, ip: str, now: datetime) -> Actor:
    """Return whose token it is at this moment, for one who has been let in with it and waits: no use is counted.

    Raises as :meth:`AccessTokens.authenticate` does.
    """
    living = _living(stored_token, now)
    _check_address(living, ip)
    return replace(living.actor, at=now)


def digest_of(token: Plaintext) -> str:
    """Return what is kept of an access token. Raises TokenRefused for other text."""
    return _digest(token.reveal())


def _digest(token: str) -> str:
    if not opaque.well_formed(token):
        raise TokenRefused(
            "This is not an access token of this server, or a part of it is missing.",
            code="access.token_malformed",
            fix=f"An access token begins with '{opaque.PREFIX}'; copy it whole, or sign in for a new one.",
        )
    return opaque.digest(token)


def _living(stored_token: StoredToken | None, now: datetime) -> StoredToken:
    if stored_token is None or stored_token.revoked_at is not None:
        raise _dead_token("The access token is unknown or was revoked.")
    if stored_token.expires_at is not None and now >= stored_token.expires_at:
        raise TokenRefused("The access token has expired.", code="access.token_expired", fix="Sign in again.")
    return stored_token


def _check_address(stored_token: StoredToken, ip: str) -> None:
    if stored_token.trusted_ips is not None and not is_trusted(stored_token.trusted_ips, ip):
        raise not_trusted(ip)


def _dead_token(message: str) -> Unauthenticated:
    return Unauthenticated(message, code="access.token_revoked", fix="Sign in again.")


def not_trusted(ip: str) -> Forbidden:
    """Return the refusal of an address that is not among the trusted ones."""
    return Forbidden(
        f"The address {ip} is not among the trusted addresses of this identity.",
        code="access.address_not_trusted",
        fix="Call from a trusted address, or ask an admin of the organization to add this one.",
    )
