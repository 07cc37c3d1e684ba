"""What faulty sensors do to a city's alerts, with and without quarantine; whether it hides true events.

    python -m benchmarks.quarantine --sensors 600 --seed 1

A city lives for three and a half days; after three its sensors break: stuck, silent, spikes, drift, noise,
one a device. An alert is caused by faults if it stands in the city with faults, or was cleared in it, but not
in the same city without them; what is retracted does not count. This is counted twice: with all faults, and
with those alone of which quarantine kept readings apart. Then the scenarios happen after three days in a city
without faults: events that are found without quarantine must be found with it.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.anomaly.city_faults import CLEAR
from benchmarks.scenarios import lines, score, yiwang
from sim.city import HOUR_MS, START
from sim.faults import Fault, FaultPlan
from sim.scenarios import SCENARIOS
from sim.scenarios.casting import asked
from sim.simulation import Simulation

LEARNING = 74.0
"""Hours before anything breaks or happens."""

HOURS = 84.0

SIZES = {**CLEAR, Fault.NOISE: ((6.0, 12.0), (0.1, 0.3))}
"""Clear faults, and noise of 10 to 30 % of the value."""

BAR = 0.02
"""Of the alerts that quarantined faults cause without quarantine, so many may stand with it."""

FAULTY = 20
"""One in so many devices has a fault."""

DAYS_NEEDED = ("hotline_surge", "epidemic_cluster")
"""Scenarios of cases, which need weeks of history and no sensor."""


@dataclass(frozen=True)
class Breaking(Simulation):
    """A city in which some devices break after they were known for long."""

    breaking: bool = field(default=True)
    only: frozenset[str] | None = None

    @cached_property
    def plan(self) -> FaultPlan:
        """A fault for one in `FAULTY` devices, all kinds as often."""
        whole = FaultPlan.none()
        if not self.breaking:
            return whole
        rng = np.random.default_rng(self.seed)
        n = max(self.sensors // FAULTY // len(SIZES), 1)
        device = rng.permutation(self.sensors)[: n * len(SIZES)]
        for number, (fault, (hours, sizes)) in enumerate(SIZES.items()):
            begin = self.start + round(LEARNING * HOUR_MS) + rng.integers(0, HOUR_MS, n)
            end = np.minimum(begin + (rng.uniform(*hours, n) * HOUR_MS).astype(np.int64), self.city.end)
            sign = rng.choice([-1.0, 1.0], n) if fault == Fault.DRIFT else 1.0
            size, mine = sign * rng.uniform(*sizes, n), device[number * n : (number + 1) * n]
            whole = whole.joined(FaultPlan.of(int(fault), mine, begin=begin, end=end, size=size))
        if self.only is None:
            return whole
        ids = np.array(self.city.devices.sensor_ids)[whole.device]
        kept = np.isin(ids, sorted(self.only))
        return FaultPlan(*(getattr(whole, name)[kept] for name in whole.__slots__))


def replay(city: Path, out: Path, *options: str) -> None:
    """Replay a city's files."""
    inputs = {"readings": "readings.arrow", "events": "events.jsonl", "sensors": "sensors.csv"}
    named = [x for name, file in inputs.items() for x in (f"--{name}", str(city / file))]
    yiwang(
        "replay", *named, "--areas", str(city / "areas.geojson"), *options, "--out", str(out), "--no-progress"
    )


def stand(out: Path) -> dict[tuple[str, str, int], str]:
    """The incidents that were never taken back, by indicator, area and when they began: the kind of area."""
    found = lines(out / "incidents.jsonl")
    return {
        (one["indicator"], one["area"], one["raised_ts"]): one["kind"]
        for one in found
        if one["alarm"] != "retracted" and not one["indicator"].startswith("data_quality.")
    }


def caused(out: Path, quiet: set[tuple[str, str]]) -> Counter[str]:
    """How many alerts stand that are of an indicator and area without any in the quiet city, by indicator."""
    return Counter(name for name, area, _ in stand(out) if (name, area) not in quiet)


@dataclass(frozen=True)
class Caused:
    """Alerts that faults cause, by indicator, of a city: ``without`` quarantine and ``with_`` it."""

    without: Counter[str]
    with_: Counter[str]

    def __add__(self, other: "Caused") -> "Caused":
        """The alerts of two cities."""
        return Caused(self.without + other.without, self.with_ + other.with_)

    def row(self, what: str) -> tuple[str, str, str, str]:
        """What is left of all, and how many there would not be without quarantine."""
        total, left = self.without.total(), self.with_.total()
        new = (self.with_ - self.without).total()
        return what, str(total), f"{left} ({left / max(total, 1):.1%})", str(new)

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """A row of each indicator."""
        for name, count in (self.without | self.with_).most_common():
            del count
            yield name, str(self.without[name]), str(self.with_[name]), ""


def faults_of_city(seed: int, sensors: int, folder: Path) -> tuple[Caused, Caused]:
    """Alerts caused by all faults of a city, and by those alone of which readings were kept apart."""
    Breaking(seed, sensors, START, HOURS, breaking=False).write(folder / "city-quiet", "arrow")
    replay(folder / "city-quiet", folder / "quiet")
    quiet = {key[:2] for key in stand(folder / "quiet")}
    every = _caused(Breaking(seed, sensors, START, HOURS), folder / "all", quiet)
    apart = frozenset(one["sensor"] for one in faults_of(folder / "all" / "with") if one["quarantined"])
    some = _caused(Breaking(seed, sensors, START, HOURS, only=apart), folder / "apart", quiet)
    return every, some


def _caused(simulation: Simulation, folder: Path, quiet: set[tuple[str, str]]) -> Caused:
    simulation.write(folder / "city", "arrow")
    for name, options in (("without", ()), ("with", ("--quarantine",))):
        replay(folder / "city", folder / name, *options)
    return Caused(*(caused(folder / name, quiet) for name in ("without", "with")))


def faults_of(out: Path) -> list[dict[str, Any]]:
    """What was told of faulty sensors; a run that found none leaves no file."""
    path = out / "sensor_faults.jsonl"
    return lines(path) if path.exists() else []


def judged(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Of each kind of fault: judged, and how many of these of a sensor that was never faulty."""
    broken = {one["sensor_id"] for one in lines(folder / "city" / "faults.jsonl")}
    raised = [one for one in faults_of(folder / "with") if one["transition"] == "raised"]
    for kind in sorted({one["fault"] for one in raised}):
        own = [one for one in raised if one["fault"] == kind]
        yield kind, len(own), sum(one["sensor"] not in broken for one in own)


def events_table(seed: int, sensors: int, names: list[str], folder: Path) -> tuple[Table, bool]:
    """Recall of scenarios without and with quarantine, and whether none is found less often with it."""
    rows = Table("scenario", "recall without", "with", "quarantined of the city", box=box.MARKDOWN)
    fine = True
    for name in names:
        city, kept = folder / name, list[float]()
        requests = [asked(f"{name}:start={LEARNING:g}h")]
        Simulation(seed, sensors, START, HOURS, requests=requests).write(city, "arrow")
        for options in ((), ("--quarantine",)):
            out = folder / f"{name}-out{len(options)}"
            replay(city, out, *options)
            kept.append(score(city, out)["recall"])
        told = [one for one in faults_of(out) if one["quarantined"] and not one["seq"]]
        rows.add_row(name, *(f"{recall:.2f}" for recall in kept), str(len(told)))
        fine &= kept[1] >= kept[0]
    return rows, fine


def main(
    seed: Annotated[list[int] | None, typer.Option(help="Of a city, repeatable; 1 without it.")] = None,
    sensors: Annotated[int, typer.Option(help="How many devices it has.")] = 600,
    scenario: Annotated[list[str] | None, typer.Option(help="Repeatable; all without it, none: '-'.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder in which everything is kept.")] = None,
) -> None:
    """Print both tables; ends with 1 if quarantine hides an event, or quarantined faults cause alerts."""
    console, seeds = Console(width=140), seed or [1]
    names = [name for name in scenario or SCENARIOS if name in SCENARIOS and name not in DAYS_NEEDED]
    with tempfile.TemporaryDirectory(prefix="yiwang-quarantine-") as temporary:
        folder = keep or Path(temporary)
        every, apart, fine = Caused(Counter(), Counter()), Caused(Counter(), Counter()), True
        for one in seeds:
            found = faults_of_city(one, sensors, folder / f"faults-{one}")
            every, apart = every + found[0], apart + found[1]
        console.print(caused_table(every, apart))
        for one in seeds:
            for kind, count, healthy in judged(folder / f"faults-{one}" / "all"):
                told = {"seed": one, "fault": kind, "judged": count, "of sensors without fault": healthy}
                console.print(json.dumps(told))
            rows, found_all = events_table(one, sensors, names, folder / f"events-{one}")
            console.print(rows)
            fine &= found_all
    if not fine or apart.with_.total() > BAR * apart.without.total():
        raise typer.Exit(1)


def caused_table(every: Caused, apart: Caused) -> Table:
    """By indicator, of all faults, and of those that were quarantined."""
    rows = Table("indicator", "alerts caused", "with quarantine", "new", box=box.MARKDOWN)
    for one in every.rows():
        rows.add_row(*one)
    rows.add_row(*every.row("**all faults**"))
    for one in apart.rows():
        rows.add_row(*one)
    rows.add_row(*apart.row("**quarantined faults**"))
    return rows


if __name__ == "__main__":
    typer.run(main)
