"""What a scrape says of connections, rotations, runs, steps and calls, as an operator knows them to be."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import generate_latest

from entra_emulator import Effect, Fault
from keyturn.db.unit import Database
from keyturn.kit.clock import SystemClock
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.telemetry import catalogue
from keyturn.telemetry.calls import ObservedTransport
from keyturn.telemetry.estate import Estate
from keyturn.telemetry.exposition import Exposition
from keyturn.telemetry.meters import Meters, Samples
from keyturn_simulation.world import OWNED, World, make_world
from tests.features.monitoring.scrapes import series, value

DEAD_AFTER = timedelta(seconds=10)


def scrape(world: World, *, names: bool = False) -> str:
    meters = world.servers[0].context.meters
    estate = Estate(world.database, world.clock, DEAD_AFTER, refreshes=True, names=names)
    read = Meters()
    read.read(estate.families)
    return (generate_latest(meters.registry) + generate_latest(read.registry)).decode()


def test_the_gauges_say_what_is_there_and_the_counters_what_was_done(database: Database) -> None:
    world = make_world(database)
    connection = world.connect()
    world.settle()
    other = world.emulator.admin.create_application(world.tenant_id, "Other", permissions=(OWNED,), owns_itself=True)
    quiet = world.connect("quiet", other, rotate=False)
    text = scrape(world)
    assert value(text, "keyturn_connections", state="accepted") == 2
    assert value(text, "keyturn_rotations", state="fine") == 1
    assert value(text, "keyturn_credentials", state="current") == 1
    ends_at = world.journal(connection)[-1].ends_at
    assert ends_at is not None
    end = {"subject": "connection", "id": connection.id}
    assert value(text, "keyturn_credential_end_timestamp_seconds", **end) == ends_at.timestamp()
    assert value(text, "keyturn_due_work_age_seconds", source="rotation") == 0
    assert value(text, "keyturn_runs_total", reason="enabled", result="succeeded", cause="") == 1
    assert value(text, "keyturn_rotation_step_duration_seconds_count", step="publish", outcome="done") == 1
    assert connection.name not in text
    assert f'name="{connection.name}"' in scrape(world, names=True)
    assert quiet.id not in text, "nothing is known of its end"

    world.emulator.faults.add(
        Fault("addPassword", (Effect(403, "Authorization_RequestDenied"),), when="before", times=None)
    )
    world.run_until(world.clock.now() + timedelta(days=31))
    text = scrape(world)
    assert value(text, "keyturn_rotations", state="failed") == 1
    failed = {key: number for key, number in series(text).items() if key[0] == "keyturn_runs_total"}
    assert {("result", "failed"), ("cause", "azure.permission_missing")} <= {
        pair for _, labels in failed for pair in labels
    }, failed
    assert (value(text, "keyturn_rotation_step_duration_seconds_count", step="issue", outcome="failed") or 0) >= 1
    world.clock.advance(2 * 86_400)
    text = scrape(world)
    assert (value(text, "keyturn_due_work_age_seconds", source="look") or 0) > 0


class FixedTransport:
    """Answers as it is told; an exception is raised."""

    def __init__(self, answer: HttpResponse | Exception) -> None:
        self._answer = answer

    def send(self, request: HttpRequest) -> HttpResponse:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (HttpResponse(201), "2xx"),
        (HttpResponse(404), "4xx"),
        (HttpResponse(429), "throttled"),
        (HttpResponse(503, {"retry-after": "7"}), "throttled"),
        (HttpResponse(503), "5xx"),
        (TransportFailed("read timeout", sent=True), "none"),
    ],
)
def test_calls_are_counted_by_host_and_outcome(answer: HttpResponse | TransportFailed, outcome: str) -> None:
    meters = Meters()
    transport = ObservedTransport(FixedTransport(answer), lambda url: "graph", meters)
    try:
        transport.send(HttpRequest("GET", "https://graph.microsoft.com/v1.0/applications?$filter=secret"))
    except TransportFailed as failed:
        assert failed is answer  # noqa: PT017 - the observer lets it pass
    text = generate_latest(meters.registry).decode()
    assert value(text, "keyturn_entra_call_duration_seconds_count", host="graph", outcome=outcome) == 1
    assert "filter" not in text


def test_a_storm_of_scrapes_costs_what_one_scrape_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyturn.telemetry.exposition.FRESH", 60.0)
    meters, asked = Meters(), []

    def waiters() -> Samples:
        asked.append(True)
        return {(): 3.0}

    meters.tell((catalogue.WAITERS, waiters))
    exposition = Exposition(meters.registry)
    with ThreadPoolExecutor(32) as pool:
        texts = set(pool.map(lambda _: exposition.scrape("*/*"), range(400)))
    assert len(texts) == 1, "one text was made, and given to all"
    assert len(asked) == 1


def test_a_database_that_hangs_takes_only_its_own_gauges_away(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    class Hanging:
        def read(self) -> Any:
            over.wait(60)
            raise OSError

    monkeypatch.setattr("keyturn.telemetry.estate.PATIENCE", 0.05)
    meters = Meters()
    meters.read(Estate(Hanging(), SystemClock(), DEAD_AFTER, refreshes=False, names=False).families)  # type: ignore[arg-type]
    text = generate_latest(meters.registry).decode()
    assert value(text, "keyturn_database_answers") == 0
    assert value(text, "keyturn_connections", state="refused") is None
    assert "process_cpu_seconds_total" in text
    over.set()
