"""What the token endpoint grants and how it refuses."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import hashes

from entra_emulator import Request
from tests.emulator.certificates import Certificate
from tests.emulator.scene import GRAPH_SCOPE, LOGIN, EmulatorFixture

DAY = 86_400.0
NOBODY = "11111111-1111-4111-8111-111111111111"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def assertion(scene: EmulatorFixture, certificate: Certificate, app_id: str, **changes: Any) -> str:
    now = scene.clock.now()
    digest = certificate.x509.fingerprint(certificate.x509.signature_hash_algorithm)  # type: ignore[arg-type]
    headers: dict[str, Any] = {"x5t#S256": base64.urlsafe_b64encode(digest).decode()}
    headers |= changes.pop("headers", {})
    claims = {
        "aud": f"{LOGIN}/{scene.tenant}/oauth2/v2.0/token",
        "iss": app_id,
        "sub": app_id,
        "jti": "the same every time",
        "exp": now + 600.5,
        "iat": now + 0.25,
    } | changes
    present = {name: value for name, value in headers.items() if value}
    return jwt.encode(claims, certificate.key, algorithm="PS256", headers=present)


def with_assertion(scene: EmulatorFixture, app_id: str, text: str) -> dict[str, Any]:
    form = {
        "grant_type": "client_credentials",
        "client_id": app_id,
        "scope": GRAPH_SCOPE,
        "client_assertion_type": BEARER,
        "client_assertion": text,
    }
    answer: dict[str, Any] = scene.post_form(form).json()
    return answer


def test_a_success_has_exactly_four_members(scene: EmulatorFixture) -> None:
    answer = scene.token(scene.application())
    assert answer.status == 200
    assert set(answer.json()) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert answer.header("Cache-Control") == "no-store, no-cache"


def test_a_graph_token_has_version_1_claims_and_names_only_what_was_granted(scene: EmulatorFixture) -> None:
    granted = scene.application("granted", permissions=("Application.Read.All",))
    bare = scene.application("bare")
    claims = claims_of(scene.token(granted).json()["access_token"])
    assert claims["ver"] == "1.0"
    assert claims["iss"] == f"https://sts.windows.net/{scene.tenant}/"
    assert claims["aud"] == "https://graph.microsoft.com"
    assert claims["appid"] == granted.app_id
    assert claims["appidacr"] == "1"
    assert claims["oid"] == claims["sub"] == granted.principal_id
    assert claims["tid"] == scene.tenant
    assert claims["idtyp"] == "app"
    assert claims["roles"] == ["Application.Read.All"]
    assert "roles" not in claims_of(scene.token(bare).json()["access_token"])


def test_a_token_for_an_api_that_wants_version_2_has_version_2_claims(scene: EmulatorFixture) -> None:
    api = scene.application("api", identifier_uris=("api://orders",), token_version=2)
    caller = scene.application("caller")
    claims = claims_of(scene.token(caller, scope="api://orders/.default").json()["access_token"])
    assert claims["ver"] == "2.0"
    assert claims["aud"] == api.app_id
    assert claims["azp"] == caller.app_id
    assert claims["azpacr"] == "1"
    assert not {"appid", "idtyp", "roles"} & set(claims)


def test_the_audience_keeps_the_slash_that_was_asked_for(scene: EmulatorFixture) -> None:
    app = scene.application()
    answer = scene.token(app, scope="https://management.azure.com//.default")
    assert claims_of(answer.json()["access_token"])["aud"] == "https://management.azure.com/"


def test_a_token_verifies_with_the_published_key(scene: EmulatorFixture) -> None:
    token = scene.token(scene.application()).json()["access_token"]
    keys = scene.emulator.call(Request("GET", f"{LOGIN}/{scene.tenant}/discovery/v2.0/keys")).json()
    (key,) = jwt.PyJWKSet.from_dict(keys).keys
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.decode(token, key.key, algorithms=["RS256"], audience="https://graph.microsoft.com", options=options)


def test_a_client_that_declares_cp1_gets_a_token_for_a_day(scene: EmulatorFixture) -> None:
    claims = json.dumps({"access_token": {"xms_cc": {"values": ["CP1"]}}})
    answer = scene.token(scene.application(), claims=claims, client_info="1").json()
    assert answer["expires_in"] > 19 * 3600
    assert answer["refresh_in"] < answer["expires_in"]


def test_a_field_that_stands_there_twice_is_refused(scene: EmulatorFixture) -> None:
    app = scene.application("app", redirect_uris=("https://app.example.com/back",))
    form = {"grant_type": "client_credentials", "client_id": app.app_id, "client_secret": app.secrets[0].value}
    body = f"{urlencode(form)}&scope=a&scope=b".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = scene.emulator.call(Request("POST", f"{LOGIN}/{scene.tenant}/oauth2/v2.0/token", kind, body)).json()
    assert (answer["error"], answer["error_codes"]) == ("invalid_request", [9000411])
    assert "The parameter 'scope' is duplicated." in answer["error_description"]
    query = f"client_id={app.app_id}&response_type=code&scope=openid&prompt=none&prompt=consent"
    page = scene.emulator.call(Request("GET", f"{LOGIN}/{scene.tenant}/oauth2/v2.0/authorize?{query}"))
    assert b"AADSTS9000411" in page.body


def test_a_client_may_authenticate_with_http_basic(scene: EmulatorFixture) -> None:
    app = scene.application()
    basic = base64.b64encode(f"{app.app_id}:{app.secrets[0].value}".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": GRAPH_SCOPE}
    assert scene.post_form(form, Authorization=f"Basic {basic}").status == 200


REFUSALS = [
    ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    ({"client_secret": ""}, 401, "invalid_client", 7000218),
    ({"client_id": NOBODY}, 400, "unauthorized_client", 700016),
    ({"client_id": "not even a guid"}, 400, "unauthorized_client", 700016),
    ({"client_id": "00000000-0000-0000-0000-000000000000"}, 400, "unauthorized_client", 700038),
    ({"client_id": ""}, 400, "invalid_request", 900144),
    ({"grant_type": ""}, 400, "invalid_request", 900144),
    ({"scope": ""}, 400, "invalid_request", 900144),
    ({"grant_type": "nonsense"}, 400, "unsupported_grant_type", 70003),
    ({"grant_type": "password"}, 400, "invalid_grant", 50126),
    ({"scope": "https://graph.microsoft.com/User.Read"}, 400, "invalid_scope", 70011),
    ({"scope": "a/.default b/.default"}, 400, "invalid_scope", 70011),
    ({"scope": "api://nowhere/.default"}, 400, "invalid_resource", 500011),
]


@pytest.mark.parametrize(("change", "status", "error", "code"), REFUSALS)
def test_a_refusal_has_entras_shape(
    scene: EmulatorFixture, change: dict[str, str], status: int, error: str, code: int
) -> None:
    answer = scene.token(scene.application(), **change)
    body = answer.json()
    assert (answer.status, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", body["timestamp"])
    tail = f"Trace ID: {body['trace_id']} Correlation ID: {body['correlation_id']} Timestamp: {body['timestamp']}"
    assert body["error_description"].endswith(tail)
    assert answer.header("x-ms-request-id") == body["trace_id"]
    assert ("error_uri" in body) == (code in {7000215, 500011, 90002})


@pytest.mark.parametrize(
    ("tenant", "code"), [(NOBODY, 90002), ("nowhere.example", 90002), ("not_a_tenant", 900023), ("common", 50059)]
)
def test_a_tenant_that_does_not_fit_is_refused(scene: EmulatorFixture, tenant: str, code: int) -> None:
    answer = scene.post_form({"grant_type": "client_credentials"}, tenant=tenant)
    assert (answer.status, answer.json()["error_codes"]) == (400, [code])


def test_the_callers_request_id_comes_back(scene: EmulatorFixture) -> None:
    answer = scene.post_form({"grant_type": "x"}, **{"client-request-id": NOBODY})
    assert answer.json()["correlation_id"] == NOBODY


def test_a_disabled_application_gets_nothing(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.emulator.admin.set_disabled(app.object_id, disabled=True)
    answer = scene.token(app)
    assert (answer.status, answer.json()["error_codes"]) == (400, [7000112])


def test_a_browser_may_not_use_client_credentials(scene: EmulatorFixture) -> None:
    app = scene.application()
    form = {"grant_type": "client_credentials", "client_id": app.app_id, "client_secret": "x", "scope": GRAPH_SCOPE}
    assert scene.post_form(form, Origin="https://spa.example").json()["error_codes"] == [9002326]


def test_the_secret_of_another_application_opens_nothing(scene: EmulatorFixture) -> None:
    app, other = scene.application("one"), scene.application("two")
    assert scene.token(app, other.secrets[0].value).json()["error_codes"] == [7000215]


def test_where_only_expired_secrets_are_known_any_secret_is_answered_as_expired(scene: EmulatorFixture) -> None:
    app = scene.application(secrets=0)
    now = scene.clock.now()
    scene.emulator.admin.add_secret(app.object_id, start=now - 9 * DAY, end=now - DAY)
    assert scene.token(app, "something else").json()["error_codes"] == [7000222]
    scene.emulator.admin.configure(scene.tenant, expired_hides_unknown=False)
    assert scene.token(app, "something else").json()["error_codes"] == [7000215]


def test_a_secret_expires_when_its_end_comes(scene: EmulatorFixture) -> None:
    app = scene.application(secrets=0)
    secret = scene.emulator.admin.add_secret(app.object_id, end=scene.clock.now() + 60)
    assert scene.token(app, secret.value).status == 200
    scene.clock.advance(60)
    assert scene.token(app, secret.value).json()["error_codes"] == [7000222]


def test_a_secret_does_not_work_before_its_start(scene: EmulatorFixture) -> None:
    app = scene.application(secrets=0)
    secret = scene.emulator.admin.add_secret(app.object_id, start=scene.clock.now() + 60)
    assert scene.token(app, secret.value).status == 401
    scene.clock.advance(60)
    assert scene.token(app, secret.value).status == 200


def test_an_assertion_with_fractional_dates_and_a_used_jti_is_accepted(
    scene: EmulatorFixture, certificate: Certificate
) -> None:
    app = scene.application(secrets=0)
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem)
    text = assertion(scene, certificate, app.app_id)
    for _ in range(2):
        token = with_assertion(scene, app.app_id, text)["access_token"]
        assert claims_of(token)["appidacr"] == "2"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", [True, False])
def test_a_thumbprint_is_read_in_every_base64_form(
    scene: EmulatorFixture, certificate: Certificate, encode: Any, padding: bool
) -> None:
    app = scene.application(secrets=0)
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem)
    digest = certificate.x509.fingerprint(certificate.x509.signature_hash_algorithm)  # type: ignore[arg-type]
    text = encode(digest).decode() if padding else encode(digest).decode().rstrip("=")
    answer = with_assertion(scene, app.app_id, assertion(scene, certificate, app.app_id, headers={"x5t#S256": text}))
    assert "access_token" in answer


@pytest.mark.parametrize(
    "form", [bytes.hex, lambda digest: digest.hex().upper(), lambda digest: base64.urlsafe_b64encode(digest).decode()]
)
def test_terraform_names_its_certificate_by_the_key_id_of_the_header(
    scene: EmulatorFixture, certificate: Certificate, form: Callable[[bytes], str]
) -> None:
    app = scene.application(secrets=0)
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem)
    headers = {"x5t#S256": "", "kid": form(certificate.x509.fingerprint(hashes.SHA1()))}
    assert "access_token" in with_assertion(
        scene, app.app_id, assertion(scene, certificate, app.app_id, headers=headers)
    )
    headers["x5t#S256"] = "AAAA"
    answer = with_assertion(scene, app.app_id, assertion(scene, certificate, app.app_id, headers=headers))
    assert answer["error_codes"] == [700027], "a thumbprint comes before it"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"headers": {"x5t#S256": "", "kid": "the first"}}, 700027),
        ({"headers": {"x5t#S256": "", "kid": "AAAA"}}, 700027),
        ({"headers": {"x5t#S256": "", "kid": "0" * 40}}, 700027),
        ({"exp": 1.0}, 700024),
        ({"nbf": 4e9}, 700024),
        ({"exp": "soon"}, 50027),
        ({"headers": {"x5t#S256": ""}}, 50027),
        ({"headers": {"x5t#S256": "AAAA"}}, 700027),
        ({"sub": NOBODY}, 700021),
        ({"aud": "https://elsewhere.example"}, 700023),
        ({"iss": "https://ci.example"}, 700211),
    ],
)
def test_an_assertion_that_does_not_fit_is_refused(
    scene: EmulatorFixture, certificate: Certificate, changes: dict[str, Any], code: int
) -> None:
    app = scene.application(secrets=0)
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem)
    answer = with_assertion(scene, app.app_id, assertion(scene, certificate, app.app_id, **changes))
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [code])


@pytest.mark.parametrize("text", ["x", "a.b.c", "e30.e30.e30", "..", "eyJhbGciOiJub25lIn0.e30."])
def test_an_assertion_that_is_no_signed_jwt_is_malformed(scene: EmulatorFixture, text: str) -> None:
    app = scene.application(secrets=0)
    assert with_assertion(scene, app.app_id, text)["error_codes"] == [50027]


def test_an_assertion_signed_by_another_key_is_refused(scene: EmulatorFixture, certificate: Certificate) -> None:
    app = scene.application(secrets=0)
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem)
    text = assertion(scene, certificate, app.app_id)
    head, payload, signature = text.split(".")
    forged = f"{head}.{payload}.{signature[:-8]}AAAAAAAA"
    assert with_assertion(scene, app.app_id, forged)["error_codes"] == [700027]


def test_a_registered_certificate_stops_working_at_its_end(scene: EmulatorFixture, certificate: Certificate) -> None:
    app = scene.application(secrets=0)
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem, end=scene.clock.now() + 60)
    scene.clock.advance(61)
    answer = with_assertion(scene, app.app_id, assertion(scene, certificate, app.app_id))
    assert answer["error_codes"] == [700027]
    assert "expired" in answer["error_description"]


def test_discovery_names_the_endpoints_on_the_host_that_was_asked(scene: EmulatorFixture) -> None:
    url = f"https://emulator.example:8443/{scene.tenant}/v2.0/.well-known/openid-configuration"
    document = scene.emulator.call(Request("GET", url)).json()
    base = f"https://emulator.example:8443/{scene.tenant}"
    assert document["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert document["authorization_endpoint"] == f"{base}/oauth2/v2.0/authorize"
    assert document["jwks_uri"] == f"{base}/discovery/v2.0/keys"
    assert document["issuer"] == f"{base}/v2.0"


def test_discovery_of_an_unknown_tenant_is_an_invalid_tenant(scene: EmulatorFixture) -> None:
    answer = scene.emulator.call(Request("GET", f"{LOGIN}/{NOBODY}/v2.0/.well-known/openid-configuration"))
    assert (answer.status, answer.json()["error"], answer.json()["error_codes"]) == (400, "invalid_tenant", [90002])


def test_the_tenant_independent_issuer_holds_a_place_for_the_tenant(scene: EmulatorFixture) -> None:
    document = scene.emulator.call(Request("GET", f"{LOGIN}/common/v2.0/.well-known/openid-configuration")).json()
    assert document["issuer"] == f"{LOGIN}/{{tenantid}}/v2.0"


@pytest.mark.parametrize(
    ("host", "status"), [("login.microsoftonline.com", 200), ("login.windows.net", 200), ("evil.example", 400)]
)
def test_instance_discovery_knows_microsofts_hosts_and_refuses_others(
    scene: EmulatorFixture, host: str, status: int
) -> None:
    query = f"api-version=1.1&authorization_endpoint=https://{host}/{scene.tenant}/oauth2/v2.0/authorize"
    answer = scene.emulator.call(Request("GET", f"{LOGIN}/common/discovery/instance?{query}"))
    assert answer.status == status
    if status == 200:
        assert answer.json()["metadata"][0]["aliases"] == [host]
    else:
        assert answer.json()["error"] == "invalid_instance"


def test_the_token_endpoint_takes_posts_only(scene: EmulatorFixture) -> None:
    answer = scene.emulator.call(Request("GET", f"{LOGIN}/{scene.tenant}/oauth2/v2.0/token"))
    assert (answer.status, answer.json()["error_codes"]) == (405, [900561])
