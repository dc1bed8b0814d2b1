"""One-time links with which people set a password: of those who are invited, and of those whom an admin helps.

A link is a random token of which only a digest is kept. It works once, until its end, until another one of the same user is
made, and as long as whoever made it may make one for that user; looking at it does not use it up, as mail systems look at links
before people do.
"""

from datetime import datetime, timedelta

from keyturn.audit import people_events as events
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, actor_now, is_allowed
from keyturn.authz.domain import Action, at_most
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, NotFound, Refused
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.lockout.domain import Attempts
from keyturn.people import leaving, link_store, store
from keyturn.people.domain import PasswordLink, Purpose, User, person_actor
from keyturn.people.passwords import check_password
from keyturn.ports.clock import Clock, Ids
from keyturn.tokens import opaque
from keyturn.tokens import store as token_store
from keyturn.tokens.domain import Origin
from keyturn.tokens.opaque import RandomBytes

LIVES = {Purpose.INVITATION: timedelta(days=7), Purpose.RESET: timedelta(hours=24)}
"""How long a link works, where nobody says otherwise."""
LONGEST = timedelta(days=30)
_KEPT = timedelta(days=90)
PATH = "/sign-in/link/{token}"


@dataclass(frozen=True)
class IssuedLink:
    """A link in the clear, given once. ``path`` is what follows the address of the server."""

    path: Plaintext
    expires_at: datetime


@dataclass(frozen=True)
class OpenLink:
    """A link that works, and whose it is."""

    user: User
    purpose: Purpose
    expires_at: datetime


class PasswordLinks:
    """Makes and redeems links. Who may have one made is decided by those who ask for it."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, hasher: Hasher, random: RandomBytes) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._hasher = hasher
        self._random = random

    def issue(self, tx: Tx, actor: Actor, user: User, purpose: Purpose, lives: timedelta | None = None) -> IssuedLink:
        """Make a link for the actor, in the caller's transaction. The ones before of this user end."""
        now = self._clock.now()
        ends = now + min(lives or LIVES[purpose], LONGEST)
        token = opaque.new_token(self._random)
        link_store.clear(tx, now - _KEPT)
        link_store.revoke_of_user(tx, user.id, now)
        link = PasswordLink(self._ids.new(), user.id, purpose, now, ends, made_by=(actor.kind, actor.id))
        link_store.add(tx, link, opaque.digest(token.reveal()))
        return IssuedLink(Plaintext(PATH.format(token=token.reveal())), ends)

    def look(self, token: Plaintext) -> OpenLink:
        """Return whose link it is, without using it up.

        Raises NotFound for one that is unknown, Refused with the reason for one that was used, was revoked, has ended, or was
        made by somebody who may not do that any more.
        """
        with self._database.read() as tx:
            _, link, user = self._working(tx, token, lock=False)
        return OpenLink(user, link.purpose, link.expires_at)

    def redeem(self, token: Plaintext, new: Plaintext, origin: Origin) -> User:
        """Set the password of the user whose link it is; sessions, access tokens and the sign-in lock of the user end.

        Raises as :meth:`look`, and Refused for a weak password: the link still works then. Works once, however many try at
        the same moment. The second factor stays, and is asked for at the sign-in that follows.
        """
        user = self.look(token).user
        check_password(new, user.email, user.first_name, user.last_name)
        hashed = self._hasher.hash(new)
        with self._database.write() as tx:
            now, link, user = self._working(tx, token, lock=True)
            link_store.use(tx, link.id, now)
            store.change_user(tx, user.id, now, password_hash=hashed, first_password=False)
            store.set_user_attempts(tx, user.id, Attempts())
            token_store.revoke_tokens_of_user(tx, user.id, now)
            store.end_sessions_of_user(tx, user.id)
            invited = link.purpose is Purpose.INVITATION
            event = events.INVITATION_ACCEPTED if invited else events.PASSWORD_LINK_USED
            record(tx, person_actor(user), event, leaving.subject(user), now, ip=origin.ip)
        return user

    def _working(self, tx: Tx, token: Plaintext, *, lock: bool) -> tuple[datetime, PasswordLink, User]:
        now = self._clock.now()
        link = link_store.by_digest(tx, opaque.digest(token.reveal()), lock=lock)
        if link is None:
            raise _unknown()
        if refusal := _refusal(link, now):
            raise refusal
        user = store.user_by_id(tx, link.user_id) if link.user_id else None
        if user is None:
            raise _revoked()
        if disabled := leaving.refusal(user):
            raise disabled
        if not _maker_may(tx, link, user, now):
            raise _disowned()
        return now, link, user


def _maker_may(tx: Tx, link: PasswordLink, user: User, now: datetime) -> bool:
    """Say whether who made the link may do so still: they have seen it, and could use it themselves."""
    kind, maker_id = link.made_by or (ActorKind.PLATFORM, None)
    if kind is ActorKind.PLATFORM or maker_id is None:
        return True
    maker = actor_now(tx, kind, maker_id, now)
    return (
        maker is not None
        and at_most(maker.role, user.role)
        and is_allowed(tx, maker, Action.MANAGE_USERS, Scope(user.org_id))
    )


def _refusal(link: PasswordLink, now: datetime) -> KeyturnError | None:
    if link.used_at is not None:
        return Refused(
            "This link was used already.",
            code="access.link_used",
            fix="Sign in with the password that was set. If it was not you who set it, tell an admin at once.",
        )
    if link.revoked_at is not None:
        return _revoked()
    if now >= link.expires_at:
        return Refused("This link has expired.", code="access.link_expired", fix="Ask an admin for a new one.")
    return None


def _revoked() -> Refused:
    return Refused(
        "This link was revoked, or a newer one took its place.",
        code="access.link_revoked",
        fix="Use the newest one that you got, or ask an admin for another.",
    )


def _disowned() -> Refused:
    return Refused(
        "Whoever made this link has left, or may not do so any more.",
        code="access.link_disowned",
        fix="Ask an admin for a new one.",
    )


def _unknown() -> NotFound:
    return NotFound(
        "There is no such link.", code="access.link_unknown", fix="Copy it whole, or ask an admin for a new one."
    )
