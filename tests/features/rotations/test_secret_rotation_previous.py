"""What programs may hold beside the current secret: until when it works, made current again, and made by hand.

GET  .../azure-client-secret/:id/credentials              {"credentials": [{..., "usableUntil": ...}]}, the newest first
GET  .../azure-client-secret/:id/rotation-runs            {"rotationRuns": [...]}
POST .../azure-client-secret/:id/make-previous-current    {"secretRotation": {...}}
POST .../azure-client-secret/:id/hand-over                {"keyId": ..., "clientSecret": ...}
POST .../azure-client-secret/:id/release                  {"keyId": ...}
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import sqlite_database
from tests.features.rotations.secret_desk import CONNECTIONS, NOBODY, RotationClient, desk, make_application


@pytest.fixture
def web(tmp_path: Path) -> Iterator[RotationClient]:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as opened:
        yield opened
        told = "".join(opened.answers)
        assert not [secret for secret in opened.world.values_ever_issued() if secret in told], "a secret shows"


def test_each_secret_is_told_with_its_dates_and_until_when_it_works(web: RotationClient) -> None:
    rotation = web.create()
    web.days(32)
    current, previous = web.ask("GET", f"{rotation['id']}/credentials")["credentials"]
    assert (current["state"], previous["state"]) == ("current", "retiring")
    assert {current["keyId"], previous["keyId"]} == set(web.keys())
    following = web.get(rotation)["nextRotationAt"]
    assert (current["usableUntil"], previous["usableUntil"]) == (following, following)
    assert previous["revokeAfter"] == following
    before = web.values()["AZURE_CLIENT_SECRET"]
    web.rotate(rotation)
    promised = {
        each["keyId"]: each["usableUntil"] for each in web.ask("GET", f"{rotation['id']}/credentials")["credentials"]
    }
    assert promised[previous["keyId"]] == following, "a rotation by hand shortens nothing"
    assert promised[current["keyId"]] >= following
    assert web.signs_in(before)
    runs = web.ask("GET", f"{rotation['id']}/rotation-runs")["rotationRuns"]
    assert [run["reason"] for run in runs] == ["manual", "scheduled", "enabled"]
    assert {run["state"] for run in runs} == {"succeeded"}


def test_the_previous_secret_is_published_again_once_it_has_signed_in(web: RotationClient) -> None:
    rotation = web.create()
    nothing = web.ask("POST", f"{rotation['id']}/make-previous-current", expect=400)
    assert nothing["fix"]
    first = web.values()["AZURE_CLIENT_SECRET"]
    web.rotate(rotation)
    second = web.values()["AZURE_CLIENT_SECRET"]
    web.ask("POST", f"{rotation['id']}/make-previous-current")
    assert web.values()["AZURE_CLIENT_SECRET"] == first
    assert web.signs_in(second), "who has read it meanwhile can go on"
    for key_id in list(web.keys()):
        web.world.emulator.admin.remove_secret(web.application.object_id, key_id)
    gone = web.ask("POST", f"{rotation['id']}/make-previous-current", expect=400)
    assert "AADSTS7000215" in gone["message"]
    assert web.values()["AZURE_CLIENT_SECRET"] == first


def test_a_secret_that_was_made_by_hand_is_kept_until_it_is_released(web: RotationClient) -> None:
    by_hand = make_application(web.world, "By hand", secrets=1)
    secret = by_hand.secrets[0]
    parameters = {"objectId": by_hand.object_id, "clientId": by_hand.app_id}
    rotation = web.create(parameters=parameters)
    one = rotation["id"]
    for body, status in (
        ({"keyId": NOBODY, "clientSecret": secret.value}, 400),
        ({"keyId": secret.key_id, "clientSecret": secret.value[:-1] + "x"}, 400),
        ({"keyId": "no-uuid", "clientSecret": secret.value}, 422),
        ({"keyId": secret.key_id, "clientSecret": ""}, 422),
    ):
        web.refused(body, status, url=f"{one}/hand-over")
    web.ask("POST", f"{one}/hand-over", {"keyId": secret.key_id, "clientSecret": secret.value})
    web.days(35)
    entry = next(each for each in web.ask("GET", f"{one}/credentials")["credentials"] if each["keyId"] == secret.key_id)
    assert (entry["adopted"], entry["note"]) == (True, "kept, used elsewhere")
    assert secret.key_id in web.keys(by_hand)
    web.ask("POST", f"{one}/release", {"keyId": NOBODY}, expect=404)
    web.ask("POST", f"{one}/release", {"keyId": secret.key_id})
    web.days(0.1)
    assert secret.key_id not in web.keys(by_hand)


def test_who_may_not_edit_the_connection_rotates_only_what_is_on_its_list(web: RotationClient) -> None:
    web.who = "colleague"
    refused = web.refused(web.body(), 403)
    assert "prod-entra" in refused["message"]
    assert refused["fix"]
    allowed = f"{CONNECTIONS}/{web.connection}/allowed-applications/{web.application.object_id}"
    web.ask("PUT", allowed, expect=403)
    web.ask("PUT", allowed, who="admin")
    rotation = web.create()
    web.ask("DELETE", allowed, who="admin")
    told = web.ask("POST", f"{rotation['id']}/rotate-secrets", expect=500)
    assert "prod-entra" in told["message"]
    assert web.signs_in(web.values()["AZURE_CLIENT_SECRET"])
    assert len(web.keys()) == 1


def test_a_plan_says_what_would_be_done_and_does_nothing(web: RotationClient) -> None:
    before = web.remains()
    plan = web.ask("POST", "plan", web.body())["plan"]
    assert web.remains() == before
    assert (plan["applicationName"], plan["connectionName"], plan["freeSlots"]) == ("Billing", "prod-entra", None)
    assert (plan["isListed"], plan["addsSecret"], plan["secrets"]) == (False, True, [])
    assert plan["endsAt"].startswith("2026-05-04T09:30")
    assert web.ask("POST", "plan", web.body(secretPath="/nowhere"), expect=404)["fix"]
    for who in ("viewer", "colleague"):  # the latter may not put the application on the connection's list
        assert web.ask("POST", "plan", web.body(), who=who, expect=403)["fix"]
    rotation = web.create()
    (secret,) = web.ask("GET", f"{rotation['id']}/plan")["plan"]["secrets"]
    assert (secret["keyId"], secret["isOurs"], secret["removedAt"]) == (
        next(iter(web.keys())),
        True,
        web.get(rotation)["nextRotationAt"],
    )
    shared = web.ask("POST", "plan", web.body(environment="dev"))["plan"]
    assert (shared["addsSecret"], shared["secrets"][0]["removedAt"]) == (False, None)
