"""A replay that is warmed up from a recording gives what one of both together gives, from its own time on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.replay.replaying import ReplayOptions, replay, shown_after
from indicators.catalogue import Catalogue
from tests.replays import make_city, replay_options

DAY, QUARTER = 86_400_000, 900_000
BEGIN = 1_706_716_800_000
"""2024-02-01 in Shanghai."""
LIVE = BEGIN + 29 * DAY
PLACE = {"lon": 114.3, "lat": 30.6}


def visitors(at: int) -> dict[str, Any]:
    value = 200 + (at // QUARTER * 37) % 60 + 40 * (at // DAY % 7 >= 5) + 700 * (at >= LIVE + DAY // 2)
    return {"sensor_id": "mall", "metric": "mall_footfall", "value": value, "ts": at, **PLACE}


def case(number: int, at: int) -> dict[str, Any]:
    return {"event_id": f"c{number}", "type": "ev_hotline", "status": "reported", "ts": at, **PLACE}


def write(folder: Path, begin: int, end: int) -> Path:
    folder.mkdir()
    times = range(begin, end, QUARTER)
    (folder / "readings.jsonl").write_text("".join(json.dumps(visitors(at)) + "\n" for at in times))
    numbers = [
        n for at in times for n in range(at // QUARTER * 10, at // QUARTER * 10 + (at // QUARTER * 7) % 4)
    ]
    events = [case(n, n // 10 * QUARTER + 1_000 + n % 10) for n in numbers]
    (folder / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    return folder


def rows(out: Path, after: int) -> pl.DataFrame:
    table = pl.read_parquet(out / "indicators.parquet")
    return table.filter(pl.col("window_end").dt.epoch("ms") > after)


def lines(out: Path, file: str, key: str, after: int) -> list[str]:
    found = (out / file).read_text(encoding="utf-8").splitlines()
    return [line for line in found if json.loads(line)[key] > after]


def same(warmed: Path, whole: Path, after: int) -> None:
    assert rows(warmed, 0).equals(rows(whole, after))
    assert lines(warmed, "alerts.jsonl", "window_end", 0) == lines(whole, "alerts.jsonl", "window_end", after)
    assert lines(warmed, "incidents.jsonl", "changed_ts", 0) == lines(
        whole, "incidents.jsonl", "changed_ts", after
    )
    assert (warmed / "rejects.jsonl").read_bytes() == (whole / "rejects.jsonl").read_bytes()


def test_histories_are_there_at_once_and_all_is_as_in_one_replay(tmp_path: Path) -> None:
    past, live = write(tmp_path / "past", BEGIN, LIVE), write(tmp_path / "live", LIVE, LIVE + DAY)
    whole = Catalogue.load().indicators
    chosen = [i.id for i in whole if "mall_footfall" in i.metrics or "ev_hotline" in i.events]

    def options(name: str, *folders: Path, **more: Any) -> ReplayOptions:
        return ReplayOptions(
            readings=[folder / "readings.jsonl" for folder in folders],
            events=[folder / "events.jsonl" for folder in folders],
            indicators=chosen,
            out=tmp_path / name,
            **more,
        )

    replay(options("whole", past, live))
    replay(options("warmed", live, warm=past))
    replay(options("cold", live))
    same(tmp_path / "warmed", tmp_path / "whole", LIVE)
    warming = pl.col("status") == "warming_up"
    assert rows(tmp_path / "cold", 0).filter(warming).height > 50
    assert rows(tmp_path / "warmed", 0).filter(warming).is_empty()
    assert rows(tmp_path / "warmed", 0).height > 50


@pytest.mark.parametrize("more", [{}, {"batch_size": 31, "lanes": 3}], ids=["whole", "parts"])
def test_a_city_in_two_recordings_is_as_in_one_replay(tmp_path: Path, more: dict[str, int]) -> None:
    city = make_city(tmp_path / "city", sensors=60, minutes=60, seed=7)
    for folder in ("past", "live"):
        (tmp_path / folder).mkdir()
    for name in ("readings.jsonl", "events.jsonl"):
        records = (city / name).read_text().splitlines(keepends=True)
        cut = len(records) // 2
        (tmp_path / "past" / name).write_text("".join(records[:cut]))
        (tmp_path / "live" / name).write_text("".join(records[cut:]))
    (tmp_path / "live" / "sensors.csv").write_bytes((city / "sensors.csv").read_bytes())
    options = replay_options(tmp_path / "live", tmp_path / "warmed", warm=tmp_path / "past", **more)
    after = shown_after(options)
    replay(options)
    whole = replay_options(tmp_path / "live", tmp_path / "whole")
    for name in ("readings", "events"):
        getattr(whole, name).insert(0, tmp_path / "past" / f"{name}.jsonl")
    replay(whole)
    same(tmp_path / "warmed", tmp_path / "whole", after)
    assert rows(tmp_path / "warmed", 0).height > 500


def test_a_folder_without_a_recording_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no recording; files in it are named readings"):
        replay(ReplayOptions(readings=[], out=tmp_path / "out", warm=tmp_path))
