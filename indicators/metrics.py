"""What the city sends: code -> unit, valid range, period and resolution, from ``data/metrics.csv``.

Sensor and reference metrics carry readings, event types carry cases; the two are numbered apart, each in
the order of the file.

>>> METRICS[0].code, METRICS[0].period_ms
('road_speed', 60000)
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indicators.durations import MILLISECONDS, milliseconds

SHIPPED = Path(__file__).parent / "data" / "metrics.csv"
"""The metrics that come with the package."""

_CORRECT_WITHIN = MILLISECONDS["h"]
_CORRECT_SLOW_WITHIN = 48 * MILLISECONDS["h"]
_SLOW_PERIOD = 4 * MILLISECONDS["h"]
_KINDS = ("sensor", "reference", "event")


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of ``metrics.csv``.

    ``unit`` is UCUM. ``range_min`` and ``range_max`` are NaN for event types. ``period_ms`` is the sampling
    period, 0 where it is irregular. ``kind`` is ``sensor``, ``reference`` or ``event``. ``sla_ms`` is the
    default deadline of an event type, rounded to whole minutes, -1 for none. A value is rounded to whole
    multiples of ``resolution`` where it enters.
    """

    code: str
    name_zh: str
    name_en: str
    unit: str
    range_min: float
    range_max: float
    period_ms: int
    sensor_class: str
    kind: str
    sla_ms: int
    resolution: float

    @property
    def reference(self) -> bool:
        """True for a value that describes the place rather than its state, such as a limit.

        >>> Metrics.load()["parking_total"].reference
        True
        """
        return self.kind == "reference"

    @property
    def correct_within_ms(self) -> int:
        """How far behind its partition a reading may arrive: 1 h, or 48 h for periods of 4 h and more (R4).

        >>> Metrics.load()["water_do"].correct_within_ms // 3_600_000
        48
        """
        return _CORRECT_SLOW_WITHIN if self.period_ms >= _SLOW_PERIOD else _CORRECT_WITHIN


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """All metrics, and arrays of their attributes: position i of each array is metric i.

    ``low high resolution`` are float64, ``period_ms correct_within_ms revise_within_ms`` int64, ``reference``
    bool, all of length ``len(metrics)``. ``sla_ms`` is int64 of length ``len(events)``. Late records reach
    back by ``correct_within_ms``, what is judged later by ``revise_within_ms``, which is no less.
    """

    metrics: tuple[Metric, ...]
    events: tuple[Metric, ...]
    index: Mapping[str, int]
    event_index: Mapping[str, int]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    resolution: NDArray[np.float64]
    period_ms: NDArray[np.int64]
    correct_within_ms: NDArray[np.int64]
    revise_within_ms: NDArray[np.int64]
    reference: NDArray[np.bool_]
    sla_ms: NDArray[np.int64]

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """The metrics of a file; a file is read once per process.

        Raises:
            ValueError: a row is wrong; names the file, the line and the column.

        >>> Metrics.load().index["road_speed"]
        0
        """
        return cls.of(_read(path))

    @classmethod
    def of(cls, rows: Sequence[Metric]) -> Self:
        """The rows with their indexes and arrays.

        >>> Metrics.of(METRICS[:2]).high.tolist()
        [200.0, 130.0]
        """
        metrics = tuple(m for m in rows if m.kind != "event")
        events = tuple(m for m in rows if m.kind == "event")
        within = np.array([m.correct_within_ms for m in metrics], dtype=np.int64)
        return cls(
            metrics=metrics,
            events=events,
            index={m.code: i for i, m in enumerate(metrics)},
            event_index={m.code: i for i, m in enumerate(events)},
            low=np.array([m.range_min for m in metrics], dtype=np.float64),
            high=np.array([m.range_max for m in metrics], dtype=np.float64),
            resolution=np.array([m.resolution for m in metrics], dtype=np.float64),
            period_ms=np.array([m.period_ms for m in metrics], dtype=np.int64),
            correct_within_ms=within,
            revise_within_ms=within.copy(),
            reference=np.array([m.reference for m in metrics], dtype=np.bool_),
            sla_ms=np.array([m.sla_ms for m in events], dtype=np.int64),
        )

    def revisable(self, within_ms: int, rarest_ms: int) -> Self:
        """The same, with readings of sensors that may be taken back for so long.

        That is of those that report every ``rarest_ms`` or more often; the door is as open as before.

        >>> metrics = Metrics.load().revisable(12 * 3_600_000, rarest_ms=3_600_000)
        >>> at = metrics.index["tap_pressure"]
        >>> int(metrics.revise_within_ms[at]) // 3_600_000, int(metrics.correct_within_ms[at]) // 3_600_000
        (12, 1)
        """
        often = (self.period_ms > 0) & (self.period_ms <= rarest_ms) & ~self.reference
        within = np.where(often, np.maximum(self.revise_within_ms, within_ms), self.revise_within_ms)
        return replace(self, revise_within_ms=within)

    def __getitem__(self, code: str) -> Metric:
        if code in self.index:
            return self.metrics[self.index[code]]
        return self.events[self.event_index[code]]

    def __contains__(self, code: object) -> bool:
        return code in self.index or code in self.event_index


@cache
def _read(path: Path) -> tuple[Metric, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = tuple(_metric(path, line, row) for line, row in enumerate(csv.DictReader(file), start=2))
    codes = [m.code for m in rows]
    for i, code in enumerate(codes):
        if code in codes[:i]:
            raise ValueError(f"{path}:{i + 2}: code {code!r} occurs twice; a code names one metric")
    return rows


def _metric(path: Path, line: int, row: Mapping[str, str]) -> Metric:
    column = ""

    def cell(name: str) -> str:
        nonlocal column
        column = name
        return row[name].strip()

    try:
        kind = cell("kind")
        if kind not in _KINDS:
            raise ValueError(f"must be one of {', '.join(_KINDS)}")  # noqa: TRY301 - one way out for all cells
        return Metric(
            code=cell("code"),
            name_zh=cell("name_zh"),
            name_en=cell("name_en"),
            unit=cell("unit"),
            range_min=_number(cell("range_min"), math.nan, required=kind != "event"),
            range_max=_number(cell("range_max"), math.nan, required=kind != "event"),
            period_ms=_period(cell("sampling_period")),
            sensor_class=cell("sensor_class"),
            kind=kind,
            sla_ms=_deadline(cell("sla_h")),
            resolution=_number(cell("resolution"), 1.0, required=kind != "event"),
        )
    except KeyError:
        raise ValueError(f"{path}: column {column!r} is missing; add it to the header") from None
    except ValueError as error:
        raise ValueError(f"{path}:{line}: column {column!r}: found {row[column]!r}; {error}") from error


def _number(text: str, default: float, *, required: bool) -> float:
    if not text and not required:
        return default
    return float(text)


def _period(text: str) -> int:
    return 0 if text == "event" else milliseconds(text)


def _deadline(hours: str) -> int:
    return round(float(hours) * 60) * MILLISECONDS["m"] if hours else -1


METRICS: tuple[Metric, ...] = Metrics.load().metrics
"""The shipped sensor and reference metrics, in the order of the file."""

EVENTS: tuple[Metric, ...] = Metrics.load().events
"""The shipped event types, in the order of the file."""
