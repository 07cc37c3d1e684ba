"""The demo on a terminal: `DemoState` → tables of rich, Chinese first.

Levels have the colours of the warning signals: blue, yellow, orange, red.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flows.commands.unit_text import with_unit
from flows.demo.departments import Deed
from flows.demo.state import DemoState, Place
from indicators.indicator import Indicator

LEVELS = ("正常", "蓝", "黄", "橙", "红")
STYLES = ("dim", "bold blue", "bold yellow", "bold dark_orange", "bold red")
THEMES = {
    "urban_governance": "城市治理 governance",
    "emergency": "应急 emergency",
    "livelihood": "民生 livelihood",
}
STATUS = {
    "raised": "已告警",
    "dispatched": "已派遣",
    "acknowledged": "已签收",
    "arrived": "已到场",
    "resolved": "已处置",
    "verified": "已核查",
    "closed": "已办结",
}
DEEDS = {
    "dispatch": "接单 takes",
    "acknowledge": "签收 acknowledges",
    "arrive": "到场 arrives",
    "resolve": "处置 resolves",
    "verify": "核查通过 verifies",
    "reject": "退回返工 sends back",
    "close": "办结 closes",
}
_ROWS = 15


@dataclass(frozen=True, slots=True)
class DemoView:
    """How states are shown: names of areas and indicators, the zone of the city, its pace."""

    indicators: Mapping[str, Indicator]
    names: Mapping[str, str]
    zone: ZoneInfo
    speed: float

    def screen(self, state: DemoState, deeds: Iterable[Deed], left: str) -> RenderableType:
        """The whole screen."""
        screen = Layout()
        screen.split_column(
            Layout(self.head(state, left), size=3), Layout(name="upper"), Layout(name="lower")
        )
        screen["upper"].split_row(
            Layout(Panel(self.themes(state), title="全市指标 themes")),
            Layout(Panel(self.cells(state), title="最差网格 worst cells")),
            Layout(Panel(self.districts(state), title="各区 districts"), ratio=1),
        )
        screen["lower"].split_row(
            Layout(Panel(self.incidents(state), title=f"未结事件 open incidents: {state.open}"), ratio=3),
            Layout(Panel(self.queue(state, deeds), title="处置队列 queue"), ratio=2),
        )
        return screen

    def head(self, state: DemoState, left: str) -> RenderableType:
        """One line: the city's time, how fast, how far behind."""
        line = Text.assemble(
            ("一网 Yiwang  ", "bold"),
            f"{self.time(state.watermark)}  ×{self.speed:g}   ",
            f"{state.rate:,.0f} readings/s   滞后 lag {state.lag:,.0f} s   ",
            f"{state.counts.get('yiwang_readings_total', 0):,.0f} readings   ",
            f"拒收 rejected {state.counts.get('yiwang_rejected_total', 0):,.0f}   {left}",
        )
        return Panel(line)

    def themes(self, state: DemoState) -> Table:
        """Per theme how many of the city's indicators have which level, and the worst of them."""
        table = Table.grid(padding=(0, 1))
        for theme, title in THEMES.items():
            own = [p for p in state.city if self.indicators[p.indicator].entry.theme == theme]
            table.add_row(Text(title, "bold"), _tally(p.value.l for p in own))
            for place in [p for p in own if p.value.l][:2]:
                table.add_row("  " + self.short(place.indicator), self.figure(place))
        return table

    def cells(self, state: DemoState) -> Table:
        """The worst cells."""
        table = Table.grid(padding=(0, 1))
        for place in state.cells:
            table.add_row(place.area, self.short(place.indicator), self.figure(place))
        return table

    def districts(self, state: DemoState) -> Table:
        """Of every district, how many indicators have which level; the worst first."""
        table = Table.grid(padding=(0, 1))
        worst = sorted(state.districts.items(), key=lambda item: item[1][::-1], reverse=True)
        for name, levels in worst[: _ROWS + 2]:
            counted = Text(" ").join(
                Text(f"{LEVELS[level]}{n}", STYLES[level]) for level, n in enumerate(levels) if level and n
            )
            table.add_row(self.area(name), counted or Text("-", "dim"))
        return table

    def incidents(self, state: DemoState) -> Table:
        """Open incidents, the most urgent first."""
        table = Table.grid(padding=(0, 1))
        for one in state.incidents:
            level = int(one.get("level", 0))
            table.add_row(
                Text(LEVELS[level], STYLES[level]),
                escape(one.get("name_zh", "")),
                escape(self.area(one.get("area", ""))),
                STATUS.get(one.get("status", ""), ""),
                escape(one.get("department", "")),
                f"{self.time(int(one.get('raised_ts') or 0), short=True)}",
            )
        return table

    def queue(self, state: DemoState, deeds: Iterable[Deed]) -> RenderableType:
        """How many tickets wait or are in hand, and what was done last."""
        waiting = sum(one.state == "waiting" for one in state.queue)
        head = f"待接 waiting {waiting}   在办 taken {len(state.queue) - waiting}"
        table = Table.grid(padding=(0, 1))
        for deed in list(deeds)[-_ROWS:]:
            table.add_row(
                self.time(deed.ts, short=True),
                escape(deed.actor),
                DEEDS.get(deed.action, deed.action),
                self.short(deed.entry.indicator),
            )
        return Group(head, table)

    def line(self, state: DemoState, done: Mapping[str, int]) -> str:
        """The same in one line, for a log."""
        raised = [p for p in state.city[:3] if p.value.l]
        worst = ", ".join(f"{self.short(p.indicator)} {LEVELS[p.value.l]}" for p in raised)
        return (
            f"{self.time(state.watermark)}  "
            f"读数 readings {state.counts.get('yiwang_readings_total', 0):,.0f} ({state.rate:,.0f}/s)  "
            f"滞后 lag {state.lag:,.0f} s  未结 open {state.open}  接单 taken {done.get('dispatch', 0)}  "
            f"办结 closed {done.get('close', 0)}  全市 city: {worst or '-'}"
        )

    def short(self, indicator: str) -> str:
        """The Chinese name of an indicator."""
        known = self.indicators.get(indicator)
        return escape(known.entry.name_zh if known else indicator)

    def area(self, area: str) -> str:
        """The name of an area, or its id."""
        return self.names.get(area, area)

    def figure(self, place: Place) -> Text:
        """A value with its unit in the colour of its level."""
        unit = self.indicators[place.indicator].entry.unit
        number = "-" if place.value.v is None else f"{place.value.v:,.4g}"
        return Text(with_unit(number, unit), STYLES[place.value.l])

    def time(self, ms: int, *, short: bool = False) -> str:
        """A moment in the city's zone."""
        if not ms:
            return "--:--"
        moment = datetime.fromtimestamp(ms / 1000, self.zone)
        return f"{moment:%H:%M}" if short else f"{moment:%Y-%m-%d %H:%M}"


def _tally(levels: Iterable[int]) -> Text:
    counts = [0] * 5
    for level in levels:
        counts[level] += 1
    shown = (Text(f"{LEVELS[level]} {n}", STYLES[level]) for level, n in enumerate(counts) if n)
    return Text("  ").join(shown)
