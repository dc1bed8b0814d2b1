"""Programs under ``keyturn run`` and ``keyturn agent`` sign in while servers and agents are killed, and nobody is refused.

A program holds a secret until it is started anew or told; it does not know that there is a server. Each rotation waits until its
program has the secret of the one before, as the promise to it says. A change costs one restart, and a kill costs none.
"""

import os
import random
import signal
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from keyturn.db.tables import runs
from tests.kill import judge
from tests.kill.readers import (
    ROTATIONS,
    USER_AGENT,
    Operator,
    Over,
    ServerLine,
    Subject,
    at_work,
    new_project,
    new_subject,
    reader_environ,
    sign_in,
    signing_place,
)
from tests.kill.scene import life, printed_seed, settle, until
from tests.kill.zygote import zygote
from tests.ports import free_port
from tests.system.installation import Installation

CHANGES = int(os.environ.get("KEYTURN_AGENT_ROTATIONS", "10"))
"""Rotations of both applications together. ``make crash`` does two hundred."""
CHANGES_FOR_A_KILL = 5
SIGN_IN_EVERY = 0.5
ENVIRONMENTS = ("prod", "staging")
"""Of each application one: a program is started anew for every change in its folder."""
PROCESSES = {"sqlite": ("serve",), "postgres": ("serve", "worker")}
AGENT = """
[[set]]
name = "target"
project = "shop"
environment = "prod"
directory = "FOLDER/files"
on_change = "command"
command = ["sh", "-c", "echo told >> FOLDER/told"]

[[set.file]]
name = "secret"
secret = "SECRET"
"""


@dataclass
class Consumer:
    """A program. ``held`` returns the secret that it has now, if any; ``used`` are those that it had, the newest last."""

    place: Installation
    subject: Subject
    context: ssl.SSLContext
    held: Callable[[], str | None]
    used: list[str] = field(default_factory=list, repr=False)

    def work(self, over: Over) -> None:
        """Sign in again and again until it is over. Every sign-in that is refused is noted."""
        next_at = 0.0
        with httpx.Client(verify=self.context, trust_env=False) as entra:
            while not over():
                value = self.held()
                new = value not in self.used
                if value is None or not (new or time.monotonic() >= next_at):
                    time.sleep(0.05)
                    continue
                refusal = sign_in(self.place, self.subject, entra, value)
                next_at = time.monotonic() + SIGN_IN_EVERY
                self.subject.sign_ins += 1
                self.subject.refused += [refusal] if refusal else []
                self.used += [value] if new else []


class Told:
    """What a program holds that reads its file when it starts, and whenever it is told to."""

    def __init__(self, folder: Path) -> None:
        self._file, self._told = folder / "files" / "secret", folder / "told"
        self._seen, self._value = 0, None  # type: int, str | None

    @property
    def times(self) -> int:
        return len(self._told.read_text().splitlines()) if self._told.exists() else 0

    def __call__(self) -> str | None:
        times = self.times
        if self._file.exists() and (self._value is None or times > self._seen):
            self._seen, self._value = times, self._file.read_text()
        return self._value


class Started:
    """What a program holds that has its secret in the environment, and writes it down at each start."""

    def __init__(self, folder: Path) -> None:
        self._starts = folder / "starts"

    @property
    def times(self) -> int:
        return len(self._starts.read_text().splitlines()) if self._starts.exists() else 0

    def __call__(self) -> str | None:
        whole = self._starts.read_text().rpartition("\n")[0] if self._starts.exists() else ""
        return whole.splitlines()[-1] if whole else None


@dataclass
class Turns:
    """Has the secret rotated again and again, each time after the program got the one before."""

    line: ServerLine
    consumer: Consumer
    environment: str
    project_id: str
    wanted: int

    def work(self, over: Over) -> None:
        subject = self.consumer.subject
        path = f"{ROTATIONS}/{subject.rotation_id}/rotate-secrets"
        with httpx.Client(trust_env=False) as http:
            self._wait_for_the_program(http, over)
            while not over() and subject.rotated < self.wanted:
                with suppress(httpx.TransportError):  # it was killed; what it began, the next one ends
                    self.line.once(http, "POST", path)
                until(lambda: over() or not self._runs(), "the run has ended")
                self._wait_for_the_program(http, over)
                # What was asked for when the server died may have begun later than it was looked for.
                subject.rotated = len(self.consumer.used) - 1

    def _runs(self) -> bool:
        query = sa.select(runs.c.id).where(
            runs.c.rotation_id == self.consumer.subject.rotation_id, runs.c.finished_at.is_(None)
        )
        with self.consumer.place.core.database.read() as tx:
            return tx.one(query) is not None

    def _wait_for_the_program(self, http: httpx.Client, over: Over) -> None:
        query = {"workspaceId": self.project_id, "environment": self.environment, "secretPath": "/"}
        path = f"/api/v3/secrets/raw/{self.consumer.subject.secret_name}"
        answer = self.line.ask(http, over, "GET", path, params=query)
        current = answer["secret"]["secretValue"] if answer else None
        until(lambda: over() or current in self.consumer.used[-1:], "the program has the newest secret")


@pytest.mark.timeout(1800)
@pytest.mark.alternates("programs and receivers")
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_no_program_is_refused_and_each_change_costs_one_restart(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    seed = printed_seed()
    luck = random.Random(seed)
    aside = tmp_path_factory.mktemp("delivered")  # what is delivered holds secrets, and nothing else may
    with signing_place(tmp_path, kind, seed) as (place, signer), zygote(tmp_path / "logs") as parent:
        # The port stays that of the server when it is started anew, so that its clients find it.
        commands = {"serve": ("serve", "--port", str(free_port())), "worker": ("worker",)}
        commands = {name: commands[name] for name in PROCESSES[kind]}
        environs = dict.fromkeys(commands, place.environ)
        line = ServerLine(place)
        children = {name: parent.start(command, place.environ) for name, command in commands.items()}
        line.servers = (children["serve"],)
        project_id = new_project(line)
        subjects = [new_subject(place, line, signer, project_id, *each) for each in enumerate(ENVIRONMENTS)]
        environ = reader_environ(place, line, project_id, f"http://127.0.0.1:{commands['serve'][2]}")
        told, started = Told(aside), Started(aside)
        (aside / "agent.toml").write_text(AGENT.replace("FOLDER", str(aside)).replace('"SECRET"', '"SECRET_0"'))
        config = ("--config", str(aside / "agent.toml"), "--state", str(tmp_path / "agent.json"))
        commands["agent"], environs["agent"] = ("agent", "run", *config), environ
        children["agent"] = parent.start(commands["agent"], environ)
        program = ["sh", "-c", f'echo "$SECRET_1" >> {aside}/starts; exec sleep 3600']
        running = parent.start(("run", "--env", ENVIRONMENTS[1], "--ready", "0.2", "--", *program), environ)
        context = ssl.create_default_context(cafile=place.running.ca_file)
        consumers = [
            Consumer(place, subject, context, held) for subject, held in zip(subjects, (told, started), strict=True)
        ]
        turns = [Turns(line, *each, project_id, CHANGES // 2) for each in zip(consumers, ENVIRONMENTS, strict=True)]

        def rotated() -> int:
            # What one did beyond its half does not count for the other.
            return sum(min(each.rotated, CHANGES // 2) for each in subjects)

        def wait_for(changes: int) -> None:
            until(lambda: check() or rotated() >= min(changes, CHANGES), "rotations go on", otherwise=parent.said)

        began, kills = time.monotonic(), dict.fromkeys(commands, 0)
        with at_work(*(each.work for each in [*consumers, *turns])) as check:
            until(lambda: check() or all(each.used for each in consumers), "both run", otherwise=parent.said)
            for number in range(CHANGES // CHANGES_FOR_A_KILL):
                name = list(commands)[number % len(commands)]
                time.sleep(life(luck))
                parent.kill(children[name])
                kills[name] += 1
                children[name] = parent.start(commands[name], environs[name])
                line.servers = (children["serve"],)
                wait_for((number + 1) * CHANGES_FOR_A_KILL)
            wait_for(CHANGES)
        took, changed = time.monotonic() - began, sum(each.rotated for each in subjects)
        os.kill(running.pid, signal.SIGTERM)
        assert parent.wait(running) == 128 + signal.SIGTERM
        parent.kill(children.pop("agent"))
        for subject in subjects:
            Operator(line, subject, luck, 0).end_all_promises()
        applications = [each.application.object_id for each in subjects]
        rested = settle(
            place,
            [*applications, judge.application_of(place, signer)],
            [tmp_path],
            lambda: parent.stacks(children["serve"]),
        )
        _check(place, consumers)
        assert started.times == len(consumers[1].used), "a restart for each change, and none for a kill"
        changes = len(consumers[0].used) - 1
        # Who is killed between telling and noting it tells once more: better than never.
        assert changes <= told.times <= changes + kills["agent"]
        print(
            f"{kind}, kills {kills} in {took:.0f} s: {changed} rotations, {sum(each.sign_ins for each in subjects)} sign-ins, "
            f"none refused; {(started.times - 1) / (len(consumers[1].used) - 1):.2f} restarts and {told.times / changes:.2f} "
            f"commands for each change; {rested}"
        )


def _check(place: Installation, consumers: list[Consumer]) -> None:
    """Both worked all the while, and the ledger of Entra knows of no refusal."""
    for consumer in consumers:
        subject = consumer.subject
        assert not subject.refused, subject.refused
        entries = [each for each in place.emulator.ledger if each.user_agent == f"{USER_AGENT}{subject.secret_name}"]
        assert len(entries) == subject.sign_ins > 0
        assert {each.status for each in entries} == {200}
        assert len(consumer.used) > CHANGES // 2
