"""At every revision children add up to their parent, exactly, in sum-type indicators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from flows.stages.publisher import Past, Published, Publisher
from sinks.table_file import ValueFrame
from tests.oracle.cities import Faults
from tests.oracle.recompute import RULES
from tests.oracle.rules import specified
from tests.oracle.whole_cities import WholeRecipe, indicators_of
from tests.oracle.whole_comparison import KINDS, run
from tests.oracle.whole_places import AREAS

CLOSED = -1
"""Before all corrections."""

SUMS = [
    name
    for name in RULES
    # A report beside an alarming cover counts once, and the cover may lie in the neighbouring cell.
    if specified()[name]["rollup"].startswith("sum of children")
    and "apart" not in specified()[name]["formula"]
]

LATE = Faults(gap=0.15, late=0.3, too_late=0.02, twice=0.05, corrected=0.1, out_of_range=0.05, absurd=1)
CITIES = {
    "present": WholeRecipe("present", 31, 11 * 60 + 20, 2, 5, LATE, 1),
    "past": WholeRecipe("past", 32, 11 * 60 + 20, 2, 9, LATE, 1),
}

Key = tuple[str, int]
"""Indicator and window end."""


@dataclass
class Publications:
    """What was published, in turns: (when decided, indicator, window end) -> area -> (value, n)."""

    turns: dict[tuple[int, str, int], dict[str, tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def take(self, decided: int, frames: list[ValueFrame]) -> None:
        for frame in frames:
            names = [n.decode() if isinstance(n, bytes) else n for n in np.asarray(frame.area).tolist()]
            ends = np.broadcast_to(frame.window_end, len(frame)).tolist()
            for name, end, value, n in zip(names, ends, frame.value.tolist(), frame.n.tolist(), strict=True):
                self.turns[decided, frame.indicator, end][name] = (value, n)

    def states(self) -> Iterator[tuple[Key, int, Mapping[str, tuple[float, int]]]]:
        """After each turn, what was known of the window: by indicator and window end, in order."""
        known: dict[Key, dict[str, tuple[float, int]]] = defaultdict(dict)
        for (decided, indicator, end), rows in sorted(self.turns.items(), key=lambda turn: turn[0][0]):
            known[indicator, end] |= rows
            yield (indicator, end), decided, known[indicator, end]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Publications:
    """Listens to every publisher of a run."""
    found = Publications()
    close, correct = Publisher.close, Publisher.correct

    def closing(self: Publisher, *args: object) -> None:
        out = next(a for a in args if isinstance(a, Published))
        before = len(out.frames)
        close(self, *args)  # type: ignore[arg-type]
        found.take(CLOSED, out.frames[before:])

    def correcting(self: Publisher, index: int, past: Past, out: Published) -> None:
        before = len(out.frames)
        correct(self, index, past, out)
        found.take(past.decided, out.frames[before:])

    monkeypatch.setattr(Publisher, "close", closing)
    monkeypatch.setattr(Publisher, "correct", correcting)
    return found


def children(parent: str, kind: str) -> list[str]:
    """The areas of a smaller kind that lie in an area."""
    own = AREAS[parent][1]
    return [
        name
        for name, (smaller, cells) in AREAS.items()
        if smaller == kind and (own is None or (cells is not None and cells <= own))
    ]


FAMILIES = [
    (parent, children(parent, "street" if kind in {"district", "city"} else "cell"))
    for parent, (kind, _) in AREAS.items()
    if kind != "cell"
]
"""Parents and the children that make them up: of larger areas the streets, of smaller ones the cells."""


@pytest.mark.parametrize("part", CITIES)
def test_children_add_up_to_their_parent_at_every_revision(part: str, published: Publications) -> None:
    city = CITIES[part].city()
    run(city, indicators_of(part), 200, 1)
    corrected = 0
    for (indicator, end), decided, known in published.states():
        for parent, own in FAMILIES:
            if parent not in known or not set(own) & set(known):
                continue
            values = [known[child] for child in own if child in known]
            told = f"{indicator} at {end} decided {decided}: {parent} {known[parent]}, {own} {values}"
            # Where a child has no value, and so no row, records may stand behind it all the same.
            assert sum(n for _, n in values) <= known[parent][1], told
            if indicator in SUMS:
                assert (sum(v for v, _ in values), sum(n for _, n in values)) == known[parent], told
                corrected += decided != CLOSED
    assert corrected > 20


def test_the_sum_type_indicators_are_those_of_the_specification() -> None:
    assert SUMS == ["traffic.incident_rate", "public_safety.dispute_rate", "heat_power.utility_outage_open"]
    assert {kind for kind, _ in AREAS.values()} == set(KINDS)
