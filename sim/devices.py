"""The kinds of devices in the random city and what each reports how often.

A device is one thing of the real world (a road segment, a car park, an air station); all of its metrics
share its ``sensor_id``. Periods and units are those of the catalogue's input metrics.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sim import signals
from sim.signals import Scene
from sim.weather import Floats

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Signal:
    """One metric of a device: its period in s, the decimals it is sent with, its values."""

    metric: str
    period_s: int
    decimals: int
    values: Callable[[Scene], Floats]
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device: ``share`` of all devices, and its signals. ``irregular``: no fixed rhythm."""

    kind: str
    share: float
    signals: tuple[Signal, ...]
    irregular: bool = False


def _air(period_s: int) -> tuple[Signal, ...]:
    rows = (
        ("pm25", 1, signals.pm25),
        ("pm10", 1, signals.pm10),
        ("so2", 1, signals.so2),
        ("no2", 1, signals.no2),
        ("o3", 1, signals.o3),
        ("co", 3, signals.co),
    )
    return tuple(Signal(metric, period_s, decimals, values) for metric, decimals, values in rows)


DEVICES = (
    Device(
        "segment",
        0.30,
        (
            Signal("road_freeflow_speed", DAY_S, 1, signals.road_freeflow_speed, reference=True),
            Signal("road_segment_length", DAY_S, 3, signals.road_segment_length, reference=True),
            Signal("road_speed", MINUTE_S, 1, signals.road_speed),
        ),
    ),
    Device(
        "parking",
        0.09,
        (
            Signal("parking_total", HOUR_S, 0, signals.parking_total, reference=True),
            Signal("parking_occupied", MINUTE_S, 0, signals.parking_occupied),
        ),
    ),
    Device("bin", 0.12, (Signal("bin_fill", 15 * MINUTE_S, 1, signals.bin_fill),)),
    # Battery-driven bins report half as often: their own period stands in the registry.
    Device("slowbin", 0.03, (Signal("bin_fill", 30 * MINUTE_S, 1, signals.bin_fill),)),
    Device("site", 0.05, (Signal("site_noise_laeq", MINUTE_S, 1, signals.site_noise_laeq),)),
    Device(
        "exchange",
        0.02,
        (
            Signal("ds_records_checked", HOUR_S, 0, signals.ds_records_checked),
            Signal("ds_records_correct", HOUR_S, 0, signals.ds_records_correct),
        ),
    ),
    Device("gauge", 0.06, (Signal("rain_1m", MINUTE_S, 1, signals.rain_1m),)),
    Device("underpass", 0.05, (Signal("ponding_depth", MINUTE_S, 3, signals.ponding_depth),)),
    Device(
        "sewer",
        0.05,
        (
            Signal("pipe_diameter", DAY_S, 1, signals.pipe_diameter, reference=True),
            Signal("pipe_level", 5 * MINUTE_S, 3, signals.pipe_level),
        ),
    ),
    Device("gas", 0.07, (Signal("gas_lel", 5 * MINUTE_S, 2, signals.gas_lel),)),
    Device("air", 0.03, _air(5 * MINUTE_S)),
    Device("meter", 0.10, (Signal("supply_voltage", 15 * MINUTE_S, 1, signals.supply_voltage),)),
    # The catalogue gives arrivals no period; a stop sees a bus every three minutes or so.
    Device(
        "stop",
        0.03,
        (Signal("bus_arrival_deviation", 3 * MINUTE_S, 0, signals.bus_arrival_deviation),),
        irregular=True,
    ),
)


def readings_per_minute() -> float:
    """Return the mean readings per minute of one device of the mix, references aside.

    >>> 0.5 < readings_per_minute() < 1.0
    True
    """
    regular = ((d, s) for d in DEVICES for s in d.signals if not s.reference)
    return sum(d.share * MINUTE_S / s.period_s for d, s in regular)


def device_counts(devices: int) -> tuple[int, ...]:
    """Split ``devices`` over :data:`DEVICES` by share, at least one each, by largest remainder.

    Raises:
        ValueError: fewer devices than kinds.

    >>> sum(device_counts(200))
    200
    """
    if devices < len(DEVICES):
        raise ValueError(f"a city of {devices} devices lacks some kinds: use at least {len(DEVICES)}")
    free = devices - len(DEVICES)
    exact = [free * d.share / sum(e.share for e in DEVICES) for d in DEVICES]
    counts = [int(x) for x in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: free - sum(counts)]:
        counts[i] += 1
    return tuple(c + 1 for c in counts)
