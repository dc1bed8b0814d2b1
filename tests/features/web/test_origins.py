"""Requests of browsers name this server and come from its pages; programs with a token use whatever name leads here."""

import pytest

from keyturn.errors import Forbidden
from keyturn.web.origin import require_host
from tests.features.web.things import TOKEN, client, good_body

THINGS = "/api/v1/things"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PORTAL = "https://portal.example.com"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "keyturn.default.svc.cluster.local:8080"}, 200),
        ({"host": "keyturn", "sec-fetch-site": "cross-site"}, 200),
        ({"origin": "http://keyturn.localhost:8080"}, 200),
        ({"origin": PORTAL, "host": "keyturn"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://rebound.example", "host": "rebound.example", "sec-fetch-site": "same-origin"}, 403),
    ],
)
def test_a_request_with_a_token_is_looked_at_only_when_a_browser_sent_it(headers: dict[str, str], status: int) -> None:
    server = client(cors_origins=[PORTAL])
    assert server.post(THINGS, json=good_body(), headers=BEARER | headers).status_code == status
    assert server.get(THINGS, headers=BEARER | headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "keyturn"}, 200),
        ({"host": "keyturn", "content-type": "text/plain"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://evil.example", "content-type": "text/plain"}, 415),
        ({"origin": "http://keyturn.localhost:8080", "content-type": "text/plain"}, 415),
        ({"origin": "http://keyturn.localhost:8080"}, 200),
    ],
)
def test_another_site_signs_nobody_in(headers: dict[str, str], status: int) -> None:
    body = b'{"name": "x"}'
    answer = client().post("/api/v1/login", content=body, headers={"content-type": "application/json"} | headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "host",
    [
        "keyturn.example",
        "KEYTURN.example.",
        "keyturn.example:8443",
        "localhost",
        "LOCALHOST:80",
        "a.localhost",
        "[::1]",
        "[fe80::1]:8080",
        "10.0.0.1:8080",
        "127.1.2.3",
    ],
)
def test_names_of_this_server(host: str) -> None:
    require_host({"host": host}, "https://keyturn.example")


@pytest.mark.parametrize(
    "host",
    [
        "keyturn.example.evil.test",
        "evil.test",
        "localhost.evil.test",
        "user@evil.test",
        "keyturn.example@evil.test",
        "10.0.0.1.evil.test",
        "[::1",
        "xlocalhost",
        "keyturn",
        "127.0.0.1:80@evil.test",
        "\u202eevil",
        "a b",
        "",
    ],
)
def test_other_names_are_refused_with_what_to_set(host: str) -> None:
    with pytest.raises(Forbidden) as caught:
        require_host({"host": host}, "https://keyturn.example")
    assert caught.value.code == "request.host_unknown"
    assert "SITE_URL" in str(caught.value.fix)
    assert "\u202e" not in caught.value.message
