"""Sign-in sessions of browsers: rows of this server, known by a random token of which only a digest is kept.

A session ends after eight hours without use, after seven days in any case, at sign-out, and when the password or the role
of its user changes. Its token is new at each sign-in and whenever its user gains something, so nobody can plant one.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit import events
from keyturn.audit.domain import subject_of
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.people import store
from keyturn.people.domain import BY_PASSWORD, THROUGH_ENTRA, Session, User, person_actor
from keyturn.people.password_policy import PasswordPolicy
from keyturn.people.sign_in import SignIn, password_needed, second_factor_needed
from keyturn.people.users import Users
from keyturn.ports.clock import Clock, Ids
from keyturn.tokens import opaque
from keyturn.tokens.domain import Origin
from keyturn.tokens.opaque import RandomBytes

IDLE = timedelta(hours=8)
LONGEST = timedelta(days=7)
PENDING = timedelta(minutes=10)
_SEEN_NOTED_EVERY = timedelta(minutes=1)
_LONGEST_AGENT = 400
_EVERYBODY = PasswordPolicy()


@dataclass(frozen=True)
class BrowserInfo:
    """Where a session is used."""

    origin: Origin
    user_agent: str = ""


@dataclass(frozen=True)
class NewSession:
    """A session in the clear, given once. ``needs_code``: it is good for nothing but giving the code."""

    token: Plaintext
    needs_code: bool


class Sessions:
    """The use cases of sessions."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        signin: SignIn,
        users: Users,
        random: RandomBytes,
        policy: PasswordPolicy = _EVERYBODY,
    ) -> None:
        self._policy = policy
        self._users = users
        self._database = database
        self._clock = clock
        self._ids = ids
        self._signin = signin
        self._random = random

    # --- signing in and out -------------------------------------------------------------------------------------------

    def sign_in(
        self, email: str, password: Plaintext, browser: BrowserInfo, before: Plaintext | None = None
    ) -> NewSession:
        """Open a session; the one that the browser had before ends. Raises as :meth:`SignIn.login_person`."""

        def whole(tx: Tx, user: User) -> NewSession:
            return NewSession(self._open(tx, user, browser, pending=False), needs_code=False)

        def halfway(tx: Tx, user: User) -> NewSession:
            return NewSession(self._open(tx, user, browser, pending=True), needs_code=True)

        new_session = self._signin.prove_person(email, password, browser.origin, whole, halfway)
        self.forget(before)
        return new_session

    def give_code(self, pending: Plaintext | None, code: Plaintext, browser: BrowserInfo) -> Plaintext:
        """Finish a sign-in whose password was right. Returns the session's token, a new one.

        Raises Unauthenticated for a wrong code, which counts as a failed sign-in, and when it took too long.
        """
        with self._database.read() as tx:
            session = self._living(tx, pending, pending=True)

        def whole(tx: Tx, user: User) -> Plaintext:
            store.end_session(tx, session.id)
            return self._open(tx, user, browser, pending=False)

        return self._signin.prove_code(session.user_id, code, browser.origin, whole)

    def awaits_code(self, pending: Plaintext | None) -> bool:
        """Say whether this is a sign-in that waits for its code."""
        with self._database.read() as tx:
            try:
                self._living(tx, pending, pending=True)
            except Unauthenticated:
                return False
        return True

    def awaits_password(self, token: Plaintext | None) -> bool:
        """Say whether this session's person has to choose a password first."""
        return self._with_first_password(token) is not None

    def choose_password(self, token: Plaintext | None, new: Plaintext, browser: BrowserInfo) -> Plaintext:
        """Take the person's own password instead of the first one. Returns a new session's token.

        Raises Unauthenticated when the session has ended, Refused for a weak password or the first one.
        """
        user = self._with_first_password(token)
        if user is None:
            raise _ended()
        self._users.choose_password(user, None, new)
        with self._database.write() as tx:
            return self._open(tx, user, browser, pending=False)

    def _with_first_password(self, token: Plaintext | None) -> User | None:
        with self._database.read() as tx:
            try:
                session = self._living(tx, token, pending=False)
            except Unauthenticated:
                return None
            user = store.user_by_id(tx, session.user_id)
        return user if user and user.first_password and session.method == BY_PASSWORD else None

    def open_vouched(self, tx: Tx, user: User, browser: BrowserInfo) -> Plaintext:
        """Open a session for somebody whom Entra ID vouched for, in the transaction that decides that they may come in."""
        return self._open(tx, user, browser, pending=False, method=THROUGH_ENTRA)

    def awaits_second_factor(self, token: Plaintext | None) -> Actor | None:
        """Return whose session it is, where they have to set up a second factor first; None: nobody's, or they need none.

        Only for as long as the sign-in is fresh: later the password is asked for again, by a new sign-in.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            try:
                session = self._living(tx, token, pending=False)
            except Unauthenticated:
                return None
            user = store.user_by_id(tx, session.user_id)
            needs_set_up = self._needs_set_up(tx, session)
        if user is None or not needs_set_up or user.first_password or user.disabled_at is not None:
            return None
        return replace(person_actor(user), via=session.id, at=now) if now < session.created_at + PENDING else None

    def open_for(self, actor: Actor, browser: BrowserInfo) -> Plaintext:
        """Open a session for somebody who has just proven who they are, by setting up the server or a new password."""
        with self._database.write() as tx:
            user = store.user(tx, actor.org_id, actor.id or "")
            if user is None:
                raise _ended()
            return self._open(tx, user, browser, pending=False)

    def recall(self, token: Plaintext, ip: str) -> Actor:
        """Return whose session it is, as they are now, and note its use. Raises Unauthenticated when it has ended.

        Also while the first password has to be changed, or a second factor to be set up: then the session is good for nothing
        else.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            session = self._living(tx, token, pending=False)
            user = store.user_by_id(tx, session.user_id)
            needs_set_up = self._needs_set_up(tx, session)
        if user is None or user.disabled_at is not None:
            raise _ended()
        if self._policy.ends(user, session.method):
            raise _ended()
        if user.first_password and session.method == BY_PASSWORD:
            raise password_needed()
        if needs_set_up:
            raise second_factor_needed()
        if now - session.seen_at >= _SEEN_NOTED_EVERY or session.ip != ip:
            with self._database.write() as tx:
                store.note_session(tx, session.id, ip, now)
        return replace(person_actor(user), via=session.id, at=now)

    def sign_out(self, token: Plaintext | None, request_id: str | None = None) -> None:
        """End the session. Repeatable; what is no session is left alone."""
        if token is None:
            return
        with self._database.write() as tx:
            session = store.session(tx, opaque.digest(token.reveal()))
            user = store.user_by_id(tx, session.user_id) if session else None
            if session is None or user is None:
                return
            store.end_session(tx, session.id)
            if not session.pending:
                actor = replace(person_actor(user), request_id=request_id)
                record(tx, actor, events.SIGNED_OUT, subject_of(actor), self._clock.now())

    def sign_out_everywhere(self, actor: Actor) -> int:
        """End all sessions of the caller, this one too. Returns how many there were."""
        with self._database.write() as tx:
            count = store.end_sessions_of_user(tx, actor.id or "")
            record(tx, actor, events.SESSIONS_ENDED, subject_of(actor), self._clock.now(), ended=count)
        return count

    # --- the list -----------------------------------------------------------------------------------------------------

    def list(self, actor: Actor) -> Sequence[Session]:
        """Return the caller's living sessions, the last used first."""
        now = self._clock.now()
        with self._database.read() as tx:
            sessions = store.sessions_of_user(tx, actor.id or "")
        return living(sessions, now)

    def id_of(self, token: Plaintext | None) -> str | None:
        """Return the id of a session, to mark it in the list."""
        if token is None:
            return None
        with self._database.read() as tx:
            session = store.session(tx, opaque.digest(token.reveal()))
        return session.id if session else None

    def end(self, actor: Actor, session_id: str) -> None:
        """End one of the caller's own sessions. Raises NotFound."""
        with self._database.write() as tx:
            if session_id not in {each.id for each in store.sessions_of_user(tx, actor.id or "")}:
                raise NotFound(
                    "There is no such session of yours.",
                    code="access.session_not_found",
                    fix="It may have ended: load the list of sessions again.",
                )
            store.end_session(tx, session_id)
            record(tx, actor, events.SESSIONS_ENDED, subject_of(actor), self._clock.now(), ended=1)

    def rotate(self, token: Plaintext | None) -> Plaintext:
        """Give the session another token; the old one opens nothing any more. Raises Unauthenticated when it has ended."""
        fresh = opaque.new_token(self._random)
        with self._database.write() as tx:
            session = self._living(tx, token, pending=False)
            store.change_session_digest(tx, session.id, opaque.digest(fresh.reveal()))
        return fresh

    def _needs_set_up(self, tx: Tx, session: Session) -> bool:
        """Say whether a second factor has to be set up before the session is good for anything else."""
        if session.method != BY_PASSWORD:
            return False
        return self._policy.needs_set_up(tx, session.user_id) or store.session_needs_set_up(tx, session.id)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _open(self, tx: Tx, user: User, browser: BrowserInfo, *, pending: bool, method: str = BY_PASSWORD) -> Plaintext:
        token = opaque.new_token(self._random)
        now = self._clock.now()
        agent = "".join(sign for sign in browser.user_agent if sign.isprintable())[:_LONGEST_AGENT]
        session = Session(self._ids.new(), user.id, pending, browser.origin.ip, agent, now, now, method)
        store.end_old_sessions(tx, user.id, unseen_since=now - IDLE, made_before=now - LONGEST)
        store.add_session(tx, session, opaque.digest(token.reveal()))
        return token

    def _living(self, tx: Tx, token: Plaintext | None, *, pending: bool) -> Session:
        session = store.session(tx, opaque.digest(token.reveal())) if token else None
        if session is None or session.pending is not pending or not _alive(session, self._clock.now()):
            raise _ended()
        return session

    def forget(self, token: Plaintext | None) -> None:
        """End the session that a browser had before it signed in anew. Repeatable; what is no session is left alone."""
        if token is not None:
            with self._database.write() as tx:
                session = store.session(tx, opaque.digest(token.reveal()))
                if session:
                    store.end_session(tx, session.id)


def living(sessions: Sequence[Session], now: datetime) -> Sequence[Session]:
    """Return those in which somebody is signed in at this moment."""
    return [each for each in sessions if not each.pending and _alive(each, now)]


def _alive(session: Session, now: datetime) -> bool:
    longest, idle = (PENDING, PENDING) if session.pending else (LONGEST, IDLE)
    return now < session.created_at + longest and now < session.seen_at + idle


def _ended() -> Unauthenticated:
    return Unauthenticated("The sign-in session has ended.", code="access.session_ended", fix="Sign in again.")
