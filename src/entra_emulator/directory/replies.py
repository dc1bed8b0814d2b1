"""How faults act on a call, and the headers that ask a client to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

from entra_emulator.core.wire import Response
from entra_emulator.directory.world import Call
from entra_emulator.faults.faults import Effect, Moment


def act(call: Call, work: Callable[[], Response], faulty: Callable[[Call, Effect], Response]) -> Response:
    """Does the work of a call, unless the plan of faults strikes before it; what strikes after it hides its answer.

    An "after" fault acts only where the work succeeded: a refusal is answered as it is.
    """
    before = _strike(call, "before")
    if before is not None and 200 <= before.status <= 299:
        return _on_wire(_without_effect(before.status), before)
    if before is not None and before.status:
        return _on_wire(faulty(call, before), before)
    if before is not None and before.wire.kind in {"reset", "hang"}:
        return _on_wire(Response(0), before)
    response = work()
    if before is not None:
        response = _on_wire(response, before)
    after = _strike(call, "after") if response.status < 400 else None
    if after is None:
        return response
    return _on_wire(faulty(call, after) if after.status else response, after)


def _without_effect(status: int) -> Response:
    """A success of which nothing came: nothing was changed."""
    if status == 204:
        return Response(status)
    return Response(status, (("Content-Type", "application/json"),), b"{}")


def _strike(call: Call, when: Moment) -> Effect | None:
    entry, world = call.entry, call.world
    return world.faults.strike(world.rng, when, entry.operation, entry.tenant, entry.application, entry.caller)


def _on_wire(response: Response, effect: Effect) -> Response:
    return replace(response, wire=effect.wire, delay=response.delay + effect.delay)


def retry_after(call: Call, seconds: float) -> tuple[str, str]:
    """A Retry-After header in the style that the tenant is set to.

    Sources: RFC 9110, section 10.2.3 (whole seconds or a date); https://learn.microsoft.com/graph/throttling shows a fraction.
    """
    style = call.settings.retry_after
    if style == "fraction":
        return "Retry-After", f"{max(seconds, 0.001):.3f}"
    whole = max(1, int(-(-seconds // 1)))
    if style == "date":
        return "Retry-After", formatdate(int(call.local_now) + whole, usegmt=True)
    return "Retry-After", str(whole)


def plain_throttled(call: Call, seconds: float) -> Response:
    """The token endpoint's 429: plain text, no JSON.

    Source: https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/2855.
    """
    call.entry.error = "TooManyRequests"
    kind = ("Content-Type", "text/plain; charset=utf-8")
    request_id = ("x-ms-request-id", call.request_id)
    return Response(429, (kind, retry_after(call, seconds), request_id), b"Too Many Requests")
