"""Signing in, and recognising who calls: tokens for machines (Universal Auth) and for people (e-mail and password).

Slow hashes are computed between two transactions, never inside one. Everything counted (failures, uses) is counted in
the database, so the limits hold for several servers together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from keyturn.access import identities_store, store, tokens
from keyturn.access.addresses import network_of, trusted
from keyturn.access.clearings import Clearings
from keyturn.access.client_secrets import ClientSecretDigests
from keyturn.access.domain import (
    PEOPLE,
    AccessEvent,
    Attempts,
    TokenRules,
    first_lifetime,
    renewed_lifetime,
)
from keyturn.access.failures import failed, invalid_credentials, locked, wrong_code
from keyturn.access.passwords import Hasher
from keyturn.access.records import ClientSecret, Identity, IssuedToken, StoredToken, UniversalAuth, User, person_actor
from keyturn.access.tokens import RandomBytes
from keyturn.access.totp import SecondFactors
from keyturn.access.users import Users
from keyturn.audit.domain import Event
from keyturn.audit.store import append
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, KeyturnError, Refused, TokenRefused, Unauthenticated
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.secret import Plaintext
from keyturn.ports import Clock, Ids

T = TypeVar("T")

_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Origin:
    """Where a request without a token comes from."""

    ip: str
    request_id: str | None = None


class Admit(Protocol):
    def __call__(self, *, proven: bool) -> None:
        """Raise TooMany when there are too many sign-ins of this kind."""
        ...


class SignIn:
    """Makes, checks, renews and revokes access tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        hasher: Hasher,
        random: RandomBytes,
        factors: SecondFactors,
        *,
        person_rules: TokenRules,
        secrets: ClientSecretDigests,
        users: Users,
    ) -> None:
        self._users = users
        self._factors = factors
        self._secrets = secrets
        self._database = database
        self._clock = clock
        self._ids = ids
        self._hasher = hasher
        self._random = random
        self._person_rules = person_rules
        self._clearings = Clearings()

    # --- machines -----------------------------------------------------------------------------------------------------

    def login_machine(
        self, client_id: str, secret: Plaintext, origin: Origin, admit: Admit | None = None
    ) -> IssuedToken:
        """Exchange client id and secret for a token.

        Raises Unauthenticated, with the same words for an unknown client id and a wrong secret; other words only when
        locked or after the secret was proven: expired, used up. Raises Forbidden from an address that is not trusted.
        Each success is one use of the client secret. ``admit`` is told whether the secret is proven before anything is
        written, and may raise.
        """
        with self._database.read() as tx:
            auth = identities_store.universal_auth_by_client_id(tx, client_id)
            prefix = secret.reveal()[: tokens.SECRET_PREFIX_LENGTH]
            candidates = identities_store.candidates(tx, auth.id, prefix) if auth else []
        matched = self._secrets.match(candidates, secret)
        renewed = self._secrets.renewed(matched, secret) if matched else None
        if admit is not None:
            admit(proven=matched is not None)
        if auth is None:
            raise invalid_credentials()
        with self._database.write() as tx:
            auth = identities_store.universal_auth_by_client_id(tx, client_id, lock=True)
            outcome = self._machine_outcome(tx, auth, matched, origin) if auth else invalid_credentials()
            if matched and renewed and isinstance(outcome, IssuedToken):
                identities_store.renew_hash(tx, matched, renewed)
        # Raised only now: a failure that was counted must stay counted.
        if isinstance(outcome, KeyturnError):
            raise outcome
        return outcome

    def _machine_outcome(
        self, tx: Tx, auth: UniversalAuth, secret: ClientSecret | None, origin: Origin
    ) -> IssuedToken | KeyturnError:
        now = self._clock.now()
        settings, attempts = auth.settings, auth.attempts
        owner = self._machine(tx, auth, origin)
        network = network_of(origin.ip)
        barred = settings.lockout.enabled and attempts.locked(now)
        # Whoever has the secret is not kept out by strangers who guess at it from elsewhere.
        if barred and (secret is None or network in auth.failed_from):
            return locked(attempts, now)
        at_home = trusted(settings.client_secret_trusted_ips, origin.ip)
        if secret is None:
            if at_home:  # strangers must not be able to lock an identity out
                after = failed(tx, owner, attempts, settings.lockout, now)
                before = auth.failed_from if attempts.failures and after.failures != 1 else ()
                failed_from = tuple(dict.fromkeys((*before, network)))
                identities_store.set_universal_attempts(tx, auth.id, after, failed_from)
            return invalid_credentials()
        if not at_home:
            return _not_trusted(origin.ip)
        if secret.ttl and now >= secret.created_at + timedelta(seconds=secret.ttl):
            return _spent("The client secret has expired.")
        if not identities_store.use_client_secret(tx, secret.id, now):
            return _spent("The client secret was revoked, or it has been used as often as it may be.")
        if attempts != Attempts() and not barred:
            identities_store.set_universal_attempts(tx, auth.id, Attempts())
        self._note(tx, AccessEvent.MACHINE_SIGNED_IN, owner, now, {"clientSecretId": secret.id, "ip": origin.ip})
        return self._issue(tx, owner, settings.rules, now, client_secret_id=secret.id)

    def _machine(self, tx: Tx, auth: UniversalAuth, origin: Origin) -> Actor:
        return replace(identities_store.machine(tx, auth.identity_id), request_id=origin.request_id)

    # --- people -------------------------------------------------------------------------------------------------------

    def login_person(
        self,
        email: str,
        password: Plaintext,
        origin: Origin,
        code: str | None = None,
        new_password: Plaintext | None = None,
    ) -> IssuedToken:
        """Exchange e-mail address, password and (with two-step sign-in) the code of the app for a token.

        ``new_password`` takes the place of a first password, and is given only then. Raises Unauthenticated, with the same
        words for an unknown address and a wrong password, others when locked, when the code is missing or wrong, and when
        the first password has to be changed; Refused for a new one that is weak, or that nobody asked for.
        """

        def issue(tx: Tx, user: User) -> IssuedToken | User | KeyturnError:
            if user.first_password:
                return password_needed() if new_password is None else user
            if new_password is not None:
                return _not_asked()
            return self._issue(tx, person_actor(user), self._person_rules, self._clock.now())

        proven = self.prove_person(email, password, origin, issue, lambda _tx, _user: _code_needed(), code)
        if isinstance(proven, KeyturnError):
            raise proven
        if isinstance(proven, IssuedToken):
            return proven
        self._users.choose_password(proven, password, new_password or Plaintext(""))
        with self._database.write() as tx:
            return self._issue(tx, person_actor(proven), self._person_rules, self._clock.now())

    def prove_person(
        self,
        email: str,
        password: Plaintext,
        origin: Origin,
        whole: Callable[[Tx, User], T],
        halfway: Callable[[Tx, User], T | KeyturnError],
        code: str | None = None,
    ) -> T:
        """Check who somebody is. What follows happens in the same transaction: ``whole`` when all is proven, ``halfway``
        when the password is right and a code is needed that was not given. Raises as :meth:`login_person`.
        """
        email = email.strip().lower()
        with self._database.read() as tx:
            found = store.user_by_email(tx, email)
        right = self._hasher.verify(found.password_hash if found else None, password)
        with self._database.write() as tx:
            user = store.user_by_email(tx, email, lock=True)
            if user and found and user.password_hash != found.password_hash:
                right = False  # changed in between: what was proven is no longer the password
            outcome: T | KeyturnError
            if user is None:
                outcome = invalid_credentials()
            elif (
                right
                and code is None
                and not user.attempts.locked(self._clock.now())
                and self._factors.needed(tx, user)
            ):
                outcome = halfway(tx, user)  # failures stay counted: the password alone proves nothing
            else:
                outcome = self._person_outcome(tx, user, origin, whole, code, right=right)
        if isinstance(outcome, KeyturnError):
            raise outcome
        return outcome

    def prove_code(self, user_id: str, code: str, origin: Origin, whole: Callable[[Tx, User], T]) -> T:
        """Check the second step of somebody whose password was right. Raises Unauthenticated; failures are counted."""
        with self._database.write() as tx:
            user = store.user_by_id(tx, user_id, lock=True)
            outcome = self._person_outcome(tx, user, origin, whole, code, right=True) if user else invalid_credentials()
        if isinstance(outcome, KeyturnError):
            raise outcome
        return outcome

    def _person_outcome(
        self, tx: Tx, user: User, origin: Origin, whole: Callable[[Tx, User], T], code: str | None, *, right: bool
    ) -> T | KeyturnError:
        now = self._clock.now()
        owner = replace(person_actor(user), request_id=origin.request_id)
        if user.attempts.locked(now):
            return locked(user.attempts, now)
        accepted = right and (not self._factors.needed(tx, user) or self._factors.accepts(tx, user, code or "", owner))
        if not accepted:
            store.set_user_attempts(tx, user.id, failed(tx, owner, user.attempts, PEOPLE, now))
            return wrong_code() if right else invalid_credentials()
        if user.attempts != Attempts():
            store.set_user_attempts(tx, user.id, Attempts())
        outcome = whole(tx, user)
        if not isinstance(outcome, KeyturnError):
            self._note(tx, AccessEvent.PERSON_SIGNED_IN, owner, now, {"ip": origin.ip})
        return outcome

    # --- tokens -------------------------------------------------------------------------------------------------------

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
            self._note(tx, AccessEvent.TOKEN_REVOKED, replace(found.actor, request_id=origin.request_id), now, {})

    def issue_static(self, tx: Tx, identity: Identity) -> IssuedToken:
        """Make a token that never expires, in the caller's transaction. For the first start only."""
        return self._issue(tx, machine_actor(identity), TokenRules(0, 0), self._clock.now())

    # --- parts --------------------------------------------------------------------------------------------------------

    def _issue(
        self, tx: Tx, owner: Actor, rules: TokenRules, now: datetime, *, client_secret_id: str | None = None
    ) -> IssuedToken:
        token = tokens.new_token(self._random)
        lifetime = first_lifetime(rules, now)
        store.add_token(
            tx,
            self._ids.new(),
            tokens.digest(token.reveal()),
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

    def _note(
        self, tx: Tx, name: AccessEvent, actor: Actor, now: datetime, data: dict[str, str], once: str | None = None
    ) -> None:
        append(tx, Event(name.value, actor, actor.kind.value, actor.id or "", now, data=data, once=once))


def machine_actor(identity: Identity) -> Actor:
    return Actor(ActorKind.IDENTITY, identity.id, identity.name, identity.org_id, identity.role)


def _digest(token: str) -> str:
    if not tokens.well_formed(token):
        raise TokenRefused(
            "This is not an access token of this server, or a part of it is missing.",
            code="access.token_malformed",
            fix=f"An access token begins with '{tokens.PREFIX}'; copy it whole, or sign in for a new one.",
        )
    return tokens.digest(token)


def _living(found: StoredToken | None, now: datetime) -> StoredToken:
    if found is None or found.revoked_at is not None:
        raise _dead_token("The access token is unknown or was revoked.")
    if found.expires_at is not None and now >= found.expires_at:
        raise TokenRefused("The access token has expired.", code="access.token_expired", fix="Sign in again.")
    return found


def _check_address(found: StoredToken, ip: str) -> None:
    if found.trusted_ips is not None and not trusted(found.trusted_ips, ip):
        raise _not_trusted(ip)


def _dead_token(message: str) -> Unauthenticated:
    return Unauthenticated(message, code="access.token_revoked", fix="Sign in again.")


def _code_needed() -> Unauthenticated:
    return Unauthenticated(
        "This user signs in with a second step: the code is missing.",
        code="access.code_needed",
        fix="Send the six digits of the authenticator app as well, as `code`.",
    )


def _spent(message: str) -> Unauthenticated:
    fix = "Create a new client secret for this identity."
    return Unauthenticated(message, code="access.client_secret_spent", fix=fix)


def _not_trusted(ip: str) -> Forbidden:
    return Forbidden(
        f"The address {ip} is not among the trusted addresses of this identity.",
        code="access.address_not_trusted",
        fix="Call from a trusted address, or ask an admin of the organization to add this one.",
    )


def password_needed() -> Unauthenticated:
    return Unauthenticated(
        "This is a first password: somebody else knows it, so it has to be changed.",
        code="access.password_change_needed",
        fix="Send the new one as `newPassword` together with the first one, or sign in on the page.",
    )


def _not_asked() -> Refused:
    return Refused(
        "This password does not have to be changed, so `newPassword` is not taken.",
        code="access.password_change_not_asked",
        fix="Sign in without it. A password is changed with POST /api/v1/users/me/password.",
    )
