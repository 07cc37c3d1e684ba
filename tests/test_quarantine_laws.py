"""What holds for any faults: how records come shows in no decision, what is kept apart in no value."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from flows.replay.replaying import ReplayOptions, replay
from flows.scores.settings import ScoreSettings
from tests.replays import write_records

BEGIN = 1_772_380_800_000
"""2026-03-02 00:00 in Shanghai."""
STEP = 300_000
STEPS = 230
LEARNT = 130
SENSORS = 5
OUTPUTS = ("sensor_faults.jsonl", "alerts.jsonl", "incidents.jsonl")


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a sensor in some steps."""

    sensor: int
    kind: Literal["stuck", "noise", "silent", "jump"]
    begin: int
    steps: int


def series(code: str, troubles: list[Trouble], level: float, spread: float) -> list[dict[str, Any]]:
    """Readings of sensors in three tiles, by time; a spread is a share of the level."""
    rng = np.random.default_rng(11)
    value = level * (1 + rng.normal(0, spread, (STEPS, SENSORS)))
    for one in troubles:
        rows = slice(one.begin, one.begin + one.steps)
        n = len(value[rows, one.sensor])
        changed: dict[str, NDArray[np.float64]] = {
            "stuck": np.full(n, value[one.begin, one.sensor]),
            "noise": value[rows, one.sensor] * (1 + rng.normal(0, 12 * spread, n)),
            "silent": np.full(n, np.nan),
            "jump": value[rows, one.sensor] * (1 + 15 * spread),
        }
        value[rows, one.sensor] = changed[one.kind]
    return [
        {
            "sensor_id": f"s-{sensor}",
            "metric": code,
            "ts": BEGIN + step * STEP + 1_000 * sensor,
            "lon": place(sensor),
            "lat": 30.6,
            "value": round(float(value[step, sensor]), 5),
        }
        for step in range(STEPS)
        for sensor in range(SENSORS)
        if np.isfinite(value[step, sensor])
    ]


def place(sensor: int) -> float:
    """The longitude of a sensor: three stand together, two in tiles of their own."""
    return round(114.3 + 0.001 * sensor + 0.07 * max(sensor - 2, 0), 3)


def run(folder: Path, rows: list[dict[str, Any]], indicators: list[str], **more: Any) -> Path:
    """Replay rows as they come, into a folder."""
    sensors = ([f"s-{n}", place(n), 30.6, "三镇水务" if n % 2 else ""] for n in range(SENSORS))
    write_records(folder, rows, [["sensor_id", "lon", "lat", "department"], *sensors])
    options: dict[str, Any] = {"indicators": indicators, "quarantine": ScoreSettings(), **more}
    readings, registry = [folder / "readings.jsonl"], folder / "sensors.csv"
    replay(ReplayOptions(readings=readings, sensors=registry, out=folder / "out", **options))
    return folder / "out"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def told(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() if (out / name).exists() else b"" for name in OUTPUTS}


def values(out: Path) -> pl.DataFrame:
    columns = ["indicator", "area", "window_end", "value", "n", "coverage"]
    return pl.read_parquet(out / "indicators.parquet").select(columns).drop_nulls("value")


def kept_apart(out: Path) -> list[tuple[str, int, int]]:
    """Sensor, since, until of what did not count, a row for each fault; lasting ones have no end."""
    by_fault: dict[str, tuple[str, int, int]] = {}
    for one in lines(out / "sensor_faults.jsonl"):
        if one["quarantined"]:
            by_fault[one["fault_id"]] = one["sensor"], one["since"], one["until"] or 1 << 62
    return list(by_fault.values())


TROUBLES = st.lists(
    st.builds(
        Trouble,
        sensor=st.integers(0, SENSORS - 1),
        kind=st.sampled_from(("stuck", "noise", "silent", "jump")),
        begin=st.integers(LEARNT, STEPS - 30),
        steps=st.integers(15, 60),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(troubles=TROUBLES, batch=st.integers(1, 90), lanes=st.sampled_from([1, 2, 4]), data=st.data())
def test_any_faults_are_told_alike_and_leave_no_trace(
    troubles: list[Trouble], batch: int, lanes: int, data: st.DataObject
) -> None:
    """Batches, lanes and the order within a step change nothing; values are those without what is apart."""
    rows, indicators = series("tap_pressure", troubles, 0.3, 0.01), ["water_supply.pressure_min"]
    seed = data.draw(st.integers(0, 1 << 16), label="order")
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    mixed = sorted((rows[i] for i in shuffled.tolist()), key=lambda row: row["ts"] // STEP)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        whole = run(folder / "whole", rows, indicators)
        other = run(folder / "other", mixed, indicators, batch_size=batch, lanes=lanes)
        assert told(whole) == told(other)
        assert values(whole).equals(values(other))
        apart = kept_apart(whole)
        rest = [
            row
            for row in rows
            if not any(row["sensor_id"] == who and begin < row["ts"] <= end for who, begin, end in apart)
        ]
        without = run(folder / "rest", rest, indicators, quarantine=None)
        assert values(whole).equals(values(without))


def test_a_fault_is_taken_back_from_hours_before_it_was_known_and_is_its_owners_work(tmp_path: Path) -> None:
    """Noise that mounts slowly: decided more than an hour after it began."""
    faulty = [Trouble(1, "noise", 150, 60)]
    out = run(tmp_path / "city", series("tap_pressure", faulty, 0.3, 0.01), ["water_supply.pressure_min"])
    raised, *_ = lines(out / "sensor_faults.jsonl")
    began = BEGIN + 150 * STEP
    assert (raised["sensor"], raised["fault"], raised["department"]) == ("s-1", "noise", "三镇水务")
    assert abs(raised["since"] - began) <= 3 * STEP
    assert raised["decided_ts"] - raised["since"] >= 3_600_000
    incidents = [one for one in lines(out / "incidents.jsonl") if one["indicator"].startswith("data_quality")]
    assert {one["department"] for one in incidents} == {"三镇水务"}


@pytest.mark.parametrize(
    "more", [{}, {"batch_size": 3, "lanes": 4}, {"batch_size": 40}], ids=["whole", "lanes", "batches"]
)
def test_early_values_leave_out_what_is_kept_apart_from_when_it_was_known(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    """A noisy gas detector alarms early until it is known to be faulty, never after, and leaves no alert."""
    rows = series("gas_lel", [Trouble(4, "noise", 150, 80)], 4.0, 0.02)
    out = run(tmp_path / "city", rows, ["gas.leak_lel_max"], **more)
    fault = next(one for one in lines(out / "sensor_faults.jsonl") if one["quarantined"])
    known = fault["decided_ts"]
    high = [row["ts"] for row in rows if row["value"] >= 5.0]
    assert min(high) < known < max(high)
    gas = [one for one in lines(out / "alerts.jsonl") if one["indicator"] == "gas.leak_lel_max"]
    early = [one for one in gas if one["early"] and one["transition"] == "raised"]
    assert early
    assert all(one["decided_ts"] <= known for one in early)
    last = {one["alert_id"]: one["transition"] for one in gas}
    assert set(last.values()) <= {"retracted", "cleared"}
