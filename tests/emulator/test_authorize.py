"""/authorize: what people see, what clients are called back with, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from entra_emulator import SERVICE_UNAVAILABLE, Request, SignInStopped
from tests.emulator.people import BACK, CHALLENGE, MANAGE, People, claims_of, fields_of
from tests.emulator.scene import LOGIN, EmulatorFixture


def test_a_person_picks_an_account_consents_and_comes_back_with_a_code(people: People) -> None:
    browser = people.browser()
    first = browser.open(people.url())
    assert (first.status, "Pick an account" in first.text) == (200, True)
    assert "Ada Admin" in first.text
    assert "Uri User" in first.text
    picked = first.button("user", people.ada)
    assert picked
    second = browser.press(first, picked, "user", people.ada)
    assert "Permissions requested" in second.text
    for line in ("Read and write all applications", "Sign you in", "Maintain access to data", people.web.app_id):
        assert line in second.text
    accepted = second.button("answer", "accept")
    assert accepted
    last = browser.press(second, accepted, "answer", "accept")
    assert last.status == 302
    fields = fields_of(last.location or "")
    assert list(fields) == ["code", "state", "session_state"]
    assert fields["state"] == "st 1&=é"
    assert len(fields["session_state"]) == 36


def test_pages_have_no_script_and_forbid_any(people: People) -> None:
    answer = people.scene.emulator.handle(Request("GET", people.url()))
    assert b"<script" not in answer.body
    assert "default-src 'none'" in (answer.header("Content-Security-Policy") or "")
    assert answer.header("X-Frame-Options") == "DENY"
    assert answer.header("Cache-Control") == "no-store, no-cache"


def test_consent_is_asked_once_and_the_session_signs_in_silently(people: People) -> None:
    browser = people.browser()
    browser.sign_in(people.url(), people.ada)
    again = browser.open(people.url())
    assert "code" in fields_of(again.location or "")
    silent = browser.open(people.url(prompt="none"))
    assert "code" in fields_of(silent.location or "")


@pytest.mark.parametrize(
    ("prompt", "text"),
    [("login", "Pick an account"), ("select_account", "Pick an account"), ("consent", "Permissions requested")],
)
def test_a_prompt_asks_again(people: People, prompt: str, text: str) -> None:
    browser = people.browser()
    browser.sign_in(people.url(), people.ada)
    assert text in browser.open(people.url(prompt=prompt)).text
    assert "code" in fields_of(browser.sign_in(people.url(prompt=prompt), people.ada))


def test_a_login_hint_chooses_among_signed_in_accounts_and_comes_first_otherwise(people: People) -> None:
    hint = "URI.User@contoso.onmicrosoft.com"
    page = people.browser().open(people.url(login_hint=hint))
    assert page.text.index("Uri User") < page.text.index("Ada Admin")
    assert "no account nobody@x" in people.browser().open(people.url(login_hint="nobody@x")).text
    people.scene.emulator.admin.consent(people.web.app_id, "User.Read", "openid")
    browser = people.browser()
    scope = "User.Read openid"
    for user in (people.ada, people.uri):
        browser.sign_in(people.url(scope=scope, prompt="select_account"), user)
    code = fields_of(browser.open(people.url(scope=scope, login_hint=hint)).location or "")["code"]
    assert claims_of(people.redeem(code).json()["access_token"])["oid"] == people.uri


@pytest.mark.parametrize(
    ("parameters", "error", "code"),
    [
        ({"signed_in": []}, "login_required", 50058),
        ({"signed_in": ["ada"]}, "consent_required", 65001),
        ({"signed_in": ["ada", "uri"]}, "interaction_required", 16000),
    ],
)
def test_a_silent_request_never_shows_a_page(people: People, parameters: dict[str, Any], error: str, code: int) -> None:
    browser = people.browser()
    people.scene.emulator.admin.consent(people.web.app_id, "User.Read")
    for name in parameters["signed_in"]:
        browser.sign_in(people.url(scope="User.Read", prompt="select_account"), getattr(people, name))
    fields = fields_of(browser.open(people.url(prompt="none")).location or "")
    assert fields["error"] == error
    assert fields["error_description"].startswith(f"AADSTS{code}:")
    assert fields["state"] == "st 1&=é"


@pytest.mark.parametrize(
    ("changes", "tenant", "code"),
    [
        ({"client_id": None}, None, "900144"),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, None, "700038"),
        ({"client_id": "11111111-1111-4111-8111-111111111111"}, None, "700016"),
        ({"client_id": "<script>"}, None, "700016"),
        ({"redirect_uri": "https://evil.example.com/back"}, None, "50011"),
        ({"redirect_uri": BACK + "/"}, None, "50011"),
        ({"redirect_uri": BACK.upper()}, None, "50011"),
        ({"redirect_uri": "javascript:alert(1)"}, None, "50011"),
        ({}, "11111111-1111-4111-8111-111111111111", "90002"),
        ({}, "nowhere.example.com", "90002"),
        ({}, "nonsense", "900023"),
        ({}, "common", "50194"),
        ({}, "consumers", "700016"),
    ],
)
def test_what_the_client_must_not_see_is_shown_on_a_page(
    people: People, changes: dict[str, str | None], tenant: str | None, code: str
) -> None:
    page = people.browser().open(people.url(tenant, **changes))
    assert (page.status, page.location) == (400, None)
    assert f"AADSTS{code}:" in page.text
    assert not page.forms
    answer = people.scene.emulator.handle(Request("GET", people.url(tenant, **changes)))
    assert b"<script>" not in answer.body
    assert people.scene.emulator.ledger.query(operation="authorize", error=code)


def test_an_application_needs_a_redirect_uri_of_its_own(people: People) -> None:
    app = people.scene.application("bare")
    page = people.browser().open(people.url(client_id=app.app_id))
    assert "AADSTS500113:" in page.text
    people.scene.emulator.admin.set_redirect_uris(app.object_id, BACK, f"{BACK}2")
    page = people.browser().open(people.url(client_id=app.app_id, redirect_uri=None))
    assert "AADSTS900971:" in page.text
    assert people.authorize(redirect_uri=None)["code"]


@pytest.mark.parametrize("uri", ["http://localhost:5001/cb", "http://127.0.0.1/cb"])
def test_a_loopback_redirect_fits_with_any_port(people: People, uri: str) -> None:
    people.scene.emulator.admin.set_redirect_uris(people.web.object_id, "http://localhost/cb", "http://127.0.0.1:1/cb")
    callback = people.scene.emulator.admin.authorize(people.url(redirect_uri=uri), user=people.ada)
    assert callback.startswith(f"{uri}?code=")
    assert people.browser().open(people.url(redirect_uri="http://localhost:1/other")).status == 400


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"response_type": None}, "invalid_request", 900144),
        ({"response_type": "code magic"}, "unsupported_response_type", 70007),
        ({"response_type": "magic"}, "unsupported_response_type", 700051),
        ({"response_type": "id_token"}, "unsupported_response_type", 700054),
        ({"response_type": "code token"}, "unsupported_response_type", 700051),
        ({"response_mode": "pigeon"}, "unsupported_response_mode", 70007),
        ({"prompt": "politely"}, "invalid_request", 90023),
        ({"scope": None}, "invalid_request", 900144),
        ({"code_challenge": "short"}, "invalid_request", 50147),
        ({"code_challenge": None}, "invalid_request", 900144),
        ({"code_challenge_method": "S512"}, "invalid_request", 501491),
        ({"scope": "Magic.Read"}, "invalid_client", 650053),
        ({"scope": "Application.ReadWrite.OwnedBy"}, "invalid_client", 650053),
        ({"scope": "https://nowhere.example.com/x"}, "invalid_resource", 500011),
        ({"scope": "https://graph.microsoft.com/.default User.Read"}, "invalid_scope", 70011),
        ({"scope": "https://graph.microsoft.com/"}, "invalid_scope", 70011),
        ({"scope": "https://vault.azure.net/.default"}, "invalid_resource", 650057),
    ],
)
def test_what_is_wrong_with_the_request_is_told_to_the_client(
    people: People, changes: dict[str, str | None], error: str, code: int
) -> None:
    fields = people.authorize(**changes)
    assert fields["error"] == error
    assert fields["error_description"].startswith(f"AADSTS{code}:")
    assert "Trace ID:" in fields["error_description"]
    assert fields["state"] == "st 1&=é"


def test_declining_is_access_denied_with_65004(people: People) -> None:
    fields = people.authorize(decline=True)
    assert fields["error"] == "access_denied"
    assert fields["error_description"].startswith("AADSTS65004: User declined to consent")


def test_cancelling_is_access_denied_without_a_description(people: People) -> None:
    callback = people.scene.emulator.admin.authorize(people.url(), user=people.ada, cancel=True)
    assert fields_of(callback) == {"error": "access_denied", "error_subcode": "cancel", "state": "st 1&=é"}


def test_who_may_not_consent_is_told_to_ask_an_administrator(people: People) -> None:
    with pytest.raises(SignInStopped, match=r"Need admin approval.*AADSTS90094"):
        people.scene.emulator.admin.authorize(people.url(), user=people.uri)
    fields = people.authorize(people.uri, decline=True)
    assert fields["error"] == "access_denied"
    assert "AADSTS90094" in fields["error_description"]


def test_an_administrator_can_take_over_at_the_page_that_asks_for_one(people: People) -> None:
    browser = people.browser()
    first = browser.open(people.url())
    stuck = browser.press(first, first.forms[0], "user", people.uri)
    assert "Need admin approval" in stuck.text
    again = browser.press(stuck, stuck.forms[0], "answer", "other")
    consent = browser.press(again, again.forms[0], "user", people.ada)
    done = browser.press(consent, consent.forms[0], "answer", "accept", tick=("everyone",))
    assert "code" in fields_of(done.location or "")
    assert people.authorize(people.uri)["code"]


def test_users_consent_for_themselves_unless_the_tenant_forbids_it(people: People) -> None:
    assert people.authorize(people.uri, scope="User.Read openid")["code"]
    people.scene.emulator.admin.withdraw_consent(people.web.app_id)
    people.scene.emulator.admin.configure(people.scene.tenant, users_may_consent=False)
    assert "AADSTS90094" in people.authorize(people.uri, decline=True, scope="User.Read openid")["error_description"]


def test_consent_for_everyone_spares_others_the_page(people: People) -> None:
    people.scene.emulator.admin.authorize(people.url(), user=people.ada, everyone=True)
    page = people.browser()
    first = page.open(people.url())
    done = page.press(first, first.forms[0], "user", people.uri)
    assert "code" in fields_of(done.location or "")


def test_an_ordinary_user_cannot_consent_for_everyone_by_a_forged_form(people: People) -> None:
    browser = people.browser()
    first = browser.open(people.url(scope="User.Read"))
    second = browser.press(first, first.forms[0], "user", people.uri)
    second.forms[0].fields["everyone"] = "1"
    browser.press(second, second.forms[0], "answer", "accept")
    silent = people.browser()
    page = silent.open(people.url(scope="User.Read"))
    assert "Permissions requested" in silent.press(page, page.forms[0], "user", people.ada).text


def test_an_answer_without_a_session_starts_over(people: People) -> None:
    first = people.browser().open(people.url())
    first.forms[0].fields["user"] = people.ada
    stranger = people.browser().press(first, first.forms[0], "answer", "accept")
    assert "Pick an account" in stranger.text
    assert not people.scene.emulator.ledger.query(operation="authorize", committed=True)


def test_prompt_admin_consent_consents_for_everyone(people: People) -> None:
    page = people.browser()
    first = page.open(people.url(prompt="admin_consent"))
    assert "for your organization" in page.press(first, first.forms[0], "user", people.ada).text
    assert people.authorize(prompt="admin_consent")["code"]
    assert people.authorize(people.uri)["code"]
    with pytest.raises(SignInStopped):
        people.scene.emulator.admin.authorize(people.url(prompt="admin_consent", scope="User.Read"), user=people.uri)


def test_default_asks_for_all_that_is_configured(people: People) -> None:
    scope = "https://graph.microsoft.com/.default openid"
    page = people.browser()
    first = page.open(people.url(scope=scope))
    second = page.press(first, first.forms[0], "user", people.ada)
    assert "Application.ReadWrite.All" in second.text
    assert "User.Read" in second.text
    tokens = people.tokens(scope=scope)
    assert set(claims_of(tokens["access_token"])["scp"].split()) == {"Application.ReadWrite.All", "User.Read", "openid"}
    assert tokens["scope"].split()[-1] == "https://graph.microsoft.com/.default"


def test_a_new_permission_is_asked_for_on_top(people: People) -> None:
    people.tokens(scope="User.Read openid")
    browser = people.browser()
    first = browser.open(people.url(scope="User.Read openid Directory.Read.All"))
    second = browser.press(first, first.forms[0], "user", people.ada)
    assert "Directory.Read.All" in second.text
    assert "User.Read " not in second.text


def test_the_fragment_and_a_posted_form_carry_the_answer_too(people: People) -> None:
    admin = people.scene.emulator.admin
    assert "#code=" in admin.authorize(people.url(response_mode="fragment"), user=people.ada)
    browser = people.browser()
    browser.sign_in(people.url(), people.ada)
    page = browser.open(people.url(response_mode="form_post"))
    assert (page.forms[0].action, page.forms[0].method) == (BACK, "POST")
    assert page.forms[0].fields["state"] == "st 1&=é"
    assert people.authorize(response_mode="form_post")["code"]


def test_an_id_token_comes_at_once_where_the_application_allows_it(people: People) -> None:
    manager = people.scene.manager()
    implicit = {"enableIdTokenIssuance": True, "enableAccessTokenIssuance": True}
    web = {"redirectUris": [BACK], "implicitGrantSettings": implicit}
    path = f"applications/{people.web.object_id}"
    assert people.scene.graph(manager, "PATCH", path, {"web": web}).status == 204
    callback = people.scene.emulator.admin.authorize(people.url(response_type="code id_token"), user=people.ada)
    assert callback.startswith(f"{BACK}#code=")
    claims = claims_of(fields_of(callback)["id_token"])
    assert (claims["nonce"], claims["aud"]) == ("n-1", people.web.app_id)
    both = people.authorize(response_type="id_token token")
    assert "Application.ReadWrite.All" in claims_of(both["access_token"])["scp"]
    assert "nonce" in people.authorize(response_type="id_token", nonce=None)["error_description"]
    query = people.authorize(response_type="id_token", response_mode="query")
    assert query["error"] == "unsupported_response_mode"


def test_client_info_comes_where_it_was_asked_for(people: People) -> None:
    text = people.authorize(client_info="1")["client_info"]
    info = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert info == {"uid": people.ada, "utid": people.scene.tenant}


def test_an_application_for_many_tenants_is_brought_in_by_consent(people: People) -> None:
    admin = people.scene.emulator.admin
    elsewhere = admin.create_tenant("Elsewhere")
    eve = admin.create_user(elsewhere, "Eve Else", roles=("Global Administrator",))
    shared = people.scene.application("shared", audience="AzureADMultipleOrgs", redirect_uris=(BACK,))
    url = people.url("organizations", client_id=shared.app_id, scope="User.Read openid profile")
    code = fields_of(admin.authorize(url, user=eve))["code"]
    more = {"client_id": shared.app_id, "client_secret": shared.secrets[0].value}
    for place in ("organizations", elsewhere):
        answer = people.redeem(code, place, **more)
        if place != elsewhere:
            assert claims_of(answer.json()["id_token"])["tid"] == elsewhere
        else:
            assert answer.json()["error_codes"] == [54005]
    stay = people.url(elsewhere)
    assert "AADSTS700016" in people.browser().open(stay).text


def test_a_blocked_user_and_a_disabled_application_are_stopped(people: People) -> None:
    admin = people.scene.emulator.admin
    admin.set_user(people.uri, enabled=False)
    with pytest.raises(SignInStopped, match="AADSTS50057"):
        admin.authorize(people.url(), user=people.uri)
    admin.set_disabled(people.web.object_id, disabled=True)
    assert "AADSTS7000112" in people.browser().open(people.url()).text


def test_revoking_ends_browser_sessions(people: People) -> None:
    browser = people.browser()
    browser.sign_in(people.url(), people.ada)
    people.scene.emulator.admin.revoke_sessions(people.ada)
    assert "Pick an account" in browser.open(people.url()).text


def test_signing_out_ends_the_session_and_returns_only_to_the_client(people: People) -> None:
    browser = people.browser()
    browser.sign_in(people.url(), people.ada)
    place = f"{LOGIN}/{people.scene.tenant}/oauth2/v2.0/logout"
    out = browser.open(f"{place}?client_id={people.web.app_id}&post_logout_redirect_uri={BACK}&state=s")
    assert out.location == f"{BACK}?state=s"
    assert "Pick an account" in browser.open(people.url()).text
    for query in ("", "?post_logout_redirect_uri=https://evil.example.com", f"?client_id={people.web.app_id}"):
        page = browser.open(place + query)
        assert (page.status, page.location) == (200, None)


def test_faults_strike_sign_in_pages_too(people: People) -> None:
    people.scene.emulator.faults.fail_next("authorize", SERVICE_UNAVAILABLE, when="before")
    page = people.browser().open(people.url())
    assert (page.status, "AADSTS90033" in page.text) == (503, True)
    assert people.authorize()["code"]


def test_a_new_consent_is_not_known_everywhere_at_once(people: People) -> None:
    people.scene.emulator.admin.configure(people.scene.tenant, object_appear=(30.0, 30.0))
    code = people.authorize()["code"]
    refused = people.redeem(code)
    assert (refused.json()["error_codes"], refused.json()["suberror"]) == ([65001], "consent_required")
    people.scene.clock.advance(31)
    assert people.redeem(code).status == 200


def test_the_ledger_names_the_person_and_the_client(people: People) -> None:
    people.tokens()
    signed = people.scene.emulator.ledger.query(operation="authorize")[-1]
    assert (signed.user, signed.caller, signed.status) == (people.ada, people.web.app_id, 302)
    assert signed.committed
    token = people.scene.emulator.ledger.query(grant="authorization_code")[-1]
    assert (token.user, token.operation, token.auth_key_id) == (people.ada, "token", people.web.secrets[0].key_id)


def test_plain_challenges_are_accepted_and_compared_as_they_are(people: People) -> None:
    for method in ("plain", None):
        code = people.authorize(code_challenge=CHALLENGE, code_challenge_method=method)["code"]
        assert people.redeem(code).json()["error_codes"] == [501481]
        assert people.redeem(code, code_verifier=CHALLENGE).status == 200


def test_the_walk_needs_a_user_that_exists(people: People) -> None:
    with pytest.raises(ValueError, match="no user"):
        people.scene.emulator.admin.authorize(people.url(), user="nobody")


def test_posted_requests_are_read_like_those_of_a_query(people: People, scene: EmulatorFixture) -> None:
    base, _, query = people.url().partition("?")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = scene.emulator.call(Request("POST", base, kind, query.encode()))
    assert b"Pick an account" in answer.body
    assert scene.emulator.call(Request("PUT", base, kind, query.encode())).status == 405


def test_resources_may_be_mixed_and_the_first_one_wins(people: People) -> None:
    vault = "https://vault.azure.net/user_impersonation"
    tokens = people.tokens(scope=f"{vault} {MANAGE} openid")
    assert claims_of(tokens["access_token"])["aud"] == "https://vault.azure.net"
    assert tokens["scope"] == vault
