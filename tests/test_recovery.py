"""A replay killed at any moment and started again leaves what an undisturbed one leaves."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from flows.replay.replaying import replay
from tests.replays import (
    counts,
    make_city,
    replay_options,
    running_until,
    start_replay,
    still_runs_after,
    tables,
)

OPTIONS = ("--snapshot-every=0.2", "--batch-size=20")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=60, seed=23)


@pytest.fixture(scope="module")
def whole(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    replay(replay_options(city, out))
    return out


def written(recovery: Path) -> int:
    """When anything was last written under a folder, ns; 0 for never."""
    latest = 0
    for path in recovery.rglob("*"):
        # Journals come and go.
        with contextlib.suppress(FileNotFoundError):
            latest = max(latest, path.stat().st_mtime_ns)
    return latest


def kill_after(run: subprocess.Popen[bytes], recovery: Path, writes: int, seconds: float) -> None:
    """SIGKILL a replay some time after its folder was seen to be written to some times."""
    for _ in range(writes):
        seen = written(recovery)
        running_until(run, lambda seen=seen: written(recovery) != seen)  # type: ignore[misc]
    still_runs_after(run, seconds)
    run.kill()
    run.communicate()


def test_kills_at_random_moments_leave_no_trace(city: Path, whole: Path, tmp_path: Path) -> None:
    out, recovery = tmp_path / "out", tmp_path / "recovery"
    random = Random(f"{time.time_ns()}")  # noqa: S311 - the moments may be any
    moments = [(random.randint(1, 6), random.random() / 2) for _ in range(2)]
    for workers, moment in zip((1, 2), moments, strict=True):
        with start_replay(city, out, *OPTIONS, f"--recovery={recovery}", f"--workers={workers}") as run:
            kill_after(run, recovery, *moment)
    replay(replay_options(city, out, recovery=recovery, snapshot_every=0.2, batch_size=50))
    assert tables(out) == tables(whole), moments
    assert counts(out) == counts(whole), moments


def test_a_finished_replay_started_again_writes_the_same_files(tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=50, minutes=12, seed=3)
    options = replay_options(city, tmp_path / "out", recovery=tmp_path / "recovery")
    first = replay(options)
    before = tables(options.out), counts(options.out)
    for name in before[0]:
        (options.out / name).unlink()
    second = replay(options)
    assert (tables(options.out), counts(options.out)) == before
    assert (second.received, second.watermark) == (first.received, first.watermark)


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=50, minutes=3, seed=3)
    options = replay_options(city, tmp_path / "out", recovery=tmp_path / "recovery")
    replay(options)
    with pytest.raises(ValueError, match=r"belongs to another run.*'tz': 'UTC'"):
        replay(replay_options(city, options.out, recovery=options.recovery, tz="UTC"))
    with (city / "readings.jsonl").open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(ValueError, match="belongs to another run"):
        replay(options)


def test_a_folder_without_its_outputs_is_refused(tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=50, minutes=12, seed=3)
    options = replay_options(city, tmp_path / "out", recovery=tmp_path / "recovery")
    replay(options)
    with pytest.raises(RuntimeError) as caught:
        replay(replay_options(city, tmp_path / "elsewhere", recovery=options.recovery))
    assert "give the same --out again" in str(caught.value.__cause__)


def test_a_start_that_failed_before_the_first_snapshot_begins_anew(tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=50, minutes=3, seed=3)
    recovery = tmp_path / "recovery"
    (recovery / "engine").mkdir(parents=True)
    (recovery / "engine" / "part-0.sqlite3").write_bytes(b"half written")
    (recovery / "cold").mkdir()
    (recovery / "cold" / "shard-00aj.sqlite").write_bytes(b"half written")
    summary = replay(replay_options(city, tmp_path / "out", recovery=recovery))
    assert summary.readings > 0
    assert not list((tmp_path / "out").glob("*.draft"))


def test_the_summary_tells_what_snapshots_cost(tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=50, minutes=30, seed=3)
    options = replay_options(
        city, tmp_path / "out", recovery=tmp_path / "recovery", snapshot_every=0.05, batch_size=100
    )
    replay(options)
    summary = json.loads((options.out / "summary.json").read_text(encoding="utf-8"))
    assert summary["snapshots"] >= 1
    assert summary["snapshot_cold_bytes"] > 0
    assert 0 < summary["snapshot_pause_median"] <= summary["snapshot_pause_max"]
    assert summary["profile"]["snapshot"] > 0
