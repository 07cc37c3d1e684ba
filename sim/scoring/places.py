"""Where an event can be seen: its cells and the areas that hold them, as rows to be joined with alerts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from geo.areas import AreaKind, Areas
from geo.cells import BeidouGrid, CellSystem
from geo.code_text import parse_each
from sim.scoring.files import ScoreFileError, TruthEvent

_COARSEST, _FINEST = 3, 6
"""Levels of BeiDou grid a city can have."""

AreasOf = Callable[[CellSystem], Areas]
"""The areas over a grid: of an area file, or `Areas.from_codes`."""


@dataclass(frozen=True, slots=True)
class Places:
    """Events and alerts in terms of the same places.

    Attributes:
        of_events: ``event`` (number of the event), ``kind``, ``area``; each row once.
        alerts: columns of `ALERT_COLUMNS`, with ``area`` in the events' codes.
    """

    of_events: pl.DataFrame
    alerts: pl.DataFrame


def places(
    events: Sequence[TruthEvent],
    alerts: pl.DataFrame,
    areas_of: AreasOf = Areas.from_codes,
    cells: CellSystem | None = None,
) -> Places:
    """Where events can be seen: their cells, and the communities, streets, districts and city around these.

    A replay may have used BeiDou cells of another level than the truth. Then the coarser of both levels
    decides, for a coarser code is a prefix of the finer ones in it.

    Args:
        events: their ``cells`` are codes of ``cells``, or BeiDou codes of one level.
        alerts: columns of `ALERT_COLUMNS`.
        areas_of: the areas over a grid.
        cells: the grid, if it is not the BeiDou grid.

    Raises:
        ScoreFileError: an event has a cell that is no code of the grid, or of another level than the rest.

    >>> event = TruthEvent("e1", "gas_leak", ("gas.leak_lel_max",), ("N50H0513600",), 0, 60_000)
    >>> none = pl.DataFrame(schema={"kind": pl.String, "area": pl.String})
    >>> places([event], none).of_events.rows()
    [(0, 'cell', 'N50H0513600'), (0, 'street', 'N50H05136'), (0, 'district', 'N50H051'), (0, 'city', 'city')]
    """
    owners = np.repeat(np.arange(len(events)), [len(event.cells) for event in events])
    texts = [cell for event in events for cell in event.cells]
    if not texts:
        return Places(pl.DataFrame(schema=_SCHEMA), alerts)
    grid = cells or BeidouGrid(_level(events))
    try:
        numbers = grid.parse(texts)
    except ValueError as error:
        raise ScoreFileError(f"cells of the truth: {error}") from error
    size = _meeting_length(texts, alerts) if cells is None else None
    of_cells = pl.DataFrame(
        {"event": owners, "kind": "cell", "area": pl.Series(texts).str.head(size or _WHOLE)}
    )
    areas = areas_of(grid)
    found = areas.locate(numbers)
    around = (
        pl.DataFrame({"event": owners, "kind": kind.label, "area": areas.ids(kind, found[:, kind - 1])})
        for kind in (AreaKind.COMMUNITY, AreaKind.STREET, AreaKind.DISTRICT, AreaKind.CITY)
    )
    rows = pl.concat(frame.cast(_SCHEMA) for frame in (of_cells, *around))  # type: ignore[arg-type]
    return Places(
        rows.filter(pl.col("area") != "").unique(maintain_order=True), _named_alike(alerts, size, areas)
    )


_SCHEMA = {"event": pl.Int64, "kind": pl.String, "area": pl.String}
_WHOLE = 1 << 20


def _level(events: Sequence[TruthEvent]) -> int:
    found: dict[int, str] = {}
    for event in events:
        _, levels = parse_each(event.cells)
        for text, level in zip(event.cells, levels.tolist(), strict=True):
            if not _COARSEST <= level <= _FINEST:
                raise ScoreFileError(
                    f"event {event.event_id!r}: cell {text!r} is no BeiDou code of level 3 to 6; write it"
                    " like N50H0513600, or name the grid with --grid and --grid-code-field"
                )
            found.setdefault(level, event.event_id)
    if len(found) > 1:
        one, other = sorted(found)[:2]
        raise ScoreFileError(
            f"event {found[one]!r} has cells of level {one}, event {found[other]!r} of level {other};"
            " write all cells in one level"
        )
    return next(iter(found))


def _meeting_length(texts: list[str], alerts: pl.DataFrame) -> int:
    """Length of the codes in which events and alerts of cells can be compared."""
    replayed = alerts.filter(kind="cell")["area"].str.len_chars().min()
    return min(len(texts[0]), replayed) if isinstance(replayed, int) else len(texts[0])


def _named_alike(alerts: pl.DataFrame, size: int | None, areas: Areas) -> pl.DataFrame:
    """Alerts with cells cut to ``size``, and the one city under one id, whatever the replay called it."""
    area, kind = pl.col("area"), pl.col("kind")
    cell = area if size is None else area.str.head(size)
    named = pl.when(kind == "cell").then(cell).when(kind == "city").then(pl.lit(areas.city["id"]))
    return alerts.with_columns(named.otherwise(area).alias("area"))
