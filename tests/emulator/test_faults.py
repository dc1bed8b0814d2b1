"""Scripted faults, conflicts, throttling, limits and policies."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import pytest

from entra_emulator import (
    GATEWAY_TIMEOUT,
    HANG,
    RESET,
    SERVICE_UNAVAILABLE,
    Budget,
    ConnectionReset,
    Effect,
    Fault,
    Request,
    TimedOut,
    WireError,
    slow,
)
from tests.emulator.scene import EmulatorFixture

DAY = 86_400.0


@pytest.mark.parametrize(
    ("effect", "outcome"),
    [
        (SERVICE_UNAVAILABLE, 503),
        (GATEWAY_TIMEOUT, 504),
        (RESET, ConnectionReset),
        (HANG, TimedOut),
        (slow(60), TimedOut),
    ],
)
def test_an_add_may_take_effect_although_its_answer_is_lost(
    scene: EmulatorFixture, effect: Effect, outcome: Any
) -> None:
    manager, app = scene.manager(), scene.application(secrets=0)
    scene.emulator.faults.fail_next("addPassword", effect)
    if isinstance(outcome, int):
        assert scene.add_password(manager, app, "marker").status == outcome
    else:
        with pytest.raises(outcome):
            scene.add_password(manager, app, "marker")
    (entry,) = scene.emulator.ledger.query(operation="addPassword")
    (secret,) = scene.emulator.admin.secrets(app.object_id)
    assert secret.display_name == "marker"
    assert entry.committed
    assert entry.key_id == secret.key_id
    assert scene.add_password(manager, app).status == 200


@pytest.mark.parametrize("effect", [SERVICE_UNAVAILABLE, RESET, HANG])
def test_an_add_may_fail_before_it_takes_effect(scene: EmulatorFixture, effect: Effect) -> None:
    manager, app = scene.manager(), scene.application(secrets=0)
    scene.emulator.faults.fail_next("addPassword", effect, when="before")
    try:
        assert scene.add_password(manager, app).status == 503
    except WireError:
        assert effect in {RESET, HANG}
    assert scene.emulator.admin.secrets(app.object_id) == []
    assert not scene.emulator.ledger.query(operation="addPassword")[0].committed


def test_the_third_add_of_one_application_commits_and_then_resets(scene: EmulatorFixture) -> None:
    manager, app, other = scene.manager(), scene.application("one", secrets=0), scene.application("two", secrets=0)
    scene.emulator.faults.add(Fault("addPassword", (RESET,), skip=2, application=app.object_id))
    for _ in range(3):
        assert scene.add_password(manager, other).status == 200
    assert [scene.add_password(manager, app).status for _ in range(2)] == [200, 200]
    with pytest.raises(ConnectionReset):
        scene.add_password(manager, app)
    assert len(scene.emulator.admin.secrets(app.object_id)) == 3
    assert scene.emulator.faults.pending() == []


def test_the_nth_call_from_now_can_be_made_to_fail(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.emulator.faults.fail_nth("token", 3, SERVICE_UNAVAILABLE, when="before")
    assert [scene.token(app).status for _ in range(4)] == [200, 200, 503, 200]


def test_a_refused_call_does_not_use_up_a_fault_that_strikes_after_success(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    scene.emulator.faults.fail_next("removePassword")
    assert scene.remove_password(manager, app, "11111111-1111-4111-8111-111111111111").status == 400
    assert scene.remove_password(manager, app, app.secrets[0].key_id).status == 503
    assert scene.emulator.admin.secrets(app.object_id) == []


def test_faults_may_strike_at_random_for_ever(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application(secrets=0)
    scene.emulator.faults.add(Fault("writes", (SERVICE_UNAVAILABLE, GATEWAY_TIMEOUT), times=None, probability=0.5))
    statuses = [scene.add_password(manager, app).status for _ in range(60)]
    assert set(statuses) == {200, 503, 504}
    assert len(scene.emulator.admin.secrets(app.object_id)) == 60


def test_a_token_request_may_be_answered_with_any_aadsts_code(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.emulator.faults.fail_next("token", Effect(401, "7000215", "Not yet."), when="before")
    assert scene.token(app).json()["error_codes"] == [7000215]
    assert scene.token(app).status == 200


def test_an_unavailable_token_endpoint_says_90033(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.emulator.faults.fail_next("token", SERVICE_UNAVAILABLE)
    answer = scene.token(app)
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.json()["error_codes"] == [90033]


@pytest.mark.parametrize("status", [409, 503])
def test_a_write_too_soon_after_another_is_a_concurrency_violation(scene: EmulatorFixture, status: Any) -> None:
    scene.emulator.admin.configure(scene.tenant, conflict_window=3.0, conflict_status=status)
    manager, app, other = scene.manager(), scene.application("one"), scene.application("two")
    assert scene.add_password(manager, app).status == 200
    refused = scene.remove_password(manager, app, app.secrets[0].key_id)
    assert refused.status == status
    assert refused.json()["error"]["code"] == "Directory_ConcurrencyViolation"
    assert scene.add_password(manager, other).status == 200
    scene.clock.advance(3)
    assert scene.remove_password(manager, app, app.secrets[0].key_id).status == 204


def test_graph_throttles_with_json_and_the_time_to_wait(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    scene.bearer(manager)
    scene.emulator.admin.configure(scene.tenant, graph_budget=Budget(2, 10.0))
    assert [scene.graph(manager, "GET", f"applications/{app.object_id}").status for _ in range(2)] == [200, 200]
    scene.clock.advance(2.5)
    refused = scene.graph(manager, "GET", f"applications/{app.object_id}")
    assert refused.status == 429
    assert refused.json()["error"]["code"] == "TooManyRequests"
    assert refused.json()["error"]["innerError"]["code"] == "429"
    assert refused.header("Retry-After") == "8"
    scene.clock.advance(7.5)
    assert scene.graph(manager, "GET", f"applications/{app.object_id}").status == 200


def test_retry_after_comes_as_a_fraction_or_a_date_too(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.emulator.faults.fail_next("token", Effect(429, retry_after=2.128), calls=2, when="before")
    scene.emulator.admin.configure(scene.tenant, retry_after="fraction")
    assert scene.token(app).header("Retry-After") == "2.128"
    scene.emulator.admin.configure(scene.tenant, retry_after="date")
    moment = parsedate_to_datetime(scene.token(app).header("Retry-After") or "")
    assert moment.timestamp() == scene.clock.now() + 3


def test_the_token_endpoint_throttles_with_plain_text(scene: EmulatorFixture) -> None:
    app, other = scene.application("one"), scene.application("two")
    scene.emulator.admin.configure(scene.tenant, token_budget=Budget(1, 10.0))
    assert scene.token(app).status == 200
    refused = scene.token(app)
    assert (refused.status, refused.body) == (429, b"Too Many Requests")
    assert refused.header("Retry-After") == "60"
    assert scene.token(other).status == 200


def test_selecting_key_credentials_has_a_budget_of_its_own(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, key_select_budget=Budget(1, 60.0))
    manager, app = scene.manager(), scene.application()
    path = f"applications/{app.object_id}"
    assert scene.graph(manager, "GET", path, select="keyCredentials").status == 200
    assert scene.graph(manager, "GET", path, select="keyCredentials").status == 429
    assert scene.graph(manager, "GET", path, select="id").status == 200


def test_an_application_for_personal_accounts_holds_two_secrets(scene: EmulatorFixture) -> None:
    manager = scene.manager()
    app = scene.application(audience="AzureADandPersonalMicrosoftAccount")
    assert scene.add_password(manager, app).status == 200
    assert scene.add_password(manager, app).status == 400
    assert scene.remove_password(manager, app, app.secrets[0].key_id).status == 204
    assert scene.add_password(manager, app).status == 200


def test_an_application_object_has_a_limited_size(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, object_item_cap=3)
    manager, app = scene.manager(), scene.application(secrets=3)
    refused = scene.add_password(manager, app)
    assert refused.json()["error"]["code"] == "Directory_ResourceSizeExceeded"
    assert "size of the object has exceeded its limit" in refused.json()["error"]["message"]


def test_the_tenants_policy_limits_lifetimes(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application(secrets=0)
    rule = {"restrictionType": "passwordLifetime", "maxLifetime": "P30D", "state": "enabled"}
    scene.emulator.admin.set_policy(scene.tenant, passwordCredentials=[rule])
    long = scene.add_password(manager, app, endDateTime="2028-01-01T00:00:00Z")
    assert long.status == 400
    assert long.json()["error"]["code"] == "CredentialInvalidLifetimeAsPerAppPolicy"
    assert scene.add_password(manager, app).status == 400, "the default of two years is too long as well"
    brief = {"startDateTime": "2026-11-23T00:00:00Z", "endDateTime": "2026-12-23T00:00:00Z"}
    assert scene.add_password(manager, app, **brief).status == 200


def test_the_tenants_policy_may_forbid_secrets(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    scene.emulator.admin.set_policy(scene.tenant, passwordCredentials=[{"restrictionType": "passwordAddition"}])
    assert scene.add_password(manager, app).json()["error"]["code"] == "CredentialTypeNotAllowedAsPerAppPolicy"
    assert scene.token(app).status == 200, "existing secrets are never touched"


def test_a_policy_may_spare_applications_made_before_it(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    since = {"restrictionType": "passwordAddition", "restrictForAppsCreatedAfterDateTime": "2030-01-01T00:00:00Z"}
    scene.emulator.admin.set_policy(scene.tenant, passwordCredentials=[since])
    assert scene.add_password(manager, app).status == 200


def test_a_tenant_whose_clock_runs_ahead_sees_secrets_expire_early(scene: EmulatorFixture) -> None:
    app = scene.application(secrets=0)
    secret = scene.emulator.admin.add_secret(app.object_id, end=scene.clock.now() + 60)
    scene.emulator.admin.configure(scene.tenant, clock_skew=120.0)
    refused = scene.token(app, secret.value)
    assert refused.json()["error_codes"] == [7000222]
    date = parsedate_to_datetime(refused.header("Date") or "")
    assert date.timestamp() == scene.clock.now() + 120


def test_latency_is_named_but_never_waited_for(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.emulator.admin.configure(scene.tenant, latency=(0.1, 0.1))
    assert scene.token(app).delay == pytest.approx(0.1)
    scene.emulator.admin.configure(scene.tenant, latency=(31.0, 31.0))
    with pytest.raises(TimedOut):
        scene.token(app)


@pytest.mark.parametrize(
    "changes",
    [{"replicas": 0}, {"token_appear": (5, 1)}, {"retry_after": "x"}, {"unheard_of": 1}, {"graph_budget": 5}],
)
def test_settings_that_make_no_sense_are_refused_and_change_nothing(
    scene: EmulatorFixture, changes: dict[str, Any]
) -> None:
    before = scene.emulator.admin.settings(scene.tenant)
    with pytest.raises(ValueError, match=next(iter(changes))):
        scene.emulator.admin.configure(scene.tenant, **changes)
    assert scene.emulator.admin.settings(scene.tenant) == before


def test_the_date_of_every_answer_is_by_the_clock_of_who_answers(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, clock_skew=-360.0)
    date = formatdate(scene.clock.now() - 360, usegmt=True)
    for url in (
        f"https://login.microsoftonline.com/{scene.tenant}/v2.0/.well-known/openid-configuration",
        "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration",
        "https://graph.microsoft.com/v1.0/applications",
    ):
        assert scene.emulator.handle(Request("GET", url)).header("Date") == date
