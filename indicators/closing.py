"""Closing steps of the past: (store, instant) -> what a tier keeps when the readings go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import Window
from indicators.held import Held
from indicators.slices import Ints
from indicators.store import MetricStore
from indicators.tiers import COVERED, INTEGRAL, LAST, LAST_TS, Channel, Tier

_NO_READING = -1
"""Where a step holds a value from before, but has no reading."""


def close_steps(store: MetricStore, until: int) -> None:
    """Close the steps that end by an instant; no record to come may lie in them."""
    tier = store.ring.tier
    if tier is None or not store.n:
        return
    last = (until - tier.origin) // tier.length
    size = tier.length // store.ring.length
    if tier.until is None:
        tier.until = min(-(-min(store.ring.slices, default=last * size + 1) // size) - 1, last)
    for k in range(tier.until + 1, last + 1):
        tier.put(k, *_sums(store, tier, k))


def _sums(store: MetricStore, tier: Tier, k: int) -> tuple[Ints, dict[Channel, Ints]]:
    size = tier.length // store.ring.length
    low, high = (k - 1) * size, k * size
    columns = {
        channel: store.ring.total(channel, low, high, store.n)
        for channel in tier.channels
        if channel not in {LAST_TS, LAST, INTEGRAL, COVERED}
    }
    some = columns["count"] > 0
    if LAST in tier.place:
        columns |= _last(store, tier, k, (low, high))
    if INTEGRAL in tier.place:
        columns |= _held(store, tier, k)
        some |= columns[COVERED] > 0
    who = np.flatnonzero(some)
    return who, {channel: column[who] for channel, column in columns.items()}


def _last(store: MetricStore, tier: Tier, k: int, slices: tuple[int, int]) -> dict[Channel, Ints]:
    ts, value = np.full(store.n, _NO_READING, np.int64), np.zeros(store.n, np.int64)
    for number in range(slices[0] + 1, slices[1] + 1):
        part = store.ring.slices.get(number)
        if part is not None:
            who, at, found = part.last()
            ts[who], value[who] = tier.end(k) - at, found
    return {LAST_TS: ts, LAST: value}


def _held(store: MetricStore, tier: Tier, k: int) -> dict[Channel, Ints]:
    window = Window(store, np.array([tier.end(k)]), tier.length)
    held = Held.of(window)
    integral, covered = np.zeros(store.n, np.int64), np.zeros(store.n, np.int64)
    whole: NDArray[np.int64] = np.rint(held.packed.value * store.kind.scale).astype(np.int64)
    integral[held.packed.who], covered[held.packed.who] = held.sum(whole), held.covered()
    return {INTEGRAL: integral, COVERED: covered}
