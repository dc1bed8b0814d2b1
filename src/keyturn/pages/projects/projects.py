"""Pages of projects: the list, a new one, and its integrations, environments and settings."""

from collections.abc import Sequence
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.authz.domain import Action
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders, organization_can
from keyturn.projects.domain import (
    Environment,
    EnvironmentChange,
    NewEnvironment,
    NewProject,
    Project,
    ProjectChange,
)
from keyturn.projects.service import Projects
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import FormState, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, Slug, Trimmed, printable
from keyturn.web.schema.wire import ApiModel

# --- what pages show --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProjectsPage(Page):
    template: ClassVar[str] = "projects/list.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "projects"

    projects: Sequence[Project]
    can_create: bool
    total: int
    text: str
    first: int
    earlier: str | None
    later: str | None


@dataclass(frozen=True)
class NewProjectPage(Page):
    template: ClassVar[str] = "projects/new.html"
    section: ClassVar[str] = "projects"

    form_state: FormState


@dataclass(frozen=True)
class IntegrationsPage(Page):
    template: ClassVar[str] = "projects/integrations.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    tab: str = "integrations"


@dataclass(frozen=True)
class EnvironmentsPage(Page):
    template: ClassVar[str] = "projects/environments.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    environments: Sequence[Environment]
    form_state: FormState
    tab: str = "environments"


@dataclass(frozen=True)
class ProjectSettingsPage(Page):
    template: ClassVar[str] = "projects/settings.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    details: Project
    form_state: FormState
    tab: str = "settings"


# --- what forms hold --------------------------------------------------------------------------------------------------

Name = Annotated[NonEmpty, printable, Meta(max_length=255)]
Note = Annotated[Trimmed, Meta(max_length=256)]


class NewProjectForm(ApiModel, rename=None):
    name: Name
    description: Note = ""
    slug: Slug | None = None
    environments: bool = False

    def command(self) -> NewProject:
        return NewProject(self.name, self.slug, self.description, default_environments=self.environments)


class ProjectSettingsForm(ApiModel, rename=None):
    name: Name
    slug: Slug
    description: Note = ""
    protected: bool = False
    version_limit: Annotated[int, Meta(ge=0, le=1000)] = 0

    def command(self) -> ProjectChange:
        return ProjectChange(self.name, self.slug, self.description, self.protected, self.version_limit)


class DeleteProjectForm(ApiModel, rename=None):
    confirm: Trimmed = ""


class NewEnvironmentForm(ApiModel, rename=None):
    name: Annotated[NonEmpty, printable, Meta(max_length=64)]
    slug: Slug


class Move(ApiModel, rename=None):
    position: Annotated[int, Meta(ge=1, le=1000)]


ON_A_PAGE = 50


class ProjectSearchForm(ApiModel, rename=None):
    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    page: Annotated[int, Meta(ge=1, le=100_000)] = 1


def _list_path(text: str, page: int) -> str:
    parameters = {"q": text} if text else {}
    return f"/projects?{urlencode(parameters | ({'page': str(page)} if page > 1 else {}))}".rstrip("?")


# --- routes -----------------------------------------------------------------------------------------------------------


def router(projects: Projects, heads: ProjectHeaders) -> Pages:
    """Return the pages of projects."""
    return group(*_list(projects), *_integrations(heads), *_environments(projects, heads), *_settings(projects, heads))


def _list(projects: Projects) -> list[PageRoute]:
    @get("/projects")
    def show_projects(actor: Actor, query: ProjectSearchForm) -> ProjectsPage:
        offset = (query.page - 1) * ON_A_PAGE
        matches, total = projects.page(actor, query.q, ON_A_PAGE, offset)
        return ProjectsPage(
            matches,
            organization_can(actor, Action.CREATE_PROJECT),
            total,
            query.q,
            offset + 1,
            _list_path(query.q, query.page - 1) if query.page > 1 else None,
            _list_path(query.q, query.page + 1) if offset + len(matches) < total else None,
        )

    @get("/projects/new")
    def show_new(actor: Actor, form_state: FormState) -> NewProjectPage:
        projects.require_create(actor)
        return NewProjectPage(form_state)

    @post("/projects/new", form_page=show_new)
    def create_project(actor: Actor, form: NewProjectForm) -> Redirect:
        project = projects.create(actor, form.command())
        return Redirect(f"/projects/{project.id}/integrations", toast=f"{project.name} was created.")

    return [show_projects, show_new, create_project]


def _integrations(heads: ProjectHeaders) -> list[PageRoute]:
    @get("/projects/{project_id}")
    def show_project(actor: Actor, project_id: str) -> Redirect:
        return Redirect(f"/projects/{heads.project(actor, project_id).id}/integrations")

    @get("/projects/{project_id}/integrations")
    def show_integrations(actor: Actor, project_id: str) -> IntegrationsPage:
        return IntegrationsPage(heads.project(actor, project_id))

    return [show_project, show_integrations]


def _environments(projects: Projects, heads: ProjectHeaders) -> list[PageRoute]:
    @get("/projects/{project_id}/environments")
    def show_environments(actor: Actor, project_id: str, form_state: FormState) -> EnvironmentsPage:
        project = projects.get(actor, project_id)
        return EnvironmentsPage(heads.project(actor, project_id), project.environments, form_state)

    @post("/projects/{project_id}/environments", form_page=show_environments)
    def add_environment(actor: Actor, project_id: str, form: NewEnvironmentForm) -> Redirect:
        environment = projects.create_environment(actor, project_id, NewEnvironment(form.name, form.slug))
        return Redirect(f"/projects/{project_id}/environments", toast=f"{environment.name} was added.")

    @post("/projects/{project_id}/environments/{environment_id}/move")
    def move_environment(actor: Actor, project_id: str, environment_id: str, form: Move) -> Redirect:
        projects.update_environment(actor, project_id, environment_id, EnvironmentChange(position=form.position))
        return Redirect(f"/projects/{project_id}/environments")

    @post("/projects/{project_id}/environments/{environment_id}/delete", form_page=show_environments)
    def delete_environment(actor: Actor, project_id: str, environment_id: str, form: DeleteProjectForm) -> Redirect:
        require_typed(form.confirm, projects.environment(actor, environment_id).name)
        environment = projects.delete_environment(actor, project_id, environment_id)
        return Redirect(f"/projects/{project_id}/environments", toast=f"{environment.name} was deleted.")

    return [show_environments, add_environment, move_environment, delete_environment]


def _settings(projects: Projects, heads: ProjectHeaders) -> list[PageRoute]:
    @get("/projects/{project_id}/settings")
    def show_settings(actor: Actor, project_id: str, form_state: FormState) -> ProjectSettingsPage:
        return ProjectSettingsPage(heads.project(actor, project_id), projects.get(actor, project_id), form_state)

    @post("/projects/{project_id}/settings", form_page=show_settings)
    def change_settings(actor: Actor, project_id: str, form: ProjectSettingsForm) -> Redirect:
        projects.update(actor, project_id, form.command())
        return Redirect(f"/projects/{project_id}/settings", toast="The settings were saved.")

    @post("/projects/{project_id}/delete", form_page=show_settings)
    def delete_project(actor: Actor, project_id: str, form: DeleteProjectForm) -> Redirect:
        require_typed(form.confirm, projects.get(actor, project_id).name)
        project = projects.delete(actor, project_id)
        return Redirect("/projects", toast=f"{project.name} was deleted.")

    return [show_settings, change_settings, delete_project]
