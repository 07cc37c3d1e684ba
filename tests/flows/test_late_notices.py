"""Late records name the windows they may change, the same in every lane (R8)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.batches import FINAL
from flows.pieces import CaseNotices, Notices
from flows.stages.corrections import STRAY, Corrections
from indicators.catalogue import Catalogue
from indicators.metrics import Metrics
from indicators.plan import Plan

PLAN = Plan(Catalogue.load(), Metrics.load())
CODES = ("rain_1m", "ponding_depth", "bin_fill", "ds_records_checked")
EVENTS = ("ev_traffic_accident", "ev_gas_leak", "ev_waterlogging")

Late = tuple[str, int, int]
"""metric, event type or "" for a stray; ts; effective"""

late_records = st.lists(
    st.tuples(st.sampled_from([*CODES, *EVENTS, ""]), st.integers(0, 50), st.integers(50, 55)), max_size=12
)


def told(lates: list[Late]) -> Corrections:
    corrections = Corrections(PLAN)
    numbers = {"": STRAY, **PLAN.metrics.index}
    readings = [(numbers[code], ts, effective) for code, ts, effective in lates if code not in EVENTS]
    cases = [(PLAN.metrics.event_index[e], ts, effective) for e, ts, effective in lates if e in EVENTS]
    if readings:
        corrections.readings(Notices(*np.array(readings, np.int64).T))
    if cases:
        corrections.cases(CaseNotices(*np.array(cases, np.int64).T))
    return corrections


def expected(lates: list[Late]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    for code, ts, effective in lates:
        for plan in PLAN.indicators:
            counted = plan.uses_counters and code not in EVENTS
            if counted or code in (*plan.metrics, *plan.events):
                known = found.setdefault(effective, {})
                known[plan.index] = min(ts, known.get(plan.index, ts))
    return found


@given(lates=late_records)
def test_every_indicator_that_reads_a_late_record_is_corrected_from_its_time_on(lates: list[Late]) -> None:
    corrections, wanted = told(lates), expected(lates)
    assert corrections.boundaries(FINAL) == sorted(wanted)
    assert {end: corrections.take(end) for end in sorted(wanted)} == wanted
    assert corrections.boundaries(FINAL) == []


@given(lates=late_records, seed=st.randoms(use_true_random=False))
def test_neither_order_nor_batches_of_notices_matter(lates: list[Late], seed: object) -> None:
    shuffled = list(lates)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    one_by_one = Corrections(PLAN)
    for late in shuffled:
        for end, first in told([late]).touched.items():
            for index, ts in first.items():
                one_by_one.restore({"touched": np.array([[end, index, ts]])})
    assert one_by_one.touched == told(lates).touched


@given(lates=late_records)
def test_a_snapshot_holds_what_is_not_published_yet(lates: list[Late]) -> None:
    corrections, other = told(lates), Corrections(PLAN)
    other.restore(corrections.state())
    assert other.touched == corrections.touched


def test_nothing_is_due_before_its_slice_end() -> None:
    corrections = told([("rain_1m", 5, 50), ("rain_1m", 6, 60)])
    assert corrections.boundaries(49) == []
    assert corrections.boundaries(50) == [50]
    assert corrections.take(51) == {}
