"""JSON of the members of projects and their roles.

The shapes of roles are those that the Terraform provider sends and reads: its source, ``internal/client/model.go``, and
https://registry.terraform.io/providers/Infisical/infisical/latest/docs/resources/project_identity.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from keyturn.kit.actor import Role
from keyturn.projects.domain import GivenRole
from keyturn.web.schema.validate import Fault, NonEmpty, Trimmed, coerced
from keyturn.web.schema.wire import ApiModel, Timestamp

RoleSlug = Annotated[NonEmpty, Meta(max_length=64)]


class RoleGiven(ApiModel):
    """A role by its slug: for good, or with ``isTemporary`` for ``temporaryRange`` (as 30m, 1h, 7d) from the moment on."""

    role: RoleSlug
    is_temporary: Annotated[bool, coerced] | None = None
    temporary_mode: Annotated[Trimmed, Meta(max_length=64)] | None = None
    temporary_range: Annotated[Trimmed, Meta(max_length=64)] | None = None
    temporary_access_start_time: Annotated[Trimmed, Meta(max_length=64)] | None = None

    def check(self) -> Iterator[Fault]:
        if not self.is_temporary:
            return  # clients send the other fields of a role without an end, too
        if self.temporary_mode not in {None, "", "relative"}:
            yield Fault("The one mode of temporary roles is 'relative'", path=("temporaryMode",))
        if not self.temporary_range:
            yield Fault("Say for how long, such as 1h", path=("temporaryRange",))
        if self.temporary_access_start_time and self._starts_at() is None:
            message = "Write a moment with its time zone, such as 2026-01-31T08:00:00Z"
            yield Fault(message, path=("temporaryAccessStartTime",))

    def command(self) -> GivenRole:
        if not self.is_temporary:
            return GivenRole(self.role)
        return GivenRole(self.role, self.temporary_range, self._starts_at())

    def _starts_at(self) -> datetime | None:
        try:
            moment = datetime.fromisoformat(self.temporary_access_start_time or "")
            return moment.astimezone(UTC) if moment.tzinfo else None
        except (ValueError, OverflowError):
            return None


Roles = Annotated[list[RoleGiven], Meta(min_length=1)]


class AddIdentity(ApiModel):
    """``role`` or ``roles``; no access when neither is given."""

    role: RoleSlug | None = None
    roles: Roles | None = None

    def command(self) -> Sequence[GivenRole]:
        return _given(self.role, self.roles) or [GivenRole(Role.NO_ACCESS.value)]


class ChangeMember(ApiModel):
    """``role`` or ``roles``: what the member has instead of what they had."""

    role: RoleSlug | None = None
    roles: Roles | None = None

    def check(self) -> Iterator[Fault]:
        if not self.role and not self.roles:
            yield Fault("Say which role", path=("roles",))

    def command(self) -> Sequence[GivenRole]:
        return _given(self.role, self.roles)


def _given(role: str | None, roles: Sequence[RoleGiven] | None) -> Sequence[GivenRole]:
    return [each.command() for each in roles] if roles else [GivenRole(role)] if role else []


class People(ApiModel):
    """Users by e-mail address, which is also the user name here."""

    emails: Annotated[list[NonEmpty], Meta(max_length=100)] | None = None
    usernames: Annotated[list[NonEmpty], Meta(max_length=100)] | None = None

    def check(self) -> Iterator[Fault]:
        if not self.named():
            yield Fault("Name at least one user", path=("usernames",))

    def named(self) -> list[str]:
        """Return the addresses, each once."""
        addresses = [*(self.emails or ()), *(self.usernames or ())]
        return list(dict.fromkeys(name.strip().lower() for name in addresses))


class AddPeople(People):
    """Members unless ``roleSlugs`` says otherwise."""

    role_slugs: Annotated[list[RoleSlug], Meta(min_length=1)] | None = None

    def command(self) -> Sequence[GivenRole]:
        return [GivenRole(slug) for slug in dict.fromkeys(self.role_slugs or [Role.MEMBER.value])]


class PersonAsked(ApiModel):
    username: NonEmpty


class RoleShown(ApiModel):
    """A role of the project's own is called custom, and named by the other fields."""

    id: str
    role: str
    custom_role_id: str | None = None
    custom_role_name: str | None = None
    custom_role_slug: str | None = None
    is_temporary: bool = False
    temporary_mode: str | None = None
    temporary_range: str | None = None
    temporary_access_start_time: Timestamp | None = None
    temporary_access_end_time: Timestamp | None = None


class ProjectBrief(ApiModel):
    id: str
    name: str


class IdentityBrief(ApiModel):
    id: str
    name: str
    org_id: str
    auth_methods: list[str]
    project_id: str | None = None


class IdentityMembership(ApiModel):
    id: str
    identity_id: str
    project_id: str
    role: str
    roles: list[RoleShown]
    identity: IdentityBrief
    project: ProjectBrief
    created_at: Timestamp
    updated_at: Timestamp


class IdentityMembershipAnswer(ApiModel):
    identity_membership: IdentityMembership


class IdentityMembershipList(ApiModel):
    identity_memberships: list[IdentityMembership]
    total_count: int


class RolesAnswer(ApiModel):
    roles: list[RoleShown]


class PersonBrief(ApiModel):
    id: str
    username: str
    email: str
    first_name: str
    last_name: str


class Membership(ApiModel):
    id: str
    user_id: str
    project_id: str
    role: str
    roles: list[RoleShown]
    user: PersonBrief
    project: ProjectBrief
    created_at: Timestamp
    updated_at: Timestamp


class MembershipAnswer(ApiModel):
    membership: Membership


class MembershipList(ApiModel):
    memberships: list[Membership]
