"""The seam to Prometheus: families of samples → the text format, over HTTP.

Everything is asked for when it is scraped (`Source`): a batch that passes the engine costs nothing here.
Families with thousands of samples are kept as text (`Ready`), which is put before the rest.

>>> up = Family("yiwang_up", "gauge", "Whether the process runs.", ("worker",), [Sample(("0",), 1.0)])
>>> print(exposition([lambda: [up]]).decode(), end="")
# HELP yiwang_up Whether the process runs.
# TYPE yiwang_up gauge
yiwang_up{worker="0"} 1.0
"""

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
    make_wsgi_app,
    start_http_server,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of a gauge or counter, for the labels of its family in their order."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Count and sum of a summary; of a histogram also how many were at most each bound (rising, last inf)."""

    labels: tuple[str, ...]
    count: float
    sum: float
    buckets: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with all its samples; the name of a counter ends in ``_total``."""

    name: str
    type: Literal["gauge", "counter", "summary", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    samples: Sequence[Sample] = ()
    spreads: Sequence[Spread] = ()


Source = Callable[[], Iterable[Family]]
"""What is asked at every scrape, from a thread of its own; it only reads."""


class Ready(Protocol):
    """Families of gauges that are kept as text."""

    def text(self) -> bytes:
        """Their text, which is the same in both formats."""

    def families(self) -> Iterable[Family]:
        """The same with all samples, for who looks at them one by one."""


@dataclass(slots=True)
class Histogram:
    """Observations in buckets; ``bounds`` rise, and what is beyond the last counts all the same.

    >>> seconds = Histogram((0.1, 1.0))
    >>> seconds.observe(0.05); seconds.observe(30)
    >>> seconds.spread(())
    Spread(labels=(), count=2, sum=30.05, buckets=((0.1, 1), (1.0, 1), (inf, 2)))
    """

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        """One count for each bound and one beyond."""
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        place = sum(bound < value for bound in self.bounds)
        self.counts[place] += 1
        self.sum += value

    def spread(self, labels: tuple[str, ...]) -> Spread:
        """As a family holds it."""
        counts = list(self.counts)
        below = [sum(counts[: i + 1]) for i in range(len(counts))]
        bounds = (*self.bounds, float("inf"))
        return Spread(labels, below[-1], self.sum, tuple(zip(bounds, below, strict=True)))


class _Asked(Collector):
    """Asks all sources when it is scraped."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from map(_metric, source())


def exposition(sources: Sequence[Source], ready: Sequence[Ready] = ()) -> bytes:
    """What a scrape of these sources gets, in the text format."""
    return b"".join([*(one.text() for one in ready), generate_latest(_registry(sources))])


@contextmanager
def served(sources: Sequence[Source], host: str, port: int, ready: Sequence[Ready] = ()) -> Iterator[int]:
    """Serve ``/metrics`` while the block runs; yields the port, a free one where 0 was asked for.

    Texts that are ``ready`` come first.

    Raises:
        ValueError: nobody can listen there.

    >>> import urllib.request
    >>> with served([], "127.0.0.1", 0) as port:
    ...     b"process_cpu_seconds_total" in urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read()
    True
    """
    registry = _registry(sources)
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ValueError(
            f"metrics cannot be served on {host}:{port} ({error.strerror}); "
            f"give another prometheus.port or prometheus.host"
        ) from error
    server.set_app(_behind(ready, make_wsgi_app(registry, disable_compression=True)))
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


App = Callable[[dict[str, Any], Callable[..., Any]], list[bytes]]
"""A WSGI application."""


def _behind(ready: Sequence[Ready], rest: App) -> App:
    """An application that answers with what is ready and then with what another one says."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        told: list[Any] = []
        found = rest(environ, lambda status, headers: told.extend((status, headers)))
        status, headers = told
        if any(name == "Content-Type" for name, _ in headers):
            found = [b"".join([*(one.text() for one in ready), *found])]
            if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
                headers.append(("Content-Encoding", "gzip"))
                found = [gzip.compress(found[0], _QUICKLY)]
        start(status, headers)
        return found

    return app


_QUICKLY = 1
"""Effort of compression: more makes the text a third shorter for five times the work."""


def _registry(sources: Sequence[Source]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Asked(sources))
    return registry


def _metric(family: Family) -> Metric:
    if family.type == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for one in family.spreads:
            buckets = [("+Inf" if le == float("inf") else str(le), float(n)) for le, n in one.buckets]
            histogram.add_metric(one.labels, buckets, one.sum)
        return histogram
    if family.type == "summary":
        summary = SummaryMetricFamily(family.name, family.help, labels=family.labels)
        for one in family.spreads:
            summary.add_metric(one.labels, int(one.count), one.sum)
        return summary
    kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for sample in family.samples:
        metric.add_metric(sample.labels, sample.value)
    return metric
