"""What goes out around every answer."""

import ipaddress

import pytest

from keyturn.web.auth import client_ip
from keyturn.web.server.health import Status
from tests.client import Client
from tests.features.web.things import AUTH, client


@pytest.fixture(scope="module")
def web() -> Client:
    return client()


@pytest.mark.parametrize("path", ["/api/v1/things", "/api/status", "/healthz", "/api/docs/json", "/nothing"])
def test_security_headers_are_everywhere(web: Client, path: str) -> None:
    headers = web.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-request-id"].startswith("req-")


def test_nothing_under_api_is_stored_by_caches(web: Client) -> None:
    for path in ("/api/v1/things", "/api/status", "/api/nothing"):
        assert web.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/status/", "/api/v1/things/", "/api//status", "/healthz///"])
def test_slashes_at_the_end_and_doubled_ones_are_ignored(web: Client, path: str) -> None:
    assert web.get(path, headers=AUTH).status_code == 200


def test_json_has_a_strong_etag_and_304_follows(web: Client) -> None:
    first = web.get("/api/docs/json")
    etag = first.headers["etag"]
    assert etag.startswith('"')
    for tags in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = web.get("/api/docs/json", headers={"if-none-match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert "content-length" not in again.headers
    assert web.get("/api/docs/json", headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ("{}", 304),
        ("W/{}", 304),
        ('"a", W/"b" ,{}', 304),
        ('"a,b",{}', 304),
        (", {},", 304),
        ("*", 304),
        ("", 200),
        ('"*"', 200),
        ("*, {}", 200),
        ("w/{}", 200),
        ('"before {} after"', 200),
        ("junk {}", 200),
        ('"open, {}', 200),
        (" " * 20_000 + "x", 200),
    ],
)
def test_a_304_is_for_a_tag_in_a_list_of_tags_only(web: Client, tags: str, status: int) -> None:
    etag = web.get("/api/docs/json").headers["etag"]
    assert web.get("/api/docs/json", headers={"if-none-match": tags.replace("{}", etag)}).status_code == status


def test_a_stranger_with_the_right_tag_is_refused_like_any_stranger(web: Client) -> None:
    assert web.get("/api/v1/things", headers={"if-none-match": "*"}).status_code == 401


def test_etags_are_for_good_answers_to_get_only(web: Client) -> None:
    assert "etag" not in web.get("/api/v1/things").headers
    assert "etag" not in web.post("/api/v1/anything", json={}).headers
    assert web.post("/api/v1/anything", json={}, headers={"if-none-match": "*"}).status_code == 200


def test_head_is_get_without_the_body(web: Client) -> None:
    answer = web.head("/healthz")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == web.get("/healthz").headers["etag"]


def test_no_content_has_no_body(web: Client) -> None:
    answer = web.post("/api/v1/quiet")
    assert (answer.status_code, answer.content) == (204, b"")


def test_other_origins_are_served_only_when_named() -> None:
    asking = {"origin": "https://ui.example", "access-control-request-method": "POST"}
    off = client()
    assert "access-control-allow-origin" not in off.get("/api/status", headers=asking).headers
    on = client(cors_origins=["https://ui.example"])
    preflight = on.options("/api/v1/things", headers=asking)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://ui.example"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    for path in ("/api/status", "/nothing", "/api/v1/things"):
        assert on.get(path, headers=asking).headers["access-control-allow-origin"] == "https://ui.example"
    other = on.get("/api/status", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in preflight.headers


TRUSTED = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "ip"),
    [
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["garbage"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        (None, ["1.2.3.4"], "0.0.0.0"),
    ],
)
def test_forwarded_addresses_are_believed_from_trusted_proxies_only(
    peer: str | None, forwarded: list[str], ip: str
) -> None:
    assert client_ip(peer, forwarded, TRUSTED) == ip


def test_status_and_readiness_tell_what_is_missing() -> None:
    web = client(status=lambda: Status(database=False, worker=True))
    assert web.get("/api/status").json().items() >= {"ok": False, "database": False, "worker": True}.items()
    assert web.get("/api/status").status_code == 200
    assert web.get("/readyz").status_code == 503
    assert web.get("/healthz").status_code == 200
    assert client().get("/readyz").status_code == 200
