"""All classes of devices, their metrics, and how many of each a city has."""

from sim import (
    devices_of_industry,
    devices_of_mobility,
    devices_of_people,
    devices_of_safety,
    devices_of_streets,
    devices_of_water,
    devices_of_weather,
)
from sim.device_class import MINUTE_S, DeviceClass, Signal

CLASSES: tuple[DeviceClass, ...] = (
    *devices_of_mobility.CLASSES,
    *devices_of_streets.CLASSES,
    *devices_of_weather.CLASSES,
    *devices_of_water.CLASSES,
    *devices_of_safety.CLASSES,
    *devices_of_people.CLASSES,
    *devices_of_industry.CLASSES,
)
"""Every class, in the order in which devices are numbered."""

CLASS_INDEX: dict[str, int] = {c.name: i for i, c in enumerate(CLASSES)}
"""Class name → position in :data:`CLASSES`."""

METRICS: tuple[str, ...] = tuple(dict.fromkeys(s.metric for c in CLASSES for s in c.signals))
"""Every metric a device sends; a reading names it by position."""

METRIC_INDEX: dict[str, int] = {metric: i for i, metric in enumerate(METRICS)}
"""Metric → position in :data:`METRICS`."""

CLASS_OF: dict[str, str] = {s.metric: c.name for c in CLASSES for s in c.signals}
"""Metric → the name of the one class that sends it."""

SIGNALS: dict[str, Signal] = {s.metric: s for c in CLASSES for s in c.signals}
"""Metric → its signal."""


def class_counts(devices: int) -> tuple[int, ...]:
    """Split ``devices`` over :data:`CLASSES` by share, at least one each, by largest remainder.

    Raises:
        ValueError: fewer devices than classes.

    >>> sum(class_counts(1000))
    1000
    """
    if devices < len(CLASSES):
        raise ValueError(
            f"a city has {len(CLASSES)} classes of devices, at least one of each; found {devices} sensors"
        )
    free = devices - len(CLASSES)
    total = sum(c.share for c in CLASSES)
    exact = [free * c.share / total for c in CLASSES]
    counts = [int(x) for x in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: free - sum(counts)]:
        counts[i] += 1
    return tuple(c + 1 for c in counts)


def readings_per_minute() -> float:
    """Return the mean readings per minute of one device of the mix, references aside.

    >>> 0.3 < readings_per_minute() < 1.0
    True
    """
    total = sum(c.share for c in CLASSES)
    regular = ((c, s) for c in CLASSES for s in c.signals if not s.reference)
    return sum(c.share / total * MINUTE_S / s.period_s for c, s in regular)
