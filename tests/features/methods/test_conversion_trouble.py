"""What others do, and what is wrong, while a connection gives its secret up."""

from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.connections.domain import NewConnection
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from tests.features.methods.test_conversion import ConversionScene, scene_in


def test_what_another_connection_signs_in_by_stays_when_one_goes_back(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        secret = world.emulator.admin.add_secret(world.application.object_id, "second")
        given = world.first_secret(secret=Plaintext(secret.value), key_id=secret.key_id)
        other = world.rotations.create(world.actor, NewConnection("other", given), None)
        second = ConversionScene(world, scene.cluster, other)
        scene.begin(hours=100)
        scene.work(timedelta(minutes=5))
        second.begin(hours=1)
        second.work(timedelta(hours=2))
        assert (scene.state, second.state) == ("watching", "done")
        scene.back()
        scene.work(timedelta(minutes=5))
        conversion = scene.newest()
        assert conversion
        assert (conversion.state, (conversion.reason or {}).get("left")) == ("withdrawn", conversion.name)
        assert scene.signs_in()
        assert second.signs_in(), "it has nothing else"


def test_a_secret_that_was_removed_meanwhile_can_be_replaced_and_is_not_asked_for_all_the_time(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world, admin, app = scene.world, scene.world.emulator.admin, scene.world.application
        scene.begin()
        for key_id in list(world.keys()):
            admin.remove_secret(app.object_id, key_id)
        asked = len(world.emulator.ledger)
        scene.work(timedelta(days=1))
        assert scene.state == "withdrawing", "it cannot sign in to see whether something is left"
        assert len(world.emulator.ledger) - asked < 400
        for rests in ({"enabled": False}, {"schedule": ScheduleChange(7, 1, 0)}):
            with pytest.raises(Refused, match=r"without a secret \(withdrawing\)"):
                world.change(scene.connection, **rests)
        made = admin.add_secret(app.object_id, "by hand")
        given = world.first_secret(secret=Plaintext(made.value), key_id=made.key_id)
        world.rotations.update(world.actor, scene.connection.id, ConnectionChange(credentials=given))
        scene.work(timedelta(hours=2))
        assert (scene.state, scene.signs_in(), scene.trusts()) == ("withdrawn", True, [])


def test_a_wrong_clock_does_not_shorten_the_watch(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        server, conversion = scene.world.servers[0], scene.begin(hours=6)
        server.clock.off = timedelta(hours=-9)
        for _ in range(6):
            server.services.conversion_work.advance(conversion.id)
            scene.world.clock.advance(3)
        server.clock.off = timedelta(0)
        assert scene.state == "watching"
        scene.work(timedelta(hours=5))
        assert scene.state == "watching"
        scene.work(timedelta(hours=2))
        assert scene.state == "done"


def test_one_that_a_clock_ahead_began_is_not_the_newest_for_ever(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        server = scene.world.servers[0]
        server.clock.off = timedelta(hours=9)
        first = scene.begin(server)
        scene.back()
        server.clock.off = timedelta(0)
        scene.work(timedelta(hours=1))
        assert scene.state == "withdrawn"
        second = scene.begin(hours=1)
        newest = scene.newest()
        assert newest
        assert newest.id == second.id != first.id
        scene.work(timedelta(hours=2))
        assert scene.state == "done"


def test_a_look_while_it_is_watched_is_about_what_signs_in(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin(hours=14 * 24)
        scene.work(timedelta(minutes=5))
        scene.cluster.claims = {"sub": "somebody else"}
        world.clock.advance(timedelta(days=3).total_seconds())
        world.look()
        assert scene.stored().refused_at
        assert not world.events("credentials-drifted"), "the secret that is kept is there"
        scene.cluster.claims = {}
        world.clock.advance(timedelta(hours=2).total_seconds())
        world.look()
        assert scene.stored().refused_at is None
        for key_id in list(world.keys()):
            world.emulator.admin.remove_secret(world.application.object_id, key_id)
        world.run_until(world.clock.now() + timedelta(days=3))
        assert scene.stored().refused_at is None, "it signs in without the secret that somebody removed"
