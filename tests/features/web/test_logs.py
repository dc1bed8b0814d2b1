"""Whatever is logged, by us or by a library, at any level: no secret is in it."""

import contextlib
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from keyturn.kit.secret import Plaintext
from keyturn.web.server import logs
from tests.features.web.things import AUTH, client
from tests.log_state import kept_log_state

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
ENTRA = "abc8Q~canaryCANARYcanaryCANARYcanary012_.~"
PEM = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\ncanary\n-----END PRIVATE KEY-----"  # tidy: allow - no key, a canary
CANARIES = ("canary", "CANARY", "Y2FuYXJ5", JWT, ENTRA)


class Console(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with kept_log_state():
        logs.configure("DEBUG", "json", stream)
        yield stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_what_strangers_send_commands_no_terminal_and_begins_no_line() -> None:
    sent, deceits = "x\x1b[2J\x9b31m\r\u202e\u2028y", {"\x1b", "\x9b", "\r", "\u202e", "\u2028"}
    out = Console()
    with kept_log_state():
        logs.configure("INFO", "auto", out)
        client().get(f"/{quote(sent)}")
        structlog.get_logger("keyturn").warning(f"ours {sent}\n", named=sent, several=[sent])
        logging.getLogger("msal").warning("theirs %s\n%s", sent, "forged")
        lines = out.getvalue().count("\n")
        logging.getLogger("msal").error("failed", exc_info=ValueError(sent))
    written = re.sub(r"\x1b\[\d*m", "", out.getvalue())  # less the colours
    assert (lines, written.count("x\\x1b[2J"), deceits & set(written)) == (3, 6, set())
    assert "\nValueError: x" in written, "what is told of an error has lines of its own"


@pytest.mark.parametrize(
    "event",
    [
        {"password": "canary"},
        {"clientSecret": "canary"},
        {"client_secret": Plaintext("canary")},
        {"headers": {"Authorization": "Bearer canary-token"}},
        {"text": f"Authorization: Bearer {JWT}"},
        {"text": f"secret {ENTRA} is used"},
        {"path": f"/sign-in/link/ktn_{'canary' * 9}"},
        {"text": PEM},
        {"text": PEM.removesuffix("-----END PRIVATE KEY-----")},
        {"body": b"client_secret=canary&grant_type=client_credentials"},
        {"body": '{"clientSecret": "canary", "access_token":"canary"}'},
        {"url": "https://host/cb?code=canary&state=canary"},
        {"url": "postgresql+psycopg://user:canary@host/db"},
        {"nested": [{"deep": ({"refreshToken": "canary"},)}]},
        {"object": type("Odd", (), {"__repr__": lambda _: "Odd(password='canary')"})()},
        {"credentials": {"tenantId": "t", "value": "canary"}},
    ],
)
@pytest.mark.parametrize("name", ["keyturn", "dbos", "msal", "httpx2"])
def test_canaries_never_get_out(out: io.StringIO, event: dict[str, Any], name: str) -> None:
    structlog.get_logger(name).debug("ours", **event)
    logging.getLogger(name).debug("theirs %s", event)
    logging.getLogger(name).debug("theirs %s and %d", event, 3)
    logging.getLogger(name).info("theirs %s and %s", (event,), [event])
    written = out.getvalue()
    assert written.count("\n") == 4
    assert not [canary for canary in CANARIES if canary in written], written


def test_what_is_no_secret_stays_readable(out: io.StringIO) -> None:
    structlog.get_logger().info(
        "rotated",
        secret_name="DB_PASSWORD",
        token_type="Bearer",
        key_id="k1",
        secrets_count=3,
        enabled=True,
        tenant_id="t-1",
    )
    (line,) = lines(out)
    assert (
        line.items()
        >= {"secret_name": "DB_PASSWORD", "token_type": "Bearer", "key_id": "k1", "secrets_count": 3}.items()
    )
    assert line.items() >= {"event": "rotated", "level": "info", "enabled": True, "tenant_id": "t-1"}.items()
    assert line["timestamp"].endswith("Z")


def test_tracebacks_show_no_local_variables(out: io.StringIO) -> None:
    def fail() -> None:
        local = "canary"
        raise ValueError(f"no: client_secret={local}")

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("dbos").exception("failed too")
    assert len(lines(out)) == 2
    assert all("ValueError" in line["exception"] for line in lines(out))
    assert "canary" not in out.getvalue()


def test_database_rows_are_not_logged_even_at_debug(out: io.StringIO) -> None:
    logging.getLogger("sqlalchemy.engine.Engine").debug("Row ('canary',)")
    logging.getLogger("sqlalchemy.engine.Engine").info("INSERT ('canary',)")
    assert out.getvalue() == ""


def test_a_line_that_cannot_be_made_is_reported_without_its_content(out: io.StringIO) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if getattr(handler, "stream", None) is out]  # not pytest's
    logging.getLogger("dbos").warning("%d", "canary")
    assert "could not be written" in out.getvalue()
    assert "canary" not in out.getvalue()


def test_warnings_and_crashes_go_through_the_belt(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"token {JWT}", stacklevel=1)
    thread = threading.Thread(target=lambda: int("password=canary"), name="worker")
    thread.start()
    thread.join()
    with contextlib.suppress(ValueError):
        raise ValueError(ENTRA)
    sys.excepthook(ValueError, ValueError(ENTRA), None)
    assert [line["level"] for line in lines(out)] == ["warning", "critical", "critical"]
    assert not [canary for canary in CANARIES if canary in out.getvalue()]


def test_handlers_that_a_library_makes_are_taken_back(out: io.StringIO) -> None:
    own = io.StringIO()
    theirs = logging.StreamHandler(own)
    logging.getLogger("dbos").addHandler(theirs)
    logging.getLogger("dbos").propagate = False
    logs.adopt("dbos")
    logging.getLogger("dbos").info("hello")
    assert (own.getvalue(), lines(out)[0]["event"]) == ("", "hello")


def test_requests_are_logged_without_query_and_body(out: io.StringIO) -> None:
    web = client()
    web.post("/api/v1/things?code=canary", headers={**AUTH, "user-agent": "canary"}, json={"clientSecret": "canary"})
    web.post("/api/v1/faults/bug", headers=AUTH)
    web.get("/healthz")
    access = [line for line in lines(out) if line["logger"] == "keyturn.access"]
    assert access[0].items() >= {"method": "POST", "path": "/api/v1/things", "status": 422, "actor": "user-1"}.items()
    assert [line["level"] for line in access] == ["info", "info", "debug"]
    failure = next(line for line in lines(out) if line["event"] == "unexpected error")
    assert failure["request_id"] == access[1]["request_id"]
    assert "RuntimeError" in failure["exception"]
    assert not [secret for secret in ("canary", "hunter2", "good-token") if secret in out.getvalue()]


def test_a_huge_text_does_not_make_logging_slow(out: io.StringIO) -> None:
    for part in ("a-", "eyJaaaaaa-", "password ", "-----BEGIN A-----", "x://a:", "8Q~", "bearer "):
        structlog.get_logger().info("huge", text=part * (1_000_000 // len(part)))
    assert all(len(line["text"]) < 40_000 for line in lines(out))


def test_a_forged_line_break_stays_inside_its_line(out: io.StringIO) -> None:
    client().get("/api/x%0a%7b%22level%22:%22critical%22%7d%0d%0a")
    assert len([line for line in lines(out) if line["logger"] == "keyturn.access"]) == 1


def test_people_at_a_terminal_get_text_and_everyone_else_json() -> None:
    for stream, is_json in ((Console(), False), (io.StringIO(), True)):
        with kept_log_state():
            logs.configure("INFO", "auto", stream)
            structlog.get_logger().info("hello", password="canary")
        assert stream.getvalue().startswith("{") is is_json
        assert "canary" not in stream.getvalue()


@pytest.mark.parametrize(("level", "form"), [("LOUD", "json"), ("INFO", "xml")])
def test_unknown_settings_are_refused(level: str, form: str) -> None:
    with pytest.raises(ValueError, match=r"log level|log format"):
        logs.configure(level, form)
