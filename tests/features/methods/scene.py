"""A product with an OAuth application of its own, people who sign in at Entra, and everything that was ever sent."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.app.services import build
from keyturn.connections.due import RefreshTokens
from keyturn.connections.flow import CALLBACK_PATH, challenge
from keyturn.connections.service import Connections
from keyturn.errors import KeyturnError
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, Transport
from keyturn.ports.provider import OAuthApp
from keyturn.ports.work import Work
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn.providers.token_sources import TokenSources
from keyturn_simulation.emulated import HOST, emulated_clouds
from keyturn_simulation.world import World
from tests.features.connections.desk import ApiClient, Json

SITE = "https://keyturn.contoso.test"
REDIRECT = f"{SITE}{CALLBACK_PATH}"
VERIFIER = "a-verifier-of-a-client-of-the-api.0123456789~"
NONCE = "a-nonce-of-a-client-of-the-api"
WRITE_ALL = "Application.ReadWrite.All"
START = "/api/v1/app-connections/azure-client-secrets/oauth/authorize-url"
FINISH = "/api/v1/app-connections/azure-client-secrets/oauth/callback"


@dataclass
class RecordedTransport:
    """A transport that remembers what was sent, and every token that came back."""

    inner: Transport
    requests: list[HttpRequest] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    before: Callable[[HttpRequest], None] | None = None

    def send(self, request: HttpRequest) -> HttpResponse:
        if self.before:
            self.before(request)
        self.requests.append(request)
        response = self.inner.send(request)
        if request.url.endswith("/token") and response.status == 200:
            answer = json.loads(response.body)
            self.tokens |= {answer[name] for name in ("access_token", "refresh_token", "id_token") if name in answer}
        return response

    def asked_for_tokens(self) -> list[dict[str, str]]:
        """The forms of all token requests so far."""
        return [dict(parse_qsl(request.body.decode())) for request in self.requests if request.url.endswith("/token")]


@dataclass
class MethodsFixture:
    """``web`` speaks HTTP as some user; ``ada`` administers applications at Entra, ``ben`` owns one, ``kim`` none."""

    web: ApiClient
    wire: RecordedTransport
    app: ApplicationHandle
    ada: str
    ben: str
    kim: str

    @property
    def world(self) -> World:
        return self.web.world

    @property
    def admin(self) -> Any:
        return self.world.emulator.admin

    def server_of(self, app: OAuthApp) -> Connections:
        """Return what a server with another OAuth application finds in this database."""
        world = self.world
        providers = Providers([AzureProvider(self.wire, world.clock, emulated_clouds(), ids=world.ids, oauth=app)])
        return build(world.database, world.sealer, providers, world.clock, world.ids, "global").connections

    def keep_alive(self, report: Callable[[str, KeyturnError], None] = lambda _id, _error: None) -> int:
        """Use the refresh tokens that are due, as a server with all the time in the world would; return how many it could."""
        world, done = self.world, 0
        while works := self._claimed(RefreshTokens(world.services.grants)):
            for work in works:
                try:
                    world.services.grants.refresh(work.id)
                    done += 1
                except KeyturnError as error:
                    report(work.id, error)
        return done

    def _claimed(self, source: RefreshTokens) -> list[Work]:
        now = self.world.clock.now()
        with self.world.database.write() as tx:
            return source.claim(tx, now, 1) if source.is_due(tx, now) else []

    def begin(self, name: str | None = "by-oauth", *, who: str | None = None, **form: Any) -> str:
        """Start a sign-in and return where the browser is sent."""
        body = {"tenantId": self.world.tenant_id, "name": name, **form}
        url: str = self.web.ask("POST", START, {k: v for k, v in body.items() if v is not None}, who=who)[
            "authorizeUrl"
        ]
        return url

    def walk(self, url: str, person: str | None = None, **how: bool) -> Json:
        """Sign in at Entra as a person would; return the query of the callback."""
        back = self.admin.authorize(url, user=person or self.ada, **how)
        assert back.startswith(f"{REDIRECT}?")
        query = dict(parse_qsl(urlsplit(back).query))
        self.web.secret_texts.update(query[name] for name in ("code", "state") if name in query)
        return query

    def finish(self, query: Json, *, expect: int = 200, who: str | None = None) -> Json:
        return self.web.ask("POST", FINISH, query, expect=expect, who=who)

    def connect(self, name: str = "by-oauth", person: str | None = None, **form: Any) -> Json:
        connection: Json = self.finish(self.walk(self.begin(name, **form), person))["appConnection"]
        return connection

    def code(
        self, person: str | None = None, *, tenant_id: str | None = None, scope: str | None = None, bare: bool = False
    ) -> str:
        """A code as a client of the API gets it, with a challenge and a nonce of its own; ``bare`` with neither."""
        tenant = tenant_id or self.world.tenant_id
        scope = scope or f"{HOST}/.default openid offline_access"
        url = (
            f"{HOST}/{tenant}/oauth2/v2.0/authorize?client_id={self.app.app_id}&response_type=code&response_mode=query"
            f"&redirect_uri={REDIRECT}&scope={scope.replace(' ', '%20')}&state=0123456789abcdef<:>azure-client-secrets"
        )
        if not bare:
            url += f"&code_challenge={challenge(Plaintext(VERIFIER))}&code_challenge_method=S256&nonce={NONCE}"
        query = self.walk(url, person)
        return str(query["code"])

    def with_code(self, code: str) -> Json:
        return {"tenantId": self.world.tenant_id, "code": code, "codeVerifier": VERIFIER, "nonce": NONCE}

    def by_code(self, code: str, name: str = "by-oauth", **changes: Any) -> Json:
        return {
            "name": name,
            "method": "oauth",
            "credentials": self.with_code(code),
            **changes,
        }

    def connection(self, connection: Json) -> Any:
        return self.world.connections.get(self.world.actor, connection["id"])

    def secrets(self) -> set[str]:
        return self.wire.tokens | {self.app.secrets[0].value}


def set_up(
    world: World,
    *,
    configured: bool = True,
    bare_codes: bool = False,
    audience: str = "AzureADMyOrg",
    sources: TokenSources | None = None,
) -> tuple[RecordedTransport, ApplicationHandle]:
    """Give the world's product an OAuth application, and a wire that remembers."""
    app = world.emulator.admin.create_application(
        world.tenant_id, "Keyturn", redirect_uris=(REDIRECT,), scopes=(WRITE_ALL,), secrets=1, audience=audience
    )
    wire = RecordedTransport(world.network("api"))
    ours = OAuthApp(app.app_id, Plaintext(app.secrets[0].value), REDIRECT) if configured else None
    azure = AzureProvider(
        wire, world.clock, emulated_clouds(), ids=world.ids, oauth=ours, bare_codes=bare_codes, sources=sources
    )
    world.services = build(world.database, world.sealer, Providers([azure]), world.clock, world.ids, "global")
    return wire, app
