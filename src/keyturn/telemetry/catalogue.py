"""Every metric of this server, declared once: the reference is made of it, and alert rules and dashboards are checked by it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    """Its series end with ``_total``."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"
    """Its series end with ``_info``, and are always 1."""


@dataclass(frozen=True)
class Metric:
    """``name`` is without the ending of its kind; ``bound`` says how many series there are at most, in words."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    bound: str = "one"
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which its series are found."""
        endings = {
            Kind.COUNTER: ("_total",),
            Kind.GAUGE: ("",),
            Kind.HISTOGRAM: ("_bucket", "_sum", "_count"),
            Kind.INFO: ("_info",),
        }
        return tuple(self.name + ending for ending in endings[self.kind])


BUILD = Metric("keyturn_build", Kind.INFO, "The version of this process.", ("version",))
REQUESTS = Metric(
    "keyturn_http_request_duration_seconds",
    Kind.HISTOGRAM,
    "How long requests took, without the time for which they wanted to wait. Of a stream: until it ended. `route` is the"
    " template (`none`: no such address), `status` the class of the answer's status, `2xx` to `5xx`, or `none` where the caller"
    " was gone. Reads that were answered at once are in `keyturn_secret_reads` alone.",
    ("method", "route", "status"),
    "the routes of this server, with up to five classes of status",
    (0.01, 0.05, 0.25, 1.0, 5.0),
)


CATALOGUE: tuple[Metric, ...] = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
