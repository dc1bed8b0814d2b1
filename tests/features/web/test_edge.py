"""What strangers can ask of the edge, and what it costs: memory, threads, log lines."""

import ast
import asyncio
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from keyturn.settings.model import Settings
from keyturn.web.html.render import static_files
from keyturn.web.reference.page import MOST_WORDS
from keyturn.web.routes import get, group
from keyturn.web.schema.wire import ApiModel
from keyturn.web.server.admission import ONCE
from keyturn.web.server.serve import WebServer
from tests.client import Client
from tests.features.web import things
from tests.features.web.test_serve import exchange, running, server

__all__ = ["server"]

SOURCE = Path(__file__).parents[3] / "src"


class Done(ApiModel):
    ok: bool


def test_static_files_are_read_once_and_names_that_are_asked_for_are_not_kept() -> None:
    before = static_files()
    assert "app.css" in before
    assert {"vendor/htmx/htmx.min.js", "connections.js"} <= before.keys()
    for name in ("../render.py", "app.py", "x" * 60_000, "", ".", "/etc/passwd"):
        assert before.get(name) is None
    assert static_files() is before


@pytest.mark.parametrize("path", ["/static/", "/", "/sign-in/", "/static/vendor/"])
def test_long_names_are_answered_small_and_nothing_is_kept_of_them(path: str) -> None:
    before = dict(static_files())
    with things.client() as client:
        for number in range(50):
            answer = client.get(f"{path}{number:04}{'x' * 20_000}", headers={"accept": "text/html"})
            assert (answer.status_code, answer.json()["code"]) == (404, "request.path_too_long")
            assert len(answer.content) < 500
        assert client.get("/static/" + "x" * 200).json().get("code") != "request.path_too_long"
    assert static_files() == before


def test_no_cache_without_a_limit_has_a_key() -> None:
    """What is cached under something from outside grows as strangers please."""
    names = []
    for path in sorted((SOURCE / "keyturn").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.args.args + node.args.kwonlyargs:
                names += [f"{path.name}: {node.name}" for each in node.decorator_list if _has_no_limit(each)]
    assert names == []


def _has_no_limit(decorator: ast.expr) -> bool:
    called = isinstance(decorator, ast.Call)
    name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator).removeprefix("functools.")
    if name == "cache":
        return True
    arguments = (
        [*decorator.args, *(each.value for each in decorator.keywords)] if isinstance(decorator, ast.Call) else []
    )
    return name == "lru_cache" and called and any(ast.unparse(each) == "None" for each in arguments)


@pytest.mark.parametrize(
    ("decorator", "unlimited"),
    [
        *((text, True) for text in ("cache", "functools.cache", "lru_cache(maxsize=None)", "lru_cache(None)")),
        *((text, False) for text in ("lru_cache", "lru_cache(maxsize=9)", "staticmethod")),
    ],
)
def test_the_rule_knows_caches_without_limit(decorator: str, unlimited: bool) -> None:
    assert _has_no_limit(ast.parse(decorator, mode="eval").body) == unlimited


HOSTS = {
    "none": b"",
    "two": b"host: a\r\nhost: a\r\n",
}


@pytest.mark.parametrize("hosts", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("path", [b"/healthz", b"/api/status", b"/nothing"])
def test_a_request_names_its_host_once(server: WebServer, hosts: bytes, path: bytes) -> None:
    answer = exchange(server, b"GET " + path + b" HTTP/1.1\r\nconnection: close\r\n" + hosts + b"\r\n")
    assert b" 400 " in answer.splitlines()[0]
    assert b"request.host" in answer


@pytest.mark.parametrize("name", sorted(ONCE), ids=bytes.decode)
def test_a_header_that_decides_is_sent_once(server: WebServer, name: bytes) -> None:
    """Whichever of two counted, a proxy may have judged the other one."""
    lines = name + b": a\r\n" + name.upper() + b": b\r\n"
    answer = exchange(server, b"POST /api/v1/things HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + lines + b"\r\n{}")
    assert b" 400 " in answer.splitlines()[0]
    assert b"request.header_repeated" in answer
    assert f"Send one {name.decode().title()} header.".encode() in answer


def test_headers_that_are_lists_may_have_several_lines(server: WebServer) -> None:
    lists = b"".join(
        name + b": a\r\n" + name + b": b\r\n" for name in (b"accept", b"if-none-match", b"x-forwarded-for", b"via")
    )
    answer = exchange(server, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + lists + b"\r\n")
    assert b" 200 " in answer.splitlines()[0]


def test_an_old_probe_needs_no_host(server: WebServer) -> None:
    assert b" 200 " in exchange(server, b"GET /healthz HTTP/1.0\r\n\r\n").splitlines()[0]
    assert b" 400 " in exchange(server, b"GET /api/status HTTP/1.0\r\n\r\n").splitlines()[0]


@pytest.mark.parametrize(("size", "status"), [(65_400, 200), (65_600, 431), (100_000, 431)])
def test_header_lines_have_64_kib(server: WebServer, size: int, status: int) -> None:
    line = b"x: " + b"a" * size + b"\r\n"
    answer = exchange(server, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + line + b"\r\n")
    assert f" {status} ".encode() in answer.splitlines()[0]


def test_who_hangs_up_is_499_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        app = things.application()
        assert asyncio.run(_status(app, [(b"host", b"x"), (b"content-length", b"100")])) == 499
        assert asyncio.run(_status(app, [(b"host", b"x"), (b"transfer-encoding", b"chunked")])) == 400
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def _status(app: Any, headers: list[tuple[bytes, bytes]]) -> int:
    messages: list[Any] = []
    arriving = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        messages.append(message)

    request = {"type": "http", "method": "POST", "path": "/api/v1/anything", "raw_path": b"/api/v1/anything"}
    about = {"query_string": b"", "headers": headers, "client": ("192.0.2.1", 1), "http_version": "1.1"}
    await app({**request, **about, "root_path": "", "scheme": "http", "server": ("x", 80)}, receive, send)
    return int(messages[0]["status"])


def test_a_body_that_never_ends_gives_way_to_others() -> None:
    """More slow senders than there is room for push each other out, and nobody else."""
    with running() as slow:
        slow._app.bodies.seconds = 60
        slow._app.bodies.per_network = 2
        begun = b"POST /api/v1/anything HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
        first, *others = (socket.create_connection(("127.0.0.1", slow.port), timeout=30) for _ in range(4))
        for each in (first, *others):
            each.sendall(begun)
        assert b" 408 " in first.recv(65536).splitlines()[0]
        whole = b"POST /api/v1/anything HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
        assert b" 200 " in exchange(slow, whole).splitlines()[0]
        for each in (first, *others):
            each.close()


def test_health_is_answered_while_every_thread_is_busy_and_who_comes_too_late_is_told_when_to_come_again() -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    @get("/slow", public=True)
    def wait() -> Done:
        entered.release()
        return Done(leave.wait(60))

    request = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with running(group("Slow", wait)) as server:
        edge = server._app.edge
        edge.threads, edge.at_once = 2, 3
        asking = [threading.Thread(target=exchange, args=(server, request)) for _ in range(3)]
        for each in asking:
            each.start()
        for _ in range(2):
            assert entered.acquire(timeout=60)
        while edge._inside < 3:
            threading.Event().wait(0.01)
        assert b" 200 " in exchange(server, request.replace(b"slow", b"healthz")).splitlines()[0]
        refused = exchange(server, request)
        assert b" 503 " in refused.splitlines()[0]
        assert b"retry-after: 1" in refused
        assert b"server.busy" in refused
        leave.set()
        for each in asking:
            each.join(60)


@pytest.mark.parametrize(("url", "expected"), [("https://keyturn.example", True), ("http://keyturn.example", False)])
def test_with_https_browsers_are_told_to_stay_there(url: str, expected: bool) -> None:
    web: Client = things.client(settings=Settings(Path("nowhere"), "sqlite://", site_url=url))
    for path in ("/healthz", "/nothing", "/api/v1/things"):
        assert ("strict-transport-security" in web.get(path).headers) == expected


def test_a_search_of_the_reference_looks_at_ten_words() -> None:
    web = things.client(site=things.site())
    words = ["things"] * MOST_WORDS
    text = web.get("/api/docs", params={"q": " ".join(words)}).text
    assert web.get("/api/docs", params={"q": " ".join([*words, "nothing-holds-this"])}).text == text
    assert web.get("/api/docs", params={"q": "x" * 50_000}).status_code == 200
