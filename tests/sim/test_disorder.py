"""Disorder everywhere: about the shares asked for, the same for the same seed, nothing else changed."""

import numpy as np

from sim.disorder import FAULTY, Disorder
from sim.readings import Block, Readings

N = 20_000
STAMPS = (np.arange(N) * 10).tolist()
BLOCK = Block(0, N * 10, 3, Readings.of([0] * N, [0] * N, np.arange(N).tolist(), STAMPS))


def test_without_shares_nothing_changes() -> None:
    same = Disorder(seed=1)(BLOCK).readings
    assert np.array_equal(same.value, BLOCK.readings.value)
    assert np.array_equal(same.arrival, BLOCK.readings.arrival)


def test_shares_of_the_readings_are_late_double_and_faulty() -> None:
    made = Disorder(seed=1, late=0.1, duplicates=0.05, faulty=0.02)(BLOCK).readings
    first = made.take(np.arange(N))
    delay = first.arrival - first.ts
    assert 0.08 < (delay > 0).mean() < 0.12
    assert delay[delay > 0].min() >= 30_000
    assert delay.max() <= 3_000_000
    assert 0.04 < len(made) / N - 1 < 0.06
    wrong = first.value == FAULTY
    assert 0.015 < wrong.mean() < 0.025
    assert np.array_equal(first.value[~wrong], BLOCK.readings.value[~wrong])
    assert np.array_equal(first.ts, BLOCK.readings.ts)


def test_second_copies_are_those_of_the_first_and_arrive_later() -> None:
    made = Disorder(seed=4, duplicates=0.5, late=0.2)(BLOCK).readings
    again = made.take(np.arange(N, len(made)))
    at = again.ts // 10
    assert np.array_equal(made.value[at], again.value)
    assert np.array_equal(made.arrival[at] + 1500, again.arrival)


def test_the_seed_decides() -> None:
    one, same, other = (Disorder(seed=s, late=0.5)(BLOCK).readings.arrival for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
