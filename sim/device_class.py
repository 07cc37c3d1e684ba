"""A class of devices: how many there are, where they stand, what they report how often, and by what rule.

A device is one thing of the real world (a road segment, a car park, an air station); all its metrics share
its ``sensor_id``. Periods and units are those of the catalogue's input metrics.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from sim.drivers import Minutes

Floats = NDArray[np.float64]

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


class Siting(Enum):
    """What draws a class of devices to a community."""

    PEOPLE = "where people live"
    ROADS = "along the streets, denser in the middle of the city"
    CENTRE = "in the middle of the three towns"
    INDUSTRY = "in industrial areas"
    RIVER = "along the Yangtze and the Han"
    HILLS = "in the rural hills"
    EVEN = "everywhere alike"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """m readings to be evaluated: of devices of one class, at moments of one rhythm.

    ``trait`` float64 [m], uniform in [0, 1), is the device's own for good: what kind of place it is.
    ``noise`` float64 [m] is standard normal, ``ts`` int64 [m] ms, ``place`` intp [m] where the reading's
    minute and zone stand in ``minutes``.
    """

    trait: Floats
    noise: Floats
    ts: NDArray[np.int64]
    place: NDArray[np.intp]
    minutes: Minutes

    def driver(self, name: str, minutes_ago: int = 0) -> Floats:
        """A driver at the readings' minutes and zones, float64 [m]; one minute before at most."""
        return self.minutes.table(name).take(self.place - minutes_ago * self.minutes.drivers.zones)

    def another(self, k: int) -> Floats:
        """A further trait of the devices, the k-th: uniform in [0, 1), unrelated to the others."""
        mixed: Floats = np.modf(self.trait * (7919.0 + 1223.0 * k))[0]
        return mixed


@dataclass(frozen=True, slots=True)
class Signal:
    """One metric of a class.

    ``period_s`` is the sampling period; ``values`` gives float64 [m] of a scene, NaN where nothing is sent;
    they are rounded to ``decimals`` and held within ``low`` and ``high``. A ``reference`` describes the place
    (a limit, a capacity) and is first sent within a minute of the start. ``at_hour``: reported once a day,
    within the minutes after that local hour. ``irregular``: any moment of the period instead of a fixed one.
    """

    metric: str
    period_s: int
    decimals: int
    values: Callable[[Scene], Floats]
    low: float = 0.0
    high: float = math.inf
    reference: bool = False
    at_hour: float | None = None
    irregular: bool = False

    @property
    def rhythm(self) -> tuple[int, bool, float | None, bool]:
        """What decides the moments of readings: metrics of one device and rhythm carry the same stamps."""
        return self.period_s, self.reference, self.at_hour, self.irregular


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """A class of devices: ``share`` of all devices in per mille, ``group`` of them stand close together.

    ``sensor_class`` is that of the catalogue's metrics: classes of one sensor class differ in where they
    stand and what they report (a meter in a home, a meter in a factory).
    """

    name: str
    share: float
    siting: Siting
    signals: tuple[Signal, ...]
    sensor_class: str = ""
    group: int = 1

    @property
    def catalogue_class(self) -> str:
        """The ``sensor_class`` of its metrics in the catalogue; the name unless given."""
        return self.sensor_class or self.name


def minutely(
    metric: str, decimals: int, values: Callable[[Scene], Floats], period_s: int = MINUTE_S
) -> Signal:
    """A plain signal that cannot be negative, each minute unless said otherwise.

    >>> minutely("pm25", 1, lambda s: s.trait, 300).period_s
    300
    """
    return Signal(metric, period_s, decimals, values)


def daily_reference(metric: str, decimals: int, values: Callable[[Scene], Floats]) -> Signal:
    """A limit or capacity, sent once a day."""
    return Signal(metric, DAY_S, decimals, values, low=-math.inf, reference=True)
