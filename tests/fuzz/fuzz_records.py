"""Targets of the wire: JSON records, Arrow streams, lines of files, headers.

Promised is: of a message that can be read every record is accepted or refused, once, in its place; of one
that cannot be read there is one reject; what is accepted is within the contract; neighbours change nothing.
"""

from __future__ import annotations

import gzip
import io
import math
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zstandard

from flows.decoding.arrow_rows import stream_row
from flows.decoding.decode import decode_events, decode_feedback, decode_readings
from flows.decoding.line_files import LineReader
from flows.decoding.provenance import json_records
from flows.kafka import feed
from flows.wire import CRS_NAMES, END_OF_TIME, MAX_ID, MAX_LATITUDE, Kind
from tests.fuzz.fuzz_targets import Target, each

DECODERS: dict[Kind, Callable[..., Any]] = {
    "readings": decode_readings,
    "events": decode_events,
    "feedback": decode_feedback,
}
READING = b'{"sensor_id":"s-1","metric":"rain_1m","value":0.4,"ts":1719993600000}'
SEEDS: dict[Kind, list[bytes]] = {
    "readings": [
        READING,
        b"[" + READING + b"," + READING + b"]",
        b'{"sensor_id":"seg-7","metric":"road_speed","value":-2.5e1,"ts":"2024-07-03T16:00:05.25+08:00"}',
        b'{"sensor_id":"b","metric":"bin_fill","value":91,"ts":1,"lon":114.31,"lat":30.59,"crs":"gcj02","x":[{}]}',
        b"[]",
    ],
    "events": [
        b'{"event_id":"c-1","type":"ev_waterlogging","status":"reported","ts":1719993600000,"lon":114,"lat":30}',
        b'[{"event_id":"c-1","type":"ev_gas_leak","status":"accepted","ts":"2024-07-03T00:00:00Z","channel":"x","note":"\\u4f60"}]',
    ],
    "feedback": [
        b'{"incident_id":"I-1","action":"acknowledge","actor":"li","ts":1719993600000,"note":"on the way"}',
        b'[{"incident_id":"I-1","action":"close","actor":"li","ts":"2024-07-03T08:00:00+08:00"}]',
    ],
}
WORDS = (
    b'"sensor_id":',
    b'"metric":',
    b'"value":',
    b'"ts":',
    b'"lon":',
    b'"lat":',
    b'"crs":',
    b'"event_id":',
    b'"type":',
    b'"status":',
    b'"severity":',
    b'"incident_id":',
    b'"action":',
    b'"actor":',
    b'"note":',
    b"null",
    b"true",
    b"[]",
    b"{}",
    b",",
    b'"wgs84"',
    b'"bd09"',
    b'"closed"',
    b'"2024-07-03T08:00:00"',
    b'"2024-07-03T08:00:60Z"',
    b"[[",
    b"]]",
    b'"' + b"x" * 300 + b'"',
    b" " * 300,
    b'\\"',
)


def places(columns: Any, rejects: Any) -> dict[int, list[int]]:
    """Message → positions of its accepted and refused records, sorted."""
    found: dict[int, list[int]] = {}
    for message, index in zip(columns.message.tolist(), columns.index.tolist(), strict=True):
        found.setdefault(message, []).append(index)
    for reject in rejects:
        found.setdefault(reject.message, []).append(reject.index)
    return {message: sorted(indices) for message, indices in found.items()}


def within_contract(columns: Any) -> None:
    """Hold accepted rows to the ranges of C-2.1."""
    assert bool(((columns.ts >= 0) & (columns.ts < END_OF_TIME)).all()), "a time outside the contract"
    if hasattr(columns, "value"):
        assert bool(np.isfinite(columns.value).all()), "a value that is not finite"
        names = [*columns.sensor.to_list(), *columns.metric.to_list()]
        assert all(0 < len(name) <= MAX_ID for name in names), "an id outside the contract"
    if hasattr(columns, "lat"):
        lat = columns.lat[~np.isnan(columns.lat)]
        assert bool((np.abs(lat) < MAX_LATITUDE).all()), "a latitude outside the contract"
        assert bool((np.isnan(columns.lon) == np.isnan(columns.lat)).all()), "one coordinate of two"
        assert bool((columns.crs < len(CRS_NAMES)).all()), "a coordinate system that is none"


def words_of(count: int, columns: Any, rejects: Any) -> list[str]:
    """What became of each of some messages."""
    said: list[set[str]] = [set() for _ in range(count)]
    for message in set(columns.message.tolist()):
        said[message].add("accepted")
    for reject in rejects:
        said[reject.message].add(reject.reason.value)
    return ["+".join(sorted(words)) or "empty" for words in said]


def _is_empty_array(message: bytes) -> bool:
    text = message.strip(b" \t\r\n")
    return text[:1] == b"[" and text[-1:] == b"]" and not text[1:-1].strip(b" \t\r\n")


def json_messages(kind: Kind, messages: Sequence[bytes]) -> list[str]:
    """Decode messages together and, where there are many, one alone."""
    columns, rejects = DECODERS[kind](list(messages))
    within_contract(columns)
    found, raw = places(columns, rejects), json_records(list(messages))
    for number, message in enumerate(messages):
        own = found.get(number, [])
        assert own == list(range(len(own))), f"records {own} of a message, not each once"
        assert bool(own) or _is_empty_array(message), "a message of which nothing is told"
    for reject in rejects:
        whole = messages[reject.message]
        assert reject.raw == whole or reject.raw == raw(reject.message, reject.index), "another's bytes"
    said = words_of(len(messages), columns, rejects)
    if sum(map(len, messages)) % 4:  # a second look at every fourth batch: it takes as long as the first
        return said
    for message, index in zip(columns.message.tolist()[:2], columns.index.tolist()[:2], strict=True):
        again, refused = DECODERS[kind]([raw(message, index)])
        assert len(again.ts) == 1, "an accepted record that is refused alone"
        assert not refused, "an accepted record that is refused alone"
    alone = words_of(1, *DECODERS[kind]([messages[0]]))[0]
    assert alone == said[0], f"{said[0]} among others, {alone} alone"
    return said


def stream(*batches: pa.RecordBatch, compression: str | None = None) -> bytes:
    """An Arrow IPC stream."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def arrow_seeds() -> list[bytes]:
    """Sound streams of all kinds of columns."""
    plain = pa.record_batch(
        {
            "sensor_id": ["a", "b", None],
            "metric": ["rain_1m"] * 3,
            "value": [1.0, math.nan, 3.0],
            "ts": [1, 2, 3],
        }
    )
    coded = pa.record_batch(
        {
            "sensor_id": pa.array(["a", "b", "a"]).dictionary_encode(),
            "metric": pa.array(["m"] * 3, pa.large_string()),
            "value": pa.array([1, 2, None], pa.int32()),
            "ts": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
            "lon": [114.3, None, 1.0],
            "lat": [30.5, None, 99.0],
            "crs": ["gcj02", None, "x"],
            "more": [[1], [], None],
        }
    )
    events = pa.record_batch(
        {
            "event_id": pa.array(["e", "f"], pa.string_view()),
            "type": ["ev_gas_leak"] * 2,
            "status": ["reported", "nothing"],
            "ts": ["2024-07-03T00:00:00Z", "2024-07-03T00:00:00"],
            "severity": pa.array([3, 9], pa.int8()),
            "note": pa.nulls(2),
            "deep": [{"a": 1}, {"a": 2}],
        }
    )
    feedback = pa.record_batch(
        {
            "incident_id": ["I"],
            "action": ["close"],
            "actor": ["x"],
            "ts": pa.array([1], pa.uint64()),
            "note": ["n"],
        }
    )
    made = [stream(batch) for batch in (plain, coded, events, feedback)]
    return [*made, stream(plain, plain), stream(coded, compression="zstd"), stream(plain, compression="lz4")]


def arrow_messages(messages: Sequence[bytes]) -> list[str]:
    """Decode each stream as each of the three kinds."""
    said = []
    for message in messages:
        words = []
        for kind, decode in DECODERS.items():
            columns, rejects = decode([message], arrow=(0,))
            within_contract(columns)
            own = places(columns, rejects).get(0, [])
            assert own == list(range(len(own))), f"rows {own} of a stream, not each once"
            if len(columns.ts):
                stream_row(message, int(columns.index[0]))
            words.append(f"{kind[0]}:{words_of(1, columns, rejects)[0]}")
        said.append(" ".join(words))
    return said


HEADERS = (
    b"ce_id=1",
    b"ce_source=/gw/7",
    b"content-type=application/vnd.apache.arrow.stream; v=1",
    b"traceparent=0",
)


def headers(text: bytes) -> str:
    """Headers of a message: lines of NAME=VALUE, a name without one has none at all."""
    pairs = [
        (name.decode(errors="replace"), value if equals else None)
        for name, equals, value in (line.partition(b"=") for line in text.split(b"\n"))
    ]
    told = feed._is_arrow(pairs)
    block = feed.MessageBlock([b"{}"], 0, offsets=np.zeros(1, np.int64), headers=[pairs])
    events = block.cloud_events(0)
    assert all(name.startswith("ce_") for name, _ in events), "a header that is no attribute"
    return f"{told} {len(events) > 0}"


def lines(suffix: str, packed: Callable[[bytes], bytes], text: bytes) -> str:
    """Read a file of lines, once from the beginning and once from a position that was kept."""
    content = packed(text[1:]) if text[:1] == b"+" else text[1:]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(content)
        file.flush()
        reader = LineReader(Path(file.name))
        try:
            found: list[list[bytes]] = []
            kept = reader.position()
            while (block := reader.read(3)) is not None:
                kept = reader.position() if not found else kept
                found.append(block[0])
            reader.seek(kept)
            again = []
            while (block := reader.read(2)) is not None:
                again += block[0]
        except ValueError:
            return "damaged"
        finally:
            reader.close()
        assert [line for some in found[1:] for line in some] == again, "other lines from a kept position"
        return f"{min(len(found), 3)} blocks"


def _text_seeds(packed: Callable[[bytes], bytes]) -> list[bytes]:
    plain = b"\n".join([*SEEDS["readings"], b"", *SEEDS["events"]])
    return [b"+" + plain, b"+" + plain.replace(b"\n", b"\r\n") + b"\n", b" " + packed(plain)]


WEIGHTS: dict[Kind, float] = {"readings": 12.0, "events": 6.0, "feedback": 6.0}

TARGETS = (
    *(
        Target(kind, partial(json_messages, kind), SEEDS[kind], WORDS, batch=64, weight=weight)
        for kind, weight in WEIGHTS.items()
    ),
    Target(
        "arrow", arrow_messages, arrow_seeds(), (b"ARROW1", b"\xff\xff\xff\xff", b"value", b"ts"), batch=4
    ),
    Target("lines", each(partial(lines, ".jsonl", bytes)), _text_seeds(bytes), (b"\n", b"\r\n"), weight=0.5),
    Target(
        "lines_gz", each(partial(lines, ".jsonl.gz", gzip.compress)), _text_seeds(gzip.compress), weight=0.25
    ),
    Target(
        "lines_zst",
        each(partial(lines, ".jsonl.zst", zstandard.ZstdCompressor().compress)),
        _text_seeds(zstandard.ZstdCompressor().compress),
        weight=0.5,
    ),
    Target(
        "headers",
        each(headers),
        [b"\n".join(HEADERS), HEADERS[2]],
        (b"ce_", b"content-type", b"="),
        weight=4.0,
    ),
)
