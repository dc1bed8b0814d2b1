"""The web application: services, routes and pages put together."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from keyturn import __version__
from keyturn.accounts.service import Access
from keyturn.alarms.conditions.service import Conditions
from keyturn.api.alarms import routes as alarms_api
from keyturn.api.audit import routes as audit_api
from keyturn.api.deletions import routes as deletions_api
from keyturn.api.delivery import read_routes, use_routes
from keyturn.api.events import routes as events_api
from keyturn.api.folders import routes as folders_api
from keyturn.api.identities import routes as identities_api
from keyturn.api.metrics import routes as metrics_api
from keyturn.api.overview import routes as overview_api
from keyturn.api.owners import routes as owners_api
from keyturn.api.people import routes as people_api
from keyturn.api.projects import members as members_api
from keyturn.api.projects import roles as roles_api
from keyturn.api.projects import routes as projects_api
from keyturn.api.receipts import routes as receipts_api
from keyturn.api.secret_imports import routes as imports_api
from keyturn.api.secrets import past_routes as past_api
from keyturn.api.secrets import routes as secrets_api
from keyturn.api.secrets.hot import HotSecrets, Learner
from keyturn.api.secrets.promises import Promises
from keyturn.api.tags import routes as tags_api
from keyturn.api.token_auths import routes as token_auth_api
from keyturn.api.webhooks import routes as webhooks_api
from keyturn.app.alarms import AlarmServices, alarm_pages, alarm_services
from keyturn.app.audit_streams import chain_checks
from keyturn.app.core import Core, before_call, clouds, condition_finder, oauth_app, services
from keyturn.app.inventory import inventory_page_routes, inventory_routes
from keyturn.app.meters import tell_serving
from keyturn.app.monitoring import exposition, status
from keyturn.app.people import people_pages, people_routes
from keyturn.app.rotation_faces import connection_routes, guard_pages, rotation_pages, rotation_routers, secret_pages
from keyturn.app.scim import scim_routes
from keyturn.app.services import Services
from keyturn.app.sso import password_policy, sign_in_routes, sso_routes
from keyturn.app.worker import Worker
from keyturn.audit.service import AuditTrail
from keyturn.authz.domain import require_admin
from keyturn.changes.counters import Counters
from keyturn.crypto.keyring import KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKeySource
from keyturn.crypto.root_choice import Place, RootPlaces
from keyturn.crypto.store import load
from keyturn.db.trouble import explain
from keyturn.delivery import use
from keyturn.delivery.events import EventStreams
from keyturn.delivery.hot_reads import HotReads
from keyturn.delivery.reads import GroupedReadAudit
from keyturn.delivery.use_service import Acknowledgements
from keyturn.delivery.watch import ChangeWatch
from keyturn.delivery.webhooks import Webhooks
from keyturn.errors import busy
from keyturn.identities.azure import AzureProof
from keyturn.identities.bindings import AzureBinding, KubernetesBinding, OidcBinding
from keyturn.identities.issuer_keys import IssuerKeys
from keyturn.identities.kubernetes import KubernetesProof
from keyturn.identities.oidc import OidcProof
from keyturn.identities.token_auth import TokenProof
from keyturn.inventory.service import Inventories
from keyturn.kit.actor import Actor
from keyturn.kit.bulkhead import Bulkhead
from keyturn.kit.clock_difference import WARNS, compared
from keyturn.kit.secret import Plaintext
from keyturn.pages import TEMPLATES
from keyturn.pages import audit as audit_pages
from keyturn.pages import connections as connections_pages
from keyturn.pages import find as find_pages
from keyturn.pages import help as help_pages
from keyturn.pages import identities as identities_pages
from keyturn.pages import overview as overview_pages
from keyturn.pages import receipts as receipts_pages
from keyturn.pages import rotations as rotations_pages
from keyturn.pages import secrets as secrets_pages
from keyturn.pages import webhooks as webhook_pages
from keyturn.pages.owner_choice import OwnerChoice
from keyturn.pages.people import settings as settings_pages
from keyturn.pages.people.settings import ServerFacts
from keyturn.pages.project_header import ProjectHeaders
from keyturn.pages.projects import deletions as deletion_pages
from keyturn.pages.projects import members as project_members
from keyturn.pages.projects import projects as project_pages
from keyturn.pages.projects import roles as role_pages
from keyturn.ports.provider import Tenant
from keyturn.projects.service import Projects
from keyturn.providers.azure.clouds import standard_clouds
from keyturn.providers.azure.tenant_keys import TenantKeys
from keyturn.providers.pinned import PinnedTransport
from keyturn.rotations import guards
from keyturn.rotations.promises import Promise
from keyturn.rotations.receipts import Receipts
from keyturn.secrets.restoring import Restoring
from keyturn.secrets.service import Secrets
from keyturn.telemetry.tracing import NO_TRACES, RequestTraces
from keyturn.web import unbuilt
from keyturn.web.html.render import Renderer
from keyturn.web.pages import Keeper, Pages, SessionCookie, Site
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Routes
from keyturn.web.server.app import Application, build
from keyturn.web.server.health import latest
from keyturn.web.server.middleware import nobody_traces
from keyturn.web.subpath import SubPath


def open_access(core: Core) -> Access:
    return Access(
        core.database,
        core.clock,
        core.ids,
        sealer=core.sealer,
        digests=KeyringDigests(core.keyring),
        setup_code=core.settings.setup_code,
        quotas=core.settings.quotas,
        proofs=token_proofs(core),
        passwords=password_policy(core.settings),
    )


def open_conditions(core: Core) -> Conditions:
    return Conditions(core.database, core.clock, condition_finder(core))


def token_proofs(core: Core) -> Mapping[str, TokenProof]:
    """Return how tokens that others sign are proven, by method."""
    guard = partial(
        before_call, core.database, Bulkhead(partial(busy, "asking issuers of tokens"), places=8, waiting=8)
    )
    settings = core.settings
    hosts = PinnedTransport(networks=settings.identity_networks, ca_file=settings.ca_file, guard=guard)
    keys = IssuerKeys(core.clock, guard)
    tenants = TenantKeys(core.transport, standard_clouds().get(settings.cloud), clouds(settings).get(settings.cloud))
    return {
        OidcBinding.method: OidcProof(keys, hosts),
        AzureBinding.method: AzureProof(keys, tenants),
        KubernetesBinding.method: KubernetesProof(hosts, core.sealer),
    }


def open_projects(core: Core) -> Projects:
    return Projects(
        core.database,
        core.clock,
        core.ids,
        delete_guards=(guards.refuse_project,),
        environment_guards=(guards.refuse_environment,),
        quotas=core.settings.quotas,
    )


def web_application(core: Core, worker: Worker | None) -> Application:
    """Return the ASGI application of this server."""
    settings = core.settings
    oauth = oauth_app(settings)
    access, projects = open_access(core), open_projects(core)
    use_cases = services(core, worker.nudge if worker else _nobody)
    limiter = Limiter(core.clock, per_minute=settings.login_rate_per_minute)
    per_identity = Limiter(core.clock, per_minute=settings.identity_rate_per_minute)
    trail, alarms = AuditTrail(core.database), alarm_services(core)
    reads = GroupedReadAudit(core.database, core.clock, core.ids, use.note)
    secrets = Secrets(core.database, core.sealer, core.clock, core.ids, reads)
    counters = Counters(core.database)
    promises = Promises(core.database, core.clock, core.ids.jitter)
    hot: HotReads[Promise] = HotReads(core.database, core.clock, counters)
    learner = Learner(hot, secrets.reader, core.sealer)
    watch = ChangeWatch(core.database, core.clock, counters, most=settings.max_waiters)
    routers = [
        people_api.login_router(access, limiter, per_identity),
        people_api.users_router(access, limiter, alarms.leavers),
        scim_routes(core, access, limiter, per_identity),
        people_routes(core, access, projects, limiter),
        identities_api.identities_router(access),
        identities_api.universal_router(access),
        *token_auth_api.method_routers(access),
        token_auth_api.login_router(access, limiter, per_identity),
        *_of_projects(core, projects, use_cases, secrets),
        audit_api.router(trail, chain_checks(core)),
        receipts_api.router(Receipts(core.database, core.sealer, core.clock)),
        overview_api.router(open_conditions(core)),
        *_of_changes(core, watch),
        secrets_api.router(secrets, KeyringDigests(core.keyring), watch, promises, learner),
        past_api.router(secrets.past),
        folders_api.router(secrets.folders),
        tags_api.router(secrets.tags),
        imports_api.router(secrets.imports),
        connection_routes(core, use_cases, oauth.client_id if oauth else None),
        *rotation_routers(core, use_cases),
        use_routes.router(Acknowledgements(core.database, core.clock)),
        read_routes.router(secrets.reader, KeyringDigests(core.keyring), promises, core.clock),
        owners_api.router(alarms.owners),
        alarms_api.alarms_router(alarms.alarms),
        alarms_api.channels_router(alarms.channels),
        inventory_routes(core),
        sso_routes(core),
        metrics_api.router(exposition(core).scrape, settings.metrics_token),
        unbuilt.router(),
    ]
    pages, site = page_routes(core, access, projects, use_cases, trail, limiter, secrets, alarms)
    application = build(
        [*routers, *pages],
        authenticate=access.authenticate,
        settings=settings,
        clock=core.clock,
        ids=core.ids,
        status=latest(lambda: status(core)).value,
        explain=explain,
        cors_origins=settings.cors_allowed_origins,
        trusted_proxies=settings.trusted_proxies,
        site=site,
        releases=(watch.release,),
        closers=(counters.stop, reads.close),
        known_answers=HotSecrets(hot, reads, promises, watch),
        announcements=core.database.listen,
        observe=core.meters.request,
        trace=nobody_traces if core.tracer is NO_TRACES else RequestTraces(core.tracer).begin,
    )
    tell_serving(core.meters, application, watch, settings.max_waiters)
    return application


def _of_projects(core: Core, projects: Projects, use_cases: Services, secrets: Secrets) -> list[Routes]:
    restoring = Restoring(core.database, core.clock, secrets.folders, core.settings.quotas)
    return [
        projects_api.projects_router(projects),
        projects_api.environments_router(projects),
        members_api.identity_members_router(projects),
        members_api.people_router(projects),
        roles_api.roles_router(projects),
        deletions_api.router(use_cases.place_deletions(projects, secrets.folders), restoring),
    ]


def _of_changes(core: Core, watch: ChangeWatch) -> list[Routes]:
    return [events_api.router(EventStreams(core.database, watch)), webhooks_api.router(webhooks(core))]


def webhooks(core: Core) -> Webhooks:
    return Webhooks(core.database, core.sealer, core.clock, core.ids)


def audit_faces(core: Core, trail: AuditTrail, access: Access) -> list[Pages]:
    """Return the pages of the audit trail, and the files of receipts."""
    receipts = Receipts(core.database, core.sealer, core.clock)
    return [audit_pages.router(trail, chain_checks(core), access), receipts_pages.router(receipts)]


def page_routes(
    core: Core,
    access: Access,
    projects: Projects,
    use_cases: Services,
    trail: AuditTrail,
    limiter: Limiter,
    secrets: Secrets,
    alarms: AlarmServices,
) -> tuple[list[Pages], Site]:
    """Return the routes of all pages, and what they need of this server."""
    settings = core.settings
    heads = ProjectHeaders(access, projects, alarms.alarms.count, use_cases.approvals.to_decide)
    below = SubPath.of(settings.site_url)
    cookie = SessionCookie((settings.site_url or "").startswith("https://"), shared_host=bool(below.base))
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
    routes = [
        *sign_in_routes(core, access, projects, limiter, cookie),
        settings_pages.router(access, limiter, cookie, partial(server_facts, core)),
        *people_pages(core, access, projects, alarms.leavers, limiter, cookie),
        identities_pages.router(
            access, projects, core.clock, settings.site_url or f"http://{settings.host}:{settings.port}"
        ),
        *audit_faces(core, trail, access),
        overview_pages.router(open_conditions(core), heads),
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
        webhook_pages.router(webhooks(core), projects, heads),
        project_members.router(projects, access, heads, core.clock),
        help_pages.router(installation, sign_in_as),
        connections_pages.router(pages),
        rotations_pages.router(rotation_pages(core, use_cases, projects, trail, heads, pages.owner)),
        inventory_page_routes(core, heads),
        secrets_pages.router(secret_pages(core, secrets, projects, use_cases.secret_consumers, heads)),
    ]
    keeper = Keeper(KeyringDigests(core.keyring), core.clock)
    return routes, Site(
        Renderer(core.clock, below, (TEMPLATES,)),
        access.sessions.recall,
        heads.shell,
        cookie,
        settings.site_url,
        keeper,
    )


def server_facts(core: Core, actor: Actor) -> ServerFacts:
    """Return what an admin may know of this server. Raises Forbidden for others."""
    require_admin(actor)
    settings = core.settings
    with core.database.read() as tx:
        keys = [row for row in load(tx) if row.retired_at is None]
    return ServerFacts(
        version=__version__,
        site_url=settings.site_url,
        database="SQLite, one file of this server" if settings.embedded else "PostgreSQL",
        root_key=_root_place(core.keyring.source),
        data_keys=len(keys),
        newest_data_key_at=max((row.created_at for row in keys), default=None),
        cloud=settings.cloud if settings.cloud_override is None else f"{settings.cloud}, at custom addresses",
        rotating=status(core).worker,
        clock=compared(core.providers.clock_ahead()),
        clock_right=abs(core.providers.clock_ahead() or timedelta()) <= WARNS,
        sign_in_tries_per_minute=settings.login_rate_per_minute,
    )


def _root_place(source: RootKeySource) -> str:
    place = source.in_use() if isinstance(source, RootPlaces) else None
    if place is Place.VAULT:
        return "Wrapped by a key of Azure Key Vault"
    by_settings = isinstance(source, GivenRoot) or place is Place.ENVIRONMENT
    return "From ENCRYPTION_KEY" if by_settings else "A key file beside the database"


def _nobody() -> None:
    """A web process without a worker: the worker's finder looks every second by itself."""
