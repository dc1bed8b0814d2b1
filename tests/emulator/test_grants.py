"""Authorization codes, refresh tokens and ID tokens at the token endpoint."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from entra_emulator import RESET, ConnectionReset, Response
from tests.emulator.certificates import Certificate
from tests.emulator.people import BACK, MANAGE, People, claims_of, code_of
from tests.emulator.scene import GRAPH_SCOPE, LOGIN

DAY = 86_400.0
UNKNOWN = "1.A" + "x" * 256


def refused(response: Response, code: int, error: str = "invalid_grant", status: int = 400) -> None:
    assert (code_of(response), response.json()["error"], response.status) == (code, error, status)


def test_a_code_gives_all_tokens_that_the_scopes_ask_for(people: People) -> None:
    answer = people.redeem(people.authorize()["code"], client_info="1")
    assert answer.status == 200
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["scope"] == f"openid profile {MANAGE}"
    assert 3599 <= body["expires_in"] <= 5400
    assert body["client_info"]
    access, identity = claims_of(body["access_token"]), claims_of(body["id_token"])
    assert access["scp"] == "Application.ReadWrite.All openid profile"
    assert (access["appid"], access["appidacr"], access["idtyp"]) == (people.web.app_id, "1", "user")
    assert access["wids"] == ["9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "b79fbf4d-3ef9-4689-8143-76b194e85509"]
    assert (access["aud"], access["ver"]) == ("https://graph.microsoft.com", "1.0")
    assert "roles" not in access
    assert {name: identity[name] for name in ("aud", "iss", "nonce", "tid", "oid", "name", "preferred_username")} == {
        "aud": people.web.app_id,
        "iss": f"{LOGIN}/{people.scene.tenant}/v2.0",
        "nonce": "n-1",
        "tid": people.scene.tenant,
        "oid": people.ada,
        "name": "Ada Admin",
        "preferred_username": "Ada.Admin@contoso.onmicrosoft.com",
    }
    assert access["sub"] == identity["sub"] != people.ada


def test_without_openid_or_offline_access_there_is_no_id_token_and_no_refresh_token(people: People) -> None:
    body = people.tokens(scope="User.Read")
    assert not {"id_token", "refresh_token", "client_info"} & set(body)
    assert body["scope"] == "User.Read"
    assert "oid" not in claims_of(people.tokens(scope="openid")["id_token"])


def test_graph_tokens_of_users_cannot_be_checked_by_third_parties(people: People) -> None:
    token = people.tokens()["access_token"]
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header["nonce"]
    assert people.graph(token, "GET", "applications").status == 200
    head, _, rest = token.partition(".")
    forged = base64.urlsafe_b64encode(json.dumps(header | {"nonce": "other"}).encode()).decode().rstrip("=")
    assert people.graph(f"{forged}.{rest}", "GET", "applications").status == 401
    assert head != forged


def test_a_code_works_once(people: People) -> None:
    code = people.authorize()["code"]
    assert people.redeem(code).status == 200
    refused(people.redeem(code), 54005)


def test_a_code_whose_answer_was_lost_is_spent(people: People) -> None:
    code = people.authorize()["code"]
    people.scene.emulator.faults.fail_next("token", RESET)
    with pytest.raises(ConnectionReset):
        people.redeem(code)
    refused(people.redeem(code), 54005)


def test_a_code_ends_after_ten_minutes(people: People) -> None:
    early, late = people.authorize()["code"], people.authorize()["code"]
    people.scene.clock.advance(599)
    assert people.redeem(early).status == 200
    people.scene.clock.advance(1)
    refused(people.redeem(late), 70008)


@pytest.mark.parametrize("verifier", ["", "w" * 43, "v" * 42, "v" * 200, "é" * 43, "\x00"])
def test_a_code_needs_the_verifier_that_it_was_asked_with(people: People, verifier: str) -> None:
    code = people.authorize()["code"]
    refused(people.redeem(code, code_verifier=verifier), 501481)
    assert people.redeem(code).status == 200


def test_a_code_needs_the_redirect_uri_that_it_was_asked_with(people: People) -> None:
    code = people.authorize()["code"]
    refused(people.redeem(code, redirect_uri=""), 700009, "invalid_grant")
    refused(people.redeem(code, redirect_uri=BACK + "/"), 500112, "invalid_client", 401)
    assert people.redeem(people.authorize(redirect_uri=None)["code"], redirect_uri="").status == 200


def test_a_code_belongs_to_its_client_and_its_tenant(people: People) -> None:
    code = people.authorize()["code"]
    other = people.scene.application("other", redirect_uris=(BACK,))
    mine = {"client_id": other.app_id, "client_secret": other.secrets[0].value}
    refused(people.redeem(code, **mine), 70000)
    elsewhere = people.scene.emulator.admin.create_tenant("Elsewhere")
    people.scene.emulator.admin.consent(people.web.app_id, "User.Read", tenant=elsewhere)
    refused(people.redeem(code, elsewhere), 700005)
    assert people.redeem(code).status == 200


@pytest.mark.parametrize("field", ["code", "refresh_token"])
@pytest.mark.parametrize(
    ("value", "code"),
    [("", 900144), ("x", 9002313), ("1.A é", 9002313), ("1.A" + "x" * 9000, 9002313), (UNKNOWN, 70000)],
)
def test_what_is_not_a_grant_is_refused(people: People, field: str, value: str, code: int) -> None:
    send = people.redeem if field == "code" else people.refresh
    answer = send(value)
    assert code_of(answer) == code
    assert answer.json()["error"] == ("invalid_request" if code == 900144 else "invalid_grant")
    assert code_of(send(value, "common")) in {code, 50059, 70000}


@pytest.mark.parametrize(
    ("secret", "code", "status"), [("", 7000218, 401), ("wrong", 7000215, 401), ("the key id", 7000215, 401)]
)
def test_a_web_application_proves_who_it_is(people: People, secret: str, code: int, status: int) -> None:
    value = people.web.secrets[0].key_id if secret == "the key id" else secret
    tokens, fresh = people.tokens(), people.authorize()["code"]
    refused(people.redeem(fresh, client_secret=value), code, "invalid_client", status)
    refused(people.refresh(tokens["refresh_token"], client_secret=value), code, "invalid_client", status)
    assert people.redeem(fresh).status == 200


def test_a_certificate_proves_it_too(people: People, certificate: Certificate) -> None:
    key_id = people.scene.emulator.admin.add_certificate(people.web.object_id, certificate.pem)
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": b64(hashlib.sha256(certificate.der).digest())}
    claims = {"iss": people.web.app_id, "sub": people.web.app_id, "jti": str(uuid.UUID(int=1))}
    claims |= {"aud": f"{LOGIN}/{people.scene.tenant}/oauth2/v2.0/token", "exp": people.scene.clock.now() + 60}
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    text = f"{signed}.{b64(certificate.key.sign(signed.encode(), pss, hashes.SHA256()))}"
    proof = {"client_secret": "", "client_assertion": text}
    proof["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    tokens = people.redeem(people.authorize()["code"], **proof).json()
    assert claims_of(tokens["access_token"])["appidacr"] == "2"
    assert people.refresh(tokens["refresh_token"], **proof).status == 200
    assert people.scene.emulator.ledger.query(grant="refresh_token")[-1].auth_key_id == key_id


def test_a_native_application_must_not_send_a_secret(people: People) -> None:
    admin = people.scene.emulator.admin
    native = people.scene.application("native")
    admin.set_redirect_uris(native.object_id, BACK, platform="publicClient")
    mine = {"client_id": native.app_id, "client_secret": native.secrets[0].value}
    code = people.authorize(client_id=native.app_id)["code"]
    refused(people.redeem(code, **mine), 700025, "invalid_client", 401)
    tokens = people.redeem(code, **mine | {"client_secret": ""}).json()
    assert claims_of(tokens["access_token"])["appidacr"] == "0"
    refused(people.refresh(tokens["refresh_token"], **mine), 700025, "invalid_client", 401)
    assert people.refresh(tokens["refresh_token"], **mine | {"client_secret": ""}).status == 200


def test_a_refresh_gives_a_new_token_and_leaves_the_old_one_valid(people: People) -> None:
    first = people.tokens()["refresh_token"]
    second = people.refresh(first).json()
    assert second["refresh_token"] != first
    assert claims_of(second["access_token"])["oid"] == people.ada
    assert people.refresh(first).status == 200
    assert people.refresh(second["refresh_token"]).status == 200


def test_a_refresh_token_idles_out_after_ninety_days(people: People) -> None:
    token = people.tokens()["refresh_token"]
    people.scene.clock.advance(60 * DAY)
    renewed = people.refresh(token).json()["refresh_token"]
    people.scene.clock.advance(30 * DAY)
    answer = people.refresh(token)
    refused(answer, 700082)
    assert "was inactive for 90.00:00:00." in answer.json()["error_description"]
    assert answer.json()["suberror"] == "bad_token"
    assert people.refresh(renewed).status == 200


def test_revoked_sessions_end_refresh_tokens_and_codes(people: People) -> None:
    tokens, code = people.tokens(), people.authorize()["code"]
    people.scene.emulator.admin.revoke_sessions(people.ada)
    refused(people.refresh(tokens["refresh_token"]), 50173)
    refused(people.redeem(code), 50173)
    assert people.graph(tokens["access_token"], "GET", "applications").status == 200
    assert people.refresh(people.tokens()["refresh_token"]).status == 200


CHANGES: dict[str, tuple[Callable[[People], None], int]] = {
    "blocked": (lambda people: people.scene.emulator.admin.set_user(people.ada, enabled=False), 50057),
    "deleted": (lambda people: people.scene.emulator.admin.delete_user(people.ada), 500341),
    "consent withdrawn": (lambda people: people.scene.emulator.admin.withdraw_consent(people.web.app_id), 65001),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_refresh_needs_the_user_and_their_consent_still(people: People, what: str) -> None:
    change, code = CHANGES[what]
    token = people.tokens()["refresh_token"]
    change(people)
    answer = people.refresh(token)
    refused(answer, code)
    assert answer.json().get("suberror") == ("consent_required" if code == 65001 else None)


def test_a_refresh_token_belongs_to_its_client_and_its_tenant(people: People) -> None:
    token = people.tokens()["refresh_token"]
    other = people.scene.application("other")
    refused(people.refresh(token, client_id=other.app_id, client_secret=other.secrets[0].value), 70000)
    elsewhere = people.scene.emulator.admin.create_tenant("Elsewhere")
    people.scene.emulator.admin.consent(people.web.app_id, "User.Read", tenant=elsewhere)
    refused(people.refresh(token, elsewhere), 50020)


def test_a_refresh_may_ask_for_another_consented_resource_but_only_for_one(people: People) -> None:
    vault = "https://vault.azure.net/user_impersonation"
    token = people.tokens(scope=f"{MANAGE} {vault} offline_access")["refresh_token"]
    assert claims_of(people.refresh(token).json()["access_token"])["aud"] == "https://graph.microsoft.com"
    assert claims_of(people.refresh(token, scope=vault).json()["access_token"])["aud"] == "https://vault.azure.net"
    refused(people.refresh(token, scope=f"{MANAGE} {vault}"), 28000, "invalid_scope")
    refused(people.refresh(token, scope="Directory.Read.All"), 65001)
    refused(people.refresh(token, scope="Magic.Read"), 650053, "invalid_client")


def test_a_refresh_without_offline_access_gives_no_new_refresh_token(people: People) -> None:
    token = people.tokens()["refresh_token"]
    assert "refresh_token" not in people.refresh(token, scope=GRAPH_SCOPE).json()
    assert "refresh_token" in people.refresh(token, scope=f"{GRAPH_SCOPE} offline_access").json()


def test_shared_names_of_tenants_take_the_tenant_from_the_grant(people: People) -> None:
    tokens = people.redeem(people.authorize()["code"], "common").json()
    assert claims_of(tokens["access_token"])["tid"] == people.scene.tenant
    assert people.refresh(tokens["refresh_token"], "organizations").status == 200


def test_a_client_that_declares_cp1_gets_a_long_token_for_a_user_too(people: People) -> None:
    body = people.redeem(people.authorize()["code"], claims='{"access_token":{"xms_cc":{"values":["CP1"]}}}').json()
    assert body["expires_in"] > 70_000
    assert claims_of(body["access_token"])["xms_cc"] == ["CP1"]


def test_browsers_may_not_redeem_codes_of_web_applications(people: People) -> None:
    form = {"grant_type": "authorization_code", "client_id": people.web.app_id, "code": UNKNOWN}
    refused(people.scene.post_form(form, Origin="https://app.example.com"), 9002326, "invalid_request")


def test_the_ledger_holds_neither_codes_nor_refresh_tokens_nor_verifiers(people: People) -> None:
    code = people.authorize()["code"]
    token = people.redeem(code).json()["refresh_token"]
    people.refresh(token)
    ledger = people.scene.emulator.ledger
    assert not any(ledger.saw_plaintext(value) for value in (code, token, "v" * 43, people.web.secrets[0].value))
    people.browser().open(f"{LOGIN}/leak?{token}")
    assert ledger.saw_plaintext(token)


def test_a_user_token_for_an_api_that_wants_version_2_has_version_2_claims(people: People) -> None:
    api = people.scene.application("api", identifier_uris=("api://orders",), token_version=2)
    claims = claims_of(people.tokens(scope="api://orders/user_impersonation")["access_token"])
    assert (claims["aud"], claims["azp"], claims["azpacr"]) == (api.app_id, people.web.app_id, "1")
    assert (claims["scp"], claims["oid"]) == ("user_impersonation", people.ada)
    assert claims["iss"] == f"{LOGIN}/{people.scene.tenant}/v2.0"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
