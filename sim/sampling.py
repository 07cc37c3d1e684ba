"""Signals to readings: the devices of a class, a span of time → what they send in it.

Readings are made for a run of devices at a time, small enough for the cache. Noise is drawn by
(seed, class, signal, block, run), so the same city gives the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.device_class import DAY_S, DeviceClass, Scene, Signal
from sim.device_classes import CLASSES, METRIC_INDEX
from sim.drivers import Minutes
from sim.effects import Effect, applied
from sim.placement import Devices
from sim.readings import Readings

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

RUN_READINGS = 131_072
"""Readings of one signal made at a time: a megabyte a column."""

JITTER_MS = 256
"""A regular reading is taken up to this much after its moment."""

LONGEST_JITTER_MIN = 4
"""Irregular readings come up to their period later; none has a longer one than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """What a block is sampled from: [begin, end), ms, of a city from ``start`` to ``last``.

    ``midnight`` is the last local midnight before the start, ``minutes`` the drivers, from one minute before
    ``begin``; ``effects`` are by metric.
    """

    seed: int
    number: int
    begin: int
    end: int
    start: int
    last: int
    midnight: int
    minutes: Minutes
    effects: Mapping[str, Sequence[Effect]]


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """When a run of devices reports: device number, ts, arrival, place in the drivers' minutes; all [m]."""

    device: NDArray[np.int32]
    ts: Int64s
    arrival: Int64s
    place: NDArray[np.intp]


def sampled(devices: Devices, span: Span) -> Iterator[Readings]:
    """Yield the readings due in a span, run by run of devices, class by class."""
    for number, device_class in enumerate(CLASSES):
        rhythms: dict[tuple[int, bool, float | None, bool], list[tuple[int, Signal]]] = {}
        for i, signal in enumerate(device_class.signals):
            rhythms.setdefault(signal.rhythm, []).append((i, signal))
        for signals in rhythms.values():
            yield from _of_rhythm(devices, number, device_class, signals, span)


def _of_rhythm(
    devices: Devices, number: int, device_class: DeviceClass, signals: list[tuple[int, Signal]], span: Span
) -> Iterator[Readings]:
    own = devices.of(device_class.name)
    each = signals[0][1]
    size = max(1, RUN_READINGS * each.period_s * 1000 // (span.end - span.begin + each.period_s * 1000))
    for run, low in enumerate(range(own.start, own.stop, size)):
        key = [span.seed, 300 + number, signals[0][0], span.number, run]
        members = slice(low, min(low + size, own.stop))
        stamps = _stamps(np.random.default_rng([*key, 1]), devices, members, each, span)
        if not len(stamps.ts):
            continue
        trait = devices.trait[stamps.device]
        for i, signal in signals:
            rng = np.random.default_rng([*key[:2], i, *key[3:], 2])
            noise = rng.standard_normal(len(stamps.ts), dtype=np.float32).astype(np.float64)
            scene = Scene(trait, noise, stamps.ts, stamps.place, span.minutes)
            yield _readings(signal, scene, stamps, span.effects.get(signal.metric, ()))


def _stamps(rng: np.random.Generator, devices: Devices, members: slice, signal: Signal, span: Span) -> Stamps:
    """The moments in [begin, end) at which devices report, each device by its own phase."""
    period = signal.period_s * 1000
    first = _first(devices.trait[members], signal, span)
    before = np.maximum(-((first - span.begin) // period), 0)
    count = np.maximum(-((first - span.end) // period), 0) - before
    row = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    jitter = rng.integers(0, period if signal.irregular else JITTER_MS, len(row), dtype=np.int32)
    ts = (first + before * period)[row] + within * period + jitter
    kept = ts < span.last
    if not kept.all():
        row, ts = row[kept], ts[kept]
    street = devices.street[members][row]
    minute = (ts - span.minutes.begin) // 60_000
    place = minute * span.minutes.drivers.zones + street
    return Stamps((members.start + row).astype(np.int32), ts, ts + _delays(rng, len(ts)), place)


def _first(trait: Floats, signal: Signal, span: Span) -> Int64s:
    """The first moment each device reports at all."""
    phase = np.modf(trait * (104_729.0 + signal.period_s))[0]
    if signal.at_hour is not None:
        due = span.midnight + signal.at_hour * 3_600_000 + phase * 600_000
        late = due < span.start
        return (due + late * DAY_S * 1000).astype(np.int64)
    width = min(signal.period_s, 60) if signal.reference else signal.period_s
    return span.start + (phase * width * 1000).astype(np.int64)


_DELAY_MS = np.minimum(-900.0 * np.log1p(-(np.arange(4096) + 0.5) / 4096), 8000.0).astype(np.int64)
"""Quantiles of the way to the platform: exponential with a mean of 0.9 s, at most 8 s."""


def _delays(rng: np.random.Generator, n: int) -> Int64s:
    return _DELAY_MS.take(rng.integers(0, 4096, n, dtype=np.uint16))


def _readings(signal: Signal, scene: Scene, stamps: Stamps, effects: Sequence[Effect]) -> Readings:
    value = signal.values(scene)
    if effects:
        value = np.clip(applied(effects, value, stamps.device, stamps.ts), signal.low, signal.high)
    value = np.round(value, signal.decimals)
    metric = np.full(len(value), METRIC_INDEX[signal.metric], dtype=np.int16)
    readings = Readings(stamps.device, metric, value, stamps.ts, stamps.arrival)
    missing = np.isnan(value)
    return readings.take(~missing) if missing.any() else readings
