"""What others do, and what is wrong, while a connection gives its secret up."""

from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator import Effect, Fault
from keyturn.alarms.conditions.domain import Condition, ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.connections.domain import NewConnection
from keyturn.errors import NeedsAction, Refused
from keyturn.kit.secret import Plaintext
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.freezes.service import NewFreeze
from keyturn.rotations.store import policies
from tests.databases import KINDS
from tests.features.methods.test_conversion import ISSUER, SUBJECT, ConversionScene, scene_in


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
        world.clock.advance(timedelta(hours=1).total_seconds())
        scene.begin()
        scene.cluster.claims = {"sub": "somebody else"}
        scene.work(timedelta(seconds=10))
        assert scene.state == "proving"
        for key_id in list(world.keys()):
            admin.remove_secret(app.object_id, key_id)
        asked = len(world.emulator.ledger)
        scene.work(timedelta(days=1))
        assert scene.state == "withdrawing", "it cannot sign in to see whether something is left"
        assert len(world.emulator.ledger) - asked < 400
        with pytest.raises(Refused, match="still needed to remove the federated credential"):
            world.rotations.delete(world.actor, scene.connection.id)
        with pytest.raises(Refused, match="still needed to remove the federated credential"):
            scene.begin()
        made = admin.add_secret(app.object_id, "by hand")
        given = world.first_secret(secret=Plaintext(made.value), key_id=made.key_id)
        world.rotations.update(world.actor, scene.connection.id, ConnectionChange(credentials=given))
        scene.work(timedelta(hours=2))
        assert (scene.state, scene.signs_in(), scene.trusts()) == ("withdrawn", True, [])


def test_one_that_cannot_be_made_to_trust_anything_has_nothing_to_remove(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        world.clock.advance(timedelta(hours=1).total_seconds())
        scene.begin()
        for key_id in list(world.keys()):
            world.emulator.admin.remove_secret(world.application.object_id, key_id)
        scene.work(timedelta(minutes=1))
        assert scene.state == "withdrawn"
        world.rotations.delete(world.actor, scene.connection.id)


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


def conditions(scene: ConversionScene) -> list[Condition]:
    world = scene.world
    with world.database.read() as tx:
        finder = ConditionFinder(world.services.providers)
        return finder.of_organization(tx, world.actor.org_id, world.clock.now())


def test_who_asks_to_go_back_while_the_network_is_down_goes_back_once_it_is_there_again(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        faults = scene.world.emulator.faults
        scene.begin(hours=1)
        scene.work(timedelta(minutes=5))
        faults.add(Fault("token", (Effect(503),), when="before", times=None))
        scene.back()
        scene.work(timedelta(hours=2))
        told = scene.newest()
        assert told
        assert (scene.state, (told.reason or {}).get("code")) == ("watching", "azure.unavailable")
        faults.clear()
        scene.work(timedelta(minutes=20))
        assert (scene.state, scene.stored().method, scene.trusts()) == ("withdrawn", "client-secret", [])
        assert scene.signs_in()


def test_who_asks_to_go_back_to_a_secret_that_is_gone_is_told_so_until_the_end(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin(hours=3)
        scene.work(timedelta(minutes=5))
        for key_id in list(world.keys()):
            world.emulator.admin.remove_secret(world.application.object_id, key_id)
        scene.back()
        scene.work(timedelta(hours=2))
        told = scene.newest()
        assert told
        assert scene.state == "watching"
        assert "It cannot go back: Entra ID does not accept the client secret" in str(
            (told.reason or {}).get("message")
        )
        scene.work(timedelta(hours=2))
        assert (scene.state, scene.signs_in()) == ("done", True)


def test_that_there_is_no_way_back_is_said_until_the_end_whatever_happens_meanwhile(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin(hours=20)
        scene.work(timedelta(minutes=5))
        for key_id in list(world.keys()):
            world.emulator.admin.remove_secret(world.application.object_id, key_id)
        scene.back()
        for broken_for in (timedelta(minutes=61), timedelta(hours=2)):  # one refusal, and as many as lead back
            scene.cluster.broken = True
            scene.work(broken_for)
            scene.cluster.broken = False
            scene.work(timedelta(hours=2))
            told = scene.newest()
            assert told
            assert scene.state == "watching"
            assert "It cannot go back: " in str((told.reason or {}).get("message")), broken_for


def test_once_it_has_gone_back_its_rotation_is_changed_and_replaces_what_leaked(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        path = f"/api/v1/app-connections/{scene.connection.app}/{scene.connection.id}"
        scene.begin()
        scene.work(timedelta(minutes=5))
        with pytest.raises(Refused, match=r"without a secret \(watching\)") as refused:
            world.rotations.rotate_now(world.actor, scene.connection.id, leaked=True)
        assert f"go back first, which takes a minute: POST {path}/secretless/back" in str(refused.value.fix)
        world.emulator.faults.add(Fault("deleteFederatedIdentityCredential", (Effect(403),), when="before", times=None))
        scene.back()
        scene.work(timedelta(minutes=5))
        assert scene.state == "withdrawing"
        before = set(world.keys())
        world.rotations.rotate_now(world.actor, scene.connection.id, leaked=True)
        scene.work(timedelta(minutes=10))
        assert len(world.keys()) == 1
        assert not before & set(world.keys()), "what leaked is gone"
        world.change(scene.connection, schedule=ScheduleChange(7, 1, 0))
        world.change(scene.connection, enabled=False)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_entered_while_somebody_else_begins_is_refused(tmp_path: Path, kind: str) -> None:
    """The change was checked before; then the other one began; then it is written."""
    with scene_in(tmp_path, kind=kind) as scene:
        world, admin = scene.world, scene.world.emulator.admin
        made = admin.add_secret(world.application.object_id, "by hand")
        given = world.first_secret(secret=Plaintext(made.value), key_id=made.key_id)
        begun: list[str] = []

        def read(_method: str) -> object:
            if not begun:
                begun.append(scene.begin().id)
            return given

        with pytest.raises(Refused, match="being made to sign in without a secret"):
            world.rotations.update(world.actor, scene.connection.id, ConnectionChange(read_credentials=read))  # type: ignore[arg-type]
        scene.work(timedelta(minutes=5))
        assert (scene.state, scene.signs_in()) == ("watching", True)


def test_a_trust_for_another_audience_is_named_before_anything_is_done(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world, app = scene.world, scene.world.application
        world.emulator.admin.trust_identity(app.object_id, ISSUER, SUBJECT, name="by-hand", audience="api://other")
        with pytest.raises(NeedsAction, match="as 'by-hand', but for the audience 'api://other'") as refused:
            world.services.conversions.plan(world.actor, scene.connection.id, "aks")
        command = (
            f"az ad app federated-credential update --id {app.app_id} --federated-credential-id by-hand --parameters"
        )
        assert command in str(refused.value.fix)
        with pytest.raises(NeedsAction):
            scene.begin()
        assert scene.state == "none"


def test_a_trust_that_somebody_makes_meanwhile_for_another_audience_is_told(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin()
        world.emulator.admin.trust_identity(
            world.application.object_id, ISSUER, SUBJECT, name="by-hand", audience="api://other"
        )
        scene.work(timedelta(minutes=20))
        told = scene.newest()
        assert told
        assert (scene.state, scene.trusts()) == ("withdrawn", ["by-hand"])
        assert (told.reason or {}).get("code") == "connections.conversion_other_audience"
        [alarm] = [one for one in conditions(scene) if one.kind is ConditionKind.CONVERSION_WITHDRAWN]
        assert "'prod-entra' was to sign in without a secret, and went back to its client secret" in alarm.cause
        assert "az ad app federated-credential update" in alarm.fix


def test_a_secret_that_another_connection_rotates_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        given = world.first_secret(secret=world.current_secret(scene.connection), key_id=None)
        other = world.rotations.create(world.actor, NewConnection("other", given), None)
        second = ConversionScene(world, scene.cluster, other)
        with pytest.raises(Refused, match="rotated already, by the connection 'prod-entra'"):
            world.services.conversions.plan(world.actor, other.id, "aks")
        scene.begin(hours=1)
        scene.work(timedelta(hours=2))
        second.begin(hours=1)
        second.work(timedelta(hours=2))
        assert (scene.state, second.state, world.keys()) == ("done", "done", {})


@pytest.mark.parametrize("rotating", [True, False])
def test_nothing_is_begun_in_a_freeze(tmp_path: Path, rotating: bool) -> None:
    with scene_in(tmp_path, rotating=rotating) as scene:
        world, today = scene.world, scene.world.clock.now().date()
        freeze = NewFreeze("Sale", "", today, today, "UTC")
        world.services.freezes.create(world.actor, freeze)
        with pytest.raises(Refused, match="Nothing is to be changed now: Sale"):
            scene.begin()


def test_where_neither_way_signs_in_the_connection_is_refused_and_heals_when_one_does(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        scene.begin(hours=100)
        scene.work(timedelta(minutes=5))
        for key_id in list(world.keys()):
            world.emulator.admin.remove_secret(world.application.object_id, key_id)
        scene.cluster.broken = True
        scene.work(timedelta(hours=2))
        assert scene.state == "watching"
        kinds = [one.kind for one in conditions(scene)]
        assert ConditionKind.CONNECTION_REFUSED in kinds
        assert (scene.stored().refusal or {}).get("code") == "token_source.file_unreadable"
        scene.cluster.broken = False
        scene.work(timedelta(minutes=5))
        assert scene.stored().refused_at is None
        assert ConditionKind.CONNECTION_REFUSED not in [one.kind for one in conditions(scene)]


@pytest.mark.parametrize("kind", KINDS)
def test_of_one_that_goes_back_by_itself_somebody_is_told_until_it_is_begun_again(tmp_path: Path, kind: str) -> None:
    with scene_in(tmp_path, kind=kind) as scene:
        scene.begin()
        scene.work(timedelta(minutes=5))
        scene.back()
        scene.work(timedelta(minutes=20))
        assert ConditionKind.CONVERSION_WITHDRAWN not in [one.kind for one in conditions(scene)], (
            "somebody asked for it"
        )
        scene.begin()
        scene.work(timedelta(minutes=5))
        scene.cluster.broken = True
        scene.world.emulator.faults.add(
            Fault("deleteFederatedIdentityCredential", (Effect(403),), when="before", times=None)
        )
        scene.work(timedelta(hours=1, minutes=5))
        assert scene.state == "withdrawing"
        assert "The file cannot be read." in str([one.cause for one in conditions(scene)]), "not what is in its way now"
        scene.world.emulator.faults.clear()
        scene.work(timedelta(hours=2))
        [alarm] = [one for one in conditions(scene) if one.kind is ConditionKind.CONVERSION_WITHDRAWN]
        assert "The file cannot be read." in alarm.cause
        assert alarm.path == f"/app-connections/{scene.connection.id}/secretless"
        scene.cluster.broken = False
        scene.begin()
        assert ConditionKind.CONVERSION_WITHDRAWN not in [one.kind for one in conditions(scene)]


def test_nobody_is_asked_to_resume_what_rests_while_it_is_watched(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        scene.begin(hours=6 * 24)
        scene.work(timedelta(days=4))
        with scene.world.database.read() as tx:
            state = policies.states(tx, [scene.connection.id])[scene.connection.id]
        assert state.current
        assert state.current.ends_at
        assert state.current.ends_at - scene.world.clock.now() < timedelta(days=60)
        assert ConditionKind.PAUSED_CREDENTIAL_ENDS not in [one.kind for one in conditions(scene)]


def test_what_a_clock_ahead_dated_is_not_tried_all_the_time(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world, server, conversion = scene.world, scene.world.servers[0], scene.begin()
        scene.cluster.claims = {"sub": "somebody else"}
        scene.work(timedelta(seconds=10))
        for key_id in list(world.keys()):
            world.emulator.admin.remove_secret(world.application.object_id, key_id)
        server.clock.off = timedelta(days=8)
        server.services.conversion_work.advance(conversion.id)
        server.clock.off = timedelta(0)
        assert scene.state == "withdrawing"
        asked = len(world.emulator.ledger)
        scene.work(timedelta(days=1))
        assert len(world.emulator.ledger) - asked < 400
