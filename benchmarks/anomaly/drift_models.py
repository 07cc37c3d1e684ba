"""Slow drifts: river's ADWIN and Page-Hinkley on distances to the baseline, beside what the judge looks at.

Clear drifts of simulated sensors in the last four of 18 days; every series without a fault is watched for
false alarms over the same days.
"""

from collections.abc import Iterator
from time import process_time

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomaly.city_faults import DAY_MS, regular
from benchmarks.anomaly.city_series import CitySeries
from benchmarks.anomaly.judged import sparse, table_of
from indicators.detector import BAND, Detector
from indicators.hour_of_week import HourOfWeek
from indicators.river_models import drifts
from indicators.sensor_or_city import SensorOrCity
from sim.city import HOUR_MS, START, City
from sim.faults import Fault
from sim.spoiler import Spoiler

Floats = NDArray[np.float64]

QUIET_DAYS = 14

HEADER = ("detector of drifts", "found", "of", "median hours", "false a series and day", "µs a reading")


def rows(sensors: int, seed: int = 11) -> Iterator[tuple[str, ...]]:
    """A row of each detector."""
    city = City(seed=seed, sensors=sensors, hours=18 * 24.0)
    series, faults = CitySeries.of(city), sparse(sensors, seed)
    distance, departed, usable, own = _watched(city, series, Spoiler(faults, sensors, seed))
    mine = faults.only(Fault.DRIFT)
    drifting = np.flatnonzero(np.isin(series.device, mine.device) & usable)
    healthy = np.flatnonzero(~np.isin(series.device, faults.device) & usable)
    begins, ends = (dict(zip(mine.device.tolist(), t.tolist(), strict=True)) for t in (mine.begin, mine.end))
    device = series.device.tolist()
    windows = {column: (begins[device[column]], ends[device[column]]) for column in drifting.tolist()}
    found = {column: np.flatnonzero(departed[:, column]) for column in [*windows, *healthy.tolist()]}
    yield _row("departure from the baseline of 3 and more (this project)", found, windows, healthy, own)
    for name, model in (("river ADWIN", "adwin"), ("river PageHinkley", "page_hinkley")):
        begun, found = process_time(), {}
        for column in [*windows, *healthy.tolist()]:
            there = np.flatnonzero(np.isfinite(distance[:, column]))
            found[column] = there[drifts(distance[there, column], model)]
        readings = np.isfinite(distance[:, list(found)]).sum()
        yield _row(name, found, windows, healthy, (process_time() - begun) / readings * 1e6)


def _row(
    name: str,
    found: dict[int, NDArray[np.intp]],
    windows: dict[int, tuple[int, int]],
    healthy: NDArray[np.intp],
    micros: float,
) -> tuple[str, ...]:
    """How many drifts were found while they lasted; ``found`` are steps of a column after the quiet days."""
    hours = []
    for column, (begin, end) in windows.items():
        at = START + QUIET_DAYS * DAY_MS + (found[column] + 1) * 300_000
        at = at[(at > begin) & (at <= end)]
        hours += [(int(at[0]) - begin) / HOUR_MS] if at.size else []
    false = sum(found[column].size for column in healthy.tolist()) / (4.0 * max(healthy.size, 1))
    median = f"{np.median(hours):.1f}" if hours else ""
    return (name, str(len(hours)), str(len(windows)), median, f"{false:.3f}", f"{micros:.2f}")


def _watched(
    city: City, series: CitySeries, spoilt: Spoiler
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], float]:
    """After the quiet days: distances [T, S], departures that begin [T, S]; regular series; µs a reading."""
    table, codes = table_of(city, series)
    judge, detector, clock = SensorOrCity(table, codes), Detector(len(series)), HourOfWeek(city.tz)
    distances, departures = [], []
    usable, before, taken, steps = np.zeros(len(series), np.bool_), np.zeros(len(series), np.bool_), 0.0, 0
    for ts, values in series.ticks(city, spoilt):
        verdicts = detector.update(values, clock.at(ts - 1))
        begun = process_time()
        judge.update(values, verdicts, ts)
        taken, steps = taken + process_time() - begun, steps + 1
        away = np.abs(judge.signs.departure) >= judge.settings.drift
        if ts == START + QUIET_DAYS * DAY_MS:
            usable = regular(detector.state)
        if ts > START + QUIET_DAYS * DAY_MS:
            deviation = (verdicts.high - verdicts.baseline) / BAND
            known = np.isfinite(values) & (deviation > 0)
            far = np.full(values.size, np.nan)
            np.divide(values - verdicts.baseline, deviation, out=far, where=known)
            distances.append(np.clip(far, -8.0, 8.0))
            departures.append(away & ~before)
        before = away
    return np.array(distances), np.array(departures), usable, taken / steps / len(series) * 1e6
