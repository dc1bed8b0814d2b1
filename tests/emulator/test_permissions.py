"""Who may do what with which token."""

from __future__ import annotations

from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Request
from tests.emulator.scene import GRAPH, EmulatorFixture

READ, WRITE, OWNED = "Application.Read.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"
DIRECTORY = "Directory.Read.All"


def caller(scene: EmulatorFixture, *permissions: str) -> ApplicationHandle:
    return scene.application("caller", permissions=permissions, owns_itself=True)


@pytest.mark.parametrize(
    ("permission", "listing", "reading", "reading_own", "adding", "adding_own"),
    [
        (None, 403, 403, 403, 403, 403),
        (READ, 200, 200, 200, 403, 403),
        (DIRECTORY, 200, 200, 200, 403, 403),
        (WRITE, 200, 200, 200, 200, 200),
        (OWNED, 403, 403, 200, 403, 200),
    ],
)
def test_each_permission_opens_its_own_doors(
    scene: EmulatorFixture,
    permission: str | None,
    listing: int,
    reading: int,
    reading_own: int,
    adding: int,
    adding_own: int,
) -> None:
    me = caller(scene, *([permission] if permission else []))
    other = scene.application("other")
    assert scene.graph(me, "GET", "applications").status == listing
    assert scene.graph(me, "GET", "applications", filter=f"appId eq '{me.app_id}'").status == listing
    assert scene.graph(me, "GET", f"applications/{other.object_id}").status == reading
    assert scene.graph(me, "GET", f"applications(appId='{me.app_id}')").status == reading_own
    assert scene.add_password(me, other).status == adding
    assert scene.add_password(me, me).status == adding_own


def test_owning_without_the_permission_is_not_enough(scene: EmulatorFixture) -> None:
    me = caller(scene)
    refused = scene.add_password(me, me)
    assert refused.json()["error"]["code"] == "Authorization_RequestDenied"
    assert refused.json()["error"]["message"] == "Insufficient privileges to complete the operation."


def test_the_permission_without_owning_is_not_enough(scene: EmulatorFixture) -> None:
    me = scene.application("me", permissions=(OWNED,))
    assert scene.add_password(me, me).status == 403


def test_an_owner_finds_its_applications_without_listing(scene: EmulatorFixture) -> None:
    me = caller(scene, OWNED)
    theirs = scene.application("theirs", owners=(me.principal_id,))
    path = f"servicePrincipals/{me.principal_id}/ownedObjects"
    for place in (path, f"{path}/microsoft.graph.application"):
        items = scene.graph(me, "GET", place).json()["value"]
        assert {item["id"] for item in items} == {me.object_id, theirs.object_id}
    assert scene.graph(me, "GET", f"servicePrincipals/{theirs.principal_id}/ownedObjects").status == 403


def test_listing_with_owned_by_can_be_allowed(scene: EmulatorFixture) -> None:
    me = caller(scene, OWNED)
    scene.emulator.admin.configure(scene.tenant, owned_by_list_refused=False)
    assert scene.graph(me, "GET", "applications", filter=f"appId eq '{me.app_id}'").status == 200


def test_who_makes_an_application_with_owned_by_owns_it_but_may_not_add_owners(scene: EmulatorFixture) -> None:
    me = caller(scene, OWNED)
    application = scene.graph(me, "POST", "applications", {"displayName": "mine"}).json()
    path = f"applications/{application['id']}"
    assert scene.graph(me, "POST", f"{path}/addPassword", {}).status == 200
    reference = {"@odata.id": f"{GRAPH}/directoryObjects/{me.principal_id}"}
    assert scene.graph(me, "POST", f"{path}/owners/$ref", reference).status == 403
    assert scene.graph(me, "DELETE", path).status == 204


def test_a_token_keeps_the_permissions_it_was_issued_with(scene: EmulatorFixture) -> None:
    me = caller(scene, READ)
    scene.bearer(me)
    scene.emulator.admin.withdraw(me.principal_id, READ)
    assert scene.graph(me, "GET", "applications").status == 200
    scene.tokens.clear()
    assert scene.graph(me, "GET", "applications").status == 403


def test_policies_have_permissions_of_their_own(scene: EmulatorFixture) -> None:
    me, reader = caller(scene, WRITE), scene.application("reader", permissions=("Policy.Read.All",))
    path = "policies/defaultAppManagementPolicy"
    assert scene.graph(me, "GET", path).status == 403
    assert scene.graph(reader, "GET", path).status == 200
    assert scene.graph(reader, "PATCH", path, {"isEnabled": True}).status == 403


def test_an_application_of_another_tenant_is_not_there(scene: EmulatorFixture) -> None:
    me = caller(scene, WRITE)
    elsewhere = scene.emulator.admin.create_tenant("Elsewhere")
    foreign = scene.emulator.admin.create_application(elsewhere, "foreign")
    assert scene.add_password(me, foreign).status == 404
    assert scene.graph(me, "GET", f"applications(appId='{foreign.app_id}')").status == 404


def unauthorized(scene: EmulatorFixture, headers: dict[str, str]) -> Any:
    answer = scene.emulator.call(Request("GET", f"{GRAPH}/applications", headers))
    assert answer.status == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"
    challenge = answer.header("WWW-Authenticate") or ""
    assert 'client_id="00000003-0000-0000-c000-000000000000"' in challenge
    return answer.json()["error"]["message"]


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic abc", "Bearer " + "x" * 9000])
def test_a_request_without_a_good_token_is_challenged(scene: EmulatorFixture, value: str) -> None:
    assert unauthorized(scene, {"Authorization": value} if value else {})


def test_a_token_that_was_altered_is_challenged(scene: EmulatorFixture) -> None:
    head, payload, signature = scene.bearer(caller(scene, WRITE)).split(".")
    assert unauthorized(scene, {"Authorization": f"Bearer {head}.{payload[:-4]}AAAA.{signature}"})
    assert unauthorized(scene, {"Authorization": f"Bearer {head}.{payload}.{signature[:-4]}AAAA"})


def test_a_token_for_another_resource_is_challenged(scene: EmulatorFixture) -> None:
    me = caller(scene, WRITE)
    token = scene.token(me, scope="https://vault.azure.net/.default").json()["access_token"]
    assert "audience" in unauthorized(scene, {"Authorization": f"Bearer {token}"})


def test_a_token_ends_at_its_expiry(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, token_lifetime=(3600.0, 3600.0))
    me = caller(scene, READ)
    assert scene.graph(me, "GET", "applications").status == 200
    scene.clock.advance(3599)
    assert scene.graph(me, "GET", "applications").status == 200
    scene.clock.advance(1)
    message = unauthorized(scene, {"Authorization": f"Bearer {scene.bearer(me)}"})
    assert message == "Lifetime validation failed, the token is expired."


def test_a_caller_whose_service_principal_is_gone_is_not_known(scene: EmulatorFixture) -> None:
    manager, me = scene.manager(), caller(scene, READ)
    scene.bearer(me)
    scene.graph(manager, "DELETE", f"servicePrincipals/{me.principal_id}")
    answer = scene.graph(me, "GET", "applications")
    assert (answer.status, answer.json()["error"]["code"]) == (403, "Authorization_IdentityNotFound")
