"""A new secret is published when the slowest replica knows it, too."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator import Settings
from keyturn.credentials.domain import State
from keyturn.db.unit import Database
from keyturn_simulation.world import World, make_world
from tests.databases import sqlite_database

LATE = Settings(replicas=3, token_appear=(2.0, 30.0))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path) as opened:
        yield opened


def proofs_after_the_last_not_yet(world: World, key_id: str, until: float) -> tuple[list[float], float | None]:
    """When the key signed in up to the moment, after the last refusal before it; and when that was."""
    requests = [request for request in world.emulator.ledger.query(operation="token") if request.at <= until]
    refused = [request.at for request in requests if request.status == 401 and request.at < until]
    last = refused[-1] if refused else None
    good = [request.at for request in requests if request.auth_key_id == key_id and (last is None or request.at > last)]
    return good, last


@pytest.mark.parametrize("seed", range(1, 9))
def test_after_a_not_yet_five_sign_ins_are_spread_over_as_long_as_it_took(database: Database, seed: int) -> None:
    world = make_world(database, seed=seed, settings=LATE)
    connection = world.connect()
    world.settle()
    _, row = world.journal(connection)
    assert row.state is State.CURRENT
    assert row.published_at
    assert row.issued_at
    good, last = proofs_after_the_last_not_yet(world, str(row.key_id), row.published_at.timestamp())
    count = 3 if last is None else 5
    assert len(good) in {count, count + 1}, (
        "one more signs in for the removal of the original, or finds the slowest replica"
    )
    if last is not None:
        assert good[count - 1] - good[0] >= min(max(last - row.issued_at.timestamp(), 10.0), 300.0) - 0.1


def test_where_every_replica_knows_it_at_once_nothing_is_waited_for(database: Database) -> None:
    world = make_world(database)
    begun = world.clock.now()
    connection = world.connect()
    world.settle(within=timedelta(seconds=3))
    published = world.journal(connection)[-1].published_at
    assert published
    assert published - begun < timedelta(seconds=5)
