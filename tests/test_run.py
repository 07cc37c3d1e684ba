"""A live engine on growing files, stopped, killed and started again, knows what a replay of them knows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from flows.cli import app
from flows.config.configuration import Configuration
from flows.live.run import Engine
from flows.live.run_stop import Stop
from flows.replay.processes import free_ports
from flows.replay.replaying import replay
from sinks.history_hours import KEY
from sinks.prometheus import served
from sinks.prometheus_waiting import Waits
from tests.replays import make_city, replay_options, running_until

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("readings.jsonl", "events.jsonl")
HOUR = 3_600_000


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random city, whose files end three hours later with records that close all windows before."""
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=45, seed=11)
    last = json.loads((folder / "readings.jsonl").read_text().splitlines()[-1])["ts"]
    place = {"lon": 114.3, "lat": 30.6}
    with (folder / "readings.jsonl").open("a") as file:
        for i in range(8):
            record = {"sensor_id": "end", "metric": "gas_lel", "value": 0, "ts": last + 3 * HOUR + i, **place}
            file.write(json.dumps(record) + "\n")
    with (folder / "events.jsonl").open("a") as file:
        for i in range(8):
            record = {"event_id": f"end-{i}", "type": "ev_gas_leak", "status": "reported", **place}
            file.write(json.dumps({**record, "ts": last + 3 * HOUR + i}) + "\n")
    return folder


@pytest.fixture(scope="module")
def whole(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    replay(replay_options(city, out))
    return out


def settings(city: Path, work: Path, **engine: Any) -> Configuration:
    raw = {
        "city": {"sensors": str(city / "sensors.csv")},
        "files": {name.split(".")[0]: [str(work / name)] for name in NAMES},
        "engine": {"out": str(work / "out"), "clock": "source", **engine},
        "history": {"folder": str(work / "history")},
    }
    return msgspec.convert(raw, Configuration)


@dataclass
class Feeder:
    """Appends to the files each time the engine looks at the clock; asks it to stop when told to."""

    city: Path
    work: Path
    random: Random
    engine: Engine | None = None
    pieces: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in NAMES:
            data = (self.city / name).read_bytes()
            cuts = sorted(self.random.sample(range(len(data)), 12))
            for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
                self.pieces.append((name, data[a:b]))
        # Pieces of one file keep their order, those of both are mixed.
        order = [name for name, _ in self.pieces]
        self.random.shuffle(order)
        left = {name: [piece for n, piece in self.pieces if n == name] for name in NAMES}
        self.pieces = [(name, left[name].pop(0)) for name in order]

    def until(self, left: int) -> Callable[[], float]:
        """A clock that feeds until so many pieces are left and all that was fed has been read."""

        def wall() -> float:
            engine = self.engine
            if engine is not None and engine.parts:
                if len(self.pieces) > left:
                    name, piece = self.pieces.pop(0)
                    with (self.work / name).open("ab") as file:
                        file.write(piece)
                elif engine.parts[0].settled:
                    engine.stop.asked = True
            return time.time()

        return wall


def table(work: Path) -> pl.DataFrame:
    files = sorted((work / "history").glob("date=*/hour=*/*.parquet"))
    return pl.concat(pl.read_parquet(file, hive_partitioning=False) for file in files).sort(KEY)


def same(work: Path, whole: Path) -> None:
    """All values, and all transitions, of windows the live engine has closed."""
    expected = pl.read_parquet(whole / "indicators.parquet").sort(KEY)
    end = expected["window_end"].max()
    until = pl.col("window_end") < end - pl.duration(hours=2)
    assert_frame_equal(table(work).filter(until), expected.filter(until))
    assert expected.filter(until).height > 2_000
    alerts = {
        name: {line for line in path.read_bytes().splitlines() if json.loads(line)["decided_ts"] < _ms(end)}
        for name, path in {"live": work / "out" / "alerts.jsonl", "whole": whole / "alerts.jsonl"}.items()
    }
    assert alerts["live"] == alerts["whole"]
    assert len(alerts["live"]) > 10


def _ms(end: Any) -> int:
    return int(end.timestamp() * 1000) - 2 * HOUR


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_files_that_grow_by_fits_give_what_a_replay_of_them_gives(
    city: Path, whole: Path, tmp_path: Path, seed: int
) -> None:
    feeder = Feeder(city, tmp_path, Random(seed))  # noqa: S311 - any will do
    batch = (37, 1_000, 10_000)[seed]
    for left in (17, 8, 0):
        wall = feeder.until(left)
        config = settings(city, tmp_path, recovery=str(tmp_path / "state"), batch_size=batch)
        feeder.engine = Engine(config, wall=wall)
        summary = feeder.engine.run()
    assert summary.received == summary.accepted + summary.duplicates + sum(summary.rejected.values())
    counted = json.loads((whole / "summary.json").read_text())
    names = ("received", "accepted", "rejected", "duplicates", "late", "readings", "events")
    assert {n: getattr(summary, n) for n in names} == {n: counted[n] for n in names}
    same(tmp_path, whole)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "run", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            yield run
        finally:
            run.kill()


def scraped(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def free_port() -> int:
    return free_ports(1)[0]


@pytest.mark.slow
def test_killed_and_stopped_engines_leave_no_trace(city: Path, whole: Path, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes((city / name).read_bytes())
    port = free_port()
    options = [
        *(f"--{name.split('.')[0]}={tmp_path / name}" for name in NAMES),
        f"--sensors={city / 'sensors.csv'}",
        f"--out={tmp_path / 'out'}",
        f"--recovery={tmp_path / 'state'}",
        f"--history={tmp_path / 'history'}",
        f"--prometheus={port}",
        "--clock=source",
        "--pace=300",
        "--batch-size=100",
        "--snapshot-every=0.3",
    ]
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        with started(*options) as run:
            running_until(run, lambda: _snapshots(port) >= 3, 120)
            run.send_signal(number)
            _, said = run.communicate(timeout=120)
        assert run.returncode == (-number if number == signal.SIGKILL else 0), said.decode()
    with started(*[o for o in options if not o.startswith("--pace")], "--json") as run:
        total = sum((city / name).read_text().count("\n") for name in NAMES)
        running_until(run, lambda: _received(port) == total, 120)
        running_until(run, lambda: _idle(port), 120)
        run.terminate()
        out, said = run.communicate(timeout=120)
    assert run.returncode == 0, said.decode()
    assert json.loads(out)["received"] == total
    same(tmp_path, whole)


def _snapshots(port: int) -> float:
    try:
        return scraped(port)["yiwang_snapshot_seconds_count"]
    except OSError:
        return 0


def _received(port: int) -> float:
    try:
        return sum(v for name, v in scraped(port).items() if name.startswith("yiwang_records_total{"))
    except OSError:
        return 0


def _idle(port: int) -> bool:
    """Whether the shards have had nothing to do for a while."""
    busy = 'yiwang_batch_seconds_count{step="shards"}'
    before = scraped(port).get(busy)
    time.sleep(0.5)
    return scraped(port).get(busy) == before


@pytest.mark.usefixtures("unhandled")
def test_a_stop_by_signal_is_asked_for_once_and_then_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("flows.live.run_stop.os._exit", ended.append)
    stop = Stop()
    with stop.by_signals():
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        assert not ended
        signal.raise_signal(signal.SIGINT)
        assert ended == [130]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stop_that_is_not_done_in_time_is_forced_and_says_for_whom_it_waited(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()
    monkeypatch.setattr("flows.live.run_stop.os._exit", lambda code: ended.set() if code == 1 else None)
    waits = Waits()
    with waits("redis"):
        Stop(drain=0.01, waits=waits).ask()
        assert ended.wait(5)
    assert "waiting for redis" in caplog.text


def said(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["run", *map(str, arguments)], env={"COLUMNS": "300", "NO_COLOR": "1"})
    return result.exit_code, result.output


WRONG = {
    "nothing to read": ([], "there is no input"),
    "no records": (["--readings", "notes.txt"], "notes.txt is no record file"),
    "a recording that is not there": (["--readings", "r.jsonl.gz"], "only .jsonl files are waited for"),
    "a registry that is not there": (["--readings", "r.jsonl", "--sensors", "s.csv"], "city.sensors"),
    "a configuration that is not there": (["--config", "none.toml"], "cannot be read"),
    "a port that is none": (["--readings", "r.jsonl", "--prometheus", "70000"], "prometheus.port"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_said_and_exits_with_two(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, expected = WRONG[case]
    code, output = said(*arguments)
    assert code == 2, output
    assert expected in output


def test_a_port_that_is_taken_is_wrong_use(tmp_path: Path) -> None:
    with served([], "127.0.0.1", 0) as port:
        code, output = said("--readings", tmp_path / "r.jsonl", "--out", tmp_path, "--prometheus", port)
    assert code == 2
    assert f"127.0.0.1:{port}" in output


def test_an_engine_without_recovery_sets_earlier_lines_aside(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "alerts.jsonl").write_text("{}\n")
    config = msgspec.convert(
        {
            "files": {"readings": [str(tmp_path / "r.jsonl")]},
            "engine": {"out": str(tmp_path / "out")},
        },
        Configuration,
    )
    engine = Engine(config)
    engine.stop.asked = True
    engine.run()
    (kept,) = (tmp_path / "out").glob("alerts.before-*.jsonl")
    assert kept.read_text() == "{}\n"
    now = tmp_path / "out" / "alerts.jsonl"
    assert not now.exists() or now.read_text() == ""
