"""The composition root: settings in, a server or a worker out. The only place that knows concrete parts.

Settings -> Database -> Sealer -> Provider -> services -> { web application, worker }
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from keyturn import boot
from keyturn.config import Settings
from keyturn.connections import looks
from keyturn.connections.flow import CALLBACK_PATH
from keyturn.connections.service import Connections
from keyturn.crypto.keyring import Keyring, KeyringDigests, KeyringSealer
from keyturn.db.trouble import explain
from keyturn.db.unit import Database
from keyturn.errors import busy
from keyturn.kit.actor import Actor
from keyturn.kit.bulkhead import Bulkhead
from keyturn.kit.clock import SystemClock
from keyturn.kit.clock_difference import WARNS, compared
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Place, Plaintext, Sealed
from keyturn.ports import Clock, Ids, OAuthApp, Tenant
from keyturn.providers.azure.clouds import Clouds, standard_clouds
from keyturn.providers.azure.manifest import MANIFEST
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.transport import HttpTransport
from keyturn.rotations.hold import Tools
from keyturn.rotations.service import Rotations, refuse_while_rotating
from keyturn.rotations.workflow import Rotator
from keyturn.upkeep import Upkeep

if TYPE_CHECKING:
    from keyturn.access.service import Access
    from keyturn.access.settings_pages import ServerFacts
    from keyturn.audit.service import Trail
    from keyturn.projects.service import Projects
    from keyturn.web.app import Application
    from keyturn.web.health import Status
    from keyturn.web.pages import Pages, Site
    from keyturn.web.ratelimit import Limiter

STOP_GRACE = timedelta(seconds=20)
ENGINE_PLACE = Place("engine", "work", "payload")


@dataclass
class Core:
    """What every process of the product has."""

    settings: Settings
    database: Database
    keyring: Keyring
    sealer: KeyringSealer
    clock: Clock
    ids: Ids
    process_id: str
    transport: HttpTransport
    provider: AzureProvider

    def close(self) -> None:
        self.transport.close()
        self.database.close()


def open_core(settings: Settings, notice: boot.Notice, ahead: timedelta = timedelta(0)) -> Core:
    """Open the database, bring it up to date as far as that is safe, open the keyring. Raises Misconfigured.

    ``ahead`` moves this process's clock, for demonstrations of what happens in a month.
    """
    clock, ids = SystemClock(ahead), SystemIds()
    if ahead:
        notice(f"This server's clock is {ahead} ahead.")
    database = boot.open_database(settings)
    boot.prepare_database(settings, database, clock, notice)
    keyring = boot.open_keyring(settings, database, clock, notice)
    process_id = ids.new()
    transport = HttpTransport(
        ca_file=settings.ca_file,
        guard=partial(_before_call, database, Bulkhead(partial(busy, "waiting for Microsoft"), places=12, waiting=4)),
        name=process_id,
    )
    provider = AzureProvider(transport, clock, clouds(settings), ids=ids, timeout=settings.pace.call_timeout)
    return Core(settings, database, keyring, KeyringSealer(keyring), clock, ids, process_id, transport, provider)


def clouds(settings: Settings) -> Clouds:
    """Return the table of clouds, with the custom addresses where some are set. Only the server's own cloud is talked to."""
    table, custom = standard_clouds().limited_to(settings.cloud), settings.cloud_override
    if custom is None:
        return table
    return table.overridden(settings.cloud, authority=custom.authority, graph=custom.graph)


def _before_call(database: Database, calls: Bulkhead) -> None:
    """Before each call to Microsoft. Raises Unavailable when too many requests of people wait for such calls already."""
    if database.in_transaction:
        raise RuntimeError("a network call inside a database transaction")
    calls.hold()


class Worker:
    """Finds due rotations and works on them, beside the web server or alone."""

    def __init__(self, core: Core) -> None:
        from keyturn.engine.dbos import DbosEngine  # noqa: PLC0415 - heavy: only for processes that work
        from keyturn.engine.due import Finder  # noqa: PLC0415
        from keyturn.engine.lost import Presence  # noqa: PLC0415
        from keyturn.engine.payload import SealedJson  # noqa: PLC0415

        self._core = core
        settings = core.settings
        codec = SealedJson(
            lambda text: core.sealer.seal(Plaintext(text), ENGINE_PLACE).text,
            lambda text: core.sealer.open(Sealed(text), ENGINE_PLACE).reveal(),
        )
        url = core.database.engine.url
        self._engine = DbosEngine(url, core.process_id, settings.concurrency, codec, core.clock)
        self._presence = Presence(core.database, core.clock, self._engine, core.process_id, settings.pace)
        self._finder = Finder(core.database, core.clock, self._engine, settings.concurrency, settings.pace.find_every)
        self._connections, _ = services(core, self.nudge)
        self._upkeep = Upkeep(core.keyring, self._connections, core.provider.clock_confirmed_at, settings.retention)
        tools = Tools(core.database, core.sealer, core.provider, core.clock, core.ids, settings.pace, core.process_id)
        self._rotator = Rotator(tools)

    def start(self) -> None:
        self._presence.announce()
        self._engine.start(self._do)
        self._presence.start()
        self._finder.start()
        self._upkeep.start()

    def _do(self, work: str) -> None:
        """Do one piece of due work: look at a connection, or go on with a rotation."""
        from keyturn.engine.due import LOOK  # noqa: PLC0415 - as above

        if work.startswith(LOOK):
            looks.look(self._connections, work.removeprefix(LOOK))
        else:
            self._rotator.advance(work)

    def nudge(self) -> None:
        self._finder.nudge()

    def stop(self, left: Callable[[], timedelta] = lambda: STOP_GRACE) -> None:
        """Take no more work and let what runs come to an end; what does not is finished by the next process.

        ``left`` says how long each part of it may take.
        """
        self._upkeep.stop()
        self._finder.stop(left())
        self._engine.stop(left())
        self._presence.stop(left())


def status(core: Core) -> "Status":
    """Whether the database answers and takes writes, whether some process takes work, and how far our clock is off."""
    from keyturn.engine.readiness import look  # noqa: PLC0415
    from keyturn.web.health import Status  # noqa: PLC0415

    seen = look(core.database, core.clock.now(), core.settings.pace.dead_after)
    return Status(seen.database, seen.worker, seen.writable, seen.reason, core.provider.clock_ahead())


def services(core: Core, nudge: Callable[[], None]) -> tuple[Connections, Rotations]:
    settings, oauth = core.settings, oauth_app(core.settings)
    parts = (core.database, core.sealer, core.provider, core.clock, core.ids)
    bare, most = settings.oauth_bare_codes, settings.quotas.connections_per_project
    connections = Connections(
        *parts, settings.cloud, oauth, bare_codes=bare, most=most, pace=settings.pace, pause=time.sleep
    )
    return connections, Rotations(connections, nudge, time.sleep, core.process_id)


def oauth_app(settings: Settings) -> OAuthApp | None:
    """Return this server's OAuth application; None unless all three of its settings are there."""
    site, client_id, secret = settings.site_url, settings.oauth_client_id, settings.oauth_client_secret
    return OAuthApp(client_id, secret, f"{site}{CALLBACK_PATH}") if site and client_id and secret else None


def open_access(core: Core) -> "Access":
    from keyturn.access.service import Access  # noqa: PLC0415 - a worker alone needs no sign-in

    return Access(
        core.database,
        core.clock,
        core.ids,
        sealer=core.sealer,
        digests=KeyringDigests(core.keyring),
        setup_code=core.settings.setup_code,
        quotas=core.settings.quotas,
    )


def web_application(core: Core, worker: Worker | None) -> "Application":
    """Return the ASGI application of this server."""
    from keyturn.access import api as access_api  # noqa: PLC0415 - only a web process needs the web framework
    from keyturn.access import identities_api  # noqa: PLC0415
    from keyturn.access.door import require_audit_reader  # noqa: PLC0415
    from keyturn.audit import api as audit_api  # noqa: PLC0415
    from keyturn.audit.service import Trail  # noqa: PLC0415
    from keyturn.connections import api as connections_api  # noqa: PLC0415
    from keyturn.projects import api as projects_api  # noqa: PLC0415
    from keyturn.projects import members_api  # noqa: PLC0415
    from keyturn.projects.service import Projects  # noqa: PLC0415
    from keyturn.web import unbuilt  # noqa: PLC0415
    from keyturn.web.app import build  # noqa: PLC0415
    from keyturn.web.health import Watch  # noqa: PLC0415
    from keyturn.web.ratelimit import Limiter  # noqa: PLC0415

    settings = core.settings
    oauth = oauth_app(settings)
    access = open_access(core)
    projects = Projects(
        core.database, core.clock, core.ids, delete_guards=(refuse_while_rotating,), quotas=settings.quotas
    )
    connections, rotations = services(core, worker.nudge if worker else _nobody)
    limiter = Limiter(core.clock, per_minute=settings.login_rate_per_minute)
    trail = Trail(core.database, require_audit_reader)
    routers = [
        access_api.login_router(access, limiter, Limiter(core.clock, per_minute=settings.identity_rate_per_minute)),
        access_api.users_router(access, limiter),
        identities_api.identities_router(access),
        identities_api.universal_router(access),
        projects_api.projects_router(projects),
        projects_api.environments_router(projects),
        members_api.identity_members_router(projects),
        members_api.people_router(projects),
        audit_api.router(trail),
        connections_api.router(
            connections, rotations, oauth_client_id=oauth.client_id if oauth else None, clock=core.clock
        ),
        unbuilt.router(),
    ]
    pages, site = page_routes(core, access, projects, connections, rotations, trail, limiter)
    return build(
        [*routers, *pages],
        authenticate=access.authenticate,
        settings=settings,
        clock=core.clock,
        ids=core.ids,
        status=Watch(lambda: status(core)).status,
        explain=explain,
        cors_origins=settings.cors_allowed_origins,
        trusted_proxies=settings.trusted_proxies,
        site=site,
    )


def page_routes(
    core: Core,
    access: "Access",
    projects: "Projects",
    connections: Connections,
    rotations: Rotations,
    trail: "Trail",
    limiter: "Limiter",
) -> "tuple[list[Pages], Site]":
    """Return the routes of all pages, and what they need of this server."""
    from keyturn.access import identities_pages, members_pages, settings_pages  # noqa: PLC0415 - as above
    from keyturn.access import pages as access_pages  # noqa: PLC0415
    from keyturn.audit import pages as audit_pages  # noqa: PLC0415
    from keyturn.connections import help_pages  # noqa: PLC0415
    from keyturn.connections import pages as connections_pages  # noqa: PLC0415
    from keyturn.connections.catalog import Catalog  # noqa: PLC0415
    from keyturn.connections.oauth import SignIns  # noqa: PLC0415
    from keyturn.projects import members_pages as project_members  # noqa: PLC0415
    from keyturn.projects import pages as project_pages  # noqa: PLC0415
    from keyturn.projects.heads import Heads  # noqa: PLC0415
    from keyturn.web.pages import Keeper, SessionCookie, Site  # noqa: PLC0415
    from keyturn.web.render import Renderer  # noqa: PLC0415
    from keyturn.web.subpath import SubPath  # noqa: PLC0415

    settings, heads = core.settings, Heads(access, projects)
    below = SubPath.of(settings.site_url)
    cookie = SessionCookie((settings.site_url or "").startswith("https://"), shared_host=bool(below.base))
    given = help_pages.Installation(
        settings.site_url, settings.oauth_client_id, settings.oauth_client_secret, MANIFEST.permissions
    )

    def sign_in_as(tenant: str, app_id: str, secret: Plaintext) -> None:
        core.provider.sign_in(Tenant(settings.cloud, tenant), app_id, secret)

    shelf = connections_pages.Shelf(
        connections,
        rotations,
        SignIns(connections),
        Catalog(connections),
        trail,
        heads,
        core.clock,
        oauth=oauth_app(settings) is not None,
        site_url=settings.site_url,
    )
    routes = [
        access_pages.router(access, limiter, cookie),
        settings_pages.router(access, limiter, cookie, partial(server_facts, core)),
        members_pages.router(access),
        identities_pages.router(access, core.clock, settings.site_url or f"http://{settings.host}:{settings.port}"),
        audit_pages.router(trail),
        project_pages.router(projects, heads),
        project_members.router(projects, access, heads),
        help_pages.router(given, sign_in_as),
        connections_pages.router(shelf),
    ]
    keeper = Keeper(KeyringDigests(core.keyring), core.clock)
    return routes, Site(
        Renderer(core.clock, below), access.sessions.recall, heads.shell, cookie, settings.site_url, keeper
    )


def server_facts(core: Core, actor: Actor) -> "ServerFacts":
    """Return what an admin may know of this server. Raises Forbidden for others."""
    from keyturn import __version__  # noqa: PLC0415 - only a web process shows it
    from keyturn.access.domain import require_admin  # noqa: PLC0415
    from keyturn.access.settings_pages import ServerFacts  # noqa: PLC0415
    from keyturn.crypto.store import load  # noqa: PLC0415

    require_admin(actor)
    settings = core.settings
    with core.database.read() as tx:
        keys = [row for row in load(tx) if row.retired_at is None]
    return ServerFacts(
        version=__version__,
        site_url=settings.site_url,
        database="SQLite, one file of this server" if settings.embedded else "PostgreSQL",
        root_key="From ENCRYPTION_KEY" if settings.encryption_key else "A key file beside the database",
        data_keys=len(keys),
        newest_data_key_at=max((row.created_at for row in keys), default=None),
        cloud=settings.cloud if settings.cloud_override is None else f"{settings.cloud}, at custom addresses",
        rotating=status(core).worker,
        clock=compared(core.provider.clock_ahead()),
        clock_right=abs(core.provider.clock_ahead() or timedelta()) <= WARNS,
        sign_in_tries_per_minute=settings.login_rate_per_minute,
    )


def _nobody() -> None:
    """A web process without a worker: the worker's finder looks every second by itself."""
