"""Pages of projects: the list, a new one, and its integrations, environments and settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.authz.domain import Action
from keyturn.kit.actor import Actor
from keyturn.pages.heads import Heads, ProjectHead, organization_can
from keyturn.projects.domain import Environment, Project
from keyturn.projects.service import Projects
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import Filled, Page, Pages, Redirect, Route, get, group, post
from keyturn.web.schema.validate import NonEmpty, Slug, Trimmed, printable
from keyturn.web.schema.wire import Wire

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

    filled: Filled


@dataclass(frozen=True)
class IntegrationsPage(Page):
    template: ClassVar[str] = "projects/integrations.html"
    section: ClassVar[str] = "projects"

    project: ProjectHead
    tab: str = "integrations"


@dataclass(frozen=True)
class EnvironmentsPage(Page):
    template: ClassVar[str] = "projects/environments.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "projects"

    project: ProjectHead
    environments: Sequence[Environment]
    filled: Filled
    tab: str = "environments"


@dataclass(frozen=True)
class ProjectSettingsPage(Page):
    template: ClassVar[str] = "projects/settings.html"
    section: ClassVar[str] = "projects"

    project: ProjectHead
    details: Project
    filled: Filled
    tab: str = "settings"


# --- what forms hold --------------------------------------------------------------------------------------------------

Name = Annotated[NonEmpty, printable, Meta(max_length=255)]
Note = Annotated[Trimmed, Meta(max_length=256)]


class NewProject(Wire, rename=None):
    name: Name
    description: Note = ""
    slug: Slug | None = None
    environments: bool = False


class ChangedProject(Wire, rename=None):
    name: Name
    slug: Slug
    description: Note = ""
    protected: bool = False


class Typed(Wire, rename=None):
    confirm: Trimmed = ""


class NewEnvironment(Wire, rename=None):
    name: Annotated[NonEmpty, printable, Meta(max_length=64)]
    slug: Slug


class Move(Wire, rename=None):
    position: int


ON_A_PAGE = 50


class Wanted(Wire, rename=None):
    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    page: Annotated[int, Meta(ge=1, le=100_000)] = 1


def _list_path(text: str, page: int) -> str:
    said = {"q": text} if text else {}
    return f"/projects?{urlencode(said | ({'page': str(page)} if page > 1 else {}))}".rstrip("?")


# --- routes -----------------------------------------------------------------------------------------------------------


def router(projects: Projects, heads: Heads) -> Pages:
    """Return the pages of projects."""
    return group(*_list(projects), *_integrations(heads), *_environments(projects, heads), *_settings(projects, heads))


def _list(projects: Projects) -> list[Route]:
    @get("/projects")
    def show_projects(actor: Actor, query: Wanted) -> ProjectsPage:
        offset = (query.page - 1) * ON_A_PAGE
        found, total = projects.page(actor, query.q, ON_A_PAGE, offset)
        return ProjectsPage(
            found,
            organization_can(actor, Action.CREATE_PROJECT),
            total,
            query.q,
            offset + 1,
            _list_path(query.q, query.page - 1) if query.page > 1 else None,
            _list_path(query.q, query.page + 1) if offset + len(found) < total else None,
        )

    @get("/projects/new")
    def show_new(actor: Actor, filled: Filled) -> NewProjectPage:
        projects.require_create(actor)
        return NewProjectPage(filled)

    @post("/projects/new", again=show_new)
    def create_project(actor: Actor, form: NewProject) -> Redirect:
        made = projects.create(
            actor,
            name=form.name,
            slug=form.slug,
            description=form.description,
            default_environments=form.environments,
        )
        return Redirect(f"/projects/{made.id}/integrations", toast=f"{made.name} was created.")

    return [show_projects, show_new, create_project]


def _integrations(heads: Heads) -> list[Route]:
    @get("/projects/{project_id}")
    def show_project(actor: Actor, project_id: str) -> Redirect:
        return Redirect(f"/projects/{heads.project(actor, project_id).id}/integrations")

    @get("/projects/{project_id}/integrations")
    def show_integrations(actor: Actor, project_id: str) -> IntegrationsPage:
        return IntegrationsPage(heads.project(actor, project_id))

    return [show_project, show_integrations]


def _environments(projects: Projects, heads: Heads) -> list[Route]:
    @get("/projects/{project_id}/environments")
    def show_environments(actor: Actor, project_id: str, filled: Filled) -> EnvironmentsPage:
        found = projects.get(actor, project_id)
        return EnvironmentsPage(heads.project(actor, project_id), found.environments, filled)

    @post("/projects/{project_id}/environments", again=show_environments)
    def add_environment(actor: Actor, project_id: str, form: NewEnvironment) -> Redirect:
        made = projects.create_environment(actor, project_id, name=form.name, slug=form.slug)
        return Redirect(f"/projects/{project_id}/environments", toast=f"{made.name} was added.")

    @post("/projects/{project_id}/environments/{environment_id}/move")
    def move_environment(actor: Actor, project_id: str, environment_id: str, form: Move) -> Redirect:
        projects.update_environment(actor, project_id, environment_id, position=form.position)
        return Redirect(f"/projects/{project_id}/environments")

    @post("/projects/{project_id}/environments/{environment_id}/delete", again=show_environments)
    def delete_environment(actor: Actor, project_id: str, environment_id: str, form: Typed) -> Redirect:
        require_typed(form.confirm, projects.environment(actor, environment_id).name)
        gone = projects.delete_environment(actor, project_id, environment_id)
        return Redirect(f"/projects/{project_id}/environments", toast=f"{gone.name} was deleted.")

    return [show_environments, add_environment, move_environment, delete_environment]


def _settings(projects: Projects, heads: Heads) -> list[Route]:
    @get("/projects/{project_id}/settings")
    def show_settings(actor: Actor, project_id: str, filled: Filled) -> ProjectSettingsPage:
        return ProjectSettingsPage(heads.project(actor, project_id), projects.get(actor, project_id), filled)

    @post("/projects/{project_id}/settings", again=show_settings)
    def change_settings(actor: Actor, project_id: str, form: ChangedProject) -> Redirect:
        projects.update(
            actor,
            project_id,
            name=form.name,
            slug=form.slug,
            description=form.description,
            has_delete_protection=form.protected,
        )
        return Redirect(f"/projects/{project_id}/settings", toast="The settings were saved.")

    @post("/projects/{project_id}/delete", again=show_settings)
    def delete_project(actor: Actor, project_id: str, form: Typed) -> Redirect:
        require_typed(form.confirm, projects.get(actor, project_id).name)
        gone = projects.delete(actor, project_id)
        return Redirect("/projects", toast=f"{gone.name} was deleted.")

    return [show_settings, change_settings, delete_project]
