"""Inviting people: a user without a password, the projects they are to work in, and a one-time link to set one."""

from collections.abc import Sequence
from dataclasses import field
from datetime import timedelta

from keyturn.audit import people_events as events
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.people import leaving, link_store, store
from keyturn.people.administration import Administration
from keyturn.people.domain import Purpose, User
from keyturn.people.links import IssuedLink, PasswordLinks
from keyturn.people.users import Users
from keyturn.ports.clock import Clock
from keyturn.ports.mail import Mailer
from keyturn.projects.domain import GivenRole
from keyturn.projects.members import Members

MOST_PROJECTS = 50
NO_MAIL = "This server has no mail server in its settings (KEYTURN_SMTP_HOST)."


@dataclass(frozen=True)
class NewInvitation:
    """``projects`` are ids of projects, each with the roles there."""

    email: str
    role: Role
    first_name: str = ""
    last_name: str = ""
    projects: Sequence[tuple[str, Sequence[GivenRole]]] = ()
    lives: timedelta | None = None


@dataclass(frozen=True)
class SentLink:
    """A one-time link, shown once. ``not_mailed`` says why it was not sent by e-mail as well; empty: it was."""

    user: User
    link: IssuedLink
    address: Plaintext = field(repr=False)
    not_mailed: str


class Invitations:
    """The use cases. All need the permission to manage users, and are audited."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        users: Users,
        links: PasswordLinks,
        administration: Administration,
        members: Members,
        site: str,
        mailer: Mailer | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._users = users
        self._links = links
        self._administration = administration
        self._members = members
        self._site = site
        self._mailer = mailer

    def invite(self, actor: Actor, new: NewInvitation) -> SentLink:
        """Add a user who sets their own password with a link, and works in these projects from then on.

        Raises Refused for an address in use, Forbidden for a role above the caller's, also in a project, and NotFound for an
        unknown project: then nothing was added, and nothing was sent.
        """
        with self._database.write() as tx:
            user = self._users.add_without_password(
                tx, actor, new.email, new.role, first_name=new.first_name, last_name=new.last_name
            )
            for project_id, roles in new.projects:
                self._members.join(tx, actor, project_id, user.id, roles)
            link = self._links.issue(tx, actor, user, Purpose.INVITATION, new.lives)
            facts = {"email": user.email, "role": user.role.value, "projects": [each for each, _ in new.projects]}
            now, expires = self._clock.now(), link.expires_at.isoformat()
            record(tx, actor, events.USER_INVITED, leaving.subject(user), now, **facts, expiresAt=expires)
        return self._sent(user, link, "You are invited to Keyturn", _INVITED.format(by=actor.name))

    def renew(self, actor: Actor, user_id: str) -> SentLink:
        """Make another link for somebody who has not accepted yet; the one before ends. Raises Refused when nothing waits."""
        with self._database.write() as tx:
            user = self._invited(tx, actor, user_id)
            link = self._links.issue(tx, actor, user, Purpose.INVITATION)
            facts = {"email": user.email, "expiresAt": link.expires_at.isoformat()}
            record(tx, actor, events.INVITATION_RENEWED, leaving.subject(user), self._clock.now(), **facts)
        return self._sent(user, link, "You are invited to Keyturn", _INVITED.format(by=actor.name))

    def withdraw(self, actor: Actor, user_id: str) -> User:
        """End an invitation that was not accepted, and remove its user with the memberships. Raises as :meth:`renew`."""
        with self._database.write() as tx:
            user, now = self._invited(tx, actor, user_id), self._clock.now()
            link_store.revoke_of_user(tx, user.id, now)
            store.remove_user(tx, user.id)
            record(tx, actor, events.INVITATION_WITHDRAWN, leaving.subject(user), now, email=user.email)
        return user

    def send_password_link(self, actor: Actor, user_id: str) -> SentLink:
        """Make a one-time link for a new password, as :meth:`Administration.make_password_link`, and mail it."""
        user, link = self._administration.make_password_link(actor, user_id)
        return self._sent(user, link, "A new password for Keyturn", _RESET.format(by=actor.name))

    @staticmethod
    def _invited(tx: Tx, actor: Actor, user_id: str) -> User:
        user = leaving.managed_user(tx, actor, user_id)
        link = link_store.open_of_user(tx, user.id)
        if link is None or link.purpose is not Purpose.INVITATION:
            raise Refused(
                f"No invitation of '{user.email}' waits to be accepted.",
                code="access.not_invited",
                fix="Make a link for a new password instead.",
            )
        return user

    def _sent(self, user: User, link: IssuedLink, subject: str, text: str) -> SentLink:
        address = Plaintext(self._site.rstrip("/") + link.path.reveal())
        if self._mailer is None:
            return SentLink(user, link, address, NO_MAIL)
        ends = f"{link.expires_at:%d %B %Y, %H:%M} UTC"
        body = f"{text}\n\n{address.reveal()}\n\nThe link works once, until {ends}. Nobody will ask you for it.\n"
        return SentLink(user, link, address, self._mailer(user.email, subject, body))


_INVITED = "{by} has invited you to Keyturn, where secrets of applications are kept. Choose your password here:"
_RESET = "{by} has made this link for you, with which you choose a new password for Keyturn:"
