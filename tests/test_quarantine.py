"""Sensors that are wrong: their readings leave the indicators as if they had never come, in every run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from flows.config.configuration import Configuration
from flows.live.run import Engine
from flows.replay.replay_summary import Summary
from flows.replay.replaying import ReplayOptions, replay
from flows.scores.settings import ScoreSettings
from tests.replays import ROOT, running_until, still_runs_after, write_records

BEGIN = 1_772_380_800_000
"""2026-03-02 00:00 in Shanghai."""
STEP = 300_000
STEPS = 460
TAPS = 10
FAR = 7
"""Taps from this one on stand in other tiles, which other lanes hold."""
STUCK, FREED = 330, 400
BURST = 420
INDICATORS = ["water_supply.pressure_min", "water_supply.tap_quality_ratio"]


def place(tap: int) -> float:
    """The longitude of a tap."""
    return round(114.3 + (0.001 * tap if tap < FAR else 0.07 * (tap - FAR + 1)), 3)


def readings() -> list[dict[str, Any]]:
    """Taps every five minutes, most of one tile; one is stuck for six hours, later many lose pressure."""
    rng = np.random.default_rng(7)
    hours = np.arange(STEPS) * STEP % 86_400_000 / 3_600_000
    value = 0.3 - 0.03 * np.sin(hours * np.pi / 12)[:, None] + rng.normal(0, 0.004, (STEPS, TAPS))
    value[STUCK:FREED, 2] = round(float(value[STUCK - 1, 2]), 4)
    value[BURST : BURST + 12, 3:FAR] -= 0.15
    return [
        {
            "sensor_id": f"tap-{tap}",
            "metric": "tap_pressure",
            "ts": BEGIN + step * STEP + 1_000 * tap,
            "lon": place(tap),
            "lat": 30.6,
            "value": round(float(value[step, tap]), 4),
        }
        for step in range(STEPS)
        for tap in range(TAPS)
    ]


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    taps = ([f"tap-{tap}", place(tap), 30.6, "tap_pressure"] for tap in range(TAPS))
    return write_records(folder, rows, [["sensor_id", "lon", "lat", "metric"], *taps])


def run(city: Path, out: Path, **more: Any) -> Summary:
    options: dict[str, Any] = {"indicators": INDICATORS, "quarantine": ScoreSettings(), **more}
    files = [city / "readings.jsonl"]
    return replay(ReplayOptions(readings=files, sensors=city / "sensors.csv", out=out, **options))


def faults(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "sensor_faults.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def taps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("city") / "taps", readings())


@pytest.fixture(scope="module")
def whole(taps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    run(taps, out)
    return out


def values(out: Path) -> pl.DataFrame:
    """What is known in the end; a row that was taken back has no value, and needs not be there."""
    columns = ["indicator", "area", "window_end", "value", "n", "coverage"]
    return pl.read_parquet(out / "indicators.parquet").select(columns).drop_nulls("value")


def test_a_stuck_sensor_is_told_with_its_time_and_nobody_else_is(whole: Path) -> None:
    found = faults(whole)
    assert {(one["sensor"], one["fault"]) for one in found} == {("tap-2", "stuck")}
    raised, cleared = found
    assert (raised["transition"], cleared["transition"]) == ("raised", "cleared")
    assert raised["until"] is None
    assert BEGIN + STUCK * STEP - STEP <= raised["since"] < raised["decided_ts"]
    assert BEGIN + FREED * STEP - STEP <= cleared["until"] <= BEGIN + (FREED + 1) * STEP
    incidents = [json.loads(line) for line in (whole / "incidents.jsonl").read_text().splitlines()]
    (own,) = [one for one in incidents if one["indicator"] == "data_quality.sensor_fault.tap_pressure"]
    assert own["incident_id"] == raised["incident_id"]
    assert (own["alarm"], own["name_zh"][:6], own["cell"]) == ("cleared", "传感器故障：", raised["cell"])
    assert own["department"]


def test_final_values_are_those_of_the_same_records_without_what_did_not_count(
    whole: Path, tmp_path: Path
) -> None:
    raised, cleared = faults(whole)
    rows = [
        row
        for row in readings()
        if row["sensor_id"] != "tap-2" or not raised["since"] < row["ts"] <= cleared["until"]
    ]
    assert len(rows) < STEPS * TAPS
    assert {"cell", "city"} <= set(pl.read_parquet(whole / "indicators.parquet")["kind"])
    run(write(tmp_path / "rest", rows), tmp_path / "out", quarantine=None)
    assert values(whole).equals(values(tmp_path / "out"))
    revised = json.loads((whole / "summary.json").read_text())["revisions"]
    assert revised > 0


@pytest.mark.parametrize(
    "more",
    [{"batch_size": 61, "lanes": 4}, {"batch_size": 7}, {"workers": 2}],
    ids=["lanes", "small", "processes"],
)
def test_batches_lanes_and_processes_change_nothing(
    taps: Path, whole: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    run(taps, tmp_path, **more)
    for name in ("sensor_faults.jsonl", "alerts.jsonl", "incidents.jsonl"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert pl.read_parquet(tmp_path / "indicators.parquet").equals(
        pl.read_parquet(whole / "indicators.parquet")
    )


def test_a_killed_replay_goes_on_to_the_same_faults_and_values(
    taps: Path, whole: Path, tmp_path: Path
) -> None:
    out, state = tmp_path / "out", tmp_path / "state"
    files = [f"--readings={taps / 'readings.jsonl'}", f"--sensors={taps / 'sensors.csv'}"]
    options = ["--quarantine", "--snapshot-every=0.1", "--batch-size=20", "--no-progress"]
    options += [f"--indicator={name}" for name in INDICATORS]
    code = "from flows.cli import main; main()"
    command = [sys.executable, "-c", code, "replay", *files, *options, f"--out={out}", f"--recovery={state}"]
    for _ in range(2):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as one:
            running_until(one, lambda: list(state.glob("cold/sensors-*.sqlite")), 240.0)
            still_runs_after(one, 0.7)
            one.kill()
            one.communicate()
    assert run(taps, out, recovery=state, snapshot_every=0.1, batch_size=20).snapshots
    for name in ("sensor_faults.jsonl", "alerts.jsonl", "incidents.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    found = pl.read_parquet(out / "indicators.parquet")
    assert found.equals(pl.read_parquet(whole / "indicators.parquet"))


def test_a_live_engine_tells_the_same_faults(taps: Path, whole: Path, tmp_path: Path) -> None:
    raw = {
        "city": {"sensors": str(taps / "sensors.csv")},
        "files": {"readings": [str(taps / "readings.jsonl")]},
        "engine": {"out": str(tmp_path / "out"), "clock": "source"},
        "anomaly": {"enabled": False, "quarantine": True, "holidays": "none"},
    }
    held: list[Engine] = []

    def wall() -> float:
        for engine in held:
            engine.stop.asked |= bool(engine.parts) and engine.parts[0].settled
        return time.time()

    held.append(Engine(msgspec.convert(raw, Configuration), wall=wall))
    held[0].run()
    live = [line for line in (tmp_path / "out" / "sensor_faults.jsonl").read_text().splitlines() if line]
    told = [json.loads(line) for line in live]
    expected = faults(whole)
    without = [{k: v for k, v in one.items() if k != "catalogue_hash"} for one in told]
    assert without == [{k: v for k, v in one.items() if k != "catalogue_hash"} for one in expected]


def test_it_is_not_switched_over_an_existing_folder(taps: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(taps, tmp_path / "out", recovery=state, quarantine=None, indicators=INDICATORS[:1])
    with pytest.raises(
        ValueError, match=r"belongs to another run: it was started with \{'quarantine': None\}"
    ):
        run(taps, tmp_path / "out", recovery=state, indicators=INDICATORS[:1])
