"""Anomalies of a whole replay: the same bytes however it is run, warmed up, killed, and after a change."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.replay.replay_summary import Summary
from flows.replay.replaying import ReplayOptions, replay
from flows.scores.settings import ScoreSettings
from tests.replays import ROOT, running_until, still_runs_after

BEGIN = 1_772_380_800_000
"""2026-03-02 00:00 in Shanghai."""
STEP = 300_000
STEPS = 900
BURST, STOP = 700, 850
PRESSURE = "water_supply.pressure_min"


def write(folder: Path, begin: int = 0, end: int = STEPS) -> Path:
    """Taps of six cells every five minutes: the first loses pressure for an hour, the last falls silent."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    hours = np.arange(STEPS) * STEP % 86_400_000 / 3_600_000
    value = 0.3 - 0.03 * np.sin(hours * np.pi / 12)[:, None] + rng.normal(0, 0.004, (STEPS, 6))
    value[BURST : BURST + 12, 0] -= 0.12
    with (folder / "readings.jsonl").open("w") as file:
        for step in range(begin, end):
            for tap in range(5 if step >= STOP else 6):
                at = BEGIN + step * STEP + 1_000 * tap
                place = {"lon": 114.3 + 0.01 * tap, "lat": 30.6}
                reading = {"sensor_id": f"tap-{tap}", "metric": "tap_pressure", "ts": at, **place}
                file.write(json.dumps({**reading, "value": round(value[step, tap], 4)}) + "\n")
    return folder


@pytest.fixture(scope="module")
def taps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("city") / "taps")


def run(city: Path, out: Path, **more: Any) -> Summary:
    scored = {"indicators": [PRESSURE], "anomaly": ScoreSettings(5.0)}
    return replay(ReplayOptions(readings=[city / "readings.jsonl"], out=out, **{**scored, **more}))


@pytest.fixture(scope="module")
def whole(taps: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("whole")
    summary = run(taps, out)
    found = (out / "anomalies.jsonl").read_bytes()
    assert summary.anomalies == len(found.splitlines())
    return found


def test_a_loss_of_pressure_and_a_silence_are_told_at_once_and_hardly_anything_else(whole: bytes) -> None:
    found = [json.loads(line) for line in whole.splitlines()]
    raised = [one for one in found if one["transition"] == "raised"]
    cells = {one["area"]: one for one in raised if one["kind"] == "cell"}
    burst = [one for one in raised if BEGIN + BURST * STEP < one["window_end"] <= BEGIN + (BURST + 4) * STEP]
    # The worst tap decides for every area it lies in.
    assert {one["kind"] for one in burst} == {"cell", "street", "district", "city"}
    assert all(one["value"] < one["low"] < one["baseline"] < one["high"] for one in burst)
    assert sum(one["anomaly"] == "silence" for one in cells.values()) == 1
    assert len(raised) <= 12
    order = [(one["window_end"], one["indicator"]) for one in found]
    assert order == sorted(order)
    for one in found:
        before = [b for b in found if b["anomaly_id"] == one["anomaly_id"] and b["seq"] == one["seq"] - 1]
        assert len(before) == (one["seq"] > 0)


@pytest.mark.parametrize("more", [{"batch_size": 61, "lanes": 3}, {"workers": 2}], ids=["lanes", "processes"])
def test_batches_lanes_and_processes_change_nothing(
    taps: Path, whole: bytes, tmp_path: Path, more: dict[str, Any]
) -> None:
    run(taps, tmp_path, **more)
    assert (tmp_path / "anomalies.jsonl").read_bytes() == whole


def test_what_warms_up_teaches_but_is_not_told(whole: bytes, tmp_path: Path) -> None:
    cut = BURST - 60
    past, live = write(tmp_path / "past", 0, cut), write(tmp_path / "live", cut)
    run(live, tmp_path / "out", warm=past)
    after = [line for line in whole.splitlines() if json.loads(line)["window_end"] > BEGIN + cut * STEP]
    assert (tmp_path / "out" / "anomalies.jsonl").read_bytes().splitlines() == after
    assert len(after) > 3


def test_sensors_are_told_by_their_names_and_no_division_of_the_work_changes_it(
    taps: Path, whole: bytes, tmp_path: Path
) -> None:
    sensing = {"anomaly": ScoreSettings(5.0, sensors=True)}
    run(taps, tmp_path / "one", **sensing)
    lines = (tmp_path / "one" / "anomalies.jsonl").read_bytes().splitlines(keepends=True)
    own = [one for one in map(json.loads, lines) if one["kind"] == "sensor"]
    assert b"".join(line for line in lines if json.loads(line)["kind"] != "sensor") == whole
    raised = {
        one["area"]: one
        for one in own
        if one["transition"] == "raised" and one["started"] >= BEGIN + BURST * STEP
    }
    assert raised["tap-0"]["indicator"] == "tap_pressure"
    assert raised["tap-0"]["started"] <= BEGIN + (BURST + 1) * STEP
    assert raised["tap-0"]["value"] < raised["tap-0"]["low"]
    assert (raised["tap-5"]["anomaly"], raised["tap-5"]["value"]) == ("silence", None)
    for name, more in {"lanes": {"lanes": 3, "batch_size": 61}, "processes": {"workers": 2}}.items():
        run(taps, tmp_path / name, **sensing, **more)
        assert (tmp_path / name / "anomalies.jsonl").read_bytes() == b"".join(lines)
    resumed = killed_and_resumed(taps, tmp_path, ["--sensor-anomalies"], sensing)
    assert resumed == b"".join(lines)


def test_a_killed_replay_goes_on_to_the_same_anomalies(taps: Path, whole: bytes, tmp_path: Path) -> None:
    assert killed_and_resumed(taps, tmp_path, [], {}) == whole


def killed_and_resumed(taps: Path, tmp_path: Path, options: list[str], more: dict[str, Any]) -> bytes:
    """The anomalies of a replay that was killed twice."""
    out, state = tmp_path / "out", tmp_path / "state"
    files = [f"--readings={taps / 'readings.jsonl'}", f"--out={out}", f"--recovery={state}"]
    scored = [f"--indicator={PRESSURE}", "--anomaly", "--budget=5", "--snapshot-every=0.1", "--batch-size=50"]
    code = "from flows.cli import main; main()"
    command = [sys.executable, "-c", code, "replay", *files, *scored, *options, "--no-progress"]
    for _ in range(2):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as one:
            running_until(one, lambda: list(state.glob("cold/scores-*.sqlite")), 120.0)
            still_runs_after(one, 0.7)
            one.kill()
            one.communicate()
    assert run(taps, out, recovery=state, snapshot_every=0.1, batch_size=50, **more).snapshots
    return (out / "anomalies.jsonl").read_bytes()


def test_without_being_asked_for_there_are_none(taps: Path, tmp_path: Path) -> None:
    (tmp_path / "anomalies.jsonl").write_text("of an earlier run\n")
    assert run(taps, tmp_path, anomaly=None).anomalies == 0
    assert not (tmp_path / "anomalies.jsonl").exists()


def catalogue(folder: Path, formula: str) -> Path:
    """A folder with one indicator of the city's own."""
    folder.mkdir()
    names = 'id = "my.pressure"\nname_zh = "压力"\nname_en = "Pressure"\nunit = "MPa"\n'
    place = 'theme = "livelihood"\ndomain = "water_supply"\nwindow = "15m"\nhop = "5m"\n'
    rest = f'direction = "low_bad"\nanomaly = "changepoint"\nformula = "{formula}"\n'
    (folder / "my.toml").write_text("[[indicator]]\n" + names + place + rest, encoding="utf-8")
    return folder


def test_an_indicator_that_changes_begins_anew_and_clears_what_was_raised(taps: Path, tmp_path: Path) -> None:
    least = catalogue(tmp_path / "least", "quantile(median(tap_pressure), 0.05)")
    catalogue(tmp_path / "most", "quantile(max(tap_pressure), 0.05)")
    middle = BEGIN + (BURST + 6) * STEP
    script = tmp_path / "control.jsonl"
    script.write_text(json.dumps({"ts": middle, "catalogue": "most"}) + "\n")
    only = ["my.*", PRESSURE]
    summary = run(taps, tmp_path / "out", catalogue=least, indicators=only, control=script)
    assert (summary.changes, summary.refused_changes) == (1, 0)
    found = [json.loads(line) for line in (tmp_path / "out" / "anomalies.jsonl").read_text().splitlines()]
    ended = [one for one in found if one["indicator"] == "my.pressure" and one["transition"] == "cleared"]
    (effective,) = {one["window_end"] for one in ended}
    assert middle <= effective <= middle + 60_000
    after = [one for one in found if one["window_end"] > effective]
    assert not [one for one in after if one["indicator"] == "my.pressure"]
    assert [one for one in after if one["indicator"] == PRESSURE]
