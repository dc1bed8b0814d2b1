"""Traces by OpenTelemetry, over OTLP. Only this file knows the library; a process that sends no traces does not import it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from keyturn import __version__
from keyturn.telemetry.tracing import Attribute, Span, SpanKind

TIMEOUT = 2
"""Seconds that sending may take, also at the end of the process: a collector that is away holds nobody up."""
_LONGEST = 200
_TRACEPARENT = re.compile(r"[0-9a-f]{2}(?:-[0-9a-f]+){3}")
_KINDS = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
}


def exporter_to(endpoint: str) -> SpanExporter:
    """Return what sends spans to a collector: OTLP over HTTP, at ``/v1/traces`` below this address."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=TIMEOUT)


class OtlpTracer:
    """Sends spans from a thread of its own; when too many wait, further ones are dropped. Nothing of it is global."""

    def __init__(self, exporter: SpanExporter, process_id: str) -> None:
        resource = Resource({
            "service.name": "keyturn", "service.version": __version__, "service.instance.id": process_id,
        })  # fmt: skip
        # Not by what a caller says: one that asks not to be recorded could hide a request.
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("keyturn")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, kind: SpanKind, traceparent: str = "") -> Iterator[Span]:
        """As the protocol says. What an exception says is not recorded."""
        # Only what has the form of one, and no `tracestate`: that may hold anything.
        carrier = {"traceparent": traceparent} if _TRACEPARENT.fullmatch(traceparent) else {}
        context = self._propagator.extract(carrier) if carrier else None
        with self._tracer.start_as_current_span(
            name, context, _KINDS[kind], record_exception=False, set_status_on_exception=False
        ) as under_way:
            yield _Span(under_way)

    def flush(self) -> None:
        """Send what waits."""
        self._provider.force_flush(TIMEOUT * 1000)

    def close(self) -> None:
        self._provider.shutdown()


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def tell(self, attribute: Attribute, value: str | int | None) -> None:
        if value is not None:
            self._span.set_attribute(Attribute(attribute).value, value if isinstance(value, int) else value[:_LONGEST])

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self) -> None:
        self._span.set_status(trace.StatusCode.ERROR)
