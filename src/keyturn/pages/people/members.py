"""The users of the organization, and how new ones come in."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from keyturn.accounts.service import Access
from keyturn.api.fields import Email, Secret, Text
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, permits
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.list_address import ListAddress, Pager
from keyturn.people.administration import PeopleMatches
from keyturn.people.domain import NewUser, Purpose
from keyturn.people.links import LIVES
from keyturn.projects.domain import GivenRole, ProjectRef
from keyturn.projects.service import Projects
from keyturn.provisioning.invitations import MOST_PROJECTS, Invitations, NewInvitation, SentLink
from keyturn.web.pages import FormState, Page, PageResponse, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

HERE = "/organization/members"
STATUS_LABELS: Mapping[str, str] = {
    "admin": "Admins",
    "invited": "Invited",
    "locked": "Locked",
    "disabled": "Disabled",
    "one-step": "No second step",
}


class MembersQuery(ApiModel, rename=None):
    """What the address of the list says."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    status: Literal["admin", "invited", "locked", "disabled", "one-step"] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 50


@dataclass(frozen=True)
class UsersPage(Page):
    template: ClassVar[str] = "people/members.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "members"

    found: PeopleMatches
    query: MembersQuery
    chips: Sequence[tuple[str, str, bool]]
    pager: Pager
    own_id: str | None
    may_manage: bool
    own_role: Role
    projects: Sequence[ProjectRef]
    """Those that an invited user may be added to by whoever looks, as far as a form shows them."""
    second_factor_required: bool
    days: int
    """For so many days an invitation works."""
    form_state: FormState


@dataclass(frozen=True)
class LinkPage(Page):
    """A one-time link in the clear: shown by the request that made it, and never again."""

    template: ClassVar[str] = "people/link_made.html"
    section: ClassVar[str] = "members"

    sent: SentLink
    address: str
    invited: bool


class NewUserForm(ApiModel, rename=None):
    email: Email
    password: Secret
    role: Role
    first_name: Text = ""
    last_name: Text = ""

    def command(self) -> NewUser:
        return NewUser(self.email, self.password, self.role, self.first_name, self.last_name)


class SecondFactorForm(ApiModel, rename=None):
    required: bool = False


class InvitationForm(ApiModel, rename=None):
    """``projects`` are those that were ticked; ``project_role`` is the role in each of them."""

    email: Email
    role: Role
    first_name: Text = ""
    last_name: Text = ""
    projects: Annotated[list[Annotated[Trimmed, Meta(max_length=36)]], Meta(max_length=MOST_PROJECTS)] = []  # noqa: RUF012 - a default of msgspec, copied
    project_role: Role = Role.VIEWER

    def command(self) -> NewInvitation:
        projects = [(project_id, [GivenRole(self.project_role.value)]) for project_id in self.projects]
        return NewInvitation(self.email, self.role, self.first_name, self.last_name, projects)


def link_page(sent: SentLink, *, invited: bool) -> PageResponse:
    """Return the page of a link that was just made."""
    return PageResponse(LinkPage(sent, _shown(sent.address), invited))


def _shown(address: Plaintext) -> str:
    return address.reveal()


def router(access: Access, invitations: Invitations, projects: Projects) -> Pages:
    """Return the list of the organization's users, and what adds to it."""

    @get(HERE)
    def show_users(actor: Actor, query: MembersQuery, form_state: FormState) -> UsersPage:
        found = access.administration.people(actor, query.q, query.status, query.page, query.size)
        address = ListAddress(HERE, query, MembersQuery())
        may = permits(ORGANIZATION_ROLES, actor.role, Action.MANAGE_USERS)
        some, _ = projects.page(actor, "", MOST_PROJECTS) if may else ((), 0)
        return UsersPage(
            found,
            query,
            address.chips(STATUS_LABELS),
            address.pager(found.page, found.pages, query.size, len(found.people), found.total),
            actor.id,
            may,
            actor.role,
            [ProjectRef(each.id, each.name, each.slug) for each in some],
            access.second_factor_policy.required(actor),
            LIVES[Purpose.INVITATION].days,
            form_state,
        )

    @post(HERE, form_page=show_users, fields={"newPassword": "password"})
    def add_user(actor: Actor, form: NewUserForm) -> Redirect:
        user = access.users.create(actor, form.command())
        return Redirect(HERE, toast=f"{user.email} was added.")

    @post(f"{HERE}/invitations", form_page=show_users)
    def invite(actor: Actor, form: InvitationForm) -> PageResponse:
        return link_page(invitations.invite(actor, form.command()), invited=True)

    @post(f"{HERE}/second-factor", form_page=show_users)
    def change_policy(actor: Actor, form: SecondFactorForm) -> Redirect:
        access.second_factor_policy.change(actor, required=form.required)
        return Redirect(HERE, toast="Everybody needs it now." if form.required else "Nobody needs it any more.")

    return group(show_users, add_user, invite, change_policy)
