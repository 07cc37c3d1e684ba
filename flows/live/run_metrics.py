"""What a running engine says of itself: counts, clocks, costs → families, asked for at every scrape.

Nothing is counted twice: the doors have their tallies, the steps their seconds, the snapshots their costs.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from itertools import islice

from flows.city import City
from flows.control.control_watch import WatchPart
from flows.decoding.provenance import Tally
from flows.kafka.source import KafkaPart
from flows.live.run_input import GrowingFile
from flows.live.run_source import LivePart
from flows.pieces import BEFORE, MAX_DISORDER
from flows.recovery.snapshots import COSTS
from flows.redis.feedback import PARTITION, RedisFeedbackPart
from flows.replay.profile import CALLS, SECONDS
from indicators.catalogue import Catalogue
from sinks.prometheus import Family, Sample, Spread
from sinks.prometheus_alerts import BAD_TRANSITION, Refusals

_REMEMBERED = 4_096
"""Seconds of event time whose arrival is remembered, for the latency of alerts."""


@dataclass(slots=True)
class Trail:
    """When the engine's clock came to which event time.

    >>> trail = Trail()
    >>> trail.note(60_000, 5.0); trail.note(70_500, 6.0)
    >>> trail.decidable(60_000, False), trail.decidable(60_000, True), trail.decidable(99_000, False)
    (6.0, 5.0, None)
    """

    steps: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def note(self, clock: int, wall: float) -> None:
        """The clock (running maximum of the slowest input, ms) is here now."""
        if clock != BEFORE and (not self.steps or clock > self.steps[-1][0]):
            self.steps.append((clock, wall))

    def decidable(self, decided_ts: int, early: bool) -> float | None:  # noqa: FBT001 - a callback
        """When the record came that let something be decided at an event time; None if not known."""
        needed = decided_ts if early else decided_ts + MAX_DISORDER
        place = bisect_left(self.steps, (needed, float("-inf")))
        if place == len(self.steps) or (place == 0 and self.steps[0][0] > needed and self._full):
            return None
        return next(islice(self.steps, place, None))[1]

    @property
    def _full(self) -> bool:
        return len(self.steps) == self.steps.maxlen


@dataclass(slots=True)
class EngineFigures:
    """The figures of one process.

    Attributes:
        process: its number.
        city: the catalogue whose version it tells.
        now: seconds of event time that count as now; of the watermark's lag.
        parts: the parts of the record source that this process runs.
        refusals: what steps behind the doors refused.
        heard: feedback that comes from Redis, if any does.
        themes: theme of every indicator there is or was.
        control: the part that watches the city's own files, if this process has it.
    """

    process: int
    city: City
    now: Callable[[], float]
    parts: list[LivePart]
    trail: Trail = field(default_factory=Trail)
    refusals: Refusals = field(default_factory=Refusals)
    heard: list[RedisFeedbackPart] = field(default_factory=list)
    control: list[WatchPart] = field(default_factory=list)
    themes: dict[str, str] = field(default_factory=dict)
    _pauses: tuple[int, float] = (0, 0.0)

    def __post_init__(self) -> None:
        """Know the catalogue of the beginning."""
        self.take_over(self.city)

    def take_over(self, city: City) -> None:
        """Another catalogue is in force."""
        self.city = city
        self.themes.update({i.id: i.entry.theme for i in city.plan.catalogue.indicators})

    def note(self, clock: int, wall: float) -> None:
        """After a turn of the source: where its clock is; pauses so far, which nobody else sums up here."""
        self.trail.note(clock, wall)
        if COSTS.pauses:
            count, seconds = self._pauses
            self._pauses = count + len(COSTS.pauses), seconds + sum(COSTS.pauses)
            COSTS.pauses.clear()

    def families(self) -> Iterator[Family]:
        """What a scrape gets."""
        yield from self._process()
        yield from self._costs()
        if self.parts:
            yield from _counts(_doors(self.parts, self.heard), self.refusals.counts)
            yield from self._clocks(self.parts)
            yield from self._waits(self.parts)

    def _process(self) -> Iterator[Family]:
        catalogue = self.city.plan.catalogue
        yield _gauge("yiwang_up", "Whether this process runs.", ("worker",), [((str(self.process),), 1)])
        labels = _versions()
        names = ("version", "python", "bytewax")
        yield _gauge("yiwang_build_info", "Versions of the engine.", names, [(labels, 1)])
        text = "The catalogue in force."
        told = [((catalogue.version, catalogue.hash), 1)]
        yield _gauge("yiwang_catalogue_info", text, ("version", "hash"), told)
        yield _names(catalogue)
        text = "Sets of the city's own files that were refused because of a fault."
        refused = sum(part.changes.refused for part in self.control)
        yield _counter("yiwang_catalogue_refused_total", text, (), [((), refused)])

    def _costs(self) -> Iterator[Family]:
        steps = [Spread((step,), CALLS[step], seconds) for step, seconds in sorted(SECONDS.items())]
        text = "Seconds of work, by part of the engine."
        yield Family("yiwang_batch_seconds", "summary", text, ("step",), spreads=steps)
        text = "Seconds for which recovery points held up reading."
        yield Family("yiwang_snapshot_seconds", "summary", text, spreads=[Spread((), *self._pauses)])
        text = "Size of the state in a recovery point."
        yield _gauge("yiwang_snapshot_bytes", text, (), [((), sum(list(COSTS.sizes.values())))])

    def _waits(self, parts: list[LivePart]) -> Iterator[Family]:
        text = "Seconds since the last recovery point."
        age = time.time() - min(part.kept for part in parts)
        yield _gauge("yiwang_commit_age_seconds", text, (), [((), age)])
        if kafka := [part for part in parts if isinstance(part, KafkaPart)]:
            yield from self._topics(kafka)

    @staticmethod
    def _topics(kafka: list[KafkaPart]) -> Iterator[Family]:
        text = "Messages that a partition has and that have not been read."
        lags = [(place, lag) for part in kafka for place, lag in part.lags()]
        yield _gauge("yiwang_kafka_lag", text, ("topic", "partition"), lags)
        text = "Offsets passed over because their records were not there any more."
        skipped = sum(part.skipped for part in kafka)
        yield _counter("yiwang_kafka_skipped_total", text, (), [((), skipped)])
        text = "Decisions about records or partitions that were not there any more."
        yield _counter("yiwang_kafka_gaps_total", text, (), [((), sum(part.gaps for part in kafka))])

    def _clocks(self, parts: list[LivePart]) -> Iterator[Family]:
        watermark = min(part.watermark for part in parts)
        if watermark != BEFORE:
            text = "How far the watermark is behind now."
            lag = self.now() - watermark / 1000
            yield _gauge("yiwang_watermark_lag_seconds", text, (), [((), lag)])
            text = "The watermark, seconds since 1970: no record in time before it is still to come."
            yield _gauge("yiwang_watermark_timestamp_seconds", text, (), [((), watermark / 1000)])
        held = [part.held_by for part in parts]
        text = "1 for an input that holds the watermark while others have gone on."
        samples = [((name,), int(file in held)) for name, file in _named(parts)]
        yield _gauge("yiwang_watermark_held", text, ("partition",), samples)


@lru_cache(maxsize=1)
def _versions() -> tuple[str, str, str]:
    """Of the engine, of Python and of Bytewax; asked once, for they are read from files."""
    return version("yiwang"), platform.python_version(), version("bytewax")


Door = tuple[str, str, tuple[str, int], Tally]
"""Name and kind of an input, what its rejects name as their place, and what became of its records."""


def _doors(parts: list[LivePart], heard: list[RedisFeedbackPart]) -> list[Door]:
    files: list[Door] = [(name, f.kind, f.place, f.tally) for name, f in _named(parts)]
    return files + [(part.name, "feedback", (part.name, PARTITION), part.tally) for part in heard]


def _counts(doors: list[Door], refused: Mapping[tuple[str, int], int]) -> Iterator[Family]:
    """Records by what became of them: accepted + rejected + duplicates = received, but for those held.

    ``refused``: place of an input → feedback that its door accepted and its incident did not.
    """
    received = [((name, kind), tally.received) for name, kind, _, tally in doors]
    yield _counter("yiwang_records_total", "Records received.", ("source", "kind"), received)
    for kind in ("readings", "events", "feedback"):
        own = [door for door in doors if door[1] == kind]
        accepted = [((name,), tally.accepted - refused.get(place, 0)) for name, _, place, tally in own]
        yield _counter(f"yiwang_{kind}_total", f"{kind.capitalize()} accepted.", ("source",), accepted)
    tallies = [door[3] for door in doors]
    reasons: Counter[str] = Counter({BAD_TRANSITION: sum(list(refused.values()))})
    for tally in tallies:
        reasons.update(dict(tally.rejected))
    rejected = [((reason,), n) for reason, n in sorted(reasons.items())]
    yield _counter("yiwang_rejected_total", "Records refused.", ("reason",), rejected)
    for name, text in _SUMS.items():
        total = sum(getattr(tally, name) for tally in tallies)
        yield _counter(f"yiwang_{name}_total", text, (), [((), total)])
    held = sum(tally.held for tally in tallies)
    yield _gauge(
        "yiwang_records_held", "Records not judged yet: one may be from the future.", (), [((), held)]
    )


def _named(parts: list[LivePart]) -> list[tuple[str, GrowingFile]]:
    """Every input with its file's name, numbered where several have the same."""
    files = [file for part in parts for file in part.files]
    count = Counter(file.name for file in files)
    return [(f.name if count[f.name] == 1 else f"{f.name}#{f.number}", f) for f in files]


_SUMS = {
    "duplicates": "Records that repeat one received before.",
    "late": "Accepted records that came more than ten seconds behind their input.",
}


def _names(catalogue: Catalogue) -> Family:
    labels = ("indicator", "name_zh", "name_en", "theme", "unit")
    samples = [
        ((i.id, i.entry.name_zh, i.entry.name_en, i.entry.theme, i.entry.unit), 1)
        for i in catalogue.indicators
    ]
    return _gauge("yiwang_indicator_info", "Names and units of the indicators.", labels, samples)


Told = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Told) -> Family:
    return Family(name, "gauge", text, labels, [Sample(*one) for one in samples])


def _counter(name: str, text: str, labels: tuple[str, ...], samples: Told) -> Family:
    return Family(name, "counter", text, labels, [Sample(*one) for one in samples])
