"""The last judgement itself: what it blames and what it does not."""

from datetime import timedelta

import pytest

from keyturn.connections.domain import CertificateFiles, Draft
from keyturn.db.unit import Database
from keyturn.rotations.changes import ScheduleChange
from keyturn_simulation.invariants import Broken, check_quiet
from keyturn_simulation.keys import key_pool, uploaded_pair
from keyturn_simulation.world import World, make_world

AGES = timedelta(days=3000)


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def connect_by_certificate(world: World, schedule: ScheduleChange | None) -> None:
    now = world.clock.now()
    made = uploaded_pair(next(key_pool()), now, now + timedelta(days=90))
    world.emulator.admin.add_certificate(world.application.object_id, made.chain.encode())
    given = CertificateFiles(world.tenant_id, world.application.app_id, made.chain, made.private_key)
    world.rotations.create(world.actor, Draft("by-certificate", given), schedule)


def test_what_nobody_rotates_may_expire(world: World) -> None:
    world.connect(rotate=False)
    connect_by_certificate(world, None)
    world.clock.advance(AGES.total_seconds())
    check_quiet(world)


def test_a_rotating_secret_may_not_expire(world: World) -> None:
    world.connect()
    world.settle()
    check_quiet(world)
    world.clock.advance(AGES.total_seconds())
    with pytest.raises(Broken, match="5: the current secret of prod-entra expired"):
        check_quiet(world)


def test_a_rotating_certificate_may_not_expire(world: World) -> None:
    connect_by_certificate(world, ScheduleChange(30, 2, 15))
    world.settle()
    check_quiet(world)
    world.clock.advance(AGES.total_seconds())
    with pytest.raises(Broken, match="5: the current certificate of by-certificate expired"):
        check_quiet(world)


def test_what_is_gone_is_missed_even_where_nothing_rotates(world: World) -> None:
    world.connect(rotate=False)
    world.emulator.admin.remove_secret(world.application.object_id, world.application.secrets[0].key_id)
    with pytest.raises(Broken, match="5: the current secret of prod-entra does not exist in Entra"):
        check_quiet(world)
