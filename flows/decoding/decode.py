"""Message values -> columns and rejects: the only place where a record is a Python object.

Rows and rejects together are all records received, both in the order of arrival. A record is judged by
its own bytes, never by its neighbours'; what only admission can know (metrics, ranges, places, time) is
not judged here.
"""

from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from flows.decoding.arrow_streams import decode_streams
from flows.decoding.columns import (
    BAD,
    FAULTS,
    Bytes,
    Events,
    Feedback,
    Floats,
    Ints,
    Names,
    Readings,
    Reject,
    misplaced,
    moments,
)
from flows.decoding.json_records import receive
from flows.decoding.provenance import json_records
from flows.wire import CRS_NAMES, MAX_MESSAGE, Event, FeedbackRecord, Kind, Reading, Reason

__all__ = [
    "Events",
    "Feedback",
    "Names",
    "Readings",
    "Reject",
    "decode_events",
    "decode_feedback",
    "decode_readings",
]

R = TypeVar("R", Reading, Event, FeedbackRecord)
C = TypeVar("C", Readings, Events, Feedback)
T = TypeVar("T")

_CRS_CODES: dict[str | None, int] = {None: 0, **{name: code for code, name in enumerate(CRS_NAMES)}}


def decode_readings(
    messages: Sequence[bytes], arrow: Collection[int] = (), cut: Collection[int] = ()
) -> tuple[Readings, list[Reject]]:
    """Decode messages of readings.

    Args:
        messages: n values: an object, an array of objects, or an Arrow IPC stream each.
        arrow: positions of the messages that are Arrow IPC streams.
        cut: positions of messages that were too large to be kept whole; refused as ``too_large``.

    >>> readings, rejects = decode_readings([b'{"sensor_id":"s","metric":"rain","value":1,"ts":0}', b"{"])
    >>> readings.value, rejects
    (array([1.]), [Reject(message=1, index=0, reason=<Reason.BAD_JSON: 'bad_json'>, raw=b'{')])
    """
    return _decode(messages, arrow, cut, _READINGS)


def decode_events(
    messages: Sequence[bytes], arrow: Collection[int] = (), cut: Collection[int] = ()
) -> tuple[Events, list[Reject]]:
    """Decode messages of case events; arguments as for ``decode_readings``.

    >>> message = b'{"event_id":"e","type":"ev_gas_leak","status":"reported","ts":"2024-07-03T00:00:00Z"}'
    >>> decode_events([message])[0].ts
    array([1719964800000])
    """
    return _decode(messages, arrow, cut, _EVENTS)


def decode_feedback(
    messages: Sequence[bytes], arrow: Collection[int] = (), cut: Collection[int] = ()
) -> tuple[Feedback, list[Reject]]:
    """Decode messages of feedback on incidents; arguments as for ``decode_readings``.

    >>> decode_feedback([b'{"incident_id":"I1","action":"arrive","actor":"a","ts":0}'])[0].action
    ['arrive']
    """
    return _decode(messages, arrow, cut, _FEEDBACK)


@dataclass(frozen=True, slots=True)
class _Stream(Generic[R, C]):
    """How one kind of record is decoded and laid out in columns (with a fault code per row)."""

    kind: Kind
    one: Callable[[bytes], R]
    many: Callable[[bytes], list[R]]
    columns: Callable[[list[R], Ints, Ints], tuple[C, Bytes]]


def _decode(
    messages: Sequence[bytes], arrow: Collection[int], cut: Collection[int], stream: _Stream[R, C]
) -> tuple[C, list[Reject]]:
    if not arrow:
        return _decode_json(messages, cut, stream)
    texts = [number for number in range(len(messages)) if number not in arrow]
    columns, rejects = _decode_json(
        [messages[n] for n in texts], [i for i, n in enumerate(texts) if n in cut], stream
    )
    columns = replace(columns, message=np.array(texts, np.int64)[columns.message])
    refused = [replace(reject, message=texts[reject.message]) for reject in rejects]
    large = [n for n in sorted(arrow) if n in cut or len(messages[n]) > MAX_MESSAGE]
    refused += [Reject(number, 0, Reason.TOO_LARGE, messages[number]) for number in large]
    found: tuple[list[Any], list[Reject]] = decode_streams(
        {n: messages[n] for n in sorted(arrow) if n not in large}, stream.kind
    )
    refused += found[1]
    merged = type(columns).concatenate([columns, *found[0]])
    if (np.diff(merged.message) < 0).any():
        merged = merged.take(np.argsort(merged.message, kind="stable"))
    return merged, sorted(refused, key=attrgetter("message", "index"))


def _decode_json(
    messages: Sequence[bytes], cut: Collection[int], stream: _Stream[R, C]
) -> tuple[C, list[Reject]]:
    received = receive(messages, cut, stream.one, stream.many)
    columns, faults = stream.columns(received.rows, received.message, received.index)
    rejects = received.rejects
    if faults.any():
        bad, raw = np.flatnonzero(faults), json_records(messages)
        places = zip(bad.tolist(), columns.message[bad].tolist(), columns.index[bad].tolist(), strict=True)
        for row, message, index in places:
            reason = FAULTS[faults[row]] or Reason.BAD_FIELD
            rejects.append(Reject(message, index, reason, raw(message, index)))
        columns = columns.take(np.flatnonzero(faults == 0))
    return columns, sorted(rejects, key=attrgetter("message", "index"))


def _readings(rows: list[Reading], message: Ints, index: Ints) -> tuple[Readings, Bytes]:
    ts, faults = _times([row.ts for row in rows])
    lon, lat, crs = _places(rows, faults)
    columns = Readings(
        sensor=Names(None, [row.sensor_id for row in rows]),
        metric=Names(None, [row.metric for row in rows]),
        value=np.fromiter([row.value for row in rows], np.float64, len(rows)),
        ts=ts,
        lon=lon,
        lat=lat,
        crs=crs,
        index=index,
        message=message,
    )
    return columns, faults


def _events(rows: list[Event], message: Ints, index: Ints) -> tuple[Events, Bytes]:
    ts, faults = _times([row.ts for row in rows])
    lon, lat, crs = _places(rows, faults)
    columns = Events(
        event_id=[row.event_id for row in rows],
        type=[row.type for row in rows],
        status=[row.status for row in rows],
        ts=ts,
        lon=lon,
        lat=lat,
        crs=crs,
        severity=np.fromiter([row.severity or 0 for row in rows], np.int8, len(rows)),
        channel=[row.channel for row in rows],
        department=[row.department for row in rows],
        index=index,
        message=message,
    )
    return columns, faults


def _feedback(rows: list[FeedbackRecord], message: Ints, index: Ints) -> tuple[Feedback, Bytes]:
    ts, faults = _times([row.ts for row in rows])
    columns = Feedback(
        incident_id=[row.incident_id for row in rows],
        action=[row.action for row in rows],
        actor=[row.actor for row in rows],
        ts=ts,
        note=[row.note for row in rows],
        index=index,
        message=message,
    )
    return columns, faults


def _times(listed: list[Any]) -> tuple[Ints, Bytes]:
    try:
        # Unlike numpy, array refuses text instead of reading a number out of it.
        return np.array(array("q", listed), np.int64), np.zeros(len(listed), np.uint8)
    except TypeError:
        return moments(listed)


def _places(rows: list[Reading] | list[Event], faults: Bytes) -> tuple[Floats, Floats, Bytes]:
    lon, lat = _degrees([row.lon for row in rows]), _degrees([row.lat for row in rows])
    faults[misplaced(lon, lat)] = BAD
    crs = [row.crs for row in rows]
    if crs.count(None) == len(crs):
        return lon, lat, np.zeros(len(crs), np.uint8)
    return lon, lat, np.fromiter([_CRS_CODES[name] for name in crs], np.uint8, len(crs))


def _degrees(listed: list[float | None]) -> Floats:
    if listed.count(None) == len(listed):
        return np.full(len(listed), np.nan)
    given: list[Any] = listed
    return np.array(given, np.float64)


def _parser(kind: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(kind).decode


_READINGS = _Stream(
    "readings", msgspec.json.Decoder(Reading).decode, msgspec.json.Decoder(list[Reading]).decode, _readings
)
_EVENTS = _Stream(
    "events", msgspec.json.Decoder(Event).decode, msgspec.json.Decoder(list[Event]).decode, _events
)
_FEEDBACK = _Stream(
    "feedback",
    msgspec.json.Decoder(FeedbackRecord).decode,
    msgspec.json.Decoder(list[FeedbackRecord]).decode,
    _feedback,
)
