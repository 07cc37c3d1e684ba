"""Every scenario at several seeds: simulated, replayed, scored; a Markdown table.

    python -m benchmarks.scenarios --scenario gas_leak --seed 1 --seed 2

One city per scenario and seed, made by ``yiwang simulate``, replayed by ``yiwang replay``, scored by ``yiwang
score``. Beside the score, *of its own* is the precision of the indicators the scenario names, *indicators*
tells how many of those the truth names were raised by the event, *to level* how many to the level it names.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sim.city import HOUR_MS, START
from sim.scenarios import SCENARIOS
from sim.scenarios.scenario import Scenario

ROOT = Path(__file__).resolve().parents[1]
YIWANG = (sys.executable, "-c", "from flows.cli import main; main()")

SENSORS = 2000
SPARSE = 300
"""Sensors of a city that needs days of history."""

LONG_HOURS = 100.0
"""Cities that last longer than this are sparse."""

GRACE_MS = 2 * HOUR_MS
"""How long after an event its level may be reached: two hops of most indicators."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one city with one scenario.

    ``missed``: indicators of the truth not raised by their event, ``low``: raised, but not to its level.
    """

    scenario: str
    seed: int
    score: dict[str, Any]
    asked: int
    missed: tuple[str, ...]
    low: tuple[str, ...]
    readings: int
    seconds: float


def yiwang(*arguments: str) -> str:
    """Run a command and return what it prints.

    Raises:
        RuntimeError: it failed; the message is the end of its own.
    """
    command = [*YIWANG, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"yiwang {arguments[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def simulate(scenario: Scenario, seed: int, to: Path, sensors: int | None = None) -> None:
    """Write a city in which the scenario happens, with everyday cases and without other faults."""
    sparse = scenario.hours > LONG_HOURS
    count = sensors or (SPARSE if sparse else SENSORS)
    start = START + round(scenario.begin_hour * HOUR_MS)
    yiwang(
        "simulate",
        *("--seed", str(seed), "--sensors", str(count), "--hours", f"{scenario.hours:g}"),
        *("--start", str(start), "--scenario", scenario.name, "--faults", "none", "--to", str(to)),
    )


def replay(city: Path, out: Path) -> dict[str, Any]:
    """Replay a city's files and return the summary."""
    inputs = ["readings.jsonl", "events.jsonl", "sensors.csv", "areas.geojson"]
    options = [x for name in inputs for x in (f"--{name.split('.')[0]}", str(city / name))]
    yiwang("replay", *options, "--out", str(out), "--no-progress")
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return summary


def score(city: Path, out: Path, truth: Path | None = None) -> dict[str, Any]:
    """Score the alerts of a replay against the city's truth, or another file of it."""
    files = {"alerts": out / "alerts.jsonl", "truth": truth or city / "truth.jsonl"}
    files["areas"] = city / "areas.geojson"
    options = [x for name, path in files.items() for x in (f"--{name}", str(path))]
    found: dict[str, Any] = json.loads(yiwang("score", *options, "--json"))
    return found


def played(scenario: Scenario, seed: int, folder: Path, sensors: int | None = None) -> Outcome:
    """Simulate, replay and score one scenario at one seed, in a folder of its own."""
    began = time.perf_counter()
    city, out = folder / "city", folder / "out"
    simulate(scenario, seed, city, sensors)
    summary = replay(city, out)
    missed, low = shortfalls(city, out)
    asked = sum(len(event["indicators"]) for event in lines(city / "truth.jsonl"))
    seconds = time.perf_counter() - began
    return Outcome(scenario.name, seed, score(city, out), asked, missed, low, summary["readings"], seconds)


def shortfalls(city: Path, out: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return pairs of event and indicator of the truth: those not raised, those raised below their level."""
    pairs = _pairs(lines(city / "truth.jsonl"))
    (out / "pairs.jsonl").write_text("".join(json.dumps(p) + "\n" for p in pairs), encoding="utf-8")
    by_pair = score(city, out, out / "pairs.jsonl")["by_scenario"]
    missed = tuple(name for name, part in by_pair.items() if not part["recall"])
    alerts = lines(out / "alerts.jsonl")
    low = (p["scenario"] for p in pairs if p["scenario"] not in missed and not _reached(p, alerts))
    return missed, tuple(low)


def _pairs(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """An event and a scenario of its own for every indicator of every event."""
    names = [(event, name, f"{event['event_id']} {name}") for event in events for name in event["indicators"]]
    return [event | {"event_id": own, "scenario": own, "indicators": [name]} for event, name, own in names]


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _reached(event: dict[str, Any], alerts: Sequence[dict[str, Any]]) -> bool:
    """Whether the event's one indicator came to its level in one of its cells or in a larger area."""
    return any(
        alert["indicator"] == event["indicators"][0]
        and alert["level"] >= event["level"]
        and event["start"] <= alert["window_end"] <= event["end"] + GRACE_MS
        and (alert["kind"] != "cell" or alert["area"] in event["cells"])
        for alert in alerts
    )


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return the outcomes as a Markdown table, one row each."""
    names = ("scenario", "seed", "events", "recall", "precision", "of its own", "to detect")
    rows = Table(*names, "indicators", "to level", "readings", "s", box=box.MARKDOWN)
    for column in rows.columns[1:]:
        column.justify = "right"
    for o in outcomes:
        raised = o.asked - len(o.missed)
        rows.add_row(
            o.scenario,
            str(o.seed),
            str(sum(part["events"] for part in o.score["by_scenario"].values())),
            f"{o.score['recall']:.2f}",
            _number(o.score["precision"], "{:.2f}"),
            _number(o.score["by_scenario"][o.scenario]["precision"], "{:.2f}"),
            _number(o.score["median_seconds_to_detect"], "{:,.0f} s"),
            f"{raised}/{o.asked}",
            f"{raised - len(o.low)}/{o.asked}",
            f"{o.readings:,}",
            f"{o.seconds:.0f}",
        )
    return rows


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def main(
    scenario: Annotated[list[str] | None, typer.Option(help="Scenarios, repeatable; all without it.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seeds, repeatable; 1, 2, 3 without it.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder in which everything is kept.")] = None,
) -> None:
    """Play every scenario at every seed; ends with 1 if an event was missed."""
    unknown = set(scenario or ()) - set(SCENARIOS)
    if unknown:
        known = ", ".join(SCENARIOS)
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: known are {known}", param_hint="--scenario")
    console, messages = Console(width=140), Console(stderr=True)
    runs = [(name, n) for name in scenario or SCENARIOS for n in seed or (1, 2, 3)]
    outcomes = []
    for name, number in track(runs, "playing", console=messages, transient=True):
        with tempfile.TemporaryDirectory(prefix="yiwang-scenarios-") as temporary:
            folder = keep / f"{name}-{number}" if keep else Path(temporary)
            outcomes.append(played(SCENARIOS[name], number, folder))
        messages.print(f"{name}, seed {number}: recall {outcomes[-1].score['recall']:.2f}")
        for kind, pairs in (("not raised", outcomes[-1].missed), ("below its level", outcomes[-1].low)):
            for pair in pairs:
                messages.print(f"{name}, seed {number}: {kind}: {pair}")
    console.print(table(outcomes))
    if any(o.score["recall"] < 1 for o in outcomes):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
