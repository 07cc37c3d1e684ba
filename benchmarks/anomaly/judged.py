"""Sensor or city? Faults of simulated sensors as they are judged, and what is judged of true events.

Faults: each counted series of a faulty device, how it was judged while the fault lasted (and an hour after).
Events: all scenarios in one city, one after the other; a fault that is not judged in the same city without
them, and was not planned, hides an event.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomaly.city_faults import CLEAR, DAY_MS, plan, regular
from benchmarks.anomaly.city_series import CitySeries
from geo import beidou
from indicators.detector import Detector
from indicators.hour_of_week import HourOfWeek
from indicators.judgements import NAMES_EN, FaultKind, What
from indicators.metrics import Metrics
from indicators.neighbours import SensorSeries
from indicators.sensor_or_city import SensorOrCity
from sim.city import HOUR_MS, START, City
from sim.device_classes import METRICS
from sim.faults import Fault, FaultPlan
from sim.readings import Block
from sim.scenarios import SCENARIOS
from sim.scenarios.casting import asked, cast
from sim.spoiler import Spoiler

NAMES = {
    Fault.SILENCE: FaultKind.SILENT,
    Fault.STUCK: FaultKind.STUCK,
    Fault.SPIKE: FaultKind.SPIKE,
    Fault.DRIFT: FaultKind.DRIFT,
    Fault.NOISE: FaultKind.NOISE,
}
"""What each fault should be judged."""

SIZES = {**CLEAR, Fault.NOISE: ((6.0, 12.0), (0.1, 0.3))}
"""The clear faults, and noise of 10 to 30 % of the value."""

HEADER = (
    "fault",
    "how many",
    "fault",
    "unclear",
    "event",
    "hours to it",
    *(f"as {NAMES_EN[kind]}" for kind in NAMES.values()),
    "as none",
    "F1",
)
EVENT_HEADER = (
    "seed",
    "faults judged in 17 quiet days",
    "more with all scenarios",
    "of sensors that do fall silent",
    "of others: events hidden",
)

SEEDS = (11, 12, 13)

QUIET_DAYS = 14
"""Days before anything happens."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A row of all judgements: series, what, kind, since, at (the step's end), lifted."""

    series: NDArray[np.int64]
    what: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    since: NDArray[np.int64]
    at: NDArray[np.int64]
    lifted: NDArray[np.bool_]
    rule: NDArray[np.int64]


def table_of(city: City, series: CitySeries) -> tuple[SensorSeries, tuple[str, ...]]:
    """The series of a city as a judge takes them, and the codes of their metrics."""
    metrics = Metrics.load()
    metric = np.array([metrics.index[code] for code in METRICS], np.int64)[series.metric]
    devices = city.devices
    tile = beidou.encode(devices.lon[series.device], devices.lat[series.device], 4)
    table = SensorSeries(series.device, metric, tile, metrics.low[metric], metrics.high[metric])
    return table, tuple(metrics.index)


def judged(
    city: City, series: CitySeries, spoilt: Callable[[Block], Block] | None = None, from_day: float = 14.0
) -> tuple[Judged, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return all judgements of a city, which series are regular at ``from_day``, which sent rubbish."""
    table, codes = table_of(city, series)
    judge, detector, clock = SensorOrCity(table, codes), Detector(len(series)), HourOfWeek(city.tz)
    columns: list[list[NDArray[np.generic]]] = []
    usable, wrong = np.zeros(len(series), np.bool_), np.zeros(len(series), np.bool_)
    for ts, values in series.ticks(city, spoilt):
        found = judge.update(values, detector.update(values, clock.at(ts - 1)), ts)
        if ts == START + from_day * DAY_MS:
            usable = regular(detector.state)
        if len(found):
            at = np.full(len(found), ts, np.int64)
            columns.append([found.series, found.what, found.kind, found.since, at, found.lifted, found.rule])
        wrong |= values < -9e4
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
    return Judged(*joined), usable, wrong


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fault of one series: how it was judged, the kind it was taken for, hours after it began.

    ``what`` is the most that was said of it, ``taken`` the kind of that, ``NONE`` for none.
    """

    fault: Fault
    what: What
    taken: FaultKind
    hours: float


def sparse(sensors: int, seed: int) -> FaultPlan:
    """Clear faults of a quarter of the devices: with more, most would have neighbours that err as well."""
    whole = plan(sensors, SIZES, seed)
    few = whole.device % 3 == 0
    return FaultPlan(*(getattr(whole, name)[few] for name in whole.__slots__))


def verdicts(sensors: int, seed: int = 11) -> list[Verdict]:
    """Simulate 18 days, faults in the last of them, and tell how each was judged."""
    city = City(seed=seed, sensors=sensors, hours=18 * 24.0)
    series, faults = CitySeries.of(city), sparse(sensors, seed)
    found, usable, wrong = judged(city, series, Spoiler(faults, sensors, seed))
    return list(_of_faults(series, faults, found, usable, wrong))


def _of_faults(
    series: CitySeries, faults: FaultPlan, found: Judged, usable: NDArray[np.bool_], wrong: NDArray[np.bool_]
) -> Iterator[Verdict]:
    for number in range(len(faults)):
        fault, begin, end = (
            Fault(int(faults.kind[number])),
            int(faults.begin[number]),
            int(faults.end[number]),
        )
        for column in np.flatnonzero((series.device == faults.device[number]) & usable).tolist():
            if fault == Fault.SPIKE and not wrong[column]:
                continue
            rows = (found.series == column) & (found.at > begin) & (found.at <= end + HOUR_MS) & ~found.lifted
            rows = np.flatnonzero(rows)
            what = found.what[rows].max(initial=0)
            named = rows[(found.what[rows] == what) & (found.kind[rows] > 0)]
            at = named[0 if what == What.FAULT else -1] if named.size else None
            taken = FaultKind.NONE if at is None else FaultKind(int(found.kind[at]))
            hours = np.nan if at is None else (int(found.at[at]) - begin) / HOUR_MS
            yield Verdict(fault, What(int(what)), taken, hours)


def rows(found: list[Verdict]) -> Iterator[tuple[str, ...]]:
    """A row of each kind of fault."""
    for fault in NAMES:
        mine = [v for v in found if v.fault == fault]
        words = [str(sum(v.what == what for v in mine)) for what in (What.FAULT, What.UNCLEAR, What.EVENT)]
        kinds = Counter(v.taken for v in mine)
        taken = [str(kinds[kind] or "") for kind in (*NAMES.values(), FaultKind.NONE)]
        hours = [v.hours for v in mine if v.what == What.FAULT]
        median = f"{np.median(hours):.1f}" if hours else ""
        yield (fault.name.lower(), str(len(mine)), *words, median, *taken, f"{f1(found, fault):.3f}")


def f1(found: list[Verdict], fault: Fault) -> float:
    """Harmonic mean of precision and recall of a fault's kind."""
    true = sum(v.fault == fault and v.taken == NAMES[fault] for v in found)
    other = sum((v.fault == fault) != (v.taken == NAMES[fault]) for v in found)
    return 2 * true / (2 * true + other) if true else 0.0


def macro_f1(found: list[Verdict], faults: tuple[Fault, ...] = tuple(NAMES)) -> float:
    """Mean F1 of some kinds of faults, the others left out."""
    some = [v for v in found if v.fault in faults]
    return float(np.mean([f1(some, fault) for fault in faults]))


@dataclass(frozen=True, slots=True)
class Hidden:
    """Faults judged in a city: ``quiet`` without scenarios, ``more`` with them, ``planned`` among these.

    ``events`` are the others, as (metric, kind, day): what should not be.
    """

    seed: int
    quiet: int
    more: int
    planned: int
    events: list[tuple[str, str, float]]

    def row(self) -> tuple[str, ...]:
        """As a row of a table."""
        told = ", ".join(f"{metric} {kind} on day {day:.1f}" for metric, kind, day in self.events)
        return (str(self.seed), str(self.quiet), str(self.more), str(self.planned), told or "0")


def hidden(sensors: int, seed: int) -> Hidden:
    """Play all scenarios a day apart after two weeks, and compare with the same city without them."""
    hours = 24.0 * (QUIET_DAYS + len(SCENARIOS) + 3)
    city = City(seed=seed, sensors=sensors, hours=hours)
    scripts = cast(
        city,
        [asked(f"{name}:start={(QUIET_DAYS + n) * 24 + 10}h") for n, name in enumerate(SCENARIOS)],
    )
    planned = FaultPlan.none()
    for script in scripts:
        planned = planned.joined(script.faults) if isinstance(script.faults, FaultPlan) else planned
    series = CitySeries.of(city)
    quiet = _faults(judged(city, series)[0])
    found = _faults(judged(city.with_scripts(scripts), series, Spoiler(planned, sensors, seed))[0])
    known = {(series_, kind) for series_, kind, _ in quiet}
    more = [one for one in found if one[:2] not in known]
    events = [one for one in more if not _is_planned(planned, series, one)]
    codes = [METRICS[metric] for metric in series.metric.tolist()]
    told = [(codes[s], NAMES_EN[FaultKind(k)], (at - START) / DAY_MS) for s, k, at in events]
    return Hidden(seed, len(quiet), len(more), len(more) - len(events), told)


def _faults(found: Judged) -> list[tuple[int, int, int]]:
    """(series, kind, at) of the faults judged after the quiet days."""
    rows = (found.what == What.FAULT) & ~found.lifted & (found.at > START + QUIET_DAYS * DAY_MS)
    columns = (found.series[rows].tolist(), found.kind[rows].tolist(), found.at[rows].tolist())
    return list(zip(*columns, strict=True))


def _is_planned(planned: FaultPlan, series: CitySeries, one: tuple[int, int, int]) -> bool:
    """Whether a scenario makes the sensor itself fail; a gateway that falls silent is the event."""
    column, _, at = one
    mine = (planned.device == series.device[column]) & (planned.begin <= at) & (at <= planned.end + HOUR_MS)
    return bool(mine.any()) and METRICS[int(series.metric[column])] != "device_heartbeat"
