"""Nothing that a caller sends makes the emulator fail."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from tests.emulator.scene import GRAPH, LOGIN, Scene

from entra_emulator import Request, Response

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
    "nul bytes": b"\x00\x00",
    "a lone surrogate": b'{"keyId": "\\ud800"}',
}


def graph(scene: Scene, method: str, path: str, body: bytes, **headers: str) -> Response:
    caller = scene.manager()
    sent = {"Authorization": f"Bearer {scene.bearer(caller)}", "Content-Type": "application/json"} | headers
    return scene.emulator.call(Request(method, f"{GRAPH}/{path}", sent, body))


def assert_refused(answer: Response) -> None:
    assert 400 <= answer.status < 500
    assert answer.json()["error"]["code"]
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("action", ["addPassword", "removePassword"])
def test_a_bad_body_is_an_odata_error(scene: Scene, what: str, action: str) -> None:
    app = scene.application()
    assert_refused(graph(scene, "POST", f"applications/{app.object_id}/{action}", BODIES[what]))
    assert len(scene.emulator.admin.secrets(app.object_id)) == 1


def test_a_body_of_another_type_or_encoding_is_an_odata_error(scene: Scene) -> None:
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
def test_a_bad_address_is_an_odata_error(scene: Scene, path: str) -> None:
    assert_refused(graph(scene, "GET", path, b""))


@pytest.mark.parametrize("url", ["", "/", "//", "https://", "https://[", "x", "/%zz", "/\udcff", "?", "/a?b=%ff&&=&=="])
def test_a_bad_url_is_answered(scene: Scene, url: str) -> None:
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
def test_a_bad_form_is_an_entra_error(scene: Scene, body: bytes) -> None:
    answer = scene.emulator.call(Request("POST", f"{LOGIN}/{scene.tenant}/oauth2/v2.0/token", {}, body))
    assert answer.status == 400
    assert answer.json()["error_codes"]


@pytest.mark.parametrize("value", ["Basic", "Basic !!", "Basic /w==", "Basic eA==", "Negotiate x"])
def test_bad_basic_credentials_are_an_entra_error(scene: Scene, value: str) -> None:
    form = {"grant_type": "client_credentials", "scope": "x/.default"}
    assert 400 <= scene.post_form(form, Authorization=value).status < 500


def test_random_junk_is_always_answered(scene: Scene) -> None:
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
