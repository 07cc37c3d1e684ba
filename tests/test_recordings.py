"""Recordings of six stations in Beijing: the engine's air quality index is the one recomputed from files."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from benchmarks.beijing_check import check, compare

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "beijing_air"
HOURS = 92 * 24

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not part of the project"),
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("beijing")


@pytest.fixture(scope="module")
def counts(work: Path) -> dict[str, tuple[int, ...]]:
    """March to May 2013: per kind of area, hours expected, computed, equal, differing."""
    table = check(RECORDINGS, work, date(2013, 3, 1), date(2013, 6, 1))
    return {row[0]: row[1:] for row in table.iter_rows()}


def test_every_hour_of_city_and_stations_equals_the_recomputed_one(
    counts: dict[str, tuple[int, ...]],
) -> None:
    assert counts["city"] == (HOURS, HOURS, HOURS, 0)
    expected, computed, equal, differing = counts["cell"]
    assert differing == 0
    assert expected == computed == equal > 5.9 * HOURS


@pytest.mark.usefixtures("counts")
def test_one_value_that_is_off_by_one_is_noticed(work: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(work / "out" / "indicators.parquet").with_row_index()
    hourly = pl.col("window_end").dt.minute() == 0
    one = rows.filter(hourly, indicator="air.aqi", kind="city")["index"][7]
    off = pl.when(pl.col("index") == one).then(pl.col("value") + 1).otherwise(pl.col("value"))
    rows.with_columns(off.alias("value")).drop("index").write_parquet(tmp_path / "indicators.parquet")
    table = compare(work / "recordings", tmp_path)
    assert dict(table.select("kind", "differing").iter_rows()) == {"cell": 0, "city": 1}
