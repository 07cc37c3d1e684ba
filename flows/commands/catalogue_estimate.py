"""What checked indicators will need and cost beside the shipped ones, as rows to print or to encode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.admission.registry import read_registry
from flows.commands.catalogue_options import Language
from indicators.catalogue import Catalogue
from indicators.cost import Cost, CostModel, SeriesCount, cost, cost_model
from indicators.durations import text as duration_text
from indicators.indicator import Indicator
from indicators.metrics import Metrics
from indicators.needs import Need, needs
from indicators.plan import Plan

CASES = 100
"""Cases of every event type that costs are told for."""

WORDS = {
    Language.en: {
        "at_once": "{text}: looks back {reach}, {kept} are kept: values at once",
        "warm": "{text}: looks back {reach}, {kept} are kept: complete after {warm}",
        "cost": "{series:,} series, {slices:,} slices, {bytes} more, {us:,.0f} µs a window, every {hop}",
        "assumed": "for {series:,} series of every metric; --sensors counts those of a registry",
        "counted": "for the series of {path}",
        "model": "µs: model measured {measured} on {formulas} shipped formulas ({machine}) by "
        "benchmarks/catalogue_cost.py; median error {median:.0%}, 9 of 10 within {worst:.0%}",
    },
    Language.zh: {
        "at_once": "{text}：回看 {reach}，已保留 {kept}：立即有值",
        "warm": "{text}：回看 {reach}，已保留 {kept}：{warm} 后完整",
        "cost": "{series:,} 个序列，{slices:,} 个切片，新增 {bytes}，每个窗口 {us:,.0f} µs，每 {hop} 一次",
        "assumed": "按每个指标项 {series:,} 个序列估算；--sensors 可按传感器登记表计数",
        "counted": "按 {path} 中的序列计数",
        "model": "µs：模型于 {measured} 由 benchmarks/catalogue_cost.py 在 {formulas} 个内置公式上标定"
        "（{machine}）；中位误差 {median:.0%}，九成在 {worst:.0%} 以内",
    },
}


def series_count(sensors: Path | None, assumed: int) -> SeriesCount:
    """How many series a metric has: those a registry names, or as many as are assumed.

    Raises:
        ValueError: the registry cannot be read.
    """
    if sensors is None:
        metrics = Metrics.load()
        return lambda code: CASES if code in metrics.event_index else assumed
    registry, _ = read_registry(sensors, "Asia/Shanghai")
    counts = Counter(registry.metric.to_list())
    return lambda code: counts.get(code, CASES if code in Metrics.load().event_index else 0)


def estimates(indicators: Sequence[Indicator], count: SeriesCount) -> list[dict[str, Any]]:
    """Needs and cost of every indicator beside the shipped catalogue, one object each."""
    metrics, shipped = Metrics.load(), Catalogue.load()
    running = Plan(shipped, metrics)
    merged = {i.id: i for i in (*shipped.indicators, *indicators)}
    own = Plan(Catalogue(tuple(merged[key] for key in sorted(merged)), "", ""), metrics)
    wanted = {i.id for i in indicators}
    return [
        {
            "indicator": of.indicator.id,
            "needs": [_need(need) for need in needs(of, running)],
            **_cost(cost(of, own, running, count)),
            "hop_ms": of.indicator.hop_ms,
        }
        for of in own.indicators
        if of.indicator.id in wanted
    ]


def _need(need: Need) -> dict[str, Any]:
    return {
        "text": need.text,
        "code": need.code,
        "reach_ms": need.reach_ms,
        "kept_ms": need.kept_ms,
        "at_once": need.at_once,
        "warm_ms": need.warm_ms,
    }


def _cost(found: Cost) -> dict[str, Any]:
    return {
        "series": found.series,
        "slices": found.slices,
        "bytes": found.bytes,
        "microseconds": round(found.microseconds, 1),
    }


def estimate_lines(found: Sequence[dict[str, Any]], lang: Language) -> list[str]:
    """Estimates for reading, and how the model was measured."""
    words, lines = WORDS[lang], []
    for row in found:
        lines.append(row["indicator"])
        for need in row["needs"]:
            told = words["at_once" if need["at_once"] else "warm"]
            spans = {name: _span(need[f"{name}_ms"]) for name in ("reach", "kept", "warm")}
            lines.append("  " + told.format(text=need["text"], **spans))
        lines.append(
            "  "
            + words["cost"].format(
                series=row["series"],
                slices=row["slices"],
                bytes=_size(row["bytes"]),
                us=row["microseconds"],
                hop=_span(row["hop_ms"]),
            )
        )
    return [*lines, _model(cost_model(), lang)] if found else lines


def assumption(sensors: Path | None, assumed: int, lang: Language) -> str:
    """For how many series the costs are told."""
    if sensors is None:
        return WORDS[lang]["assumed"].format(series=assumed)
    return WORDS[lang]["counted"].format(path=sensors)


def _model(model: CostModel, lang: Language) -> str:
    return WORDS[lang]["model"].format(
        measured=model.measured,
        formulas=model.formulas,
        machine=model.machine,
        median=model.median_error,
        worst=model.worst_error,
    )


def _span(ms: int) -> str:
    """A length of time, in whole hours or days where it is long."""
    if ms <= 0:
        return "0s"
    day, hour = 86_400_000, 3_600_000
    if ms > 2 * day and ms % day:
        return f"{ms / day:.1f}d"
    return duration_text(ms if ms < hour else max(ms // hour, 1) * hour) if ms % 1000 == 0 else f"{ms} ms"


def _size(count: float) -> str:
    """Bytes for reading.

    >>> _size(2_500_000), _size(12)
    ('2.5 MB', '12 B')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"
