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
    CREATE_ENVIRONMENTS = "create-environments"
    EDIT_ENVIRONMENTS = "edit-environments"
    DELETE_ENVIRONMENTS = "delete-environments"
    READ_MEMBERS = "read-members"
    ADD_MEMBERS = "add-members"
    EDIT_MEMBERS = "edit-members"
    REMOVE_MEMBERS = "remove-members"
    READ_IDENTITY_MEMBERS = "read-identity-members"
    ADD_IDENTITY_MEMBERS = "add-identity-members"
    EDIT_IDENTITY_MEMBERS = "edit-identity-members"
    REMOVE_IDENTITY_MEMBERS = "remove-identity-members"
    READ_ROLES = "read-roles"
    CREATE_ROLES = "create-roles"
    EDIT_ROLES = "edit-roles"
    DELETE_ROLES = "delete-roles"
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
    READ_FOLDERS = "read-secret-folders"
    CREATE_FOLDERS = "create-secret-folders"
    EDIT_FOLDERS = "edit-secret-folders"
    DELETE_FOLDERS = "delete-secret-folders"
    READ_TAGS = "read-secret-tags"
    CREATE_TAGS = "create-secret-tags"
    EDIT_TAGS = "edit-secret-tags"
    DELETE_TAGS = "delete-secret-tags"
    READ_IMPORTS = "read-secret-imports"
    CREATE_IMPORTS = "create-secret-imports"
    EDIT_IMPORTS = "edit-secret-imports"
    DELETE_IMPORTS = "delete-secret-imports"
    READ_ROTATIONS = "read-secret-rotations"
    CREATE_ROTATIONS = "create-secret-rotations"
    EDIT_ROTATIONS = "edit-secret-rotations"
    DELETE_ROTATIONS = "delete-secret-rotations"
    ROTATE_SECRETS = "rotate-secrets"
    READ_GENERATED_CREDENTIALS = "read-generated-credentials"

    @property
    def subject(self) -> str:
        """The kind of thing acted upon, as roles and the ``details`` of a refusal name it."""
        return _SUBJECTS.get(self, "app-connections")


_ACTIONS_ON: Mapping[str, tuple[Action, ...]] = {
    "project": (Action.READ_PROJECT, Action.CREATE_PROJECT, Action.EDIT_PROJECT, Action.DELETE_PROJECT),
    "environments": (Action.CREATE_ENVIRONMENTS, Action.EDIT_ENVIRONMENTS, Action.DELETE_ENVIRONMENTS),
    "member": (Action.READ_MEMBERS, Action.ADD_MEMBERS, Action.EDIT_MEMBERS, Action.REMOVE_MEMBERS),
    "user": (Action.READ_USERS, Action.MANAGE_USERS),
    "identity": (
        Action.READ_IDENTITIES,
        Action.MANAGE_IDENTITIES,
        Action.READ_IDENTITY_MEMBERS,
        Action.ADD_IDENTITY_MEMBERS,
        Action.EDIT_IDENTITY_MEMBERS,
        Action.REMOVE_IDENTITY_MEMBERS,
    ),
    "role": (Action.READ_ROLES, Action.CREATE_ROLES, Action.EDIT_ROLES, Action.DELETE_ROLES),
    "audit-logs": (Action.READ_AUDIT_LOGS,),
    "secrets": (
        Action.DESCRIBE_SECRETS,
        Action.READ_SECRET_VALUES,
        Action.CREATE_SECRETS,
        Action.EDIT_SECRETS,
        Action.DELETE_SECRETS,
    ),
    "secret-folders": (Action.READ_FOLDERS, Action.CREATE_FOLDERS, Action.EDIT_FOLDERS, Action.DELETE_FOLDERS),
    "tags": (Action.READ_TAGS, Action.CREATE_TAGS, Action.EDIT_TAGS, Action.DELETE_TAGS),
    "secret-imports": (Action.READ_IMPORTS, Action.CREATE_IMPORTS, Action.EDIT_IMPORTS, Action.DELETE_IMPORTS),
    "secret-rotation": (
        Action.READ_ROTATIONS,
        Action.CREATE_ROTATIONS,
        Action.EDIT_ROTATIONS,
        Action.DELETE_ROTATIONS,
        Action.ROTATE_SECRETS,
        Action.READ_GENERATED_CREDENTIALS,
    ),
}
_SUBJECTS = {action: subject for subject, actions in _ACTIONS_ON.items() for action in actions}

_CONNECTIONS = frozenset(action for action in Action if action.subject == "app-connections")
_ORGANIZATION_ALONE = frozenset(
    {
        Action.CREATE_PROJECT,
        Action.READ_USERS,
        Action.MANAGE_USERS,
        Action.READ_IDENTITIES,
        Action.MANAGE_IDENTITIES,
    }
)
ORGANIZATION_ACTIONS = _CONNECTIONS | _ORGANIZATION_ALONE | {Action.READ_AUDIT_LOGS}
"""What is asked about things that belong to no project."""
PROJECT_ACTIONS = frozenset(Action) - _ORGANIZATION_ALONE
"""What is asked about a project and the things in it."""

_READ_ORGANIZATION = frozenset({Action.READ_CONNECTIONS, Action.READ_USERS, Action.READ_IDENTITIES})
_READ_PROJECT = frozenset(
    {
        Action.READ_CONNECTIONS,
        Action.READ_PROJECT,
        Action.READ_MEMBERS,
        Action.READ_IDENTITY_MEMBERS,
        Action.READ_ROLES,
        Action.DESCRIBE_SECRETS,
        Action.READ_SECRET_VALUES,
        Action.READ_FOLDERS,
        Action.READ_TAGS,
        Action.READ_IMPORTS,
        Action.READ_ROTATIONS,
    }
)
_WRITE_SECRETS = frozenset(
    action
    for subject in ("secrets", "secret-folders", "tags", "secret-imports", "secret-rotation")
    for action in _ACTIONS_ON[subject]
)

ORGANIZATION_ROLES: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: ORGANIZATION_ACTIONS,
    Role.MEMBER: _READ_ORGANIZATION | {Action.CONNECT_CONNECTIONS, Action.CREATE_PROJECT},
    Role.VIEWER: _READ_ORGANIZATION,
    Role.NO_ACCESS: frozenset(),
}
"""What a role in the organization permits on things that belong to no project."""

PROJECT_ROLES: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: PROJECT_ACTIONS,
    Role.MEMBER: _READ_PROJECT | _CONNECTIONS | _WRITE_SECRETS,
    Role.VIEWER: _READ_PROJECT,
    Role.NO_ACCESS: frozenset(),
}
"""What a built-in role in a project permits on all things of this project."""


def permits(table: Mapping[Role, frozenset[Action]], role: Role | None, action: Action) -> bool:
    """Say whether the role permits the action. No role, or one that the table does not know, permits nothing."""
    return role is not None and action in table.get(role, frozenset())


def least_role(table: Mapping[Role, frozenset[Action]], action: Action) -> Role:
    """Return the smallest role that permits the action, for advice in a refusal."""
    return next((role for role in reversed(Role) if permits(table, role, action)), Role.ADMIN)


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
