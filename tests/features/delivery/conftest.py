"""The routes that wait for changes, with real access tokens, and a clock that nobody waits for."""

import asyncio
import json
import queue
import secrets as secrets_of_python
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from keyturn.api.events import routes as event_routes
from keyturn.api.folders import routes as folder_routes
from keyturn.api.secrets import routes as secret_routes
from keyturn.api.secrets.promises import Promises
from keyturn.api.webhooks import routes as webhook_routes
from keyturn.changes import store as feed
from keyturn.changes.counters import Counters
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.unit import Database
from keyturn.delivery.events import EventStreams
from keyturn.delivery.watch import LONGEST_SPREAD, ChangeWatch
from keyturn.delivery.webhooks import Webhooks
from keyturn.kit.actor import Actor, Role
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Plaintext
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn.secrets.domain import Address, NewSecret
from keyturn.secrets.folders import Folders
from keyturn.secrets.service import Secrets
from keyturn.settings.model import Settings
from keyturn.tokens.domain import TokenRules
from keyturn.tokens.service import AccessTokens
from keyturn.web.server.app import build
from keyturn_simulation.world import ROOT_KEY, World, make_world
from tests.client import BASE_URL, Client, loop, scope_of
from tests.databases import database_of_kind
from tests.features.accounts.people import join, machine, person

LIST = "/api/v4/secrets"
EVENTS = "/api/v1/delivery/events"
PATIENCE = 30


@dataclass
class Timers:
    """Timers of the loop that ring when the test says so: those that are due at the latest after so many seconds."""

    _set: list["Timer"] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def later(self, seconds: float, call: Callable[[], object]) -> "Timer":
        timer = Timer(seconds, call, asyncio.get_running_loop())
        with self._lock:
            self._set.append(timer)
        return timer

    def pending(self) -> list[float]:
        with self._lock:
            self._set = [each for each in self._set if not each.over]
            return sorted(each.seconds for each in self._set)

    def ring(self, up_to: float) -> None:
        with self._lock:
            due = [each for each in self._set if not each.over and each.seconds <= up_to]
        for each in due:
            each.over = True
            each.loop.call_soon_threadsafe(each.call)


@dataclass
class Timer:
    seconds: float
    call: Callable[[], object]
    loop: asyncio.AbstractEventLoop
    over: bool = False

    def cancel(self) -> None:
        self.over = True


class Stream:
    """A stream of server-sent events that is read event by event. ``events`` are those so far, each as its fields."""

    def __init__(self, application: Any, request: httpx.Request, timers: Timers) -> None:
        self._timers = timers
        self._parts: queue.Queue[bytes | None] = queue.Queue()
        self._leaving = asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.events: list[dict[str, str]] = []
        body = request.read()
        self._done = asyncio.run_coroutine_threadsafe(self._run(application, request, body), loop())

    async def _run(self, application: Any, request: httpx.Request, body: bytes) -> None:
        arriving = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            message = next(arriving, None)
            if message is None:
                await self._leaving.wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status, self.headers = message["status"], dict(message["headers"])
            elif message["body"]:
                self._parts.put(message["body"])

        await application(scope_of(request), receive, send)
        self._parts.put(None)

    def next(self) -> dict[str, str] | None:
        """Return the next event as its fields; None when the stream has ended. Those who are woken later are woken now."""
        for _ in range(PATIENCE * 20):
            self._timers.ring(up_to=LONGEST_SPREAD)
            with suppress(queue.Empty):
                part = self._parts.get(timeout=0.05)
                if part is None:
                    return None
                event = dict(line.split(": ", 1) for line in part.decode().strip().split("\n"))
                self.events.append(event)
                return event
        raise AssertionError(f"nothing came after {self.events}")

    def change(self) -> Any:
        """Return the data of the next event, which is a change."""
        event = self.next()
        assert event is not None
        assert event.get("event", "change") == "change", event
        return json.loads(event["data"])

    def leave(self) -> None:
        loop().call_soon_threadsafe(self._leaving.set)
        self._done.result(PATIENCE)


@dataclass
class Waiting:
    """A server with one project, whose callers are named: admin, member, viewer and robot."""

    world: World
    client: Client
    secrets: Secrets
    folders: Folders
    projects: Projects
    tokens: AccessTokens
    actors: dict[str, Actor]
    project_id: str
    counters: Counters
    watch: ChangeWatch
    timers: Timers
    bearers: dict[str, Plaintext]
    application: Any = None

    def token(self, who: str, **rules: Any) -> str:
        with self.world.database.write() as tx:
            issued = self.tokens.issue(
                tx, self.actors[who], TokenRules(**{"ttl": 3600, "max_ttl": 0} | rules), self.now
            )
        return issued.token.reveal()

    @property
    def now(self) -> Any:
        return self.world.clock.now()

    def put(self, name: str, value: str = "a value", path: str = "/", who: str = "admin") -> None:
        where = Address(self.project_id, None, "dev", path)
        self.secrets.create(self.actors[who], where, NewSecret(name, Plaintext(value)))

    def get(self, url: str, *, token: str | None = None, etag: str | None = None, **query: Any) -> Any:
        headers = {"authorization": f"Bearer {token or self.bearers['member'].reveal()}"}
        headers |= {"if-none-match": etag} if etag else {}
        where = {"projectId": self.project_id, "environment": "dev", "secretPath": "/"}
        return self.client.get(url, params=where | query, headers=headers)

    def send(self, url: str, **query: Any) -> "Future[Any]":
        """Send a request in another thread."""
        answer = Future[Any]()

        def run() -> None:
            try:
                answer.set_result(self.get(url, **query))
            except Exception as error:  # noqa: BLE001 - it is the answer
                answer.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return answer

    def begin(self, url: str, **query: Any) -> "Future[Any]":
        """Send a request in another thread, and return once it waits."""
        before = self.watch.waiting
        answer = self.send(url, **query)
        self.until(lambda: self.watch.waiting > before or answer.done())
        return answer

    def woken(self, answer: "Future[Any] | None") -> None:
        """Let those who are woken by a change have their turn, until this one is answered or nobody has one any more."""
        self.until(lambda: self.counters.revision(self.project_id) in {None, self.revision()})

        def over() -> bool:
            self.timers.ring(up_to=LONGEST_SPREAD)
            return answer.done() if answer else min(self.timers.pending(), default=0) > LONGEST_SPREAD

        self.until(over)

    def revision(self) -> int:
        with self.world.database.read() as tx:
            return feed.revision(tx, self.project_id)

    def stream(self, method: str = "GET", url: str = EVENTS, *, token: str | None = None, **more: Any) -> "Stream":
        """Open a stream of changes, and return it once its first event is there."""
        headers = {"authorization": f"Bearer {token or self.bearers['member'].reveal()}", **more.pop("headers", {})}
        query = {"projectId": self.project_id} | more.pop("query", {}) if method == "GET" else None
        request = httpx.Request(method, f"{BASE_URL}{url}", params=query, headers=headers, **more)
        opened = Stream(self.application, request, self.timers)
        opened.next()
        return opened

    @staticmethod
    def until(true: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(PATIENCE * 100):
            if true():
                return
            pause.wait(0.01)
        raise AssertionError("it did not come")


@contextmanager
def waiting_on(database: Database, folder: Path, most: int = 100) -> Iterator[Waiting]:
    world = make_world(database)
    home = world.actor.org_id
    projects = Projects(database, world.clock, world.ids)
    secrets = Secrets(database, world.sealer, world.clock, world.ids)
    admin = person(database, home, Role.ADMIN, "admin@contoso.test")
    project = projects.create(admin, NewProject(name="Payments", slug="payments"))
    actors = {"admin": admin, "robot": machine(database, home, Role.NO_ACCESS)}
    for name in ("member", "viewer"):
        actors[name] = person(database, home, Role.NO_ACCESS, f"{name}@contoso.test")
        join(database, actors[name], project.id, Role(name))
    join(database, actors["robot"], project.id, Role.VIEWER)
    tokens = AccessTokens(database, world.clock, SystemIds(), secrets_of_python.token_bytes)
    timers, counters = Timers(), Counters(database)
    watch = ChangeWatch(database, world.clock, counters, most=most, later=timers.later)
    digests = KeyringDigests(Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), world.clock))
    app = build(
        [
            secret_routes.router(secrets, digests, watch, Promises(database, world.clock, world.ids.jitter)),
            folder_routes.router(secrets.folders),
            event_routes.router(EventStreams(database, watch)),
            webhook_routes.router(Webhooks(database, world.sealer, world.clock, SystemIds())),
        ],
        authenticate=tokens.authenticate,
        settings=Settings(data_dir=folder, database_url="sqlite://"),
        clock=world.clock,
        ids=world.ids,
        closers=(counters.stop,),
    )
    with Client(app) as client:
        place = Waiting(
            world,
            client,
            secrets,
            secrets.folders,
            projects,
            tokens,
            actors,
            project.id,
            counters,
            watch,
            timers,
            {},
            app,
        )
        place.bearers = {who: Plaintext(place.token(who, ttl=0)) for who in actors}
        yield place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Waiting]:
    with database_of_kind("sqlite", tmp_path) as database, waiting_on(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def place_on_both(database: Database, tmp_path: Path) -> Iterator[Waiting]:
    with waiting_on(database, tmp_path) as opened:
        yield opened
