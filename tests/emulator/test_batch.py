"""$batch: many requests in one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from entra_emulator import HANG, RESET, SERVICE_UNAVAILABLE, ApplicationHandle, Budget, Response, slow
from tests.emulator.scene import EmulatorFixture

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def manager(scene: EmulatorFixture) -> ApplicationHandle:
    return scene.manager()


def send(scene: EmulatorFixture, by: ApplicationHandle, *items: Any) -> Response:
    return scene.graph(by, "POST", "$batch", {"requests": list(items)})


def answers(scene: EmulatorFixture, by: ApplicationHandle, *items: Any) -> dict[str, dict[str, Any]]:
    response = send(scene, by, *items)
    assert response.status == 200
    return {item["id"]: item for item in response.json()["responses"]}


def read(name: str, app: ApplicationHandle, **more: Any) -> dict[str, Any]:
    return {"id": name, "method": "GET", "url": f"/applications/{app.object_id}?$select=id"} | more


def add(name: str, app: ApplicationHandle, **more: Any) -> dict[str, Any]:
    place = f"applications/{app.object_id}/addPassword"
    return {"id": name, "method": "POST", "url": place, "headers": JSON, "body": {}} | more


def test_each_item_has_an_answer_of_its_own(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    missing = {"id": "c", "method": "GET", "url": "/applications/11111111-1111-4111-8111-111111111111"}
    key_id = app.secrets[0].key_id
    remove = add("d", app) | {"url": f"/applications/{app.object_id}/removePassword", "body": {"keyId": key_id}}
    responses = answers(scene, manager, read("a", app), add("b", app), missing, remove)
    assert {name: item["status"] for name, item in responses.items()} == {"a": 200, "b": 200, "c": 404, "d": 204}
    assert responses["a"]["body"]["id"] == app.object_id
    assert responses["b"]["body"]["secretText"]
    assert responses["c"]["body"]["error"]["code"] == "Request_ResourceNotFound"
    assert "body" not in responses["d"]
    assert responses["a"]["headers"]["request-id"] != responses["b"]["headers"]["request-id"]


def test_the_answers_come_in_any_order(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    names = [str(number) for number in range(20)]
    orders = {
        tuple(item["id"] for item in send(scene, manager, *(read(name, app) for name in names)).json()["responses"])
        for _ in range(3)
    }
    assert len(orders) == 3
    assert all(sorted(order) == sorted(names) for order in orders)


def test_items_have_the_permissions_of_the_caller_and_stand_in_the_ledger(scene: EmulatorFixture) -> None:
    nobody, app = scene.application("nobody"), scene.application()
    assert answers(scene, nobody, add("a", app))["a"]["status"] == 403
    entries = scene.emulator.ledger.query(caller=nobody.app_id)
    assert [entry.operation for entry in entries] == ["token", "batch", "addPassword"]
    assert (entries[2].status, entries[2].application) == (403, app.object_id)
    assert scene.emulator.call(type_of_request(scene)).status == 401


def type_of_request(scene: EmulatorFixture) -> Any:
    from entra_emulator import Request  # noqa: PLC0415 - only this test sends one without a token

    return Request("POST", "https://graph.microsoft.com/v1.0/$batch", JSON, b'{"requests": []}')


def test_what_depends_on_a_failure_fails(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    bad = add("1", app) | {"body": {"passwordCredential": 7}}
    responses = answers(scene, manager, bad, add("2", app, dependsOn=["1"]), read("3", app, dependsOn=["2"]))
    assert [responses[name]["status"] for name in "123"] == [400, 424, 424]
    assert responses["2"]["body"]["error"]["code"] == "FailedDependency"
    assert len(scene.emulator.admin.secrets(app.object_id)) == 1


@pytest.mark.parametrize(
    ("needs", "status"),
    [
        ({}, 200),
        ({"2": ["1"], "3": ["2"]}, 200),
        ({"2": ["1"], "3": ["1"]}, 200),
        ({"3": ["1"]}, 200),
        ({"2": ["1"], "3": ["1", "2"]}, 400),
        ({"1": ["2"]}, 400),
        ({"1": ["1"]}, 400),
        ({"2": ["9"]}, 400),
        ({"2": "1"}, 400),
        ({"2": [1]}, 400),
    ],
)
def test_dependencies_are_none_a_chain_or_the_same(
    scene: EmulatorFixture, manager: ApplicationHandle, needs: dict[str, Any], status: int
) -> None:
    app = scene.application()
    items = [read(name, app, **({"dependsOn": needs[name]} if name in needs else {})) for name in "123"]
    assert send(scene, manager, *items).status == status


@pytest.mark.parametrize("count", [0, 20, 21])
def test_a_batch_has_one_to_twenty_items(scene: EmulatorFixture, manager: ApplicationHandle, count: int) -> None:
    app = scene.application()
    answer = send(scene, manager, *(read(str(number), app) for number in range(count)))
    assert answer.status == (200 if count == 20 else 400)
    if count == 21:
        assert "exceeds the maximum value of 20" in answer.json()["error"]["message"]


BAD: dict[str, Any] = {
    "not an object": 7,
    "no id": {"method": "GET", "url": "/applications"},
    "an id that is no text": {"id": 1, "method": "GET", "url": "/applications"},
    "no method": {"id": "1", "url": "/applications"},
    "an unknown method": {"id": "1", "method": "BREW", "url": "/applications"},
    "no url": {"id": "1", "method": "GET"},
    "an empty url": {"id": "1", "method": "GET", "url": "/"},
    "an absolute url": {"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/applications"},
    "headers that are a list": {"id": "1", "method": "GET", "url": "/applications", "headers": ["a"]},
    "a header that is no text": {"id": "1", "method": "GET", "url": "/applications", "headers": {"a": 1}},
    "a body without a type": {"id": "1", "method": "POST", "url": "/applications", "body": {}},
}


@pytest.mark.parametrize("what", BAD)
def test_a_malformed_item_spoils_the_whole_batch(scene: EmulatorFixture, manager: ApplicationHandle, what: str) -> None:
    app = scene.application()
    answer = send(scene, manager, add("good", app), BAD[what])
    assert (answer.status, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert len(scene.emulator.admin.secrets(app.object_id)) == 1


@pytest.mark.parametrize("requests", [None, 7, "x", {}, [None], [[]]])
def test_a_batch_needs_a_list_of_items(scene: EmulatorFixture, manager: ApplicationHandle, requests: Any) -> None:
    assert scene.graph(manager, "POST", "$batch", {"requests": requests}).status == 400


def test_an_id_comes_once(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    assert send(scene, manager, read("1", app), read("1", app)).status == 400


def test_a_batch_inside_a_batch_is_refused(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    inner = {"id": "1", "method": "POST", "url": "/$batch", "headers": JSON, "body": {"requests": []}}
    assert answers(scene, manager, inner)["1"]["status"] == 400


def test_one_item_is_throttled_and_the_others_are_not(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    scene.emulator.admin.configure(scene.tenant, graph_budget=Budget(2, 10.0))
    responses = answers(scene, manager, *(read(name, app) for name in "123"))
    assert [responses[name]["status"] for name in "123"] == [200, 200, 429]
    assert responses["3"]["headers"]["Retry-After"] == "10"
    assert responses["3"]["body"]["error"]["code"] == "TooManyRequests"


@pytest.mark.parametrize("effect", [SERVICE_UNAVAILABLE, RESET, HANG])
def test_an_item_may_take_effect_although_its_answer_is_lost(
    scene: EmulatorFixture, manager: ApplicationHandle, effect: Any
) -> None:
    app = scene.application()
    scene.emulator.faults.fail_nth("addPassword", 2, effect)
    responses = answers(scene, manager, add("1", app), add("2", app), read("3", app))
    assert [responses[name]["status"] // 100 for name in "123"] == [2, 5, 2]
    assert len(scene.emulator.admin.secrets(app.object_id)) == 3


def test_the_batch_itself_may_fail_after_all_of_it_took_effect(
    scene: EmulatorFixture, manager: ApplicationHandle
) -> None:
    app = scene.application()
    scene.emulator.faults.fail_next("batch", SERVICE_UNAVAILABLE)
    assert send(scene, manager, add("1", app)).status == 503
    assert len(scene.emulator.admin.secrets(app.object_id)) == 2


def test_conflicts_strike_items_that_write_to_one_object(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    scene.emulator.admin.configure(scene.tenant, conflict_window=5.0)
    responses = answers(scene, manager, add("1", app), add("2", app))
    assert [responses[name]["status"] for name in "12"] == [200, 409]


def test_headers_of_an_item_are_its_own(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    count = {"id": "1", "method": "get", "url": "/applications/$count", "headers": {"ConsistencyLevel": "eventual"}}
    without = {"id": "2", "method": "GET", "url": "/applications/$count"}
    responses = answers(scene, manager, count, without)
    assert (responses["1"]["status"], responses["1"]["body"], responses["2"]["status"]) == (200, "1", 400)


def test_a_body_that_is_not_json_comes_as_base64(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    app = scene.application()
    text = base64.b64encode(b"plain").decode()
    for body in (text, "not base64 é", [1]):
        item = add("1", app) | {"headers": {"content-type": "text/plain"}, "body": body}
        assert answers(scene, manager, item)["1"]["status"] == 400


@pytest.mark.parametrize("url", ["/é ü", "/applications/" + "x" * 9000, "/%zz", "/applications?$filter=(((", "/\ud800"])
def test_a_bad_address_of_an_item_is_an_odata_error(
    scene: EmulatorFixture, manager: ApplicationHandle, url: str
) -> None:
    response = answers(scene, manager, {"id": "1", "method": "GET", "url": url})["1"]
    assert 400 <= response["status"] < 500
    assert response["body"]["error"]["code"]


def test_a_slow_item_does_not_spoil_the_batch(scene: EmulatorFixture, manager: ApplicationHandle) -> None:
    scene.emulator.faults.fail_next("getApplication", slow(5))
    assert answers(scene, manager, read("1", scene.application()))["1"]["status"] == 200
