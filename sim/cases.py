"""Everyday cases of a city: where its people are and what they do → reports → whole life cycles."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.drivers import Drivers
from sim.event_types import EVENT_TYPES, HOUR, EventType
from sim.life_cycles import CODES, NewCases, case_records
from sim.placement import Devices
from sim.rhythm import HOURS, PROFILES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INHABITANTS_PER_DEVICE = 13.7
"""A city of a million devices has the inhabitants of Wuhan, 13.7 million (statistical bulletin of 2023)."""

FULL_FLOOD_MM = 100.0
"""Standing water at which ``wet`` types have their full rate."""

SCATTER_DEGREES = 0.0008
"""Standard deviation of a case's distance from the device it is drawn beside, about 80 m."""

_STREAM = 0xCA5E5
"""Sets the random numbers of cases apart from all others of the same seed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Spots:
    """Where cases of a type arise: n spots, equally likely, with their zones; ``exact``: without scatter."""

    lon: Floats
    lat: Floats
    zone: Ints
    exact: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Town:
    """Where cases are drawn: devices, drivers, first and last moment (ms), seed."""

    devices: Devices
    drivers: Drivers
    span: tuple[int, int]
    seed: int

    @property
    def inhabitants(self) -> float:
        return INHABITANTS_PER_DEVICE * len(self.devices)


def base_cases(devices: Devices, drivers: Drivers, span: tuple[int, int], seed: int) -> pl.DataFrame:
    """Return the cases reported within ``span`` (ms) and their transitions before its end.

    Columns are ``sim.life_cycles.SCHEMA``, rows by ts and event_id. The same arguments give the same rows.
    """
    rng, town = np.random.default_rng((seed, _STREAM)), _Town(devices, drivers, span, seed)
    parts = [_reports(rng, kind, town) for kind in EVENT_TYPES.values()]
    number = np.repeat(np.arange(len(CODES)), [len(ts) for ts, _, _ in parts])
    reported, lon, lat = (np.concatenate(column) for column in zip(*parts, strict=True))
    severity = _severities(rng, number)
    return case_records(rng, NewCases(number, reported, lon, lat, severity), span[1])


def _severities(rng: np.random.Generator, kind: Ints) -> Ints:
    bounds = np.cumsum([t.severity for t in EVENT_TYPES.values()], axis=1)[:, :-1]
    severity: Ints = 1 + (rng.random(kind.size)[:, None] >= bounds[kind]).sum(axis=1)
    return severity


def _reports(rng: np.random.Generator, kind: EventType, town: _Town) -> tuple[Ints, Floats, Floats]:
    """Return time (ms), lon and lat of the reports of one type."""
    spots, (begin, end) = _spots(kind, town), town.span
    hours = np.arange(begin, end, HOUR)
    length = np.minimum(end - hours, HOUR)
    zones, of_zone = np.unique(spots.zone, return_inverse=True)
    lively = _liveliness(kind, town.drivers, hours + length // 2, zones) * (length / HOUR)[:, None]
    per_hour = max(kind.daily * town.inhabitants / 10_000, kind.least_daily) / 24
    share = np.bincount(of_zone, minlength=len(zones)) / len(of_zone)
    counts = rng.poisson(per_hour * lively * share)
    row, column = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    reported = hours[row] + (rng.random(row.size) * length[row]).astype(np.int64)
    chosen = _spot_in_zone(rng, of_zone, column, len(zones))
    scatter = np.zeros((2, row.size)) if spots.exact else rng.normal(0.0, SCATTER_DEGREES, (2, row.size))
    return reported, spots.lon[chosen] + scatter[0], spots.lat[chosen] + scatter[1]


def _spots(kind: EventType, town: _Town) -> _Spots:
    """Return the type's offices, or its institutions, or the devices of its metric, or all devices."""
    devices = town.devices
    rows = np.arange(len(devices))
    # Types of one department share their places: who registers a firm also strikes it off.
    first = next(i for i, t in enumerate(EVENT_TYPES.values()) if t.department == kind.department)
    rng = np.random.default_rng((town.seed, _STREAM, first, round(100 * kind.places)))
    if kind.by_district:
        shuffled = rng.permutation(rows)
        rows = shuffled[np.unique(devices.district[shuffled], return_index=True)[1]]
    elif kind.places:
        count = max(round(kind.places * town.inhabitants / 100_000), 1)
        rows = rng.choice(rows, size=min(count, rows.size), replace=False)
    elif kind.near:
        rows = rows[devices.sending(kind.near)]
    street = devices.street[rows].astype(np.int64)
    return _Spots(devices.lon[rows], devices.lat[rows], street, exact=kind.by_district or kind.places > 0)


def _liveliness(kind: EventType, drivers: Drivers, at: Ints, zones: Ints) -> Floats:
    """Return how many times the mean of a working day the type is reported, float64 [moments, zones]."""
    ts, zone = np.repeat(at, zones.size), np.tile(zones, at.size)
    if kind.wet:
        lively = np.minimum(drivers.at("standing", ts, zone) / FULL_FLOOD_MM, 1.0)
    else:
        lively = sum(
            (share * drivers.at(name, ts, zone) / daily_mean(name) for name, share in kind.rhythm),
            start=np.zeros(ts.size),
        )
    if kind.ill:
        lively = lively * drivers.at("illness", ts, zone)
    return lively.reshape(at.size, zones.size)


def daily_mean(activity: str) -> float:
    """Return the mean of an activity over a working day, 0 to 1.

    >>> 0.3 < daily_mean("work") < 0.5
    True
    """
    hours = np.arange(0.0, 24.0, 0.25)
    return float(np.interp(hours, HOURS, PROFILES[activity][0]).mean())


def _spot_in_zone(rng: np.random.Generator, of_zone: Ints, zone: Ints, zones: int) -> Ints:
    """Return for every case a spot of its zone, each equally likely."""
    order = np.argsort(of_zone, kind="stable")
    first = np.searchsorted(of_zone[order], np.arange(zones))
    many = np.bincount(of_zone, minlength=zones)
    chosen = first[zone] + (rng.random(zone.size) * many[zone]).astype(np.int64)
    spot: Ints = order[chosen]
    return spot
