"""The last judgement itself: what it blames and what it does not."""

from datetime import timedelta

import pytest

from keyturn.connections.domain import NewConnection
from keyturn.db.unit import Database
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.rotations.commands import ScheduleChange
from keyturn_simulation.invariants import Broken, check_quiet
from keyturn_simulation.keys import key_pool, uploaded_pair
from keyturn_simulation.world import World, make_world

AGES = timedelta(days=3000)
WEEKLY = ScheduleChange(7, 2, 15)
KINDS = pytest.mark.parametrize("kind", ["secret", "certificate"])


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def connect(world: World, kind: str, schedule: ScheduleChange | None) -> None:
    """Connect by what the application holds already: nothing has rotated yet."""
    now, app = world.clock.now(), world.application
    credentials: ClientSecret | CertificateFiles = world.first_secret()
    if kind == "certificate":
        pair = uploaded_pair(next(key_pool()), now, now + timedelta(days=90))
        world.emulator.admin.add_certificate(app.object_id, pair.chain.encode())
        credentials = CertificateFiles(world.tenant_id, app.app_id, pair.chain, pair.private_key)
    world.rotations.create(world.actor, NewConnection("ours", credentials), schedule)


@KINDS
def test_what_nobody_rotates_may_expire(world: World, kind: str) -> None:
    connect(world, kind, None)
    world.clock.advance(AGES.total_seconds())
    check_quiet(world)


@KINDS
def test_what_rotates_may_not_expire(world: World, kind: str) -> None:
    connect(world, kind, WEEKLY)
    world.settle()
    check_quiet(world)
    world.clock.advance(AGES.total_seconds())
    with pytest.raises(Broken, match=f"5: the current {kind} of ours expired"):
        check_quiet(world)


@KINDS
def test_what_is_gone_is_missed_even_where_nothing_rotates(world: World, kind: str) -> None:
    connect(world, kind, None)
    admin, object_id = world.emulator.admin, world.application.object_id
    for secret in admin.secrets(object_id):
        admin.remove_secret(object_id, secret.key_id)
    for certificate in admin.application(object_id).keys_held():
        admin.remove_certificate(object_id, certificate.key_id)
    with pytest.raises(Broken, match=f"5: the current {kind} of ours does not exist in Entra"):
        check_quiet(world)
