"""Faults: each does what it says to the readings it names, and nothing to others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.faults import ERROR_CODE, USUAL, Fault, FaultPlan, plan_faults
from sim.readings import Block, Readings
from sim.spoiler import Spoiler, hits

HOUR = 3_600_000
DEVICES, METRICS, TIMES = 6, 2, 60


def blocks(count: int = 2) -> list[Block]:
    """Every minute, every device sends two metrics: 100 + device and 200 + device."""
    out = []
    for number in range(count):
        ts = number * HOUR + 60_000 * np.arange(TIMES)
        grid = np.meshgrid(range(DEVICES), range(METRICS), ts, indexing="ij")
        device, metric, when = (axis.ravel() for axis in grid)
        value = 100.0 * (metric + 1) + device + when / HOUR / 100
        readings = Readings(device.astype(np.int32), metric.astype(np.int16), value, when, when + 700)
        out.append(Block(number * HOUR, (number + 1) * HOUR, number, readings))
    return out


def spoiled(plan: FaultPlan, count: int = 2, seed: int = 1) -> tuple[Readings, Readings]:
    spoiler = Spoiler(plan, DEVICES, seed)
    before = blocks(count)
    after = [spoiler(block).readings for block in before]
    return Readings.joined([b.readings for b in before]), Readings.joined(after)


def one(kind: Fault, size: float = 1.0, metric: int = -1) -> FaultPlan:
    return FaultPlan.of(kind, [2], metric=metric, begin=HOUR // 2, end=HOUR + HOUR // 2, size=size)


def touched(readings: Readings) -> NDArray[np.bool_]:
    inside = (readings.ts >= HOUR // 2) & (readings.ts < HOUR + HOUR // 2)
    rows: NDArray[np.bool_] = (readings.device == 2) & inside
    return rows


def test_silence_takes_all_readings_of_the_device_and_time_and_no_others() -> None:
    before, after = spoiled(one(Fault.SILENCE))
    assert not touched(after).any()
    assert len(after) == len(before) - touched(before).sum()


def test_silence_of_a_share_of_one_metric_leaves_the_other() -> None:
    before, after = spoiled(one(Fault.SILENCE, 0.5, metric=1))
    lost = len(before) - len(after)
    assert 15 < lost < 45
    assert (touched(after) & (after.metric == 0)).sum() == 60


def test_a_stuck_sensor_repeats_its_first_value_also_in_the_next_block() -> None:
    before, after = spoiled(one(Fault.STUCK))
    rows = touched(before)
    for metric in (0, 1):
        mine = rows & (before.metric == metric)
        assert np.unique(after.value[mine]).tolist() == [before.value[mine][0]]
    assert (after.value[~rows] == before.value[~rows]).all()


def test_spikes_are_error_codes_at_their_share() -> None:
    before, after = spoiled(one(Fault.SPIKE, 0.3))
    rows = touched(before)
    assert 0.15 < (after.value[rows] == ERROR_CODE).mean() < 0.45
    assert (after.value[~rows] == before.value[~rows]).all()


def test_drift_grows_with_the_hours() -> None:
    before, after = spoiled(one(Fault.DRIFT, 0.1))
    rows = touched(before)
    hours = (before.ts[rows] - HOUR // 2) / HOUR
    assert after.value[rows] == pytest.approx(before.value[rows] * (1 + 0.1 * hours))


def test_noise_scatters_by_its_size() -> None:
    before, after = spoiled(one(Fault.NOISE, 0.05))
    rows = touched(before)
    ratio = after.value[rows] / before.value[rows] - 1
    assert 0.03 < ratio.std() < 0.07


def test_a_wrong_clock_moves_stamps_but_not_arrivals() -> None:
    before, after = spoiled(one(Fault.CLOCK, -90_000.0))
    rows = touched(before)
    assert (after.ts[rows] == before.ts[rows] - 90_000).all()
    assert (after.arrival == before.arrival).all()
    assert (after.ts[~rows] == before.ts[~rows]).all()


def test_a_buffering_gateway_delivers_after_its_end_and_in_order() -> None:
    before, after = spoiled(one(Fault.BUFFER))
    rows = touched(before)
    assert (after.arrival[rows] >= HOUR + HOUR // 2).all()
    mine = np.flatnonzero(rows)[np.argsort(after.arrival[rows], kind="stable")]
    assert (np.diff(before.ts[mine]) >= 0).all()


def test_disorder_delays_a_share_beyond_what_is_allowed_for() -> None:
    before, after = spoiled(one(Fault.DISORDER, 0.4))
    late = after.arrival - before.arrival
    assert 0.2 < (late[touched(before)] > 0).mean() < 0.6
    assert late[late > 0].min() >= 15_000
    assert (late[~touched(before)] == 0).all()


def test_duplicates_are_equal_and_later() -> None:
    before, after = spoiled(one(Fault.DUPLICATES, 0.5))
    extra = len(after) - len(before)
    assert 40 < extra < 80
    keys = np.stack([after.device, after.metric, after.ts], axis=1)
    _, count = np.unique(keys, axis=0, return_counts=True)
    assert (count == 2).sum() == extra


def test_what_is_silent_is_not_sent_twice_either() -> None:
    plan = one(Fault.SILENCE).joined(one(Fault.DUPLICATES))
    before, after = spoiled(plan)
    assert len(after) == len(before) - touched(before).sum()


def test_a_plan_without_faults_changes_nothing() -> None:
    before, after = spoiled(FaultPlan.none())
    assert all((getattr(before, f) == getattr(after, f)).all() for f in before.__slots__)


def test_the_same_seed_spoils_the_same() -> None:
    plan = plan_faults(DEVICES, (0, 2 * HOUR), "heavy", np.random.default_rng(2))
    plan = plan.joined(one(Fault.NOISE, 0.1))
    first, second, third = (spoiled(plan, seed=seed)[1] for seed in (1, 1, 2))
    assert (first.value == second.value).all()
    assert len(first) != len(third) or (first.value != third.value).any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_hits_are_those_found_one_by_one(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 12))
    numbers = st.integers(0, 9)
    rows = [tuple(data.draw(numbers) for _ in range(4)) for _ in range(n)]
    plan = FaultPlan.of(
        Fault.NOISE,
        [device % 4 for device, _, _, _ in rows],
        metric=[metric % 3 - 1 for _, metric, _, _ in rows],
        begin=[begin for _, _, begin, _ in rows],
        end=[begin + length for _, _, begin, length in rows],
    )
    m = data.draw(st.integers(0, 15))
    columns = [[data.draw(numbers) for _ in range(m)] for _ in range(3)]
    readings = Readings.of([d % 4 for d in columns[0]], [x % 2 for x in columns[1]], [0.0] * m, columns[2])
    found = hits(plan, Fault.NOISE, readings, devices=4)
    expected = {
        (i, j)
        for i in range(m)
        for j in range(n)
        if readings.device[i] == plan.device[j]
        and plan.metric[j] in (-1, readings.metric[i])
        and plan.begin[j] <= readings.ts[i] < plan.end[j]
    }
    pairs = list(zip(*(a.tolist() for a in found), strict=True))
    assert set(pairs) == expected
    assert len(pairs) == len(expected)


def test_faults_are_as_frequent_as_usual_and_within_their_bounds() -> None:
    devices, days = 50_000, 2
    plan = plan_faults(devices, (0, days * 24 * HOUR), "normal", np.random.default_rng(4))
    for kind, habit in USUAL.items():
        mine = plan.only(kind)
        expected = habit.often * devices / 1000 * days
        assert abs(len(mine) - expected) < 5 * np.sqrt(expected), kind
        low, high = habit.size
        assert ((np.abs(mine.size) >= low) & (np.abs(mine.size) <= high)).all()
        assert (mine.end > mine.begin).all()
        assert (mine.end <= days * 24 * HOUR).all()


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'rough'; use one of none, normal, heavy"):
        plan_faults(10, (0, HOUR), "rough", np.random.default_rng(1))


def test_a_block_keeps_its_bounds() -> None:
    block = blocks(1)[0]
    after = Spoiler(one(Fault.SILENCE), DEVICES, 1)(block)
    assert (after.begin, after.end, after.number) == (block.begin, block.end, block.number)
