"""Records on the wire (C-2.1): their fields, their limits, and why one can be refused.

A Kafka message value or a line of a file is one JSON object, a JSON array of such objects, or an
Arrow IPC stream with the same columns. Unknown fields are ignored, an optional field may be null
(the same as absent), and of a repeated key the last one wins. Nothing here reads or decides:
``flows.decoding.decode`` turns bytes into columns, admission judges metrics, ranges, places and lateness.

>>> import msgspec
>>> msgspec.json.encode(Reading("s-1", "road_speed", 41.5, 1_719_964_800_000)).decode()
'{"sensor_id":"s-1","metric":"road_speed","value":41.5,"ts":1719964800000}'
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

MAX_RECORD = 1 << 20
"""Largest size of one JSON object, in bytes."""

MAX_MESSAGE = 16 << 20
"""Largest size of a message of many records (JSON array, Arrow stream) and of a line, in bytes."""

MAX_ROWS = 1 << 20
"""Most rows of one Arrow message: some columns take no room at all, whatever their length."""

MAX_DEPTH = 256
"""Deepest nesting of one record; fixed, so that acceptance never depends on the interpreter's stack."""

MAX_ID = 256
"""Longest identifier, in characters."""

MIN_TIME = 0
"""1970-01-01T00:00:00Z, the earliest time a record may carry, in ms."""

END_OF_TIME = 7_289_654_400_000
"""2201-01-01T00:00:00Z, the first time no record may carry, in ms."""

MAX_LATITUDE = 88.0
"""From this latitude on (either way) there are no grid codes (GB/T 39409-2020, C-2.2)."""

MIN_LONGITUDE, MAX_LONGITUDE = -180.0, 360.0
"""Accepted longitudes, in degrees: both usual ranges."""

Crs = Literal["wgs84", "gcj02", "bd09", "cgcs2000"]
CRS_NAMES: tuple[str, ...] = get_args(Crs)
"""Names of the coordinate systems; a column holds the position in this tuple."""

Status = Literal[
    "reported",
    "accepted",
    "rejected",
    "dispatched",
    "returned",
    "arrived",
    "handled",
    "verified",
    "rework",
    "closed",
    "feedback_good",
    "feedback_bad",
]
"""States of a case (catalogue notes, section 0)."""

Action = Literal[
    "dispatch",
    "acknowledge",
    "arrive",
    "resolve",
    "verify",
    "reject",
    "reopen",
    "close",
    "note",
]
"""What governance reports back about an incident."""

Kind = Literal["readings", "events", "feedback"]
"""The three streams of records."""

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Time = (
    Annotated[int, Meta(ge=MIN_TIME, lt=END_OF_TIME, description="epoch milliseconds")]
    | Annotated[str, Meta(description="RFC 3339 with a zone", extra_json_schema={"format": "date-time"})]
)
Longitude = Annotated[float, Meta(ge=MIN_LONGITUDE, le=MAX_LONGITUDE, description="degrees; with lat")]
Latitude = Annotated[float, Meta(gt=-MAX_LATITUDE, lt=MAX_LATITUDE, description="degrees; with lon")]
Severity = Annotated[int, Meta(ge=1, le=4)]


class Reason(StrEnum):
    """Why a record was refused; the value is what the rejects carry.

    >>> Reason("naive_time").value
    'naive_time'
    """

    BAD_JSON = "bad_json"
    BAD_FIELD = "bad_field"
    UNKNOWN_METRIC = "unknown_metric"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_LOCATION = "unknown_location"
    NAIVE_TIME = "naive_time"
    FUTURE_TIME = "future_time"
    TOO_LATE = "too_late"
    TOO_LARGE = "too_large"
    BAD_TRANSITION = "bad_transition"
    TOO_MANY_SERIES = "too_many_series"
    TOO_MANY_CASES = "too_many_cases"


class Reading(msgspec.Struct, gc=False, omit_defaults=True):
    """One measurement of one sensor, in the metric's unit."""

    sensor_id: Id
    metric: Id
    value: float
    ts: Time
    lon: Longitude | None = None
    lat: Latitude | None = None
    crs: Crs | None = None


class Event(msgspec.Struct, gc=False, omit_defaults=True):
    """One status transition of a case; only a case's first record needs a place."""

    event_id: Id
    type: Id
    status: Status
    ts: Time
    lon: Longitude | None = None
    lat: Latitude | None = None
    crs: Crs | None = None
    severity: Severity | None = None
    channel: str | None = None
    department: str | None = None
    note: str | None = None


class FeedbackRecord(msgspec.Struct, gc=False, omit_defaults=True):
    """What someone did about an incident."""

    incident_id: Id
    action: Action
    actor: Id
    ts: Time
    note: str | None = None


RECORDS: dict[Kind, type[msgspec.Struct]] = {"readings": Reading, "events": Event, "feedback": FeedbackRecord}
"""The record of each stream."""


class NaiveTimeError(ValueError):
    """A time of day without a zone: nobody can tell when that was."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MAX_TIME_TEXT = 64


def parse_time(text: str) -> int:
    """Return the epoch milliseconds of an RFC 3339 time; what is finer than a millisecond is cut off.

    Raises:
        NaiveTimeError: a readable time, but without a zone.
        ValueError: not a time of RFC 3339, a leap second, or outside the years 1970 to 2200.

    >>> parse_time("2024-07-03T08:00:00.25+08:00")
    1719964800250
    """
    shown = repr(text[:_MAX_TIME_TEXT])
    if len(text) > _MAX_TIME_TEXT or not _RFC3339.fullmatch(text):
        if _is_naive(text):
            raise NaiveTimeError(f"a time needs a zone; got {shown}; append Z or +08:00")
        raise ValueError(f"a time must be RFC 3339; got {shown}; write it like 2024-07-03T08:00:00+08:00")
    try:
        moment = (datetime.fromisoformat(text.upper()) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError) as error:
        raise ValueError(f"there is no such time; got {shown} ({error})") from None
    if not MIN_TIME <= moment < END_OF_TIME:
        raise ValueError(f"a time must be in the years 1970 to 2200; got {shown}")
    return moment


def _is_naive(text: str) -> bool:
    try:
        return len(text) <= _MAX_TIME_TEXT and datetime.fromisoformat(text.upper()).tzinfo is None
    except ValueError:
        return False


def json_schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one record of a stream, for gateways to check against.

    >>> json_schema("readings")["required"]
    ['sensor_id', 'metric', 'value', 'ts']
    """
    (schema,), definitions = msgspec.json.schema_components([RECORDS[kind]])
    record = dict(definitions[schema["$ref"].rsplit("/", 1)[1]])
    if "lon" in record["properties"]:
        record["dependentRequired"] = {"lon": ["lat"], "lat": ["lon"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **record}
