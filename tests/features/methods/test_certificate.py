"""Connecting with a certificate: the key signs here and never leaves."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from entra_emulator import Effect, Fault
from entra_emulator.admin.admin import ApplicationHandle
from keyturn_simulation.world import OWNED
from tests.features.connections.desk import Json
from tests.features.methods.certificates import ENDS, Pair, elliptic, in_days, pair, rsa_key
from tests.features.methods.scene import MethodsFixture

GOOD, NEW = pair(), pair(rsa_key(1), name="new", ends=in_days(366, ENDS))


@pytest.fixture
def app(scene: MethodsFixture) -> ApplicationHandle:
    """An application that holds the certificate, and no secret."""
    handle: ApplicationHandle = scene.admin.create_application(
        scene.world.tenant_id, "By certificate", permissions=(OWNED,), owns_itself=True
    )
    scene.world.applications[handle.app_id] = handle
    scene.admin.add_certificate(handle.object_id, GOOD.pem.encode())
    scene.web.secret_texts.update([*GOOD.key_lines, *NEW.key_lines, "correct horse"])
    return handle


def body(scene: MethodsFixture, app: ApplicationHandle, of: Pair = GOOD, **changes: Any) -> Json:
    credentials = {
        "tenantId": scene.world.tenant_id,
        "clientId": app.app_id,
        "certificateBody": of.pem,
        "privateKey": of.key_pem,
    }
    return {"name": "by-certificate", "method": "certificate", "credentials": credentials | changes}


def create(scene: MethodsFixture, app: ApplicationHandle, of: Pair = GOOD, **changes: Any) -> Json:
    connection: Json = scene.web.ask("POST", "", body(scene, app, of, **changes))["appConnection"]
    return connection


def assertion_of(form: Json) -> tuple[Json, Json]:
    head, claims, _ = form["client_assertion"].split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims))  # type: ignore[return-value]


def test_it_connects_and_shows_when_it_ends(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = create(scene, app)
    assert connection["method"] == "certificate"
    assert connection["credentials"] == {"tenantId": scene.world.tenant_id, "clientId": app.app_id}
    assert connection["certificateExpiresAt"] == "2026-12-31T12:00:00.000Z"
    assert connection["certificateThumbprint"] == GOOD.sha1
    assert connection["certificateWarning"] is None
    assert "oauthAccount" not in connection
    assert scene.web.get(connection) == connection
    clients = scene.web.ask("GET", f"{connection['id']}/clients")["clients"]
    assert [client["appId"] for client in clients] == [app.app_id]
    (event,) = scene.world.events("create-app-connection")
    assert event["data"]["thumbprint"] == GOOD.sha1


def test_the_key_never_leaves_the_server(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = create(scene, app)
    scene.web.ask("POST", f"{connection['id']}/test")
    scene.web.ask("GET", f"{connection['id']}/clients")
    assert isinstance(GOOD.key, rsa.RSAPrivateKey)
    numbers = GOOD.key.private_numbers()
    raw = [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.d, numbers.p, numbers.q)]
    forms = [*GOOD.key_lines, *(base64.b64encode(part).decode()[:40] for part in raw)]
    for request in scene.wire.requests:
        everything = f"{request.url} {request.headers} {request.body.decode()}"
        assert not [form for form in forms if form in everything]
    ledger = scene.world.emulator.ledger
    assert not any(ledger.saw_plaintext(line) for line in GOOD.key_lines)
    assert all("client_secret" not in form for form in scene.wire.asked_for_tokens())


def test_the_assertion_is_the_newer_kind_and_short_lived(scene: MethodsFixture, app: ApplicationHandle) -> None:
    create(scene, app)
    (form,) = scene.wire.asked_for_tokens()
    header, claims = assertion_of(form)
    assert (header["alg"], "x5t#S256" in header, "x5t" in header) == ("PS256", True, False)
    assert claims["aud"].endswith(f"/{scene.world.tenant_id}/oauth2/v2.0/token")
    assert claims["exp"] - scene.world.clock.now().timestamp() == 600
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_a_service_that_does_not_know_it_gets_the_older_kind(scene: MethodsFixture, app: ApplicationHandle) -> None:
    scene.world.emulator.faults.add(Fault("token", (Effect(401, code="50027"),), times=1))
    create(scene, app)
    kinds = [assertion_of(form)[0] for form in scene.wire.asked_for_tokens()]
    assert [(header["alg"], "x5t" in header) for header in kinds] == [("PS256", False), ("RS256", True)]


def test_an_encrypted_key_is_opened_once_and_its_passphrase_forgotten(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    connection = create(scene, app, privateKey=GOOD.written(passphrase="correct horse"), passphrase="correct horse")
    scene.web.ask("GET", f"{connection['id']}/clients")
    opened = scene.world.stored_credentials(scene.connection(connection))
    assert "correct horse" not in repr(vars(opened))


def test_a_certificate_that_was_not_uploaded_is_refused(scene: MethodsFixture, app: ApplicationHandle) -> None:
    answer = scene.web.refused(body(scene, app, NEW), 400)
    assert answer["code"] == "azure.certificate_refused"
    assert "upload" in answer["fix"]
    assert "az ad app credential reset" in answer["fix"]


def test_its_end_is_announced_and_then_told_without_asking_microsoft(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    connection, clock = create(scene, app), scene.world.clock
    clock.move_to(ENDS - timedelta(days=30, seconds=1))
    assert scene.web.get(connection)["certificateWarning"] is None
    clock.move_to(ENDS - timedelta(days=29))
    assert "expires in 29 days, on 2026-12-31" in scene.web.get(connection)["certificateWarning"]
    report = scene.web.ask("POST", f"{connection['id']}/test")
    assert report["ok"] is True
    assert "expires in 29 days" in report["checks"][0]["fix"]
    clock.move_to(ENDS - timedelta(hours=3))
    assert "expires in 3 hours, on 2026-12-31" in scene.web.get(connection)["certificateWarning"]
    clock.move_to(ENDS + timedelta(seconds=1))
    assert "expired on 2026-12-31" in scene.web.get(connection)["certificateWarning"]
    requests = len(scene.wire.requests)
    answer = scene.web.ask("GET", f"{connection['id']}/clients", expect=400)
    assert answer["code"] == "azure.certificate_expired"
    assert len(scene.wire.requests) == requests


def test_a_new_certificate_takes_the_place_of_the_old_one(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = create(scene, app)
    scene.admin.add_certificate(app.object_id, NEW.pem.encode())
    changed = scene.web.change(connection, credentials=body(scene, app, NEW)["credentials"])
    assert changed["certificateThumbprint"] == NEW.sha1
    assert changed["version"] == 2
    assert changed["credentialsHash"] != connection["credentialsHash"]
    scene.world.clock.move_to(ENDS + timedelta(days=1))
    assert scene.web.ask("POST", f"{connection['id']}/test")["ok"] is True


def test_the_same_certificate_again_changes_nothing_in_whatever_form(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    connection = create(scene, app)
    requests = len(scene.wire.asked_for_tokens())
    for changes in ({}, {"privateKey": GOOD.bare_key}, {"certificateBody": GOOD.pem.replace("\n", "\r\n")}):
        again = scene.web.change(connection, credentials=body(scene, app, **changes)["credentials"])
        assert (again["credentialsHash"], again["version"]) == (connection["credentialsHash"], 1)
    assert len(scene.wire.asked_for_tokens()) == requests


def cases() -> list[Any]:
    expired = pair(begins=in_days(-800, ENDS), ends=in_days(-400, ENDS))
    early = pair(begins=in_days(100, ENDS), ends=in_days(400, ENDS))
    curve = elliptic()
    return [
        pytest.param({"privateKey": NEW.key_pem}, 400, "azure.key_mismatch", "privateKey", id="wrong-key"),
        pytest.param(
            {"certificateBody": curve.pem, "privateKey": curve.key_pem},
            400,
            "azure.key_not_rsa",
            "privateKey",
            id="ec-key",
        ),
        pytest.param(
            {"privateKey": GOOD.written(passphrase="correct horse")},
            400,
            "azure.passphrase_missing",
            "passphrase",
            id="encrypted-without-passphrase",
        ),
        pytest.param(
            {"privateKey": GOOD.written(passphrase="correct horse"), "passphrase": "pony"},
            400,
            "azure.passphrase_wrong",
            "passphrase",
            id="wrong-passphrase",
        ),
        pytest.param(
            {"certificateBody": expired.pem}, 400, "azure.certificate_expired", "certificateBody", id="expired"
        ),
        pytest.param(
            {"certificateBody": early.pem},
            400,
            "azure.certificate_not_yet_valid",
            "certificateBody",
            id="not-yet-valid",
        ),
        pytest.param({"certificateBody": "garbage"}, 422, None, "certificateBody", id="garbage"),
        pytest.param({"privateKey": GOOD.pem}, 422, None, "privateKey", id="certificate-as-key"),
        pytest.param({"certificateBody": GOOD.key_pem}, 422, None, "certificateBody", id="key-as-certificate"),
        pytest.param({"privateKey": "x" * 1_000_000}, 422, None, "privateKey", id="one-megabyte"),
        pytest.param({"certificateBody": "y" * 900_000}, 422, None, "certificateBody", id="long-certificate"),
        pytest.param({"passphrase": "p" * 2000}, 422, None, "passphrase", id="long-passphrase"),
        pytest.param({"tenantId": "contoso"}, 422, None, "tenantId", id="no-tenant"),
    ]


@pytest.mark.parametrize(("changes", "status", "code", "field"), cases())
def test_each_wrong_file_names_its_field_and_makes_nothing(
    scene: MethodsFixture, app: ApplicationHandle, changes: Json, status: int, code: str | None, field: str
) -> None:
    answer = scene.web.refused(body(scene, app, **changes), status)
    assert not scene.wire.requests, "something was sent to Microsoft"
    if status == 400:
        assert answer["code"] == code
        assert answer["fix"]
        assert [detail["path"] for detail in answer["details"]] == [["credentials", field]]
    else:
        assert [issue["path"] for issue in answer["message"]] == [["credentials", field]]


def test_two_certificates_pasted_at_once_will_do(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = create(scene, app, certificateBody=f"{NEW.pem}\r\n{GOOD.pem}")
    assert connection["certificateThumbprint"] == GOOD.sha1


def test_who_may_not_create_connections_learns_nothing_from_a_certificate(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    scene.web.ask("POST", "", body(scene, app), who="viewer", expect=403)
    assert not scene.wire.requests
