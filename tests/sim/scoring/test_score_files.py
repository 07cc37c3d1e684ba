"""Files that a score reads: what counts as an alert, what is refused and how it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.scoring.files import ScoreFileError, read_alerts, read_truth

EVENT: dict[str, Any] = {
    "event_id": "e1",
    "scenario": "gas_leak",
    "indicators": ["gas.leak_lel_max"],
    "cells": ["N50H0513600"],
    "start": 60_000,
    "end": 120_000,
    "level": 3,
}
RAISED: dict[str, Any] = {
    "alert_id": "a1",
    "seq": 1,
    "transition": "raised",
    "indicator": "gas.leak_lel_max",
    "area": "N50H05136",
    "kind": "street",
    "cell": None,
    "level": 1,
    "window_end": 60_000,
    "decided_ts": 60_000,
}
INCIDENT = {"incident_id": "Ia1", "raised_ts": 60_000} | {
    key: RAISED[key] for key in ("indicator", "area", "kind")
}


def lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def alerts(tmp_path: Path, *records: dict[str, Any]) -> list[tuple[Any, ...]]:
    return read_alerts(lines(tmp_path / "alerts.jsonl", *records)).rows()


def test_only_what_was_raised_counts(tmp_path: Path) -> None:
    others = [
        RAISED | {"transition": change, "seq": n}
        for n, change in enumerate(("escalated", "eased", "cleared", "flapping"), start=2)
    ]
    assert alerts(tmp_path, RAISED, *others) == [
        ("a1", "gas.leak_lel_max", "street", "N50H05136", 60_000, 60_000)
    ]


def test_an_alert_that_was_retracted_was_raised_all_the_same(tmp_path: Path) -> None:
    assert len(alerts(tmp_path, RAISED, RAISED | {"transition": "retracted", "seq": 2})) == 1


def test_an_alert_raised_early_counts_like_any_other(tmp_path: Path) -> None:
    assert alerts(tmp_path, RAISED | {"early": True, "window_end": 1_000, "decided_ts": 1_000})[0][4] == 1_000


def test_an_id_raised_again_counts_once_from_its_first_time_on(tmp_path: Path) -> None:
    again = RAISED | {"seq": 3, "decided_ts": 90_000}
    assert alerts(tmp_path, again, RAISED, RAISED)[0][4:] == (60_000, 60_000)


def test_a_correction_is_known_when_it_was_decided(tmp_path: Path) -> None:
    assert alerts(tmp_path, RAISED | {"decided_ts": 360_000})[0][4:] == (60_000, 360_000)


def test_incidents_are_taken_in_place_of_alerts(tmp_path: Path) -> None:
    changed = INCIDENT | {"status": "closed", "seq": 4}
    found = alerts(tmp_path, INCIDENT, changed)
    assert found == [("Ia1", "gas.leak_lel_max", "street", "N50H05136", 60_000, 60_000)]


def test_an_empty_file_has_no_alerts_and_blank_lines_are_nothing(tmp_path: Path) -> None:
    assert alerts(tmp_path) == []
    path = tmp_path / "alerts.jsonl"
    path.write_text("\n" + json.dumps(RAISED) + "\n\n")
    assert read_alerts(path).height == 1


def test_progress_is_told_in_bytes_to_the_end(tmp_path: Path) -> None:
    path = lines(tmp_path / "alerts.jsonl", *(RAISED | {"alert_id": f"a{n}"} for n in range(25_000)))
    told: list[int] = []
    read_alerts(path, told.append)
    assert sum(told) == path.stat().st_size
    assert len(told) == 3


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"sensor_id": "s"}, r"alerts.jsonl line 1: has neither alert_id nor incident_id; give the alerts"),
        ({"alert_id": "a1"}, r"line 1: is not a transition of alerts.jsonl: .*transition"),
        (RAISED | {"kind": "village"}, r"line 1: is not a transition of alerts.jsonl: .*village"),
        ({"incident_id": "I1"}, r"line 1: is not an incident of incidents.jsonl: .*indicator"),
    ],
)
def test_a_line_that_is_no_alert_is_named(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    with pytest.raises(ScoreFileError, match=message):
        alerts(tmp_path, record)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "alerts.jsonl", RAISED)
    with path.open("a") as file:
        file.write('{"alert_id": "a2", "tra')
    with pytest.raises(ScoreFileError, match=r"line 2: is not a transition"):
        read_alerts(path)


def test_truth_is_sorted_by_start_and_may_have_further_fields(tmp_path: Path) -> None:
    later = EVENT | {"event_id": "e0", "start": 70_000, "note": "unknown to us"}
    found = read_truth(lines(tmp_path / "truth.jsonl", later, EVENT))
    assert [event.event_id for event in found] == ["e1", "e0"]


def test_times_of_truth_may_be_texts_with_a_zone(tmp_path: Path) -> None:
    record = EVENT | {"start": "1970-01-01T08:01:00+08:00", "end": "1970-01-01T00:02:00Z"}
    (event,) = read_truth(lines(tmp_path / "truth.jsonl", record))
    assert (event.start, event.end) == (60_000, 120_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": 59_999}, r"truth.jsonl line 1: end 59999 is before start 60000; swap them"),
        ({"indicators": []}, r"line 1: indicators is empty"),
        ({"cells": []}, r"line 1: cells is empty"),
        ({"start": "2024-07-03 16:00"}, r"line 1: start is '2024-07-03 16:00'; write epoch milliseconds"),
        ({"start": "noon"}, r"line 1: start is 'noon'"),
        ({"cells": "N50H0513600"}, r"line 1: is not an event of truth.jsonl: .*array"),
    ],
)
def test_an_event_that_cannot_be_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ScoreFileError, match=message):
        read_truth(lines(tmp_path / "truth.jsonl", EVENT | change))


def test_two_events_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScoreFileError, match=r"line 2: event_id 'e1' occurs twice"):
        read_truth(lines(tmp_path / "truth.jsonl", EVENT, EVENT))
