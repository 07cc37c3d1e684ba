"""What is wrong with sensors, their clocks and their way to the door: kinds of faults, and a plan of them.

``sim.spoiler`` applies a plan to values and clocks, ``sim.delivery`` to the order of arrival.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ERROR_CODE = -99_999.0
"""What a broken sensor sends: outside the range of every metric."""

_HOUR = 3_600_000
_DAY = 24 * _HOUR

LEVELS = {"none": 0.0, "normal": 1.0, "heavy": 6.0}
"""How often faults occur, as a multiple of :data:`USUAL`."""


class Fault(IntEnum):
    """Kinds of faults, with the meaning of their ``size``."""

    SILENCE = 0
    """Readings are not sent; size: share lost, 0 to 1."""
    STUCK = 1
    """The first value of the fault is repeated; size unused."""
    SPIKE = 2
    """Readings are error codes; size: share, 0 to 1."""
    DRIFT = 3
    """The value grows; size: share of itself per hour."""
    NOISE = 4
    """The value scatters; size: standard deviation as a share of itself."""
    CLOCK = 5
    """The stamp is wrong; size: ms ahead (negative: behind)."""
    DUPLICATES = 6
    """Readings are sent twice; size: share, 0 to 1."""
    DISORDER = 7
    """Readings arrive up to two minutes late, one by one; size: share, 0 to 1."""
    BUFFER = 8
    """The gateway keeps all readings until the fault's end, then delivers them in order; size unused."""
    DATUM = 9
    """The registry has the device in GCJ-02, labelled WGS84; metric, begin and end unused."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults as columns of equal length.

    ``kind`` int8 (:class:`Fault`), ``device`` int32, ``metric`` int16 (-1: all of the device), ``begin`` and
    ``end`` int64 ms (end outside), ``size`` float64.

    >>> plan = FaultPlan.of(Fault.SILENCE, [3, 4], begin=0, end=60_000, size=1.0)
    >>> len(plan), plan.joined(FaultPlan.none()).device.tolist()
    (2, [3, 4])
    """

    kind: NDArray[np.int8]
    device: NDArray[np.int32]
    metric: NDArray[np.int16]
    begin: Ints
    end: Ints
    size: Floats

    @classmethod
    def of(  # noqa: PLR0913 - one argument per column
        cls,
        kind: object,
        device: object,
        *,
        metric: object = -1,
        begin: object,
        end: object,
        size: object = 1.0,
    ) -> "FaultPlan":
        """A plan of arrays and numbers, broadcast against each other."""
        columns = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(x)) for x in (kind, device, metric, begin, end, size))
        )
        types = (np.int8, np.int32, np.int16, np.int64, np.int64, np.float64)
        return cls(*(column.astype(dtype) for column, dtype in zip(columns, types, strict=True)))

    @classmethod
    def none(cls) -> "FaultPlan":
        """A plan without faults."""
        return cls.of([], [], begin=[], end=[], size=[], metric=[])

    def __len__(self) -> int:
        return int(self.kind.size)

    def joined(self, more: "FaultPlan") -> "FaultPlan":
        """These faults and ``more``."""
        pairs = ((getattr(self, f), getattr(more, f)) for f in self.__slots__)
        return FaultPlan(*(np.concatenate(pair) for pair in pairs))

    def only(self, *kinds: Fault) -> "FaultPlan":
        """The faults of some kinds."""
        keep = np.isin(self.kind, kinds)
        return FaultPlan(*(getattr(self, f)[keep] for f in self.__slots__))


@dataclass(frozen=True, slots=True)
class Habit:
    """How often a kind of fault begins, per 1,000 devices and day, how many hours it lasts, how bad it is.

    ``hours`` and ``size`` are the least and the greatest; ``either_sign``: half of the sizes are negative.
    """

    often: float
    hours: tuple[float, float]
    size: tuple[float, float]
    either_sign: bool = False


USUAL = {
    Fault.SILENCE: Habit(2.0, (0.5, 6.0), (1.0, 1.0)),
    Fault.STUCK: Habit(1.0, (1.0, 8.0), (1.0, 1.0)),
    Fault.SPIKE: Habit(3.0, (1.0, 12.0), (0.01, 0.10)),
    Fault.DRIFT: Habit(1.0, (2.0, 12.0), (0.002, 0.01), either_sign=True),
    Fault.NOISE: Habit(1.0, (1.0, 12.0), (0.02, 0.06)),
    Fault.CLOCK: Habit(1.0, (4.0, 24.0), (5_000.0, 120_000.0), either_sign=True),
    Fault.DUPLICATES: Habit(5.0, (1.0, 24.0), (0.02, 0.20)),
    Fault.DISORDER: Habit(5.0, (1.0, 24.0), (0.02, 0.20)),
    Fault.BUFFER: Habit(4.0, (1 / 6, 2 / 3), (1.0, 1.0)),
    Fault.DATUM: Habit(0.5, (24.0, 24.0), (1.0, 1.0)),
}
"""The faults of an ordinary sensor network: magnitudes of practice, not measured."""


def plan_faults(devices: int, span: tuple[int, int], level: str, rng: np.random.Generator) -> FaultPlan:
    """Draw the faults of ``devices`` devices within ``span`` (ms).

    Raises:
        ValueError: ``level`` is none of :data:`LEVELS`.

    >>> plan = plan_faults(10_000, (0, 86_400_000), "normal", np.random.default_rng(1))
    >>> 150 < len(plan) < 320, len(plan_faults(10_000, (0, 86_400_000), "none", np.random.default_rng(1)))
    (True, 0)
    """
    if level not in LEVELS:
        raise ValueError(f"there is no level of faults {level!r}; use one of {', '.join(LEVELS)}")
    exposure = LEVELS[level] * devices / 1000 * (span[1] - span[0]) / _DAY
    plan = FaultPlan.none()
    for kind, habit in USUAL.items():
        plan = plan.joined(_drawn(kind, habit, int(rng.poisson(habit.often * exposure)), devices, span, rng))
    return plan


def _drawn(  # noqa: PLR0913, PLR0917 - what one kind of fault depends on
    kind: Fault, habit: Habit, n: int, devices: int, span: tuple[int, int], rng: np.random.Generator
) -> FaultPlan:
    device = rng.integers(0, devices, n)
    begin = rng.integers(span[0], span[1], n)
    hours = rng.uniform(*habit.hours, n)
    sign = np.where(rng.random(n) < 0.5, -1.0, 1.0) if habit.either_sign else 1.0
    end = np.minimum(begin + (hours * _HOUR).astype(np.int64), span[1])
    return FaultPlan.of(kind, device, begin=begin, end=end, size=rng.uniform(*habit.size, n) * sign)


def fault_lines(
    plan: FaultPlan, sensor_ids: Sequence[str], metrics: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Yield a dict per fault, by begin: what ``faults.jsonl`` tells; times in ms, metric null for all.

    >>> plan = FaultPlan.of(Fault.CLOCK, [1], begin=5, end=9, size=-5000)
    >>> next(fault_lines(plan, ["a", "b"], []))
    {'fault': 'clock', 'sensor_id': 'b', 'metric': None, 'begin': 5, 'end': 9, 'size': -5000.0}
    """
    for row in np.argsort(plan.begin, kind="stable").tolist():
        metric = int(plan.metric[row])
        yield {
            "fault": Fault(int(plan.kind[row])).name.lower(),
            "sensor_id": sensor_ids[int(plan.device[row])],
            "metric": metrics[metric] if metric >= 0 else None,
            "begin": int(plan.begin[row]),
            "end": int(plan.end[row]),
            "size": float(plan.size[row]),
        }
