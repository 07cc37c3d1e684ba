"""A city of any size with ground truth: (seed, sensors, start, hours) and scripts → blocks of readings.

    regions ─▶ devices ─┐
    drivers ─▶ changes ─┴▶ signals ─▶ effects ─▶ blocks ─▶ faults ─▶ arrival order ─▶ files

Everything is a closed function of (seed, place, time): the same arguments give the same bytes. Everything is
columns; there is no Python loop over readings or sensors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from flows.wire import END_OF_TIME, MIN_TIME
from sim.device_classes import class_counts, readings_per_minute
from sim.drivers import Drivers
from sim.effects import Effect
from sim.placement import Devices
from sim.readings import Block, Readings
from sim.regions import Regions
from sim.sampling import LONGEST_JITTER_MIN, Span, sampled
from sim.script import Script
from sim.working_days import local_midnight

MINUTE_MS, HOUR_MS = 60_000, 3_600_000

START = 1_772_380_800_000
"""2026-03-02 00:00 in Wuhan, a Monday of a mild and damp week, in ms."""

BLOCK_READINGS = 1_000_000
"""Readings of a block, about: what is held in memory at a time."""

BLOCK_MINUTES = (60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1)
"""Lengths a block may have."""


@dataclass(frozen=True, eq=False)
class City:
    """A city of ``sensors`` devices from ``start`` (ms) for ``hours``, in the time zone ``tz``.

    ``scripts`` say what happens in it: see ``sim.script``.

    Raises:
        ValueError: fewer sensors than classes of devices, no time at all, or one no record may carry.

    >>> city = City(seed=7, sensors=1000, start=START, hours=0.25)
    >>> blocks = list(city.blocks())
    >>> sum(len(block.readings) for block in blocks) > 1000
    True
    """

    seed: int
    sensors: int
    start: int = START
    hours: float = 24.0
    tz: str = "Asia/Shanghai"
    scripts: Sequence[Script] = field(default=())
    block_minutes: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.hours < 24 * 3660:
            raise ValueError(f"a city lasts more than no time and less than ten years; found {self.hours} h")
        if not MIN_TIME <= self.start <= self.end < END_OF_TIME:
            raise ValueError(f"a city lives between 1970 and 2200; found a start of {self.start} ms")
        class_counts(self.sensors)

    @property
    def end(self) -> int:
        """The first moment (ms) of which there is no reading."""
        return self.start + round(self.hours * HOUR_MS)

    @cached_property
    def regions(self) -> Regions:
        """Districts, streets and communities."""
        return Regions.wuhan()

    @cached_property
    def devices(self) -> Devices:
        """What stands where."""
        return Devices.placed(self.seed, self.sensors, self.regions)

    @cached_property
    def base_drivers(self) -> Drivers:
        """The drivers as they are when nothing happens."""
        return Drivers.made(self.seed, self.regions, self.start, self.end, self.tz)

    @cached_property
    def drivers(self) -> Drivers:
        """The drivers with the changes of all scripts."""
        changes = [change for script in self.scripts for change in script.driver_changes]
        return self.base_drivers.apply(changes) if changes else self.base_drivers

    @cached_property
    def effects(self) -> dict[str, list[Effect]]:
        """The effects of all scripts by metric, in the order of the scripts."""
        by_metric: dict[str, list[Effect]] = {}
        for script in self.scripts:
            for effect in script.effects:
                by_metric.setdefault(effect.metric, []).append(effect)
        return by_metric

    def with_scripts(self, scripts: Sequence[Script]) -> Self:
        """The same city with other scripts; regions, devices and quiet drivers are kept."""
        other = replace(self, scripts=tuple(scripts))
        for name in ("regions", "devices", "base_drivers"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    @property
    def block_ms(self) -> int:
        """How long a block is: ``block_minutes``, or an hour, less for many sensors."""
        if self.block_minutes:
            return MINUTE_MS * self.block_minutes
        rate = readings_per_minute() * self.sensors
        return MINUTE_MS * next((m for m in BLOCK_MINUTES if m * rate <= BLOCK_READINGS), 1)

    def blocks(self) -> Iterator[Block]:
        """Yield the readings of all sensors, block by block of time."""
        for number in range(-((self.start - self.end) // self.block_ms)):
            yield self.block(number)

    def block(self, number: int) -> Block:
        """The readings of one block; it depends on no other."""
        begin = self.start + number * self.block_ms
        end = min(begin + self.block_ms, self.end)
        parts = list(sampled(self.devices, self._span(number, begin, end)))
        return Block(begin, end, number, Readings.joined(parts))

    def _span(self, number: int, begin: int, end: int) -> Span:
        return Span(
            seed=self.seed,
            number=number,
            begin=begin,
            end=end,
            start=self.start,
            last=self.end,
            midnight=local_midnight(self.start, self.tz),
            minutes=self.drivers.minutes(begin - MINUTE_MS, end + LONGEST_JITTER_MIN * MINUTE_MS),
            effects=self.effects,
        )
