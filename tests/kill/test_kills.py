"""``kill -9`` on the real processes, at random instants, while connections rotate against an Entra that lags and fails."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from entra_emulator import RESET, SERVICE_UNAVAILABLE, Fault
from keyturn.connections.domain import Connection
from keyturn.credentials.domain import State
from keyturn.db.tables import runs
from tests.kill import judge, scene
from tests.kill.scene import KILLED_WHILE_STARTING, LAG, SERVE, database, life, printed_seed, settle, until, watched
from tests.kill.watched import WatchedEmulator
from tests.kill.zygote import Child, zygote
from tests.postgres import fresh_database
from tests.system.installation import ROOT, Installation, installation

KILLS = int(os.environ.get("KEYTURN_KILLS", "5"))
"""How often each of the two long tests kills. ``make crash`` does so a hundred times."""
COLD_KILLS = 3
CONNECTIONS = 12
CONCURRENCY = 4
"""Less than the connections: some rotations were never begun by the killed server, and begin at once in the next."""
TAKEN_OVER_WITHIN = 30
PUBLISHED_WITHIN = 60
"""Fifteen seconds are the wait for a write whose answer died; after a "not yet" the proofs take ten seconds and more."""
PACE = scene.PACE | {"KEYTURN_CONCURRENCY": str(CONCURRENCY)}


@contextmanager
def _place(folder: Path, kind: str, seed: int) -> Iterator[tuple[Installation, list[Connection]]]:
    """An installation with connections that have never rotated. Now and then Entra does as told and then fails."""
    with database(kind) as url:
        make = WatchedEmulator
        with installation(folder, database_url=url, settings=LAG, seed=seed, make=make, variables=PACE) as place:
            connections = []
            for number in range(CONNECTIONS):
                application = place.application(f"app-{number}")
                watched(place).remember(application.object_id)
                connections.append(place.connect(application, f"app-{number}"))
            place.emulator.faults.add(Fault("writes", (RESET, SERVICE_UNAVAILABLE), times=None, probability=0.05))
            yield place, connections


@pytest.mark.alternates("servers and workers")
@pytest.mark.timeout(600)
def test_a_server_killed_again_and_again_leaves_nothing_behind(tmp_path: Path) -> None:
    seed = printed_seed()
    luck = random.Random(seed)
    with _place(tmp_path, "sqlite", seed) as (place, connections), zygote(tmp_path / "logs") as parent:
        for _ in range(KILLS):
            agents = len(_agents(place))
            _rotate(place, connections)
            server = parent.start(SERVE, place.environ)
            if luck.random() >= KILLED_WHILE_STARTING:
                until(partial(_seen_more_than, place, agents), "the server works")
            time.sleep(life(luck))
            parent.kill(server)
            _check_all(place, connections)
        last = parent.start(SERVE, place.environ)
        _judge(place, connections, f"SQLite, {KILLS} kills", [tmp_path], lambda: parent.stacks(last))


@pytest.mark.alternates("servers and workers")
@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_two_workers_one_of_them_killed_again_and_again_leave_nothing_behind(tmp_path: Path) -> None:
    seed = printed_seed()
    luck = random.Random(seed)
    with _place(tmp_path, "postgres", seed) as (place, connections), zygote(tmp_path / "logs") as parent:
        workers = [parent.start(["worker"], place.environ) for _ in range(2)]
        for _ in range(KILLS):
            _rotate(place, connections)
            time.sleep(life(luck) * 2)  # each lives twice as long, as one of two is killed
            killed = luck.randrange(2)
            parent.kill(workers[killed])
            _check_all(place, connections)
            workers[killed] = parent.start(["worker"], place.environ)
        what = f"PostgreSQL, two workers, {KILLS} kills"
        _judge(place, connections, what, [tmp_path], lambda: "\n".join(map(parent.stacks, workers)))


@pytest.mark.alternates
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_command_itself_killed_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    seed = printed_seed()
    luck = random.Random(seed)
    with _place(tmp_path, kind, seed) as (place, connections):
        for number in range(COLD_KILLS):
            agents = len(_agents(place))
            with _serve(place, tmp_path / f"cold-{number}.log") as server:
                until(partial(_seen_more_than, place, agents), "the server works")
                _rotate(place, connections)
                time.sleep(luck.uniform(0, 1))
                server.kill()
                server.wait()
            _check_all(place, connections)
        with _serve(place, tmp_path / "cold-last.log"):
            _judge(place, connections, f"{kind}, cold starts, {COLD_KILLS} kills", [tmp_path])


@pytest.mark.postgres
def test_another_worker_takes_over_within_thirty_seconds_what_a_killed_one_asked_for(tmp_path: Path) -> None:
    """With the waits of production: the secret whose answer died is found, removed, and another one published."""
    with (
        fresh_database() as url,
        installation(tmp_path, database_url=url, settings=LAG, make=WatchedEmulator) as place,
        zygote(tmp_path / "logs") as parent,
    ):
        application = place.application("app")
        connection = place.connect(application, "app")
        workers: list[Child] = [parent.start(["worker"], place.environ) for _ in range(2)]
        killed: list[tuple[float, str]] = []
        ids = _process_ids(place)

        def kill_the_caller(agent: str) -> None:
            if not killed:
                killed.append((time.time(), agent))
                parent.kill(next(child for child in workers if ids()[child.pid] in agent))

        watched(place).on_add = kill_the_caller
        until(lambda: _published(place) == 1, "the other worker publishes")
        took = time.time() - killed[0][0]
        later = [entry for entry in place.emulator.ledger if entry.started > killed[0][0]]
        took_over = min(entry.started for entry in later if judge.OURS.match(entry.user_agent)) - killed[0][0]
        print(f"taken over after {took_over:.1f} s, published after {took:.1f} s")
        assert took_over < TAKEN_OVER_WITHIN
        assert took < PUBLISHED_WITHIN
        assert all(entry.user_agent != killed[0][1] for entry in later)
        assert not list(judge.overlaps(place.emulator.ledger))
        judge.check_signs_in(place, connection)


# --- acting -------------------------------------------------------------------------------------------------------------


def _rotate(place: Installation, connections: Sequence[Connection]) -> None:
    """Ask for rotations of all connections, as impatient users do."""
    for connection in connections:
        place.rotations.rotate_now(place.actor, connection.id)


@contextmanager
def _serve(place: Installation, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "keyturn", *SERVE]
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env=place.environ, cwd=ROOT, stdout=out, stderr=out) as server,
    ):
        try:
            yield server
        finally:
            server.kill()


# --- looking ------------------------------------------------------------------------------------------------------------


def _check_all(place: Installation, connections: Sequence[Connection]) -> None:
    for connection in connections:
        judge.check_current(place, connection)


def _judge(
    place: Installation,
    connections: Sequence[Connection],
    what: str,
    folders: list[Path],
    stacks: Callable[[], str] = str,
) -> None:
    """Let it come to rest and see that all is as it should be."""
    applications = [judge.application_of(place, connection) for connection in connections]
    rested = settle(place, applications, folders, stacks)
    until(lambda: _all_sign_in(place, connections), "all replicas know", seconds=5)
    print(f"{what}: {_counted(place)}; {rested}")


def _all_sign_in(place: Installation, connections: Sequence[Connection]) -> bool:
    try:
        for connection in connections:
            judge.check_signs_in(place, connection)
    except Exception:  # noqa: BLE001 - whatever it is: not yet
        return False
    return True


def _counted(place: Installation) -> str:
    ends = Counter(row.state for row in judge.read_journal(place))
    with place.core.database.read() as tx:
        states = Counter(row["state"] for row in tx.rows(sa.select(runs.c.state)))
    found_again = len(
        [row for row in judge.read_journal(place) if row.issued_at is None and row.key_id and not row.adopted]
    )
    return (
        f"{states['succeeded']} runs succeeded, {states['failed']} failed; {sum(ends.values())} secrets planned, "
        f"{found_again} answers lost and found, {ends[State.ABANDONED]} never made; "
        f"{len(judge.writers(place.emulator.ledger))} processes wrote in Entra"
    )


def _published(place: Installation) -> int:
    with place.core.database.read() as tx:
        return len(tx.rows(sa.select(runs.c.id).where(runs.c.state == "succeeded")))


def _agents(place: Installation) -> set[str]:
    """The processes that called Entra so far."""
    return {agent for agent in {entry.user_agent for entry in place.emulator.ledger} if judge.OURS.match(agent)}


def _seen_more_than(place: Installation, already: int) -> bool:
    return len(_agents(place)) > already


def _process_ids(place: Installation) -> Callable[[], dict[int, str]]:
    from keyturn.engine.store import list_processes  # noqa: PLC0415 - for this test alone

    def read() -> dict[int, str]:
        with place.core.database.read() as tx:
            return {process.pid: process.id for process in list_processes(tx)}

    return read
