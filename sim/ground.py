"""The ground of the city: what draws devices to a community, and the points to put them at."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geo.voronoi import Fans
from sim.device_class import Siting
from sim.regions import DEGREE_KM, Regions

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

SENSORS_PER_COMMUNITY = 30
"""A city of fewer sensors than this in every community leaves communities empty."""

SPOTS = 3
"""Spots of a community (a crossing, a square, a market) at which devices gather."""

SETTLED_KM = 0.6
"""Devices stand within about this distance of a community's centre, however large it is."""

GROUP_METRES = 18.0
"""Standard deviation of the places of a group's members about its middle."""

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
class Ground:
    """Communities as a place to put devices.

    ``lived_in`` float64 [communities] is 1 where devices stand at all, ``weights`` say how strongly each
    siting is drawn to each community, ``spots`` float64 [communities * SPOTS, 2] are lon and lat.
    """

    lived_in: Floats
    weights: Mapping[Siting, Floats]
    center: Floats
    shrink: Floats
    fans: Fans
    spots: Floats

    @classmethod
    def of(cls, seed: int, sensors: int, regions: Regions) -> Self:
        """The ground of a city of so many sensors."""
        level = regions.communities
        weights = _weights(regions)
        bare = cls(
            _lived_in(seed, sensors, regions, weights[Siting.PEOPLE]),
            weights,
            level.center,
            np.minimum(1.0, SETTLED_KM / np.sqrt(level.km2 / np.pi))[:, None],
            Fans.of(level.rings),
            np.empty((0, 2)),
        )
        at = np.repeat(np.arange(len(level)), SPOTS)
        return replace(bare, spots=bare.points(at, np.random.default_rng([seed, 201])))

    def points(self, community: Int64s, rng: np.random.Generator) -> Floats:
        """A point in the settled part of each given community, lon and lat, float64 [n, 2]."""
        anywhere = self.fans.points(community, rng)
        return self.center[community] + self.shrink[community] * (anywhere - self.center[community])

    def site(self, siting: Siting, n: int, group: int, rng: np.random.Generator) -> tuple[Int64s, Floats]:
        """Communities [n] and places [n, 2] of n devices, of which ``group`` stand together at a time."""
        chance = self.weights[siting] * self.lived_in
        groups = -(-n // group)
        home = rng.choice(len(chance), size=groups, p=chance / chance.sum())
        gathered = rng.random(groups) < 0.6
        at_spot = self.spots[home * SPOTS + rng.integers(0, SPOTS, groups)]
        middle = np.where(gathered[:, None], at_spot, self.points(home, rng))
        member = np.arange(n) // group
        metres = rng.normal(0.0, GROUP_METRES, (n, 2))
        return home[member], middle[member] + metres / (DEGREE_KM * 1000.0)


def _lived_in(seed: int, sensors: int, regions: Regions, people: Floats) -> Floats:
    """1 for the communities that have devices, 0 for others; every district has one."""
    communities, wanted = len(people), max(sensors // SENSORS_PER_COMMUNITY, 24)
    if wanted >= communities:
        return np.ones(communities)
    # Exponential races draw without replacement by weight: the smallest times win.
    race = np.random.default_rng([seed, 200]).exponential(size=communities) / people
    district = regions.district_of_community
    by_district = np.lexsort((race, district))
    chosen = np.zeros(communities)
    chosen[by_district[np.searchsorted(district[by_district], np.arange(len(regions.districts)))]] = 1.0
    chosen[np.argsort(race)[:wanted]] = 1.0
    return chosen


def _weights(regions: Regions) -> dict[Siting, Floats]:
    km = regions.communities.km_to_centre
    rural = np.array(["村" in name or "队" in name for name in regions.communities.name_zh])
    near: Floats = np.exp(-km / 12.0)
    return {
        Siting.PEOPLE: np.where(rural, 0.2, 1.0),
        Siting.ROADS: np.where(rural, 0.15, 0.5) + near,
        Siting.CENTRE: np.exp(-km / 5.0) + 1e-3,
        Siting.INDUSTRY: np.where(_industrial(regions), 6.0, 0.25),
        Siting.RIVER: np.exp(-_river_km(regions) / 1.5) + 1e-3,
        Siting.HILLS: np.where(rural & (km > 20.0), 1.0, 0.01),
        Siting.EVEN: np.ones(len(km)),
    }


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
