"""An import from a server that is slow, broken or hostile, played by a transport."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import sqlalchemy as sa

from keyturn.db.tables import audit_events
from keyturn.db.unit import Database
from keyturn.importing.client import SourceClient, SourceFailed, UniversalAuth
from keyturn.importing.ledger import ImportOptions
from keyturn.importing.report import Kind, Outcome, Report
from keyturn.importing.service import InfisicalImport
from keyturn.importing.source import InfisicalSource
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, ResponseTooLarge, TransportFailed
from keyturn.projects.service import Projects
from keyturn.secrets.domain import Address, Reading
from keyturn.secrets.service import Secrets
from keyturn_simulation.world import make_world
from tests.databases import sqlite_database
from tests.features.accounts.people import person

Json = dict[str, Any]
Answer = HttpResponse | Exception | None
URL = "https://infisical.example.com"
SECRET = Plaintext("canary-client-secret")
PROJECT = {"id": "p1", "slug": "payments", "name": "Payments", "environments": [{"name": "Live", "slug": "live"}]}


def secret(name: str, value: str, **more: object) -> Json:
    return {"secretKey": name, "secretValue": value, **more}


@dataclass
class PlayedServer:
    """Answers what it holds; ``intervene`` is asked first. Folders and secrets are by path."""

    folders: dict[str, list[Json]] = field(default_factory=dict)
    secrets: dict[str, list[Json]] = field(default_factory=dict)
    rotations: list[Json] = field(default_factory=list)
    imports: list[Json] = field(default_factory=list)
    """Of the root."""
    intervene: Callable[[HttpRequest, str, dict[str, str]], Answer] = lambda *_: None
    asked: list[str] = field(default_factory=list)
    tokens: int = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        path, query = parts.path, {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.asked.append(path)
        answer = self.intervene(request, path, query)
        if isinstance(answer, Exception):
            raise answer
        return answer or reply(self._body(path, query))

    def _body(self, path: str, query: dict[str, str]) -> Json:
        where = query.get("secretPath") or query.get("path") or "/"
        if path.endswith("/login"):
            self.tokens += 1
            return {"accessToken": f"canary-token-{self.tokens}", "expiresIn": 60}
        name = unquote(path.removeprefix("/api/v3/secrets/raw/"))
        bodies: dict[str, Json] = {
            "/api/v1/projects": {"projects": [PROJECT]},
            "/api/v1/workspace/p1/tags": {"workspaceTags": []},
            "/api/v1/folders": {"folders": self.folders.get(where, [])},
            "/api/v1/secret-imports": {"secretImports": self.imports if where == "/" else []},
            "/api/v2/secret-rotations": {"secretRotations": self.rotations},
            "/api/v3/secrets/raw": {"secrets": self.secrets.get(where, []), "imports": []},
        }
        if path in bodies:
            return bodies[path]
        return {"secret": next(each for each in self.secrets[where] if each["secretKey"] == name)}


def reply(body: object, status: int = 200, **headers: str) -> HttpResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status, headers, content)


class Desk:
    """The server that takes over, and an import into it."""

    def __init__(self, database: Database) -> None:
        world = make_world(database)
        self.database = database
        self.ann = person(database, world.actor.org_id, Role.ADMIN)
        self.secrets = Secrets(database, world.sealer, world.clock, world.ids)
        self.projects = Projects(database, world.clock, world.ids)
        self.clock = world.clock
        self.waited: list[float] = []
        self.said: list[str] = []
        self.report = Report("", dry_run=False)

    def bring(self, server: PlayedServer, **options: bool) -> Report:
        client = SourceClient(
            server, URL, UniversalAuth("id", SECRET), self.clock, pause=self.waited.append, tell=self.said.append
        )
        run = InfisicalImport(
            InfisicalSource(client), self.projects, self.secrets, self.ann, ImportOptions(**options), self.said.append
        )
        self.report = run.report
        run.run()
        return run.report

    def values(self, path: str = "/") -> dict[str, str]:
        address = Address(None, "payments", "live", path)
        listing = self.secrets.reader.list(self.ann, address, Reading()).secrets
        return {each.stored.name: each.value.reveal() for each in listing if each.value}

    def reads(self) -> int:
        """How many events of the trail say that values were read."""
        query = sa.select(sa.func.count().label("n")).where(audit_events.c.event.like("get-secret%"))
        with self.database.read() as tx:
            return int(tx.rows(query)[0]["n"])

    def refusals(self) -> dict[str, str]:
        return {entry.name: entry.reason for entry in self.report.entries if entry.outcome is Outcome.REFUSED}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with sqlite_database(tmp_path) as database:
        yield Desk(database)


def test_what_cannot_be_here_is_refused_one_by_one_and_the_rest_comes(database: Database) -> None:
    desk = Desk(database)
    bad: dict[str, tuple[Json, str]] = {
        "NUL": (secret("NUL", "canary\0"), "secretValue: must not contain the NUL character"),
        "LARGE": (secret("LARGE", "canary" * 100_000), "The value has 600000 bytes"),
        "HIDDEN": (secret("HIDDEN", "<hidden-by-infisical>", secretValueHidden=True), "Its value is not shown"),
        "a/b": (secret("a/b", "canary"), "no colon, no slash and no control characters"),
        "COMMENT": (
            secret("COMMENT", "canary", secretComment="x" * 10_001),
            "secretComment: String must contain at most",
        ),
        "TAGGED": (secret("TAGGED", "canary", tags=[{"slug": "db"}]), "Its tags are not here: db."),
        "DAYS": (secret("DAYS", "canary", secretReminderRepeatDays=99999), "secretReminderRepeatDays"),
        "LOOP": (secret("LOOP", "${LOOP}"), "lead back to it"),
    }
    good = [secret("A", "canary-a"), secret("B", "canary-b"), secret("A", "twice"), secret("P", "x", type="personal")]
    folders = {
        "/": [
            {"name": "app"},
            {"name": "no good"},
            {"name": "../.."},
            {"name": ""},
            {"name": "__copy", "isReserved": True},
        ]
    }
    server = PlayedServer(
        folders, {"/": [*(each for each, _ in bad.values()), *good], "/app": [secret("C", "canary-c")]}
    )
    dry = desk.bring(server, dry_run=True)
    assert desk.refusals().keys() == {*bad, "/no good", "/../..", "/"} - {"LOOP"}
    assert not any(each.outcome is Outcome.EQUAL for each in dry.entries)
    report = desk.bring(server)
    assert {name: reason for name, reason in desk.refusals().items() if name in bad}.keys() == bad.keys()
    assert all(told in desk.refusals()[name] for name, (_, told) in bad.items()), desk.refusals()
    assert desk.values() == {"A": "canary-a", "B": "canary-b"}
    assert desk.values("/app") == {"C": "canary-c"}
    assert not report.complete
    assert "canary" not in "".join([*report.lines(), json.dumps(report.as_json()), *desk.said])


def test_a_server_that_is_busy_is_waited_for_as_it_asks_and_a_token_that_ended_is_renewed(desk: Desk) -> None:
    answers: list[Answer] = [
        TransportFailed("cannot connect", sent=False),
        reply({"message": "slow down"}, 429, **{"retry-after": "17"}),
        reply({"message": "canary-token-1 has ended", "error": "TokenError"}, 403),
    ]

    def intervene(_request: HttpRequest, path: str, _query: dict[str, str]) -> Answer:
        return answers.pop(0) if path == "/api/v3/secrets/raw" and answers else None

    server = PlayedServer(secrets={"/": [secret("A", "canary-a")]}, intervene=intervene)
    assert desk.bring(server).complete
    assert (desk.waited, server.tokens) == ([1, 17], 2)
    assert f"{URL} is asked again in 17 s (status 429: slow down)." in desk.said
    assert desk.values() == {"A": "canary-a"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (TransportFailed("read timeout", sent=True), "did not answer in 6 tries: read timeout"),
        (reply({"message": "down"}, 503), "did not answer in 6 tries: status 503: down"),
        (reply(b"<html>canary</html>"), "not by a server of this API"),
        (reply(b"", 302, location="https://login\x1b[2J.example.com"), "leads to https://login\\x1b[2J.example.com"),
        (reply(b'{"x":' + b"[" * 100_000), "not by a server of this API"),
        (reply({"message": "no canary-client-secret and canary-token-2"}, 401), "access token: no *** and ***"),
    ],
)
def test_a_server_that_fails_ends_the_import_in_words_and_the_next_run_finishes_it(
    desk: Desk, answer: Answer, told: str
) -> None:
    def intervene(_request: HttpRequest, path: str, query: dict[str, str]) -> Answer:
        return answer if query.get("secretPath") == "/app" else None

    server = PlayedServer({"/": [{"name": "app"}]}, {"/": [secret("A", "canary-a")], "/app": [secret("B", "b")]})
    server.intervene = intervene
    with pytest.raises(SourceFailed) as failed:
        desk.bring(server)
    assert told in failed.value.message
    assert failed.value.fix
    assert "canary" not in failed.value.diagnostics()
    assert (desk.report.finished, desk.values()) == (False, {"A": "canary-a"})
    server.intervene = lambda *_: None
    assert desk.bring(server).complete
    assert desk.values("/app") == {"B": "b"}


def test_what_the_server_does_not_give_is_named_and_the_rest_comes(desk: Desk) -> None:
    def intervene(_request: HttpRequest, path: str, query: dict[str, str]) -> Answer:
        if query.get("secretPath") == "/app":
            return reply({"message": "You are \x1b[2Jnot allowed", "error": "PermissionDenied"}, 403)
        if query.get("secretPath") == "/odd":
            return reply({"secrets": [{"secretKey": "X", "secretValue": {"canary": 1}}]})
        return reply({"message": "no such route"}, 501) if path == "/api/v2/secret-rotations" else None

    server = PlayedServer({"/": [{"name": "app"}, {"name": "odd"}]}, {"/": [secret("A", "a")]}, intervene=intervene)
    report = desk.bring(server)
    assert desk.values() == {"A": "a"}
    text = "\n".join(report.lines())
    assert "secret * in payments/live/app: " in text
    assert "status 403: You are \\x1b[2Jnot allowed" in text
    assert "is not understood: Expected `str`" in text
    assert "canary" not in text


def test_a_folder_that_is_too_large_for_one_answer_is_read_secret_by_secret(desk: Desk) -> None:
    names = [f"S{number}/%?#" if number == 7 else f"S{number}" for number in range(40)]
    held = [secret(name.replace("/", "-"), f"canary-{name}") for name in names]

    def intervene(_request: HttpRequest, path: str, query: dict[str, str]) -> Answer:
        if path == "/api/v3/secrets/raw" and query.get("viewSecretValue") == "true":
            return ResponseTooLarge("the response is larger than 8388608 bytes", sent=True)
        return ResponseTooLarge("the response is larger", sent=True) if path.endswith("/S3") else None

    server = PlayedServer(secrets={"/": held}, intervene=intervene)
    desk.bring(server)
    assert desk.refusals().keys() == {"S3"}
    assert desk.values() == {each["secretKey"]: each["secretValue"] for each in held if each["secretKey"] != "S3"}
    again = desk.bring(server)
    assert {entry.outcome for entry in again.entries} == {Outcome.EQUAL, Outcome.REFUSED}


def test_a_folder_of_many_secrets_comes_in_parts_and_is_read_here_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keyturn.importing.source.MOST_AT_ONCE", 3)
    held = [secret(f"S{number}", f"canary-{number}") for number in range(8)]
    assert desk.bring(PlayedServer(secrets={"/": held})).complete
    before = desk.reads()
    held[7]["secretValue"] = "canary-other"
    report = desk.bring(PlayedServer(secrets={"/": held}), overwrite=True)
    assert [entry.name for entry in report.entries if entry.outcome is Outcome.CHANGED] == ["S7"]
    assert desk.values() == {each["secretKey"]: each["secretValue"] for each in held}
    assert 1 <= desk.reads() - before <= 2, "not one event of the trail for each secret"


def test_imports_keep_their_order_and_one_that_cannot_be_here_is_named(desk: Desk) -> None:
    def row(path: str, **more: bool) -> Json:
        return {"importEnv": {"slug": "live"}, "importPath": path, **more}

    folders = {"/": [{"name": "a"}, {"name": "b"}]}
    imports = [row("/b/", isReplication=True), row("/a"), row("/gone"), row("/__copy", isReserved=True)]
    dry = desk.bring(PlayedServer(folders, imports=imports), dry_run=True)
    report = desk.bring(PlayedServer(folders, imports=imports))
    assert dry.entries == report.entries
    brought = [entry for entry in report.entries if entry.kind is Kind.IMPORT]
    assert [(entry.name, entry.outcome) for entry in brought] == [
        ("live/b", Outcome.CREATED),
        ("live/a", Outcome.CREATED),
        ("live/gone", Outcome.REFUSED),
    ]
    assert brought[0].reason == "replicated there; here it is read when it is asked for"
    desk.bring(PlayedServer(folders, imports=[row("/a"), row("/b")]))
    assert "in another order here" in desk.refusals()["order"]
    address = Address(None, "payments", "live")
    assert [each.source.path for each in desk.secrets.imports.list(desk.ann, address)] == ["/b", "/a"]


def test_rotations_go_on_there_and_it_is_said_how_to_take_them_over(desk: Desk) -> None:
    rotation = {
        "name": "billing-app",
        "type": "azure-client-secret",
        "environment": {"slug": "live"},
        "folder": {"path": "/"},
        "parameters": {"objectId": "o1", "clientId": "c1"},
        "secretsMapping": {"clientId": "AZURE_CLIENT_ID", "clientSecret": "AZURE_CLIENT_SECRET"},
        "rotationInterval": 30,
        "isAutoRotationEnabled": True,
    }
    held = [secret("AZURE_CLIENT_SECRET", "canary-of-rotation", isRotatedSecret=True)]
    report = desk.bring(PlayedServer(secrets={"/": held}, rotations=[rotation]))
    assert report.complete
    [kept] = [entry for entry in report.entries if entry.outcome is Outcome.KEPT]
    assert (kept.name, kept.place) == ("billing-app", "payments/live")
    assert "writes AZURE_CLIENT_ID, AZURE_CLIENT_SECRET" in kept.reason
    posted = json.loads(kept.fix.splitlines()[1].split(" ", 3)[3])
    [project] = desk.projects.list(desk.ann)
    assert (posted["projectId"], posted["parameters"]) == (project.id, rotation["parameters"])
    assert posted["secretsMapping"] == {"clientId": "AZURE_CLIENT_ID_NEW", "clientSecret": "AZURE_CLIENT_SECRET_NEW"}
    [brought] = [entry for entry in report.entries if entry.name == "AZURE_CLIENT_SECRET"]
    assert brought.reason == "a rotation there goes on to change it"
    assert desk.values() == {"AZURE_CLIENT_SECRET": "canary-of-rotation"}
