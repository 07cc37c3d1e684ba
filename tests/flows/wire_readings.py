"""Readings as the wire carries them, for the tests of the decoders."""

import json
import math
from typing import Any

from hypothesis import strategies as st

from flows.decoding.columns import Readings

Json = dict[str, Any]

GOOD: Json = {"sensor_id": "s", "metric": "rain_intensity", "value": 1.5, "ts": 1_719_964_800_000}

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
READINGS = st.fixed_dictionaries(
    {
        "sensor_id": IDS,
        "metric": IDS,
        "value": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30),
        "ts": st.integers(0, 7_289_654_399_999),
    },
    optional={
        "place": st.tuples(st.floats(-180, 360), st.floats(-87.9, 87.9)),
        "crs": st.sampled_from(["wgs84", "gcj02", "bd09", "cgcs2000", None]),
        "more": st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5),
    },
)


def encoded(reading: Json) -> bytes:
    plain = {name: value for name, value in reading.items() if name != "place"}
    if "place" in reading:
        plain["lon"], plain["lat"] = reading["place"]
    return json.dumps(plain, ensure_ascii=False).encode()


def spoiled(text: bytes, place: int, byte: int) -> bytes:
    at = place % len(text)
    return text[:at] + bytes([byte]) + text[at + 1 :]


def rows_of(columns: Readings) -> list[tuple[Any, ...]]:
    places = zip(columns.lon.tolist(), columns.lat.tolist(), columns.crs.tolist(), strict=True)
    return [
        (*head, *(None if math.isnan(x) else x for x in place))
        for *head, place in zip(
            columns.sensor.to_list(),
            columns.metric.to_list(),
            columns.value.tolist(),
            columns.ts.tolist(),
            places,
            strict=True,
        )
    ]
