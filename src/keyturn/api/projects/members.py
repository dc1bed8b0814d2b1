"""Routes of the members of a project: machine identities and people."""

from keyturn.api.projects.member_schemas import (
    AddIdentity,
    AddPeople,
    ChangeMember,
    IdentityBrief,
    IdentityMembership,
    IdentityMembershipAnswer,
    IdentityMembershipList,
    Membership,
    MembershipAnswer,
    MembershipList,
    People,
    PersonAsked,
    PersonBrief,
    ProjectBrief,
    RolesAnswer,
    RoleShown,
)
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.clock import iso
from keyturn.projects.domain import Member, MemberRole
from keyturn.projects.service import Projects
from keyturn.web.routes import Routes, delete, get, group, patch, post
from keyturn.web.schema.paging import Window

CUSTOM = "custom"
"""What the kind of a role is called that is none of the built-in ones."""
_IDENTITIES = (
    "/api/v2/workspace/{project_id}/identity-memberships",
    "/api/v1/projects/{project_id}/identity-memberships",
    "/api/v1/projects/{project_id}/memberships/identities",
)
_PEOPLE = (
    "/api/v1/workspace/{project_id}/memberships",
    "/api/v2/workspace/{project_id}/memberships",
    "/api/v1/projects/{project_id}/memberships",
)


def identity_members_router(projects: Projects) -> Routes:
    """Routes of the machine identities in a project."""
    members = projects.members

    def list_identities(actor: Actor, project_id: str, query: Window) -> IdentityMembershipList:
        """List the machine identities of a project: all of them, or ``limit`` from ``offset`` on."""
        brief = _brief(projects, actor, project_id)
        memberships = members.list(actor, project_id, ActorKind.IDENTITY)
        return IdentityMembershipList(
            [_identity(actor, brief, member) for member in query.part_of(memberships)], len(memberships)
        )

    def add_identity(actor: Actor, project_id: str, identity_id: str, data: AddIdentity) -> IdentityMembershipAnswer:
        """Let a machine identity work in a project."""
        member = members.add_identity(actor, project_id, identity_id, data.command())
        return IdentityMembershipAnswer(_identity(actor, _brief(projects, actor, project_id), member))

    def get_identity(actor: Actor, project_id: str, identity_id: str) -> IdentityMembershipAnswer:
        """Show the roles of a machine identity in a project."""
        member = members.get(actor, project_id, ActorKind.IDENTITY, identity_id)
        return IdentityMembershipAnswer(_identity(actor, _brief(projects, actor, project_id), member))

    def get_membership(actor: Actor, membership_id: str) -> IdentityMembershipAnswer:
        """Show the membership of a machine identity by its own id, in whichever project it is."""
        member = members.membership(actor, membership_id)
        return IdentityMembershipAnswer(_identity(actor, _brief(projects, actor, member.project_id), member))

    def change_identity(actor: Actor, project_id: str, identity_id: str, data: ChangeMember) -> RolesAnswer:
        """Give a machine identity other roles in a project."""
        member = members.get(actor, project_id, ActorKind.IDENTITY, identity_id)
        return RolesAnswer(_roles(members.change_roles(actor, project_id, member.id, data.command())))

    def remove_identity(actor: Actor, project_id: str, identity_id: str) -> IdentityMembershipAnswer:
        """Take a machine identity out of a project."""
        member = members.get(actor, project_id, ActorKind.IDENTITY, identity_id)
        brief = _brief(projects, actor, project_id)
        (membership,) = members.remove(actor, project_id, [member.id])
        return IdentityMembershipAnswer(_identity(actor, brief, membership))

    return group(
        "Project members: identities",
        *(get(root)(list_identities) for root in _IDENTITIES),
        *(post(f"{root}/{{identity_id}}")(add_identity) for root in _IDENTITIES),
        *(get(f"{root}/{{identity_id}}")(get_identity) for root in _IDENTITIES),
        get("/api/v2/workspace/identity-memberships/{membership_id}")(get_membership),
        *(patch(f"{root}/{{identity_id}}")(change_identity) for root in _IDENTITIES),
        *(delete(f"{root}/{{identity_id}}")(remove_identity) for root in _IDENTITIES),
    )


def people_router(projects: Projects) -> Routes:
    """Routes of the people in a project."""
    members = projects.members

    def list_people(actor: Actor, project_id: str, query: Window) -> MembershipList:
        """List the people of a project: all of them, or ``limit`` from ``offset`` on."""
        brief = _brief(projects, actor, project_id)
        memberships = query.part_of(members.list(actor, project_id, ActorKind.USER))
        return MembershipList([_person(brief, member) for member in memberships])

    def add_people(actor: Actor, project_id: str, data: AddPeople) -> MembershipList:
        """Let users work in a project: all of them or none."""
        memberships = members.add_people(actor, project_id, data.named(), data.command())
        brief = _brief(projects, actor, project_id)
        return MembershipList([_person(brief, member) for member in memberships])

    def find_person(actor: Actor, project_id: str, data: PersonAsked) -> MembershipAnswer:
        """Show the roles of a user, named by e-mail address, in a project."""
        member = members.person(actor, project_id, data.username)
        return MembershipAnswer(_person(_brief(projects, actor, project_id), member))

    def get_person(actor: Actor, project_id: str, membership_id: str) -> MembershipAnswer:
        """Show a user's membership in a project."""
        member = members.get_by_row(actor, project_id, membership_id)
        return MembershipAnswer(_person(_brief(projects, actor, project_id), member))

    def get_user(actor: Actor, project_id: str, user_id: str) -> MembershipAnswer:
        """Show the roles of a user, named by the user's id, in a project."""
        member = members.get(actor, project_id, ActorKind.USER, user_id)
        return MembershipAnswer(_person(_brief(projects, actor, project_id), member))

    def change_person(actor: Actor, project_id: str, membership_id: str, data: ChangeMember) -> RolesAnswer:
        """Give a user other roles in a project."""
        member = members.get_by_row(actor, project_id, membership_id)
        return RolesAnswer(_roles(members.change_roles(actor, project_id, member.id, data.command())))

    def remove_person(actor: Actor, project_id: str, membership_id: str) -> MembershipAnswer:
        """Take a user out of a project."""
        brief = _brief(projects, actor, project_id)
        (member,) = members.remove(actor, project_id, [membership_id])
        return MembershipAnswer(_person(brief, member))

    def remove_people(actor: Actor, project_id: str, data: People) -> MembershipList:
        """Take users, named by e-mail address, out of a project: all of them or none."""
        brief = _brief(projects, actor, project_id)
        rows = [members.person(actor, project_id, name).id for name in data.named()]
        return MembershipList([_person(brief, member) for member in members.remove(actor, project_id, rows)])

    return group(
        "Project members: people",
        *(get(root)(list_people) for root in _PEOPLE),
        *(post(root)(add_people) for root in _PEOPLE),
        *(delete(root)(remove_people) for root in _PEOPLE),
        *(post(f"{root}/details")(find_person) for root in _PEOPLE),
        *(get(f"{root}/{{membership_id}}")(get_person) for root in _PEOPLE),
        get("/api/v1/projects/{project_id}/user/{user_id}/membership")(get_user),
        *(patch(f"{root}/{{membership_id}}")(change_person) for root in _PEOPLE),
        *(delete(f"{root}/{{membership_id}}")(remove_person) for root in _PEOPLE),
    )


def _brief(projects: Projects, actor: Actor, project_id: str) -> ProjectBrief:
    project = projects.get(actor, project_id)
    return ProjectBrief(project.id, project.name)


def _roles(member: Member) -> list[RoleShown]:
    return [_role(role) for role in member.roles]


def _role(role: MemberRole) -> RoleShown:
    own = role.role_id is not None
    shown = RoleShown(
        role.id,
        CUSTOM if own else role.slug,
        custom_role_id=role.role_id,
        custom_role_name=role.name if own else None,
        custom_role_slug=role.slug if own else None,
    )
    if role.ends_at is not None:
        shown.is_temporary, shown.temporary_mode = True, "relative"
        shown.temporary_range = role.temporary_range
        shown.temporary_access_start_time = iso(role.starts_at) if role.starts_at else None
        shown.temporary_access_end_time = iso(role.ends_at)
    return shown


def _first(member: Member) -> str:
    """Return the one role that older clients read."""
    return next((_role(role).role for role in member.roles), Role.NO_ACCESS.value)


def _identity(actor: Actor, project: ProjectBrief, member: Member) -> IdentityMembership:
    return IdentityMembership(
        id=member.id,
        identity_id=member.member_id,
        project_id=member.project_id,
        role=_first(member),
        roles=_roles(member),
        identity=IdentityBrief(member.member_id, member.name, actor.org_id, list(member.auth_methods)),
        project=project,
        created_at=iso(member.created_at),
        updated_at=iso(member.updated_at),
    )


def _person(project: ProjectBrief, member: Member) -> Membership:
    return Membership(
        id=member.id,
        user_id=member.member_id,
        project_id=member.project_id,
        role=_first(member),
        roles=_roles(member),
        user=PersonBrief(member.member_id, member.name, member.name, member.first_name, member.last_name),
        project=project,
        created_at=iso(member.created_at),
        updated_at=iso(member.updated_at),
    )
