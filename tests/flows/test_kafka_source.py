"""Partitions as inputs: when they hold the watermark, what is done where records are gone, what is kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.admission.roll import Roll
from flows.batches import FINAL
from flows.kafka.alignment import Alignment
from flows.kafka.feed import ARROW, Feed
from flows.kafka.source import GapError, KafkaPart, KafkaSource, Station, once, part_of
from flows.kafka.watch import DISCOVER_EVERY, FRESH, End, Watch
from flows.live.run_turns import MOST_SPAN
from flows.pieces import BEFORE, MAX_DISORDER
from flows.records import Item
from flows.recovery.snapshots import COSTS
from flows.replay.replaying import ReplayOptions, city_of
from flows.router import Lanes
from sinks.kafka_types import KafkaSettings, Place
from tests.flows.kafka_fakes import FakeKafka

CITY = city_of(ReplayOptions(out=Path("unused")))
NOON = 1_719_979_200_000
MINUTE = 60_000
IDLE = 60.0
A, B, C = ("r", 0), ("r", 1), ("r", 2)


def reading(ts: int, sensor: str = "s", **more: Any) -> dict[str, Any]:
    place = {"lon": 114.3, "lat": 30.6}
    return {"sensor_id": sensor, "metric": "gas_lel", "value": 1.5, "ts": ts, **place, **more}


@dataclass
class Bench:
    """A source on a fake broker; time passes as the test says."""

    kafka: FakeKafka
    parts: int = 1
    on_gap: Any = "stop"
    start: Any = "earliest"
    seconds: float = NOON / 1000
    watch: Watch = field(init=False)
    feed: Feed = field(init=False)
    source: KafkaSource = field(init=False)

    def __post_init__(self) -> None:
        ends: dict[Place, End] = {}
        self.feed = Feed(self.kafka, ends)
        settings = KafkaSettings("fake:1")
        self.watch = Watch(
            self.kafka, self.kafka, ["r"], settings, self.feed.empty, lambda: self.seconds, ends
        )
        names = [f"records-{number:02d}" for number in range(self.parts)]
        self.source = KafkaSource(
            (),
            CITY,
            Lanes(1, CITY.grid),
            Roll.empty(),
            10_000,
            Path("unused"),
            lambda _: None,
            durable=True,
            idle_after=IDLE,
            max_future=1e9,
            wall=lambda: self.seconds,
            names=names,
            topics={"readings": "r"},
            start=self.start,
            on_gap=self.on_gap,
            alignment=Alignment(names),
            connect=once(lambda: Station(self.feed, self.watch)),
        )

    def part(self, snapshot: bytes | None = None, number: int = 0) -> KafkaPart:
        self.watch.ask()
        return self.source.build_part("records", self.source.names[number], snapshot)

    def drain(self, *parts: KafkaPart) -> list[Item]:
        """Ask the brokers, then take all there is."""
        if not self.kafka.away:
            self.watch.ask()
        items: list[Item] = []
        for _ in range(2):
            for part in parts:
                while found := part.next_batch():
                    items += found
        if not self.kafka.away:
            self.watch.ask()
        for part in parts:
            items += part.next_batch()
        return items

    def wait(self, seconds: float, *parts: KafkaPart) -> None:
        """Let time pass, with the brokers asked all the while."""
        for _ in range(int(seconds)):
            self.seconds += 1
            self.drain(*parts)


def test_partitions_belong_to_one_part_each_for_ever() -> None:
    for parts in (1, 2, 4):
        dealt = [part_of("readings", number, parts) for number in range(8)]
        assert sorted(set(dealt)) == list(range(parts))


def test_a_recovery_point_of_all_parts_of_a_process_is_one_pause() -> None:
    bench = Bench(FakeKafka({A: [], B: []}), parts=2)
    bench.kafka.put(A, reading(NOON))
    parts = [bench.part(number=number) for number in range(2)]
    for times in (1, 2):
        bench.drain(*parts)
        if times == 1:
            COSTS.pauses.clear()
        for part in parts:
            part.snapshot()
        bench.drain(*parts)
        assert len(COSTS.pauses) == times


def test_a_partition_holds_the_watermark_until_it_was_silent_at_its_end() -> None:
    bench = Bench(FakeKafka({A: [], B: []}))
    bench.kafka.put(A, reading(NOON), reading(NOON + MINUTE))
    part = bench.part()
    bench.drain(part)
    assert part.watermark == BEFORE
    bench.wait(IDLE - 2, part)
    assert part.watermark == BEFORE
    bench.kafka.put(A, reading(NOON + 2 * MINUTE))
    bench.wait(3, part)
    assert part.watermark == NOON + 2 * MINUTE - MAX_DISORDER


def test_silence_counts_only_while_a_broker_keeps_saying_so() -> None:
    bench = Bench(FakeKafka({A: [], B: []}))
    bench.kafka.put(A, reading(NOON))
    part = bench.part()
    bench.wait(IDLE / 2, part)
    bench.kafka.away = True
    bench.seconds += IDLE
    part.next_batch()
    bench.kafka.away = False
    bench.kafka.put(A, reading(NOON + MINUTE))
    bench.wait(IDLE / 2, part)
    # It was silent for longer than it takes, but for half of that nobody could know.
    assert part.watermark == BEFORE
    bench.wait(IDLE / 2 + FRESH, part)
    assert part.watermark == NOON + MINUTE - MAX_DISORDER


def test_a_backlog_that_comes_late_is_not_called_late_and_takes_effect_behind_the_flow() -> None:
    bench = Bench(FakeKafka({A: [], B: []}))
    bench.kafka.put(A, reading(NOON))
    bench.kafka.put(B, reading(NOON, "t"))
    part = bench.part()
    bench.wait(IDLE + 2, part)
    bench.kafka.put(A, reading(NOON + 5 * MINUTE))
    bench.wait(1, part)
    assert part.watermark == NOON + 5 * MINUTE - MAX_DISORDER
    bench.kafka.put(B, *(reading(NOON + minute * MINUTE, "t") for minute in range(1, 5)))
    pieces = [item.piece for item in bench.drain(part) if item.step == "shard"]
    batches = [piece.batch for piece in pieces if piece.batch is not None and len(piece.batch)]
    effective = [int(one) for batch in batches for one in batch.effective]
    assert len(effective) == 4
    assert min(effective) > part.watermark
    assert (part.totals()["late"], part.totals()["accepted"]) == (0, 7)


def test_a_part_without_partitions_follows_the_others() -> None:
    bench = Bench(FakeKafka({A: []}), parts=2)
    bench.kafka.put(A, reading(NOON), reading(NOON + MINUTE))
    own, other = bench.part(), bench.part(number=1)
    bench.drain(own, other)
    assert other.watermark == own.watermark == NOON + MINUTE - MAX_DISORDER


def test_the_clock_goes_on_in_steps_after_an_outage() -> None:
    bench = Bench(FakeKafka({A: []}))
    bench.kafka.put(A, *(reading(NOON + minute * MINUTE) for minute in range(600)))
    part = bench.part()
    clocks = [item.piece.clock.maximum for item in bench.drain(part) if item.step == "shard"]
    assert max(b - a for a, b in pairwise(clocks)) <= MOST_SPAN
    assert part.watermark == NOON + 599 * MINUTE - MAX_DISORDER


@given(cuts=st.lists(st.integers(1, 30), max_size=4))
def test_a_snapshot_goes_on_at_the_next_offset(cuts: list[int]) -> None:
    bench = Bench(FakeKafka({A: [], B: []}))
    for number in range(30):
        bench.kafka.put((A, B)[number % 2], reading(NOON + number * 1_000, f"s{number % 3}"))
    bench.source = replace(bench.source, batch_size=3)
    snapshot, part = None, bench.part()
    for cut in cuts:
        for _ in range(cut):
            part.next_batch()
        snapshot = part.snapshot()
        # The same broker, another process: what had come of a partition is asked for again.
        bench = Bench(bench.kafka)
        bench.source = replace(bench.source, batch_size=3)
        part = bench.part(snapshot)
    bench.drain(part)
    totals = part.totals()
    assert (totals["received"], totals["accepted"]) == (30, 30)
    part.snapshot()
    assert bench.kafka.committed == {A: 15, B: 15}


def test_deleted_records_stop_the_engine_unless_it_may_go_on_without() -> None:
    kafka = FakeKafka({A: []})
    kafka.put(A, *(reading(NOON + second * 1_000) for second in range(10)))
    first = Bench(kafka)
    part = first.part()
    first.drain(part)
    snapshot = part.snapshot()
    kafka.put(A, *(reading(NOON + second * 1_000) for second in range(10, 30)))
    kafka.forget(A, 20)
    bench = Bench(kafka)
    part = bench.part(snapshot)
    with pytest.raises(GapError, match=r"offset 10 comes next, but the topic has 20 to 30"):
        bench.drain(part)
    for on_gap, skipped, received in (("earliest", 10, 20), ("latest", 20, 10)):
        bench = Bench(kafka, on_gap=on_gap)
        part = bench.part(snapshot)
        bench.drain(part)
        assert (part.gaps, part.skipped) == (1, skipped)
        assert part.totals()["received"] == received


def test_records_deleted_while_they_wait_to_be_read_are_a_decision_too() -> None:
    bench = Bench(FakeKafka({A: []}), on_gap="earliest")
    part = bench.part()
    bench.drain(part)
    bench.kafka.put(A, *(reading(NOON + second * 1_000) for second in range(30)))
    bench.kafka.forget(A, 25)
    bench.drain(part)
    assert (part.skipped, part.totals()["received"]) == (25, 5)


def test_a_partition_that_vanished_is_told_and_taken_up_again_when_it_returns() -> None:
    kafka = FakeKafka({A: [], B: []})
    kafka.put(A, reading(NOON))
    kafka.put(B, reading(NOON, "t"), reading(NOON + MINUTE, "t"))
    first = Bench(kafka)
    part = first.part()
    first.drain(part)
    snapshot = part.snapshot()
    log = kafka.logs.pop(B)
    bench = Bench(kafka)
    part = bench.part(snapshot)
    with pytest.raises(GapError, match="r/1 is gone"):
        bench.drain(part)
    bench = Bench(kafka, on_gap="earliest")
    part = bench.part(snapshot)
    kafka.put(A, reading(NOON + 3 * MINUTE))
    bench.drain(part)
    assert part.watermark == NOON + 3 * MINUTE - MAX_DISORDER
    kafka.logs[B] = log
    kafka.put(B, reading(NOON + 4 * MINUTE, "t"))
    bench.seconds += DISCOVER_EVERY
    bench.drain(part)
    bench.drain(part)
    assert part.totals()["received"] == 5


def test_a_new_partition_is_read_from_its_first_record_on() -> None:
    bench = Bench(FakeKafka({A: []}), start="latest")
    bench.kafka.put(A, reading(NOON))
    part = bench.part()
    bench.drain(part)
    assert part.totals()["received"] == 0
    bench.kafka.put(C, reading(NOON, "u"))
    bench.drain(part)
    assert part.totals()["received"] == 0
    bench.seconds += DISCOVER_EVERY
    bench.drain(part)
    bench.drain(part)
    assert part.totals()["received"] == 1


def test_a_topic_that_is_not_there_is_said_at_once() -> None:
    bench = Bench(FakeKafka({("other", 0): []}))
    with pytest.raises(ValueError, match="there is no topic 'r'"):
        bench.drain(bench.part())


def test_brokers_that_are_away_are_waited_for() -> None:
    bench = Bench(FakeKafka({A: []}))
    bench.kafka.away = True
    part = bench.source.build_part("records", "records-00", None)
    assert part.next_batch() == []
    assert part.next_awake() is not None
    bench.kafka.away = False
    bench.kafka.put(A, reading(NOON))
    bench.drain(part)
    assert part.totals()["received"] == 1


def test_arrow_json_and_arrays_are_told_apart_and_rejects_say_where_they_came_from() -> None:
    bench = Bench(FakeKafka({A: []}))
    frame = pl.DataFrame([reading(NOON, "a"), reading(NOON + 1_000, "b", metric="nothing")])
    sink = frame.write_ipc_stream(None, compat_level=pl.CompatLevel.oldest()).getvalue()
    head = (("content-type", ARROW), ("ce_id", b"17"), ("ce_source", b"/gateway"), ("x", b"y"))
    bench.kafka.put(A, reading(NOON, "c"))
    bench.kafka.put(A, sink, head=head)
    bench.kafka.put(A, '[{"sensor_id":"d"}, 5]', b"\xff", b"")
    part = bench.part()
    items = bench.drain(part)
    rejects = [one for item in items if item.step == "reject" for one in item.piece]
    told = [(one.source, one.partition, one.offset, one.index, one.reason) for one in rejects]
    assert told == [
        ("r", 0, 1, 1, "unknown_metric"),
        ("r", 0, 2, 0, "bad_field"),
        ("r", 0, 2, 1, "bad_field"),
        ("r", 0, 3, 0, "bad_json"),
        ("r", 0, 4, 0, "bad_json"),
    ]
    assert rejects[0].headers == (("ce_id", "17"), ("ce_source", "/gateway"))
    assert b'"sensor_id":"b"' in rejects[0].raw
    assert part.totals()["accepted"] == 2


def test_lists_are_bounded_by_pausing() -> None:
    kafka = FakeKafka({A: [], B: []})
    kafka.put(A, *(b"x" * 40_000 for _ in range(4_000)))
    feed = Feed(kafka, {})
    feed.follow(A, 0)
    feed.follow(B, 0)
    for _ in range(50):
        feed.poll()
    held = kafka.positions[A]
    assert A in kafka.paused
    assert held < 2_500
    taken = 0
    while (block := feed.take(A, 10_000)) is not None or A in kafka.paused:
        taken += len(block or ())
        feed.poll()
    assert taken == 4_000


def test_no_part_tells_a_clock_of_the_end() -> None:
    bench = Bench(FakeKafka({A: []}))
    bench.kafka.put(A, reading(NOON))
    part = bench.part()
    bench.wait(IDLE + 5, part)
    assert part.watermark < FINAL
    assert not part.finished
