"""Requests of New York: local times with summer time, text coordinates, cases that are still open."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from geo.projection import to_wgs84
from sim.importers.nyc_311 import import_nyc_311
from sim.importers.shift import WUHAN
from tests.sim.importers.importing import DATA, assert_all_accepted, records

COLUMNS = [
    "Unique Key",
    "Created Date",
    "Closed Date",
    "Agency",
    "Complaint Type",
    "Descriptor",
    "Incident Address",
    "Status",
    "Open Data Channel Type",
    "X Coordinate (State Plane)",
    "Y Coordinate (State Plane)",
    "Latitude",
    "Longitude",
]
ROW = {
    "Unique Key": "40611598",
    "Created Date": "10/21/18 0:00",
    "Closed Date": "10/21/18 0:59",
    "Agency": "NYPD",
    "Complaint Type": "Derelict Vehicle",
    "Descriptor": "With License Plate",
    "Incident Address": "73-42 68 AVENUE",
    "Status": "Closed",
    "Open Data Channel Type": "PHONE",
    "X Coordinate (State Plane)": "1,017,901",
    "Y Coordinate (State Plane)": "198,161",
    "Latitude": "40.71051893",
    "Longitude": "-73.87862009",
}


def imported(folder: Path, *rows: dict[str, str]) -> tuple[list[dict[str, object]], dict[str, int]]:
    with (folder / "311_sample.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([ROW | row for row in rows])
    report = import_nyc_311(folder, folder / "out")
    there = (folder / "out" / "events.jsonl").exists()
    return (records(folder / "out", "events") if there else []), {
        key: n for key, n in (report.dropped | report.doubtful).items() if n
    }


def test_a_closed_request_is_a_case_reported_and_closed(tmp_path: Path) -> None:
    (reported, closed), dropped = imported(tmp_path, {})
    assert reported == {
        "event_id": "nyc-40611598",
        "type": "ev_hotline",
        "status": "reported",
        "ts": 1_540_094_400_000,  # 2018-10-21T04:00:00Z: summer time
        "lon": -73.87862009,
        "lat": 40.71051893,
        "channel": "PHONE",
        "department": "NYPD",
        "note": "Derelict Vehicle / With License Plate",
    }
    assert (closed["status"], closed["ts"], closed["lon"]) == ("closed", 1_540_097_940_000, None)
    assert dropped == {}


def test_an_open_request_has_no_further_status_whatever_its_last_update(tmp_path: Path) -> None:
    found, _ = imported(tmp_path, {"Closed Date": "", "Status": "Assigned"})
    assert [record["status"] for record in found] == ["reported"]


def test_winter_and_summer_time_are_told_apart(tmp_path: Path) -> None:
    winter = {"Created Date": "12/01/18 12:00", "Closed Date": "", "Unique Key": "2"}
    summer = {"Created Date": "07/01/18 12:00", "Closed Date": "", "Unique Key": "1"}
    found, _ = imported(tmp_path, summer, winter)
    assert [record["ts"] for record in found] == [1_530_460_800_000, 1_543_683_600_000]  # 16:00Z, 17:00Z


def test_in_the_repeated_hour_a_closing_does_not_come_before_the_report(tmp_path: Path) -> None:
    twice = {"Created Date": "11/04/18 1:50", "Closed Date": "11/04/18 1:10"}
    found, dropped = imported(tmp_path, twice)
    assert [record["ts"] for record in found] == [1_541_310_600_000, 1_541_311_800_000]  # 05:50Z, 06:10Z
    assert dropped == {"time in the hour that clocks repeat": 1}


def test_a_time_in_the_skipped_hour_is_no_time(tmp_path: Path) -> None:
    found, dropped = imported(
        tmp_path,
        {"Created Date": "03/11/18 2:30", "Unique Key": "1"},
        {"Created Date": "03/11/18 1:30", "Closed Date": "03/11/18 2:30", "Unique Key": "2"},
    )
    assert [record["status"] for record in found] == ["reported"]
    assert dropped == {"no time of report": 1, "closing without a time of the zone": 1}


def test_the_portals_way_to_write_times_is_read_too(tmp_path: Path) -> None:
    times = {"Created Date": "10/21/2018 12:00:30 AM", "Closed Date": "10/21/2018 01:00:00 PM"}
    found, _ = imported(tmp_path, times)
    assert [record["ts"] for record in found] == [1_540_094_430_000, 1_540_141_200_000]


def test_coordinates_in_feet_with_separators_are_never_taken_for_degrees(tmp_path: Path) -> None:
    found, dropped = imported(tmp_path, {"Latitude": "", "Longitude": ""})
    assert found == []
    assert dropped == {"no place": 1}
    assert imported(tmp_path, {"Latitude": "198,161", "Longitude": "1,017,901"})[0] == []
    assert imported(tmp_path, {"Latitude": "0", "Longitude": "0"})[0] == []


def test_addresses_are_left_out(tmp_path: Path) -> None:
    imported(tmp_path, {})
    assert "68 AVENUE" not in (tmp_path / "out" / "events.jsonl").read_text()


def test_what_is_an_event_type_of_ours_becomes_that(tmp_path: Path) -> None:
    sewer = {"Complaint Type": "Sewer", "Closed Date": ""}
    descriptors = ["Street Flooding (SJ)", "Manhole Cover Missing (Emergency) (SA3)", "Sewer Odor (SA2)"]
    found, _ = imported(
        tmp_path,
        *({**sewer, "Descriptor": text, "Unique Key": str(n)} for n, text in enumerate(descriptors)),
    )
    assert [record["type"] for record in found] == ["ev_waterlogging", "ev_manhole", "ev_hotline"]


def test_what_cannot_be_is_left_out_and_counted(tmp_path: Path) -> None:
    found, dropped = imported(
        tmp_path, {}, {}, {"Unique Key": "2", "Closed Date": "10/20/18 0:00"}, {"Created Date": "yesterday"}
    )
    assert [record["status"] for record in found] == ["reported", "reported", "closed"]
    assert dropped == {"id seen before": 1, "closing before the report": 1, "no time of report": 1}


def test_the_made_up_lines_replay(tmp_path: Path) -> None:
    imported(tmp_path, {}, {"Unique Key": "2", "Created Date": "10/21/18 0:59"})
    assert_all_accepted(tmp_path / "out", "America/New_York")


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "nyc_311").is_dir(), reason="the recordings are not on this machine")
def test_the_recordings_lose_only_cases_without_a_place_and_replay(tmp_path: Path) -> None:
    (path,) = (DATA / "nyc_311").glob("*311*.csv.gz")
    table = pl.read_csv(path, infer_schema=False)
    report = import_nyc_311(path, tmp_path / "here")
    lost = {key: n for key, n in report.dropped.items() if n}
    assert lost == {"no place": table["Latitude"].null_count()}
    placed = table.filter(pl.col("Latitude").is_not_null())
    assert report.events == placed.height + placed["Closed Date"].count()
    import_nyc_311(path, tmp_path / "there", WUHAN)
    assert_all_accepted(tmp_path / "there", report.zone)


@pytest.mark.skipif(not (DATA / "nyc_311").is_dir(), reason="the recordings are not on this machine")
def test_degrees_and_feet_of_the_recordings_are_the_same_places() -> None:
    (path,) = (DATA / "nyc_311").glob("*311*.csv.gz")
    table = pl.read_csv(path, infer_schema=False).drop_nulls(["Latitude"])
    feet = [
        table[f"{axis} Coordinate (State Plane)"].str.replace_all(",", "").cast(pl.Float64).to_numpy()
        for axis in "XY"
    ]
    lon, lat = to_wgs84("EPSG:2263")(*feet)
    np.testing.assert_allclose(lon, table["Longitude"].cast(pl.Float64).to_numpy(), atol=2e-5)
    np.testing.assert_allclose(lat, table["Latitude"].cast(pl.Float64).to_numpy(), atol=2e-5)
