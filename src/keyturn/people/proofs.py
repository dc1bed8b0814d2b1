"""Asking somebody who has signed in for the password once more, before something that a thief of the session would do.

A wrong answer is a failed sign-in of the account, and too many end the session or access token they were given with:
whoever stole one does not get to guess on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, NotFound, Unauthenticated
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.lockout.domain import PEOPLE, Attempts
from keyturn.lockout.failures import add_failure, invalid_credentials, lock_refusal, wrong_code
from keyturn.people import store
from keyturn.people.domain import User
from keyturn.ports.clock import Clock
from keyturn.tokens import store as token_store

if TYPE_CHECKING:
    from keyturn.people.second_factor import SecondFactors

T = TypeVar("T")

MOST_GUESSES = 5


@dataclass
class Proofs:
    """Checks passwords and codes of people who have signed in."""

    database: Database
    clock: Clock
    hasher: Hasher
    factors: "SecondFactors"

    def prove(
        self, actor: Actor, password: Plaintext, then: Callable[[Tx, User], T], *, code: Plaintext | None = None
    ) -> T:
        """Check the caller's password, and with ``code`` the second factor, too. What follows is in the same transaction.

        Raises Unauthenticated: wrong, locked, or one guess too many.
        """
        with self.database.read() as tx:
            caller = person(tx, actor)
        right = self.hasher.verify(caller.password_hash, password)
        with self.database.write() as tx:
            user = store.user_by_id(tx, caller.id, lock=True)
            if user is None:
                raise no_person()
            right = right and user.password_hash == caller.password_hash
            outcome = self._refusal(tx, actor, user, code, right=right) or then(tx, user)
        # Raised only now: a guess that was counted must stay counted.
        if isinstance(outcome, KeyturnError):
            raise outcome
        return outcome

    def _refusal(self, tx: Tx, actor: Actor, user: User, code: Plaintext | None, *, right: bool) -> KeyturnError | None:
        now = self.clock.now()
        if user.attempts.locked(now):
            return lock_refusal(user.attempts, now)
        if right and (code is None or self.factors.accepts(tx, user, code, actor)):
            if user.attempts != Attempts():
                store.set_user_attempts(tx, user.id, Attempts())
            if actor.via:
                store.forget_guesses(tx, actor.via)
                token_store.forget_guesses(tx, actor.via)
            return None
        store.set_user_attempts(tx, user.id, add_failure(tx, actor, user.attempts, PEOPLE, now))
        if actor.via and _guesses(tx, actor.via) >= MOST_GUESSES:
            store.end_session(tx, actor.via)
            token_store.revoke_token(tx, actor.via, now)
            return Unauthenticated(
                f"{MOST_GUESSES} wrong answers: this session has ended.",
                code="access.session_ended",
                fix="Sign in again.",
            )
        return wrong_code() if right else invalid_credentials("The present password is wrong.", "password")


def person(tx: Tx, actor: Actor) -> User:
    """Return the caller. Raises NotFound when it is no person."""
    user = store.user(tx, actor.org_id, actor.id or "") if actor.kind is ActorKind.USER else None
    if user is None:
        raise no_person()
    return user


def no_person() -> NotFound:
    return NotFound(
        "Only people have a password and a second factor.",
        code="access.user_not_found",
        fix="GET /api/v1/users lists them, as the page Members does.",
    )


def _guesses(tx: Tx, via: str) -> int:
    """Count a wrong guess of the session or the access token with this id; return how many there were."""
    return max(store.count_guess(tx, via), token_store.count_guess(tx, via))
