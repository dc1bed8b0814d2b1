"""What every page of a project shows above its content, and what surrounds every page: the organization and its projects."""

from collections.abc import Callable, Sequence

from keyturn.accounts.service import Access
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, permits
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.projects.service import Projects
from keyturn.web.html.render import Navigation, ProjectLink

MOST_LINKS = 20
"""What surrounds every page is to stay small: the others are found by searching."""


@dataclass(frozen=True)
class ProjectHeader:
    """A project as its pages show it. ``roles`` are the viewer's own in it; ``can`` what they may do somewhere in it."""

    id: str
    name: str
    description: str
    roles: Sequence[str]
    can: frozenset[str]


@dataclass(frozen=True)
class ProjectHeaders:
    """Makes the surroundings of pages.

    ``alarms`` counts the open alarms of what somebody may see, ``approvals`` the requests that wait for them.
    """

    access: Access
    projects: Projects
    alarms: Callable[[Actor], int] = lambda _actor: 0
    approvals: Callable[[Actor], int] = lambda _actor: 0

    def shell(self, actor: Actor) -> Navigation:
        """Return what surrounds each page of this user."""
        some, count = self.projects.page(actor, "", MOST_LINKS)
        return Navigation(
            organization=self.access.identities.organization_of(actor).name,
            user=actor.name,
            role=actor.role.value,
            projects=tuple(ProjectLink(project.id, project.name, project.slug) for project in some),
            project_count=count,
            can=_granted(ORGANIZATION_ROLES[actor.role]),
            alarms=self.alarms(actor),
            approvals=self.approvals(actor),
        )

    def project(self, actor: Actor, project_id: str) -> ProjectHeader:
        """Return the head of a project. Raises NotFound or Forbidden."""
        project, (grants, roles) = self.projects.get(actor, project_id), self.projects.grants(actor, project_id)
        can = frozenset(action for action in Action if grants.anywhere(action))
        return ProjectHeader(project.id, project.name, project.description or "", roles, _granted(can))


def organization_can(actor: Actor, action: Action) -> bool:
    """Say whether a button for this is of use. The use case asks again."""
    return permits(ORGANIZATION_ROLES, actor.role, action)


def _granted(actions: frozenset[Action]) -> frozenset[str]:
    return frozenset(action.value for action in actions)
