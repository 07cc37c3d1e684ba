"""The random city: reproducible, plausible, in the order a gateway would deliver."""

import csv
import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.city_files import READINGS_NAME, Format, write_city
from sim.devices import DEVICES, device_counts
from sim.random_city import METRICS, START, Box, Disorder, RandomCity, random_city
from sim.weather import MINUTE

CATALOGUE = Path(__file__).resolve().parents[2] / "indicators" / "data" / "metrics.csv"
PERIOD_S = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "24h": 86_400}
NEXT = {
    "reported": {"accepted", "rejected"},
    "accepted": {"dispatched"},
    "dispatched": {"arrived"},
    "arrived": {"handled"},
    "handled": {"verified"},
    "verified": {"closed"},
    "closed": {"feedback_good"},
}


def catalogue() -> dict[str, dict[str, str]]:
    with CATALOGUE.open(encoding="utf-8") as lines:
        return {row["code"]: row for row in csv.DictReader(lines)}


def digest(city: RandomCity, folder: Path, file_format: Format) -> str:
    write_city(city, folder, file_format)
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(folder.iterdir()))).hexdigest()


@pytest.fixture(scope="module")
def city() -> RandomCity:
    return random_city(sensors=600, minutes=90, seed=3)


@pytest.mark.parametrize("file_format", ["jsonl", "arrow", "parquet"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, file_format: Format) -> None:
    disorder = Disorder(late=0.05, duplicates=0.05, faulty=0.01)
    first, second, other = (random_city(60, 20, seed, disorder=disorder) for seed in (5, 5, 6))
    digests = [digest(c, tmp_path / str(n), file_format) for n, c in enumerate((first, second, other))]
    assert digests[0] == digests[1] != digests[2]


@settings(max_examples=20, deadline=None)
@given(sensors=st.integers(13, 200), minutes=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_every_size_makes_a_city_inside_its_box_and_time(sensors: int, minutes: int, seed: int) -> None:
    city, box = random_city(sensors, minutes, seed), Box()
    assert city.sensors["sensor_id"].n_unique() == sensors
    assert city.sensors["lon"].is_between(box.west, box.east).all()
    assert city.sensors["lat"].is_between(box.south, box.north).all()
    assert city.readings["ts"].is_between(START, START + minutes * MINUTE, closed="none").all()
    assert city.events["ts"].is_between(START, START + minutes * MINUTE, closed="left").all()


def test_a_city_smaller_than_its_kinds_is_refused_with_the_least_number() -> None:
    with pytest.raises(ValueError, match=f"use at least {len(DEVICES)}"):
        random_city(sensors=5, minutes=1, seed=0)


@given(st.integers(len(DEVICES), 10**6))
def test_counts_of_devices_add_up(devices: int) -> None:
    assert sum(device_counts(devices)) == devices


def test_metrics_and_periods_are_those_of_the_catalogue() -> None:
    metrics = catalogue()
    for device in DEVICES:
        for signal in device.signals:
            entry = metrics[signal.metric]
            assert signal.reference == (entry["kind"] == "reference")
            if entry["sampling_period"] != "event" and device.kind != "slowbin":
                assert signal.period_s == PERIOD_S[entry["sampling_period"]]


def test_values_lie_in_the_range_of_their_metric(city: RandomCity) -> None:
    metrics = catalogue()
    extremes = city.readings.group_by("metric").agg(low=pl.col("value").min(), high=pl.col("value").max())
    for metric, low, high in extremes.iter_rows():
        assert float(metrics[metric]["range_min"]) <= low
        assert high <= float(metrics[metric]["range_max"])


def test_every_registered_series_reports(city: RandomCity) -> None:
    series = city.readings.select("sensor_id", "metric").unique()
    assert set(series["metric"]) == set(METRICS)
    known = city.sensors.select("sensor_id", "metric")
    assert series.join(known, on=["sensor_id", "metric"], how="anti").is_empty()
    assert known.join(series, on=["sensor_id", "metric"], how="anti").is_empty()


def test_a_series_has_one_reading_per_period(city: RandomCity) -> None:
    speeds = city.readings.filter(pl.col("metric") == "road_speed")
    counts = speeds.group_by("sensor_id").len()["len"]
    assert counts.is_between(89, 90).all()
    assert speeds.select("sensor_id", "ts").is_duplicated().sum() == 0


def disorder_of(readings: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How far each reading lies below the running maximum before it, in ms."""
    ts = readings["ts"].to_numpy()
    below: np.ndarray[tuple[int], np.dtype[np.int64]] = np.maximum.accumulate(ts) - ts
    return below


def test_nothing_is_late_unless_asked_for(city: RandomCity) -> None:
    assert disorder_of(city.readings).max() < 10_000


def test_the_share_of_late_readings_is_the_one_asked_for() -> None:
    late = random_city(400, 200, seed=9, disorder=Disorder(late=0.1)).readings
    below = disorder_of(late)
    assert 0.07 < np.mean(below > 10_000) < 0.12
    assert below.max() < 3_600_000


def test_duplicates_repeat_a_reading_and_faults_leave_the_range() -> None:
    plain = random_city(200, 60, seed=4).readings
    doubled = random_city(200, 60, seed=4, disorder=Disorder(duplicates=0.1)).readings
    assert doubled.unique().height == plain.height
    assert 0.08 < doubled.height / plain.height - 1 < 0.12
    faulty = random_city(200, 60, seed=4, disorder=Disorder(faulty=0.1)).readings
    assert 0.08 < faulty.filter(pl.col("value") < -9_000).height / faulty.height < 0.12


def test_the_storm_wets_gauges_underpasses_and_sewers(city: RandomCity) -> None:
    dry = START + 20 * MINUTE
    level = (
        city.readings.with_columns(late=pl.col("ts") > dry)
        .group_by("metric", "late")
        .agg(pl.col("value").mean())
    )
    mean = {(metric, late): value for metric, late, value in level.iter_rows()}
    for metric in ("rain_1m", "ponding_depth", "pipe_level"):
        assert mean[metric, True] > mean[metric, False]
    assert mean["rain_1m", False] == 0.0


def test_cases_follow_their_life_cycle(city: RandomCity) -> None:
    known = catalogue()
    for (case,), rows in city.events.group_by("event_id"):
        ordered = rows.sort("ts")
        steps = ordered["status"].to_list()
        assert steps[0] == "reported", case
        assert all(b in NEXT[a] for a, b in pairwise(steps)), steps
        assert ordered["ts"].is_unique().all()
        assert known[rows["type"][0]]["kind"] == "event"


def test_only_the_first_record_of_a_case_has_a_place(city: RandomCity, tmp_path: Path) -> None:
    first = pl.col("status") == "reported"
    assert city.events.filter(first)["lon"].null_count() == 0
    assert city.events.filter(~first)["lon"].drop_nulls().is_empty()
    write_city(city, tmp_path)
    assert "null" not in (tmp_path / "events.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("file_format", ["jsonl", "arrow", "parquet"])
def test_all_formats_hold_the_same_readings(city: RandomCity, tmp_path: Path, file_format: Format) -> None:
    path = write_city(city, tmp_path, file_format)
    assert path.name == READINGS_NAME[file_format]
    readers: dict[Format, Callable[[Path], pl.DataFrame]] = {
        "jsonl": pl.read_ndjson,
        "arrow": pl.read_ipc_stream,
        "parquet": pl.read_parquet,
    }
    names = pl.col("sensor_id", "metric").cast(pl.String)
    assert readers[file_format](path).with_columns(names).equals(city.readings)
