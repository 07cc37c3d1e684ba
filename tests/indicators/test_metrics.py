"""The shipped metrics, and files of one's own."""

import csv
from pathlib import Path

import numpy as np
import pytest

from indicators.metrics import EVENTS, METRICS, SHIPPED, Metrics

SHARED = Path(__file__).resolve().parents[3] / "shared" / "catalogue" / "metrics.csv"
HEAD = "code,name_zh,name_en,unit,range_min,range_max,sampling_period,sensor_class,kind,sla_h,resolution\n"
HOUR = 3_600_000


def test_sensors_and_references_are_numbered_apart_from_events() -> None:
    assert len(METRICS) == 110
    assert len(EVENTS) == 24
    metrics = Metrics.load()
    assert [metrics.index[m.code] for m in METRICS] == list(range(110))
    assert [metrics.event_index[m.code] for m in EVENTS] == list(range(24))


def test_arrays_are_aligned_with_the_rows() -> None:
    metrics = Metrics.load()
    for i, metric in enumerate(metrics.metrics):
        assert (metrics.low[i], metrics.high[i]) == (metric.range_min, metric.range_max)
        assert metrics.period_ms[i] == metric.period_ms
        assert bool(metrics.reference[i]) is metric.reference
    assert metrics.low.dtype == np.float64
    assert metrics.period_ms.dtype == np.int64
    assert metrics.reference.dtype == np.bool_


@pytest.mark.parametrize(
    ("code", "minutes"),
    [("ev_police_call", 10), ("ev_fire_alarm", 5), ("ev_grid_case", 1440), ("ev_ems_call", 15)],
)
def test_a_deadline_is_rounded_to_whole_minutes(code: str, minutes: int) -> None:
    assert Metrics.load()[code].sla_ms == minutes * 60_000


def test_an_event_type_without_deadline_has_minus_one() -> None:
    metrics = Metrics.load()
    assert metrics.sla_ms[metrics.event_index["ev_fever_visit"]] == -1


def test_slow_metrics_may_be_corrected_for_two_days() -> None:
    metrics = Metrics.load()
    for metric, allowed in zip(metrics.metrics, metrics.correct_within_ms, strict=True):
        assert allowed == (48 * HOUR if metric.period_ms >= 4 * HOUR else HOUR)


def test_an_irregular_metric_has_no_period() -> None:
    assert Metrics.load()["bus_arrival_deviation"].period_ms == 0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param("a,甲,A,1,0,1,1x,c,sensor,,1", "2: column 'sampling_period'", id="period"),
        pytest.param("a,甲,A,1,low,1,1m,c,sensor,,1", "column 'range_min'", id="range"),
        pytest.param("a,甲,A,1,,1,1m,c,sensor,,1", "column 'range_min'", id="range missing"),
        pytest.param("a,甲,A,1,0,1,1m,c,gadget,,1", "one of sensor, reference, event", id="kind"),
    ],
)
def test_a_wrong_row_is_named_with_file_line_and_column(tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"metrics\.csv") as caught:
        Metrics.load(path)
    assert words in str(caught.value)


def test_a_code_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    row = "a,甲,A,1,0,1,1m,c,sensor,,1\n"
    path.write_text(HEAD + row + row, encoding="utf-8")
    with pytest.raises(ValueError, match=r"metrics\.csv:3: code 'a' occurs twice"):
        Metrics.load(path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("code,kind\na,sensor\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'name_zh' is missing"):
        Metrics.load(path)


@pytest.mark.skipif(not SHARED.exists(), reason="the source of the metrics is not beside this tree")
def test_the_shipped_file_is_the_source() -> None:
    with SHIPPED.open(encoding="utf-8") as ours, SHARED.open(encoding="utf-8") as theirs:
        assert list(csv.reader(ours)) == list(csv.reader(theirs))
