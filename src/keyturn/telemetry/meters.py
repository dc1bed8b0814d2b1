"""What one process counts. Nothing is global: each process has one of these, and hands it to those who count."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import InfoMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from keyturn import __version__
from keyturn.telemetry import catalogue
from keyturn.telemetry.catalogue import Metric

NO_ROUTE = "none"


class Meters:
    """Counters, histograms and gauges of one process, for any number of threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = InfoMetricFamily(catalogue.BUILD.name, catalogue.BUILD.meaning, {"version": __version__})
        self.read(lambda: [build])
        self._requests = self._histogram(catalogue.REQUESTS)

    def read(self, families: Callable[[], Sequence[Family]]) -> None:
        """Let what is not counted be asked for at each scrape. It returns at once."""
        self.registry.register(_Read(families))

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Note an answer. ``status`` is 0 for a caller who was gone."""
        known = (method, route) if route is not None else (NO_ROUTE, NO_ROUTE)
        self._requests.labels(*known, status_class(status)).observe(seconds)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.meaning, metric.labels, registry=self.registry, buckets=metric.buckets)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self.registry)


class _Read(Collector):
    def __init__(self, families: Callable[[], Sequence[Family]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families()


def status_class(status: int) -> str:
    """``404`` -> ``4xx``; 0 -> ``none``."""
    return f"{status // 100}xx" if status else "none"
