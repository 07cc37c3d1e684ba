"""Who is restless for the same reason: held against a plain count over all pairs of sensors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.cross_checks import CrossChecks
from indicators.judgements import JudgeSettings
from indicators.metrics import Metrics
from indicators.neighbours import Neighbours, SensorSeries
from indicators.sensor_company import Onlookers
from indicators.sensor_signs import RESTLESS, SCATTERED, SensorSigns

METRICS = Metrics.load()
CODES = tuple(METRICS.index)
CHECKS = CrossChecks.load()
SOME = ("supply_voltage", "transformer_load", "rain_1m", "pipe_level", "tap_pressure")
HOUR = 3_600_000
NOW = 100 * HOUR

table = st.lists(
    st.tuples(
        st.integers(1, 6),  # device
        st.sampled_from(SOME),
        st.integers(5, 6),  # tile
        st.integers(0, 20),  # half an hour, so long ago its steps became large
        st.booleans(),  # restless
        st.booleans(),  # back and forth
        st.booleans(),  # dead
        st.integers(0, 20),  # half an hour, so long ago its own fault began
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda row: row[:2],
)


def onlookers(rows: list[tuple[int, str, int, int, bool, bool, bool, int]]) -> Onlookers:
    device, metric, tile, since, restless, noisy, dead, began = zip(*rows, strict=True)
    number = np.array([METRICS.index[code] for code in metric], np.int64)
    series = SensorSeries(np.array(device), number, np.array(tile), METRICS.low[number], METRICS.high[number])
    signs = SensorSigns.empty(len(rows))
    signs.rough_since[:] = signs.calm_at[:] = NOW - np.array(since) * HOUR // 2
    signs.restless_at[:] = np.where(restless, NOW + 1, 0)
    signs.last_at[:], signs.readings[:] = NOW, 1_000
    signs.unrest[:] = np.where(np.array(restless) & noisy, RESTLESS, 0.0)
    signs.scatter[:], signs.turn[:], signs.energy[:] = SCATTERED, -1.0, 1.0
    at = NOW - np.array(began) * HOUR // 2
    beside = Neighbours(series, CHECKS, CODES)
    nobody = np.zeros(len(rows), np.bool_)
    return Onlookers(signs, beside, number * 0, nobody, np.array(dead), at, JudgeSettings())


def lags(one: str, other: str) -> list[int]:
    """How long after each other two metrics may move: one lag for each rule that names both."""
    found = [HOUR] if one == other else []
    for rule in CHECKS.rules:
        ways = {(a, b) for a in rule.when for b in rule.then if a != b}
        if rule.supports == "event" and ({(one, other), (other, one)} & ways):
            found.append(max(rule.lag_ms, HOUR))
    return found


@settings(max_examples=300, deadline=None)
@given(table)
def test_another_is_restless_for_the_same_reason_if_it_began_no_later(
    rows: list[tuple[int, str, int, int, bool, bool, bool, int]],
) -> None:
    expected = []
    for device, metric, tile, *_, began in rows:
        mine = NOW - began * HOUR // 2
        expected.append(
            any(
                restless and not dead and (noisy or NOW - since * HOUR // 2 <= mine + lag)
                for other, code, there, since, restless, noisy, dead, _ in rows
                if other != device and there == tile
                for lag in lags(metric, code)
            )
        )
    asked = np.ones(len(rows), np.bool_)
    company = onlookers(rows).company(asked, np.zeros(len(rows), np.float32), NOW)
    assert company.restless.tolist() == expected


def test_who_was_not_asked_about_has_no_company() -> None:
    rows = [(n, "supply_voltage", 5, 3, True, False, False, 3) for n in (1, 2)]
    asked = np.array([True, False])
    found = onlookers(rows).company(asked, np.zeros(2, np.float32), NOW)
    assert found.restless.tolist() == [True, False]
