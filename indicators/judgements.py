"""What a judge of sensors says: event, fault or unclear; which fault, since when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class What(IntEnum):
    """What a suspect was judged to be."""

    NOTHING = 0
    UNCLEAR = 1
    EVENT = 2
    FAULT = 3


class FaultKind(IntEnum):
    """What is wrong with a sensor."""

    NONE = 0
    STUCK = 1
    SILENT = 2
    SPIKE = 3
    DRIFT = 4
    NOISE = 5


NAMES_ZH = {
    FaultKind.NONE: "无",
    FaultKind.STUCK: "卡死",
    FaultKind.SILENT: "失联",
    FaultKind.SPIKE: "尖峰",
    FaultKind.DRIFT: "漂移",
    FaultKind.NOISE: "噪声",
}
"""The kinds as people read them."""

NAMES_EN = {kind: kind.name.lower() for kind in FaultKind}
WHAT_ZH = {What.NOTHING: "无", What.UNCLEAR: "待定", What.EVENT: "事件", What.FAULT: "故障"}


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """When a judge speaks; times in ms.

    ``together``: moves of neighbours this far apart belong together. ``spikes`` isolated ones in a day are a
    fault. ``drift``: smoothed distance to the baseline, standard deviations; ``agreeing``: that many others
    of the tile must be ``near`` theirs. ``noise``: how long it must last. ``calm``: readings a sensor must
    agree with itself before its fault is lifted, ``alive`` those of one that was stuck or silent. ``stuck``:
    probability of so many equal readings, by the sensor's own past.
    ``forget``: a suspect is none any more after so long without anything unusual.
    """

    together: int = 3_600_000
    spikes: int = 3
    drift: float = 3.0
    near: float = 1.2
    agreeing: int = 2
    noise: int = 3_600_000
    stuck: float = 1e-6
    calm: int = 12
    alive: int = 3
    forget: int = 3_600_000


@dataclass(frozen=True, slots=True)
class Judgements:
    """What changed at a step, a row each, by series.

    ``series`` int64; ``what`` uint8 (:class:`What`), ``kind`` uint8 (:class:`FaultKind`; of what is no
    fault, or not yet, the one it looks like, 0 for none);
    ``since`` int64 event time at which it began, ms; ``lifted`` bool: a fault ends with this row (``what``
    and ``kind`` say what it was), readings from ``until`` on are good again (-1 while it lasts). The
    evidence: ``neighbours`` int64 other sensors of the metric in the tile, ``calm`` those of them, and of
    related metrics, that stay near their baselines; ``witness`` int64 the device that moved too, -1 for none;
    ``rule`` int64 the number of the rule that counted, -1 for none; ``measure`` float64: of stuck and silent
    hours, of spikes how many, of noise usual steps, else standard deviations from the baseline.
    """

    series: Ints
    what: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    since: Ints
    lifted: NDArray[np.bool_]
    until: Ints
    neighbours: Ints
    calm: Ints
    witness: Ints
    rule: Ints
    measure: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.series.size)
