"""The demo as a visitor runs it: everything starts, works together, and is gone afterwards."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from flows.demo.stage import DemoError, Part

YIWANG = [sys.executable, "-c", "from flows.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[1]


def command_lines() -> list[str]:
    """What all processes of this machine were started with."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace"))
    return found


@pytest.mark.slow
def test_a_short_demo_raises_incidents_and_leaves_nothing_running(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [
        *YIWANG,
        "demo",
        "--for",
        "25s",
        "--no-ui",
        "--sensors",
        "600",
        "--speed",
        "240",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "redis-cli -p" in done.stdout
    totals = json.loads((out / "engine.json").read_text())
    assert totals["received"] == totals["accepted"] + totals["duplicates"] + sum(totals["rejected"].values())
    assert totals["readings"] > 5_000
    incidents = re.search(r"事件 incidents +(\d+)", done.stdout)
    assert incidents is not None
    assert int(incidents[1]) > 0
    alerts = [json.loads(line) for line in (out / "out" / "alerts.jsonl").read_text().splitlines()]
    assert any(alert["indicator"].startswith("drainage.") for alert in alerts)
    assert not [line for line in command_lines() if str(out) in line]


def test_a_part_that_fails_says_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("no such city\n")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait()
        with pytest.raises(DemoError, match="the engine ended with 3:\nno such city"):
            Part("engine", process, log).check()
