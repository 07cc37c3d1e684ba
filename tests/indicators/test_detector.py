"""The detector: equal to its oracle; blind to neighbours, blocks, restarts and the future."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indicators import detector as detector_module
from indicators.detector import Detector, Verdicts
from indicators.detector_kinds import Kind
from indicators.detector_settings import DetectorSettings
from indicators.detector_state import DetectorState
from indicators.detector_tail import threshold
from tests.oracle.anomaly import OneSeries

Floats = NDArray[np.float64]

FIELDS = ("score", "probability", "kind", "alarm", "baseline", "low", "high")


def slot_of(tick: int) -> int:
    return tick // 12 % 168


def recorded(seed: int, ticks: int, series: int) -> Floats:
    """Series with a day, noise, gaps, jumps, stuck stretches, silence; each begins when it likes."""
    rng = np.random.default_rng(seed)
    t = np.arange(ticks)[:, None]
    values = 20 + 5 * np.sin(2 * np.pi * (t / 288 + rng.random(series))) * rng.random(series)
    values = values + rng.normal(0, rng.uniform(0.1, 2, series), (ticks, series))
    for s in range(series):
        for kind in rng.integers(0, 6, 4):
            a = int(rng.integers(0, ticks))
            b = a + int(rng.integers(1, 60))
            if kind == 0:
                values[a:b, s] = np.nan
            elif kind == 1:
                values[a:b, s] = values[a, s]
            elif kind == 2:
                values[a, s] += 60
            elif kind == 3:
                values[a:, s] += 15
            elif kind == 4:
                values[a:b, s] += np.linspace(0, 20, len(values[a:b]))
            else:
                values[a:b, s] += rng.normal(0, 8, len(values[a:b]))
        values[: rng.integers(0, ticks // 3), s] = np.nan
    values[rng.random(values.shape) < 0.03] = np.nan
    return values


def run(detector: Detector, values: Floats, begin: int = 0) -> dict[str, NDArray[Any]]:
    parts = [detector.update(row, slot_of(begin + i)) for i, row in enumerate(values)]
    return columns(parts)


def columns(parts: list[Verdicts]) -> dict[str, NDArray[Any]]:
    return {name: np.stack([getattr(p, name) for p in parts]) for name in FIELDS}


def assert_equal(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("seed", range(4))
def test_it_says_what_the_plain_oracle_says(seed: int) -> None:
    values = recorded(seed, 1200, 2)
    found = run(Detector(2), values)
    for s in range(2):
        oracle = OneSeries()
        said = [oracle.update(x, slot_of(t)) for t, x in enumerate(values[:, s].tolist())]
        sure = np.array([not row.edge for row in said])
        assert sure.mean() > 0.93
        score = np.array([row.score for row in said])
        np.testing.assert_allclose(found["score"][sure, s], score[sure], atol=5e-3)
        p = np.log10([row.p for row in said])
        np.testing.assert_allclose(np.log10(found["probability"][sure, s]), p[sure], atol=0.05)
        np.testing.assert_allclose(found["baseline"][:, s], [r.baseline for r in said], rtol=1e-4)
        half = np.array([r.half if math.isfinite(r.baseline) else math.nan for r in said])
        np.testing.assert_allclose(
            (found["high"] - found["low"])[:, s].astype(float) / 2, half, rtol=2e-3, atol=1e-4
        )
        kinds = np.array([Kind[row.kind.upper()] for row in said])
        assert (found["kind"][:, s] != kinds).sum() <= 2
        alarms = np.array([row.alarm for row in said])
        assert (found["alarm"][:, s] != alarms).sum() == 0


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 399))
def test_a_restart_changes_nothing(seed: int, cut: int) -> None:
    values = recorded(seed, 400, 3)
    whole = run(Detector(3), values)
    first = Detector(3)
    before = run(first, values[:cut])
    arrays = first.arrays()
    run(first, values[cut:], cut)  # what goes on must not reach into what was saved
    after = run(Detector(1).restore(arrays), values[cut:], cut)
    assert_equal(whole, {name: np.concatenate([before[name], after[name]]) for name in FIELDS})


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), cut=st.integers(100, 399))
def test_nothing_depends_on_what_comes_later(seed: int, cut: int) -> None:
    values = recorded(seed, 400, 2)
    other = values.copy()
    other[cut:] = np.random.default_rng(seed).normal(500, 100, other[cut:].shape)
    one, two = run(Detector(2), values), run(Detector(2), other)
    assert_equal(
        {name: column[:cut] for name, column in one.items()},
        {name: column[:cut] for name, column in two.items()},
    )


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(5)), block=st.sampled_from([1, 2, 5]))
def test_series_do_not_see_each_other(seed: int, order: list[int], block: int) -> None:
    values = recorded(seed, 300, 5)
    whole = run(Detector(5), values)
    kept, detector_module.BLOCK = detector_module.BLOCK, block
    try:
        permuted = run(Detector(5), values[:, order])
    finally:
        detector_module.BLOCK = kept
    assert_equal({name: column[:, order] for name, column in whole.items()}, permuted)


def test_series_may_have_clocks_of_their_own() -> None:
    values = recorded(5, 600, 2)
    shifted = np.array([0, 7])
    detector = Detector(2)
    together = columns([detector.update(row, (slot_of(t) + shifted) % 168) for t, row in enumerate(values)])
    for s, shift in enumerate(shifted.tolist()):
        alone = Detector(1)
        parts = [alone.update(values[t, s : s + 1], (slot_of(t) + shift) % 168) for t in range(len(values))]
        assert_equal({n: c[:, s : s + 1] for n, c in together.items()}, columns(parts))


def test_a_series_that_joins_later_is_judged_as_if_it_had_been_silent() -> None:
    values = recorded(9, 500, 3)
    values[:200, 2] = np.nan
    late = Detector(2)
    first = run(late, values[:200, :2])
    late.extend(1)
    second = run(late, values[200:], 200)
    whole = run(Detector(3), values)
    for name in FIELDS:
        np.testing.assert_array_equal(whole[name][:200, :2], first[name])
        np.testing.assert_array_equal(whole[name][200:], second[name])


def test_the_unit_of_a_series_does_not_matter() -> None:
    values = recorded(3, 800, 2)
    # A power of two, so that no digit is lost.
    one, two = run(Detector(2), values), run(Detector(2), values * 1024)
    np.testing.assert_allclose(one["score"].astype(float), two["score"].astype(float), atol=1e-3)


def test_it_warms_up_before_it_speaks() -> None:
    found = run(Detector(4), np.random.default_rng(1).normal(size=(200, 4)))
    assert (found["kind"][:61] == Kind.WARMING_UP).all()
    assert not found["score"][:61].any()
    assert not (found["kind"][61:] == Kind.WARMING_UP).any()


def test_no_alarm_before_two_days() -> None:
    values = np.random.default_rng(1).normal(size=(576, 1))
    values[[300, 400, 500]] = 1000.0
    found = run(Detector(1), values)
    assert found["score"].max() > 0.8
    assert not found["alarm"].any()


def test_scores_and_probabilities_stay_in_bounds() -> None:
    found = run(Detector(20), recorded(12, 900, 20))
    score, p = found["score"].astype(float), found["probability"].astype(float)
    assert score.min() >= 0
    assert score.max() <= 1
    assert p.min() >= 0
    assert p.max() <= 1
    assert (p[score == 0] == 1).all()


def test_one_corrupt_reading_does_not_blind() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(20, 1, (4000, 1))
    values[2000] = -99_999.0
    values[3500:3506] += 12.0
    found = run(Detector(1), values)
    assert found["alarm"][2000, 0]
    assert found["alarm"][3500:3506, 0].any()


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000))
def test_no_value_whatever_it_is_breaks_a_series(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(20, 1, (300, 4))
    rubbish = [1e300, -1e300, 1e-300, 0.0, -0.0, np.inf, -np.inf, np.nan, 1.8e308, 3.4e38]
    hit = rng.random(values.shape) < 0.1
    values[hit] = rng.choice(rubbish, hit.sum())
    detector = Detector(4)
    run(detector, values)
    state = detector.arrays()
    origins = state.pop("origin")
    assert np.isfinite(origins.astype(float)).all()
    assert all(np.isfinite(array.astype(float)).all() for array in state.values())


def test_the_threshold_falls_with_the_budget_and_alarms_are_those_beyond_it() -> None:
    detector = Detector(50)
    run(detector, np.random.default_rng(2).normal(size=(1500, 50)))
    strict, lax = (threshold(detector.state, budget, detector.settings) for budget in (1.0, 100.0))
    assert (strict > lax).all()
    assert (lax > 0).all()


def test_arrays_of_another_version_or_shape_are_refused() -> None:
    arrays = Detector(2).arrays()
    with pytest.raises(ValueError, match="version"):
        Detector(2).restore({**arrays, "version": np.array([0])})
    with pytest.raises(ValueError, match="'week'"):
        DetectorState.restored({**arrays, "week": np.zeros((168, 3), np.float32)})
    with pytest.raises(ValueError, match="'peak'"):
        DetectorState.restored({name: a for name, a in arrays.items() if name != "peak"})


def test_readings_of_another_number_of_series_are_refused() -> None:
    with pytest.raises(ValueError, match="2 series"):
        Detector(2).update(np.zeros(3), 0)


def test_the_memory_of_a_series_is_small() -> None:
    assert Detector(1000).state.nbytes / 1000 <= 1500


def test_faster_series_have_longer_memories() -> None:
    minute = DetectorSettings.for_step(60_000)
    assert minute.warming == 5 * DetectorSettings().warming
    assert DetectorSettings.for_step(1_000).stretch == minute.stretch
