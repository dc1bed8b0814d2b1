"""A program that signs in to Entra ID with what it reads from the server, and an operator who has that rotated all the while."""

import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from entra_emulator import RESET, SERVICE_UNAVAILABLE, Fault
from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections.domain import Connection
from keyturn.rotations.waits import COPIES
from tests.kill import scene
from tests.kill.watched import WatchedEmulator
from tests.kill.zygote import Child
from tests.system.installation import Installation, installation

ROTATIONS = "/api/v2/secret-rotations/azure-client-secret"
UNIVERSAL = "/api/v1/auth/universal-auth/identities"
USER_AGENT = "program/"
LONGEST_HELD = 1.5
"""Seconds for which the program goes on with a secret that it has read."""
_HELD = 0.5
"""How often it does; else it reads again at once, so that it meets new secrets in their first moments."""
_READY = re.compile(r"ready at (http://127\.0\.0\.1:\d+) ")
_AGAIN_AFTER = 0.05
LAG = replace(scene.LAG, token_appear=(0, 0.4))
PACE = scene.PACE | {"KEYTURN_PROOF_SPACING": "0.25"}
"""The proofs take longer than replication, as they do at the pace for the real Entra ID: what is published works everywhere."""


Over = Callable[[], bool]


class ServerLine:
    """Requests to whichever server runs at the moment; while there is none, and when one dies, it asks again."""

    def __init__(self, place: Installation) -> None:
        self.servers: tuple[Child, ...] = ()
        """Whoever starts and kills them says so here."""
        self._headers = {"authorization": f"Bearer {place.token}"}

    def ask(
        self, http: httpx.Client, over: Over, method: str, path: str, again: Container[int] = (), **more: Any
    ) -> dict[str, Any] | None:
        """Return what is answered in the end; None when it is all over before. An answer of a status in ``again`` is no end.

        Raises AssertionError for any other refusal.
        """
        while not over():
            for url in filter(None, map(address, self.servers)):
                try:
                    answer = http.request(method, url + path, headers=self._headers, timeout=30, **more)
                except httpx.TransportError:
                    continue  # it was killed
                if answer.is_success:
                    decoded: dict[str, Any] = answer.json()
                    return decoded
                assert answer.status_code in again, f"{method} {path}: {answer.status_code} {answer.text}"
            time.sleep(_AGAIN_AFTER)
        return None

    def once(self, http: httpx.Client, method: str, path: str) -> None:
        """Ask one of them once, if one is there. Raises TransportError when it is killed meanwhile."""
        for url in list(filter(None, map(address, self.servers)))[:1]:
            http.request(method, url + path, headers=self._headers, timeout=60)


def address(server: Child) -> str | None:
    """Return where the server answers; None as long as it has not said so."""
    found = _READY.search(server.log.read_text()[:20_000]) if server.log.exists() else None
    return found[1] if found else None


@dataclass
class Subject:
    """An application whose secret is rotated, and what its program and its operator did."""

    application: ApplicationHandle
    secret_name: str
    rotation_id: str
    sign_ins: int = 0
    rotated: int = 0
    given_up: int = 0
    """Sign-ins with a secret that had leaked meanwhile: the program read again, and went on with another one."""
    refused: list[str] = field(default_factory=list)
    """What was said of a secret that should have worked."""
    leaks: list[list[float]] = field(default_factory=list)
    """When the operator told of a leak, and when that was answered."""

    def leaked_since(self, moment: float) -> bool:
        """Whether what was read at this moment may have leaked: other processes give it to readers for a while."""
        return any(len(leak) == 1 or leak[1] + COPIES.total_seconds() >= moment for leak in self.leaks)


def sign_in(place: Installation, subject: Subject, entra: httpx.Client, value: str) -> str | None:
    """Sign in as the application. Returns what Entra ID refuses it with; None when it lets the program in."""
    form = {
        "grant_type": "client_credentials",
        "client_id": subject.application.app_id,
        "client_secret": value,
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"{place.running.authority}/{place.tenant_id}/oauth2/v2.0/token"
    headers = {"user-agent": f"{USER_AGENT}{subject.secret_name}"}
    answer = entra.post(url, data=form, headers=headers, timeout=60)
    return None if answer.status_code == HTTPStatus.OK else answer.text[:300]


@dataclass
class Program:
    """Reads, signs in at once, and once more after a while, again and again."""

    place: Installation
    line: ServerLine
    subject: Subject
    project_id: str
    luck: random.Random
    context: ssl.SSLContext

    def work(self, over: Over) -> None:
        """Go on until it is over. Every sign-in that is refused is noted."""
        with httpx.Client(trust_env=False) as http, httpx.Client(verify=self.context, trust_env=False) as entra:
            while not over():
                read_at, value = time.monotonic(), self._read(http, over)
                if value is None or not self._use(http, entra, over, value, read_at):
                    continue
                if self.luck.random() < _HELD:
                    time.sleep(self.luck.uniform(0, LONGEST_HELD))
                self._use(http, entra, over, value, read_at)

    def _read(self, http: httpx.Client, over: Over) -> str | None:
        query = {"workspaceId": self.project_id, "environment": "prod", "secretPath": "/"}
        answer = self.line.ask(http, over, "GET", f"/api/v3/secrets/raw/{self.subject.secret_name}", params=query)
        return None if answer is None else str(answer["secret"]["secretValue"])

    def _use(self, http: httpx.Client, entra: httpx.Client, over: Over, value: str, read_at: float) -> bool:
        """Sign in; say whether that was let in. A leak is the only excuse for a refusal, and then there is another secret."""
        refusal = sign_in(self.place, self.subject, entra, value)
        self.subject.sign_ins += 1
        if refusal is None:
            return True
        if self.subject.leaked_since(read_at) and self._read(http, over) != value:
            self.subject.given_up += 1
        else:
            self.subject.refused.append(refusal)
        return False


@dataclass
class Operator:
    """Has the secret rotated, again and again; now and then because it leaked."""

    line: ServerLine
    subject: Subject
    luck: random.Random
    leaks: float
    """The share of leaks."""

    def work(self, over: Over) -> None:
        with httpx.Client(trust_env=False) as http:
            while not over():
                self.rotate(http, over, leaked=self.luck.random() < self.leaks)

    def end_all_promises(self) -> None:
        """Have it rotated once more, because it leaked."""
        with httpx.Client(trust_env=False) as http:
            self.rotate(http, lambda: False, leaked=True)

    def rotate(self, http: httpx.Client, over: Over, *, leaked: bool) -> None:
        """Ask until one answers that it was done."""
        if leaked:
            self.subject.leaks.append([time.monotonic()])
        query = {"reason": "leaked"} if leaked else {}
        path = f"{ROTATIONS}/{self.subject.rotation_id}/rotate-secrets"
        # A run may fail: Entra ID does not let every request pass.
        answer = self.line.ask(http, over, "POST", path, again={HTTPStatus.INTERNAL_SERVER_ERROR}, params=query)
        if answer is None:
            return
        self.subject.rotated += 1
        if leaked:
            self.subject.leaks[-1].append(time.monotonic())


@contextmanager
def at_work(*works: Callable[[Over], None]) -> Iterator[Callable[[], None]]:
    """Have all of them work, each in a thread of its own, until this ends.

    Gives a function that raises what one of them has raised, as leaving does.
    """
    ended, failures = threading.Event(), list[BaseException]()

    def run(work: Callable[[Over], None]) -> None:
        try:
            work(ended.is_set)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failures.append(error)

    def check() -> None:
        if failures:
            raise failures[0]

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield check
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    check()


def new_project(line: ServerLine) -> str:
    """Make a project, and return its id."""
    body = {"projectName": "Shop", "slug": "shop"}
    return str(_post(line, "/api/v1/projects", body)["project"]["id"])


def new_subject(
    place: Installation, line: ServerLine, signer: Connection, project_id: str, number: int, environment: str = "prod"
) -> Subject:
    """Have the secret of a new application rotated into the project."""
    target = place.emulator.admin.create_application(place.tenant_id, f"target-{number}", secrets=0)
    body = {
        "name": f"target-{number}",
        "projectId": project_id,
        "connectionId": signer.id,
        "environment": environment,
        "secretPath": "/",
        "rotationInterval": 30,
        "rotateAtUtc": {"hours": 0, "minutes": 0},
        "parameters": {"objectId": target.object_id, "clientId": target.app_id},
        "secretsMapping": {"clientId": f"ID_{number}", "clientSecret": f"SECRET_{number}"},
    }
    return Subject(target, f"SECRET_{number}", _post(line, ROTATIONS, body)["secretRotation"]["id"])


def reader_environ(place: Installation, line: ServerLine, project_id: str, url: str) -> dict[str, str]:
    """Make a machine identity that may read the project; return the environment of its programs."""

    identity = _post(line, "/api/v1/identities", {"name": "programs", "role": "no-access"})["identity"]["id"]
    client_id = _post(line, f"{UNIVERSAL}/{identity}", {})["identityUniversalAuth"]["clientId"]
    secret = str(_post(line, f"{UNIVERSAL}/{identity}/client-secrets", {})["clientSecret"])
    _post(line, f"/api/v2/workspace/{project_id}/identity-memberships/{identity}", {"role": "viewer"})
    given = {name: place.environ[name] for name in ("PATH", "HOME")}
    return given | {
        "KEYTURN_URL": url,
        "KEYTURN_CLIENT_ID": client_id,
        "KEYTURN_CLIENT_SECRET": secret,
        "KEYTURN_PROJECT": "shop",
        "KEYTURN_ENVIRONMENT": "prod",
    }


def _post(line: ServerLine, path: str, body: object) -> Any:
    with httpx.Client(trust_env=False) as http:
        return line.ask(http, lambda: False, "POST", path, json=body)


@contextmanager
def signing_place(folder: Path, kind: str, seed: int) -> Iterator[tuple[Installation, Connection]]:
    """An installation with a connection that may write every application. Now and then Entra does as told and then fails."""
    with (
        scene.database(kind) as url,
        installation(folder, database_url=url, settings=LAG, seed=seed, make=WatchedEmulator, variables=PACE) as place,
    ):
        application = place.application("signer", "Application.ReadWrite.All")
        scene.watched(place).remember(application.object_id)
        signer = place.connect(application, "signer")
        place.emulator.faults.add(Fault("writes", (RESET, SERVICE_UNAVAILABLE), times=None, probability=0.05))
        yield place, signer
