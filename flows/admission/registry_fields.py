"""A field of a registry row -> its value or what is wrong with it, one by one and whole columns at a time."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flows.admission.registry_file import Column, distinct, numbers_of
from flows.decoding.columns import Flags, Floats
from flows.wire import CRS_NAMES, END_OF_TIME, MAX_ID, MAX_LATITUDE, MAX_LONGITUDE, MIN_LONGITUDE, MIN_TIME

NEVER = int(np.iinfo(np.int64).max)
"""``retired_ms`` of a sensor in service."""

T = TypeVar("T")

_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")
_MIN_PERIOD_S, _MAX_PERIOD_S = 0.001, 366 * 86_400


def identifier(text: str) -> str:
    """The id of a sensor; this and the functions below raise a ValueError that says what to do."""
    if not 0 < len(text) <= MAX_ID:
        raise ValueError(f"must have 1 to {MAX_ID} characters; got {len(text)}; give the sensor an id")
    return text


def longitude(text: str) -> float:
    """Degrees, of both usual ranges."""
    lon = _number(text, "give degrees")
    if not MIN_LONGITUDE <= lon <= MAX_LONGITUDE:
        raise ValueError(f"must be within {MIN_LONGITUDE:g} to {MAX_LONGITUDE:g}; got {text}; give degrees")
    return lon


def latitude(text: str) -> float:
    """Degrees, where there are grid codes."""
    lat = _number(text, "give degrees")
    if not abs(lat) < MAX_LATITUDE:
        raise ValueError(f"must be between -{MAX_LATITUDE:g} and {MAX_LATITUDE:g}; got {text}; give degrees")
    return lat


def crs(text: str) -> int:
    """Position of a coordinate system in ``CRS_NAMES``."""
    name = text or CRS_NAMES[0]
    if name not in CRS_NAMES:
        raise ValueError(f"must be one of {', '.join(CRS_NAMES)}; got {text!r}; leave it empty for wgs84")
    return CRS_NAMES.index(name)


def period(text: str) -> int:
    """Milliseconds of a sampling period in s, 0 where none is given."""
    if not text:
        return 0
    seconds = _number(text, "give seconds")
    if not _MIN_PERIOD_S <= seconds <= _MAX_PERIOD_S:
        raise ValueError(f"must be between 0.001 s and a year; got {text}; give seconds")
    return round(seconds * 1_000)


def retirement(text: str, zone: ZoneInfo) -> int:
    """Epoch ms of a retirement, ``NEVER`` for none; dates and naive times are of the zone."""
    if text.lower() in _NO:
        return NEVER
    if text.lower() in _YES:
        return MIN_TIME
    advice = f"must be a date, a time, true or false; got {text!r}; write it like 2024-07-03"
    try:
        moment = int(text) if text.isdecimal() else _milliseconds(text, zone)
    except (ValueError, OverflowError):
        raise ValueError(advice) from None
    if not MIN_TIME <= moment < END_OF_TIME:
        raise ValueError(advice)
    return moment


def _milliseconds(text: str, zone: ZoneInfo) -> int:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return math.floor(aware.astimezone(UTC).timestamp() * 1_000)


def _number(text: str, advice: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number; got {text!r}; {advice}") from None


def identified(column: Column) -> Flags:
    """Which of n rows have a text that ``identifier`` accepts."""
    codes, texts = distinct(column)
    length = np.fromiter(map(len, texts), np.int64, len(texts))
    good: Flags = ((length > 0) & (length <= MAX_ID))[codes]
    return good


def degrees(column: Column, parse: Callable[[str], float], inside: Callable[[Floats], Flags]) -> Floats:
    """The degrees of n rows, NaN where ``parse`` refuses the text; ``inside`` says the same of numbers."""
    values = numbers_of(column)
    if values is None:
        found, bad = each(column, parse, np.float64, math.nan)
        found[bad] = math.nan
        return found
    return np.where(inside(values), values, math.nan)


def lon_inside(lon: Floats) -> Flags:
    """Which longitudes ``longitude`` accepts."""
    inside: Flags = (lon >= MIN_LONGITUDE) & (lon <= MAX_LONGITUDE)
    return inside


def lat_inside(lat: Floats) -> Flags:
    """Which latitudes ``latitude`` accepts."""
    inside: Flags = np.abs(lat) < MAX_LATITUDE
    return inside


def each(
    column: Column, parse: Callable[[str], T], dtype: DTypeLike, otherwise: T
) -> tuple[NDArray[Any], Flags]:
    """The values of n rows and where there is none; every distinct text is parsed once."""
    codes, texts = distinct(column)
    values, bad = np.full(len(texts), otherwise, dtype), np.zeros(len(texts), np.bool_)
    for place, text in enumerate(texts):
        try:
            values[place] = parse(text)
        except ValueError:
            bad[place] = True
    return values[codes], bad[codes]
