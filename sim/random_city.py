"""A random city of any size: (seed, sensors, minutes) → readings, cases, registry.

    kinds of devices ─▶ sites ─▶ times ─▶ values ─┐
                                                  ├─▶ readings in arrival order ─▶ files
    lateness, duplicates, faults ─────────────────┘

The same arguments give the same bytes. Everything is columns; there is no Python loop over readings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.devices import DEVICES, Device, Signal, device_counts
from sim.random_cases import random_cases
from sim.signals import Scene
from sim.weather import MINUTE, Floats, Storm

START = 1_719_964_800_000
"""2024-07-03 08:00 in Wuhan, in the rainy season, in ms."""

METRICS = tuple(sorted({s.metric for d in DEVICES for s in d.signals}))
"""The metrics of the random city, sorted."""

FAULTY = -99_999.0
"""What a broken sensor sends: outside the range of every metric."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in degrees. The default is the inner part of Wuhan's bounding box.

    >>> Box().west < 114.3 < Box().east
    True
    """

    west: float = 114.05
    south: float = 30.40
    east: float = 114.55
    north: float = 30.75


@dataclass(frozen=True, slots=True)
class Disorder:
    """Shares of readings that are not as they should be.

    ``late`` readings arrive half a minute to 50 minutes after their time (all others within 8 s);
    ``duplicates`` arrive twice; ``faulty`` ones lie outside their metric's range.
    """

    late: float = 0.0
    duplicates: float = 0.0
    faulty: float = 0.0


@dataclass(frozen=True, slots=True)
class RandomCity:
    """Records as frames: ``sensors`` (registry rows, one per sensor and metric), ``readings``, ``events``.

    ``readings`` are in arrival order; the columns are those of the wire format.
    """

    sensors: pl.DataFrame
    readings: pl.DataFrame
    events: pl.DataFrame
    storm: Storm


@dataclass(frozen=True, slots=True)
class _Sites:
    """The devices: number of the first of each kind, and per device its place and trait."""

    first: tuple[int, ...]
    lon: Floats
    lat: Floats
    trait: Floats


@dataclass(frozen=True, slots=True)
class _World:
    """What all readings are made of: sites, first and last moment (ms), the storm."""

    sites: _Sites
    start: int
    end: int
    storm: Storm


@dataclass(frozen=True, slots=True)
class _Readings:
    """Columns of readings: device number, position in :data:`METRICS`, value, time in ms."""

    device: Ints
    metric: Ints
    value: Floats
    ts: Ints

    def take(self, row: Ints) -> "_Readings":
        return _Readings(self.device[row], self.metric[row], self.value[row], self.ts[row])


def random_city(  # noqa: PLR0913 - a city has that many knobs
    sensors: int,
    minutes: float,
    seed: int,
    *,
    start: int = START,
    box: Box | None = None,
    disorder: Disorder | None = None,
    cases: int | None = None,
    rain: float = 1.2,
) -> RandomCity:
    """Make a city of ``sensors`` devices that report for ``minutes`` from ``start`` (ms) on.

    ``cases`` defaults to one per twenty devices; ``rain`` is the peak rate in mm/min of a storm that
    lasts the last third of the time, at most an hour.

    Raises:
        ValueError: fewer devices than kinds of devices.

    >>> city = random_city(sensors=50, minutes=3, seed=7)
    >>> city.readings.columns
    ['sensor_id', 'metric', 'value', 'ts']
    >>> city.sensors["sensor_id"].n_unique()
    50
    >>> city.readings.equals(random_city(sensors=50, minutes=3, seed=7).readings)
    True
    """
    rng = np.random.default_rng(seed)
    box = box or Box()
    end = start + round(minutes * MINUTE)
    lasts = min(minutes / 3, 60.0)
    storm = Storm(end - round((lasts + 2) * MINUTE), (box.west + box.east) / 2, lasts, rain)
    sites = _sites(rng, sensors, box)
    readings = _all_readings(rng, _World(sites, start, end, storm))
    places = np.stack([sites.lon, sites.lat], axis=1)
    events = random_cases(rng, places, (start, end), sensors // 20 if cases is None else cases, storm)
    frame = _frame(_arrived(rng, readings, disorder or Disorder()), sites)
    return RandomCity(_registry(sites), frame, events, storm)


def _sites(rng: np.random.Generator, sensors: int, box: Box) -> _Sites:
    """Place the devices in neighbourhoods, a dozen or one per forty devices, so that cells are shared."""
    counts = device_counts(sensors)
    centres = rng.random((max(sensors // 40, 12), 2))
    home = rng.integers(0, len(centres), sensors)
    scatter = rng.normal(0.0, 0.004, (sensors, 2))
    lon = np.clip(box.west + centres[home, 0] * (box.east - box.west) + scatter[:, 0], box.west, box.east)
    lat = np.clip(
        box.south + centres[home, 1] * (box.north - box.south) + scatter[:, 1], box.south, box.north
    )
    first = tuple(int(n) for n in np.cumsum((0, *counts)))
    return _Sites(first, lon.round(6), lat.round(6), rng.random(sensors))


def _all_readings(rng: np.random.Generator, world: _World) -> _Readings:
    """Return every reading, kind by kind of device."""
    blocks = [b for number, device in enumerate(DEVICES) for b in _device_blocks(rng, device, number, world)]
    return _Readings(
        np.concatenate([b.device for b in blocks]),
        np.concatenate([b.metric for b in blocks]),
        np.concatenate([b.value for b in blocks]),
        np.concatenate([b.ts for b in blocks]),
    )


def _device_blocks(
    rng: np.random.Generator, device: Device, number: int, world: _World
) -> Iterator[_Readings]:
    """Yield the readings of one kind of device. Metrics of the same rhythm carry the same stamps."""
    own = slice(world.sites.first[number], world.sites.first[number + 1])
    stamps: dict[tuple[int, bool], Ints] = {}
    for signal in device.signals:
        rhythm = (signal.period_s, signal.reference)
        if rhythm not in stamps:
            stamps[rhythm] = _stamps(rng, signal, world, own.stop - own.start, irregular=device.irregular)
        ts = stamps[rhythm]
        scene = Scene(
            ts.astype(np.float64),
            world.sites.lon[own, None],
            world.sites.trait[own, None],
            rng.standard_normal(ts.shape, dtype=np.float32).astype(np.float64),
            world.storm,
        )
        values = np.round(signal.values(scene), signal.decimals)
        row, column = np.nonzero(ts < world.end)
        metric = np.full(row.size, METRICS.index(signal.metric), dtype=np.int64)
        yield _Readings(own.start + row, metric, values[row, column], ts[row, column])


def _stamps(rng: np.random.Generator, signal: Signal, world: _World, n: int, *, irregular: bool) -> Ints:
    """Return event times (n, k) in ms: a phase of its own for each device, then period by period."""
    period = signal.period_s * 1000
    phase = rng.integers(1, min(period, MINUTE) if signal.reference else period, (n, 1))
    times = np.arange(-(-(world.end - world.start) // period))
    jitter = rng.integers(0, period if irregular else 900, (n, times.size))
    return world.start + phase + times * period + jitter


def _arrived(rng: np.random.Generator, readings: _Readings, disorder: Disorder) -> _Readings:
    """Return the readings in arrival order, with faults, late ones and duplicates put in."""
    n = readings.ts.size
    value = np.where(rng.random(n) < disorder.faulty, FAULTY, readings.value)
    delay = np.minimum(rng.exponential(900.0, n), 8000.0)
    slow = rng.random(n) < disorder.late
    arrival = readings.ts + np.where(slow, 30_000 + rng.random(n) * 2_970_000, delay)
    again = np.flatnonzero(rng.random(n) < disorder.duplicates)
    row = np.concatenate([np.arange(n), again])
    order = np.argsort(np.concatenate([arrival, arrival[again] + 1500.0]), kind="stable")
    return replace(readings, value=value).take(row[order])


def _sensor_ids(sites: _Sites) -> pl.Series:
    kinds = np.repeat([d.kind for d in DEVICES], np.diff(sites.first))
    numbers = pl.Series(np.arange(sites.lon.size)).cast(pl.String).str.zfill(6)
    return pl.select(pl.concat_str(pl.Series(kinds), pl.lit("-"), numbers)).to_series()


def _frame(readings: _Readings, sites: _Sites) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sensor_id": _sensor_ids(sites).gather(readings.device),
            "metric": pl.Series(METRICS).gather(readings.metric),
            "value": readings.value,
            "ts": readings.ts,
        }
    )


def _registry(sites: _Sites) -> pl.DataFrame:
    """Return one row per sensor and metric: sensor_id, lon, lat, metric, period_s."""
    kind = np.repeat(np.arange(len(DEVICES)), np.diff(sites.first))
    rows = [(k, s.metric, s.period_s) for k, d in enumerate(DEVICES) for s in d.signals]
    signals = pl.DataFrame(
        rows, schema={"kind": pl.Int64, "metric": pl.String, "period_s": pl.Int64}, orient="row"
    )
    sensors = pl.DataFrame(
        {"sensor_id": _sensor_ids(sites), "lon": sites.lon, "lat": sites.lat, "kind": kind}
    )
    return sensors.join(signals, on="kind", maintain_order="left_right").drop("kind")
