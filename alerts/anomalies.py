"""Anomalies: what a detector says of the values of an indicator in an area: when it began, changed, ended.

>>> first = anomaly_id("gas.leak_lel_max", "city", 0)
>>> len(first), first == anomaly_id("gas.leak_lel_max", "city", 60_000)
(17, False)
"""

import math
from hashlib import blake2b
from typing import Literal

import msgspec

Step = Literal["raised", "changed", "cleared"]
"""What became of an anomaly: it began, turned out to be of another kind, or has been over for some time."""

AnomalyKind = Literal[
    "spike", "level_shift", "drift", "flat_line", "silence", "noise_burst", "seasonal", "normal"
]


class Anomaly(msgspec.Struct, frozen=True):
    """One line of ``anomalies.jsonl``; numbers but ``value`` have 6 significant digits, ``value`` has 12.

    Attributes:
        anomaly_id: the same in all lines of an anomaly, see `anomaly_id`.
        seq: 0 for ``raised``, then one more with every line.
        transition: what became of it.
        indicator: id of the indicator, for a sensor of the metric.
        area: id of the area, for a cell its code, or of the sensor.
        kind: kind of the area, or ``sensor``.
        anomaly: kind of the anomaly as far as can be told by now; ``normal`` where none could be told.
        score: 0 to 1 on one scale for all series: 0.5 is one window in a thousand, 1 one in a million.
        p: how often the series itself shows as much.
        value: what was measured; null for none.
        baseline: what was expected; null before there is anything to expect, as of the band.
        low: lower end of the expected band.
        high: upper end of the expected band.
        started: window end at which it was raised, epoch ms.
        window_end: end of the window this line tells of, epoch ms.
        catalogue_hash: of the catalogue in force.
    """

    anomaly_id: str
    seq: int
    transition: Step
    indicator: str
    area: str
    kind: str
    anomaly: AnomalyKind
    score: float
    p: float
    value: float | None
    baseline: float | None
    low: float | None
    high: float | None
    started: int
    window_end: int
    catalogue_hash: str


def anomaly_id(indicator: str, area: str, started: int) -> str:
    """``A`` and 16 hex digits of blake2b (8 bytes) over ``indicator|area|window end of the raise in ms``.

    >>> anomaly_id("gas.leak_lel_max", "420106", 1_700_000_000_000)
    'A996806b0c75c8376'
    """
    return "A" + blake2b(f"{indicator}|{area}|{started}".encode(), digest_size=8).hexdigest()


def digits(number: float, significant: int = 6) -> float | None:
    """A number in so many significant digits, None for NaN.

    >>> digits(1 / 3), digits(math.nan), digits(-0.0)
    (0.333333, None, 0.0)
    """
    return float(f"{number:.{significant}g}") + 0.0 if math.isfinite(number) else None
