import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents import IncidentBook
from alerts.transitions import Change, RawTransition, json_line, publish
from sinks import arrow_values
from sinks.line_files import LineFiles, plain_line, reject_line
from sinks.outputs import Totals, finalise, prepare
from sinks.table_file import ValueFrame, ValueTable
from tests.sinks.value_rows import Row, frames, rows

PARTS = ["out-0", "out-1"]


def write(out: Path, pieces: Sequence[Sequence[ValueFrame]]) -> None:
    sink = ValueTable(out, PARTS, durable=False)
    for name, piece in zip(PARTS, pieces, strict=False):
        part = sink.build_part("values", name, None)
        part.write_batch(list(piece))
        part.close()


def write_lines(out: Path, name: str, pieces: Sequence[Sequence[object]]) -> None:
    sink = LineFiles(out, name, PARTS, plain_line, durable=False)
    for part_name, piece in zip(PARTS, pieces, strict=False):
        part = sink.build_part(name, part_name, None)
        part.write_batch([piece])
        part.close()


def run(table: list[Row], cut: int = 0, *, all_revisions: bool = False) -> tuple[Totals, bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write(out, [frames(table[:cut]), frames(table[cut:])])
        totals = finalise(out, all_revisions=all_revisions)
        revisions = out / "revisions.parquet"
        return (
            totals,
            (out / "indicators.parquet").read_bytes(),
            revisions.read_bytes() if all_revisions else b"",
        )


def by_area_and_window(table: list[Row]) -> list[Row]:
    last = {(r.indicator, r.window_end, r.kind, r.area): r for r in sorted(table)}
    return sorted(last.values())


@given(rows())
def test_the_table_has_the_last_revision_of_every_area_and_window_in_order(table: list[Row]) -> None:
    totals, indicators, _ = run(table)
    expected = by_area_and_window(table)
    assert pl.read_parquet(indicators).to_dicts() == [r.expected() for r in expected]
    assert totals.rows == len(expected)
    assert totals.revisions == len(table) - len(expected)
    assert totals.windows == len({(r.indicator, r.window_end) for r in table})


@given(rows())
def test_the_revisions_file_has_every_row_in_order(table: list[Row]) -> None:
    _, _, revisions = run(table, all_revisions=True)
    assert pl.read_parquet(revisions).to_dicts() == [r.expected() for r in sorted(table)]


@given(rows(), st.randoms(use_true_random=False), st.integers(0, 40))
def test_equal_content_is_equal_bytes_whatever_the_order_and_the_parts(
    table: list[Row], rng: random.Random, cut: int
) -> None:
    shuffled = rng.sample(table, len(table))
    assert run(table, all_revisions=True)[1:] == run(shuffled, cut, all_revisions=True)[1:]


@given(rows(), st.integers(1, 9), st.integers(1, 7))
def test_many_small_sorts_write_the_bytes_of_one_large_sort(table: list[Row], limit: int, group: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_values, "ROW_GROUP", group)
        whole = run(table, all_revisions=True)
        patch.setattr(arrow_values, "SORT_ROWS", limit)
        assert run(table, all_revisions=True) == whole


def test_columns_have_the_types_of_the_contract(tmp_path: Path) -> None:
    write(tmp_path, [frames([Row("air.aqi", 60_000, 4, "city", 0, None, 0, 0, 0.0, 1)])])
    finalise(tmp_path)
    schema = pq.read_schema(tmp_path / "indicators.parquet")
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "indicator": pa.string(),
        "area": pa.string(),
        "kind": pa.string(),
        "window_end": pa.timestamp("ms", "UTC"),
        "value": pa.float64(),
        "level": pa.int8(),
        "n": pa.int64(),
        "coverage": pa.float64(),
        "revision": pa.int32(),
        "status": pa.string(),
    }


def test_values_have_twelve_significant_digits_and_nan_is_null(tmp_path: Path) -> None:
    third = ValueFrame(
        "x", 0, ["a", "b"], None, 0, np.array([1 / 3, np.nan]), np.zeros(2, np.uint8), np.ones(2, np.int64),
        np.array([2 / 3, np.nan]), 0, 0,
    )  # fmt: skip
    write(tmp_path, [[third]])
    finalise(tmp_path)
    table = pl.read_parquet(tmp_path / "indicators.parquet")
    assert table["value"].to_list() == [0.333333333333, None]
    assert table["coverage"].to_list() == [0.666666666667, None]


def test_a_run_without_any_output_leaves_empty_files_with_their_columns(tmp_path: Path) -> None:
    prepare(tmp_path, resume=False)
    assert finalise(tmp_path, all_revisions=True) == Totals(0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert pl.read_parquet(tmp_path / "indicators.parquet").columns[:3] == ["indicator", "area", "kind"]
    assert (tmp_path / "alerts.jsonl").read_bytes() == b""
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "alerts.jsonl", "incidents.jsonl", "indicators.parquet", "rejects.jsonl", "revisions.parquet",
    ]  # fmt: skip


def alert(seq: int, *, decided: int = 5, kind: str = "cell", area: str = "a") -> dict[str, object]:
    place = {"indicator": "x", "area": area, "kind": kind}
    return {"alert_id": "f0", "seq": seq, **place, "decided_ts": decided}


def test_alerts_are_sorted_by_time_then_from_cell_to_city_and_written_once(tmp_path: Path) -> None:
    in_order = [
        alert(9, decided=4),
        alert(1, area="b"),
        alert(2, area="b"),
        alert(10, area="b"),
        alert(1, kind="community"),
        alert(1, kind="city"),
    ]
    write_lines(tmp_path, "alerts", [in_order[::-1], in_order[2:4]])
    totals = finalise(tmp_path)
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == in_order
    assert totals.alerts == len(in_order)


def test_the_last_state_of_every_incident_counts_in_the_order_of_its_first_raise(tmp_path: Path) -> None:
    history = [("I1", 1, 90), ("I2", 2, 60), ("I3", 1, 90), ("I2", 1, 60)]
    states = [{"incident_id": i, "seq": seq, "raised_ts": raised} for i, seq, raised in history]
    write_lines(tmp_path, "incidents", [states])
    assert finalise(tmp_path).incidents == 3
    lines = (tmp_path / "incidents.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [states[1], states[0], states[2]]


def test_lines_of_the_alert_records_are_sorted_as_they_are_written(tmp_path: Path) -> None:
    changes: list[tuple[int, Change, int]] = [(2, "cleared", 0), (1, "raised", 2)]
    raws = [
        RawTransition("air.aqi", 0, 60_000, seq, change, level, 0, 3.0, 2.0, 60_000 * seq, 60_000 * seq)
        for seq, change, level in changes
    ]
    records = [publish(raw, "420106", "district", None, "5f3c") for raw in raws]
    write_lines(tmp_path, "alerts", [records])
    write_lines(tmp_path, "incidents", [IncidentBook().take(records[::-1])])
    totals = finalise(tmp_path)
    assert (totals.alerts, totals.incidents) == (2, 1)
    alerts = (tmp_path / "alerts.jsonl").read_bytes()
    assert alerts == b"".join(json_line(record) for record in records[::-1])
    assert json.loads((tmp_path / "incidents.jsonl").read_text())["alarm"] == "cleared"


class Refusal(msgspec.Struct):
    source: str
    partition: int
    offset: int
    index: int
    reason: str
    raw: bytes
    ts_received: int


def test_rejects_keep_the_raw_bytes_and_are_unique_by_their_place(tmp_path: Path) -> None:
    sink = LineFiles(tmp_path, "rejects", PARTS, reject_line)
    part = sink.build_part("rejects", "out-0", None)
    places = [("readings", 0, 10, 0), ("readings", 0, 9, 1), ("readings", 0, 9, 0), ("readings", 0, 10, 0)]
    part.write_batch([[Refusal(*place, "bad_json", b"\xff\x00{", 7) for place in places]])
    part.close()
    assert finalise(tmp_path).rejects == 3
    first, *rest = map(json.loads, (tmp_path / "rejects.jsonl").read_text().splitlines())
    assert first == {
        "source": "readings", "partition": 0, "offset": 9, "index": 0,
        "reason": "bad_json", "raw_base64": "/wB7", "ts_received": 7,
    }  # fmt: skip
    assert [(r["offset"], r["index"]) for r in rest] == [(9, 1), (10, 0)]


def test_a_new_run_forgets_the_parts_of_an_older_one_and_a_resumed_run_keeps_them(tmp_path: Path) -> None:
    write_lines(tmp_path, "alerts", [[alert(1)]])
    prepare(tmp_path, resume=True)
    assert finalise(tmp_path, keep_parts=True).alerts == 1
    prepare(tmp_path, resume=False)
    assert finalise(tmp_path).alerts == 0


def test_an_output_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("")
    with pytest.raises(NotADirectoryError, match="is a file, but the outputs need a folder"):
        prepare(file, resume=False)
