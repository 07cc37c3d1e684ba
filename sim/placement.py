"""Where devices stand: (seed, sensors, regions) → columns of places.

A class is drawn to communities by its siting, and inside one to a few spots (a crossing, a square, a market),
so that devices of many classes share cells as they do in a city. Small cities fill some communities well
instead of all of them thinly.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from geo import beidou
from sim.device_classes import CLASS_INDEX, CLASS_OF, CLASSES, class_counts
from sim.ground import Ground
from sim.regions import Regions

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]


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
        ground = Ground.of(seed, sensors, regions)
        community = np.empty(sensors, dtype=np.int64)
        place = np.empty((sensors, 2))
        first = tuple(int(n) for n in np.cumsum((0, *counts)))
        for i, device_class in enumerate(CLASSES):
            own = slice(first[i], first[i + 1])
            rng = np.random.default_rng([seed, 202, i])
            siting, group = device_class.siting, device_class.group
            community[own], place[own] = ground.site(siting, counts[i], group, rng)
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


def _ids(numbers: NDArray[np.int16], first: tuple[int, ...]) -> pl.Series:
    names = pl.Series([c.name for c in CLASSES]).gather(numbers)
    within = np.arange(len(numbers)) - np.array(first)[numbers]
    text = pl.Series(within).cast(pl.String).str.zfill(6)
    return pl.select(pl.concat_str(names, pl.lit("-"), text)).to_series().alias("sensor_id")
