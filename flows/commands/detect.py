"""``yiwang detect``: how unusual each row of a recorded series is, told from the rows before it alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Never

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from flows.detect.series import ScoredRows
    from flows.detect.table import RecordedSeries

EPILOG = """Examples:

  yiwang detect flow.csv --out scores.csv

  yiwang detect flow.csv --time ts --column flow_m3h --step 5m --out scores.csv --plot scores.svg

  yiwang detect district.csv --holidays cn --budget 1 --out scores.csv --json

The output has one row per input row: timestamp, value, score, p, kind. A score of 0.5 is one window in a \
thousand, 1 one in a million; p is how often the series itself shows as much. Rows are scored in order, each \
from those before it; a score never changes afterwards."""

_CHUNK = 2_000
_SHOWN = 20
_PICTURES = (".svg", ".png")


def detect(
    table: Annotated[Path, typer.Argument(metavar="CSV", help="A series: a header, a row per reading.")],
    out: Annotated[Path, typer.Option(metavar="F", help="CSV that is written.", show_default=False)],
    time: Annotated[str, typer.Option(metavar="NAME", help="Column of the times.")] = "timestamp",
    column: Annotated[str, typer.Option(metavar="NAME", help="Column of the values.")] = "value",
    step: Annotated[
        str | None,
        typer.Option(metavar="S", help="Time between rows, seconds or like 5m; default: of the first rows."),
    ] = None,
    tz: Annotated[
        str, typer.Option(metavar="ZONE", help="Local clock of times that have a zone.")
    ] = "Asia/Shanghai",
    holidays: Annotated[
        str, typer.Option(metavar="none|cn", help="Whose public holidays are like Sundays.")
    ] = "none",
    budget: Annotated[
        float, typer.Option(metavar="N", help="False alarms per 1,000 series and day.", min=1e-6)
    ] = 10.0,
    plot: Annotated[
        Path | None, typer.Option(metavar="F.svg|png", help="Also draw series, band, score and alarms.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON alone.")] = False,
) -> None:
    """Score a recorded series for anomalies, online: no row is judged by what comes after it."""
    from flows.commands.replay import existing, zone
    from flows.detect.series import SeriesScorer
    from flows.detect.table import TableError, read_series, written

    existing(table, "csv")
    zone(tz)
    if plot and plot.suffix not in _PICTURES:
        _misused("plot", f"found {plot.name!r}; give a name that ends in .svg or .png")
    scorer = SeriesScorer(_step_ms(step), budget)
    clock = _clock(tz, holidays)
    try:
        series = read_series(table, time, column, tz)
    except TableError as error:
        _fail(str(error))
    if series.unread:
        _tell(f"{series.unread} values are no numbers; they are taken as missing")
    scores = _scores(scorer, series, clock.of_local(series.local))
    try:
        written(series, scores).write_csv(out)
        if plot:
            _draw(plot, series, scores, f"{table.name}: {column}")
    except OSError as error:
        _fail(f"cannot write: {error}")
    _report(series, scores, scorer.step_ms, as_json=as_json)


def _step_ms(text: str | None) -> float | None:
    from indicators.durations import milliseconds

    if text is None:
        return None
    try:
        found = float(text) * 1000 if text.replace(".", "", 1).isdigit() else float(milliseconds(text))
    except ValueError:
        found = 0.0
    if not found > 0:
        _misused("step", f"found {text!r}; give seconds such as 300, or a duration such as 5m")
    return found


def _clock(tz: str, holidays: str) -> Any:  # noqa: ANN401 - imported late
    from indicators.hour_of_week import HourOfWeek
    from sim.working_days import WORKDAY, day_kind

    if holidays not in {"none", "cn"}:
        _misused("holidays", f"found {holidays!r}; give none or cn")
    return HourOfWeek(tz, (lambda day: day_kind(day) == WORKDAY) if holidays == "cn" else None)


def _scores(scorer: Any, series: RecordedSeries, slots: Any) -> ScoredRows:  # noqa: ANN401 - imported late
    from flows.detect.series import ScoredRows

    stamps, values = series.stamps, series.values
    begins = range(0, len(series), _CHUNK)
    shown = track(begins, "scoring", console=Console(stderr=True), transient=True, disable=len(begins) < 3)
    parts = [scorer.score(*(x[begin : begin + _CHUNK] for x in (stamps, values, slots))) for begin in shown]
    return ScoredRows.joined(parts)


def _draw(to: Path, series: RecordedSeries, scores: ScoredRows, title: str) -> None:
    from flows.detect.plot import draw

    draw(to, series, scores, title)


def _report(series: RecordedSeries, scores: ScoredRows, step_ms: float | None, *, as_json: bool) -> None:
    import numpy as np

    from flows.detect.table import written
    from indicators.detector_kinds import NAMES_ZH, Kind

    alarms = written(series, scores).filter(scores.alarm)
    kinds = Counter(Kind(k).name.lower() for k in scores.kind.tolist())
    if as_json:
        found = {
            "rows": len(series),
            "missing": int(np.isnan(series.values).sum()),
            "step_seconds": None if step_ms is None else step_ms / 1000,
            "kinds": dict(sorted(kinds.items())),
            "alarms": alarms.rows(named=True),
        }
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    shown = Table(
        "time 时间", "value 数值", "score 得分", "p", "kind 类型", title=_headline(alarms.height, len(series))
    )
    for time, value, score, p, kind in alarms.tail(_SHOWN).iter_rows():
        shown.add_row(time, value, f"{score:.3f}", f"{p:.3g}", f"{kind} {NAMES_ZH[Kind[kind.upper()]]}")
    Console().print(shown)


def _headline(alarms: int, rows: int) -> str:
    last = f", the last {_SHOWN}" if alarms > _SHOWN else ""
    return f"{alarms} alarms 告警 in {rows:,} rows{last}"


def _tell(message: str) -> None:
    Console(stderr=True).print(message, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _fail(message: str) -> Never:
    Console(stderr=True).print(
        f"Error: {message}", style="red", markup=False, highlight=False, soft_wrap=True
    )
    raise typer.Exit(1)


def _misused(option: str, message: str) -> Never:
    raise typer.BadParameter(message, param_hint=f"--{option}")
