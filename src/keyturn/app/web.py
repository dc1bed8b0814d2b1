"""The web application: services, routes and pages put together."""

from collections.abc import Mapping, Sequence
from functools import partial

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
from keyturn.app.alarms import alarm_services
from keyturn.app.audit_streams import chain_checks
from keyturn.app.core import Core, before_call, clouds, condition_finder, oauth_app, services
from keyturn.app.inventory import inventory_routes
from keyturn.app.meters import tell_serving
from keyturn.app.monitoring import exposition, status
from keyturn.app.people import people_routes
from keyturn.app.rotation_faces import connection_routes, rotation_routers
from keyturn.app.scim import scim_routes
from keyturn.app.services import Services
from keyturn.app.sso import password_policy, sso_routes
from keyturn.app.worker import Worker
from keyturn.audit.service import AuditTrail
from keyturn.changes.counters import Counters
from keyturn.crypto.keyring import KeyringDigests
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
from keyturn.kit.bulkhead import Bulkhead
from keyturn.pages import TEMPLATES
from keyturn.pages.project_header import ProjectHeaders
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
        inventory_routes(core, use_cases),
        sso_routes(core),
        metrics_api.router(exposition(core).scrape, settings.metrics_token),
        unbuilt.router(),
    ]
    heads = ProjectHeaders(access, projects, alarms.alarms.count, use_cases.approvals.to_decide)
    site = page_site(core, access, heads)

    def pages() -> Sequence[Pages]:
        from keyturn.app.pages import page_routes  # noqa: PLC0415 - a twelfth of what a start takes

        conditions, hooks, cookie = open_conditions(core), webhooks(core), site.session_cookie
        return page_routes(
            core, access, projects, use_cases, trail, limiter, secrets, alarms, heads, cookie, conditions, hooks
        )

    application = build(
        routers,
        later=pages,
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


def page_site(core: Core, access: Access, heads: ProjectHeaders) -> Site:
    """Return what pages need of this server."""
    below = SubPath.of(core.settings.site_url)
    return Site(
        Renderer(core.clock, below, (TEMPLATES,)),
        access.sessions.recall,
        heads.shell,
        SessionCookie((core.settings.site_url or "").startswith("https://"), shared_host=bool(below.base)),
        core.settings.site_url,
        Keeper(KeyringDigests(core.keyring), core.clock),
    )


def _nobody() -> None:
    """A web process without a worker: the worker's finder looks every second by itself."""
