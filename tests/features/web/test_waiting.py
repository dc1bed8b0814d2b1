"""A route that waits for what it began: it holds no thread meanwhile, and says in the end what came of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.errors import Refused, Unavailable
from keyturn.kit.clock import SystemClock
from keyturn.kit.ids import SystemIds
from keyturn.settings.model import Settings
from keyturn.web.routes import group, post
from keyturn.web.schema.wire import ApiModel
from keyturn.web.server.app import build
from keyturn.web.waiting import Waiting
from tests.client import Client
from tests.features.web.things import authenticate


class Made(ApiModel):
    after: int


class Kettle:
    """Boils at a moment of its own; ``passed`` is how many milliseconds have passed."""

    def __init__(self) -> None:
        self.passed = 0
        self.boils_at = 3000
        self.fault: Exception | None = None
        self.threads: set[str] = set()

    async def pause(self, seconds: float) -> None:
        self.passed += round(1000 * seconds)

    def look(self) -> Made | None:
        self.threads.add(threading.current_thread().name)
        fault, self.fault = self.fault, None
        if fault:
            raise fault
        return Made(self.passed) if self.passed >= self.boils_at else None

    def boil(self) -> Waiting[Made]:
        """Boil water."""
        return Waiting(self.look)


@pytest.fixture
def kettle() -> Kettle:
    return Kettle()


@pytest.fixture
def client(kettle: Kettle, tmp_path: Path) -> Iterator[Client]:
    app = build(
        [group("Kettle", post("/api/v1/boil", public=True)(kettle.boil))],
        authenticate=authenticate,
        settings=Settings(tmp_path, "sqlite://"),
        clock=SystemClock(),
        ids=SystemIds(),
        pause=kettle.pause,
    )
    with Client(app) as opened:
        yield opened


def test_the_answer_comes_when_it_is_there(client: Client, kettle: Kettle) -> None:
    answer = client.post("/api/v1/boil")
    assert (answer.status_code, answer.json()) == (200, {"after": 3000})
    assert all(name.startswith("web") for name in kettle.threads), "it was looked at in the event loop"


def test_what_is_announced_is_looked_for_at_once(kettle: Kettle, tmp_path: Path) -> None:
    announce: list[Callable[[], None]] = []
    app = build(
        [group("Kettle", post("/api/v1/boil", public=True)(kettle.boil))],
        authenticate=authenticate,
        settings=Settings(tmp_path, "sqlite://"),
        clock=SystemClock(),
        ids=SystemIds(),
        pause=lambda _seconds: asyncio.sleep(3600),
        announcements=announce.append,
    )
    with Client(app) as client, ThreadPoolExecutor() as pool:
        boiling = pool.submit(client.post, "/api/v1/boil")
        while not app.edge._looking:
            assert not boiling.done()
        announce[0]()  # of something else
        kettle.passed = 3000
        while not boiling.done():
            announce[0]()
            time.sleep(0.01)
        assert boiling.result().json() == {"after": 3000}


def test_a_moment_without_free_threads_is_passed_over(client: Client, kettle: Kettle) -> None:
    kettle.fault = Unavailable("busy", code="server.busy", retry_after=timedelta(seconds=1))
    assert client.post("/api/v1/boil").status_code == 200


def test_what_is_found_wrong_while_waiting_is_the_answer(client: Client, kettle: Kettle) -> None:
    kettle.fault = Refused("The plug is out.", code="kettle.plug", fix="Put it in.")
    answer = client.post("/api/v1/boil")
    assert (answer.status_code, answer.json()["code"]) == (400, "kettle.plug")


def test_it_gives_up_in_time(client: Client, kettle: Kettle) -> None:
    kettle.boils_at = 1_000_000
    answer = client.post("/api/v1/boil")
    assert (answer.status_code, answer.json()["code"], kettle.passed) == (504, "request.unfinished", 600_000)


def test_its_answer_is_documented(client: Client) -> None:
    document = client.get("/api/docs/json").json()
    shown = document["paths"]["/api/v1/boil"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert shown == {"$ref": "#/components/schemas/Made"}
