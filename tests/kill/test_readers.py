"""What a program reads from servers that are killed all the while works at Entra ID, however often it is rotated."""

import os
import random
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn_simulation.invariants import check_one_copy, check_published
from tests.kill import judge
from tests.kill.readers import (
    USER_AGENT,
    Operator,
    Program,
    ServerLine,
    Subject,
    address,
    at_work,
    new_project,
    new_subject,
    signing_place,
)
from tests.kill.scene import KILLED_WHILE_STARTING, SERVE, life, printed_seed, settle, until
from tests.kill.zygote import zygote
from tests.system.installation import Installation

KILLS = int(os.environ.get("KEYTURN_KILLS", "4"))
"""``make crash`` kills a hundred times."""
RUNS = 2 * KILLS
"""As many rotations at least, of all applications together."""
APPLICATIONS = 3
LEAKS = 0.25
SERVERS = {"sqlite": 1, "postgres": 2}


@pytest.mark.timeout(1200)
@pytest.mark.alternates("programs and receivers")
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_what_a_program_reads_is_never_refused(tmp_path: Path, kind: str) -> None:
    seed = printed_seed()
    luck = random.Random(seed)
    with signing_place(tmp_path, kind, seed) as (place, signer), zygote(tmp_path / "logs") as parent:
        line = ServerLine(place)
        line.servers = tuple(parent.start(SERVE, place.environ) for _ in range(SERVERS[kind]))
        project_id = new_project(line)
        with ThreadPoolExecutor() as pool:
            subjects = list(pool.map(partial(new_subject, place, line, signer, project_id), range(APPLICATIONS)))
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
