"""A simulation's files: the same bytes for the same options, the same records in every format."""

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from flows.admission.registry import read_registry
from flows.config.file import load
from flows.replay.replaying import ReplayOptions, replay
from geo.coordinates import to_wgs84
from sim.city import START
from sim.faults import Fault
from sim.reading_files import FORMATS
from sim.scenarios.casting import asked
from sim.simulation import Simulation

HOURS = 1.5


def simulation(seed: int = 11, faults: str = "none", sensors: int = 300) -> Simulation:
    requests = (asked("gas_leak:start=20m,duration=20m"),)
    return Simulation(seed, sensors, START, HOURS, requests=requests, faults=faults)


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 11), ("two", 11), ("other", 12)):
        simulation(seed, "heavy").write(tmp_path / name)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    other = digest(tmp_path / "other")
    assert other.keys() == digest(tmp_path / "one").keys()
    assert {name for name, sha in digest(tmp_path / "one").items() if other[name] == sha} == {"areas.geojson"}


def test_every_format_holds_the_same_readings(tmp_path: Path) -> None:
    for file_format in FORMATS:
        written = simulation().write(tmp_path / file_format, file_format)
    rows = pl.read_ndjson(tmp_path / "jsonl" / "readings.jsonl")
    assert rows.height == written.readings > 5000
    assert rows.columns == ["sensor_id", "metric", "value", "ts"]
    text = pl.col("sensor_id", "metric").cast(pl.String)
    assert pl.read_ipc_stream(tmp_path / "arrow" / "readings.arrow").with_columns(text).equals(rows)
    assert pl.read_parquet(tmp_path / "parquet" / "readings.parquet").with_columns(text).equals(rows)


def test_a_city_replaces_an_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    simulation(faults="heavy", sensors=3000).write(tmp_path, "jsonl")
    simulation().write(tmp_path, "arrow")
    fresh = simulation()
    fresh.write(tmp_path / "fresh", "arrow")
    expected = digest(tmp_path / "fresh")
    assert {path.name for path in tmp_path.iterdir()} == {*expected, "notes.txt", "fresh"}
    assert all(
        (tmp_path / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes() for name in expected
    )


def test_what_is_written_is_counted(tmp_path: Path) -> None:
    written = simulation().write(tmp_path)
    assert written.sensors == len((tmp_path / "sensors.csv").read_text().splitlines()) - 1 == 300
    assert written.events == len(lines(tmp_path / "events.jsonl")) > 0
    assert written.truth == len(lines(tmp_path / "truth.jsonl")) > 0
    assert written.bytes == (tmp_path / "readings.jsonl").stat().st_size
    assert not (tmp_path / "faults.jsonl").exists()
    assert all(value is not None for line in lines(tmp_path / "events.jsonl") for value in line.values())


def test_city_toml_names_the_city_and_the_files_beside_it(tmp_path: Path) -> None:
    simulation().write(tmp_path, "parquet")
    told = load(tmp_path / "city.toml")
    assert (told.city.id, told.city.tz) == ("420100", "Asia/Shanghai")
    files = [*told.files.readings, *told.files.events, told.city.sensors, told.city.areas]
    assert {Path(str(file)).name for file in files} == {
        "readings.parquet",
        "events.jsonl",
        "sensors.csv",
        "areas.geojson",
    }
    assert all(Path(str(file)).exists() for file in files)


@pytest.mark.parametrize("faults", ["none", "heavy"])
def test_the_engine_accounts_for_every_record(tmp_path: Path, faults: str) -> None:
    written = simulation(faults=faults, sensors=3000).write(tmp_path)
    summary = replay(
        ReplayOptions(
            readings=[tmp_path / "readings.jsonl"],
            events=[tmp_path / "events.jsonl"],
            sensors=tmp_path / "sensors.csv",
            areas=tmp_path / "areas.geojson",
            out=tmp_path / "out",
        )
    )
    rejected = sum(summary.rejected.values())
    assert summary.received == written.readings + written.events
    assert summary.accepted + rejected + summary.duplicates == summary.received
    if faults == "none":
        assert (rejected, summary.duplicates, summary.late) == (0, 0, 0)
    else:
        assert summary.duplicates > 0
        assert len(lines(tmp_path / "faults.jsonl")) > 0


def test_misplaced_devices_are_registered_in_another_datum(tmp_path: Path) -> None:
    made = simulation(faults="heavy", sensors=40_000)
    misplaced = np.unique(made.plan.only(Fault.DATUM).device)
    assert misplaced.size
    made.write(tmp_path, "parquet")
    registry, problems = read_registry(tmp_path / "sensors.csv")
    assert problems == []
    devices = made.city.devices
    others = np.setdiff1d(np.arange(40_000), misplaced)
    assert np.array_equal(registry.lon[others], devices.lon[others])
    lon, lat = to_wgs84(registry.lon[misplaced], registry.lat[misplaced], "gcj02")
    assert lon == pytest.approx(devices.lon[misplaced], abs=2e-6)
    assert lat == pytest.approx(devices.lat[misplaced], abs=2e-6)
    assert (abs(registry.lon[misplaced] - devices.lon[misplaced]) > 0.003).all()


def test_a_pace_is_kept_and_progress_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    events: list[int] = []
    paced = Simulation(1, 3000, START + 8 * 3_600_000, 0.1, minute_blocks=True)

    def tell(done: int, total: int, readings: int) -> None:
        told.append((done, total, readings))
        events.append(max((int(str(row["ts"])) for row in lines(tmp_path / "events.jsonl")), default=0))

    began = time.monotonic()
    paced.write(tmp_path, speed=1200.0, progress=tell)
    # Six minutes at 1,200 times their pace.
    assert time.monotonic() - began >= 0.3
    assert [done for done, _, _ in told] == [60_000 * i for i in range(1, 7)]
    assert told[-1][1] == 360_000
    assert [n for _, _, n in told] == sorted(n for _, _, n in told)
    # Cases are reported as time goes on, not ahead of it.
    assert all(last < paced.start + done for last, (done, _, _) in zip(events, told, strict=True))
    assert events[-1] > events[0]
