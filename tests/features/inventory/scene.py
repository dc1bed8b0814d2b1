"""A tenant with applications of every kind, a connection that may read all of it, and a scan that is moved by hand."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections.domain import Connection
from keyturn.db.unit import Database
from keyturn.inventory.domain import InventoryFilter, Row
from keyturn.inventory.due import DueScans
from keyturn.inventory.list_store import Slice
from keyturn.inventory.plan import Phase
from keyturn.inventory.reading_tokens import ReadingTokens
from keyturn.inventory.scan import Scans
from keyturn.inventory.service import Inventories, TenantView
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.ports.provider import Tenant as EntraTenant
from keyturn.providers.azure.provider import AzureProvider
from keyturn_simulation.emulated import HOST, EmulatedTransport, emulated_clouds
from keyturn_simulation.world import World, make_world

READ_ALL = ("Application.Read.All",)
ADMINISTRATOR = ("Application.ReadWrite.All", "Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration")
OWNED = ("Application.ReadWrite.OwnedBy",)
DAY = 86_400.0


class Killed(BaseException):
    """What a process that is killed raises here: nobody handles it."""


@dataclass
class Line:
    """A transport that counts, and that may be cut, or kill whoever sends, after so many requests."""

    inner: Transport
    sent: list[str] = field(default_factory=list)
    kill_after: int | None = None

    def send(self, request: HttpRequest) -> HttpResponse:
        if self.kill_after is not None:
            if self.kill_after == 0:
                self.kill_after = None
                raise Killed
            self.kill_after -= 1
        self.sent.append(f"{request.method} {request.url}")
        return self.inner.send(request)

    def graph(self) -> list[str]:
        """What was asked of Graph."""
        return [each for each in self.sent if "/v1.0/" in each]


@dataclass
class Meanwhile:
    """A transport on which something happens while a request with these words is answered, once."""

    inner: Transport
    words: str
    happens: Callable[[], object]
    has_happened: bool = False

    def send(self, request: HttpRequest) -> HttpResponse:
        answer = self.inner.send(request)
        if self.words in request.url and not self.has_happened:
            self.has_happened = True
            self.happens()
        return answer


@dataclass
class Tenant:
    world: World
    line: Line
    reader: Connection
    source: DueScans = field(init=False)
    administrator: ApplicationHandle | None = None

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process: with nothing in memory."""
        world = self.world
        provider = AzureProvider(self.line, world.clock, emulated_clouds(), ids=world.ids)
        directories = {provider.manifest.app: provider.directory}
        scans = Scans(world.database, world.clock, world.ids, world.services.stored, directories, ReadingTokens())
        self.source = DueScans(scans)

    @property
    def inventories(self) -> Inventories:
        return Inventories(self.world.database, self.world.clock)

    def application(self, name: str, **changes: Any) -> ApplicationHandle:
        made = self.world.emulator.admin.create_application(self.world.tenant_id, name, **({"secrets": 0} | changes))
        self.world.applications[made.app_id] = made
        return made

    def administer(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Ask Graph something as an administrator, and return its answer."""
        world = self.world
        if self.administrator is None:
            self.administrator = self.application("Administrator", permissions=ADMINISTRATOR, secrets=1)
        transport = EmulatedTransport(world.emulator)
        provider = AzureProvider(transport, world.clock, emulated_clouds())
        (secret,) = self.administrator.secrets
        token = provider.sign_in(
            EntraTenant("global", world.tenant_id), self.administrator.app_id, Plaintext(secret.value)
        )
        headers = {"authorization": f"Bearer {token.value.reveal()}", "content-type": "application/json"}
        sent = b"" if body is None else json.dumps(body).encode()
        answer = transport.send(HttpRequest(method, f"{HOST}/v1.0/{path}", headers, sent, timedelta(seconds=10)))
        assert answer.status < 300, answer.body
        return json.loads(answer.body or b"null")

    def give_policy(self, application: ApplicationHandle, name: str, **restrictions: object) -> None:
        """Give an application a policy of its own."""
        made = {"displayName": name, "isEnabled": True, "restrictions": restrictions}
        policy = self.administer("POST", "policies/appManagementPolicies", made)
        reference = {"@odata.id": f"{HOST}/v1.0/policies/appManagementPolicies/{policy['id']}"}
        self.administer("POST", f"applications/{application.object_id}/appManagementPolicies/$ref", reference)

    def switch_on(self, connection: Connection | None = None) -> None:
        self.inventories.switch(self.world.actor, (connection or self.reader).id, on=True)

    def work(self) -> int:
        """Do what is due now, as the finder and the engine would; return how many pieces."""
        now, database = self.world.clock.now(), self.world.database
        with database.read() as tx:
            if not self.source.is_due(tx, now):
                return 0
        with database.write() as tx:
            works = self.source.claim(tx, now, 10)
        for work in works:
            self.source.do(work.id)
        return len(works)

    def read(self, seconds: float = 4 * 3600.0, step: float = 5.0) -> TenantView:
        """Let time pass until the tenant is read to its end."""
        for _ in range(int(seconds / step)):
            while self.work():
                pass
            view = self.view()
            if view is not None and view.inventory.phase is Phase.REST and not view.inventory.trouble:
                return view
            self.world.clock.advance(step)
        raise AssertionError(f"not read to its end: {self.view()}")

    def view(self) -> TenantView | None:
        return next(iter(self.inventories.tenants(self.world.actor)), None)

    def rows(self, **criteria: Any) -> list[Row]:
        view = self.view()
        assert view is not None
        page = self.inventories.page(self.world.actor, view.inventory.id, InventoryFilter(**criteria), Slice(limit=500))
        assert page.total == len(page.rows)
        return list(page.rows)

    def pass_time(self, hours: float) -> None:
        """Let hours pass, doing what comes due."""
        end = self.world.clock.now() + timedelta(hours=hours)
        while self.world.clock.now() < end:
            while self.work():
                pass
            self.world.clock.advance(60)


@contextmanager
def tenant(database: Database, permissions: tuple[str, ...] = READ_ALL) -> Iterator[Tenant]:
    world = make_world(seed=11, database=database)
    line = Line(EmulatedTransport(world.emulator, guard=world.guard, elapse=world.clock.advance))
    handle = world.emulator.admin.create_application(world.tenant_id, "Reader", permissions=permissions)
    world.applications[handle.app_id] = handle
    reader = world.connect("reader", handle, rotate=False)
    yield Tenant(world, line, reader)


__all__ = ["DAY", "OWNED", "READ_ALL", "Killed", "Meanwhile", "Tenant", "TransportFailed", "tenant"]
