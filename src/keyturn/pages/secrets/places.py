"""Where secrets are, as the addresses of their pages say it, and what these pages work with."""

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.authz.domain import Action
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.projects.domain import Environment, no_environment
from keyturn.projects.service import Projects
from keyturn.rotations.overviews import Overviews
from keyturn.rotations.secret_rotations.consumers import SecretConsumers
from keyturn.secrets.comparison import Comparisons
from keyturn.secrets.domain import ROOT, Address, Tag, clean_path, parent_of
from keyturn.secrets.dotenv_files import DotenvFiles
from keyturn.secrets.listing import SecretListing
from keyturn.secrets.service import Secrets
from keyturn.web.html.render import Page
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

OF_PROJECT = "/projects/{project_id}/secrets"
ONE = "/secrets/{secret_id}"


class PlaceQuery(ApiModel, rename=None):
    """What an address says of a place. Without an environment it is the first one that the viewer may look into."""

    environment: Annotated[Trimmed, Meta(max_length=64)] = ""
    path: Annotated[str, Meta(max_length=2000)] = ROOT


@dataclass(frozen=True)
class SecretPlace:
    """A folder of an environment of a project; ``environment`` None in a project that has none.

    ``environments`` are those in which there may be secrets that the viewer may know of.
    """

    project: ProjectHeader
    environments: Sequence[Environment]
    environment: Environment | None
    path: str

    @property
    def address(self) -> Address:
        return Address(self.project.id, None, self.environment.slug if self.environment else None, self.path)

    @property
    def can(self) -> frozenset[str]:
        return self.project.can

    @property
    def environment_choices(self) -> Sequence[tuple[str, str]]:
        """The environments to choose from, each by slug and name."""
        return [(environment.slug, environment.name) for environment in self.environments]

    @property
    def folders(self) -> Sequence[tuple[str, str]]:
        """The folders from the root to this one, each by name and path."""
        names = [name for name in self.path.split("/") if name]
        return [(name, "/" + "/".join(names[: at + 1])) for at, name in enumerate(names)]

    @property
    def parent(self) -> str:
        return parent_of(self.path)

    def url(self, action: str = "", *, environment: str = "", path: str = "", **more: object) -> str:
        """Return the address of what can be done here, or in the environment or folder given."""
        slug = environment or (self.environment.slug if self.environment else "")
        parameters = {"environment": slug, "path": path or self.path}
        parameters |= {name: str(value) for name, value in more.items() if value}
        return f"{self.form(action)}?{urlencode(parameters)}"

    def form(self, action: str) -> str:
        """Return the path of what can be done here, as forms are known by."""
        return f"{OF_PROJECT.format(project_id=self.project.id)}{'/' if action else ''}{action}"


@dataclass(frozen=True)
class PageOfSecrets(Page):
    section: ClassVar[str] = "projects"
    tab: ClassVar[str] = "secrets"
    titled: ClassVar[bool] = True

    place: SecretPlace

    @property
    def project(self) -> ProjectHeader:
        return self.place.project


@dataclass(frozen=True)
class SecretPages:
    """The use cases that these pages show."""

    secrets: Secrets
    listing: SecretListing
    comparisons: Comparisons
    dotenv: DotenvFiles
    projects: Projects
    consumers: SecretConsumers
    overviews: Overviews
    clock: Clock
    heads: ProjectHeaders = field(repr=False)

    def place(self, actor: Actor, project_id: str, query: PlaceQuery) -> SecretPlace:
        """Return the place that an address names. Raises NotFound for an environment that the project does not have."""
        every = self.projects.get(actor, project_id).environments
        grants, _ = self.projects.grants(actor, project_id)
        visible = [each for each in every if grants.anywhere(Action.DESCRIBE_SECRETS, each.slug)] or every
        chosen = next((each for each in every if each.slug == query.environment), None)
        if chosen is None and query.environment:
            raise no_environment(query.environment)
        first = visible[0] if visible else None
        return SecretPlace(self.heads.project(actor, project_id), visible, chosen or first, clean_path(query.path))

    def tags(self, actor: Actor, project: ProjectHeader) -> Sequence[Tag]:
        """Return the tags of a project, none to those who may not see them."""
        return self.secrets.tags.list(actor, project.id) if Action.READ_TAGS in project.can else ()


def secret_path(secret_id: str, action: str = "") -> str:
    """Return the address of a secret's page, or of something that can be done there."""
    return f"{ONE.format(secret_id=secret_id)}{'/' if action else ''}{action}"
