"""A client of the routes of secret rotations, over a whole product in process whose clock moves while a request waits."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.api.approvals import routes as approval_routes
from keyturn.api.deletions import routes as deletion_routes
from keyturn.api.delivery import read_routes, use_routes
from keyturn.api.folders import routes as folder_routes
from keyturn.api.freezes import routes as freeze_routes
from keyturn.api.projects import routes as project_routes
from keyturn.api.rotations import routes as rotation_routes
from keyturn.api.secrets import routes as secret_routes
from keyturn.api.secrets.promises import Promises
from keyturn.changes.counters import Counters
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.unit import Database
from keyturn.delivery import use
from keyturn.delivery.reads import GroupedReadAudit
from keyturn.delivery.use_service import Acknowledgements
from keyturn.delivery.watch import ChangeWatch
from keyturn.errors import TokenRefused
from keyturn.kit.actor import Actor, Role
from keyturn.kit.secret import Plaintext
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn.rotations import guards
from keyturn.secrets.restoring import Restoring
from keyturn.secrets.service import Secrets
from keyturn.settings.model import Settings
from keyturn.web.server.app import build
from keyturn_simulation.world import ROOT_KEY, World, make_world
from tests.client import Client
from tests.databases import rows_by_table
from tests.features.accounts.people import join, machine, organization, person
from tests.features.connections.desk import connection_routes

Json = dict[str, Any]

ALL = "/api/v2/secret-rotations"
ROOT = f"{ALL}/azure-client-secret"
CONNECTIONS = "/api/v1/app-connections/azure-client-secrets"
NOBODY = "00000000-0000-4000-8000-000000000000"
WRITE_ALL = ("Application.ReadWrite.All",)
_WRITES = {"addPassword", "removePassword"}
_OF_VALUES = ("/secrets/raw", "/v4/secrets", "/generated-credentials")
"""Parts of the addresses of answers that hold values of secrets."""


@dataclass
class RotationClient:
    """A client, signed in as ``who``: admin, member or viewer of the project, robot (a member), nobody, or a stranger.

    The colleague is a member of the project and of the organization, whose connections they may use and not edit.
    """

    world: World
    client: Client
    actors: dict[str, Actor]
    project: str
    connection: str
    application: ApplicationHandle
    who: str = "admin"
    answers: list[str] = field(default_factory=list)

    def ask(
        self,
        method: str,
        url: str,
        body: object = None,
        /,
        *,
        expect: int = 200,
        who: str | None = None,
        sends: dict[str, str] | None = None,
        **query: Any,
    ) -> Json:
        """Send a request and return the decoded answer, which has the status expected. No text starts with ``/``: a rotation.

        ``sends`` are more headers.
        """
        url = url if url.startswith("/") else f"{ROOT}/{url}".rstrip("/")
        headers = {"authorization": f"Bearer {who or self.who}"} | (sends or {})
        answer = self.client.request(method, url, json=body, headers=headers, params=query or None)
        self.world.collect_values()
        if answer.status_code >= 400 or not any(part in url for part in _OF_VALUES):
            self.answers.append(f"{answer.headers} {answer.text}")
        assert answer.status_code == expect, answer.text
        decoded: Json = answer.json() if answer.content else {}
        return decoded

    # --- what clients send --------------------------------------------------------------------------------------------

    def body(self, name: str = "billing-app", application: ApplicationHandle | None = None, **changes: Any) -> Json:
        """What Terraform sends, its additional keys among it."""
        app = application or self.application
        return {
            "Provider": "azure-client-secret",
            "name": name,
            "description": "",
            "isAutoRotationEnabled": True,
            "projectId": self.project,
            "connectionId": self.connection,
            "environment": "prod",
            "secretPath": "/billing",
            "rotationInterval": 30,
            "rotateAtUtc": {"hours": 0, "minutes": 0},
            "parameters": {"objectId": app.object_id, "clientId": app.app_id},
            "secretsMapping": {"clientId": "AZURE_CLIENT_ID", "clientSecret": "AZURE_CLIENT_SECRET"},
            **changes,
        }

    def create(self, name: str = "billing-app", **changes: Any) -> Json:
        rotation: Json = self.ask("POST", "", self.body(name, **changes))["secretRotation"]
        return rotation

    def get(self, rotation: Json) -> Json:
        shown: Json = self.ask("GET", rotation["id"])["secretRotation"]
        return shown

    def change(self, rotation: Json, **changes: Any) -> Json:
        changed: Json = self.ask("PATCH", rotation["id"], changes)["secretRotation"]
        return changed

    def rotate(self, rotation: Json, **query: Any) -> Json:
        rotated: Json = self.ask("POST", f"{rotation['id']}/rotate-secrets", **query)["secretRotation"]
        return rotated

    def refused(self, body: Json, status: int = 400, *, method: str = "POST", url: str = "") -> Json:
        """Send what must be refused, and make sure that nothing came of it: no row anywhere, no secret at Entra."""
        before = self.remains()
        answer = self.ask(method, url, body, expect=status)
        assert self.remains() == before
        return answer

    # --- what readers see ---------------------------------------------------------------------------------------------

    def secrets(self, environment: str = "prod", path: str = "/billing") -> list[Json]:
        query = {"workspaceId": self.project, "environment": environment, "secretPath": path}
        secrets: list[Json] = self.ask("GET", "/api/v3/secrets/raw", **query)["secrets"]
        return secrets

    def values(self, environment: str = "prod", path: str = "/billing") -> Json:
        return {each["secretKey"]: each["secretValue"] for each in self.secrets(environment, path)}

    def signs_in(self, value: str, application: ApplicationHandle | None = None) -> bool:
        return self.world.signs_in(Plaintext(value), application or self.application)

    def keys(self, application: ApplicationHandle | None = None) -> dict[str, str]:
        """The key ids of the application at Entra, with their names."""
        return self.world.keys(application or self.application)

    # --- time and what is left ----------------------------------------------------------------------------------------

    def days(self, count: float) -> None:
        """Let days pass."""
        self.world.run_until(self.world.clock.now() + timedelta(days=count))

    def forbid_new_secrets(self) -> None:
        """Have the tenant's policy forbid new client secrets."""
        rule = {"restrictionType": "passwordAddition", "state": "enabled"}
        self.world.emulator.admin.set_policy(self.world.tenant_id, passwordCredentials=[rule])

    def remains(self) -> Json:
        """Rows by table, and the writes that Entra saw."""
        with self.world.database.read() as tx:
            rows = rows_by_table(tx)
        writes = [entry for entry in self.world.emulator.ledger if entry.operation in _WRITES]
        return rows | {"writes at Entra": len(writes)}


def make_application(world: World, name: str, **more: Any) -> ApplicationHandle:
    application = world.emulator.admin.create_application(world.tenant_id, name, **{"secrets": 0, **more})
    world.applications[application.app_id] = application
    return application


@contextmanager
def desk(database: Database, folder: Path, **of_world: Any) -> Iterator[RotationClient]:
    """Serve the routes to callers of every kind; their tokens are their names. A request that waits moves the clock."""
    world = make_world(database, **{"permissions": WRITE_ALL, **of_world})
    reads = GroupedReadAudit(database, world.clock, world.ids, use.note)
    secrets = Secrets(database, world.sealer, world.clock, world.ids, reads)
    projects = Projects(
        database,
        world.clock,
        world.ids,
        delete_guards=(guards.refuse_project,),
        environment_guards=(guards.refuse_environment,),
    )
    actors, project_id = _people(world, projects)

    def authenticate(token: str, _ip: str) -> Actor:
        if token not in actors:
            raise TokenRefused("token malformed", code="token.malformed")
        return actors[token]

    async def pause(_seconds: float) -> None:
        # A second at a time: shorter steps only take longer.
        await asyncio.to_thread(world.run_until, world.clock.now() + timedelta(seconds=1))

    digests = KeyringDigests(Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), world.clock))
    use_cases = world.services
    promises = Promises(database, world.clock, lambda: 0.5)
    routes = [
        rotation_routes.router(
            use_cases.secret_rotations,
            use_cases.secret_values,
            use_cases.secret_history,
            use_cases.secret_plans,
            use_cases.change_previews,
            use_cases.secret_consumers,
            use_cases.approvals,
            world.clock,
        ),
        use_routes.router(Acknowledgements(database, world.clock)),
        read_routes.router(secrets.reader, digests, promises, world.clock),
        approval_routes.router(use_cases.approvals, use_cases.approved_changes, world.clock),
        freeze_routes.router(use_cases.freezes, world.clock),
        connection_routes(world),
        secret_routes.router(
            secrets,
            digests,
            ChangeWatch(database, world.clock, Counters(database)),
            promises,
        ),
        folder_routes.router(secrets.folders),
        project_routes.projects_router(projects),
        project_routes.environments_router(projects),
        deletion_routes.router(
            world.services.place_deletions(projects, secrets.folders),
            Restoring(database, world.clock, secrets.folders),
        ),
    ]
    settings = Settings(data_dir=folder, database_url="sqlite://")
    app = build(routes, authenticate=authenticate, settings=settings, clock=world.clock, ids=world.ids, pause=pause)
    with Client(app) as client:
        connection = world.connect("prod-entra", rotate=False)
        billing = make_application(world, "Billing")
        opened = RotationClient(world, client, actors, project_id, connection.id, billing)
        for environment in ("dev", "prod"):
            where = {"workspaceId": project_id, "environment": environment, "path": "/", "name": "billing"}
            opened.ask("POST", "/api/v1/folders", where)
        yield opened
    reads.close()


def _people(world: World, projects: Projects) -> tuple[dict[str, Actor], str]:
    database, home = world.database, world.actor.org_id
    admin = person(database, home, Role.ADMIN, "admin@contoso.test")
    project = projects.create(admin, NewProject(name="Payments", slug="payments"))
    actors = {
        "admin": admin,
        "robot": machine(database, home, Role.NO_ACCESS),
        "nobody": person(database, home, Role.NO_ACCESS, "nobody@contoso.test"),
        "stranger": person(database, organization(database, "elsewhere"), Role.ADMIN, "sam@elsewhere.test"),
    }
    for name, role in (("member", Role.MEMBER), ("viewer", Role.VIEWER)):
        actors[name] = person(database, home, Role.NO_ACCESS, f"{name}@contoso.test")
        join(database, actors[name], project.id, role)
    join(database, actors["robot"], project.id, Role.MEMBER)
    actors["colleague"] = person(database, home, Role.MEMBER, "colleague@contoso.test")
    join(database, actors["colleague"], project.id, Role.MEMBER)
    return actors, project.id
