"""Faulty sensors as metrics: how many are kept apart now, how many faults there were by kind.

>>> figures = FaultFigures()
>>> [family.name for family in figures.families()]
['yiwang_quarantined_sensors', 'yiwang_sensor_faults_total']
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import get_args

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.sensor_faults import FaultName, SensorFault
from sinks.prometheus import Family, Sample

_KINDS = get_args(FaultName)
State = tuple[dict[str, int], list[str]]
"""Faults so far by kind, ids of those whose readings are kept apart."""


@dataclass(slots=True)
class FaultFigures:
    """What is counted of faults."""

    raised: Counter[str] = field(default_factory=Counter)
    apart: set[str] = field(default_factory=set)

    def take(self, faults: Sequence[SensorFault]) -> None:
        """Count those that are raised; know whose readings are kept apart."""
        for one in faults:
            if one.transition != "raised":
                self.apart.discard(one.fault_id)
                continue
            self.raised[one.fault] += 1
            if one.quarantined:
                self.apart.add(one.fault_id)

    def families(self) -> Iterator[Family]:
        """What a scrape gets: a sample of every kind, 0 where there was none yet."""
        yield Family(
            "yiwang_quarantined_sensors",
            "gauge",
            "Sensors whose readings are kept out of the indicators.",
            (),
            [Sample((), len(self.apart))],
        )
        yield Family(
            "yiwang_sensor_faults_total",
            "counter",
            "Sensors held to be faulty, by kind of fault.",
            ("fault",),
            [Sample((kind,), self.raised[kind]) for kind in _KINDS],
        )


class _Part(StatefulSinkPartition[Sequence[SensorFault], State]):
    def __init__(self, figures: FaultFigures) -> None:
        self._figures = figures

    def write_batch(self, values: list[Sequence[SensorFault]]) -> None:
        for faults in values:
            self._figures.take(faults)

    def snapshot(self) -> State:
        return dict(self._figures.raised), sorted(self._figures.apart)


class FaultCounter(FixedPartitionedSink[Sequence[SensorFault], State]):
    """Sink of faults into `FaultFigures`."""

    def __init__(self, figures: FaultFigures) -> None:
        self._figures = figures

    def list_parts(self) -> list[str]:
        """The one part."""
        return ["city"]

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> _Part:
        """The part; a snapshot's counts go on."""
        del step_id, for_part
        raised, apart = resume_state or ({}, [])
        self._figures.raised, self._figures.apart = Counter(raised), set(apart)
        return _Part(self._figures)
