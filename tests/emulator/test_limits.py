"""What an application may hold at most: https://learn.microsoft.com/entra/identity-platform/supported-accounts-validation."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from entra_emulator import ApplicationHandle
from tests.emulator.scene import EmulatorFixture

ORGANIZATION, PEOPLE = "AzureADMyOrg", "AzureADandPersonalMicrosoftAccount"


@pytest.fixture
def manager(scene: EmulatorFixture) -> ApplicationHandle:
    return scene.manager()


def guid(number: int) -> str:
    return str(uuid.UUID(int=number + 1, version=4))


def redirects(web: int, spa: int) -> dict[str, Any]:
    def uris(count: int, of: str) -> list[str]:
        return [f"https://{of}{number}.example/" for number in range(count)]

    return {"web": {"redirectUris": uris(web, "w")}, "spa": {"redirectUris": uris(spa, "s")}}


def permissions(apis: int, each: int) -> dict[str, Any]:
    access = [{"id": guid(number), "type": "Role"} for number in range(each)]
    return {"requiredResourceAccess": [{"resourceAppId": guid(api), "resourceAccess": access} for api in range(apis)]}


def scopes(count: int, length: int) -> dict[str, Any]:
    made = [{"id": guid(number), "value": f"{number:0{length}d}", "type": "User"} for number in range(count)]
    return {"api": {"oauth2PermissionScopes": made}}


def clients(count: int, each: int) -> dict[str, Any]:
    ids = [guid(number) for number in range(each)]
    return {"api": {"preAuthorizedApplications": [
        {"appId": guid(number), "delegatedPermissionIds": ids} for number in range(count)
    ]}}  # fmt: skip


def uris(count: int, length: int) -> dict[str, Any]:
    return {"identifierUris": [f"api://{number:0{length - 6}d}" for number in range(count)]}


BOTH = (
    ({"tags": ["x" * 256]}, {"tags": ["x" * 257]}),
    ({"tags": ["a", "b"]}, {"tags": ["a", "a"]}),
    ({"tags": ["a"]}, {"tags": ["a b"]}),
    ({"tags": ["a"]}, {"tags": [""]}),
    ({"description": "x" * 1024}, {"description": "x" * 1025}),
    ({"web": {"logoutUrl": "https://localhost/out"}}, {"web": {"logoutUrl": "http://localhost/out"}}),
    ({"web": {"logoutUrl": f"https://{'x' * 247}"}}, {"web": {"logoutUrl": f"https://{'x' * 248}"}}),
    (permissions(50, 4), permissions(51, 1)),
)
OF_ORGANIZATIONS = (
    ({"displayName": "x" * 120}, {"displayName": "x" * 121}),
    (redirects(156, 100), redirects(157, 100)),
    (permissions(40, 10), permissions(41, 10)),
    (scopes(1, 120), scopes(1, 121)),
    (uris(1, 255), uris(1, 256)),
    (uris(60, 20), {"identifierUris": ["api://*"]}),
    (
        {"identifierUris": ["https://contoso.onmicrosoft.com/x#part"]},
        {"identifierUris": ["https://elsewhere.example/x"]},
    ),
)
OF_PEOPLE = (
    ({"displayName": "x" * 90}, {"displayName": "x" * 91}),
    (redirects(50, 50), redirects(51, 50)),
    (permissions(6, 30), permissions(1, 31)),
    (permissions(20, 10), permissions(21, 10)),
    (scopes(100, 40), scopes(101, 40)),
    (scopes(1, 40), scopes(1, 41)),
    (uris(50, 120), uris(51, 120)),
    (uris(1, 120), uris(1, 121)),
    (clients(100, 30), clients(101, 1)),
    (clients(1, 30), clients(1, 31)),
)


@pytest.mark.parametrize(("audience", "pairs"), [(ORGANIZATION, BOTH + OF_ORGANIZATIONS), (PEOPLE, BOTH + OF_PEOPLE)])
def test_what_is_documented_as_the_most_is_taken_and_one_more_is_not(
    scene: EmulatorFixture,
    manager: ApplicationHandle,
    audience: str,
    pairs: tuple[tuple[dict[str, Any], dict[str, Any]], ...],
) -> None:
    for most, more in pairs:
        new = {"displayName": "x", "signInAudience": audience}
        made = scene.graph(manager, "POST", "applications", new | most)
        assert made.status == 201, (str(most)[:200], made.body[:300])
        path = f"applications/{made.json()['id']}"
        assert scene.graph(manager, "POST", "applications", new | more).status == 400, str(more)[:200]
        assert scene.graph(manager, "PATCH", path, more).status == 400, str(more)[:200]
        assert scene.graph(manager, "GET", path).json()["signInAudience"] == audience
        assert scene.graph(manager, "DELETE", path).status == 204


def test_an_audience_is_changed_only_where_all_the_rest_fits(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.graph(manager, "POST", "applications", {"displayName": "x" * 100}).json()
    path = f"applications/{app['id']}"
    assert scene.graph(manager, "PATCH", path, {"signInAudience": PEOPLE}).status == 400
    assert scene.graph(manager, "PATCH", path, {"signInAudience": PEOPLE, "displayName": "short"}).status == 204


def test_ids_and_values_of_roles_and_of_scopes_are_unique(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    def role(number: int, value: str) -> dict[str, Any]:
        return {"id": guid(number), "value": value, "displayName": "x", "allowedMemberTypes": ["Application"]}

    scope = {"id": guid(1), "value": "a", "type": "User"}
    path = f"applications/{scene.application().object_id}"
    shared = {"appRoles": [role(1, "a"), role(2, "b")], "api": {"oauth2PermissionScopes": [scope]}}
    assert scene.graph(manager, "PATCH", path, shared).status == 204, (
        "a role and a scope may be one permission of both kinds"
    )
    for twice in ([role(1, "a"), role(1, "b")], [role(1, "a"), role(2, "A")]):
        assert scene.graph(manager, "PATCH", path, {"appRoles": twice}).status == 400
    again = {"api": {"oauth2PermissionScopes": [scope, scope]}}
    assert scene.graph(manager, "PATCH", path, again).status == 400


def test_principals_hold_notes_and_addresses_within_limits(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    path = f"servicePrincipals/{scene.application().principal_id}"
    for most, more in (
        ({"notes": "x" * 1024}, {"notes": "x" * 1025}),
        ({"notificationEmailAddresses": ["x@x"] * 5}, {"notificationEmailAddresses": ["x@x"] * 6}),
        ({"displayName": "x" * 256}, {"displayName": "x" * 257}),
    ):
        assert scene.graph(manager, "PATCH", path, most).status == 204, most
        assert scene.graph(manager, "PATCH", path, more).status == 400, more
