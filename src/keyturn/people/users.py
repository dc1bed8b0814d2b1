"""People: who may sign in with e-mail address and password, and with which role."""

import re
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy.exc

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action, require_at_most
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor, ActorKind, Role, platform
from keyturn.kit.secret import Plaintext
from keyturn.lockout.domain import Attempts
from keyturn.organizations.quotas import require_room
from keyturn.people import leaving, store
from keyturn.people.domain import NewUser, User, person_actor
from keyturn.people.passwords import check_password
from keyturn.people.proofs import Proofs
from keyturn.ports.clock import Clock, Ids
from keyturn.settings.model import USUAL_QUOTAS, Quotas
from keyturn.tokens import store as token_store

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")


class Users:
    """The use cases of people. Changes need the permission to manage users, and are audited."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        hasher: Hasher,
        proofs: Proofs,
        quotas: Quotas = USUAL_QUOTAS,
    ) -> None:
        self._proofs = proofs
        self._quotas = quotas
        self._database = database
        self._clock = clock
        self._ids = ids
        self._hasher = hasher

    def create(self, actor: Actor, new: NewUser) -> User:
        """Add a user. Raises Refused for a weak password or an address in use, Forbidden for a role above the caller's."""
        with self._database.read() as tx:  # refuse before the slow hash
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            self._require_room(tx, actor)
        require_at_most(actor.role, new.role)
        prepared = self.prepare(
            actor.org_id, new.email, new.password, new.role, first_name=new.first_name, last_name=new.last_name
        )
        user = replace(prepared, first_password=True)
        with self._database.write() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            self._add(tx, actor, user)
            facts = {"email": user.email, "role": new.role.value}
            record(tx, actor, events.USER_CREATED, leaving.subject(user), self._clock.now(), **facts)
        return user

    def add_without_password(
        self, tx: Tx, actor: Actor, email: str, role: Role, *, first_name: str = "", last_name: str = ""
    ) -> User:
        """Add a user who can not sign in with a password until they set one, in the transaction of who records why.

        Raises as :meth:`create`.
        """
        require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
        require_at_most(actor.role, role)
        now = self._clock.now()
        names = (checked_email(email), first_name, last_name)
        user = User(self._ids.new(), actor.org_id, *names, "", role, False, Attempts(), now, now)
        self._add(tx, actor, user)
        return user

    def _add(self, tx: Tx, actor: Actor, user: User) -> None:
        self._require_room(tx, actor)
        if store.user_by_email(tx, user.email):
            raise _email_taken(user.email)
        try:
            store.add_user(tx, user)
        except sqlalchemy.exc.IntegrityError as error:  # another server added the same address just now
            raise _email_taken(user.email) from error

    def _require_room(self, tx: Tx, actor: Actor) -> None:
        require_room(store.count_users(tx, actor.org_id), self._quotas.users, "users", "KEYTURN_MAX_USERS")

    def prepare(
        self,
        org_id: str,
        email: str,
        password: Plaintext,
        role: Role,
        *,
        first_name: str = "",
        last_name: str = "",
        super_admin: bool = False,
    ) -> User:
        """Return a user ready to be stored: address checked, password checked and hashed. Takes tens of milliseconds."""
        email = checked_email(email)
        check_password(password, email, first_name, last_name)
        now = self._clock.now()
        return User(
            self._ids.new(),
            org_id,
            email,
            first_name,
            last_name,
            self._hasher.hash(password),
            role,
            super_admin,
            Attempts(),
            now,
            now,
        )

    def list(self, actor: Actor) -> Sequence[User]:
        """Return the users of the organization, by e-mail address."""
        with self._database.read() as tx:
            require(tx, actor, Action.READ_USERS, Scope(actor.org_id))
            return store.users_of(tx, actor.org_id)

    def addresses(self, actor: Actor, limit: int) -> Sequence[tuple[str, str]]:
        """Return id and address of the first users who are not disabled, by address, to choose from."""
        with self._database.read() as tx:
            require(tx, actor, Action.READ_USERS, Scope(actor.org_id))
            return store.addresses(tx, actor.org_id, limit)

    def id_of(self, actor: Actor, email: str) -> str | None:
        """Return the id of the user with this address; None: there is none."""
        with self._database.read() as tx:
            require(tx, actor, Action.READ_USERS, Scope(actor.org_id))
            return store.id_of_address(tx, actor.org_id, email.strip().lower())

    def me(self, actor: Actor) -> User:
        """Return the caller. Raises NotFound when the caller is no person."""
        with self._database.read() as tx:
            return leaving.find_user(tx, actor, actor.id if actor.kind is ActorKind.USER and actor.id else "me")

    def change_role(self, actor: Actor, user_id: str, role: Role) -> User:
        """Give another role; the user signs in anew.

        Raises Refused for the last admin, Forbidden for a role above the caller's.
        """
        with self._database.write() as tx:
            user = leaving.managed_user(tx, actor, user_id)
            require_at_most(actor.role, role)
            if role is not Role.ADMIN:
                leaving.keep_an_admin(tx, user)
            store.change_user(tx, user.id, self._clock.now(), role=role.value)
            store.end_sessions_of_user(tx, user.id)  # whoever gains or loses something signs in anew
            facts = {"before": user.role.value, "role": role.value}
            record(tx, actor, events.USER_ROLE_CHANGED, leaving.subject(user), self._clock.now(), **facts)
            return leaving.find_user(tx, actor, user_id)

    def change_password(self, actor: Actor, old: Plaintext, new: Plaintext) -> None:
        """Change the caller's own password; all the caller's tokens and sessions end, also the one in use.

        Raises as :meth:`Proofs.prove` for a wrong old one, Refused for a new one that is weak or the old one.
        """
        user = self._proofs.prove(actor, old, lambda _tx, user: user)
        if old == new:
            raise _same_password()
        self._set_password(user, new, events.PASSWORD_CHANGED, actor)

    def choose_password(self, user: User, old: Plaintext | None, new: Plaintext) -> None:
        """Put the person's own password in the place of the first one, for somebody who has just proven who they are.

        ``old`` is the first one where it is at hand. All tokens and sessions of the user end.
        """
        if old == new if old is not None else self._hasher.verify(user.password_hash, new):
            raise _same_password()
        self._set_password(user, new, events.PASSWORD_CHANGED, person_actor(user))

    # --- for the operator at the machine itself -----------------------------------------------------------------------

    def by_email(self, email: str) -> User:
        """Return the user with this address. For the operator's command line only."""
        with self._database.read() as tx:
            user = store.user_by_email(tx, email.strip().lower())
        if user is None:
            raise NotFound(
                f"There is no user '{email}'.",
                code="access.user_not_found",
                fix="GET /api/v1/users lists them, as the page Members does.",
            )
        return user

    def reset_password(self, email: str, new: Plaintext) -> User:
        """Set a password without the old one, end the user's tokens and locks. For the operator's command line only.

        It has to be changed at the next sign-in.
        """
        user = self.by_email(email)
        self._set_password(user, new, events.PASSWORD_RESET, platform(user.org_id), first=True)
        return user

    def unlock(self, email: str) -> User:
        """End the user's sign-in lock. For the operator's command line only. Repeatable."""
        user = self.by_email(email)
        with self._database.write() as tx:
            store.set_user_attempts(tx, user.id, Attempts())
            record(tx, platform(user.org_id), events.USER_UNLOCKED, leaving.subject(user), self._clock.now())
        return user

    # --- parts --------------------------------------------------------------------------------------------------------

    def _set_password(
        self, user: User, new: Plaintext, event: AuditEvent, actor: Actor, *, first: bool = False
    ) -> None:
        check_password(new, user.email, user.first_name, user.last_name)
        hashed = self._hasher.hash(new)
        now = self._clock.now()
        with self._database.write() as tx:
            store.change_user(tx, user.id, now, password_hash=hashed, first_password=first)
            store.set_user_attempts(tx, user.id, Attempts())
            token_store.revoke_tokens_of_user(tx, user.id, now)
            store.end_sessions_of_user(tx, user.id)
            record(tx, actor, event, leaving.subject(user), now)


def checked_email(text: str) -> str:
    """Return the address as it is kept: trimmed, lower case. Raises Refused for text that is none."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise Refused(
            f"'{text}' is not an e-mail address.",
            code="access.email_invalid",
            field="email",
            fix="Give one such as ada@example.com.",
        )
    return email


def _email_taken(email: str) -> Refused:
    return Refused(
        f"There is a user with the address '{email}' already.",
        code="access.email_taken",
        field="email",
        fix="Look for them under Members, where they may be disabled or invited, or give another address.",
    )


def _same_password() -> Refused:
    return Refused(
        "The new password is the old one.",
        code="access.password_same",
        field="newPassword",
        fix="Choose one that you did not use here.",
    )
