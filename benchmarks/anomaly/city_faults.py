"""Faults of a simulated city's sensors: are they told apart? Stuck, silent, spikes and drift, one a device.

Two weeks without faults come first. A series counts if it sends in a third of the steps, changes, and is not
equal for two hours by itself. The kind that most rows of a fault are called is what it was taken for.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomaly.city_series import STEP_MS, CitySeries
from indicators.detector import Detector
from indicators.detector_kinds import Kind
from indicators.detector_state import DetectorState
from indicators.hour_of_week import HourOfWeek
from sim.city import HOUR_MS, START, City
from sim.faults import USUAL, Fault, FaultPlan
from sim.spoiler import Spoiler

DAY_MS = 24 * HOUR_MS

NAMES = {
    Fault.SILENCE: Kind.SILENCE,
    Fault.STUCK: Kind.FLAT_LINE,
    Fault.SPIKE: Kind.SPIKE,
    Fault.DRIFT: Kind.DRIFT,
}
"""What each fault should be called."""

CLEAR = {
    Fault.SILENCE: ((3.0, 6.0), (1.0, 1.0)),
    Fault.STUCK: ((6.0, 12.0), (1.0, 1.0)),
    Fault.SPIKE: ((6.0, 12.0), (0.05, 0.10)),
    Fault.DRIFT: ((8.0, 16.0), (0.03, 0.06)),
}
"""Hours and sizes of faults that somebody who looks would see; drift is a share of the value per hour."""

ORDINARY = {fault: (USUAL[fault].hours, USUAL[fault].size) for fault in NAMES}
"""The hours and sizes of `sim.faults`: many drifts are far below the noise."""

HEADER = (
    "fault",
    "how many",
    *(kind.name.lower() for kind in Kind if kind > Kind.WARMING_UP),
    "nothing",
    "F1",
    "alarmed",
)


@dataclass(frozen=True, slots=True)
class Episode:
    """A fault of one series, what it was taken for, None for nothing, and whether it raised an alarm."""

    fault: Fault
    taken: Kind | None
    alarmed: bool = False


def plan(
    devices: int, size: dict[Fault, tuple[tuple[float, float], tuple[float, float]]], seed: int
) -> FaultPlan:
    """A fault for most devices, all kinds as often, in the days after the first two weeks."""
    rng = np.random.default_rng(seed)
    n = devices // (len(size) + 2)
    device = rng.permutation(devices)[: len(size) * n]
    whole = FaultPlan.none()
    for number, (fault, (hours, sizes)) in enumerate(size.items()):
        begin = START + 14 * DAY_MS + rng.integers(0, 3 * DAY_MS, n)
        end = begin + (rng.uniform(*hours, n) * HOUR_MS).astype(np.int64)
        sign = rng.choice([-1.0, 1.0], n) if fault == Fault.DRIFT else 1.0
        mine = device[number * n : (number + 1) * n]
        whole = whole.joined(
            FaultPlan.of(int(fault), mine, begin=begin, end=end, size=sign * rng.uniform(*sizes, n))
        )
    return whole


def episodes(
    sensors: int, size: dict[Fault, tuple[tuple[float, float], tuple[float, float]]], seed: int = 11
) -> list[Episode]:
    """Simulate 18 days and tell what every fault was taken for."""
    city = City(seed=seed, sensors=sensors, hours=18 * 24.0)
    series, faults = CitySeries.of(city), plan(sensors, size, seed)
    detector, clock = Detector(len(series)), HourOfWeek(city.tz)
    kinds, alarms, wrong = [], [], []
    for ts, values in series.ticks(city, Spoiler(faults, sensors, seed)):
        verdicts = detector.update(values, clock.at(ts - 1))
        if ts == START + 14 * DAY_MS:
            usable = regular(detector.state)
        if ts > START + 14 * DAY_MS:
            kinds.append(verdicts.kind)
            alarms.append(verdicts.alarm)
            wrong.append(values < -9e4)
    return list(_told(series, faults, np.array(kinds), np.array(alarms), np.array(wrong), usable))


def regular(state: DetectorState) -> NDArray[np.bool_]:
    """Which series send often, change, and are not equal for two hours by themselves."""
    often = (state.count > 0.3 * state.age) & (state.count > 2 * state.run.astype(np.int32))
    return often & (state.run_record < 24) & (state.jitter > 0)


def _told(  # noqa: PLR0913, PLR0917 - what the days brought
    series: CitySeries,
    faults: FaultPlan,
    kinds: NDArray[np.int8],
    alarms: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    regular: NDArray[np.bool_],
) -> Iterator[Episode]:
    """Every fault of a series that counts, spikes only if there was one."""
    ends = START + 14 * DAY_MS + (np.arange(len(kinds)) + 1) * STEP_MS
    for number in range(len(faults)):
        rows = (ends > faults.begin[number]) & (ends <= faults.end[number] + 2 * STEP_MS)
        fault = Fault(int(faults.kind[number]))
        for column in np.flatnonzero((series.device == faults.device[number]) & regular).tolist():
            if fault == Fault.SPIKE and not wrong[rows, column].any():
                continue
            named = kinds[rows, column]
            named = named[named > Kind.WARMING_UP]
            taken = Kind(int(np.bincount(named).argmax())) if named.size else None
            yield Episode(fault, taken, bool(alarms[rows, column].any()))


def rows(found: list[Episode]) -> Iterator[tuple[str, ...]]:
    """What the faults of each kind were taken for, and how well each is told from the others."""
    for fault in NAMES:
        mine = [e for e in found if e.fault == fault]
        taken = Counter(e.taken for e in mine)
        counts = [str(taken[kind] or "") for kind in Kind if kind > Kind.WARMING_UP]
        alarmed = sum(e.alarmed for e in mine) / max(len(mine), 1)
        score = f"{f1(found, fault):.3f}"
        yield (fault.name.lower(), str(len(mine)), *counts, str(taken[None] or ""), score, f"{alarmed:.0%}")


def f1(found: list[Episode], fault: Fault) -> float:
    """Harmonic mean of precision and recall of a fault's name."""
    name = NAMES[fault]
    true = sum(e.fault == fault and e.taken == name for e in found)
    other = sum((e.fault == fault) != (e.taken == name) for e in found)
    return 2 * true / (2 * true + other) if true else 0.0


def macro_f1(found: list[Episode]) -> float:
    """Mean F1 of the four faults."""
    return float(np.mean([f1(found, fault) for fault in NAMES]))
