"""The secret of an application is rotated through a connection into secrets of a project, which programs read."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.credentials.domain import State
from keyturn.errors import NotFound
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import Address, NewSecret, SecretChange
from keyturn.secrets.past import When
from tests.databases import sqlite_database
from tests.features.rotations.applications import DAYS, NAMES, Applications, make_applications


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database)


def test_an_application_rotates_for_generations_through_a_connection_that_rotates_itself(scene: Applications) -> None:
    world, view = scene.world, scene.create()
    assert (view.rotation.status, view.active_index, view.last_was_manual) == ("success", 0, True)
    assert scene.read(NAMES.client_id).reveal() == scene.application.app_id
    start, values = world.clock.now(), [scene.read()]
    for generation in range(2, 6):
        scene.run_until(start + timedelta(days=DAYS * generation - 5))
        values.append(scene.read())
        scene.check_agreement()
        assert all(scene.works(value) for value in values[-2:]), "what was read works until the next rotation"
        assert not any(scene.works(older) for older in values[:-2])
    assert len({value.reveal() for value in values}) == 5
    assert world.rotation(scene.signer).generation > 1, "the signer has rotated meanwhile"
    assert scene.keys() == scene.live()
    calls = world.emulator.ledger.query(operation="removePassword", application=scene.application.object_id)
    assert {entry.caller for entry in calls} == {world.application.app_id}


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
