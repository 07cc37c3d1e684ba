"""Devices report what the catalogue's metrics say: every metric, its class, its period, within its range."""

import numpy as np
import pytest

from indicators.metrics import METRICS as KNOWN
from indicators.metrics import Metrics
from sim.city import City
from sim.device_class import DeviceClass, Signal
from sim.device_classes import CLASSES, METRIC_INDEX, METRICS, class_counts

CATALOGUE = Metrics.load()
SIGNALS = [(c, s) for c in CLASSES for s in c.signals]


def test_every_metric_of_sensors_and_references_is_sent_by_one_class() -> None:
    assert sorted(METRICS) == sorted(metric.code for metric in KNOWN)
    assert len(SIGNALS) == len(METRICS) == 110
    assert {c.catalogue_class for c in CLASSES} == {metric.sensor_class for metric in KNOWN}


@pytest.mark.parametrize(("device_class", "signal"), SIGNALS, ids=lambda x: getattr(x, "metric", x.__class__))
def test_a_signal_is_what_the_catalogue_says(device_class: DeviceClass, signal: Signal) -> None:
    metric = CATALOGUE[signal.metric]
    assert device_class.catalogue_class == metric.sensor_class
    assert signal.reference == metric.reference
    assert signal.irregular == (metric.period_ms == 0)
    assert signal.irregular or signal.period_s * 1000 == metric.period_ms


@pytest.mark.parametrize("sensors", [48, 49, 1000, 99_999])
def test_counts_add_up_and_leave_no_class_out(sensors: int) -> None:
    counts = class_counts(sensors)
    assert sum(counts) == sensors
    assert min(counts) >= 1


@pytest.mark.parametrize("day", ["2026-03-02", "2026-07-25", "2026-01-20", "2026-10-01"])
def test_a_day_of_any_season_stays_within_the_valid_ranges(day: str) -> None:
    start = int(np.datetime64(f"{day}T00:00", "ms").astype(np.int64)) - 8 * 3_600_000
    city = City(seed=2, sensors=300, start=start, hours=24)
    low, high = np.full(len(METRICS), np.inf), np.full(len(METRICS), -np.inf)
    for block in city.blocks():
        np.minimum.at(low, block.readings.metric, block.readings.value)
        np.maximum.at(high, block.readings.metric, block.readings.value)
    # Schools report on school days alone.
    silent = {METRICS[i] for i in np.flatnonzero(~np.isfinite(low))}
    assert silent <= {"school_absence"}
    for name, i in METRIC_INDEX.items():
        if name not in silent:
            assert CATALOGUE[name].range_min <= low[i] <= high[i] <= CATALOGUE[name].range_max, name
