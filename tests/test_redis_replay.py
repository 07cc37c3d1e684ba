"""A replay with Redis: what Redis holds is what the files say, whatever the processes and the crashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.replay.processes import free_ports
from flows.replay.replaying import replay
from tests.redis_servers import ask, entries_of, hash_of, keys_of, near, redis_server
from tests.replays import make_city, replay_options, running_until, start_replay


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=40, seed=29)


def state_in(url: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(area, indicator) -> value as Redis holds it."""
    found = {}
    for kind in ("cell", "area"):
        for key in keys_of(url, f"yw:{kind}:*"):
            for indicator, value in hash_of(url, key).items():
                found[key.split(":", 2)[2], indicator] = json.loads(value)
    return found


def state_of(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The same from the table: of every area and indicator the row of the last window."""
    table = (
        pl.read_parquet(out / "indicators.parquet").sort("window_end").group_by("area", "indicator").last()
    )
    return {(row["area"], row["indicator"]): row for row in table.to_dicts()}


def check(url: str, out: Path) -> None:
    there, wanted = state_in(url), state_of(out)
    assert there.keys() == wanted.keys()
    for key, row in wanted.items():
        value = there[key]
        assert (value["l"], value["s"]) == (row["level"], row["status"]), key
        assert value["v"] == near(row["value"], 2e-6), key
        assert value["c"] == near(row["coverage"], 2e-6), key
        assert 0 <= row["window_end"].timestamp() * 1000 - value["t"] < 15 * 60_000, key
        if value["t"] == row["window_end"].timestamp() * 1000:
            assert value["r"] == row["revision"], key
    alerts = (out / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    payloads = [entry["payload"] for entry in entries_of(url, "yw:alerts")]
    assert len(alerts) > 10
    assert sorted(payloads) == sorted(alerts)


@pytest.mark.parametrize("workers", [1, 2])
def test_redis_holds_what_the_files_say(city: Path, tmp_path: Path, workers: int) -> None:
    with redis_server() as server:
        summary = replay(replay_options(city, tmp_path, redis=server.url, workers=workers, batch_size=1_000))
        check(server.url, tmp_path)
        meta = hash_of(server.url, "yw:meta")
        assert meta["catalogue_hash"] == summary.catalogue_hash
        assert int(meta["watermark"]) <= summary.watermark
        about = {key: json.loads(value) for key, value in hash_of(server.url, "yw:areas").items()}
        areas = pl.read_parquet(tmp_path / "indicators.parquet").filter(pl.col("kind") != "cell")["area"]
        assert about.keys() == set(areas)
        assert {area["parent"] for area in about.values() if area["kind"] == "street"} <= about.keys()
    assert summary.profile["redis"] > 0


def test_a_killed_replay_goes_on_and_tells_nothing_twice(city: Path, tmp_path: Path) -> None:
    out, recovery = tmp_path / "out", tmp_path / "recovery"
    with redis_server() as server:
        options = (
            "--snapshot-every=0.2",
            "--batch-size=50",
            f"--recovery={recovery}",
            f"--redis={server.url}",
        )
        with start_replay(city, out, *options) as run:
            running_until(run, lambda: ask(server.url, ("XLEN", "yw:alerts"))[0] > 5, 240)
            run.kill()
            run.communicate()
        replay(replay_options(city, out, recovery=recovery, redis=server.url))
        check(server.url, out)


def test_a_redis_that_dies_and_comes_back_empty_is_filled_again(city: Path, tmp_path: Path) -> None:
    port, out = free_ports(1)[0], tmp_path / "out"
    options = ("--batch-size=20", f"--redis=redis://127.0.0.1:{port}/0")
    with redis_server(port) as server, start_replay(city, out, *options) as run:
        running_until(run, lambda: ask(server.url, ("XLEN", "yw:alerts"))[0] > 5, 240)
        server.process.kill()
        server.process.wait()
        with redis_server(port):
            assert run.wait(240) == 0
            there = state_in(server.url)
            assert there.keys() == state_of(out).keys()


def test_an_embedded_redis_lives_as_long_as_the_replay(city: Path, tmp_path: Path) -> None:
    summary = replay(replay_options(city, tmp_path, redis="embedded"))
    assert summary.profile["redis"] > 0


def test_what_redis_refuses_ends_the_replay_with_its_reason(city: Path, tmp_path: Path) -> None:
    with redis_server() as server:
        ask(server.url, ("SET", "yw:meta", "mine"))
        with start_replay(city, tmp_path, f"--redis={server.url}") as run:
            _, said = run.communicate(timeout=240)
    assert run.returncode == 1
    assert "Error: Redis refused" in said.decode()
    assert "another program may use these keys" in " ".join(said.decode().split())
