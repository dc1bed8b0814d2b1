"""Finding anything by name: pages, projects, connections, secret rotations and secrets that the reader may see.

The page works by itself; on every other page a dialog shows what it finds.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.authz.domain import ORGANIZATION_ROLES, Action, permits
from keyturn.connections.search import ConnectionQuery, ConnectionSearch
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.urls import connection_path
from keyturn.pages.rotations.urls import rotation_path
from keyturn.projects.service import Projects
from keyturn.rotations.secret_rotations.finding import SecretRotationFinder
from keyturn.secrets.finding import SecretFinder
from keyturn.web.pages import Page, Pages, get, group
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

FIND = "/find"
MOST = 6
"""Of each kind."""
_PAGES: Sequence[tuple[str, str, str, Action | None]] = (
    ("Overview", "/overview", "ok", None),
    ("Projects", "/projects", "folder", None),
    ("Alarms", "/alarms", "bell", None),
    ("Approvals", "/approvals", "approve", None),
    ("App Connections", "/organization/app-connections?scope=all", "plug", None),
    ("Inventory", "/inventory", "key", None),
    ("Freeze windows", "/organization/freezes", "clock", None),
    ("Members", "/organization/members", "users", Action.READ_USERS),
    ("Sign-in through Entra", "/organization/entra", "lock", Action.MANAGE_USERS),
    ("Machine identities", "/organization/identities", "robot", Action.READ_IDENTITIES),
    ("Audit log", "/organization/audit-log", "list", Action.READ_AUDIT_LOGS),
    ("New project", "/projects/new", "plus", Action.CREATE_PROJECT),
    ("Settings", "/settings", "gear", None),
    ("Set up Azure", "/help/azure", "book", None),
    ("API reference", "/api/docs", "external", None),
)
"""Name, address, icon, and what one needs to be permitted to be shown it: as in the navigation."""


@dataclass(frozen=True)
class Found:
    """Something that was found. ``text`` says which of several of this name it is."""

    kind: str
    name: str
    text: str
    path: str
    symbol: str


@dataclass(frozen=True)
class FindPage(Page):
    template: ClassVar[str] = "find/find.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "find"

    text: str
    found: Sequence[Found]


class FindQuery(ApiModel, rename=None):
    q: Annotated[Trimmed, Meta(max_length=200)] = ""


@dataclass(frozen=True)
class Finders:
    """What finds things by name, each as far as the reader may see them."""

    projects: Projects
    connections: ConnectionSearch
    rotations: SecretRotationFinder
    secrets: SecretFinder

    @classmethod
    def of(cls, database: Database, projects: Projects, connections: ConnectionSearch) -> "Finders":
        return cls(projects, connections, SecretRotationFinder(database), SecretFinder(database))


def router(finders: Finders) -> Pages:
    """Return the page that finds."""

    @get(FIND)
    def find(actor: Actor, query: FindQuery) -> FindPage:
        pages = [
            Found("Page", name, "", path, symbol)
            for name, path, symbol, needed in _PAGES
            if query.q.lower() in name.lower() and (needed is None or permits(ORGANIZATION_ROLES, actor.role, needed))
        ]
        things = _things(finders, actor, query.q) if len(query.q) > 1 else ()
        return FindPage(query.q, [*pages, *things])

    return group(find)


def _things(finders: Finders, actor: Actor, text: str) -> Iterator[Found]:
    for project in finders.projects.page(actor, text, MOST)[0]:
        yield Found("Project", project.name, "", f"/projects/{project.id}/overview", "folder")
    matches = finders.connections.page(actor, None, ConnectionQuery(text, sort="name", size=MOST, everywhere=True))
    for connection in matches.connections:
        home = matches.homes.get(connection.project_id or "")
        where = home.name if home else "Organization"
        yield Found("Connection", connection.name, where, connection_path(connection.id), "plug")
    for ref in finders.rotations.named(actor, text, MOST):
        where = f"{ref.application_name}, {ref.place.environment_name} {ref.place.path}"
        yield Found("Secret rotation", ref.name, where, rotation_path(ref.id), "rotate")
    for secret in finders.secrets.named(actor, text, MOST):
        where = f"{secret.project}, {secret.environment_name} {secret.path}"
        yield Found("Secret", secret.name, where, f"/secrets/{secret.id}", "key")
