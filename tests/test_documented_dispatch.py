"""docs/dispatch.md tried word for word on a real Redis: every command of a shell, every Python program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from flows.decoding.decode import decode_feedback
from sinks.redis_keys import Keys
from sinks.redis_server import RedisServer, find_cli
from tests.redis_servers import ask, entries_of, hash_of, keys_of, redis_server
from tests.sinks.dispatch_stories import fill, moved

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "dispatch.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def reader(folder: Path, url: str) -> dict[str, str]:
    """The environment of a reader: this `yiwang`, a `redis-cli`, and a Redis of his own."""
    programs = folder / "bin"
    programs.mkdir()
    own = f'exec "{sys.executable}" -c \'from flows.cli import main; main()\' "$@"'
    for name, call in (("yiwang", own), ("redis-cli", f'exec "{find_cli()}" "$@"')):
        (programs / name).write_text(f"#!/bin/sh\n{call}\n")
        (programs / name).chmod(0o755)
    return os.environ | {
        "REDIS": url,
        "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        fill(running.url, [moved(i, level=1 + i % 4) for i in range(6)])
        yield running


def told(url: str) -> list[str]:
    """The actions in the feedback stream, each of which must be a record of the wire."""
    payloads = [entry["payload"] for entry in entries_of(url, "yw:feedback")]
    _, rejects = decode_feedback([payload.encode() for payload in payloads])
    assert rejects == []
    return [json.loads(payload)["action"] for payload in payloads]


def test_the_commands_work_one_after_the_other(server: RedisServer, tmp_path: Path) -> None:
    environment = reader(tmp_path, server.url)
    script = "\n".join(blocks("sh"))
    done = subprocess.run(
        ["/bin/sh", "-euc", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for answer in re.findall(r"  # (\S+)$", script, re.MULTILINE):
        assert answer in done.stdout.splitlines()
    assert "ERR" not in done.stdout
    assert told(server.url) == ["dispatch", "acknowledge", "dispatch", "dispatch", "dispatch", "arrive"]
    (pending,) = ask(server.url, ("XPENDING", "yw:dispatch:420106", "work"))
    assert pending[0] == 5


@pytest.mark.slow
def test_from_nothing_to_a_ticket_that_the_engine_knows_as_acknowledged(tmp_path: Path) -> None:
    (script,) = blocks("bash")
    with redis_server() as running:
        shell = subprocess.Popen(
            ["/bin/bash", "-euc", script],
            cwd=tmp_path,
            env=reader(tmp_path, running.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = shell.communicate(timeout=300)
        finally:
            # The engine is the shell's child: neither may outlive the test.
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
        assert shell.returncode == 0, err
        assert out.splitlines()[-1] == "acknowledged"
        assert told(running.url) == ["acknowledge"]


def test_the_python_programs_work(server: RedisServer) -> None:
    programs = [text.replace("redis://127.0.0.1:6379/0", server.url) for text in blocks("python")]
    assert len(programs) == 2
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert told(server.url) == [*["dispatch"] * 6, *["acknowledge", "arrive"] * 6]


def test_the_guide_names_the_keys_and_fields_that_are_there(server: RedisServer) -> None:
    told_keys = set(re.findall(r"^\| `(yw:[^`]*)`", GUIDE, re.MULTILINE))
    keys = Keys()
    there = {keys.stream("DISTRICT"), keys.queues, keys.incident("ID"), keys.open, keys.feedback, keys.dead}
    assert told_keys == there | {keys.live, keys.waiting("DISTRICT", "GROUP")}
    table = GUIDE.split("An entry has the fields", 1)[1].split("\n## ", 1)[0]
    names = {
        n for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for n in re.findall(r"`(\w+)`", cell)
    }
    assert names == set(entries_of(server.url, "yw:dispatch:420106")[0])
    about = hash_of(server.url, keys_of(server.url, "yw:incident:*")[0])
    assert {"status", "alarm", "level", "department", "due_ms", "evidence", "history"} <= set(about)
