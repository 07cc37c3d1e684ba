"""What scenarios hand to the city: a script of changed drivers, effects, cases, faults, and its truth."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from sim.drivers import DriverChange
from sim.effects import Effect
from sim.readings import Block


class BlockChange(Protocol):
    """Something that changes what a block's sensors send or when it arrives: faults."""

    def __call__(self, block: Block, /) -> Block:
        """Return the block as the platform gets it."""
        ...


@dataclass(frozen=True, slots=True)
class Truth:
    """One event that happens: a line of ``truth.jsonl`` (C-2.6). Times are ms, ``cells`` level-5 codes."""

    event_id: str
    scenario: str
    indicators: Sequence[str]
    cells: Sequence[str]
    start: int
    end: int
    level: int


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """Everything a scenario changes.

    ``driver_changes`` act before signals are computed from drivers, ``effects`` on the values of a block.
    ``cases`` has the columns of the wire format (one row a transition) or is None, ``faults`` is a plan of
    ``sim.faults`` or None, ``truth`` what ought to be found.
    """

    driver_changes: Sequence[DriverChange] = ()
    effects: Sequence[Effect] = ()
    cases: pl.DataFrame | None = None
    faults: Any = None
    truth: Sequence[Truth] = field(default=())
