"""What clients send that nobody expects: Microsoft's own libraries, az, Terraform, pages, and scripts made from the portal.

Each of these was seen on the wire of an unmodified client, and is accepted by Entra ID; what Entra refuses is refused aloud.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Effect, Fault, Request
from entra_emulator.admin.changes import Misfit, read_fault
from tests.emulator.certificates import Certificate
from tests.emulator.people import BACK, VERIFIER, People
from tests.emulator.scene import GRAPH, GRAPH_SCOPE, LOGIN, EmulatorFixture


@pytest.fixture
def manager(scene: EmulatorFixture) -> ApplicationHandle:
    return scene.manager()


def patched(
    scene: EmulatorFixture, manager: ApplicationHandle, app: ApplicationHandle, body: dict[str, Any]
) -> dict[str, Any]:
    answer = scene.graph(manager, "PATCH", f"applications/{app.object_id}", body)
    assert answer.status == 204, answer.body
    return read(scene, manager, app)


def read(scene: EmulatorFixture, manager: ApplicationHandle, app: ApplicationHandle) -> dict[str, Any]:
    body: dict[str, Any] = scene.graph(manager, "GET", f"applications/{app.object_id}").json()
    return body


@pytest.mark.parametrize(
    "scope",
    [
        f"{GRAPH_SCOPE} openid offline_access profile",
        f"openid offline_access profile {GRAPH_SCOPE}",
        f"profile {GRAPH_SCOPE} email",
    ],
)
def test_msal_for_go_and_java_ask_for_more_than_a_resource(scene: EmulatorFixture, scope: str) -> None:
    assert scene.token(scene.application(), scope=scope).status == 200


@pytest.mark.parametrize(
    "scope", ["openid", f"{GRAPH_SCOPE} {GRAPH_SCOPE}", f"{GRAPH_SCOPE} https://x/.default", "x openid"]
)
def test_a_scope_without_exactly_one_resource_is_still_refused(scene: EmulatorFixture, scope: str) -> None:
    assert scene.token(scene.application(), scope=scope).json()["error_codes"] == [70011]


@pytest.mark.parametrize("wrapped", ["lines of 64", "CRLF", "blanks around"])
def test_az_sends_a_certificate_with_the_line_breaks_of_its_file(
    scene: EmulatorFixture, manager: ApplicationHandle, certificate: Certificate, wrapped: str
) -> None:
    flat = base64.b64encode(certificate.der).decode()
    text = {
        "lines of 64": "\n".join(flat[at : at + 64] for at in range(0, len(flat), 64)),
        "CRLF": "\r\n".join(flat[at : at + 76] for at in range(0, len(flat), 76)) + "\r\n",
        "blanks around": f"  {flat}\n",
    }[wrapped]
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": text}
    body = patched(scene, manager, scene.application(secrets=0), {"keyCredentials": [key]})
    assert len(body["keyCredentials"]) == 1


def test_terraform_finds_the_key_id_that_it_chose(
    scene: EmulatorFixture, manager: ApplicationHandle, certificate: Certificate
) -> None:
    app, chosen = scene.application(secrets=0), "0b2c9d9e-6a50-4b0e-8a3c-5d7a1e8c9f01"
    flat = base64.b64encode(certificate.der).decode()
    key = {
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "key": flat,
        "keyId": chosen,
        "customKeyIdentifier": "bXktb3du",
    }
    body = patched(scene, manager, app, {"id": app.object_id, "keyCredentials": [key]})
    assert [(item["keyId"], item["customKeyIdentifier"]) for item in body["keyCredentials"]] == [(chosen, "bXktb3du")]
    after = patched(scene, manager, app, {"keyCredentials": [{"keyId": chosen}]})
    assert after["keyCredentials"] == body["keyCredentials"], "an entry without bytes stays what it was"
    twice = {"keyCredentials": [{"keyId": chosen}, {"keyId": chosen}]}
    assert scene.graph(manager, "PATCH", f"applications/{app.object_id}", twice).status == 400
    assert scene.graph(manager, "PATCH", f"applications/{app.object_id}", {"id": chosen}).status == 400


def test_terraform_creates_an_application_with_everything_it_always_sends(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    owner = scene.application("owner").principal_id
    fields = {
        "displayName": "by terraform",
        "isFallbackPublicClient": False,
        "isDeviceOnlyAuthSupported": None,
        "serviceManagementReference": "INC-1",
        "info": {"marketingUrl": None, "supportUrl": "https://contoso.example/help"},
        "optionalClaims": {"accessToken": [{"name": "groups", "essential": False, "additionalProperties": []}]},
        "owners@odata.bind": [f"https://graph.microsoft.com/v1.0/directoryObjects/{owner}"],
        "api": {"oauth2PermissionScopes": [], "requestedAccessTokenVersion": 2},
        "publicClient": {"redirectUris": []},
    }
    response = scene.graph(manager, "POST", "applications", fields)
    assert response.status == 201, response.body
    body = scene.graph(manager, "GET", f"applications/{response.json()['id']}", expand="owners").json()
    assert [item["id"] for item in body["owners"]] == [owner]
    assert body["info"]["supportUrl"] == "https://contoso.example/help"
    assert body["optionalClaims"]["accessToken"][0]["name"] == "groups"
    assert body["serviceManagementReference"] == "INC-1"
    nobody = fields | {
        "owners@odata.bind": ["https://graph.microsoft.com/v1.0/users/00000000-0000-4000-8000-000000000001"]
    }
    assert scene.graph(manager, "POST", "applications", nobody).status == 404


def test_a_principal_is_changed_by_everybody_who_makes_one(
    scene: EmulatorFixture, manager: ApplicationHandle, certificate: Certificate
) -> None:
    app = scene.application()
    path = f"servicePrincipals/{app.principal_id}"
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(certificate.der).decode()}
    change = {
        "tags": ["a"],
        "appRoleAssignmentRequired": True,
        "notes": "n",
        "accountEnabled": True,
        "keyCredentials": [key],
    }
    assert scene.graph(manager, "PATCH", path, change).status == 204
    body = scene.graph(manager, "GET", path).json()
    assert (body["tags"], body["appRoleAssignmentRequired"], body["notes"]) == (["a"], True, "n")
    assert len(body["keyCredentials"]) == 1
    assert scene.graph(manager, "PATCH", path, {"accountEnabled": False}).status == 204
    assert scene.token(app).json()["error_codes"] == [7000112]
    for wrong in (
        {"nonsense": 1},
        {"tags": "a"},
        {"appId": app.app_id},
        {"info": {"nonsense": 1}},
        {"accountEnabled": None},
    ):
        assert scene.graph(manager, "PATCH", path, wrong).status == 400, wrong
    fresh = scene.graph(manager, "POST", "applications", {"displayName": "fresh"}).json()
    response = scene.graph(manager, "POST", "servicePrincipals", {"appId": fresh["appId"], "tags": ["b"]})
    assert (response.status, response.json()["tags"]) == (201, ["b"])
    other = scene.graph(manager, "POST", "applications", {"displayName": "other"}).json()
    assert scene.graph(manager, "POST", "servicePrincipals", {"appId": other["appId"], "nonsense": 1}).status == 400
    other_principal = scene.graph(manager, "GET", f"servicePrincipals(appId='{other['appId']}')")
    assert other_principal.status == 404, "nothing is made of a refused request"


def test_members_that_a_change_does_not_name_stay(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application(token_version=2)
    patched(
        scene, manager, app,
        {"web": {"redirectUris": ["https://x.example/back"], "implicitGrantSettings": {"enableIdTokenIssuance": True}}},
    )  # fmt: skip
    body = patched(scene, manager, app, {"web": {"homePageUrl": "https://x.example"}})
    assert body["web"]["redirectUris"] == ["https://x.example/back"]
    assert body["web"]["implicitGrantSettings"]["enableIdTokenIssuance"] is True
    body = patched(scene, manager, app, {"web": {"implicitGrantSettings": {"enableAccessTokenIssuance": True}}})
    assert body["web"]["implicitGrantSettings"] == {"enableAccessTokenIssuance": True, "enableIdTokenIssuance": True}
    client_id = "11111111-1111-4111-8111-111111111111"
    body = patched(scene, manager, app, {"api": {"knownClientApplications": [client_id]}})
    assert body["api"]["requestedAccessTokenVersion"] == 2
    assert body["api"]["knownClientApplications"] == [client_id]
    body = patched(scene, manager, app, {"web": {"redirectUris": []}})
    assert (body["web"]["redirectUris"], body["web"]["homePageUrl"]) == ([], "https://x.example")


ROLE = {
    "id": "22222222-2222-4222-8222-222222222222",
    "displayName": "Reader",
    "description": "reads",
    "value": "Reader",
    "allowedMemberTypes": ["Application"],
    "isEnabled": True,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"api": {"nonsense": 1}},
        {"api": {"oauth2PermissionScopes": [{"nonsense": 1}]}},
        {"api": {"preAuthorizedApplications": [{"appId": "not a guid"}]}},
        {"web": {"implicitGrantSettings": {"nonsense": True}}},
        {"web": {"redirectUris": "https://x"}},
        {"info": {"supportUrl": 5}},
        {"appRoles": [{"x": 1}]},
        {"appRoles": [ROLE | {"allowedMemberTypes": []}]},
        {"optionalClaims": {"accessToken": [{"essential": True}]}},
        {"identifierUris": ["https://contoso.example/x"]},
        {"identifierUris": ["not a uri"]},
        {
            "requiredResourceAccess": [
                {"resourceAppId": ROLE["id"], "resourceAccess": [{"id": ROLE["id"], "type": "Other"}]}
            ]
        },
        {"keyCredentials": [{"key": "bm8=", "nonsense": 1}]},
    ],
)
def test_what_does_not_exist_is_refused_at_every_depth(
    scene: EmulatorFixture, manager: ApplicationHandle, wrong: dict[str, Any]
) -> None:
    app = scene.application()
    before = read(scene, manager, app)
    refused = scene.graph(manager, "PATCH", f"applications/{app.object_id}", wrong | {"displayName": "changed"})
    assert refused.status == 400, refused.body
    assert read(scene, manager, app) == before, "nothing of a refused change is done"


def test_what_is_accepted_is_kept(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    scope = {"id": ROLE["id"], "value": "read", "type": "User", "isEnabled": True, "adminConsentDisplayName": "Read"}
    allowed = {"appId": "33333333-3333-4333-8333-333333333333", "delegatedPermissionIds": [ROLE["id"]]}
    change = {
        "api": {"oauth2PermissionScopes": [scope], "preAuthorizedApplications": [allowed]},
        "appRoles": [ROLE],
        "servicePrincipalLockConfiguration": {"isEnabled": True, "allProperties": True},
        "parentalControlSettings": {"legalAgeGroupRule": "BlockMinors"},
    }
    body = patched(scene, manager, scene.application(), change)
    assert body["api"]["oauth2PermissionScopes"][0] | scope == body["api"]["oauth2PermissionScopes"][0]
    assert body["api"]["preAuthorizedApplications"][0]["delegatedPermissionIds"] == [ROLE["id"]]
    assert body["appRoles"][0] | ROLE == body["appRoles"][0]
    assert body["servicePrincipalLockConfiguration"]["isEnabled"] is True
    assert body["parentalControlSettings"]["legalAgeGroupRule"] == "BlockMinors"


def test_an_enabled_role_or_scope_is_disabled_before_it_goes(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.application()
    path, scope = (
        f"applications/{app.object_id}",
        {"id": ROLE["id"], "value": "read", "type": "User", "isEnabled": True},
    )
    patched(scene, manager, app, {"appRoles": [ROLE], "api": {"oauth2PermissionScopes": [scope]}})
    for gone in ({"appRoles": []}, {"api": {"oauth2PermissionScopes": []}}):
        refused = scene.graph(manager, "PATCH", path, gone)
        assert (refused.status, refused.json()["error"]["code"]) == (400, "CannotDeleteOrUpdateEnabledEntitlement")
    patched(scene, manager, app, {"appRoles": [ROLE | {"isEnabled": False}]})
    assert patched(scene, manager, app, {"appRoles": []})["appRoles"] == []


def test_an_identifier_below_a_domain_of_the_tenant_is_taken(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    uris = [
        "https://contoso.onmicrosoft.com/x",
        "https://api.contoso.onmicrosoft.com",
        "urn:contoso:x",
        "api://anything",
    ]
    assert patched(scene, manager, scene.application(), {"identifierUris": uris})["identifierUris"] == uris
    refused = scene.graph(
        manager,
        "PATCH",
        f"applications/{scene.application().object_id}",
        {"identifierUris": ["https://elsewhere.example"]},
    )
    assert refused.json()["error"]["code"] == "HostNameNotOnVerifiedDomain"


@pytest.mark.parametrize("name", ["a b", "a/b", "-ab", "ab", "a" * 121, "äbc"])
def test_a_federated_credential_has_a_name_that_fits_a_url(
    scene: EmulatorFixture, manager: ApplicationHandle, name: str
) -> None:
    path = f"applications/{scene.application().object_id}/federatedIdentityCredentials"
    credential = {"name": name, "issuer": "https://ci", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    assert scene.graph(manager, "POST", path, credential).status == 400
    assert scene.graph(manager, "POST", path, credential | {"name": "fine_1", "nonsense": 1}).status == 400
    flexible = {"claimsMatchingExpression": {"value": "claims['sub'] matches 'x*'", "languageVersion": 1}}
    refused = scene.graph(manager, "POST", path, credential | {"name": "fine_1", "subject": None} | flexible)
    assert (refused.status, "claimsMatchingExpression" in refused.json()["error"]["message"]) == (400, True)
    assert scene.graph(manager, "GET", path).json()["value"] == []


def test_a_password_with_unknown_members_is_refused(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application(secrets=0)
    assert scene.add_password(manager, app, nonsense="1").status == 400
    assert scene.key_ids(manager, app) == []


def test_scripts_of_the_portal_begin_with_the_alias_of_the_root(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.application(secrets=0)
    path = f"myorganization/applications/{app.object_id}"
    assert scene.graph(manager, "GET", path).json()["id"] == app.object_id
    response = scene.graph(manager, "POST", f"{path}/addPassword", {"passwordCredential": {"displayName": "by script"}})
    assert response.status == 200
    assert list(scene.emulator.ledger)[-1].operation == "addPassword"
    assert scene.graph(manager, "GET", "applications/myorganization").status == 404
    assert scene.graph(manager, "GET", f"{scene.tenant}/applications/{app.object_id}").status == 200
    assert scene.graph(manager, "GET", f"{app.object_id}/applications/{app.object_id}").status == 400


def test_a_posted_answer_submits_itself(people: People) -> None:
    people.authorize()  # agrees to everything, once and for all
    body = f"user={people.ada}".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = people.scene.emulator.call(Request("POST", people.url(response_mode="form_post"), kind, body))
    html = answer.body.decode()
    script = html.partition("<script>")[2].partition("</script>")[0]
    assert script == "document.forms[0].submit()"
    policy = answer.header("Content-Security-Policy") or ""
    assert f"'sha256-{sha256(script)}'" in policy, "the page's policy lets this one script run"
    assert "unsafe" not in policy


def test_a_page_reads_documents_and_tokens(scene: EmulatorFixture) -> None:
    origin = {"Origin": "https://app.example.com"}
    for path in ("v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"):
        url = f"{LOGIN}/{scene.tenant}/{path}"
        assert scene.emulator.call(Request("GET", url, origin)).header("Access-Control-Allow-Origin") == "*"
        assert scene.emulator.call(Request("GET", url)).header("Access-Control-Allow-Origin") is None
    headers = origin | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-client-sku",
    }
    for url in (f"{LOGIN}/{scene.tenant}/oauth2/v2.0/token", f"{GRAPH}/me"):
        answer = scene.emulator.call(Request("OPTIONS", url, headers))
        assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (204, "*")
        assert answer.header("Access-Control-Allow-Headers") == "content-type,x-client-sku"
    closed = scene.emulator.call(Request("OPTIONS", f"{LOGIN}/{scene.tenant}/oauth2/v2.0/authorize", headers))
    assert closed.header("Access-Control-Allow-Origin") is None


def test_a_page_signs_people_in(people: People) -> None:
    admin, page = people.scene.emulator.admin, {"Origin": "https://app.example.com"}
    admin.set_redirect_uris(people.web.object_id)
    admin.set_redirect_uris(people.web.object_id, BACK, platform="spa")

    def ask(form: dict[str, str], **headers: str) -> dict[str, Any]:
        body: dict[str, Any] = people.scene.post_form({"client_id": people.web.app_id} | form, **headers).json()
        return body

    def redeem(**headers: str) -> dict[str, Any]:
        code = people.authorize()["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return ask(form, **headers)

    assert redeem()["error_codes"] == [9002327], "what a page was given is for pages"
    token = redeem(**page)["refresh_token"]
    renewed = ask({"grant_type": "refresh_token", "refresh_token": token}, **page)
    assert renewed["access_token"]
    without = people.authorize(code_challenge=None, code_challenge_method=None)["code"]
    refused = ask({"grant_type": "authorization_code", "code": without, "redirect_uri": BACK}, **page)
    assert refused["error_codes"] == [9002325]
    people.scene.clock.advance(86_400)
    late = ask({"grant_type": "refresh_token", "refresh_token": renewed["refresh_token"]}, **page)
    assert late["error_codes"] == [700084]


def test_what_others_were_given_is_refused_to_pages(people: People) -> None:
    code = people.authorize()["code"]
    form = {
        "grant_type": "authorization_code", "client_id": people.web.app_id, "client_secret": people.web.secrets[0].value,
        "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER,
    }  # fmt: skip
    assert people.scene.post_form(form, Origin="https://evil.example").json()["error_codes"] == [9002326]
    assert people.scene.post_form(form).status == 200, "the code is still good for whom it was given to"


def test_a_success_may_have_no_effect(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    scene.emulator.faults.add(Fault("removePassword", (Effect(204),), when="before"))
    assert scene.remove_password(manager, app, app.secrets[0].key_id).status == 204
    assert scene.key_ids(manager, app) == [app.secrets[0].key_id]
    assert scene.remove_password(manager, app, app.secrets[0].key_id).status == 204
    assert scene.key_ids(manager, app) == []
    assert read_fault({"operation": "removePassword", "when": "before", "effects": [{"status": 204}]}).when == "before"
    for wrong in ({"status": 204}, {"status": 302}, {"status": 100}):
        with pytest.raises(Misfit):
            read_fault({"operation": "removePassword", "effects": [wrong]})


@pytest.mark.parametrize("moment", [-62_135_596_800.0, -1.0, 253_402_300_799.0])
def test_a_secret_may_have_the_odd_dates_of_old_tools(
    scene: EmulatorFixture, manager: ApplicationHandle, moment: float
) -> None:
    app = scene.application(secrets=0)
    start, end = (moment, 4_000_000_000.0) if moment < 0 else (0.0, moment)
    scene.emulator.admin.add_secret(app.object_id, "odd", start=start, end=end)
    secret = read(scene, manager, app)["passwordCredentials"][0]
    assert len(secret["startDateTime"].partition("-")[0]) == 4
    assert len(secret["endDateTime"].partition("-")[0]) == 4


def sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
