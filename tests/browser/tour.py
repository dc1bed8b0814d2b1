"""A furnished estate, and the way through every page of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from keyturn.connections.domain import Connection, NewConnection
from keyturn.identities.domain import NewClientSecret, NewIdentity, UniversalAuthChanges
from keyturn.identities.token_auth import TokenAuthChanges
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.projects.domain import NewProject, Project
from keyturn.providers.azure.methods.certificate import CertificateFiles
from tests.browser.estate import BrowserServer, join
from tests.emulator.certificates import make_certificate

NO_PAGES = frozenset(
    {
        "/",  # leads elsewhere, as the next one does
        "/organization/app-connections/azure/oauth/callback",
        "/setup",  # visited on a server that has just been installed
        "/sign-in",  # these two are visited without a session
        "/sign-in/code",
        "/sign-in/password",  # visited after a sign-in with a first password
        "/settings/two-step/enrol",  # visited after a click
        "/settings/two-step/qr.svg",
        "/static/{rest}",
        "/favicon.ico",
    }
)
VIEWER = "vera@example.com"


@dataclass(frozen=True)
class Furniture:
    """What the pages show: one of everything."""

    project: Project
    empty: Project
    rotating: Connection
    resting: Connection
    broken: Connection
    certificate: Connection
    identity_id: str


TOKEN_AUTHS: dict[str, dict[str, object]] = {
    "oidc-auth": {
        "discovery_url": "https://token.actions.githubusercontent.com",
        "issuer": "https://token.actions.githubusercontent.com",
        "subject": "repo:acme/shop:ref:refs/heads/main",
        "claims": {"repository_owner": "acme"},
    },
    "azure-auth": {
        "tenant_id": "11111111-2222-4333-8444-555555555555",
        "resource": "https://management.azure.com/",
        "principals": "11111111-2222-4333-8444-666666666666",
    },
}


def furnish(estate: BrowserServer) -> Furniture:
    """Put something on every page: connections of every kind and condition, people, machine identities."""
    access, actor = estate.access, estate.actor
    project = estate.projects.create(actor, NewProject(name="Payments"))
    join(estate, VIEWER, Role.VIEWER, first_name="Vera")
    identity = access.identities.create(actor, NewIdentity(name="terraform", role=Role.MEMBER))
    access.universal.attach(actor, identity.id, UniversalAuthChanges())
    access.universal.create_secret(actor, identity.id, NewClientSecret(description="pipeline"))
    for method, binding in TOKEN_AUTHS.items():
        access.token_auths.attach(actor, identity.id, method, TokenAuthChanges(binding))
    broken = estate.application("Reporting", secrets_count=2)
    furniture = Furniture(
        project=project,
        empty=estate.projects.create(actor, NewProject(name="Search")),
        rotating=estate.connect(
            "payments-entra", estate.application("Payments API", secrets_count=2), project, days=30
        ),
        resting=estate.connect("billing-entra", estate.application("Billing"), project),
        broken=estate.connect("reporting-entra", broken, project, days=7),
        certificate=_by_certificate(estate, project),
        identity_id=identity.id,
    )
    estate.connect("organization-wide", estate.application("Directory Sync"))
    return furniture


def _by_certificate(estate: BrowserServer, project: Project) -> Connection:
    application, certificate = estate.application("Batch", secrets_count=0), make_certificate()
    estate.emulator.admin.add_certificate(application.object_id, certificate.pem)
    key = certificate.private_pem.decode()
    credentials = CertificateFiles(estate.tenant_id, application.app_id, certificate.pem.decode(), Plaintext(key))
    return estate.rotations.create(estate.actor, NewConnection("batch-entra", credentials, None, project.id), None)


def come_to_rest(page: Page, estate: BrowserServer, furniture: Furniture) -> None:
    """Wait until nothing on the pages moves any more, and break what is to be broken."""
    for connection in (furniture.rotating, furniture.broken):
        page.goto(estate.page_of(connection))
        expect(page.locator(".bar-current")).to_contain_text("Generation 1", timeout=20_000)
        expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile("."), timeout=20_000)


def addresses(estate: BrowserServer, furniture: Furniture) -> Iterator[tuple[str, str]]:
    """Yield a name and the path of every page of the server that needs a session; fails for a page with unknown parameters."""
    values = {"project_id": furniture.project.id, "identity_id": furniture.identity_id, "tag": "users"}
    for path in sorted(set(estate.pages) - NO_PAGES):
        if "{connection_id}" not in path and "{rotation_id}" not in path:
            yield _named(path), path.format(**values)
    for name in ("rotating", "resting", "certificate"):
        connection: Connection = getattr(furniture, name)
        yield f"connection {name}", f"/app-connections/{connection.id}"
    for end in ("credentials", "schedule"):
        yield f"connection {end}", f"/app-connections/{furniture.rotating.id}/{end}"
    yield "connection enable", f"/app-connections/{furniture.resting.id}/schedule"
    yield "connections none", f"/projects/{furniture.empty.id}/integrations/app-connections"
    yield "api docs found", "/api/docs?q=rotate"
    yield "api docs search", "/api/docs?q=nothing-like-it"
    yield "nothing here", "/projects/none/at/all"


def _named(path: str) -> str:
    return re.sub(r"[{}/]+", " ", path).strip().replace("_id", "")
