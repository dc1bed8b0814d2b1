"""How the federated credential of a connection that went back is removed: by whatever clock, late replicas and lost answers."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from entra_emulator import Effect, Fault
from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.connections.domain import NewConnection
from keyturn.db import migrate
from keyturn.db.migrate import VERSION_TABLE
from keyturn.db.tables import conversions as table
from keyturn.errors import Refused
from keyturn.kit.moments import LAST
from keyturn.kit.secret import Plaintext
from keyturn.projects.service import Projects
from keyturn.rotations import guards
from keyturn_simulation.projects import add_project
from tests.databases import KINDS
from tests.features.methods.test_conversion import ConversionScene, scene_in
from tests.features.methods.test_conversion_trouble import conditions

HOURS = timedelta(hours=9)
ADD, REMOVE = "createFederatedIdentityCredential", "deleteFederatedIdentityCredential"


def went_back_at_once(scene: ConversionScene) -> None:
    """The answer to the request for the federated credential is lost, somebody goes back, and it shows minutes later."""
    world = scene.world
    world.emulator.admin.configure(world.tenant_id, replicas=2, graph_appear=(600, 600))
    world.emulator.faults.add(Fault(ADD, (Effect(503),), when="after"))
    conversion = scene.begin()
    world.servers[0].services.conversion_work.advance(conversion.id)
    scene.back()


@pytest.mark.parametrize("offs", [(timedelta(0),), (HOURS,), (-HOURS,), (HOURS, timedelta(0)), (timedelta(0), -HOURS)])
def test_what_shows_minutes_later_is_removed_by_whatever_clock(tmp_path: Path, offs: Sequence[timedelta]) -> None:
    """The clock jumps once it went back; where there are two servers, each by its own clock looks in turn."""
    with scene_in(tmp_path) as scene:
        world, work = scene.world, scene.world.servers[0].services.conversion_work
        went_back_at_once(scene)
        conversion = scene.newest()
        assert conversion
        for number in range(4 * 40):
            world.servers[0].clock.off = offs[number % len(offs)]
            work.advance(conversion.id)
            world.clock.advance(15)
        world.servers[0].clock.off = timedelta(0)
        scene.work(timedelta(hours=1))
        assert (scene.state, scene.trusts(), scene.signs_in()) == ("withdrawn", [], True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_older_version_asked_for_is_removed_after_the_upgrade(tmp_path: Path, kind: str) -> None:
    with scene_in(tmp_path, kind=kind) as scene:
        world = scene.world
        world.emulator.faults.add(Fault(ADD, (Effect(503),), when="after"))
        conversion = scene.begin()
        world.servers[0].services.conversion_work.advance(conversion.id)
        with world.database.write() as tx:
            tx.run(sa.update(table), settles_at=None)
            tx.run(sa.text(f"CREATE TABLE {VERSION_TABLE} AS SELECT '0058' AS version_num"))
        assert (scene.state, bool(scene.trusts())) == ("trusting", True)
        assert migrate.upgrade(world.database)
        scene.back()
        scene.work(timedelta(hours=1))
        assert (scene.state, scene.trusts(), scene.signs_in()) == ("withdrawn", [], True)


def test_one_that_was_watched_for_long_is_free_at_once(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        scene.begin()
        scene.work(timedelta(hours=1))
        scene.back()
        scene.work(timedelta(minutes=1))
        assert (scene.state, scene.trusts()) == ("withdrawn", [])
        scene.begin()


def test_one_that_was_not_says_from_when_it_may_begin_again_or_be_deleted(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin()
        scene.work(timedelta(minutes=5))
        scene.back()
        scene.work(timedelta(minutes=1))
        assert scene.state == "withdrawing"
        with pytest.raises(Refused) as refused:
            scene.begin()
        with pytest.raises(Refused) as kept:
            world.rotations.delete(world.actor, scene.connection.id)
        conversion = scene.newest()
        assert conversion
        free = conversion.trust_removed_by(world.clock.now())
        assert free
        assert world.clock.now() < free <= world.clock.now() + timedelta(minutes=12)
        assert [f"after {free:%Y-%m-%d %H:%M} UTC" in str(each.value.fix) for each in (refused, kept)] == [True] * 2
        scene.work(free - world.clock.now())
        assert scene.state == "withdrawn"
        scene.begin()


def test_its_project_is_not_deleted_meanwhile(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world, project = scene.world, add_project(scene.world, "Shop")
        made = world.emulator.admin.add_secret(world.application.object_id, "second")
        given = world.first_secret(secret=Plaintext(made.value), key_id=made.key_id)
        connection = world.rotations.create(world.actor, NewConnection("second", given, project_id=project), None)
        second = ConversionScene(world, scene.cluster, connection)
        second.begin()
        second.work(timedelta(minutes=2))
        projects = Projects(world.database, world.clock, world.ids, delete_guards=(guards.refuse_project,))
        with pytest.raises(Refused, match="rotate their credentials: 'second'"):
            projects.delete(world.actor, project)
        second.back()
        second.work(timedelta(minutes=1))
        assert second.state == "withdrawing"
        with pytest.raises(Refused, match="rotate their credentials: 'second'"):
            projects.delete(world.actor, project)
        second.work(timedelta(minutes=20))
        assert (second.state, second.trusts()) == ("withdrawn", [])


def test_a_lost_answer_to_the_removal_is_no_trouble_that_stays(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin()
        scene.work(timedelta(hours=1))
        scene.cluster.broken = True
        world.emulator.faults.add(Fault(REMOVE, (Effect(503),), when="after"))
        scene.work(timedelta(hours=3))
        told = scene.newest()
        assert told
        reason = told.reason or {}
        assert (scene.state, scene.trusts(), reason.get("left")) == ("withdrawn", [], None)
        assert reason.get("code") == "token_source.file_unreadable", "why it went back, not what passed"
        [alarm] = [one for one in conditions(scene) if one.kind is ConditionKind.CONVERSION_WITHDRAWN]
        assert "The file cannot be read." in alarm.cause


def test_one_of_which_nothing_signs_in_any_more_is_given_up_and_deleted(tmp_path: Path) -> None:
    """Its application was deleted: nothing can be removed from it, and nobody has to wait for that."""
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin()
        scene.work(timedelta(hours=1))
        world.emulator.faults.add(Fault(REMOVE, (Effect(403),), when="before", times=None))
        world.services.conversions.go_back(world.actor, scene.connection.id, leave=True)
        scene.work(timedelta(hours=1))
        assert scene.state == "withdrawing", "what was not tried is not left"
        with pytest.raises(Refused, match="That was tried in vain") as refused:
            world.rotations.delete(world.actor, scene.connection.id)
        assert "secretless back " in str(refused.value.fix)
        scene.back()
        assert scene.state == "withdrawing", "to ask again is not to leave it"
        world.services.conversions.go_back(world.actor, scene.connection.id, leave=True)
        assert scene.state == "withdrawn"
        assert len(world.events("leave-app-connection-conversion")) == 1
        scene.work(timedelta(hours=1))
        world.rotations.delete(world.actor, scene.connection.id)


def test_why_it_went_back_is_not_forgotten_while_its_trust_cannot_be_removed(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin()
        scene.work(timedelta(hours=1))
        world.emulator.faults.add(Fault(REMOVE, (Effect(403),), when="before", times=None))
        scene.cluster.broken = True
        scene.work(timedelta(hours=12))
        assert scene.state == "withdrawing"
        with world.database.write() as tx:
            tx.run(sa.update(table).values(since=LAST))  # by a clock that was at the end of the calendar
        scene.work(timedelta(hours=2))
        with pytest.raises(Refused, match="That was tried in vain: ") as refused:
            world.rotations.delete(world.actor, scene.connection.id)
        assert "It is tried again by itself" in str(refused.value.fix)
        world.emulator.faults.clear()
        scene.work(timedelta(hours=2))
        told = scene.newest()
        assert told
        assert (scene.state, (told.reason or {}).get("code")) == ("withdrawn", "token_source.file_unreadable")
