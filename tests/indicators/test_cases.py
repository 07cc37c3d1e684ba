"""Cases as they were at an instant, against a plain reading of their transitions (FORMULAS.md 4.3)."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indicators.cases import FOREVER, SEVERITY_FACTOR, STATUS, CaseRow, TypeCases
from indicators.functions import STATUSES

NAMES = ("reported", "accepted", "rejected", "rework", "closed")
SLA = 600

Step = tuple[int, str, int]
"""ts, status, severity"""


@dataclass(frozen=True)
class Plain:
    """A case as plain Python holds it."""

    key: int
    cell: int
    located: int
    steps: tuple[Step, ...]

    def row(self) -> CaseRow:
        return CaseRow(
            self.key,
            self.cell,
            self.located,
            np.array([STATUS[s] for _, s, _ in self.steps], np.int8),
            np.array([t for t, _, _ in self.steps], np.int64),
            np.array([severity for _, _, severity in self.steps], np.int8),
        )

    def seen(self, t: int) -> list[Step]:
        return [step for step in self.steps if step[0] <= t] if self.cell >= 0 else []

    def first(self, status: str, t: int, since: int = -1) -> int:
        return min((ts for ts, s, _ in self.seen(t) if s == status and ts >= since), default=FOREVER)


steps = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from(NAMES), st.integers(0, 4)),
    min_size=1,
    max_size=6,
    unique=True,
)
plain_cases = st.builds(
    lambda key, cell, late, steps: Plain(key, cell, steps_first(steps) + late, tuple(sorted(steps))),
    st.integers(0, 5),
    st.integers(-1, 3),
    st.sampled_from([0, 0, 10]),
    steps,
)
arrivals = st.lists(plain_cases, max_size=12)
instants = st.integers(0, 60)


def steps_first(steps: list[Step]) -> int:
    return min(t for t, _, _ in steps)


def filled(arrivals: list[Plain]) -> tuple[TypeCases, list[Plain]]:
    """The tracker after every arrival, and the cases as last known in order of their numbers."""
    cases, latest = TypeCases(SLA), dict[int, Plain]()
    for case in arrivals:
        cases.put(case.row())
        latest[case.key] = case
    return cases, list(latest.values())


@given(arrivals=arrivals, t=instants, status=st.sampled_from(NAMES), since=st.integers(0, 50))
def test_the_first_transition_is_the_earliest_seen(
    arrivals: list[Plain], t: int, status: str, since: int
) -> None:
    cases, latest = filled(arrivals)
    at = cases.at(t)
    assert at.first(status).tolist() == [c.first(status, t) for c in latest]
    after = np.full(cases.n, since, np.int64)
    assert at.first(status, since=after).tolist() == [c.first(status, t, since) for c in latest]


@given(arrivals=arrivals, t=instants)
def test_a_case_without_report_counts_from_its_earliest_transition(arrivals: list[Plain], t: int) -> None:
    cases, latest = filled(arrivals)
    reports = [c.first("reported", t) for c in latest]
    earliest = [min((ts for ts, _, _ in c.seen(t)), default=FOREVER) for c in latest]
    expected = [r if r != FOREVER else e for r, e in zip(reports, earliest, strict=True)]
    assert cases.at(t).reported().tolist() == expected


@given(
    arrivals=arrivals,
    t=instants,
    window=st.integers(1, 40),
    statuses=st.sets(st.sampled_from(NAMES), min_size=1).map(tuple),
)
def test_entered_looks_at_every_transition_of_the_window(
    arrivals: list[Plain], t: int, window: int, statuses: tuple[str, ...]
) -> None:
    cases, latest = filled(arrivals)
    expected = [
        c.located <= t and any(s in statuses and ts > t - window for ts, s, _ in c.seen(t)) for c in latest
    ]
    assert cases.at(t).entered(statuses, window).tolist() == expected


@given(arrivals=arrivals, t=instants, within=st.none() | st.integers(1, 1000))
def test_a_deadline_is_the_first_step_and_the_share_of_the_sla(
    arrivals: list[Plain], t: int, within: int | None
) -> None:
    cases, latest = filled(arrivals)
    expected = []
    for c in latest:
        given_ = [severity for _, _, severity in sorted(c.seen(t), key=lambda s: s[0]) if severity]
        span = round(SLA * SEVERITY_FACTOR[given_[-1] if given_ else 1]) if within is None else within
        begin = c.first("accepted", t)
        expected.append(begin + span if begin != FOREVER else FOREVER)
    assert cases.at(t).deadline("accepted", within).tolist() == expected


@given(arrivals=arrivals, t=instants)
def test_a_case_is_where_it_was_last_put_from_its_location_on(arrivals: list[Plain], t: int) -> None:
    cases, latest = filled(arrivals)
    assert cases.cell[: cases.n].tolist() == [c.cell for c in latest]
    assert cases.at(t).visible().tolist() == [c.cell >= 0 and c.located <= t for c in latest]
    heard = [max((ts for ts, _, _ in c.seen(t)), default=-FOREVER) for c in latest]
    assert cases.at(t).last_heard().tolist() == heard


@given(arrivals=arrivals, t=instants)
def test_cases_put_again_from_a_snapshot_are_the_same(arrivals: list[Plain], t: int) -> None:
    cases, _ = filled(arrivals)
    other = TypeCases(SLA)
    other.restore(pickle.loads(pickle.dumps(cases.state())))  # noqa: S301 - our own bytes
    assert other.places == cases.places
    assert other.cell[: other.n].tolist() == cases.cell[: cases.n].tolist()
    assert other.at(t).first("closed").tolist() == cases.at(t).first("closed").tolist()
    assert other.at(t).severity().tolist() == cases.at(t).severity().tolist()


@given(arrivals=arrivals, before=instants)
def test_only_ended_cases_not_heard_of_since_and_those_gone_elsewhere_are_forgotten(
    arrivals: list[Plain], before: int
) -> None:
    cases, latest = filled(arrivals)
    cases.forget(before)
    ended = {c.key for c in latest if {s for _, s, _ in c.steps} & {"closed", "rejected"}}
    quiet = {c.key for c in latest if max(t for t, _, _ in c.steps) < before}
    kept = [c for c in latest if c.cell >= 0 and c.key not in ended & quiet]
    assert cases.n == len(kept)
    assert cases.cell[: cases.n].tolist() == [c.cell for c in kept]
    assert cases.keys(np.arange(cases.n)).tolist() == [c.key for c in kept]
    for case in arrivals:
        cases.put(case.row())
    again, _ = filled([*kept, *arrivals])
    assert cases.cell[: cases.n].tolist() == again.cell[: again.n].tolist()
    assert cases.at(60).reported().tolist() == again.at(60).reported().tolist()


def test_a_forgotten_case_that_is_heard_of_again_starts_anew() -> None:
    old = Plain(1, 2, 0, ((0, "reported", 0), (5, "closed", 0)))
    cases, _ = filled([old])
    cases.forget(10)
    assert not cases.at(20).entered(("reported",), 100).any()
    cases.put(old.row())
    assert cases.at(20).entered(("reported",), 100).sum() == 1


def test_statuses_are_numbered_as_the_wire_does() -> None:
    assert [STATUS[name] for name in STATUSES] == list(range(len(STATUSES)))
