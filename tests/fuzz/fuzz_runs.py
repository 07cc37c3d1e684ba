"""Every target in a process of its own, looked after by another: what crashes or hangs loses only itself."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import msgspec

os.environ.setdefault("POLARS_MAX_THREADS", "1")

from tests.fuzz import fuzz_records, fuzz_texts
from tests.fuzz.fuzz_targets import Target
from tests.fuzz.fuzz_worker import Outcome, Slot, run

TARGETS: dict[str, Target] = {t.name: t for t in (*fuzz_records.TARGETS, *fuzz_texts.TARGETS)}
DYING = Target("dying", lambda _: os._exit(9), [b"last words"])
"""A target that takes its process along: this is tried too."""
HANG = 60.0
"""Seconds without a new batch after which a process is taken for hung: the machine may be busy."""
_LOOK = 0.2


def _child(name: str, inputs: int, seed: int, folder: Path) -> None:
    outcome = run({**TARGETS, DYING.name: DYING}[name], inputs, seed, Slot(folder / f"{name}.slot"))
    draft = folder / f"{name}.draft"
    draft.write_bytes(msgspec.msgpack.encode(outcome))
    draft.replace(folder / f"{name}.outcome")


def watched(name: str, inputs: int, seed: int, folder: Path) -> Outcome:
    """The outcome of a target; that of one which crashes or hangs names the batch it was at."""
    slot = Slot(folder / f"{name}.slot")
    process = multiprocessing.get_context("forkserver").Process(
        target=_child, args=(name, inputs, seed, folder)
    )
    process.start()
    number, since, fault = -1, time.monotonic(), ""
    while process.is_alive():
        process.join(_LOOK)
        if slot.number != number:
            number, since = slot.number, time.monotonic()
        elif time.monotonic() - since > HANG:
            fault = f"hung for {HANG:g} s"
            process.kill()
            process.join()
    done = folder / f"{name}.outcome"
    if done.exists():
        return msgspec.msgpack.decode(done.read_bytes(), type=Outcome)
    batch = slot.inputs()
    fault = fault or f"crashed with exit code {process.exitcode}"
    return Outcome(name, number * len(batch), faults=[(fault, text) for text in batch])


def prepare() -> None:
    """Let the processes of targets come from one that has imported all of them."""
    multiprocessing.set_forkserver_preload([__name__])
