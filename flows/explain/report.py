"""Explanations of a replay: the shares of all lanes → one object per target, written to ``explain.json``."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flows.city import City
from flows.explain.record_names import record_names
from flows.explain.target import Target, local, targets_of
from flows.explain.watch import FOLDER, LaneShare, shares_of, since_of
from flows.inputs import Input
from geo.area_kinds import AreaKind
from indicators.evaluate import Evaluation
from indicators.explain import Branch, Explanation, Share, empty_share, explain
from indicators.layout import Cells
from indicators.shard import Shard

NAME = "explain.json"
"""The file of the explanations among the outputs."""

PUBLISHED = ("value", "level", "n", "coverage", "revision", "status")
"""What the row of ``indicators.parquet`` says."""


def explanations(
    city: City, targets: Sequence[Target], folder: Path, out: Path, inputs: Sequence[Input]
) -> list[dict[str, Any]]:
    """Explain all targets from the shares in ``folder`` and the table in ``out``.

    ``inputs`` are read once more for the ids of sensors and cases: lanes know them by a hash only.
    """
    shares = [shares_of(folder, number) for number in range(len(targets))]
    every = [share for found in shares for share in found]
    names = record_names(inputs, "readings", _keys(every, cases=False))
    names |= record_names(inputs, "events", _keys(every, cases=True))
    return [
        _object(city, target, found, names, _published(out, city, target))
        for target, found in zip(targets, shares, strict=True)
    ]


def explain_all(city: City, texts: Sequence[str], out: Path, inputs: Sequence[Input]) -> None:
    """Write ``explain.json`` of a replay that has come to its end, and clear what its lanes left for it."""
    since = since_of(out / FOLDER)
    targets = [replace(target, since=since) for target in targets_of(texts, city)]
    found = explanations(city, targets, out / FOLDER, out, inputs)
    text = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)
    (out / NAME).write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(out / FOLDER)


def _keys(shares: Iterable[LaneShare], *, cases: bool) -> set[int]:
    """The sensors or cases that contribute; the engine's own counters have no key."""
    every = (rows for share in shares for rows in share.share.rows)
    return {key for rows in every for key in rows.who[rows.case == cases].tolist() if key >= 0}


def _published(out: Path, city: City, target: Target) -> dict[str, Any] | None:
    """The row that the replay published."""
    end = datetime.fromtimestamp(target.at / 1000, UTC)
    found = (
        pl.scan_parquet(out / "indicators.parquet")
        .filter(
            pl.col("indicator") == target.plan(city).indicator.id,
            pl.col("area") == target.area,
            pl.col("kind") == target.kind.label,
            pl.col("window_end") == end,
        )
        .select(PUBLISHED)
        .collect()
    )
    return found.row(0, named=True) if len(found) else None


def _object(
    city: City,
    target: Target,
    shares: Sequence[LaneShare],
    names: Mapping[int, str],
    published: dict[str, Any] | None,
) -> dict[str, Any]:
    indicator = target.plan(city).indicator
    writer = _Writer(city, names)
    return {
        "indicator": indicator.id,
        "name_zh": indicator.entry.name_zh,
        "name_en": indicator.entry.name_en,
        "unit": indicator.entry.unit,
        "area": target.area,
        "kind": target.kind.label,
        "window_begin": local(target.at - indicator.window_ms, city),
        "window_end": local(target.at, city),
        "formula": indicator.formula.text.strip(),
        "published": published,
        **_explained(city, target, shares, writer),
    }


def _explained(city: City, target: Target, shares: Sequence[LaneShare], writer: _Writer) -> dict[str, Any]:
    """The trees of the area, or of the area it takes the value of; without records the value of nothing."""
    plan = target.plan(city)
    by_area: dict[int, list[LaneShare]] = {}
    for share in shares:
        by_area.setdefault(share.uid, []).append(share)
    settings = city.plan.catalogue.settings
    found = {
        uid: explain(plan, [own.share for own in parts], city.calendar, settings)
        for uid, parts in by_area.items()
    }
    if not found:
        found = {target.uid: explain(plan, [_nothing(city, target)], city.calendar, settings)}
    kind = target.member_kind(city)
    worst = max(found, key=lambda uid: _rank(found[uid]))
    greatest_of = None
    if kind is not target.kind and by_area:
        uids = sorted(found, key=lambda uid: -_rank(found[uid]))
        areas = city.areas.ids(kind, uids)
        values = [_plain(found[uid].tree.value) for uid in uids]
        greatest_of = [{"area": a, "value": v} for a, v in zip(areas, values, strict=True)]
    explanation = found[worst]
    return {
        "value": _plain(explanation.tree.value),
        "n": sum(int(e.judged.n[0, 0]) for e in found.values()),
        "tree": writer.branch(explanation.tree),
        "conditions": {key: writer.branch(tree) for key, tree in explanation.conditions.items()},
        "greatest_of": greatest_of,
    }


def _nothing(city: City, target: Target) -> Share:
    """The share of a place where there never was a record: no case is 0, no reading is no value."""
    cells = Cells(city.areas.locate, city.grid.tile)
    shard = Shard(city.plan, city.calendar, cells, since=target.since)
    return empty_share(Evaluation(target.plan(city), shard, np.array([target.at], np.int64)))


def _rank(explanation: Explanation) -> float:
    value = explanation.tree.value
    return -math.inf if math.isnan(value) else value


class _Writer:
    """Writes branches as plain objects; sensors, cases and cells by their ids."""

    def __init__(self, city: City, names: Mapping[int, str]) -> None:
        self.city = city
        self.names = names

    def branch(self, branch: Branch) -> dict[str, Any]:
        found: dict[str, Any] = {
            "text": branch.text,
            "name": branch.name or None,
            "function": branch.fn or None,
            "value": _plain(branch.value),
        }
        if branch.rows is not None:
            found["rows"] = self.rows(branch)
            found["silent"] = branch.rows.silent
        else:
            found["children"] = [self.branch(child) for child in branch.children]
        return found

    def rows(self, branch: Branch) -> list[dict[str, Any]]:
        rows, weights = branch.rows, branch.weights
        if rows is None or weights is None:
            return []
        cells = self.city.areas.ids(AreaKind.CELL, rows.cell)
        found = []
        for i, (key, cell) in enumerate(zip(rows.who.tolist(), cells, strict=True)):
            terms = {text: _plain(float(column[i])) for text, column in rows.terms.items()}
            own = {"value": _plain(float(rows.value[i])), "weight": _plain(float(weights[i]))}
            who = "case" if rows.case[i] else "sensor"
            row = {who: self.names.get(key), "cell": cell, **own, "terms": terms}
            found.append(row | {"counter": True} if key < 0 else row)
        return found


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
