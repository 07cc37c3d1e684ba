"""Arrow to columns (C-2.1): the same rows as from JSON, and refusals row by row."""

import io
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.decoding.arrow_decode import decode_batch
from flows.decoding.arrow_rows import MAX_TEXT
from flows.decoding.arrow_sizes import MAX_COLUMNS, MAX_UNPACKED, unpacked_size
from flows.decoding.decode import Readings, decode_events, decode_feedback, decode_readings
from flows.wire import MAX_MESSAGE, Kind
from tests.flows.wire_readings import GOOD, READINGS, Json, encoded, rows_of, spoiled


def stream_of(*batches: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int) and abs(value) > 2**53 else value


def arrow_of(readings: list[Json], **types: pa.DataType) -> pa.RecordBatch:
    names = ("sensor_id", "metric", "value", "ts", "lon", "lat", "crs")
    flat = [r | dict(zip(("lon", "lat"), r.get("place", (None, None)), strict=True)) for r in readings]
    usual = {"value": pa.float64(), "ts": pa.int64(), "lon": pa.float64(), "lat": pa.float64()} | types
    return pa.record_batch(
        {n: pa.array([_plain(r.get(n)) for r in flat], usual.get(n, pa.string())) for n in names}
    )


@given(st.lists(READINGS, min_size=1, max_size=6), st.data())
def test_arrow_gives_the_same_rows_as_json(readings: list[Json], data: st.DataObject) -> None:
    text = data.draw(
        st.sampled_from(
            [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
        )
    )
    batch = arrow_of(readings, sensor_id=text, metric=text)
    from_json, _ = decode_readings([encoded(reading) for reading in readings])
    columns, rejects = decode_readings([stream_of(batch)], arrow=[0])
    assert rejects == []
    assert rows_of(columns) == rows_of(from_json)
    from_file, _ = decode_batch(batch, "readings")
    assert isinstance(from_file, Readings)
    assert rows_of(from_file) == rows_of(from_json)
    assert from_file.message.tolist() == list(range(len(readings)))


def test_arrow_and_json_messages_keep_their_order() -> None:
    batch = arrow_of([GOOD | {"ts": 2}, GOOD | {"ts": 3, "sensor_id": ""}, GOOD | {"ts": 4}])
    messages = [encoded(GOOD | {"ts": 1}), stream_of(batch, batch), b"?", encoded(GOOD | {"ts": 5})]
    readings, rejects = decode_readings(messages, arrow=[1])
    assert readings.ts.tolist() == [1, 2, 4, 2, 4, 5]
    assert readings.message.tolist() == [0, 1, 1, 1, 1, 3]
    assert readings.index.tolist() == [0, 0, 2, 3, 5, 0]
    assert [(r.message, r.index, r.reason.value) for r in rejects] == [
        (1, 1, "bad_field"),
        (1, 4, "bad_field"),
        (2, 0, "bad_json"),
    ]
    assert json.loads(rejects[0].raw)["ts"] == 3


@pytest.mark.parametrize(
    ("column", "reasons"),
    [
        pytest.param({"ts": pa.array([0, 5_000], pa.timestamp("ms", "UTC"))}, [], id="a zone"),
        pytest.param({"ts": pa.array([0, 5], pa.timestamp("s", "Asia/Shanghai"))}, [], id="seconds"),
        pytest.param({"ts": pa.array([0, 5_000_000_999], pa.timestamp("ns", "UTC"))}, [], id="nanoseconds"),
        pytest.param({"ts": pa.array([0, 5], pa.timestamp("ms"))}, ["naive_time"] * 2, id="no zone"),
        pytest.param(
            {"ts": pa.array([-1, 2**62], pa.timestamp("s", "UTC"))}, ["bad_field"] * 2, id="no such year"
        ),
        pytest.param({"ts": pa.array([0, 2**64 - 1], pa.uint64())}, ["bad_field"], id="unsigned overflow"),
        pytest.param(
            {"ts": pa.array(["1970-01-01T00:00:00Z", "1970-01-01T00:00:00"])}, ["naive_time"], id="text"
        ),
        pytest.param({"ts": pa.array([0.0, 1.0])}, ["bad_field"] * 2, id="float time"),
        pytest.param({"ts": pa.array([0, None], pa.int64())}, ["bad_field"], id="null time"),
        pytest.param({"value": pa.array([1, 2], pa.uint8())}, [], id="small integers"),
        pytest.param({"value": pa.array([1.5, None], pa.float32())}, ["bad_field"], id="null value"),
        pytest.param({"value": pa.array([math.nan, math.inf])}, ["bad_field"] * 2, id="not finite"),
        pytest.param({"value": pa.array([True, False])}, ["bad_field"] * 2, id="booleans"),
        pytest.param({"value": pa.array(["1", "2"])}, ["bad_field"] * 2, id="numbers as text"),
        pytest.param({"sensor_id": pa.array(["a", None])}, ["bad_field"], id="null sensor"),
        pytest.param({"sensor_id": pa.array([1, 2])}, ["bad_field"] * 2, id="numbers as sensors"),
        pytest.param({"sensor_id": pa.nulls(2)}, ["bad_field"] * 2, id="a column of nothing"),
        pytest.param(
            {"lon": pa.array([114.0, None]), "lat": pa.array([30.0, None])}, [], id="a place and none"
        ),
        pytest.param({"lon": pa.array([114.0, 114.0])}, ["bad_field"] * 2, id="half a place"),
        pytest.param(
            {"lon": pa.array([math.inf, 1]), "lat": pa.array([1.0, 1.0])}, ["bad_field"], id="far away"
        ),
        pytest.param({"crs": pa.array(["bd09", "moon"])}, ["bad_field"], id="unknown system"),
        pytest.param({"more": pa.array([[1], None])}, [], id="a column of no concern"),
    ],
)
def test_arrow_columns_are_judged_by_row(column: dict[str, pa.Array], reasons: list[str]) -> None:
    usual = {"sensor_id": ["a", "b"], "metric": ["m", "m"], "value": [1.0, 2.0], "ts": [0, 5_000]}
    columns, rejects = decode_batch(pa.record_batch(usual | column), "readings")
    assert [reject.reason.value for reject in rejects] == reasons
    assert len(columns) == 2 - len(reasons)
    assert columns.ts.tolist() == [[0, 5_000][i] for i in columns.message.tolist()] or "ts" in column
    for reject in rejects:
        assert set(json.loads(reject.raw)) == {*usual, *column}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_arrow_timestamps_become_milliseconds(unit: str) -> None:
    moment = pa.array([1_719_964_800], pa.timestamp("s", "Asia/Shanghai")).cast(
        pa.timestamp(unit, "Asia/Shanghai")
    )
    batch = pa.record_batch({"sensor_id": ["a"], "metric": ["m"], "value": [1], "ts": moment})
    assert decode_batch(batch, "readings")[0].ts.tolist() == [1_719_964_800_000]


@pytest.mark.parametrize("kind", ["readings", "events", "feedback"])
def test_a_batch_without_the_needed_columns_is_refused_row_by_row(kind: Kind) -> None:
    columns, rejects = decode_batch(pa.record_batch({"x": [1, 2]}), kind)
    assert len(columns) == 0
    assert [(r.message, r.index, r.reason.value, r.raw) for r in rejects] == [
        (0, 0, "bad_field", b'{"x":1}'),
        (1, 0, "bad_field", b'{"x":2}'),
    ]


@pytest.mark.parametrize("kind", ["readings", "events", "feedback"])
def test_an_empty_batch_has_no_rows(kind: Kind) -> None:
    columns, rejects = decode_batch(pa.record_batch({"x": pa.array([], pa.int64())}), kind)
    assert (len(columns), rejects) == (0, [])


def test_cases_and_feedback_come_in_arrow_too() -> None:
    cases = pa.record_batch(
        {
            "event_id": ["e", "f", "g"],
            "type": ["t"] * 3,
            "status": ["reported", "lost", "closed"],
            "ts": [1, 2, 3],
            "severity": [2.0, 1.0, math.nan],
            "channel": ["12345", None, None],
        }
    )
    events, rejects = decode_events([stream_of(cases)], arrow=[0])
    assert (events.event_id, events.severity.tolist(), events.channel) == (
        ["e", "g"],
        [2, 0],
        ["12345", None],
    )
    assert [reject.index for reject in rejects] == [1]
    done = pa.record_batch(
        {"incident_id": ["I"], "action": ["close"], "actor": ["a"], "ts": [1], "note": ["好"]}
    )
    feedback, rejects = decode_feedback([stream_of(done)], arrow=[0])
    assert (feedback.action, feedback.note, rejects) == (["close"], ["好"], [])


def test_text_that_is_not_utf8_spoils_its_row_only() -> None:
    offsets, characters = pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")
    sensors = pa.StringArray.from_buffers(2, offsets, characters)
    batch = pa.record_batch({"sensor_id": sensors, "metric": ["m"] * 2, "value": [1, 2], "ts": [1, 2]})
    columns, rejects = decode_batch(batch, "readings")
    assert columns.message.tolist() == [0]
    assert [(r.message, r.reason.value) for r in rejects] == [(1, "bad_field")]
    json.loads(rejects[0].raw)


WHOLE = stream_of(arrow_of([GOOD, GOOD | {"sensor_id": "t", "place": (114.0, 30.0)}]))


@settings(max_examples=300)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE)))
@example(0, 0, 0)
def test_a_damaged_arrow_stream_is_refused_or_read_but_never_raises(
    place: int, byte: int, length: int
) -> None:
    for message in (spoiled(WHOLE, place, byte), WHOLE[:length]):
        columns, rejects = decode_readings([message], arrow=[0])
        assert len(columns) + len(rejects) >= 0
        assert [reject.message for reject in rejects] == [0] * len(rejects)


def test_an_arrow_stream_beyond_the_limit_is_too_large() -> None:
    _, rejects = decode_readings([b"\x00" * (MAX_MESSAGE + 1)], arrow=[0])
    assert [reject.reason.value for reject in rejects] == ["too_large"]


def test_an_arrow_stream_of_endless_nothing_is_too_large() -> None:
    empty = pa.record_batch({"sensor_id": pa.nulls((1 << 31) - 1)})
    _, rejects = decode_readings([stream_of(empty, empty)], arrow=[0])
    assert [reject.reason.value for reject in rejects] == ["too_large"]


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
)
def test_rejected_rows_are_shown_whatever_their_types(kind: pa.DataType) -> None:
    columns = {"sensor_id": ["", "b"], "metric": ["m"] * 2, "value": [1.0] * 2, "ts": [1, 2]}
    batch = pa.record_batch(columns | {"sensor_id": pa.array(["", "b"], kind)})
    _, rejects = decode_batch(batch, "readings")
    assert [json.loads(reject.raw) for reject in rejects] == [
        {"sensor_id": "", "metric": "m", "value": 1.0, "ts": 1}
    ]


def refused(message: bytes) -> list[str]:
    columns, rejects = decode_readings([message], arrow=(0,))
    assert len(columns) == 0
    assert all(len(reject.raw) <= len(message) + MAX_TEXT for reject in rejects)
    return [reject.reason.value for reject in rejects]


@pytest.mark.parametrize("coded", [False, True])
def test_a_bomb_of_compressed_buffers_is_refused_before_it_is_unpacked(coded: bool) -> None:  # noqa: FBT001
    column: Any = pa.array(["x" * (1 << 20)] * 300, pa.large_string())
    batch = pa.record_batch({"note": column.dictionary_encode() if coded else column})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    message = sink.getvalue()
    assert len(message) < 1 << 20
    assert unpacked_size(message) > (1 << 20 if coded else MAX_UNPACKED)
    before = pa.default_memory_pool().max_memory()
    pa.default_memory_pool().release_unused()
    assert refused(message)[0] == ("bad_field" if coded else "too_large")  # 1 MB is no bomb
    assert coded or pa.default_memory_pool().max_memory() == before


def test_a_stream_of_many_columns_is_refused_whole() -> None:
    row = {f"c{number}": [1] for number in range(MAX_COLUMNS)}
    assert refused(stream_of(pa.record_batch({**row, "more": [1]}))) == ["too_large"]
    good = {"sensor_id": ["s"], "metric": ["m"], "value": [1.0], "ts": [0]}
    fitting = {name: row[name] for name in list(row)[: MAX_COLUMNS - 4]} | good
    assert len(decode_readings([stream_of(pa.record_batch(fitting))], arrow=(0,))[0]) == 1


def test_a_text_that_stands_in_every_refused_row_does_not_fill_memory() -> None:
    text = pa.array(["x" * (1 << 20)])
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000, np.int32)), text)
    assert refused(stream_of(pa.record_batch({"note": rows}))) == ["too_large"]
    (reject,) = decode_readings([stream_of(pa.record_batch({"note": rows[:1]}))], arrow=(0,))[1]
    assert len(reject.raw) < MAX_TEXT + 100
    deep = pa.record_batch({"value": [[1] * 1000]})
    (reject,) = decode_readings([stream_of(deep)], arrow=(0,))[1]
    assert reject.raw == b'{"value":"not shown: list<item: int64>"}'
