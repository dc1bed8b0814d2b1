"""The admin consent pages, of the first and of the second version."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from entra_emulator import ApplicationHandle, Browser, Request, SignInStopped
from entra_emulator.directory.first_party import AZURE_CLI
from tests.emulator.people import BACK, People, claims_of, fields_of
from tests.emulator.scene import LOGIN, EmulatorFixture
from tests.emulator.test_devices import begin, poll

OWNED = "Application.ReadWrite.OwnedBy"


@pytest.fixture
def boss(people: People) -> str:
    return people.scene.emulator.admin.create_user(people.scene.tenant, "Gil Global", roles=("Global Administrator",))


@pytest.fixture
def asking(people: People) -> ApplicationHandle:
    return people.scene.application("asking", redirect_uris=(BACK,), scopes=("User.Read",), roles=(OWNED,))


def url(scene: EmulatorFixture, app: ApplicationHandle, tenant: str | None = None, **more: str) -> str:
    place = "v2.0/adminconsent" if "scope" in more else "adminconsent"
    parameters = {"client_id": app.app_id, "redirect_uri": BACK, "state": "st 1&"} | more
    return f"{LOGIN}/{tenant or scene.tenant}/{place}?{urlencode({name: text for name, text in parameters.items() if text})}"


def roles_of(people: People, app: ApplicationHandle) -> list[str]:
    roles: list[str] = claims_of(people.scene.token(app).json()["access_token"]).get("roles", [])
    return roles


def test_the_first_version_grants_all_that_is_configured(people: People, boss: str, asking: ApplicationHandle) -> None:
    page = Browser(people.scene.emulator.handle).open(url(people.scene, asking))
    browser = Browser(people.scene.emulator.handle)
    page = browser.open(url(people.scene, asking))
    consent = browser.press(page, page.forms[0], "user", boss)
    assert "for your organization" in consent.text
    assert OWNED in consent.text
    assert "User.Read" in consent.text
    callback = people.scene.emulator.admin.authorize(url(people.scene, asking), user=boss)
    assert fields_of(callback) == {"admin_consent": "True", "tenant": people.scene.tenant, "state": "st 1&"}
    assert roles_of(people, asking) == [OWNED]
    mine = {"client_id": asking.app_id, "scope": "User.Read", "prompt": "none"}
    browser.sign_in(people.url(scope="User.Read", prompt="select_account"), people.uri)
    assert "code" in fields_of(
        browser.open(people.url(**mine, login_hint="uri.user@contoso.onmicrosoft.com")).location or ""
    )


def test_the_second_version_grants_what_its_scope_names(people: People, boss: str, asking: ApplicationHandle) -> None:
    named = url(people.scene, asking, scope="https://graph.microsoft.com/User.Read")
    fields = fields_of(people.scene.emulator.admin.authorize(named, user=boss))
    assert fields["scope"] == "https://graph.microsoft.com/User.Read"
    assert fields["admin_consent"] == "True"
    assert roles_of(people, asking) == []
    whole = url(people.scene, asking, "organizations", scope="https://graph.microsoft.com/.default")
    people.scene.emulator.admin.set_redirect_uris(asking.object_id, BACK)
    assert fields_of(people.scene.emulator.admin.authorize(whole, user=boss))["tenant"] == people.scene.tenant
    assert roles_of(people, asking) == [OWNED]


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        ("", {"error": "permission_denied"}),
        ("https://graph.microsoft.com/.default", {"error": "consent_required", "admin_consent": "True"}),
    ],
)
def test_declining_calls_back_as_each_version_does(
    people: People, boss: str, asking: ApplicationHandle, scope: str, fields: dict[str, str]
) -> None:
    more = {"scope": scope} if scope else {}
    place = url(people.scene, asking, **more)
    for choice in ({"decline": True}, {"cancel": True}):
        answer = fields_of(people.scene.emulator.admin.authorize(place, user=boss, **choice))
        assert {name: answer[name] for name in fields} == fields
        assert "AADSTS65004" in answer["error_description"]
        assert answer["state"] == "st 1&"
    assert roles_of(people, asking) == []


def test_only_who_may_grant_it_all_can_accept(people: People, asking: ApplicationHandle) -> None:
    for user in (people.uri, people.ada):  # an Application Administrator cannot grant application permissions on Graph
        with pytest.raises(SignInStopped, match="AADSTS90094"):
            people.scene.emulator.admin.authorize(url(people.scene, asking), user=user)
    plain = people.scene.application("plain", redirect_uris=(BACK,), scopes=("Application.ReadWrite.All",))
    assert fields_of(people.scene.emulator.admin.authorize(url(people.scene, plain), user=people.ada))["tenant"]
    assert roles_of(people, asking) == []


@pytest.mark.parametrize(
    ("more", "tenant", "code"),
    [
        ({"client_id": ""}, None, "900144"),
        ({"client_id": "x"}, None, "700016"),
        ({"redirect_uri": "https://evil.example.com"}, None, "50011"),
        ({}, "consumers", "90023"),
        ({"scope": "User.Read"}, "common", "90023"),
        ({"scope": " "}, None, "70011"),
        ({"scope": "Magic.Read"}, None, "650053"),
        ({}, "nonsense", "900023"),
    ],
)
def test_a_bad_request_is_shown_and_never_redirected(
    people: People, boss: str, asking: ApplicationHandle, more: dict[str, str], tenant: str | None, code: str
) -> None:
    with pytest.raises(SignInStopped, match=f"AADSTS{code}"):
        people.scene.emulator.admin.authorize(url(people.scene, asking, tenant, **more), user=boss)


def test_the_second_version_needs_a_scope(people: People, asking: ApplicationHandle) -> None:
    place = url(people.scene, asking).replace("/adminconsent", "/v2.0/adminconsent")
    assert "AADSTS900144" in people.browser().open(place).text


def test_permissions_that_nobody_knows_are_a_misconfiguration(people: People, boss: str) -> None:
    access = [{"id": "11111111-1111-4111-8111-111111111111", "type": "Role"}]
    needs = [{"resourceAppId": "00000003-0000-0000-c000-000000000000", "resourceAccess": access}]
    path = f"applications/{people.web.object_id}"
    assert people.scene.graph(people.scene.manager(), "PATCH", path, {"requiredResourceAccess": needs}).status == 204
    with pytest.raises(SignInStopped, match="AADSTS650056"):
        people.scene.emulator.admin.authorize(url(people.scene, people.web), user=boss)


def test_a_tenant_brings_a_foreign_application_in_by_admin_consent(people: People) -> None:
    admin = people.scene.emulator.admin
    elsewhere = admin.create_tenant("Elsewhere")
    eve = admin.create_user(elsewhere, "Eve Else", roles=("Global Administrator",))
    shared = people.scene.application(
        "shared", audience="AzureADMultipleOrgs", redirect_uris=(BACK,), roles=("Application.Read.All",)
    )
    admin.authorize(url(people.scene, shared, "common"), user=eve)
    form = {"grant_type": "client_credentials", "client_id": shared.app_id, "client_secret": shared.secrets[0].value}
    form["scope"] = "https://graph.microsoft.com/.default"
    token = people.scene.post_form(form, elsewhere).json()["access_token"]
    assert claims_of(token)["roles"] == ["Application.Read.All"]
    assert claims_of(token)["tid"] == elsewhere


def test_the_command_of_az_consents_through_the_portal_as_an_administrator(
    people: People, boss: str, asking: ApplicationHandle
) -> None:
    resource = "74658136-14ec-4630-ad9b-26e160ff0fc6"
    where = f"https://main.iam.ad.ext.azure.com/api/RegisteredApplications/{asking.app_id}/Consent"

    def consent(token: str, query: str = "?onBehalfOfAll=true") -> int:
        call = people.scene.emulator.call
        return call(Request("POST", where + query, {"Authorization": f"Bearer {token}"})).status

    tokens = {}
    for user in (people.ada, boss):
        device = begin(people, AZURE_CLI, scope=f"{resource}/.default")
        people.scene.emulator.admin.approve_device(device["user_code"], user=user)
        tokens[user] = poll(people, AZURE_CLI, device["device_code"]).json()["access_token"]
    assert claims_of(tokens[boss])["aud"] == resource
    assert consent(people.scene.bearer(people.scene.manager())) == 401, "a token for Graph is none for the portal"
    assert consent(tokens[people.ada]) == 403, "who only manages applications does not give away Graph"
    assert consent(tokens[boss], "") == 404
    assert roles_of(people, asking) == []
    assert consent(tokens[boss]) == consent(tokens[boss]) == 204
    assert roles_of(people, asking) == [OWNED]
