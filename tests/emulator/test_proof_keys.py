"""addKey and removeKey with a proof of possessing a registered certificate."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from entra_emulator import ApplicationHandle, Response
from tests.emulator.certificates import Certificate, make_certificate
from tests.emulator.scene import EmulatorFixture

AUDIENCE = "00000002-0000-0000-c000-000000000000"
DAY = 86_400.0


@pytest.fixture(scope="module")
def other() -> Certificate:
    return make_certificate()


@pytest.fixture
def app(scene: EmulatorFixture, certificate: Certificate) -> ApplicationHandle:
    """An application without any permission that holds one certificate."""
    handle = scene.application("self service")
    scene.emulator.admin.add_certificate(handle.object_id, certificate.pem)
    return handle


def part(value: Any, *, padded: bool = False) -> str:
    text = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    return text if padded else text.rstrip("=")


def proof(
    scene: EmulatorFixture,
    app: ApplicationHandle,
    by: Certificate,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    now = scene.clock.now()
    claims = {"aud": AUDIENCE, "iss": app.object_id, "nbf": now, "exp": now + 600} | changes
    signed = f"{part(header or {'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}"
    signature = by.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def key_of(certificate: Certificate, **more: Any) -> dict[str, Any]:
    text = base64.b64encode(certificate.der).decode()
    return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": text} | more


def add_key(
    scene: EmulatorFixture,
    app: ApplicationHandle,
    text: Any,
    key: Any,
    by: ApplicationHandle | None = None,
    **more: Any,
) -> Response:
    body = {"keyCredential": key, "passwordCredential": None, "proof": text} | more
    return scene.graph(by or app, "POST", f"applications/{app.object_id}/addKey", body)


def remove_key(scene: EmulatorFixture, app: ApplicationHandle, text: str, key_id: str) -> Response:
    body = {"keyId": key_id, "proof": text}
    return scene.graph(app, "POST", f"applications/{app.object_id}/removeKey", body)


def keys_held(scene: EmulatorFixture, app: ApplicationHandle) -> list[str]:
    return [item.key_id for item in scene.emulator.admin.application(app.object_id).keys_held()]


def test_an_application_rolls_its_own_certificate_without_any_permission(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    first = keys_held(scene, app)[0]
    response = add_key(scene, app, proof(scene, app, certificate), key_of(other, displayName="new"))
    assert response.status == 200
    assert (response.json()["displayName"], response.json()["key"]) == ("new", None)
    assert remove_key(scene, app, proof(scene, app, other), first).status == 204
    assert keys_held(scene, app) == [response.json()["keyId"]]
    entries = scene.emulator.ledger.query(caller=app.app_id, committed=True)
    assert [(entry.operation, entry.key_id) for entry in entries] == [
        ("addKey", response.json()["keyId"]),
        ("removeKey", first),
    ]


def test_passwords_have_no_such_self_service(scene: EmulatorFixture, app: ApplicationHandle) -> None:
    assert scene.add_password(app, app).status == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://graph.microsoft.com"},
        {"aud": None},
        {"iss": "app id"},
        {"iss": None},
        {"exp": None},
        {"nbf": None},
        {"exp": "+601"},
        {"exp": "-1"},
        {"nbf": "+301", "exp": "+600"},
    ],
)
def test_a_proof_that_does_not_fit_is_refused(
    scene: EmulatorFixture,
    app: ApplicationHandle,
    certificate: Certificate,
    other: Certificate,
    changes: dict[str, Any],
) -> None:
    now = scene.clock.now()
    read = {name: now + int(value) if str(value)[:1] in "+-" else value for name, value in changes.items()}
    read = {name: app.app_id if value == "app id" else value for name, value in read.items()}
    assert add_key(scene, app, proof(scene, app, certificate, **read), key_of(other)).status == 403
    assert len(keys_held(scene, app)) == 1


def test_a_proof_ends_with_its_ten_minutes(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    text = proof(scene, app, certificate)
    scene.clock.advance(599)
    assert add_key(scene, app, text, key_of(other)).status == 200
    scene.clock.advance(1)
    assert add_key(scene, app, text, key_of(other)).status == 403


def test_a_proof_by_a_key_that_is_not_registered_or_no_longer_valid_is_refused(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    assert add_key(scene, app, proof(scene, app, other), key_of(other)).status == 403
    expired = scene.application("expired")
    now = scene.clock.now()
    scene.emulator.admin.add_certificate(expired.object_id, certificate.pem, start=now - 9 * DAY, end=now - DAY)
    assert add_key(scene, expired, proof(scene, expired, certificate), key_of(other)).status == 403


@pytest.mark.parametrize("what", ["padded", "missing", "empty", "a number", "nonsense", "none", "HS256", "not a date"])
def test_a_malformed_proof_is_not_read_at_all(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate, what: str
) -> None:
    head, claims, signature = proof(scene, app, certificate).split(".")
    texts: dict[str, Any] = {
        "padded": f"{part({'alg': 'RS256', 'typ': 'JW'}, padded=True)}.{claims}.{signature}",
        "missing": None,
        "empty": "",
        "a number": 7,
        "nonsense": "x.y.z",
        "none": f"{part({'alg': 'none'})}.{claims}.",
        "HS256": f"{part({'alg': 'HS256'})}.{claims}.{signature}",
        "not a date": proof(scene, app, certificate, exp="soon"),
    }
    assert "=" in texts["padded"]
    answer = add_key(scene, app, texts[what], key_of(other))
    expected = (400, "Request_BadRequest") if what == "a number" else (401, "Authentication_MissingOrMalformed")
    assert (answer.status, answer.json()["error"]["code"]) == expected
    assert head


def test_others_need_a_permission_beside_the_proof(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    text = proof(scene, app, certificate)
    assert add_key(scene, app, text, key_of(other), scene.application("stranger")).status == 403
    assert add_key(scene, app, "", key_of(other), scene.manager()).status == 401
    assert add_key(scene, app, text, key_of(other), scene.manager()).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "X509CertAndPassword"},
        {"usage": "Sign"},
        {"type": None},
        {"key": "bm90IGEgY2VydGlmaWNhdGU="},
        {"key": None},
        {"key": 7},
        {"endDateTime": "2020-01-01T00:00:00Z"},
        {"startDateTime": "yesterday"},
    ],
)
def test_a_key_that_cannot_be_is_refused(
    scene: EmulatorFixture,
    app: ApplicationHandle,
    certificate: Certificate,
    other: Certificate,
    changes: dict[str, Any],
) -> None:
    assert add_key(scene, app, proof(scene, app, certificate), key_of(other, **changes)).status == 400
    assert len(keys_held(scene, app)) == 1


@pytest.mark.parametrize("key", [None, 7, [], "x"])
def test_a_body_without_a_key_is_refused(scene: EmulatorFixture, app: ApplicationHandle, key: Any) -> None:
    assert add_key(scene, app, "x", key).status == 400
    assert add_key(scene, app, "x", key, passwordCredential={"secretText": "x"}).status == 400
    assert add_key(scene, app, "x", key, other=1).status == 400


def test_the_policy_limits_the_life_of_certificates(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    rule = {"restrictionType": "asymmetricKeyLifetime", "maxLifetime": "P90D"}
    scene.emulator.admin.set_policy(scene.tenant, keyCredentials=[rule])
    refused = add_key(scene, app, proof(scene, app, certificate), key_of(other))
    assert refused.json()["error"]["code"] == "CredentialInvalidLifetimeAsPerAppPolicy"
    dates = {"startDateTime": "2026-11-23T00:00:00Z", "endDateTime": "2027-01-23T00:00:00Z"}
    assert add_key(scene, app, proof(scene, app, certificate), key_of(other, **dates)).status == 200


def test_an_added_key_is_known_to_each_replica_in_its_own_time(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    scene.emulator.admin.configure(scene.tenant, graph_appear=(10.0, 10.0), graph_vanish=(10.0, 10.0))
    key_id = add_key(scene, app, proof(scene, app, certificate), key_of(other)).json()["keyId"]
    assert add_key(scene, app, proof(scene, app, other), key_of(other)).status == 403
    early = remove_key(scene, app, proof(scene, app, certificate), key_id)
    assert (early.status, "No key credential found with keyId" in early.json()["error"]["message"]) == (400, True)
    scene.clock.advance(10)
    assert add_key(scene, app, proof(scene, app, other), key_of(other)).status == 200
    assert remove_key(scene, app, proof(scene, app, certificate), key_id).status == 204
    reader = scene.application("reader", permissions=("Application.Read.All",))
    keys = scene.graph(reader, "GET", f"applications/{app.object_id}").json()["keyCredentials"]
    assert key_id in {item["keyId"] for item in keys}


def test_the_size_of_the_object_limits_keys_too(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    scene.emulator.admin.configure(scene.tenant, object_item_cap=2)
    refused = add_key(scene, app, proof(scene, app, certificate), key_of(other))
    assert refused.json()["error"]["code"] == "Directory_ResourceSizeExceeded"
    path, both = f"applications/{app.object_id}", [key_of(certificate), key_of(other)]
    replaced = scene.graph(scene.manager(), "PATCH", path, {"keyCredentials": both})
    assert replaced.json()["error"]["code"] == "Directory_ResourceSizeExceeded"
    assert scene.graph(scene.manager(), "PATCH", path, {"keyCredentials": both[1:]}).status == 204


def test_service_principals_roll_their_own_keys_as_well(
    scene: EmulatorFixture, app: ApplicationHandle, certificate: Certificate, other: Certificate
) -> None:
    path = f"servicePrincipals/{app.principal_id}"
    body = {"keyCredential": key_of(other), "proof": proof(scene, app, certificate, iss=app.principal_id)}
    assert scene.graph(app, "POST", f"{path}/addKey", body).status == 403  # it has no key yet that could prove anything
    stranger = scene.application("stranger")
    assert scene.graph(stranger, "POST", f"{path}/removeKey", {"keyId": app.object_id, "proof": "x"}).status == 403
