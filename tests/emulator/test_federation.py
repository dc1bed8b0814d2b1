"""Federated identity credentials: outside issuers, and managed identities, as client assertions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme

from entra_emulator import ApplicationHandle, Emulator, Request, Response, SigningKey, VirtualClock
from entra_emulator.core.outside import Document
from entra_emulator.server import outside
from entra_emulator.server.outside import Network
from tests.emulator.certificates import Certificate
from tests.emulator.issuer import AUDIENCE, Issuer
from tests.emulator.scene import EmulatorFixture

DISCOVERY, KEYS = "https://ci.example/.well-known/openid-configuration", "https://ci.example/keys"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def issuer(certificate: Certificate) -> Issuer:
    issuer = Issuer(certificate.key)
    issuer.publish("k1")
    return issuer


@pytest.fixture
def scene(signing_key: SigningKey, issuer: Issuer) -> EmulatorFixture:
    clock = VirtualClock()
    emulator = Emulator(clock, seed=7, signing_key=signing_key, outside=issuer)
    return EmulatorFixture(emulator, clock, emulator.admin.create_tenant("Contoso"))


def trusted(scene: EmulatorFixture, issuer: str = "https://ci.example", subject: str = "repo:x") -> ApplicationHandle:
    """An application that trusts one subject of an issuer."""
    manager, app = scene.manager(), scene.application(secrets=0)
    body = {"name": "ci-1", "issuer": issuer, "subject": subject, "audiences": [AUDIENCE]}
    made = scene.graph(manager, "POST", f"applications/{app.object_id}/federatedIdentityCredentials", body)
    assert made.status == 201
    return app


def exchange(scene: EmulatorFixture, app: ApplicationHandle, assertion: str) -> int | None:
    """The code of the refusal; None where there is a token."""
    fields = {"client_secret": "", "client_assertion_type": BEARER, "client_assertion": assertion}
    answer: dict[str, Any] = scene.token(app, "", **fields).json()
    assert ("access_token" in answer) != ("error" in answer)
    return answer["error_codes"][0] if "error" in answer else None


def test_a_token_is_exchanged_only_if_issuer_subject_and_audience_are_equal(
    scene: EmulatorFixture, issuer: Issuer
) -> None:
    app, now = trusted(scene), scene.clock.now()
    presented = {
        None: {},
        700211: {"iss": "https://ci.example/"},
        700213: {"sub": "Repo:x"},
        700212: {"aud": "api://other"},
        700024: {"exp": now - 301},
        7000272: {"key_id": "k2"},
        50027: {"algorithm": "PS256"},
    }
    assert {exchange(scene, app, issuer.token(now, **changes)) for changes in presented.values()} == set(presented)
    for code, changes in presented.items():
        assert exchange(scene, app, issuer.token(now, **changes)) == code
    head, payload, signature = issuer.token(now).split(".")
    assert exchange(scene, app, f"{head}.{payload}.{signature[:-8]}AAAAAAAA") == 700027
    assert issuer.asked == [DISCOVERY, KEYS]
    last = scene.emulator.ledger.query(operation="token", caller=app.app_id)[0]
    assert last.auth_key_id


def test_a_new_key_is_unknown_until_the_keys_are_fetched_again(scene: EmulatorFixture, issuer: Issuer) -> None:
    app = trusted(scene)
    scene.emulator.admin.configure(scene.tenant, issuer_appear=(600, 600))
    assert exchange(scene, app, issuer.token(scene.clock.now())) == 7000272
    scene.clock.advance(601)
    assert exchange(scene, app, issuer.token(scene.clock.now())) is None
    issuer.publish("k2")
    assert exchange(scene, app, issuer.token(scene.clock.now(), "k2")) == 7000272
    assert exchange(scene, app, issuer.token(scene.clock.now())) is None
    scene.clock.advance(3000)
    assert exchange(scene, app, issuer.token(scene.clock.now(), "k2")) is None
    assert exchange(scene, app, issuer.token(scene.clock.now())) == 7000272
    issuer.documents.clear()
    scene.clock.advance(3601)
    assert exchange(scene, app, issuer.token(scene.clock.now(), "k2")) is None, "what is known stays in use"
    asked = len(issuer.asked)
    assert exchange(scene, app, issuer.token(scene.clock.now(), "k2")) is None
    assert len(issuer.asked) == asked, "an issuer that does not answer is not asked with each request"


@pytest.mark.parametrize(
    ("broken", "document", "code"),
    [
        (DISCOVERY, Document(failure="unreachable"), 90061),
        (KEYS, Document(failure="refused"), 50166),
        (DISCOVERY, Document(b"<html>"), 501661),
        (DISCOVERY, Document(b'{"issuer": "https://ci.example/", "jwks_uri": "https://ci.example/keys"}'), 501661),
        (KEYS, Document(b'{"keys": []}'), 900612),
        (KEYS, Document(b'{"keys": [{"kty": "RSA", "n": "!", "e": "AQAB"}]}'), 900612),
    ],
)
def test_an_issuer_that_cannot_be_read_has_a_code(
    scene: EmulatorFixture, issuer: Issuer, broken: str, document: Document, code: int
) -> None:
    app = trusted(scene)
    issuer.documents[broken] = document
    assert exchange(scene, app, issuer.token(scene.clock.now())) == code
    issuer.publish("k1")
    assert exchange(scene, app, issuer.token(scene.clock.now())) == code
    scene.clock.advance(16)
    assert exchange(scene, app, issuer.token(scene.clock.now())) is None


def test_a_new_federated_credential_flaps_until_every_replica_knows_it(scene: EmulatorFixture, issuer: Issuer) -> None:
    scene.emulator.admin.configure(scene.tenant, replicas=3, token_appear=(5, 60), token_vanish=(30, 30))
    app = trusted(scene)
    codes = set()
    for _ in range(60):
        codes.add(exchange(scene, app, issuer.token(scene.clock.now())))
        scene.clock.advance(1)
    assert codes == {70021, None}
    manager = scene.manager()
    path = f"applications/{app.object_id}/federatedIdentityCredentials"
    assert scene.graph(manager, "DELETE", f"{path}/ci-1").status == 204
    assert scene.graph(manager, "GET", path).json()["value"] == []
    assert exchange(scene, app, issuer.token(scene.clock.now())) is None
    scene.clock.advance(31)
    assert exchange(scene, app, issuer.token(scene.clock.now())) == 700211


def test_keys_that_are_given_need_no_issuer(scene: EmulatorFixture, issuer: Issuer, certificate: Certificate) -> None:
    app = trusted(scene)
    scene.emulator.admin.trust_issuer(issuer.url, "k9", certificate.public_key_pem)
    assert exchange(scene, app, issuer.token(scene.clock.now(), "k9")) is None
    assert issuer.asked == []
    with pytest.raises(ValueError, match="not a public key"):
        scene.emulator.admin.trust_issuer(issuer.url, "k9", b"-----BEGIN NONSENSE-----")
    alone = Emulator(VirtualClock(), signing_key=SigningKey(1024))
    elsewhere = EmulatorFixture(alone, VirtualClock(), alone.admin.create_tenant("Alone"))
    assert exchange(elsewhere, trusted(elsewhere), issuer.token(elsewhere.clock.now())) == 90061


def metadata(scene: EmulatorFixture, path: str = "/metadata/identity/oauth2/token", **changes: Any) -> Response:
    headers = {"Metadata": "true"} | changes.pop("headers", {})
    query = {"api_version": "2018-02-01", "resource": AUDIENCE} | changes
    text = "&".join(f"{name.replace('api_version', 'api-version')}={value}" for name, value in query.items() if value)
    return scene.emulator.call(Request("GET", f"http://169.254.169.254{path}?{text}", headers))


def test_a_managed_identity_vouches_for_an_application_of_its_tenant_and_nothing_else_of_entra_does(
    scene: EmulatorFixture,
) -> None:
    admin = scene.emulator.admin
    identity = admin.create_managed_identity(scene.tenant, "runner")
    issuer = f"https://login.microsoftonline.com/{scene.tenant}/v2.0"
    app = trusted(scene, issuer, identity.principal_id)
    token = metadata(scene).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["ver"]) == (issuer, identity.principal_id, "2.0")
    assert exchange(scene, app, token) is None

    caller = scene.application("an application", secrets=1)
    own = scene.token(caller, scope=f"{AUDIENCE}/.default").json()["access_token"]
    assert exchange(scene, trusted(scene, issuer, caller.principal_id), own) == 700226
    management = metadata(scene, resource="https://management.azure.com").json()["access_token"]
    assert exchange(scene, app, management) == 700211
    old_issuer = f"https://sts.windows.net/{scene.tenant}/"
    graph = scene.token(caller).json()["access_token"]
    body = {
        "name": "old",
        "issuer": old_issuer,
        "subject": caller.principal_id,
        "audiences": ["https://graph.microsoft.com"],
    }
    path = f"applications/{app.object_id}/federatedIdentityCredentials"
    assert scene.graph(scene.manager(), "POST", path, body).status == 201
    assert exchange(scene, app, graph) == 700227

    other = admin.create_tenant("Fabrikam")
    elsewhere = EmulatorFixture(scene.emulator, scene.clock, other)
    assert exchange(elsewhere, trusted(elsewhere, issuer, identity.principal_id), token) == 700222


def test_the_metadata_service_tells_its_identities_apart(scene: EmulatorFixture) -> None:
    admin = scene.emulator.admin
    assert metadata(scene).json()["error_description"] == "Identity not found"
    one, two = (admin.create_managed_identity(scene.tenant, name) for name in ("one", "two"))
    assert "Multiple user assigned identities exist" in metadata(scene).json()["error_description"]
    for name, value in (
        ("client_id", two.client_id.upper()),
        ("object_id", two.principal_id),
        ("msi_res_id", two.resource_id.upper()),
        ("mi_res_id", two.resource_id),
    ):
        assert metadata(scene, **{name: value}).json()["client_id"] == two.client_id
    assert metadata(scene, client_id="nobody").status == 400
    own = admin.create_managed_identity(scene.tenant, "own", system=True)
    answer = metadata(scene).json()
    assert answer["client_id"] == own.client_id != one.client_id
    assert {name for name, value in answer.items() if isinstance(value, str)} == set(answer), "all values are texts"
    assert int(answer["expires_on"]) - int(answer["expires_in"]) - 1 == scene.clock.now()
    with pytest.raises(ValueError, match="own already"):
        admin.create_managed_identity(scene.tenant, "second", system=True)

    assert metadata(scene, headers={"Metadata": "no"}).json()["error"] == "bad_request_102"
    assert metadata(scene, headers={"X-Forwarded-For": "1.2.3.4"}).status == 400
    assert metadata(scene, resource="").status == 400
    assert metadata(scene, client_id=one.client_id, object_id=two.principal_id).status == 400, (
        "one of the two would be dropped"
    )
    for version, status in (("1999-01-01", 400), ("nonsense", 400), ("", 400), ("2021-12-13", 200)):
        assert metadata(scene, api_version=version).status == status, version
    assert metadata(scene, resource="https://nowhere.example").json()["error"] == "invalid_resource"


def test_app_service_wants_its_header_and_arc_its_challenge(scene: EmulatorFixture, issuer: Issuer) -> None:
    identity = scene.emulator.admin.create_managed_identity(scene.tenant, "own", system=True)
    header = {"X-IDENTITY-HEADER": scene.emulator.identity_header}
    answer = metadata(scene, "/msi/token", api_version="2019-08-01", headers=header)
    assert (answer.status, "expires_in" in answer.json()) == (200, False)
    assert metadata(scene, "/msi/token", api_version="2019-08-01").status == 401
    assert metadata(scene, "/msi/token", api_version="2017-09-01", headers=header).status == 400

    arc = "/arc/metadata/identity/oauth2/token"
    challenged = metadata(scene, arc)
    assert (challenged.status, challenged.header("WWW-Authenticate")) == (401, "Basic realm=/challenges/1.key")
    proof = {"Authorization": f"Basic {issuer.challenges[0]}"}
    assert metadata(scene, arc, headers=proof).json()["object_id"] == identity.principal_id
    assert metadata(scene, arc, headers=proof).status == 401, "each challenge is answered once"
    scene.clock.advance(61)
    late = {"Authorization": f"Basic {issuer.challenges[1]}"}
    assert metadata(scene, arc, headers=late).status == 401


class _Hostile(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        if self.path == "/good":
            self.wfile.write(b"{}")
        elif self.path == "/huge":
            for _ in range(64):
                self.wfile.write(b" " * 65536)
        elif self.path == "/slow":
            for _ in range(200):
                self.wfile.write(b" ")
                time.sleep(0.02)

    def log_message(self, *_: Any) -> None: ...

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return


@contextmanager
def hostile() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


def test_the_certificate_of_issuers_may_have_comments_of_any_letters(tmp_path: Path) -> None:
    file = tmp_path / "issuers.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    file.write_text("# Zertifikat für Prüfungen: ěščř\n" + file.read_text(), encoding="utf-8")
    Network(ca_file=file)
    file.write_text("für nichts", encoding="utf-8")
    with pytest.raises(OSError, match="does not contain a certificate"):
        Network(ca_file=file)


def test_a_hostile_issuer_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "_SECONDS", 0.3)
    network = Network()
    with hostile() as base:
        assert network.fetch(f"{base}/good") == Document(b"{}")
        assert network.fetch(f"{base}/redirect").failure == "refused"
        assert network.fetch(f"{base}/huge").failure == "refused"
        started = time.monotonic()
        assert network.fetch(f"{base}/slow").failure == "unreachable"
        assert time.monotonic() - started < 2
    for url in (
        f"{base}/good",
        "http://ci.example/x",
        "ftp://localhost/x",
        "file:///etc/passwd",
        "https://[",
        "https:///x",
    ):
        assert network.fetch(url).failure == "unreachable"
