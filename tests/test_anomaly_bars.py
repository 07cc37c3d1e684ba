"""Bars of the detection of anomalies: leaks of a recording; how faults that are told apart are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.anomaly.city_faults import Episode, f1, macro_f1
from benchmarks.anomaly.leaks import false_alarms, hours_to, network_alarms, read_network, windows
from indicators.detector_kinds import Kind
from sim.faults import Fault

LEAKS = Path(__file__).resolve().parents[2] / "shared" / "data" / "water_leak"


@pytest.mark.slow
@pytest.mark.skipif(not LEAKS.is_dir(), reason="the recordings are not part of the project")
def test_every_abrupt_leak_is_found_within_a_day_and_nothing_else() -> None:
    network = read_network(LEAKS, windows(LEAKS)[0])
    alarms = network_alarms(network)
    assert len(network.leaks) == 3
    assert min(leak.flow for leak in network.leaks) > 5
    assert max(hours_to(leak, alarms)[0] for leak in network.leaks) <= 24
    assert false_alarms(network, alarms) <= len(network.stamps) / 2016


def test_f1_counts_what_was_missed_and_what_was_called_so_wrongly() -> None:
    found = [
        Episode(Fault.STUCK, Kind.FLAT_LINE),
        Episode(Fault.STUCK, None),
        Episode(Fault.DRIFT, Kind.FLAT_LINE),
        Episode(Fault.DRIFT, Kind.DRIFT),
    ]
    assert f1(found, Fault.STUCK) == pytest.approx(0.5)
    assert f1(found, Fault.DRIFT) == pytest.approx(2 / 3)
    assert macro_f1(found) == pytest.approx(np.mean([0.5, 2 / 3, 0, 0]))
