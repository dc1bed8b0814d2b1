"""The admin API: the same scenes as in process, in JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from entra_emulator import ConnectionReset, Request, Settings, TimedOut
from entra_emulator.server.emulator import Emulator
from tests.emulator.certificates import Certificate
from tests.emulator.scene import EmulatorFixture


def admin(scene: EmulatorFixture, method: str, path: str, body: Any = None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    answer = scene.emulator.call(Request(method, f"https://localhost/_emulator/{path}", {}, data))
    assert 200 <= answer.status < 300, answer.body
    return answer.json()


def refused(emulator: Emulator, method: str, path: str, body: bytes = b"") -> int:
    answer = emulator.call(Request(method, f"https://localhost/_emulator/{path}", {}, body))
    assert answer.json()["error"]
    return answer.status


def test_a_tenant_with_an_application_is_made_and_listed(scene: EmulatorFixture) -> None:
    tenant = admin(scene, "POST", "tenants", {"name": "Fabrikam", "settings": {"replicas": 2}})["id"]
    body = {"name": "made", "permissions": ["Application.Read.All"], "owns_itself": True, "secrets": 2}
    application = admin(scene, "POST", f"tenants/{tenant}/applications", body)
    assert len(application["secrets"]) == 2
    listed = {item["name"]: item for item in admin(scene, "GET", "tenants")}
    (entry,) = listed["Fabrikam"]["applications"]
    assert (entry["object_id"], entry["owners"]) == (application["object_id"], [application["principal_id"]])
    assert admin(scene, "GET", f"tenants/{tenant}/settings")["replicas"] == 2


def test_secrets_of_any_dates_are_added_and_removed(scene: EmulatorFixture) -> None:
    app = scene.application(secrets=0)
    path = f"applications/{app.app_id}/secrets"
    body = {"display_name": "old", "start": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z", "value": "known"}
    secret = admin(scene, "POST", path, body)
    assert scene.token(app, "known").json()["error_codes"] == [7000222]
    assert admin(scene, "GET", f"applications/{app.object_id}")["secrets"] == [secret]
    admin(scene, "DELETE", f"{path}/{secret['key_id']}")
    assert scene.token(app, "known").json()["error_codes"] == [7000215]


def test_secrets_without_hint_and_certificates_without_thumbprint_are_listed_so(
    scene: EmulatorFixture, certificate: Certificate
) -> None:
    app, reader = scene.application(secrets=0), scene.manager()
    path = f"applications/{app.object_id}"
    secret = admin(
        scene, "POST", f"{path}/secrets", {"hint": None, "custom_key_identifier": "cGF5cm9sbA==", "value": "known"}
    )
    pem = {"certificate": certificate.pem.decode(), "thumbprint": None}
    admin(scene, "POST", f"{path}/certificates", pem)
    (listed,) = scene.graph(reader, "GET", path).json()["passwordCredentials"]
    (key,) = scene.graph(reader, "GET", path).json()["keyCredentials"]
    assert (listed["keyId"], listed["hint"], listed["displayName"]) == (secret["key_id"], None, None)
    assert listed["customKeyIdentifier"] == "cGF5cm9sbA=="
    assert key["customKeyIdentifier"] is None
    assert refused(scene.emulator, "POST", f"{path}/secrets", b'{"hint": "abc"}') == 400


def test_a_certificate_a_grant_a_user_and_a_policy_are_set(scene: EmulatorFixture, certificate: Certificate) -> None:
    app = scene.application()
    pem = {"certificate": certificate.pem.decode()}
    key_id = admin(scene, "POST", f"applications/{app.object_id}/certificates", pem)["key_id"]
    assert admin(scene, "GET", f"applications/{app.object_id}")["certificates"] == [key_id]
    admin(scene, "PUT", f"principals/{app.principal_id}/grants", {"add": ["Application.Read.All"]})
    assert scene.graph(app, "GET", "applications").status == 200
    assert admin(scene, "POST", f"tenants/{scene.tenant}/users", {"name": "Ada"})["object_id"]
    rules = {"passwordCredentials": [{"restrictionType": "passwordAddition"}]}
    admin(scene, "PUT", f"tenants/{scene.tenant}/policy", rules)
    assert scene.add_password(scene.manager(), app).status == 400
    assert admin(scene, "POST", f"tenants/{scene.tenant}/groups", {"name": "Owners", "members": [app.principal_id]})[
        "object_id"
    ]
    plan = {"name": "helpers", "blueprint": True, "secrets": 0}
    assert admin(scene, "POST", f"tenants/{scene.tenant}/applications", plan)["object_id"]
    works = admin(
        scene, "POST", f"tenants/{scene.tenant}/subscriptions", {"name": "Works", "owners": [app.principal_id]}
    )
    assert works["subscription_id"]
    admin(scene, "PUT", f"objects/{app.principal_id}/security-attributes", {"Set_Name": "value"})
    admin(scene, "PATCH", f"applications/{app.object_id}", {"disabled": True})
    assert scene.token(app).json()["error_codes"] == [7000112]
    key = {"issuer": "https://ci", "key_id": "k", "public_key_pem": certificate.public_key_pem.decode()}
    admin(scene, "POST", "issuers", key)


def test_every_setting_can_be_read_and_written_back(scene: EmulatorFixture) -> None:
    path = f"tenants/{scene.tenant}/settings"
    settings = admin(scene, "GET", path)
    assert set(settings) == {item.name for item in fields(Settings)}
    assert admin(scene, "PATCH", path, settings) == settings
    changed = admin(scene, "PATCH", path, {"token_appear": [1, 9], "graph_budget": {"limit": 5, "seconds": 1}})
    assert changed["token_appear"] == [1.0, 9.0]
    assert scene.emulator.admin.settings(scene.tenant).token_appear == (1.0, 9.0)


def test_faults_are_added_listed_and_dropped(scene: EmulatorFixture) -> None:
    app = scene.application()
    fault = {"operation": "token", "effects": ["reset"], "skip": 1}
    admin(scene, "POST", "faults", fault)
    assert admin(scene, "GET", "faults")[0]["skip"] == 1
    assert scene.token(app).status == 200
    with pytest.raises(ConnectionReset):
        scene.token(app)
    admin(scene, "POST", "faults", {"operation": "token", "effects": [{"slow": 60}]})
    with pytest.raises(TimedOut):
        scene.token(app)
    effect = {"status": 503, "message": "away", "retry_after": 3, "wire": {"slow": 1}}
    admin(scene, "POST", "faults", {"operation": "*", "effects": [effect], "times": None, "when": "before"})
    assert "away" in scene.token(app).json()["error_description"]
    admin(scene, "DELETE", "faults")
    assert scene.token(app).status == 200


def test_the_clock_moves_forwards_only(scene: EmulatorFixture) -> None:
    before = admin(scene, "GET", "clock")["now"]
    assert admin(scene, "POST", "clock", {"advance": 60})["now"] == before + 60
    assert scene.clock.now() == before + 60
    assert refused(scene.emulator, "POST", "clock", b'{"advance": -1}') == 400
    assert refused(scene.emulator, "POST", "clock", b'{"advance": "1"}') == 400


def test_the_ledger_is_queried_and_does_not_contain_the_admin(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.token(app)
    scene.token(app, "wrong")
    entries = admin(scene, "GET", f"ledger?operation=token&status=401&caller={app.app_id}")["entries"]
    assert [item["error"] for item in entries] == ["7000215"]
    assert len(admin(scene, "GET", "ledger?since=1")["entries"]) == 1
    assert len(admin(scene, "GET", "ledger?committed=false&limit=1")["entries"]) == 1
    assert admin(scene, "POST", "ledger/saw", {"text": app.secrets[0].value}) == {"seen": False}
    assert admin(scene, "POST", "ledger/saw", {"text": app.app_id}) == {"seen": True}


def test_the_demo_can_be_made_again_after_a_reset(scene: EmulatorFixture) -> None:
    first = admin(scene, "POST", "demo")
    assert first["connection"]["secrets"][0]["value"]
    assert refused(scene.emulator, "POST", "demo") == 400
    admin(scene, "POST", "reset")
    assert admin(scene, "GET", "tenants") == []
    assert admin(scene, "POST", "demo")["tenant_id"] == first["tenant_id"]


def test_the_demo_shows_every_usual_state(scene: EmulatorFixture) -> None:
    demo = scene.emulator.seed_demo()
    assert scene.emulator.admin.application(demo.connection.app_id).owners == [demo.connection.principal_id]
    ends = [item.end for other in demo.others for item in scene.emulator.admin.secrets(other.object_id)]
    now = scene.clock.now()
    assert any(end < now for end in ends)
    assert any(now < end < now + 7 * 86_400 for end in ends)
    scene.tenant = demo.tenant_id
    assert scene.key_ids(demo.connection, demo.connection)
    assert scene.graph(demo.wide, "GET", "applications").status == 200
    assert scene.graph(demo.powerless, "GET", f"applications/{demo.wide.object_id}").status == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nowhere", b"", 404),
        ("DELETE", "health", b"", 405),
        ("POST", "tenants", b"{", 400),
        ("POST", "tenants", b"[]", 400),
        ("POST", "tenants", b"{}", 400),
        ("POST", "tenants", b'{"name": "x", "tenant_id": "x"}', 400),
        ("POST", "tenants", b'{"name": "x", "settings": 7}', 400),
        ("POST", "tenants/nowhere/applications", b'{"name": "x"}', 400),
        ("PATCH", "tenants/nowhere/settings", b"{}", 400),
        ("GET", "applications/nowhere", b"", 400),
        ("POST", "faults", b'{"operation": "token", "effects": ["x"]}', 400),
        ("POST", "faults", b'{"operation": "token", "effects": []}', 400),
        ("POST", "faults", b'{"effects": ["503"]}', 400),
        ("POST", "faults", b'{"operation": "token", "times": 0}', 400),
        ("POST", "faults", b'{"operation": "token", "effects": [{"status": 200}]}', 400),
        ("POST", "faults", b'{"operation": "token", "effects": [{"wire": "x"}]}', 400),
        ("POST", "faults", b"[" * 100_000, 400),
        ("GET", "ledger?nonsense=1", b"", 400),
        ("GET", "ledger?since=x", b"", 400),
        ("POST", "ledger/saw", b"{}", 400),
        ("POST", "clock", b'{"advance": NaN}', 400),
    ],
)
def test_an_admin_request_that_does_not_fit_is_told_why(
    scene: EmulatorFixture, method: str, path: str, body: bytes, status: int
) -> None:
    assert refused(scene.emulator, method, path, body) == status


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "nonsense": 1},
        {"name": "x", "audience": "x"},
        {"name": "x", "secrets": -1},
        {"name": "x", "permissions": "x"},
        {"name": 7},
        {"name": "x", "app_id": "11111111-1111-4111-8111-111111111111"},
    ],
)
def test_an_application_that_does_not_fit_is_refused(scene: EmulatorFixture, body: dict[str, Any]) -> None:
    scene.application("taken", app_id="11111111-1111-4111-8111-111111111111")
    assert refused(scene.emulator, "POST", f"tenants/{scene.tenant}/applications", json.dumps(body).encode()) == 400
