"""Where secret rotations live, and what their pages work with."""

from typing import ClassVar

from keyturn.approvals.service import Approvals
from keyturn.audit.service import AuditTrail
from keyturn.connections.allowed import RotatableApplications
from keyturn.connections.service import Connections
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.owner_choice import OwnerChoice
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.projects.service import Projects
from keyturn.providers.registry import Providers
from keyturn.rotations.removals import Removals
from keyturn.rotations.secret_rotations.consumers import SecretConsumers
from keyturn.rotations.secret_rotations.history import SecretRotationHistory
from keyturn.rotations.secret_rotations.plan import SecretRotationPlans
from keyturn.rotations.secret_rotations.search import SecretRotationSearch
from keyturn.rotations.secret_rotations.service import SecretRotations
from keyturn.rotations.secret_rotations.values import SecretRotationValues
from keyturn.web.pages import Page

OF_PROJECT = "/projects/{project_id}/integrations/secret-rotations"
ONE = "/secret-rotations/{rotation_id}"


@dataclass(frozen=True)
class PageOfRotations(Page):
    """Base of the pages of secret rotations: they stand in their project."""

    section: ClassVar[str] = "projects"
    tab: ClassVar[str] = "integrations"
    titled: ClassVar[bool] = True

    project: ProjectHeader

    @property
    def list_path(self) -> str:
        return list_path(self.project.id)


@dataclass(frozen=True)
class RotationPages:
    """The use cases that these pages show."""

    rotations: SecretRotations
    values: SecretRotationValues
    history: SecretRotationHistory
    plans: SecretRotationPlans
    consumers: SecretConsumers
    connections: Connections
    applications: RotatableApplications
    projects: Projects
    trail: AuditTrail
    heads: ProjectHeaders
    clock: Clock
    providers: Providers
    search: SecretRotationSearch
    owner: OwnerChoice
    approvals: Approvals
    removals: Removals

    def project(self, actor: Actor, project_id: str) -> ProjectHeader:
        """Return the project as the actor sees it. Raises NotFound or Forbidden."""
        return self.heads.project(actor, project_id)


def list_path(project_id: str) -> str:
    return OF_PROJECT.format(project_id=project_id)


def rotation_path(rotation_id: str, action: str = "") -> str:
    """Return the address of a secret rotation's page, or of something that can be done there."""
    return f"{ONE.format(rotation_id=rotation_id)}{'/' if action else ''}{action}"
