"""A city's blocks: the same arguments, the same readings; devices by their periods, effects where told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.arrivals import BUCKET_MS, Arrivals
from sim.city import START, City
from sim.device_classes import CLASSES, METRIC_INDEX, METRICS
from sim.drivers import DriverChange
from sim.effects import Effect, Op, applied
from sim.readings import Block, Readings
from sim.script import Script

HOUR = 3_600_000
CITY = City(seed=3, sensors=600, hours=3.0)


def all_of(city: City) -> Readings:
    return Readings.joined([block.readings for block in city.blocks()])


def same(a: Readings, b: Readings) -> bool:
    columns = ("device", "metric", "value", "ts", "arrival")
    return all(np.array_equal(getattr(a, c), getattr(b, c)) for c in columns)


EVERYTHING = all_of(CITY)


def test_the_same_arguments_give_the_same_readings_and_another_seed_others() -> None:
    assert same(EVERYTHING, all_of(City(seed=3, sensors=600, hours=3.0)))
    assert not same(EVERYTHING, all_of(City(seed=4, sensors=600, hours=3.0)))


def test_a_block_depends_on_no_other() -> None:
    blocks = list(CITY.blocks())
    assert same(City(seed=3, sensors=600, hours=3.0).block(2).readings, blocks[2].readings)


def test_a_shorter_city_is_the_beginning_of_a_longer_one() -> None:
    short = City(seed=3, sensors=600, hours=2.0)
    assert same(short.block(0).readings, CITY.block(0).readings)


def test_readings_lie_within_the_city_and_arrive_soon_after() -> None:
    assert EVERYTHING.ts.min() >= CITY.start
    assert EVERYTHING.ts.max() < CITY.end
    delay = EVERYTHING.arrival - EVERYTHING.ts
    assert delay.min() >= 0
    assert delay.max() <= 8000
    assert np.isfinite(EVERYTHING.value).all()


def test_every_device_reports_each_metric_by_its_period() -> None:
    regular = [(c, s) for c in CLASSES for s in c.signals if not (s.irregular or s.at_hour or s.reference)]
    nightly = {"metro_load"}
    for device_class, signal in regular:
        own = CITY.devices.of(device_class.name)
        rows = np.flatnonzero(EVERYTHING.metric == METRIC_INDEX[signal.metric])
        if signal.metric in nightly:
            assert not rows.size  # the city begins at midnight
            continue
        period = signal.period_s * 1000
        counts = np.bincount(EVERYTHING.device[rows] - own.start, minlength=own.stop - own.start)
        assert abs(counts - 3 * HOUR / period).max() <= 1, signal.metric
        order = np.lexsort((EVERYTHING.ts[rows], EVERYTHING.device[rows]))
        device, ts = EVERYTHING.device[rows][order], EVERYTHING.ts[rows][order]
        gap = np.diff(ts)[np.diff(device) == 0]
        assert (abs(gap - period) <= 256).all(), signal.metric


def test_references_are_there_within_a_minute() -> None:
    for device_class in CLASSES:
        own = CITY.devices.of(device_class.name)
        for signal in (s for s in device_class.signals if s.reference):
            rows = (EVERYTHING.metric == METRIC_INDEX[signal.metric]) & (EVERYTHING.ts < CITY.start + 61_000)
            assert set(EVERYTHING.device[rows].tolist()) == set(range(own.start, own.stop))


def test_metrics_of_one_rhythm_are_one_message() -> None:
    one, other = ("bridge_deflection", "bridge_strain")
    stamps = [
        sorted(zip(EVERYTHING.device[m].tolist(), EVERYTHING.ts[m].tolist(), strict=True))
        for m in (EVERYTHING.metric == METRIC_INDEX[one], EVERYTHING.metric == METRIC_INDEX[other])
    ]
    assert stamps[0] == stamps[1]


def test_gauges_count_every_tenth_of_a_millimetre_that_falls() -> None:
    zones = len(CITY.regions.streets)
    noon = START + HOUR
    rain = DriverChange("rain", np.ones(zones), [(noon, 1.0), (noon + HOUR, 1.0)])
    wet = CITY.with_scripts([Script(driver_changes=[rain])])
    readings = all_of(wet)
    rows = readings.metric == METRIC_INDEX["rain_1m"]
    own = wet.devices.sending("rain_1m")
    fallen = np.bincount(readings.device[rows] - own.start, weights=readings.value[rows])
    zone = wet.devices.street[own]
    driven = wet.drivers.at("rain_sum", np.full(len(zone), wet.end), zone)
    driven -= wet.drivers.at("rain_sum", np.full(len(zone), wet.start), zone)
    assert (fallen > 50).all()
    assert (abs(fallen / driven - 1.0) < 0.11).all()


@pytest.mark.parametrize(
    ("op", "size", "expected"),
    [
        ("add", 5.0, 15.0),
        ("scale", 3.0, 30.0),
        ("set", 4.0, 4.0),
        ("atleast", 12.0, 12.0),
        ("drop", 0.0, None),
    ],
)
def test_an_effect_changes_its_devices_within_its_time(op: Op, size: float, expected: float | None) -> None:
    effect = Effect("gas_lel", np.array([8, 2]), 100, 200, op, size)
    device = np.array([2, 8, 3, 2, 2], np.int32)
    ts = np.array([100, 199, 150, 99, 200])
    changed = applied([effect], np.full(5, 10.0), device, ts)
    new = np.nan if expected is None else expected
    assert np.array_equal(changed, [new, new, 10.0, 10.0, 10.0], equal_nan=True)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000), ramp=st.sampled_from([0, 7, 60]), op=st.sampled_from(["add", "scale", "set"])
)
def test_effects_act_one_after_the_other_as_told_one_reading_at_a_time(seed: int, ramp: int, op: Op) -> None:
    rng = np.random.default_rng(seed)
    effects = [
        Effect("m", rng.permutation(20)[:n], int(begin), int(begin + 80), op, rng.normal(1, 1, n), ramp)
        for n, begin in zip(rng.integers(0, 9, 3), rng.integers(0, 100, 3), strict=True)
    ]
    value, ts = rng.normal(10, 3, 60), rng.integers(0, 200, 60)
    device = rng.integers(0, 20, 60).astype(np.int32)
    expected = value.copy()
    for i in range(60):
        for e in effects:
            at = np.flatnonzero(e.devices == device[i])
            if at.size and e.begin <= ts[i] < e.end:
                near = min(ts[i] - e.begin, e.end - ts[i])
                f = min(1.0, near / ramp) if ramp else 1.0
                size = np.asarray(e.size)[at[0]]
                full = {"add": expected[i] + size, "scale": expected[i] * size, "set": size}[op]
                expected[i] += f * (full - expected[i])
    assert applied(effects, value, device, ts) == pytest.approx(expected)


def test_effects_reach_the_readings_and_stay_within_the_sensor() -> None:
    own = CITY.devices.sending("gas_lel")
    devices = np.arange(own.start, own.start + 3)
    begin, end = START + HOUR, START + 2 * HOUR
    touched = CITY.with_scripts([Script(effects=[Effect("gas_lel", devices, begin, end, "add", 500.0)])])
    readings = all_of(touched)
    assert len(readings) == len(EVERYTHING)
    hit = np.isin(readings.device, devices) & (readings.metric == METRIC_INDEX["gas_lel"])
    hit &= (readings.ts >= begin) & (readings.ts < end)
    assert hit.sum() == pytest.approx(3 * 12, abs=3)
    assert (readings.value[hit] == 100.0).all()
    assert np.array_equal(readings.value[~hit], EVERYTHING.value[~hit])


def test_dropped_readings_are_not_sent() -> None:
    own = CITY.devices.sending("air_temperature")
    effect = Effect("air_temperature", np.arange(own.start, own.stop), START, CITY.end, "drop")
    quiet = all_of(CITY.with_scripts([Script(effects=[effect])]))
    assert METRICS.index("air_temperature") not in quiet.metric
    lost = int((EVERYTHING.metric == METRIC_INDEX["air_temperature"]).sum())
    assert len(quiet) == len(EVERYTHING) - lost > 0


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), blocks=st.integers(1, 5), late=st.sampled_from([1, 500, 9000, 5_000_000]))
def test_what_arrives_is_what_was_sent_in_order_of_arrival(seed: int, blocks: int, late: int) -> None:
    rng = np.random.default_rng(seed)
    arrivals, out = Arrivals(), []
    sent = []
    for number in range(blocks):
        ts = rng.integers(number * 1000, number * 1000 + 1000, 30)
        value = np.arange(30.0) + 30 * number
        readings = Readings.of(
            [0] * 30, [0] * 30, value.tolist(), ts.tolist(), (ts + rng.integers(0, late, 30)).tolist()
        )
        sent.append(readings)
        out.append(arrivals.by(Block(number * 1000, number * 1000 + 1000, number, readings)))
        assert not len(out[-1]) or out[-1].arrival.max() < number * 1000 + 1000
    out.append(arrivals.rest())
    got, all_sent = Readings.joined(out), Readings.joined(sent)
    assert sorted(got.value.tolist()) == sorted(all_sent.value.tolist())
    assert np.diff(got.arrival).min() > -BUCKET_MS
    assert len(arrivals.rest()) == 0


def test_more_sensors_make_shorter_blocks() -> None:
    assert City(seed=1, sensors=1000).block_ms == HOUR
    assert City(seed=1, sensors=1_000_000).block_ms <= 120_000


def test_a_city_lives_within_the_times_of_the_wire() -> None:
    for start in (-HOUR, 7_289_654_400_000 - HOUR):
        with pytest.raises(ValueError, match="between 1970 and 2200"):
            City(seed=1, sensors=100, start=start, hours=2.0)


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan")])
def test_a_city_without_time_is_refused(hours: float) -> None:
    with pytest.raises(ValueError, match="lasts more than no time"):
        City(seed=1, sensors=100, hours=hours)
