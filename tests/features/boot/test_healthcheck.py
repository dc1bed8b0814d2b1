"""``keyturn healthcheck``: what engines of containers run, where no other program is there that could ask."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keyturn.cli.main import main
from tests.system.command import closed_port

ANSWERS = {"/healthz": (200, b'{"ok": true}'), "/readyz": (503, b'{"ok": false, "reason": "No worker is alive."}')}


@contextmanager
def server(host: str) -> Iterator[str]:
    """Serve probes at this address. Yields the port."""

    class Probes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = ANSWERS[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer((host, 0), Probes) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        yield str(served.server_address[1])
        served.shutdown()


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost"])
def test_it_asks_the_server_of_this_machine(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with server("127.0.0.1") as port:
        assert main(["healthcheck"], {"HOME": "/", "HOST": host, "PORT": port}) == 0
        assert (
            main(["healthcheck"], {"HOME": "/", "HOST": host, "PORT": closed_port(), "KEYTURN_HEALTH_PORT": port}) == 0
        )
        assert capsys.readouterr().out == '{"ok": true}\n' * 2
        assert main(["healthcheck", "--ready"], {"HOME": "/", "HOST": host, "PORT": port}) == 1
        assert "/readyz answers 503" in capsys.readouterr().err


def test_it_says_when_nothing_answers_and_when_the_settings_are_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    port = closed_port()
    assert main(["healthcheck"], {"HOME": "/", "PORT": port}) == 1
    told = capsys.readouterr().err
    assert f"Nothing answers at 127.0.0.1 port {port}" in told
    assert "Fix: Start the server with the same HOST, PORT" in told
    assert main(["healthcheck"], {"HOME": "/", "PORT": "harbour"}) == 2
