"""Automatic rotation of a connection's own secret, as the API shows and steers it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entra_emulator.faults.faults import Settings
from keyturn_simulation.world import OWNED
from tests.features.connections.desk import WEEKLY, ApiClient, Json, statements

CONTRACT = {"rotationInterval", "rotateAtUtc", "rotationStatus", "nextRotationAt", "lastRotationMessage"}
OURS = {"rotateAt", "nextRuns", "isPaused", "activeRun", "expiresAt", "consecutiveFailures", "weekdays"}
OSLO: Json = {"rotationInterval": 7, "rotateAt": {"time": "02:15", "timeZone": "Europe/Oslo"}}


def runs(web: ApiClient, connection: Json, **query: Any) -> list[Json]:
    run_list: list[Json] = web.ask("GET", f"{connection['id']}/rotation-runs", **query)["rotationRuns"]
    return run_list


def journal(web: ApiClient, connection: Json) -> list[Json]:
    credentials: list[Json] = web.ask("GET", f"{connection['id']}/credentials")["credentials"]
    return credentials


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_a_rotation_before_during_and_after_its_first_run(web: ApiClient) -> None:
    assert "rotation" not in web.create("plain")
    connection = web.create_rotating()
    assert connection["isAutoRotationEnabled"] is True
    first = connection["rotation"]
    assert set(first) == CONTRACT | OURS
    assert first["rotationInterval"] == 7
    assert first["rotateAtUtc"] == {"hours": 2, "minutes": 15}
    assert (first["rotationStatus"], first["lastRotationMessage"], first["isPaused"]) == (None, None, False)
    assert set(first["activeRun"]) == {"id", "reason", "startedAt"}
    assert first["activeRun"]["reason"] == "enabled"
    assert first["expiresAt"] == "2028-03-01T09:30:00.000Z"  # the end of the secret that was given

    web.world.settle()

    later = web.get(connection)["rotation"]
    assert (later["rotationStatus"], later["activeRun"], later["consecutiveFailures"]) == ("success", None, 0)
    assert later["nextRotationAt"] == "2026-03-10T02:15:00.000Z"
    assert [run["at"] for run in later["nextRuns"]] == [
        f"2026-{day}T02:15:00.000Z" for day in ("03-10", "03-17", "03-24", "03-31", "04-07")
    ]
    assert later["nextRuns"][0]["local"] == "2026-03-10T02:15+00:00"
    assert later["expiresAt"] == "2026-03-19T09:30:00.000Z"  # two intervals and three days
    assert later["rotateAt"] == {"time": "02:15", "timeZone": "UTC"}


def test_a_time_in_another_zone_is_kept_through_daylight_saving(web: ApiClient) -> None:
    connection = web.create_rotating(rotation=OSLO)
    web.world.settle()
    winter = web.get(connection)["rotation"]
    assert winter["rotateAt"] == {"time": "02:15", "timeZone": "Europe/Oslo"}
    assert winter["rotateAtUtc"] == {"hours": 1, "minutes": 15}
    assert [run["local"] for run in winter["nextRuns"]] == [
        "2026-03-10T02:15+01:00",
        "2026-03-17T02:15+01:00",
        "2026-03-24T02:15+01:00",
        "2026-03-31T02:15+02:00",
        "2026-04-07T02:15+02:00",
    ]
    assert [run["at"][11:16] for run in winter["nextRuns"]] == ["01:15", "01:15", "01:15", "00:15", "00:15"]

    web.world.run_until(datetime(2026, 3, 24, 2, 0, tzinfo=UTC))
    summer = web.get(connection)["rotation"]
    assert summer["rotateAtUtc"] == {"hours": 0, "minutes": 15}
    assert summer["nextRotationAt"] == "2026-03-31T00:15:00.000Z"


def test_what_was_foretold_is_what_happens(web: ApiClient) -> None:
    connection = web.create_rotating(rotation=OSLO)
    web.world.settle()
    foretold = [run["at"] for run in web.get(connection)["rotation"]["nextRuns"]]
    web.world.run_until(datetime(2026, 4, 8, tzinfo=UTC))
    happened = [run["createdAt"] for run in reversed(runs(web, connection)) if run["reason"] == "scheduled"]
    assert happened == foretold


def test_the_local_time_wins_over_the_utc_time(web: ApiClient) -> None:
    connection = web.create_rotating(rotation=OSLO | {"rotateAtUtc": {"hours": 12, "minutes": 30}})
    assert connection["rotation"]["rotateAt"] == {"time": "02:15", "timeZone": "Europe/Oslo"}


# --- the schedule and the switch ---------------------------------------------------------------------------------------


def test_parts_of_the_schedule_change_alone(web: ApiClient) -> None:
    connection = web.create_rotating(rotation=OSLO)
    web.world.settle()
    assert (
        web.change(connection, rotation={"rotationInterval": 1})["rotation"]["nextRotationAt"]
        == "2026-03-04T01:15:00.000Z"
    )
    moved = web.change(connection, rotation={"rotateAt": {"time": "23:45", "timeZone": "America/New_York"}})["rotation"]
    assert moved["rotationInterval"] == 1
    assert moved["nextRuns"][0]["local"].endswith("T23:45-05:00")
    back = web.change(connection, rotation={"rotateAtUtc": {"hours": 6, "minutes": 0}})["rotation"]
    assert back["rotateAt"] == {"time": "06:00", "timeZone": "UTC"}
    assert web.change(connection, rotation={})["rotation"] == back
    assert len(runs(web, connection)) == 1, "changing a schedule rotates nothing"


def test_pausing_keeps_the_settings_and_resuming_uses_them(web: ApiClient) -> None:
    connection = web.create_rotating(rotation=OSLO)
    web.world.settle()
    paused = web.change(connection, isAutoRotationEnabled=False)
    assert paused["isAutoRotationEnabled"] is False
    expected: Json = {"isPaused": True, "nextRotationAt": None, "nextRuns": [], "rotationStatus": "success"}
    assert paused["rotation"].items() >= expected.items()
    assert paused["rotation"]["rotateAt"] == OSLO["rotateAt"]
    assert paused["rotation"]["rotateAtUtc"] == {"hours": 1, "minutes": 15}
    before = web.world.keys()
    web.world.run_until(web.world.clock.now() + timedelta(days=8))
    assert web.world.keys() == before

    resumed = web.change(connection, isAutoRotationEnabled=True)
    assert (resumed["isAutoRotationEnabled"], resumed["rotation"]["isPaused"]) == (True, False)
    web.world.settle()
    assert web.get(connection)["rotation"]["nextRotationAt"] > "2026-03-10"


def test_enabling_later_needs_no_secret_again(web: ApiClient) -> None:
    connection = web.create()
    web.world.emulator.admin.add_secret(
        web.world.application.object_id, "twin", value=web.world.first_secret().secret.hint() + "8Q~" + "t" * 30
    )
    body = {"isAutoRotationEnabled": True, "rotation": WEEKLY}
    assert web.refused(body, 400, method="PATCH", path=connection["id"])["code"] == "rotation.key_id_needed"
    named = WEEKLY | {"clientSecretKeyId": web.world.first_secret().key_id}
    assert web.change(connection, isAutoRotationEnabled=True, rotation=named)["rotation"]["activeRun"]
    web.world.settle()
    assert web.get(connection)["rotation"]["rotationStatus"] == "success"
    assert web.get(connection)["credentialsHash"] == connection["credentialsHash"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"isAutoRotationEnabled": True}, "rotation.schedule_missing"),
        ({"isAutoRotationEnabled": True, "rotation": {"rotationInterval": 7}}, "rotation.schedule_missing"),
        ({"isAutoRotationEnabled": True, "rotation": {"rotateAtUtc": {"hours": 2, "minutes": 0}}},
         "rotation.schedule_missing"),
        ({"rotation": WEEKLY}, "rotation.not_enabled"),
    ],
)  # fmt: skip
def test_a_first_schedule_must_be_whole_and_meant(web: ApiClient, body: Json, code: str) -> None:
    connection = web.create()
    answer = web.refused(body, 400, method="PATCH", path=connection["id"])
    assert (answer["code"], answer["error"]) == (code, "BadRequest")
    assert answer["fix"]


def test_a_schedule_with_the_switch_off_changes_nothing(web: ApiClient) -> None:
    connection = web.create()
    assert web.change(connection, isAutoRotationEnabled=False, rotation={"rotationInterval": 7}) == connection


def test_new_credentials_take_over_a_running_rotation(web: ApiClient) -> None:
    connection = web.create_rotating()
    web.world.settle()
    fresh = web.world.emulator.admin.add_secret(web.world.application.object_id, "typed anew")
    changed = web.change(connection, credentials=web.credentials(clientSecret=fresh.value))
    assert changed["rotation"]["activeRun"]["reason"] == "enabled"
    web.world.settle()
    states = [(row["state"], row["adopted"]) for row in journal(web, connection)]
    assert states[0] == ("current", False)
    assert {state for state, _ in states[1:]} == {"revoked"}
    assert len(web.world.keys()) == 1


# --- rotating now -----------------------------------------------------------------------------------------------------


def test_rotate_now_answers_at_once_and_is_done_by_the_worker(web: ApiClient) -> None:
    connection = web.create_rotating()
    web.world.settle()
    before = web.world.keys()
    answer = web.ask("POST", f"{connection['id']}/rotate-credentials")["appConnection"]
    assert answer["id"] == connection["id"]
    assert answer["rotation"]["activeRun"]["reason"] == "manual"
    joined = web.ask("POST", f"{connection['id']}/rotate-credentials", {})["appConnection"]
    assert joined["rotation"]["activeRun"]["id"] == answer["rotation"]["activeRun"]["id"]
    assert web.world.keys() == before
    web.world.settle()
    assert not set(web.world.keys()) & set(before)
    assert [run["reason"] for run in runs(web, connection)] == ["manual", "enabled"]


def test_rotate_now_reads_the_connection_and_the_callers_role_once(web: ApiClient) -> None:
    connection = web.create_rotating(projectId=web.project_id)
    web.world.settle()
    with statements(web) as executed:
        web.ask("POST", f"{connection['id']}/rotate-credentials", who="project-member")
    assert len([statement for statement in executed if "app_connections.id =" in statement]) == 1, executed
    assert len([statement for statement in executed if "project_members" in statement]) == 1, executed


@pytest.mark.parametrize(("body", "query"), [({"reason": "leaked"}, {}), (None, {"reason": "leaked"})])
def test_a_leaked_secret_is_said_in_body_or_query(web: ApiClient, body: Json | None, query: Json) -> None:
    connection = web.create_rotating()
    web.world.settle()
    answer = web.ask("POST", f"{connection['id']}/rotate-credentials", body, **query)
    assert answer["appConnection"]["rotation"]["activeRun"]["reason"] == "leaked"


def test_there_is_nothing_to_rotate_without_a_rotation(web: ApiClient) -> None:
    connection = web.create()
    for method, path in (("POST", "rotate-credentials"), ("GET", "credentials"), ("GET", "rotation-runs")):
        answer = web.ask(method, f"{connection['id']}/{path}", expect=404)
        assert answer["code"] == "rotation.not_set_up"
        assert "isAutoRotationEnabled" in answer["fix"]
    web.ask("POST", f"{connection['id']}/rotate-credentials", {"reason": "boredom"}, expect=422)


# --- history ----------------------------------------------------------------------------------------------------------


def test_the_journal_tells_the_life_of_every_secret(web: ApiClient) -> None:
    connection = web.create_rotating()
    web.world.settle()
    new, old = journal(web, connection)
    assert (new["state"], new["adopted"], new["generation"]) == ("current", False, 1)
    assert web.world.keys() == {new["keyId"]: new["displayName"]}
    lived = [new[name] for name in ("plannedAt", "askedAt", "issuedAt", "provenAt", "publishedAt")]
    assert lived == sorted(lived)
    assert (new["retiredAt"], new["revokedAt"]) == (None, None)
    assert new["hint"] == web.world.current_secret(web.world.all_connections()[0]).hint()
    assert (old["state"], old["adopted"], old["displayName"]) == ("revoked", True, "secret 1")
    assert old["publishedAt"] < old["retiredAt"] <= old["revokeAfter"] < old["revokedAt"]


def test_runs_tell_every_step(web: ApiClient) -> None:
    connection = web.create_rotating()
    web.world.settle()
    (run,) = runs(web, connection)
    assert (run["reason"], run["state"], run["failure"]) == ("enabled", "succeeded", None)
    assert run["requestedBy"] == {"kind": "user", "id": web.world.actor.id, "name": "Ada"}
    assert run["durationMs"] == 4000
    steps = {step["step"]: step for step in run["steps"]}
    assert list(steps)[:6] == ["inspect", "plan", "announce", "issue", "prove", "publish"]
    assert {"remove", "confirm"} <= set(steps)
    assert (steps["prove"]["repeats"], steps["prove"]["outcome"], steps["prove"]["durationMs"]) == (3, "done", 4000)


def test_runs_come_in_pages(web: ApiClient) -> None:
    connection = web.create_rotating(rotation=WEEKLY | {"rotationInterval": 1})
    web.world.run_until(web.world.clock.now() + timedelta(days=5))
    everything = runs(web, connection)
    pages: list[Json] = []
    before: Json = {}
    while page := runs(web, connection, limit="2", **before):
        assert len(page) <= 2
        pages += page
        before = {"before": page[-1]["createdAt"]}
    assert pages == everything
    assert len(everything) == 5
    ends = ({"before": "9999-12-31T23:59:59-14:00"}, {"before": "0001-01-01T00:00:00+14:00"})
    for query in ({"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"before": "yesterday"}, *ends):
        web.ask("GET", f"{connection['id']}/rotation-runs", expect=422, **query)


def test_a_failure_says_what_happened_and_what_to_do(web: ApiClient) -> None:
    connection = web.create_rotating()
    web.world.settle()
    world = web.world
    world.emulator.admin.withdraw(world.application.principal_id, OWNED)
    world.clock.advance(7200)  # tokens issued before still have the permission
    web.ask("POST", f"{connection['id']}/rotate-credentials")
    world.settle()

    view = web.get(connection)["rotation"]
    assert (view["rotationStatus"], view["consecutiveFailures"], view["activeRun"]) == ("failed", 1, None)
    assert "Application.ReadWrite.OwnedBy" in view["lastRotationMessage"]
    failed = runs(web, connection)[0]
    assert failed["state"] == "failed"
    assert failed["failure"].items() >= {"code": "azure.permission_missing", "kind": "needs-action"}.items()
    assert "az ad app permission add" in failed["failure"]["fix"]
    assert failed["steps"][-1]["outcome"] == "failed"

    world.emulator.admin.grant(world.application.principal_id, OWNED)
    web.ask("POST", f"{connection['id']}/rotate-credentials")
    world.settle()
    mended = web.get(connection)["rotation"]
    assert (mended["rotationStatus"], mended["consecutiveFailures"], mended["lastRotationMessage"]) == (
        "success",
        0,
        None,
    )


# --- the test of a connection ------------------------------------------------------------------------------------------


def test_a_healthy_connection(web: ApiClient) -> None:
    connection = web.create_rotating()
    web.world.settle()
    report = web.ask("POST", f"{connection['id']}/test")
    assert report["ok"] is True
    assert [(check["name"], check["ok"]) for check in report["checks"]] == [
        ("sign-in", True),
        ("application", True),
        ("permission", True),
    ]
    assert report["checkedAt"].endswith("Z")
    assert set(report["checks"][0]) == {"name", "ok", "message", "fix", "code"}


def test_a_broken_connection(web: ApiClient) -> None:
    connection = web.create()
    web.world.emulator.admin.remove_secret(web.world.application.object_id, str(web.world.first_secret().key_id))
    report = web.ask("POST", f"{connection['id']}/test")
    assert report["ok"] is False
    (check,) = report["checks"]
    assert (check["name"], check["ok"], check["code"]) == ("sign-in", False, "azure.secret_invalid")
    assert "make a new secret" in check["fix"]


# --- deleting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"), [({}, 0), ({"revokeCredentials": "true"}, 0), ({"revokeCredentials": "false"}, 1)]
)
def test_deleting_says_which_secrets_stay_valid(web: ApiClient, query: Json, expected: int) -> None:
    connection = web.create_rotating()
    web.world.settle()
    (key_id,) = web.world.keys()
    answer = web.ask("DELETE", connection["id"], **query)
    assert answer["appConnection"]["id"] == connection["id"]
    assert [credential["keyId"] for credential in answer["staysValid"]] == [key_id] * expected
    web.world.settle()
    assert list(web.world.keys()) == [key_id] * expected
    web.ask("GET", connection["id"], expect=404)


def test_a_secret_that_was_only_lent_stays_by_default(web: ApiClient) -> None:
    connection = web.create_rotating()
    answer = web.ask("DELETE", connection["id"])
    assert [credential["displayName"] for credential in answer["staysValid"]] == ["secret 1"]
    web.world.settle()
    assert list(web.world.keys().values()) == ["secret 1"]


def test_only_yes_or_no_decides_about_revoking(web: ApiClient) -> None:
    connection = web.create_rotating()
    assert web.ask("DELETE", connection["id"], expect=422, revokeCredentials="perhaps")["message"][0]["path"] == [
        "revokeCredentials"
    ]
    web.get(connection)


def test_slow_replicas_do_not_show(web: ApiClient) -> None:
    slow = Settings(replicas=3, token_appear=(5, 40), graph_appear=(1, 20), token_vanish=(5, 60), graph_vanish=(5, 60))
    changes = {name: getattr(slow, name) for name in ("replicas", "token_appear", "graph_appear", "token_vanish")}
    web.world.emulator.admin.configure(web.world.tenant_id, **changes, graph_vanish=slow.graph_vanish)
    connection = web.create_rotating()
    web.world.settle()
    (run,) = runs(web, connection)
    assert run["state"] == "succeeded"
    assert web.get(connection)["rotation"]["rotationStatus"] == "success"
