"""What a program reads from servers that are killed all the while works at Entra ID, however often it is rotated."""

import os
import random
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from entra_emulator import RESET, SERVICE_UNAVAILABLE, Fault
from keyturn.connections.domain import Connection
from keyturn_simulation.invariants import check_one_copy, check_published
from tests.kill import judge, scene
from tests.kill.readers import ROTATIONS, USER_AGENT, Operator, Program, ServerLine, Subject, address, at_work
from tests.kill.scene import KILLED_WHILE_STARTING, SERVE, database, life, printed_seed, settle, until, watched
from tests.kill.watched import WatchedEmulator
from tests.kill.zygote import zygote
from tests.system.installation import Installation, installation

KILLS = int(os.environ.get("KEYTURN_KILLS", "4"))
"""``make crash`` kills a hundred times."""
RUNS = 2 * KILLS
"""As many rotations at least, of all applications together."""
APPLICATIONS = 3
LEAKS = 0.25
SERVERS = {"sqlite": 1, "postgres": 2}
LAG = replace(scene.LAG, token_appear=(0, 0.4))
PACE = scene.PACE | {"KEYTURN_PROOF_SPACING": "0.25"}
"""The proofs take longer than replication, as they do at the pace for the real Entra ID: what is published works everywhere."""


@pytest.mark.timeout(1200)
@pytest.mark.alternates
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_what_a_program_reads_is_never_refused(tmp_path: Path, kind: str) -> None:
    seed = printed_seed()
    luck = random.Random(seed)
    with _place(tmp_path, kind, seed) as (place, signer), zygote(tmp_path / "logs") as parent:
        line = ServerLine(place)
        line.servers = tuple(parent.start(SERVE, place.environ) for _ in range(SERVERS[kind]))
        project_id, subjects = _subjects(place, line, signer)
        context = ssl.create_default_context(cafile=place.running.ca_file)
        programs = [
            Program(place, line, subject, project_id, random.Random(luck.random()), context) for subject in subjects
        ]
        operators = [Operator(line, subject, random.Random(luck.random()), LEAKS) for subject in subjects]

        def rotated() -> int:
            return sum(each.rotated for each in subjects)

        began = time.monotonic()
        with at_work(*(each.work for each in [*programs, *operators])) as check:
            for _ in range(KILLS):
                place.rotations.rotate_now(place.actor, signer.id)
                killed = luck.choice(line.servers)
                if luck.random() >= KILLED_WHILE_STARTING:
                    until(lambda: address(killed) is not None, "the server is ready")  # noqa: B023 - called at once
                time.sleep(life(luck))
                parent.kill(killed)
                born = parent.start(SERVE, place.environ)
                line.servers = (*(each for each in line.servers if each is not killed), born)
                check()
            until(lambda: check() or rotated() >= RUNS, "all rotations are done", seconds=600)
        took = time.monotonic() - began
        with ThreadPoolExecutor() as pool:
            list(pool.map(Operator.end_all_promises, operators))  # then only one secret of each application stays
        applications = [each.application.object_id for each in subjects]
        rested = settle(
            place,
            [*applications, judge.application_of(place, signer)],
            [tmp_path],
            lambda: "\n".join(map(parent.stacks, line.servers)),
        )
        _check_rows(place)
        _check_sign_ins(place, subjects)
        print(
            f"{kind}, {KILLS} kills in {took:.0f} s: {rotated()} rotations, "
            f"{sum(len(each.leaks) for each in subjects)} of them for leaks; {sum(each.sign_ins for each in subjects)} sign-ins, "
            f"none refused but {sum(each.given_up for each in subjects)} with what had leaked; {rested}"
        )


@contextmanager
def _place(folder: Path, kind: str, seed: int) -> Iterator[tuple[Installation, Connection]]:
    """An installation with a connection that may write every application. Now and then Entra does as told and then fails."""
    with (
        database(kind) as url,
        installation(folder, database_url=url, settings=LAG, seed=seed, make=WatchedEmulator, variables=PACE) as place,
    ):
        application = place.application("signer", "Application.ReadWrite.All")
        watched(place).remember(application.object_id)
        signer = place.connect(application, "signer")
        place.emulator.faults.add(Fault("writes", (RESET, SERVICE_UNAVAILABLE), times=None, probability=0.05))
        yield place, signer


def _subjects(place: Installation, line: ServerLine, signer: Connection) -> tuple[str, list[Subject]]:
    """Have the secrets of some applications rotated into a new project; return its id, and them."""

    def post(path: str, body: object) -> Any:
        with httpx.Client(trust_env=False) as http:
            return line.ask(http, lambda: False, "POST", path, json=body)

    project_id = post("/api/v1/projects", {"projectName": "Shop", "slug": "shop"})["project"]["id"]

    def subject(number: int) -> Subject:
        target = place.emulator.admin.create_application(place.tenant_id, f"target-{number}", secrets=0)
        body = {
            "name": f"target-{number}",
            "projectId": project_id,
            "connectionId": signer.id,
            "environment": "prod",
            "secretPath": "/",
            "rotationInterval": 30,
            "rotateAtUtc": {"hours": 0, "minutes": 0},
            "parameters": {"objectId": target.object_id, "clientId": target.app_id},
            "secretsMapping": {"clientId": f"ID_{number}", "clientSecret": f"SECRET_{number}"},
        }
        return Subject(target, f"SECRET_{number}", post(ROTATIONS, body)["secretRotation"]["id"])

    with ThreadPoolExecutor() as pool:
        return project_id, list(pool.map(subject, range(APPLICATIONS)))


def _check_rows(place: Installation) -> None:
    """The secrets, the journal and the feed say one and the same, and so do the connection and its journal."""
    with place.core.database.read() as tx:

        def ask(query: str) -> list[tuple[object, ...]]:
            return [tuple(row.values()) for row in tx.rows(sa.text(query))]

        check_one_copy(ask)
        check_published(ask)


def _check_sign_ins(place: Installation, subjects: list[Subject]) -> None:
    """Each program worked all the while, and the ledger of Entra knows of no refusal but those with what had leaked."""
    for subject in subjects:
        assert not subject.refused, subject.refused
        agent = f"{USER_AGENT}{subject.secret_name}"
        entries = [entry for entry in place.emulator.ledger if entry.user_agent == agent]
        assert len(entries) == subject.sign_ins > 0
        assert len([entry for entry in entries if entry.status != 200]) == subject.given_up
