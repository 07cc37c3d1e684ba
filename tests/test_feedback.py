"""Feedback from files moves incidents; whatever the batches, processes and crashes, with the same bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from alerts.life_cycle import ACTIONS, after
from flows.replay.replaying import replay
from flows.stages.incident_step import CLOCKS_DIFFER
from tests.replays import make_city, replay_options, running_until, start_replay, tables

FILES = ("feedback-a.jsonl", "feedback-b.jsonl")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=400, minutes=40, seed=31)
    out = tmp_path_factory.mktemp("silent")
    replay(replay_options(folder, out))
    write_feedback(folder, lines(out / "incidents.jsonl"), Random(5))  # noqa: S311 - a story, no secret
    return folder


@pytest.fixture(scope="module")
def whole(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    replay(options(city, out))
    return out


def options(city: Path, out: Path, **more: Any) -> Any:
    return replay_options(city, out, feedback=[city / name for name in FILES], **more)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_feedback(city: Path, incidents: Sequence[dict[str, Any]], random: Random) -> None:
    """Actions on most incidents and on some that do not exist: disordered, repeated, partly illegal."""
    records = []
    for incident in random.sample(incidents, len(incidents) * 3 // 4):
        ts = incident["history"][0]["ts"] - random.choice([0, 0, 60_000, 600_000])
        for action in random.choices(ACTIONS, k=random.randint(1, 7)):
            ts += random.randint(0, 40_000)
            actor = random.choice(["武昌区城管执法局", "市水务局"])
            records.append(
                {"incident_id": incident["incident_id"], "action": action, "actor": actor, "ts": ts}
            )
    first = min(record["ts"] for record in records)
    records += [
        {"incident_id": f"I{i:016x}", "action": "note", "actor": "x", "ts": first + i} for i in range(9)
    ]
    records.sort(key=lambda record: record["ts"] + random.randint(-8_000, 8_000))
    records += random.sample(records, 5)
    for name, own in zip(FILES, (records[::2], records[1::2]), strict=True):
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in own)
        (city / name).write_text(text, encoding="utf-8")


def effective(city: Path) -> list[tuple[int, int, int, dict[str, Any]]]:
    """All different records of each file with the time at which each takes effect, in that order."""
    found = []
    for number, name in enumerate(FILES, start=2):
        latest, seen = -(10**18), set()
        for offset, record in enumerate(lines(city / name)):
            key = json.dumps(record, sort_keys=True)
            if key not in seen:
                found.append((max(record["ts"], latest - 10_000), number, offset, record))
            seen.add(key)
            latest = max(latest, record["ts"])
    return sorted(found, key=lambda one: one[:3])


def test_incidents_and_rejects_are_what_a_plain_reading_gives(city: Path, whole: Path) -> None:
    incidents = {one["incident_id"]: one for one in lines(whole / "incidents.jsonl")}
    opened = {
        name: next(step["ts"] for step in one["history"] if step.get("seq") == 1)
        for name, one in incidents.items()
    }
    status = dict.fromkeys(incidents, "raised")
    done: dict[str, list[str]] = {name: [] for name in incidents}
    refused = []
    for at, number, offset, record in effective(city):
        name = record["incident_id"]
        known = name in opened and opened[name] <= at + CLOCKS_DIFFER
        found = after(status[name], record["action"]) if known else None  # type: ignore[arg-type]
        if found is None:
            refused.append((FILES[number - 2], offset, record))
        else:
            status[name] = found
            done[name].append(record["action"])
    assert {name: one["status"] for name, one in incidents.items()} == status
    assert len(set(status.values())) > 4
    for name, one in incidents.items():
        assert [step["change"] for step in one["history"] if "actor" in step] == done[name]
    rejects = [one for one in lines(whole / "rejects.jsonl") if one["reason"] == "bad_transition"]
    there = [
        (one["source"], one["offset"], json.loads(base64.b64decode(one["raw_base64"]))) for one in rejects
    ]
    assert sorted(there, key=str) == sorted(refused, key=str)
    assert len(refused) > 20


def test_every_record_is_accounted_for(whole: Path) -> None:
    summary = json.loads((whole / "summary.json").read_text(encoding="utf-8"))
    rejected = sum(summary["rejected"].values())
    assert summary["accepted"] + rejected + summary["duplicates"] == summary["received"]
    assert summary["rejected"]["bad_transition"] > 20
    assert summary["feedback"] == sum(
        "actor" in step for one in lines(whole / "incidents.jsonl") for step in one["history"]
    )
    assert summary["accepted"] == summary["readings"] + summary["events"] + summary["feedback"]


@pytest.mark.parametrize(("batch_size", "workers"), [(7, 1), (500, 2), (10_000, 3)])
def test_no_batch_and_no_process_makes_a_difference(
    city: Path, whole: Path, tmp_path: Path, batch_size: int, workers: int
) -> None:
    replay(options(city, tmp_path, batch_size=batch_size, workers=workers))
    assert tables(tmp_path) == tables(whole)


def test_a_crash_makes_no_difference(city: Path, whole: Path, tmp_path: Path) -> None:
    out, recovery = tmp_path / "out", tmp_path / "recovery"
    feedback = [f"--feedback={city / name}" for name in FILES]
    more = ("--snapshot-every=0.1", "--batch-size=10", f"--recovery={recovery}", *feedback)
    with start_replay(city, out, *more) as run:
        parts = out / ".parts" / "incidents-city.jsonl"
        running_until(run, lambda: parts.exists() and parts.stat().st_size > 20_000, 240)
        run.kill()
        run.communicate()
    replay(options(city, out, recovery=recovery))
    assert tables(out) == tables(whole)
