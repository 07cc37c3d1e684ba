"""What the demo says before and after: where to look, and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table

from alerts.life_cycle import STATUSES
from flows.commands.program_name import program
from flows.demo.stage import Stage
from flows.demo.view import DEEDS, LEVELS, STATUS
from flows.demo.worst_areas import worst_table
from indicators.indicator import Indicator
from sinks.history_reader import whole

_SHOWN_FROM = 2
"""Yellow: what was worst is told from this level on."""

_IN_A_ROW = 3
"""Statuses in a row, so that a terminal of 80 columns breaks none."""

_COUNTS = {
    "readings": "读数",
    "events": "案件",
    "feedback": "回报",
    "duplicates": "重复",
    "late": "迟到",
}


class _Line(msgspec.Struct):
    """What the report needs of a line of ``incidents.jsonl``."""

    incident_id: str
    seq: int
    status: str
    peak_level: int


def areas_of(path: Path) -> tuple[dict[str, str], str]:
    """Area id → Chinese name, and the id of the city, from the areas' file."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    found = [feature["properties"] for feature in features]
    names = {p["id"]: p["name_zh"] for p in found}
    city = (path.parent / "city.toml").read_text(encoding="utf-8").split('id = "', 1)[1].split('"', 1)[0]
    return names, city


def where_to_look(stage: Stage) -> str:
    """Where a visitor finds what, while the demo runs."""
    speed = stage.options.speed
    lines = [
        f"time     ×{speed:g}: 此处 1 秒为城市 {speed:g} 秒，滞后亦然 1 s here is {speed:g} s there",
        f"files    {stage.options.folder}",
        f"metrics  {stage.metrics}",
    ]
    if stage.redis is None:
        lines += ["redis    none: there is no queue and no department in this demo", f"         {stage.why}"]
    else:
        port = stage.redis.split(":")[2].split("/")[0]
        lines += [
            f"redis    redis-cli -p {port} HGETALL yw:meta",
            f"queue    {program()} dispatch list --redis {stage.redis}",
        ]
    return "\n".join(lines)


def report(
    stage: Stage,
    done: Mapping[str, int],
    names: Mapping[str, str],
    indicators: Sequence[Indicator],
    tz: str,
) -> RenderableType:
    """What came of the demo, and which commands tell more."""
    folder = stage.options.folder
    rows = whole(folder / "history")
    out, city = folder / "out", folder / "city"
    return Group(
        worst_table(rows.filter(rows["level"] >= _SHOWN_FROM), indicators, names, tz),
        _figures(stage, done),
        "\n更多 more:",
        f"  {program()} history drainage.ponding_depth_max 420100 \\\n"
        f"      --history {folder / 'history'} --last 2h",
        f"  {program()} score --alerts {out / 'alerts.jsonl'} \\\n"
        f"      --truth {city / 'truth.jsonl'} \\\n"
        f"      --areas {city / 'areas.geojson'}",
    )


def _figures(stage: Stage, done: Mapping[str, int]) -> Table:
    table = Table.grid(padding=(0, 2))
    totals = stage.summary()
    for name, name_zh in _COUNTS.items():
        table.add_row(f"{name_zh} {name}", f"{totals.get(name, 0):,}")
    rejected = totals.get("rejected", {})
    table.add_row("拒收 rejected", ", ".join(f"{reason} {n:,}" for reason, n in rejected.items()) or "0")
    incidents = last_lines(stage.options.folder / "out" / "incidents.jsonl")
    by_status = Counter(one.status for one in incidents)
    by_level = Counter(one.peak_level for one in incidents)
    table.add_row("事件 incidents", f"{len(incidents)}")
    shown = [f"{STATUS[status]} {status} {by_status[status]}" for status in STATUSES if by_status[status]]
    for begin in range(0, len(shown), _IN_A_ROW):
        table.add_row("", "  ".join(shown[begin : begin + _IN_A_ROW]))
    table.add_row("", "  ".join(f"{LEVELS[level]} {by_level[level]}" for level in (4, 3, 2, 1)))
    acts = [f"{DEEDS[act].split()[0]} {act} {done[act]}" for act in DEEDS if done.get(act)] or ["-"]
    for begin in range(0, len(acts), _IN_A_ROW):
        table.add_row("" if begin else "工单 tickets", "  ".join(acts[begin : begin + _IN_A_ROW]))
    return table


def last_lines(path: Path) -> list[_Line]:
    """The last state of every incident in a file of changes; an unfinished last line is left out.

    A demo that ends before its first alert has no such file, and no incident.
    """
    if not path.exists():
        return []
    decode = msgspec.json.Decoder(_Line).decode
    found: dict[str, _Line] = {}
    for text in path.read_bytes().split(b"\n")[:-1]:
        one = decode(text)
        if one.incident_id not in found or one.seq >= found[one.incident_id].seq:
            found[one.incident_id] = one
    return list(found.values())
