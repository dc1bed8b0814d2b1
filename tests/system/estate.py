"""The whole application in process, with an organization full of things, and callers of every kind.

After a request that changed something the database is put back, so that every request of a walk meets the same world.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from entra_emulator import Emulator, Settings, SystemClock
from entra_emulator.admin.admin import ApplicationHandle
from keyturn.app.core import Core, oauth_app, open_core, services
from keyturn.app.inventory import due_scans
from keyturn.app.web import open_access, web_application
from keyturn.authz.permissions import Grants
from keyturn.authz.vocabulary import SUBJECTS, rules_of
from keyturn.db.tables import runs
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.secret import Plaintext
from keyturn.people.sessions import BrowserInfo
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn.rotations.commands import NewSecretRotation
from keyturn.rotations.schedule import Schedule
from keyturn.secrets.mapped import SecretNames
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import Origin
from keyturn.web.server.app import Application
from keyturn_simulation.emulated import EmulatedTransport, emulated_clouds
from tests.client import Client
from tests.features.accounts.people import organization, person

PASSWORD = "vellum-orbit-pickle-94"
AZURE = "/api/v1/app-connections/azure-client-secrets"
_WEEKLY = {"rotationInterval": 7, "rotateAtUtc": {"hours": 2, "minutes": 15}}
_RECORDS_OF_USE = frozenset({"sessions", "access_tokens", "processes", "leases"})
_BESIDE_EVENTS = frozenset({"audit_links", "audit_chains"})
"""They grow with the audit events, also with those that count reads."""


@dataclass(frozen=True)
class HttpCaller:
    """Somebody who sends requests: a person by the cookie of a browser, a machine by a token.

    ``project`` is the built-in role in the project, ``grants`` what another role permits there; ``home`` says whether the caller
    belongs to the organization at all.
    """

    name: str
    organization: Role | None = None
    project: Role | None = None
    home: bool = True
    person: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    grants: Grants | None = None

    @property
    def anonymous(self) -> bool:
        return self.organization is None


@dataclass
class RunningServer:
    core: Core
    application: Application
    client: Client
    emulator: Emulator
    callers: dict[str, HttpCaller]
    token: str
    """Of an admin."""
    things: dict[str, str]
    credentials: Mapping[str, str]
    secrets: frozenset[str]
    """Texts of the project, which nobody outside it may read."""
    common: frozenset[str]
    """Texts of the organization, which no stranger may read."""
    _copy: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))
    _watch: sqlite3.Connection = field(init=False)
    """It is told by a number whether anybody else has written: most requests of a walk write nothing."""
    _kept_at: int = -1
    _rows_at: int = -1
    _rows: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watch = sqlite3.connect(self.core.settings.data_dir / "keyturn.db")

    def close(self) -> None:
        self._watch.close()
        self._copy.close()

    def body(self, body: Mapping[str, Any] | None) -> Any:
        """Return the body with the ids of this estate in it."""
        kind = (body or {}).get("connection")
        if kind is None:
            return body and {name: self._filled(value) for name, value in body.items()}
        credentials = dict(self.credentials)
        if kind == "another":
            return {
                "name": "another",
                "method": "client-secret",
                "credentials": credentials,
                "projectId": self.things["project_id"],
            }
        others = {name: value for name, value in (body or {}).items() if name != "connection"}
        return {"name": "another", "method": "client-secret", **credentials, **others}

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if isinstance(value, dict):
            return {name: self._filled(each) for name, each in value.items()}
        return value.format(**self.things) if isinstance(value, str) else value

    def remember(self) -> None:
        with self._file() as file:
            file.backup(self._copy)
        self._kept_at = self._version()

    def put_back(self) -> None:
        if self._version() != self._kept_at:
            with self._file() as file:
                self._copy.backup(file)
            self._kept_at = self._version()

    def rows(self) -> dict[str, list[Any]]:
        """Everything that the database holds, besides when somebody was last seen, and how often values were read again.

        That is written at the end of a minute, whatever is asked then.
        """
        version = self._version()
        if version != self._rows_at:
            query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            with self._file() as file:
                names = {name for (name,) in file.execute(query)} - _RECORDS_OF_USE - _BESIDE_EVENTS
                self._rows = {name: file.execute(f'SELECT * FROM "{name}"').fetchall() for name in sorted(names)}
            self._rows["audit_events"] = [row for row in self._rows["audit_events"] if not _counts_reads(row)]
            self._rows_at = version
        return dict(self._rows)

    def _version(self) -> int:
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def writes_at_entra(self) -> int:
        return sum(entry.operation in {"addPassword", "removePassword"} for entry in self.emulator.ledger)

    def _file(self) -> contextlib.closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.core.settings.data_dir / "keyturn.db", timeout=30))


def _counts_reads(event: Sequence[object]) -> bool:
    return event[7] in {"get-secret", "get-secrets"} and '"repeats"' in str(event)


@contextmanager
def estate(folder: Path) -> Iterator[RunningServer]:
    emulator = Emulator(SystemClock(), 1)
    tenant = emulator.admin.create_tenant("Contoso", settings=Settings())
    first = emulator.admin.create_application(
        tenant, "Quiet Lagoon", permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True
    )
    spare = emulator.admin.create_application(
        tenant, "Spare", permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True
    )
    oauth = "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS"
    settings = read_settings(
        {
            "KEYTURN_DATA_DIR": str(folder / "data"),
            "KEYTURN_LOGIN_RATE": "10000",
            "SITE_URL": "http://localhost:8080",
            f"{oauth}_CLIENT_ID": spare.app_id,
            f"{oauth}_CLIENT_SECRET": spare.secrets[0].value,
            "KEYTURN_SSO_TENANT_ID": tenant,
            "KEYTURN_SSO_CLIENT_ID": spare.app_id,
            "KEYTURN_SSO_CLIENT_SECRET": spare.secrets[0].value,
        }
    )
    core = open_core(settings, lambda _sentence: None)
    transport, ours = EmulatedTransport(emulator), oauth_app(settings)
    provider = AzureProvider(transport, core.clock, emulated_clouds(), ids=core.ids, oauth=ours)
    core = replace(core, azure=provider, providers=Providers([provider]))
    application = web_application(core, None)
    application.edge.pause = _at_once  # no worker lives here: what a request waits for never comes
    try:
        with (
            Client(application) as client,
            closing(_furnished(core, application, client, emulator, tenant, first, spare)) as server,
        ):
            yield server
    finally:
        core.close()


def _rotation(
    core: Core, actor: Actor, project_id: str, environment: str, connection_id: str, application: ApplicationHandle
) -> str:
    """Begin to rotate the application, with a first run that is over without a secret, and return the id of that."""
    new = NewSecretRotation(
        name="quiet-billing",
        project_id=project_id,
        environment=environment,
        path="/",
        connection_id=connection_id,
        object_id=application.object_id,
        client_id=application.app_id,
        names=SecretNames("BILLING_CLIENT_ID", "BILLING_CLIENT_SECRET"),
        schedule=Schedule(30, 2, 15),
    )
    begun = services(core, lambda: None).secret_rotations.create(actor, new)
    with core.database.write() as tx:
        over = {"state": "cancelled", "finished_at": core.clock.now()}
        tx.run(sa.update(runs).where(runs.c.rotation_id == begun.rotation_id).values(over))
    return begun.secret_rotation_id


async def _at_once(_seconds: float) -> None:
    """Wait for nothing."""


def credentials_of(tenant: str, application: ApplicationHandle) -> dict[str, str]:
    """What a user copies from the portal."""
    return {"tenantId": tenant, "clientId": application.app_id, "clientSecret": application.secrets[0].value}


def _furnished(
    core: Core,
    application: Application,
    client: Client,
    emulator: Emulator,
    tenant: str,
    first: ApplicationHandle,
    spare: ApplicationHandle,
) -> RunningServer:
    access = open_access(core)
    boot = access.bootstrap("ada@contoso.test", Plaintext(PASSWORD), "Deep Fjord")
    token = boot.token.reveal()

    def ask(method: str, path: str, body: object = None) -> Any:
        answer = client.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        return answer.json()

    def user(name: str, role: str, joins: str | None = None) -> tuple[str, Actor]:
        email = f"{name}@contoso.test"
        first = {"email": email, "password": f"first {PASSWORD}"}
        user_facts = ask("POST", "/api/v1/users", first | {"role": role})["user"]
        chosen = client.post("/api/v1/auth/login", json=first | {"newPassword": PASSWORD})
        assert chosen.status_code == 200, chosen.text
        if joins:
            body = {"emails": [email], "roleSlugs": [joins]}
            ask("POST", f"/api/v1/projects/{project['id']}/memberships", body)
        return user_facts["id"], Actor(ActorKind.USER, user_facts["id"], email, user_facts["orgId"], Role(role))

    def cookie(actor: Actor) -> dict[str, str]:
        session = access.sessions.open_for(actor, BrowserInfo(Origin("127.0.0.1"))).reveal()
        return {"cookie": f"keyturn_session={session}", "sec-fetch-site": "same-origin"}

    def machine(name: str, role: str) -> tuple[str, str, str]:
        """Make a machine identity; return its id, the id of its client secret, and a token of it."""
        identity = ask("POST", "/api/v1/identities", {"name": name, "role": role})["identity"]
        path = f"/api/v1/auth/universal-auth/identities/{identity['id']}"
        auth = ask("POST", path, {})["identityUniversalAuth"]
        secret = ask("POST", f"{path}/client-secrets", {})
        login = {"clientId": auth["clientId"], "clientSecret": secret["clientSecret"]}
        issued = client.post("/api/v1/auth/universal-auth/login", json=login).json()
        return identity["id"], secret["clientSecretData"]["id"], issued["accessToken"]

    body = {"projectName": "Hidden Harbour", "slug": "hidden-harbour", "shouldCreateDefaultEnvs": True}
    project = ask("POST", "/api/v1/projects", body)["project"]
    inner = ask(
        "POST",
        AZURE,
        {
            "name": "inner-secret-lake",
            "method": "client-secret",
            "credentials": credentials_of(tenant, first),
            "projectId": project["id"],
            "isAutoRotationEnabled": True,
            "rotation": _WEEKLY,
        },
    )["appConnection"]
    quiet = {
        "name": "still",
        "method": "client-secret",
        "credentials": credentials_of(tenant, spare),
        "projectId": project["id"],
    }
    still = ask("POST", AZURE, quiet)["appConnection"]
    ask("PUT", f"{AZURE}/{inner['id']}/inventory", {"enabled": True})
    due_scans(core, services(core, lambda: None)).do(inner["id"])
    inventory = ask("GET", "/api/v1/inventories")["inventories"][0]
    dev = {"projectId": project["id"], "environment": project["environments"][0]["slug"]}
    stored = ask("POST", "/api/v4/secrets/QUIET_TIDE", {**dev, "secretValue": "hidden-harbour-canary"})["secret"]
    tag = ask("POST", f"/api/v1/projects/{project['id']}/tags", {"slug": "quiet-mark"})["tag"]
    taken = {"import": {"environment": project["environments"][1]["slug"], "path": "/"}}
    imported = ask("POST", "/api/v1/secret-imports", dev | taken)["secretImport"]
    folder = ask("POST", "/api/v2/folders", {**dev, "name": "quiet-cove"})["folder"]
    role = ask(
        "POST", f"/api/v1/projects/{project['id']}/roles", {"slug": "quiet-role", "name": "Quiet", "permissions": []}
    )["role"]
    rotor = emulator.admin.create_application(
        tenant, "Quiet Rotor", permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True
    )
    turning = {"name": "quiet-rotor", "method": "client-secret", "credentials": credentials_of(tenant, rotor)}
    through = ask("POST", AZURE, turning | {"projectId": project["id"]})["appConnection"]["id"]
    owned = emulator.admin.create_application(tenant, "Quiet Billing", owners=(rotor.principal_id,), secrets=0)
    ada = Actor(ActorKind.USER, boot.user.id, boot.user.email, boot.organization.id, Role.ADMIN)
    rotation_id = _rotation(core, ada, project["id"], project["environments"][2]["slug"], through, owned)
    permissions = [
        {
            "subject": subject,
            "action": list(SUBJECTS[subject]),
            "conditions": {"environment": {"$eq": "prod"}, "secretPath": {"$glob": "/elsewhere/**"}},
        }
        for subject in ("secrets", "secret-folders", "secret-imports", "secret-rotation")
    ]
    body = {"slug": "elsewhere", "name": "Elsewhere", "permissions": permissions}
    ask("POST", f"/api/v1/projects/{project['id']}/roles", body)
    free_user, _ = user("free", "viewer")
    joined_user, _ = user("joined", "viewer", "viewer")
    viewer, member, steward, passer = (
        user("viewer", "viewer", "viewer")[1],
        user("member", "member", "member")[1],
        user("steward", "viewer", "admin")[1],
        user("passer", "member")[1],
    )
    free = ask("POST", "/api/v1/identities", {"name": "free robot", "role": "viewer"})["identity"]["id"]
    joined, secret_id, _ = machine("joined robot", "viewer")
    ask("POST", f"/api/v1/projects/{project['id']}/identity-memberships/{joined}", {"role": "viewer"})
    _, _, robot = machine("walking robot", "member")
    stranger = person(core.database, organization(core.database, "elsewhere"), Role.ADMIN, "sam@elsewhere.test")
    of_robot = ask("GET", f"/api/v1/projects/{project['id']}/identity-memberships/{joined}")["identityMembership"]["id"]
    memberships = ask("GET", f"/api/v1/projects/{project['id']}/memberships")["memberships"]
    membership = next(each["id"] for each in memberships if each["user"]["email"] == "joined@contoso.test")
    environment = project["environments"][0]
    things = {
        "project_id": project["id"],
        "slug": project["slug"],
        "environment_id": environment["id"],
        "environment_slug": environment["slug"],
        "connection_id": inner["id"],
        "inventory_id": inventory["id"],
        "still": still["id"],
        "secret_rotation": rotation_id,
        "rotation_name": "quiet-billing",
        "rotation_environment": project["environments"][2]["slug"],
        "nothing": "00000000-0000-4000-8000-000000000000",
        "connection_name": inner["name"],
        "user_id": free_user,
        "identity_id": joined,
        "joined": joined,
        "identity_membership": of_robot,
        "joined_user": joined_user,
        "free": free,
        "secret_id": secret_id,
        "membership_id": membership,
        "member_id": membership,
        "session_id": "00000000-0000-4000-8000-000000000000",
        "tenant_id": tenant,
        "stored_secret": stored["id"],
        "secret_name": stored["secretKey"],
        "import_id": imported["id"],
        "tag_id": tag["id"],
        "tag_slug": tag["slug"],
        "role_id": role["id"],
        "role_slug": role["slug"],
        "folder_id": folder["id"],
        "folder_name": folder["name"],
        "rest": "app.css",
        "channel_kind": "webhook",
    }
    callers = [
        HttpCaller("anonymous"),
        HttpCaller("viewer", Role.VIEWER, Role.VIEWER, headers=cookie(viewer)),
        HttpCaller("member", Role.MEMBER, Role.MEMBER, headers=cookie(member)),
        HttpCaller("admin", Role.ADMIN, Role.ADMIN, headers=cookie(ada)),
        HttpCaller("project admin", Role.VIEWER, Role.ADMIN, headers=cookie(steward)),
        HttpCaller("member of no project", Role.MEMBER, None, headers=cookie(passer)),
        HttpCaller(
            "machine of no project", Role.MEMBER, None, person=False, headers={"authorization": f"Bearer {robot}"}
        ),
        HttpCaller(
            "reader of elsewhere",
            Role.NO_ACCESS,
            headers=cookie(user("reader", "no-access", "elsewhere")[1]),
            grants=Grants((rules_of(permissions),)),
        ),
        HttpCaller("admin elsewhere", Role.ADMIN, None, home=False, headers=cookie(stranger)),
    ]
    server = RunningServer(
        core,
        application,
        client,
        emulator,
        {caller.name: caller for caller in callers},
        token,
        things,
        credentials_of(tenant, spare),
        frozenset(
            {
                *("Hidden Harbour", "inner-secret-lake", "Quiet Lagoon", first.app_id),
                *("QUIET_TIDE", "hidden-harbour-canary", "quiet-cove", "quiet-mark", "quiet-role"),
                *("quiet-billing", "Quiet Billing", owned.app_id, "BILLING_CLIENT_SECRET"),
            }
        ),
        frozenset({"ada@contoso.test", "joined robot", "Deep Fjord", first.secrets[0].value, token}),
    )
    server.remember()
    return server
