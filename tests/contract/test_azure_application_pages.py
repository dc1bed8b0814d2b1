"""A page of applications for people who choose one: searched by the directory, and told with owners and secrets."""

import pytest

from entra_emulator import ApplicationHandle
from keyturn.errors import Refused
from keyturn.ports.provider import ApplicationPage
from keyturn.providers.azure.application_pages import PAGE
from tests.contract.conftest import ContractFixture

COUNT = 2 * PAGE + 3


def make(scene: ContractFixture, permission: str) -> ApplicationHandle:
    connection = scene.admin.create_application(scene.tenant_id, "Keyturn", permissions=(permission,))
    for number in range(COUNT):
        scene.admin.create_application(scene.tenant_id, f"shop-{number:02} frontend", secrets=2)
    return connection


def find(scene: ContractFixture, by: ApplicationHandle, text: str, cursor: str | None = None) -> ApplicationPage:
    return scene.provider.find_applications(scene.tenant, scene.token(by), text, cursor)


def names_of_all_pages(scene: ContractFixture, by: ApplicationHandle, text: str) -> list[str]:
    names: list[str] = []
    cursor = None
    while True:
        page = find(scene, by, text, cursor)
        assert len(page.applications) <= PAGE
        names += [listing.name for listing in page.applications]
        cursor = page.cursor
        if cursor is None:
            return names


def test_words_are_searched_for_page_by_page(scene: ContractFixture) -> None:
    connection = make(scene, "Application.Read.All")
    assert sorted(names_of_all_pages(scene, connection, "shop")) == [f"shop-{n:02} frontend" for n in range(COUNT)]
    assert names_of_all_pages(scene, connection, "bill") == ["Billing"]
    assert names_of_all_pages(scene, connection, 'no"such\\name') == []
    assert len(names_of_all_pages(scene, connection, "")) == COUNT + 2


def test_an_application_is_told_with_its_secrets_and_owners(scene: ContractFixture) -> None:
    connection = make(scene, "Application.Read.All")
    dressed = f"Application (client) ID: {scene.app.app_id}"
    for text in ("billing", scene.app.app_id, scene.app.object_id.upper(), f"{{{scene.app.object_id}}}", dressed):
        (listing,) = find(scene, connection, text).applications
        assert (listing.object_id, listing.app_id, listing.name) == (scene.app.object_id, scene.app.app_id, "Billing")
        assert [secret.key_id for secret in listing.credentials] == [scene.app.secrets[0].key_id]
        assert listing.owners == ("Billing",)


def test_a_search_costs_two_requests_a_page_and_no_secret_is_shown(scene: ContractFixture) -> None:
    connection = make(scene, "Application.Read.All")
    token = scene.token(connection)
    before = len(scene.emulator.ledger)
    page = scene.provider.find_applications(scene.tenant, token, "shop", None)
    assert len(scene.emulator.ledger) - before == 2
    assert scene.secret().reveal() not in repr(page)


def test_who_sees_only_what_they_own_searches_that(scene: ContractFixture) -> None:
    token = scene.token()
    for text in ("BILL", f"'{scene.app.app_id}'"):
        found = scene.provider.find_applications(scene.tenant, token, text, None)
        assert ([listing.name for listing in found.applications], found.cursor) == (["Billing"], None)
    assert not scene.provider.find_applications(scene.tenant, token, "shop", None).applications


@pytest.mark.parametrize("cursor", ["https://elsewhere.test/", "//elsewhere.test/", "/users?$top=1", "x"])
def test_a_page_that_no_list_gave_is_refused_before_anything_is_sent(scene: ContractFixture, cursor: str) -> None:
    connection = make(scene, "Application.Read.All")
    for token in (scene.token(connection), scene.token()):
        before = len(scene.emulator.ledger)
        with pytest.raises(Refused, match="no such page"):
            scene.provider.find_applications(scene.tenant, token, "", cursor)
        assert len(scene.emulator.ledger) == before
