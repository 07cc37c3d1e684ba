"""Dead letters: listed as they are, put back once, whatever breaks in between."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from flows.batches import Rejected
from flows.cli import app
from flows.letters import redrive as dlq_redrive
from flows.letters.letters import Letter, letters_of_file, read_letter
from flows.letters.redrive import FileTarget, KafkaTarget, Record, corrections, redrive
from sinks.kafka_contents import DeadLetters
from sinks.kafka_sink import KafkaPart, SinkSettings
from sinks.kafka_spans import topic_ends
from sinks.kafka_transactions import KafkaTransactions
from sinks.kafka_types import KafkaRefusedError, Outgoing
from sinks.line_files import reject_line
from tests.kafka.broker import Cluster
from tests.kafka.topics import content, values

NOON = 1_772_424_000_000


ROOT = Path(__file__).resolve().parents[2]


def raw(sensor: str, **more: Any) -> bytes:
    return json.dumps({"sensor_id": sensor, "metric": "rain", "value": 1.5, "ts": NOON, **more}).encode()


def rejected(source: str, offset: int, data: bytes, reason: str = "unknown_metric") -> Rejected:
    return Rejected(source, offset % 3, offset, 0, reason, data, NOON + offset)


def letter(offset: int, data: bytes = b"", source: str = "r") -> Letter:
    return read_letter(reject_line(rejected(source, offset, data or raw(f"s{offset}"))))


def ran(*words: object) -> Result:
    arguments = ["dlq", *map(str, words)]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "300", "NO_COLOR": "1"})


@pytest.fixture
def lettered(real_kafka: Cluster, tmp_path: Path) -> tuple[Path, str]:
    """A configuration, and the topic of readings whose dead letters are there."""
    readings = real_kafka.topic(3)
    real_kafka.topic(2, name=readings + ".dlq")
    told = [rejected(readings, n, raw(f"s{n}")) for n in range(6)]
    told += [
        rejected(readings, 6, b'{"sensor_id', "bad_json"),
        rejected(readings, 7, raw("x", ts="noon"), "bad_field"),
    ]
    KafkaPart(SinkSettings(real_kafka.settings), DeadLetters([readings])).write_batch([told])
    path = tmp_path / "city.toml"
    path.write_text(f"[kafka]\nbootstrap_servers = '{real_kafka.servers}'\nreadings = '{readings}'\n")
    return path, readings


def test_letters_are_listed_with_their_records(lettered: tuple[Path, str]) -> None:
    config, readings = lettered
    found = json.loads(ran("list", "--config", config, "--json").stdout)
    assert [one["key"] for one in found] == [f"{readings}/{n % 3}/{n}/0" for n in range(8)]
    assert found[3]["record"] == json.loads(raw("s3"))
    assert (found[6]["record"], found[6]["raw_base64"]) == (None, b64encode(b'{"sensor_id').decode())
    shown = ran("list", "--config", config, "--reason", "bad_json")
    assert f"{readings}/0/6/0" in shown.stdout
    assert f"{readings}/1/7/0" not in shown.stdout
    assert "bad_json 1" in shown.stderr
    newest = json.loads(ran("list", "--config", config, "--limit", 2, "--json").stdout)
    assert [one["offset"] for one in newest] == [6, 7]
    since = json.loads(
        ran("list", "--config", config, "--since", "2026-03-02T12:00:00.006+08:00", "--json").stdout
    )
    assert [one["offset"] for one in since] == [6, 7]


def test_letters_go_back_once_to_where_they_came_from(
    lettered: tuple[Path, str], real_kafka: Cluster
) -> None:
    config, readings = lettered
    words = ("redrive", "--config", config, "--reason", "unknown_metric", "--set", "metric=pm25", "--json")
    assert json.loads(ran(*words, "--dry-run").stdout)["redriven"] == 6
    assert content(real_kafka, readings) == []
    for expected in ({"redriven": 6, "already": 0}, {"redriven": 0, "already": 6}):
        done = ran(*words)
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout).items() >= expected.items()
    back = content(real_kafka, readings)
    assert sorted(int((one.key() or b"").split(b"/")[2]) % 3 for one in back) == [0, 0, 1, 1, 2, 2]
    for one in back:
        offset = int((one.key() or b"").split(b"/")[2])
        assert one.partition() == offset % 3
        assert json.loads(one.value() or b"") == json.loads(raw(f"s{offset}", metric="pm25"))
        assert dict(one.headers())["yiwang-redriven"] == one.key()
    listed = json.loads(ran("list", "--config", config, "--json").stdout)
    assert [one["redriven"] for one in listed] == [True] * 6 + [False] * 2


def test_a_file_of_corrections_puts_back_what_is_in_it(
    lettered: tuple[Path, str], real_kafka: Cluster, tmp_path: Path
) -> None:
    config, readings = lettered
    letters = json.loads(ran("list", "--config", config, "--json").stdout)
    chosen = [one for one in letters if one["reason"] in {"bad_json", "bad_field"}]
    chosen[0]["record"] = json.loads(raw("mended"))
    (tmp_path / "letters.json").write_text(json.dumps(chosen))
    done = ran("redrive", "--config", config, "--corrected", tmp_path / "letters.json", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["chosen"], told["redriven"]) == (2, 1)
    assert told["refused"] == {f"{readings}/1/7/0": "it would be refused again: bad_field; correct it"}
    assert values(content(real_kafka, readings)) == [
        json.dumps(json.loads(raw("mended")), separators=(",", ":")).encode()
    ]


def test_letters_of_several_runs_that_break_off_are_there_once(
    lettered: tuple[Path, str], real_kafka: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, readings = lettered
    monkeypatch.setattr(dlq_redrive, "AT_ONCE", 2)
    letters = [letter(n, source=readings) for n in range(9)]

    class Breaks(KafkaTarget):
        """Dies after its second transaction."""

        count = 0

        def put(self, corrected: Sequence[tuple[Letter, Record]]) -> None:
            super().put(corrected)
            Breaks.count += 1
            if Breaks.count in {2, 3}:
                raise KeyboardInterrupt

    correct = corrections({}, {})
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            redrive(letters, correct, Breaks(real_kafka.settings, {"readings": readings}, [readings]))
    done = redrive(letters, correct, Breaks(real_kafka.settings, {"readings": readings}, [readings]))
    assert (done.already, done.redriven) == (6, 3)
    assert Counter(one.key() for one in content(real_kafka, readings)) == Counter(
        one.key.encode() for one in letters
    )


_SMALL_STEPS = "from flows.letters import redrive; redrive.AT_ONCE = 20; from flows.cli import main; main()"


@pytest.mark.slow
def test_letters_of_redrives_that_are_killed_are_there_once(real_kafka: Cluster, tmp_path: Path) -> None:
    readings, count = real_kafka.topic(3), 3_000
    real_kafka.topic(2, name=readings + ".dlq")
    told = [rejected(readings, n, raw(f"s{n}")) for n in range(count)]
    KafkaPart(SinkSettings(real_kafka.settings), DeadLetters([readings])).write_batch([told])
    config = tmp_path / "city.toml"
    config.write_text(f"[kafka]\nbootstrap_servers = '{real_kafka.servers}'\nreadings = '{readings}'\n")
    random, before, killed = Random(5), 0, 0  # noqa: S311 - any will do
    command = [
        sys.executable,
        "-c",
        _SMALL_STEPS,
        "dlq",
        "redrive",
        f"--config={config}",
        "--as-is",
        "--json",
    ]
    for _ in range(5):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            real_kafka.until(lambda: run.poll() is not None or ends(real_kafka, readings) > before)  # noqa: B023
            time.sleep(random.uniform(0.0, 0.25))
            killed += run.poll() is None
            run.kill()
        before = ends(real_kafka, readings)
    assert killed >= 3, "it was too fast to be killed"
    done = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    assert (done["chosen"], done["redriven"] + done["already"]) == (count, count)
    assert done["already"] > 0
    back = Counter(one.key() for one in content(real_kafka, readings))
    assert back == Counter(f"{readings}/{n % 3}/{n}/0".encode() for n in range(count))


def ends(cluster: Cluster, topic: str) -> int:
    """How far the partitions of a topic go, what is not committed included."""
    return sum(topic_ends(cluster.settings, [topic]).values())


def test_a_redrive_that_still_runs_is_shut_out_by_a_later_one(real_kafka: Cluster) -> None:
    topic = real_kafka.topic()
    with KafkaTransactions(real_kafka.settings, "one-name") as first:
        first.write([Outgoing(topic, b"1")])
        with KafkaTransactions(real_kafka.settings, "one-name") as second:
            with pytest.raises(KafkaRefusedError, match="fenced"):
                first.write([Outgoing(topic, b"2")])
            second.write([Outgoing(topic, b"3")])
    assert values(content(real_kafka, topic)) == [b"1", b"3"]


def test_records_of_a_transaction_that_is_refused_are_not_there(real_kafka: Cluster) -> None:
    topic = real_kafka.topic(max_message_bytes="2000")
    noise = Random(1).randbytes(100_000)  # noqa: S311 - any will do
    with KafkaTransactions(real_kafka.settings, "x") as writer, pytest.raises(KafkaRefusedError):
        writer.write([Outgoing(topic, b"1"), Outgoing(topic, noise)])
    with KafkaTransactions(real_kafka.settings, "x") as writer:
        writer.write([Outgoing(topic, b"2")])
    assert values(content(real_kafka, topic)) == [b"2"]


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as text:
        yield Path(text)


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=5), st.integers(1, 7))
def test_a_file_gets_every_letter_once_however_often_it_is_asked_for(
    runs: list[list[int]], size: int
) -> None:
    with folder() as path, pytest.MonkeyPatch.context() as patch:
        patch.setattr(dlq_redrive, "AT_ONCE", size)
        (path / "readings.jsonl").write_bytes(raw("before") + b"\n")
        for run in runs:
            redrive(
                map(letter, run),
                corrections({}, {"value": 2}),
                FileTarget(path / "readings.jsonl", "readings"),
            )
        lines = (path / "readings.jsonl").read_bytes().splitlines()
    found = [json.loads(line) for line in lines[1:]]
    expected = {letter(n).key for run in runs for n in run}
    assert sorted(record["redriven"] for record in found) == sorted(expected)
    assert all(record["value"] == 2 for record in found)


def test_rejects_of_files_go_to_a_file_that_an_engine_follows(tmp_path: Path) -> None:
    told = [rejected("readings.jsonl", n, raw(f"s{n}")) for n in range(3)] + [
        rejected("r", 3, b"{", "bad_json")
    ]
    (tmp_path / "rejects.jsonl").write_bytes(b"".join(reject_line(one) + b"\n" for one in told) + b'{"sour')
    assert len(list(letters_of_file(tmp_path / "rejects.jsonl"))) == 4
    to = tmp_path / "readings.jsonl"
    words = ("redrive", "--file", tmp_path / "rejects.jsonl", "--to", to, "--as-is", "--json")
    for redriven in (3, 0):
        done = ran(*words)
        assert done.exit_code == 1
        told_json = json.loads(done.stdout)
        assert told_json["redriven"] == redriven
        assert list(told_json["refused"]) == ["r/0/3/0"]
    assert [json.loads(line)["sensor_id"] for line in to.read_text().splitlines()] == ["s0", "s1", "s2"]
    with to.open("a") as file:
        file.write('{"half')
    done = ran(*words)
    assert (done.exit_code, "ends in half a line" in done.stderr) == (2, True)


WRONG = {
    "no place": (["list"], "say where the letters are"),
    "no reason": (["list", "--file", "f", "--reason", "bad"], "found 'bad'; give one of bad_field, bad_json"),
    "no file": (["list", "--file", "none.jsonl"], "none.jsonl"),
    "no correction": (["redrive", "--file", "f", "--to", "t"], "say what goes back"),
    "no target": (["redrive", "--file", "f", "--as-is"], "letters of a file go to a file"),
    "no time": (["list", "--file", "f", "--since", "noon"], "found 'noon'"),
    "no change": (["redrive", "--file", "f", "--to", "t", "--set", "x"], "write FIELD=VALUE"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_told(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words, expected = WRONG[case]
    done = ran(*words)
    assert done.exit_code == (1 if case == "no file" else 2)
    assert expected in " ".join(done.stderr.replace("│", " ").split())
