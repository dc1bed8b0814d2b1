"""Projects, their environments and members, as values."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import ActorKind
from keyturn.kit.dataclasses import dataclass

DEFAULT_ENVIRONMENTS = (("Development", "dev"), ("Staging", "staging"), ("Production", "prod"))


@dataclass(frozen=True)
class Environment:
    id: str
    project_id: str
    name: str
    slug: str
    position: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Project:
    """A project with its environments in their order."""

    id: str
    org_id: str
    name: str
    slug: str
    description: str | None
    has_delete_protection: bool
    environments: tuple[Environment, ...]
    created_at: datetime
    updated_at: datetime
    created_by: str | None = None
    audit_retention_days: int | None = None
    """What a client asked for, to be answered again. How long events are kept is a setting of the server."""
    version_limit: int | None = None
    """How many versions of each secret are kept, the newest ones; None: as many as the server keeps."""


@dataclass(frozen=True)
class ProjectRef:
    """A project as it is shown beside what belongs to it."""

    id: str
    name: str
    slug: str


@dataclass(frozen=True)
class NewProject:
    """A project to be made. Without a slug, one is made up."""

    name: str
    slug: str | None = None
    description: str | None = None
    has_delete_protection: bool = False
    default_environments: bool = True


@dataclass(frozen=True)
class ProjectChange:
    """What changes of a project; None leaves it as it is, an empty description removes it."""

    name: str | None = None
    slug: str | None = None
    description: str | None = None
    has_delete_protection: bool | None = None
    version_limit: int | None = None
    """0 removes it: as many as the server keeps."""


@dataclass(frozen=True)
class NewEnvironment:
    """An environment to be made at the position, counted from 1, or at the end."""

    name: str
    slug: str
    position: int | None = None


@dataclass(frozen=True)
class EnvironmentChange:
    """What changes of an environment; None leaves it as it is."""

    name: str | None = None
    slug: str | None = None
    position: int | None = None


@dataclass(frozen=True)
class GivenRole:
    """A role to be given to a member, by its slug: for good, or for a time from ``starts_at`` on (None: from now on)."""

    slug: str
    temporary_range: str | None = None
    starts_at: datetime | None = None


@dataclass(frozen=True)
class MemberRole:
    """A role that a member has. ``role_id`` is that of a role of the project's own, None for a built-in one."""

    id: str
    slug: str
    name: str
    role_id: str | None = None
    temporary_range: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    by_group: bool = False
    """A group of the person gives it, and takes it."""

    @property
    def ref(self) -> "RoleRef":
        return RoleRef(self.slug, self.role_id)

    def ended(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


@dataclass(frozen=True)
class RoleRef:
    """A role in a project: a built-in one, or with ``role_id`` one of the project's own."""

    slug: str
    role_id: str | None = None


@dataclass(frozen=True)
class Member:
    """A person or a machine identity in a project. ``name`` is the identity's name or the person's e-mail address."""

    id: str
    project_id: str
    kind: ActorKind
    member_id: str
    name: str
    first_name: str
    last_name: str
    roles: tuple[MemberRole, ...]
    auth_methods: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    fault: str = ""
    """What of the stored membership cannot be read."""

    @property
    def role_slugs(self) -> str:
        """The roles in one text, for the audit trail and for messages."""
        return ", ".join(role.slug for role in self.roles)


def place_at(order: Sequence[str], item_id: str, position: int | None) -> list[str]:
    """Return the order with the id moved or added at the position, counted from 1; None: at the end."""
    others = [other_id for other_id in order if other_id != item_id]
    index = len(others) if position is None else max(0, min(position - 1, len(others)))
    return [*others[:index], item_id, *others[index:]]


RESERVED_SLUGS = frozenset({"identity-memberships"})
"""Names of parts of the address where older clients put a slug."""


def slug_taken(what: str, slug: str) -> Refused:
    return Refused(
        f"There is {what} with the slug '{slug}' already.",
        code="projects.slug_taken",
        field="slug",
        fix="Choose another.",
    )


def no_environment(id_or_slug: str) -> NotFound:
    """Build the refusal of an environment that the project does not have."""
    return NotFound(
        f"There is no environment '{id_or_slug}'.",
        code="projects.environment_not_found",
        fix="GET /api/v1/projects/{id} lists the environments of a project, as its settings do.",
    )
