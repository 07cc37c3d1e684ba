"""Incidents from transitions: one per alert, the same however often a transition comes."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incident import incident_id, json_line
from alerts.incidents import IncidentBook
from alerts.transitions import Change, RawTransition, Transition, publish


def change(seq: int, name: Change, level: int, previous: int, start: int = 60_000) -> Transition:
    end = start + 60_000 * (seq - 1)
    raw = RawTransition(
        "gas.leak_lel_max", 0, start, seq, name, level, previous, 12.0, 10.0, end, end + 10_000
    )
    return publish(raw, "420106", "district", None, "5f3c")


STORY = [
    change(1, "raised", 2, 0),
    change(2, "escalated", 4, 2),
    change(3, "eased", 1, 4),
    change(4, "cleared", 0, 1),
]


def test_an_incident_follows_its_alert_and_remembers_where_it_began() -> None:
    steps = IncidentBook().take(STORY)
    assert [one.alarm for one in steps] == ["active", "active", "active", "cleared"]
    assert [one.level for one in steps] == [2, 4, 1, 0]
    assert [one.peak_level for one in steps] == [2, 4, 4, 4]
    assert {one.raised_ts for one in steps} == {60_000}
    assert {one.incident_id for one in steps} == {incident_id(STORY[0].alert_id)}
    assert {one.status for one in steps} == {"raised"}


def test_a_retracted_alert_leaves_an_incident_that_says_so() -> None:
    last = IncidentBook().take([change(1, "raised", 2, 0), change(2, "retracted", 0, 2)])[-1]
    assert last.alarm == "retracted"


@given(st.lists(st.sampled_from(STORY)))
def test_repeated_and_older_transitions_change_nothing(again: list[Transition]) -> None:
    book = IncidentBook()
    book.take(STORY)
    before = book.state()
    assert book.take(again) == []
    assert book.state() == before


@given(st.integers(0, len(STORY)))
def test_a_restored_book_goes_on_as_if_nothing_had_happened(cut: int) -> None:
    book = IncidentBook()
    book.take(STORY[:cut])
    stored = json.loads(json.dumps(book.state()))
    assert IncidentBook(stored).take(STORY[cut:]) == book.take(STORY[cut:])


def test_only_standing_alerts_are_active_and_the_oldest_comes_first() -> None:
    book = IncidentBook()
    book.take([change(1, "raised", 2, 0, start=180_000), change(1, "raised", 3, 0, start=120_000), *STORY])
    assert [one.raised_ts for one in book.active] == [120_000, 180_000]


def test_trimming_forgets_what_is_over_and_keeps_what_stands() -> None:
    book = IncidentBook()
    book.take([change(1, "raised", 2, 0, start=0), *STORY])
    book.trim(10**9)
    assert [one.raised_ts for one in book.active] == [0]
    assert len(book.state()["records"]) == 1


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="version 7"):
        IncidentBook({"version": 7})
    with pytest.raises(msgspec.ValidationError):
        IncidentBook({"version": 2, "records": {"I1": {"alert": 4}}})


def test_a_line_is_one_json_object() -> None:
    line = json_line(IncidentBook().take(STORY)[0])
    assert line.endswith(b"}\n")
    assert json.loads(line)["alert_ids"] == [STORY[0].alert_id]
