"""A shard lane's state: the hot part as plain arrays for the snapshot, the cold part as rows on disk.

Hot: who the series are and what they said last, cases, counters, levels, clocks, and late records that are
parked. Cold: the readings of all slices, and bundles of those that have not taken effect.
"""

from __future__ import annotations

from typing import Any

from flows.pieces import Clock
from flows.recovery.cold_store import ColdStore, Shelf
from flows.recovery.snapshots import COSTS
from flows.stages.shard_lane import ShardLane
from indicators.shard import Shard
from indicators.slice_ring import SliceRing

VERSION = 4
_PARKED = -1
"""The shelf of the readings that are parked."""


def save(lane: ShardLane, cold: ColdStore, seq: int) -> dict[str, Any]:
    """The hot state; changed slices go to ``cold`` under ``seq`` first."""
    shard = lane.shard
    lane.intake.parked.bundle()
    COSTS.cold += cold.write(seq, shelves(lane))
    return {
        "version": VERSION,
        "seq": seq,
        "catalogue": lane.city.beginning.catalogue.hash,
        "change": lane.change,
        "ahead": list(lane.ahead),
        "begun": dict(lane.late.begun),
        "stocks": shard.stocks,
        "cells": shard.cells.code.copy(),
        "stores": {store.kind.code: store.state() for store in shard.stores if store.n},
        "further": {key: store.state() for key, store in shard.further.items()},
        "slices": sum(len(shelf.kept) for shelf in shelves(lane).values()),
        "cases": [cases.state() for cases in shard.cases],
        "counters": {key: counts.copy() for key, counts in shard.counters.slices.items()},
        "intake": lane.intake.state(),
        "early": lane.early.state(),
        "publisher": lane.publisher.state(),
        "closed": lane.closed,
        "introduced": [] if lane.sensing is None else list(lane.sensing.new),
        "begin": lane.begin,
        "since": shard.since,
        "clocks": {name: (c.maximum, c.limit) for name, c in lane.clocks.by_sender.items()},
    }


def write_ahead(lane: ShardLane, cold: ColdStore, seq: int) -> None:
    """Begin to write changed slices of readings, for the hot state that will be saved under ``seq``."""
    cold.ahead(
        seq, {number: shelf for number, shelf in shelves(lane).items() if isinstance(shelf, SliceRing)}
    )


def shelves(lane: ShardLane) -> dict[int, Shelf]:
    """What of a lane goes to disk, by lasting numbers: slices and closed steps of stores, what is parked."""
    shard = lane.shard
    width = len(shard.stores)
    stores = {(metric, 0): store for metric, store in enumerate(shard.stores)} | shard.further
    found: dict[int, Shelf] = {_PARKED: lane.intake.parked}
    for (metric, stock), store in stores.items():
        found[2 * width * stock + metric] = store.ring
        if store.ring.tier is not None:
            found[2 * width * stock + width + metric] = store.ring.tier
    return found


def load(lane: ShardLane, cold: ColdStore, state: dict[str, Any]) -> None:
    """Fill an empty lane from a hot state and its slices.

    Raises:
        ValueError: the state is of another version or another catalogue.
        ColdStoreError: slices on disk are damaged or missing.
    """
    _check(lane, state)
    lane.shard.since = state["since"]
    if state["change"] is not None:
        lane.renew(state["change"], state["stocks"], dict(state["begun"]))
    lane.ahead = list(state["ahead"])
    _load_shard(lane.shard, state)
    cold.refill(state["seq"], shelves(lane), state["slices"], "slices")
    lane.intake.restore(state["intake"])
    lane.early.restore(state["early"])
    lane.restore_publisher(state["publisher"])
    lane.closed, lane.begin = state["closed"], state["begin"]
    if lane.sensing is not None:
        lane.sensing.new = list(state.get("introduced", []))
    for name, (maximum, limit) in state["clocks"].items():
        lane.clocks.hear(name, Clock(maximum, limit))


def _check(lane: ShardLane, state: dict[str, Any]) -> None:
    if state["version"] != VERSION:
        raise ValueError(
            f"lane state is of version {state['version']}, this engine reads {VERSION}; "
            f"start with an empty recovery folder"
        )
    begun = lane.city.beginning.catalogue.hash
    if state["catalogue"] != begun:
        raise ValueError(
            f"lane state belongs to catalogue {state['catalogue']}, this run has {begun}; "
            f"give the same --catalogue, or an empty recovery folder"
        )


def _load_shard(shard: Shard, state: dict[str, Any]) -> None:
    shard.cells.restore(state["cells"])
    for code, columns in state["stores"].items():
        shard.store(code).restore(columns)
    for key, columns in state["further"].items():
        shard.further[key].restore(columns)
    for cases, columns in zip(shard.cases, state["cases"], strict=True):
        cases.restore(columns)
    shard.counters.slices = dict(state["counters"])
