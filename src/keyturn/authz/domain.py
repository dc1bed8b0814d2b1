"""Who may do what: actions, and what each role permits. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from keyturn.errors import Forbidden
from keyturn.kit.actor import Actor, Role


class Action(StrEnum):
    """Something an actor may do in an organization or a project. The text is what the HTTP API shows."""

    READ_CONNECTIONS = "read-app-connections"
    CREATE_CONNECTIONS = "create-app-connections"
    EDIT_CONNECTIONS = "edit-app-connections"
    DELETE_CONNECTIONS = "delete-app-connections"
    CONNECT_CONNECTIONS = "connect-app-connections"
    ROTATE_CREDENTIALS = "rotate-credentials"
    READ_PROJECT = "read-project"
    CREATE_PROJECT = "create-project"
    EDIT_PROJECT = "edit-project"
    DELETE_PROJECT = "delete-project"
    READ_MEMBERS = "read-members"
    MANAGE_MEMBERS = "manage-members"
    READ_USERS = "read-users"
    MANAGE_USERS = "manage-users"
    READ_IDENTITIES = "read-identities"
    MANAGE_IDENTITIES = "manage-identities"
    READ_AUDIT_LOGS = "read-audit-logs"
    DESCRIBE_SECRETS = "describe-secrets"
    READ_SECRET_VALUES = "read-secret-values"
    CREATE_SECRETS = "create-secrets"
    EDIT_SECRETS = "edit-secrets"
    DELETE_SECRETS = "delete-secrets"
    MANAGE_FOLDERS = "manage-secret-folders"
    MANAGE_TAGS = "manage-secret-tags"
    MANAGE_IMPORTS = "manage-secret-imports"

    @property
    def subject(self) -> str:
        """The kind of thing acted upon, as the ``details`` of a refusal name it."""
        return _SUBJECTS.get(self, "app-connections")


_SUBJECTS: Mapping[Action, str] = {
    Action.READ_PROJECT: "project",
    Action.CREATE_PROJECT: "project",
    Action.EDIT_PROJECT: "project",
    Action.DELETE_PROJECT: "project",
    Action.READ_MEMBERS: "member",
    Action.MANAGE_MEMBERS: "member",
    Action.READ_USERS: "user",
    Action.MANAGE_USERS: "user",
    Action.READ_IDENTITIES: "identity",
    Action.MANAGE_IDENTITIES: "identity",
    Action.READ_AUDIT_LOGS: "audit-logs",
    Action.DESCRIBE_SECRETS: "secrets",
    Action.READ_SECRET_VALUES: "secrets",
    Action.CREATE_SECRETS: "secrets",
    Action.EDIT_SECRETS: "secrets",
    Action.DELETE_SECRETS: "secrets",
    Action.MANAGE_FOLDERS: "secret-folders",
    Action.MANAGE_TAGS: "tags",
    Action.MANAGE_IMPORTS: "secret-imports",
}

_ALL = frozenset(Action)
_READ_ORGANIZATION = frozenset({Action.READ_CONNECTIONS, Action.READ_USERS, Action.READ_IDENTITIES})
_READ_PROJECT = frozenset(
    {
        Action.READ_CONNECTIONS,
        Action.READ_PROJECT,
        Action.READ_MEMBERS,
        Action.DESCRIBE_SECRETS,
        Action.READ_SECRET_VALUES,
    }
)

ORGANIZATION_ROLES: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: _ALL,
    Role.MEMBER: _READ_ORGANIZATION | {Action.CONNECT_CONNECTIONS, Action.CREATE_PROJECT},
    Role.VIEWER: _READ_ORGANIZATION,
    Role.NO_ACCESS: frozenset(),
}
"""What a role in the organization permits on things that belong to no project."""

PROJECT_ROLES: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: _ALL,
    Role.MEMBER: _READ_PROJECT
    | {
        Action.CREATE_CONNECTIONS,
        Action.EDIT_CONNECTIONS,
        Action.DELETE_CONNECTIONS,
        Action.CONNECT_CONNECTIONS,
        Action.ROTATE_CREDENTIALS,
        Action.CREATE_SECRETS,
        Action.EDIT_SECRETS,
        Action.DELETE_SECRETS,
        Action.MANAGE_FOLDERS,
        Action.MANAGE_TAGS,
        Action.MANAGE_IMPORTS,
    },
    Role.VIEWER: _READ_PROJECT,
}
"""What a role in a project permits on the things of this project."""


def permits(table: Mapping[Role, frozenset[Action]], role: Role | None, action: Action) -> bool:
    """Say whether the role permits the action. No role, or one that the table does not know, permits nothing."""
    return role is not None and action in table.get(role, frozenset())


def least_role(table: Mapping[Role, frozenset[Action]], action: Action) -> Role:
    """Return the smallest role that permits the action, for advice in a refusal."""
    return next(role for role in reversed(Role) if permits(table, role, action))


def at_most(own: Role, other: Role) -> bool:
    """Say whether ``other`` permits no more than ``own``: nobody may hand out a role above their own."""
    order = tuple(Role)
    return order.index(other) >= order.index(own)


def require_at_most(own: Role, role: Role) -> None:
    """Raise Forbidden when the wanted role is above the caller's own."""
    if not at_most(own, role):
        raise Forbidden(
            f"Your role is '{own}', so you cannot give or manage the role '{role}'.",
            code="access.role_above_own",
            fix=f"Ask somebody with the role '{role}'.",
        )


def require_admin(actor: Actor) -> None:
    """Raise Forbidden unless the caller is an admin of the organization: for what concerns the server itself."""
    if actor.role is not Role.ADMIN:
        raise Forbidden(
            f"{actor.name} is not an admin of the organization.",
            code="access.not_admin",
            fix="Ask an admin of the organization.",
        )
