"""The metrics of this process, for Prometheus."""

from collections.abc import Callable
from datetime import timedelta

from keyturn.errors import Unauthenticated, Unavailable
from keyturn.kit.secret import Plaintext
from keyturn.web.auth import Caller
from keyturn.web.messages import Response
from keyturn.web.routes import Routes, get, group

Scrape = Callable[[str], tuple[bytes, str] | None]
"""Given the header ``Accept``; returns text and media type, None when they are not there in time."""

_CHARSET = "; charset=utf-8"


def router(scrape: Scrape, token: Plaintext | None, *, own_listener: bool = False) -> Routes:
    """``token`` is what is asked for; without one only the listener for probes answers."""

    @get("/metrics", public=True, probe=True, also={401: "Not the token of KEYTURN_METRICS_TOKEN", 503: "Try again"})
    def show_metrics(caller: Caller) -> Response:
        """Show the metrics of this process.

        In the text form of Prometheus, or of OpenMetrics where `Accept` asks for it. Send the token of `KEYTURN_METRICS_TOKEN` as
        `Authorization: Bearer`. Without that setting only the listener of `KEYTURN_HEALTH_PORT` answers, to whoever reaches it.
        """
        if token is None and not own_listener:
            raise Unauthenticated(
                "The metrics are not shown here.",
                code="metrics.closed",
                fix="Set KEYTURN_METRICS_TOKEN and send it as Authorization: Bearer, or ask the listener of KEYTURN_HEALTH_PORT.",
            )
        if token is not None and caller.token != token:
            raise Unauthenticated(
                "The metrics are shown to who sends the right token.",
                code="metrics.token",
                fix="Send the value of KEYTURN_METRICS_TOKEN as Authorization: Bearer.",
            )
        exposed = scrape(caller.accept)
        if exposed is None:
            raise Unavailable(
                "The metrics are not there in time.",
                code="metrics.late",
                retry_after=timedelta(seconds=1),
                fix="Try again in a moment.",
            )
        content, media_type = exposed
        if media_type.startswith("text/"):
            media_type = media_type.removesuffix(_CHARSET)
        return Response(content, media_type=media_type, headers={"cache-control": "no-store"})

    return group("Health", show_metrics)
