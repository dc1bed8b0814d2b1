"""What is said no to before anything is made, and what a first run that fails leaves behind: nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from entra_emulator import Effect, Fault
from keyturn.connections import claims
from keyturn.db import tables
from keyturn.errors import Forbidden, KeyturnError, NotFound, Refused, RunFailed, TimedOut
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.rotations import guards
from keyturn.rotations.schedule import Schedule
from keyturn.secrets.domain import Address, NewSecret, SecretChange, SecretType
from keyturn.secrets.mapped import SecretNames
from tests.databases import postgres_database, sqlite_database
from tests.features.accounts.people import join, machine
from tests.features.rotations.applications import NAMES, Applications, add_project, make_applications

OURS = ("secret_rotations", "mapped_secrets", "rotations", "runs", "credentials", "secrets")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False)


def rows(scene: Applications) -> dict[str, int]:
    with scene.world.database.read() as tx:
        tables_of = {name: tables.metadata.tables[name] for name in OURS}
        return {name: len(tx.rows(sa.select(table))) for name, table in tables_of.items()}


def address(scene: Applications) -> Address:
    return Address(scene.project_id, None, "prod", "/")


def test_what_cannot_be_is_refused_before_anything_is_made(scene: Applications) -> None:
    world, other = scene.world, scene.other_application("Other")
    scene.secrets.create(scene.actor, address(scene), NewSecret("TAKEN", Plaintext("a value of mine")))
    elsewhere = add_project(world, "Elsewhere")
    personal = scene.other_application("Personal", audience="AzureADandPersonalMicrosoftAccount", secrets=2)
    before = rows(scene)
    cases: dict[str, dict[str, object]] = {
        "rotation.two_applications": {"client_id": other.app_id},
        "rotation.self_target": {"object_id": world.application.object_id, "client_id": world.application.app_id},
        "azure.application_not_found": {"object_id": scene.project_id},
        "rotation.no_free_slot": {"object_id": personal.object_id, "client_id": personal.app_id},
        "rotation.schedule": {"schedule": Schedule(0, 2, 15)},
        "rotation.overlap": {"overlap": "until-consumers-switched:400d"},
        "secrets.name_taken": {"names": SecretNames("TAKEN", "SECRET")},
        "secrets.mapping_same_name": {"names": SecretNames("ONE", "ONE")},
        "secrets.name": {"names": SecretNames("a:b", "SECRET")},
        "secrets.folder_not_found": {"path": "/no/such/folder"},
        "projects.environment_not_found": {"environment": "nowhere"},
        "projects.not_found": {"project_id": "no-such-project"},
        "connections.not_found": {"connection_id": "no-such-connection"},
    }
    for code, changes in cases.items():
        with pytest.raises(KeyturnError) as refused:
            scene.use_cases.create(scene.actor, scene.new(**changes))
        assert refused.value.code == code
        assert refused.value.fix or isinstance(refused.value, NotFound)
    assert rows(scene) == before
    assert scene.keys() == set()
    assert elsewhere != scene.project_id


def test_only_who_may_edit_the_connection_chooses_applications_for_it(scene: Applications) -> None:
    robot = machine(scene.world.database, scene.actor.org_id, Role.MEMBER)
    with pytest.raises(Forbidden):
        scene.use_cases.create(robot, scene.new())
    join(scene.world.database, robot, scene.project_id, Role.MEMBER)
    with pytest.raises(Forbidden) as refused:
        scene.use_cases.create(robot, scene.new())
    assert refused.value.code == "connections.application_not_allowed"
    assert scene.keys() == set()
    scene.world.services.applications.allow(scene.actor, scene.signer.id, scene.application.object_id)
    view = scene.create(actor=robot)
    scene.world.services.applications.disallow(scene.actor, scene.signer.id, scene.application.object_id)
    with pytest.raises(RunFailed) as failed:
        scene.rotate(view)
    assert failed.value.code == "connections.application_not_allowed"
    assert scene.works(scene.read())
    assert [event["event"] for event in scene.world.events("app-connection-refused")] == []


def test_two_uses_of_one_application_exclude_each_other(scene: Applications) -> None:
    view = scene.create()
    secret = scene.world.emulator.admin.add_secret(scene.application.object_id)
    target = replace(scene.application, secrets=[secret])
    for changes in ({}, {"secret": scene.read(), "key_id": None}):
        with pytest.raises(Refused) as refused:
            scene.world.connect("to-the-target", target, rotate=False, **changes)
        assert refused.value.code == "connections.rotation_target"
    scene.use_cases.delete(scene.actor, view.secret_rotation.id, delete_secrets=True, revoke=True)
    scene.world.settle()
    connection = scene.world.connect("to-the-target", target, rotate=False)
    with pytest.raises(Refused) as refused:
        scene.use_cases.create(scene.actor, scene.new())
    assert refused.value.code == "rotation.self_target"
    scene.world.rotations.delete(scene.actor, connection.id)
    scene.create()


def test_nobody_changes_a_mapped_secret_by_hand_nor_takes_its_name(scene: Applications) -> None:
    awaited = scene.use_cases.create(scene.actor, scene.new())
    with pytest.raises(Refused) as refused:
        scene.secrets.create(scene.actor, address(scene), NewSecret(NAMES.client_secret, Plaintext("a value of mine")))
    assert refused.value.code == "secrets.name_reserved"
    view = scene.wait(awaited)
    value, stored = scene.read(), scene.secret(NAMES.client_secret).stored
    by_hand = (
        lambda: scene.secrets.update(
            scene.actor, address(scene), NAMES.client_secret, SecretChange(value=Plaintext("a value of mine"))
        ),
        lambda: scene.secrets.update(scene.actor, address(scene), NAMES.client_id, SecretChange(new_name="OTHER")),
        lambda: scene.secrets.rollback(scene.actor, stored.id, 1),
        lambda: scene.secrets.delete(scene.actor, address(scene), NAMES.client_secret, SecretType.SHARED),
    )
    for change in by_hand:
        with pytest.raises(Refused) as refused:
            change()
        assert refused.value.code == "secrets.rotated"
        assert "'shop'" in refused.value.message
    commented = scene.secrets.update(
        scene.actor, address(scene), NAMES.client_secret, SecretChange(comment="for the shop")
    )
    assert (commented.details.comment, scene.read()) == ("for the shop", value)
    scene.rotate(view)
    assert scene.secret(NAMES.client_secret).details.comment == "for the shop"
    scene.check_agreement()


def test_what_holds_mapped_secrets_is_not_deleted(scene: Applications) -> None:
    scene.secrets.folders.create(scene.actor, address(scene), "billing", None)
    view = scene.create(path="/billing")
    with pytest.raises(Refused) as refused:
        scene.secrets.folders.delete(scene.actor, address(scene), "billing")
    assert refused.value.code == "secrets.folder_rotated"
    with pytest.raises(Refused) as refused:
        scene.world.rotations.delete(scene.actor, scene.signer.id)
    assert refused.value.code == "connections.rotates_applications"
    with scene.world.database.read() as tx:
        for refuse in (
            lambda: guards.refuse_project(tx, scene.actor, scene.project_id),
            lambda: guards.refuse_environment(tx, scene.actor, view.place.environment_id),
        ):
            with pytest.raises(Refused) as refused:
                refuse()
            assert "'shop'" in refused.value.message
    scene.use_cases.delete(scene.actor, view.secret_rotation.id, delete_secrets=True, revoke=True)
    with pytest.raises(Refused) as refused:
        scene.world.rotations.delete(scene.actor, scene.signer.id)
    assert refused.value.code == "connections.removes_for_applications"
    scene.world.settle()
    scene.world.rotations.delete(scene.actor, scene.signer.id)
    scene.secrets.folders.delete(scene.actor, address(scene), "billing")
    assert scene.keys() == set()


def test_a_first_run_that_is_refused_leaves_nothing(scene: Applications) -> None:
    before = rows(scene)
    rule = {"restrictionType": "passwordAddition", "state": "enabled"}
    scene.world.emulator.admin.set_policy(scene.world.tenant_id, passwordCredentials=[rule])
    with pytest.raises(Refused) as refused:
        scene.create()
    assert refused.value.fix
    scene.world.settle()
    assert rows(scene) == before | {"rotations": 1, "runs": 1, "credentials": 1}
    assert (scene.keys(), scene.names()) == (set(), [])
    scene.world.emulator.admin.set_policy(scene.world.tenant_id, enabled=False)
    scene.create()
    assert scene.works(scene.read())


def test_a_first_run_that_takes_too_long_is_ended(scene: Applications) -> None:
    faults = scene.world.emulator.faults
    faults.add(Fault("addPassword", (Effect(429, "TooManyRequests", retry_after=600),), when="after", times=1))
    awaited = scene.use_cases.create(scene.actor, scene.new())
    assert scene.use_cases.create(scene.actor, scene.new()).run_id == awaited.run_id, "the same again joins it"
    with pytest.raises(TimedOut):
        scene.wait(awaited)
    faults.clear()
    scene.world.settle()
    assert (scene.keys(), scene.names()) == (set(), [])
    first = scene.create()
    again = scene.create()
    assert again.secret_rotation == first.secret_rotation
    assert len(scene.keys()) == 1


@pytest.mark.postgres
def test_of_two_uses_at_once_the_first_decides() -> None:
    """A connection is made in the very moment in which the application becomes a target."""
    with postgres_database() as database:
        outcomes: list[str] = []

        def sign_in() -> None:
            try:
                with database.write() as tx:
                    claims.take(tx, "global", "AN-APPLICATION", claims.Use.SIGN_IN)
                    outcomes.append("taken")
            except Refused as error:
                outcomes.append(error.code)

        other = Thread(target=sign_in)
        with database.write() as tx:
            claims.take(tx, "global", "an-application", claims.Use.TARGET)
            other.start()
            other.join(0.2)
            assert outcomes == [], "it waits for what becomes of the first"
        other.join(60)
        assert outcomes == ["connections.rotation_target"]
        with database.write() as tx:
            claims.leave_target(tx, "global", "an-application")
        sign_in()
        assert outcomes[1:] == ["taken"]
        with database.write() as tx:
            claims.take(tx, "global", "an-application", claims.Use.TARGET)  # no connection signs in as it any more
