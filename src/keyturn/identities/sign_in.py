"""How machine identities sign in: client id and client secret (Universal Auth).

Digests are compared between two transactions, never inside one. Failures and uses are counted in the database, so the
limits hold for several servers together.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from keyturn.audit import identity_events as events
from keyturn.audit.domain import subject_of
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, Unauthenticated
from keyturn.identities import store
from keyturn.identities.client_secrets import ClientSecretDigests
from keyturn.identities.domain import IdentityClientSecret, UniversalAuth
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.lockout.domain import Attempts
from keyturn.lockout.failures import add_failure, invalid_credentials, lock_refusal
from keyturn.ports.clock import Clock
from keyturn.tokens import opaque
from keyturn.tokens.addresses import is_trusted, network_of
from keyturn.tokens.domain import IssuedToken, Origin
from keyturn.tokens.service import AccessTokens, not_trusted


class Admit(Protocol):
    def __call__(self, *, proven: bool) -> None:
        """Raise TooMany when there are too many sign-ins of this kind."""
        ...


class MachineSignIn:
    """Checks client id and client secret of machine identities."""

    def __init__(self, database: Database, clock: Clock, secrets: ClientSecretDigests, issuer: AccessTokens) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._issuer = issuer

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
            auth = store.universal_auth_by_client_id(tx, client_id)
            prefix = secret.reveal()[: opaque.SECRET_PREFIX_LENGTH]
            candidates = store.candidates(tx, auth.id, prefix) if auth else []
        matched = self._secrets.match(candidates, secret)
        renewed = self._secrets.renewed(matched, secret) if matched else None
        if admit is not None:
            admit(proven=matched is not None)
        if auth is None:
            raise invalid_credentials()
        with self._database.write() as tx:
            auth = store.universal_auth_by_client_id(tx, client_id, lock=True)
            outcome = self._machine_outcome(tx, auth, matched, origin) if auth else invalid_credentials()
            if matched and renewed and isinstance(outcome, IssuedToken):
                store.renew_hash(tx, matched, renewed)
        # Raised only now: a failure that was counted must stay counted.
        if isinstance(outcome, KeyturnError):
            raise outcome
        return outcome

    def _machine_outcome(
        self, tx: Tx, auth: UniversalAuth, secret: IdentityClientSecret | None, origin: Origin
    ) -> IssuedToken | KeyturnError:
        now = self._clock.now()
        settings, attempts = auth.settings, auth.attempts
        owner = self._machine(tx, auth, origin)
        network = network_of(origin.ip)
        barred = settings.lockout.enabled and attempts.locked(now)
        # A caller with the secret is not locked out by guesses from other addresses.
        if barred and (secret is None or network in auth.failed_from):
            return lock_refusal(attempts, now)
        at_home = is_trusted(settings.client_secret_trusted_ips, origin.ip)
        if secret is None:
            if at_home:  # other callers must not be able to lock an identity out
                after = add_failure(tx, owner, attempts, settings.lockout, now)
                before = auth.failed_from if attempts.failures and after.failures != 1 else ()
                failed_from = tuple(dict.fromkeys((*before, network)))
                store.set_universal_attempts(tx, auth.id, after, failed_from)
            return invalid_credentials()
        if not at_home:
            return not_trusted(origin.ip)
        if secret.ttl and now >= secret.created_at + timedelta(seconds=secret.ttl):
            return _spent("The client secret has expired.")
        if not store.use_client_secret(tx, secret.id, now):
            return _spent("The client secret was revoked, or it has been used as often as it may be.")
        if attempts != Attempts() and not barred:
            store.set_universal_attempts(tx, auth.id, Attempts())
        facts = {"clientSecretId": secret.id, "ip": origin.ip}
        record(tx, owner, events.MACHINE_SIGNED_IN, subject_of(owner), now, **facts)
        return self._issuer.issue(tx, owner, settings.rules, now, client_secret_id=secret.id)

    def _machine(self, tx: Tx, auth: UniversalAuth, origin: Origin) -> Actor:
        return replace(store.machine(tx, auth.identity_id), request_id=origin.request_id)


def _spent(message: str) -> Unauthenticated:
    fix = "Create a new client secret for this identity."
    return Unauthenticated(message, code="access.client_secret_spent", fix=fix)
