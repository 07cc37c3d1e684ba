"""A scored series as a picture: readings in their expected band above, the score and the alarms below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.detect.series import ScoredRows
from flows.detect.table import RecordedSeries
from indicators.detector_kinds import Kind

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "SimHei", "DejaVu Sans"],
    "svg.hashsalt": "yiwang",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_COLOURS = {
    Kind.SPIKE: "#cf222e",
    Kind.LEVEL_SHIFT: "#8250df",
    Kind.DRIFT: "#e16f24",
    Kind.FLAT_LINE: "#57606a",
    Kind.SILENCE: "#24292f",
    Kind.NOISE_BURST: "#bf8700",
    Kind.SEASONAL: "#1a7f37",
}


def draw(to: Path, series: RecordedSeries, scores: ScoredRows, title: str) -> None:
    """Write the picture, as what its name ends in: .svg or .png.

    Raises:
        OSError: it cannot be written.
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(12, 6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.set_title(title, loc="left")
        _readings(above, series, scores)
        _scores(below, series, scores)
        figure.savefig(to, metadata={"Date": None} if to.suffix == ".svg" else None)


def _readings(axes: Axes, series: RecordedSeries, scores: ScoredRows) -> None:
    time = series.local
    axes.fill_between(time, scores.low, scores.high, color="#ddf4ff", linewidth=0, label="expected")
    axes.plot(time, scores.baseline, color="#54aeff", linewidth=0.7)
    axes.plot(time, series.values, color="#24292f", linewidth=0.8, label="value")
    for kind, colour in _COLOURS.items():
        rows = scores.alarm & (scores.kind == kind)
        if rows.any():
            axes.plot(time[rows], series.values[rows], "o", color=colour, label=kind.name.lower())
    axes.legend(loc="upper left", frameon=False, ncols=6)


def _scores(axes: Axes, series: RecordedSeries, scores: ScoredRows) -> None:
    axes.vlines(series.local, 0.0, scores.score, color="#0969da", linewidth=0.8)
    for at in series.local[scores.alarm]:
        axes.axvline(at, color="#cf222e", linewidth=0.8, alpha=0.5)
    axes.set_ylim(0.0, 1.0)
    axes.set_ylabel("score")
