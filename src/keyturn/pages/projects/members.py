"""The members of a project: people and machine identities, on one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from keyturn.accounts.service import Access
from keyturn.identities.domain import Identity
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.people.domain import User
from keyturn.projects.domain import Member
from keyturn.projects.service import Projects
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty
from keyturn.web.schema.wire import ApiModel


@dataclass(frozen=True)
class MembersPage(Page):
    """``others`` and ``machines`` are those of the organization who are not in the project yet."""

    template: ClassVar[str] = "projects/members.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    people: Sequence[Member]
    identities: Sequence[Member]
    others: Sequence[User]
    machines: Sequence[Identity]
    form_state: FormState
    tab: str = "members"


class AddPerson(ApiModel, rename=None):
    email: NonEmpty
    role: Role


class AddIdentityForm(ApiModel, rename=None):
    identity: NonEmpty
    role: Role


class MemberRoleForm(ApiModel, rename=None):
    role: Role


def router(projects: Projects, access: Access, heads: ProjectHeaders) -> Pages:
    """Return the page of a project's members, and what can be done on it."""

    @get("/projects/{project_id}/members")
    def show_members(actor: Actor, project_id: str, form_state: FormState) -> MembersPage:
        head = heads.project(actor, project_id)
        people = projects.members.list(actor, project_id, ActorKind.USER)
        identities = projects.members.list(actor, project_id, ActorKind.IDENTITY)
        inside = {member.member_id for member in (*people, *identities)}
        return MembersPage(
            head,
            people,
            identities,
            [user for user in access.users.list(actor) if user.id not in inside],
            [identity for identity in access.identities.list(actor) if identity.id not in inside],
            form_state,
        )

    @post("/projects/{project_id}/members/people", form_page=show_members)
    def add_person(actor: Actor, project_id: str, form: AddPerson) -> Redirect:
        projects.members.add_people(actor, project_id, [form.email], form.role)
        return _back(project_id, f"{form.email} was added.")

    @post("/projects/{project_id}/members/identities", form_page=show_members)
    def add_identity(actor: Actor, project_id: str, form: AddIdentityForm) -> Redirect:
        member = projects.members.add_identity(actor, project_id, form.identity, form.role)
        return _back(project_id, f"{member.name} was added.")

    @post("/projects/{project_id}/members/{member_id}/role", form_page=show_members)
    def change_role(actor: Actor, project_id: str, member_id: str, form: MemberRoleForm) -> Redirect:
        changed = projects.members.change_role(actor, project_id, member_id, form.role)
        return _back(project_id, f"The role of {changed.name} is {changed.role} now.")

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
