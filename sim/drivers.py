"""Drivers: what moves the city, on a grid of five minutes × street zones.

    weather, people, illness ─▶ changes ─▶ water, roads, power (derived) ─▶ changes ─▶ signals

Rain is a base field: change it alone, and standing water, sewers, the river, traffic and visibility follow.
Zones are the streets of ``Regions``, by position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from sim.climate import weather
from sim.hydrology import derived
from sim.regions import Regions
from sim.rhythm import people
from sim.working_days import local_hours

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
Grid = NDArray[np.float32]

STEP_MS = 300_000
"""Time between two rows of the grid."""

WARM_UP_MS = 86_400_000
"""How long before the city's start the grid begins, so that water stands where it rained yesterday."""

BASE = {
    "rain": "rain rate, mm/min",
    "temperature": "air temperature, °C",
    "humidity": "relative humidity, %",
    "wind": "10-min mean wind, m/s",
    "pollution": "PM2.5 of the open air, ug/m3",
    "upstream": "river stage above the season's, m: a flood wave from upstream",
    "home": "people at home, share of the most there are, 0 to 1",
    "work": "people at work, likewise",
    "travel": "people on the way, likewise",
    "shop": "people in shops, likewise",
    "leisure": "people in parks and at sights, likewise",
    "illness": "respiratory illness, 1 = the season's usual",
}
"""Base fields; a change of one of them reaches all that depends on it."""

DERIVED = {
    "rain_sum": "rain since the grid began, mm",
    "standing": "rain that stands in the streets, mm",
    "sewer": "rain on its way through the sewers, mm",
    "river": "stage of the Yangtze, m above datum",
    "visibility": "meteorological visibility, m",
    "congestion": "traffic congestion, 0 = free, 1 = standing",
    "demand": "electric load, share of the supply capacity",
}
"""Fields computed from base fields; a change of one of them stays with it."""

FIELDS: Mapping[str, str] = BASE | DERIVED
"""Every field and its unit."""


@dataclass(frozen=True, slots=True, eq=False)
class DriverChange:
    """A change of one field over time, by zone.

    ``weights`` float64 [zones], 0 to 1, say how much of it each zone gets. ``profile`` is the change over
    time, points (epoch ms, size) joined by straight lines, nothing before the first and after the last. Of a
    field v and the size s a zone of weight w gets ``add`` v + w·s; ``scale`` v · (1 + w·(s − 1));
    ``set`` v + w·(s − v); ``atleast`` max(v, w·s).

    Raises:
        ValueError: no such field, or a profile whose times do not rise.
    """

    field: str
    weights: Floats
    profile: Sequence[tuple[int, float]]
    op: Literal["add", "scale", "set", "atleast"] = "add"

    def __post_init__(self) -> None:
        if self.field not in FIELDS:
            raise ValueError(f"there is no driver {self.field!r}; known: {', '.join(FIELDS)}")
        times = [moment for moment, _ in self.profile]
        if len(times) < 2 or any(b <= a for a, b in pairwise(times)):
            raise ValueError(f"a profile needs two or more points in rising order of time, found {times}")

    def applied(self, grid: Grid, times: Int64s) -> Grid:
        """Return the grid (float32 [steps, zones] at ``times``, ms) with the change."""
        moments, sizes = (np.array(column, dtype=np.float64) for column in zip(*self.profile, strict=True))
        rows = np.flatnonzero((times >= moments[0]) & (times <= moments[-1]))
        size = np.interp(times[rows], moments, sizes)[:, None]
        value, w = grid[rows].astype(np.float64), np.asarray(self.weights, dtype=np.float64)
        match self.op:
            case "add":
                new = value + w * size
            case "scale":
                new = value * (1 + w * (size - 1))
            case "set":
                new = value + w * (size - value)
            case "atleast":
                new = np.maximum(value, w * size)
        changed = grid.copy()
        changed[rows] = new
        return changed


@dataclass(frozen=True, slots=True, eq=False)
class Drivers:
    """Fields float32 [steps, zones]; row i holds at ``begin + i * STEP_MS``.

    ``untouched`` are the base fields before any change, from which :meth:`apply` starts again.

    >>> drivers = Drivers.made(1, Regions.wuhan(), 1_772_380_800_000, 1_772_467_200_000, "Asia/Shanghai")
    >>> at = np.array([1_772_380_800_000, 1_772_424_000_000])
    >>> bool((drivers.at("travel", at, np.array([0, 0])) <= 1).all())
    True
    """

    begin: int
    fields: Mapping[str, Grid]
    untouched: Mapping[str, Grid]
    hour: Floats
    day: Int64s
    km2: Floats

    @classmethod
    def made(cls, seed: int, regions: Regions, start: int, end: int, tz: str) -> Self:
        """The drivers of a city from a day before ``start`` to ``end`` (ms)."""
        begin = start - WARM_UP_MS
        times = begin + STEP_MS * np.arange(-(-(end - begin) // STEP_MS) + 2)
        hour, day = local_hours(times, tz)
        base = weather(seed, regions.streets, times, hour) | people(regions.streets, hour, day)
        grids = {name: np.ascontiguousarray(base[name], dtype=np.float32) for name in BASE}
        bare = cls(begin, {}, grids, hour, day, regions.streets.km2)
        return bare.apply(())

    @property
    def times(self) -> Int64s:
        """Moments of the rows, int64 [steps], ms."""
        return self.begin + STEP_MS * np.arange(len(self.hour))

    @property
    def zones(self) -> int:
        """Number of zones."""
        return len(self.km2)

    def apply(self, changes: Sequence[DriverChange]) -> Self:
        """Return the drivers with these changes alone, in order; what depends on a base field follows."""
        times = self.times
        base = _changed(self.untouched, changes, times)
        after = _changed(derived(base, self.hour, times, STEP_MS), changes, times)
        return replace(self, fields=base | after)

    def at(self, name: str, ts: NDArray[np.integer], zone: NDArray[np.integer]) -> Floats:
        """Return a field at moments (ms) and zones, interpolated between rows, held beyond the ends.

        ``ts`` is [n] or [n, k], ``zone`` [n]; the result, float64, has the shape of ``ts``.

        Raises:
            KeyError: no such field.
        """
        grid = self.fields[name]
        place = zone if np.ndim(ts) <= 1 else np.asarray(zone)[:, None]
        steps = np.clip((np.asarray(ts) - self.begin) / STEP_MS, 0.0, len(grid) - 1.001)
        row = steps.astype(np.intp)
        low, high = (grid[r, place].astype(np.float64) for r in (row, row + 1))
        value: Floats = low + (steps - row) * (high - low)
        return value

    def minutes(self, begin: int, end: int) -> "Minutes":
        """The fields of every minute that begins in [begin, end), ms."""
        return Minutes(self, begin, -(-(end - begin) // 60_000), {})


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """Fields by minute of a block, each computed when it is first asked for: flat float64 [minutes · zones].

    The value of minute i and zone z, at the middle of the minute, stands at ``i * zones + z``.
    """

    drivers: Drivers
    begin: int
    count: int
    known: dict[str, Floats]

    def table(self, name: str) -> Floats:
        """A field; or ``hour``, the local hour of the day, 0 to 24; ``day``, its kind; ``sun``, -1 to 1."""
        if name not in self.known:
            times = self.begin + 60_000 * np.arange(self.count) + 30_000
            clocks = {"hour": self._hours, "day": self._days, "sun": self._suns}
            self.known[name] = clocks[name](times) if name in clocks else self._field(name, times)
        return self.known[name]

    def _field(self, name: str, times: Int64s) -> Floats:
        zones = self.drivers.zones
        return self.drivers.at(name, np.repeat(times, zones), np.tile(np.arange(zones), self.count))

    def _hours(self, times: Int64s) -> Floats:
        steps = (times - self.drivers.begin) / STEP_MS
        row = np.minimum(steps.astype(np.intp), len(self.drivers.hour) - 1)
        hour = np.mod(self.drivers.hour[row] + (steps - row) * STEP_MS / 3_600_000, 24.0)
        return np.repeat(hour, self.drivers.zones)

    def _days(self, times: Int64s) -> Floats:
        row = np.minimum((times - self.drivers.begin) // STEP_MS, len(self.drivers.day) - 1)
        return np.repeat(self.drivers.day[row].astype(np.float64), self.drivers.zones)

    def _suns(self, times: Int64s) -> Floats:
        """Warmth of the day: 1 in the middle of the afternoon, -1 before dawn."""
        sun: Floats = np.cos((self._hours(times) - 15.0) / 12.0 * np.pi)
        return sun


def _changed(fields: Mapping[str, Grid], changes: Sequence[DriverChange], times: Int64s) -> dict[str, Grid]:
    changed = dict(fields)
    for change in changes:
        if change.field in changed:
            changed[change.field] = change.applied(changed[change.field], times)
    return changed
