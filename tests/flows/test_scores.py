"""Scores of published values: the same however they come, and after a recovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from flows.batches import Ints
from flows.city import City
from flows.pieces import MAX_DISORDER, Clock, Moves
from flows.recovery.cold_store import ColdStore
from flows.recovery.snapshots import packed, thaw
from flows.replay.replaying import ReplayOptions, city_of
from flows.scores.lane import ScoredPiece, ScoreLane
from flows.scores.settings import ScoreSettings
from indicators.detector import Detector
from indicators.detector_settings import DetectorSettings
from indicators.hour_of_week import HourOfWeek
from indicators.plan import Plan
from sinks.table_file import ValueFrame

START = 1_772_380_800_000  # 2026-03-02 00:00 in Shanghai, a Monday
HOP = 300_000
INDICATORS = ("traffic.congestion_index", "traffic.congested_mileage_share")
CITY = city_of(ReplayOptions(out=Path("out"), indicators=list(INDICATORS)))
WORDS = {p.indicator.id: p.indicator.entry.anomaly for p in CITY.plan.indicators}
HOPS = {p.indicator.id: p.indicator.hop_ms for p in CITY.plan.indicators}


def values(rng: np.random.Generator, steps: int, areas: int) -> np.ndarray:
    """Noisy values [steps, areas] of areas that come and go, one of which jumps after three days."""
    found = rng.normal(10.0, 1.0, (steps, areas)).round(2)
    found[rng.random(found.shape) < 0.1] = np.nan
    found[: steps // 3, areas - 1] = np.nan
    found[-10:, 0] += 40.0
    found[-50:, 1] = np.nan
    return found


def frame(
    indicator: str, ends: Ints, value: np.ndarray, revision: int = 0, sure: np.ndarray | None = None
) -> ValueFrame:
    """The rows of some window ends [T] of all areas [T, A]; areas are numbered as in the columns."""
    t, a = np.nonzero(np.isfinite(value))
    names = np.array([f"N49E0B26{n:03d}".encode() for n in range(value.shape[1])])
    n, ones = len(t), np.ones(len(t))
    levels, counts = np.zeros(n, np.uint8), np.ones(n, np.int64)
    enough = None if sure is None else sure[t, a]
    rows = (ends[t], value[t, a], levels, counts, ones, revision, 0, a)
    return ValueFrame(indicator, 0, names, a, *rows, sure=enough)


def moves(until: int) -> Moves:
    return Moves("shard-00", Clock(until + MAX_DISORDER))


def played(
    lane: ScoreLane, found: np.ndarray, cuts: Sequence[int], sure: np.ndarray | None = None
) -> list[ScoredPiece]:
    """What a lane makes of values [steps, indicators, areas] that come in turns, cut at some steps.

    ``sure`` [steps, areas]: behind which values of the first indicator enough stands.
    """
    done = []
    for begin, end in zip([0, *cuts], [*cuts, len(found)], strict=True):
        ends = START + HOP * np.arange(begin + 1, end + 1)
        frames = [frame(name, ends, found[begin:end, i]) for i, name in enumerate(INDICATORS)]
        if sure is not None:
            frames[0] = frame(INDICATORS[0], ends, found[begin:end, 0], sure=sure[begin:end])
        late = frame(INDICATORS[0], ends, found[begin:end, 0] * 100, revision=1)
        done += lane.take([*frames, late, moves(START + HOP * end)])
    return done


def lines(done: Sequence[ScoredPiece]) -> list[str]:
    return sorted(str(one) for piece in done for one in piece.anomalies)


def scores(done: Sequence[ScoredPiece]) -> dict[tuple[str, int, int], tuple[str, ...]]:
    """(indicator, area, end) -> score and band of first values."""
    return {
        (f.indicator, int(np.asarray(f.row)[i]), int(np.asarray(f.window_end)[i])): tuple(
            repr(np.asarray(column)[i]) for column in (f.score, f.low, f.high)
        )
        for piece in done
        for f in piece.frames
        if np.all(f.revision == 0)
        for i in range(len(f))
    }


def test_both_indicators_have_the_hop_of_this_test() -> None:
    assert dict.fromkeys(INDICATORS, HOP) == HOPS


def test_scores_are_those_of_a_detector_of_one_series() -> None:
    found = values(np.random.default_rng(3), 1_000, 5)[:, None, :].repeat(2, axis=1)
    got = scores(played(ScoreLane(CITY, ScoreSettings()), found, [400]))
    clock = HourOfWeek("Asia/Shanghai")
    for area in range(5):
        alone = Detector(1, DetectorSettings.for_step(HOP, WORDS[INDICATORS[1]]), 10.0)
        for step, value in enumerate(found[:, 0, area].tolist(), start=1):
            end = START + HOP * step
            verdict = alone.update(np.array([value]), clock.at(end - 1))
            if np.isfinite(value):
                expected = np.float64(verdict.score[0]), verdict.low[0], verdict.high[0]
                assert got[INDICATORS[1], area, end] == tuple(map(repr, expected))


def test_what_jumps_or_falls_silent_is_told_once_and_by_its_kind() -> None:
    found = values(np.random.default_rng(3), 1_200, 5)[:, None, :].repeat(2, axis=1)
    done = played(ScoreLane(CITY, ScoreSettings(budget=1.0)), found, [])
    told = [one for piece in done for one in piece.anomalies if one.indicator == INDICATORS[0]]
    jump = [(one.transition, one.anomaly, one.seq) for one in told if one.area.endswith("000")]
    assert jump == [("raised", "spike", 0), ("changed", "level_shift", 1)]
    silent = [one for one in told if one.area.endswith("001")]
    assert [(one.transition, one.anomaly, one.value) for one in silent] == [("raised", "silence", None)]
    first = told[0]
    assert first.low is not None
    assert first.baseline is not None
    assert first.low < first.baseline < 12.0
    assert len({one.anomaly_id for one in told}) == 2


def test_the_word_of_the_catalogue_chooses_what_a_series_is_compared_with() -> None:
    found = values(np.random.default_rng(3), 1_000, 5)[:, None, :].repeat(2, axis=1)
    first = scores(played(ScoreLane(CITY, ScoreSettings()), found, []))
    other = {"robust_z": "changepoint"}.get(WORDS[INDICATORS[0]], "robust_z")
    tuned = ScoreLane(reworded(anomaly=other), ScoreSettings())
    second = scores(played(tuned, found, []))
    changed = {
        name
        for name, _, _ in first.keys() & second.keys()
        if any(first[key] != second[key] for key in first if key[0] == name)
    }
    assert changed == {INDICATORS[0]}


def test_what_departs_by_less_than_is_worth_telling_is_not_told() -> None:
    found = values(np.random.default_rng(3), 1_200, 5)[:, None, :].repeat(2, axis=1)
    told = {
        least: {(one.indicator, one.area[-3:], one.anomaly) for one in some}
        for least in (0.0, 30.0, 50.0)
        for some in [
            [
                o
                for p in played(
                    ScoreLane(reworded(anomaly_least=least), ScoreSettings(budget=1.0)), found, []
                )
                for o in p.anomalies
            ]
        ]
    }
    jump, silence = (INDICATORS[0], "000", "spike"), (INDICATORS[0], "001", "silence")
    assert jump in told[0.0] & told[30.0]
    assert jump not in told[50.0]
    assert silence in told[0.0] & told[30.0] & told[50.0]
    assert (INDICATORS[1], "000", "spike") in told[50.0]


def reworded(**keys: Any) -> City:
    """The city with other keys of the first indicator."""
    catalogue = CITY.plan.catalogue
    indicators = tuple(
        replace(one, entry=structs.replace(one.entry, **keys)) if one.id == INDICATORS[0] else one
        for one in catalogue.indicators
    )
    return replace(CITY, plan=Plan(replace(catalogue, indicators=indicators), CITY.plan.metrics))


def of_area(done: Sequence[ScoredPiece], indicator: int, area: int, word: str = "") -> list[str]:
    """What is told of an indicator in an area, of one kind of anomaly."""
    who = INDICATORS[indicator], f"N49E0B26{area:03d}"
    found = (one for piece in done for one in piece.anomalies if (one.indicator, one.area) == who)
    return [str(one) for one in found if word in one.anomaly]


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(st.integers(0, 5), st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0]), min_size=5, max_size=5))
def test_where_too_little_stands_behind_values_nothing_is_told_and_scores_stay_as_they_are(
    seed: int, share: list[float]
) -> None:
    """Enough stands behind a ``share`` of an area's values; area 0 jumps in the end, 1 falls silent."""
    rng = np.random.default_rng(seed)
    found = values(rng, 1_200, 5)[:, None, :].repeat(2, axis=1)
    sure = rng.random((1_200, 5)) < share
    sure[-10:] &= np.array(share) == 1.0
    whole = played(ScoreLane(CITY, ScoreSettings(budget=1.0)), found, [])
    part = played(ScoreLane(CITY, ScoreSettings(budget=1.0)), found, [], sure)
    assert scores(part) == scores(whole)
    for area, one in enumerate(share):
        assert of_area(part, 1, area) == of_area(whole, 1, area)
        if one == 1.0:
            assert of_area(part, 0, area) == of_area(whole, 0, area)
    assert of_area(whole, 0, 0, "spike")
    assert bool(of_area(part, 0, 0, "spike")) == (share[0] == 1.0)
    assert of_area(whole, 0, 1, "silence")
    assert bool(of_area(part, 0, 1, "silence")) == (share[1] > 0.5)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_what_rests_at_a_value_is_not_told_when_it_leaves_it(share: float) -> None:
    """Counts that are nearly always zero: the first of nine is a record, and says nothing of the tail."""
    rng = np.random.default_rng(5)
    found = values(rng, 1_200, 4)[:, None, :].repeat(2, axis=1)
    found[:, :, 3] = (rng.random((1_200, 1)) < share).astype(float)
    found[1_150:1_160, :, 3] = 9.0
    found[1_188:, :, 3] = np.nan
    alone, alarms = Detector(1, DetectorSettings.for_step(HOP, WORDS[INDICATORS[0]]), 10.0), []
    for step, value in enumerate(found[:, 0, 3].tolist()):
        verdict = alone.update(np.array([value]), HourOfWeek("Asia/Shanghai").at(START + HOP * step))
        alarms += [step] if verdict.alarm[0] else []
    assert set(alarms) & set(range(1_150, 1_160))
    done = played(ScoreLane(CITY, ScoreSettings()), found, [])
    at = [one.started for p in done for one in p.anomalies if one.area.endswith("003")]
    jump = [end for end in at if START + HOP * 1_150 < end <= START + HOP * 1_160]
    assert bool(jump) == (share == 0.5)
    assert of_area(done, 0, 3, "silence")


def test_an_anomaly_that_is_over_is_cleared() -> None:
    found = values(np.random.default_rng(3), 1_200, 5)
    found[-10:, 0] -= 40.0
    found[-200:-194, 0] = 60.0
    done = played(ScoreLane(CITY, ScoreSettings(budget=1.0)), found[:, None, :].repeat(2, axis=1), [700])
    told = [one for p in done for one in p.anomalies if one.area.endswith("000")]
    mine = [one for one in told if one.indicator == INDICATORS[0]]
    assert [one.transition for one in mine] == ["raised", "cleared"]
    assert mine[0].started == mine[1].started == mine[0].window_end < mine[1].window_end


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(st.lists(st.integers(1, 699), max_size=6, unique=True).map(sorted), st.integers(0, 5))
def test_how_values_come_changes_nothing(cuts: list[int], seed: int) -> None:
    found = values(np.random.default_rng(seed), 700, 4)[:, None, :].repeat(2, axis=1)
    whole = played(ScoreLane(CITY, ScoreSettings()), found, [])
    parts = played(ScoreLane(CITY, ScoreSettings()), found, cuts)
    assert (lines(parts), scores(parts)) == (lines(whole), scores(whole))


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(st.lists(st.integers(1, 699), min_size=1, max_size=5, unique=True).map(sorted), st.booleans())
def test_a_lane_that_is_recovered_goes_on_with_equal_scores(
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    often: bool,  # noqa: FBT001 - of hypothesis
) -> None:
    found = values(np.random.default_rng(7), 700, 4)[:, None, :].repeat(2, axis=1)
    sure = np.random.default_rng(8).random((700, 4)) < [0.0, 0.5, 0.9, 1.0]
    whole = played(ScoreLane(CITY, ScoreSettings()), found, [], sure)
    cold = ColdStore(tmp_path_factory.mktemp("cold") / "scores.sqlite")
    lane, done = ScoreLane(CITY, ScoreSettings(), journal=True), []
    for seq, (begin, end) in enumerate(zip([0, *cuts], [*cuts, 700], strict=True), start=1):
        part = np.full_like(found, np.nan)
        part[begin:end] = found[begin:end]
        ends = START + HOP * np.arange(begin + 1, end + 1)
        frames = [frame(INDICATORS[0], ends, part[begin:end, 0], sure=sure[begin:end])]
        frames.append(frame(INDICATORS[1], ends, part[begin:end, 1]))
        done += lane.take([*frames, moves(START + HOP * end)])
        if often and seq == 2:
            for journal in lane.journals().values():
                journal.renew()
        lane = recovered(lane, cold, seq)
    assert (lines(done), scores(done)) == (lines(whole), scores(whole))


def recovered(lane: ScoreLane, cold: ColdStore, seq: int) -> ScoreLane:
    """A new lane from the snapshot of another."""
    lane.turn()
    state = packed(lane.state())
    cold.write(seq, lane.journals())
    again, hot = ScoreLane(CITY, ScoreSettings(), journal=True), thaw(state)
    again.restore(hot)
    assert cold.read(seq, again.journals()) == hot["blobs"]
    again.recover()
    return again
