"""Kinds of anomaly on clear cases: each is called by its name, and by no other for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from indicators.detector import Detector
from indicators.detector_kinds import Kind

Floats = NDArray[np.float64]

DAY = 288
BEGIN = 15 * DAY + 120
SERIES = 6


def quiet(days: float, amplitude: float = 5.0) -> Floats:
    """Series with a day of ``amplitude`` and noise of 1, at steps of five minutes."""
    ticks = int(days * DAY)
    wave = amplitude * np.sin(2 * np.pi * np.arange(ticks) / DAY)[:, None]
    return 50 + wave + np.random.default_rng(8).normal(size=(ticks, SERIES))


def spike(values: Floats) -> None:
    values[BEGIN] += 25


def shift(values: Floats) -> None:
    values[BEGIN:] += 20


def drift(values: Floats) -> None:
    values[BEGIN:] += 0.25 * np.arange(len(values) - BEGIN)[:, None]


def stuck(values: Floats) -> None:
    values[BEGIN : BEGIN + 72] = values[BEGIN]


def silent(values: Floats) -> None:
    values[BEGIN : BEGIN + 48] = np.nan


def noisy(values: Floats) -> None:
    values[BEGIN : BEGIN + 60] += np.random.default_rng(5).normal(0, 10, (60, SERIES))


def kinds_after(
    spoil: Callable[[Floats], None], hours: float = 6, amplitude: float = 5.0
) -> list[Counter[str]]:
    """Kinds of the rows from the fault on, by series, normal ones left out."""
    values = quiet(17, amplitude)
    spoil(values)
    detector = Detector(SERIES)
    rows = [detector.update(row, t // 12 % 168).kind for t, row in enumerate(values)]
    after = np.array(rows[BEGIN : BEGIN + int(hours * 12)])
    named = [Counter(Kind(k).name for k in column.tolist() if k > Kind.WARMING_UP) for column in after.T]
    assert all(named), "every series says something"
    return named


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        pytest.param(spike, "SPIKE", id="a reading far off"),
        pytest.param(shift, "LEVEL_SHIFT", id="a jump that stays"),
        pytest.param(drift, "DRIFT", id="a slow climb"),
        pytest.param(stuck, "FLAT_LINE", id="the same reading again and again"),
        pytest.param(silent, "SILENCE", id="no reading at all"),
        pytest.param(noisy, "NOISE_BURST", id="five hours of scatter"),
    ],
)
def test_a_clear_case_has_its_name(spoil: Callable[[Floats], None], kind: str) -> None:
    found = [counter.most_common(1)[0][0] for counter in kinds_after(spoil, amplitude=1.0)]
    assert found.count(kind) >= SERIES - 1, found


def test_a_shift_is_a_spike_until_it_has_lasted() -> None:
    values = quiet(16)
    shift(values)
    detector = Detector(SERIES)
    rows = np.array([detector.update(row, t // 12 % 168).kind for t, row in enumerate(values)])
    assert (rows[BEGIN] == Kind.SPIKE).sum() >= SERIES - 1
    assert (rows[BEGIN + 6] == Kind.LEVEL_SHIFT).sum() >= SERIES - 1


def test_an_hour_at_the_wrong_time_is_seasonal() -> None:
    def late(values: Floats) -> None:
        values[BEGIN - 24 : BEGIN + 120] = values[BEGIN - 24 - 96 : BEGIN + 120 - 96]

    named = kinds_after(late, amplitude=15.0)
    assert sum("SEASONAL" in counter for counter in named) >= SERIES - 1


def test_what_hardly_ever_changes_is_not_stuck() -> None:
    detector = Detector(3)
    rows = np.array([detector.update(np.full(3, 7.0), t // 12 % 168).kind for t in range(3 * DAY)])
    assert set(rows[61:].ravel().tolist()) == {Kind.NORMAL}


def test_a_slow_rhythm_is_not_silence() -> None:
    values = np.random.default_rng(1).normal(size=(10 * DAY, 3))
    values[np.arange(10 * DAY) % 12 != 0] = np.nan
    detector = Detector(3)
    rows = np.array([detector.update(row, t // 12 % 168).kind for t, row in enumerate(values)])
    assert not (rows == Kind.SILENCE).any()
