"""One target in a process of its own: inputs, one batch after the other, and what was seen.

The batch under way lies in a file that outlives the process, so that whoever looks after it finds the inputs
of a crash or of a hang.
"""

from __future__ import annotations

import mmap
import resource
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.fuzz.fuzz_mutations import MOST, Mutator
from tests.fuzz.fuzz_targets import Target

NOVEL = 300
"""Inputs with an outcome not seen before that are kept as seeds of the run."""
SLOW = 3.0
"""Most seconds of processor time for one batch."""
GROWTH = 64 << 20
"""Most bytes that a process may grow by after its first fifth."""
PAGE = resource.getpagesize()
SLOT = 8 + 64 * (MOST + 8)
"""Bytes of the file with the batch under way: its number, then each input behind its length."""


class Outcome(msgspec.Struct):
    """What a run of a target saw; ``faults`` are (text, input) pairs, ``growth`` and ``peak`` bytes."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    growth: int = 0
    peak: int = 0
    words: dict[str, int] = {}
    faults: list[tuple[str, bytes]] = []


def memory() -> int:
    """Bytes in memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Slot:
    """The batch under way, in a file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(SLOT))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOT)

    def put(self, number: int, inputs: Sequence[bytes]) -> None:
        """Keep a batch."""
        parts = [len(inputs).to_bytes(4, "little")]
        for text in inputs:
            parts += [len(text).to_bytes(4, "little"), text]
        held = number.to_bytes(8, "little") + b"".join(parts)
        self._map[: len(held)] = held

    @property
    def number(self) -> int:
        """Of the batch under way; rises while the process works."""
        return int.from_bytes(self._map[:8], "little")

    def inputs(self) -> list[bytes]:
        """The batch under way."""
        found, at = [], 12
        for _ in range(int.from_bytes(self._map[8:12], "little")):
            size = int.from_bytes(self._map[at : at + 4], "little")
            found.append(self._map[at + 4 : at + 4 + size])
            at += 4 + size
        return found


def run(target: Target, inputs: int, seed: int, slot: Slot) -> Outcome:
    """Give a target so many inputs; stops at the tenth fault."""
    seeds = target.inputs()
    mutator = Mutator(f"{seed} {target.name}", target.words)
    seen = Outcome(target.name)
    words: Counter[str] = Counter()
    begun, level, number = time.perf_counter(), 0, 0
    fixed = [seeds[i : i + target.batch] for i in range(0, len(seeds), target.batch)]
    while seen.inputs < inputs and len(seen.faults) < 10:
        batch = fixed.pop() if fixed else [mutator.of(seeds) for _ in range(target.batch)]
        number += 1
        slot.put(number, batch)
        for text, word in zip(batch, _outcomes(target, batch, seen), strict=True):
            if not words[word] and len(seeds) < NOVEL and len(text) < MOST // 4:
                seeds.append(text)
            words[word] += 1
        seen.inputs += len(batch)
        if not level and seen.inputs > inputs / 5:
            level = memory()
    seen.growth = memory() - level if level else 0
    seen.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    seen.seconds, seen.words = time.perf_counter() - begun, dict(words)
    if seen.growth > GROWTH:
        seen.faults.append((f"memory grew by {seen.growth >> 20} MB", b""))
    return seen


def _outcomes(target: Target, batch: list[bytes], seen: Outcome) -> list[str]:
    begun = time.process_time()
    try:
        said = target.run(batch)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        seen.faults.append((shown(error), guilty(target, batch)))
        return ["fault"] * len(batch)
    taken = time.process_time() - begun
    seen.slowest = max(seen.slowest, taken)
    if taken > SLOW:
        seen.faults.append((f"took {taken:.1f} s", max(batch, key=len)))
    return said


def shown(error: BaseException) -> str:
    """The kind of an error and where it came from."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:200]} ({Path(last.filename).name}:{last.lineno})"


def guilty(target: Target, batch: list[bytes]) -> bytes:
    """The input of a batch that fails alone, else all of them."""
    for text in batch:
        try:
            target.run([text])
        except BaseException:  # noqa: BLE001 - the one that is looked for
            return text
    return b"\n".join(batch)
