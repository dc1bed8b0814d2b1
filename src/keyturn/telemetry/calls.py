"""Calls to Microsoft, with a count of each."""

import time
from collections.abc import Callable

from keyturn.ports.http import HttpRequest, HttpResponse, Transport
from keyturn.telemetry.meters import Meters, status_class

NO_ANSWER = "none"
THROTTLED = "throttled"


class ObservedTransport:
    """A ``Transport`` that passes each request on, once, and counts it. ``host_of`` says whose a URL is, in few words."""

    def __init__(self, transport: Transport, host_of: Callable[[str], str], meters: Meters) -> None:
        self._transport = transport
        self._host_of = host_of
        self._meters = meters

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send once. Raises what the transport raises."""
        began, outcome = time.perf_counter(), NO_ANSWER
        try:
            response = self._transport.send(request)
            outcome = outcome_of(response)
            return response
        finally:
            self._meters.call(self._host_of(request.url), outcome, time.perf_counter() - began)


def outcome_of(response: HttpResponse) -> str:
    """Return the class of the status, or that the caller was told to come again later."""
    told_to_wait = response.status == 503 and "retry-after" in response.headers
    return THROTTLED if response.status == 429 or told_to_wait else status_class(response.status)
