"""Two servers: one whose secrets are taken over, a whole Keyturn over HTTP, and the data folder of the one that takes them."""

import io
import json
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keyturn.app.core import open_core
from keyturn.app.web import open_access, web_application
from keyturn.cli.main import main
from keyturn.kit.secret import Plaintext
from keyturn.settings.reader import read_settings
from keyturn.web.server import logs
from keyturn.web.server.serve import WebServer
from tests.log_state import kept_log_state

Json = dict[str, Any]
PASSWORD = "vellum-orbit-pickle-94"
UNIVERSAL = "/api/v1/auth/universal-auth/identities"
ANN = "ann@acme.test"


@dataclass
class OtherServer:
    """The server whose secrets are taken over. ``canaries`` are the values in it, and what signs in to it."""

    url: str
    token: str
    client_id: str = ""
    client_secret: str = ""
    canaries: set[str] = field(default_factory=set)

    def ask(self, method: str, path: str, body: object = None, /, **query: str) -> Json:
        headers = {"authorization": f"Bearer {self.token}"}
        address = self.url + path
        with httpx2.Client(trust_env=False) as client:
            answer = client.request(method, address, json=body, params=query or None, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        decoded: Json = answer.json()
        return decoded

    def project(self, slug: str, **more: object) -> str:
        body = {"projectName": slug.title(), "slug": slug, **more}
        project_id: str = self.ask("POST", "/api/v2/workspace", body)["project"]["id"]
        return project_id

    def put(
        self, project: str, name: str, value: str, path: str = "/", environment: str = "dev", **more: object
    ) -> None:
        where = {"workspaceId": project, "environment": environment, "secretPath": path}
        self.ask("POST", f"/api/v3/secrets/raw/{name}", {**where, "secretValue": value, **more})
        self.canaries.add(value)

    def folder(self, project: str, path: str, environment: str = "dev", description: str = "") -> None:
        above, _, name = path.rpartition("/")
        where = {"workspaceId": project, "environment": environment, "path": above or "/"}
        self.ask("POST", "/api/v1/folders", {**where, "name": name, "description": description})

    def everything(self, slug: str) -> Json:
        """What a client sees of a project: all that an import brings, without ids and times."""
        return seen(self, slug)


def seen(server: Any, slug: str) -> Json:
    """Return all that an import brings of a project, as clients see it, without ids and times."""
    project = server.ask("GET", f"/api/v1/projects/slug/{slug}")
    where = {"workspaceId": project["id"]}
    environments = {}
    for each in project["environments"]:
        at = {**where, "environment": each["slug"]}
        folders = server.ask("GET", "/api/v1/folders", None, **at, path="/", recursive="true")["folders"]
        paths = ["/", *(folder["path"] for folder in folders)]
        listed = server.ask("GET", "/api/v3/secrets/raw", None, **at, secretPath="/", recursive="true")["secrets"]
        imports = [
            server.ask("GET", "/api/v1/secret-imports", None, **at, path=path)["secretImports"] for path in paths
        ]
        environments[each["slug"]] = {
            "name": each["name"],
            "folders": sorted((folder["path"], folder["description"]) for folder in folders),
            "secrets": sorted((_plain(secret) for secret in listed), key=json.dumps),
            "imports": [[(row["importEnv"]["slug"], row["importPath"]) for row in rows] for rows in imports],
        }
    tags = server.ask("GET", f"/api/v1/workspace/{project['id']}/tags")["tags"]
    return {
        "name": project["name"],
        "description": project["description"],
        "environments": environments,
        "tags": [(tag["slug"], tag["name"], tag["color"]) for tag in tags],
    }


def _plain(secret: Json) -> Json:
    kept = "secretKey secretValue secretComment secretPath skipMultilineEncoding secretReminderNote secretMetadata"
    plain = {key: secret[key] for key in [*kept.split(), "secretReminderRepeatDays"]}
    return plain | {"tags": sorted(tag["slug"] for tag in secret["tags"])}


@contextmanager
def served(folder: Path) -> Iterator[OtherServer]:
    """Serve a whole Keyturn from a thread of this process."""
    settings = read_settings({"KEYTURN_DATA_DIR": str(folder)})
    core = open_core(settings, lambda _sentence: None)
    server = WebServer(web_application(core, None), host="127.0.0.1", port=0)
    ready: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=server.run, args=(ready.put,))
    thread.start()
    try:
        token = open_access(core).bootstrap(ANN, Plaintext(PASSWORD), "Acme").token.reveal()
        yield OtherServer(ready.get(timeout=20), token)
    finally:
        server.stop()
        thread.join(timeout=30)
        core.close()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherServer]:
    """A server with two projects, in one of them of everything something, and a machine identity that reads both."""
    with kept_log_state():
        logs.configure("WARNING", "json", io.StringIO())  # else what it logs is in what the command prints
        with served(tmp_path_factory.mktemp("other")) as server:
            _furnish(server)
            yield server


def _furnish(other: OtherServer) -> None:
    payments = other.project("payments", projectDescription="Money in, money out")
    other.ask("POST", f"/api/v1/workspace/{payments}/environments", {"name": "Quality", "slug": "qa"})
    tags = f"/api/v1/workspace/{payments}/tags"
    db = other.ask("POST", tags, {"slug": "db", "name": "Database", "color": "#ff0000"})["tag"]["id"]
    other.folder(payments, "/app", description="The shop")
    other.folder(payments, "/app/db")
    other.folder(payments, "/shared", environment="prod")
    other.put(payments, "PLAIN", "canary-plain-4711")
    other.put(payments, "EXACT", "  canary exact\nwith a line break\n")
    other.put(payments, "UNICODE", "canary-ключ-鍵-🔑")
    other.put(payments, "EMPTY", "")
    other.canaries.discard("")
    details = {
        "secretComment": "canary-comment-0815",
        "secretMetadata": [{"key": "owner", "value": "team-a", "isEncrypted": True}],
        "tagIds": [db],
        "skipMultilineEncoding": True,
        "secretReminderNote": "ask Bo",
        "secretReminderRepeatDays": 30,
    }
    other.put(payments, "DB_URL", "postgres://canary-${dev.app.db.PASSWORD}", path="/app/db", **details)
    other.put(payments, "PASSWORD", "canary-password-99", path="/app/db")
    other.put(payments, "SHARED", "canary-shared-77", path="/shared", environment="prod")
    other.canaries.add("canary-comment-0815")
    where = {"workspaceId": payments, "environment": "dev", "path": "/app"}
    for source in ({"environment": "prod", "path": "/shared"}, {"environment": "dev", "path": "/app/db"}):
        other.ask("POST", "/api/v1/secret-imports", {**where, "import": source})
    billing = other.project("billing", shouldCreateDefaultEnvs=False)
    other.ask("POST", f"/api/v1/workspace/{billing}/environments", {"name": "Live", "slug": "live"})
    other.put(billing, "KEY", "canary-billing-key", environment="live")
    other.project("hidden")
    identity = other.ask("POST", "/api/v1/identities", {"name": "importer", "role": "no-access"})["identity"]["id"]
    other.client_id = other.ask("POST", f"{UNIVERSAL}/{identity}", {})["identityUniversalAuth"]["clientId"]
    other.client_secret = other.ask("POST", f"{UNIVERSAL}/{identity}/client-secrets", {})["clientSecret"]
    for project in (payments, billing):
        other.ask("POST", f"/api/v2/workspace/{project}/identity-memberships/{identity}", {"role": "viewer"})
    other.canaries |= {other.token, other.client_secret}


@dataclass
class Machine:
    """The machine of the server that takes over: its data folder, and the command line."""

    folder: Path
    other: OtherServer
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    token: str = ""
    out: str = ""
    err: str = ""
    said: str = ""
    """All that was ever printed."""

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> int:
        self.patch.setattr(sys, "stdin", io.StringIO(stdin))
        status = main(arguments, {"KEYTURN_DATA_DIR": str(self.folder), **environ})
        self.out, self.err = self.capture.readouterr()
        self.said += self.out + self.err
        return status

    def bring(self, *arguments: str) -> int:
        """Import as Ann, signed in by the machine identity; its client secret comes on standard input."""
        signing_in = ("--client-id", self.other.client_id, "--client-secret-file", "-")
        command = ("import", "infisical", "--as", ANN, "--url", self.other.url, *signing_in, *arguments)
        return self.run(*command, stdin=f"{self.other.client_secret}\n")

    def report(self, *arguments: str, expect: int = 0) -> Json:
        assert self.bring("--json", *arguments) == expect, self.err + self.out
        report: Json = json.loads(self.out)
        return report


@pytest.fixture
def machine(
    other: OtherServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    """A machine with a server that is set up and has nothing. Nothing that is printed holds a value."""
    machine = Machine(tmp_path / "data", other, capsys, monkeypatch)
    bootstrap = ("admin", "bootstrap", "--email", ANN, "--organization", "Acme", "--password-stdin")
    assert machine.run(*bootstrap, stdin=f"{PASSWORD}\n") == 0
    machine.token, machine.said = machine.out.strip(), ""
    yield machine
    said_values = [
        value for value in other.canaries if value in machine.said or json.dumps(value)[1:-1] in machine.said
    ]
    assert said_values == []


def entries(report: Json, outcome: str) -> Sequence[tuple[str, str, str]]:
    """The things with this outcome, as kind, place and name."""
    return [(each["kind"], each["place"], each["name"]) for each in report["entries"] if each["outcome"] == outcome]
