"""What each kind of sensor measures: (sites, times, noise) → values.

Every function takes a :class:`Scene` of shape (sensors, times) and returns float64 values of that shape in
the unit of the metric. A site's ``trait``, uniform in [0, 1), decides what kind of place it is: a large car
park, a leaking valve, a weak feeder. The magnitudes are plausible, not measured.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.weather import MINUTE, Floats, Storm

HOUR = 60 * MINUTE
LOCAL = 8 * HOUR
"""The city's clock is UTC+8."""

PIPE_DIAMETERS = np.array([0.6, 0.8, 1.0, 1.2, 1.5, 2.0])


@dataclass(frozen=True, slots=True)
class Scene:
    """Sites and moments to evaluate: columns (n, 1) of sites, arrays (n, k) of moments.

    ``ts`` is in ms, ``noise`` standard normal, ``trait`` uniform in [0, 1).
    """

    ts: Floats
    lon: Floats
    trait: Floats
    noise: Floats
    storm: Storm

    @property
    def hour(self) -> Floats:
        """Local hour of the day, 0 to 24."""
        return np.mod(self.ts + LOCAL, 24 * HOUR) / HOUR

    @property
    def rush(self) -> Floats:
        """How near the moment is to 08:00 or 18:00 local time, 0 to 1."""
        return np.exp(-(((self.hour - 8.0) / 1.3) ** 2)) + np.exp(-(((self.hour - 18.0) / 1.5) ** 2))

    @property
    def work(self) -> Floats:
        """1 in the working hours, 07:00 to 21:00 local time, else 0."""
        return ((self.hour >= 7) & (self.hour < 21)).astype(np.float64)

    @property
    def wet(self) -> Floats:
        """Standing rain as a share of 60 mm, 0 to 1."""
        return np.minimum(self.storm.standing(self.ts, self.lon) / 60.0, 1.0)


def _steady(s: Scene, value: Floats) -> Floats:
    return np.broadcast_to(value, s.ts.shape)


def road_freeflow_speed(s: Scene) -> Floats:
    """Free-flow speed of the segment, km/h."""
    return _steady(s, 35.0 + 10.0 * np.floor(s.trait * 5))


def road_segment_length(s: Scene) -> Floats:
    """Length of the segment, km."""
    return _steady(s, 0.2 + 1.8 * s.trait)


def road_speed(s: Scene) -> Floats:
    """Mean speed: free flow less rush hour and standing water, km/h."""
    share = 0.95 - 0.3 * s.rush * (0.2 + 0.8 * s.trait) - 0.45 * s.wet + 0.05 * s.noise
    return road_freeflow_speed(s) * np.clip(share, 0.06, 1.2)


def parking_total(s: Scene) -> Floats:
    """Spaces of the car park."""
    return _steady(s, np.floor(40 + 460 * s.trait))


def parking_occupied(s: Scene) -> Floats:
    """Occupied spaces; busy in the working hours."""
    busy = 0.45 + 0.4 * s.work * (0.5 + s.trait % 0.5) + 0.03 * s.noise
    return np.floor(parking_total(s) * np.clip(busy, 0.0, 1.0))


def bin_fill(s: Scene) -> Floats:
    """Fill level of a bin that is emptied whenever it overflows, %."""
    return np.clip((100 * s.trait + 7 * s.hour) % 104 + 0.5 * s.noise, 0.0, 100.0)


def site_noise_laeq(s: Scene) -> Floats:
    """Level at the boundary of a building site, dB(A); one site in seven is too loud."""
    return 52 + 14 * s.work + 8 * (s.trait > 0.86) + 2.0 * s.noise


def ds_records_checked(s: Scene) -> Floats:
    """Records a department checked in the past hour."""
    records: Floats = np.floor(800 + 4000 * s.trait + 300 * np.sin(s.hour))
    return records


def ds_records_correct(s: Scene) -> Floats:
    """Records of these that passed; one department in twelve is careless."""
    share = np.where(s.trait > 0.92, 0.94, 0.996) - 0.002 * np.abs(s.noise)
    return np.floor(ds_records_checked(s) * share)


def rain_1m(s: Scene) -> Floats:
    """Rain in the past minute, in steps of a 0.1 mm tipping bucket."""
    spread = np.exp(0.15 * s.noise) * (0.8 + 0.4 * s.trait)
    return np.floor(10 * s.storm.rate(s.ts, s.lon) * spread) / 10


def ponding_depth(s: Scene) -> Floats:
    """Water in an underpass, m; one in five has poor drainage."""
    worst = np.where(s.trait > 0.8, 0.45, 0.12)
    return np.maximum(worst * s.wet * (1 + 0.05 * s.noise), 0.0)


def pipe_diameter(s: Scene) -> Floats:
    """Diameter of the sewer, m."""
    return _steady(s, PIPE_DIAMETERS[np.floor(s.trait * PIPE_DIAMETERS.size).astype(np.intp)])


def pipe_level(s: Scene) -> Floats:
    """Level above the invert, m: a third full when dry, surcharged in the storm."""
    return pipe_diameter(s) * np.clip(0.33 + 0.85 * s.wet + 0.03 * s.noise, 0.02, 2.5)


def gas_lel(s: Scene) -> Floats:
    """Combustible gas, % LEL; one detector in fifty stands by a leak."""
    leak: Floats = np.where(s.trait > 0.98, 14 + 3 * s.noise, 0.0)
    return np.maximum(0.4 + 0.2 * s.noise, 0.0) + np.clip(leak, 0.0, 90.0)


def supply_voltage(s: Scene) -> Floats:
    """Phase voltage, V; one meter in twenty-five hangs on a weak feeder."""
    voltage: Floats = 227 - 4 * s.rush - np.where(s.trait > 0.96, 27.0, 0.0) + 2.0 * s.noise
    return voltage


def bus_arrival_deviation(s: Scene) -> Floats:
    """Arrival less schedule, s."""
    return np.clip(30 + 120 * s.rush + 200 * s.wet + (60 + 60 * s.trait) * s.noise, -600, 3600)


def _pollutant(base: float, swing: float) -> Callable[[Scene], Floats]:
    def values(s: Scene) -> Floats:
        level = base * (0.6 + 0.8 * s.trait) + swing * s.rush
        return np.maximum(level * (1 - 0.5 * s.wet) * (1 + 0.08 * s.noise), 0.0)

    return values


pm25 = _pollutant(48, 22)
pm10 = _pollutant(80, 35)
so2 = _pollutant(9, 3)
no2 = _pollutant(38, 30)
o3 = _pollutant(110, -25)
co = _pollutant(0.8, 0.4)
