"""Bars of the detection of anomalies: leaks of a recording; how faults that are told apart are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.anomaly import districts, judged
from benchmarks.anomaly.city_faults import Episode, f1, macro_f1
from benchmarks.anomaly.leaks import false_alarms, hours_to, network_alarms, read_network, windows
from indicators.detector_kinds import Kind
from indicators.judgements import FaultKind, What
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


def test_f1_of_judgements_leaves_out_faults_that_are_not_asked_for() -> None:
    found = [
        judged.Verdict(Fault.STUCK, What.FAULT, FaultKind.STUCK, 1.0),
        judged.Verdict(Fault.DRIFT, What.EVENT, FaultKind.NONE, np.nan),
        judged.Verdict(Fault.DRIFT, What.UNCLEAR, FaultKind.DRIFT, 2.0),
        judged.Verdict(Fault.NOISE, What.UNCLEAR, FaultKind.DRIFT, 2.0),
    ]
    assert judged.f1(found, Fault.DRIFT) == pytest.approx(0.5)
    assert judged.macro_f1(found, (Fault.STUCK, Fault.DRIFT)) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.slow
def test_no_event_of_any_scenario_is_judged_a_fault() -> None:
    found = judged.hidden(sensors=800, seed=3)
    assert found.events == []
    assert found.planned > 0


@pytest.mark.slow
def test_most_clear_faults_are_judged_faults_of_their_kind() -> None:
    found = judged.verdicts(sensors=800, seed=3)
    sure = [v for v in found if v.fault in (Fault.SILENCE, Fault.STUCK, Fault.SPIKE)]
    assert np.mean([v.what == What.FAULT and v.taken == judged.NAMES[v.fault] for v in sure]) >= 0.9


def test_a_vector_alarms_again_only_after_calm_and_thresholds_keep_the_budget() -> None:
    scores = np.zeros((96, 10))
    scores[[10, 12, 40], 3] = 5.0
    assert np.argwhere(districts.alarms(scores, 5.0)).tolist() == [[10, 3], [40, 3]]
    busy = np.random.default_rng(1).exponential(1.0, (96 * 30, 20))
    threshold = districts.fitted(busy)
    allowed = districts.BUDGET / 1000 * 30 * 20
    assert 0 < districts.alarms(busy, threshold).sum() <= allowed
    below = np.unique(busy)[np.unique(busy) < threshold][-1]
    assert districts.alarms(busy, below).sum() > allowed
