"""Where devices stand: (seed, sensors, regions) → columns of places.

A class is drawn to communities by its siting, and inside one to a few spots (a crossing, a square, a market),
so that devices of many classes share cells as they do in a city. Small cities fill some communities well
instead of all of them thinly.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from geo import beidou
from geo.voronoi import points_in
from sim.device_class import Siting
from sim.device_classes import CLASS_INDEX, CLASS_OF, CLASSES, class_counts
from sim.regions import DEGREE_KM, Regions

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

SENSORS_PER_COMMUNITY = 30
"""A city of fewer sensors than this in every community leaves communities empty."""

SPOTS = 3
"""Spots of a community at which devices gather."""

SETTLED_KM = 0.6
"""Devices stand within about this distance of a community's centre, however large it is."""

YANGTZE = (
    (113.98, 30.22),
    (114.13, 30.38),
    (114.25, 30.48),
    (114.29, 30.56),
    (114.34, 30.62),
)
HAN = ((113.85, 30.60), (114.08, 30.58), (114.20, 30.57), (114.29, 30.565))
DOWNSTREAM = ((114.34, 30.62), (114.43, 30.66), (114.56, 30.68), (114.72, 30.70), (114.93, 30.60))
"""The rivers as rough lines, degrees."""

INDUSTRIAL_NAMES = ("开发", "产业", "工业", "物流", "管理处", "武钢", "青山镇", "阳逻", "沌口")
"""What the name of an industrial street contains."""


@dataclass(frozen=True, slots=True, eq=False)
class Devices:
    """All devices of a city, n of them, in the order of ``CLASSES``.

    ``cls`` int16 is a position in ``CLASSES``; ``lon`` and ``lat`` float64 degrees in WGS84, of 6 decimals;
    ``district``, ``street`` and ``community`` int32 positions in ``Regions``; ``trait`` float64 uniform in
    [0, 1). ``first`` holds the number of the first device of each class, and n.

    >>> devices = Devices.placed(1, 1000, Regions.wuhan())
    >>> own = devices.of("traffic_detector")
    >>> devices.sensor_ids[own.start]
    'traffic_detector-000000'
    """

    cls: NDArray[np.int16]
    lon: Floats
    lat: Floats
    district: NDArray[np.int32]
    street: NDArray[np.int32]
    community: NDArray[np.int32]
    trait: Floats
    first: tuple[int, ...]
    sensor_ids: pl.Series

    @classmethod
    def placed(cls, seed: int, sensors: int, regions: Regions) -> Self:
        """Place ``sensors`` devices.

        Raises:
            ValueError: fewer sensors than classes.
        """
        counts = class_counts(sensors)
        lived_in = _lived_in(seed, sensors, regions)
        spots = _points(
            np.random.default_rng([seed, 201]), regions, np.repeat(np.arange(len(lived_in)), SPOTS)
        )
        community = np.empty(sensors, dtype=np.int64)
        place = np.empty((sensors, 2))
        first = tuple(int(n) for n in np.cumsum((0, *counts)))
        for i, device_class in enumerate(CLASSES):
            own = slice(first[i], first[i + 1])
            rng = np.random.default_rng([seed, 202, i])
            chance = _weights(regions, device_class.siting) * lived_in
            community[own], place[own] = _site(rng, counts[i], device_class.group, chance, regions, spots)
        numbers = np.repeat(np.arange(len(CLASSES), dtype=np.int16), counts)
        street = regions.communities.parent[community]
        return cls(
            numbers,
            place[:, 0].round(6),
            place[:, 1].round(6),
            regions.streets.parent[street].astype(np.int32),
            street.astype(np.int32),
            community.astype(np.int32),
            np.random.default_rng([seed, 203]).random(sensors),
            first,
            _ids(numbers, first),
        )

    def __len__(self) -> int:
        return len(self.cls)

    def of(self, class_name: str) -> slice:
        """The devices of a class.

        Raises:
            KeyError: no such class.
        """
        i = CLASS_INDEX[class_name]
        return slice(self.first[i], self.first[i + 1])

    def sending(self, metric: str) -> slice:
        """The devices that send a metric.

        Raises:
            KeyError: no device sends it.
        """
        return self.of(CLASS_OF[metric])

    def cells(self, devices: NDArray[np.integer] | slice) -> Int64s:
        """BeiDou cells of level 5 of some devices, int64; text by ``geo.beidou.text(cells, 5)``."""
        return beidou.encode(self.lon[devices], self.lat[devices], 5)


def _lived_in(seed: int, sensors: int, regions: Regions) -> Floats:
    """1 for the communities that have devices, 0 for others; every district has one."""
    communities, wanted = len(regions.communities), max(sensors // SENSORS_PER_COMMUNITY, 24)
    if wanted >= communities:
        return np.ones(communities)
    rng = np.random.default_rng([seed, 200])
    # Exponential races draw without replacement by weight: the smallest times win.
    race = rng.exponential(size=communities) / _weights(regions, Siting.PEOPLE)
    district = regions.district_of_community
    by_district = np.lexsort((race, district))
    chosen = np.zeros(communities)
    chosen[by_district[np.searchsorted(district[by_district], np.arange(len(regions.districts)))]] = 1.0
    chosen[np.argsort(race)[:wanted]] = 1.0
    return chosen


def _weights(regions: Regions, siting: Siting) -> Floats:
    """How strongly a siting is drawn to each community."""
    km = regions.communities.km_to_centre
    rural = np.array(["村" in name or "队" in name for name in regions.communities.name_zh])
    near: Floats = np.exp(-km / 12.0)
    by_siting = {
        Siting.PEOPLE: np.where(rural, 0.2, 1.0),
        Siting.ROADS: np.where(rural, 0.15, 0.5) + near,
        Siting.CENTRE: np.exp(-km / 5.0) + 1e-3,
        Siting.INDUSTRY: np.where(_industrial(regions), 6.0, 0.25),
        Siting.RIVER: np.exp(-_river_km(regions) / 1.5) + 1e-3,
        Siting.HILLS: np.where(rural & (km > 20.0), 1.0, 0.01),
        Siting.EVEN: np.ones(len(km)),
    }
    return by_siting[siting]


def _industrial(regions: Regions) -> NDArray[np.bool_]:
    street = np.array([any(word in name for word in INDUSTRIAL_NAMES) for name in regions.streets.name_zh])
    return street[regions.communities.parent]


def _river_km(regions: Regions) -> Floats:
    """Distance of each community's centre from the nearest river line."""
    point = regions.communities.center * DEGREE_KM
    nearest = np.full(len(point), np.inf)
    for line in (YANGTZE, HAN, DOWNSTREAM):
        corners = np.array(line) * DEGREE_KM
        for a, b in pairwise(corners):
            along = np.clip(((point - a) @ (b - a)) / ((b - a) @ (b - a)), 0.0, 1.0)
            nearest = np.minimum(nearest, np.hypot(*(point - a - along[:, None] * (b - a)).T))
    return nearest


def _points(rng: np.random.Generator, regions: Regions, community: Int64s) -> Floats:
    """A point in the settled part of each given community, lon and lat."""
    level = regions.communities
    shrink = np.minimum(1.0, SETTLED_KM / np.sqrt(level.km2 / np.pi))[community, None]
    anywhere = points_in(level.rings, community, rng)
    return level.center[community] + shrink * (anywhere - level.center[community])


def _site(  # noqa: PLR0913, PLR0917 - what a place is drawn from
    rng: np.random.Generator, n: int, group: int, chance: Floats, regions: Regions, spots: Floats
) -> tuple[Int64s, Floats]:
    """Communities [n] and places [n, 2] of the devices of a class."""
    groups = -(-n // group)
    home = rng.choice(len(chance), size=groups, p=chance / chance.sum())
    gathered = rng.random(groups) < 0.6
    at_spot = spots[home * SPOTS + rng.integers(0, SPOTS, groups)]
    middle = np.where(gathered[:, None], at_spot, _points(rng, regions, home))
    metres = rng.normal(0.0, 18.0, (n, 2))
    member = np.arange(n) // group
    return home[member], middle[member] + metres / (DEGREE_KM * 1000.0)


def _ids(numbers: NDArray[np.int16], first: tuple[int, ...]) -> pl.Series:
    names = pl.Series([c.name for c in CLASSES]).gather(numbers)
    within = np.arange(len(numbers)) - np.array(first)[numbers]
    text = pl.Series(within).cast(pl.String).str.zfill(6)
    return pl.select(pl.concat_str(names, pl.lit("-"), text)).to_series().alias("sensor_id")
