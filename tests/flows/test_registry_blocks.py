"""Registries read and looked up in columns say what they say read and looked up row by row."""

import csv
import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.admission import registry_file
from flows.admission.name_table import CodedTexts, NameTable
from flows.admission.registry import read_registry
from flows.admission.roll import Roll
from flows.batches import FINAL
from tests.flows.plain_registry import PlainRoll, plain_csv, rows_of

HEADERS = [
    "sensor_id,lon,lat",
    "sensor_id,lon,lat,crs,metric,period_s,department,site,retired",
    " lat ,colour,sensor_id,lon,metric,lon,retired",
]
FIELDS = [
    "114.3", "30.6", "1", "60", "s1", "s2", "", " ", "1_0", "nan", "inf", "1e400", "-0.0", "wgs84", "bd09",
    "\u3000s1\u00a0", "\x1cs1", "true", "2024-07-03", "温度", "a b", "１２", "\0", "x" * 257, '"', "\r", "#",
]  # fmt: skip
USUAL = st.sampled_from(["s1,114.3,30.6", "s2,114.3,30.6", "s1,1,1,bd09,a,60", "s3,1,2,,b,,w,x,2024-07-03"])
LINES = st.one_of(USUAL, st.lists(st.sampled_from(FIELDS), max_size=10).map(",".join), st.just('a,"b\nc",1'))


@settings(max_examples=300, deadline=None)
@given(
    header=st.sampled_from(HEADERS),
    lines=st.lists(LINES, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    letters=st.sampled_from([1, 20, 1 << 22]),
    regular=st.booleans(),
)
def test_any_file_is_read_as_row_by_row(
    tmp_path_factory: pytest.TempPathFactory,
    header: str,
    lines: list[str],
    end: str,
    letters: int,
    *,
    regular: bool,
) -> None:
    if regular:
        width = header.count(",")
        lines = [(line + "," * width)[: len(line) + width - line.count(",")] for line in lines]
        lines = [line for line in lines if line.count(",") == width]
    path = tmp_path_factory.mktemp("registry") / "sensors.csv"
    path.write_bytes(end.join([header, *lines]).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry_file, "_LETTERS", letters)
        registry, problems = read_registry(path)
    expected, complaints = plain_csv(path)
    assert repr(rows_of(registry)) == repr(expected)  # by repr: -0.0 is not 0.0
    assert [(p.line, p.column) for p in problems] == complaints


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["s1", "s2", "", None, "x" * 257]),
            st.sampled_from([114.3, 1.0, 400.0, float("nan"), None]),
            st.sampled_from([30.5, 88.0]),
            st.sampled_from([60, 0, None]),
            st.sampled_from(["a", "b", None]),
            st.sampled_from([True, False, None]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_parquet_is_read_as_the_same_rows_in_csv(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("registry")
    names = ["sensor_id", "lon", "lat", "period_s", "metric", "retired"]
    types = [pl.String, pl.Float64, pl.Float64, pl.Int64, pl.String, pl.Boolean]
    frame = pl.DataFrame(rows, dict(zip(names, types, strict=True)), orient="row")
    frame.write_parquet(folder / "sensors.parquet")
    registry, problems = read_registry(folder / "sensors.parquet")
    text = io.StringIO()
    csv.writer(text).writerows([names, *(["" if f is None else f for f in row] for row in rows)])
    (folder / "sensors.csv").write_text(text.getvalue())
    expected, complaints = plain_csv(folder / "sensors.csv")
    assert rows_of(registry) == expected
    assert [(p.line + 1, p.column) for p in problems] == complaints


def test_a_column_of_numbers_may_hold_ids(tmp_path: Path) -> None:
    ids = [2**60 + 1, 7]
    frame = pl.DataFrame({"sensor_id": ids, "lon": [1, 2], "lat": [1.5, 2.5], "site": [[1], [2]]})
    frame.write_parquet(tmp_path / "sensors.parquet")
    registry, problems = read_registry(tmp_path / "sensors.parquet")
    assert (registry.sensor.to_list(), problems) == ([str(n) for n in ids], [])
    assert registry.site.to_list() == ["[1]", "[2]"]


SENSORS, METRICS = ["a", "b", "c", "ü" * 40], ["", "m1", "m2", "m3"]
ROWS = st.tuples(
    st.sampled_from(SENSORS),
    st.sampled_from(METRICS),
    st.integers(-1, 4),
    st.sampled_from([0, 1_000]),
    st.sampled_from([FINAL, 5]),
)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(ROWS, max_size=8))
def test_a_roll_says_what_dictionaries_say(rows: list[tuple[str, str, int, int, int]]) -> None:
    plain = PlainRoll(rows)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(5)]
    cell, period, retired = (np.array(column, np.int64) for column in columns[2:])
    place, owners = np.arange(len(rows)), [f"bureau {n}" for n in range(len(rows))]
    sensors, codes_of, owner = (CodedTexts.of(column) for column in (*columns[:2], owners))
    roll = Roll(sensors, codes_of, cell, period, retired, place, -place, owner)
    asked, codes = NameTable(["z", *SENSORS]), ["m2", "m4", "m1"]
    sensor, metric = np.divmod(np.arange(len(asked) * len(codes)), len(codes))
    found = roll.entries(asked, sensor, codes, metric)
    names = asked.texts()
    assert list(
        zip(*(c.tolist() for c in (found.cell, found.period_ms, found.retired, found.named)), strict=True)
    ) == [plain.entry(names[s], codes[m]) for s, m in zip(sensor.tolist(), metric.tolist(), strict=True)]
    last = {row[:2]: owner for row, owner in zip(rows, owners, strict=True)}
    assert [roll.owners[owner] for owner in found.owner.tolist()] == [
        last.get((names[s], codes[m])) or last.get((names[s], ""), "")
        for s, m in zip(sensor.tolist(), metric.tolist(), strict=True)
    ]
    enrolled = roll.named(codes)
    assert list(
        zip(
            enrolled.names.texts(enrolled.sensor),
            [codes[m] for m in enrolled.metric.tolist()],
            enrolled.cell.tolist(),
            strict=True,
        )
    ) == [(s, m, cell) for (s, m), (cell, _, _) in plain.entries.items() if m in codes and cell >= 0]
