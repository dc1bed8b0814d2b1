"""The pages, put together. Loaded when somebody opens the first one: programs are served before that, and maybe nobody else."""

from datetime import timedelta
from functools import partial

from keyturn import __version__
from keyturn.accounts.service import Access
from keyturn.alarms.conditions.service import Conditions
from keyturn.alarms.leavers import Leavers
from keyturn.app.alarms import AlarmServices
from keyturn.app.audit_streams import chain_checks
from keyturn.app.core import Core, oauth_app
from keyturn.app.inventory import rotation_starts
from keyturn.app.monitoring import status
from keyturn.app.people import open_invitations
from keyturn.app.scim import scim_address, scim_tokens
from keyturn.app.services import Services
from keyturn.app.sign_in_certificate import look_at
from keyturn.app.sso import entra_sign_in, group_roles, redirect_uri
from keyturn.audit.service import AuditTrail
from keyturn.authz.domain import require_admin
from keyturn.backup import store as backup_store
from keyturn.crypto.keyring import LIFE
from keyturn.crypto.root import GivenRoot, RootKeySource
from keyturn.crypto.root_choice import Place, RootPlaces
from keyturn.crypto.store import load
from keyturn.delivery.webhooks import Webhooks
from keyturn.inventory.service import Inventories
from keyturn.kit.actor import Actor
from keyturn.kit.clock_difference import WARNS, summarize_comparison
from keyturn.kit.moments import shift
from keyturn.kit.secret import Plaintext
from keyturn.pages import approvals as approval_pages
from keyturn.pages import audit as audit_pages
from keyturn.pages import connections as connections_pages
from keyturn.pages import find as find_pages
from keyturn.pages import freezes as freeze_pages
from keyturn.pages import help as help_pages
from keyturn.pages import identities as identities_pages
from keyturn.pages import inventory as inventory_pages
from keyturn.pages import overview as overview_pages
from keyturn.pages import receipts as receipts_pages
from keyturn.pages import rotations as rotations_pages
from keyturn.pages import secrets as secrets_pages
from keyturn.pages import webhooks as webhook_pages
from keyturn.pages.alarms import alarms as alarms_pages
from keyturn.pages.alarms import channels as channel_pages
from keyturn.pages.alarms import owners as owner_pages
from keyturn.pages.owner_choice import OwnerChoice
from keyturn.pages.people import entra as entra_pages
from keyturn.pages.people import entra_settings
from keyturn.pages.people import link as link_pages
from keyturn.pages.people import members as members_pages
from keyturn.pages.people import person as person_pages
from keyturn.pages.people import provisioning as provisioning_pages
from keyturn.pages.people import second_factor as second_factor_pages
from keyturn.pages.people import settings as settings_pages
from keyturn.pages.people import sign_in as sign_in_pages
from keyturn.pages.people.settings import ServerFacts
from keyturn.pages.people.sign_in import Ways
from keyturn.pages.project_header import ProjectHeaders
from keyturn.pages.projects import deletions as deletion_pages
from keyturn.pages.projects import members as project_members
from keyturn.pages.projects import projects as project_pages
from keyturn.pages.projects import roles as role_pages
from keyturn.ports.provider import Tenant
from keyturn.projects.service import Projects
from keyturn.rotations.receipts import Receipts
from keyturn.rotations.secret_rotations.search import SecretRotationSearch
from keyturn.secrets.comparison import Comparisons
from keyturn.secrets.dotenv_files import DotenvFiles
from keyturn.secrets.listing import SecretListing
from keyturn.secrets.restoring import Restoring
from keyturn.secrets.service import Secrets
from keyturn.settings.model import ADMINISTRATORS, Settings
from keyturn.web.pages import Pages, SessionCookie
from keyturn.web.ratelimit import Limiter


def page_routes(
    core: Core,
    access: Access,
    projects: Projects,
    use_cases: Services,
    trail: AuditTrail,
    limiter: Limiter,
    secrets: Secrets,
    alarms: AlarmServices,
    heads: ProjectHeaders,
    cookie: SessionCookie,
    conditions: Conditions,
    hooks: Webhooks,
) -> list[Pages]:
    """Return the routes of all pages."""
    settings = core.settings
    installation = help_pages.Installation(
        settings.site_url, settings.oauth_client_id, settings.oauth_client_secret, core.azure.manifest.permissions
    )

    def sign_in_as(tenant: str, app_id: str, secret: Plaintext) -> None:
        core.azure.sign_in(Tenant(settings.cloud, tenant), app_id, secret)

    pages = connections_pages.ConnectionPages(
        use_cases.connections,
        use_cases.rotations,
        use_cases.history,
        use_cases.overviews,
        use_cases.removals,
        use_cases.sign_ins,
        use_cases.tests,
        use_cases.search,
        trail,
        heads,
        core.clock,
        core.providers,
        OwnerChoice(alarms.owners, access),
        use_cases.approvals,
        use_cases.conversions,
        Inventories(core.database, core.clock),
        oauth=oauth_app(settings) is not None,
        site_url=settings.site_url,
    )
    return [
        *sign_in_routes(core, access, projects, limiter, cookie),
        settings_pages.router(access, limiter, cookie, partial(server_facts, core)),
        *people_pages(core, access, projects, alarms.leavers, limiter, cookie),
        identities_pages.router(
            access, projects, core.clock, settings.site_url or f"http://{settings.host}:{settings.port}"
        ),
        *audit_faces(core, trail, access),
        overview_pages.router(conditions, heads),
        *alarm_pages(core, alarms, access),
        find_pages.router(find_pages.Finders.of(core.database, projects, use_cases.search)),
        project_pages.router(projects, heads),
        *guard_pages(core, use_cases, heads),
        deletion_pages.router(
            use_cases.place_deletions(projects, secrets.folders),
            Restoring(core.database, core.clock, secrets.folders, settings.quotas),
            heads,
        ),
        role_pages.router(projects, heads),
        webhook_pages.router(hooks, projects, heads),
        project_members.router(projects, access, heads, core.clock),
        help_pages.router(installation, sign_in_as),
        connections_pages.router(pages),
        rotations_pages.router(rotation_pages(core, use_cases, projects, trail, heads, pages.owner)),
        inventory_page_routes(core, use_cases, heads),
        secrets_pages.router(secret_pages(core, secrets, projects, use_cases, heads)),
    ]


def audit_faces(core: Core, trail: AuditTrail, access: Access) -> list[Pages]:
    """Return the pages of the audit trail, and the files of receipts."""
    receipts = Receipts(core.database, core.sealer, core.clock)
    return [audit_pages.router(trail, chain_checks(core), access), receipts_pages.router(receipts)]


def alarm_pages(core: Core, alarms: AlarmServices, access: Access) -> list[Pages]:
    """Return the pages of alarms, of channels, and of who answers for what."""
    return [
        alarms_pages.router(alarms.alarms, core.clock),
        channel_pages.router(alarms.channels, has_mail_server=core.settings.mail is not None),
        owner_pages.router(OwnerChoice(alarms.owners, access)),
    ]


def guard_pages(core: Core, use_cases: Services, heads: ProjectHeaders) -> list[Pages]:
    """Return the pages of what keeps changes back: freezes and approvals."""
    return [
        freeze_pages.router(use_cases.freezes, heads, core.clock),
        approval_pages.router(use_cases.approvals, use_cases.approved_changes, heads, core.clock),
    ]


def rotation_pages(
    core: Core, use_cases: Services, projects: Projects, trail: AuditTrail, heads: ProjectHeaders, owner: OwnerChoice
) -> rotations_pages.RotationPages:
    return rotations_pages.RotationPages(
        use_cases.secret_rotations,
        use_cases.secret_values,
        use_cases.secret_history,
        use_cases.secret_plans,
        use_cases.secret_consumers,
        use_cases.connections,
        use_cases.applications,
        projects,
        trail,
        heads,
        core.clock,
        core.providers,
        SecretRotationSearch(core.database, core.clock),
        owner,
        use_cases.approvals,
        use_cases.removals,
    )


def secret_pages(
    core: Core, secrets: Secrets, projects: Projects, use_cases: Services, heads: ProjectHeaders
) -> secrets_pages.SecretPages:
    return secrets_pages.SecretPages(
        secrets,
        SecretListing(core.database, core.sealer, core.clock),
        Comparisons(core.database, core.sealer),
        DotenvFiles(core.database, core.sealer, core.clock, secrets),
        projects,
        use_cases.secret_consumers,
        use_cases.overviews,
        core.clock,
        heads,
    )


def inventory_page_routes(core: Core, use_cases: Services, heads: ProjectHeaders) -> Pages:
    inventories, starts = Inventories(core.database, core.clock), rotation_starts(core, use_cases)
    return inventory_pages.router(inventories, starts, heads, core.clock)


def people_pages(
    core: Core, access: Access, projects: Projects, leavers: Leavers, limiter: Limiter, cookie: SessionCookie
) -> list[Pages]:
    """Return the pages of users and of their provisioning, and those before a session is good for anything else."""
    invitations = open_invitations(core, access, projects)
    return [
        scim_pages(core),
        second_factor_pages.router(access, limiter, cookie),
        link_pages.router(access, limiter),
        members_pages.router(access, invitations, projects),
        person_pages.router(leavers, access, invitations),
    ]


def scim_pages(core: Core) -> Pages:
    return provisioning_pages.router(scim_tokens(core), scim_address(core), core.clock)


def sign_in_routes(
    core: Core, access: Access, projects: Projects, limiter: Limiter, cookie: SessionCookie
) -> list[Pages]:
    """Return the pages of signing in, the one for administrators and, where people sign in so, the way to Entra ID and back."""
    settings = core.settings
    by_password = sign_in_pages.router(access, limiter, cookie, _ways(settings))
    of_admins = entra_settings.router(
        group_roles(core),
        projects,
        settings.sso,
        redirect_uri(settings),
        look_at(core.sso_certificate),
        administrators_only=settings.password_sign_in == ADMINISTRATORS,
    )
    if settings.sso is None:
        return [by_password, of_admins]
    return [by_password, of_admins, entra_pages.router(entra_sign_in(core, access, settings.sso), limiter, cookie)]


def _ways(settings: Settings) -> Ways:
    return Ways(settings.sso is not None, settings.password_sign_in == ADMINISTRATORS)


def server_facts(core: Core, actor: Actor) -> ServerFacts:
    """Return what an admin may know of this server. Raises Forbidden for others."""
    require_admin(actor)
    settings = core.settings
    with core.database.read() as tx:
        keys = [row for row in load(tx) if row.retired_at is None]
        backups = backup_store.looked_into(tx, core.clock.now())
    newest = max((row.created_at for row in keys), default=None)
    return ServerFacts(
        version=__version__,
        site_url=settings.site_url,
        database="SQLite, one file of this server" if settings.embedded else "PostgreSQL",
        root_key=_root_place(core.keyring.source),
        data_keys=len(keys),
        newest_data_key_at=newest,
        data_key_ends_at=shift(newest, LIFE) if newest else None,
        backups=backups,
        cloud=settings.cloud if settings.cloud_override is None else f"{settings.cloud}, at custom addresses",
        rotating=status(core).worker,
        clock=summarize_comparison(core.providers.clock_ahead()),
        clock_right=abs(core.providers.clock_ahead() or timedelta()) <= WARNS,
        sign_in_tries_per_minute=settings.login_rate_per_minute,
    )


def _root_place(source: RootKeySource) -> str:
    place = source.in_use() if isinstance(source, RootPlaces) else None
    if place is Place.VAULT:
        return "Wrapped by a key of Azure Key Vault"
    by_settings = isinstance(source, GivenRoot) or place is Place.ENVIRONMENT
    return "From ENCRYPTION_KEY" if by_settings else "A key file beside the database"
