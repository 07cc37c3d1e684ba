"""What a detector remembers of its series: arrays, the last axis of which is the series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import DTypeLike, NDArray

VERSION = 1
"""Of the layout below: arrays of another version are refused."""

VIEWS = 6
HOURS, SLOTS = 24, 168

TYPICAL_EXCESS = 0.3
"""How far beyond its record a series goes on average when it does, standard deviations: simulated sensors."""

LAYOUT: dict[str, tuple[int, DTypeLike]] = {
    "count": (0, np.int32),
    "origin": (0, np.float64),
    "levels": (4, np.float32),
    "spread": (3, np.float32),
    "peak": (0, np.float32),
    "mean": (VIEWS, np.float32),
    "variance": (VIEWS, np.float32),
    "high": (VIEWS, np.float32),
    "low": (VIEWS, np.float32),
    "day": (HOURS, np.float32),
    "week": (SLOTS, np.float32),
    "day_seen": (HOURS, np.uint8),
    "week_seen": (SLOTS, np.uint8),
    "visits": (SLOTS, np.uint8),
    "last_slot": (0, np.int16),
    "age": (0, np.int32),
    "last": (0, np.float32),
    "jitter": (0, np.float32),
    "unrest": (0, np.float32),
    "leap": (0, np.float32),
    "before": (0, np.float32),
    "since_leap": (0, np.uint8),
    "run": (0, np.uint16),
    "run_record": (0, np.float32),
    "gap": (0, np.uint16),
    "gap_record": (0, np.float32),
    "residual": (0, np.float32),
    "tail_rate": (0, np.float32),
    "tail_excess": (0, np.float32),
    "calm": (0, np.uint8),
    "rest": (0, np.uint8),
}
"""Rows (0: none, one number a series) and type of each array."""


@dataclass
class DetectorState:
    """The memory of S series.

    ``count`` readings so far; ``origin`` the first, which all others are relative to; ``levels`` [4, S]
    moving means: fast, slow, of what differs from the hour of day, and of the week; ``spread`` [3, S]
    mean and variance of the volatility, overall mean; ``peak`` the last surprise, fading; ``mean``,
    ``variance``, ``high``, ``low`` [6, S] of the views; ``day`` [24, S] means of hours, ``week`` [168, S]
    how the hours of the week differ from them; ``day_seen``, ``week_seen`` readings in them, ``visits``
    weeks in which there were any; ``last_slot`` the hour of week of the last reading, -1 before it;
    ``age`` steps since the first reading; ``last`` reading; ``jitter`` mean step from one reading to the
    next, ``unrest`` that of late in units of it, ``leap`` the last notable jump, ``before`` the reading
    it began from, ``since_leap`` readings since; ``run`` readings that were equal, ``gap`` steps without
    a reading, with their records; ``residual`` variance around the baseline; ``tail_rate``,
    ``tail_excess`` how often and how far the series surpasses itself; ``calm`` steps since something was
    last out of the ordinary, ``rest`` since the last alarm.

    >>> state = DetectorState.empty(3)
    >>> state.week.shape, state.nbytes // 3
    ((168, 3), 1321)
    """

    count: NDArray[np.int32]
    origin: NDArray[np.float64]
    levels: NDArray[np.float32]
    spread: NDArray[np.float32]
    peak: NDArray[np.float32]
    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    high: NDArray[np.float32]
    low: NDArray[np.float32]
    day: NDArray[np.float32]
    week: NDArray[np.float32]
    day_seen: NDArray[np.uint8]
    week_seen: NDArray[np.uint8]
    visits: NDArray[np.uint8]
    last_slot: NDArray[np.int16]
    age: NDArray[np.int32]
    last: NDArray[np.float32]
    jitter: NDArray[np.float32]
    unrest: NDArray[np.float32]
    leap: NDArray[np.float32]
    before: NDArray[np.float32]
    since_leap: NDArray[np.uint8]
    run: NDArray[np.uint16]
    run_record: NDArray[np.float32]
    gap: NDArray[np.uint16]
    gap_record: NDArray[np.float32]
    residual: NDArray[np.float32]
    tail_rate: NDArray[np.float32]
    tail_excess: NDArray[np.float32]
    calm: NDArray[np.uint8]
    rest: NDArray[np.uint8]

    @classmethod
    def empty(cls, series: int) -> DetectorState:
        """The memory of series that have not sent anything."""
        arrays = {n: np.zeros((rows, series) if rows else series, t) for n, (rows, t) in LAYOUT.items()}
        arrays["last_slot"] -= 1
        arrays["tail_excess"] += TYPICAL_EXCESS
        arrays["calm"] += 255
        arrays["since_leap"] += 255
        arrays["rest"] += 255
        return cls(**arrays)

    @property
    def series(self) -> int:
        """How many series there are."""
        return self.count.size

    @property
    def nbytes(self) -> int:
        """What it takes, bytes."""
        return sum(getattr(self, f.name).nbytes for f in fields(self))

    def part(self, begin: int, end: int) -> DetectorState:
        """The series [begin, end): views, so that what happens to them happens to the whole."""
        if (begin, end) == (0, self.series):
            return self
        return DetectorState(**{f.name: getattr(self, f.name)[..., begin:end] for f in fields(self)})

    def take(self, series: NDArray[np.intp]) -> DetectorState:
        """Copies of some series, in the order given."""
        return DetectorState(**{f.name: getattr(self, f.name)[..., series] for f in fields(self)})

    def joined(self, more: DetectorState) -> DetectorState:
        """These series and ``more`` behind them."""
        pairs = {f.name: (getattr(self, f.name), getattr(more, f.name)) for f in fields(self)}
        return DetectorState(**{name: np.concatenate(pair, axis=-1) for name, pair in pairs.items()})

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Copies of all arrays by name, and ``version``: what :meth:`restored` takes."""
        named = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        return {"version": np.array([VERSION], np.int64), **named}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[np.generic]]) -> DetectorState:
        """The memory that :meth:`arrays` was taken of.

        Raises:
            ValueError: an array is missing, has another shape or type, or they are of another version.

        >>> state = DetectorState.empty(2)
        >>> DetectorState.restored(state.arrays()).last_slot.tolist()
        [-1, -1]
        """
        version = arrays.get("version")
        if version is None or version.tolist() != [VERSION]:
            raise ValueError(f"the state of a detector has version {VERSION}; found {version}: start anew")
        series = arrays["count"].size if "count" in arrays else 0
        for name, (rows, dtype) in LAYOUT.items():
            shape = (rows, series) if rows else (series,)
            found = arrays.get(name)
            if found is None or found.shape != shape or found.dtype != dtype:
                what = "none" if found is None else f"{found.shape} {found.dtype}"
                raise ValueError(f"array {name!r} of a detector is {shape} {np.dtype(dtype)}; found {what}")
        return cls(**{name: np.array(arrays[name]) for name in LAYOUT})
