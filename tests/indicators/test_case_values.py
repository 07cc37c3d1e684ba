"""Formulas over cases: what a plain reading of every case gives, at several window ends at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.cases import FOREVER
from tests.indicators.small_city import (
    CELLS,
    GRID,
    HOUR,
    MINUTE,
    NOON,
    Case,
    cell_values,
    city_values,
    full_shard,
    plan_of,
    same,
)

WINDOW = HOUR
SLA = {"ev_gas_leak": HOUR // 2, "ev_traffic_accident": HOUR}
FACTOR = (1.0, 1.0, 0.5, 0.25, 0.125)
STATUSES = ("reported", "accepted", "rejected", "arrived", "handled", "rework", "closed")

stamps = st.integers(-36, 24).map(lambda k: NOON + k * 5 * MINUTE)
steps = st.lists(
    st.tuples(st.sampled_from(STATUSES), stamps, st.integers(0, 4)), min_size=1, max_size=7, unique=True
)
towns = st.lists(
    st.builds(
        lambda event, place, steps: (
            event,
            place,
            tuple(sorted(steps, key=lambda s: (s[1], STATUSES.index(s[0]), s[2]))),
        ),
        st.sampled_from(sorted(SLA)),
        st.integers(0, len(CELLS) - 1),
        steps,
    ),
    max_size=10,
).map(lambda rows: [Case(event, key, place, steps) for key, (event, place, steps) in enumerate(rows)])
end_lists = st.sets(st.integers(-12, 30).map(lambda k: NOON + k * 5 * MINUTE), min_size=1, max_size=4).map(
    sorted
)


class Seen:
    """One case at one instant, told plainly."""

    def __init__(self, case: Case, t: int) -> None:
        self.case, self.t = case, t
        self.steps = [(status, ts, severity) for status, ts, severity in case.steps if ts <= t]

    def first(self, status: str, since: float = -math.inf) -> int:
        return min((ts for s, ts, _ in self.steps if s == status and ts >= since), default=FOREVER)

    @property
    def reported(self) -> int:
        return min(self.first("reported"), FOREVER) if self.first("reported") < FOREVER else self.earliest

    @property
    def earliest(self) -> int:
        return min((ts for _, ts, _ in self.steps), default=FOREVER)

    @property
    def severity(self) -> int:
        return next((severity for _, _, severity in reversed(self.steps) if severity), 1)

    @property
    def open(self) -> bool:
        ended = self.first("rejected") < FOREVER or self.first("closed") < FOREVER
        return self.reported <= self.t and not ended

    def deadline(self, since: str) -> int:
        begin = self.first(since)
        return begin + round(SLA[self.case.event] * FACTOR[self.severity]) if begin < FOREVER else FOREVER

    def inside(self, ts: int) -> bool:
        return self.t - WINDOW < ts <= self.t

    def entered(self, *statuses: str) -> bool:
        return any(status in statuses and self.inside(ts) for status, ts, _ in self.steps)

    def due(self, since: str) -> bool:
        return self.inside(self.deadline(since)) and self.first("rejected") == FOREVER

    def took(self, a: str, b: str) -> float:
        begin = self.first(a)
        end = min(self.first(b, begin), FOREVER)
        end = end if end < FOREVER else min(self.first("closed", begin), self.t)
        return (end - begin) / 1000 if begin < FOREVER else math.nan

    def in_order(self, *statuses: str) -> bool:
        at = -math.inf
        for status in statuses:
            at = self.first(status, at)
        return at < FOREVER


def known(values: Sequence[float], of: Callable[[list[float]], float]) -> float:
    found = [v for v in values if not math.isnan(v)]
    return of(found) if found else math.nan


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def open_since(c: Seen) -> bool:
    return c.open and c.inside(c.first("accepted"))


BOTH = "ev_gas_leak, ev_traffic_accident"
FORMULAS: dict[str, Callable[[list[Seen]], float]] = {
    f"number(entered({BOTH}, 'reported', 'rework'))": lambda cs: sum(
        c.entered("reported", "rework") for c in cs
    ),
    f"number(entered({BOTH}, 'reported', without='rejected'))": lambda cs: sum(
        c.entered("reported") and c.first("rejected") == FOREVER for c in cs
    ),
    f"number(open({BOTH}))": lambda cs: sum(c.open for c in cs),
    f"number(open({BOTH}, before='arrived'))": lambda cs: sum(
        c.open and c.first("arrived") == FOREVER for c in cs
    ),
    f"share(overdue(open({BOTH}, since='accepted')))": lambda cs: known(
        [float(c.t > c.deadline("accepted")) for c in cs if open_since(c)], mean
    ),
    f"number(due({BOTH}, since='accepted'))": lambda cs: sum(c.due("accepted") for c in cs),
    f"share(ontime(due({BOTH}, since='accepted'), 'closed'))": lambda cs: known(
        [float(c.first("closed") <= c.deadline("accepted")) for c in cs if c.due("accepted")], mean
    ),
    f"number(entered({BOTH}, 'closed') | open({BOTH}))": lambda cs: sum(
        c.open or c.entered("closed") for c in cs
    ),
    f"average(took(entered({BOTH}, 'closed', 'handled'), 'accepted', 'arrived'))": lambda cs: known(
        [c.took("accepted", "arrived") for c in cs if c.entered("closed", "handled")], mean
    ),
    f"quantile(took(open({BOTH}), 'reported', 'arrived'), 1)": lambda cs: known(
        [c.took("reported", "arrived") for c in cs if c.open], max
    ),
    f"number(in_order(entered({BOTH}, 'closed'), 'accepted', 'handled', 'closed'))": lambda cs: sum(
        c.entered("closed") and c.in_order("accepted", "handled", "closed") for c in cs
    ),
    f"highest(severity(open({BOTH})))": lambda cs: known([c.severity for c in cs if c.open], max),
    f"lowest(severity(open({BOTH})))": lambda cs: known([c.severity for c in cs if c.open], min),
    f"total(severity(open({BOTH})) + 1)": lambda cs: sum(c.severity + 1 for c in cs if c.open),
    f"total(by_type(open({BOTH}), ev_gas_leak=3))": lambda cs: sum(
        3 for c in cs if c.open and c.case.event == "ev_gas_leak"
    ),
    f"number(reached(open({BOTH}), 'accepted'))": lambda cs: sum(
        c.open and c.first("accepted") < FOREVER for c in cs
    ),
}


@pytest.mark.parametrize("formula", FORMULAS)
@settings(max_examples=25)
@given(town=towns, ends=end_lists)
def test_a_value_is_that_of_a_plain_reading_of_all_cases(
    formula: str, town: list[Case], ends: list[int]
) -> None:
    plan = plan_of(formula, window="1h")
    shard = full_shard(town, plan)
    found = city_values(shard, plan.indicators[0], np.array(ends))
    if town:
        expected = [FORMULAS[formula]([Seen(c, t) for c in town]) for t in ends]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("formula", FORMULAS)
@settings(max_examples=25)
@given(town=towns, ends=end_lists)
def test_a_case_counts_in_its_own_cell_only(formula: str, town: list[Case], ends: list[int]) -> None:
    plan = plan_of(formula, window="1h")
    found = cell_values(full_shard(town, plan), plan.indicators[0], np.array(ends))
    for place in {c.place for c in town}:
        alone = [c for c in town if c.place == place]
        expected = [FORMULAS[formula]([Seen(c, t) for c in alone]) for t in ends]
        np.testing.assert_allclose(found[GRID.text(CELLS[[place]])[0]], expected, rtol=1e-12)


@given(town=towns, ends=end_lists, place=st.integers(0, len(CELLS) - 1))
def test_a_case_that_moved_counts_where_it_is_now(town: list[Case], ends: list[int], place: int) -> None:
    plan = plan_of(f"number(open({BOTH}))", window="1h")
    moved = [Case(c.event, c.key, place, c.steps) for c in town]
    shard, direct = full_shard([*town, *moved], plan), full_shard(moved, plan)
    if town:
        code = GRID.text(CELLS[[place]])[0]
        found = cell_values(shard, plan.indicators[0], np.array(ends))
        assert same(found[code], cell_values(direct, plan.indicators[0], np.array(ends))[code])
        assert not any(any(values) for other, values in found.items() if other != code)
