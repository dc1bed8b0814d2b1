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
from keyturn.connections.domain import Certificate
from keyturn.db.tables import metadata
from keyturn_simulation.keys import private_lines
from keyturn_simulation.world import OWNED
from tests.emulator.certificates import make_certificate
from tests.features.connections.desk import WEEKLY, Json
from tests.features.methods.certificates import ENDS, Pair, in_days, pair, rsa_key
from tests.features.methods.scene import MethodsFixture

GOOD, NEW = pair(), pair(rsa_key(1), name="new", ends=in_days(366, ENDS))


def application(scene: MethodsFixture, permission: str = OWNED, *, owns_itself: bool = True) -> ApplicationHandle:
    made: ApplicationHandle = scene.admin.create_application(
        scene.world.tenant_id, "By certificate", permissions=(permission,), owns_itself=owns_itself
    )
    scene.world.applications[made.app_id] = made
    scene.admin.add_certificate(made.object_id, GOOD.pem.encode())
    scene.web.typed.update([*GOOD.key_lines, *NEW.key_lines])
    return made


@pytest.fixture
def app(scene: MethodsFixture) -> ApplicationHandle:
    return application(scene)


def body(scene: MethodsFixture, app: ApplicationHandle, of: Pair = GOOD, **changes: Any) -> Json:
    given = {
        "tenantId": scene.world.tenant_id,
        "clientId": app.app_id,
        "certificateBody": of.pem,
        "privateKey": of.key_pem,
    }
    return {"name": "by-certificate", "method": "certificate", "credentials": given, **changes}


def rotating(scene: MethodsFixture, app: ApplicationHandle, **changes: Any) -> Json:
    wanted = body(scene, app, isAutoRotationEnabled=True, rotation=WEEKLY, **changes)
    made: Json = scene.web.ask("POST", "", wanted)["appConnection"]
    return made


def settle(scene: MethodsFixture, made: Json) -> Json:
    scene.world.settle()
    note_key(scene, made)
    return scene.web.get(made)


def note_key(scene: MethodsFixture, made: Json) -> None:
    """From now on no piece of the current key may show in any answer or log line."""
    credentials = scene.world.opened(scene.connection(made))
    assert isinstance(credentials, Certificate)
    scene.web.typed.update(private_lines(credentials.signing.private_key))


def held(scene: MethodsFixture, app: ApplicationHandle) -> dict[str, str]:
    """The names of the certificates that are truly on the application, by thumbprint."""
    found = scene.admin.application(app.object_id).keys_held()
    return {one.sha1.hex().upper(): one.display_name or "" for one in found}


def journal(scene: MethodsFixture, made: Json) -> list[Json]:
    found: list[Json] = scene.web.ask("GET", f"{made['id']}/credentials")["credentials"]
    return found


def states(scene: MethodsFixture, made: Json) -> list[str]:
    return [one["state"] for one in journal(scene, made)]


def writes(scene: MethodsFixture) -> list[str]:
    ledger = scene.world.emulator.ledger
    return [one.operation for one in ledger if one.committed and one.operation in {"addKey", "removeKey"}]


def test_the_given_certificate_is_replaced_at_once_and_removed(scene: MethodsFixture, app: ApplicationHandle) -> None:
    made = rotating(scene, app)
    assert made["rotation"]["activeRun"]["reason"] == "enabled"
    assert held(scene, app).keys() == {GOOD.sha1}

    now = settle(scene, made)

    assert now["rotation"]["rotationStatus"] == "success"
    assert now["credentialsHash"] == made["credentialsHash"]
    assert now["certificateThumbprint"] != GOOD.sha1
    assert (now["certificateExpiresAt"], now["certificateWarning"]) == ("2026-03-19T09:30:00.000Z", None)
    assert now["rotation"]["expiresAt"] == now["certificateExpiresAt"]
    ((thumbprint, name),) = held(scene, app).items()
    assert thumbprint == now["certificateThumbprint"]
    assert name.startswith("keyturn by-certificate g1 ")
    new, old = journal(scene, made)
    assert (new["state"], new["hint"], new["displayName"]) == ("current", thumbprint, name)
    assert (old["state"], old["hint"], old["adopted"]) == ("revoked", GOOD.sha1, True)
    assert writes(scene) == ["addKey", "removeKey"]
    report = scene.web.ask("POST", f"{made['id']}/test")
    assert (report["ok"], report["checks"][0]["fix"]) == (True, None)


def test_the_subject_of_the_new_certificate_is_its_name(scene: MethodsFixture, app: ApplicationHandle) -> None:
    settle(scene, rotating(scene, app))
    (one,) = scene.admin.application(app.object_id).keys_held()
    assert x509.load_der_x509_certificate(one.der).subject.rfc4514_string() == f"CN={one.display_name}"


def test_on_schedule_and_at_once(scene: MethodsFixture, app: ApplicationHandle) -> None:
    made = rotating(scene, app)
    settle(scene, made)
    scene.world.clock.move_to(scene.world.clock.now() + timedelta(days=8))
    second = settle(scene, made)["certificateThumbprint"]
    scene.web.ask("POST", f"{made['id']}/rotate-credentials")
    third = settle(scene, made)["certificateThumbprint"]
    assert second != third
    assert held(scene, app).keys() == {third}
    found = scene.web.ask("GET", f"{made['id']}/rotation-runs")["rotationRuns"]
    assert [(one["reason"], one["state"]) for one in found] == [
        ("manual", "succeeded"),
        ("scheduled", "succeeded"),
        ("enabled", "succeeded"),
    ]


def test_a_stored_certificate_starts_to_rotate_without_being_typed_again(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    made = scene.web.ask("POST", "", body(scene, app))["appConnection"]
    scene.web.change(made, isAutoRotationEnabled=True, rotation=WEEKLY)
    assert settle(scene, made)["certificateThumbprint"] != GOOD.sha1
    assert states(scene, made) == ["current", "revoked"]


def test_reading_itself_is_all_the_permission_it_needs(scene: MethodsFixture) -> None:
    app = application(scene, "Application.Read.All", owns_itself=False)
    made = rotating(scene, app)
    assert settle(scene, made)["rotation"]["rotationStatus"] == "success"
    assert GOOD.sha1 not in held(scene, app)


def test_private_keys_are_nowhere_in_the_clear(scene: MethodsFixture, app: ApplicationHandle) -> None:
    made = rotating(scene, app)
    settle(scene, made)
    scene.web.ask("POST", f"{made['id']}/rotate-credentials")
    settle(scene, made)
    lines = [line for line in scene.web.typed if len(line) > 40]
    assert len(lines) > 3 * 20
    ledger = scene.world.emulator.ledger
    assert not any(ledger.saw_plaintext(line) for line in lines)
    sent = "\n".join(f"{one.url} {one.headers} {one.body.decode()}" for one in scene.wire.sent)
    assert not [line for line in lines if line in sent]
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
    made = scene.web.ask("POST", "", body(scene, app))["appConnection"]
    scene.world.clock.move_to(ENDS + timedelta(seconds=1))
    change = {"isAutoRotationEnabled": True, "rotation": WEEKLY}
    answer = scene.web.refused(change, 400, method="PATCH", path=made["id"])
    assert answer["code"] == "azure.certificate_expired"
    assert held(scene, app).keys() == {GOOD.sha1}


def test_a_certificate_is_taken_over_once(scene: MethodsFixture, app: ApplicationHandle) -> None:
    rotating(scene, app)
    again = body(scene, app, isAutoRotationEnabled=True, rotation=WEEKLY, name="second")
    assert scene.web.refused(again, 400)["code"] == "rotation.key_in_use"


def test_a_lost_answer_is_found_and_gone_on_with(scene: MethodsFixture, app: ApplicationHandle) -> None:
    scene.world.emulator.faults.add(Fault("addKey", (RESET,), when="after", times=1))
    made = rotating(scene, app)
    now = settle(scene, made)
    assert writes(scene) == ["addKey", "removeKey"]
    assert held(scene, app).keys() == {now["certificateThumbprint"]}
    assert states(scene, made) == ["current", "revoked"]


def test_a_request_that_never_arrived_is_made_again_with_another_key(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    scene.world.emulator.faults.add(Fault("addKey", (RESET,), when="before", times=1))
    made = rotating(scene, app)
    now = settle(scene, made)
    assert writes(scene) == ["addKey", "removeKey"]
    assert held(scene, app).keys() == {now["certificateThumbprint"]}
    assert sorted(states(scene, made)) == ["abandoned", "current", "revoked"]
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
    made = rotating(scene, app)
    settle(scene, made)
    scene.web.ask("POST", f"{made['id']}/rotate-credentials")
    now = settle(scene, made)
    assert now["rotation"]["rotationStatus"] == "success"
    assert held(scene, app).keys() == {now["certificateThumbprint"]}


def test_deleting_removes_what_was_made_here(scene: MethodsFixture, app: ApplicationHandle) -> None:
    made = rotating(scene, app)
    settle(scene, made)
    deleted = scene.web.ask("DELETE", made["id"])
    assert deleted["staysValid"] == []
    scene.world.settle()
    assert held(scene, app) == {}
    assert not [row for row in scene.world.journal() if row.value]


def test_deleting_may_keep_it(scene: MethodsFixture, app: ApplicationHandle) -> None:
    made = rotating(scene, app)
    now = settle(scene, made)
    deleted = scene.web.ask("DELETE", made["id"], revokeCredentials="false")
    assert [one["hint"] for one in deleted["staysValid"]] == [now["certificateThumbprint"]]
    scene.world.settle()
    assert held(scene, app).keys() == {now["certificateThumbprint"]}
    assert not [row for row in scene.world.journal() if row.value]


def test_another_certificate_typed_in_is_taken_over_in_its_turn(scene: MethodsFixture, app: ApplicationHandle) -> None:
    made = rotating(scene, app)
    first = settle(scene, made)["certificateThumbprint"]
    scene.admin.add_certificate(app.object_id, NEW.pem.encode())
    scene.web.change(made, credentials=body(scene, app, NEW)["credentials"])
    now = settle(scene, made)
    assert held(scene, app).keys() == {now["certificateThumbprint"]}
    assert now["certificateThumbprint"] not in {first, NEW.sha1}


def test_the_original_sent_again_long_after_its_end_changes_nothing(
    scene: MethodsFixture, app: ApplicationHandle
) -> None:
    ends = scene.world.clock.now() + timedelta(days=3)
    short = pair(rsa_key(1), name="short", ends=ends)
    scene.admin.add_certificate(app.object_id, short.pem.encode())
    made = scene.web.ask("POST", "", body(scene, app, short, isAutoRotationEnabled=True, rotation=WEEKLY))[
        "appConnection"
    ]
    settle(scene, made)
    scene.world.run_until(ends + timedelta(days=1))
    before = settle(scene, made)
    again = scene.web.change(made, credentials=body(scene, app, short)["credentials"])
    assert again["certificateThumbprint"] == before["certificateThumbprint"]
    assert (again["version"], again["credentialsHash"]) == (before["version"], made["credentialsHash"])


def test_a_policy_on_certificates_is_met_with_the_shorter_life(scene: MethodsFixture, app: ApplicationHandle) -> None:
    rule = {"restrictionType": "asymmetricKeyLifetime", "maxLifetime": "P12D"}
    scene.admin.set_policy(scene.world.tenant_id, keyCredentials=[rule])
    now = settle(scene, rotating(scene, app))
    assert now["rotation"]["rotationStatus"] == "success"
    assert now["rotation"]["expiresAt"].startswith("2026-03-12T")
