"""Servers of one database whose short way is open: real tokens, a clock that is moved, and looks that are asked for."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Leavers
from keyturn.api.identities import routes as identity_routes
from keyturn.api.people import routes as people_routes
from keyturn.api.projects import members as member_routes
from keyturn.api.projects import roles as role_routes
from keyturn.api.projects import routes as project_routes
from keyturn.api.secret_imports import routes as import_routes
from keyturn.api.secrets import routes as secret_routes
from keyturn.api.secrets.hot import HotSecrets, Learner
from keyturn.api.secrets.promises import Promises
from keyturn.api.tags import routes as tag_routes
from keyturn.api.token_auths import routes as token_auth_routes
from keyturn.changes.counters import Counters
from keyturn.crypto.hashing import Hasher
from keyturn.crypto.keyring import Keyring, KeyringDigests, KeyringSealer
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.engine import open_engine
from keyturn.db.unit import Database
from keyturn.delivery.hot_reads import HotReads
from keyturn.delivery.reads import GroupedReadAudit
from keyturn.delivery.watch import ChangeWatch
from keyturn.kit.actor import Actor
from keyturn.kit.clock import MovableClock
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Plaintext
from keyturn.projects.service import Projects
from keyturn.rotations.promises import Promise
from keyturn.secrets.service import Secrets
from keyturn.settings.model import Settings
from keyturn.web.ratelimit import Limiter
from keyturn.web.server.app import build
from tests.client import Client
from tests.databases import with_chain_key
from tests.features.accounts.people import START
from tests.features.delivery.conftest import Timers

Json = dict[str, Any]
V3, V4 = "/api/v3/secrets/raw", "/api/v4/secrets"
ROOT = RootKeys(RootKey(bytes(32)))


class AskedCounters(Counters):
    """Looks when this process has written, and when a test asks for it."""

    def __init__(self, database: Database, monotonic: Any) -> None:
        super().__init__(database, monotonic)
        self._loop.nudge = self.look  # type: ignore[method-assign, assignment]

    def start(self) -> None:
        """Begin no thread."""


@dataclass
class HotServer:
    """One process. ``long`` counts the requests that went the long way."""

    database: Database
    counters: Counters
    reads: GroupedReadAudit
    access: Access
    watch: ChangeWatch
    timers: Timers
    client: Client
    long: int = 0

    def send(self, method: str, url: str, token: str, body: object = None, **headers: str) -> Any:
        more = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.client.request(method, url, json=body, headers={"authorization": f"Bearer {token}", **more})

    def begin(self, url: str, token: str, **headers: str) -> "Future[Any]":
        """Ask in another thread, and return once the request waits."""
        before, answer = self.watch.waiting, Future[Any]()

        def ask() -> None:
            try:
                answer.set_result(self.send("GET", url, token, **headers))
            except Exception as error:  # noqa: BLE001 - it is the answer
                answer.set_exception(error)

        threading.Thread(target=ask, daemon=True).start()
        until = time.monotonic() + 30
        while self.watch.waiting == before and not answer.done():
            assert time.monotonic() < until
            time.sleep(0.002)
        return answer

    def is_hot(self, url: str, token: str, **headers: str) -> tuple[bool, Any]:
        """Ask, and say whether the answer came the short way."""
        before = self.long
        answer = self.send("GET", url, token, **headers)
        return self.long == before, answer


@dataclass
class HotDesk:
    """``one`` and ``other`` are two servers of one database; ``admin`` is the token of one who may everything."""

    clock: MovableClock
    one: HotServer
    other: HotServer
    admin: str
    project_id: str
    seconds: list[float] = field(default_factory=lambda: [1000.0])

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.seconds[0] += seconds

    def ask(self, method: str, url: str, body: object = None) -> Json:
        answer = self.one.send(method, url, self.admin, body)
        assert answer.status_code == 200, answer.text
        decoded: Json = answer.json()
        return decoded

    def put(self, name: str, value: str, method: str = "POST", **more: Any) -> Json:
        body = {"workspaceId": self.project_id, "environment": "dev", "secretValue": value, **more}
        secret: Json = self.ask(method, f"{V3}/{name}", body)["secret"]
        return secret

    def url(self, name: str = "", root: str = V3, **query: str) -> str:
        more = "".join(f"&{key}={text}" for key, text in query.items())
        return f"{root}{'/' if name else ''}{name}?workspaceId={self.project_id}&environment=dev{more}"

    def robot(self, role: str = "member") -> Json:
        """Add a machine identity to the project; return it with its id, membership and the parts of signing in."""
        org = self.ask("GET", "/api/v1/projects")["projects"][0]["orgId"]
        body = {"name": "robot", "organizationId": org, "role": "no-access"}
        identity_id = self.ask("POST", "/api/v1/identities", body)["identity"]["id"]
        client_id = self.ask("POST", f"/api/v1/auth/universal-auth/identities/{identity_id}", {})[
            "identityUniversalAuth"
        ]["clientId"]
        secret = self.ask("POST", f"/api/v1/auth/universal-auth/identities/{identity_id}/client-secrets", {})
        self.ask("POST", f"/api/v2/workspace/{self.project_id}/identity-memberships/{identity_id}", {"role": role})
        return {"id": identity_id, "clientId": client_id, "clientSecret": secret["clientSecret"]}

    def sign_in(self, robot: Json) -> str:
        body = {"clientId": robot["clientId"], "clientSecret": robot["clientSecret"]}
        answer = self.one.client.post("/api/v1/auth/universal-auth/login", json=body)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["accessToken"]
        return token

    def warm(self, server: HotServer, url: str, token: str) -> Any:
        """Ask until the answer comes the short way; return that one."""
        for _ in range(4):
            hot, answer = server.is_hot(url, token)
            if hot:
                return answer
            server.counters.look()
        raise AssertionError(f"{url} stays on the long way: {answer.text}")


@contextmanager
def hot_desk(database: Database, folder: Path, kind: type[Counters] = AskedCounters) -> Iterator[HotDesk]:
    """``kind`` is that of the counters: ``Counters`` themselves look by the real clock."""
    clock, seconds = MovableClock(START), [1000.0]
    monotonic = [lambda: seconds[0]] if kind is AskedCounters else []
    with ExitStack() as stack:
        elsewhere = with_chain_key(Database(open_engine(database.engine.url)), begun=True)
        stack.callback(elsewhere.close)
        one, other = (
            stack.enter_context(_server(each, kind(each, *monotonic), clock, folder)) for each in (database, elsewhere)
        )
        first = one.access.bootstrap("ada@contoso.test", Plaintext("vellum-orbit-pickle-94"), "Contoso")
        desk = HotDesk(clock, one, other, first.token.reveal(), "", seconds)
        desk.project_id = desk.ask("POST", "/api/v1/projects", {"projectName": "Payments"})["project"]["id"]
        for server in (one, other):
            server.counters.look()
        yield desk


@contextmanager
def _server(database: Database, counters: Counters, clock: MovableClock, folder: Path) -> Iterator[HotServer]:
    ids, keyring = SystemIds(), Keyring.open(database, GivenRoot(ROOT), clock)
    sealer, digests, hasher = KeyringSealer(keyring), KeyringDigests(keyring), Hasher(memory_kib=8, passes=1)
    access = Access(database, clock, ids, hasher, sealer=sealer, digests=digests)
    projects, reads = Projects(database, clock, ids), GroupedReadAudit(database, clock, ids)
    secrets = Secrets(database, sealer, clock, ids, reads)
    hot: HotReads[Promise] = HotReads(database, clock, counters)
    limiter = Limiter(clock, per_minute=1000)
    promises = Promises(database, clock, lambda: 0.5)
    learner = Learner(hot, secrets.reader, sealer)
    timers = Timers()
    watch = ChangeWatch(database, clock, counters, later=timers.later)
    routes = [
        people_routes.login_router(access, limiter, limiter),
        people_routes.users_router(access, limiter, Leavers(database, clock)),
        identity_routes.identities_router(access),
        identity_routes.universal_router(access),
        *token_auth_routes.method_routers(access),
        project_routes.projects_router(projects),
        project_routes.environments_router(projects),
        member_routes.identity_members_router(projects),
        member_routes.people_router(projects),
        role_routes.roles_router(projects),
        secret_routes.router(secrets, digests, watch, promises, learner),
        tag_routes.router(secrets.tags),
        import_routes.router(secrets.imports),
    ]

    def authenticate(token: str, ip: str) -> Actor:
        server.long += 1
        return access.authenticate(token, ip)

    app = build(
        routes,
        authenticate=authenticate,
        settings=Settings(data_dir=folder, database_url="sqlite://"),
        clock=clock,
        ids=ids,
        closers=(lambda: counters.stop(timedelta(seconds=5)), reads.close),
        known_answers=HotSecrets(hot, reads, promises, watch),
    )
    with Client(app) as client:
        server = HotServer(database, counters, reads, access, watch, timers, client)
        yield server
