"""What roles permit by connections and exceptions, where a secret rotation is made or gets another connection."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.audit.service import AuditTrail
from keyturn.connections.domain import NewConnection
from keyturn.db.tables import mapped_secrets
from keyturn.db.unit import Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor, Role
from keyturn.kit.secret import Plaintext
from keyturn.projects.domain import GivenRole
from keyturn.projects.members import Members
from keyturn.projects.role_domain import NewRole
from keyturn.projects.roles import Roles
from keyturn.rotations import guards
from keyturn.rotations.commands import SecretRotationChange
from keyturn.rotations.edit_lock import EditLock
from keyturn.secrets.domain import Address, NewSecret, SecretChange
from keyturn.secrets.mapped import SecretNames
from tests.databases import sqlite_database
from tests.features.accounts.people import machine
from tests.features.rotations.applications import NAMES, Applications, add_project, make_applications

CONNECT = {"subject": "app-connections", "action": ["read", "connect", "edit"]}
ALL = ["read", "create", "edit", "delete"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False)


def holder(
    scene: Applications, *permissions: dict[str, Any], of_organization: Role = Role.MEMBER, slug: str = "limited"
) -> Actor:
    """A machine identity that has a role with these permissions in the project."""
    world = scene.world
    robot = machine(world.database, scene.actor.org_id, of_organization)
    role = NewRole(slug, "Limited", permissions=(CONNECT, *permissions))
    Roles(world.database, world.clock, world.ids).create(scene.actor, scene.project_id, role)
    members = Members(world.database, world.clock, world.ids)
    members.add_identity(scene.actor, scene.project_id, robot.id or "", [GivenRole(slug)])
    return robot


def rotations(connection_id: str, **more: Any) -> dict[str, Any]:
    return {"subject": "secret-rotation", "action": ALL, "conditions": {"connectionId": connection_id}, **more}


@pytest.mark.parametrize("by_exception", [False, True])
def test_who_may_use_one_connection_rotates_through_no_other(scene: Applications, by_exception: bool) -> None:
    other = scene.world.connect("other", rotate=False)
    for connection_id in (scene.signer.id, other.id):
        scene.world.services.applications.allow(scene.actor, connection_id, scene.application.object_id)
    anywhere = {"subject": "secret-rotation", "action": ALL}
    robot = (
        holder(scene, anywhere, rotations(other.id, inverted=True))
        if by_exception
        else holder(scene, rotations(scene.signer.id))
    )
    with pytest.raises(Forbidden):
        scene.use_cases.create(robot, scene.new(connection_id=other.id))
    view = scene.create(actor=robot)
    with pytest.raises(Forbidden):
        scene.use_cases.update(robot, view.secret_rotation.id, SecretRotationChange(connection_id=other.id))
    assert scene.use_cases.get(robot, view.secret_rotation.id).connection.id == scene.signer.id


def test_what_exceptions_hide_is_not_named_in_a_refusal(scene: Applications) -> None:
    scene.create(name="hidden-rotation")
    other = scene.world.connect("other", rotate=False)
    scene.world.services.applications.allow(scene.actor, other.id, scene.application.object_id)
    scene.secrets.folders.create(scene.actor, Address(scene.project_id, None, "prod", "/"), "app", None)
    hidden = {"subject": "secret-rotation", "action": ALL, "conditions": {"secretPath": "/"}, "inverted": True}
    robot = holder(scene, {"subject": "secret-rotation", "action": ALL}, hidden)
    with pytest.raises(Refused) as refused:
        scene.use_cases.create(robot, scene.new(path="/app", connection_id=other.id))
    assert refused.value.code == "rotation.application_rotated"
    assert "hidden-rotation" not in refused.value.message


def test_no_connection_of_another_project_is_given_to_what_shares_the_application(scene: Applications) -> None:
    view = scene.create()
    elsewhere = add_project(scene.world, "Elsewhere")
    names = SecretNames("ID", "SECRET")
    shared = scene.create(name="second", project_id=elsewhere, names=names)
    new = NewConnection("of-the-project", scene.world.first_secret(), None, scene.project_id)
    own = scene.world.rotations.create(scene.actor, new, None)
    with pytest.raises(Refused) as refused:
        scene.use_cases.update(scene.actor, view.secret_rotation.id, SecretRotationChange(connection_id=own.id))
    assert refused.value.code == "rotation.connection_of_other_project"
    assert scene.use_cases.get(scene.actor, shared.secret_rotation.id).connection.id == scene.signer.id


def test_who_may_not_see_the_rotation_does_not_see_what_it_did(scene: Applications) -> None:
    view, history = scene.create(), scene.world.services.secret_history
    robot = holder(scene, {"subject": "secrets", "action": "read"})
    for look in (history.of, history.credentials, history.progress, scene.use_cases.get):
        with pytest.raises(Forbidden):
            look(robot, view.secret_rotation.id)
    with pytest.raises(Forbidden):
        history.runs(robot, view.secret_rotation.id, 10, None)


def test_who_is_kept_from_deleting_is_told_the_names_that_they_may_see(scene: Applications) -> None:
    scene.secrets.folders.create(scene.actor, Address(scene.project_id, None, "prod", "/"), "app", None)
    view = scene.create(name="hidden-rotation")
    scene.create(name="seen-rotation", path="/app")
    sees = {"subject": "secret-rotation", "action": "read", "conditions": {"secretPath": "/app"}}
    robot, connection = holder(scene, sees), view.connection
    with scene.world.database.read() as tx:
        for refuse in (
            lambda: guards.refuse_project(tx, robot, scene.project_id),
            lambda: guards.refuse_environment(tx, robot, view.place.environment_id),
            lambda: guards.refuse_while_signing_for_others(tx, robot, connection),
        ):
            with pytest.raises(Refused) as refused:
                refuse()
            assert "'seen-rotation' and 1 that you may not see" in refused.value.message
            assert "hidden-rotation" not in refused.value.message


def test_a_change_that_waits_while_the_connection_is_changed_does_not_undo_that(
    scene: Applications, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, other = scene.create(), scene.world.connect("other", rotate=False)
    scene.world.services.applications.allow(scene.actor, other.id, scene.application.object_id)
    robot = holder(scene, rotations(scene.signer.id))
    somebody = scene.world.add_server("second").services.secret_rotations
    lock = EditLock.write

    def write(edits: EditLock, *object_ids: str) -> AbstractContextManager[Tx]:
        with monkeypatch.context() as undisturbed:
            undisturbed.setattr(EditLock, "write", lock)
            somebody.update(scene.actor, view.secret_rotation.id, SecretRotationChange(connection_id=other.id))
        return lock(edits, *object_ids)

    monkeypatch.setattr(EditLock, "write", write)
    change = SecretRotationChange(name="renamed", connection_id=scene.signer.id)  # as Terraform sends all that it knows
    with pytest.raises(Refused) as refused:
        scene.use_cases.update(scene.actor, view.secret_rotation.id, change)
    assert refused.value.code == "secret_rotations.changed_meanwhile"
    assert scene.use_cases.get(scene.actor, view.secret_rotation.id).secret_rotation.name == "shop"
    monkeypatch.undo()
    somebody.update(scene.actor, view.secret_rotation.id, SecretRotationChange(connection_id=scene.signer.id))
    monkeypatch.setattr(EditLock, "write", write)
    with pytest.raises(Forbidden):
        scene.use_cases.update(robot, view.secret_rotation.id, SecretRotationChange(name="renamed"))


@pytest.mark.parametrize("sees", [False, True])
def test_the_trail_tells_of_secret_rotations_to_those_who_may_see_them(scene: Applications, sees: bool) -> None:
    view = scene.create()
    permissions = [{"subject": "audit-logs", "action": "read"}, {"subject": "secrets", "action": "read"}]
    robot = holder(scene, *permissions, *([rotations(scene.signer.id)] if sees else []))
    trail = AuditTrail(scene.world.database)
    told = [event.name for event in trail.page(robot, project_id=scene.project_id).events]
    assert ("create-secret-rotation" in told) == sees
    of_it = {"project_id": scene.project_id, "subject_id": view.secret_rotation.id}
    if sees:
        assert "create-secret-rotation" in [event.name for event in trail.page(robot, **of_it).events]
    else:
        with pytest.raises(Refused, match="Nothing that you may see"):
            trail.page(robot, **of_it)


def test_refusals_name_no_rotation_that_one_may_not_see(scene: Applications) -> None:
    scene.secrets.folders.create(scene.actor, Address(scene.project_id, None, "prod", "/"), "billing", None)
    scene.create(name="hidden-rotation", path="/billing")
    at, of_root = Address(scene.project_id, None, "prod", "/billing"), Address(scene.project_id, None, "prod", "/")
    folders_and_secrets = [{"subject": subject, "action": ALL} for subject in ("secrets", "secret-folders")]
    robot = holder(scene, *folders_and_secrets)
    value, name = Plaintext("by hand"), NAMES.client_secret

    def refusals(actor: Actor) -> list[str]:
        changes = (
            lambda: scene.secrets.update(actor, at, name, SecretChange(value=value)),
            lambda: scene.secrets.folders.delete(actor, of_root, "billing"),
            lambda: scene.secrets.create(actor, at, NewSecret("RESERVED", value)),
        )
        with scene.world.database.write() as tx:  # as while its first run is under way
            tx.run(sa.update(mapped_secrets).where(mapped_secrets.c.name == NAMES.client_id).values(name="RESERVED"))
        messages = []
        for change in changes:
            with pytest.raises(Refused) as refused:
                change()
            messages.append(refused.value.message)
        return messages

    assert all("'hidden-rotation'" in message for message in refusals(scene.actor))
    for message in refusals(robot):
        assert "hidden-rotation" not in message
        assert "a secret rotation that you may not see" in message


def test_by_name_the_connection_counts(scene: Applications) -> None:
    scene.create()
    at = Address(scene.project_id, None, "prod", "/")
    assert scene.use_cases.by_name(holder(scene, rotations(scene.signer.id)), at, "shop").names == NAMES
    other = scene.world.connect("other", rotate=False)
    robot = holder(scene, rotations(other.id), slug="of-another-connection")
    for name in ("shop", "nothing"):
        with pytest.raises(Forbidden):
            scene.use_cases.by_name(robot, at, name)
    exception = rotations(scene.signer.id, inverted=True)
    robot = holder(scene, {"subject": "secret-rotation", "action": ALL}, exception, slug="by-exception")
    for name in ("shop", "nothing"):
        with pytest.raises(NotFound) as missing:
            scene.use_cases.by_name(robot, at, name)
        assert missing.value.message == f"There is no secret rotation named '{name}' in that folder."


def test_a_leak_ends_no_promise_of_what_one_may_not_rotate(scene: Applications) -> None:
    view = scene.create()
    elsewhere = add_project(scene.world, "Elsewhere")
    scene.create(name="there", project_id=elsewhere)
    robot = holder(scene, {"subject": "secret-rotation", "action": [*ALL, "rotate-secrets"]})
    shared = scene.use_cases.shared_with(robot, view.secret_rotation.id)
    assert (shared.seen, shared.hidden) == ([], 1)
    assert [ref.name for ref in scene.use_cases.shared_with(scene.actor, view.secret_rotation.id).seen] == ["there"]
    before = scene.world.events()
    with pytest.raises(Refused) as refused:
        scene.use_cases.rotate(robot, view.secret_rotation.id, leaked=True)
    assert refused.value.code == "rotation.shared_without_permission"
    assert scene.world.events() == before
    scene.use_cases.rotate(robot, view.secret_rotation.id)
    scene.rotate(view, leaked=True)  # by an administrator of the organization


def test_a_project_has_so_many_secret_rotations_at_most(scene: Applications) -> None:
    scene.create()
    writer = replace(scene.use_cases._writer, most=1)
    scene.use_cases._writer = writer
    with pytest.raises(Refused) as refused:
        scene.create(scene.other_application("Second"), name="second", names=SecretNames("ID", "SECRET"))
    assert refused.value.code == "access.quota"
    assert "KEYTURN_MAX_SECRET_ROTATIONS" in (refused.value.fix or "")
