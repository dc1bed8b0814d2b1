"""The roles of a project on a page: the built-in ones, and those that it makes itself."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.authz.vocabulary import CONDITIONS, SUBJECTS, actions_of
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.pages.projects.role_lines import lines_of, permissions_of
from keyturn.projects.role_domain import NewRole, ProjectRole, RoleChange
from keyturn.projects.service import Projects
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, Slug, Trimmed, printable
from keyturn.web.schema.wire import ApiModel

LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class RoleShown:
    """``lines`` are its permissions as the form takes them; None: a program wrote more than lines can say."""

    role: ProjectRole
    lines: str | None
    subjects: Sequence[str]


@dataclass(frozen=True)
class RolesPage(Page):
    template: ClassVar[str] = "projects/roles.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    built_in: Sequence[RoleShown]
    own: Sequence[RoleShown]
    words: Mapping[str, Sequence[str]]
    """The actions of each subject."""
    conditions: Mapping[str, Sequence[str]]
    form_state: FormState
    tab: str = "roles"


class RoleForm(ApiModel, rename=None):
    name: Annotated[NonEmpty, printable, Meta(max_length=64)]
    slug: Slug
    description: Annotated[Trimmed, Meta(max_length=256)] = ""
    permissions: Annotated[str, Meta(max_length=LONGEST_TEXT)] = ""


class DeleteRoleForm(ApiModel, rename=None):
    confirm: Trimmed = ""


def router(projects: Projects, heads: ProjectHeaders) -> Pages:
    """Return the page of a project's roles, and what can be done on it."""
    roles = projects.roles

    @get("/projects/{project_id}/roles")
    def show_roles(actor: Actor, project_id: str, form_state: FormState) -> RolesPage:
        shown = [_shown(role) for role in roles.list(actor, project_id)]
        return RolesPage(
            heads.project(actor, project_id),
            [each for each in shown if each.role.built_in],
            [each for each in shown if not each.role.built_in],
            {subject: list(words) for subject, words in SUBJECTS.items()},
            {subject: list(fields) for subject, fields in CONDITIONS.items()},
            form_state,
        )

    @post("/projects/{project_id}/roles", form_page=show_roles)
    def create_role(actor: Actor, project_id: str, form: RoleForm) -> Redirect:
        new = NewRole(form.slug, form.name, form.description, permissions_of(form.permissions))
        return _back(project_id, f"{roles.create(actor, project_id, new).name} was created.")

    @post("/projects/{project_id}/roles/{role_id}", form_page=show_roles)
    def change_role(actor: Actor, project_id: str, role_id: str, form: RoleForm) -> Redirect:
        before = roles.get(actor, project_id, role_id)
        # What lines cannot say is not in the form, and stays.
        permissions = before.permissions if _shown(before).lines is None else permissions_of(form.permissions)
        change = RoleChange(form.slug, form.name, form.description, permissions)
        return _back(project_id, f"{roles.update(actor, project_id, role_id, change).name} was saved.")

    @post("/projects/{project_id}/roles/{role_id}/delete", form_page=show_roles)
    def delete_role(actor: Actor, project_id: str, role_id: str, form: DeleteRoleForm) -> Redirect:
        require_typed(form.confirm, roles.get(actor, project_id, role_id).name)
        return _back(project_id, f"{roles.delete(actor, project_id, role_id).name} was deleted.")

    return group(show_roles, create_role, change_role, delete_role)


def _shown(role: ProjectRole) -> RoleShown:
    subjects = [f"{each['subject']}: {', '.join(actions_of(each))}" for each in role.permissions]
    return RoleShown(role, lines_of(role.permissions), subjects)


def _back(project_id: str, toast: str) -> Redirect:
    return Redirect(f"/projects/{project_id}/roles", toast=toast)
