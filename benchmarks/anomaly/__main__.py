"""Everything that is measured of the detection of anomalies, as Markdown.

python -m benchmarks.anomaly
python -m benchmarks.anomaly --part nab --part leaks --data ../shared/data
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from benchmarks.anomaly import budgets, city_faults, cost, leaks, nab_table, pumps
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


def nab(data: Path, _: int) -> str:
    """The labelled series of the Numenta Anomaly Benchmark."""
    rows = nab_table.rows(data / "nab", contestants())
    return table("Labelled series (NAB)", nab_table.HEADER, rows)


def pump(data: Path, _: int) -> str:
    """The pump test bed."""
    rows = pumps.rows(data / "skab_water", contestants())
    return table("A pump (SKAB)", pumps.HEADER, rows)


def leak(data: Path, _: int) -> str:
    """The water network."""
    network = leaks.read_network(data / "water_leak")
    found = leaks.network_alarms(network), leaks.single_alarms(network)
    return table("Leaks", leaks.HEADER, leaks.rows(network, *found), leaks.remark(network, *found))


def fault(_: Path, sensors: int) -> str:
    """Faults of simulated sensors."""
    parts = []
    for name, size in (("clear", city_faults.CLEAR), ("ordinary", city_faults.ORDINARY)):
        found = city_faults.episodes(sensors, size)
        remark = f"Macro-F1 {city_faults.macro_f1(found):.3f}."
        parts.append(table(f"Simulated faults, {name}", city_faults.HEADER, city_faults.rows(found), remark))
    return "\n".join(parts)


def budget(_: Path, sensors: int) -> str:
    """Budgets of false alarms."""
    return table("False alarms in 28 quiet days", budgets.HEADER, budgets.rows(budgets.spent(sensors)))


def speed(_: Path, __: int) -> str:
    """Cost by number of series."""
    return table("Cost", cost.HEADER, (cost.row(n) for n in (1_000, 10_000, 100_000)))


PARTS: dict[str, tuple[Callable[[Path, int], str], str]] = {
    "nab": (nab, "nab"),
    "pumps": (pump, "skab_water"),
    "leaks": (leak, "water_leak"),
    "faults": (fault, ""),
    "budgets": (budget, ""),
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
    """Measure the detection of anomalies; print Markdown."""
    messages = Console(stderr=True)
    chosen = part or list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        raise typer.BadParameter(
            f"there is no part {unknown[0]!r}; use {', '.join(PARTS)}", param_hint="--part"
        )
    for name in track(chosen, "measuring", console=messages, transient=True):
        measure, needed = PARTS[name]
        if needed and not (data / needed).is_dir():
            messages.print(f"{name}: left out, {data / needed} is not there", soft_wrap=True)
            continue
        typer.echo(measure(data, sensors))


if __name__ == "__main__":
    typer.run(main)
