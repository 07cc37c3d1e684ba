"""Where and when a scenario plays, and its props: sensors nearby, effects, reports, lines of truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from geo import beidou
from sim.city import City
from sim.device_class import Scene
from sim.device_classes import SIGNALS
from sim.drivers import DriverChange
from sim.effects import Effect, Op
from sim.event_types import MINUTE
from sim.life_cycles import CODES, NewCases, case_records
from sim.regions import DEGREE_KM
from sim.script import Truth
from sim.working_days import local_hours

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELL_LEVEL = 5
"""Level of the BeiDou cells of the truth."""

CANDIDATES = 400
"""Devices looked at when a place is chosen."""


class NoPlaceError(ValueError):
    """The city has no place for a scenario."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A scenario's place in a city and time.

    ``event`` begins the identifiers of what happens, unique in a run. ``begin`` and ``end`` are ms.
    ``district`` is a position in the city's districts, or None: anywhere. ``intensity`` 1 is what the
    scenario describes.
    """

    city: City
    scenario: str
    event: str
    begin: int
    end: int
    intensity: float
    district: int | None
    rng: np.random.Generator

    @property
    def minutes(self) -> float:
        """How long it lasts, minutes."""
        return (self.end - self.begin) / MINUTE

    def at(self, share: float) -> int:
        """The moment (ms) at which a share of the scenario has passed."""
        return self.begin + round(share * (self.end - self.begin))

    def level(self, full: int) -> int:
        """The level to expect: ``full`` at an intensity of 1 or more, blue below."""
        return full if self.intensity >= 1 else 1

    def sized(self, weak: float, full: float, extreme: float) -> float:
        """A size between ``weak`` (intensity 0.5), ``full`` (1) and ``extreme`` (3).

        ``weak`` is just enough for the blue level.
        """
        return float(np.interp(self.intensity, [0.5, 1.0, 3.0], [weak, full, extreme]))

    # Places.

    def whole_city(self, metric: str) -> Ints:
        """The devices of the whole city that send a metric, ascending."""
        own = self.city.devices.sending(metric)
        return np.arange(own.start, own.stop)

    def all_of(self, metric: str) -> Ints:
        """The devices that send a metric, in the scenario's district if it has one, ascending.

        Raises:
            NoPlaceError: there are none.
        """
        devices = self.whole_city(metric)
        if self.district is None:
            return devices
        devices = np.extract(self.city.devices.district[devices] == self.district, devices)
        if not devices.size:
            code = self.city.regions.districts.code[self.district]
            raise NoPlaceError(
                f"{self.scenario} needs sensors of {metric}, and district {code} has none; "
                "use more sensors or another place"
            )
        return devices

    def anchor(self, metric: str, *others: str) -> int:
        """A device that sends a metric and has devices of the ``others`` near it: one of the best tenth.

        Raises:
            NoPlaceError: there is no device of the metric.
        """
        devices = self.all_of(metric)
        if devices.size > CANDIDATES:
            devices = np.sort(self.rng.choice(devices, CANDIDATES, replace=False))
        farness = np.zeros(devices.size)
        for other in others:
            distance = self._km(devices[:, None], self.whole_city(other)[None, :])
            farness += np.minimum(distance.min(axis=1), 20.0)
        best = devices[np.argsort(farness, kind="stable")[: max(devices.size // 10, 1)]]
        return int(self.rng.choice(best))

    def _km(self, a: Ints, b: Ints) -> Floats:
        devices = self.city.devices
        lon = (devices.lon[a] - devices.lon[b]) * DEGREE_KM[0]
        lat = (devices.lat[a] - devices.lat[b]) * DEGREE_KM[1]
        km: Floats = np.hypot(lon, lat)
        return km

    def nearest(self, device: int, metric: str, n: int, within_km: float) -> Ints:
        """The up to ``n`` devices that send a metric nearest to a device, nearest first."""
        devices = self.whole_city(metric)
        km = self._km(devices, np.array([device]))
        order = np.argsort(km, kind="stable")[:n]
        return devices[order[km[order] <= within_km]]

    def around(self, device: int, km: float) -> Ints:
        """All devices, of any class, not farther than ``km`` from a device."""
        devices = np.arange(len(self.city.devices))
        return devices[self._km(devices, np.array([device])) <= km]

    def alike(self, devices: Ints, metric: str) -> Ints:
        """All devices that send a metric in the streets where some devices stand."""
        others, street = self.whole_city(metric), self.city.devices.street
        return np.extract(np.isin(street[others], street[devices]), others)

    def sending(self, devices: Ints, metric: str) -> Ints:
        """Those of some devices that send a metric."""
        own = self.city.devices.sending(metric)
        return np.extract((devices >= own.start) & (devices < own.stop), devices)

    def zone_weights(self, device: int, km: float) -> Floats:
        """A weight per street zone: 1 at a device, falling off with the distance as a bell of ``km``."""
        streets, place = self.city.regions.streets, self.city.devices
        lon = (streets.lon - place.lon[device]) * DEGREE_KM[0]
        lat = (streets.lat - place.lat[device]) * DEGREE_KM[1]
        weights = np.exp(-((np.hypot(lon, lat) / km) ** 2))
        weights[place.street[device]] = 1.0
        return np.asarray(weights, np.float64)

    def cells(self, devices: Ints) -> tuple[str, ...]:
        """Codes of the cells of some devices, each once, sorted."""
        found = np.unique(self.city.devices.cells(devices))
        return tuple(beidou.text(found, CELL_LEVEL))

    def reference(self, metric: str, devices: Ints) -> Floats:
        """What some devices send as a reference: limits, capacities, stages."""
        place = np.zeros(devices.size, np.intp)
        ts = np.full(devices.size, self.begin)
        minutes = self.city.base_drivers.minutes(self.begin, self.begin + MINUTE)
        scene = Scene(self.city.devices.trait[devices], np.zeros(devices.size), ts, place, minutes)
        return SIGNALS[metric].values(scene)

    # Props.

    def effect(
        self, metric: str, devices: Ints, op: Op, size: Floats | float, *, ramp_min: float = 10.0
    ) -> Effect:
        """An effect on some devices for as long as the scenario lasts."""
        ramp = min(round(ramp_min * MINUTE), (self.end - self.begin) // 4)
        return Effect(metric, devices, self.begin, self.end, op, size, ramp)

    def change(self, field: str, weights: Floats, op: str, *profile: tuple[float, float]) -> DriverChange:
        """A change of a driver; the profile's points are (share of the scenario passed, size)."""
        points = [(self.at(share), size) for share, size in profile]
        return DriverChange(field, weights, points, op)  # type: ignore[arg-type]

    def reports(  # noqa: PLR0913 - cases have that many sides
        self,
        code: str,
        places: Sequence[tuple[float, float]] | Floats,
        *,
        within: tuple[float, float] = (0.05, 0.5),
        severity: int = 2,
        lasting: bool = False,
        channel: str = "",
    ) -> pl.DataFrame:
        """Cases of a type, one per place (lon, lat), reported at random within shares of the scenario.

        None is rejected. ``lasting`` ones are closed when the scenario ends. ``channel``: who reports them;
        "" draws it case by case.
        """
        where = np.asarray(places, np.float64).reshape(-1, 2)
        n = len(where)
        low, high = self.at(within[0]), self.at(within[1])
        reported = np.sort(self.rng.integers(low, max(high, low + 1), n))
        closes = self.end + self.rng.integers(0, 10 * MINUTE, n) if lasting else None
        kind = np.full(n, CODES.index(code))
        cases = NewCases(kind, reported, where[:, 0], where[:, 1], np.full(n, severity))
        cases = replace(cases, prefix=f"{self.event}-", closes=closes, certain=True, channel=channel)
        return case_records(self.rng, cases, self.city.end)

    def beside(self, device: int, n: int, metres: float) -> Floats:
        """``n`` places scattered about a device with this standard deviation, [n, 2] lon and lat."""
        devices = self.city.devices
        middle = np.array([devices.lon[device], devices.lat[device]])
        places: Floats = middle + self.rng.normal(0.0, metres / 1000.0, (n, 2)) / DEGREE_KM
        return places

    def fires(self, device: int, n: int) -> Floats:
        """``n`` places around a device, 700 m and more apart, the first at the device, [n, 2] lon and lat."""
        devices, turn = self.city.devices, self.rng.random()
        angle = 2 * np.pi * (turn + np.arange(n) / max(n - 1, 1))
        away_km = np.where(np.arange(n) > 0, 0.9 * max(1.0, n / 6), 0.0)
        away = away_km[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        places: Floats = np.array([devices.lon[device], devices.lat[device]]) + away / DEGREE_KM
        return places

    def mean(self, field: str) -> float:
        """A driver's mean over the city and the time of the scenario, when nothing happens."""
        streets = len(self.city.regions.streets)
        moments = np.linspace(self.begin, self.end, 9).astype(np.int64)
        ts, zone = np.repeat(moments, streets), np.tile(np.arange(streets), moments.size)
        return float(self.city.base_drivers.at(field, ts, zone).mean())

    @property
    def trains_run(self) -> bool:
        """Whether the metro is in service for half an hour of the scenario's middle."""
        hour, _ = local_hours(np.array([self.at(0.3), self.at(0.5), self.at(0.7)]), self.city.tz)
        return bool(((hour > 6.5) & (hour < 23.0)).all())

    def truth(  # noqa: PLR0913 - an event has that many sides
        self,
        part: str,
        indicators: Sequence[str],
        cells: Sequence[str],
        level: int,
        *,
        delay_min: float = 0.0,
        after_min: float = 0.0,
    ) -> Truth:
        """A line of truth, from ``delay_min`` after the scenario's begin to ``after_min`` after its end."""
        start = min(self.begin + round(delay_min * MINUTE), self.end)
        end = min(self.end + round(after_min * MINUTE), self.city.end)
        name = f"{self.event}-{part}"
        return Truth(name, self.scenario, tuple(indicators), tuple(cells), start, end, level)


def united(*cases: pl.DataFrame) -> pl.DataFrame:
    """The records of several tables of cases, by ts and event_id."""
    return pl.concat(cases).sort("ts", "event_id", maintain_order=True)


def cells_of(places: Floats) -> tuple[str, ...]:
    """Codes of the cells of places [n, 2] (lon, lat), each once, sorted.

    >>> cells_of(np.array([[114.3, 30.6], [114.3, 30.6]]))
    ('N50H0513600',)
    """
    # Records carry six decimals: the cell has to be that of the rounded place.
    rounded = places.round(6)
    return tuple(beidou.text(np.unique(beidou.encode(rounded[:, 0], rounded[:, 1], CELL_LEVEL)), CELL_LEVEL))
