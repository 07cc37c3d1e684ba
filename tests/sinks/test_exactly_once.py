import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from bytewax import operators as op
from bytewax import recovery, testing
from bytewax.dataflow import Dataflow
from hypothesis import given
from hypothesis import strategies as st

from sinks import table_file
from sinks.line_files import LineFiles, plain_line
from sinks.table_file import PARTS, ValueTable
from tests.sinks.value_rows import Row, frame

# Published without type information.
INIT: Any = recovery.init_db_dir
CONFIG: Any = recovery.RecoveryConfig
RUN: Any = testing.run_main

STEPS = st.lists(st.sampled_from(["write", "snapshot", "crash"]), max_size=30)


def row(i: int) -> Row:
    return Row("air.aqi", 60_000 * i, 0, f"N{i % 7}", 0, float(i), 0, i, 1.0, 0)


def written(out: Path) -> list[int]:
    segments = (pa.ipc.open_stream(path).read_all() for path in (out / PARTS).glob("values-*.arrows"))
    return sorted(n for segment in segments for n in segment.column("n").to_pylist())


def numbers(out: Path) -> list[int]:
    lines = (line for p in (out / PARTS).glob("numbers-*.jsonl") for line in p.read_text().splitlines())
    return sorted(json.loads(line)["n"] for line in lines)


@given(STEPS, st.integers(1, 4))
def test_a_values_part_resumed_from_its_snapshot_has_each_row_once(steps: list[str], batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_file, "BATCH_ROWS", batch)
        sink = ValueTable(Path(folder), ["out-0"])
        part, state, sent, safe = sink.build_part("v", "out-0", None), None, 0, 0
        for step in steps:
            if step == "write":
                part.write_batch([frame([row(sent)])])
                sent += 1
            elif step == "snapshot":
                state, safe = part.snapshot(), sent
            else:
                part.close()  # what was written after the snapshot may be on disk or not
                part, sent = sink.build_part("v", "out-0", state), safe
        part.close()
        assert written(Path(folder)) == list(range(sent))


@given(STEPS)
def test_a_lines_part_resumed_from_its_snapshot_has_each_line_once(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sink = LineFiles(Path(folder), "alerts", ["out-0"], plain_line)
        part, state, sent, safe = sink.build_part("a", "out-0", None), None, 0, 0
        for step in steps:
            if step == "write":
                part.write_batch([[{"n": sent}]])
                sent += 1
            elif step == "snapshot":
                state, safe = part.snapshot(), sent
            else:
                part.close()
                part, sent = sink.build_part("a", "out-0", state), safe
        part.close()
        lines = (Path(folder) / PARTS / "alerts-out-0.jsonl").read_text().splitlines()
        assert [json.loads(line)["n"] for line in lines] == list(range(sent))


@pytest.mark.parametrize("lose", ["values-out-0-0000.arrows", "alerts-out-0.jsonl"])
def test_parts_that_recovery_counts_on_but_cannot_find_are_an_error(tmp_path: Path, lose: str) -> None:
    sinks: dict[str, tuple[Any, object]] = {
        "values": (ValueTable(tmp_path, ["out-0"]), frame([row(1)])),
        "alerts": (LineFiles(tmp_path, "alerts", ["out-0"], plain_line), [{"n": 1}]),
    }
    sink, item = sinks[lose[:6]]
    part = sink.build_part("s", "out-0", None)
    part.write_batch([item])
    state = part.snapshot()
    part.close()
    (tmp_path / PARTS / lose).unlink()
    with pytest.raises(FileNotFoundError, match=r"found 0: .* give the same --out again"):
        sink.build_part("s", "out-0", state)


def flow(out: Path, script: Iterable[Any], visit: Callable[[int], int] = int) -> Dataflow:
    flow = Dataflow("crash")
    numbers = op.input("numbers", flow, testing.TestingSource(script))
    visited = op.map("visited", numbers, visit)
    keyed = op.map("keyed", visited, lambda i: (str(i % 5), i))
    values = op.map_value("values", keyed, lambda i: frame([row(i)]))
    lines = op.map_value("lines", keyed, lambda i: [{"n": i}])
    op.output("table", values, ValueTable(out, ["out-0", "out-1"]))
    op.output("numbers_out", lines, LineFiles(out, "numbers", ["out-0", "out-1"], plain_line))
    return flow


@pytest.mark.parametrize("epoch", [0, 3600])
@pytest.mark.parametrize("abort", [0, 7, 20])
def test_an_aborted_flow_goes_on_without_loss_or_repetition(tmp_path: Path, epoch: int, abort: int) -> None:
    out, store = tmp_path / "out", tmp_path / "recovery"
    store.mkdir()
    INIT(store, 2)
    crashing = flow(out, [*range(abort), testing.TestingSource.ABORT(), *range(abort, 20)])
    for _ in range(2):
        RUN(crashing, epoch_interval=timedelta(seconds=epoch), recovery_config=CONFIG(store))
    assert written(out) == list(range(20))
    assert numbers(out) == list(range(20))


KILLED = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from bytewax.recovery import RecoveryConfig
from bytewax.testing import run_main
from tests.sinks.test_exactly_once import flow

out, store, deaths = Path(sys.argv[1]), Path(sys.argv[2]), set(map(int, sys.argv[3].split(",")))

def visit(i):
    if i in deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return i

run_main(flow(out, range(60), visit), epoch_interval=timedelta(milliseconds=1),
         recovery_config=RecoveryConfig(store))
"""


def test_a_killed_process_goes_on_without_loss_or_repetition(tmp_path: Path) -> None:
    out, store = tmp_path / "out", tmp_path / "recovery"
    store.mkdir()
    INIT(store, 2)
    codes = []
    for deaths in ("13", "13", "47", "-1"):
        command = [sys.executable, "-c", KILLED, str(out), str(store), deaths]
        environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        codes.append(subprocess.run(command, env=environment, check=False, capture_output=True).returncode)
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0]
    assert written(out) == list(range(60))
    assert numbers(out) == list(range(60))
