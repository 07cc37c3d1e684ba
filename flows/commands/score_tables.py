"""A score for reading: by scenario, by indicator of false alerts, and the events that were missed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
from rich.markup import escape
from rich.table import Table

from sim.scoring.files import TruthEvent
from sim.scoring.matches import NEVER
from sim.scoring.score import Part, Score

SHOWN = 15
"""Rows at most of the tables of false alerts and missed events."""


def score_tables(
    events: Sequence[TruthEvent], score: Score, names: Mapping[str, str], tz: str
) -> Iterator[Table | str]:
    """Tables and lines of a score.

    Args:
        events: as they were scored.
        score: their score.
        names: scenario or indicator id → Chinese name.
        tz: zone of the times shown.
    """
    yield _by_scenario(score, names)
    rate = "-" if score.false_rate is None else f"{score.false_rate:,.4g}"
    yield (
        f"告警 alerts {score.alerts.height:,}: 命中 true {score.count('true'):,}, "
        f"相关 related {score.count('related'):,}, 误报 false {score.count('false'):,}; "
        f"每千网格每日误报 false per 1,000 cells and day {rate}"
    )
    if score.count("false"):
        yield _false_by_indicator(score, names)
    missed = [event for event, at in zip(events, score.found_ms.tolist(), strict=True) if at == NEVER]
    if missed:
        yield _missed(missed, names, tz)


def _by_scenario(score: Score, names: Mapping[str, str]) -> Table:
    table = Table("场景\nscenario", "事件\nevents", "检出\nfound", "召回率\nrecall", "精确率\nprecision")
    table.add_column("检出秒数中位\nmedian s to detect")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, part in score.by_scenario.items():
        table.add_row(*_cells(_named(name, names), part))
    table.add_section()
    table.add_row(*_cells("合计 all", score.total))
    return table


def _named(name: str, names: Mapping[str, str]) -> str:
    return escape(f"{names[name]}\n{name}" if names.get(name) else name)


def _cells(name: str, part: Part) -> Iterator[str]:
    yield from (name, f"{part.events:,}", f"{part.found:,}")
    for value in (part.recall, part.precision):
        yield "-" if value is None else f"{value:.3f}"
    yield "-" if part.median_seconds is None else f"{part.median_seconds:,.0f}"


def _false_by_indicator(score: Score, names: Mapping[str, str]) -> Table:
    table = Table("误报指标\nfalse alerts of", "网格\ncells", "区域\nareas", "合计\nall")
    for column in table.columns[1:]:
        column.justify = "right"
    of_cell = pl.col("kind") == "cell"
    counts = score.alerts.filter(verdict="false").group_by("indicator")
    rows = counts.agg(cells=of_cell.sum(), areas=(~of_cell).sum(), all=pl.len())
    rows = rows.sort(["all", "indicator"], descending=[True, False])
    for name, cells, areas, all_ in rows.head(SHOWN).iter_rows():
        table.add_row(_named(name, names), f"{cells:,}", f"{areas:,}", f"{all_:,}")
    if rows.height > SHOWN:
        table.caption = f"{rows.height - SHOWN} more 其余从略"
    return table


def _missed(missed: Sequence[TruthEvent], names: Mapping[str, str], tz: str) -> Table:
    table = Table("漏报事件\nmissed event", "场景\nscenario", "起止\nfrom, to", "指标\nindicators")
    for event in missed[:SHOWN]:
        times = (
            datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(tz)) for ms in (event.start, event.end)
        )
        table.add_row(
            escape(event.event_id),
            _named(event.scenario, names),
            "\n".join(f"{time:%Y-%m-%d %H:%M:%S}" for time in times),
            escape("\n".join(event.indicators)),
        )
    if len(missed) > SHOWN:
        table.caption = f"{len(missed) - SHOWN} more 其余从略"
    return table
