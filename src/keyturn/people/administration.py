"""What an admin does for other people: unlocks them, gives them a way to a new password, ends what they are signed in with.

All of it needs the permission to manage users and a role that is not below theirs, is audited, and is for others: what somebody
changes of the own account asks for the own password, so that who finds an open browser does not get the account.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from keyturn.audit import events, people_events
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.lockout.domain import Attempts
from keyturn.people import external_store, leaving, link_store, list_store, store
from keyturn.people.domain import PROVISIONING, ExternalIdentity, PasswordLink, Purpose, Session, User
from keyturn.people.links import IssuedLink, PasswordLinks
from keyturn.people.list_store import PeopleFilter
from keyturn.people.passwords import check_password
from keyturn.people.second_factor import SecondFactors
from keyturn.people.sessions import living
from keyturn.ports.clock import Clock
from keyturn.tokens import store as token_store


@dataclass(frozen=True)
class PersonState:
    """A user as those who manage users see them. ``link`` was not used yet; it may be past its end."""

    user: User
    has_second_factor: bool
    locked_until: datetime | None
    link: PasswordLink | None
    outside: Sequence[ExternalIdentity] = ()

    @property
    def vouched(self) -> bool:
        """Whether somebody of Entra ID signs in as them."""
        return any(each.issuer != PROVISIONING for each in self.outside)

    @property
    def provisioned(self) -> bool:
        """Whether an identity provider keeps them here."""
        return any(each.issuer == PROVISIONING for each in self.outside)

    @property
    def invited(self) -> bool:
        """Whether they have not accepted their invitation yet."""
        return self.link is not None and self.link.purpose is Purpose.INVITATION

    @property
    def word(self) -> Literal["active", "invited", "locked", "disabled"]:
        """What keeps them from signing in, or that nothing does."""
        if self.user.disabled_at is not None:
            return "disabled"
        if self.invited:
            return "invited"
        return "locked" if self.locked_until else "active"


@dataclass(frozen=True)
class PeopleMatches:
    """``people`` are those of one page, of ``total`` that match, of ``all`` that are there."""

    people: Sequence[PersonState]
    total: int
    all: int
    page: int
    pages: int


@dataclass(frozen=True)
class Administration:
    database: Database
    clock: Clock
    hasher: Hasher
    factors: SecondFactors
    links: PasswordLinks

    # --- looking ------------------------------------------------------------------------------------------------------

    def people(self, actor: Actor, text: str, kind: str | None, page: int, size: int) -> PeopleMatches:
        """Return a page of the users of the organization with their state, by e-mail address. Raises Forbidden.

        All words of the text have to be in address or name; ``kind`` is one of :data:`list_store.KINDS`. A page past the end is
        the last.
        """
        now = self.clock.now()
        with self.database.read() as tx:
            require(tx, actor, Action.READ_USERS, Scope(actor.org_id))
            criteria = PeopleFilter(actor.org_id, now, tuple(text.split()), kind)
            total, everybody = list_store.count(tx, criteria), store.count_users(tx, actor.org_id)
            pages = max(1, -(-total // size))
            number = min(page, pages)
            users = list_store.page(tx, criteria, size, (number - 1) * size)
            ids = [user.id for user in users]
            holders = store.second_factor_holders_among(tx, ids)
            links, outside = link_store.open_of_users(tx, ids), external_store.of_users(tx, ids)
        people = [
            _state(user, links.get(user.id), outside.get(user.id, ()), now, has_second_factor=user.id in holders)
            for user in users
        ]
        return PeopleMatches(people, total, everybody, number, pages)

    def person(self, actor: Actor, user_id: str) -> PersonState:
        """Return one user. Raises NotFound and Forbidden."""
        with self.database.read() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            user = leaving.find_user(tx, actor, user_id)
            has_one, link = self.factors.needed(tx, user), link_store.open_of_user(tx, user.id)
            outside = external_store.of_user(tx, user.id)
        return _state(user, link, outside, self.clock.now(), has_second_factor=has_one)

    def sessions(self, actor: Actor, user_id: str) -> Sequence[Session]:
        """Return the living sessions of a user, the last used first. Raises NotFound and Forbidden."""
        with self.database.read() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            user = leaving.find_user(tx, actor, user_id)
            return living(store.sessions_of_user(tx, user.id), self.clock.now())

    # --- helping ------------------------------------------------------------------------------------------------------

    def unlock(self, actor: Actor, user_id: str) -> User:
        """End the sign-in lock of a user. Safe to repeat."""
        with self.database.write() as tx:
            user = leaving.managed_user(tx, actor, user_id)
            store.set_user_attempts(tx, user.id, Attempts())
            record(tx, actor, events.USER_UNLOCKED, leaving.subject(user), self.clock.now())
            return leaving.find_user(tx, actor, user_id)

    def make_password_link(self, actor: Actor, user_id: str) -> tuple[User, IssuedLink]:
        """Make a one-time link with which the user sets a new password. The old one works until then.

        Raises Refused for the caller, for somebody who is disabled, and for somebody whose invitation waits: that is renewed.
        """
        with self.database.write() as tx:
            user = self._other(tx, actor, user_id)
            if disabled := leaving.refusal(user):
                raise disabled
            link = link_store.open_of_user(tx, user.id)
            if link is not None and link.purpose is Purpose.INVITATION:
                raise Refused(
                    f"'{user.email}' has not accepted the invitation yet.",
                    code="access.invitation_waits",
                    fix="Make a new link for the invitation instead.",
                )
            issued = self.links.issue(tx, actor, user, Purpose.RESET)
            facts = {"email": user.email, "expiresAt": issued.expires_at.isoformat()}
            record(tx, actor, people_events.PASSWORD_LINK_MADE, leaving.subject(user), self.clock.now(), **facts)
        return user, issued

    def set_temporary_password(self, actor: Actor, user_id: str, password: Plaintext) -> User:
        """Give a user a password that has to be changed at the next sign-in; sessions, access tokens and the lock end.

        Links that the user has end, too: who was invited is let in by this. Raises Refused for the caller, and a weak password.
        """
        with self.database.read() as tx:  # refuse before the slow hash
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            user = leaving.find_user(tx, actor, user_id)
        check_password(password, user.email, user.first_name, user.last_name)
        hashed = self.hasher.hash(password)
        with self.database.write() as tx:
            user, now = self._other(tx, actor, user_id), self.clock.now()
            link_store.revoke_of_user(
                tx, user.id, now
            )  # before the user changes: who redeems a link does so in this order
            store.change_user(tx, user.id, now, password_hash=hashed, first_password=True)
            store.set_user_attempts(tx, user.id, Attempts())
            token_store.revoke_tokens_of_user(tx, user.id, now)
            store.end_sessions_of_user(tx, user.id)
            record(tx, actor, people_events.TEMPORARY_PASSWORD_SET, leaving.subject(user), now, email=user.email)
            return leaving.find_user(tx, actor, user_id)

    def remove_second_factor(self, actor: Actor, user_id: str) -> User:
        """Take a user's second factor away: their phone is lost. Their sessions and access tokens end. Safe to repeat.

        Raises Refused for the caller: turning off the own one asks for the password.
        """
        with self.database.write() as tx:
            user = self._other(tx, actor, user_id)
            self.factors.remove_of(tx, actor, user)
        return user

    def end_session(self, actor: Actor, user_id: str, session_id: str) -> User:
        """End one session of a user. Raises NotFound for one that they do not have."""
        with self.database.write() as tx:
            user = leaving.managed_user(tx, actor, user_id)
            if store.session_of_user(tx, user.id, session_id) is None:
                raise NotFound(
                    "There is no such session of this user.",
                    code="access.session_not_found",
                    fix="It may have ended: load the list of sessions again.",
                )
            store.end_session(tx, session_id)
            self._record_ended(tx, actor, user, ended=1, tokens=False)
        return user

    def end_sessions(self, actor: Actor, user_id: str) -> User:
        """End all sessions and all access tokens of a user. Safe to repeat."""
        with self.database.write() as tx:
            user = leaving.managed_user(tx, actor, user_id)
            ended = store.end_sessions_of_user(tx, user.id)
            token_store.revoke_tokens_of_user(tx, user.id, self.clock.now())
            self._record_ended(tx, actor, user, ended=ended, tokens=True)
        return user

    def _record_ended(self, tx: Tx, actor: Actor, user: User, *, ended: int, tokens: bool) -> None:
        facts = {"ended": ended, "accessTokens": tokens}
        record(tx, actor, people_events.OTHERS_SESSIONS_ENDED, leaving.subject(user), self.clock.now(), **facts)

    @staticmethod
    def _other(tx: Tx, actor: Actor, user_id: str) -> User:
        user = leaving.managed_user(tx, actor, user_id)
        if user.id == actor.id:
            raise Refused(
                "This is your own account.",
                code="access.own_account",
                fix="Change your own password and second step under Settings, where your password is asked for.",
            )
        return user


def _state(
    user: User,
    link: PasswordLink | None,
    outside: Sequence[ExternalIdentity],
    now: datetime,
    *,
    has_second_factor: bool,
) -> PersonState:
    locked_until = user.attempts.locked_until if user.attempts.locked(now) else None
    return PersonState(user, has_second_factor, locked_until, link, outside)
