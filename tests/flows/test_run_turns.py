"""Full turns come to the time they should take; turns that ended for want of records say nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.live.run_turns import AIM, LEAST, MOST_SPAN, RECORDS, SPAN, Turns


@dataclass(slots=True)
class Machine:
    """Its time, and turns measured by it."""

    now: float = 0.0
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Turns(clock=lambda: self.now)
        self.turns.begin()

    def work(self, seconds: float, *, full: bool = True) -> None:
        self.turns.full = full
        self.now += seconds
        self.turns.begin()


@pytest.mark.parametrize("cost", [0.4, 1.0, 3.0])
def test_a_steady_backlog_is_taken_in_turns_of_the_time_they_should_take(cost: float) -> None:
    machine = Machine()
    for _ in range(12):
        machine.work(cost * machine.turns.span / SPAN)
    assert cost * machine.turns.span / SPAN == pytest.approx(AIM, rel=0.01)


@given(st.lists(st.floats(0.0, 100.0), max_size=30))
def test_turns_stay_within_bounds_and_change_by_no_more_than_half(took: list[float]) -> None:
    machine, before = Machine(), SPAN
    for seconds in took:
        machine.work(seconds)
        now = machine.turns.span
        assert SPAN * LEAST <= now <= MOST_SPAN
        assert before / 2 - 1 <= now <= before * 2 + 1
        assert machine.turns.records / RECORDS == pytest.approx(now / SPAN, abs=1e-4)
        before = now


def test_a_turn_that_took_all_there_was_changes_nothing() -> None:
    machine = Machine()
    for seconds in (0.01, 60.0, 5.0):
        machine.work(seconds, full=False)
    assert machine.turns.span == SPAN
