"""Tokens of clients that provision users: made and revoked by admins, shown once, kept as digests."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from keyturn.audit import people_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.domain import require_admin
from keyturn.db.unit import Database
from keyturn.errors import NotFound, Unauthenticated
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.secret import Plaintext
from keyturn.organizations.quotas import require_room
from keyturn.ports.clock import Clock, Ids
from keyturn.provisioning.scim import store
from keyturn.provisioning.scim.domain import ScimToken
from keyturn.tokens import opaque
from keyturn.tokens.opaque import RandomBytes

MOST = 20
_USE_NOTED_EVERY = timedelta(minutes=1)


class ScimTokens:
    """The use cases of admins, and the check of a request."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, random: RandomBytes) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._random = random

    def list(self, actor: Actor) -> Sequence[ScimToken]:
        """Return those that were not revoked, the newest first; some may be past their end."""
        require_admin(actor)
        with self._database.read() as tx:
            return store.tokens_of(tx, actor.org_id)

    def create(self, actor: Actor, name: str, lives: timedelta | None) -> tuple[ScimToken, Plaintext]:
        """Make a token, given once, that ends after so long; None: never."""
        require_admin(actor)
        secret, now = opaque.new_token(self._random), self._clock.now()
        token = ScimToken(self._ids.new(), actor.org_id, name, now, now + lives if lives else None)
        with self._database.write() as tx:
            require_room(len(store.tokens_of(tx, actor.org_id)), MOST, "tokens of SCIM", "number of them")
            store.add_token(tx, token, opaque.digest(secret.reveal()))
            expires = token.expires_at.isoformat() if token.expires_at else None
            subject = Subject(SubjectKind.ORGANIZATION, actor.org_id)
            record(tx, actor, events.SCIM_TOKEN_CREATED, subject, now, tokenId=token.id, name=name, expiresAt=expires)
        return token, secret

    def revoke(self, actor: Actor, token_id: str) -> ScimToken:
        """End a token at once. Raises NotFound for one that there is none of, or that was revoked."""
        require_admin(actor)
        with self._database.write() as tx:
            token = next((each for each in store.tokens_of(tx, actor.org_id) if each.id == token_id), None)
            if token is None:
                raise NotFound(
                    f"There is no token of SCIM '{token_id}'.",
                    code="scim.token_not_found",
                    fix="The page Provisioning lists them.",
                )
            now = self._clock.now()
            store.revoke_token(tx, token.id, now)
            subject = Subject(SubjectKind.ORGANIZATION, actor.org_id)
            record(tx, actor, events.SCIM_TOKEN_REVOKED, subject, now, tokenId=token.id, name=token.name)
        return token

    def authenticate(self, secret: Plaintext | None) -> Actor:
        """Return the client whose token it is. Raises Unauthenticated."""
        now = self._clock.now()
        digest = hashlib.sha256((secret or Plaintext("")).reveal().encode()).hexdigest()
        with self._database.read() as tx:
            token = store.token_by_digest(tx, digest) if secret else None
        if token is None or not token.works(now):
            raise Unauthenticated(
                "This is no token with which users are provisioned, or it was revoked, or it has expired.",
                code="scim.unauthenticated",
                fix="An admin makes one under Members, Provisioning. Send it in the header Authorization, after the word Bearer.",
            )
        if _unnoted(token, now):
            with self._database.write() as tx:
                store.note_use(tx, token.id, now)
        name = f"SCIM client '{token.name}'"
        return Actor(ActorKind.PLATFORM, None, name, token.org_id, Role.ADMIN, via=token.id, at=now)


def _unnoted(token: ScimToken, now: datetime) -> bool:
    return token.last_used_at is None or now - token.last_used_at >= _USE_NOTED_EVERY
