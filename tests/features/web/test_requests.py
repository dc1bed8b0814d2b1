"""What comes in: bodies, queries, paths; every fault at once, and never a 500 whatever is sent."""

import asyncio
import codecs
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.errors import Invalid
from keyturn.web.schema.validate import parse
from keyturn.web.server.admission import BodyReads, TooLarge
from keyturn.web.signature import read_query
from tests.client import Client
from tests.features.web.things import AUTH, UUID, CreateThing, client, good_body


@pytest.fixture(scope="module")
def web() -> Client:
    return client()


def issues(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 422, response.text
    shape = response.json()
    assert shape["error"] == "ValidationFailure"
    return list(shape["message"])


def test_a_good_body_arrives_clean_and_typed(web: Client) -> None:
    body = good_body(description="  tenant A ", size=5.0, enabled="False", ownerId=UUID.upper(), App="leaked", ID=3)
    answer = web.post("/api/v1/things", headers=AUTH, json=body).json()["what"]
    assert answer["description"] == "tenant A"
    assert answer["size"] == 5
    assert isinstance(answer["size"], int)
    assert answer["enabled"] is False
    assert answer["owner_id"] == UUID
    assert answer["credentials"]["client_secret"] == "s3cret"


def test_a_byte_order_mark_before_the_json_is_passed_over(web: Client) -> None:
    body = codecs.BOM_UTF8 + json.dumps(good_body()).encode()
    answer = web.post("/api/v1/things", headers={"content-type": "application/json", **AUTH}, content=body)
    assert answer.status_code == 200
    empty = web.request("DELETE", f"/api/v1/things/{UUID}", headers=AUTH, content=codecs.BOM_UTF8 + b" ")
    assert empty.json()["what"]["data"] is None


@pytest.mark.parametrize("body", ['{"name": "a", "name": "b"}', '{"a": [{"n\\u0061me": 1, "name": 1}]}'])
def test_a_name_that_stands_twice_in_an_object_is_refused(web: Client, body: str) -> None:
    """Whichever of the two counted, somebody on the way may have judged the other one."""
    answer = web.post("/api/v1/things", content=body.encode(), headers=AUTH)
    assert answer.status_code == 400
    assert answer.json()["code"] == "request.name_repeated"
    assert "'name'" in answer.json()["message"]


def test_json_in_utf_16_is_named(web: Client) -> None:
    answer = web.post("/api/v1/things", headers=AUTH, content=json.dumps(good_body()).encode("utf-16"))
    assert (answer.status_code, answer.json()["fix"]) == (400, "Send it in UTF-8.")


@pytest.mark.parametrize("headers", [{"content-encoding": "gzip"}, {"content-encoding": "br"}, {}])
def test_a_compressed_body_is_415(web: Client, headers: dict[str, str]) -> None:
    body = gzip.compress(json.dumps(good_body()).encode())
    answer = web.post("/api/v1/things", headers={**headers, **AUTH}, content=body)
    assert (answer.status_code, answer.json()["code"]) == (415, "request.media_type")
    assert "compressed" in answer.json()["message"]
    plain = {"content-encoding": "identity", **AUTH}
    assert web.post("/api/v1/things", headers=plain, json=good_body()).status_code == 200


def test_a_bare_key_of_the_query_is_absent(web: Client) -> None:
    answer = web.get("/api/v1/things?projectId&recursive&limit&", headers=AUTH).json()["what"]
    assert (answer["recursive"], answer["limit"], answer["project_id"]) == (False, 20, None)


def test_all_faults_are_told_at_once(web: Client) -> None:
    body = good_body(name="Bad_Name", description="far too long", size=500, labels=["ok", "No", 3])
    del body["ownerId"]
    issues_by_path = {
        tuple(issue["path"]): issue for issue in issues(web.post("/api/v1/things", headers=AUTH, json=body))
    }
    assert set(issues_by_path) == {("name",), ("ownerId",), ("description",), ("size",), ("labels", 1), ("labels", 2)}
    assert issues_by_path["ownerId",] == {
        "code": "invalid_type",
        "expected": "string",
        "received": "undefined",
        "message": "Required",
        "path": ["ownerId"],
    }


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        (
            {"name": ""},
            {"code": "too_small", "minimum": 1, "type": "string", "inclusive": True, "exact": False, "path": ["name"]},
        ),
        ({"name": "x" * 65}, {"code": "too_big", "maximum": 64, "type": "string", "path": ["name"]}),
        ({"name": "a--b"}, {"code": "custom", "path": ["name"]}),
        ({"name": "-a"}, {"code": "custom", "path": ["name"]}),
        ({"short": "nine-char"}, {"code": "too_big", "maximum": 8, "type": "string", "path": ["short"]}),
        ({"short": ""}, {"code": "too_small", "minimum": 1}),
        ({"name": None}, {"code": "invalid_type", "expected": "string", "received": "null", "path": ["name"]}),
        ({"name": ["a"]}, {"code": "invalid_type", "expected": "string", "received": "array"}),
        (
            {"ownerId": "zz"},
            {"code": "invalid_string", "validation": "uuid", "message": "Invalid uuid", "path": ["ownerId"]},
        ),
        ({"size": 0}, {"code": "too_small", "minimum": 1, "type": "number", "inclusive": True, "path": ["size"]}),
        ({"size": 101}, {"code": "too_big", "maximum": 100, "type": "number"}),
        ({"size": 1.5}, {"code": "invalid_type", "expected": "integer", "received": "float"}),
        ({"size": "5"}, {"code": "invalid_type", "expected": "number", "received": "string"}),
        ({"size": True}, {"code": "invalid_type", "expected": "number", "received": "boolean"}),
        ({"enabled": "maybe"}, {"code": "invalid_type", "expected": "boolean", "received": "string"}),
        ({"enabled": True}, {"code": "custom", "message": "Say how often", "path": ["interval"]}),
        ({"interval": 10**30}, {"code": "too_big", "path": ["interval"]}),
        ({"interval": -(10**30)}, {"code": "too_small", "path": ["interval"]}),
        ({"labels": "a"}, {"code": "invalid_type", "expected": "array", "received": "string"}),
        ({"labels": ["a", "b", "c", "d"]}, {"code": "too_big", "maximum": 3, "type": "array"}),
        ({"credentials": None}, {"code": "invalid_type", "expected": "object", "received": "null"}),
        (
            {"credentials": {"method": "password"}},
            {
                "code": "invalid_union_discriminator",
                "options": ["client-secret", "oauth"],
                "path": ["credentials", "method"],
            },
        ),
        ({"credentials": {}}, {"code": "invalid_union_discriminator", "path": ["credentials", "method"]}),
        ({"credentials": {"method": ["oauth"]}}, {"code": "invalid_union_discriminator"}),
        (
            {"credentials": {"method": "client-secret", "clientId": UUID, "clientSecret": "  "}},
            {"code": "too_small", "message": "must not be empty", "path": ["credentials", "clientSecret"]},
        ),
        ({"description": "a\x00b"}, {"code": "custom", "message": "must not contain the NUL character"}),
    ],
)
def test_each_fault_has_the_shape_that_clients_know(web: Client, change: dict[str, Any], issue: dict[str, Any]) -> None:
    (answer,) = issues(web.post("/api/v1/things", headers=AUTH, json=good_body(**change)))
    assert answer.items() >= issue.items()


def test_null_and_absent_differ_where_it_matters(web: Client) -> None:
    url = f"/api/v1/things/{UUID}"
    assert web.patch(url, headers=AUTH, json={}).json()["what"]["sent"] is False
    what = web.patch(url, headers=AUTH, json={"description": None}).json()["what"]
    assert what == {"id": UUID, "sent": True, "description": None}


def test_queries_are_coerced_and_empty_means_absent(web: Client) -> None:
    query = "projectId=&recursive=True&limit=7&tag=a&tag=b&unknown=1&unknown=2"
    query_values = web.get(f"/api/v1/things?{query}", headers=AUTH).json()["what"]
    assert query_values["project_id"] is None
    assert query_values["recursive"] is True
    assert query_values["limit"] == 7
    assert query_values["tag"] == ["a", "b"]
    assert read_query("tag=straße&tag=%C3%9Cber".encode()) == {"tag": ["straße", "Über"]}


@pytest.mark.parametrize(("text", "truth"), [("true", True), ("1", True), ("FALSE", False), ("0", False), ("", False)])
def test_truths_in_queries(web: Client, text: str, truth: bool) -> None:
    assert web.get(f"/api/v1/things?recursive={text}", headers=AUTH).json()["what"]["recursive"] is truth


def test_faults_of_path_and_query_are_told_together(web: Client) -> None:
    answer = issues(web.get("/api/v1/things?projectId=x&limit=many", headers=AUTH))
    assert [issue["path"] for issue in answer] == [["projectId"], ["limit"]]
    assert answer[1]["received"] == "nan"


def test_a_bad_id_in_the_path_is_a_422(web: Client) -> None:
    (issue,) = issues(web.delete("/api/v1/things/not-a-uuid", headers=AUTH))
    assert issue["path"] == ["thingId"]


def test_the_rest_of_a_path_keeps_its_slashes(web: Client) -> None:
    assert web.get(f"/api/v1/things/{UUID}/a/b%20c", headers=AUTH).json()["what"]["rest"] == "/a/b c"


def test_delete_takes_a_body_and_an_empty_one(web: Client) -> None:
    url = f"/api/v1/things/{UUID}"
    headers = {**AUTH, "content-type": "application/json"}
    assert web.request("DELETE", url, headers=headers, json={"a": 1}).json()["what"]["data"] == {"a": 1}
    assert web.request("DELETE", url, headers=headers).json()["what"]["data"] is None
    assert web.request("GET", "/api/v1/things", headers=headers).status_code == 200


def test_a_body_without_content_type_or_with_another_is_read_as_json(web: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"):
        answer = web.post("/api/v1/anything", headers={"content-type": kind}, content=b'{"a":1}')
        assert answer.json()["what"]["data"] == {"a": 1}


def test_a_stranger_sees_401_and_never_422(web: Client) -> None:
    answer = web.post("/api/v1/things", json={"name": 3})
    assert answer.status_code == 401
    assert answer.json()["message"] == "token missing"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "bearer", "\u00fc\u00fc"])
def test_what_is_no_bearer_token_counts_as_none(web: Client, header: str) -> None:
    answer = web.get("/api/v1/things", headers={"authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.json()["message"]) == (401, "token missing")


def test_the_scheme_may_be_written_in_any_case(web: Client) -> None:
    assert web.get("/api/v1/things", headers={"authorization": "bearer  good-token "}).status_code == 200


HOSTILE = {
    "not-json": b"{",
    "nan": b'{"size": NaN}',
    "infinity": b'{"size": Infinity}',
    "huge-float": b'{"size": 1e999}',
    "huge-int": b'{"size": ' + b"9" * 5000 + b"}",
    "deep-arrays": b"[" * 200_000,
    "deep-objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "deep-inside": json.dumps({"labels": json.loads("[" * 60 + "]" * 60)}).encode(),
    "duplicate-keys": b'{"name":"a","name":3}',
    "invalid-utf8": b'{"name":"\xff\xfe"}',
    "utf16": '{"name":"a"}'.encode("utf-16"),
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "lone-surrogate": rb'{"name":"\ud800"}',
    "nul-in-value": rb'{"name":"a\u0000"}',
    "nul-in-key": rb'{"a\u0000":1}',
    "top-level-list": b"[1]",
    "top-level-null": b"null",
    "top-level-text": b'"x"',
    "trailing": b"{} {}",
    "only-spaces": b"   ",
    "many-faults": json.dumps({"labels": [None] * 50_000}).encode(),
    "long-name": json.dumps({"name": "x" * 500_000}).encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", ["/api/v1/things", "/api/v1/anything", "/api/v1/login"])
def test_hostile_bodies_get_a_clear_refusal(web: Client, path: str, name: str) -> None:
    answer = web.post(path, headers=AUTH, content=HOSTILE[name])
    shape = answer.json()
    assert answer.status_code in {200, 400, 422}, answer.text
    if answer.status_code == 200:
        assert path == "/api/v1/anything"
        return
    assert set(shape) >= {"reqId", "statusCode", "message", "error"}
    assert len(answer.content) < 50_000


@pytest.mark.parametrize("name", ["nul-in-key", "nul-in-value", "deep-objects", "lone-surrogate", "huge-int"])
def test_free_form_json_that_cannot_be_stored_is_refused(web: Client, name: str) -> None:
    assert web.post("/api/v1/anything", content=HOSTILE[name]).status_code in {400, 422}


@pytest.mark.parametrize(
    "query",
    [
        "limit=%00",
        "tag=%00",
        "tag=%ff%fe",
        "tag=%ed%a0%80",
        "limit=9999999999999999999999",
        "recursive=%F0%9F",
        "&&&=&==",
        "%",
        "a=" * 300,
    ],
)
def test_hostile_queries_never_break_the_server(web: Client, query: str) -> None:
    assert web.get(f"/api/v1/things?{query}", headers=AUTH).status_code in {200, 422}


def test_a_query_of_very_many_keys_is_refused(web: Client) -> None:
    answer = web.get("/api/v1/things?" + "&".join(f"k{n}=1" for n in range(2000)), headers=AUTH)
    assert (answer.status_code, answer.json()["error"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    "path", ["/api/v1/things/%00", "/api/v1/things/%ff", "/api/v1/things/..%2f..", "/api/v1/things/" + "x" * 5000]
)
def test_hostile_paths_never_break_the_server(web: Client, path: str) -> None:
    assert web.delete(path, headers=AUTH).status_code in {404, 405, 422}


def test_a_body_over_one_mebibyte_is_refused(web: Client) -> None:
    answer = web.post("/api/v1/anything", content=b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["error"] == "PayloadTooLarge"
    assert web.post("/api/v1/anything", content=b"{}" + b" " * (1024 * 1024 - 2)).status_code == 200


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["oauth", "client-secret", UUID]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "method", "labels", "x"]), inner)
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*good_body(), "size", "labels", "enabled", "interval"), JSON)))
def test_any_json_is_either_right_or_refused_with_faults(body: dict[str, Any]) -> None:
    issues: list[Any] = []
    try:
        assert parse(CreateThing, body).size in range(1, 101)
    except Invalid as error:
        issues.extend(error.issues)
    assert all(issue["code"] and issue["message"] and isinstance(issue["path"], list) for issue in issues)
    json.dumps(issues)


@given(st.binary(max_size=60))
def test_any_query_is_either_right_or_refused(raw: bytes) -> None:
    query = "&".join(
        f"{name}={''.join(f'%{byte:02x}' for byte in raw)}" for name in ("limit", "tag", "projectId", "recursive")
    )
    assert SHARED.get(f"/api/v1/things?{query}", headers=AUTH).status_code in {200, 422}


SHARED = client()


@pytest.mark.parametrize(("of_page", "parts_read"), [(True, 10), (False, 2)])
def test_a_browser_has_sent_all_of_a_large_form_before_it_is_refused(of_page: bool, parts_read: int) -> None:
    """Else it shows that the connection broke, and no page."""
    parts = iter([{"type": "http.request", "body": b"x" * 1_000_000, "more_body": number < 9} for number in range(10)])

    async def receive() -> Any:
        return next(parts)

    with pytest.raises(TooLarge) as refused:
        asyncio.run(BodyReads(5).read(receive, {}, "", of_page=of_page))
    assert 10 - len(list(parts)) == parts_read
    assert "in several parts" in (refused.value.fix or "")
    endless = ({"type": "http.request", "body": b"x" * 1_000_000, "more_body": True} for _ in range(100))

    async def receive_endless() -> Any:
        return next(endless)

    with pytest.raises(TooLarge):
        asyncio.run(BodyReads(5).read(receive_endless, {}, "", of_page=of_page))
    assert len(list(endless)) >= 83
