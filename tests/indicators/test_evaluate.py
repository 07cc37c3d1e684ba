"""One indicator over one shard: reductions over sensors and readings, against plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.evaluate import Frame
from tests.indicators.small_city import (
    CELLS,
    HOUR,
    METRICS,
    MINUTE,
    NOON,
    Case,
    Reading,
    city_values,
    frame_of,
    full_shard,
    judged,
    plan_of,
    same,
)

WINDOW = 15 * MINUTE
HOLD = 3 * METRICS["parking_occupied"].period_ms
MONTH = 30 * 24 * HOUR

Sensor = list[Reading]

readings = st.builds(
    Reading,
    st.sampled_from(["parking_occupied", "parking_total"]),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(-60, 10).map(lambda m: NOON + m * MINUTE),
    st.integers(0, 9).map(float),
)
streams = st.lists(readings, min_size=1, max_size=40)
end_lists = st.sets(st.integers(-10, 3).map(lambda k: NOON + k * 5 * MINUTE), min_size=1, max_size=4).map(
    sorted
)


class Plain:
    """The city at one instant: sensors are (number, place), as known by then."""

    def __init__(self, stream: Sequence[Reading], t: int) -> None:
        held = {(r.metric, r.sensor, r.place, r.ts): r.value for r in stream if r.ts <= t}
        self.t = t
        self.held = sorted((m, s, p, ts, v) for (m, s, p, ts), v in held.items())

    def sensors(self, *codes: str) -> list[tuple[int, int]]:
        return sorted({(s, p) for m, s, p, _, _ in self.held if m in codes})

    def of(self, code: str, sensor: tuple[int, int]) -> list[tuple[int, float]]:
        return [(ts, v) for m, s, p, ts, v in self.held if m == code and (s, p) == sensor]

    def last(self, code: str, sensor: tuple[int, int]) -> float:
        found = self.of(code, sensor)
        hold = 48 * HOUR if METRICS[code].reference else HOLD
        return found[-1][1] if found and found[-1][0] >= self.t - hold else math.nan

    def count(self, code: str, sensor: tuple[int, int]) -> float:
        found = self.of(code, sensor)
        return sum(ts > self.t - WINDOW for ts, _ in found) if found else math.nan

    def pooled(self, code: str) -> list[float]:
        return [v for m, _, _, ts, v in self.held if m == code and ts > self.t - WINDOW]

    def pairs(self, a: str, b: str) -> list[tuple[float, float]]:
        """The latest values of both metrics of every sensor that has either."""
        return [(self.last(a, s), self.last(b, s)) for s in self.sensors(a, b)]


def known(values: Sequence[float]) -> list[float]:
    return [v for v in values if not math.isnan(v)]


def some(values: Sequence[float], of: Callable[[list[float]], float]) -> float:
    return of(known(values)) if known(values) else math.nan


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def median(values: list[float]) -> float:
    ranked, half = sorted(values), len(values) // 2
    return ranked[half] if len(values) % 2 else (ranked[half - 1] + ranked[half]) / 2


def lasts(c: Plain) -> list[float]:
    return [c.last("parking_occupied", s) for s in c.sensors("parking_occupied")]


def both(c: Plain) -> list[tuple[float, float]]:
    pairs = c.pairs("parking_occupied", "parking_total")
    return [(a, b) for a, b in pairs if not math.isnan(a) and not math.isnan(b)]


def divided(above: float, below: float) -> float:
    return above / below if below else math.nan


A, B = "last(parking_occupied)", "last(parking_total)"
FORMULAS: dict[str, Callable[[Plain], float]] = {
    f"total({A})": lambda c: some(lasts(c), math.fsum),
    f"average({A})": lambda c: some(lasts(c), mean),
    f"highest({A})": lambda c: some(lasts(c), max),
    f"lowest({A})": lambda c: some(lasts(c), min),
    f"quantile({A}, 0.5)": lambda c: some(lasts(c), median),
    f"ratio({A}, {B})": lambda c: divided(sum(a for a, _ in both(c)), sum(b for _, b in both(c))),
    f"share({A} > 4)": lambda c: some([float(v > 4) for v in known(lasts(c))], mean),
    f"share({A} > 4, {B})": lambda c: divided(
        sum(b for a, b in both(c) if a > 4), sum(b for _, b in both(c))
    ),
    f"highest({A} - {B})": lambda c: some([a - b for a, b in both(c)], max),
    f"number(present({A}))": lambda c: sum(not math.isnan(v) for v in lasts(c)) if lasts(c) else math.nan,
    "number(count(parking_occupied) > 1)": lambda c: some(
        [float(c.count("parking_occupied", s) > 1) for s in c.sensors("parking_occupied")], sum
    ),
    "total(parking_occupied)": lambda c: some(c.pooled("parking_occupied"), math.fsum),
    "average(parking_occupied)": lambda c: some(c.pooled("parking_occupied"), mean),
    "highest(parking_occupied)": lambda c: some(c.pooled("parking_occupied"), max),
    "lowest(parking_occupied)": lambda c: some(c.pooled("parking_occupied"), min),
    "quantile(parking_occupied, 0.5)": lambda c: some(c.pooled("parking_occupied"), median),
    "share(parking_occupied >= 4)": lambda c: some(
        [float(v >= 4) for v in c.pooled("parking_occupied")], mean
    ),
}


@pytest.mark.parametrize("formula", FORMULAS)
@settings(max_examples=25)
@given(stream=streams, ends=end_lists)
def test_a_value_is_that_of_plain_sensors_and_readings(
    formula: str, stream: list[Reading], ends: list[int]
) -> None:
    plan = plan_of(formula)
    shard = full_shard(stream, plan)
    if shard.active(plan.indicators[0]):
        found = city_values(shard, plan.indicators[0], np.array(ends))
        np.testing.assert_allclose(found, [FORMULAS[formula](Plain(stream, t)) for t in ends], rtol=1e-12)


@pytest.mark.parametrize("formula", FORMULAS)
@settings(max_examples=15)
@given(stream=streams, ends=end_lists)
def test_window_ends_do_not_see_each_other(formula: str, stream: list[Reading], ends: list[int]) -> None:
    plan = plan_of(formula)
    shard = full_shard(stream, plan)
    together = city_values(shard, plan.indicators[0], np.array(ends))
    alone = [city_values(shard, plan.indicators[0], np.array([end]))[0] for end in ends]
    assert same(together, alone)


@settings(max_examples=25)
@given(stream=streams, ends=end_lists)
def test_the_limits_of_a_sensor_are_its_own(stream: list[Reading], ends: list[int]) -> None:
    """``time_outside`` takes its limits from the same sensor in the same cell, if there is one."""
    plan = plan_of("total(time_outside(parking_occupied, 2, last(parking_total)))")
    found = city_values(full_shard(stream, plan), plan.indicators[0], np.array(ends))
    codes = {r.metric for r in stream}
    if "parking_occupied" in codes:
        np.testing.assert_allclose(found, [outside(Plain(stream, t)) for t in ends], rtol=1e-12)


def outside(c: Plain) -> float:
    rows = []
    for sensor in c.sensors("parking_occupied"):
        sample, high = c.of("parking_occupied", sensor), c.last("parking_total", sensor)
        stops = [ts for ts, _ in sample[1:]] + [c.t]
        spans = [
            (min(stop, ts + HOLD) - max(ts, c.t - WINDOW), v)
            for (ts, v), stop in zip(sample, stops, strict=True)
        ]
        held = [(ms, v) for ms, v in spans if ms > 0]
        rows.append(sum(ms for ms, v in held if v < 2 or v > high) / 1000 if held else math.nan)
    return some(rows, math.fsum)


@settings(max_examples=25)
@given(stream=streams, ends=end_lists, registered=st.booleans())
def test_the_evidence_counts_readings_sensors_and_recent_input(
    stream: list[Reading], ends: list[int], *, registered: bool
) -> None:
    plan = plan_of("total(last(parking_occupied)) + total(last(parking_total))")
    shard = full_shard(stream, plan)
    for code in plan.indicators[0].metrics:
        shard.store(code).registered[:] = registered
    whole = frame_of(shard, plan.indicators[0], np.array(ends))
    size = whole.evidence.columns[0].shape[1]
    found = whole.merged(np.arange(size), np.zeros(1, np.intp)).evidence.columns
    for i, t in enumerate(ends):
        c = Plain(stream, t)
        codes = plan.indicators[0].metrics
        sensors = {code: c.sensors(code) for code in codes}
        later = {code: {(r.sensor, r.place) for r in stream if r.metric == code} for code in codes}
        n = sum(len(c.pooled(code)) for code in codes)
        present = [
            sum(c.count(code, s) > 0 or not math.isnan(c.last(code, s)) for s in sensors[code])
            for code in codes
        ]
        expected = [len(later[code]) if registered else len(sensors[code]) for code in codes]
        recent = sum(len(s) for s in sensors.values())
        assert [int(column[i, 0]) for column in found] == [n, *present, *expected, recent]


@settings(max_examples=25)
@given(stream=streams, ends=end_lists, data=st.data())
def test_frames_cut_widened_and_joined_hold_the_same_values(
    stream: list[Reading], ends: list[int], data: st.DataObject
) -> None:
    plan = plan_of(f"quantile({A}, 0.5) + 0 * total({B}) + number(open(ev_gas_leak)) * 0")
    shard = full_shard([*stream, Case("ev_gas_leak", 1, 7, (("reported", NOON - HOUR, 0),))], plan)
    frame = frame_of(shard, plan.indicators[0], np.array(ends))
    value = judged(shard, plan.indicators[0], frame).value
    size = value.shape[1]
    cut = data.draw(st.integers(0, len(ends) - 1))
    assert same(judged(shard, plan.indicators[0], frame.part(cut, len(ends))).value, value[cut:])
    where = np.array(data.draw(st.permutations(range(size + 2)))[:size])
    wide = judged(shard, plan.indicators[0], frame.at(where, size + 2))
    assert same(wide.value[:, where], value)
    assert wide.n.sum() == judged(shard, plan.indicators[0], frame).n.sum()
    left, right = (frame.merged(np.array([i]), np.zeros(1, np.intp)) for i in (0, size - 1))
    pair = judged(shard, plan.indicators[0], Frame.joined([left, right])).value
    assert same(pair, value[:, [0, size - 1]])


def test_a_sensor_heard_of_later_is_not_there_yet() -> None:
    plan = plan_of("number(count(parking_occupied) < 1)")
    shard = full_shard([Reading("parking_occupied", 1, 0, NOON, 1.0)], plan)
    ends = np.array([NOON - 5 * MINUTE, NOON, NOON + HOUR])
    assert same(city_values(shard, plan.indicators[0], ends), [math.nan, 0.0, 1.0])


def test_a_retired_sensor_is_in_no_count() -> None:
    plan = plan_of("number(count(parking_occupied) >= 0)")
    shard = full_shard([Reading("parking_occupied", s, 0, NOON, 1.0) for s in (1, 2)], plan)
    shard.store("parking_occupied").retired[0] = NOON + HOUR
    ends = np.array([NOON, NOON + HOUR])
    assert same(city_values(shard, plan.indicators[0], ends), [2.0, 1.0])


def test_an_input_is_recent_for_thirty_days() -> None:
    plan = plan_of("number(entered(ev_gas_leak, 'reported'))")
    shard = full_shard([Case("ev_gas_leak", 1, 0, (("reported", NOON, 0),))], plan)
    ends = np.array([NOON, NOON + MONTH - 5 * MINUTE, NOON + MONTH])
    found = judged(shard, plan.indicators[0], frame_of(shard, plan.indicators[0], ends))
    assert found.recent[:, 0].tolist() == [True, True, False]
    assert shard.layout(plan.indicators[0]).code.tolist() == [CELLS[0]]
