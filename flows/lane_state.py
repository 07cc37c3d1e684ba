"""A shard lane's state: the hot part as plain arrays for the snapshot, the cold part as rows on disk.

Hot: who the series are and what they said last, cases, counters, levels, clocks, and what is parked. Cold:
the readings of all slices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flows.batches import Strays
from flows.cold_store import ColdStore
from flows.pieces import Clock, PlacedCase
from flows.shard_lane import SeriesMap, ShardLane
from flows.snapshots import COSTS
from indicators.cases import CaseRow

VERSION = 1


def save(lane: ShardLane, cold: ColdStore, seq: int) -> dict[str, Any]:
    """The hot state; changed slices go to ``cold`` under ``seq`` first."""
    shard = lane.shard
    COSTS.cold += cold.write(seq, [store.ring for store in shard.stores])
    return {
        "version": VERSION,
        "seq": seq,
        "catalogue": lane.plan.catalogue.hash,
        "cells": shard.cells.code.copy(),
        "stores": {store.kind.code: store.state() for store in shard.stores if store.n},
        "cases": [
            (kind, row.case, row.cell, row.located, row.status, row.ts, row.severity)
            for kind, cases in enumerate(shard.cases)
            for row in cases.rows()
        ],
        "places": [np.fromiter(sorted(cases.places), np.int64) for cases in shard.cases],
        "counters": {key: counts.copy() for key, counts in shard.counters.slices.items()},
        "parked": lane.parked.state(),
        "corrections": lane.corrections.state(),
        "publisher": lane.publisher.state(),
        "strays": [(s.cell, s.ts, s.effective) for s in lane.strays],
        "placed": list(lane.cases),
        "series": {
            name: (s.metric.copy(), s.number.copy(), s.period.copy()) for name, s in lane.series.items()
        },
        "early": {metric: readings.state() for metric, readings in lane.early.items()},
        "birth": lane.births_state(),
        "closed": lane.closed,
        "begin": lane.begin,
        "judged_early": lane.judged_early,
        "clocks": {name: (c.maximum, c.limit) for name, c in lane.clocks.by_sender.items()},
    }


def load(lane: ShardLane, cold: ColdStore, state: dict[str, Any]) -> None:
    """Fill an empty lane from a hot state and its blobs.

    Raises:
        ValueError: the state is of another version or another catalogue.
        ColdStoreError: the slices on disk are damaged.
    """
    if state["version"] != VERSION:
        raise ValueError(
            f"lane state is of version {state['version']}, this engine reads {VERSION}; "
            f"start with an empty recovery folder"
        )
    if state["catalogue"] != lane.plan.catalogue.hash:
        raise ValueError(
            f"lane state belongs to catalogue {state['catalogue']}, this run has {lane.plan.catalogue.hash}; "
            f"give the same --catalogue, or an empty recovery folder"
        )
    shard = lane.shard
    shard.cells.restore(state["cells"])
    for code, columns in state["stores"].items():
        shard.store(code).restore(columns)
    cold.read(state["seq"], [store.ring for store in shard.stores])
    for kind, case, cell, located, status, ts, severity in state["cases"]:
        shard.cases[kind].put(CaseRow(case, cell, located, status, ts, severity))
    for cases, places in zip(shard.cases, state["places"], strict=True):
        cases.places.update(places.tolist())
    shard.counters.slices = {key: counts.copy() for key, counts in state["counters"].items()}
    lane.parked.restore(state["parked"])
    lane.corrections.restore(state["corrections"])
    lane.restore_publisher(state["publisher"])
    lane.strays = [Strays(*columns) for columns in state["strays"]]
    placed: list[PlacedCase] = state["placed"]
    lane.cases = list(placed)
    for name, (metric, number, period) in state["series"].items():
        lane.series[name] = SeriesMap(metric.copy(), number.copy(), period.copy())
    for metric, readings in state["early"].items():
        if metric in lane.early:
            lane.early[metric].restore(readings)
    lane.restore_births(state["birth"])
    lane.closed, lane.begin, lane.judged_early = state["closed"], state["begin"], state["judged_early"]
    for name, (maximum, limit) in state["clocks"].items():
        if name in lane.clocks.by_sender:
            lane.clocks.hear(name, Clock(maximum, limit))
