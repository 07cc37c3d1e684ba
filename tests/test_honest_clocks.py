"""Future stamps, outages and quiet gateways make nothing late; every record is accounted for (R4 to R6)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.replay.replay_summary import Summary
from flows.replay.replaying import ReplayOptions, replay
from sim.city_writer import Happenings, write_city
from tests.replays import MORNING, some_cases, stormy_city

MINUTE = 60_000
YEAR = 365 * 24 * 60 * MINUTE
COUNT = 50
"""Devices of the city."""
OUTAGE = (MORNING + 15 * MINUTE, MORNING + 45 * MINUTE)
"""From when (exclusively) until when a gateway hears its sensors but cannot send, ms."""

Lines = list[bytes]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of an hour in which every record comes in order of its time."""
    folder = tmp_path_factory.mktemp("city")
    made = stormy_city(COUNT, 60, seed=5)
    write_city(made, folder, Happenings(some_cases(made)))
    readings = pl.read_ndjson(folder / "readings.jsonl")
    readings.sort("ts", "sensor_id", "metric").write_ndjson(folder / "readings.jsonl")
    return folder


@pytest.fixture(scope="module")
def undisturbed(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    summary = run(city, out, [city / "readings.jsonl"])
    assert summary.alerts > 0
    assert (summary.late, summary.rejected) == (0, {})
    return out


def run(city: Path, out: Path, readings: list[Path]) -> Summary:
    options = ReplayOptions(
        readings=readings, events=[city / "events.jsonl"], sensors=city / "sensors.csv", out=out
    )
    return replay(options)


def written(path: Path, lines: Lines) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def readings(city: Path) -> Lines:
    return (city / "readings.jsonl").read_bytes().splitlines()


def ts(line: bytes) -> int:
    return int(json.loads(line)["ts"])


def stamped(line: bytes, moment: int) -> bytes:
    return json.dumps(json.loads(line) | {"ts": moment}).encode()


def delivered_at_once(lines: Lines) -> Lines:
    """The readings of the outage as one batch of the gateway: a JSON array, in order, in one line."""
    before = [line for line in lines if ts(line) <= OUTAGE[0]]
    held = [line for line in lines if OUTAGE[0] < ts(line) <= OUTAGE[1]]
    after = [line for line in lines if ts(line) > OUTAGE[1]]
    assert min(len(before), len(held), len(after)) > 5
    return [*before, b"[" + b",".join(held) + b"]", *after]


def assert_same_tables(one: Path, other: Path) -> None:
    for name in ("indicators.parquet", "alerts.jsonl", "incidents.jsonl"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@given(share=st.floats(0, 1))
@example(share=0.0)
@example(share=0.5)
@example(share=1.0)
@settings(max_examples=8)
def test_one_stamp_a_year_ahead_is_refused_and_harms_nobody_else(
    share: float, city: Path, undisturbed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines, folder = readings(city), tmp_path_factory.mktemp("future")
    place = round(share * len(lines))
    bad = stamped(lines[min(place, len(lines) - 1)], MORNING + YEAR)
    file = written(folder / "readings.jsonl", [*lines[:place], bad, *lines[place:]])
    summary = run(city, folder / "out", [file])
    assert summary.rejected == {"future_time": 1}
    assert (summary.readings, summary.late, summary.duplicates) == (len(lines), 0, 0)
    assert_same_tables(folder / "out", undisturbed)
    (reject,) = map(json.loads, (folder / "out" / "rejects.jsonl").read_bytes().splitlines())
    assert (reject["offset"], base64.b64decode(reject["raw_base64"])) == (place, bad)


def test_a_backlog_in_order_after_an_outage_is_not_late(
    city: Path, undisturbed: Path, tmp_path: Path
) -> None:
    file = written(tmp_path / "readings.jsonl", delivered_at_once(readings(city)))
    summary = run(city, tmp_path / "out", [file])
    assert (summary.late, summary.rejected) == (0, {})
    assert_same_tables(tmp_path / "out", undisturbed)


def test_an_outage_whose_readings_are_lost_makes_nothing_after_it_late(city: Path, tmp_path: Path) -> None:
    kept = [line for line in readings(city) if not OUTAGE[0] < ts(line) <= OUTAGE[1]]
    summary = run(city, tmp_path / "out", [written(tmp_path / "readings.jsonl", kept)])
    assert (summary.readings, summary.late, summary.rejected) == (len(kept), 0, {})


def test_a_gateway_that_was_silent_and_then_catches_up_is_not_late(
    city: Path, undisturbed: Path, tmp_path: Path
) -> None:
    rows = [(json.loads(line)["sensor_id"], line) for line in readings(city)]
    names = sorted({name for name, _ in rows})
    first = {name for i, name in enumerate(names) if i % 2}
    steady = written(tmp_path / "steady.jsonl", [line for name, line in rows if name in first])
    silent = delivered_at_once([line for name, line in rows if name not in first])
    summary = run(city, tmp_path / "out", [steady, written(tmp_path / "silent.jsonl", silent)])
    assert (summary.late, summary.rejected) == (0, {})
    assert_same_tables(tmp_path / "out", undisturbed)


MOMENT = b'"ts":1772409660000'
HERE = b'"lon":114.3,"lat":30.6'


def rain(fields: bytes, sensor: bytes = b"s") -> bytes:
    return b'{"sensor_id":"' + sensor + b'","metric":"rain_1m",' + fields + b"}"


HOSTILE: dict[str, bytes] = {
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "a number": b"7",
    "an empty batch": b"[]",
    "a batch of nothings": b"[null, {}, 3]",
    "a batch with a reading in it": b'[{"sensor_id":"x"},' + rain(b'"value":1,"ts":0') + b"]",
    "no zone": rain(b'"value":1,"ts":"2026-03-02T08:00:00"'),
    "an unknown metric": b'{"sensor_id":"s","metric":"happiness","value":1,' + MOMENT + b"}",
    "no number": rain(b'"value":"wet",' + MOMENT),
    "an endless number": rain(b'"value":1e999,' + MOMENT),
    "a place unknown": rain(b'"value":1,' + MOMENT, sensor=b"nobody"),
    "a place off the earth": rain(b'"value":1,"lon":9e9,"lat":1,' + MOMENT),
    "out of range": rain(b'"value":-5,' + HERE + b"," + MOMENT),
    "before all times": rain(b'"value":1,"ts":-1'),
    "long ago": rain(b'"value":1,"ts":86400000,' + HERE),
    "deep": b"[" * 1000 + b"]" * 1000,
    "an event": b'{"event_id":"c","type":"ev_fire","status":"reported","ts":1772409600000}',
}


# A record of long ago at the very beginning would be believed: nothing contradicts it yet.
@given(st.lists(st.tuples(st.integers(10, 400), st.sampled_from(sorted(HOSTILE))), max_size=25))
@example([(200, name) for name in sorted(HOSTILE)])
@settings(max_examples=8)
def test_every_record_received_is_accepted_rejected_or_a_duplicate(
    city: Path, tmp_path_factory: pytest.TempPathFactory, hostile: list[tuple[int, str]]
) -> None:
    folder, lines = tmp_path_factory.mktemp("hostile"), readings(city)[:400]
    mixed = [*lines, lines[-1]]
    for place, name in sorted(hostile, reverse=True):
        mixed.insert(place, HOSTILE[name])
    summary = run(city, folder / "out", [written(folder / "readings.jsonl", mixed)])
    assert summary.accepted + sum(summary.rejected.values()) + summary.duplicates == summary.received
    assert (summary.readings, summary.duplicates) == (len(lines), 1)
    empty = sum(name == "an empty batch" for _, name in hostile)
    assert summary.received >= summary.events + len(mixed) - empty
    rejects = [json.loads(line) for line in (folder / "out" / "rejects.jsonl").read_bytes().splitlines()]
    places = {(r["source"], r["partition"], r["offset"], r["index"]) for r in rejects}
    assert len(rejects) == len(places) == sum(summary.rejected.values())
