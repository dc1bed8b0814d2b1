"""A client of the routes of secrets, and what tests ask of what it left behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keyturn.api.audit import routes as audit_routes
from keyturn.api.folders import routes as folder_routes
from keyturn.api.projects import members as member_routes
from keyturn.api.projects import roles as role_routes
from keyturn.api.projects import routes as project_routes
from keyturn.api.secret_imports import routes as import_routes
from keyturn.api.secrets import past_routes
from keyturn.api.secrets import routes as secret_routes
from keyturn.api.secrets.promises import Promises
from keyturn.api.tags import routes as tag_routes
from keyturn.audit.checks import ChainChecks
from keyturn.audit.service import AuditTrail
from keyturn.changes import store as feed
from keyturn.changes.counters import Counters
from keyturn.changes.domain import Change
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.tables import audit_events, metadata
from keyturn.db.unit import Database
from keyturn.delivery.reads import GroupedReadAudit
from keyturn.delivery.watch import ChangeWatch
from keyturn.errors import TokenRefused
from keyturn.kit.actor import Actor, Role
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn.secrets.service import Secrets
from keyturn.settings.model import Settings
from keyturn.web.server.app import Application, build
from keyturn_simulation.world import ROOT_KEY, World, make_world
from tests.client import Client
from tests.databases import rows_by_table
from tests.features.accounts.people import join, machine, organization, person

Json = dict[str, Any]

V3 = "/api/v3/secrets/raw"
V4 = "/api/v4/secrets"
LEAST_CANARY = 8
"""Shorter values are found anywhere by chance."""


@dataclass
class SecretsClient:
    """A client, signed in as ``who``. Callers: admin, member, viewer of the project, robot, nobody (of no project), stranger."""

    world: World
    client: Client
    secrets: Secrets
    projects: Projects
    actors: dict[str, Actor]
    project: Json
    application: Application
    reads: GroupedReadAudit
    who: str = "member"
    canaries: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)

    def ask(
        self, method: str, url: str, body: object = None, /, *, expect: int = 200, who: str | None = None, **query: Any
    ) -> Json:
        """Send a request and return the decoded answer, which has the status expected."""
        self._note_typed(body)
        answer = self.send(method, url, body, who=who, **query)
        if answer.status_code >= 400:
            self.refusals.append(answer.text)
        assert answer.status_code == expect, answer.text
        assert answer.headers["content-type"] == "application/json"
        decoded: Json = answer.json()
        return decoded

    def send(
        self,
        method: str,
        url: str,
        body: object = None,
        /,
        *,
        who: str | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """Send a request and return the whole answer."""
        bearer = {"authorization": f"Bearer {who or self.who}", **(headers or {})}
        return self.client.request(method, url, json=body, headers=bearer, params=query or None)

    def _note_typed(self, body: object) -> None:
        for each in [body, *(body.get("secrets", []) if isinstance(body, dict) else [])]:
            value = each.get("secretValue") if isinstance(each, dict) else None
            if isinstance(value, str) and len(value) >= LEAST_CANARY:
                self.canaries.add(value)

    # --- what clients send --------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        project_id: str = self.project["id"]
        return project_id

    def at(self, environment: str = "dev", path: str | None = None, **more: Any) -> Json:
        """The keys with which older clients say where."""
        where = {"workspaceId": self.id, "environment": environment, **more}
        return where if path is None else where | {"secretPath": path}

    def put(self, name: str, value: str, *, environment: str = "dev", path: str = "/", **more: Any) -> Json:
        """Add a secret."""
        body = self.at(environment, path, secretValue=value, **more)
        secret: Json = self.ask("POST", f"{V3}/{name}", body)["secret"]
        return secret

    def get(self, name: str, environment: str = "dev", path: str = "/", **query: Any) -> Json:
        secret: Json = self.ask("GET", f"{V3}/{name}", **self.at(environment, path), **query)["secret"]
        return secret

    def listed(self, environment: str = "dev", path: str = "/", **query: Any) -> list[Json]:
        secrets: list[Json] = self.ask("GET", V3, **self.at(environment, path), **query)["secrets"]
        return secrets

    def values(self, environment: str = "dev", path: str = "/", **query: Any) -> Json:
        return {secret["secretKey"]: secret["secretValue"] for secret in self.listed(environment, path, **query)}

    def folder(self, path: str, environment: str = "dev") -> Json:
        parent, _, name = path.rpartition("/")
        body = {"workspaceId": self.id, "environment": environment, "path": parent or "/", "name": name}
        folder: Json = self.ask("POST", "/api/v1/folders", body)["folder"]
        return folder

    def folders(self, **query: Any) -> list[Json]:
        answer = self.send("GET", "/api/v1/folders", workspaceId=self.id, environment="dev", **query)
        assert answer.status_code == 200, answer.text
        folders: list[Json] = answer.json()["folders"]
        return folders

    # --- what is left -------------------------------------------------------------------------------------------------

    def feed(self) -> list[tuple[int, Change]]:
        with self.world.database.read() as tx:
            return list(feed.since(tx, self.id, 0, 10_000))

    def trail(self, *names: str) -> list[Json]:
        """The facts of the events with these names, oldest first."""
        query = sa.select(audit_events).where(audit_events.c.event.in_(names)).order_by(audit_events.c.id)
        with self.world.database.read() as tx:
            return [{"event": row["event"], "actor": row["actor_id"], **row["data"]} for row in tx.rows(query)]

    def counts(self) -> Json:
        with self.world.database.read() as tx:
            return rows_by_table(tx)

    def everything_stored(self) -> str:
        with self.world.database.engine.connect() as connection:
            return "\n".join(
                str(tuple(row))
                for table in metadata.sorted_tables
                for row in connection.exec_driver_sql(f'SELECT * FROM "{table.name}"')
            )


@contextmanager
def desk(database: Database, folder: Path) -> Iterator[SecretsClient]:
    """Serve the routes to callers of every kind; their tokens are their names."""
    world = make_world(database)
    home = world.actor.org_id
    projects = Projects(database, world.clock, world.ids)
    reads = GroupedReadAudit(database, world.clock, world.ids)
    secrets = Secrets(database, world.sealer, world.clock, world.ids, reads)
    admin = person(database, home, Role.ADMIN, "admin@contoso.test")
    project = projects.create(admin, NewProject(name="Payments", slug="payments"))
    actors = {
        "admin": admin,
        "robot": machine(database, home, Role.NO_ACCESS),
        "nobody": person(database, home, Role.MEMBER, "nobody@contoso.test"),
        "stranger": person(database, organization(database, "elsewhere"), Role.ADMIN, "sam@elsewhere.test"),
    }
    for name in ("member", "other", "viewer"):
        actors[name] = person(database, home, Role.NO_ACCESS, f"{name}@contoso.test")
        join(database, actors[name], project.id, Role.VIEWER if name == "viewer" else Role.MEMBER)
    join(database, actors["robot"], project.id, Role.MEMBER)

    def authenticate(token: str, _ip: str) -> Actor:
        if token not in actors:
            raise TokenRefused("token malformed", code="token.malformed")
        return replace(actors[token], at=world.clock.now())

    counters = Counters(database)
    watch = ChangeWatch(database, world.clock, counters)
    digests = KeyringDigests(Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), world.clock))
    routes = [
        secret_routes.router(secrets, digests, watch, Promises(database, world.clock, world.ids.jitter)),
        past_routes.router(secrets.past),
        folder_routes.router(secrets.folders),
        tag_routes.router(secrets.tags),
        import_routes.router(secrets.imports),
        project_routes.projects_router(projects),
        project_routes.environments_router(projects),
        member_routes.identity_members_router(projects),
        member_routes.people_router(projects),
        role_routes.roles_router(projects),
        audit_routes.router(AuditTrail(database), ChainChecks(database, world.clock)),
    ]
    settings = Settings(data_dir=folder, database_url="sqlite://")
    app = build(
        routes,
        authenticate=authenticate,
        settings=settings,
        clock=world.clock,
        ids=world.ids,
        closers=(counters.stop, reads.close),
    )
    with Client(app) as client:
        project_view = {"id": project.id, "slug": project.slug}
        yield SecretsClient(world, client, secrets, projects, actors, project_view, app, reads)
