"""The routes of access, projects and audit, served over HTTP to a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Leavers
from keyturn.api.audit.routes import router as audit_router
from keyturn.api.identities.routes import identities_router, universal_router
from keyturn.api.people import admin_routes
from keyturn.api.people.routes import login_router, users_router
from keyturn.api.projects.members import identity_members_router, people_router
from keyturn.api.projects.roles import roles_router
from keyturn.api.projects.routes import environments_router, projects_router
from keyturn.api.token_auths import routes as token_auths
from keyturn.audit.checks import ChainChecks
from keyturn.audit.service import AuditTrail
from keyturn.db.unit import Database
from keyturn.ports.clock import Clock
from keyturn.ports.mail import Mailer
from keyturn.projects.service import Projects
from keyturn.provisioning.invitations import Invitations
from keyturn.settings.model import Settings
from keyturn.web.ratelimit import Limiter
from keyturn.web.server.app import build
from tests.client import Client
from tests.features.accounts.people import IDS

Json = dict[str, Any]


class SiteFixture:
    """A client of the server, signed in with ``token`` once there is one."""

    def __init__(self, client: Client) -> None:
        self.client = self._client = client
        self.token: str | None = None

    def ask(self, method: str, path: str, body: object = None, *, expect: int = 200, token: str | None = None) -> Json:
        """Send a request and return the decoded answer, which has the status expected."""
        used = token or self.token
        headers = {"authorization": f"Bearer {used}"} if used else {}
        answer = self._client.request(method, path, json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        decoded: Json = answer.json()
        return decoded

    def raw(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> tuple[int, Json]:
        """Send exactly this, without any token, and return what came back."""
        answer = self._client.request(method, path, content=content, headers=headers)
        return answer.status_code, answer.json()

    def status(self, method: str, path: str, body: object = None) -> int:
        """Send a signed-in request and return the status alone."""
        headers = {"authorization": f"Bearer {self.token}"}
        return self._client.request(method, path, json=body, headers=headers).status_code


def invitations(
    database: Database, clock: Clock, access: Access, projects: Projects, mailer: Mailer | None = None
) -> Invitations:
    people = (access.users, access.links, access.administration)
    return Invitations(database, clock, *people, projects.members, "https://keyturn.example", mailer)


@contextmanager
def site(
    database: Database,
    clock: Clock,
    access: Access,
    folder: Path,
    *,
    per_minute: int = 1000,
    per_identity: int = 1000,
    mailer: Mailer | None = None,
) -> Iterator[SiteFixture]:
    projects = Projects(database, clock, IDS)
    limiter = Limiter(clock, per_minute=per_minute)
    identities = Limiter(clock, per_minute=per_identity)
    routers = [
        login_router(access, limiter, identities),
        token_auths.login_router(access, limiter, identities),
        *token_auths.method_routers(access),
        users_router(access, limiter, Leavers(database, clock)),
        admin_routes.router(access, invitations(database, clock, access, projects, mailer), limiter),
        identities_router(access),
        universal_router(access),
        projects_router(projects),
        environments_router(projects),
        identity_members_router(projects),
        people_router(projects),
        roles_router(projects),
        audit_router(AuditTrail(database), ChainChecks(database, clock)),
    ]
    settings = Settings(data_dir=folder, database_url="sqlite://")
    app = build(routers, authenticate=access.authenticate, settings=settings, clock=clock, ids=IDS)
    with Client(app) as client:
        yield SiteFixture(client)
