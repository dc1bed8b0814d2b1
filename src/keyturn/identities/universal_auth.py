"""Universal Auth: how an identity signs in with a client id and client secrets."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from keyturn.audit import identity_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.identities import store
from keyturn.identities.client_secrets import ClientSecretDigests
from keyturn.identities.domain import (
    IdentityClientSecret,
    NewClientSecret,
    UniversalAuth,
    UniversalAuthChanges,
    UniversalAuthSettings,
)
from keyturn.identities.service import Identities
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.lockout.domain import Attempts
from keyturn.ports.clock import Clock, Ids
from keyturn.tokens import opaque
from keyturn.tokens import store as token_store
from keyturn.tokens.opaque import RandomBytes


class UniversalAuths:
    """The use cases. Those that change or show secrets need the permission to manage identities; all are audited."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        secrets: ClientSecretDigests,
        random: RandomBytes,
        identities: Identities,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._secrets = secrets
        self._random = random
        self._identities = identities

    def attach(self, actor: Actor, identity_id: str, changes: UniversalAuthChanges) -> UniversalAuth:
        """Let the identity sign in with client id and secret. Raises Refused when it already can."""
        now = self._clock.now()
        with self._database.write() as tx:
            identity = self._identities.managed(tx, actor, identity_id)
            if store.universal_auth(tx, identity.id):
                raise Refused(
                    f"The identity '{identity.name}' has Universal Auth already.",
                    code="access.universal_auth_exists",
                    fix="Change it with PATCH on the same path.",
                )
            settings = changes.applied_to(UniversalAuthSettings())
            auth = UniversalAuth(self._ids.new(), identity.id, self._ids.new(), settings, Attempts(), now, now)
            store.add_universal_auth(tx, auth)
            store.note_maker(tx, identity_id, actor)
            record(tx, actor, events.UNIVERSAL_AUTH_ADDED, _subject(identity_id), now, **_given(changes))
        return auth

    def get(self, actor: Actor, identity_id: str) -> UniversalAuth:
        """Return it to those who may manage the identity: whoever knows a client id can keep its program locked out."""
        with self._database.read() as tx:
            return self._managed(tx, actor, identity_id)

    def update(self, actor: Actor, identity_id: str, changes: UniversalAuthChanges) -> UniversalAuth:
        """Change what is given; tokens already issued keep their lifetime, trusted addresses hold at once."""
        with self._database.write() as tx:
            before = self._managed(tx, actor, identity_id)
            now = self._clock.now()
            after = replace(before, settings=changes.applied_to(before.settings), updated_at=now)
            store.save_universal_auth(tx, after)
            store.note_maker(tx, identity_id, actor)
            record(tx, actor, events.UNIVERSAL_AUTH_UPDATED, _subject(identity_id), now, **_given(changes))
        return after

    def detach(self, actor: Actor, identity_id: str) -> UniversalAuth:
        """Take the way to sign in away: its client secrets are gone and the tokens got with them end now."""
        with self._database.write() as tx:
            auth = self._managed(tx, actor, identity_id)
            now = self._clock.now()
            token_store.revoke_universal_tokens_of(tx, auth.identity_id, now)
            store.remove_universal_auth(tx, auth.id)
            record(tx, actor, events.UNIVERSAL_AUTH_REMOVED, _subject(identity_id), now)
        return auth

    def clear_lockouts(self, actor: Actor, identity_id: str) -> int:
        """End a lock and forget failures. Returns how many locks were ended. Repeatable."""
        with self._database.write() as tx:
            auth = self._managed(tx, actor, identity_id)
            now = self._clock.now()
            locked = int(auth.attempts.locked(now))
            store.set_universal_attempts(tx, auth.id, Attempts())
            record(tx, actor, events.LOCKOUTS_CLEARED, _subject(identity_id), now, deleted=locked)
        return locked

    # --- client secrets -----------------------------------------------------------------------------------------------

    def create_secret(
        self, actor: Actor, identity_id: str, new: NewClientSecret
    ) -> tuple[Plaintext, IdentityClientSecret]:
        """Make a client secret and return it in the clear, once."""
        secret, secret_id = opaque.new_client_secret(self._random), self._ids.new()
        now = self._clock.now()
        with self._database.write() as tx:
            auth = self._managed(tx, actor, identity_id)
            client_secret = IdentityClientSecret(
                id=secret_id,
                universal_auth_id=auth.id,
                description=new.description,
                prefix=secret.reveal()[: opaque.SECRET_PREFIX_LENGTH],
                hash=self._secrets.keep(secret, secret_id),
                uses=0,
                uses_limit=new.uses_limit,
                ttl=new.ttl,
                revoked=False,
                created_at=now,
                updated_at=now,
            )
            store.add_client_secret(tx, client_secret)
            store.note_maker(tx, identity_id, actor)
            record(tx, actor, events.CLIENT_SECRET_CREATED, _subject(identity_id), now, clientSecretId=client_secret.id)
        return secret, client_secret

    def list_secrets(self, actor: Actor, identity_id: str) -> Sequence[IdentityClientSecret]:
        """Return the client secrets that were not revoked, newest first."""
        with self._database.read() as tx:
            return store.client_secrets_of(tx, self._managed(tx, actor, identity_id).id)

    def get_secret(self, actor: Actor, identity_id: str, secret_id: str) -> IdentityClientSecret:
        """Return it, also when it was revoked."""
        with self._database.read() as tx:
            return _found_secret(tx, self._managed(tx, actor, identity_id), secret_id)

    def revoke_secret(self, actor: Actor, identity_id: str, secret_id: str) -> IdentityClientSecret:
        """End the client secret and the tokens got with it. Repeatable."""
        with self._database.write() as tx:
            auth = self._managed(tx, actor, identity_id)
            secret = _found_secret(tx, auth, secret_id)
            if not secret.revoked:
                now = self._clock.now()
                store.revoke_client_secret(tx, secret.id, now)
                token_store.revoke_tokens_of_client_secret(tx, secret.id, now)
                record(tx, actor, events.CLIENT_SECRET_REVOKED, _subject(identity_id), now, clientSecretId=secret.id)
            return _found_secret(tx, auth, secret_id)

    def _managed(self, tx: Tx, actor: Actor, identity_id: str) -> UniversalAuth:
        return _found(tx, self._identities.managed(tx, actor, identity_id).id)


def _subject(identity_id: str) -> Subject:
    return Subject(SubjectKind.IDENTITY, identity_id)


def _given(changes: UniversalAuthChanges) -> dict[str, object]:
    return {name: value for name, value in asdict(changes).items() if value is not None}


def _found(tx: Tx, identity_id: str) -> UniversalAuth:
    auth = store.universal_auth(tx, identity_id)
    if auth is None:
        raise NotFound(
            "This identity does not have Universal Auth.",
            code="access.universal_auth_not_found",
            fix="Add it with POST on the same path.",
        )
    return auth


def _found_secret(tx: Tx, auth: UniversalAuth, secret_id: str) -> IdentityClientSecret:
    client_secret = store.client_secret(tx, auth.id, secret_id)
    if client_secret is None:
        raise NotFound(
            f"There is no client secret '{secret_id}'.",
            code="access.client_secret_not_found",
            fix="GET .../client-secrets of the identity lists them.",
        )
    return client_secret
