"""What one process counts. Nothing is global: each process has one of these, and hands it to those who count."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from keyturn import __version__
from keyturn.telemetry import catalogue
from keyturn.telemetry.catalogue import Kind, Metric

NO_ROUTE = "none"


Samples = Mapping[tuple[str, ...], float]
"""Values by the values of their labels."""
Reading = tuple[Metric, Callable[[], Samples]]


class Meters:
    """Counters, histograms and gauges of one process, for any number of threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = InfoMetricFamily(catalogue.BUILD.name, catalogue.BUILD.meaning, {"version": __version__})
        self.read(lambda: [build])
        self._requests = self._histogram(catalogue.REQUESTS)
        self._answered: dict[tuple[str, str | None, int], Histogram] = {}
        self._refusals = self._counter(catalogue.REFUSALS)
        self._calls = self._histogram(catalogue.CALLS)
        self._steps = self._histogram(catalogue.STEPS)
        self._runs = self._counter(catalogue.RUNS)

    def tell(self, *readings: Reading) -> None:
        """Let numbers be asked for at each scrape that others keep in any case."""
        self.read(lambda: [family_of(metric, ask()) for metric, ask in readings])

    def read(self, families: Callable[[], Sequence[Family]]) -> None:
        """Let what is not counted be asked for at each scrape. It returns at once."""
        self.registry.register(_Read(families))

    def request(self, method: str, route: str | None, status: int, seconds: float, code: str | None = None) -> None:
        """Note an answer. ``status`` is 0 for a caller who was gone, ``code`` that of the error that was told."""
        key = (method, route, status // 100)
        answered = self._answered.get(key)
        if answered is None:  # found by the library for each request it costs as much as the counting itself
            known = (method, route) if route is not None else (NO_ROUTE, NO_ROUTE)
            answered = self._requests.labels(*known, status_class(status))
            if route is not None:
                self._answered[key] = answered
        answered.observe(seconds)
        if code is not None:
            self._refusals.labels(code).inc()

    def call(self, host: str, outcome: str, seconds: float) -> None:
        """Note a call to Entra ID, Graph or another service of Microsoft, with its outcome as the catalogue names them."""
        self._calls.labels(host, outcome).observe(seconds)

    def step(self, name: str, outcome: str, seconds: float) -> None:
        """Note that a step of a rotation was done, or tried."""
        self._steps.labels(name, outcome).observe(max(0.0, seconds))

    def run_ended(self, reason: str, result: str, cause: str | None) -> None:
        """Note the end of a run. ``cause`` is the code of the error that ended it."""
        self._runs.labels(reason, result, cause or "").inc()

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.meaning, metric.labels, registry=self.registry, buckets=metric.buckets)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)


class _Read(Collector):
    def __init__(self, families: Callable[[], Sequence[Family]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families()


def family_of(metric: Metric, samples: Samples) -> Family:
    """Return a gauge or counter with these values, as a scrape tells them."""
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = make(metric.name, metric.meaning, labels=metric.labels)
    for labels, number in samples.items():
        family.add_metric(labels, number)
    return family


def status_class(status: int) -> str:
    """``404`` -> ``4xx``; 0 -> ``none``."""
    return f"{status // 100}xx" if status else "none"
