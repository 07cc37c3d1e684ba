"""Life cycles: legal order, deadlines kept as often as said, records of the wire format."""

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.event_types import EVENT_TYPES, HOUR
from sim.life_cycles import CODES, SCHEMA, NewCases, case_records

METRICS = Path(__file__).resolve().parents[2] / "indicators" / "data" / "metrics.csv"

NEXT = {
    "reported": {"accepted", "rejected"},
    "accepted": {"dispatched", "handled"},
    "dispatched": {"arrived", "returned"},
    "returned": {"dispatched"},
    "arrived": {"handled"},
    "handled": {"verified", "rework", "closed"},
    "rework": {"handled"},
    "verified": {"closed"},
    "closed": {"feedback_good", "feedback_bad"},
}
"""Which status may follow which: section 0 of the catalogue's notes."""


def many(code: str, n: int, seed: int = 1, severity: int = 1) -> pl.DataFrame:
    kind = np.full(n, CODES.index(code))
    place = np.full(n, 114.3), np.full(n, 30.6)
    cases = NewCases(kind, np.zeros(n, np.int64), *place, np.full(n, severity))
    return case_records(np.random.default_rng(seed), cases, end=40 * 24 * 100 * HOUR)


def first(records: pl.DataFrame, status: str) -> pl.DataFrame:
    return records.filter(status=status).group_by("event_id").agg(pl.col("ts").min().alias(status))


def test_the_types_are_those_of_the_catalogue_with_its_deadlines() -> None:
    with METRICS.open(encoding="utf-8") as lines:
        listed = {row["code"]: row for row in csv.DictReader(lines) if row["kind"] == "event"}
    assert set(listed) == set(EVENT_TYPES)
    for code, kind in EVENT_TYPES.items():
        if len(kind.course.steps) > 1 and not kind.course.rescue:
            assert kind.course.limit_h == float(listed[code]["sla_h"]), code


@pytest.mark.parametrize("code", CODES)
def test_every_transition_is_a_legal_one_and_later_than_the_one_before(code: str) -> None:
    records = many(code, 3000)
    moves = records.sort("event_id", "ts").with_columns(
        before=pl.col("status").shift(1).over("event_id"), gap=pl.col("ts").diff().over("event_id")
    )
    moves = moves.drop_nulls("before")
    pairs = set(moves.select("before", "status").iter_rows())
    assert all(after in NEXT[before] for before, after in pairs)
    assert moves.is_empty() or (moves["gap"] >= 1000).all()


@pytest.mark.parametrize("severity", [1, 4])
@pytest.mark.parametrize(
    ("code", "since", "until"),
    [
        ("ev_grid_case", "accepted", "closed"),
        ("ev_hotline", "reported", "closed"),
        ("ev_enterprise_appeal", "reported", "closed"),
        ("ev_gov_service", "accepted", "closed"),
        ("ev_safety_hazard", "reported", "verified"),
        ("ev_manhole", "accepted", "closed"),
        ("ev_waterlogging", "accepted", "closed"),
        ("ev_utility_outage", "accepted", "closed"),
    ],
)
def test_deadlines_are_missed_as_often_as_the_course_says(
    code: str, since: str, until: str, severity: int
) -> None:
    kind, n = EVENT_TYPES[code], 40_000
    records = many(code, n, severity=severity)
    took = first(records, since).join(first(records, until), on="event_id")
    late = (took[until] - took[since] > kind.course.limit_h * HOUR * 0.5 ** (severity - 1)).mean()
    assert isinstance(late, float)
    overdue = kind.course.chances.overdue
    assert abs(late - overdue) < 5 * np.sqrt(overdue / n)


@pytest.mark.parametrize("code", ["ev_police_call", "ev_fire_alarm", "ev_ems_call", "ev_elevator_entrapment"])
def test_rescuers_arrive_within_their_target_but_for_few(code: str) -> None:
    kind = EVENT_TYPES[code]
    records = many(code, 20_000)
    took = first(records, "reported").join(first(records, "arrived"), on="event_id")
    late = (took["arrived"] - took["reported"] > kind.course.target_min * 60_000).mean()
    assert isinstance(late, float)
    assert 0 < late < 0.01


def test_shares_of_what_goes_wrong_are_those_of_the_course() -> None:
    n = 60_000
    chances = EVENT_TYPES["ev_hotline"].course.chances
    records = many("ev_hotline", n)
    count = dict(records.group_by("status").agg(pl.col("event_id").n_unique()).iter_rows())
    assert count["rejected"] / n == pytest.approx(chances.rejected, rel=0.1)
    assert count["returned"] / count["dispatched"] == pytest.approx(chances.returned, rel=0.1)
    assert count["rework"] / count["handled"] == pytest.approx(chances.rework, rel=0.5)
    asked = count["feedback_good"] + count["feedback_bad"]
    assert asked / count["closed"] == pytest.approx(chances.feedback, rel=0.05)
    assert count["feedback_bad"] / asked == pytest.approx(chances.bad, rel=0.2)
    slow = first(records, "accepted").join(first(records, "dispatched"), on="event_id")
    late = (slow["dispatched"] - slow["accepted"] > 30 * 60_000).mean()
    assert late == pytest.approx(chances.slow_dispatch, rel=0.3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(0, len(CODES) - 1), min_size=1, max_size=40))
def test_place_and_particulars_stand_in_the_first_record_alone(seed: int, kinds: list[int]) -> None:
    n = len(kinds)
    rng = np.random.default_rng(seed)
    cases = NewCases(
        np.array(kinds),
        rng.integers(0, 10**9, n),
        rng.uniform(113.7, 115.0, n),
        rng.uniform(30.0, 31.0, n),
        rng.integers(1, 5, n),
    )
    records = case_records(rng, cases, end=10**9)
    assert dict(records.schema) == SCHEMA
    assert records["ts"].is_sorted()
    assert (records["ts"] < 10**9).all()
    ordered = records.sort("ts", maintain_order=True)
    beginnings = ordered.group_by("event_id", maintain_order=True).first()
    assert beginnings.null_count().row(0) == (0,) * len(SCHEMA)
    later = ordered.filter(pl.col("event_id").cum_count().over("event_id") > 1)
    particulars = later.select("lon", "lat", "severity", "channel", "department")
    assert particulars.null_count().row(0) == (len(later),) * 5


def test_cases_that_must_last_are_closed_when_asked_and_never_rejected() -> None:
    n = 2000
    kind = np.full(n, CODES.index("ev_utility_outage"))
    closes = np.full(n, 5 * HOUR)
    place = np.full(n, 114.3), np.full(n, 30.6)
    cases = NewCases(
        kind, np.zeros(n, np.int64), *place, np.full(n, 3), closes=closes, certain=True, prefix="x-"
    )
    records = case_records(np.random.default_rng(3), cases, end=100 * HOUR)
    assert records.filter(status="rejected").is_empty()
    assert records.filter(status="closed")["ts"].unique().to_list() == [5 * HOUR]
    assert records["event_id"].str.starts_with("x-utility-outage-").all()


def test_a_given_channel_is_that_of_every_case() -> None:
    place = np.full(9, 114.3), np.full(9, 30.6)
    kind, zero, one = np.full(9, CODES.index("ev_ili_case")), np.zeros(9, np.int64), np.ones(9, np.int64)
    cases = NewCases(kind, zero, *place, one, channel="school")
    assert case_records(np.random.default_rng(1), cases, 10**9)["channel"].to_list() == ["school"] * 9
