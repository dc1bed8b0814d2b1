"""How people sign in: e-mail address, password, and a second factor where it is turned on.

Slow hashes are computed between two transactions, never inside one. Failures are counted in the database, so the limits
hold for several servers together.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from keyturn.audit import events
from keyturn.audit.domain import subject_of
from keyturn.audit.record import record
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, Refused, Unauthenticated
from keyturn.kit.secret import Plaintext
from keyturn.lockout.domain import PEOPLE, Attempts
from keyturn.lockout.failures import add_failure, invalid_credentials, lock_refusal, wrong_code
from keyturn.people import leaving, store
from keyturn.people.domain import User, person_actor
from keyturn.people.password_policy import PasswordPolicy
from keyturn.people.second_factor import SecondFactors
from keyturn.people.users import Users
from keyturn.ports.clock import Clock
from keyturn.tokens.domain import IssuedToken, Origin, TokenRules
from keyturn.tokens.service import AccessTokens

T = TypeVar("T")
_EVERYBODY = PasswordPolicy()


class SignIn:
    """Checks passwords and second factors of people."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        hasher: Hasher,
        factors: SecondFactors,
        users: Users,
        issuer: AccessTokens,
        person_rules: TokenRules,
        policy: PasswordPolicy = _EVERYBODY,
    ) -> None:
        self._database = database
        self._clock = clock
        self._hasher = hasher
        self._factors = factors
        self._users = users
        self._issuer = issuer
        self._person_rules = person_rules
        self._policy = policy

    def login_person(
        self,
        email: str,
        password: Plaintext,
        origin: Origin,
        code: Plaintext | None = None,
        new_password: Plaintext | None = None,
    ) -> IssuedToken:
        """Exchange e-mail address, password and (with two-step sign-in) the code of the app for a token.

        Where everybody needs a second factor, who has none gets no token by the password alone, and nothing is changed.
        ``new_password`` takes the place of a first password, and is given only then. Raises Unauthenticated, with the same
        words for an unknown address and a wrong password, others when locked, when the code is missing or wrong, and when
        the first password has to be changed; Refused for a new one that is weak, or that nobody asked for; Forbidden for
        somebody who is disabled.
        """

        def issue(tx: Tx, user: User) -> IssuedToken | User | KeyturnError:
            if store.needs_set_up(tx, user.id) or self._policy.needs_set_up(tx, user.id):
                return second_factor_needed()
            if user.first_password:
                return password_needed() if new_password is None else user
            if new_password is not None:
                return _not_asked()
            return self._issuer.issue(tx, person_actor(user), self._person_rules, self._clock.now())

        proven = self.prove_person(email, password, origin, issue, lambda _tx, _user: _code_needed(), code)
        if isinstance(proven, KeyturnError):
            raise proven
        if isinstance(proven, IssuedToken):
            return proven
        self._users.choose_password(proven, password, new_password or Plaintext(""))
        with self._database.write() as tx:
            self._require_enabled(tx, proven)
            return self._issuer.issue(tx, person_actor(proven), self._person_rules, self._clock.now())

    @staticmethod
    def _require_enabled(tx: Tx, user: User) -> None:
        """Raise Forbidden for somebody who was disabled since they have proven who they are."""
        now = store.user_by_id(tx, user.id, lock=True)
        if now is not None and (disabled := leaving.refusal(now)):
            raise disabled

    def prove_person(
        self,
        email: str,
        password: Plaintext,
        origin: Origin,
        whole: Callable[[Tx, User], T],
        halfway: Callable[[Tx, User], T | KeyturnError],
        code: Plaintext | None = None,
    ) -> T:
        """Check who somebody is. What follows happens in the same transaction: ``whole`` when all is proven, ``halfway``
        when the password is right and a code is needed that was not given. Raises as :meth:`login_person`.
        """
        email = email.strip().lower()
        with self._database.read() as tx:
            person = store.user_by_email(tx, email)
        right = self._hasher.verify(person.password_hash if person else None, password)
        with self._database.write() as tx:
            user = store.user_by_email(tx, email, lock=True)
            if user and person and user.password_hash != person.password_hash:
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

    def prove_code(self, user_id: str, code: Plaintext, origin: Origin, whole: Callable[[Tx, User], T]) -> T:
        """Check the second step of somebody whose password was right. Raises Unauthenticated; failures are counted."""
        with self._database.write() as tx:
            user = store.user_by_id(tx, user_id, lock=True)
            outcome = self._person_outcome(tx, user, origin, whole, code, right=True) if user else invalid_credentials()
        if isinstance(outcome, KeyturnError):
            raise outcome
        return outcome

    def _person_outcome(
        self, tx: Tx, user: User, origin: Origin, whole: Callable[[Tx, User], T], code: Plaintext | None, *, right: bool
    ) -> T | KeyturnError:
        now = self._clock.now()
        owner = replace(person_actor(user), request_id=origin.request_id)
        if user.attempts.locked(now):
            return lock_refusal(user.attempts, now)
        accepted = right and (
            not self._factors.needed(tx, user) or self._factors.accepts(tx, user, code or Plaintext(""), owner)
        )
        if not accepted:
            store.set_user_attempts(tx, user.id, add_failure(tx, owner, user.attempts, PEOPLE, now))
            return wrong_code() if right else invalid_credentials()
        if user.attempts != Attempts():
            store.set_user_attempts(tx, user.id, Attempts())
        outcome = leaving.refusal(user) or self._policy.refusal(user) or whole(tx, user)
        if not isinstance(outcome, KeyturnError):
            store.note_sign_in(tx, user.id, now)
            record(tx, owner, events.PERSON_SIGNED_IN, subject_of(owner), now, ip=origin.ip)
        return outcome


def _code_needed() -> Unauthenticated:
    return Unauthenticated(
        "This user signs in with a second step: the code is missing.",
        code="access.code_needed",
        fix="Send the six digits of the authenticator app as well, as `code`.",
    )


def password_needed() -> Unauthenticated:
    return Unauthenticated(
        "This is a first password: somebody else knows it, so it has to be changed.",
        code="access.password_change_needed",
        fix="Send the new one as `newPassword` together with the first one, or sign in on the page.",
    )


def second_factor_needed() -> Unauthenticated:
    return Unauthenticated(
        "Everybody needs two-step sign-in here, and this user has not set it up yet.",
        code="access.second_factor_needed",
        fix="Sign in on the page: it is set up there before anything else.",
    )


def _not_asked() -> Refused:
    return Refused(
        "This password does not have to be changed, so `newPassword` is not taken.",
        code="access.password_change_not_asked",
        fix="Sign in without it. A password is changed with POST /api/v1/users/me/password.",
    )
