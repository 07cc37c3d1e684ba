"""Requests of Boston: the right one of two closing times, and deadlines against our own arithmetic."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sim.importers.boston_311 import import_boston_311
from sim.importers.local_time import local_ms
from sim.importers.shift import WUHAN
from tests.indicators.small_city import DAY, Case, city_values, full_shard, plan_of
from tests.sim.importers.importing import DATA, HOUR, assert_all_accepted, cut, records

ROW = {
    "CASE_ENQUIRY_ID": "101004128563",
    "OPEN_DT": "2022-01-17 11:20:00",
    "TARGET_DT": "2022-01-18 11:20:22",
    "CLOSED_DT": "2022-01-18 10:08:24",
    "OnTime_Status": "ONTIME",
    "CLOSURE_REASON": "Case Closed. Closed date : 2022-01-18 15:08:24.983 Case Resolved",
    "CASE_TITLE": "PRINTED : Street Light  Knockdown//N.M.",
    "REASON": "Street Lights",
    "TYPE": "Street Light Knock Downs",
    "Department": "PWDx",
    "Location": "INTERSECTION of Batterymarch St & Franklin St",
    "LATITUDE": "42.35694224624681",
    "LONGITUDE": "-71.05328151006314",
    "Source": "Constituent Call",
}
RECORDINGS = DATA / "boston_311"
FORMATS, ZONE = ("%Y-%m-%d %H:%M:%S",), "America/New_York"
here = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not on this machine")


def imported(folder: Path, *rows: dict[str, str]) -> list[dict[str, object]]:
    with (folder / "boston_311.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROW))
        writer.writeheader()
        writer.writerows([ROW | row for row in rows])
    import_boston_311(folder, folder / "out")
    return records(folder / "out", "events")


def test_the_closing_time_is_the_local_one_not_the_text_in_another_zone(tmp_path: Path) -> None:
    reported, closed = imported(tmp_path, {})
    assert (reported["status"], reported["ts"]) == ("reported", 1_642_436_400_000)  # 16:20Z
    assert (closed["status"], closed["ts"]) == ("closed", 1_642_518_504_000)  # 15:08:24Z


def test_title_and_address_are_left_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    reported, _ = imported(tmp_path, {})
    kept = [reported[key] for key in ("event_id", "type", "channel", "department", "note")]
    assert kept == [
        "boston-101004128563",
        "ev_hotline",
        "Constituent Call",
        "PWDx",
        "Street Light Knock Downs",
    ]
    assert "Batterymarch" not in (tmp_path / "out" / "events.jsonl").read_text()
    assert "N.M." not in (tmp_path / "out" / "events.jsonl").read_text()


def test_a_manhole_is_a_manhole(tmp_path: Path) -> None:
    assert imported(tmp_path, {"REASON": "Sidewalk Cover / Manhole"})[0]["type"] == "ev_manhole"


def test_the_made_up_lines_replay(tmp_path: Path) -> None:
    imported(tmp_path, {}, {"CASE_ENQUIRY_ID": "2"})
    assert_all_accepted(tmp_path / "out", ZONE)


@pytest.mark.slow
@here
def test_the_recordings_lose_only_cases_without_a_place_and_replay(tmp_path: Path) -> None:
    report = import_boston_311(RECORDINGS, tmp_path, WUHAN)
    assert {key: n for key, n in report.dropped.items() if n} == {"no place": 32}
    assert report.events == 2 * (report.rows - 32)
    cut(tmp_path, "events", 60)
    assert_all_accepted(tmp_path, report.zone)


@pytest.fixture(scope="module")
def cases() -> pl.DataFrame:
    """opened, target, closed in epoch ms; the verdict of Boston; the closing time told in UTC, if any."""
    table = pl.read_csv(next(RECORDINGS.glob("*311*.csv.gz")), infer_schema=False)
    times = {"opened": "OPEN_DT", "target": "TARGET_DT", "closed": "CLOSED_DT"}
    told = pl.col("CLOSURE_REASON").str.extract(r"Closed date : (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
    return table.select(
        *(local_ms(column, FORMATS, ZONE).alias(name) for name, column in times.items()),
        told.str.to_datetime(FORMATS[0]).dt.epoch("ms").alias("utc"),
        verdict=pl.col("OnTime_Status"),
    )


@here
def test_local_closing_times_are_the_moments_told_in_utc(cases: pl.DataFrame) -> None:
    both = cases.drop_nulls("utc")
    assert both.height > 3_000
    assert (both["utc"] == both["closed"]).all()


@here
def test_every_verdict_of_boston_is_closed_not_after_the_target(cases: pl.DataFrame) -> None:
    judged = cases.drop_nulls(["target", "verdict"])
    assert judged.height == 4_283
    assert ((judged["closed"] <= judged["target"]) == (judged["verdict"] == "ONTIME")).all()


@here
@pytest.mark.parametrize("hours", [24, 48, 72, 168])
def test_on_time_shares_of_the_formula_language_are_those_of_boston(cases: pl.DataFrame, hours: int) -> None:
    some = cases.drop_nulls("verdict").filter(pl.col("target") - pl.col("opened") == hours * HOUR)
    assert some.height > 20
    steps = some.select("opened", "closed").rows()
    town = [
        Case("ev_hotline", key, 0, (("reported", opened, 0), ("closed", closed, 0)))
        for key, (opened, closed) in enumerate(steps)
    ]
    due = f"due(ev_hotline, since='reported', within='{hours}h')"
    plan = plan_of(f"share(ontime({due}, 'closed'))", window="90d", hop="24h")
    first, last = int(some["target"].min()), int(some["target"].max())  # type: ignore[arg-type]
    ends = np.arange(first, last + 90 * DAY, 90 * DAY) // DAY * DAY
    found = city_values(full_shard(town, plan), plan.indicators[0], ends)
    for end, value in zip(ends.tolist(), found, strict=True):
        in_it = some.filter(pl.col("target") > end - 90 * DAY, pl.col("target") <= end)
        on_time = in_it.filter(verdict="ONTIME").height
        assert value == pytest.approx(on_time / in_it.height if in_it.height else np.nan, nan_ok=True)
