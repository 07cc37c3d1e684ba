"""What every step of the flow must know of the city."""

from __future__ import annotations

from dataclasses import dataclass

from geo.areas import Areas
from geo.cells import CellSystem
from indicators.calendar import Calendar
from indicators.plan import Plan


@dataclass(frozen=True)
class City:
    """What every step must know of the city: the same in all processes."""

    plan: Plan
    calendar: Calendar
    grid: CellSystem
    areas: Areas
