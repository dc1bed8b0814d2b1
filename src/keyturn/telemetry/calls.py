"""Calls to Microsoft, with a count and a span of each."""

import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from keyturn.ports.http import HttpRequest, HttpResponse, Transport
from keyturn.telemetry.meters import Meters, status_class
from keyturn.telemetry.tracing import NO_TRACES, Attribute, Span, SpanKind, Tracer

NO_ANSWER = "none"
THROTTLED = "throttled"
OTHER = "other"
_REQUEST_IDS = ("request-id", "x-ms-request-id")
"""Of Graph and of the token endpoint: what Microsoft's support asks for."""
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


class ObservedTransport:
    """A ``Transport`` that passes each request on, once, and counts it. ``host_of`` says whose a URL is, in few words.

    Nothing is added to a request: whoever is not part of this installation learns nothing of its traces.
    """

    def __init__(
        self, transport: Transport, host_of: Callable[[str], str], meters: Meters, tracer: Tracer = NO_TRACES
    ) -> None:
        self._transport = transport
        self._host_of = host_of
        self._meters = meters
        self._tracer = tracer

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send once. Raises what the transport raises."""
        host, began, outcome = self._host_of(request.url), time.perf_counter(), NO_ANSWER
        with self._tracer.span(f"call {host}", SpanKind.CLIENT) as span:
            _tell_request(span, host, request)
            try:
                response = self._transport.send(request)
                outcome = outcome_of(response)
                _tell_response(span, response)
                return response
            finally:
                self._meters.call(host, outcome, time.perf_counter() - began)
                if outcome == NO_ANSWER:
                    span.tell(Attribute.ERROR, "no_answer")
                    span.fail()


def outcome_of(response: HttpResponse) -> str:
    """Return the class of the status, or that the caller was told to come again later."""
    told_to_wait = response.status == 503 and "retry-after" in response.headers
    return THROTTLED if response.status == 429 or told_to_wait else status_class(response.status)


def _tell_request(span: Span, host: str, request: HttpRequest) -> None:
    span.tell(Attribute.METHOD, request.method)
    span.tell(Attribute.HOST_KIND, host)
    if host != OTHER:
        span.tell(Attribute.ADDRESS, urlsplit(request.url).hostname)


def _tell_response(span: Span, response: HttpResponse) -> None:
    span.tell(Attribute.STATUS, response.status)
    for name in _REQUEST_IDS:
        if _ID.fullmatch(response.headers.get(name, "")):
            span.tell(Attribute.GRAPH_REQUEST_ID, response.headers[name])
            return
