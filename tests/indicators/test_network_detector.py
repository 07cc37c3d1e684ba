"""Sensors of a network explained by flows: a leak is found, the ups and downs of a day are not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from indicators.network_detector import NetworkDetector, NetworkSettings, NetworkVerdict

Floats = NDArray[np.float64]

HOURS = 240
LEAK = 170


def recorded(seed: int, leak: float = 0.06) -> tuple[Floats, Floats]:
    """Heads [n, 5] that fall with the square of two flows [n, 2]; from hour 170 on one falls further."""
    rng = np.random.default_rng(seed)
    row = np.arange(HOURS * 12)
    day = 100 + 40 * np.sin(2 * np.pi * row / 288)
    flows = np.stack([day, day * 0.6], axis=1) * (1 + rng.normal(0, 0.02, (row.size, 2)))
    effect = rng.uniform(0.5e-3, 2e-3, (2, 5))
    heads = 50 - flows**2 @ effect + rng.normal(0, 0.02, (row.size, 5))
    heads[LEAK * 12 :, 3] -= leak
    return heads, flows


def verdicts(network: NetworkDetector, heads: Floats, flows: Floats) -> list[NetworkVerdict]:
    found = (network.update(h, f) for h, f in zip(heads, flows, strict=True))
    return [verdict for verdict in found if verdict is not None]


def alarms(found: list[NetworkVerdict]) -> list[tuple[int, int]]:
    return [(hour, verdict.member) for hour, verdict in enumerate(found) if verdict.alarm]


@pytest.mark.parametrize("seed", range(3))
def test_a_leak_is_found_and_its_sensor_named(seed: int) -> None:
    found = alarms(verdicts(NetworkDetector(5, 2), *recorded(seed)))
    assert [member for _, member in found] == [3]
    assert LEAK < found[0][0] <= LEAK + 12


def test_without_a_leak_there_is_no_alarm() -> None:
    assert not alarms(verdicts(NetworkDetector(5, 2), *recorded(7, leak=0.0)))


def test_a_larger_leak_is_found_sooner() -> None:
    small, large = (alarms(verdicts(NetworkDetector(5, 2), *recorded(1, leak)))[0][0] for leak in (0.03, 0.2))
    assert large < small


def test_missing_readings_and_flows_leave_it_standing() -> None:
    heads, flows = recorded(2)
    rng = np.random.default_rng(0)
    heads[rng.random(heads.shape) < 0.2] = np.nan
    flows[rng.random(flows.shape) < 0.05] = np.nan
    heads[:, 0] = np.nan
    found = verdicts(NetworkDetector(5, 2), heads, flows)
    assert [member for _, member in alarms(found)] == [3]
    assert all(np.isnan(verdict.residual[0]) for verdict in found)


@pytest.mark.parametrize("cut", [7, 12 * 100, 12 * LEAK + 30])
def test_a_restart_changes_nothing(cut: int) -> None:
    heads, flows = recorded(4)
    whole = verdicts(NetworkDetector(5, 2), heads, flows)
    first = NetworkDetector(5, 2)
    before = verdicts(first, heads[:cut], flows[:cut])
    arrays = first.arrays()
    verdicts(first, heads[cut:], flows[cut:])
    after = verdicts(NetworkDetector(5, 2).restore(arrays), heads[cut:], flows[cut:])
    for one, other in zip(whole, before + after, strict=True):
        np.testing.assert_array_equal(one.evidence, other.evidence)
        assert (one.alarm, one.member) == (other.alarm, other.member)


def test_arrays_of_another_network_are_refused() -> None:
    arrays = NetworkDetector(5, 2).arrays()
    with pytest.raises(ValueError, match="'origin'"):
        NetworkDetector(4, 2).restore(arrays)
    with pytest.raises(ValueError, match="version"):
        NetworkDetector(5, 2).restore({})


def test_it_warms_up_and_rests() -> None:
    settings = NetworkSettings(rest=24, limit=3.0)
    heads, flows = recorded(3, leak=0.5)
    found = alarms(verdicts(NetworkDetector(5, 2, settings), heads, flows))
    assert found[0][0] >= settings.warming
    assert all(b - a > settings.rest for (a, _), (b, _) in pairwise(found))
