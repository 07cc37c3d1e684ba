"""Readings spread over several files are the readings of one: every file numbers its series on its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.replay.replaying import replay
from tests.replays import replay_options, tables

T0 = 1_719_964_800_000


def readings(sensor: str, metric: str, value: float, lon: float, phase: int) -> list[dict[str, Any]]:
    """A reading a minute for two hours, with its place."""
    return [
        {
            "sensor_id": sensor,
            "metric": metric,
            "value": value + minute % 7,
            "ts": T0 + minute * 60_000 + phase,
        }
        | {"lon": lon, "lat": 30.6}
        for minute in range(120)
    ]


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in sorted(records, key=lambda r: int(r["ts"]))))


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """Sensors that number their series differently in every file; one is registered and silent."""
    parts = [
        readings("a", "rain_1m", 0.1, 114.3, 1) + readings("c", "road_speed", 30, 114.5, 2),
        readings("b", "road_speed", 50, 114.5, 3) + readings("d", "rain_1m", 2.0, 114.4, 4),
    ]
    for number, part in enumerate(parts):
        write(tmp_path / f"part-{number}.jsonl", part)
    write(tmp_path / "readings.jsonl", parts[0] + parts[1])
    (tmp_path / "events.jsonl").write_text("")
    (tmp_path / "sensors.csv").write_text(
        "sensor_id,lon,lat,metric\nb,114.6,30.6,road_speed\ne,114.6,30.6,rain_1m\n"
    )
    return tmp_path


@pytest.mark.parametrize("more", [{}, {"lanes": 3}], ids=str)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_readings_in_several_files_give_what_one_file_gives(
    city: Path, order: tuple[int, int], more: dict[str, int]
) -> None:
    replay(replay_options(city, city / "one"))
    options = replay_options(city, city / "several", batch_size=7, **more)
    options.readings[:] = [city / f"part-{number}.jsonl" for number in order]
    replay(options)
    assert tables(city / "several") == tables(city / "one")
