"""The engine's table joined with the one polars computes from raw records: every value is the same."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.oracle.cities import CELLS, City, Faults, Recipe, recipes
from tests.oracle.frames import INDICATORS, table
from tests.oracle.frames_cases import heard_of
from tests.oracle.frames_windows import View, frames
from tests.oracle.wire_files import replayed

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""The same few cities in every run, not shrunk: each costs seconds."""

KEY = ["indicator", "area", "window_end"]
COUNTED = "traffic.incident_rate"
"""Zero, not null, where nothing happened: its rows are due from the first case on (R13)."""

LATE_AND_CORRECTED = Recipe(7, 20 * 60, 3, Faults(0.15, 0.3, 0.02, 0.05, 0.05, 0.05, 2), 2)


def engine_values(city: City, batch_size: int, lanes: int) -> pl.DataFrame:
    """The non-null values of ``indicators.parquet``; window ends in epoch ms."""
    with tempfile.TemporaryDirectory() as folder:
        replayed(city.wire, Path(folder), batch_size, lanes)
        table = pl.read_parquet(Path(folder) / "out" / "indicators.parquet")
    ends = pl.col("window_end").dt.epoch("ms")
    known = table.filter(pl.col("indicator").is_in(list(INDICATORS)))
    return known.select("indicator", "area", ends, "value").drop_nulls("value")


def owed(expected: pl.DataFrame, city: City) -> pl.DataFrame:
    """Values the engine must have: from ``first`` on; zeros of incidents after an area's first case."""
    view = View(frames(city.records, CELLS, city.first, city.last), 1, 1)
    since = heard_of(view, "ev_traffic_accident", "ev_road_breakdown")
    heard = (pl.col("window_end") >= pl.col("since")).fill_null(value=False)
    due = expected.join(since, on="area", how="left").filter((pl.col("indicator") != COUNTED) | heard)
    return due.filter(pl.col("window_end") >= city.first).select(*KEY, "value")


@FEW
@example(recipe=LATE_AND_CORRECTED, batch_size=7, lanes=2)
@given(recipe=recipes(), batch_size=st.sampled_from([1, 7, 1000]), lanes=st.sampled_from([1, 2]))
def test_every_value_of_the_engine_is_the_one_of_joins_over_raw_records(
    recipe: Recipe, batch_size: int, lanes: int
) -> None:
    city = recipe.city()
    found = engine_values(city, batch_size, lanes)
    # Cases older than the first reading open windows before it: rows there need not be, but must be right.
    earliest = min([city.first, *(t.ts for t in city.records.transitions)])
    expected = table(city.records, CELLS, earliest, city.last)
    both = found.join(expected, on=KEY, how="left", suffix="_expected")
    gap = (pl.col("value") - pl.col("value_expected")).abs()
    near = gap <= 1e-9 * pl.max_horizontal(1.0, pl.col("value_expected").abs())
    wrong = both.filter(near.fill_null(value=False).not_())
    assert wrong.is_empty(), f"{wrong.height} of {found.height} differ: {wrong.sort(KEY).head(12).rows()}"
    missing = owed(expected, city).join(found, on=KEY, how="anti")
    assert missing.is_empty(), f"{missing.height} missing: {missing.sort(KEY).head(12).rows()}"
    assert found.select(KEY).is_unique().all()


def test_the_late_and_corrected_city_is_what_it_is_called() -> None:
    city = LATE_AND_CORRECTED.city()
    stamps = [(r.sensor, r.metric, r.ts) for r in city.records.readings]
    assert len(set(stamps)) < len(stamps) - city.duplicates
    latest: dict[tuple[str, str], int] = {}
    late = 0
    for r in city.records.readings:
        late += r.ts < latest.get((r.sensor, r.metric), r.ts)
        latest[r.sensor, r.metric] = max(r.ts, latest.get((r.sensor, r.metric), r.ts))
    assert late > 100
    calm = replace(LATE_AND_CORRECTED, faults=Faults(0, 0, 0, 0, 0, 0, 0)).city()
    assert calm.records.readings != city.records.readings
