"""Traces: what a span tells, and that nothing else leaves with it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from entra_emulator import Effect, Fault
from keyturn.app.web import open_access, web_application
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext
from keyturn.rotations.work.workflow import Rotator
from keyturn.telemetry.calls import ObservedTransport
from keyturn.telemetry.meters import Meters
from keyturn.telemetry.otlp import OtlpTracer
from keyturn.telemetry.tracing import Attribute
from keyturn_simulation.world import make_world
from tests.client import Client
from tests.databases import sqlite_database
from tests.features.monitoring.scrapes import core_of

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
PASSWORD = "canary-orbit-pickle-94"


def about(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path) as opened:
        yield opened


def test_a_rotation_is_a_span_with_its_steps_and_their_calls_and_tells_no_secret(database: Database) -> None:
    exporter = InMemorySpanExporter()
    tracer, world = OtlpTracer(exporter, "process-1"), make_world(database)
    transport = ObservedTransport(
        world.network("traced"), lambda url: "graph" if "graph" in url else "sign-in", Meters(), tracer
    )
    server = world.server("traced", database, transport)
    context = replace(server.context, tracer=tracer)
    world.servers[0] = replace(server, context=context, rotator=Rotator(context))
    original = world.first_secret().secret.reveal()
    connection = world.connect()
    world.emulator.faults.add(Fault("addPassword", (Effect(503),), when="before", times=1))
    world.settle()
    tracer.flush()
    tracer.close()

    spans = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans if span.context}
    issues = [span for span in spans if span.name == "step issue"]
    assert [about(span)["keyturn.outcome"] for span in issues] == ["failed", "done"]
    assert "error.type" in about(issues[0])
    call = next(span for span in spans if span.parent and by_id.get(span.parent.span_id) is issues[-1])
    assert call.name.startswith("call ")
    assert about(call)["http.request.method"] == "POST"
    assert issues[-1].parent is not None
    rotation = by_id[issues[-1].parent.span_id]
    assert (rotation.name, about(rotation)["keyturn.rotation_id"]) == ("rotation", world.rotation(connection).id)
    assert any("keyturn.graph_request_id" in about(span) for span in spans)

    assert {name for span in spans for name in about(span)} <= set(Attribute)
    assert not any(span.events for span in spans), "exceptions are not recorded: they have words"
    told = "".join(span.to_json() for span in spans)
    journal = world.journal(connection)
    for kept in (
        original,
        world.current_secret(connection).reveal(),
        *(row.key_id for row in journal if row.key_id),
        connection.name,
    ):
        assert kept not in told
    assert "?" not in told, "no query"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector of traces: its address, and what it was sent."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()


def test_requests_are_sent_to_the_collector_as_part_of_the_callers_trace(tmp_path: Path) -> None:
    with collector() as (url, bodies):
        with core_of(tmp_path, KEYTURN_OTLP_ENDPOINT=url) as core, Client(web_application(core, None)) as web:
            made = open_access(core).bootstrap("ada@example.com", Plaintext(PASSWORD), "Contoso")
            sent = {
                "traceparent": TRACEPARENT,
                "tracestate": "canary=1",
                "authorization": f"Bearer {made.token.reveal()}",
            }
            web.get("/api/v1/projects/canary-path?canary=query", headers=sent)
            body = {"email": "canary@example.com", "password": "canary"}
            web.post("/api/v1/auth/login", json=body, headers={"traceparent": "canary"})
            web.get("/canary/unknown")
            hidden = TRACEPARENT[:-2] + "00"
            web.get("/canary/hidden", headers={"traceparent": hidden})
            web.get("/healthz")  # probes and scrapes are no spans
        sent_spans = [
            span
            for body in bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    first, login, _, unsampled = sent_spans
    assert unsampled.trace_id.hex() == TRACE_ID, "a caller cannot hide what it does"
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (TRACE_ID, "b7ad6b7169203331")
    assert login.parent_span_id == b"", "what is no traceparent is none"
    told = [
        {each.key: each.value.string_value or each.value.int_value for each in span.attributes} for span in sent_spans
    ]
    assert told[0]["http.route"] == "/api/v1/projects/{project_id}"
    assert (told[1]["http.route"], told[1]["error.type"]) == ("/api/v1/auth/login", "access.invalid_credentials")
    assert told[2]["http.response.status_code"] == 404
    assert "http.route" not in told[2]
    assert all(str(each["keyturn.request_id"]).startswith("req-") for each in told)
    assert not any(b"canary" in body for body in bodies)


def test_without_the_setting_the_library_is_not_even_loaded() -> None:
    code = (
        "import sys; from pathlib import Path; from keyturn.app.traces import open_tracer;"
        "from keyturn.settings.model import Settings; import keyturn.telemetry.calls;"
        "open_tracer(Settings(Path(), ''), ''); print('opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_a_server_without_the_packages_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyturn.telemetry.otlp", None)
    with (
        pytest.raises(Misconfigured, match="KEYTURN_OTLP_ENDPOINT") as caught,
        core_of(tmp_path, KEYTURN_OTLP_ENDPOINT="http://127.0.0.1:4318"),
    ):
        pass
    assert "keyturn[server,traces]" in (caught.value.fix or "")
