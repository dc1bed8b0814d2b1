"""What a user may do at Graph: delegated permissions, directory roles and ownership."""

from __future__ import annotations

import pytest

from tests.emulator.people import People

ROLES = ("Global Administrator", "Application Administrator", "Cloud Application Administrator")


def token_of(people: People, user: str, *scopes: str) -> str:
    people.scene.emulator.admin.consent(people.web.app_id, *scopes)
    token: str = people.tokens(user, scope=" ".join(scopes))["access_token"]
    return token


def add(people: People, token: str, object_id: str) -> int:
    body = {"passwordCredential": {"displayName": "made"}}
    return people.graph(token, "POST", f"applications/{object_id}/addPassword", body).status


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_manages_applications_opens_all_of_them(people: People, role: str) -> None:
    admin, target = people.scene.emulator.admin, people.scene.application()
    boss = admin.create_user(people.scene.tenant, "Boss", roles=(role,))
    token = token_of(people, boss, "Application.ReadWrite.All")
    assert add(people, token, target.object_id) == 200
    assert people.graph(token, "PATCH", f"applications/{target.object_id}", {"notes": "x"}).status == 204


@pytest.mark.parametrize("roles", [(), ("Global Reader",)])
def test_without_such_a_role_only_owned_applications_are_open(people: People, roles: tuple[str, ...]) -> None:
    admin = people.scene.emulator.admin
    admin.set_user(people.uri, roles=roles)
    owned = people.scene.application("owned", owners=(people.uri,))
    token = token_of(people, people.uri, "Application.ReadWrite.All")
    assert add(people, token, people.scene.application("other").object_id) == 403
    assert add(people, token, owned.object_id) == 200
    entry = people.scene.emulator.ledger.query(operation="addPassword")[-1]
    assert (entry.user, entry.caller) == (people.uri, people.web.app_id)
    reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{people.ada}"}
    assert people.graph(token, "POST", f"applications/{owned.object_id}/owners/$ref", reference).status == 204


@pytest.mark.parametrize("scope", ["User.Read", "Application.Read.All"])
def test_the_role_is_worth_nothing_without_the_permission(people: People, scope: str) -> None:
    token = token_of(people, people.ada, scope)
    assert add(people, token, people.web.object_id) == 403
    listed = people.graph(token, "GET", "applications").status
    assert listed == (200 if scope == "Application.Read.All" else 403)


@pytest.mark.parametrize("scope", ["Directory.ReadWrite.All", "Directory.AccessAsUser.All"])
def test_wider_permissions_open_applications_as_well(people: People, scope: str) -> None:
    assert add(people, token_of(people, people.ada, scope), people.web.object_id) == 200


def test_application_permissions_do_not_leak_into_user_tokens(people: People) -> None:
    people.scene.emulator.admin.grant(people.web.principal_id, "Application.ReadWrite.All")
    token = token_of(people, people.ada, "User.Read")
    assert people.graph(token, "GET", "applications").status == 403


def test_who_makes_an_application_without_a_role_owns_it(people: People) -> None:
    token = token_of(people, people.uri, "Application.ReadWrite.All")
    application = people.graph(token, "POST", "applications", {"displayName": "mine"}).json()
    assert people.scene.emulator.admin.application(application["id"]).owners == [people.uri]
    assert add(people, token, application["id"]) == 200


def test_policies_need_a_role_beside_the_permission(people: People) -> None:
    path, scope = "policies/defaultAppManagementPolicy", "Policy.ReadWrite.ApplicationConfiguration"
    for user, status in ((people.ada, 200), (people.uri, 403)):
        assert people.graph(token_of(people, user, scope), "GET", path).status == status
    assert people.graph(token_of(people, people.ada, scope), "PATCH", path, {"isEnabled": True}).status == 204
    assert people.graph(token_of(people, people.uri, scope), "PATCH", path, {"isEnabled": True}).status == 403


def test_a_token_keeps_its_roles_and_permissions_to_its_end(people: People) -> None:
    token = token_of(people, people.ada, "Application.ReadWrite.All")
    people.scene.emulator.admin.set_user(people.ada, roles=())
    people.scene.emulator.admin.withdraw_consent(people.web.app_id)
    assert add(people, token, people.web.object_id) == 200


@pytest.mark.parametrize("how", ["blocked", "deleted"])
def test_a_user_who_is_gone_is_not_known(people: People, how: str) -> None:
    token = token_of(people, people.ada, "Application.ReadWrite.All")
    if how == "blocked":
        people.scene.emulator.admin.set_user(people.ada, enabled=False)
    else:
        people.scene.emulator.admin.delete_user(people.ada)
    answer = people.graph(token, "GET", "applications")
    assert (answer.status, answer.json()["error"]["code"]) == (403, "Authorization_IdentityNotFound")


def test_me_is_the_signed_in_user(people: People) -> None:
    token = token_of(people, people.ada, "User.Read")
    me = people.graph(token, "GET", "me").json()
    assert "accountEnabled" not in me, "only where it is selected"
    assert (me["id"], me["displayName"]) == (people.ada, "Ada Admin")
    assert (me["givenName"], me["surname"], me["userPrincipalName"]) == (
        "Ada",
        "Admin",
        "Ada.Admin@contoso.onmicrosoft.com",
    )
    assert set(people.graph(token, "GET", "me?$select=id").json()) == {"@odata.context", "id"}
    refused = people.graph(people.scene.bearer(people.scene.manager()), "GET", "me")
    assert refused.status == 400
    assert refused.json()["error"]["message"] == "/me request is only valid with delegated authentication flow."
    other = token_of(people, people.ada, "Policy.Read.All")
    people.scene.emulator.admin.withdraw_consent(people.web.app_id)
    assert people.graph(other, "GET", "me").status == 200
    lean = token_of(people, people.uri, "Policy.Read.All")
    assert people.graph(lean, "GET", "me").status == 403


def test_me_shows_what_is_owned_and_which_roles_are_held(people: People) -> None:
    owned = people.scene.application("owned", owners=(people.ada,))
    token = token_of(people, people.ada, "Application.Read.All", "User.Read")
    for path in ("me/ownedObjects", "me/ownedObjects/microsoft.graph.application"):
        assert [item["id"] for item in people.graph(token, "GET", path).json()["value"]] == [owned.object_id]
    for path in ("me/memberOf", "me/transitiveMemberOf/microsoft.graph.directoryRole"):
        roles = people.graph(token, "GET", path).json()["value"]
        assert [item["displayName"] for item in roles] == ["Application Administrator"]
        assert roles[0]["roleTemplateId"] == "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"


def test_the_organization_names_the_tenant_and_its_domains(people: People) -> None:
    reader = people.scene.application("reader", permissions=("Organization.Read.All",))
    for token in (people.scene.bearer(reader), token_of(people, people.uri, "User.Read")):
        organizations = people.graph(token, "GET", "organization").json()["value"]
        assert [(item["id"], item["displayName"]) for item in organizations] == [(people.scene.tenant, "Contoso")]
        assert organizations[0]["verifiedDomains"][0]["name"] == "contoso.onmicrosoft.com"
    assert people.graph(people.scene.bearer(people.web), "GET", "organization").status == 403
