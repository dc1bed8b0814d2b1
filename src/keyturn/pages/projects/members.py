"""The members of a project: people and machine identities, on one page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.accounts.service import Access
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.choices import MOST, Choice, choice_of
from keyturn.pages.list_address import ListAddress, Pager
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.projects.domain import GivenRole, Member, MemberRole
from keyturn.projects.role_domain import MOST_OF_MEMBER, ProjectRole
from keyturn.projects.service import Projects
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, Trimmed
from keyturn.web.schema.wire import ApiModel


@dataclass(frozen=True)
class MembersPage(Page):
    """``others`` and ``machines`` are those of the organization who are not in the project yet."""

    template: ClassVar[str] = "projects/members.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    query: "MembersQuery"
    people: "Shown"
    identities: "Shown"
    others: Choice
    machines: Choice
    roles: Sequence[ProjectRole]
    now: datetime
    form_state: FormState
    tab: str = "members"


class MembersQuery(ApiModel, rename=None):
    """What the address of the page says: words that are looked for, and which page of each of the two lists."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    people: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    identities: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


@dataclass(frozen=True)
class Shown:
    """What a page shows of the members of one kind, and how many of them there are, whatever is looked for."""

    members: Sequence[Member]
    all: int
    pager: Pager


SHOWN = 50
"""Members of one kind on a page: each has two forms."""


def shown(
    members: Sequence[Member], query: MembersQuery, which: str, address: ListAddress, form_state: FormState
) -> Shown:
    """Return the part of the members that the query asks for, and besides it whose form was sent and refused."""
    words = query.q.lower().split()
    matches = [each for each in members if all(word in _text(each) for word in words)]
    pages = max(1, -(-len(matches) // SHOWN))
    number = min(getattr(query, which), pages)
    part = matches[(number - 1) * SHOWN : number * SHOWN]
    pager = address.pager(number, pages, SHOWN, len(part), len(matches), which)
    sent = [each for each in members if f"/{each.id}/" in form_state.form and each not in part]
    return Shown([*part, *sent], len(members), pager)


def _text(member: Member) -> str:
    return f"{member.name} {member.first_name} {member.last_name}".lower()


KEEP = "keep"


class RolesForm(ApiModel, rename=None, kw_only=True):
    """The roles that are ticked, for as long as is chosen; nothing: for good, ``keep``: those held for as long as they are."""

    roles: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=MOST_OF_MEMBER)]
    lasts: Annotated[Trimmed, Meta(max_length=16)] = ""

    def given(self, held: Sequence[MemberRole] = ()) -> Sequence[GivenRole]:
        if self.lasts != KEEP:
            return [GivenRole(slug, self.lasts or None) for slug in self.roles]
        kept = {role.slug: GivenRole(role.slug, role.temporary_range, role.starts_at) for role in held}
        return [kept.get(slug, GivenRole(slug)) for slug in self.roles]


class AddPerson(RolesForm):
    email: NonEmpty


class AddIdentityForm(RolesForm):
    identity: NonEmpty


def router(projects: Projects, access: Access, heads: ProjectHeaders, clock: Clock) -> Pages:
    """Return the page of a project's members, and what can be done on it."""

    @get("/projects/{project_id}/members")
    def show_members(actor: Actor, project_id: str, query: MembersQuery, form_state: FormState) -> MembersPage:
        head = heads.project(actor, project_id)
        people = projects.members.list(actor, project_id, ActorKind.USER)
        identities = projects.members.list(actor, project_id, ActorKind.IDENTITY)
        address = ListAddress(f"/projects/{project_id}/members", query, MembersQuery())
        users = access.users.addresses(actor, len(people) + MOST + 1)
        machines, _ = access.identities.page(actor, "", 1, len(identities) + MOST + 1)
        inside = {member.member_id for member in (*people, *identities)}
        return MembersPage(
            head,
            query,
            shown(people, query, "people", address, form_state),
            shown(identities, query, "identities", address, form_state),
            choice_of([(email, email) for user_id, email in users if user_id not in inside]),
            choice_of([(each.id, each.name) for each in machines if each.id not in inside]),
            projects.roles.list(actor, project_id),
            clock.now(),
            form_state,
        )

    @post("/projects/{project_id}/members/people", form_page=show_members)
    def add_person(actor: Actor, project_id: str, form: AddPerson) -> Redirect:
        projects.members.add_people(actor, project_id, [form.email], form.given())
        return _back(project_id, f"{form.email} was added.")

    @post("/projects/{project_id}/members/identities", form_page=show_members)
    def add_identity(actor: Actor, project_id: str, form: AddIdentityForm) -> Redirect:
        member = projects.members.add_identity(actor, project_id, form.identity, form.given())
        return _back(project_id, f"{member.name} was added.")

    @post("/projects/{project_id}/members/{member_id}/role", form_page=show_members)
    def change_role(actor: Actor, project_id: str, member_id: str, form: RolesForm) -> Redirect:
        held = projects.members.get_by_row(actor, project_id, member_id).roles
        changed = projects.members.change_roles(actor, project_id, member_id, form.given(held))
        return _back(project_id, f"The roles of {changed.name} here are {changed.role_slugs} now.")

    @post("/projects/{project_id}/members/{member_id}/remove", form_page=show_members)
    def remove_member(actor: Actor, project_id: str, member_id: str) -> Redirect:
        (member,) = projects.members.remove(actor, project_id, [member_id])
        own = member.member_id == actor.id and actor.role is not Role.ADMIN
        return (
            Redirect("/projects", toast="You left the project.")
            if own
            else _back(project_id, f"{member.name} was removed.")
        )

    return group(show_members, add_person, add_identity, change_role, remove_member)


def _back(project_id: str, toast: str) -> Redirect:
    return Redirect(f"/projects/{project_id}/members", toast=toast)
