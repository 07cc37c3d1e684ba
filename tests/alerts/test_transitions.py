"""Alert records as others read them (C-2.6)."""

import hashlib
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from alerts.transitions import RawTransition, alert_id, json_line, publish

FIELDS = [
    "alert_id",
    "seq",
    "transition",
    "indicator",
    "area",
    "kind",
    "cell",
    "level",
    "previous_level",
    "value",
    "threshold",
    "window_end",
    "decided_ts",
    "early",
    "revision",
    "catalogue_hash",
]


def raw(value: float = 12.5, *, early: bool = False) -> RawTransition:
    return RawTransition(
        "gas.leak_lel_max", 3, 60_000, 2, "escalated", 3, 2, value, 10.0, 120_000, 130_000, early, 1
    )


def test_a_line_has_the_fields_of_the_contract_in_their_order() -> None:
    line = json.loads(json_line(publish(raw(early=True), "N49E0B26714", "cell", "N49E0B26714", "5f3c")))
    assert list(line) == FIELDS
    assert line | {"alert_id": ""} == {
        "alert_id": "",
        "seq": 2,
        "transition": "escalated",
        "indicator": "gas.leak_lel_max",
        "area": "N49E0B26714",
        "kind": "cell",
        "cell": "N49E0B26714",
        "level": 3,
        "previous_level": 2,
        "value": 12.5,
        "threshold": 10.0,
        "window_end": 120_000,
        "decided_ts": 130_000,
        "early": True,
        "revision": 1,
        "catalogue_hash": "5f3c",
    }


def test_only_cells_name_a_cell() -> None:
    assert publish(raw(), "420106", "district", "N49E0B26714", "5f3c").cell is None


def test_the_alert_id_is_a_hash_of_indicator_area_and_first_window_end() -> None:
    digest = hashlib.blake2b(b"gas.leak_lel_max|420106|60000", digest_size=8).hexdigest()
    assert publish(raw(), "420106", "district", None, "5f3c").alert_id == digest
    assert alert_id("gas.leak_lel_max", "420106", 60_000) == digest
    assert len(digest) == 16


def test_a_value_that_is_not_there_is_null() -> None:
    assert json.loads(json_line(publish(raw(math.nan), "city", "city", None, "")))["value"] is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_values_have_twelve_significant_digits(value: float) -> None:
    shown = publish(raw(value), "city", "city", None, "").value
    assert shown == float(f"{value:.11e}")
