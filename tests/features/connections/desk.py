"""A client of the routes of app connections, and what tests ask of what it left behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import event

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.api.connections.routes import router
from keyturn.api.rotations import application_routes
from keyturn.errors import TokenRefused
from keyturn.kit.actor import Actor, Role
from keyturn.settings.model import Settings
from keyturn.web.routes import Routes
from keyturn.web.server.app import build
from keyturn_simulation.world import World
from tests.client import Client
from tests.databases import rows_by_table
from tests.features.accounts.people import join, machine, organization, person, project

Json = dict[str, Any]

ALL = "/api/v1/app-connections"
ROOT = f"{ALL}/azure-client-secrets"
NOBODY = "00000000-0000-4000-8000-000000000000"
_WRITES = {"addPassword", "removePassword", "addKey", "removeKey"}
WEEKLY: Json = {"rotationInterval": 7, "rotateAtUtc": {"hours": 2, "minutes": 15}}


@dataclass
class ApiClient:
    """A client, signed in as ``who``. ``answers`` keeps everything that was ever answered."""

    world: World
    client: Client
    actors: dict[str, Actor]
    project_id: str
    who: str = "admin"
    answers: list[str] = field(default_factory=list)
    secret_texts: set[str] = field(default_factory=set)

    def ask(
        self, method: str, path: str, body: object = None, *, expect: int = 200, who: str | None = None, **query: Any
    ) -> Json:
        """Send a request and return the decoded answer, which has the status expected."""
        self.world.collect_values()
        self._note_secret(body)
        name = self.who if who is None else who
        headers = {"authorization": f"Bearer {name}"} if name else {}
        url = path if path.startswith("/") else f"{ROOT}/{path}" if path else ROOT
        answer = self.client.request(method, url, json=body, headers=headers, params=query or None)
        self.answers.append(f"{answer.headers} {answer.text}")
        assert answer.status_code == expect, answer.text
        assert answer.headers["content-type"] == "application/json"
        decoded: Json = answer.json()
        return decoded

    def _note_secret(self, body: object) -> None:
        """Remember what was sent as a secret, however wrong: it is not to be repeated either."""
        credentials = body.get("credentials") if isinstance(body, dict) else None
        text = credentials.get("clientSecret") if isinstance(credentials, dict) else None
        if isinstance(text, str) and len(text.strip()) > 8:
            self.secret_texts.add(text.strip())

    def secrets(self) -> set[str]:
        return self.world.values_ever_issued() | self.secret_texts

    # --- what is sent -------------------------------------------------------------------------------------------------

    def credentials(self, application: ApplicationHandle | None = None, **changes: Any) -> Json:
        """What a user copies from the portal for the application's first secret."""
        supplied = self.world.first_secret(application)
        fields = {
            "tenantId": supplied.tenant_id,
            "clientId": supplied.client_id,
            "clientSecret": supplied.secret.reveal(),
        }
        return fields | changes

    def body(self, name: str = "prod-entra", **changes: Any) -> Json:
        return {"name": name, "method": "client-secret", "credentials": self.credentials(), **changes}

    def create(self, name: str = "prod-entra", *, who: str | None = None, **changes: Any) -> Json:
        connection: Json = self.ask("POST", "", self.body(name, **changes), who=who)["appConnection"]
        return connection

    def create_rotating(self, name: str = "prod-entra", *, rotation: Json = WEEKLY, **changes: Any) -> Json:
        return self.create(name, isAutoRotationEnabled=True, rotation=rotation, **changes)

    def get(self, connection: Json) -> Json:
        connection_view: Json = self.ask("GET", connection["id"])["appConnection"]
        return connection_view

    def change(self, connection: Json, **changes: Any) -> Json:
        changed: Json = self.ask("PATCH", connection["id"], changes)["appConnection"]
        return changed

    def refused(self, body: Json, status: int = 422, *, method: str = "POST", path: str = "") -> Json:
        """Send what must be refused, and make sure that nothing came of it: no row anywhere, no secret at Entra."""
        before = self.remains()
        answer = self.ask(method, path, body, expect=status)
        assert self.remains() == before
        return answer

    def issues(self, body: Json, *, method: str = "POST", path: str = "") -> dict[tuple[str | int, ...], str]:
        """Send a request of the wrong shape; return the sentences by path."""
        before = self.world.emulator.ledger
        count = len(before)
        answer = self.refused(body, 422, method=method, path=path)
        assert answer["error"] == "ValidationFailure"
        assert len(before) == count, "something was sent to the provider"
        return {tuple(issue["path"]): issue["message"] for issue in answer["message"]}

    # --- what is left -------------------------------------------------------------------------------------------------

    def remains(self) -> Json:
        """Rows by table, and the writes that Entra saw."""
        with self.world.database.read() as tx:
            rows = rows_by_table(tx)
        writes = [entry for entry in self.world.emulator.ledger if entry.operation in _WRITES]
        return rows | {"writes at Entra": len(writes)}


def connection_routes(world: World, oauth_client_id: str | None = None) -> Routes:
    use_cases = world.services
    applications = application_routes.router(use_cases.applications, world.clock)
    return applications + router(
        use_cases.connections,
        use_cases.rotations,
        use_cases.sign_ins,
        use_cases.tests,
        use_cases.history,
        use_cases.removals,
        use_cases.overviews,
        use_cases.providers,
        use_cases.approvals,
        use_cases.conversions,
        use_cases.change_previews,
        oauth_client_id=oauth_client_id,
        clock=world.clock,
    )


@contextmanager
def desk(world: World, folder: Path, *, oauth_client_id: str | None = None) -> Iterator[ApiClient]:
    """Serve the routes to callers of every kind; their tokens are their names."""
    actors, project_id = _people(world)

    def authenticate(token: str, _ip: str) -> Actor:
        if token not in actors:
            raise TokenRefused("token malformed", code="token.malformed")
        return actors[token]

    routes = connection_routes(world, oauth_client_id)
    settings = Settings(data_dir=folder, database_url="sqlite://")
    app = build([routes], authenticate=authenticate, settings=settings, clock=world.clock, ids=world.ids)
    with Client(app) as client:
        yield ApiClient(world, client, actors, project_id)


def _people(world: World) -> tuple[dict[str, Actor], str]:
    database, home = world.database, world.actor.org_id
    elsewhere = organization(database, "elsewhere")
    actors = {
        "admin": world.actor,
        "member": person(database, home, Role.MEMBER, "mia@contoso.test"),
        "viewer": person(database, home, Role.VIEWER, "vic@contoso.test"),
        "robot": machine(database, home, Role.ADMIN),
        "stranger": person(database, elsewhere, Role.ADMIN, "sam@elsewhere.test"),
    }
    project_id = project(database, home)
    for name, role in (("project-admin", Role.ADMIN), ("project-member", Role.MEMBER), ("project-viewer", Role.VIEWER)):
        actors[name] = person(database, home, Role.VIEWER, f"{name}@contoso.test")
        join(database, actors[name], project_id, role)
    return actors, project_id


@contextmanager
def statements(web: ApiClient) -> Iterator[list[str]]:
    """The SQL statements that the server sends meanwhile, in their order."""
    texts: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN", "COMMIT")):
            texts.append(statement)

    event.listen(web.world.database.engine, "before_cursor_execute", note)
    try:
        yield texts
    finally:
        event.remove(web.world.database.engine, "before_cursor_execute", note)
