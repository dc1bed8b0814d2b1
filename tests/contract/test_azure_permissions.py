"""Who may rotate what, found out before anything is changed."""

from dataclasses import replace

import pytest

from entra_emulator import ApplicationHandle
from keyturn.errors import NeedsAction
from keyturn.ports.provider import AccessToken, RemoteApplication
from tests.contract.conftest import ContractFixture

ALL = "Application.ReadWrite.All"
OWNED = "Application.ReadWrite.OwnedBy"


def connection(scene: ContractFixture, *permissions: str) -> AccessToken:
    return scene.token(scene.admin.create_application(scene.tenant_id, "Connection", permissions=permissions))


def target(scene: ContractFixture, *owners: str) -> tuple[ApplicationHandle, RemoteApplication]:
    handle = scene.admin.create_application(scene.tenant_id, "Target", owners=owners)
    reader = connection(scene, "Application.Read.All")
    return handle, scene.provider.application(scene.tenant, reader, app_id=handle.app_id)


def test_all_may_write_everything(scene: ContractFixture) -> None:
    _, application = target(scene)
    scene.provider.check_may_write(scene.tenant, connection(scene, ALL), application)


def test_owned_by_may_write_what_it_owns(scene: ContractFixture) -> None:
    token = connection(scene, OWNED)
    assert token.principal_id
    handle, application = target(scene, token.principal_id)
    scene.provider.check_may_write(scene.tenant, token, application)
    scene.provider.add_password(scene.tenant, token, handle.object_id, "m", scene.in_days(9))


@pytest.mark.parametrize("more", [(), ("Application.Read.All",)])
def test_owned_by_without_ownership_is_told_how_to_become_owner(scene: ContractFixture, more: tuple[str, ...]) -> None:
    token = connection(scene, OWNED, *more)
    handle, application = target(scene)
    with pytest.raises(NeedsAction) as caught:
        scene.provider.check_may_write(scene.tenant, token, application)
    assert caught.value.code == "azure.not_owner"
    command = f"az ad app owner add --id {handle.app_id} --owner-object-id {token.principal_id}"
    assert command in (caught.value.fix or "")


@pytest.mark.parametrize("permissions", [(), ("Application.Read.All",), ("Directory.ReadWrite.All",)])
def test_without_a_writing_permission_the_least_privilege_is_advised(
    scene: ContractFixture, permissions: tuple[str, ...]
) -> None:
    token = connection(scene, *permissions)
    _, application = target(scene)
    with pytest.raises(NeedsAction) as caught:
        scene.provider.check_may_write(scene.tenant, token, application)
    assert caught.value.code == "azure.permission_missing"
    assert OWNED in (caught.value.fix or "")
    assert "az ad app permission admin-consent" in (caught.value.fix or "")


def test_a_token_that_cannot_be_read_is_given_the_benefit_of_the_doubt(scene: ContractFixture) -> None:
    _, application = target(scene)
    opaque = replace(connection(scene, ALL), roles=(), principal_id=None)
    scene.provider.check_may_write(scene.tenant, opaque, application)


def test_the_check_changes_nothing(scene: ContractFixture) -> None:
    handle, application = target(scene)
    before = scene.names(handle)
    requests = len(scene.emulator.ledger)
    scene.provider.check_may_write(scene.tenant, connection(scene, ALL), application)
    with pytest.raises(NeedsAction):
        scene.provider.check_may_write(scene.tenant, connection(scene, OWNED), application)
    assert scene.names(handle) == before
    written = {"addPassword", "removePassword", "updateApplication"}
    assert not written & {entry.operation for entry in list(scene.emulator.ledger)[requests:]}


def test_writing_without_permission_is_a_clear_no(scene: ContractFixture) -> None:
    handle, _ = target(scene)
    token = connection(scene, "Application.Read.All")
    with pytest.raises(NeedsAction) as caught:
        scene.provider.add_password(scene.tenant, token, handle.object_id, "m", scene.in_days(9))
    assert caught.value.code == "azure.permission_missing"
    assert len(scene.names(handle)) == 1


def test_all_pages_of_applications_are_listed(scene: ContractFixture) -> None:
    names = {f"App {number:04}" for number in range(1200)}
    for name in names:
        scene.admin.create_application(scene.tenant_id, name, secrets=0)
    token = connection(scene, ALL)
    before = scene.transport.requests
    listed = scene.provider.applications(scene.tenant, token)
    assert names <= {item.name for item in listed}
    assert len({item.object_id for item in listed}) == len(listed)
    assert scene.transport.requests - before == 2


def test_with_only_owned_by_the_owned_applications_are_listed(scene: ContractFixture) -> None:
    token = connection(scene, OWNED)
    assert token.principal_id
    mine, _ = target(scene, token.principal_id)
    target(scene)
    assert [item.object_id for item in scene.provider.applications(scene.tenant, token)] == [mine.object_id]


def test_listing_without_permission_is_a_clear_no(scene: ContractFixture) -> None:
    with pytest.raises(NeedsAction) as caught:
        scene.provider.applications(scene.tenant, connection(scene))
    assert caught.value.code == "azure.permission_missing"
