"""Imports of made-up files, and what a replay makes of the result."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from flows.replay.replaying import ReplayOptions, replay

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
"""The recordings, where they are on this machine; no part of the project."""

HOUR = 3_600_000


def records(folder: Path, name: str = "readings") -> list[dict[str, Any]]:
    """The lines of a file of records."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def packed(path: Path, text: str) -> Path:
    """A gzip file of a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def cut(folder: Path, name: str, lines: int) -> None:
    """Keep the first lines of a file of records: a replay of all of a recording would take too long."""
    path = folder / f"{name}.jsonl"
    with path.open("rb") as file:
        kept = [line for line, _ in zip(file, range(lines), strict=False)]
    path.write_bytes(b"".join(kept))


def replayed(folder: Path, zone: str) -> dict[str, Any]:
    """The summary of a replay of imported records."""
    events = folder / "events.jsonl"
    replay(
        ReplayOptions(
            readings=[folder / "readings.jsonl"],
            events=[events] if events.exists() else [],
            sensors=folder / "sensors.csv",
            tz=zone,
            out=folder / "out",
        )
    )
    summary: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return summary


def assert_all_accepted(folder: Path, zone: str) -> None:
    """A replay takes every record that was written, and refuses none."""
    written = sum(len(records(folder, name)) for name in ("readings", "events") if _there(folder, name))
    summary = replayed(folder, zone)
    assert summary["rejected"] == {}
    assert summary["received"] == summary["accepted"] == written > 0


def _there(folder: Path, name: str) -> bool:
    return (folder / f"{name}.jsonl").exists()
