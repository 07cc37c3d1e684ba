"""Everything that is measured of the detection of anomalies, as Markdown.

python -m benchmarks.anomaly
python -m benchmarks.anomaly --part nab --part leaks --data ../shared/data
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from benchmarks.anomaly import (
    budgets,
    city_faults,
    cost,
    districts,
    drift_models,
    flow_budgets,
    judged,
    leaks,
    nab_table,
    pumps,
)
from benchmarks.anomaly.contestants import contestants

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where the recordings lie: beside the project, of which they are no part."""


def table(title: str, header: Iterable[str], rows: Iterable[tuple[str, ...]], remark: str = "") -> str:
    """A Markdown table under a heading."""
    names = list(header)
    lines = [f"## {title}", "", _line(names), _line(["---", *["---:"] * (len(names) - 1)]), *map(_line, rows)]
    return "\n".join([*lines, *(["", remark] if remark else []), ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True, slots=True)
class Measured:
    """Markdown, and the bars that were missed."""

    text: str
    missed: list[str]


def nab(data: Path, _: int) -> Measured:
    """The labelled series of the Numenta Anomaly Benchmark."""
    rows = list(nab_table.rows(data / "nab", contestants()))
    scores = [float(cell) for cell in rows[0][1:4]]
    bars = zip(("standard", "low FP", "low FN"), scores, (74.0, 67.0, 78.0), strict=True)
    missed = [f"NAB {name}: {found}, at least {bar}" for name, found, bar in bars if found < bar]
    return Measured(table("Labelled series (NAB)", nab_table.HEADER, rows), missed)


def pump(data: Path, _: int) -> Measured:
    """The pump test bed."""
    rows = pumps.rows(data / "skab_water", contestants())
    return Measured(table("A pump (SKAB)", pumps.HEADER, rows), [])


def leak(data: Path, _: int) -> Measured:
    """The water network, every recording of it."""
    found = [_leaks_of(data / "water_leak", window) for window in leaks.windows(data / "water_leak")]
    return Measured("\n".join(one.text for one in found), [bar for one in found for bar in one.missed])


def _leaks_of(folder: Path, window: str) -> Measured:
    network = leaks.read_network(folder, window)
    alarms, single = leaks.network_alarms(network), leaks.single_alarms(network)
    hours = sorted(leaks.hours_to(one, alarms)[0] for one in network.leaks if one.flow > 5)
    weekly = leaks.false_alarms(network, alarms) / (len(network.stamps) / 2016)
    late = sum(h > leaks.SOON_HOURS for h in hours)
    missed = [f"leaks of {window}: {late} not found"] if late else []
    if hours and hours[len(hours) // 2] > 24:
        missed.append(f"leaks of {window}: median {hours[len(hours) // 2]:.0f} h, at most 24")
    if weekly > 1:
        missed.append(f"leaks of {window}: {weekly:.1f} false alarms a week, at most 1")
    rows = leaks.rows(network, alarms, single)
    return Measured(
        table(f"Leaks, {window}", leaks.HEADER, rows, leaks.remark(network, alarms, single)), missed
    )


def fault(_: Path, sensors: int) -> Measured:
    """Faults of simulated sensors."""
    parts, scores = [], []
    for name, size in (("clear", city_faults.CLEAR), ("ordinary", city_faults.ORDINARY)):
        found = city_faults.episodes(sensors, size)
        scores.append(city_faults.macro_f1(found))
        remark = f"Macro-F1 {scores[-1]:.3f}."
        parts.append(table(f"Simulated faults, {name}", city_faults.HEADER, city_faults.rows(found), remark))
    missed = [f"clear faults: macro-F1 {scores[0]:.3f}, at least 0.9"] if scores[0] < 0.9 else []
    return Measured("\n".join(parts), missed)


def judge(_: Path, sensors: int) -> Measured:
    """Sensor or city: faults as they are judged, and events that must not be hidden."""
    found = [one for seed in judged.SEEDS for one in judged.verdicts(sensors, seed)]
    score, four = judged.macro_f1(found), judged.macro_f1(found, tuple(city_faults.NAMES))
    remark = f"Macro-F1 {score:.3f}; without noise {four:.3f}."
    told = table("Sensor or city: clear faults", judged.HEADER, judged.rows(found), remark)
    played = [judged.hidden(sensors, seed) for seed in judged.SEEDS]
    events = table("Sensor or city: all scenarios", judged.EVENT_HEADER, (one.row() for one in played))
    missed = [f"sensor or city: macro-F1 {four:.3f}, at least 0.9"] if four < 0.9 else []
    missed += [
        f"seed {one.seed}: {len(one.events)} events hidden, none may be" for one in played if one.events
    ]
    return Measured(f"{told}\n{events}", missed)


def vectors(_: Path, sensors: int) -> Measured:
    """Vectors of districts, and slow drifts: river's models beside ours."""
    found = table("Vectors of districts", districts.HEADER, districts.rows(sensors))
    return Measured(f"{found}\n{table('Drifts', drift_models.HEADER, drift_models.rows(sensors))}", [])


def budget(_: Path, sensors: int) -> Measured:
    """Budgets of false alarms."""
    found = budgets.spent(sensors)
    missed = [
        f"budget {one.budget:g}: {one.share:.2f} of it, at most 1.5" for one in found if one.share > 1.5
    ]
    return Measured(table("False alarms in 28 quiet days", budgets.HEADER, budgets.rows(found)), missed)


def flow(_: Path, sensors: int) -> Measured:
    """Budgets of false alarms, through the whole flow, in a city of a fifteenth of the devices."""
    found = flow_budgets.spent(max(sensors // 15, 60))
    missed = [
        f"budget {one.budget:g} in the flow: {one.share:.2f} of it, at most 1.5"
        for one in found
        if one.share > 1.5
    ]
    text = table("False alarms of the flow in 28 quiet days", flow_budgets.HEADER, flow_budgets.rows(found))
    return Measured(text, missed)


def speed(_: Path, __: int) -> Measured:
    """Cost by number of series."""
    return Measured(table("Cost", cost.HEADER, (cost.row(n) for n in (1_000, 10_000, 100_000))), [])


PARTS: dict[str, tuple[Callable[[Path, int], Measured], str]] = {
    "nab": (nab, "nab"),
    "pumps": (pump, "skab_water"),
    "leaks": (leak, "water_leak"),
    "faults": (fault, ""),
    "judge": (judge, ""),
    "vectors": (vectors, ""),
    "budgets": (budget, ""),
    "flow": (flow, ""),
    "cost": (speed, ""),
}
"""What can be measured, and the folder of recordings it needs."""


def main(
    part: Annotated[
        list[str] | None,
        typer.Option(help=f"What to measure, repeatable: {', '.join(PARTS)}; all without it."),
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of the recordings.")] = DATA,
    sensors: Annotated[int, typer.Option(help="Devices of the simulated city.")] = 1500,
) -> None:
    """Measure the detection of anomalies; print Markdown; fail if a bar is missed."""
    messages = Console(stderr=True)
    chosen, missed = part or list(PARTS), []
    if unknown := [name for name in chosen if name not in PARTS]:
        raise typer.BadParameter(
            f"there is no part {unknown[0]!r}; use {', '.join(PARTS)}", param_hint="--part"
        )
    for name in track(chosen, "measuring", console=messages, transient=True):
        measure, needed = PARTS[name]
        if needed and not (data / needed).is_dir():
            messages.print(f"{name}: left out, {data / needed} is not there", soft_wrap=True)
            continue
        measured = measure(data, sensors)
        typer.echo(measured.text)
        missed += measured.missed
    for bar in missed:
        messages.print(f"missed: {bar}", style="red", soft_wrap=True)
    if missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
