"""A furnished estate, and the way through every page of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from playwright.sync_api import Page, expect

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.app.alarms import alarm_evaluation, alarm_services
from keyturn.app.people import open_invitations
from keyturn.app.web import webhooks
from keyturn.app.worker import webhook_sender
from keyturn.approvals.service import Approvals
from keyturn.connections.domain import Connection, NewConnection
from keyturn.delivery import use
from keyturn.delivery.domain import Read
from keyturn.delivery.webhook_rules import NewWebhook
from keyturn.identities.domain import NewClientSecret, NewIdentity, UniversalAuthChanges
from keyturn.identities.token_auth import TokenAuthChanges
from keyturn.inventory.readers import inventory_id
from keyturn.inventory.service import Inventories
from keyturn.kit.actor import ActorKind, Role
from keyturn.kit.secret import Plaintext
from keyturn.projects.domain import NewProject, Project
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.provisioning.invitations import NewInvitation
from keyturn.rotations.commands import NewSecretRotation
from keyturn.rotations.freezes.service import Freezes, NewFreeze
from keyturn.rotations.proposals import deletion_of_connection
from keyturn.rotations.schedule import Schedule
from keyturn.secrets.domain import Address, Details, Metadata, NewSecret, ReadValue, SecretChange
from keyturn.secrets.mapped import SecretNames
from keyturn.secrets.service import Secrets
from tests.browser.estate import PATIENCE_MS, BrowserServer, join
from tests.emulator.certificates import make_certificate

NO_PAGES = frozenset(
    {
        "/",  # leads elsewhere, as the next one does
        "/organization/app-connections/azure/oauth/callback",
        "/setup",  # visited on a server that has just been installed
        "/sign-in",  # these two are visited without a session
        "/sign-in/code",
        "/sign-in/entra",  # leads elsewhere
        "/sign-in/entra/callback",
        "/sign-in/password",  # visited after a sign-in with a first password
        "/sign-in/two-step",  # visited by somebody who needs a second factor
        "/sign-in/two-step/qr.svg",
        "/sign-in/link/{token}",  # visited with a link that works
        "/settings/two-step/enrol",  # visited after a click
        "/settings/two-step/qr.svg",
        "/inventory/{inventory_id}/rotate",  # visited with an application
        "/organization/audit-log/export",  # a file, as the next one is
        "/rotation-runs/{run_id}/receipt",
        "/static/{rest}",
        "/favicon.ico",
    }
)
_OF_ONE = ("{connection_id}", "{rotation_id}", "{secret_id}", "{alarm_id}", "{channel_id}")
_ANY = "00000000-0000-4000-8000-000000000000"
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
    secret_id: str
    rotation_id: str
    writer: Connection
    """Through which an application of another is rotated."""
    channel_id: str
    webhook_id: str
    request_id: str
    link_path: str
    """Of the invitation of somebody."""
    full_application: str
    """The object id of an application in the inventory that may hold no more secrets."""


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
    writer = estate.connect("directory-writer", estate.application("Keyturn", "Application.ReadWrite.All"), project)
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
        secret_id=_secrets(estate, project),
        rotation_id=_rotation(estate, project, writer),
        writer=writer,
        channel_id=_channel(estate),
        webhook_id=_webhook(estate, project),
        request_id="",
        link_path=_invitation(estate),
        full_application=_inventory(estate),
    )
    return replace(furniture, request_id=_guards(estate, furniture.resting))


def _invitation(estate: BrowserServer) -> str:
    invitations = open_invitations(estate.core, estate.access, estate.projects)
    new = NewInvitation("ines@example.com", Role.ADMIN, "Ines", "Invited")
    return invitations.invite(estate.actor, new).link.path.reveal()


def _inventory(estate: BrowserServer) -> str:
    """Have the tenant read, in which some applications are not as they should be; return one that has no room for a secret."""
    admin, now = estate.emulator.admin, estate.core.clock.now().timestamp()
    reader = estate.connect("organization-wide", estate.application("Directory Sync", "Application.Read.All"))
    for name, days in (("Invoice archive", 5), ("Legacy intranet with a rather long name that nobody shortened", -40)):
        made = estate.application(name)
        admin.add_secret(made.object_id, "by hand", start=now - 400 * 86_400, end=now + days * 86_400)
    orphan = admin.create_application(
        estate.tenant_id, "Print service", audience="AzureADandPersonalMicrosoftAccount", secrets=2
    )
    estate.secret_texts |= {secret.value for secret in orphan.secrets}
    Inventories(estate.core.database, estate.core.clock).switch(estate.actor, reader.id, on=True)
    return orphan.object_id


def inventory_of(estate: BrowserServer) -> str:
    return inventory_id(estate.actor.org_id, "global", estate.tenant_id)


def _secrets(estate: BrowserServer, project: Project) -> str:
    """Keep secrets with folders, tags, versions and imports, and return the id of one."""
    core, actor = estate.core, estate.actor
    secrets = Secrets(core.database, core.sealer, core.clock, core.ids)
    here = Address(project.id, None, "dev")
    secrets.folders.create(actor, here, "payments-api", "What the payments service reads")
    secrets.folders.create(actor, Address(project.id, None, "prod"), "shared", None)
    retired = secrets.folders.create(actor, here, "retired-service", None)
    secrets.folders.delete(actor, here, retired.folder.name)
    estate.projects.delete(actor, estate.projects.create(actor, NewProject(name="Retired")).id)
    tag = secrets.tags.create(actor, project.id, "team-payments", None, None)
    details = Details("The primary; ask the database team before changing it", (Metadata("owner", "team-db"),))
    for name, text in (("LOG_LEVEL", "info"), ("TLS_KEY", "one\ntwo\nthree\n"), ("БАЗА_ДАННЫХ_名前", "x" * 300)):
        secrets.create(actor, here, NewSecret(name, Plaintext(text)))
    new = NewSecret("DATABASE_URL", Plaintext("postgres://one"), details=details, tag_ids=(tag.id,))
    secret_id = secrets.create(actor, here, new).stored.id
    for text in ("postgres://two", "postgres://three"):
        secrets.update(actor, here, "DATABASE_URL", SecretChange(value=Plaintext(text)))
    for name in ("DATABASE_URL", "ONLY_IN_PRODUCTION"):
        secrets.create(actor, Address(project.id, None, "prod", "/shared"), NewSecret(name, Plaintext("prod")))
    secrets.imports.create(actor, here, "prod", "/shared")
    return secret_id


def _guards(estate: BrowserServer, connection: Connection) -> str:
    """Have a freeze to come, and return the id of a request that waits for another person."""
    core, actor = estate.core, estate.actor
    year_end = NewFreeze(
        "Year end", "Nobody is here.", date(2040, 12, 20), date(2041, 1, 6), "Europe/Oslo", yearly=True
    )
    Freezes(core.database, core.clock, core.ids).create(actor, year_end)
    approvals = Approvals(core.database, core.clock, core.ids, core.sealer)
    change = deletion_of_connection(connection, None, revoke=True)
    return approvals.submit(actor, change, "Billing moved to the new tenant.").id


def _channel(estate: BrowserServer) -> str:
    """Tell alarms to a receiver that is on no public network, so that it fails, and look once what there is to tell."""
    channels, secret = alarm_services(estate.core).channels, Plaintext(f"whsec_{'A' * 44}")
    draft = ChannelDraft("Operations", "webhook", {"url": "https://127.0.0.1/keyturn"}, secret)
    channel_id = channels.create(estate.actor, draft).id
    channels.test(estate.actor, channel_id)
    return channel_id


def _webhook(estate: BrowserServer, project: Project) -> str:
    """Tell of one change, to an address that may not be called, and once more for a try."""
    core = estate.core
    hooks = webhooks(core)
    webhook, _ = hooks.create(
        estate.actor, project.id, NewWebhook("https://127.0.0.1/keyturn", "dev", "/payments-api/**")
    )
    secrets = Secrets(core.database, core.sealer, core.clock, core.ids)
    where = Address(project.id, None, "dev", "/payments-api")
    secrets.create(estate.actor, where, NewSecret("WEBHOOK_TOKEN", Plaintext("one")))
    webhook_sender(core).round(webhook.id)
    hooks.test(estate.actor, webhook.id)
    return webhook.id


def _rotation(estate: BrowserServer, project: Project, connection: Connection) -> str:
    """Begin to rotate the secret of an application, and return the id of that."""
    application = estate.application("Accounting portal", secrets_count=1)
    new = NewSecretRotation(
        name="accounting-portal",
        description="Read by the accounting service",
        project_id=project.id,
        environment="prod",
        path="/shared",
        connection_id=connection.id,
        object_id=application.object_id,
        client_id=application.app_id,
        names=SecretNames("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
        schedule=Schedule(30, 2, 15, "Europe/Oslo"),
    )
    return estate.secret_rotations.create(estate.actor, new).secret_rotation_id


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
        expect(page.locator(".bar-current")).to_contain_text("Generation 1", timeout=PATIENCE_MS)
        expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile("."), timeout=PATIENCE_MS)
    read_inventory(page, estate)
    _use_secret(estate, furniture.rotation_id)
    page.goto(f"{estate.url}/secret-rotations/{furniture.rotation_id}")
    expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile("."), timeout=PATIENCE_MS)


def read_inventory(page: Page, estate: BrowserServer) -> None:
    """Wait until the tenant is read."""
    page.goto(f"{estate.url}/inventory")
    for _ in range(40):
        if page.get_by_text("Up to date").count():
            break
        page.wait_for_timeout(500)
        page.reload()


def _use_secret(estate: BrowserServer, rotation_id: str) -> None:
    """Let programs and a person have the secret that the rotation has made."""
    current = estate.secret_rotations.get(estate.actor, rotation_id).current
    if current is None:
        return
    now, robot = estate.core.clock.now(), replace(estate.actor, kind=ActorKind.IDENTITY, id=_ANY)
    value = ReadValue(_ANY, _ANY, current.id)
    reads = [
        Read(robot, "192.0.2.7", "billing-5d9c7b64f8-2xkqp", 300, (str(current.key_id),), [value], now),
        Read(estate.actor, "192.0.2.8", None, None, (), [value], now),
    ]
    with estate.core.database.write() as tx:
        use.note(tx, reads)


def addresses(estate: BrowserServer, furniture: Furniture) -> Iterator[tuple[str, str]]:
    """Yield a name and the path of every page of the server that needs a session; fails for a page with unknown parameters."""
    values = {"project_id": furniture.project.id, "identity_id": furniture.identity_id, "tag": "users"}
    values |= {"webhook_id": furniture.webhook_id, "request_id": furniture.request_id}
    values["user_id"] = str(estate.actor.id)
    values["inventory_id"] = inventory_of(estate)
    values["user_id"] = estate.access.users.by_email(VIEWER).id
    for path in sorted(set(estate.pages) - NO_PAGES):
        if not any(
            each in path for each in ("{connection_id}", "{rotation_id}", "{secret_id}", "{alarm_id}", "{channel_id}")
        ):
            yield _named(path), path.format(**values)
    for name in ("rotating", "resting", "certificate"):
        connection: Connection = getattr(furniture, name)
        yield f"connection {name}", f"/app-connections/{connection.id}"
    for end in ("credentials", "schedule"):
        yield f"connection {end}", f"/app-connections/{furniture.rotating.id}/{end}"
    yield "connection enable", f"/app-connections/{furniture.resting.id}/schedule"
    yield "rotation", f"/secret-rotations/{furniture.rotation_id}"
    yield "connection applications", f"/app-connections/{furniture.writer.id}/applications"
    yield "owner", f"/owners/app-connections/{furniture.resting.id}"
    yield "alarm channel", f"/alarms/channels/{furniture.channel_id}"
    yield "alarm", f"/alarms/one/{open_alarm(estate)}"
    yield "rotation plan", f"/secret-rotations/{furniture.rotation_id}/plan"
    yield "rotation edit", f"/secret-rotations/{furniture.rotation_id}/edit"
    rotations = "integrations/secret-rotations"
    new, through = f"/projects/{furniture.project.id}/{rotations}/new", f"connection={furniture.writer.id}"
    yield "rotation applications", f"{new}?{through}"
    yield "rotation applications none", f"{new}?{through}&q=nothing+like+it"
    application = f"application={_ANY}&client={_ANY}"
    yield "rotation details", f"{new}?{through}&{application}"
    yield "rotations none", f"/projects/{furniture.empty.id}/{rotations}"
    yield "inventory found", f"/inventory/{inventory_of(estate)}?finding=no-owner&owners=none"
    yield "inventory none", f"/inventory/{inventory_of(estate)}?q=nothing+like+it"
    full = furniture.full_application
    yield "inventory rotate", f"/inventory/{inventory_of(estate)}/rotate?application={full}"
    yield "secret", f"/secrets/{furniture.secret_id}"
    at = f"/projects/{furniture.project.id}/secrets"
    yield "secrets found", f"{at}?environment=prod&q=data"
    yield "secrets none", f"/projects/{furniture.empty.id}/secrets"
    yield "secrets compare two", f"{at}/compare?other=prod"
    yield "webhooks none", f"/projects/{furniture.empty.id}/webhooks"
    yield "connections none", f"/projects/{furniture.empty.id}/integrations/app-connections"
    yield "password by link", furniture.link_path
    yield "link dead", "/sign-in/link/ktn_nothing"
    yield "members invited", "/organization/members?status=invited"
    yield "members none", "/organization/members?q=nothing+like+it"
    yield "person invited", f"/organization/members/{estate.access.users.by_email('ines@example.com').id}"
    yield "api docs found", "/api/docs?q=rotate"
    yield "api docs search", "/api/docs?q=nothing-like-it"
    yield "nothing here", "/projects/none/at/all"


def open_alarm(estate: BrowserServer) -> str:
    """Look what there is to tell, and return the id of an alarm."""
    with estate.later(minutes=20):
        alarm_evaluation(estate.core).run(estate.actor.org_id)
    return alarm_services(estate.core).alarms.list(estate.actor)[0].id


def _named(path: str) -> str:
    return re.sub(r"[{}/]+", " ", path).strip().replace("_id", "")
