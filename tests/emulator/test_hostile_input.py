"""Nothing that a caller sends makes the emulator fail."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
from dataclasses import fields
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from entra_emulator import Effect, Fault, Request, Response, Settings
from entra_emulator.admin.changes import settings_as_json
from tests.emulator.certificates import Certificate
from tests.emulator.scene import GRAPH, GRAPH_SCOPE, LOGIN, EmulatorFixture

DEEP = b"[" * 100_000
BODIES = {
    "not json": b"{",
    "no utf-8": b'{"a": "\xff\xfe"}',
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "nan": b'{"passwordCredential": NaN}',
    "deeply nested": DEEP,
    "a deeply nested member": b'{"passwordCredential":' + DEEP,
    "a huge number": b'{"keyId": ' + b"9" * 10_000 + b"}",
    "too large": b'{"a": "' + b"x" * 4_100_000 + b'"}',
    "an unknown member": b'{"a": 1}',
    "a member twice": b'{"passwordCredential": {"displayName": "a", "displayName": "b"}, "keyId": "a", "keyId": "b"}',
    "nul bytes": b"\x00\x00",
    "a lone surrogate": b'{"keyId": "\\ud800"}',
}


def graph(scene: EmulatorFixture, method: str, path: str, body: bytes, **headers: str) -> Response:
    caller = scene.manager()
    all_headers = {"Authorization": f"Bearer {scene.bearer(caller)}", "Content-Type": "application/json"} | headers
    return scene.emulator.call(Request(method, f"{GRAPH}/{path}", all_headers, body))


def assert_refused(answer: Response) -> None:
    assert 400 <= answer.status < 500
    assert answer.json()["error"]["code"]
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("action", ["addPassword", "removePassword"])
def test_a_bad_body_is_an_odata_error(scene: EmulatorFixture, what: str, action: str) -> None:
    app = scene.application()
    assert_refused(graph(scene, "POST", f"applications/{app.object_id}/{action}", BODIES[what]))
    assert len(scene.emulator.admin.secrets(app.object_id)) == 1


def test_a_body_of_another_type_or_encoding_is_an_odata_error(scene: EmulatorFixture) -> None:
    path = f"applications/{scene.application().object_id}/addPassword"
    assert_refused(graph(scene, "POST", path, b"{}", **{"Content-Type": "text/plain"}))
    assert_refused(graph(scene, "POST", path, b"{}", **{"Content-Encoding": "br"}))
    assert_refused(graph(scene, "POST", path, b"{}", **{"Content-Encoding": "gzip"}))
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)
    answer = graph(scene, "POST", path, bomb, **{"Content-Encoding": "gzip"})
    assert answer.status == 413


@pytest.mark.parametrize(
    "path",
    [
        "applications/x",
        "applications/%00",
        "applications/..%2f..",
        "applications('')",
        "applications(",
        "applications(appId=)",
        "applications(appId='x",
        "applications(foo='x')",
        "applications/" + "a/" * 500,
        "applications/" + "x" * 20_000,
        "%ff%fe",
        "",
        "/",
        "servicePrincipals(appId='x')",
        "directory/deletedItems/x",
        "applications?$filter=" + quote("(" * 4000),
        "applications?$filter=" + quote("not " * 3000 + "displayName eq 'a'"),
        "applications?$filter=" + "x" * 9000,
        "applications?$skiptoken=AAAA",
        "applications?$skiptoken=W10",
        "applications?$skiptoken=%00",
        "applications?$search=x&$orderby=x",
    ],
)
def test_a_bad_address_is_an_odata_error(scene: EmulatorFixture, path: str) -> None:
    assert_refused(graph(scene, "GET", path, b""))


@pytest.mark.parametrize("url", ["", "/", "//", "https://", "https://[", "x", "/%zz", "/\udcff", "?", "/a?b=%ff&&=&=="])
def test_a_bad_url_is_answered(scene: EmulatorFixture, url: str) -> None:
    assert 400 <= scene.emulator.call(Request("GET", url)).status < 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"&&&==",
        b"client_id",
        b"a=" + b"x" * 1_100_000,
        b"&".join([b"a=b"] * 500),
        b"client_secret=%ff%00",
    ],
)
def test_a_bad_form_is_an_entra_error(scene: EmulatorFixture, body: bytes) -> None:
    answer = scene.emulator.call(Request("POST", f"{LOGIN}/{scene.tenant}/oauth2/v2.0/token", {}, body))
    assert answer.status == 400
    assert answer.json()["error_codes"]


@pytest.mark.parametrize("value", ["Basic", "Basic !!", "Basic /w==", "Basic eA==", "Negotiate x"])
def test_bad_basic_credentials_are_an_entra_error(scene: EmulatorFixture, value: str) -> None:
    form = {"grant_type": "client_credentials", "scope": "x/.default"}
    assert 400 <= scene.post_form(form, Authorization=value).status < 500


WRITES = [
    ("POST", "applications"),
    ("PATCH", "applications/{app}"),
    ("POST", "applications/{app}/addPassword"),
    ("POST", "applications/{app}/removePassword"),
    ("POST", "applications/{app}/owners/$ref"),
    ("POST", "applications/{app}/federatedIdentityCredentials"),
    ("PATCH", "applications/{app}/federatedIdentityCredentials/ci-1"),
    ("POST", "applications/{app}/appManagementPolicies/$ref"),
    ("POST", "servicePrincipals"),
    ("PATCH", "policies/defaultAppManagementPolicy"),
    ("POST", "policies/appManagementPolicies"),
]
MEMBERS = [
    "@odata.id", "api", "appId", "applicationRestrictions", "audiences", "description", "displayName", "identifierUris",
    "isDisabled", "isEnabled", "issuer", "keyCredentials", "keyId", "name", "passwordCredential", "passwordCredentials",
    "requiredResourceAccess", "restrictions", "signInAudience", "subject", "tags", "uniqueName", "web",
]  # fmt: skip
INNER = [
    "displayName", "endDateTime", "key", "keyId", "maxLifetime", "passwordCredentials", "requestedAccessTokenVersion",
    "startDateTime",
]  # fmt: skip
VALUES: list[Any] = [
    None,
    0,
    -1,
    1.5,
    10**40,
    True,
    "",
    "x",
    "x" * 5000,
    "\ud800",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"a": []},
]
VALUES += ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "P99999Y", "11111111-1111-4111-8111-111111111111"]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_every_member_of_every_write_takes_every_kind_of_value(scene: EmulatorFixture, method: str, path: str) -> None:
    permissions = ("Application.ReadWrite.All", "Policy.ReadWrite.ApplicationConfiguration")
    caller = scene.application("caller", permissions=permissions)
    app = scene.application()
    federated = {"name": "ci-1", "issuer": "https://ci", "subject": "s", "audiences": ["x"]}
    scene.graph(caller, "POST", f"applications/{app.object_id}/federatedIdentityCredentials", federated)
    place = path.format(app=app.object_id)
    bodies = [{name: value} for name in MEMBERS for value in VALUES]
    bodies += [{name: {inner: value}} for name in MEMBERS for inner in INNER for value in VALUES]
    bodies += [{name: [{inner: value}]} for name in MEMBERS for inner in INNER for value in VALUES[:6]]
    for body in bodies:
        needed = {"displayName": "x"} if place in {"applications", "policies/appManagementPolicies"} else {}
        answer = scene.graph(caller, method, place, needed | body)
        assert 200 <= answer.status < 500
        if answer.status != 204:
            assert answer.json()
    assert scene.graph(caller, "GET", "applications").status == 200


def test_every_part_of_an_assertion_takes_every_kind_of_value(scene: EmulatorFixture, certificate: Certificate) -> None:
    app = scene.application(secrets=0)
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem)
    digest = hashlib.sha256(certificate.der).digest()
    header = {"alg": "RS256", "typ": "JWT", "x5t#S256": b64(digest)}
    claims = {
        "iss": app.app_id,
        "sub": app.app_id,
        "aud": f"{LOGIN}/{scene.tenant}/v2.0",
        "exp": scene.clock.now() + 60,
    }
    form = {"grant_type": "client_credentials", "client_id": app.app_id, "scope": GRAPH_SCOPE}
    form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    values = [*VALUES, float("nan"), float("inf"), 10**400]
    changed = [(header | {name: value}, claims) for name in ("alg", "x5t", "x5t#S256", "kid") for value in values]
    changed += [(header, claims | {name: value}) for name in ("iss", "sub", "aud", "exp", "nbf") for value in values]
    for changed_header, changed_claims in changed:
        signed = f"{b64(json.dumps(changed_header).encode())}.{b64(json.dumps(changed_claims).encode())}"
        signature = certificate.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        answer = scene.post_form(form | {"client_assertion": f"{signed}.{b64(signature)}"})
        assert (answer.status, answer.json().get("error")) in {(200, None), (401, "invalid_client")}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


ADMIN = [
    ("POST", "clock"), ("POST", "faults"), ("POST", "ledger/saw"), ("POST", "issuers"), ("POST", "tenants"),
    ("PATCH", "tenants/{tenant}/settings"), ("PUT", "tenants/{tenant}/policy"), ("POST", "tenants/{tenant}/users"),
    ("POST", "tenants/{tenant}/applications"), ("PATCH", "applications/{app}"), ("POST", "applications/{app}/secrets"),
    ("POST", "applications/{app}/certificates"), ("PUT", "principals/{principal}/grants"),
]  # fmt: skip
ADMIN_MEMBERS = [item.name for kind in (Settings, Fault, Effect) for item in fields(kind)] + [
    "add", "advance", "app_id", "audience", "certificate", "disabled", "display_name", "domain", "enabled", "end",
    "identifier_uris", "issuer", "key_id", "keyCredentials", "name", "object_id", "owners", "owns_itself",
    "passwordCredentials", "permissions", "public_key_pem", "remove", "replicated", "secrets", "settings", "start",
    "tenant_id", "text", "token_version", "value",
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ADMIN)
def test_every_member_of_the_admin_api_takes_every_kind_of_value(
    scene: EmulatorFixture, method: str, path: str
) -> None:
    manager, app = scene.manager(), scene.application()
    place = path.format(tenant=scene.tenant, app=app.object_id, principal=app.principal_id)
    needed = {"faults": {"operation": "nothing"}, "tenants": {"name": "x"}}.get(path, {})
    needed = {"name": "x"} if path.endswith("/applications") else needed
    effects = [{"effects": [{name: value}]} for name in ("status", "wire", "delay", "retry_after") for value in VALUES]
    bodies = [{name: value} for name in ADMIN_MEMBERS for value in VALUES]
    for body in [*bodies, *effects]:
        data = json.dumps(needed | body).encode()
        answer = scene.emulator.call(Request(method, f"https://localhost/_emulator/{place}", {}, data))
        assert answer.status in {200, 201, 400}
        assert (answer.status == 400) == ("error" in answer.json())
        assert scene.emulator.call(Request("GET", f"{GRAPH}/applications")).status in {401, 429}
    scene.emulator.faults.clear()
    scene.emulator.admin.configure(scene.tenant, **settings_as_json(Settings()))
    scene.tokens.clear()
    assert scene.graph(manager, "GET", "applications").status == 200
    assert scene.token(app).status in {200, 400}


def test_random_junk_is_always_answered(scene: EmulatorFixture) -> None:
    rng = random.Random(5)
    caller, app = scene.manager(), scene.application()
    words = [
        "applications", app.object_id, f"(appId='{app.app_id}')", "addPassword", "removePassword", "owners", "$ref", "..",
        "servicePrincipals", "federatedIdentityCredentials", "policies", "appManagementPolicies", "$count", "\x00", "é",
        "?$filter=", "?$top=", "?$select=", "displayName eq 'a'", "'", "(", ")", "/", "&", "%", "%24", "ownedObjects",
    ]  # fmt: skip
    values: list[Any] = [
        None,
        0,
        -1,
        1e308,
        True,
        "",
        "x" * 300,
        [],
        {},
        [{}],
        {"a": []},
        app.object_id,
        "2027-01-01T00:00:00Z",
    ]
    names = ["passwordCredential", "keyId", "displayName", "endDateTime", "@odata.id", "keyCredentials", "key", "name"]
    for _ in range(3000):
        path = "/".join(rng.choices(words, k=rng.randrange(1, 6)))
        body = {rng.choice(names): rng.choice(values) for _ in range(rng.randrange(4))}
        nested = {rng.choice(names): body}
        data = json.dumps(rng.choice([body, nested, [body]])).encode()
        cut = data[: rng.randrange(len(data) + 1)] if rng.random() < 0.2 else data
        headers = {"Authorization": f"Bearer {scene.bearer(caller)}", "Content-Type": "application/json"}
        method = rng.choice(["GET", "POST", "PATCH", "PUT", "HEAD", "OPTIONS", "", "é"])
        answer = scene.emulator.call(Request(method, f"{GRAPH}/{path}", headers, cut))
        assert 200 <= answer.status < 500
        if answer.status >= 400:
            assert answer.json()["error"]["code"]
