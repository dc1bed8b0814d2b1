"""A whole Keyturn with its worker, a local Entra ID over TLS, and a browser that watches what no page may do."""

import gzip
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from entra_emulator import Emulator, SystemClock
from entra_emulator.admin.admin import ApplicationHandle
from entra_emulator.server.server import Running, run_in_thread
from keyturn.accounts.service import Access
from keyturn.app.core import Core, open_core, services
from keyturn.app.web import open_access, web_application
from keyturn.app.worker import Worker
from keyturn.connections.domain import Connection, NewConnection
from keyturn.connections.flow import CALLBACK_PATH
from keyturn.kit.actor import Actor, Role
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser
from keyturn.people.sessions import BrowserInfo as Visiting
from keyturn.projects.domain import NewProject, Project
from keyturn.projects.service import Projects
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.rotations.commands import ScheduleChange
from keyturn.rotations.secret_rotations.service import SecretRotations
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import Origin
from keyturn.web.server.app import Application
from keyturn.web.server.serve import WebServer
from tests.ports import free_port

EMAIL, PASSWORD = "ada@example.com", "a long password for tests"
SETUP_CODE = "a set-up code for tests"
PATIENCE_MS = 60_000
"""How long a browser may take for anything: beside other work it is many times slower than alone."""
OWNED = "Application.ReadWrite.OwnedBy"
ADMINISTRATOR = "Cloud Application Administrator"
_QUICK = {"KEYTURN_PROOF_SPACING": "0.2", "KEYTURN_CONFIRM_SPACING": "0.5", "KEYTURN_FIND_EVERY": "0.1"}


@dataclass
class BrowserServer:
    """``traffic`` holds every address that was asked for and everything that was answered, for looking for secrets.

    ``pages`` are the paths of all pages of the server, with their parameters.
    """

    url: str
    emulator: Emulator
    running: Running
    core: Core
    access: Access
    projects: Projects
    rotations: SelfRotation
    secret_rotations: SecretRotations
    actor: Actor
    tenant_id: str
    traffic: list[str]
    pages: tuple[str, ...]
    secret_texts: set[str] = field(default_factory=set)
    works: bool = True

    def application(self, name: str, *permissions: str, secrets_count: int = 1) -> ApplicationHandle:
        """Make an application in Entra that owns itself, and remember its secrets as typed by somebody."""
        application = self.emulator.admin.create_application(
            self.tenant_id, name, permissions=permissions or (OWNED,), owns_itself=True, secrets=secrets_count
        )
        self.secret_texts |= {secret.value for secret in application.secrets}
        return application

    def project(self, name: str) -> Project:
        return self.projects.create(self.actor, NewProject(name=name))

    def connect(
        self, name: str, application: ApplicationHandle, project: Project | None = None, *, days: int | None = None
    ) -> Connection:
        """Make a connection as the API does; with ``days`` it rotates."""
        first = application.secrets[0]
        credentials = ClientSecret(self.tenant_id, application.app_id, Plaintext(first.value), first.key_id)
        schedule = None if days is None else ScheduleChange(days, 2, 15, "Europe/Oslo")
        draft = NewConnection(name, credentials, None, project.id if project else None)
        return self.rotations.create(self.actor, draft, schedule)

    def list_path(self, project: Project) -> str:
        return f"{self.url}/projects/{project.id}/integrations/app-connections"

    def new_path(self, project: Project) -> str:
        return f"{self.list_path(project)}/new/azure-client-secrets"

    def page_of(self, connection: Connection) -> str:
        return f"{self.url}/app-connections/{connection.id}"

    @contextmanager
    def later(self, **time: float) -> Iterator[None]:
        """Let the clocks of the server and of Entra be ahead for a while."""
        clock: Any = self.core.clock
        entra: Any = self.emulator.clock
        before, before_there = clock._ahead, entra._ahead
        clock._ahead += timedelta(**time)
        entra._ahead += timedelta(**time).total_seconds()
        try:
            yield
        finally:
            clock._ahead, entra._ahead = before, before_there

    def leaks(self) -> list[str]:
        """Return the beginnings of the secrets that stand in an answer or in an address: none, always."""
        now = {
            secret.value
            for tenant in self.emulator.admin._world.directory.tenants.values()
            for application in tenant.applications.values()
            for secret in self.emulator.admin.secrets(application.object_id)
        }
        text = "\n".join(self.traffic)
        return [secret[:6] for secret in now | self.secret_texts if secret in text]


@contextmanager
def open_estate(
    folder: Path, *, oauth: bool = True, works: bool = True, site: str | None = None, port: int | None = None
) -> Iterator[BrowserServer]:
    """``works``: rotations are carried out, which one estate of a process can do.

    ``site`` is the address that browsers use, where a proxy stands before ``port``.
    """
    emulator = Emulator(SystemClock())
    tenant_id = emulator.admin.create_tenant("Contoso", "contoso.example")
    port = port or free_port()
    url = site or f"http://localhost:{port}"
    with run_in_thread(emulator, ca_file=folder / "entra-ca.pem") as running:
        environ = _environ(folder, running, url) | (_oauth(emulator, tenant_id, url) if oauth else {})
        core = open_core(read_settings(environ), lambda _sentence: None)
        worker = Worker(core) if works else None
        if worker:
            worker.start()
        traffic: list[str] = []
        application = web_application(core, worker)
        server = WebServer(_listening(application, traffic), host="127.0.0.1", port=port)
        try:
            access = open_access(core)
            access.bootstrap(EMAIL, Plaintext(PASSWORD), "Contoso")
            actor = access.sessions.recall(_session(access, EMAIL), "127.0.0.1")
            projects = Projects(core.database, core.clock, core.ids)
            use_cases = services(core, worker.nudge if worker else lambda: None)
            with _served(server):
                pages = tuple(_pages(application))
                yield BrowserServer(
                    url,
                    emulator,
                    running,
                    core,
                    access,
                    projects,
                    use_cases.rotations,
                    use_cases.secret_rotations,
                    actor,
                    tenant_id,
                    traffic,
                    pages,
                    works=works,
                )
        finally:
            if worker:
                worker.stop(lambda: timedelta(seconds=2))
            core.close()


def _pages(application: Application) -> Iterator[str]:
    for endpoint in application.endpoints:
        if endpoint.is_page and endpoint.method == "GET":
            yield endpoint.path.replace(":str", "").replace(":path", "")


@contextmanager
def first_start(folder: Path) -> Iterator[str]:
    """A server on which nobody has an account yet. Yields its address."""
    port = free_port()
    variables = {
        "KEYTURN_DATA_DIR": str(folder / "data"),
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "KEYTURN_SETUP_CODE": SETUP_CODE,
    }
    core = open_core(read_settings(variables), lambda _sentence: None)
    open_access(core).setup.announce()
    try:
        with _served(WebServer(web_application(core, None), host="127.0.0.1", port=port)):
            yield f"http://localhost:{port}"
    finally:
        core.close()


def _session(access: Access, email: str) -> Plaintext:
    return access.sessions.sign_in(email, Plaintext(PASSWORD), Visiting(Origin("127.0.0.1"))).token


def join(estate: BrowserServer, email: str, role: Role, **names: str) -> None:
    """Let somebody have an account, and choose a password of their own."""
    first = Plaintext(f"first {PASSWORD}")
    estate.access.users.create(estate.actor, NewUser(email=email, password=first, role=role, **names))
    estate.access.signin.login_person(email, first, Origin("127.0.0.1"), new_password=Plaintext(PASSWORD))


def session_of(estate: BrowserServer, email: str = EMAIL) -> str:
    """Sign in without the form, and return what the browser's cookie holds."""
    return _session(estate.access, email).reveal()


def _environ(folder: Path, running: Running, url: str) -> dict[str, str]:
    return _QUICK | {
        "KEYTURN_DATA_DIR": str(folder / "data"),
        "KEYTURN_AUTHORITY": running.authority,
        "KEYTURN_GRAPH": running.authority,
        "KEYTURN_CA_FILE": running.ca_file,
        "KEYTURN_TOKEN_SOURCES": f"cluster=file:{folder / 'cluster-token'}",
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "SITE_URL": url,
    }


def _oauth(emulator: Emulator, tenant_id: str, url: str) -> dict[str, str]:
    """Register this server in Entra as its set-up page says, and return the settings."""
    app = emulator.admin.create_application(
        tenant_id,
        "Keyturn",
        redirect_uris=(f"{url}{CALLBACK_PATH}", f"{url}/sign-in/entra/callback"),
        scopes=("Application.ReadWrite.All", "User.Read"),
    )
    prefix = "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS"
    emulator.admin.set_group_claims(app.object_id, "SecurityGroup")
    return {
        **{f"{name}_CLIENT_ID": app.app_id for name in (prefix, "KEYTURN_SSO")},
        **{f"{name}_CLIENT_SECRET": app.secrets[0].value for name in (prefix, "KEYTURN_SSO")},
        "KEYTURN_SSO_TENANT_ID": tenant_id,
    }


@contextmanager
def _served(server: WebServer) -> Iterator[None]:
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(lambda _url: ready.set(),), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield
    finally:
        server.stop()
        thread.join(30)


def _listening(app: Any, traffic: list[str]) -> Any:
    """Note every address that is asked for, but for what Microsoft brings back, and everything that is answered."""

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        query = "" if scope["path"].endswith("/callback") else scope["query_string"].decode()
        traffic.append(f"{scope['path']}?{query}")

        gzipped = False

        async def noted(message: Any) -> None:
            nonlocal gzipped
            if message["type"] == "http.response.start":
                traffic.extend(f"{name.decode()}: {value.decode()}" for name, value in message["headers"])
                gzipped = (b"content-encoding", b"gzip") in message["headers"]
            else:
                body = message.get("body", b"")
                traffic.append((gzip.decompress(body) if gzipped and body else body).decode("utf-8", "replace"))
            await send(message)

        await app(scope, receive, noted)

    return watched


# --- the browser ------------------------------------------------------------------------------------------------------


@dataclass
class Watched:
    """A browser context. ``complaints`` must stay empty: errors in the console, reports of the policy, other origins."""

    context: BrowserContext
    allowed: tuple[str, ...]
    complaints: list[str] = field(default_factory=list)

    def page(self) -> Page:
        opened = self.context.new_page()
        opened.set_default_timeout(PATIENCE_MS)
        opened.on("console", self._console)
        opened.on("pageerror", lambda error: self.complaints.append(str(error)))
        opened.on("request", self._request)
        return opened

    def _console(self, message: ConsoleMessage) -> None:
        # A form that is refused is answered with 4xx, which browsers write down as an error of loading.
        if message.type in {"error", "warning"} and "the server responded with a status of 4" not in message.text:
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and f"{parts.scheme}://{parts.netloc}" not in self.allowed:
            self.complaints.append(f"asked for {request.url}")


@contextmanager
def watch(
    browser: Browser, estate: BrowserServer, session: str | None, *, origin: str | None = None, **options: Any
) -> Iterator[Watched]:
    """Open a browser context that has signed in with this session, and see that nothing is complained about."""
    context = browser.new_context(timezone_id="Europe/Oslo", locale="en-GB", ignore_https_errors=True, **options)
    try:
        if session:
            context.add_cookies([{"name": "keyturn_session", "value": session, "url": estate.url}])
        watched = Watched(context, (origin or estate.url, estate.running.authority))
        yield watched
        assert not watched.complaints, watched.complaints
        assert estate.leaks() == [], "a secret shows"
    finally:
        context.close()
