"""A connection that the provider refuses says so within a day: as a state, an event and a message with the way out.

By every way to sign in, rotating or not; trouble that passes is no refusal; and what works again says that, too.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from entra_emulator import RESET, SERVICE_UNAVAILABLE, Effect, Fault
from entra_emulator.admin.admin import ApplicationHandle
from keyturn.db.unit import Database
from keyturn.kit.clock import iso
from keyturn.providers.azure.capabilities import READ_ALL, WRITE_ALL
from keyturn_simulation.world import OWNED
from tests.databases import sqlite_database
from tests.features.connections.desk import WEEKLY, Json
from tests.features.methods.certificates import ENDS, pair
from tests.features.methods.scene import MethodsFixture
from tests.simulation.seeds import share

DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path) as opened:
        yield opened


MONTHLY: Json = WEEKLY | {"rotationInterval": 300}
GOOD = pair(ends=ENDS)


def by_secret(scene: MethodsFixture, *, rotating: bool) -> tuple[Json, ApplicationHandle]:
    changes: Json = {"isAutoRotationEnabled": True, "rotation": MONTHLY} if rotating else {}
    connection = scene.web.create("c", **changes)
    scene.world.settle()
    return connection, scene.world.application


def by_certificate(scene: MethodsFixture, *, rotating: bool) -> tuple[Json, ApplicationHandle]:
    app = scene.admin.create_application(scene.world.tenant_id, "C", permissions=(OWNED,), owns_itself=True)
    scene.world.applications[app.app_id] = app
    scene.admin.add_certificate(app.object_id, GOOD.pem.encode())
    scene.web.secret_texts.update(GOOD.key_lines)
    credentials = {"tenantId": scene.world.tenant_id, "clientId": app.app_id}
    credentials |= {"certificateBody": GOOD.pem, "privateKey": GOOD.key_pem}
    body: Json = {"name": "c", "method": "certificate", "credentials": credentials}
    if rotating:
        body |= {"isAutoRotationEnabled": True, "rotation": MONTHLY}
    connection = scene.web.ask("POST", "", body)["appConnection"]
    scene.world.settle()
    if rotating:
        scene.world.current_of(scene.connection(connection))  # from now on its private key counts as hidden
    return connection, app


def days_later(scene: MethodsFixture, days: float = 1.0) -> None:
    scene.world.run_until(scene.world.clock.now() + DAY * days + timedelta(minutes=1))


def remove_all(scene: MethodsFixture, app: ApplicationHandle) -> None:
    application = scene.admin.application(app.object_id)
    for credential in [*application.credentials_held()]:
        if credential in application.keys_held():
            scene.admin.remove_certificate(app.object_id, credential.key_id)
        else:
            scene.admin.remove_secret(app.object_id, credential.key_id)


def says(scene: MethodsFixture, number: int) -> None:
    """The token endpoint refuses with this number from now on."""
    scene.world.emulator.faults.add(Fault("token", (Effect(400, str(number)),), when="before", times=None))


def withdraw(scene: MethodsFixture, app: ApplicationHandle) -> None:
    scene.admin.withdraw(app.principal_id, OWNED)


def disable(scene: MethodsFixture, app: ApplicationHandle) -> None:
    scene.admin.set_disabled(app.object_id, disabled=True)


CASES: dict[str, tuple[Callable[[MethodsFixture, ApplicationHandle], object], str, str]] = {
    "credential deleted": (remove_all, "azure.secret_invalid", "paste the secret's Value"),
    "permission withdrawn": (withdraw, "azure.permission_missing", "API permissions"),
    "application disabled": (disable, "azure.application_disabled", "Enabled for users to sign in"),
    "application deleted": (lambda scene, _: says(scene, 700016), "azure.application_unknown", "client) ID"),
    "policy": (lambda scene, _: says(scene, 53003), "azure.conditional_access", "named location"),
    "tenant gone": (lambda scene, _: says(scene, 90002), "azure.tenant_unknown", "tenant) ID"),
}
BY_CERTIFICATE = {"azure.secret_invalid": ("azure.certificate_refused", "upload the certificate")}


TRIED = [
    *((by_secret, case, rotating) for case in CASES for rotating in (False, True)),
    # Its own certificate can be replaced without any permission, and for the rest it is as with a secret.
    *((by_certificate, "credential deleted", rotating) for rotating in (False, True)),
    (by_certificate, "application disabled", True),
]


@pytest.mark.parametrize(("method", "case", "rotating"), share(TRIED, 3))
def test_a_refusal_shows_within_a_day(scene: MethodsFixture, method: Any, case: str, *, rotating: bool) -> None:
    connection, app = method(scene, rotating=rotating)
    happen, code, words = CASES[case]
    if method is by_certificate:
        code, words = BY_CERTIFICATE.get(code, (code, words))
    assert scene.web.get(connection)["refusal"] is None
    happened = scene.world.clock.now()
    happen(scene, app)
    days_later(scene)

    view = scene.web.get(connection)
    refusal = view["refusal"]
    assert refusal["code"] == code
    assert words in refusal["fix"]
    assert app.app_id in refusal["message"] or code == "azure.tenant_unknown"
    since = datetime.fromisoformat(refusal["since"])
    assert happened < since <= happened + DAY + timedelta(minutes=1)
    assert (view["lastCheck"]["ok"], view["lastCheck"]["code"]) == (False, code)
    listed = scene.web.ask("GET", "")["appConnections"]
    assert [connection["refusal"] for connection in listed if connection["id"] == connection["id"]] == [refusal]
    (event,) = scene.world.events("app-connection-refused")
    assert (event["subject_id"], event["data"]["code"]) == (connection["id"], code)
    drift = [each for each in scene.world.events("credentials-drifted") if each["data"]["kind"] == "current-vanished"]
    assert len(drift) == (1 if case == "credential deleted" else 0)
    for each in drift:
        assert (each["subject_kind"], bool(each["data"]["keyId"])) == (
            ("rotation", True) if rotating else ("app-connection", False)
        )
    days_later(scene, 3)
    assert scene.web.get(connection)["refusal"] == refusal, "since when, stays"
    assert len(scene.world.events("app-connection-refused")) == 1, "once"


@pytest.mark.parametrize("rotating", [False, True], ids=["not rotating", "rotating"])
def test_what_works_again_says_so_within_the_hour(scene: MethodsFixture, *, rotating: bool) -> None:
    connection, app = by_secret(scene, rotating=rotating)
    disable(scene, app)
    days_later(scene)
    assert scene.web.get(connection)["refusal"]
    scene.admin.set_disabled(app.object_id, disabled=False)
    days_later(scene, 1 / 24)
    view = scene.web.get(connection)
    assert (view["refusal"], view["lastCheck"]["ok"]) == (None, True)
    (event,) = scene.world.events("app-connection-recovered")
    assert (event["subject_id"], event["data"]["code"]) == (connection["id"], "azure.application_disabled")


@pytest.mark.parametrize("rotating", [False, True], ids=["not rotating", "rotating"])
def test_new_credentials_end_a_refusal_at_once(scene: MethodsFixture, *, rotating: bool) -> None:
    connection, app = by_secret(scene, rotating=rotating)
    remove_all(scene, app)
    days_later(scene)
    assert scene.web.get(connection)["refusal"]["code"] == "azure.secret_invalid"
    fresh = scene.admin.add_secret(app.object_id, "by hand")
    credentials = scene.web.credentials(clientSecret=fresh.value)
    assert scene.web.change(connection, credentials=credentials)["refusal"] is None
    assert len(scene.world.events("app-connection-recovered")) == 1
    scene.world.settle()
    days_later(scene)
    assert scene.web.get(connection)["refusal"] is None


def test_a_credential_that_may_only_read_works_until_something_is_rotated_through_it(scene: MethodsFixture) -> None:
    app = scene.admin.create_application(scene.world.tenant_id, "Reader", permissions=(READ_ALL,), secrets=1)
    scene.world.applications[app.app_id] = app
    connection = scene.web.create("reader", credentials=scene.web.credentials(app))
    days_later(scene)
    view = scene.web.get(connection)
    assert (view["refusal"], view["lastCheck"]["ok"]) == (None, True)
    report = scene.web.ask("POST", f"{connection['id']}/test")
    (line,) = [each for each in report["checks"] if each["name"] == "permission"]
    assert (report["ok"], line["code"]) == (False, "azure.permission_missing"), (
        "who wants to rotate learns what is missing"
    )
    assert "--api-permissions" in line["fix"]
    view = scene.web.get(connection)
    assert (view["refusal"], view["lastCheck"]["ok"]) == (None, True)

    # What it once could do, and can do no more, is missed.
    scene.admin.grant(app.principal_id, WRITE_ALL)
    days_later(scene)
    scene.admin.withdraw(app.principal_id, WRITE_ALL)
    days_later(scene)
    for _ in range(2):
        assert scene.web.get(connection)["refusal"]["code"] == "azure.permission_missing"
        days_later(scene, 1 / 8)
    scene.admin.remove_secret(app.object_id, scene.admin.secrets(app.object_id)[0].key_id)
    days_later(scene)
    assert scene.web.get(connection)["refusal"]["code"] == "azure.secret_invalid"


def test_an_expired_secret_is_refused_as_expired(scene: MethodsFixture) -> None:
    end = scene.world.clock.now() + 3 * DAY
    old = scene.admin.add_secret(scene.world.application.object_id, "by hand", end=end.timestamp())
    connection = scene.web.create("c", credentials=scene.web.credentials(clientSecret=old.value))
    scene.world.run_until(end + DAY)
    assert scene.web.get(connection)["refusal"]["code"] == "azure.secret_expired"
    assert scene.world.events("credentials-drifted") == []


@pytest.mark.parametrize("what", ["sessions", "consent", "person", "unused", "policy"])
def test_a_grant_that_does_not_hold_any_more_asks_to_sign_in_again(scene: MethodsFixture, what: str) -> None:
    connection = scene.connect(person=scene.ben)
    if what == "sessions":
        scene.admin.revoke_sessions(scene.ben)
    elif what == "consent":
        scene.admin.withdraw_consent(scene.app.object_id)
    elif what == "person":
        scene.admin.delete_user(scene.ben)
    elif what == "policy":
        says(scene, 53003)
    else:
        scene.world.clock.advance(91 * 86_400)  # all servers were down
    days_later(scene)
    view = scene.web.get(connection)
    assert view["refusal"]["code"].startswith("azure.")
    assert view["lastCheck"]["needsReconnect"] is True
    assert "connect" in view["refusal"]["fix"].lower()
    assert len(scene.world.events("app-connection-needs-reconnect")) == 1
    assert len(scene.world.events("app-connection-refused")) == 1


def test_a_grant_is_kept_alive_by_being_looked_at(scene: MethodsFixture) -> None:
    connection = scene.connect(person=scene.ben)
    scene.world.run_until(scene.world.clock.now() + 200 * DAY)
    assert scene.web.get(connection)["refusal"] is None


@pytest.mark.parametrize("rotating", [False, True], ids=["not rotating", "rotating"])
@pytest.mark.parametrize("effect", [SERVICE_UNAVAILABLE, RESET, Effect(429, "TooManyRequests", retry_after=5)])
def test_trouble_that_passes_is_told_and_is_no_refusal(
    scene: MethodsFixture, effect: Effect, *, rotating: bool
) -> None:
    connection, _ = by_secret(scene, rotating=rotating)
    scene.world.emulator.faults.add(Fault("*", (effect,), when="before", times=None))
    days_later(scene)
    view = scene.web.get(connection)
    assert view["refusal"] is None
    assert (view["lastCheck"]["ok"], bool(view["lastCheck"]["message"])) == (False, True)
    scene.world.emulator.faults.clear()
    days_later(scene, 1 / 12)
    assert scene.web.get(connection)["lastCheck"]["ok"] is True
    assert scene.world.events("app-connection-refused") == []


def test_the_first_refusals_after_a_publish_are_repeated_and_no_alarm(scene: MethodsFixture) -> None:
    """A replica that flaps for some minutes after the publish; the sweep a minute later meets it."""
    connection, _ = by_secret(scene, rotating=True)
    scene.world.rotations.rotate_now(scene.world.actor, connection["id"])
    scene.world.settle(within=timedelta(seconds=30))
    published = scene.world.clock.now()
    scene.world.emulator.faults.add(Fault("token", (Effect(401, "7000215"),), when="before", times=3))
    scene.world.run_until(published + timedelta(minutes=20))
    view = scene.web.get(connection)
    assert (view["refusal"], view["lastCheck"]["ok"]) == (None, True)
    assert scene.world.events("credentials-drifted") == []
    assert scene.world.events("app-connection-refused") == []


def test_a_secret_removed_right_after_a_publish_is_told_when_replication_cannot_explain_it(
    scene: MethodsFixture,
) -> None:
    connection, app = by_secret(scene, rotating=True)
    scene.world.rotations.rotate_now(scene.world.actor, connection["id"])
    scene.world.settle(within=timedelta(seconds=30))
    remove_all(scene, app)
    scene.world.run_until(scene.world.clock.now() + timedelta(minutes=17))
    assert scene.web.get(connection)["refusal"]["code"] == "azure.secret_invalid"


def test_a_test_of_credentials_that_a_run_replaced_meanwhile_is_done_with_the_new_ones(scene: MethodsFixture) -> None:
    connection, _ = by_secret(scene, rotating=True)
    scene.world.clock.advance(3600)
    done: list[str] = []

    def meanwhile(request: Any) -> None:
        if request.url.endswith("/token") and not done:
            done.append("now")
            scene.world.rotations.rotate_now(scene.world.actor, connection["id"])
            scene.world.settle(within=timedelta(minutes=2))

    scene.wire.before = meanwhile
    report = scene.web.ask("POST", f"{connection['id']}/test")
    assert done
    assert report["ok"] is True
    assert scene.web.get(connection)["lastCheck"]["ok"] is True
    assert scene.web.get(connection)["refusal"] is None


def test_a_test_soon_after_a_publish_tries_a_refusal_again(scene: MethodsFixture) -> None:
    connection, _ = by_secret(scene, rotating=True)
    scene.world.emulator.faults.add(Fault("token", (Effect(401, "7000215"),), when="before", times=1))
    assert scene.web.ask("POST", f"{connection['id']}/test")["ok"] is True


def test_a_failed_test_is_not_held_against_a_connection_that_has_rotated_since(scene: MethodsFixture) -> None:
    connection, app = by_secret(scene, rotating=True)
    disable(scene, app)
    scene.world.clock.advance(3600)
    assert scene.web.ask("POST", f"{connection['id']}/test")["ok"] is False
    scene.admin.set_disabled(app.object_id, disabled=False)
    scene.world.rotations.rotate_now(scene.world.actor, connection["id"])
    scene.world.settle()
    view = scene.web.get(connection)
    assert (view["lastCheck"]["ok"], view["refusal"]) == (True, None)


def test_a_run_that_finds_the_connection_refused_says_so_too(scene: MethodsFixture) -> None:
    connection, app = by_secret(scene, rotating=True)
    scene.world.clock.advance(3600)
    remove_all(scene, app)
    scene.world.rotations.rotate_now(scene.world.actor, connection["id"])
    scene.world.settle()
    view = scene.web.get(connection)
    assert view["rotation"]["rotationStatus"] == "failed"
    assert view["refusal"]["code"] == "azure.secret_invalid"
    (drift,) = scene.world.events("credentials-drifted")
    assert (drift["data"]["kind"], bool(drift["data"]["keyId"])) == ("current-vanished", True)


def test_a_secret_that_was_removed_is_missed_although_entra_calls_it_expired(scene: MethodsFixture) -> None:
    """Where only expired secrets are left, Entra answers so to any secret."""
    connection, app = by_secret(scene, rotating=True)
    (current,) = scene.admin.secrets(app.object_id)
    soon = scene.world.clock.now() + DAY
    scene.admin.add_secret(app.object_id, "somebody else's", end=soon.timestamp())
    scene.admin.remove_secret(app.object_id, current.key_id)
    scene.world.clock.advance(400 * DAY.total_seconds())  # all servers were down
    days_later(scene)
    assert scene.web.get(connection)["refusal"]["code"] == "azure.secret_expired"
    drift = [event["data"] for event in scene.world.events("credentials-drifted")]
    assert [event["keyId"] for event in drift if event["kind"] == "current-vanished"] == [current.key_id]


def test_a_secret_that_has_expired_has_not_vanished(scene: MethodsFixture) -> None:
    connection, _ = by_secret(scene, rotating=True)
    scene.world.clock.advance(900 * DAY.total_seconds())
    days_later(scene)
    assert scene.web.get(connection)["refusal"]["code"] == "azure.secret_expired"
    assert not [
        event for event in scene.world.events("credentials-drifted") if event["data"]["kind"] == "current-vanished"
    ]


def test_when_a_secret_ends_is_known_a_minute_after_it_was_entered(scene: MethodsFixture) -> None:
    connection, app = by_secret(scene, rotating=False)
    scene.world.run_until(scene.world.clock.now() + timedelta(minutes=2))
    ends = {iso(datetime.fromtimestamp(secret.end, UTC)) for secret in scene.admin.secrets(app.object_id)}
    assert scene.web.get(connection)["credentialEndsAt"] in ends
    other = scene.admin.create_application(
        scene.world.tenant_id, "Another", secrets=1, permissions=(OWNED,), owns_itself=True
    )
    scene.world.applications[other.app_id] = other
    changed = scene.web.ask("PATCH", connection["id"], {"credentials": scene.web.credentials(other)})["appConnection"]
    assert changed["credentialEndsAt"] is None, "nothing is known of another secret yet"
