"""A connection's certificate rotates: made here, added with a proof of the one before, proven; and then the old one goes."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509

from entra_emulator import RESET, Fault
from entra_emulator.admin.admin import ApplicationHandle
from keyturn.db.tables import metadata
from keyturn.providers.azure.methods.certificate import Certificate
from keyturn_simulation.keys import private_lines
from keyturn_simulation.world import OWNED
from tests.emulator.certificates import make_certificate
from tests.features.connections.desk import WEEKLY, Json
from tests.features.methods.certificates import ENDS, Pair, in_days, pair, rsa_key
from tests.features.methods.scene import MethodsFixture

GOOD, NEW = pair(), pair(rsa_key(1), name="new", ends=in_days(366, ENDS))


def application(scene: MethodsFixture, permission: str = OWNED, *, owns_itself: bool = True) -> ApplicationHandle:
    connection: ApplicationHandle = scene.admin.create_application(
        scene.world.tenant_id, "By certificate", permissions=(permission,), owns_itself=owns_itself
    )
    scene.world.applications[connection.app_id] = connection
    scene.admin.add_certificate(connection.object_id, GOOD.pem.encode())
    scene.web.secret_texts.update([*GOOD.key_lines, *NEW.key_lines])
    return connection


@pytest.fixture
def app(scene: MethodsFixture) -> ApplicationHandle:
    return application(scene)


def body(scene: MethodsFixture, app: ApplicationHandle, of: Pair = GOOD, **changes: Any) -> Json:
    credentials = {
        "tenantId": scene.world.tenant_id,
        "clientId": app.app_id,
        "certificateBody": of.pem,
        "privateKey": of.key_pem,
    }
    return {"name": "by-certificate", "method": "certificate", "credentials": credentials, **changes}


def rotating(scene: MethodsFixture, app: ApplicationHandle, **changes: Any) -> Json:
    request_body = body(scene, app, isAutoRotationEnabled=True, rotation=WEEKLY, **changes)
    connection: Json = scene.web.ask("POST", "", request_body)["appConnection"]
    return connection


def settle(scene: MethodsFixture, connection: Json) -> Json:
    scene.world.settle()
    note_key(scene, connection)
    return scene.web.get(connection)


def note_key(scene: MethodsFixture, connection: Json) -> None:
    """From now on no piece of the current key may show in any answer or log line."""
    credentials = scene.world.stored_credentials(scene.connection(connection))
    assert isinstance(credentials, Certificate)
    scene.web.secret_texts.update(private_lines(credentials.signing.private_key))


def registered_keys(scene: MethodsFixture, app: ApplicationHandle) -> dict[str, str]:
    """The names of the certificates that are truly on the application, by thumbprint."""
    keys = scene.admin.application(app.object_id).keys_held()
    return {key.sha1.hex().upper(): key.display_name or "" for key in keys}


def journal(scene: MethodsFixture, connection: Json) -> list[Json]:
    credentials: list[Json] = scene.web.ask("GET", f"{connection['id']}/credentials")["credentials"]
    return credentials


def states(scene: MethodsFixture, connection: Json) -> list[str]:
    return [credential["state"] for credential in journal(scene, connection)]


def writes(scene: MethodsFixture) -> list[str]:
    ledger = scene.world.emulator.ledger
    return [entry.operation for entry in ledger if entry.committed and entry.operation in {"addKey", "removeKey"}]


def test_the_given_certificate_is_replaced_at_once_and_removed(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = rotating(scene, app)
    assert connection["rotation"]["activeRun"]["reason"] == "enabled"
    assert registered_keys(scene, app).keys() == {GOOD.sha1}

    now = settle(scene, connection)

    assert now["rotation"]["rotationStatus"] == "success"
    assert now["credentialsHash"] == connection["credentialsHash"]
    assert now["certificateThumbprint"] != GOOD.sha1
    assert (now["certificateExpiresAt"], now["certificateWarning"]) == ("2026-03-19T09:30:00.000Z", None)
    assert now["rotation"]["expiresAt"] == now["certificateExpiresAt"]
    ((thumbprint, name),) = registered_keys(scene, app).items()
    assert thumbprint == now["certificateThumbprint"]
    assert name.startswith("keyturn by-certificate g1 ")
    new, old = journal(scene, connection)
    assert (new["state"], new["hint"], new["displayName"]) == ("current", thumbprint, name)
    assert (old["state"], old["hint"], old["adopted"]) == ("revoked", GOOD.sha1, True)
    assert writes(scene) == ["addKey", "removeKey"]
    report = scene.web.ask("POST", f"{connection['id']}/test")
    assert (report["ok"], report["checks"][0]["fix"]) == (True, None)


def test_the_subject_of_the_new_certificate_is_its_name(scene: MethodsFixture, app: ApplicationHandle) -> None:
    settle(scene, rotating(scene, app))
    (key,) = scene.admin.application(app.object_id).keys_held()
    assert x509.load_der_x509_certificate(key.der).subject.rfc4514_string() == f"CN={key.display_name}"


def test_on_schedule_and_at_once(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = rotating(scene, app)
    settle(scene, connection)
    scene.world.clock.move_to(scene.world.clock.now() + timedelta(days=8))
    second = settle(scene, connection)["certificateThumbprint"]
    scene.web.ask("POST", f"{connection['id']}/rotate-credentials")
    third = settle(scene, connection)["certificateThumbprint"]
    assert second != third
    assert registered_keys(scene, app).keys() == {third}
    runs = scene.web.ask("GET", f"{connection['id']}/rotation-runs")["rotationRuns"]
    assert [(run["reason"], run["state"]) for run in runs] == [
        ("manual", "succeeded"),
        ("scheduled", "succeeded"),
        ("enabled", "succeeded"),
    ]


def test_a_stored_certificate_starts_to_rotate_without_being_typed_again(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    connection = scene.web.ask("POST", "", body(scene, app))["appConnection"]
    scene.web.change(connection, isAutoRotationEnabled=True, rotation=WEEKLY)
    assert settle(scene, connection)["certificateThumbprint"] != GOOD.sha1
    assert states(scene, connection) == ["current", "revoked"]


def test_reading_itself_is_all_the_permission_it_needs(scene: MethodsFixture) -> None:
    app = application(scene, "Application.Read.All", owns_itself=False)
    connection = rotating(scene, app)
    assert settle(scene, connection)["rotation"]["rotationStatus"] == "success"
    assert GOOD.sha1 not in registered_keys(scene, app)


def test_private_keys_are_nowhere_in_the_clear(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = rotating(scene, app)
    settle(scene, connection)
    scene.web.ask("POST", f"{connection['id']}/rotate-credentials")
    settle(scene, connection)
    lines = [line for line in scene.web.secret_texts if len(line) > 40]
    assert len(lines) > 3 * 20
    ledger = scene.world.emulator.ledger
    assert not any(ledger.saw_plaintext(line) for line in lines)
    traffic = "\n".join(f"{request.url} {request.headers} {request.body.decode()}" for request in scene.wire.requests)
    assert not [line for line in lines if line in traffic]
    for table in metadata.sorted_tables:
        with scene.world.database.read() as tx:
            text = str(tx.rows(sa.select(*[sa.cast(column, sa.Text) for column in table.c])))
        assert not [line for line in lines if line in text], table.name
    if scene.world.database.is_sqlite:
        path = scene.world.database.engine.url.database
        assert path
        data = Path(path).read_bytes()
        assert b"SQLite format 3" in data
        assert not [line for line in lines if line.encode() in data]


def test_a_certificate_that_is_not_listed_is_not_taken_over(scene: MethodsFixture, app: ApplicationHandle) -> None:
    (key,) = scene.admin.application(app.object_id).keys_held()
    key.sha1, key.der = b"somebody's identifier"[:20], make_certificate().der
    answer = scene.web.refused(body(scene, app, isAutoRotationEnabled=True, rotation=WEEKLY), 400)
    assert answer["code"] == "rotation.certificate_not_found"
    (candidate,) = answer["details"]
    assert candidate["keyId"] == key.key_id
    assert candidate["thumbprint"] == hashlib.sha1(key.der).hexdigest().upper(), "the certificate itself is what counts"


def test_a_certificate_listed_by_sha_256_is_known_as_well(scene: MethodsFixture, app: ApplicationHandle) -> None:
    (key,) = scene.admin.application(app.object_id).keys_held()
    key.sha1 = key.sha256
    assert settle(scene, rotating(scene, app))["rotation"]["rotationStatus"] == "success"


def test_an_expired_certificate_is_not_taken_over(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = scene.web.ask("POST", "", body(scene, app))["appConnection"]
    scene.world.clock.move_to(ENDS + timedelta(seconds=1))
    change = {"isAutoRotationEnabled": True, "rotation": WEEKLY}
    answer = scene.web.refused(change, 400, method="PATCH", path=connection["id"])
    assert answer["code"] == "azure.certificate_expired"
    assert registered_keys(scene, app).keys() == {GOOD.sha1}


def test_a_certificate_is_taken_over_once(scene: MethodsFixture, app: ApplicationHandle) -> None:
    rotating(scene, app)
    again = body(scene, app, isAutoRotationEnabled=True, rotation=WEEKLY, name="second")
    assert scene.web.refused(again, 400)["code"] == "rotation.key_in_use"


def test_a_lost_answer_is_found_and_gone_on_with(scene: MethodsFixture, app: ApplicationHandle) -> None:
    scene.world.emulator.faults.add(Fault("addKey", (RESET,), when="after", times=1))
    connection = rotating(scene, app)
    now = settle(scene, connection)
    assert writes(scene) == ["addKey", "removeKey"]
    assert registered_keys(scene, app).keys() == {now["certificateThumbprint"]}
    assert states(scene, connection) == ["current", "revoked"]


def test_a_request_that_never_arrived_is_made_again_with_another_key(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    scene.world.emulator.faults.add(Fault("addKey", (RESET,), when="before", times=1))
    connection = rotating(scene, app)
    now = settle(scene, connection)
    assert writes(scene) == ["addKey", "removeKey"]
    assert registered_keys(scene, app).keys() == {now["certificateThumbprint"]}
    assert sorted(states(scene, connection)) == ["abandoned", "current", "revoked"]
    assert not [row for row in scene.world.journal() if row.state != "current" and row.value]


def test_replicas_that_lag_delay_it_and_do_no_harm(scene: MethodsFixture, app: ApplicationHandle) -> None:
    lag = (0.0, 20.0)
    scene.admin.configure(
        scene.world.tenant_id,
        replicas=2,
        token_appear=lag,
        graph_appear=lag,
        token_vanish=lag,
        graph_vanish=lag,
    )
    connection = rotating(scene, app)
    settle(scene, connection)
    scene.web.ask("POST", f"{connection['id']}/rotate-credentials")
    now = settle(scene, connection)
    assert now["rotation"]["rotationStatus"] == "success"
    assert registered_keys(scene, app).keys() == {now["certificateThumbprint"]}


def test_deleting_removes_what_was_made_here(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = rotating(scene, app)
    settle(scene, connection)
    deleted = scene.web.ask("DELETE", connection["id"])
    assert deleted["staysValid"] == []
    scene.world.settle()
    assert registered_keys(scene, app) == {}
    assert not [row for row in scene.world.journal() if row.value]


def test_deleting_may_keep_it(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = rotating(scene, app)
    now = settle(scene, connection)
    deleted = scene.web.ask("DELETE", connection["id"], revokeCredentials="false")
    assert [credential["hint"] for credential in deleted["staysValid"]] == [now["certificateThumbprint"]]
    scene.world.settle()
    assert registered_keys(scene, app).keys() == {now["certificateThumbprint"]}
    assert not [row for row in scene.world.journal() if row.value]


def test_another_certificate_typed_in_is_taken_over_in_its_turn(scene: MethodsFixture, app: ApplicationHandle) -> None:
    connection = rotating(scene, app)
    first = settle(scene, connection)["certificateThumbprint"]
    scene.admin.add_certificate(app.object_id, NEW.pem.encode())
    scene.web.change(connection, credentials=body(scene, app, NEW)["credentials"])
    now = settle(scene, connection)
    assert registered_keys(scene, app).keys() == {now["certificateThumbprint"]}
    assert now["certificateThumbprint"] not in {first, NEW.sha1}


def test_the_original_sent_again_long_after_its_end_changes_nothing(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    ends = scene.world.clock.now() + timedelta(days=3)
    short = pair(rsa_key(1), name="short", ends=ends)
    scene.admin.add_certificate(app.object_id, short.pem.encode())
    connection = scene.web.ask("POST", "", body(scene, app, short, isAutoRotationEnabled=True, rotation=WEEKLY))[
        "appConnection"
    ]
    settle(scene, connection)
    scene.world.run_until(ends + timedelta(days=1))
    before = settle(scene, connection)
    again = scene.web.change(connection, credentials=body(scene, app, short)["credentials"])
    assert again["certificateThumbprint"] == before["certificateThumbprint"]
    assert (again["version"], again["credentialsHash"]) == (before["version"], connection["credentialsHash"])


def test_a_policy_on_certificates_is_met_with_the_shorter_life(scene: MethodsFixture, app: ApplicationHandle) -> None:
    rule = {"restrictionType": "asymmetricKeyLifetime", "maxLifetime": "P12D"}
    scene.admin.set_policy(scene.world.tenant_id, keyCredentials=[rule])
    now = settle(scene, rotating(scene, app))
    assert now["rotation"]["rotationStatus"] == "success"
    assert now["rotation"]["expiresAt"].startswith("2026-03-12T")
