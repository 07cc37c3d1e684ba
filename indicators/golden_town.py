"""A golden case as a city of its own: its records in one shard, and the values of its areas.

>>> from indicators.catalogue import Catalogue
>>> from indicators.golden_case import shipped_cases
>>> case = shipped_cases()[0]
>>> GoldenTown(case, Catalogue.load()[case.indicator], Metrics.load()).judged().value.round(9).tolist()
[[5.111111111]]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from indicators.calendar import Calendar
from indicators.cases import STATUS, CaseRow, Place
from indicators.catalogue import Catalogue, Indicator
from indicators.evaluate import Evaluation
from indicators.explain import Explanation, explain, share_of
from indicators.golden_case import DEFAULT_CELL, GoldenCase
from indicators.golden_notation import CaseStep, SeriesReading, Spot
from indicators.judge import Judged, judge
from indicators.latest import NEVER
from indicators.layout import Cells
from indicators.metrics import Metrics
from indicators.plan import IndicatorPlan, Plan
from indicators.points import NOWHERE, from_metres
from indicators.shard import Shard
from indicators.store import FOREVER

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class GoldenTown:
    """The records of a case, taken in once; cells are numbered in the order of their names.

    Attributes:
        shard: what the engine knows of the town.
        sensors: sensor number -> name.
        cases: case number -> name.
        areas: the areas with an expected value, in the order of the judged columns.
    """

    def __init__(self, case: GoldenCase, indicator: Indicator, metrics: Metrics) -> None:
        """Fill the town of a case.

        Raises:
            ValueError: no window of the indicator ends at the case's time.
        """
        self.case = case
        self.metrics = metrics
        self.calendar = Calendar()
        self.catalogue = Catalogue((indicator,), "", "", dict(case.settings))
        self.plan: IndicatorPlan = Plan(self.catalogue, metrics).indicators[0]
        self._check_end()
        self.shard = Shard(
            Plan(self.catalogue, metrics), self.calendar, Cells(_nowhere, _one_tile, _far_apart)
        )
        self.shard.since = NEVER if case.since is None else case.since
        self.cells = sorted(case.cells)
        self.shard.cells.number(np.arange(len(self.cells)))
        self.sensors = sorted(case.sensors)
        self.cases = sorted({t.case for t in case.transitions})
        self.channels = sorted({t.channel for t in case.transitions if t.channel})
        self.areas = tuple(case.value)
        self._take_readings()
        self._take_cases()

    def _check_end(self) -> None:
        hop = self.plan.indicator.hop_ms
        if self.case.at not in self.calendar.ends(self.case.at - hop, self.case.at, hop):
            text = self.plan.indicator.entry.hop
            raise ValueError(f"at: no window of {self.case.indicator} ends then; they end every {text}")

    # -- records ---------------------------------------------------------------------------------------

    def _take_readings(self) -> None:
        by_metric: dict[str, list[SeriesReading]] = defaultdict(list)
        for reading in self.case.readings:
            by_metric[reading.metric].append(reading)
        for code, rows in by_metric.items():
            self._insert(self.metrics.index[code], rows)

    def _insert(self, metric: int, rows: Sequence[SeriesReading]) -> None:
        """Take readings of one metric; those out of its range only count as checked (R10)."""
        known = [self.case.sensors[r.sensor] for r in rows]
        cell = np.array([self.cells.index(s.cell) for s in known])
        own = int(self.metrics.period_ms[metric])
        series = self.shard.stores[metric].add(
            np.array([self.sensors.index(r.sensor) for r in rows]),
            cell,
            np.array([s.period_ms or own for s in known]),
            np.array([0 if s.retired else FOREVER for s in known]),
            np.zeros(len(rows), np.int64),
        )
        spots = np.array([_spot(s.spot) for s in known], np.int64)
        self.shard.stores[metric].stand(series, spots[:, 0], spots[:, 1])
        ts, value = np.array([r.ts for r in rows]), np.array([r.value for r in rows])
        good = (value >= self.metrics.low[metric]) & (value <= self.metrics.high[metric])
        whole = np.rint(value / self.metrics.resolution[metric]).astype(np.int64)
        if good.any():
            self.shard.insert(metric, series[good], ts[good], whole[good])
        self.shard.counters.add(("checked",), cell[~good], ts[~good])

    def _take_cases(self) -> None:
        by_case: dict[str, list[CaseStep]] = defaultdict(list)
        for step in self.case.transitions:
            by_case[step.case].append(step)
        for name, found in by_case.items():
            self.shard.type_cases(found[0].event).put(self._row(self.cases.index(name), found))

    def _row(self, number: int, found: Sequence[CaseStep]) -> CaseRow:
        """A case by its steps in order of time; it lies where the first one does."""
        return CaseRow(
            number,
            self.cells.index(found[0].cell or DEFAULT_CELL),
            found[0].ts,
            np.array([STATUS[step.status] for step in found], np.int8),
            np.array([step.ts for step in found], np.int64),
            np.array([step.severity for step in found], np.int8),
            self._place(found),
        )

    def _place(self, found: Sequence[CaseStep]) -> Place:
        lon, lat = _spot(found[0].spot)
        first = next((step for step in found if step.channel), None)
        if first is None or first.channel is None:
            return Place(lon, lat)
        return Place(lon, lat, 1 + self.channels.index(first.channel), first.ts)

    # -- values ----------------------------------------------------------------------------------------

    def judged(self) -> Judged:
        """Values at the case's time, one column per area; an area of nothing has no value.

        With ``streets_of``, an area has the greatest value of its streets.
        """
        names = list(dict.fromkeys((*self.areas, *(s for a in self.case.streets_of.values() for s in a))))
        found = self._merged(names)
        value = found.value.copy()
        for area, streets in self.case.streets_of.items():
            rows = [found.value[:, names.index(street)] for street in streets]
            value[:, names.index(area)] = np.fmax.reduce(rows)
        return replace(found, value=value)

    def explained(self, area: str) -> Explanation:
        """Why an area of the case has its value.

        Raises:
            ValueError: no record of the indicator lies in the area.
        """
        at = Evaluation(self.plan, self.shard, np.array([self.case.at]))
        columns = self._columns(at.layout.columns(self._numbers(area)))
        if not len(columns):
            raise ValueError(f"no record of {self.case.indicator} lies in {area!r}")
        return explain(self.plan, [share_of(at, columns)], self.calendar, self.catalogue.settings)

    def _merged(self, names: Sequence[str]) -> Judged:
        """Values of some areas of the case, from the merged partials of their cells."""
        frame = Evaluation(self.plan, self.shard, np.array([self.case.at])).frame()
        layout = self.shard.layout(self.plan)
        members = [self._columns(layout.columns(self._numbers(name))) for name in names]
        filled = [i for i, columns in enumerate(members) if len(columns)]
        perm = np.concatenate([np.empty(0, np.intp), *(members[i] for i in filled)])
        sizes = np.array([len(members[i]) for i in filled], np.intp)
        merged = frame.merged(perm, np.cumsum(sizes) - sizes)
        wide = merged.at(np.array(filled, np.int64), len(names))
        return judge(self.plan, wide, self.calendar, self.catalogue.settings)

    def _numbers(self, area: str) -> Ints:
        cells = sorted(self.case.areas[area])
        return np.array([self.cells.index(cell) for cell in cells if cell in self.cells], np.int64)

    def _columns(self, columns: Ints) -> NDArray[np.intp]:
        return np.sort(columns[columns >= 0]).astype(np.intp)


def _nowhere(codes: Ints) -> Ints:
    return np.full((len(codes), 4), -1, np.int64)


def _spot(spot: Spot | None) -> tuple[int, int]:
    return (NOWHERE, NOWHERE) if spot is None else from_metres(*spot)


def _far_apart(codes: Ints) -> tuple[Floats, Floats]:
    """Centres of cells: no two are near one another, nor near the places that cases name."""
    return np.zeros(len(codes)), codes.astype(np.float64) + 1


def _one_tile(codes: Ints) -> Ints:
    return np.zeros(len(codes), np.int64)
