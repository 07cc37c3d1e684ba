"""The sensor registry: what is read, what is reported, what stops the reading."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.admission.registry import NEVER, read_registry

HEADER = "sensor_id,lon,lat,crs,metric,period_s,department,site,retired"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sensors.csv"


def test_every_column_is_read(file: Path) -> None:
    file.write_text(
        f"{HEADER}\ns1,114.3,30.6,gcj02,rain_intensity,60,water,Hankou,\ns2,-73.9,40.7,,,,,,true\n"
    )
    registry, problems = read_registry(file)
    assert problems == []
    assert registry.sensor.to_list() == ["s1", "s2"]
    assert (registry.lon.tolist(), registry.lat.tolist()) == ([114.3, -73.9], [30.6, 40.7])
    assert (registry.crs.tolist(), registry.period_ms.tolist()) == ([1, 0], [60_000, 0])
    assert [c.to_list() for c in (registry.metric, registry.department, registry.site)] == [
        ["rain_intensity", ""],
        ["water", ""],
        ["Hankou", ""],
    ]
    assert registry.retired_ms.tolist() == [NEVER, 0]


def test_only_three_columns_are_needed_in_any_order_and_others_are_ignored(file: Path) -> None:
    file.write_text("\ufefflat, colour ,lon,sensor_id\r\n 30.6,red,114.3, s1 \r\n\r\n")
    registry, problems = read_registry(file)
    assert (registry.sensor.to_list(), registry.lat.tolist(), problems) == (["s1"], [30.6], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", NEVER),
        ("false", NEVER),
        ("False", NEVER),
        ("0", NEVER),
        ("true", 0),
        ("1", 0),
        ("1719964800000", 1_719_964_800_000),
        ("2024-07-03T00:00:00Z", 1_719_964_800_000),
        ("2024-07-03T08:00:00", 1_719_964_800_000),
        ("2024-07-03", 1_719_936_000_000),
    ],
)
def test_retired_may_be_a_word_a_date_or_a_time(file: Path, text: str, expected: int) -> None:
    file.write_text(f"sensor_id,lon,lat,retired\ns,114,30,{text}\n")
    assert read_registry(file)[0].retired_ms.tolist() == [expected]


def test_a_date_is_of_the_citys_zone(file: Path) -> None:
    file.write_text("sensor_id,lon,lat,retired\ns,114,30,2024-07-03\n")
    expected = datetime(2024, 7, 3, tzinfo=UTC) + timedelta(hours=4)
    assert read_registry(file, tz="America/New_York")[0].retired_ms.tolist() == [expected.timestamp() * 1_000]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (",114,30,,,,,,", "column sensor_id: must have 1 to 256 characters; got 0"),
        ("x" * 257 + ",114,30,,,,,,", "column sensor_id: must have 1 to 256 characters; got 257"),
        ("s,east,30,,,,,,", "column lon: must be a number; got 'east'"),
        ("s,,30,,,,,,", "column lon: must be a number; got ''"),
        ("s,361,30,,,,,,", "column lon: must be within -180 to 360; got 361"),
        ("s,nan,30,,,,,,", "column lon: must be within"),
        ("s,114,88,,,,,,", "column lat: must be between -88 and 88; got 88"),
        ("s,114", "column lat: must be a number; got ''"),
        ("s,114,30,mars,,,,,", "column crs: must be one of wgs84, gcj02, bd09, cgcs2000; got 'mars'"),
        ("s,114,30,,,0,,,", "column period_s: must be between"),
        ("s,114,30,,,often,,,", "column period_s: must be a number; got 'often'"),
        ("s,114,30,,,inf,,,", "column period_s: must be between"),
        ("s,114,30,,,,,,soon", "column retired: must be a date, a time, true or false; got 'soon'"),
        ("s,114,30,,,,,,1815-06-18", "column retired: must be a date"),
        ("s,114,30,,,,,," + "9" * 30, "column retired: must be a date"),
    ],
)
def test_a_bad_row_is_left_out_and_reported_with_line_and_column(
    file: Path, row: str, complaint: str
) -> None:
    file.write_text(f"{HEADER}\ngood,114,30,,,,,,\n{row}\nfine,114,30,,,,,,\n")
    registry, problems = read_registry(file)
    assert registry.sensor.to_list() == ["good", "fine"]
    assert [str(problem).startswith(f"sensors.csv, line 3, {complaint}") for problem in problems] == [True]


def test_a_repeated_sensor_is_reported_and_the_last_row_holds(file: Path) -> None:
    file.write_text("sensor_id,lon,lat,metric\ns,1,1,a\ns,2,2,b\ns,3,3,a\n")
    registry, problems = read_registry(file)
    assert (registry.sensor.to_list(), registry.lon.tolist()) == (["s"] * 3, [1.0, 2.0, 3.0])
    assert [(problem.line, problem.column) for problem in problems] == [(4, "sensor_id")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "sensor_id, lon, lat missing, found nothing"),
        (
            b"sensor_id,lng,lat\n",
            "needs the columns sensor_id, lon, lat; lon missing, found sensor_id, lng, lat",
        ),
        ("sensor_id,lon,lat,site\ns,1,1,汉口".encode("gbk"), "must be UTF-8"),
        (b"sensor_id,lon,lat\n" + b"x" * 200_000 + b",1,1\n", "line 2 is no CSV"),
    ],
)
def test_a_file_of_no_use_is_refused_as_a_whole(file: Path, content: bytes, complaint: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        read_registry(file)


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be \.csv or \.parquet; got sensors\.xlsx"):
        read_registry(tmp_path / "sensors.xlsx")


def test_a_damaged_parquet_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "sensors.parquet"
    path.write_bytes(b"PAR1 and nothing more PAR1")
    with pytest.raises(ValueError, match=r"sensors\.parquet cannot be read"):
        read_registry(path)


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "sensor_id": ["s1", "s2", "s3"],
            "lon": [114.3, 114.4, float("nan")],
            "lat": [30.6, 30.7, 30.8],
            "period_s": [60, None, 60],
            "retired": [None, datetime(2024, 7, 3, tzinfo=UTC), None],
        }
    )
    table.write_parquet(tmp_path / "sensors.parquet")
    registry, problems = read_registry(tmp_path / "sensors.parquet")
    assert registry.sensor.to_list() == ["s1", "s2"]
    assert registry.period_ms.tolist() == [60_000, 0]
    assert registry.retired_ms.tolist() == [NEVER, 1_719_964_800_000]
    assert [str(problem) for problem in problems] == [
        "sensors.parquet, line 3, column lon: must be a number; got ''; give degrees"
    ]


@given(
    rows=st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=9), max_size=8
    )
)
def test_every_row_is_either_read_or_reported(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("registry") / "sensors.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([HEADER.split(","), *rows])
    registry, problems = read_registry(path)
    left_out = [problem for problem in problems if "this row holds" not in problem.text]
    with path.open(encoding="utf-8", newline="") as written:
        assert len(registry) + len(left_out) == sum(1 for row in csv.reader(written) if row) - 1
