"""Taking over credentials of which Entra ID does not tell which is which: by their Key ID, after a question."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.connections.domain import NewConnection
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn_simulation.invariants import check_quiet
from keyturn_simulation.world import World, make_world
from tests.databases import sqlite_database
from tests.emulator.certificates import make_certificate

DAILY = ScheduleChange(1, 2, 15, "UTC")
SURE = ScheduleChange(1, 2, 15, "UTC", key_confirmed=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with sqlite_database(tmp_path) as database:
        yield make_world(database, secrets=0)


def old_secret(world: World, **more: str) -> tuple[str, str]:
    """A secret of before Microsoft Graph: no hint, no display name. Return key id and value."""
    secret = world.emulator.admin.add_secret(world.application.object_id, hinted=False, **more)
    return secret.key_id, secret.value


def typed(world: World, value: str, key_id: str | None) -> ClientSecret:
    return ClientSecret(world.tenant_id, world.application.app_id, Plaintext(value), key_id)


def draft(world: World, value: str, key_id: str | None) -> NewConnection:
    return NewConnection("old", typed(world, value, key_id))


def test_the_only_secret_is_taken_over_by_its_key_id_once_that_is_confirmed(world: World) -> None:
    key_id, value = old_secret(world)
    for named_key_id, code in ((None, "rotation.key_id_needed"), (key_id, "rotation.key_unconfirmed")):
        with pytest.raises(Refused) as refused:
            world.rotations.create(world.actor, draft(world, value, named_key_id), DAILY)
        assert refused.value.code == code
        assert [detail["keyId"] for detail in refused.value.details] == [key_id]
        assert "None" not in refused.value.diagnostics()
        assert "another secret" not in refused.value.diagnostics()
    assert "only unexpired secret, and the one given signs in" in refused.value.message
    assert "A wrong Key ID would remove" in str(refused.value.fix)

    world.rotations.create(world.actor, draft(world, value, key_id), SURE)
    world.settle()
    assert key_id not in set(world.keys())
    assert not world.signs_in(Plaintext(value))
    check_quiet(world)


def test_the_question_names_an_old_secret_by_its_custom_key_identifier_and_counts_the_others(world: World) -> None:
    world.emulator.admin.add_secret(world.application.object_id, "of somebody else")
    name = base64.b64encode("payroll 2017".encode("utf-16-le")).decode()
    key_id, value = old_secret(world, custom_key_identifier=name)
    with pytest.raises(Refused) as refused:
        world.rotations.create(world.actor, draft(world, value, key_id), DAILY)
    assert "'payroll 2017'" in refused.value.message
    assert "1 other unexpired secret." in refused.value.message


def test_a_confirmation_never_outweighs_what_the_list_does_tell(world: World) -> None:
    _, value = old_secret(world)
    other = world.emulator.admin.add_secret(world.application.object_id, "other", value=f"zzz{'x' * 37}")
    with pytest.raises(Refused, match="begins with 'zzz'") as refused:
        world.rotations.create(world.actor, draft(world, value, other.key_id), SURE)
    assert refused.value.code == "rotation.key_id_of_another"


def test_a_stored_secret_and_new_credentials_are_confirmed_as_well(world: World) -> None:
    key_id, value = old_secret(world)
    connection = world.rotations.create(world.actor, draft(world, value, None), None)
    schedule = ScheduleChange(1, 2, 15, "UTC", key_id=key_id)
    with pytest.raises(Refused):
        world.rotations.update(world.actor, connection.id, ConnectionChange(enabled=True, schedule=schedule))
    world.rotations.update(
        world.actor, connection.id, ConnectionChange(enabled=True, schedule=schedule, key_confirmed=True)
    )
    world.settle()

    key_id, value = old_secret(world)
    credentials = typed(world, value, key_id)
    with pytest.raises(Refused):
        world.change(connection, credentials=credentials)
    world.change(connection, credentials=credentials, key_confirmed=True)
    world.settle()
    assert len(world.keys()) == 1
    check_quiet(world)


@pytest.mark.parametrize(
    "identifier", [None, base64.b64encode(b"chosen").decode(), base64.b64encode(b"x" * 20).decode()]
)
def test_a_certificate_without_its_thumbprint_is_known_by_itself(world: World, identifier: str | None) -> None:
    pair = make_certificate()
    world.emulator.admin.add_certificate(
        world.application.object_id, pair.pem, thumbprinted=False, custom_key_identifier=identifier
    )
    key = Plaintext(pair.private_pem.decode())
    files = CertificateFiles(world.tenant_id, world.application.app_id, pair.pem.decode(), key)
    connection = world.rotations.create(world.actor, NewConnection("old", files), DAILY)
    world.settle()
    assert world.rotation(connection).generation == 1
    check_quiet(world)
