"""Corrected values: levels and alerts end up as if the values had been right from the start."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evidence import Evidence
from alerts.levels import LevelBank
from alerts.transitions import RawTransition
from indicators.tolerance import Array

NAN = math.nan
MINUTE = 60_000
AREAS = 3


@dataclass(frozen=True)
class Rules:
    """The part of a catalogue entry that levels need."""

    id: str = "gas.leak_lel_max"
    raises: tuple[float, ...] = (5.0, 10.0, NAN, 50.0)
    clears: tuple[float, ...] = (4.75, 9.75, NAN, 48.75)
    for_ms: tuple[int, ...] = (0, 2 * MINUTE, 0, 0)
    high_bad: bool = True


@dataclass
class City:
    """A bank with the values it has been told, and what it published."""

    bank: LevelBank = field(default_factory=lambda: LevelBank(Rules(), areas=AREAS))
    values: list[list[float]] = field(default_factory=list)
    found: list[RawTransition] = field(default_factory=list)
    warned: list[tuple[int, int, list[float]]] = field(default_factory=list)

    def close(self, values: list[float]) -> None:
        end = len(self.values) * MINUTE
        self.values.append(list(values))
        found, _ = self.bank.close(end, np.arange(AREAS), evidence(np.array(values), end + 10_000))
        self.found += found

    def early(self, second: int, values: list[float]) -> None:
        grid = (len(self.values) - 1) * MINUTE + second * 1000
        self.warned.append((len(self.values), second, values))
        self.found += self.bank.early(np.full(AREAS, grid), np.arange(AREAS), np.array(values))

    def correct(
        self, first: int, rows: list[int], fixes: list[tuple[int, int, float]]
    ) -> list[RawTransition]:
        for minute, row, value in fixes:
            self.values[minute][row] = value
        ends = np.arange(first, len(self.values)) * MINUTE
        past = np.array(self.values)[first:, rows]
        found, levels = self.bank.replay(ends, np.array(rows), evidence(past, int(ends[-1]) + 30_000))
        assert levels[-1].tolist() == self.bank.levels[rows].tolist()
        self.found += found
        return found

    def levels(self, since: int = 0) -> list[list[int]]:
        ends = range(since * MINUTE, len(self.values) * MINUTE, MINUTE)
        return [self.bank.state_at(np.arange(AREAS), end)[0].tolist() for end in ends]

    def alerts(self) -> dict[tuple[int, int], int]:
        """Level of each alert that was not retracted, by area and start."""
        last = {(one.row, one.start): one for one in self.found}
        return {name: one.level for name, one in last.items() if one.transition != "retracted"}


def evidence(values: Array, decided: int) -> Evidence:
    # 7 stands for a value whose coverage is too small.
    return Evidence(values, values != 7.0, None, decided, revision=1)


def told_at_once(city: City) -> City:
    fresh = City()
    for count, values in enumerate(city.values, start=1):
        fresh.close(values)
        for after, second, warned in city.warned:
            if after == count:
                fresh.early(second, warned)
    return fresh


value = st.sampled_from([NAN, 0.0, 4.8, 6.0, 7.0, 9.8, 12.0, 49.0, 60.0])
minute = st.lists(value, min_size=AREAS, max_size=AREAS)
fix = st.tuples(st.integers(0, 40), st.integers(0, AREAS - 1), value)
chunk = st.tuples(st.lists(minute, min_size=1, max_size=5), st.lists(fix, max_size=4))
Chunks = list[tuple[list[list[float]], list[tuple[int, int, float]]]]
chunks = st.lists(chunk, min_size=1, max_size=6)


def play(
    city: City, script: Chunks, early: list[tuple[int, list[float]]] | None = None, trim: int = 40
) -> None:
    """Chunks of minutes, each followed by corrections of the last ``trim`` minutes at most."""
    for number, (minutes, fixes) in enumerate(script):
        for values in minutes:
            city.close(values)
            for second, warned in early or []:
                city.early(second + number % 2, warned)
        back = [(len(city.values) - 1 - m % min(len(city.values), trim), row, x) for m, row, x in fixes]
        if back:
            city.correct(min(m for m, _, _ in back), sorted({row for _, row, _ in back}), back)
        city.bank.trim((len(city.values) - trim) * MINUTE)


@given(chunks)
def test_corrected_levels_equal_those_of_the_right_values_from_the_start(script: Chunks) -> None:
    city = City()
    play(city, script)
    assert city.levels() == told_at_once(city).levels()


@given(chunks)
def test_alerts_left_standing_or_cleared_equal_those_of_the_right_values(script: Chunks) -> None:
    city = City()
    play(city, script)
    assert city.alerts() == told_at_once(city).alerts()


@given(chunks, st.integers(1, 6))
def test_a_short_memory_is_enough_for_corrections_within_it(script: Chunks, horizon: int) -> None:
    city = City()
    play(city, script, trim=horizon)
    first = max(len(city.values) - horizon, 0)
    assert city.levels(first) == told_at_once(city).levels()[first:]
    assert city.alerts() == told_at_once(city).alerts()


@given(chunks, st.lists(st.tuples(st.integers(1, 58), minute), max_size=3), st.integers(1, 40))
def test_the_published_chain_of_an_alert_never_breaks(
    script: Chunks,
    early: list[tuple[int, list[float]]],
    horizon: int,
) -> None:
    city = City()
    play(city, script, early, trim=horizon)
    chains: dict[tuple[int, int], list[RawTransition]] = {}
    for one in city.found:
        chains.setdefault((one.row, one.start), []).append(one)
    for chain in chains.values():
        level, expected = 0, 1
        for one in chain:
            assert (one.seq, one.previous_level) == (expected, level)
            assert one.level != level or one.transition == "retracted"
            level, expected = one.level, expected + 1
    standing = {row: [lv for (r, _), lv in city.alerts().items() if r == row and lv] for row in range(AREAS)}
    assert {row: level or [0] for row, level in standing.items()} == {
        row: [level] for row, level in enumerate(city.bank.standing.tolist())
    }


@given(chunks, st.lists(st.tuples(st.integers(1, 58), minute), max_size=3), st.integers(0, 30))
def test_a_replay_of_the_same_values_publishes_nothing(
    script: Chunks,
    early: list[tuple[int, list[float]]],
    back: int,
) -> None:
    city = City()
    play(city, script, early)
    before = city.bank.state()
    first = max(len(city.values) - 1 - back, 0)
    assert city.correct(first, list(range(AREAS)), []) == []
    np.testing.assert_equal(city.bank.state(), before)


# Values whose early level does not depend on how long a level has been reached.
plain = st.lists(st.sampled_from([NAN, 0.0, 6.0, 60.0]), min_size=AREAS, max_size=AREAS)


@given(chunks, st.lists(st.tuples(st.integers(1, 58), plain), max_size=3), st.integers(1, 40))
def test_standing_levels_equal_those_of_the_right_values_with_early_ones_between(
    script: Chunks, early: list[tuple[int, list[float]]], horizon: int
) -> None:
    city = City()
    play(city, script, early, trim=horizon)
    assert city.bank.standing.tolist() == told_at_once(city).bank.standing.tolist()


@given(chunks, st.lists(st.tuples(st.integers(1, 58), minute), max_size=3))
def test_an_early_raise_is_never_retracted(script: Chunks, early: list[tuple[int, list[float]]]) -> None:
    city = City()
    play(city, script, early)
    raised_early = {(one.row, one.start) for one in city.found if one.early and one.seq == 1}
    assert all(
        (one.row, one.start) not in raised_early for one in city.found if one.transition == "retracted"
    )


@given(chunks, chunks)
def test_a_restored_bank_corrects_what_came_before(before: Chunks, after: Chunks) -> None:
    city = City()
    play(city, before, [(5, [6.0, 60.0, NAN])])
    twin = City(
        LevelBank.restore(Rules(), city.bank.state()), [list(row) for row in city.values], list(city.found)
    )
    play(city, after)
    play(twin, after)
    assert [repr(one) for one in twin.found] == [repr(one) for one in city.found]


def city_of(*values: float) -> City:
    city = City()
    for one in values:
        city.close([one, NAN, NAN])
    return city


def story(found: list[RawTransition]) -> list[tuple[str, int, int, int]]:
    return [(one.transition, one.start // MINUTE, one.window_end // MINUTE, one.level) for one in found]


def test_an_alert_whose_raise_no_longer_exists_is_retracted() -> None:
    (one,) = city_of(0, 60, 0).correct(1, [0], [(1, 0, 1.0)])
    assert (one.transition, one.level, one.previous_level, one.seq) == ("retracted", 0, 0, 3)
    assert (one.value, one.threshold, one.window_end, one.decided_ts) == (
        1.0,
        50.0,
        MINUTE,
        2 * MINUTE + 30_000,
    )


def test_an_alert_that_was_missed_is_told_from_raise_to_clearing() -> None:
    found = city_of(0, 0, 0, 0).correct(1, [0], [(1, 0, 6.0), (2, 0, 60.0)])
    assert story(found) == [("raised", 1, 1, 1), ("escalated", 1, 2, 4), ("cleared", 1, 3, 0)]
    assert {one.decided_ts for one in found} == {3 * MINUTE + 30_000}


def test_a_standing_alert_is_only_told_its_present_level() -> None:
    city = city_of(6, 6, 6, 6)
    assert story(city.correct(1, [0], [(1, 0, 60.0), (2, 0, 60.0), (3, 0, 60.0)])) == [("escalated", 0, 3, 4)]


def test_an_alert_that_begins_elsewhere_is_another_alert() -> None:
    found = city_of(0, 6, 6).correct(0, [0], [(0, 0, 6.0)])
    assert story(found) == [("retracted", 1, 1, 0), ("raised", 0, 0, 1)]


def test_an_alert_that_fell_apart_is_cleared_where_it_ended_and_a_new_one_raised() -> None:
    found = city_of(6, 6, 6).correct(1, [0], [(1, 0, 0.0)])
    assert story(found) == [("cleared", 0, 1, 0), ("raised", 2, 2, 1)]


def test_an_alert_that_comes_back_goes_on_counting() -> None:
    city = city_of(0, 6, 6)
    city.correct(1, [0], [(1, 0, 0.0), (2, 0, 0.0)])
    (one,) = city.correct(1, [0], [(1, 0, 6.0), (2, 0, 6.0)])
    assert (one.transition, one.seq, one.previous_level, one.start) == ("raised", 3, 0, MINUTE)


def test_a_correction_that_takes_all_data_away_has_no_value_to_show() -> None:
    (one,) = city_of(0, 6).correct(1, [0], [(1, 0, NAN)])
    assert one.transition == "retracted"
    assert math.isnan(one.value)


def test_an_early_alert_takes_over_what_a_correction_finds_before_it() -> None:
    city = city_of(0, 0)
    city.early(30, [60.0, NAN, NAN])
    city.close([60.0, NAN, NAN])
    found = city.correct(0, [0], [(0, 0, 60.0), (1, 0, 60.0)])
    assert [(one.transition, one.start, one.window_end) for one in found] == [
        ("raised", 0, 0),
        ("cleared", 0, 90_000),
    ]
    assert city.correct(1, [0], [(1, 0, 0.0)]) == []
    assert city.alerts() == {(0, 0): 0, (0, 90_000): 4}


def test_an_early_alert_takes_the_level_of_an_older_one_that_a_correction_carries_on() -> None:
    city = city_of(NAN)
    city.early(1, [6.0, NAN, NAN])
    city.close([0.0, NAN, NAN])
    city.early(1, [6.0, NAN, NAN])
    (one,) = city.correct(1, [0], [(1, 0, 60.0)])
    assert (one.transition, one.start, one.level) == ("escalated", 61_000, 4)
    assert city.alerts() == {(0, 1000): 0, (0, 61_000): 4}


def test_a_replay_must_reach_the_latest_closed_window_end() -> None:
    city = city_of(0, 0, 0)
    with pytest.raises(ValueError, match="pass every end from the first touched one"):
        city.bank.replay(np.array([MINUTE]), np.array([0]), evidence(np.zeros((1, 1)), 0))


def test_a_replay_may_go_on_to_window_ends_not_yet_closed() -> None:
    city = city_of(0, 0)
    found, levels = city.bank.replay(
        np.array([MINUTE, 2 * MINUTE]),
        np.array([0]),
        evidence(np.array([[0.0], [60.0]]), 0),
    )
    assert story(found) == [("raised", 2, 2, 4)]
    assert levels.tolist() == [[0], [4]]


def test_an_early_raise_is_retracted_when_all_data_behind_it_are_taken_back() -> None:
    """Without data left nothing could ever clear it; where there never were any, it stands."""
    for taken_back, last in ((True, "retracted"), (False, "raised")):
        city = City()
        city.close([1.0] * AREAS)
        city.early(40, [30.0] * AREAS)
        city.close([30.0 if taken_back else NAN] * AREAS)
        ends, none = np.arange(2) * MINUTE, np.full((2, 1), NAN)
        lost = np.array([[taken_back]] * 2)
        found, _ = city.bank.replay(ends, np.zeros(1, np.int64), evidence(none, 400_000), lost)
        assert [*city.found, *found][-1].transition == last
        assert bool(city.bank.standing[0]) is not taken_back
