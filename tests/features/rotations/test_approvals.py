"""Two persons: what is asked for is done once another one has approved it, exactly as it was asked, and once.

PUT  /api/v1/approval-rules                 {"isRequired": true, "isEmergencyAllowed": true, "hours": 24}
POST .../rotate-secrets  {"reason": "leaked"}                            403 approvals.needed: nothing was done
POST .../rotate-secrets  {"reason": "leaked", "approvalReason": "..."}   202 {"approvalRequest": {"id", "state": "pending", ...}}
GET  /api/v1/approval-requests/:id          {"approvalRequest", "mayDecide", "preview": {"credentials", "hasChanged"}}
POST /api/v1/approval-requests/:id/approve  {"approvalRequest": {"state": "approved", ...}}
POST /api/v1/approval-requests/:id/reject   {"note": "..."}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keyturn.approvals import store
from keyturn.db.unit import Database
from keyturn.identities.store import note_maker
from keyturn.kit.actor import ActorKind, Role
from keyturn.projects import member_store
from tests.features.accounts.people import person
from tests.features.rotations.secret_desk import CONNECTIONS, RotationClient, desk

RULES, REQUESTS = "/api/v1/approval-rules", "/api/v1/approval-requests"
Json = dict[str, Any]


@pytest.fixture
def web(database: Database, tmp_path: Path) -> Iterator[RotationClient]:
    with desk(database, tmp_path) as opened:
        world = opened.world
        opened.actors["second"] = person(database, world.actor.org_id, Role.ADMIN, "second@contoso.test")
        yield opened
        told = "".join(opened.answers)
        assert not [secret for secret in world.values_ever_issued() if secret in told], "a secret shows"


def switch_on(web: RotationClient, **more: Any) -> None:
    web.ask("PUT", RULES, {"isRequired": True, **more})


def decide(web: RotationClient, request: Json, how: str, who: str, expect: int = 200, **body: Any) -> Json:
    return web.ask("POST", f"{REQUESTS}/{request['id']}/{how}", body, who=who, expect=expect)


def ask_for_leak(web: RotationClient, rotation: Json, who: str = "member") -> Json:
    body = {"reason": "leaked", "approvalReason": "It was in a log."}
    asked: Json = web.ask("POST", f"{rotation['id']}/rotate-secrets", body, who=who, expect=202)["approvalRequest"]
    return asked


def test_what_leaked_is_replaced_once_another_person_has_approved(web: RotationClient) -> None:
    rotation = web.create()
    leaked = web.values()["AZURE_CLIENT_SECRET"]
    switch_on(web)
    refused = web.ask("POST", f"{rotation['id']}/rotate-secrets", {"reason": "leaked"}, who="member", expect=403)
    assert (refused["code"], refused["error"]) == ("approvals.needed", "PolicyViolationError")
    assert "approvalReason" in refused["fix"]
    asked = ask_for_leak(web, rotation)
    assert (asked["state"], asked["reason"], asked["requestedBy"]["name"]) == (
        "pending",
        "It was in a log.",
        "member@contoso.test",
    )
    assert ask_for_leak(web, rotation)["id"] == asked["id"], "the same again is the same request"
    web.days(0.1)
    assert web.values()["AZURE_CLIENT_SECRET"] == leaked, "nothing was done"
    for who, code in (
        ("member", "approvals.same_person"),
        ("robot", "approvals.not_a_person"),
        ("viewer", "access.forbidden"),
    ):
        assert decide(web, asked, "approve", who, 403)["code"] == code
    decide(web, asked, "approve", "stranger", 404)
    shown = web.ask("GET", f"{REQUESTS}/{asked['id']}", who="colleague")
    assert shown["mayDecide"] is True
    (fate,) = shown["preview"]["credentials"]
    assert [fate["keyId"]] == list(web.keys())
    assert fate["removedAt"] is not None
    assert [each["id"] for each in web.ask("GET", REQUESTS, who="colleague")["approvalRequests"]] == [asked["id"]]
    assert web.ask("GET", REQUESTS, who="viewer")["approvalRequests"] == []

    decided = decide(web, asked, "approve", "colleague")["approvalRequest"]
    assert (decided["state"], decided["decision"]["byName"]) == ("approved", "colleague@contoso.test")
    assert decide(web, asked, "approve", "second", 400)["code"] == "approvals.decided"
    web.days(0.1)
    assert web.values()["AZURE_CLIENT_SECRET"] != leaked
    assert not web.signs_in(leaked)
    asking, giving = web.world.events("request-approval")[-1], web.world.events("approve-request")[-1]
    assert (asking["actor_name"], giving["actor_name"]) == ("member@contoso.test", "colleague@contoso.test")
    assert giving["data"]["askedBy"]["name"] == "member@contoso.test"


def test_a_request_holds_for_what_was_seen_for_its_time_and_for_who_may_still_do_it(web: RotationClient) -> None:
    rotation = web.create()
    switch_on(web)
    asked = ask_for_leak(web, rotation)
    web.rotate(rotation)
    assert web.ask("GET", f"{REQUESTS}/{asked['id']}")["preview"]["hasChanged"] is True
    assert decide(web, asked, "approve", "second", 400)["code"] == "approvals.changed_meanwhile"
    stale, asked = asked, ask_for_leak(web, rotation)
    assert asked["id"] != stale["id"], "what was asked for before can not be approved any more"
    assert web.ask("GET", f"{REQUESTS}/{asked['id']}")["preview"]["hasChanged"] is False
    decide(web, stale, "reject", "second", note="It was replaced already.")
    web.days(1.1)
    assert decide(web, asked, "approve", "second", 400)["code"] == "approvals.decided"
    assert web.ask("GET", f"{REQUESTS}/{asked['id']}")["approvalRequest"]["state"] == "expired"

    robot = ask_for_leak(web, rotation, who="robot")
    with web.world.database.write() as tx:
        note_maker(tx, web.actors["robot"].id or "", web.actors["admin"])
    assert decide(web, robot, "approve", "admin", 403)["code"] == "approvals.same_person", "who set the machine up"
    with web.world.database.write() as tx:
        member = member_store.member(tx, web.project, ActorKind.IDENTITY, web.actors["robot"].id or "")
        assert member is not None
        member_store.remove_member(tx, member.id)
    assert decide(web, robot, "approve", "second", 400)["code"] == "approvals.asker_may_not"


def test_deletions_are_done_exactly_as_they_were_asked(web: RotationClient) -> None:
    rotation = web.create()
    switch_on(web)
    body = {"approvalReason": "The shop is closed."}
    query = {"revokeGeneratedCredentials": "true"} | body
    assert web.ask("DELETE", rotation["id"], who="member", expect=403)["code"] == "approvals.needed"
    asked = web.ask("DELETE", rotation["id"], who="member", expect=202, **query)["approvalRequest"]
    assert asked["parameters"] == {"deleteSecrets": False, "revokeGeneratedCredentials": True}
    web.ask("DELETE", "/api/v1/projects/" + web.project, expect=400)
    whole = {"projectId": web.project, "endSecretRotations": True}
    assert web.ask("POST", "/api/v1/deletions", whole, expect=400)["code"] == "approvals.in_place"
    decide(web, asked, "approve", "second")
    web.days(0.1)
    assert web.keys() == {}
    web.ask("GET", rotation["id"], expect=404)

    one = f"{CONNECTIONS}/{web.connection}"
    other = web.ask("DELETE", one, who="second", expect=202, **body)["approvalRequest"]
    asked = web.ask("DELETE", one, expect=202, **body)["approvalRequest"]
    (said,) = asked["outcome"]
    assert said.startswith("It does not rotate: nothing is changed at the provider"), "no secret of it is removed"
    assert decide(web, asked, "approve", "admin", 403)["code"] == "approvals.same_person"
    decide(web, asked, "withdraw", "second", 403)
    decide(web, asked, "withdraw", "admin")
    web.ask("GET", one)
    asked = web.ask("DELETE", one, expect=202, **body)["approvalRequest"]
    decide(web, asked, "approve", "second")
    web.ask("GET", one, expect=404)
    assert web.ask("GET", f"{REQUESTS}/{other['id']}")["preview"]["hasChanged"] is True, "it is gone"


def test_a_secret_that_is_handed_over_waits_sealed(web: RotationClient) -> None:
    rotation = web.create()
    switch_on(web)
    made = web.world.emulator.admin.add_secret(web.application.object_id, "by hand")
    body = {"keyId": made.key_id, "clientSecret": made.value}
    assert web.refused(body, 403, url=f"{rotation['id']}/hand-over")["code"] == "approvals.needed"
    asked = web.ask("POST", f"{rotation['id']}/hand-over", body | {"approvalReason": "Still used."}, expect=202)
    shown = str(web.ask("GET", REQUESTS, state="all")) + str(web.remains())
    assert made.value not in shown
    assert made.value not in str(asked)
    decide(web, asked["approvalRequest"], "approve", "second")
    kept = [each for each in web.ask("GET", f"{rotation['id']}/credentials")["credentials"] if each["adopted"]]
    assert [each["keyId"] for each in kept] == [made.key_id]
    with web.world.database.read() as tx:
        assert [request.value for request in store.newest(tx, web.world.actor.org_id, 10)] == [None]


def test_a_secret_is_released_as_it_was_asked_for_and_once(web: RotationClient) -> None:
    rotation = web.create()
    made = web.world.emulator.admin.add_secret(web.application.object_id, "by hand")
    web.ask("POST", f"{rotation['id']}/hand-over", {"keyId": made.key_id, "clientSecret": made.value})
    switch_on(web)
    url, body = f"{rotation['id']}/release", {"keyId": made.key_id}
    assert web.ask("POST", url, body, who="member", expect=403)["code"] == "approvals.needed"
    assert web.signs_in(made.value)
    asked = web.ask("POST", url, body | {"approvalReason": "The batch is gone."}, who="member", expect=202)
    request = asked["approvalRequest"]
    assert request["parameters"] == {"keyId": made.key_id, "confirmed": False}
    assert f"`{made.key_id}` is removed from Entra ID" in request["outcome"][0]
    again = web.ask("POST", url, body | {"approvalReason": "Again."}, who="member", expect=202)["approvalRequest"]
    assert again["id"] == request["id"], "the same again is the same request"
    fates = web.ask("GET", f"{REQUESTS}/{request['id']}")["preview"]["credentials"]
    assert {each["keyId"]: bool(each["removedAt"]) for each in fates}[made.key_id]
    assert sum(bool(each["removedAt"]) for each in fates) == 1, "no other one"
    web.days(1.1)
    assert decide(web, request, "approve", "second", 400)["code"] == "approvals.decided", "it has expired"
    assert web.signs_in(made.value)
    renewed = web.ask("POST", url, body | {"approvalReason": "Now."}, who="member", expect=202)["approvalRequest"]
    decide(web, renewed, "approve", "second")
    assert decide(web, renewed, "approve", "colleague", 400)["code"] == "approvals.decided"
    web.days(0.1)
    assert not web.signs_in(made.value)
    assert made.key_id not in list(web.keys())


def test_new_credentials_wait_sealed_and_are_tried_again_when_they_are_approved(web: RotationClient) -> None:
    one, world = f"{CONNECTIONS}/{web.connection}", web.world
    before = web.ask("GET", one)["appConnection"]
    signer = world.applications[before["credentials"]["clientId"]]
    switch_on(web)

    def typed(secret: str) -> Json:
        given = {"tenantId": world.tenant_id, "clientId": signer.app_id, "clientSecret": secret}
        return {"credentials": given}

    made = world.emulator.admin.add_secret(signer.object_id, "by hand")
    why = {"approvalReason": "The old one was lost."}
    assert web.refused(typed(made.value), 403, method="PATCH", url=one)["code"] == "approvals.needed"
    more = typed(made.value) | {"name": "renamed"} | why
    assert web.refused(more, 400, method="PATCH", url=one)["code"] == "approvals.credentials_alone"
    web.refused(typed("wrong" * 8) | why, 400, method="PATCH", url=one)
    assert web.ask("PATCH", one, {"name": "renamed"})["appConnection"]["name"] == "renamed"

    asked = web.ask("PATCH", one, typed(made.value) | {"name": "renamed"} | why, expect=202)["approvalRequest"]
    assert (asked["parameters"]["clientId"], asked["parameters"]["tenantId"]) == (signer.app_id, world.tenant_id)
    assert made.value not in str(web.ask("GET", REQUESTS, state="all")) + str(web.remains()) + str(asked)
    other = web.ask("PATCH", one, typed(made.value) | why, expect=202)["approvalRequest"]
    assert web.ask("GET", f"{REQUESTS}/{asked['id']}", who="second")["preview"]["hasChanged"] is False
    decide(web, asked, "approve", "second")
    assert world.secret_of(world.connections.get(world.actor, web.connection)).reveal() == made.value
    assert decide(web, other, "approve", "second", 400)["code"] == "approvals.changed_meanwhile"
    decide(web, other, "reject", "second")

    gone = world.emulator.admin.add_secret(signer.object_id, "by hand, too")
    asked = web.ask("PATCH", one, typed(gone.value) | why, expect=202)["approvalRequest"]
    world.emulator.admin.remove_secret(signer.object_id, gone.key_id)
    web.days(0.02)
    refused = decide(web, asked, "approve", "second", 400)
    assert refused["code"] == "azure.secret_invalid", "what does not sign in any more is not stored"
    assert web.ask("GET", f"{REQUESTS}/{asked['id']}")["approvalRequest"]["state"] == "pending"
    assert world.secret_of(world.connections.get(world.actor, web.connection)).reveal() == made.value
    with world.database.read() as tx:
        values = {request.state.value: request.value for request in store.newest(tx, world.actor.org_id, 10)}
    assert (values["approved"], values["rejected"]) == (None, None)


def test_new_credentials_whose_key_id_was_confirmed_are_taken_over_once_they_are_approved(web: RotationClient) -> None:
    world = web.world
    billing = world.connect("billing")
    world.settle()
    switch_on(web)
    old = world.emulator.admin.add_secret(world.application.object_id, hinted=False)
    given = {"tenantId": world.tenant_id, "clientId": world.application.app_id, "clientSecret": old.value}
    body = {"credentials": given, "approvalReason": "It is the one in the safe."}
    one, named = f"{CONNECTIONS}/{billing.id}", {"clientSecretKeyId": old.key_id}
    assert web.refused(body | {"rotation": named}, method="PATCH", url=one)["code"] == "rotation.key_unconfirmed"
    confirmed = body | {"rotation": named | {"confirmKeyId": True}}
    asked = web.ask("PATCH", one, confirmed, expect=202)["approvalRequest"]
    assert (asked["parameters"]["keyId"], asked["parameters"]["confirmKeyId"]) == (old.key_id, True)
    decide(web, asked, "approve", "second")
    world.settle()
    assert old.key_id not in set(world.keys()), "it was taken over, and replaced"


def test_an_emergency_is_for_administrators_and_loud_and_the_rules_are_loosened_by_two(web: RotationClient) -> None:
    rotation = web.create()
    switch_on(web)
    leaked, body = (
        web.values()["AZURE_CLIENT_SECRET"],
        {"reason": "leaked", "emergencyReason": "It is on the internet."},
    )
    url = f"{rotation['id']}/rotate-secrets"
    assert web.ask("POST", url, body, who="member", expect=403)["code"] == "approvals.no_emergency"
    web.ask("POST", url, body)
    web.days(0.001)  # other processes may give it to readers for a second
    assert not web.signs_in(leaked)
    assert web.world.events("bypass-approval")[-1]["data"]["reason"] == "It is on the internet."
    switch_on(web, isEmergencyAllowed=False)
    assert web.ask("POST", url, body, expect=403)["code"] == "approvals.no_emergency"

    off = {"isRequired": False}
    assert web.ask("PUT", RULES, off, expect=403)["code"] == "approvals.needed"
    asked = web.ask("PUT", RULES, off | {"approvalReason": "We are too few."}, expect=202)["approvalRequest"]
    assert decide(web, asked, "approve", "member", 403)["code"] == "access.forbidden"
    assert web.ask("GET", RULES)["approvalRules"]["isRequired"] is True
    decide(web, asked, "approve", "second")
    assert web.ask("GET", RULES)["approvalRules"]["isRequired"] is False
    web.rotate(rotation, reason="leaked")

    web.ask("PUT", RULES, {"isRequired": True}, who="member", expect=403)
    web.ask("PUT", f"{RULES}?projectId={web.project}", {"isRequired": True})
    assert web.ask("POST", url, {"reason": "leaked"}, expect=403)["code"] == "approvals.needed"
