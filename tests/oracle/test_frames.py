"""Two oracles by different means, plain Python and polars, give the same values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.oracle import frames
from tests.oracle.area import Area
from tests.oracle.cities import CELLS, MODELS, Recipe, recipes
from tests.oracle.comparison import AREAS, areas_of, ends
from tests.oracle.golden import Golden, golden_cases
from tests.oracle.recompute import RULES
from tests.oracle.records import HOUR, MINUTE, Listed, Reading, Records, Transition
from tests.oracle.settled import metric_rows, settle

KEY = ["indicator", "area", "window_end"]
NOON = 1_719_979_200_000
"""2024-07-03 12:00 local."""

FIXED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ENGINE = {"geo", "indicators", "alerts", "sinks", "sim", "flows"}
FOLDER = Path(__file__).parent


def plain(records: Records, first: int, last: int) -> pl.DataFrame:
    """The values of the plain oracle as the same table."""
    city = settle(records)

    def rows() -> Iterator[tuple[str, str, int, float]]:
        for name in frames.INDICATORS:
            rule = RULES[name]
            for area, cells in areas_of(name):
                for end in ends(name, first, last):
                    value = rule.value(Area(city, cells, end, rule.window))
                    if value is not None:
                        yield name, area, end, float(value)

    schema = {"indicator": pl.String, "area": pl.String, "window_end": pl.Int64, "value": pl.Float64}
    return pl.DataFrame(list(rows()), schema=schema, orient="row")


def unequal(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Rows that only one table has, or whose values differ by more than 1e-9."""
    both = one.join(other, on=KEY, how="full", coalesce=True)
    gap = (pl.col("value") - pl.col("value_right")).abs() / pl.max_horizontal(1.0, pl.col("value").abs())
    return both.filter((gap <= 1e-9).fill_null(value=False).not_())


def assert_oracles_agree(records: Records, first: int, last: int) -> pl.DataFrame:
    found = frames.table(records, CELLS, first, last)
    assert found.select(KEY).is_unique().all()
    wrong = unequal(plain(records, first, last), found)
    assert wrong.is_empty(), f"plain on the left, polars on the right: {wrong.sort(KEY).head(12).rows()}"
    return found


@settings(FIXED, max_examples=6)
@given(recipe=recipes())
def test_every_value_of_a_random_city_is_the_same_by_both_means(recipe: Recipe) -> None:
    city = recipe.city()
    found = assert_oracles_agree(city.records, city.first, city.last)
    assert set(found["indicator"]) <= set(frames.INDICATORS)
    assert set(found["area"]) == set(AREAS)


STEPS = st.builds(lambda n, off: n * MINUTE + off, st.integers(-64, 0), st.sampled_from([0, 0, 0, -1, 1]))
LONG_AGO = st.builds(
    lambda hours, minutes, off: -hours * HOUR + minutes * MINUTE + off,
    st.sampled_from([3, 6, 12, 24, 27, 30, 36, 48, 48]),
    st.sampled_from([-10, -5, 0, 0]),
    st.sampled_from([0, 0, 0, -1, 1]),
)
TIMES = st.one_of(STEPS, STEPS, LONG_AGO).map(NOON.__add__)
EDGES = {
    "bin_fill": (90.0, 89.999999, 20.0),
    "supply_voltage": (19.9, 20.0, 198.0, 235.4, 240.0),
    "bus_arrival_deviation": (-60.0, -61.0, 180.0, 181.0),
    "rain_1m": (0.0, 0.2, 2.5, 5.0, 99.0),
    "so2": (150.0, 500.0, 800.0, 900.0),
    "road_speed": (0.0, 1.0, 3.0, 40.0),
    "pipe_level": (0.0, 0.55, 0.7, 0.8, 1.1),
    "pipe_diameter": (1.0, 1.2),
    "parking_occupied": (0.0, 50.0, 118.0, 130.0),
    "parking_total": (100.0, 110.0),
}
LENGTHS = (1, 1, 1, 1, 12, 20, 21, 45, 60)
"""Readings of a run, one a minute: 20 is where a 95th percentile falls between two of them."""


@st.composite
def border_readings(draw: st.DrawFn) -> list[Reading]:
    """Runs of readings of one or two kinds of sensor ending beside borders of windows or holds."""
    kinds = draw(st.lists(st.sampled_from(sorted(MODELS)), min_size=1, max_size=2, unique=True))
    metrics = sorted(m for kind in kinds for m in MODELS[kind].metrics)
    sensors = draw(st.sampled_from([2, 4, 24]))
    found = []
    for _ in range(draw(st.sampled_from([2, 6, 20]))):
        metric, n = draw(st.sampled_from(metrics)), draw(st.integers(0, sensors - 1))
        row = metric_rows()[metric]
        low, high = row.low, min(row.high, 200.0)
        some = st.sampled_from(EDGES.get(metric, (low, (low + high) / 2, high, high * 20 + 1)))
        palette = draw(st.lists(some, min_size=1, max_size=3))
        ts = NOON + draw(LONG_AGO) if row.reference else draw(TIMES)
        length = 1 if row.reference else draw(st.sampled_from(LENGTHS))
        # A slow drift besides, so that neighbouring ranks differ.
        run = [palette[i % len(palette)] + (i * 0.01 if len(palette) == 2 else 0.0) for i in range(length)]
        found += [Reading(f"s{n}", metric, v, ts - i * MINUTE, CELLS[n * 5 % 6]) for i, v in enumerate(run)]
    return found


TRANSITIONS = st.builds(
    lambda n, status, ts, cell, severity: Transition(
        f"c{n}", ("ev_gas_leak", "ev_grid_case", "ev_waterlogging", "ev_road_breakdown")[n % 4], status, ts,
        None if cell is None else CELLS[cell], severity,
    ),
    st.integers(0, 7),
    st.sampled_from(["reported", "accepted", "arrived", "rejected", "closed"]),
    TIMES,
    st.sampled_from([None, 0, 3, 5]),
    st.sampled_from([None, 1, 2, 3, 4]),
)  # fmt: skip


@settings(FIXED, max_examples=150)
@given(
    met=border_readings(),
    cases=st.lists(TRANSITIONS, max_size=25),
    periods=st.lists(st.sampled_from([None, 2, 2.5, 7.5, 10, 20]), min_size=4, max_size=4),
)
def test_the_borders_of_windows_and_holds_are_the_same_by_both_means(
    met: list[Reading], cases: list[Transition], periods: list[float | None]
) -> None:
    listed = tuple(
        Listed(f"s{n}", CELLS[n * 5 % 6], None, int(p * MINUTE) if p else None) for n, p in enumerate(periods)
    )
    streets = {cell: cell[:9] for cell in CELLS}
    records = Records(tuple(met), tuple(cases), listed, streets)
    assert_oracles_agree(records, NOON - 10 * MINUTE, NOON + 5 * MINUTE)


GOLDEN = [case for case in golden_cases() if case.indicator in frames.INDICATORS]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case.indicator}: {case.name}")
def test_the_joins_pass_the_golden_case(case: Golden) -> None:
    for area, cells in case.areas.items():
        readings = tuple(r for r in case.records.readings if r.cell in cells)
        transitions = tuple(t for t in case.records.transitions if t.cell in cells)
        there = replace(case.records, readings=readings, transitions=transitions)
        found = frames.table(there, cells, case.at, case.at)
        of_city = (pl.col("area") == "city") & (pl.col("indicator") == case.indicator)
        expected = case.value[area]
        assert found.filter(of_city)["value"].to_list() == (
            [] if expected is None else [pytest.approx(expected, abs=1e-6)]
        )


def run(sensor: str, metric: str, step: int, found: list[float]) -> tuple[Reading, ...]:
    """Readings every ``step`` ms, the last one at noon."""
    times = range(NOON - step * (len(found) - 1), NOON + 1, step)
    return tuple(Reading(sensor, metric, v, ts, CELLS[0]) for v, ts in zip(found, times, strict=True))


def test_dense_and_extreme_series_have_the_values_worked_out_by_hand_by_both_means() -> None:
    pipes = [run(f"p{i}", "pipe_level", MINUTE, [0.5 + 0.01 * i]) for i in range(20)]
    pipes += [run(f"p{i}", "pipe_diameter", MINUTE, [1.0]) for i in range(20)]
    readings = (
        *run("gas", "gas_lel", 10_000, [float(i) for i in range(20)]),
        *run("so2", "so2", 5 * MINUTE, [900.0] * 12),
        *run("sparse", "pm25", MINUTE, [400.0] * 44),
        *run("storm", "rain_1m", 15 * MINUTE, [9.0] * 12),
        Reading("road", "road_speed", 9.0, NOON - 15 * MINUTE, CELLS[0]),
        *run("road", "road_segment_length", MINUTE, [1.0]),
        *run("road", "road_freeflow_speed", MINUTE, [90.0]),
        *(r for found in pipes for r in found),
    )
    listed = (
        Listed("sparse", CELLS[0], None, MINUTE),
        Listed("storm", CELLS[0], None, 15 * MINUTE),
        Listed("road", CELLS[0], None, 15 * MINUTE // 2),
    )
    steps = (("early", "accepted", 0), ("early", "closed", 1), ("due", "accepted", 1))
    cases = tuple(Transition(c, "ev_grid_case", s, NOON - 48 * HOUR + ms, CELLS[0]) for c, s, ms in steps)
    streets = {cell: cell[:9] for cell in CELLS}
    found = assert_oracles_agree(Records(readings, cases, listed, streets), NOON, NOON)
    of_city = found.filter(pl.col("area") == "city").select("indicator", "value")
    values = dict(of_city.iter_rows())
    assert values["gas.leak_lel_max"] == pytest.approx(18.5)
    assert values["air.aqi"] == 200
    assert values["weather.rain_warning_level"] == 4
    assert values["grid_cases.ontime_closure_rate"] == 0
    risk = 100 * (0.35 * 36 / 50 + 0.20 * 0.185 / 0.7) / 0.65
    assert values["drainage.waterlogging_risk"] == pytest.approx(risk)
    assert "traffic.congestion_index" not in values


def test_a_wrong_a_missing_and_a_surplus_value_are_all_found() -> None:
    right = plain(Records((Reading("g", "gas_lel", 7.0, NOON, CELLS[0]),)), NOON, NOON + MINUTE)
    assert unequal(right, right).is_empty()
    assert unequal(right, right.with_columns(pl.col("value") + 1e-6)).height == right.height
    assert unequal(right, right.head(-1)).height == unequal(right.head(-1), right).height == 1


SECOND = ("frames", "frames_cases", "frames_windows", "frames_sums", "frames_counts")


@pytest.mark.parametrize("name", [f"{module}.py" for module in SECOND])
def test_the_second_oracle_uses_neither_the_engine_nor_the_first_one(name: str) -> None:
    tree = ast.parse((FOLDER / name).read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {m for m in modules if m.split(".")[0] in ENGINE | {"tests"}}
    allowed = {f"tests.oracle.{m}" for m in ("records", *SECOND)}
    assert ours <= allowed
