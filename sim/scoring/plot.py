"""A picture of a score: events and alerts → SVG; a band a scenario, a row an indicator, time to the right.

A bar is an event, its paler end the time in which it may still be found; a stroke is the time at which alerts
were raised: true ones in the upper half of their row, the others in the lower. Alerts of one row that fall on
the same half pixel are one stroke, so the picture stays small whatever the number of alerts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
import polars as pl

from sim.scoring.files import TruthEvent
from sim.scoring.matches import NEVER
from sim.scoring.score import GRACE_HOPS, Score
from sim.scoring.time_axis import TimeAxis

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1280, 340, 28, 84, 40
ROW, BAND = 18, 26
"""Pixels: of the picture and its margins; heights of a row and of the heading of a band."""

OTHERS_SHOWN = 20
"""Indicators of no scenario that get a row of their own, those with most alerts first."""

EVENT = "#9ec5fe"
COLOURS = {"true": "#1a7f37", "related": "#8c959f", "false": "#cf222e"}
VERDICTS = {"true": "命中 true", "related": "相关 related", "false": "误报 false"}
FONTS = "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"

_MINUTE = 60_000
_BOLD, _END, _MIDDLE = 'font-weight="bold"', 'text-anchor="end"', 'text-anchor="middle"'


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its label, the events whose bars it shows, the indicators whose alerts it shows."""

    label: str
    events: tuple[int, ...]
    indicators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A heading and its rows."""

    heading: str
    rows: tuple[Row, ...]


def draw(
    events: Sequence[TruthEvent],
    score: Score,
    hops: Mapping[str, int],
    names: Mapping[str, str],
    tz: str = "Asia/Shanghai",
) -> str:
    """The SVG of a score.

    Args:
        events: as they were scored.
        score: their score.
        hops: indicator → hop in ms; without one an event has no paler end there.
        names: scenario or indicator id → name shown before the id.
        tz: zone of the times.

    >>> from sim.scoring.score import score as compare
    >>> from sim.scoring.files import ALERT_COLUMNS
    >>> from sim.scoring.places import places
    >>> none = pl.DataFrame(schema=ALERT_COLUMNS)
    >>> draw([], compare([], places([], none), {}), {}, {}).count("<svg")
    1
    """
    return _Picture(events, score, hops, names, _axis(events, score, hops, tz)).svg()


def _axis(events: Sequence[TruthEvent], score: Score, hops: Mapping[str, int], tz: str) -> TimeAxis:
    times = [e.end + GRACE_HOPS * hops.get(name, 0) for e in events for name in e.indicators]
    times += [event.start for event in events]
    raised = score.alerts["raised"].to_numpy()
    if raised.size:
        times += [int(raised.min()), int(raised.max())]
    begin, end = (min(times), max(times)) if times else (0, 0)
    margin = max((end - begin) // 50, _MINUTE)
    return TimeAxis(begin - margin, end + margin, LEFT, WIDTH - RIGHT, tz)


@dataclass(frozen=True, slots=True)
class _Picture:
    events: Sequence[TruthEvent]
    score: Score
    hops: Mapping[str, int]
    names: Mapping[str, str]
    axis: TimeAxis

    def svg(self) -> str:
        bands = [*self._bands(), *self._others()]
        height = TOP + sum(BAND + ROW * len(band.rows) for band in bands) + BOTTOM
        body = [*self._heading(), *self._grid(height)]
        y = TOP
        for band in bands:
            body.append(_text(12, y + 18, band.heading, 14, _BOLD))
            y += BAND
            for row in band.rows:
                body += [_text(LEFT - 10, y + 13, row.label, 12, _END), *self._bars(row, y)]
                body += self._strokes(row, y)
                y += ROW
        inside = "\n".join(body)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xml:lang="zh-CN" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" font-family="{FONTS}">\n'
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n{inside}\n</svg>\n'
        )

    def _named(self, name: str) -> str:
        return f"{self.names[name]} {name}" if self.names.get(name) else name

    def _bands(self) -> Iterator[Band]:
        for scenario in dict.fromkeys(event.scenario for event in self.events):
            of_it = [i for i, event in enumerate(self.events) if event.scenario == scenario]
            part = self.score.by_scenario[scenario]
            rows = (
                Row(self._named(name), tuple(i for i in of_it if name in self.events[i].indicators), (name,))
                for name in dict.fromkeys(name for i in of_it for name in self.events[i].indicators)
            )
            yield Band(f"{self._named(scenario)}：检出 found {part.found}/{part.events}", tuple(rows))

    def _others(self) -> Iterator[Band]:
        named = {name for event in self.events for name in event.indicators}
        counts = self.score.alerts["indicator"].value_counts()
        ordered = counts.sort(["count", "indicator"], descending=[True, False])["indicator"].to_list()
        others = [name for name in ordered if name not in named]
        rows = [Row(self._named(name), (), (name,)) for name in others[:OTHERS_SHOWN]]
        if rest := tuple(others[OTHERS_SHOWN:]):
            rows.append(Row(f"其余 {len(rest)} 项 others", (), rest))
        if rows:
            yield Band("其他指标的告警 Alerts of other indicators", tuple(rows))

    def _heading(self) -> Iterator[str]:
        total = self.score.total
        yield _text(12, 26, "事件真值与告警对照 Events and alerts", 18, _BOLD)
        numbers = {
            "召回率 recall": _number(total.recall),
            "精确率 precision": _number(total.precision),
            "检出时间中位数 median to detect": _number(total.median_seconds, " s"),
            "每千网格每日误报 false per 1,000 cells and day": _number(self.score.false_rate),
        }
        yield _text(12, 48, " · ".join(f"{label} {value}" for label, value in numbers.items()), 13)
        yield f'<rect x="{LEFT}" y="59" width="28" height="11" fill="{EVENT}"/>'
        yield _text(LEFT + 34, 69, f"事件 event {len(self.events):,}", 12)
        for place, (verdict, colour) in enumerate(COLOURS.items(), start=1):
            x = LEFT + 150 * place
            yield f'<path d="M{x} 58v13" stroke="{colour}" stroke-width="2"/>'
            yield _text(x + 8, 69, f"{VERDICTS[verdict]} {self.score.count(verdict):,}", 12)

    def _grid(self, height: int) -> Iterator[str]:
        for ms, label in self.axis.ticks():
            x = float(self.axis.x(ms))
            yield f'<path d="M{x:g} {TOP}V{height - BOTTOM + 10}" stroke="#d8dee4"/>'
            yield _text(x, height - 12, label, 12, _MIDDLE)

    def _bars(self, row: Row, y: int) -> Iterator[str]:
        for i in row.events:
            event, missed = self.events[i], self.score.found_ms[i] == NEVER
            last = event.end + GRACE_HOPS * self.hops.get(row.indicators[0], 0)
            start, end, late = self.axis.x([event.start, event.end, last]).tolist()
            size = f'y="{y + 3}" height="{ROW - 6}"'
            edge = f' stroke="{COLOURS["false"]}" stroke-dasharray="3 2"' if missed else ""
            told = escape(f"{event.event_id}: {'漏报 missed' if missed else '检出 found'}")
            bar = f'<rect x="{start:g}" {size} width="{max(end - start, 1.5):g}" fill="{EVENT}"{edge}/>'
            tail = f'<rect x="{end:g}" {size} width="{late - end:g}" fill="{EVENT}" opacity="0.4"/>'
            yield f"<g><title>{told}</title>{tail}{bar}</g>"

    def _strokes(self, row: Row, y: int) -> Iterator[str]:
        alerts = self.score.alerts.filter(pl.col("indicator").is_in(list(row.indicators)))
        for verdict, colour in COLOURS.items():
            x = np.unique(self.axis.x(alerts.filter(verdict=verdict)["raised"].to_numpy()))
            if x.size:
                half = y + 1 if verdict == "true" else y + ROW // 2
                strokes = "".join(f"M{at:g} {half}v{ROW // 2 - 1}" for at in x.tolist())
                yield f'<path d="{strokes}" stroke="{colour}" stroke-width="1.2"/>'


def _number(value: float | None, unit: str = "") -> str:
    return "–" if value is None else f"{value:,.4g}{unit}"


def _text(x: float, y: float, text: str, size: int, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="#1f2328" {style}>{escape(text)}</text>'
