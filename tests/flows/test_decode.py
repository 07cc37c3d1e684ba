"""JSON to columns (C-2.1): nothing raises, nothing disappears, a record is judged by itself alone."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.decoding.decode import decode_events, decode_feedback, decode_readings
from flows.wire import MAX_DEPTH, MAX_MESSAGE, MAX_RECORD
from tests.flows.wire_readings import GOOD, READINGS, Json, encoded, rows_of, spoiled

CASE: Json = {"event_id": "e", "type": "ev_gas_leak", "status": "reported", "ts": 1_719_964_800_000}
DONE: Json = {"incident_id": "I1", "action": "arrive", "actor": "crew 7", "ts": 1_719_964_800_000}
DECODERS: list[tuple[Callable[..., Any], Json]] = [
    (decode_readings, GOOD),
    (decode_events, CASE),
    (decode_feedback, DONE),
]

SCRAPS = st.sampled_from(
    [
        b"",
        b" ",
        b"[]",
        b"[",
        b"]",
        b"null",
        b"7",
        b'"x"',
        b"{}",
        b"[{}]",
        b"[[]]",
        b"[1, null]",
        b"\xff",
        b'{"sensor_id":"a",',
        b'"metric":"m","value":1,"ts":1}',
        b'{"a":"\xff"}',
        b'{"sensor_id":"s","metric":"m","value":1,"ts":"2024-07-03T00:00:00"}',
        b'{"sensor_id":"s","metric":"m","value":1,"ts":1,"lon":1}',
    ]
)


OBJECTS = READINGS.map(encoded)
MESSAGES = st.one_of(
    OBJECTS,
    st.lists(OBJECTS | SCRAPS, max_size=4).map(lambda parts: b"[" + b", ".join(parts) + b"]"),
    st.builds(spoiled, OBJECTS, st.integers(0, 10_000), st.integers(0, 255)),
    SCRAPS,
    st.binary(max_size=40),
)


def records_in(message: bytes) -> int:
    try:
        parsed = json.loads(message.decode("latin-1"))  # bytes that are not UTF-8 spoil their own record only
    except ValueError:
        return 1
    return len(parsed) if isinstance(parsed, list) else 1


def refused(message: bytes, decoder: Callable[..., Any] = decode_readings) -> list[str]:
    columns, rejects = decoder([message])
    assert len(columns) == 0
    return [reject.reason.value for reject in rejects]


@given(st.lists(MESSAGES, max_size=6))
def test_no_record_disappears_and_none_is_invented(messages: list[bytes]) -> None:
    readings, rejects = decode_readings(messages)
    found = np.bincount([*readings.message.tolist(), *(r.message for r in rejects)], minlength=len(messages))
    for message, count in zip(messages, found.tolist(), strict=True):
        # Where the whole is unreadable to one parser only, it counts as one.
        assert count in {records_in(message), 1}
    places = list(zip(readings.message.tolist(), readings.index.tolist(), strict=True))
    refusals = [(reject.message, reject.index) for reject in rejects]
    assert places == sorted(places)
    assert refusals == sorted(refusals)
    assert len({*places, *refusals}) == len(places) + len(refusals)


@given(st.lists(MESSAGES, max_size=6))
def test_a_message_is_judged_the_same_alone_and_in_company(messages: list[bytes]) -> None:
    readings, rejects = decode_readings(messages)
    alone = [decode_readings([message]) for message in messages]
    assert rows_of(readings) == [row for columns, _ in alone for row in rows_of(columns)]
    assert [(r.index, r.reason, r.raw) for r in rejects] == [
        (r.index, r.reason, r.raw) for _, found in alone for r in found
    ]


@given(st.lists(READINGS, min_size=1, max_size=5))
def test_good_readings_come_through_unchanged(readings: list[Json]) -> None:
    columns, rejects = decode_readings([encoded(reading) for reading in readings])
    assert rejects == []
    names = ("wgs84", "gcj02", "bd09", "cgcs2000")
    assert rows_of(columns) == [
        (
            r["sensor_id"],
            r["metric"],
            float(r["value"]),
            r["ts"],
            *r.get("place", (None, None)),
            names.index(r.get("crs") or "wgs84"),
        )
        for r in readings
    ]


@given(st.lists(READINGS | st.none(), max_size=6))
def test_a_bad_element_of_an_array_costs_nobody_but_itself(elements: list[Json | None]) -> None:
    texts = [b'{"half": [' + b"]}" if element is None else encoded(element) for element in elements]
    columns, rejects = decode_readings([b"[" + b",".join(texts) + b"]"])
    assert columns.index.tolist() == [i for i, element in enumerate(elements) if element is not None]
    assert [(r.index, r.raw) for r in rejects] == [(i, texts[i]) for i, e in enumerate(elements) if e is None]


@given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from(DECODERS))
def test_any_bytes_are_survived(messages: list[bytes], decoder: tuple[Callable[..., Any], Json]) -> None:
    columns, rejects = decoder[0](messages, arrow=range(0, len(messages), 2))
    assert len(columns) + len(rejects) >= sum(
        1 for message in messages if message.strip() != b"[]" and message
    )


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(b'{"sensor_id":"s"', "bad_json", id="cut short"),
        pytest.param(b'{"sensor_id":5,"metric":"m"', "bad_json", id="wrong type and cut short"),
        pytest.param(b'{"sensor_id":"s","metric":"m","value":NaN,"ts":1}', "bad_json", id="NaN"),
        pytest.param(b'{"sensor_id":"s","metric":"m","value":-Infinity,"ts":1}', "bad_json", id="Infinity"),
        pytest.param(b'{"sensor_id":"s","metric":"m","value":1,"ts":1}{}', "bad_json", id="two objects"),
        pytest.param(
            b'{"sensor_id":"s","metric":"m","value":1,"ts":1,"x":"\xff"}', "bad_json", id="not UTF-8, ignored"
        ),
        pytest.param(
            b'{"sensor_id":"\xed\xa0\x80","metric":"m","value":1,"ts":1}', "bad_json", id="UTF-8 surrogate"
        ),
        pytest.param(
            b'{"sensor_id":"\\ud800","metric":"m","value":1,"ts":1}', "bad_json", id="lone surrogate"
        ),
        pytest.param(
            b'{"sensor_id":"s","metric":"m","value":1,"ts":1,"\xff":1}', "bad_json", id="not UTF-8, key"
        ),
        pytest.param(b"[1, 2", "bad_json", id="array cut short"),
        pytest.param(b"[" * 100_000, "bad_json", id="endless array"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "bad_json", id="deep array"),
        pytest.param(b'{"a":' * 100_000, "bad_json", id="endless object"),
        pytest.param(b"", "bad_json", id="empty"),
        pytest.param(b"\x00", "bad_json", id="NUL"),
        pytest.param(b"5", "bad_field", id="a number"),
        pytest.param(b"null", "bad_field", id="null"),
        pytest.param(b'"text"', "bad_field", id="a text"),
        pytest.param(b"{}", "bad_field", id="nothing in it"),
        pytest.param(
            b'{"sensor_id":"s","metric":"m","value":1e999,"ts":1}', "bad_field", id="beyond float64"
        ),
        pytest.param(
            b'{"sensor_id":"s","metric":"m","value":' + b"9" * 400 + b',"ts":1}', "bad_field", id="huge"
        ),
        pytest.param(b"[[[]]]", "bad_field", id="array in array"),
        pytest.param(b'{"sensor_id":"s"' + b" " * MAX_RECORD, "too_large", id="a megabyte of nothing"),
    ],
)
def test_hostile_messages_get_their_reason(message: bytes, reason: str) -> None:
    assert refused(message) == [reason]
    assert decode_readings([encoded(GOOD), message])[0].message.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sensor_id": ""}, "bad_field"),
        ({"sensor_id": "x" * 257}, "bad_field"),
        ({"sensor_id": None}, "bad_field"),
        ({"metric": ""}, "bad_field"),
        ({"value": True}, "bad_field"),
        ({"value": "1"}, "bad_field"),
        ({"value": None}, "bad_field"),
        ({"ts": True}, "bad_field"),
        ({"ts": 1.5}, "bad_field"),
        ({"ts": -1}, "bad_field"),
        ({"ts": 7_289_654_400_000}, "bad_field"),
        ({"ts": 10**30}, "bad_field"),
        ({"ts": "tomorrow"}, "bad_field"),
        ({"ts": "1719964800000"}, "bad_field"),
        ({"ts": "2016-12-31T23:59:60Z"}, "bad_field"),
        ({"ts": "2024-07-03T00:00:00"}, "naive_time"),
        ({"lon": 114.0}, "bad_field"),
        ({"lat": 30.0}, "bad_field"),
        ({"lon": 114.0, "lat": None}, "bad_field"),
        ({"lon": 114.0, "lat": 88.0}, "bad_field"),
        ({"lon": 114.0, "lat": -90.1}, "bad_field"),
        ({"lon": 360.1, "lat": 30.0}, "bad_field"),
        ({"lon": -180.1, "lat": 30.0}, "bad_field"),
        ({"lon": "114", "lat": 30.0}, "bad_field"),
        ({"crs": "WGS84"}, "bad_field"),
        ({"crs": "epsg:4326"}, "bad_field"),
    ],
    ids=str,
)
def test_a_wrong_field_of_a_reading_gets_its_reason(change: Json, reason: str) -> None:
    raw = json.dumps(GOOD | change).encode()
    assert refused(raw) == [reason]
    assert refused(b"[" + raw + b"]") == [reason]
    _, rejects = decode_readings([encoded(GOOD), raw])
    assert [(r.message, r.index, r.raw) for r in rejects] == [(1, 0, raw)]


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_a_bad_field(name: str) -> None:
    assert refused(json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()) == [
        "bad_field"
    ]


@pytest.mark.parametrize(
    ("base", "decoder", "change"),
    [
        (CASE, decode_events, {"status": "Reported"}),
        (CASE, decode_events, {"severity": 0}),
        (CASE, decode_events, {"severity": 5}),
        (CASE, decode_events, {"severity": 2.5}),
        (CASE, decode_events, {"channel": 5}),
        (CASE, decode_events, {"note": []}),
        (CASE, decode_events, {"lon": 114.0}),
        (DONE, decode_feedback, {"action": "ack"}),
        (DONE, decode_feedback, {"actor": ""}),
        (DONE, decode_feedback, {"note": 1}),
        (DONE, decode_feedback, {"incident_id": None}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_wrong_field_of_a_case_or_feedback_is_a_bad_field(
    base: Json, decoder: Callable[..., Any], change: Json
) -> None:
    assert refused(json.dumps(base | change).encode(), decoder) == ["bad_field"]


def test_a_case_arrives_with_all_it_says() -> None:
    more = {"lon": 114.3, "lat": 30.6, "crs": "gcj02", "severity": 3, "channel": "12345", "department": "gas"}
    events, rejects = decode_events([json.dumps(CASE | more).encode(), json.dumps(CASE).encode()])
    assert rejects == []
    assert (events.event_id, events.type, events.status) == (["e"] * 2, ["ev_gas_leak"] * 2, ["reported"] * 2)
    assert events.severity.tolist() == [3, 0]
    assert (events.channel, events.department) == (["12345", None], ["gas", None])
    assert events.crs.tolist() == [1, 0]
    np.testing.assert_array_equal(events.lon, [114.3, np.nan])


def test_feedback_arrives_with_all_it_says() -> None:
    feedback, rejects = decode_feedback([json.dumps([DONE, DONE | {"note": "水已退"}]).encode()])
    assert rejects == []
    assert (feedback.incident_id, feedback.action, feedback.actor) == (
        ["I1"] * 2,
        ["arrive"] * 2,
        ["crew 7"] * 2,
    )
    assert feedback.note == [None, "水已退"]


def test_the_last_of_a_repeated_key_wins() -> None:
    message = b'{"sensor_id":"a","sensor_id":"b","metric":"m","value":1,"value":2,"ts":1}'
    readings, _ = decode_readings([message])
    assert (readings.sensor.to_list(), readings.value.tolist()) == (["b"], [2.0])


def test_null_for_an_optional_field_is_the_same_as_none_given() -> None:
    readings, rejects = decode_readings([json.dumps(GOOD | {"lon": None, "lat": None, "crs": None}).encode()])
    assert rejects == []
    assert np.isnan(readings.lon).all()


def test_an_empty_array_holds_no_records() -> None:
    readings, rejects = decode_readings([b" [ ] "])
    assert (len(readings), rejects) == (0, [])


def test_two_halves_never_make_a_record() -> None:
    whole = encoded(GOOD)
    readings, rejects = decode_readings([whole[:20], whole[20:], whole + b"\n" + whole])
    assert len(readings) == 0
    assert [reject.reason.value for reject in rejects] == ["bad_json"] * 3


def test_times_as_text_and_as_numbers_may_be_mixed() -> None:
    messages = [
        encoded(GOOD | {"ts": ts}) for ts in (5, "1970-01-01T08:00:01+08:00", "1970-01-01T00:00:00.002Z")
    ]
    assert decode_readings(messages)[0].ts.tolist() == [5, 1000, 2]


def test_an_object_of_exactly_a_megabyte_passes() -> None:
    room = MAX_RECORD - len(encoded(GOOD | {"x": ""}))
    readings, rejects = decode_readings([encoded(GOOD | {"x": "y" * room})])
    assert (len(readings), rejects) == (1, [])


def test_an_array_may_be_larger_than_an_object_but_its_elements_may_not() -> None:
    large = encoded(GOOD | {"x": "y" * MAX_RECORD})
    readings, rejects = decode_readings([b"[" + encoded(GOOD) + b"," + large + b"]"])
    assert readings.index.tolist() == [0]
    assert [(r.index, r.reason.value) for r in rejects] == [(1, "too_large")]


def test_an_array_beyond_the_limit_is_too_large() -> None:
    assert refused(b"[" + b" " * MAX_MESSAGE) == ["too_large"]


def test_messages_that_were_cut_are_too_large_whatever_they_look_like() -> None:
    readings, rejects = decode_readings([encoded(GOOD), encoded(GOOD), b"x"], cut=[1])
    assert readings.message.tolist() == [0]
    assert [(r.message, r.reason.value) for r in rejects] == [(1, "too_large"), (2, "bad_json")]


@pytest.mark.parametrize("depth", [MAX_DEPTH, 900, 5_000, 100_000])
def test_an_element_too_deep_costs_nobody_but_itself(depth: int) -> None:
    deep = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    readings, rejects = decode_readings([b"[" + encoded(GOOD) + b"," + deep + b", " + encoded(GOOD) + b"]"])
    assert readings.index.tolist() == [0, 2]
    assert [(r.index, r.reason.value, r.raw.strip()) for r in rejects] == [(1, "bad_json", deep)]


def test_an_array_both_deep_and_broken_is_refused_whole() -> None:
    deep = b"[" * 5_000 + b"]" * 5_000
    assert refused(b"[" + encoded(GOOD) + b",," + deep + b"]") == ["bad_json"]


def nested(calls: int, message: bytes) -> int:
    return nested(calls - 1, message) if calls else len(decode_readings([message])[0])


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_whether_a_record_is_too_deep_does_not_depend_on_who_asks(depth: int) -> None:
    message = encoded(GOOD)[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    assert nested(0, message) == nested(300, message) == (depth < MAX_DEPTH)


def test_brackets_in_text_are_no_nesting() -> None:
    readings, _ = decode_readings([encoded(GOOD | {"x": '[{"\\' * 5_000})])
    assert len(readings) == 1
