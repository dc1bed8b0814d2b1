"""Routes of projects and environments. Older clients say "workspace" where newer ones say "project"."""

from keyturn.api.projects.schemas import (
    CreateEnvironment,
    CreateProject,
    EnvironmentAnswer,
    EnvironmentBrief,
    EnvironmentChanged,
    EnvironmentShown,
    LimitVersions,
    ProjectAnswer,
    ProjectList,
    ProjectShown,
    Retention,
    UpdateEnvironment,
    UpdateProject,
    WorkspaceAnswer,
    WorkspaceList,
)
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.projects.domain import Environment, Project, ProjectChange
from keyturn.projects.service import Projects
from keyturn.web.routes import Operation, Routes, delete, get, group, patch, post, put
from keyturn.web.schema.paging import Window

_BY_ID = ("/api/v1/projects/{project_id}", "/api/v1/workspace/{project_id}")


def projects_router(projects: Projects) -> Routes:
    """Routes of projects themselves. In the paths, ``{project_id}`` is a slug where the summary says so."""
    return group("Projects", *_reading(projects), *_changing(projects))


def _reading(projects: Projects) -> list[Operation]:
    def list_projects(actor: Actor, query: Window) -> ProjectList:
        """List the projects that the caller may see: all of them, or ``limit`` from ``offset`` on."""
        return ProjectList([project_view(project) for project in query.part_of(projects.list(actor))])

    def list_workspaces(actor: Actor, query: Window) -> WorkspaceList:
        """List the projects that the caller may see: all of them, or ``limit`` from ``offset`` on."""
        return WorkspaceList([project_view(project) for project in query.part_of(projects.list(actor))])

    def get_project(actor: Actor, project_id: str) -> ProjectAnswer:
        """Show a project."""
        return ProjectAnswer(project_view(projects.get(actor, project_id)))

    def get_workspace(actor: Actor, project_id: str) -> WorkspaceAnswer:
        """Show a project."""
        return WorkspaceAnswer(project_view(projects.get(actor, project_id)))

    def get_by_slug(actor: Actor, slug: str) -> ProjectShown:
        """Show the project with this slug."""
        return project_view(projects.by_slug(actor, slug))

    def get_workspace_by_slug(actor: Actor, project_id: str) -> ProjectShown:
        """Show the project with this slug."""
        return project_view(projects.by_slug(actor, project_id))

    return [
        get("/api/v1/projects", compressed=True)(list_projects),
        get("/api/v1/workspace", compressed=True)(list_workspaces),
        get("/api/v1/workspace/{project_id}")(get_workspace),
        get("/api/v1/projects/{project_id}")(get_project),
        get("/api/v1/projects/slug/{slug}")(get_by_slug),
        get("/api/v1/workspace/slug/{slug}")(get_by_slug),
        get("/api/v2/workspace/{project_id}")(get_workspace_by_slug),
    ]


def _changing(projects: Projects) -> list[Operation]:
    def create_project(actor: Actor, data: CreateProject) -> ProjectAnswer:
        """Add a project. The caller becomes its admin."""
        return ProjectAnswer(project_view(projects.create(actor, data.command())))

    def update_project(actor: Actor, project_id: str, data: UpdateProject) -> ProjectAnswer:
        """Change what is given of a project."""
        return ProjectAnswer(project_view(projects.update(actor, project_id, data.command())))

    def delete_project(actor: Actor, project_id: str) -> ProjectAnswer:
        """Remove a project and all in it."""
        return ProjectAnswer(project_view(projects.delete(actor, project_id)))

    def delete_by_slug(actor: Actor, project_id: str) -> ProjectAnswer:
        """Remove the project with this slug and all in it."""
        return ProjectAnswer(project_view(projects.delete_by_slug(actor, project_id)))

    def set_retention(actor: Actor, project_id: str, data: Retention) -> WorkspaceAnswer:
        """Note for how many days audit events of the project with this slug are wanted.

        The number is answered as it was set, and removes nothing: how long events are kept is a setting of the server.
        """
        return WorkspaceAnswer(project_view(projects.set_retention(actor, project_id, data.audit_logs_retention_days)))

    def set_version_limit(actor: Actor, project_id: str, data: LimitVersions) -> WorkspaceAnswer:
        """Say how many versions of each secret are kept in the project with this slug; 0: as many as the server keeps.

        Never more than the server keeps. The older ones go with the next hourly upkeep.
        """
        change = ProjectChange(version_limit=data.pit_version_limit)
        project = projects.update(actor, projects.by_slug(actor, project_id).id, change)
        return WorkspaceAnswer(project_view(project))

    return [
        *(post(path)(create_project) for path in ("/api/v2/workspace", "/api/v1/projects")),
        *(patch(path)(update_project) for path in _BY_ID),
        *(delete(path)(delete_project) for path in _BY_ID),
        delete("/api/v2/workspace/{project_id}")(delete_by_slug),
        put("/api/v1/workspace/{project_id}/audit-logs-retention")(set_retention),
        put("/api/v1/workspace/{project_id}/version-limit")(set_version_limit),
    ]


def environments_router(projects: Projects) -> Routes:
    """Routes of a project's environments."""

    def create_environment(actor: Actor, project_id: str, data: CreateEnvironment) -> EnvironmentChanged:
        """Add an environment."""
        environment = projects.create_environment(actor, project_id, data.command())
        return EnvironmentChanged("The environment was created.", project_id, _environment(environment))

    def update_environment(
        actor: Actor, project_id: str, environment_id: str, data: UpdateEnvironment
    ) -> EnvironmentChanged:
        """Change what is given of an environment."""
        changed = projects.update_environment(actor, project_id, environment_id, data.command())
        return EnvironmentChanged("The environment was changed.", project_id, _environment(changed))

    def delete_environment(actor: Actor, project_id: str, environment_id: str) -> EnvironmentChanged:
        """Remove an environment."""
        environment = projects.delete_environment(actor, project_id, environment_id)
        return EnvironmentChanged("The environment was deleted.", project_id, _environment(environment))

    def get_environment(actor: Actor, environment_id: str) -> EnvironmentAnswer:
        """Show an environment."""
        return EnvironmentAnswer(_environment(projects.environment(actor, environment_id)))

    def get_in_project(actor: Actor, project_id: str, environment_id: str) -> EnvironmentAnswer:
        """Show an environment of the project."""
        return EnvironmentAnswer(_environment(projects.environment(actor, environment_id, project_id)))

    def get_by_slug(actor: Actor, project_id: str, slug: str) -> EnvironmentShown:
        """Show the environment with this slug."""
        return _environment(projects.environment_by_slug(actor, project_id, slug))

    roots = ("/api/v1/workspace/{project_id}/environments", "/api/v1/projects/{project_id}/environments")
    return group(
        "Environments",
        *(post(root)(create_environment) for root in roots),
        *(get(f"{root}/{{environment_id}}")(get_in_project) for root in roots),
        *(patch(f"{root}/{{environment_id}}")(update_environment) for root in roots),
        *(delete(f"{root}/{{environment_id}}")(delete_environment) for root in roots),
        *(get(f"{root}/slug/{{slug}}")(get_by_slug) for root in roots),
        get("/api/v1/workspace/environments/{environment_id}")(get_environment),
    )


def project_view(project: Project) -> ProjectShown:
    return ProjectShown(
        id=project.id,
        same_id=project.id,
        name=project.name,
        slug=project.slug,
        description=project.description,
        org_id=project.org_id,
        environments=[
            EnvironmentBrief(environment.id, environment.name, environment.slug) for environment in project.environments
        ],
        has_delete_protection=project.has_delete_protection,
        created_at=iso(project.created_at),
        updated_at=iso(project.updated_at),
        audit_logs_retention_days=project.audit_retention_days,
        pit_version_limit=project.version_limit,
    )


def _environment(environment: Environment) -> EnvironmentShown:
    return EnvironmentShown(
        id=environment.id,
        name=environment.name,
        slug=environment.slug,
        position=environment.position,
        project_id=environment.project_id,
        created_at=iso(environment.created_at),
        updated_at=iso(environment.updated_at),
    )
