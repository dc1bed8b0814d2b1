"""One shape for every error of every route."""

import re
from typing import Any

import pytest

from keyturn.web.reference.openapi import operations_of
from tests.client import Client
from tests.features.web.things import AUTH, FAULTS, application, client

REQUEST_ID = re.compile(r"req-[A-Za-z0-9]{14}")


@pytest.fixture(scope="module")
def web() -> Client:
    return client()


def assert_shape(answer: Any) -> dict[str, Any]:
    shape: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert REQUEST_ID.fullmatch(shape["reqId"])
    assert shape["reqId"] == answer.headers["x-request-id"]
    assert shape["statusCode"] == answer.status_code
    assert isinstance(shape["error"], str)
    assert isinstance(shape["message"], list if answer.status_code == 422 else str)
    assert set(shape) <= {"reqId", "statusCode", "message", "error", "details", "code", "fix"}
    return shape


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("refused", 400, "BadRequest"),
        ("unauthenticated", 401, "UnauthorizedError"),
        ("token", 403, "TokenError"),
        ("forbidden", 403, "PermissionDenied"),
        ("not-found", 404, "NotFound"),
        ("invalid", 422, "ValidationFailure"),
        ("too-many", 429, "RateLimitExceeded"),
        ("needs-action", 400, "BadRequest"),
        ("misconfigured", 500, "InternalServerError"),
        ("bug", 500, "InternalServerError"),
        ("group", 500, "InternalServerError"),
        ("recursion", 500, "InternalServerError"),
    ],
)
def test_every_error_has_one_shape(web: Client, name: str, status: int, error: str) -> None:
    answer = web.post(f"/api/v1/faults/{name}")
    shape = assert_shape(answer)
    assert (shape["statusCode"], shape["error"]) == (status, error)


def test_code_fix_and_details_are_added_where_known(web: Client) -> None:
    refused = web.post("/api/v1/faults/refused").json()
    assert (refused["code"], refused["fix"], "details" in refused) == ("x.no", "do this", False)
    forbidden = web.post("/api/v1/faults/forbidden").json()
    assert forbidden["details"] == [{"action": "edit", "inverted": False}]
    assert "fix" not in forbidden


def test_an_error_of_the_identity_provider_says_what_and_what_to_do(web: Client) -> None:
    shape = web.post("/api/v1/faults/needs-action").json()
    assert shape["message"] == "AADSTS7000215: bad secret. Make a new one."


def test_an_unknown_error_says_nothing_of_itself(web: Client) -> None:
    answer = web.post("/api/v1/faults/bug")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    assert "Traceback" not in answer.text


def test_slow_down_says_for_how_long(web: Client) -> None:
    headers = web.post("/api/v1/faults/too-many").headers
    assert (headers["retry-after"], headers["x-ratelimit-reset"], headers["x-ratelimit-remaining"]) == ("3", "3", "0")


def test_an_unknown_route_has_the_form_of_the_framework(web: Client) -> None:
    answer = web.get("/api/v1/nothing/here?secret=x", headers=AUTH)
    assert answer.status_code == 404
    assert answer.json() == {
        "message": "Route GET:/api/v1/nothing/here not found",
        "error": "Not Found",
        "statusCode": 404,
    }


def test_a_wrong_method_names_the_right_ones(web: Client) -> None:
    answer = web.put("/api/v1/things", headers=AUTH)
    assert_shape(answer)
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {part.strip() for part in answer.headers["allow"].split(",")}


def test_a_request_id_of_the_caller_is_not_trusted(web: Client) -> None:
    forged = "req-AAAAAAAAAAAAAA"
    answer = web.get("/api/v1/things", headers={"x-request-id": forged, "reqid": forged, **AUTH})
    assert answer.headers["x-request-id"] != forged
    assert answer.json()["what"]["requestId"] == answer.headers["x-request-id"]


def every_route() -> list[tuple[str, str, bool]]:
    operations = operations_of(application().endpoints)
    return [(each.method, re.sub(r"\{[^}]*\}", "x%00y", each.path), each.public) for each in operations]


@pytest.mark.parametrize(("method", "path", "public"), every_route())
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"authorization": "Bearer bad"}, b"{}"),
        (AUTH, b"{"),
        (AUTH, b"[]"),
        (AUTH, b"{}"),
        (AUTH, b" " * (1024 * 1024 + 1)),
        ({"host": "evil example", **AUTH}, b""),
    ],
)
def test_every_route_keeps_to_the_shape(
    web: Client, method: str, path: str, public: bool, headers: dict[str, str], body: bytes
) -> None:
    answer = web.request(method, path, headers=headers, content=body)
    if answer.status_code >= 400 and "/faults/" not in path:
        assert_shape(answer)
        assert answer.status_code < 500
    if not public and not headers:
        assert answer.status_code == 401
    if not public and headers.get("authorization") == "Bearer bad":
        assert answer.status_code == 403


def test_the_faults_are_all_tried() -> None:
    tried = next(mark for mark in test_every_error_has_one_shape.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {row[0] for row in tried.args[1]} == set(FAULTS)
