"""Indicators that come while records flow and need what nobody kept: right when their windows are full."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import polars as pl
import pytest

from flows.replay.replaying import ReplayOptions, replay

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BEGIN = 1_706_716_800_000
"""2024-02-01 in Shanghai."""
PLACES = [{"lon": 114.3 + 0.002 * i, "lat": 30.6} for i in range(3)]
PERIODS = {"air_temperature": 10, "wind_speed": 10, "rain_1m": 5, "mall_footfall": 15, "enterprise_power": 15}
FORMULAS = {
    "coldest": ("lowest(min(air_temperature, '48h'))", "1h", "Cel"),
    "windy": ("highest(mean(wind_speed, '36h'))", "1h", "m/s"),
    "wet": ("total(sum(rain_1m, '30h'))", "30m", "mm"),
    "often": ("highest(max(air_temperature))", "10m", "Cel"),
    "loud": ("average(median(enterprise_power, '6h'))", "1h", "kW"),
    "dry": ("streak(quantile(sum(rain_1m), 0.5) < 60, '6h', cap=6)", "1h", "1"),
    "peak": ("peak(total(twm(enterprise_power)), '15m')", "1h", "kW"),
    "held": ("highest(twm(enterprise_power, '30h'))", "1h", "kW"),
}


def catalogue(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    tables = [
        f'[[indicator]]\nid = "own.{name}"\nname_zh = "{name}"\nname_en = "{name}"\ntheme = "emergency"\n'
        f'domain = "weather"\nunit = "{unit}"\nwindow = "{hop}"\nhop = "{hop}"\nformula = "{formula}"\n'
        for name, (formula, hop, unit) in ((name, FORMULAS[name]) for name in names)
    ]
    (folder / "own.toml").write_text("\n".join(tables), encoding="utf-8")
    return folder


def records(seed: int, days: int) -> list[str]:
    """Readings of three sensors of every metric; some late, some missing, some twice."""
    random = Random(seed)  # noqa: S311 - any will do
    found = []
    for metric, period in PERIODS.items():
        for number, place in enumerate(PLACES):
            for at in range(BEGIN, BEGIN + days * DAY, period * MINUTE):
                if random.random() < 0.05:
                    continue
                late = (
                    random.randrange(0, 50 * MINUTE) if random.random() < 0.02 else random.randrange(0, 5_000)
                )
                value = round(random.uniform(1, 30), 1)
                one = {"sensor_id": f"{metric}-{number}", "metric": metric, "value": value, "ts": at, **place}
                found.append((at + late, json.dumps(one)))
    return [line for _, line in sorted(found)]


def rows(out: Path, after: int) -> pl.DataFrame:
    table = pl.read_parquet(out / "indicators.parquet")
    table = table.filter(pl.col("indicator").str.starts_with("own."))
    return table.filter(pl.col("window_end").dt.epoch("ms") > after).drop("revision")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_what_comes_later_is_what_it_would_have_been(tmp_path: Path, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    names = sorted(FORMULAS)
    random.shuffle(names)
    (tmp_path / "readings.jsonl").write_text("\n".join(records(seed, 4)) + "\n")
    catalogue(tmp_path / "some", names[:3])
    catalogue(tmp_path / "most", names[:2] + names[3:])
    catalogue(tmp_path / "all", names)
    times = [BEGIN + random.randrange(20, 40) * HOUR // 2 + random.randrange(HOUR) for _ in "ab"]
    lines = [{"ts": at, "catalogue": name} for at, name in zip(sorted(times), ("most", "all"), strict=True)]
    (tmp_path / "control.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run(name: str, catalogue: str, **more: Path) -> None:
        readings = [tmp_path / "readings.jsonl"]
        out = tmp_path / name
        chosen = ["own.*", "weather.*"]
        folder = tmp_path / catalogue
        replay(ReplayOptions(readings=readings, catalogue=folder, indicators=chosen, out=out, **more))  # type: ignore[arg-type]

    run("grown", "some", control=tmp_path / "control.jsonl")
    run("begun", "all")
    full = max(times) + 49 * HOUR
    expected = rows(tmp_path / "begun", full)
    assert expected["indicator"].n_unique() == len(FORMULAS)
    assert expected.filter(pl.col("value").is_not_null()).height > 500
    assert rows(tmp_path / "grown", full).equals(expected)
    stayed = pl.col("indicator").is_in([f"own.{name}" for name in names[:2]])
    assert rows(tmp_path / "grown", 0).filter(stayed).equals(rows(tmp_path / "begun", 0).filter(stayed))
