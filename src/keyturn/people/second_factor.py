"""The second factor of a person: codes from an authenticator app (RFC 6238), and recovery codes for the day it is lost."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, Misconfigured, NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.organizations import store as organization_store
from keyturn.people import store
from keyturn.people.domain import SecondFactor, User
from keyturn.people.proofs import Proofs, person
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.tokens import store as token_store

if TYPE_CHECKING:
    from keyturn.tokens.opaque import RandomBytes

ISSUER = "Keyturn"
PERIOD = 30
_SECRET_BYTES = 20
_RECOVERY_CODES = 8
_RECOVERY_BYTES = 10
_DRIFT = (0, -1, 1)  # clocks of phones are up to half a minute off


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app is given: as text to type, and as the address that a QR code holds."""

    secret: Plaintext
    address: Plaintext


@dataclass
class SecondFactors:
    """The use cases. ``sealer`` is needed to make and to check codes; the operator's commands work without one."""

    database: Database
    clock: Clock
    hasher: Hasher
    sealer: Sealer | None
    random: "RandomBytes" = field(default=secrets.token_bytes, repr=False)
    proofs: Proofs = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.proofs = Proofs(self.database, self.clock, self.hasher, self)

    # --- the person's own ---------------------------------------------------------------------------------------------

    def active(self, actor: Actor) -> bool:
        """Say whether the caller needs a code to sign in."""
        with self.database.read() as tx:
            factor = store.second_factor(tx, actor.id or "")
        return factor is not None and factor.confirmed_at is not None

    def begin(self, actor: Actor, password: Plaintext) -> None:
        """Make a secret for the caller's app. It counts only after :meth:`confirm`; until then each call makes another.

        Raises as :meth:`Proofs.prove`, Refused when a second factor is active: with its code it can be turned off first.
        """
        self.proofs.prove(actor, password, self._begun)

    def begin_at_sign_in(self, actor: Actor) -> None:
        """Do as :meth:`begin` for somebody who has just signed in, and has to set one up before anything else.

        Raises Refused when a second factor is active.
        """
        with self.database.write() as tx:
            refusal = self._begun(tx, person(tx, actor))
        if refusal is not None:
            raise refusal

    def _begun(self, tx: Tx, user: User) -> KeyturnError | None:
        secret = Plaintext(base64.b32encode(self.random(_SECRET_BYTES)).decode())
        factor = store.second_factor(tx, user.id, lock=True)
        if factor and factor.confirmed_at:
            return _active_already()
        sealed = self._sealer().seal(secret, _place(user.id))
        store.put_second_factor(tx, SecondFactor(user.id, sealed, 0, (), None), self.clock.now())
        return None

    def enrolment(self, actor: Actor) -> Enrolment:
        """Return the secret that waits to be confirmed. Raises NotFound when there is none."""
        from pyotp import TOTP  # noqa: PLC0415 - only for people who set it up

        with self.database.read() as tx:
            user = person(tx, actor)
            factor = store.second_factor(tx, user.id)
            if factor is None or factor.confirmed_at:
                raise _not_begun()
            secret = self._open(factor)
        address = TOTP(secret.reveal()).provisioning_uri(name=user.email, issuer_name=ISSUER)
        return Enrolment(secret, Plaintext(address))

    def confirm(self, actor: Actor, code: Plaintext) -> Sequence[str]:
        """Make the second factor count, once its app has shown a right code. Returns the recovery codes, only now.

        All other sessions and all access tokens of the caller end.
        """
        codes = [self._recovery_code() for _ in range(_RECOVERY_CODES)]
        with self.database.write() as tx:
            user = person(tx, actor)
            factor = store.second_factor(tx, user.id, lock=True)
            if factor is None or factor.confirmed_at:
                raise _not_begun()
            now = self.clock.now()
            counter = self._counter(factor, code, now)
            if counter is None:
                raise Refused(
                    "This code is not right.",
                    code="access.code_wrong",
                    field="code",
                    fix="Type the six digits that the app shows now. If they stay wrong, look at the phone's clock.",
                )
            digests = tuple(_digest(each) for each in codes)
            store.put_second_factor(tx, SecondFactor(user.id, factor.secret, counter, digests, now), now)
            self._end_others(tx, user, actor.via)
            record(tx, actor, events.SECOND_FACTOR_ADDED, Subject(SubjectKind.USER, user.id), now)
        return codes

    def remove(self, actor: Actor, password: Plaintext, code: Plaintext) -> None:
        """Turn it off, for somebody who has the password and a code. All other sessions and all access tokens end.

        Raises as :meth:`Proofs.prove`, and Refused where everybody needs one. Repeatable.
        """

        def then(tx: Tx, user: User) -> KeyturnError | None:
            if organization_store.second_factor_required(tx, user.org_id):
                return _needed_by_all()
            self._removed(tx, actor, user, own_session_id=actor.via)
            return None

        self.proofs.prove(actor, password, then, code=code if self.active(actor) else None)

    def remove_of(self, tx: Tx, actor: Actor, user: User) -> bool:
        """Take a user's second factor away, in the transaction of somebody who may; say whether there was one.

        All sessions and access tokens of the user end.
        """
        return self._removed(tx, actor, user, own_session_id=None)

    def holders(self, actor: Actor) -> frozenset[str]:
        """Return the ids of the organization's users who have a second factor."""
        with self.database.read() as tx:
            require(tx, actor, Action.READ_USERS, Scope(actor.org_id))
            return store.second_factor_holders(tx, actor.org_id)

    # --- in a sign-in's transaction -----------------------------------------------------------------------------------

    def needed(self, tx: Tx, user: User) -> bool:
        factor = store.second_factor(tx, user.id)
        return factor is not None and factor.confirmed_at is not None

    def accepts(self, tx: Tx, user: User, code: Plaintext, actor: Actor) -> bool:
        """Say whether the code is right, and use it up: no code is taken twice."""
        factor = store.second_factor(tx, user.id, lock=True)
        if factor is None or factor.confirmed_at is None:
            return False
        now = self.clock.now()
        counter = self._counter(factor, code, now)
        if counter is not None:
            store.use_code(tx, user.id, counter, factor.recovery)
            return True
        used = _digest(code.reveal())
        if used not in factor.recovery:
            return False
        unused = tuple(digest for digest in factor.recovery if digest != used)
        store.use_code(tx, user.id, factor.last_counter, unused)
        record(tx, actor, events.RECOVERY_CODE_USED, Subject(SubjectKind.USER, user.id), now, left=len(unused))
        return True

    # --- parts --------------------------------------------------------------------------------------------------------

    def _counter(self, factor: SecondFactor, code: Plaintext, now: datetime) -> int | None:
        from pyotp import TOTP  # noqa: PLC0415

        digits = "".join(code.reveal().split()).encode()
        maker = TOTP(self._open(factor).reveal())
        present = int(now.timestamp()) // PERIOD
        # A code of the future was noted by a wrong clock: it must not keep out those of today.
        last = factor.last_counter if factor.last_counter <= present + max(_DRIFT) else 0
        for counter in (present + drift for drift in _DRIFT):
            if counter > last and hmac.compare_digest(maker.generate_otp(counter).encode(), digits):
                return counter
        return None

    def _end_others(self, tx: Tx, user: User, own_session_id: str | None) -> None:
        store.end_other_sessions(tx, user.id, own_session_id)
        token_store.revoke_tokens_of_user(tx, user.id, self.clock.now())

    def _removed(self, tx: Tx, actor: Actor, user: User, *, own_session_id: str | None) -> bool:
        removed = store.remove_second_factor(tx, user.id)
        if removed:
            self._end_others(tx, user, own_session_id)
            record(tx, actor, events.SECOND_FACTOR_REMOVED, Subject(SubjectKind.USER, user.id), self.clock.now())
        return removed

    def _recovery_code(self) -> str:
        text = base64.b32encode(self.random(_RECOVERY_BYTES)).decode().lower()
        return "-".join(text[start : start + 4] for start in range(0, len(text), 4))

    def _sealer(self) -> Sealer:
        if self.sealer is None:
            raise Misconfigured("This process has no keyring to open a second factor.", code="access.no_keyring")
        return self.sealer

    def _open(self, factor: SecondFactor) -> Plaintext:
        return self._sealer().open(factor.secret, _place(factor.user_id))


def _place(user_id: str) -> SealContext:
    return SealContext("second_factors", user_id, "secret")


def _digest(code: str) -> str:
    """Return what is kept of a recovery code. It has 80 random bits, so a fast hash is enough."""
    plain = "".join(sign for sign in code.lower() if sign.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()


def _active_already() -> Refused:
    return Refused("Two-step sign-in is on already.", code="access.second_factor_active", fix="Turn it off first.")


def _needed_by_all() -> Refused:
    return Refused(
        "Everybody needs two-step sign-in here.",
        code="access.second_factor_required",
        fix="For another phone, ask an admin to reset it: you set it up anew at the next sign-in.",
    )


def _not_begun() -> NotFound:
    return NotFound("No set-up of two-step sign-in has begun.", code="access.second_factor_not_begun", fix="Begin it.")
