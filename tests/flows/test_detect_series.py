"""Scoring one series: whatever the chunks, never looking ahead, never changing what was said."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.detect.series import LEARNING, ScoredRows, SeriesScorer
from indicators.detector_kinds import Kind

ROWS = 260


def series(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Irregular steps, a long gap, duplicates, missing values, a jump."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([300_000, 290_000, 0, 300_000, 900_000], ROWS, p=[0.6, 0.2, 0.05, 0.1, 0.05])
    steps[ROWS // 2] = 84 * 3_600_000
    stamps = np.cumsum(steps)
    values = rng.normal(10, 1, ROWS)
    values[200:] += 30
    values[rng.random(ROWS) < 0.05] = np.nan
    return stamps, values, stamps // 3_600_000 % 168


def scored(seed: int, cuts: list[int], step_ms: float | None = None, rows: int = ROWS) -> ScoredRows:
    columns = series(seed)
    scorer = SeriesScorer(step_ms)
    ends = [0, *sorted(cuts), rows]
    return ScoredRows.joined([scorer.score(*(c[a:b] for c in columns)) for a, b in pairwise(ends)])


@settings(max_examples=15)
@given(
    seed=st.integers(0, 99),
    cuts=st.lists(st.integers(0, ROWS), max_size=8),
    step=st.sampled_from([None, 60_000.0, 300_000.0]),
)
def test_chunks_change_nothing(seed: int, cuts: list[int], step: float | None) -> None:
    whole, chunked = scored(seed, [], step), scored(seed, cuts, step)
    for f in fields(whole):
        np.testing.assert_array_equal(getattr(whole, f.name), getattr(chunked, f.name))


@settings(max_examples=15)
@given(seed=st.integers(0, 99), rows=st.integers(1, ROWS))
def test_what_was_said_does_not_change(seed: int, rows: int) -> None:
    whole, begun = scored(seed, []), scored(seed, [], rows=rows)
    for f in fields(whole):
        np.testing.assert_array_equal(getattr(whole, f.name)[:rows], getattr(begun, f.name))


def test_the_jump_is_found_and_what_is_missing_scores_nothing() -> None:
    scores = scored(1, [])
    _, values, _ = series(1)
    assert scores.score[200:204].max() > 0.8
    assert not scores.score[np.isnan(values)].any()


def test_the_band_lies_around_the_baseline_and_holds_most_readings() -> None:
    scores = scored(1, [], 300_000)
    _, values, _ = series(1)
    known = np.isfinite(scores.baseline)
    assert known.sum() == ROWS - 22
    assert (scores.low[known] < scores.baseline[known]).all()
    assert (scores.baseline[known] < scores.high[known]).all()
    before = known & np.isfinite(values) & (np.arange(ROWS) < 200)
    inside = (values >= scores.low) & (values <= scores.high)
    assert inside[before].mean() > 0.95


def test_nothing_is_said_while_the_step_is_learned() -> None:
    scores = scored(2, [])
    assert (scores.kind[:LEARNING] == Kind.WARMING_UP).all()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([60_000] * 20, 60_000, id="regular"),
        pytest.param([60_000, 0, 60_000, -30_000, 60_000] * 4, 60_000, id="duplicates and steps back"),
        pytest.param([0] * 20, 300_000, id="no step at all"),
    ],
)
def test_the_step_is_the_usual_one_of_the_first_rows(steps: list[int], expected: float) -> None:
    scorer = SeriesScorer()
    stamps = np.cumsum(steps)
    scorer.score(stamps, np.zeros(20), np.zeros(20, np.int64))
    assert scorer.step_ms == expected
