"""Values over time → a line for the terminal, or an SVG picture; without a value there is no line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

import plotille

from sim.scoring.time_axis import TimeAxis

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 420, 70, 24, 44, 40
_COLOURS = ("#0969da", "#d4a72c", "#e16f24", "#cf222e")
_FONTS = "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"

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


def svg(points: Points, title: str, unit: str, raises: Sequence[float] = ()) -> str:
    """The plot as an SVG picture; ``raises`` are the thresholds blue to red, NaN for none.

    >>> from datetime import UTC
    >>> noon = datetime(2024, 7, 3, 12, tzinfo=UTC)
    >>> picture = svg([(noon, 1.0), (noon.replace(minute=30), 3.0)], "积水 Ponding", "m", (2.0, math.nan))
    >>> picture.count("<polyline"), picture.count('class="level"'), "积水 Ponding, m" in picture
    (1, 1, True)
    """
    axis = _time_axis(points)
    values = [value for run in runs(points) for _, value in run]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    scale = _Scale(low - margin, high + margin)
    parts = [*_frame(title, unit), *_times(axis), *_marks(scale), *_levels(scale, raises)]
    parts += [_line(run, axis, scale) for run in runs(points)]
    return "\n".join([*parts, "</g>", "</svg>", ""])


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values from ``low`` (below) to ``high`` (above)."""

    low: float
    high: float

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def marks(self) -> list[float]:
        """Round values, four to ten."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next(n for n in (5, 2, 1) if (self.high - self.low) / (step * n) >= 4 or n == 1)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, math.floor(self.high / step) + 1)]


def _time_axis(points: Points) -> TimeAxis:
    ends = [int(moment.timestamp() * 1000) for moment, _ in points] or [0]
    zone = points[0][0].tzinfo if points else None
    last = max(ends[-1], ends[0] + 60_000)
    return TimeAxis(ends[0], last, _LEFT, _WIDTH - _RIGHT, str(zone or "UTC"))


def _frame(title: str, unit: str) -> list[str]:
    heading = escape(title if unit == "1" else f"{title}, {unit}")
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="12">',
        f'<g font-family="{_FONTS}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="16" font-weight="bold">{heading}</text>',
    ]


def _times(axis: TimeAxis) -> Iterator[str]:
    for moment, label in axis.ticks():
        x, y = float(axis.x(moment)), _HEIGHT - _BOTTOM
        yield f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{y}" stroke="#eaeef2"/>'
        yield f'<text x="{x}" y="{y + 18}" text-anchor="middle" fill="#57606a">{label}</text>'


def _marks(scale: _Scale) -> Iterator[str]:
    for value in scale.marks():
        y = scale.y(value)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#eaeef2"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end" fill="#57606a">{value:.6g}</text>'


def _levels(scale: _Scale, raises: Sequence[float]) -> Iterator[str]:
    for colour, value in zip(_COLOURS, raises, strict=False):
        if scale.low <= value <= scale.high:
            y = scale.y(value)
            yield (
                f'<line class="level" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" '
                f'stroke="{colour}" stroke-dasharray="6 4"/>'
            )


def _line(run: Sequence[tuple[datetime, float]], axis: TimeAxis, scale: _Scale) -> str:
    x = axis.x([int(moment.timestamp() * 1000) for moment, _ in run]).tolist()
    places = [f"{at},{scale.y(value)}" for at, (_, value) in zip(x, run, strict=True)]
    if len(run) == 1:
        at, y = places[0].split(",")
        return f'<circle cx="{at}" cy="{y}" r="2.5" fill="#24292f"/>'
    return f'<polyline fill="none" stroke="#24292f" stroke-width="1.6" points="{" ".join(places)}"/>'


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
