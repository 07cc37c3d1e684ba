"""Changes from a topic: taken in order, wrong ones refused whole, each once over crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.config.configuration import Configuration
from flows.control.change import Change
from flows.control.control_topic import ControlGapError, ControlTopic, TopicPart, wanted_of
from flows.control.control_watch import Journal
from flows.live.run_options import options_of
from flows.pieces import BEFORE, ControlPiece
from flows.records import Item
from sinks.log import collected
from tests.flows.kafka_fakes import FakeKafka

TOPIC = "city.control.v1"
PLACE = (TOPIC, 0)
MINUTE = 60_000
OWN = """
[[indicator]]
id = "own.{name}"
name_zh = "{name}"
name_en = "{name}"
theme = "emergency"
domain = "weather"
unit = "mm"
window = "30m"
hop = "5m"
formula = "highest(sum(rain_1m))"
levels = {{ blue = {{ raise = 4 }} }}
"""
NIGHT = '[[override]]\nindicator = "own.a"\nlevels = { blue = { raise = 500 } }\n'
A, B = {"a.toml": OWN.format(name="a")}, {"b.toml": OWN.format(name="b")}
WRONG = {"wrong.toml": OWN.format(name="wrong").replace("highest", "hihgest")}
BASE = Change(0, BEFORE)


@dataclass
class Bench:
    """A control source on a fake broker, in a folder with a journal."""

    folder: Path
    kafka: FakeKafka = field(default_factory=FakeKafka)
    reached: int = 10 * MINUTE
    base: Change = BASE
    on_gap: Literal["stop", "earliest", "latest"] = "stop"
    durable: bool = True

    def __post_init__(self) -> None:
        self.kafka.logs[PLACE] = []
        self.journal.begin(self.base)

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "control.jsonl")

    def put(self, **files: Any) -> None:
        self.kafka.put(PLACE, files)

    def part(self, snapshot: bytes | None = None) -> TopicPart:
        source = ControlTopic(
            self.base,
            ["shard-00"],
            None,
            None,
            lambda: self.reached,
            lambda: False,
            lambda: False,
            lambda: 0.0,
            journal=self.journal if self.durable else None,
            topic=TOPIC,
            on_gap=self.on_gap,
            connect=lambda: self.kafka,
        )
        return source.build_part("control", "control", snapshot)


def changes(items: list[Item]) -> list[Change]:
    return [change for item in items if isinstance(item.piece, ControlPiece) for change in item.piece.changes]


def names(change: Change) -> tuple[list[str], list[str]]:
    return [name for name, _ in change.catalogue], [name for name, _ in change.thresholds]


def test_messages_change_what_they_name_at_the_next_full_minute(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    part = bench.part()
    assert changes(part.next_batch()) == []
    bench.put(catalogue=A, thresholds={"night.toml": NIGHT})
    (first,) = changes(part.next_batch())
    assert (first.number, first.effective, *names(first)) == (1, 11 * MINUTE, ["a.toml"], ["night.toml"])
    bench.put(thresholds=None)
    bench.put(catalogue=A | B)
    (second,) = changes(part.next_batch())
    assert (second.number, second.effective, *names(second)) == (2, 12 * MINUTE, ["a.toml", "b.toml"], [])
    bench.put(catalogue=B | A)
    assert changes(part.next_batch()) == [], "what is in force is no change"
    assert bench.journal.read() == [BASE, first, second]


def test_what_is_in_the_topic_at_the_start_counts_before_anything_is_promised(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(150):
        bench.put(catalogue=B)
    bench.put(catalogue=A)
    part = bench.part()
    assert part.next_batch() == []
    (only,) = changes(part.next_batch())
    assert (only.number, *names(only)) == (1, ["a.toml"], [])


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (b"", "is no control message"),
        (b"\xff{", "is no control message"),
        (b'{"catalog": {}}', "unknown field `catalog`"),
        (b'{"catalogue": {"a": 5}}', "Expected `str`, got `int`"),
        (json.dumps({"catalogue": WRONG}).encode(), "did you mean highest?"),
        (json.dumps({"thresholds": {"n": NIGHT.replace("own.a", "own.b")}}).encode(), "own.b"),
        (b'"' + b"a" * (16 << 20) + b'"', "the most are 16,777,216"),
    ],
)
def test_a_message_with_a_fault_is_refused_whole_and_told_with_its_offset(
    tmp_path: Path, message: bytes, fault: str
) -> None:
    bench = Bench(tmp_path)
    part = bench.part()
    bench.put(catalogue=A)
    bench.kafka.put(PLACE, message)
    with collected() as said:
        (change,) = changes(part.next_batch())
    assert names(change) == (["a.toml"], [])
    assert part.changes.refused == 1
    assert any(text.startswith(f"{TOPIC} offset 1: ") and fault in text for text in said), said
    bench.put(thresholds={"night.toml": NIGHT})
    (change,) = changes(part.next_batch())
    assert names(change) == (["a.toml"], ["night.toml"])


def test_a_broker_that_is_away_is_waited_for_and_nothing_promised(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put(catalogue=A)
    bench.kafka.away = True
    part = bench.part()
    assert part.next_batch() == part.next_batch() == []
    bench.kafka.away = False
    assert [names(change) for change in changes(part.next_batch())] == [(["a.toml"], [])]


SETS = [{"catalogue": A}, {"catalogue": B}, {"thresholds": {}}, {"catalogue": None}, {"catalogue": WRONG}]
at_once = st.lists(st.lists(st.sampled_from(SETS), max_size=3), min_size=1, max_size=6)


class CrashError(Exception):
    """The process ended."""


def crashing(*, written: bool) -> Callable[..., None]:
    """``Journal.add`` in a process that dies before, or after, a change is written down."""
    add = Journal.add

    def dies(journal: Journal, *arguments: Any) -> None:
        if written:
            add(journal, *arguments)
        raise CrashError

    return dies


@settings(max_examples=20, deadline=None)
@given(sent=at_once, data=st.data())
def test_crashes_make_no_change_twice_and_lose_none(
    sent: list[list[dict[str, Any]]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain, bench = (Bench(tmp_path_factory.mktemp("control")) for _ in range(2))
    expected = list[Change]()
    part = plain.part()
    for messages in sent:
        for one in messages:
            plain.put(**one)
        expected += changes(part.next_batch())
    part, snapshot = bench.part(), bench.part().snapshot()
    for messages in sent:
        for one in messages:
            bench.put(**one)
        if data.draw(st.booleans(), label="snapshot"):
            snapshot = part.snapshot()
        fate = data.draw(st.sampled_from(["well", "before", "after", "told"]), label="fate")
        if fate in {"before", "after"}:
            with pytest.MonkeyPatch.context() as patched, suppress(CrashError):
                patched.setattr(Journal, "add", crashing(written=fate == "after"))
                part.next_batch()
        elif fate == "told":
            part.next_batch()
        if fate != "well":
            part = bench.part(snapshot)
        part.next_batch()
    part.next_batch()
    assert [names(one) for one in bench.journal.read()[1:]] == [names(one) for one in expected]
    numbers = [one.number for one in bench.journal.read()]
    assert numbers == list(range(len(numbers)))
    assert all(a.effective < b.effective for a, b in pairwise(bench.journal.read()[1:]))
    assert part.changes.last == bench.journal.read()[-1]


def test_an_engine_without_recovery_begins_with_what_the_topic_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path, durable=False)
    bench.put(catalogue=A)
    bench.put(thresholds={"night.toml": NIGHT})
    for _ in range(2):
        part = bench.part()
        assert [names(change) for change in changes(part.next_batch())] == [(["a.toml"], ["night.toml"])]
        assert part.snapshot() == b""


@pytest.mark.parametrize("on_gap", ["stop", "earliest"])
def test_messages_that_were_deleted_before_they_were_read_are_a_decision(
    tmp_path: Path, on_gap: Literal["stop", "earliest"]
) -> None:
    bench = Bench(tmp_path, on_gap=on_gap)
    part = bench.part()
    bench.put(catalogue=A)
    part.next_batch()
    snapshot = part.snapshot()
    bench.put(catalogue=B)
    bench.put(thresholds=None)
    bench.kafka.forget(PLACE, 2)
    again = bench.part(snapshot)
    if on_gap == "stop":
        with pytest.raises(ControlGapError, match="offset 1 comes next, but the topic has 2 to 3"):
            again.next_batch()
    else:
        assert changes(again.next_batch()) == []
        assert names(again.changes.last) == (["a.toml"], [])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_a_value_error(raw: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(wanted_of(raw, BASE), Change)


def test_a_control_topic_needs_brokers() -> None:
    config = Configuration()
    config.kafka.control = TOPIC
    with pytest.raises(ValueError, match=r"kafka.control: a control topic needs brokers"):
        options_of(config)
