"""Vectors of districts: does a model of many metrics at once find more than the metrics one by one?

A vector is what one domain's metrics are on average in a district, every quarter of an hour. All scenarios
are played; what ought to be found are the domains and districts that their truth names. Every detector has
the threshold at which the same city without scenarios gives it ten alarms per 1,000 vectors and day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import process_time

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomaly.city_series import CitySeries
from geo import beidou
from indicators.catalogue import Catalogue
from indicators.detector import BAND, Detector, Verdicts
from indicators.detector_settings import DetectorSettings
from indicators.hour_of_week import HourOfWeek
from indicators.river_models import HalfSpaceTrees
from sim.city import HOUR_MS, START, City
from sim.device_classes import METRICS
from sim.scenarios import SCENARIOS
from sim.scenarios.casting import asked, cast
from sim.script import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_MS = 900_000
QUIET_DAYS = 14
BUDGET = 10.0
"""Alarms per 1,000 vectors and day."""

_CALM = 8
"""Steps below the threshold before a vector may alarm again."""

HEADER = ("detector of vectors", "found", "of", "median hours", "µs a vector")


@dataclass(frozen=True, slots=True)
class Vectors:
    """Components: ``group`` int64 [C] the vector each belongs to; ``keys`` (district, domain) [G]."""

    group: Ints
    keys: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Means:
    """A city's components: ``values`` float64 [T, C] at ``ends`` int64 [T], NaN before the first reading."""

    ends: Ints
    values: Floats


def domains() -> dict[str, str]:
    """The domain of each metric: that of the first indicator made of it."""
    found: dict[str, str] = {}
    for indicator in Catalogue.load().indicators:
        for metric in indicator.metrics:
            found.setdefault(metric, indicator.entry.domain)
    return found


def arrange(city: City, series: CitySeries) -> tuple[Vectors, Ints]:
    """The vectors of a city, of two metrics at least, and the component of each series, -1 for none."""
    domain = domains()
    names = [domain.get(METRICS[m], "") for m in series.metric.tolist()]
    district = city.devices.district[series.device].tolist()
    named = list(zip(district, names, series.metric.tolist(), strict=True))
    parts = sorted({part for part in named if part[1]})
    keys = sorted({part[:2] for part in parts})
    many = [key for key in keys if sum(part[:2] == key for part in parts) > 1]
    kept = [part for part in parts if part[:2] in set(many)]
    place = {part: n for n, part in enumerate(kept)}
    number = {key: n for n, key in enumerate(many)}
    group = np.array([number[part[:2]] for part in kept], np.int64)
    return Vectors(group, many), np.array([place.get(part, -1) for part in named], np.int64)


def means(city: City, series: CitySeries, component: Ints, components: int) -> Means:
    """Mean of the last values of each component's series, every quarter of an hour."""
    last, ends, rows = np.full(len(series), np.nan), [], []
    own = component >= 0
    for ts, values in series.ticks(city):
        np.copyto(last, values, where=np.isfinite(values))
        if ts % STEP_MS == 0:
            there = own & np.isfinite(last)
            total = np.bincount(component[there], weights=last[there], minlength=components)
            count = np.bincount(component[there], minlength=components)
            rows.append(np.divide(total, count, out=np.full(components, np.nan), where=count > 0))
            ends.append(ts)
    return Means(np.array(ends), np.array(rows))


def scored(means_: Means, vectors: Vectors, tz: str) -> dict[str, tuple[Floats, float]]:
    """Scores [T, G] of every detector, and µs a vector."""
    groups = len(vectors.keys)
    scores = {name: np.zeros((len(means_.ends), groups)) for name in NAMES}
    taken = dict.fromkeys(NAMES, 0.0)
    detector = Detector(vectors.group.size, DetectorSettings.for_step(STEP_MS))
    clock, raw, left = HourOfWeek(tz), _Trees(vectors), _Trees(vectors)
    low = np.full(vectors.group.size, np.inf)
    high = -low
    for row, (end, values) in enumerate(zip(means_.ends.tolist(), means_.values, strict=True)):
        begun = process_time()
        verdicts = detector.update(values, clock.at(end - 1))
        rarity = -np.log10(np.maximum(verdicts.probability, 1e-30)).astype(np.float64)
        np.maximum.at(scores[LARGEST][row], vectors.group, rarity)
        taken[LARGEST] += process_time() - begun
        scores[SUM][row] = np.bincount(vectors.group, weights=rarity, minlength=groups)
        distance = _distance(values, verdicts)
        scores[SQUARES][row] = np.bincount(vectors.group, weights=distance**2, minlength=groups)
        taken[SUM] = taken[SQUARES] = taken[LARGEST]
        begun = process_time()
        low, high = np.fmin(low, values), np.fmax(high, values)
        scaled = np.divide(values - low, high - low, out=np.zeros(low.size), where=high > low)
        scores[RAW][row] = raw.update(np.nan_to_num(scaled))
        taken[RAW] += process_time() - begun
        begun = process_time()
        scores[LEFT][row] = left.update(0.5 + np.clip(distance, -6.0, 6.0) / 12.0)
        taken[LEFT] += process_time() - begun
    return {name: (scores[name], taken[name] / scores[name].size * 1e6) for name in NAMES}


LARGEST = "this detector on each metric, the rarest"
SUM = "this detector on each metric, sum of log p"
SQUARES = "sum of squared distances to the baseline"
RAW = "river HalfSpaceTrees, running min-max"
LEFT = "river HalfSpaceTrees on distances to the baseline"
NAMES = (LARGEST, SUM, SQUARES, RAW, LEFT)


class _Trees:
    """Trees of each vector."""

    def __init__(self, vectors: Vectors) -> None:
        self._rows = [np.flatnonzero(vectors.group == g) for g in range(len(vectors.keys))]
        self._trees = [HalfSpaceTrees(seed=g) for g in range(len(vectors.keys))]

    def update(self, values: Floats) -> list[float]:
        return [trees.update(values[rows]) for trees, rows in zip(self._trees, self._rows, strict=True)]


def _distance(values: Floats, verdicts: Verdicts) -> Floats:
    deviation = (verdicts.high - verdicts.baseline) / BAND
    known = np.isfinite(values) & (deviation > 0)
    return np.divide(values - verdicts.baseline, deviation, out=np.zeros(values.size), where=known)


def alarms(scores: Floats, threshold: float) -> NDArray[np.bool_]:
    """Where a vector reaches the threshold after calm: bool [T, G]."""
    above = scores >= threshold
    raised, rest = np.zeros(above.shape, np.bool_), np.full(above.shape[1], _CALM)
    for row, now in enumerate(above):
        raised[row] = now & (rest >= _CALM)
        rest = np.where(now, 0, rest + 1)
    return raised


def fitted(scores: Floats) -> float:
    """The least threshold at which quiet scores give no more alarms than the budget allows."""
    allowed = BUDGET / 1000 * scores.size * STEP_MS / (24 * HOUR_MS)
    levels = np.unique(scores)
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if alarms(scores, levels[middle]).sum() <= allowed else (middle + 1, high)
    return float(levels[low]) if low < len(levels) else np.inf


def rows(sensors: int, seed: int = 11) -> Iterator[tuple[str, ...]]:
    """A row of each detector."""
    city = City(seed=seed, sensors=sensors, hours=24.0 * (QUIET_DAYS + len(SCENARIOS) + 3))
    scripts = cast(
        city, [asked(f"{name}:start={(QUIET_DAYS + n) * 24 + 10}h") for n, name in enumerate(SCENARIOS)]
    )
    eventful, series = city.with_scripts(scripts), CitySeries.of(city)
    vectors, component = arrange(city, series)
    quiet = scored(means(city, series, component, vectors.group.size), vectors, city.tz)
    played = means(eventful, series, component, vectors.group.size)
    found, late = scored(played, vectors, city.tz), played.ends > START + QUIET_DAYS * 24 * HOUR_MS
    windows = list(_windows(city, vectors, [truth for script in scripts for truth in script.truth]))
    for name in NAMES:
        raised = alarms(found[name][0][late], fitted(quiet[name][0][late]))
        hours = [_hours(played.ends[late], raised[:, group], begin, end) for group, begin, end in windows]
        known = [h for h in hours if h is not None]
        median = f"{np.median(known):.1f}" if known else ""
        yield (name, str(len(known)), str(len(windows)), median, f"{found[name][1]:.1f}")


def _windows(city: City, vectors: Vectors, truths: list[Truth]) -> Iterator[tuple[int, int, int]]:
    """(vector, begin, end) of what ought to be found, each once."""
    devices, catalogue = city.devices, Catalogue.load()
    cells = devices.cells(slice(None))
    number = {key: n for n, key in enumerate(vectors.keys)}
    seen: set[tuple[int, int, int]] = set()
    for truth in truths:
        there = np.isin(cells, beidou.parse(list(truth.cells))[0])
        for indicator in truth.indicators:
            for district in np.unique(devices.district[there]).tolist():
                group = number.get((district, catalogue[indicator].entry.domain))
                if group is not None:
                    seen.add((group, truth.start, truth.end))
    yield from sorted(seen)


def _hours(ends: Ints, raised: NDArray[np.bool_], begin: int, end: int) -> float | None:
    at = np.flatnonzero(raised & (ends > begin) & (ends <= end + HOUR_MS))
    return (int(ends[at[0]]) - begin) / HOUR_MS if at.size else None
