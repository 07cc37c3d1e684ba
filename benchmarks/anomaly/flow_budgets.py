"""Does the budget of false alarms hold in the flow? A city without faults is replayed, once for each budget.

Every anomaly that a replay tells of is false. Allowed is the budget for every day on which a series may
alarm: from its third day and its 168th value on, as the detector has it. Series are indicators in areas, from
cells to the city.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.scenarios import lines, yiwang
from indicators.catalogue import Catalogue
from indicators.detector_settings import DetectorSettings
from sim.city import START
from sim.simulation import Simulation

BUDGETS = (1.0, 10.0, 100.0)

OFTENEST_MS = 15 * 60_000
"""Indicators whose windows end more often are left out: they cost most of the time."""

DAY_MS = 24 * 3_600_000

HEADER = ("budget per 1,000 series and day", "series days", "alarms", "allowed", "share", "most often")


@dataclass(frozen=True, slots=True)
class FlowSpent:
    """Anomalies told with a budget, by indicator, and on how many days series were watched."""

    budget: float
    alarms: Counter[str]
    series_days: float

    @property
    def share(self) -> float:
        """Alarms, as a share of those allowed."""
        return self.alarms.total() / (self.budget / 1000 * self.series_days)


def spent(sensors: int, days: int = 28, seed: int = 5) -> list[FlowSpent]:
    """Simulate a quiet city once and replay it with every budget."""
    names = [
        i.id for i in Catalogue.load().indicators if i.entry.anomaly != "none" and i.hop_ms >= OFTENEST_MS
    ]
    found = []
    with tempfile.TemporaryDirectory(prefix="yiwang-budgets-") as temporary:
        folder = Path(temporary)
        Simulation(seed, sensors, START, days * 24.0).write(folder, "arrow")
        inputs = {"readings": "readings.arrow", "events": "events.jsonl", "sensors": "sensors.csv"}
        named = [x for name, file in inputs.items() for x in (f"--{name}", str(folder / file))]
        named += [x for name in names for x in ("--indicator", name)]
        for budget in BUDGETS:
            out = folder / f"out-{budget:g}"
            options = ["--areas", str(folder / "areas.geojson"), "--out", str(out), "--no-progress"]
            yiwang("replay", *named, *options, "--anomaly", "--budget", f"{budget:g}")
            alarms = raised(out / "anomalies.jsonl")
            found.append(FlowSpent(budget, alarms, series_days(out / "indicators.parquet")))
    return found


def raised(told: Path) -> Counter[str]:
    """How many anomalies were raised, by indicator; a replay that finds none leaves no file."""
    found = lines(told) if told.exists() else []
    return Counter(one["indicator"] for one in found if one["transition"] == "raised")


def series_days(values: Path) -> float:
    """On how many days, added up over all series, they may alarm by their first values."""
    needed = {i.id: DetectorSettings.for_step(i.hop_ms).alarming for i in Catalogue.load().indicators}
    indicator, end = pl.col("indicator").cast(pl.String), pl.col("window_end").dt.epoch("ms")
    scored = (
        pl.scan_parquet(values)
        .filter(pl.col("revision") == 0, pl.col("value").is_not_null())
        .select(indicator, "area", end, needed=indicator.replace_strict(needed, return_dtype=pl.Int64))
        .collect()
    )
    last = scored.select(pl.col("window_end").max()).item()
    found = scored.group_by("indicator", "area").agg(
        begun=pl.col("window_end").min() + 2 * DAY_MS,
        known=pl.col("window_end").sort().get(pl.col("needed").first() - 1, null_on_oob=True),
    )
    watched = found.drop_nulls("known").select((last - pl.max_horizontal("begun", "known")).clip(0).sum())
    return float(watched.item()) / DAY_MS


def rows(found: list[FlowSpent]) -> Iterator[tuple[str, ...]]:
    """A row of each budget."""
    for one in found:
        allowed, most = f"{one.budget / 1000 * one.series_days:.1f}", one.alarms.most_common(2)
        often = ", ".join(f"{name} {count}" for name, count in most)
        alarms, days = str(one.alarms.total()), f"{one.series_days:.0f}"
        yield (f"{one.budget:g}", days, alarms, allowed, f"{one.share:.2f}", often)
