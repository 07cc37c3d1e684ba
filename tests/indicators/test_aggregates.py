"""Per-series aggregates: every window end at once gives what plain Python finds reading by reading (R12)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.aggregates import AGGREGATES, Window, aggregate, quantile_of
from indicators.expression import Aggregate, Const, Metric
from indicators.held import time_outside
from indicators.store import REFERENCE_HOLD, MetricStore
from tests.indicators.small_city import DAY, HOUR, MINUTE, store_of

SERIES = 3
SCALE = 1000

Sample = tuple[int, float]
"""ts, value"""


@dataclass(frozen=True)
class Case:
    """One window of one series, seen plainly: ``sample`` are all readings up to its end ``at``, by time."""

    sample: list[Sample]
    at: int
    window: int
    period: int
    reference: bool

    @property
    def inside(self) -> list[float]:
        return [v for ts, v in self.sample if ts > self.at - self.window]

    @property
    def hold(self) -> int:
        return REFERENCE_HOLD if self.reference else 3 * self.period

    @property
    def reached(self) -> list[float]:
        """The values of the window, or else the latest one not older than two periods."""
        if self.inside or self.window >= 2 * self.period:
            return self.inside
        return [v for ts, v in self.sample[-1:] if ts >= self.at - 2 * self.period]

    @property
    def held(self) -> list[tuple[int, float]]:
        """Milliseconds inside the window for which each reading holds, and its value."""
        stops = [ts for ts, _ in self.sample[1:]] + [self.at]
        begin = self.at - self.window
        pairs = zip(self.sample, stops, strict=False)
        spans = [(max(ts, begin), min(stop, ts + self.hold), v) for (ts, v), stop in pairs]
        return [(b - a, v) for a, b, v in spans if b > a]


def quantile(values: list[float], percent: int) -> float:
    """The rule of FORMULAS.md 4.1 in whole numbers."""
    ranked = sorted(values)
    k, rest = divmod(percent * len(ranked), 100)
    return ranked[k] if rest else (ranked[k - 1] + ranked[min(k, len(ranked) - 1)]) / 2


def known(values: Sequence[object], value: Callable[[], float]) -> float:
    return value() if values else math.nan


def last(case: Case) -> float:
    return known([ts for ts, _ in case.sample[-1:] if ts >= case.at - case.hold], lambda: case.sample[-1][1])


def seconds(case: Case, wanted: Callable[[float], bool]) -> float:
    return known(case.held, lambda: sum(ms for ms, v in case.held if wanted(v)) / 1000)


PLAIN: dict[str, Callable[[Case], float]] = {
    "count": lambda c: len(c.inside),
    "sum": lambda c: known(c.inside, lambda: math.fsum(c.inside)),
    "mean": lambda c: known(c.reached, lambda: math.fsum(c.reached) / len(c.reached)),
    "min": lambda c: min(c.reached, default=math.nan),
    "max": lambda c: max(c.reached, default=math.nan),
    "last": last,
    "seen": lambda c: float(bool(c.inside)),
    "observed": lambda c: seconds(c, lambda _: True),
    "twm": lambda c: known(c.held, lambda: sum(ms * v for ms, v in c.held) / sum(ms for ms, _ in c.held)),
    "leq": lambda c: known(c.reached, lambda: 10 * math.log10(np.mean([10 ** (v / 10) for v in c.reached]))),
    "harmonic_mean": lambda c: known(
        c.reached, lambda: len(c.reached) / sum(1 / max(v, 1) for v in c.reached)
    ),
    "median": lambda c: known(c.reached, lambda: quantile(c.reached, 50)),
    "percentile": lambda c: known(c.reached, lambda: quantile(c.reached, 90)),
}

values = st.integers(-40_000, 40_000).map(lambda k: k / SCALE)
stamps = st.one_of(st.integers(0, 3 * HOUR), st.integers(0, 36).map(lambda k: k * 5 * MINUTE))
samples = st.lists(st.dictionaries(stamps, values, max_size=25), min_size=SERIES, max_size=SERIES)
periods = st.sampled_from([MINUTE, 5 * MINUTE, 7 * MINUTE, HOUR])
windows = st.sampled_from([5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR])
end_lists = st.sets(st.integers(1, 40).map(lambda k: k * 5 * MINUTE), min_size=1, max_size=6).map(sorted)


def store_with(
    samples: list[dict[int, float]], period: int, *, reference: bool, length: int = MINUTE
) -> MetricStore:
    store = store_of(SERIES, period=period, length=length, reference=reference)
    rows = [(i, ts, round(v * SCALE)) for i, sample in enumerate(samples) for ts, v in sample.items()]
    if rows:
        series, ts, value = np.array(rows, np.int64).T
        store.insert(series, ts, value)
    return store


def plainly(sample: dict[int, float], at: int, window: int, period: int, *, reference: bool) -> Case:
    return Case(sorted((ts, v) for ts, v in sample.items() if ts <= at), at, window, period, reference)


@pytest.mark.parametrize("fn", AGGREGATES)
@settings(max_examples=40)
@given(
    samples=samples,
    ends=end_lists,
    window=windows,
    period=periods,
    offset=st.sampled_from([0, HOUR]),
    data=st.data(),
)
def test_all_window_ends_at_once_give_what_plain_python_finds(
    fn: str,
    samples: list[dict[int, float]],
    ends: list[int],
    window: int,
    period: int,
    offset: int,
    data: st.DataObject,
) -> None:
    reference = data.draw(st.booleans())
    store = store_with(samples, period, reference=reference)
    node = Aggregate(fn, Metric("m"), window=window, offset=offset, params=(Const(90.0),))
    found = aggregate(Window(store, np.array(ends), window, offset), node)
    expected = [
        [PLAIN[fn](plainly(s, end - offset, window, period, reference=reference)) for s in samples]
        for end in ends
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@given(
    samples=samples,
    ends=end_lists,
    window=windows,
    period=periods,
    low=values,
    size=st.integers(0, 20),
    reference=st.booleans(),
)
def test_time_outside_limits_is_that_of_the_held_values(
    samples: list[dict[int, float]],
    ends: list[int],
    window: int,
    period: int,
    low: float,
    size: int,
    *,
    reference: bool,
) -> None:
    w = Window(store_with(samples, period, reference=reference), np.array(ends), window)
    limits = np.full(w.shape, low), np.full(w.shape, low + size)
    found = time_outside(w, limits[0], limits[1])
    cases = [[plainly(s, end, window, period, reference=reference) for s in samples] for end in ends]
    expected = [[seconds(c, lambda v: not low <= v <= low + size) for c in row] for row in cases]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(
    samples=samples,
    ends=end_lists,
    window=windows,
    period=periods,
    need=st.none() | st.integers(1, 6),
    minutes=st.none() | st.integers(1, 60),
    cover=st.none() | st.sampled_from([0.1, 0.5, 0.8, 1.0]),
)
def test_need_and_cover_hold_together(
    samples: list[dict[int, float]],
    ends: list[int],
    window: int,
    period: int,
    need: int | None,
    minutes: int | None,
    cover: float | None,
) -> None:
    w = Window(store_with(samples, period, reference=False), np.array(ends), window)
    need_ms = None if minutes is None else minutes * MINUTE
    found = aggregate(w, Aggregate("count", Metric("m"), window, 0, need, need_ms, cover))
    for i, end in enumerate(ends):
        for series, sample in enumerate(samples):
            n = len(plainly(sample, end, window, period, reference=False).inside)
            wanted = max(need or 0, (need_ms or 0) / period, (cover or 0) * window / period)
            assert found[i, series] == n if n >= wanted - 1e-9 else math.isnan(found[i, series])


@given(samples=samples, ends=end_lists, fn=st.sampled_from(sorted(AGGREGATES)))
def test_the_length_of_slices_shows_nowhere(
    samples: list[dict[int, float]], ends: list[int], fn: str
) -> None:
    node = Aggregate(fn, Metric("m"), window=15 * MINUTE, params=(Const(90.0),))
    short, long = (
        aggregate(
            Window(
                store_with(samples, 5 * MINUTE, reference=False, length=size), np.array(ends), 15 * MINUTE
            ),
            node,
        )
        for size in (MINUTE, 5 * MINUTE)
    )
    np.testing.assert_array_equal(short, long)


@given(
    runs=st.lists(st.lists(values, min_size=1, max_size=45), min_size=1, max_size=4),
    percent=st.sampled_from([5, 10, 25, 50, 75, 90, 95]),
)
def test_the_quantile_rule_is_the_averaged_inverse_of_the_distribution(
    runs: list[list[float]], percent: int
) -> None:
    counts = np.array([len(run) for run in runs])
    ranked = np.concatenate([np.sort(run) for run in runs])
    found = quantile_of(ranked, np.cumsum(counts) - counts, counts, percent / 100)
    assert found.tolist() == [quantile(run, percent) for run in runs]
    if percent in {25, 50, 75}:  # numpy knows no tolerance: only ranks without rounding agree
        numpys = [np.quantile(run, percent / 100, method="averaged_inverted_cdf") for run in runs]
        np.testing.assert_allclose(found, numpys, rtol=1e-12)


def test_a_reading_exactly_two_periods_old_is_still_reached_and_three_periods_held() -> None:
    store = store_with([{0: 5.0}, {}, {}], 10 * MINUTE, reference=False)
    ends = np.array([20 * MINUTE, 21 * MINUTE, 30 * MINUTE, 31 * MINUTE])
    w = Window(store, ends, 5 * MINUTE)
    reached = aggregate(w, Aggregate("mean", Metric("m")))[:, 0]
    held = aggregate(w, Aggregate("last", Metric("m")))[:, 0]
    assert np.isnan(reached).tolist() == [False, True, True, True]
    assert np.isnan(held).tolist() == [False, False, False, True]


def test_a_silent_sensor_is_seen_until_it_retires() -> None:
    store = store_with([{0: 1.0}, {0: 1.0}, {}], MINUTE, reference=False)
    store.retired[1] = DAY
    w = Window(store, np.array([DAY - HOUR, DAY, 7 * DAY]), HOUR)
    assert aggregate(w, Aggregate("seen", Metric("m"))).T.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
