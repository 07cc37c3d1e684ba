"""What a scrape gets: the newest value of every area, none without data, no cell, and counts that go on."""

from __future__ import annotations

import gzip
import http.client
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from alerts.incidents import IncidentBook
from alerts.transitions import RawTransition, Transition, publish
from sinks.prometheus import Family, Histogram, Sample, Spread, exposition, served
from sinks.prometheus_alerts import AlertCounter, AlertFigures, IncidentGauge, RefusalCounter, Refusals
from sinks.prometheus_text import KeptGauge
from sinks.prometheus_values import Latest, RevisionCounter, Revisions, ValueGauges
from sinks.table_file import KINDS, ValueFrame, Withdrawn


def frame(rows: list[tuple[str, str, int, float | None, int]], indicator: str = "air.aqi") -> ValueFrame:
    """Rows of (kind, area, window end, value, revision)."""
    kind, area, end, value, revision = zip(*rows, strict=True)
    numbers = np.array([np.nan if v is None else v for v in value])
    return ValueFrame(
        indicator=indicator,
        kind=np.array([KINDS.index(k) for k in kind], np.uint8),
        names=np.array([a.encode() for a in area]),
        place=None,
        window_end=np.array(end, np.int64),
        value=numbers,
        level=np.array([0 if v is None else int(v) % 5 for v in value], np.uint8),
        n=np.ones(len(area), np.int64),
        coverage=np.ones(len(area)),
        revision=np.array(revision, np.int32),
        status=np.isnan(numbers).astype(np.uint8),
    )


def told(latest: Latest) -> list[str]:
    """The lines of a scrape, of which some may be kept, sorted; those made anew are the same."""
    lines = sorted(exposition([], [latest]).decode().splitlines())
    assert lines == sorted(exposition([latest.families]).decode().splitlines())
    return lines


def shown(latest: Latest) -> dict[tuple[str, ...], tuple[float, float]]:
    assert told(latest)
    values, levels, _ = latest.families()
    assert [s.labels for s in values.samples] == [s.labels for s in levels.samples]
    return {v.labels: (v.value, w.value) for v, w in zip(values.samples, levels.samples, strict=True)}


AREAS = [
    ("city", "city"),
    ("district", "420106"),
    ("street", "420106001"),
    ("community", "c"),
    ("cell", "N5"),
]


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(AREAS), st.integers(0, 5), st.none() | st.integers(0, 9)),
            min_size=1,
            max_size=8,
        ),
        max_size=6,
    )
)
def test_of_each_area_the_newest_window_is_shown_as_last_told(
    told: list[list[tuple[tuple[str, str], int, int | None]]],
) -> None:
    latest, expected = Latest(), dict[tuple[str, ...], tuple[int, float | None]]()
    for rows in told:
        latest.take(frame([(*area, end, value, 0) for area, end, value in rows]))
        shown(latest)
        for (kind, area), end, value in rows:
            key = ("air.aqi", area, kind)
            if kind in {"city", "district", "street"} and end >= expected.get(key, (-1, None))[0]:
                expected[key] = end, value
    assert shown(latest) == {k: (v, int(v) % 5) for k, (_, v) in expected.items() if v is not None}


def test_no_data_takes_the_sample_away_and_a_correction_of_the_past_does_not() -> None:
    latest = Latest()
    latest.take(frame([("city", "city", 60_000, 57.0, 0), ("city", "city", 120_000, 58.0, 0)]))
    latest.take(frame([("city", "city", 60_000, 99.0, 1)]))
    key = ("air.aqi", "city", "city")
    assert shown(latest) == {key: (58.0, 3)}
    latest.take(frame([("city", "city", 120_000, 61.0, 1)]))
    assert shown(latest) == {key: (61.0, 1)}
    latest.take(frame([("city", "city", 180_000, None, 0)]))
    assert shown(latest) == {}


def test_indicators_that_are_no_more_take_their_samples_and_areas_with_them() -> None:
    latest = Latest()
    latest.take(frame([("city", "city", 1, 1.0, 0), ("district", "420106", 1, 1.0, 0)]))
    latest.take(frame([("city", "city", 1, 2.0, 0)], indicator="noise"))
    assert len(told(latest)) == 6 + 3 + 3 + 2
    latest.take(Withdrawn(("air.aqi",), "2", "5f3c").frame())
    assert shown(latest) == {("noise", "city", "city"): (2.0, 2)}
    assert len(told(latest)) == 6 + 3
    latest.take(frame([("district", "420106", 2, 3.0, 0)]))
    assert shown(latest)["air.aqi", "420106", "district"] == (3.0, 3)


NUMBERS = st.floats() | st.integers(-9, 9).map(float)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.none() | NUMBERS, max_size=4), max_size=5))
def test_a_kept_gauge_reads_as_one_that_is_made_anew(changes: list[dict[str, float | None]]) -> None:
    gauge, now = KeptGauge("a", "A.", ("x", "y")), dict[tuple[str, str], float]()
    for change in changes:
        for label, value in change.items():
            now.pop((label, "z"), None)
            if value is not None:
                now[label, "z"] = value
        gauge.set(((label, "z"), value) for label, value in change.items())
        anew = Family("a", "gauge", "A.", ("x", "y"), [Sample(*one) for one in now.items()])
        samples = [_parsed(text) for text in (gauge.text(), exposition([lambda: [anew]]))]  # noqa: B023
        assert samples[0] == samples[1]


def _parsed(text: bytes) -> list[tuple[Any, str]]:
    (family,) = text_string_to_metric_families(text.decode())
    return sorted((sorted(sample.labels.items()), repr(sample.value)) for sample in family.samples)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_what_is_kept_comes_before_the_rest_in_both_formats(encoding: str) -> None:
    gauge = KeptGauge("kept", "K.", ("x",))
    gauge.set([(("a",), 1.0)])
    ready = Kept(gauge)
    up = Family("up_total", "counter", "U.", (), [Sample((), 2)])
    with served([lambda: [up]], "127.0.0.1", 0, [ready]) as port:
        for accept, last in (("text/plain", ""), ("application/openmetrics-text;version=1.0.0", "# EOF\n")):
            headers = {"Accept": accept, "Accept-Encoding": encoding}
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/metrics", headers=headers)
            body = connection.getresponse().read()
            connection.close()
            text = (gzip.decompress(body) if encoding == "gzip" else body).decode()
            assert text.startswith('# HELP kept K.\n# TYPE kept gauge\nkept{x="a"} 1.0\n')
            assert "up_total 2.0\n" in text
            assert text.endswith(last)


@dataclass
class Kept:
    gauge: KeptGauge

    def text(self) -> bytes:
        return self.gauge.text()

    def families(self) -> list[Family]:
        return []


def test_areas_are_told_with_their_names_once() -> None:
    latest = Latest(names={("420106", "district"): ("武昌区", "Wuchang")})
    latest.take(frame([("district", "420106", 1, 1.0, 0), ("city", "city", 1, 1.0, 0)]))
    latest.take(frame([("district", "420106", 1, 1.0, 0)], indicator="noise"))
    _, _, info = latest.families()
    assert [s.labels for s in info.samples] == [
        ("420106", "district", "武昌区", "Wuchang"),
        ("city", "city", "city", "city"),
    ]


def test_values_go_on_after_a_restart() -> None:
    latest = Latest()
    part = ValueGauges(latest).build_part("s", "areas", None)
    part.write_batch([frame([("city", "city", 60_000, 57.0, 0)])])
    state = part.snapshot()
    part.write_batch([frame([("city", "city", 120_000, 58.0, 0)])])
    again = Latest()
    ValueGauges(again).build_part("s", "areas", state)
    assert shown(again) == {("air.aqi", "city", "city"): (57.0, 2)}


def test_revisions_are_counted_also_of_cells() -> None:
    revisions = Revisions()
    part = RevisionCounter(revisions).build("s", 0, 1)
    part.write_batch([("lane", frame([("cell", "N5", 1, 1.0, 2), ("cell", "N6", 1, 1.0, 0)]))])
    value, level, n, coverage = np.array([1.0]), np.array([1], np.uint8), np.array([1]), np.array([1.0])
    one = ValueFrame("x", 4, ["city"], None, 0, value, level, n, coverage, 3, 0)
    part.write_batch([("areas", one)])
    assert revisions.count == 2


def transition(change: str, level: int, previous: int, seq: int = 1, **more: Any) -> Transition:
    raw = RawTransition(
        indicator="gas.leak_lel_max",
        row=0,
        start=60_000,
        seq=seq,
        transition=change,  # type: ignore[arg-type]
        level=level,
        previous_level=previous,
        value=12.0,
        threshold=10.0,
        window_end=more.pop("window_end", 60_000),
        decided_ts=more.pop("decided_ts", 60_000),
        **more,
    )
    return publish(raw, "420106", "district", None, "5f3c")


def figures(**more: Any) -> AlertFigures:
    return AlertFigures(
        themes={"gas.leak_lel_max": "emergency"},
        now=lambda: 100.0,
        wall=lambda: 5_000.0,
        **more,
    )


def family(one: AlertFigures, name: str) -> Family:
    return next(f for f in one.families() if f.name == name)


def test_raises_are_counted_by_theme_and_level_with_their_age_and_latency() -> None:
    known = {(60_000, False): 4_999.8, (61_000, True): None}
    one = figures(decidable=lambda at, early: known[at, early])
    one.take(
        [transition("raised", 2, 0), transition("escalated", 3, 2, seq=2, decided_ts=61_000, early=True)]
    )
    one.take([transition("cleared", 0, 3, seq=3)])
    alerts = family(one, "yiwang_alerts_total").samples
    assert alerts == [Sample(("emergency", "2"), 1), Sample(("emergency", "3"), 1)]
    (latency,) = family(one, "yiwang_alert_latency_seconds").spreads
    assert latency.count == 1
    assert math.isclose(latency.sum, 0.2)
    (age,) = family(one, "yiwang_alert_age_seconds").spreads
    assert (age.count, age.sum) == (2, 80.0)


def test_incidents_are_open_while_their_alert_stands() -> None:
    one, book = figures(), IncidentBook()
    one.follow(book.take([transition("raised", 2, 0)]))
    one.follow(book.take([transition("escalated", 4, 2, seq=2)]))
    assert family(one, "yiwang_incidents_open").samples == [Sample(("420106", "4"), 1)]
    one.follow(book.take([transition("cleared", 0, 4, seq=3)]))
    assert family(one, "yiwang_incidents_open").samples == []


@dataclass
class Reject:
    source: str
    partition: int
    reason: str


def test_feedback_that_its_incident_refused_is_counted_by_its_input() -> None:
    refusals = Refusals()
    part = RefusalCounter(refusals).build_part("r", "city", None)
    part.write_batch(
        [[Reject("a", 2, "bad_transition"), Reject("a", 2, "bad_json")], [Reject("b", 2, "bad_transition")]]
    )
    again = Refusals()
    RefusalCounter(again).build_part("r", "city", part.snapshot())
    assert again.counts == refusals.counts == {("a", 2): 1, ("b", 2): 1}


def test_counts_and_open_incidents_go_on_after_a_restart() -> None:
    one = figures()
    alerts = AlertCounter(one).build_part("a", "city", None)
    incidents = IncidentGauge(one).build_part("i", "city", None)
    raised = transition("raised", 2, 0)
    alerts.write_batch([[raised]])
    incidents.write_batch([IncidentBook().take([raised])])
    states = alerts.snapshot(), incidents.snapshot()
    again = figures()
    AlertCounter(again).build_part("a", "city", states[0])
    IncidentGauge(again).build_part("i", "city", states[1])
    assert list(again.families()) == list(one.families())


@given(st.lists(st.floats(0, 100)))
def test_a_histogram_counts_what_is_at_most_each_bound(values: list[float]) -> None:
    histogram = Histogram((0.5, 10.0))
    for value in values:
        histogram.observe(value)
    spread = histogram.spread(("x",))
    assert [n for _, n in spread.buckets] == [sum(v <= le for v in values) for le, _ in spread.buckets]
    assert spread.count == len(values)


def test_every_type_of_family_is_told_in_the_text_format() -> None:
    families = [
        Family("a_total", "counter", "A.", ("x",), [Sample(('q"',), 2)]),
        Family("b_seconds", "summary", "B.", (), spreads=[Spread((), 2, 0.5)]),
        Family("c_seconds", "histogram", "C.", (), spreads=[Spread((), 2, 0.5, ((1.0, 1), (math.inf, 2)))]),
    ]
    lines = [line for line in exposition([lambda: families]).decode().splitlines() if line[0] != "#"]
    assert lines == [
        'a_total{x="q\\""} 2.0',
        "b_seconds_count 2.0",
        "b_seconds_sum 0.5",
        'c_seconds_bucket{le="1.0"} 1.0',
        'c_seconds_bucket{le="+Inf"} 2.0',
        "c_seconds_count 2.0",
        "c_seconds_sum 0.5",
    ]
