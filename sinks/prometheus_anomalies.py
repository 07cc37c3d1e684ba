"""Anomalies as a counter: how many were raised, by kind and theme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import get_args

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.anomalies import Anomaly, AnomalyKind
from sinks.prometheus import Family, Sample

_SENSORS = "sensors"
"""The theme of single sensors."""

_KINDS = get_args(AnomalyKind)
Counts = dict[tuple[str, str], int]


@dataclass(slots=True)
class AnomalyFigures:
    """What is counted of anomalies; ``themes`` has the theme of each indicator."""

    themes: Mapping[str, str]
    raised: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, anomalies: Sequence[Anomaly]) -> None:
        """Count those that are raised."""
        for one in anomalies:
            if one.transition == "raised":
                theme = _SENSORS if one.kind == "sensor" else self.themes.get(one.indicator, "")
                self.raised[one.anomaly, theme] += 1

    def families(self) -> Iterator[Family]:
        """What a scrape gets: a sample of every kind and theme, 0 where there was none yet."""
        themes = sorted({*self.themes.values(), _SENSORS})
        yield Family(
            "yiwang_anomalies_total",
            "counter",
            "Anomalies raised, by kind and theme.",
            ("anomaly", "theme"),
            [Sample(labels, self.raised[labels]) for labels in product(_KINDS, themes)],
        )


class _Part(StatefulSinkPartition[Sequence[Anomaly], Counts]):
    def __init__(self, figures: AnomalyFigures) -> None:
        self._figures = figures

    def write_batch(self, values: list[Sequence[Anomaly]]) -> None:
        for anomalies in values:
            self._figures.take(anomalies)

    def snapshot(self) -> Counts:
        return dict(self._figures.raised)


class AnomalyCounter(FixedPartitionedSink[Sequence[Anomaly], Counts]):
    """Sink of anomalies into `AnomalyFigures`."""

    def __init__(self, figures: AnomalyFigures) -> None:
        self._figures = figures

    def list_parts(self) -> list[str]:
        """The one part."""
        return ["city"]

    def build_part(self, step_id: str, for_part: str, resume_state: Counts | None) -> _Part:
        """The part; a snapshot's counts go on."""
        del step_id, for_part
        self._figures.raised = Counter(resume_state or {})
        return _Part(self._figures)
