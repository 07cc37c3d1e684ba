"""Between the closed windows and the next that is due no window ends, whatever the zone and the hops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.batches import FINAL
from flows.city import City
from flows.pieces import BEFORE
from geo.areas import Areas
from geo.cells import BeidouGrid
from indicators.calendar import Calendar
from indicators.catalogue import Catalogue
from indicators.metrics import Metrics
from indicators.plan import Plan

PLAN = Plan(Catalogue.load(), Metrics.load())
YEAR = 366 * 86_400_000


def city_in(tz: str) -> City:
    return City(PLAN, Calendar(tz), BeidouGrid(), Areas.from_codes(BeidouGrid()))


CITIES = [city_in(tz) for tz in ("Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin")]


@given(city=st.sampled_from(CITIES), closed=st.integers(1_700_000_000_000, 1_700_000_000_000 + YEAR))
def test_no_window_ends_before_the_next_that_is_due(city: City, closed: int) -> None:
    due = city.due(closed)
    hops = {p.indicator.hop_ms for p in PLAN.indicators}
    assert due > closed
    assert not any(len(city.calendar.ends(closed, due - 1, hop)) for hop in hops)
    assert any(city.calendar.ends(closed, due, hop).tolist() == [due] for hop in hops)


@pytest.mark.parametrize("closed", [BEFORE, FINAL])
def test_before_the_beginning_and_after_the_end_it_is_not_known(closed: int) -> None:
    assert CITIES[0].due(closed) == closed


def test_after_a_change_it_is_asked_for_each_time() -> None:
    changed = replace(CITIES[0], first=PLAN)
    closed = int(np.int64(1_700_000_000_000))
    assert changed.due(closed) == closed
