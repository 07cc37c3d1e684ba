"""What a formula sees: the records of some cells up to the end of a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.oracle.settled import Case, Series, Settled

Cells = frozenset[str]


@dataclass(frozen=True, slots=True)
class Area:
    """The cells of an area, all of them when ``cells`` is None, seen at the end of a window."""

    city: Settled
    cells: Cells | None
    end: int
    window: int

    def holds(self, cell: str | None) -> bool:
        """Does the cell belong to the area?"""
        return cell is not None and (self.cells is None or cell in self.cells)

    def series(self, metric: str) -> list[Series]:
        """The series of a metric inside the area."""
        return [s for s in self.city.series.get(metric, ()) if self.holds(s.cell)]

    def pooled(self, metric: str) -> list[float]:
        """Every reading of the metric inside area and window."""
        return [v for s in self.series(metric) for v in s.inside(self.end, self.window)]

    def held(self, metric: str) -> dict[str, float]:
        """The held value of each sensor that has one."""
        values = ((s.sensor, s.held(self.end)) for s in self.series(metric))
        return {sensor: v for sensor, v in values if v is not None}

    def reached(self, metric: str) -> list[tuple[Series, list[float]]]:
        """Each series with the values of its window, or the one it reaches back to."""
        found = ((s, s.reached(self.end, self.window)) for s in self.series(metric))
        return [(s, values) for s, values in found if values]

    def held_means(self, metric: str) -> dict[str, float]:
        """The time-weighted mean of each sensor that has one."""
        means = ((s.sensor, s.mean_held(self.end, self.window)) for s in self.series(metric))
        return {sensor: v for sensor, v in means if v is not None}

    def each(self, metric: str, value: Callable[[list[float]], float]) -> dict[str, float]:
        """A value of each sensor's window, or of what it reaches back to."""
        return {s.sensor: value(values) for s, values in self.reached(metric)}

    def within(self, metric: str, value: Callable[[list[float]], float], need: int = 1) -> dict[str, float]:
        """A value of each sensor with so many readings inside the window."""
        found = ((s.sensor, s.inside(self.end, self.window)) for s in self.series(metric))
        return {sensor: value(values) for sensor, values in found if len(values) >= need}

    def known(self, *metrics: str) -> set[str]:
        """Sensors heard of by the window's end for any of some metrics."""
        return {s.sensor for m in metrics for s in self.series(m) if s.heard(self.end)}

    def at(self, end: int, window: int | None = None) -> Area:
        """The same area at another time."""
        return Area(self.city, self.cells, end, window or self.window)

    def cases(self, kind: str) -> list[Case]:
        """Cases of one type that lie in the area."""
        return [c for c in self.city.cases.get(kind, ()) if self.holds(c.cell)]

    def street_areas(self) -> list[Area]:
        """The area's streets, each as an area of its own."""
        cells = {s.cell for group in self.city.series.values() for s in group}
        cells |= {c.cell for group in self.city.cases.values() for c in group if c.cell}
        streets: dict[str, set[str]] = {}
        for cell in filter(self.holds, sorted(cells)):
            streets.setdefault(self.city.records.street(cell), set()).add(cell)
        return [Area(self.city, frozenset(s), self.end, self.window) for s in streets.values()]
