"""Roles of projects, as values: the built-in ones and those that a project makes itself. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from keyturn.authz.domain import PROJECT_ROLES
from keyturn.authz.permissions import Grants, Rules, of_role
from keyturn.authz.vocabulary import rules_of, words_of
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Role
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST

MOST_ROLES = 100
"""Of one project, beside the built-in ones."""
MOST_OF_MEMBER = 10
"""Roles of one member."""
LONGEST_RANGE = timedelta(days=3650)

_RANGE = re.compile(r"(\d{1,6}) ?(s|m|h|d|w|y)")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
BUILT_IN = {
    Role.ADMIN: ("Admin", "May do everything in the project"),
    Role.MEMBER: ("Member", "Works with what is in the project"),
    Role.VIEWER: ("Viewer", "Reads, and changes nothing"),
    Role.NO_ACCESS: ("No access", "Sees nothing of the project"),
}
RESERVED_ROLE_SLUGS = frozenset({*(role.value for role in Role), "custom"})
"""Built-in roles, and the word by which clients are told that a role is none of them."""


@dataclass(frozen=True)
class ProjectRole:
    """A role. ``permissions`` are as clients write them; a built-in role has its slug for an id, and no moments."""

    id: str
    project_id: str
    slug: str
    name: str
    description: str
    permissions: tuple[Mapping[str, Any], ...]
    created_at: datetime
    updated_at: datetime
    fault: str = ""
    """What of the stored role cannot be read; then it permits nothing."""

    @property
    def built_in(self) -> bool:
        return self.slug in BUILT_IN

    @property
    def rules(self) -> Rules:
        """What it permits. Raises Refused for permissions that are none."""
        if self.built_in:
            return of_role(PROJECT_ROLES[Role(self.slug)])
        return () if self.fault else rules_of(self.permissions)


@dataclass(frozen=True)
class NewRole:
    slug: str
    name: str
    description: str = ""
    permissions: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class RoleChange:
    """What changes of a role; None leaves it as it is."""

    slug: str | None = None
    name: str | None = None
    description: str | None = None
    permissions: tuple[Mapping[str, Any], ...] | None = None


def built_in(project_id: str) -> Sequence[ProjectRole]:
    """Return the roles that every project has."""
    return [
        ProjectRole(role.value, project_id, role.value, name, text, words_of(PROJECT_ROLES[role]), FIRST, FIRST)
        for role, (name, text) in BUILT_IN.items()
    ]


def period(text: str) -> timedelta:
    """Return how long a range such as ``1h`` is. Raises Refused for what is none."""
    match = _RANGE.fullmatch(text.strip())
    length = int(match[1]) * _UNITS[match[2]] if match else timedelta()
    if not timedelta() < length <= LONGEST_RANGE:
        raise Refused(
            f"'{text}' is no time that a role can last.",
            code="roles.range",
            fix="Write a number and a unit, such as 30m, 1h or 7d: up to ten years.",
        )
    return length


def require_given(own: Grants, role: ProjectRole) -> None:
    """Return when somebody with these grants may give this role, or change who has it.

    Raises Forbidden where it permits more than they may: nobody gives, changes or takes away what they do not have.
    """
    lacking = own.lacking(role.rules)
    if lacking is not None:
        raise Forbidden(
            f"The role '{role.slug}' permits '{lacking}' where you may not do so yourself, or not for as long.",
            code="access.role_above_own",
            fix="Ask somebody who may do all that the role permits, such as an admin of the project.",
        )


def no_role(slug: str) -> NotFound:
    return NotFound(
        f"There is no role '{slug}' in this project.",
        code="roles.not_found",
        fix="GET /api/v1/projects/{id}/roles lists the roles of a project.",
    )
