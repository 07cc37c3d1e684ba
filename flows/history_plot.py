"""Values over time → a line for the terminal, or an SVG picture; without a value there is no line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import plotille
import pygal

Points = Sequence[tuple[datetime, float | None]]


def terminal(points: Points, unit: str, width: int, height: int = 15) -> str:
    """The plot as text, ``width`` characters at most.

    >>> from datetime import UTC
    >>> noon = datetime(2024, 7, 3, 12, tzinfo=UTC)
    >>> picture = terminal([(noon, 1.0), (noon.replace(minute=30), 3.0)], "m", 60)
    >>> max(map(len, picture.splitlines())) <= 60
    True
    """
    figure = plotille.Figure()
    figure.width, figure.height = max(width - 22, 20), height
    figure.with_colors = False
    figure.x_label, figure.y_label = "time", unit
    # NB: the library formats times with the zone they have.
    for run in runs(points):
        times, values = [t for t, _ in run], [v for _, v in run]
        if len(run) == 1:
            figure.scatter(times, values)
        else:
            figure.plot(times, values)
    return "\n".join(line.rstrip()[:width] for line in str(figure.show()).splitlines())


def svg(points: Points, title: str, unit: str, path: Path) -> None:
    """Write the plot as a picture that needs no script and no network."""
    chart = pygal.DateTimeLine(
        title=title,
        y_title=None if unit == "1" else unit,
        show_legend=False,
        js=[],
        dots_size=1.5,
        x_label_rotation=30,
        x_value_formatter=lambda moment: f"{moment:%m-%d %H:%M}",
        disable_xml_declaration=False,
    )
    for run in runs(points):
        # NB: the library draws in UTC; times keep their local reading without their zone.
        chart.add("", [(moment.replace(tzinfo=None), value) for moment, value in run])
    chart.render_to_file(str(path))


def runs(points: Points) -> list[list[tuple[datetime, float]]]:
    """Stretches of values without a gap.

    >>> from datetime import UTC
    >>> t = datetime(2024, 7, 3, tzinfo=UTC)
    >>> [len(run) for run in runs([(t, 1.0), (t, 2.0), (t, None), (t, 3.0)])]
    [2, 1]
    """
    found: list[list[tuple[datetime, float]]] = []
    open_run = False
    for moment, value in points:
        if value is None or not math.isfinite(value):
            open_run = False
            continue
        if not open_run:
            found.append([])
        found[-1].append((moment, value))
        open_run = True
    return found
