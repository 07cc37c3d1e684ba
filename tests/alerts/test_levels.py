"""Levels of one indicator over its areas: transitions, early judgement, snapshots."""

import math
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evidence import Evidence
from alerts.ladder import NEVER
from alerts.levels import LevelBank
from alerts.transitions import RawTransition

NAN = math.nan
MINUTE = 60_000


@dataclass(frozen=True)
class Rules:
    """The part of a catalogue entry that levels need."""

    id: str = "gas.leak_lel_max"
    raises: tuple[float, ...] = (5.0, 10.0, 25.0, 50.0)
    clears: tuple[float, ...] = (4.75, 9.75, 24.25, 48.75)
    for_ms: tuple[int, ...] = (0, 0, 0, 0)
    high_bad: bool = True


GAS = Rules()
SLOW = Rules(for_ms=(0, 2 * MINUTE, 0, MINUTE))


def close(bank: LevelBank, minute: int, *values: float, allowed: bool = True) -> list[RawTransition]:
    seen = Evidence(
        np.array(values),
        np.full(len(values), allowed),
        decided_ms=minute * MINUTE + 10_000,
        revision=minute % 3,
    )
    return bank.close(minute * MINUTE, np.arange(len(values)), seen)[0]


def changes(found: list[RawTransition]) -> list[tuple[str, int, int, float]]:
    return [(one.transition, one.previous_level, one.level, one.threshold) for one in found]


def test_an_alert_is_raised_escalated_eased_and_cleared_with_the_bound_that_was_passed() -> None:
    bank = LevelBank(GAS, areas=1)
    found = [
        one for minute, value in enumerate([0, 6, 30, 24, 9.9, 9.8, 0]) for one in close(bank, minute, value)
    ]
    assert changes(found) == [
        ("raised", 0, 1, 5.0),
        ("escalated", 1, 3, 25.0),
        ("eased", 3, 2, 24.25),
        ("cleared", 2, 0, 4.75),
    ]
    assert [one.seq for one in found] == [1, 2, 3, 4]
    assert {one.start for one in found} == {MINUTE}
    assert [one.window_end for one in found] == [MINUTE, 2 * MINUTE, 3 * MINUTE, 6 * MINUTE]
    assert [one.decided_ts - one.window_end for one in found] == [10_000] * 4
    assert [(one.value, one.revision) for one in found] == [(6, 1), (30, 2), (24, 0), (0, 0)]


def test_the_next_alert_of_an_area_is_another_one() -> None:
    bank = LevelBank(GAS, areas=1)
    found = [one for minute, value in enumerate([6, 0, 6]) for one in close(bank, minute, value)]
    assert [(one.start, one.seq) for one in found] == [(0, 1), (0, 2), (2 * MINUTE, 1)]


def test_no_data_is_never_recovered() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 0, 60)
    assert close(bank, 1, NAN) == []
    assert close(bank, 2, NAN, allowed=False) == []
    assert bank.levels.tolist() == [4]


def test_a_value_that_is_not_allowed_clears() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 0, 60)
    assert changes(close(bank, 1, 60, allowed=False)) == [("cleared", 4, 0, 4.75)]


def test_a_level_waits_for_its_time_and_missing_windows_do_not_break_it() -> None:
    bank = LevelBank(SLOW, areas=1)
    levels = []
    for minute, value in enumerate([12, NAN, 12, 9.9, 12, 30, 60, 60]):
        close(bank, minute, value)
        levels.append(int(bank.levels[0]))
    assert levels == [1, 1, 2, 2, 2, 3, 3, 4]


def test_areas_join_while_running_and_without_a_level() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 0, 60)
    bank.ensure(3)
    bank.ensure(2)
    assert bank.levels.tolist() == [4, 0, 0]
    assert [one.row for one in close(bank, 1, 60, 0, 6)] == [2]


def test_a_closed_window_end_is_not_closed_again() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 5, 0)
    with pytest.raises(ValueError, match="use replay for corrections"):
        close(bank, 4, 0)


def test_an_end_closed_twice_goes_back_to_before_the_first_time() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 0, 12)
    close(bank, 1, 60)
    close(bank, 1, 6)
    assert [bank.state_at(np.array([0]), end)[0].tolist() for end in (0, MINUTE)] == [[2], [1]]


def test_parts_of_the_areas_may_be_closed_one_after_the_other() -> None:
    together, apart = LevelBank(GAS, areas=2), LevelBank(GAS, areas=2)
    for minute, values in enumerate([(6, 0), (60, 60), (0, 30)]):
        found = close(together, minute, *values)
        parts = []
        for row in range(2):
            seen = Evidence(
                np.array(values[row : row + 1], float), np.array([True]), None, minute * MINUTE + 10_000
            )
            parts += apart.close(minute * MINUTE, np.array([row]), seen)[0]
        assert changes(parts) == changes(found)


def early(bank: LevelBank, second: int, *values: float) -> list[RawTransition]:
    return bank.early(np.full(len(values), second * 1000), np.arange(len(values)), np.array(values, float))


def test_an_early_value_raises_and_escalates_before_its_window_closes() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 1, 0)
    first, second = early(bank, 70, 12) + early(bank, 71, 12) + early(bank, 75, 55)
    assert (first.transition, first.level, first.early, first.start) == ("raised", 2, True, 70_000)
    assert (second.transition, second.threshold, second.seq, second.start) == ("escalated", 50.0, 2, 70_000)
    assert (second.window_end, second.decided_ts, second.value) == (75_000, 75_000, 55)
    assert bank.levels.tolist() == [0]
    assert bank.standing.tolist() == [4]
    assert close(bank, 2, 56) == []


def test_an_early_value_never_eases() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 1, 55)
    assert early(bank, 70, 0) == early(bank, 71, NAN) == early(bank, 72, 12) == []
    assert bank.standing.tolist() == [4]


def test_easing_waits_for_a_closed_window_that_holds_the_early_value() -> None:
    bank = LevelBank(GAS, areas=1)
    early(bank, 70, 12)
    assert close(bank, 1, 0) == []
    last = close(bank, 2, 6)[0]
    assert (last.transition, last.level, last.early, last.threshold) == ("eased", 1, False, 9.75)


def test_an_early_value_that_bears_the_alert_out_makes_easing_wait_too() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 1, 12)
    early(bank, 130, 12)
    assert close(bank, 2, 0) == []
    assert bank.levels.tolist() == [0]
    assert close(bank, 3, 12) == []


def test_an_early_value_does_not_skip_the_time_a_level_waits() -> None:
    bank = LevelBank(SLOW, areas=1)
    assert changes(early(bank, 1, 12)) == [("raised", 0, 1, 5.0)]
    close(bank, 1, 12)
    close(bank, 2, 12)
    assert early(bank, 179, 12) == []
    assert changes(early(bank, 180, 12)) == [("escalated", 1, 2, 10.0)]


values = st.sampled_from([NAN, 0.0, 4.8, 6.0, 9.8, 12.0, 30.0, 49.0, 60.0])
rounds = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(1, 59), values), max_size=3), values, values),
    min_size=1,
    max_size=12,
)
Rounds = list[tuple[list[tuple[int, float]], float, float]]


def run(bank: LevelBank, script: Rounds, first: int = 0) -> list[RawTransition]:
    """Each round: early values of area 0 in the minute before, then the closed window of both areas."""
    found = []
    for minute, (seconds, a, b) in enumerate(script, start=first):
        for second, value in sorted(seconds, key=lambda one: one[0]):
            found += early(bank, minute * 60 + second, value)
        found += close(bank, minute, a, b)
    return found


@given(st.sampled_from([GAS, SLOW]), rounds)
def test_the_transitions_of_an_alert_form_a_chain(rules: Rules, script: Rounds) -> None:
    found = run(LevelBank(rules, areas=2), script)
    name = attrgetter("row", "start")
    for _, group in groupby(sorted(found, key=name), key=name):
        chain = list(group)
        assert [one.seq for one in chain] == list(range(1, len(chain) + 1))
        assert (chain[0].transition, chain[0].previous_level) == ("raised", 0)
        assert all(a.level == b.previous_level != b.level for a, b in pairwise(chain))
        assert all(one.level for one in chain[:-1])
    standing = {one.row: one.level for one in found}
    assert run(LevelBank(rules, areas=2), script) == found
    assert all(level <= 4 for level in standing.values())


@given(rounds)
def test_early_values_never_touch_the_levels(script: Rounds) -> None:
    with_early, without = LevelBank(SLOW, areas=2), LevelBank(SLOW, areas=2)
    run(with_early, script)
    run(without, [([], a, b) for _, a, b in script])
    assert with_early.levels.tolist() == without.levels.tolist()


@given(rounds, rounds)
def test_a_bank_restored_from_its_state_goes_on_as_if_nothing_had_happened(
    before: Rounds, after: Rounds
) -> None:
    bank = LevelBank(SLOW, areas=2)
    run(bank, before)
    early(bank, len(before) * 60, 30.0)
    state = bank.state()
    expected = run(bank, after, len(before))
    restored = LevelBank.restore(SLOW, state)
    assert run(restored, after, len(before)) == expected
    again = LevelBank.restore(SLOW, state)
    assert run(again, after, len(before)) == expected


def test_a_state_of_another_indicator_is_refused() -> None:
    with pytest.raises(ValueError, match=r"restore it with the engine and the indicator that wrote it"):
        LevelBank.restore(Rules(id="air.aqi"), LevelBank(GAS).state())


def test_a_level_that_gets_a_waiting_time_keeps_its_level_and_starts_to_count() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 0, 12)
    changed = LevelBank.restore(SLOW, bank.state())
    assert changed.levels.tolist() == [2]
    assert changed.state_at(np.array([0]), 0)[1].tolist() == [[NEVER] * 4]


@given(rounds, st.integers(0, 12))
def test_every_past_state_can_be_told(script: Rounds, back: int) -> None:
    bank, upto = LevelBank(SLOW, areas=2), LevelBank(SLOW, areas=2)
    run(bank, script)
    minute = max(len(script) - 1 - back, 0)
    run(upto, script[: minute + 1])
    rows = np.arange(2)
    past, then = bank.state_at(rows, minute * MINUTE), upto.state_at(rows, minute * MINUTE)
    assert past[0].tolist() == then[0].tolist()
    assert past[1].tolist() == then[1].tolist()


def test_alerts_that_are_over_leave_nothing_behind_once_trimmed() -> None:
    bank = LevelBank(GAS, areas=1)
    early(bank, 30, 60)
    close(bank, 1, 60)
    close(bank, 2, 0)
    bank.trim(2 * MINUTE)
    assert bank.state()["timelines"]["alert"].size
    bank.trim(3 * MINUTE)
    assert not any(table.size for table in bank.state()["timelines"].values())
    assert not bank.state()["log"]["row"].size


def test_what_was_trimmed_is_not_told() -> None:
    bank = LevelBank(GAS, areas=1)
    close(bank, 0, 12)
    bank.trim(MINUTE)
    with pytest.raises(ValueError, match="trim later to correct further back"):
        bank.state_at(np.array([0]), -1)
