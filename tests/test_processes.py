"""Any batches, lanes and processes give the same bytes; a process that dies ends the run."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from flows.replay.processes import run_processes
from flows.replay.replaying import replay
from sinks.outputs import prepare
from tests.replays import counts, make_city, replay_options, running_until, start_replay, tables

SPLITS: list[dict[str, Any]] = [
    {"batch_size": 100},
    {"batch_size": 777, "lanes": 2},
    {"batch_size": 20, "lanes": 3},
    {"lanes": 8},
    {"workers": 2, "lanes": 8, "batch_size": 500},
]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=40, seed=11)


@pytest.fixture(scope="module")
def whole(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    summary = replay(replay_options(city, out))
    assert min(summary.late, summary.duplicates, summary.alerts, summary.revisions, summary.events) > 0
    return out


@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_batches_lanes_and_processes_leave_no_trace_in_the_outputs(
    split: dict[str, Any], city: Path, whole: Path, tmp_path: Path
) -> None:
    summary = replay(replay_options(city, tmp_path, **split))
    assert {"read", "decode", "admit", "shards", "areas"} <= summary.profile.keys()
    assert tables(tmp_path) == tables(whole)
    assert counts(tmp_path) == counts(whole)


def test_record_by_record_gives_the_same_bytes(tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=50, minutes=12, seed=3)
    for batch_size in (1, 10_000):
        replay(replay_options(city, tmp_path / str(batch_size), batch_size=batch_size))
    assert tables(tmp_path / "1") == tables(tmp_path / "10000")


def test_what_is_wrong_with_the_options_is_said_as_by_one_process(city: Path, tmp_path: Path) -> None:
    areas = tmp_path / "areas.geojson"
    areas.write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    said = []
    for workers in (1, 2):
        with pytest.raises(ValueError, match=r"areas\.geojson") as caught:
            replay(replay_options(city, tmp_path / "out", areas=areas, workers=workers))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_failing_process_ends_the_run_with_its_message(city: Path, tmp_path: Path) -> None:
    broken = tmp_path / "feedback.jsonl.gz"
    broken.write_bytes(b"no such thing")
    with pytest.raises(ChildProcessError, match=r"process \d failed: .*Not a gzipped file"):
        replay(replay_options(city, tmp_path / "out", workers=2, feedback=[broken]))


def test_a_killed_process_takes_the_others_with_it(city: Path, tmp_path: Path) -> None:
    options = replay_options(city, tmp_path / "out", workers=2, speed=1.0)
    prepare(options.out, resume=False)
    others = set(children(os.getpid()))
    victims: list[int] = []

    def kill_one(_: int) -> None:
        if not victims:
            victims.extend(pid for pid in children(os.getpid()) if pid not in others)
            os.kill(victims[-1], signal.SIGKILL)

    with pytest.raises(ChildProcessError, match="killed by signal 9"):
        run_processes(asdict(options), 2, kill_one)
    assert len(victims) == 2
    assert not any(alive(pid) for pid in victims)


def test_sigterm_ends_all_processes_without_a_traceback(city: Path, tmp_path: Path) -> None:
    with start_replay(city, tmp_path, "--workers=2", "--speed=1") as run:
        running_until(run, lambda: list((tmp_path / ".parts").glob("rejects-*")))
        own = children(run.pid)
        run.terminate()
        _, errors = run.communicate(timeout=20)
    assert run.returncode == 128 + signal.SIGTERM
    assert b"Traceback" not in errors
    assert len(own) == 2
    assert not any(alive(pid) for pid in own)


def children(pid: int) -> list[int]:
    """The processes that a process started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split() if alive(int(child))]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
