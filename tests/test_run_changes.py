"""A live engine whose own files change: it takes them over, refuses what is wrong, and remembers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flows.config.configuration import Configuration
from flows.control.control_watch import Journal
from flows.live.run import Engine
from flows.live.run_workers import Supervisor, Worker
from flows.replay.replaying import replay
from sinks.history_hours import KEY
from sinks.log import collected
from tests.replays import MORNING, make_city, replay_options

MINUTE = 60_000
RAIN = """
[[indicator]]
id = "own.rain"
name_zh = "雨"
name_en = "Rain"
theme = "emergency"
domain = "weather"
unit = "mm"
window = "30m"
hop = "5m"
formula = "highest(sum(rain_1m))"
levels = { yellow = { raise = 5 } }
"""
GAS = """
[[indicator]]
id = "own.gas"
name_zh = "燃气"
name_en = "Gas"
theme = "emergency"
domain = "gas"
unit = "%"
window = "5m"
hop = "1m"
early = true
formula = "highest(max(gas_lel))"
levels = { blue = { raise = 4 }, red = { raise = 20 } }
"""
NIGHT = """
[[override]]
indicator = "own.rain"
levels = { yellow = { raise = 500 } }
"""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random city whose file ends with records long after, which close all windows before."""
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=50, minutes=45, seed=11)
    lines = gassed((folder / "readings.jsonl").read_text().splitlines())
    end = {"sensor_id": "end", "metric": "gas_lel", "value": 0, "lon": 114.3, "lat": 30.6}
    last = json.loads(lines[-1])["ts"] + 3_600_000
    lines += [json.dumps({**end, "ts": last + i}) for i in range(8)]
    (folder / "readings.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def gassed(lines: list[str]) -> list[str]:
    """The readings of a city, and of eight places with gas until minute 32, every five seconds."""
    sensor = {"metric": "gas_lel", "lat": 30.6}
    known = [
        (max(ts, MORNING) if isinstance(ts := json.loads(line)["ts"], int) else 0, line) for line in lines
    ]
    for n in range(8):
        for at in range(MORNING + n, MORNING + 45 * MINUTE, 5_000):
            own = {"sensor_id": f"gas-{n}", "lon": 114.2 + n / 20, "ts": at}
            value = 30 if at < MORNING + 32 * MINUTE else 0.5
            known.append((at, json.dumps({**sensor, **own, "value": value})))
    return [line for _, line in sorted(known, key=itemgetter(0))]


@dataclass
class Hand:
    """Works on the files whenever the engine looks at the clock, one step after another."""

    city: Path
    work: Path
    steps: list[Callable[[], bool]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    engine: Engine | None = None
    scraped: dict[str, float] = field(default_factory=dict)
    ahead: float = 0.0

    def wall(self) -> float:
        # Its time runs fast, for the engine looks at files once a second.
        self.ahead += 0.05
        if self.engine is not None and self.engine.parts and self.steps and self.steps[0]():
            self.steps.pop(0)
        return time.time() + self.ahead

    def feed(self, until: int | None) -> Callable[[], bool]:
        """Append the records up to an event time, and wait until they are read."""
        done: list[bool] = []

        def step() -> bool:
            if not done:
                file = self.work / "readings.jsonl"
                at = file.stat().st_size if file.exists() else 0
                rest = (self.city / "readings.jsonl").read_bytes()[at:].splitlines(keepends=True)
                stop = next(
                    (i for i, line in enumerate(rest) if until and json.loads(line)["ts"] > until), len(rest)
                )
                with file.open("ab") as out:
                    out.write(b"".join(rest[:stop]))
                done.append(True)
                return False
            assert self.engine is not None
            size = (self.work / "readings.jsonl").stat().st_size
            assert self.engine.figures is not None
            # Lanes wait for the promise that nothing changes, which comes within a second of event time.
            told = min(part.changes.told for part in self.engine.figures.control)
            return all(part.greatest < told + 1_000 for part in self.engine.parts) and all(
                part.settled and all(file.bytes_read == size for file in part.files)
                for part in self.engine.parts
            )

        return step

    def write(self, name: str, text: str | None) -> Callable[[], bool]:
        def step() -> bool:
            path = self.work / name
            path.unlink() if text is None else path.write_text(text, encoding="utf-8")
            return True

        return step

    def heard(self, word: str) -> Callable[[], bool]:
        return lambda: any(word in text for text in self.said)

    def scrape(self) -> bool:
        assert self.engine is not None
        assert self.engine.figures is not None
        for family in self.engine.figures.families():
            for sample in family.samples:
                self.scraped[" ".join((family.name, *sample.labels))] = sample.value
        return True

    def stop(self) -> bool:
        assert self.engine is not None
        self.engine.stop.asked = True
        return True

    def run(self, *steps: Callable[[], bool]) -> None:
        self.steps = [*steps, self.stop]
        raw = {
            "city": {
                "sensors": str(self.city / "sensors.csv"),
                "catalogue": str(self.work / "own"),
                "thresholds": str(self.work / "thresholds.toml"),
            },
            "files": {"readings": [str(self.work / "readings.jsonl")]},
            "engine": {
                "out": str(self.work / "out"),
                "clock": "source",
                "recovery": str(self.work / "state"),
                "batch_size": 200,
            },
            "history": {"folder": str(self.work / "history")},
        }
        config = msgspec.convert(raw, Configuration)
        self.engine = Engine(config, wall=self.wall)
        with collected() as self.said:
            self.engine.run()

    def table(self) -> pl.DataFrame:
        files = sorted((self.work / "history").glob("date=*/hour=*/*.parquet"))
        return pl.concat(pl.read_parquet(file, hive_partitioning=False) for file in files).sort(KEY)


@pytest.fixture
def hand(city: Path, tmp_path: Path) -> Hand:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "first.toml").write_text(RAIN.replace("own.rain", "own.first"), encoding="utf-8")
    (tmp_path / "thresholds.toml").write_text("")
    return Hand(city, tmp_path)


def same(hand: Hand, tmp_path: Path) -> None:
    """What the engine computed is what a replay of its records with its own account of changes computes."""
    base, *changes = Journal(tmp_path / "state" / "control.jsonl").read()
    lines: list[dict[str, Any]] = []
    for change in (base, *changes):
        folder = tmp_path / f"set-{change.number}"
        folder.mkdir()
        for name, text in change.catalogue:
            (folder / Path(name).name).write_text(text, encoding="utf-8")
        thresholds = tmp_path / f"thresholds-{change.number}.toml"
        thresholds.write_text("".join(text for _, text in change.thresholds), encoding="utf-8")
        names = {"catalogue": folder.name, "thresholds": thresholds.name}
        lines.append({"ts": change.effective - 1, **names})
    (tmp_path / "control.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[1:]))
    options = replay_options(
        hand.city,
        tmp_path / "replayed",
        catalogue=tmp_path / "set-0",
        thresholds=tmp_path / "thresholds-0.toml",
        control=tmp_path / "control.jsonl",
    )
    options.events.clear()
    assert replay(options).changes == len(changes)
    until = pl.col("window_end").dt.epoch("ms") < MORNING + 60 * MINUTE
    expected = pl.read_parquet(tmp_path / "replayed" / "indicators.parquet").sort(KEY).filter(until)
    assert_frame_equal(hand.table().filter(until), expected)
    live, replayed = ((tmp_path / name / "alerts.jsonl").read_text() for name in ("out", "replayed"))
    assert {json.loads(line)["alert_id"] for line in live.splitlines()} <= {
        json.loads(line)["alert_id"] for line in replayed.splitlines()
    }
    assert {
        line for line in replayed.splitlines() if json.loads(line)["decided_ts"] < MORNING + 60 * MINUTE
    } <= set(live.splitlines())


def test_files_are_taken_over_as_they_change_and_wrong_ones_refused(hand: Hand, tmp_path: Path) -> None:
    hand.run(
        hand.feed(MORNING + 12 * MINUTE),
        hand.write("own/rain.toml", RAIN),
        hand.heard("change 1 counts"),
        hand.feed(MORNING + 24 * MINUTE),
        hand.write("own/wrong.toml", RAIN.replace("highest", "hihgest").replace("own.rain", "own.wrong")),
        hand.heard("did you mean highest?"),
        hand.feed(MORNING + 30 * MINUTE),
        hand.scrape,
        hand.write("own/wrong.toml", None),
        hand.write("thresholds.toml", NIGHT),
        hand.heard("change 2 counts"),
        hand.feed(None),
    )
    assert any(
        text.startswith(f"{tmp_path}/own/wrong.toml:11:12: own.wrong: formula: ") for text in hand.said
    )
    assert any("refused whole" in text for text in hand.said)
    assert hand.scraped["yiwang_catalogue_refused_total"] == 1
    (told,) = (name for name in hand.scraped if name.startswith("yiwang_catalogue_info"))
    alerts = [json.loads(line) for line in (tmp_path / "out" / "alerts.jsonl").read_text().splitlines()]
    assert told.split()[-1] in {one["catalogue_hash"] for one in alerts}
    ids = {name.split()[1] for name in hand.scraped if name.startswith("yiwang_indicator_info")}
    assert {"own.first", "own.rain"} <= ids
    same(hand, tmp_path)


def test_what_is_judged_early_after_a_change_counts_what_came_before_it_was_told(
    hand: Hand, tmp_path: Path
) -> None:
    hand.run(
        hand.feed(MORNING + 32 * MINUTE + 20_000),
        hand.write("own/gas.toml", GAS),
        hand.heard("change 1 counts"),
        hand.feed(None),
    )
    lines = (tmp_path / "out" / "alerts.jsonl").read_text().splitlines()
    early = [one for one in map(json.loads, lines) if one["indicator"] == "own.gas" and one["early"]]
    assert {one["value"] for one in early} == {30.0}
    assert len({one["area"] for one in early if one["kind"] == "cell"}) == 8
    same(hand, tmp_path)


def test_a_restart_goes_on_with_what_was_in_force_and_sees_what_has_changed_meanwhile(
    hand: Hand, tmp_path: Path
) -> None:
    hand.run(
        hand.feed(MORNING + 12 * MINUTE),
        hand.write("own/rain.toml", RAIN),
        hand.heard("change 1 counts"),
        hand.feed(MORNING + 24 * MINUTE),
    )
    (tmp_path / "own" / "first.toml").unlink()
    hand.run(hand.feed(MORNING + 27 * MINUTE), hand.heard("change 2 counts"), hand.feed(None))
    found = hand.table().filter(pl.col("indicator") == "own.first")
    assert (
        MORNING + 25 * MINUTE
        <= int(found["window_end"].dt.epoch("ms").to_numpy().max())
        <= MORNING + 30 * MINUTE
    )
    same(hand, tmp_path)


def test_a_hangup_looks_at_once_and_says_that_nothing_changed(hand: Hand) -> None:
    def hangup() -> bool:
        os.kill(os.getpid(), signal.SIGHUP)
        return True

    hand.run(hand.feed(MORNING + 5 * MINUTE), hangup, hand.heard("as they were"))


@pytest.mark.usefixtures("unhandled")
def test_a_hangup_of_several_processes_reaches_those_that_listen() -> None:
    lines = (
        "import signal, sys",
        "signal.signal(signal.SIGHUP, lambda *_: sys.exit(7))",
        "print(flush=True)",
        "signal.pause()",
    )
    code = "\n".join(lines)
    supervisor = Supervisor(Configuration())
    for number in range(2):
        popen = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert popen.stdout is not None
        popen.stdout.readline()
        supervisor._workers.append(Worker(number, popen, 0.0, spoke=number == 0))
    with supervisor._by_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        listens, starts = (one.popen for one in supervisor._workers)
        assert listens.wait(30) == 7
        assert starts.poll() is None
    starts.kill()
    for popen in (listens, starts):
        popen.communicate()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
