"""What people change of a secret rotation, and which of its secrets readers get."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from entra_emulator import Effect, Fault
from keyturn.credentials.domain import State
from keyturn.errors import KeyturnError, NotFound, Refused, RunFailed
from keyturn.kit.secret import Plaintext
from keyturn.rotations.commands import HandedOver, ScheduleChange, SecretRotationChange
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.work import attempt
from keyturn.rotations.work.workflow import Rotator
from keyturn.secrets.domain import Address, NewSecret, SecretChange
from keyturn.secrets.mapped import SecretNames
from keyturn.secrets.past import When
from tests.databases import sqlite_database
from tests.features.rotations.applications import DAYS, NAMES, WRITE_ALL, Applications, make_applications


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False)


def test_a_second_mapping_is_published_at_once_and_the_strictest_schedule_is_kept_to(scene: Applications) -> None:
    first = scene.create()
    value = scene.read()
    names = SecretNames("ID", "SECRET")
    weekly = scene.create(name="shop-weekly", names=names, schedule=Schedule(7, 4, 0), overlap="12h")
    assert scene.read("SECRET") == value
    assert len(scene.keys()) == 1
    assert weekly.rotation.id == first.rotation.id
    assert (weekly.rotation.schedule, weekly.rotation.overlap) == (Schedule(7, 4, 0), "until-next-rotation")
    scene.run_for(timedelta(days=9))
    assert scene.read() == scene.read("SECRET") != value
    scene.check_agreement()
    scene.check_agreement("SECRET")
    scene.use_cases.delete(scene.actor, weekly.secret_rotation.id, delete_secrets=True, revoke=True)
    assert scene.use_cases.get(scene.actor, first.secret_rotation.id).rotation.schedule == Schedule(DAYS, 2, 15)
    assert scene.works(scene.read()), "the application's rotation goes on for the other mapping"
    signer = scene.other_application("Signer", secrets=1, permissions=WRITE_ALL)
    other = scene.world.connect("another", signer, rotate=False)
    with pytest.raises(Refused) as refused:
        scene.create(name="third", names=names, connection_id=other.id)
    assert refused.value.code == "rotation.application_rotated"
    assert "'shop'" in refused.value.message


def test_names_schedule_and_connection_change_together_or_not_at_all(scene: Applications) -> None:
    view = scene.create()
    value, update = scene.read(), scene.use_cases.update
    for code, change in {
        "secret_rotations.application_fixed": SecretRotationChange(object_id=scene.project_id),
        "rotation.overlap": SecretRotationChange(names=SecretNames("A", "B"), overlap="nonsense"),
        "secrets.mapping_same_name": SecretRotationChange(name="renamed", names=SecretNames("A", "A")),
        "rotation.schedule": SecretRotationChange(schedule=ScheduleChange(400)),
        "connections.not_found": SecretRotationChange(name="renamed", connection_id="nothing"),
    }.items():
        with pytest.raises(KeyturnError) as refused:
            update(scene.actor, view.secret_rotation.id, change)
        assert refused.value.code == code
    assert scene.use_cases.get(scene.actor, view.secret_rotation.id) == view
    exchanged = SecretNames(NAMES.client_secret, NAMES.client_id)
    update(scene.actor, view.secret_rotation.id, SecretRotationChange(names=exchanged))
    assert (scene.read(NAMES.client_id), scene.read(NAMES.client_secret).reveal()) == (value, scene.application.app_id)
    world = scene.world
    signer = scene.other_application("Signer", secrets=1, permissions=WRITE_ALL)
    other = world.connect("another", signer, rotate=False)
    change = SecretRotationChange(
        name="renamed",
        names=SecretNames("ID", "SECRET"),
        connection_id=other.id,
        schedule=ScheduleChange(interval_days=3),
    )
    changed = update(scene.actor, view.secret_rotation.id, change)
    assert (changed.secret_rotation.name, changed.connection.id, changed.rotation.name) == (
        "renamed",
        other.id,
        "renamed",
    )
    assert (scene.names(), scene.read("SECRET")) == (["ID", "SECRET"], value)
    scene.run_for(timedelta(days=5))
    assert scene.read("SECRET") != value
    calls = world.emulator.ledger.query(operation="addPassword", application=scene.application.object_id)
    assert [entry.caller for entry in calls] == [world.application.app_id, signer.app_id]
    world.rotations.delete(scene.actor, scene.signer.id)


def test_a_leak_ends_every_promise_to_readers(scene: Applications) -> None:
    view = scene.create()
    values = [scene.read()]
    for _ in range(2):
        scene.rotate(view)
        values.append(scene.read())
    assert all(scene.works(value) for value in values), "a manual rotation shortens nothing"
    scene.rotate(view, leaked=True)
    scene.world.settle()
    assert not any(scene.works(value) for value in values)
    assert len(scene.keys()) == 1
    scene.check_agreement()


def test_a_duration_is_the_promise(scene: Applications) -> None:
    view = scene.create(overlap="3d")
    value = scene.read()
    scene.rotate(view)
    scene.run_for(timedelta(days=2))
    assert scene.works(value)
    scene.run_for(timedelta(days=2))
    assert not scene.works(value)


def test_many_that_end_at_once_are_removed_in_one_stretch(scene: Applications, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much work is a defect depends on how many are to be removed."""
    monkeypatch.setattr(attempt, "MAX_TURNS", 20)
    view = scene.create(overlap="3d")
    for _ in range(8):
        scene.rotate(view)
    assert len(scene.keys()) == 9
    scene.world.clock.advance(timedelta(days=4).total_seconds())
    with capture_logs() as logs:
        scene.world.settle()
    assert len(scene.keys()) == 1
    assert not [line for line in logs if line["log_level"] == "error"]


def test_values_that_work_are_told_and_tried(scene: Applications) -> None:
    view, values = scene.create(), scene.world.services.secret_values
    first = scene.read()
    scene.rotate(view)
    told = values.generated_credentials(scene.actor, view.secret_rotation.id)
    assert [each.value for each in told.credentials] == [first, scene.read()]
    assert told.view.active_index == 1
    assert len(scene.world.events("get-secret-rotation-generated-credentials")) == 1
    values.check_credentials(scene.actor, view.secret_rotation.id)
    for key_id in sorted(scene.keys()):
        scene.world.emulator.admin.remove_secret(scene.application.object_id, key_id)
    with pytest.raises(KeyturnError) as refused:
        values.check_credentials(scene.actor, view.secret_rotation.id)
    assert refused.value.status == 400


def test_the_previous_one_is_made_current_again_while_it_works(scene: Applications) -> None:
    view, values = scene.create(), scene.world.services.secret_values
    with pytest.raises(Refused):
        values.make_previous_current(scene.actor, view.secret_rotation.id)
    first = scene.read()
    scene.rotate(view)
    second = scene.read()
    back = values.make_previous_current(scene.actor, view.secret_rotation.id)
    assert (scene.read(), back.active_index) == (first, 0)
    scene.check_agreement()
    assert scene.works(second)
    scene.run_for(timedelta(days=3 * DAYS))
    scene.check_agreement()
    assert scene.works(scene.read())
    assert not scene.works(first)
    assert scene.keys() == scene.live()


def test_a_secret_made_by_hand_is_kept_until_somebody_confirms_that_it_is_not_used(scene: Applications) -> None:
    awaited, values = scene.use_cases.create(scene.actor, scene.new()), scene.world.services.secret_values
    made = scene.world.emulator.admin.add_secret(scene.application.object_id)
    with pytest.raises(Refused, match="not there yet") as early:
        values.hand_over(scene.actor, awaited.secret_rotation_id, HandedOver(made.key_id, Plaintext(made.value)))
    assert early.value.fix == "Hand it over once the first run has succeeded."
    view = scene.wait(awaited)
    for wrong in (
        HandedOver(made.key_id, Plaintext("abc~not-that-one")),
        HandedOver(scene.project_id, Plaintext(made.value)),
    ):
        with pytest.raises(Refused) as refused:
            values.hand_over(scene.actor, view.secret_rotation.id, wrong)
        assert refused.value.code == "rotation.key_mismatch"
    values.hand_over(scene.actor, view.secret_rotation.id, HandedOver(made.key_id, Plaintext(made.value)))
    told = values.generated_credentials(scene.actor, view.secret_rotation.id)
    assert {each.value.reveal() for each in told.credentials} == {made.value, scene.read().reveal()}
    scene.rotate(view, leaked=True)
    scene.run_for(timedelta(days=DAYS + 2))
    assert scene.works(Plaintext(made.value)), "it is used elsewhere"
    with pytest.raises(Refused, match="somebody who was deleted"):
        values.release(scene.actor, view.secret_rotation.id, made.key_id)
    values.release(scene.actor, view.secret_rotation.id, made.key_id, confirmed=True)  # it was read here a moment ago
    scene.world.settle()
    assert not scene.works(Plaintext(made.value))
    assert {row.state for row in scene.journal() if row.key_id == made.key_id} == {State.REVOKED}


def test_what_a_deleted_one_has_left_is_handed_over_to_the_next(scene: Applications) -> None:
    first, value = scene.create(), scene.read()
    [kept] = scene.use_cases.delete(scene.actor, first.secret_rotation.id).stays_valid
    again, values = scene.create(names=SecretNames("ID", "SECRET")), scene.world.services.secret_values
    values.hand_over(scene.actor, again.secret_rotation.id, HandedOver(str(kept.key_id), value))
    with pytest.raises(Refused) as refused:
        values.hand_over(scene.actor, again.secret_rotation.id, HandedOver(str(kept.key_id), value))
    assert refused.value.code == "rotation.key_in_use"
    values.release(scene.actor, again.secret_rotation.id, str(kept.key_id))
    scene.world.settle()
    assert not scene.works(value)
    assert scene.works(scene.read("SECRET"))


def test_scheduled_runs_are_held_back_by_the_hour_and_when_new_secrets_do_not_sign_in(scene: Applications) -> None:
    world, server = scene.world, scene.world.servers[0]
    bad = scene.other_application("Other")
    one = scene.create()
    other = scene.create(bad, name="other", names=SecretNames("ID", "SECRET"))
    impatient = replace(server.context.pace, proof_deadline=timedelta(seconds=5))
    context = replace(server.context, runs_per_hour=1, pace=impatient)
    world.servers[0] = replace(server, context=context, rotator=Rotator(context))

    def generation(view: SecretRotationView) -> int:
        return scene.use_cases.get(scene.actor, view.secret_rotation.id).rotation.generation

    due = one.next_rotation_at
    assert due is not None
    scene.run_until(due + timedelta(minutes=30))
    assert sorted([generation(one), generation(other)]) == [1, 2]
    scene.run_until(due + timedelta(hours=2))
    assert [generation(one), generation(other)] == [2, 2]

    scene.run_until(due + timedelta(days=DAYS) - timedelta(hours=1))
    refused = (Effect(401, "7000215"),)
    world.emulator.faults.add(Fault("token", refused, when="before", times=None, caller=bad.app_id))
    for _ in range(3):
        awaited = scene.use_cases.rotate(scene.actor, other.secret_rotation.id)
        scene.run_for(timedelta(seconds=30))
        with pytest.raises(RunFailed):
            scene.use_cases.rotated(scene.actor, awaited)
    scene.run_until(due + timedelta(days=DAYS, minutes=30))
    assert generation(one) == 2, "it waits until somebody has seen why"
    scene.rotate(one)
    assert generation(one) == 3, "who asks for a run gets it"


def test_a_plan_says_what_would_be_done_and_does_nothing(scene: Applications) -> None:
    plans, now = scene.world.services.secret_plans, scene.world.clock.now()
    foreign = scene.world.emulator.admin.add_secret(scene.application.object_id)
    plan = plans.of_new(scene.actor, scene.new())
    assert (plan.adds, plan.listed, plan.free_slots) == (True, False, None)
    assert [(each.key_id, each.ours, each.until) for each in plan.secrets] == [(foreign.key_id, False, None)]
    assert plan.ends_at - now == timedelta(days=2 * DAYS + 3)
    assert scene.keys() == {foreign.key_id}
    assert scene.use_cases.list(scene.actor, scene.project_id) == []
    view = scene.create()
    current = view.current
    assert current is not None
    plan = plans.of(scene.actor, view.secret_rotation.id)
    assert plan.runs[0].at == view.next_rotation_at
    scene.rotate(view)
    planned = {each.key_id: each.until for each in plan.secrets}
    done = {row.key_id: row.revoke_after for row in scene.journal() if row.state is State.RETIRING}
    assert (planned.pop(foreign.key_id), planned) == (None, done)
    with pytest.raises(Refused) as refused:
        plans.of_new(scene.actor, scene.new(name="other", names=SecretNames(NAMES.client_id, "SECRET")))
    assert refused.value.code == "secrets.name_reserved"


def test_a_deletion_removes_what_was_made_or_leaves_what_is_in_use(scene: Applications) -> None:
    view = scene.create()
    value = scene.read()
    kept = scene.use_cases.delete(scene.actor, view.secret_rotation.id)
    scene.world.settle()
    assert [row.key_id for row in kept.stays_valid] == [view.current and view.current.key_id]
    assert scene.read() == value
    assert scene.works(value)
    assert scene.secret(NAMES.client_secret).stored.secret_rotation_id is None
    with pytest.raises(NotFound):
        scene.use_cases.get(scene.actor, view.secret_rotation.id)
    again = scene.create(names=type(NAMES)("ID", "SECRET"))
    scene.use_cases.delete(scene.actor, again.secret_rotation.id, delete_secrets=True, revoke=True)
    scene.world.settle()
    assert scene.names() == [NAMES.client_id, NAMES.client_secret]
    assert scene.keys() == {row.key_id for row in kept.stays_valid}
    assert {row.state for row in scene.journal()} == {State.CURRENT, State.REVOKED}


def test_a_rollback_of_the_folder_leaves_the_secrets_of_the_rotation_alone(scene: Applications) -> None:
    address = Address(scene.project_id, None, "prod", "/")
    scene.secrets.create(scene.actor, address, NewSecret("OWN", Plaintext("first")))
    folder_id = scene.secrets.folders.at(scene.actor, address).folder.id
    view = scene.create()
    before = scene.read()
    scene.rotate(view)
    scene.secrets.update(scene.actor, address, "OWN", SecretChange(value=Plaintext("second")))
    past = scene.secrets.past
    for revision, own in ((3, "first"), (0, None)):
        done = past.rollback(scene.actor, folder_id, When(revision=revision))
        assert done.kept == [NAMES.client_id, NAMES.client_secret]
        assert scene.names() == [NAMES.client_id, NAMES.client_secret, *(["OWN"] if own else [])]
        assert scene.read() != before
        scene.check_agreement()
    shown = past.look(scene.actor, folder_id, When(revision=3))
    values = {secret.stored.name: secret.value for part in past.opened(scene.actor, shown) for secret in part}
    assert values == {
        "OWN": Plaintext("first"),
        NAMES.client_id: Plaintext(scene.application.app_id),
        NAMES.client_secret: before,
    }
