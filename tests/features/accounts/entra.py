"""A server whose people sign in through the local Entra ID, a browser, and a wire on which answers can be changed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt

from entra_emulator import Emulator
from entra_emulator.directory.keys import SigningKey
from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Leavers
from keyturn.api.people.routes import login_router, users_router
from keyturn.api.projects.members import people_router
from keyturn.api.projects.routes import projects_router
from keyturn.api.sso.routes import router as sso_router
from keyturn.app.sign_in_certificate import look_at
from keyturn.app.sso import certificate_proof, client_proof
from keyturn.audit.domain import StoredEvent
from keyturn.audit.service import AuditTrail
from keyturn.crypto.hashing import Hasher
from keyturn.crypto.keyring import Keyring, KeyringDigests, KeyringSealer
from keyturn.identities.issuer_keys import IssuerKeys
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.pages import TEMPLATES
from keyturn.pages.people import entra as entra_pages
from keyturn.pages.people import entra_settings
from keyturn.pages.people import second_factor as second_factor_pages
from keyturn.pages.people import settings as settings_pages
from keyturn.pages.people import sign_in as sign_in_pages
from keyturn.pages.people.sign_in import Ways
from keyturn.pages.project_header import ProjectHeaders
from keyturn.people.password_policy import PasswordPolicy
from keyturn.people.sessions import BrowserInfo
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.projects.service import Projects
from keyturn.providers.azure.assertions import audience_of
from keyturn.providers.azure.certificate_file import CertificateFile
from keyturn.providers.azure.clouds import GLOBAL
from keyturn.providers.azure.people import PeopleApp, PeopleSignIn
from keyturn.providers.azure.tenant_keys import TenantKeys
from keyturn.providers.token_sources import TokenSources
from keyturn.settings.model import Settings, SingleSignOn
from keyturn.sso.flow import CALLBACK_PATH
from keyturn.sso.group_roles import GroupRoles
from keyturn.sso.service import EntraSignIn, Rules
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.render import Renderer
from keyturn.web.pages import Site
from keyturn.web.ratelimit import Limiter
from keyturn.web.server.app import build
from keyturn_simulation.emulated import EmulatedTransport, EmulatorTime, emulated_clouds
from tests.client import Client
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.people import IDS, project
from tests.features.accounts.test_browser_sessions import ROOT, SERVER

ORIGIN = "http://localhost:8080"
CALLBACK = f"{ORIGIN}{CALLBACK_PATH}"
SIGNING = SigningKey()
Claims = dict[str, Any]


def claims_of(token: str) -> Claims:
    claims: Claims = jwt.decode(token, options={"verify_signature": False})
    return claims


class Wire:
    """Leads to the emulator. ``token`` makes another ID token of the claims of the one that was given."""

    def __init__(self, emulator: Emulator) -> None:
        self.real = EmulatedTransport(emulator)
        self.token: Callable[[Claims], str] | None = None
        self.asked: list[str] = []
        self.last: HttpResponse | None = None
        self.again: HttpResponse | None = None
        """What the token endpoint answers, instead of looking at the code."""

    def send(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(urlsplit(request.url).path)
        if self.again is not None and request.url.endswith("/token"):
            return self.again
        answer = self.real.send(request)
        self.last = answer if request.url.endswith("/token") else self.last
        body = json.loads(answer.body) if self.token and "id_token" in answer.body.decode() else {}
        if self.token is None or "id_token" not in body:
            return answer
        body["id_token"] = self.token(claims_of(body["id_token"]))
        return HttpResponse(answer.status, answer.headers, json.dumps(body).encode())

    def count(self, end: str) -> int:
        return sum(path.endswith(end) for path in self.asked)


@dataclass
class Browser:
    """Keeps cookies, and says where its requests come from as browsers do."""

    client: Client

    def get(self, path: str, *, ours: bool = True) -> httpx.Response:
        headers = {"sec-fetch-site": "none" if ours else "cross-site", "accept": "text/html"}
        answer: httpx.Response = self.client.get(path, headers=headers, follow_redirects=False)  # type: ignore[assignment]
        return answer

    def post(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        headers = {"sec-fetch-site": "same-origin", "accept": "text/html"}
        answer: httpx.Response = self.client.post(path, data=dict(form), headers=headers, follow_redirects=False)  # type: ignore[assignment]
        return answer

    def is_in(self) -> bool:
        return self.get("/settings").status_code == 200


@dataclass
class Office:
    """The tenant with its people, and the server."""

    house: AccessFixture
    emulator: Emulator
    wire: Wire
    tenant: str
    app: Any
    people: dict[str, str]
    groups: dict[str, str]
    project_id: str
    application: Any
    access: Access

    def browser(self) -> Browser:
        return Browser(Client(self.application, base_url=ORIGIN))

    def go(self, browser: Browser, path: str = "/sign-in/entra") -> str:
        """Let the browser begin a sign-in; return where it is sent."""
        answer = browser.get(path)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def back(self, url: str, who: str = "ada", **changes: Any) -> str:
        """Sign in at Entra ID; return the address of this server that the browser is sent back to."""
        location = self.emulator.admin.authorize(url, user=self.people[who], **changes)
        assert location.startswith(CALLBACK)
        return location.removeprefix(ORIGIN)

    def sign_in(self, who: str = "ada", browser: Browser | None = None, next_page: str = "") -> httpx.Response:
        """Walk all of it; return the answer of the redirect URI."""
        browser = browser or self.browser()
        path = f"/sign-in/entra?next={next_page}" if next_page else "/sign-in/entra"
        return browser.get(self.back(self.go(browser, path), who), ours=False)

    def give(self, group: str, role: str, project_id: str | None = None) -> str:
        """Give a group a role over HTTP, as the administrator's program does; return the row's id."""
        body = {"groupId": self.groups[group], "groupName": group, "role": role, "projectId": project_id}
        answer = self.api("POST", "/api/v1/group-roles", body)
        assert answer.status_code == 200, answer.text
        row_id: str = answer.json()["groupRole"]["id"]
        return row_id

    def api(self, method: str, path: str, body: object = None, token: str | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.house.first.token.reveal()}"}
        with Client(self.application) as client:
            answer: httpx.Response = client.request(method, path, json=body, headers=headers)  # type: ignore[assignment]
            return answer

    def link_on_page(self, admin: str, email: str) -> None:
        """Do as an administrator does on the page: name the user and the object id of ada."""
        browser = self.browser()
        assert browser.post("/sign-in", {"email": admin, "password": GOOD_PASSWORD}).status_code == 303
        page = browser.get("/organization/entra").text
        assert CALLBACK in page, "what has to be registered"
        for address, status in (("nobody@acme.test", 404), (email, 303)):
            form = {"email": address, "objectId": self.people["ada"]}
            assert browser.post("/organization/entra/links", form).status_code == status
        assert self.people["ada"] in browser.get("/organization/entra").text

    def session_of_before(self, email: str, password: str) -> str:
        """Return a session that was begun when everybody could sign in with a password."""
        new = self.house.access.sessions.sign_in(email, Plaintext(password), BrowserInfo(HOME))
        return new.token.reveal()

    def users(self) -> dict[str, Any]:
        return {user.email: user for user in self.house.access.users.list(self.house.admin)}

    def user(self, who: str = "ada") -> Any:
        return self.users()[f"{who}@contoso.onmicrosoft.com"]

    def events(self, name: str) -> list[StoredEvent]:
        """The newest first."""
        page = AuditTrail(self.house.database).page(self.house.admin, limit=100)
        return [event for event in page.events if event.name == name]

    def stopped(self, answer: httpx.Response) -> str:
        """Check that nobody came in; return the page."""
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.headers.get("location"))
        assert "You were not signed in" in answer.text
        assert "keyturn_session=" not in str(answer.headers.get_list("set-cookie"))
        return answer.text

    def refused(self, answer: httpx.Response, code: str) -> str:
        """Check that nobody came in, with this reason in the trail; return the page."""
        self.stopped(answer)
        reason = self.events("refuse-user-entra")[0].data["reason"]
        assert reason == code
        self.house.clock.advance(60)  # one event a minute and reason
        return answer.text


@contextmanager
def office(
    house: AccessFixture,
    folder: Path,
    *,
    only: Sequence[str] = (),
    default: Role | None = None,
    forced: bool = False,
    sources: TokenSources | None = None,
    certificate: CertificateFile | None = None,
) -> Iterator[Office]:
    """Serve it. Members of the groups ``only`` may come in; with ``forced`` only administrators have a password.

    With ``sources`` the server has no client secret but a token of its own, of the source ``aks``; with ``certificate`` that.
    """
    clock, database = house.clock, house.database
    keyring = Keyring.open(database, ROOT, clock)
    digests = KeyringDigests(keyring)
    access = Access(
        *(database, clock, IDS, Hasher(memory_kib=8, passes=1)),
        sealer=KeyringSealer(keyring),
        digests=digests,
        passwords=PasswordPolicy(administrators_only=forced),
    )
    emulator = Emulator(EmulatorTime(clock), seed=7, signing_key=SIGNING)
    admin, wire = emulator.admin, Wire(emulator)
    tenant = admin.create_tenant()
    app = admin.create_application(tenant, "Keyturn", redirect_uris=(CALLBACK,))
    admin.consent(app.object_id, "User.Read", "openid", "profile", "email")
    people = {name: admin.create_user(tenant, name) for name in ("ada", "ben", "kim")}
    groups = {
        "operators": admin.create_group(tenant, "operators", members=(people["ada"],)),
        "admins": admin.create_group(tenant, "admins"),
        "readers": admin.create_group(tenant, "readers", members=(people["ada"], people["ben"])),
    }
    admin.set_group_claims(app.object_id, "SecurityGroup")
    project_id = project(database, house.admin.org_id)
    cloud = emulated_clouds().get("global")
    settings = SingleSignOn(
        tenant, app.app_id, None if sources else Plaintext(app.secrets[0].value), "aks" if sources else None
    )
    proof = client_proof(settings, sources or TokenSources({}), audience_of("global"))
    if certificate is not None:
        settings = SingleSignOn(tenant, app.app_id, certificate=folder / "unused")
        proof = certificate_proof(settings, certificate, cloud, clock, IDS)
    of_app = PeopleApp(tenant, app.app_id, CALLBACK, proof)
    issuer = PeopleSignIn(wire, clock, IDS, cloud, TenantKeys(wire, GLOBAL, cloud), of_app)
    keys = IssuerKeys(clock, lambda: None)
    rules = Rules(frozenset(groups[name] for name in only), default)
    entra = EntraSignIn(database, clock, IDS, issuer, keys, access.sessions, digests, rules)
    limiter, cookie = Limiter(clock, per_minute=1000), SessionCookie(secure=False)
    group_roles, projects = GroupRoles(database, clock, IDS, tenant), Projects(database, clock, IDS)
    heads = ProjectHeaders(access, projects)
    application = build(
        [
            login_router(access, limiter),
            users_router(access, limiter, Leavers(database, clock)),
            sso_router(group_roles),
            projects_router(projects),
            people_router(projects),
            sign_in_pages.router(access, limiter, cookie, Ways(entra=True, administrators_only=forced)),
            second_factor_pages.router(access, limiter, cookie),
            entra_pages.router(entra, limiter, cookie),
            entra_settings.router(
                group_roles, projects, settings, CALLBACK, look_at(certificate), administrators_only=forced
            ),
            settings_pages.router(access, limiter, cookie, lambda _actor: SERVER),
        ],
        authenticate=access.authenticate,
        settings=Settings(data_dir=folder, database_url="sqlite://"),
        clock=clock,
        ids=IDS,
        site=Site(Renderer(clock, folders=(TEMPLATES,)), access.sessions.recall, heads.shell, cookie, ORIGIN, None),
    )
    yield Office(house, emulator, wire, tenant, app, people, groups, project_id, application, access)


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
