"""A simulation as it is asked for: a city, its cases, scenarios and faults → a folder of files.

requests ─▶ scripts ─▶ city ─▶ cases, blocks ─▶ faults ─▶ files
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from sim.cases import base_cases
from sim.city import START, City
from sim.city_writer import Happenings, Progress, Written, write_city
from sim.device_classes import METRICS
from sim.disorder import Disorder
from sim.faults import Fault, FaultPlan, fault_lines, plan_faults
from sim.reading_files import Format
from sim.readings import Block
from sim.scenarios.casting import Request, cast
from sim.spoiler import Spoiler

_STREAM = 0xFA175
"""Sets the plan of faults apart from all other random numbers of the same seed."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """What is simulated; see ``sim.city`` for seed, sensors, start (ms), hours and tz.

    ``faults`` is a level of ``sim.faults``: none, normal or heavy; ``disorder`` comes on top of it, for
    measuring. ``minute_blocks``: readings are made minute by minute, for a pace.

    >>> simulation = Simulation(seed=1, sensors=500, hours=0.5)
    >>> len(simulation.city.devices), simulation.cases.columns[:3]
    (500, ['event_id', 'type', 'status'])
    """

    seed: int
    sensors: int
    start: int = START
    hours: float = 24.0
    tz: str = "Asia/Shanghai"
    requests: Sequence[Request] = ()
    faults: str = "none"
    minute_blocks: bool = False
    disorder: Disorder | None = None

    @cached_property
    def city(self) -> City:
        """The city in which the scenarios happen.

        Raises:
            ValueError: there are too few sensors, or a scenario cannot be played in the city.
        """
        block = 1 if self.minute_blocks else None
        quiet = City(self.seed, self.sensors, self.start, self.hours, self.tz, block_minutes=block)
        return quiet.with_scripts(cast(quiet, self.requests))

    @cached_property
    def cases(self) -> pl.DataFrame:
        """The transitions of all cases, those of everyday life and those of the scenarios, by time."""
        city = self.city
        everyday = base_cases(city.devices, city.drivers, (city.start, city.end), self.seed)
        extra = [script.cases for script in city.scripts if script.cases is not None]
        return pl.concat([everyday, *extra]).sort("ts", "event_id", maintain_order=True)

    @cached_property
    def plan(self) -> FaultPlan:
        """The faults of the level, and those of the scenarios."""
        city = self.city
        rng = np.random.default_rng((self.seed, _STREAM))
        plan = plan_faults(self.sensors, (city.start, city.end), self.faults, rng)
        for script in city.scripts:
            if isinstance(script.faults, FaultPlan):
                plan = plan.joined(script.faults)
        return plan

    def write(
        self,
        to: Path,
        file_format: Format = "jsonl",
        speed: float | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write all files into a folder.

        Raises:
            ValueError: there are too few sensors, or a scenario cannot be played in the city.
            OSError: the folder cannot be written to.
        """
        extra = self.happenings
        return write_city(self.city, to, extra, file_format=file_format, speed=speed, progress=progress)

    @cached_property
    def happenings(self) -> Happenings:
        """What is added to the city's own readings: cases and faults."""
        plan, devices = self.plan, self.city.devices
        if not len(plan):
            return Happenings(self.cases, self.disorder)
        lines = fault_lines(plan, devices.sensor_ids.to_list(), METRICS)
        misplaced = np.unique(plan.only(Fault.DATUM).device).astype(np.int64)
        spoiler, disorder = Spoiler(plan, len(devices), self.seed), self.disorder

        def faulty(block: Block) -> Block:
            return disorder(spoiler(block)) if disorder else spoiler(block)

        return Happenings(self.cases, faulty, misplaced, lines)
