"""Sensor or city: what is judged a fault, what an event, what is left open; and that nothing else decides."""

import numpy as np
import pytest
from numpy.typing import NDArray

from indicators.detector import Detector
from indicators.judgements import FaultKind, What
from indicators.metrics import Metrics
from indicators.neighbours import SensorSeries
from indicators.sensor_or_city import SensorOrCity

STEP = 300_000
METRICS = Metrics.load()
CODES = tuple(METRICS.index)
LEARNT = 600

Floats = NDArray[np.float64]


def series_of(*sensors: tuple[int, str, int]) -> SensorSeries:
    """A table of (device, metric, tile)."""
    device, metric, tile = (np.array(column) for column in zip(*sensors, strict=True))
    number = np.array([METRICS.index[code] for code in metric.tolist()], np.int64)
    return SensorSeries(device, number, tile, METRICS.low[number], METRICS.high[number])


def played(series: SensorSeries, values: Floats) -> list[tuple[int, int, What, FaultKind, int, bool]]:
    """(step, series, what, kind, step since, lifted) of all that is judged of values [steps, S]."""
    judge, detector, told = SensorOrCity(series, CODES), Detector(len(series)), []
    for step, row in enumerate(values):
        found = judge.update(row, detector.update(row, step // 12 % 168), step * STEP)
        columns = (found.series, found.what, found.kind, found.since // STEP, found.lifted)
        told += [
            (step, s, What(w), FaultKind(k), t, end)
            for s, w, k, t, end in zip(*(c.tolist() for c in columns), strict=True)
        ]
    return told


def quiet(steps: int, series: int, level: float = 20.0, seed: int = 1) -> Floats:
    """Readings that scatter about a level."""
    return np.random.default_rng(seed).normal(level, level * 0.01, (steps, series))


def faults(told: list[tuple[int, int, What, FaultKind, int, bool]]) -> list[tuple[int, FaultKind, int]]:
    """(series, kind, step since) of the faults that began after what was learnt."""
    return [(s, k, t) for step, s, w, k, t, end in told if w == What.FAULT and not end and step >= LEARNT]


ONE = series_of((1, "tap_pressure", 5))
FIELD = series_of(*((n, "air_temperature", 5) for n in range(4)))


def test_a_sensor_that_repeats_itself_is_stuck_since_its_first_equal_reading() -> None:
    values = quiet(900, 1, 0.3)
    values[700:800] = values[700]
    told = played(ONE, values)
    assert faults(told) == [(0, FaultKind.STUCK, 700)]
    step, *_ = next(row for row in told if row[5])
    assert 800 <= step <= 804


def test_a_silent_sensor_is_told_and_lifted_when_it_is_back() -> None:
    values = quiet(900, 1, 0.3)
    values[700:760] = np.nan
    told = played(ONE, values)
    assert [kind for _, kind, _ in faults(told)] == [FaultKind.SILENT]
    assert [step for step, *_, end in told if end] == [762]


@pytest.mark.parametrize("trouble", ["noise", "stuck", "silent", "out of range"])
@pytest.mark.parametrize(("metric", "judged"), [("tap_pressure", True), ("device_heartbeat", False)])
def test_a_heartbeat_is_never_at_fault(metric: str, judged: object, trouble: str) -> None:
    """Its values mean nothing; without it a gateway that is there would be gone."""
    values = quiet(900, 1, 0.5)
    shaken = values[700:800, 0] + np.random.default_rng(2).normal(0.0, 0.06, 100)
    one: dict[str, float] = {"stuck": 0.5, "silent": np.nan, "out of range": 99.0}
    values[700:800, 0] = shaken if trouble == "noise" else one[trouble]
    assert bool(faults(played(series_of((1, metric, 5)), values))) is judged


def test_a_value_out_of_range_is_a_spike() -> None:
    values = quiet(900, 1, 0.3)
    values[700] = -99_999.0
    assert faults(played(ONE, values)) == [(0, FaultKind.SPIKE, 700)]


def test_noise_back_and_forth_is_a_fault() -> None:
    values = quiet(900, 1, 0.3)
    values[700:] += np.random.default_rng(2).normal(0.0, 0.05, (200, 1))
    found = faults(played(ONE, values))
    assert [kind for _, kind, _ in found] == [FaultKind.NOISE]
    assert 695 <= found[0][2] <= 720


def test_what_jumps_or_climbs_alone_and_stays_is_never_a_fault() -> None:
    shapes = [(size, ramp) for size in (0.02, 0.05, 0.2, -0.05, -0.2) for ramp in (1, 3, 12, 60)]
    alone = series_of(*((n, "tap_pressure", n) for n in range(len(shapes))))
    values = quiet(1200, len(shapes), 0.3)
    for n, (size, ramp) in enumerate(shapes):
        values[700:, n] += size * np.minimum(np.arange(500) / ramp, 1.0)
    told = played(alone, values)
    assert faults(told) == []
    assert len({s for step, s, what, *_ in told if what == What.UNCLEAR and step >= 700}) == len(shapes)


def test_a_jump_to_a_constant_is_never_a_fault() -> None:
    values = quiet(1200, 1, 0.3)
    values[700:] = 0.095
    assert faults(played(ONE, values)) == []


def test_who_drifts_away_from_neighbours_that_agree_is_wrong() -> None:
    values = quiet(1000, 4)
    values[700:, 2] += 0.05 * np.arange(300)
    found = faults(played(FIELD, values))
    assert [(s, kind) for s, kind, _ in found] == [(2, FaultKind.DRIFT)]
    assert 695 <= found[0][2] <= 730


def test_a_drift_that_neighbours_share_is_an_event() -> None:
    values = quiet(1000, 4)
    values[700:] += 0.05 * np.arange(300)[:, None]
    told = played(FIELD, values)
    assert faults(told) == []
    assert {s for _, s, what, *_ in told if what == What.EVENT} == {0, 1, 2, 3}


def test_a_drift_alone_is_unclear() -> None:
    values = quiet(1000, 4)
    values[700:, 2] += 0.05 * np.arange(300)
    apart = series_of(*((n, "air_temperature", n) for n in range(4)))
    told = played(apart, values)
    assert faults(told) == []
    assert (2, What.UNCLEAR) in {(s, what) for step, s, what, *_ in told if step >= 700}


def test_related_metrics_of_another_device_make_an_event() -> None:
    both = series_of((1, "tap_pressure", 5), (2, "hydrant_pressure", 5), (3, "hydrant_pressure", 6))
    values = quiet(800, 3, 0.3)
    values[700:, :2] -= 0.1
    values[700:, 2] -= 0.1
    told = played(both, values)
    assert {s for step, s, what, *_ in told if what == What.EVENT and step >= 700} == {0, 1}
    assert faults(told) == []


def test_several_devices_of_a_tile_that_fall_silent_are_no_faults() -> None:
    both = series_of((1, "tap_pressure", 5), (2, "pm25", 5))
    values = quiet(900, 2, 0.3)
    values[700:760] = np.nan
    standing = {row[1] for row in played(both, values) if row[2] == What.FAULT and row[0] >= 720}
    assert standing == set()


def test_judgements_do_not_depend_on_who_else_is_judged() -> None:
    """Tiles judged together or apart, in any order of series, give the same."""
    rng = np.random.default_rng(4)
    sensors = [(n, ["air_temperature", "rain_1m", "ponding_depth", "pm25"][n % 4], n % 3) for n in range(24)]
    whole, values = series_of(*sensors), rng.normal(10.0, 0.1, (800, 24))
    values[600:, ::5] += rng.normal(0, 2, (200, 5))
    values[650:700, 3] = values[650, 3]
    values[620:640, [4, 9]] = np.nan
    together = {(row[0], sensors[row[1]][0], *row[2:]) for row in played(whole, values)}
    apart = set()
    for tile in range(3):
        mine = [n for n in reversed(range(24)) if sensors[n][2] == tile]
        told = played(series_of(*(sensors[n] for n in mine)), values[:, mine])
        apart |= {(row[0], sensors[mine[row[1]]][0], *row[2:]) for row in told}
    assert len(together) > 10
    assert together == apart


def test_a_judge_goes_on_from_its_arrays_with_equal_judgements() -> None:
    values = quiet(900, 4)
    values[650:, 1] = values[650, 1]
    values[700:, 2] += 0.05 * np.arange(200)
    detector, judge, other = Detector(4), SensorOrCity(FIELD, CODES), None
    told = []
    for step, row in enumerate(values):
        verdicts = detector.update(row, step // 12 % 168)
        found = judge.update(row, verdicts, step * STEP)
        if other is not None:
            again = other.update(row, verdicts, step * STEP)
            for name in found.__slots__:
                assert getattr(found, name).tolist() == getattr(again, name).tolist(), (step, name)
            told.append(len(found))
        if step == 660:
            other = SensorOrCity(FIELD, CODES)
            other.restore(judge.arrays())
    assert sum(told) > 0


def test_new_series_are_taken_in_and_none_may_leave() -> None:
    judge = SensorOrCity(ONE, CODES)
    judge.arrange(series_of((1, "tap_pressure", 6), (2, "pm25", 6)))
    assert len(judge.series) == 2
    with pytest.raises(ValueError, match="1 series less"):
        judge.arrange(ONE)


def test_the_state_of_another_version_is_refused() -> None:
    judge = SensorOrCity(ONE, CODES)
    with pytest.raises(ValueError, match="version"):
        judge.restore({"version": np.array([99])})


HOMES = series_of(*((n, "supply_voltage", 5) for n in range(4)))


def test_a_meter_that_drifts_away_from_its_feeder_is_wrong_since_it_left() -> None:
    values = quiet(1000, 4, 228.0)
    values[700:, 1] += 0.4 * np.arange(300)
    found = faults(played(HOMES, values))
    assert [(s, kind) for s, kind, _ in found] == [(1, FaultKind.DRIFT)]
    assert 696 <= found[0][2] <= 712


def test_what_others_are_away_by_as_well_is_no_drift() -> None:
    """Two homes of four: the others are calm, but these two agree."""
    values = quiet(1000, 4, 228.0)
    values[700:, :2] -= 0.4 * np.arange(300)[:, None]
    assert faults(played(HOMES, values)) == []


def test_a_single_move_of_a_neighbour_does_not_make_noise_an_event() -> None:
    values = quiet(900, 4, 228.0)
    values[700:, 1] += np.random.default_rng(2).normal(0.0, 25.0, 200)
    values[[715, 740, 765, 790], 2] -= 15.0
    told = [row for row in played(HOMES, values) if row[1] == 1 and row[0] >= LEARNT]
    assert [(kind, end) for _, _, what, kind, _, end in told if what == What.FAULT] == [
        (FaultKind.NOISE, False)
    ]
    assert 698 <= next(since for *_, since, _ in told if since >= 0) <= 704


def test_noise_that_a_neighbour_shares_is_no_fault() -> None:
    values = quiet(900, 4, 228.0)
    values[700:, 1:3] += np.random.default_rng(2).normal(0.0, 25.0, (200, 2))
    assert faults(played(HOMES, values)) == []


def climbing(values: Floats, home: int, since: int) -> None:
    """Steps of a home become large, all in one direction, and its neighbours see it restless."""
    steps = len(values) - since
    values[since:, home] += 12.0 * np.arange(1, steps + 1)


def noisy(first: int, *homes: int, steps: int = 900) -> Floats:
    """Four homes; from ``first`` on the second one's readings go back and forth, and those of ``homes``."""
    values = quiet(steps, 4, 228.0)
    for home in (1, *homes):
        values[first:, home] += np.random.default_rng(home).normal(0.0, 25.0, steps - first)
    return values


@pytest.mark.parametrize(
    ("since", "expected"),
    [(680, []), (700, []), (708, []), (730, [(FaultKind.NOISE, False)]), (760, [(FaultKind.NOISE, False)])],
)
def test_a_neighbour_that_becomes_restless_long_after_has_another_reason(
    since: int, expected: list[tuple[FaultKind, bool]]
) -> None:
    values = noisy(700)
    climbing(values, 2, since)
    told = [row for row in played(HOMES, values[:830]) if row[1] == 1 and row[2] == What.FAULT]
    assert [(kind, end) for _, _, _, kind, _, end in told] == expected


def test_noise_is_none_after_all_if_a_neighbour_goes_back_and_forth_too_however_late() -> None:
    values = noisy(700)
    values[780:, 3] += np.random.default_rng(5).normal(0.0, 25.0, 120)
    told = [row for row in played(HOMES, values) if row[1] == 1 and row[2] == What.FAULT]
    assert [(kind, end) for _, _, _, kind, _, end in told] == [
        (FaultKind.NOISE, False),
        (FaultKind.NOISE, True),
    ]
    assert told[1][0] >= 780


def test_who_was_shaken_is_not_judged_to_drift_for_a_week() -> None:
    """After a power cut the mean of an hour of the week is wrong for long, and the sensor is right."""
    week = 7 * 24 * 12
    values = quiet(700 + week + 100, 4, 228.0)
    values[640:660, 1] = 0.0
    soon, late = values[:1000].copy(), values.copy()
    soon[900:, 1] += 0.4 * np.arange(100)
    late[700 + week :, 1] += 0.4 * np.arange(100)
    assert [s for s, kind, _ in faults(played(HOMES, soon)) if kind == FaultKind.DRIFT] == []
    assert {s for s, kind, _ in faults(played(HOMES, late)) if kind == FaultKind.DRIFT} == {1}
