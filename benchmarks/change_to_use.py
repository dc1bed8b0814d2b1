"""From the publication of a secret to the first sign-in with it, by the ledger of the local Entra ID.

One secret is rotated again and again; four programs get it in four ways, and sign in with each as soon as they have it: one reads
every few seconds, one waits for changes, one is told by a signal of ``keyturn agent``, one is started anew by ``keyturn run``.
"""

import itertools
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from benchmarks.measured import Measured
from benchmarks.scheduled_start import server
from keyturn.client.opening import open_client
from keyturn.client.watching import Poll, Watch
from keyturn.errors import KeyturnError
from tests.kill.readers import ROTATIONS, ServerLine, Subject, address, new_project, new_subject, reader_environ
from tests.kill.scene import PACE
from tests.kill.zygote import Child
from tests.system.installation import Installation, installation

CHANGES = 20
POLL_SECONDS = 5.0
LIMITS = {"poll": POLL_SECONDS * 1.1 + 1, "long poll": 2.0, "agent + signal": 2.0, "run + restart": 2.0}
"""Of the 99th percentile, in seconds; a poll may take its interval and its jitter."""
COMMAND = str(Path(sys.executable).with_name("keyturn"))
AGENT = """
[[set]]
name = "bench"
directory = "FOLDER/files"
on_change = "signal"
signal = "USR1"
pid_file = "FOLDER/pid"

[[set.file]]
name = "secret"
secret = "SECRET_0"
"""


@dataclass
class User:
    """A program that signs in with each secret as soon as it has it. ``values`` yields them, and None while there is none."""

    place: Installation
    subject: Subject
    kind: str
    values: Iterator[str | None]
    used: list[str] = field(default_factory=list, repr=False)

    @property
    def agent(self) -> str:
        return f"bench/{self.kind}"

    def work(self, over: threading.Event) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.subject.application.app_id,
            "scope": "https://graph.microsoft.com/.default",
        }
        url = f"{self.place.running.authority}/{self.place.tenant_id}/oauth2/v2.0/token"
        with httpx.Client(verify=str(self.place.folder / "entra-ca.pem"), trust_env=False) as http:
            while not over.is_set():
                value = next(self.values)
                if value is None or value in self.used:
                    time.sleep(0.005)
                    continue
                http.post(url, data=form | {"client_secret": value}, headers={"user-agent": self.agent}, timeout=30)
                self.used.append(value)


def measure() -> list[Measured]:
    """Return a line for each way."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (Path(folder) / "place").mkdir()
        place = stack.enter_context(installation(Path(folder) / "place", variables=PACE))
        signer = place.connect(place.application("signer", "Application.ReadWrite.All"), "signer")
        child = stack.enter_context(server(place))
        line = ServerLine(place)
        line.servers = (Child(child.pid, place.folder / "server.log"),)
        project_id = new_project(line)
        subject = new_subject(place, line, signer, project_id, 0)
        users = list(stack.enter_context(_users(place, line, subject, project_id, Path(folder))))
        published = list(_rotate(line, subject, users))
        return [_line(place, user, published) for user in users]


def _rotate(line: ServerLine, subject: Subject, users: list[User]) -> Iterator[float]:
    """Rotate, wait until all users have it, and yield when it was published."""
    over = lambda: False  # noqa: E731
    path = f"{ROTATIONS}/{subject.rotation_id}"
    with httpx.Client(trust_env=False) as http:
        for number in range(1, CHANGES + 2):
            until = time.monotonic() + 60
            while any(len(user.used) < number for user in users):
                if time.monotonic() > until:
                    raise SystemExit(f"not everybody has it: {[(user.kind, len(user.used)) for user in users]}")
                time.sleep(0.02)
            if number > CHANGES:
                return
            time.sleep(random.uniform(0, POLL_SECONDS))  # else it would always be as long until the next poll
            line.ask(http, over, "POST", f"{path}/rotate-secrets")
            answer = line.ask(http, over, "GET", f"{path}/rotation-runs", params={"limit": 1})
            steps = answer["rotationRuns"][0]["steps"] if answer else []
            (at,) = [step["finishedAt"] for step in steps if step["step"] == "publish"]
            yield datetime.fromisoformat(at).timestamp()


def _line(place: Installation, user: User, published: list[float]) -> Measured:
    entries = [entry for entry in place.emulator.ledger if entry.user_agent == user.agent]
    if {entry.status for entry in entries} != {200} or len(entries) != len(published) + 1:
        raise SystemExit(f"{user.kind}: refused, or not one sign-in for each change")
    took = sorted(entry.started - at for entry, at in zip(entries[1:], published, strict=True))
    worst = took[min(int(len(took) * 0.99), len(took) - 1)]
    limit = LIMITS[user.kind]
    line = (
        f"change to use by {user.kind}: {statistics.median(took):.2f} s (median of {len(took)}), {worst:.2f} s at the 99th"
        f" percentile (limit {limit:g})"
    )
    return Measured(line, worst <= limit)


@contextmanager
def _users(
    place: Installation, line: ServerLine, subject: Subject, project_id: str, folder: Path
) -> Iterator[Iterator[User]]:
    url = address(line.servers[0]) or ""
    environ = reader_environ(place, line, project_id, url) | {"HOME": str(folder / "home")}
    (folder / "pid").write_text(str(os.getpid()))
    (folder / "agent.toml").write_text(AGENT.replace("FOLDER", str(folder)))
    told, over = threading.Event(), threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: told.set())
    program = ["sh", "-c", f'echo "$SECRET_0" >> {folder}/starts; exec sleep 3600']
    commands = [["agent", "run", "--config", str(folder / "agent.toml")], ["run", "--", *program]]
    children = [subprocess.Popen([COMMAND, *each], env=environ, stderr=subprocess.DEVNULL) for each in commands]
    watched = open_client(environ, {}, print)
    polled = open_client(environ, {}, print)
    watch = Watch(watched.reader(watched.source(), cached=False))
    poll = Poll(polled.reader(polled.source(), cached=False, interval=POLL_SECONDS))
    values: dict[str, Iterator[str | None]] = {
        "poll": _news(poll.take),
        "long poll": _news(watch.take),
        "agent + signal": _told(folder / "files" / "secret", told),
        "run + restart": _started(folder / "starts"),
    }
    users = [User(place, subject, kind, each) for kind, each in values.items()]
    threads = [threading.Thread(target=user.work, args=(over,)) for user in users]
    try:
        for thread in threads:
            thread.start()
        yield iter(users)
    finally:
        over.set()
        watch.stop()
        for child in children:
            child.terminate()
            child.wait()
        for thread in threads:
            thread.join()
        signal.signal(signal.SIGUSR1, before)


def _news(take: Callable[[], object]) -> Iterator[str | None]:
    for _ in itertools.count():
        news = take()
        if news is None or isinstance(news, KeyturnError):
            yield None
        else:
            yield news.secret_set.values["SECRET_0"].reveal()  # type: ignore[attr-defined]


def _told(file: Path, told: threading.Event) -> Iterator[str | None]:
    """What a program has that reads its file when it starts, and when a signal comes."""
    while not file.exists():
        yield None
    yield file.read_text()
    while True:
        if told.wait(0.005):
            told.clear()
            yield file.read_text()
        yield None


def _started(starts: Path) -> Iterator[str | None]:
    """What a program has in its environment, which it writes down at each start."""
    while True:
        with suppress(FileNotFoundError, IndexError):
            yield starts.read_text().rpartition("\n")[0].splitlines()[-1]
        yield None


if __name__ == "__main__":
    for measured in measure():
        print(measured)
