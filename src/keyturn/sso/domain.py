"""What groups give, as values and decisions. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime

from keyturn.kit.actor import Role
from keyturn.kit.dataclasses import dataclass
from keyturn.projects.domain import RoleRef

ORDER = tuple(Role)


@dataclass(frozen=True)
class GroupRole:
    """What the members of a group have: a role in the organization, or with ``project_id`` in a project.

    ``group_id`` is the object id of the group in Entra ID; its name is for people, and decides nothing.
    """

    id: str
    org_id: str
    group_id: str
    group_name: str
    project_id: str | None
    role: str
    role_id: str | None
    created_at: datetime
    project_name: str | None = None


@dataclass(frozen=True)
class NewGroupRole:
    group_id: str
    role: str
    group_name: str = ""
    project_id: str | None = None


@dataclass(frozen=True)
class Entitlement:
    """What somebody's groups give them. ``role`` None: nothing in the organization.

    ``decides``: some group has a role in the organization, so groups alone decide about roles there.
    """

    role: Role | None
    decides: bool
    projects: Mapping[str, frozenset[RoleRef]] = field(default_factory=dict)

    def role_for(self, present: Role | None) -> Role | None:
        """Return the role in the organization of somebody who has the ``present`` one (None: who is new); None: none at all."""
        return present if present is not None and not self.decides else self.role


def entitlement(rows: Iterable[GroupRole], groups: Collection[str], default: Role | None) -> Entitlement:
    """Return what the groups give together: the highest role in the organization, and all roles in projects.

    Whom no group gives a role in the organization has the ``default`` one; without it a role in a project is enough to come in.
    """
    known, organization, projects = frozenset(groups), list[Role](), dict[str, set[RoleRef]]()
    decides = False
    for row in rows:
        decides = decides or row.project_id is None
        if row.group_id not in known:
            continue
        if row.project_id is not None:
            projects.setdefault(row.project_id, set()).add(RoleRef(row.role, row.role_id))
        elif row.role in ORDER:
            organization.append(Role(row.role))
    role = min(organization, key=ORDER.index) if organization else default or (Role.NO_ACCESS if projects else None)
    return Entitlement(role, decides, {project: frozenset(roles) for project, roles in projects.items()})
