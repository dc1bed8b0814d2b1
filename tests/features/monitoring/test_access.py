"""Who sees /metrics, where, and in which form."""

import queue
import socket
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from keyturn.app.monitoring import probe_server, probes
from keyturn.app.web import web_application
from keyturn.errors import Misconfigured
from keyturn.settings.reader import read_settings
from keyturn.web.server.serve import Limits, WebServer
from tests.client import Client
from tests.features.monitoring.scrapes import TOKEN, core_of, value

ROUTE = "keyturn_http_request_duration_seconds_count"


def test_metrics_are_closed_to_strangers_and_open_to_who_sends_the_token(tmp_path: Path) -> None:
    with core_of(tmp_path) as core, Client(web_application(core, None)) as web, Client(probes(core)) as own:
        refused = web.get("/metrics", headers={"authorization": "Bearer undefined"})
        assert (refused.status_code, refused.json()["code"]) == (401, "metrics.closed")
        assert "KEYTURN_METRICS_TOKEN" in refused.json()["fix"]
        assert web.get("/nothing/here").status_code == 404
        assert web.request("BREW", "/healthz").status_code == 405
        web.get("/api/v1/projects/1b6f5e4a-0000-4000-8000-000000000000")
        answer = own.get("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = answer.text
        assert value(text, ROUTE, method="GET", route="/metrics", status="4xx") == 1
        assert value(text, ROUTE, method="none", route="none", status="4xx") == 2, (
            "neither paths nor methods are labels"
        )
        assert value(text, ROUTE, method="GET", route="/api/v1/projects/{project_id}", status="4xx") == 1
        assert (value(text, "process_resident_memory_bytes") or 0) > 0
        assert own.get("/api/status").json()["ok"] is False, "no worker lives here"

    with core_of(tmp_path, KEYTURN_METRICS_TOKEN=TOKEN) as core, Client(web_application(core, None)) as web:
        for sent in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": TOKEN}):
            assert web.get("/metrics", headers=sent).json()["code"] == "metrics.token"
        right = {"authorization": f"Bearer {TOKEN}", "accept": "application/openmetrics-text;version=1.0.0"}
        answer = web.get("/metrics", headers=right)
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert answer.text.endswith("# EOF\n")
        assert TOKEN not in answer.text
        with Client(probes(core)) as own:
            assert own.get("/metrics").status_code == 401, "with a token, the other listener asks for it, too"
            assert own.get("/metrics", headers=right).status_code == 200


@pytest.mark.parametrize("token", ["short", "has a space in between", "ünprintable-and-long"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(Misconfigured, match="KEYTURN_METRICS_TOKEN") as caught:
        read_settings({"HOME": "/tmp", "KEYTURN_METRICS_TOKEN": token})
    assert token not in str(caught.value)


def test_the_own_listener_answers_while_the_other_one_is_full(tmp_path: Path) -> None:
    """As many connections as that one holds, all silent, and requests that wait for a place behind them."""
    with core_of(tmp_path) as core, ExitStack() as closing:
        application = web_application(core, None)
        limits = Limits(connections=64, quiet_per_network=1000)
        server = WebServer(
            application,
            host="127.0.0.1",
            port=0,
            limits=limits,
            health_port=0,
            health_host="127.0.0.1",
            probes=probes(core),
        )
        ready: queue.Queue[str] = queue.Queue()
        thread = threading.Thread(target=server.run, args=(ready.put,))
        thread.start()
        try:
            ready.get(timeout=60)
            for _ in range(64):
                closing.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            full = closing.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=0.3))
            full.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                full.recv(1)
            for path, begins in (("/healthz", b'{"ok":true'), ("/metrics", b"# HELP")):
                with urllib.request.urlopen(f"http://127.0.0.1:{server.health_port}{path}", timeout=60) as answer:
                    assert answer.read().startswith(begins)
        finally:
            closing.close()
            server.stop()
            thread.join(timeout=60)


def test_a_worker_has_the_listener_too(tmp_path: Path) -> None:
    with core_of(tmp_path, KEYTURN_HEALTH_PORT="0", KEYTURN_METRICS_TOKEN=TOKEN) as core:
        server = probe_server(core)
        assert server is not None
        server.start()
        url = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{url}/healthz", timeout=60) as answer:
            assert answer.read() == b'{"ok":true}'
        asked = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.headers["content-type"].startswith("text/plain")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/metrics", timeout=60)
    with core_of(tmp_path) as core:
        assert probe_server(core) is None
