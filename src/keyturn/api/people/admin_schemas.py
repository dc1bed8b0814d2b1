"""JSON of what an admin does for other people: invitations, one-time links, locks, sessions."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta, field

from keyturn.api.fields import Email, Secret, Text
from keyturn.api.people.schemas import UserShown
from keyturn.api.projects.member_schemas import RoleGiven
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.people.links import LONGEST
from keyturn.projects.domain import GivenRole
from keyturn.provisioning.invitations import MOST_PROJECTS, NewInvitation
from keyturn.web.schema.validate import Uuid
from keyturn.web.schema.wire import ApiModel, Timestamp

_HOUR = timedelta(hours=1)


class ProjectJoined(ApiModel):
    """A project in which the invited user works, with the roles there; a viewer when none is given."""

    project_id: Uuid
    roles: Annotated[list[RoleGiven], Meta(max_length=20)] = field(default_factory=list)

    def command(self) -> tuple[str, Sequence[GivenRole]]:
        return self.project_id, [each.command() for each in self.roles] or [GivenRole(Role.VIEWER.value)]


class Invite(ApiModel):
    email: Email
    role: Role = Role.MEMBER
    first_name: Text = ""
    last_name: Text = ""
    projects: Annotated[list[ProjectJoined], Meta(max_length=MOST_PROJECTS)] = field(default_factory=list)
    hours: Annotated[int, Meta(ge=1, le=int(LONGEST / _HOUR))] | None = None
    """How long the link works; a week when it is not given."""

    def command(self) -> NewInvitation:
        projects = [each.command() for each in self.projects]
        lives = None if self.hours is None else self.hours * _HOUR
        return NewInvitation(self.email, self.role, self.first_name, self.last_name, projects, lives)


class LinkAnswer(ApiModel):
    user: UserShown
    link: str
    """Shown only now: whoever has it sets the password. It works once."""
    expires_at: Timestamp
    mailed: bool
    not_mailed_because: str | None
    """Why the link was not sent by e-mail: give it to the user on a safe way."""


class TemporaryPassword(ApiModel):
    password: Secret


class RedeemLink(ApiModel):
    token: Annotated[Plaintext, Meta(min_length=1, max_length=512)]
    """What stands at the end of the link."""
    password: Secret


class PersonAnswer(ApiModel):
    user: UserShown
    state: Literal["active", "invited", "locked", "disabled"]
    locked_until: Timestamp | None
    second_factor: bool
    has_password: bool
    through_entra: bool
    """Whether somebody of Entra ID signs in as the user."""
    provisioned: bool
    """Whether an identity provider keeps the user here."""
    link_expires_at: Timestamp | None
    """Until when the newest one-time link works that was not used; in the past: it has expired."""


class SignInRules(ApiModel):
    second_factor_required: bool
    """Whether everybody who signs in with a password needs a second factor."""


class SessionShown(ApiModel):
    id: str
    ip: str
    user_agent: str
    created_at: Timestamp
    last_used_at: Timestamp


class SessionList(ApiModel):
    sessions: list[SessionShown]
