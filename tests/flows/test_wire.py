"""The records of C-2.1: times, limits, schema."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.decoding.columns import BAD, NAIVE, moments
from flows.wire import (
    END_OF_TIME,
    RECORDS,
    Event,
    FeedbackRecord,
    NaiveTimeError,
    Reading,
    Reason,
    json_schema,
    parse_time,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.builds(
    lambda milliseconds, zone: (EPOCH + timedelta(milliseconds=milliseconds)).astimezone(zone),
    st.integers(0, END_OF_TIME - 1),
    ZONES,
)


@given(MOMENTS)
def test_a_time_with_a_zone_is_read_to_the_millisecond(moment: datetime) -> None:
    expected = (moment - EPOCH) // timedelta(milliseconds=1)
    assert parse_time(moment.isoformat()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2024-07-03T00:00:00Z", 1_719_964_800_000, id="zulu"),
        pytest.param("2024-07-03t00:00:00z", 1_719_964_800_000, id="lower case"),
        pytest.param("2024-07-03 08:00:00+08:00", 1_719_964_800_000, id="a space for the T"),
        pytest.param(
            "2024-07-03T00:00:00.1239999999Z", 1_719_964_800_123, id="finer than a millisecond is cut"
        ),
        pytest.param("2024-07-03T00:00:00.5-00:00", 1_719_964_800_500, id="unknown local offset"),
        pytest.param("1970-01-01T00:00:00Z", 0, id="the first moment"),
        pytest.param("2200-12-31T23:59:59.999Z", END_OF_TIME - 1, id="the last moment"),
    ],
)
def test_rfc3339_forms_are_understood(text: str, expected: int) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text", ["2024-07-03T00:00:00", "2024-07-03 00:00:00.5", "2024-07-03", "2024-07-03T00:00"]
)
def test_a_time_without_a_zone_is_naive(text: str) -> None:
    with pytest.raises(NaiveTimeError, match="needs a zone"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2016-12-31T23:59:60Z", id="leap second"),
        pytest.param("2024-02-30T00:00:00Z", id="no such day"),
        pytest.param("2024-07-03T24:00:00Z", id="hour 24"),
        pytest.param("2024-07-03T00:00:00+24:00", id="offset of a day"),
        pytest.param("0000-01-01T00:00:00Z", id="year 0"),
        pytest.param("1969-12-31T23:59:59Z", id="before 1970"),
        pytest.param("2201-01-01T00:00:00Z", id="after 2200"),
        pytest.param("0001-01-01T00:00:00+23:59", id="before all time"),
        pytest.param("2024-07-03T00:00Z", id="no seconds"),
        pytest.param("20240703T000000Z", id="basic format"),
        pytest.param("2024-W27-3T00:00:00Z", id="week date"),
        pytest.param("２０２４-07-03T00:00:00Z", id="full-width digits"),
        pytest.param(" 2024-07-03T00:00:00Z", id="leading space"),
        pytest.param("2024-07-03T00:00:00." + "1" * 10_000 + "Z", id="endless fraction"),
        pytest.param("", id="nothing"),
        pytest.param("now", id="a word"),
    ],
)
def test_what_is_no_time_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValueError, match=r"a time|no such time") as caught:
        parse_time(text)
    assert not isinstance(caught.value, NaiveTimeError)


USUAL = st.builds(
    lambda moment, mark, timespec, zone: moment.isoformat(mark, timespec).replace("+00:00", zone),
    MOMENTS,
    st.sampled_from("Tt "),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "", "+24:00", "+08:60"]),
)
SPOILED = st.builds(
    lambda text, place, letter: text[: place % len(text)] + letter + text[place % len(text) + 1 :],
    USUAL,
    st.integers(0, 40),
    st.sampled_from("0123456789.:-+TZ /;") | st.characters(exclude_categories=["Cs"]),
)


@settings(max_examples=400)
@given(st.lists(USUAL | SPOILED | st.text(max_size=40), max_size=8))
@example(["2023-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2016-12-31T23:59:60Z"])
@example(["1970-01-01T00:00:00+00:01", "2200-12-31T23:59:59-00:01", "2024-07-03T00:00:00.Z", "2024-07-03"])
def test_many_times_at_once_are_read_like_each_alone(texts: list[str]) -> None:
    ts, faults = moments(texts)
    for text, moment, fault in zip(texts, ts.tolist(), faults.tolist(), strict=True):
        try:
            assert (parse_time(text), 0) == (moment, fault)
        except NaiveTimeError:
            assert (moment, fault) == (0, NAIVE)
        except ValueError:
            assert (moment, fault) == (0, BAD)


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= parse_time(text) < END_OF_TIME


def test_the_reasons_are_those_of_the_contract() -> None:
    contract = (
        "bad_json bad_field unknown_metric out_of_range unknown_location naive_time future_time too_late"
        " too_large bad_transition too_many_series too_many_cases"
    )
    assert [reason.value for reason in Reason] == contract.split()


def test_optional_fields_are_not_written_when_absent() -> None:
    assert json.loads(msgspec.json.encode(Event("e", "ev_gas_leak", "reported", 5))) == {
        "event_id": "e",
        "type": "ev_gas_leak",
        "status": "reported",
        "ts": 5,
    }


@pytest.mark.parametrize("kind", RECORDS)
def test_the_schema_is_plain_json_and_names_every_field(kind: str) -> None:
    schema = json.loads(json.dumps(json_schema(kind)))  # type: ignore[arg-type]
    assert list(schema["properties"]) == list(RECORDS[kind].__struct_fields__)  # type: ignore[index]
    assert not any("$ref" in str(value) for value in schema["properties"].values())


def test_the_schema_demands_both_coordinates_or_none() -> None:
    assert json_schema("readings")["dependentRequired"] == {"lon": ["lat"], "lat": ["lon"]}
    assert "dependentRequired" not in json_schema("feedback")


def test_a_record_survives_the_wire() -> None:
    for record in (
        Reading("s", "m", 1.5, 3, 114.0, 30.0, "gcj02"),
        FeedbackRecord("I1", "note", "me", 3, "好"),
    ):
        assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record
