"""What was watched: cells and days of a table of values."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from sim.scoring.exposure import Exposure, watched

HOUR = 3_600_000


def table(path: Path, rows: list[tuple[str, str, str, int]]) -> Path:
    columns = ["indicator", "area", "kind", "window_end"]
    dated = [(*row[:3], datetime.fromtimestamp(row[3] / 1000, UTC)) for row in rows]
    schema = dict.fromkeys(columns[:3], pl.String) | {"window_end": pl.Datetime("ms", "UTC")}
    pl.DataFrame(dated, schema=schema, orient="row").write_parquet(path)
    return path


def test_cells_are_counted_once_and_days_from_the_first_window_to_the_last(tmp_path: Path) -> None:
    rows = [
        ("air.aqi", cell, kind, n * HOUR)
        for n in range(1, 25)
        for cell, kind in (("c1", "cell"), ("c2", "cell"), ("s", "street"), ("city", "city"))
    ]
    path = table(tmp_path / "indicators.parquet", [*rows, ("gas.leak_lel_max", "c1", "cell", HOUR)])
    assert watched(path, {"air.aqi": HOUR}) == Exposure(2, 1.0)
    assert watched(path, {"air.aqi": HOUR, "gas.leak_lel_max": 0}) == Exposure(2, 23 / 24)
    assert watched(path, {}) == Exposure(2, 23 / 24)


def test_an_empty_table_watched_nothing_and_has_no_rate(tmp_path: Path) -> None:
    seen = watched(table(tmp_path / "indicators.parquet", []), {})
    assert seen == Exposure(0, 0.0)
    assert seen.rate(3) is None


@pytest.mark.parametrize(("cells", "days", "rate"), [(1000, 1.0, 6.0), (500, 2.0, 6.0), (3000, 7.0, 6 / 21)])
def test_the_rate_is_per_thousand_cells_and_day(cells: int, days: float, rate: float) -> None:
    assert Exposure(cells, days).rate(6) == pytest.approx(rate)
