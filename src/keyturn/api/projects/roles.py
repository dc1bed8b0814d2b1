"""Routes of the roles of projects. In the oldest paths the project is named by its slug; an id is taken everywhere."""

from keyturn.api.projects.role_schemas import CreateRole, ProjectRoleShown, RoleAnswer, RoleList, UpdateRole
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.projects.role_domain import ProjectRole
from keyturn.projects.service import Projects
from keyturn.web.routes import Routes, delete, get, group, patch, post

_ROOTS = (
    "/api/v1/projects/{project_id}/roles",
    "/api/v1/workspace/{project_id}/roles",
    "/api/v2/workspace/{project_id}/roles",
)


def roles_router(projects: Projects) -> Routes:
    """Routes of the roles of projects."""
    roles = projects.roles

    def list_roles(actor: Actor, project_id: str) -> RoleList:
        """List the roles of a project: the built-in ones, then its own by name."""
        return RoleList([_view(role) for role in roles.list(actor, roles.project_id(actor, project_id))])

    def create_role(actor: Actor, project_id: str, data: CreateRole) -> RoleAnswer:
        """Add a role to a project. It cannot permit what the caller may not do."""
        return RoleAnswer(_view(roles.create(actor, roles.project_id(actor, project_id), data.command())))

    def get_role(actor: Actor, project_id: str, role_id: str) -> RoleAnswer:
        """Show a role of a project."""
        return RoleAnswer(_view(roles.get(actor, roles.project_id(actor, project_id), role_id)))

    def get_role_by_slug(actor: Actor, project_id: str, slug: str) -> RoleAnswer:
        """Show the role with this slug, a built-in one as well."""
        return RoleAnswer(_view(roles.by_slug(actor, roles.project_id(actor, project_id), slug)))

    def find_role(actor: Actor, role_id: str) -> RoleAnswer:
        """Show a role by its id alone, in whichever project it is."""
        return RoleAnswer(_view(roles.find(actor, role_id)))

    def update_role(actor: Actor, project_id: str, role_id: str, data: UpdateRole) -> RoleAnswer:
        """Change what is given of a role. Whoever has it has it as it is then, at once."""
        return RoleAnswer(_view(roles.update(actor, roles.project_id(actor, project_id), role_id, data.command())))

    def delete_role(actor: Actor, project_id: str, role_id: str) -> RoleAnswer:
        """Remove a role. Refused while somebody has it."""
        return RoleAnswer(_view(roles.delete(actor, roles.project_id(actor, project_id), role_id)))

    return group(
        "Project roles",
        *(get(root)(list_roles) for root in _ROOTS),
        *(post(root)(create_role) for root in _ROOTS),
        get("/api/v1/projects/roles/{role_id}")(find_role),
        *(get(f"{root}/{{role_id}}")(get_role) for root in _ROOTS),
        *(get(f"{root}/slug/{{slug}}")(get_role_by_slug) for root in _ROOTS),
        *(patch(f"{root}/{{role_id}}")(update_role) for root in _ROOTS),
        *(delete(f"{root}/{{role_id}}")(delete_role) for root in _ROOTS),
    )


def _view(role: ProjectRole) -> ProjectRoleShown:
    return ProjectRoleShown(
        role.id,
        role.project_id,
        role.slug,
        role.name,
        role.description,
        [dict(each) for each in role.permissions],
        role.built_in,
        iso(role.created_at),
        iso(role.updated_at),
    )
