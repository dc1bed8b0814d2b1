"""Sign-in with tokens that others sign: how it is set up for an identity."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keyturn.audit import identity_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured, NotFound, Refused
from keyturn.identities import store, token_store
from keyturn.identities.bindings import METHODS
from keyturn.identities.service import Identities
from keyturn.identities.token_auth import TokenAuth, TokenAuthChanges
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.tokens import store as tokens

_CERTIFICATES = "ca"


class TokenAuths:
    """The use cases, for a ``method`` of ``bindings.METHODS``.

    All need the permission to manage identities; changes are audited.
    """

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, identities: Identities, sealer: Sealer | None
    ) -> None:
        """``sealer`` is needed to keep the token of a reviewer."""
        self._database = database
        self._clock = clock
        self._ids = ids
        self._identities = identities
        self._sealer = sealer

    def attach(self, actor: Actor, identity_id: str, method: str, changes: TokenAuthChanges) -> TokenAuth:
        """Let the identity sign in by this method. Raises Refused when it already can."""
        now = self._clock.now()
        with self._database.write() as tx:
            identity = self._identities.managed(tx, actor, identity_id)
            if token_store.token_auth(tx, identity.id, method):
                raise Refused(
                    f"The identity '{identity.name}' has {METHODS[method].title} already.",
                    code="access.token_auth_exists",
                    fix="Change it with PATCH on the same path.",
                )
            auth = self._changed(TokenAuth(self._ids.new(), identity.id, METHODS[method](), now, now), changes)
            token_store.add_token_auth(tx, auth)
            store.note_maker(tx, identity_id, actor)
            record(tx, actor, events.TOKEN_AUTH_ADDED, _subject(identity_id), now, **_facts(method, changes))
        return auth

    def get(self, actor: Actor, identity_id: str, method: str) -> TokenAuth:
        with self._database.read() as tx:
            return _found(tx, self._identities.managed(tx, actor, identity_id).id, method)

    def list(self, actor: Actor, identity_id: str) -> Sequence[TokenAuth]:
        """Return all methods of this kind that the identity has."""
        with self._database.read() as tx:
            return token_store.token_auths_of(tx, self._identities.managed(tx, actor, identity_id).id)

    def update(self, actor: Actor, identity_id: str, method: str, changes: TokenAuthChanges) -> TokenAuth:
        """Change what is given; tokens already issued keep their lifetime, trusted addresses hold at once."""
        with self._database.write() as tx:
            before = _found(tx, self._identities.managed(tx, actor, identity_id).id, method)
            after = self._changed(before, changes)
            token_store.save_token_auth(tx, after)
            store.note_maker(tx, identity_id, actor)
            subject = _subject(identity_id)
            record(tx, actor, events.TOKEN_AUTH_UPDATED, subject, after.updated_at, **_facts(method, changes))
        return after

    def detach(self, actor: Actor, identity_id: str, method: str) -> TokenAuth:
        """Take the way to sign in away: the access tokens got by it end now."""
        with self._database.write() as tx:
            auth = _found(tx, self._identities.managed(tx, actor, identity_id).id, method)
            now = self._clock.now()
            tokens.revoke_tokens_of_token_auth(tx, auth.id, now)
            token_store.remove_token_auth(tx, auth.id)
            record(tx, actor, events.TOKEN_AUTH_REMOVED, _subject(identity_id), now, method=method)
        return auth

    def _changed(self, auth: TokenAuth, changes: TokenAuthChanges) -> TokenAuth:
        after, reviewer = changes.applied_to(auth, self._clock.now()), changes.reviewer_token
        if reviewer is None:
            if auth.reviewer_token and after.binding.receiver != auth.binding.receiver:
                raise _reviewer_bound()
            return after
        if not reviewer.reveal():
            return replace(after, reviewer_token=None)
        if self._sealer is None:
            raise Misconfigured("This process has no keyring for tokens of reviewers.", code="access.no_keyring")
        return replace(after, reviewer_token=self._sealer.seal(reviewer, after.reviewer_place))


def _reviewer_bound() -> Refused:
    """Build the refusal to send a token that somebody entered to another host than it was entered for."""
    return Refused(
        "The token of the reviewer was entered for another API server, and is not sent to this one.",
        code="access.reviewer_bound",
        fix="Send tokenReviewerJwt with the new kubernetesHost or caCert, or an empty one to do without it.",
    )


def _subject(identity_id: str) -> Subject:
    return Subject(SubjectKind.IDENTITY, identity_id)


def _facts(method: str, changes: TokenAuthChanges) -> Mapping[str, object]:
    settings = changes.facts()
    if settings.get(_CERTIFICATES):
        settings[_CERTIFICATES] = "given"
    return {"method": method, "settings": settings}


def _found(tx: Tx, identity_id: str, method: str) -> TokenAuth:
    auth = token_store.token_auth(tx, identity_id, method)
    if auth is None:
        raise NotFound(
            f"This identity does not have {METHODS[method].title}.",
            code="access.token_auth_not_found",
            fix="Add it with POST on the same path.",
        )
    return auth
