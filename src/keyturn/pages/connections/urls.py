"""Where connections live, and what the pages of connections work with."""

from functools import cached_property
from typing import ClassVar

from keyturn.approvals.service import Approvals
from keyturn.audit.service import AuditTrail
from keyturn.connections.connection_test import ConnectionTests
from keyturn.connections.oauth import SignIns
from keyturn.connections.search import ConnectionSearch
from keyturn.connections.service import Connections
from keyturn.errors import Refused
from keyturn.inventory.service import Inventories
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.forms import FormTypes
from keyturn.pages.owner_choice import OwnerChoice
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.providers.registry import Providers
from keyturn.rotations.conversion.service import Conversions
from keyturn.rotations.history import RotationHistory
from keyturn.rotations.overviews import Overviews
from keyturn.rotations.removals import Removals
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.web.origin import is_origin_of
from keyturn.web.pages import Page

OF_ORGANIZATION = "/organization/app-connections"
OF_PROJECT = "/projects/{project_id}/integrations/app-connections"
ONE = "/app-connections/{connection_id}"
REMOVAL = "/removals/{rotation_id}"


@dataclass(frozen=True)
class PageScope:
    """A project, or (``project`` None) the organization itself. ``can`` is what the viewer may do with connections there."""

    project: ProjectHeader | None
    can: frozenset[str]

    @property
    def project_id(self) -> str | None:
        return self.project.id if self.project else None

    @property
    def list_path(self) -> str:
        return OF_PROJECT.format(project_id=self.project.id) if self.project else OF_ORGANIZATION

    @property
    def name(self) -> str:
        return self.project.name if self.project else "the organization"

    def new_path(self, app: str) -> str:
        return f"{self.list_path}/new/{app}"


@dataclass(frozen=True)
class PageOfPlace(Page):
    """Base of the pages of a place: they stand in its project, or under the organization's connections."""

    tab: ClassVar[str] = "integrations"
    titled: ClassVar[bool] = True

    place: PageScope

    @property
    def project(self) -> ProjectHeader | None:
        return self.place.project

    @property
    def section(self) -> str:
        return "projects" if self.project else "app-connections"


@dataclass(frozen=True)
class ConnectionPages:
    """The use cases that these pages show. ``oauth`` says whether this server is set up for the method OAuth."""

    connections: Connections
    rotations: SelfRotation
    history: RotationHistory
    overviews: Overviews
    removals: Removals
    sign_ins: SignIns
    tests: ConnectionTests
    catalog: ConnectionSearch
    trail: AuditTrail
    heads: ProjectHeaders
    clock: Clock
    providers: Providers
    owner: OwnerChoice
    approvals: Approvals
    conversions: Conversions
    inventories: Inventories
    oauth: bool
    site_url: str | None = None

    @cached_property
    def forms(self) -> FormTypes:
        """The forms with the fields of all sign-in methods."""
        return FormTypes.of(self.providers)

    def require_site(self, origin: str, path: str) -> None:
        """Raise Refused when the browser is at another address than it will be sent back to.

        There it has no session of this server, so the sign-in could not be finished. ``origin`` is what the browser says.
        """
        if not self.site_url or not origin.startswith("http") or is_origin_of(origin, self.site_url):
            return
        raise Refused(
            f"You opened this server at {origin}, but a sign-in comes back to {self.site_url}, where you have not signed in.",
            code="connections.oauth_other_address",
            fix=f"Open {self.site_url.rstrip('/')}{path}, sign in there and connect again. Nothing was started.",
        )

    def place(self, actor: Actor, project_id: str | None) -> PageScope:
        """Return a place as the actor sees it. Raises NotFound or Forbidden for a project that is not theirs."""
        head = self.heads.project(actor, project_id) if project_id else None
        return PageScope(head, self.catalog.granted(actor, project_id))


def connection_path(connection_id: str, action: str = "") -> str:
    """Return the address of a connection's page, or of something that can be done there."""
    return f"{ONE.format(connection_id=connection_id)}{'/' if action else ''}{action}"
