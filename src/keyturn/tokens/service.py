"""Access tokens of people and machines: made, recognised, renewed, revoked.

Uses are counted in the database, so the limits hold for several servers together.
"""

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
from keyturn.tokens.addresses import trusted
from keyturn.tokens.clearings import Clearings
from keyturn.tokens.domain import IssuedToken, Origin, StoredToken, TokenRules, first_lifetime, renewed_lifetime
from keyturn.tokens.opaque import RandomBytes

_USE_NOTED_EVERY = timedelta(minutes=1)


class AccessTokens:
    """Makes, checks, renews and revokes access tokens."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, random: RandomBytes) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._random = random
        self._clearings = Clearings()

    def issue(
        self, tx: Tx, owner: Actor, rules: TokenRules, now: datetime, *, client_secret_id: str | None = None
    ) -> IssuedToken:
        """Make a token of the owner, in the caller's transaction."""
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
            found = _living(store.token(tx, _digest(token)), now)
        _check_address(found, ip)
        if found.uses_limit or found.last_used_at is None or now - found.last_used_at >= _USE_NOTED_EVERY:
            with self._database.write() as tx:
                if not store.use_token(tx, found.id, now):
                    raise _dead_token("The access token was revoked, or it has been used as often as it may be.")
        return found.actor

    def renew(self, token: Plaintext, origin: Origin) -> IssuedToken:
        """Let the token live its TTL from now on; it stays the same token. Repeatable.

        Raises as :meth:`authenticate` does, Unauthenticated past the maximum lifetime, Refused when its uses are spent.
        """
        digest = _digest(token.reveal())
        with self._database.write() as tx:
            now = self._clock.now()
            found = store.token(tx, digest, lock=True)
            if found and found.renewable_until and now >= found.renewable_until:
                raise _dead_token("The access token has reached its maximum lifetime and cannot be renewed.")
            found = _living(found, now)
            _check_address(found, origin.ip)
            if found.uses_limit and found.uses >= found.uses_limit:
                raise Refused(
                    "The access token has been used as often as it may be.",
                    code="access.token_used_up",
                    fix="Sign in again.",
                )
            lifetime = renewed_lifetime(found.ttl, found.renewable_until, now)
            store.renew_token(tx, found.id, lifetime.expires_at)
        return IssuedToken(token, lifetime.ttl, found.max_ttl)

    def revoke(self, token: Plaintext, origin: Origin) -> None:
        """End the token. Repeatable: an unknown or ended token is left as it is. Raises TokenRefused for other text."""
        digest = _digest(token.reveal())
        with self._database.write() as tx:
            found = store.token(tx, digest, lock=True)
            if found is None or found.revoked_at is not None:
                return
            now = self._clock.now()
            store.revoke_token(tx, found.id, now)
            owner = replace(found.actor, request_id=origin.request_id)
            record(tx, owner, events.TOKEN_REVOKED, subject_of(owner), now)


def _digest(token: str) -> str:
    if not opaque.well_formed(token):
        raise TokenRefused(
            "This is not an access token of this server, or a part of it is missing.",
            code="access.token_malformed",
            fix=f"An access token begins with '{opaque.PREFIX}'; copy it whole, or sign in for a new one.",
        )
    return opaque.digest(token)


def _living(found: StoredToken | None, now: datetime) -> StoredToken:
    if found is None or found.revoked_at is not None:
        raise _dead_token("The access token is unknown or was revoked.")
    if found.expires_at is not None and now >= found.expires_at:
        raise TokenRefused("The access token has expired.", code="access.token_expired", fix="Sign in again.")
    return found


def _check_address(found: StoredToken, ip: str) -> None:
    if found.trusted_ips is not None and not trusted(found.trusted_ips, ip):
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
