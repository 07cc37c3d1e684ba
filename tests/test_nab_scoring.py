"""The rules of the Numenta Anomaly Benchmark: small cases by hand, its series against published scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.anomaly.contestants import BASELINES, Contestant, contestants, each
from benchmarks.anomaly.nab_corpus import Labelled, read_corpus
from benchmarks.anomaly.nab_scoring import PROFILES, marks, sweep
from benchmarks.anomaly.nab_table import THRESHOLD, scored
from indicators.river_models import MODELS

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "nab"
WINDOW = (60, 79)
STANDARD, LOW_FP, LOW_FN = PROFILES


def score(rows: list[int], profile: int = 0) -> float:
    """Score of detections in some rows of 100 with one window."""
    detected = np.zeros(100)
    detected[rows] = 1.0
    return sweep([(detected, marks(100, [WINDOW]))], PROFILES[profile]).at(1.0)


def test_a_perfect_detector_scores_100_and_one_that_never_detects_0() -> None:
    assert score([60]) == pytest.approx(100.0)
    assert score([]) == 0.0


def test_earlier_is_better_and_only_the_first_detection_counts() -> None:
    assert score([60]) > score([70]) > score([79]) > 0
    assert score([70, 75]) == pytest.approx(score([70]))


def test_a_miss_costs_more_where_misses_are_dear() -> None:
    assert score([79], 2) > score([79], 0)


def test_a_false_alarm_costs_its_weight() -> None:
    # One window: the scale from nothing (-1) to perfect (1) is 2 wide.
    assert score([30, 60]) == pytest.approx(100.0 * (1 - 0.11 / 2))
    assert score([30, 60], 1) == pytest.approx(100.0 * (1 - 0.22 / 2))


def test_a_false_alarm_just_after_a_window_costs_little() -> None:
    assert score([60]) > score([60, 80]) > score([60, 99])


def test_rows_of_the_probation_do_not_count() -> None:
    assert score([3, 60]) == pytest.approx(100.0)
    assert score([15, 60]) < 100.0


def test_rows_with_one_score_come_in_together() -> None:
    found = sweep([(np.ones(100), marks(100, [WINDOW]))], STANDARD)
    assert found.threshold.tolist() == [1.0]
    assert found.at(1.1) == 0.0


recorded = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not part of the project")


@pytest.fixture(scope="module")
def corpus() -> list[Labelled]:
    """Half A of the benchmark."""
    return list(read_corpus(RECORDINGS))


@recorded
def test_there_are_66_windows_in_31_series(corpus: list[Labelled]) -> None:
    assert (len(corpus), sum(one.marks.windows for one in corpus)) == (31, 66)


@pytest.mark.slow
@recorded
@pytest.mark.parametrize(
    ("contestant", "published"),
    [
        pytest.param(Contestant("", each(BASELINES["EWMA z, span 512"])), (45.6, 33.2, 54.7), id="EWMA z"),
        pytest.param(
            Contestant("", each(lambda one: MODELS["river GaussianScorer"](one.values))),
            (45.0, 28.4, 53.7),
            id="GaussianScorer of river",
        ),
        pytest.param(contestants()[2], (69.4, 65.6, 73.0), id="records of the distance to the fast mean"),
        pytest.param(Contestant("", each(lambda one: np.zeros(one.values.size))), (0, 0, 0), id="null"),
    ],
)
def test_scores_are_those_published(
    corpus: list[Labelled], contestant: Contestant, published: tuple[float, float, float]
) -> None:
    pairs, _ = scored(contestant, corpus)
    found = [sweep(pairs, profile).best()[1] for profile in PROFILES]
    assert found == pytest.approx(published, abs=0.06)


@pytest.mark.slow
@recorded
def test_one_threshold_holds_the_bars(corpus: list[Labelled]) -> None:
    pairs, _ = scored(contestants()[0], corpus)
    standard, low_fp, low_fn = (sweep(pairs, profile).at(THRESHOLD) for profile in PROFILES)
    assert standard >= 74
    assert low_fp >= 67
    assert low_fn >= 78
