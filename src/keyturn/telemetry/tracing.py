"""Spans of what this server does, for whoever collects traces; by default nobody, and nothing is loaded for it.

A span has attributes of this list and no others. None of them can hold a value, a query, a header or the id of a secret.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from typing import Protocol


class Attribute(StrEnum):
    """All that a span may tell."""

    METHOD = "http.request.method"
    ROUTE = "http.route"
    STATUS = "http.response.status_code"
    REQUEST_ID = "keyturn.request_id"
    ERROR = "error.type"
    """The stable code of an error, or what came instead of an answer; never its words."""
    HOST_KIND = "keyturn.host"
    ADDRESS = "server.address"
    GRAPH_REQUEST_ID = "keyturn.graph_request_id"
    ROTATION_ID = "keyturn.rotation_id"
    RUN_ID = "keyturn.run_id"
    STEP = "keyturn.step"
    OUTCOME = "keyturn.outcome"


class Span(Protocol):
    """One piece of work that is under way."""

    def tell(self, attribute: Attribute, value: str | int | None) -> None:
        """Say something of it. None says nothing."""
        ...

    def rename(self, name: str) -> None: ...

    def fail(self) -> None:
        """Mark it as failed, without words."""
        ...


class SpanKind(StrEnum):
    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


class Tracer(Protocol):
    """Makes spans. Each is part of the one that this thread or task is in."""

    def span(self, name: str, kind: SpanKind, traceparent: str = "") -> AbstractContextManager[Span]:
        """Begin a span, which ends with the block. ``traceparent`` (W3C) says what it is part of, where others began."""
        ...

    def close(self) -> None:
        """Send what is left, within a few seconds."""
        ...


class _Nothing:
    def tell(self, attribute: Attribute, value: str | int | None) -> None: ...

    def rename(self, name: str) -> None: ...

    def fail(self) -> None: ...


_NOTHING = _Nothing()


class NoTraces:
    """The tracer of a process that nobody collects traces of."""

    def span(self, name: str, kind: SpanKind, traceparent: str = "") -> AbstractContextManager[Span]:
        return nullcontext(_NOTHING)

    def close(self) -> None: ...


NO_TRACES: Tracer = NoTraces()
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestSpan:
    """The span of a request, which the web server ends with what it answered."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def answered(self, route: str | None, status: int, request_id: str, code: str | None) -> None:
        """``route`` is the template; ``status`` is 0 for a caller who was gone, ``code`` that of the error that was told."""
        self._span.tell(Attribute.ROUTE, route)
        self._span.tell(Attribute.STATUS, status or None)
        self._span.tell(Attribute.REQUEST_ID, request_id)
        self._span.tell(Attribute.ERROR, code)
        if status >= 500:
            self._span.fail()


class RequestTraces:
    """Makes the spans of requests."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def begin(self, method: str, traceparent: str) -> Iterator[RequestSpan]:
        known = method if method in _METHODS else "_OTHER"
        with self._tracer.span(known, SpanKind.SERVER, traceparent) as span:
            span.tell(Attribute.METHOD, known)
            yield RequestSpan(span)
